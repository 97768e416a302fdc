/* Test cases 2 and 6 of RFC 4231. */
#include "crypto/hmac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void check(struct bytes key, struct bytes what, const char *hex)
{
	unsigned char out[SHA256_LEN], want[SHA256_LEN];

	assert_int_equal(hex_read(bytes_str(hex), want, sizeof(want)), OK);
	hmac_sha256(key, what, out);
	assert_memory_equal(out, want, sizeof(want));
}

static void test_vectors(void **state)
{
	unsigned char big[131];

	(void)state;
	memset(big, 0xaa, sizeof(big));
	check(BYTES("Jefe"), BYTES("what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	check(bytes_of(big, sizeof(big)), BYTES("Test Using Larger Than Block-Size Key - Hash Key First"), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
