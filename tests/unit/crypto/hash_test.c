/* The published vectors of SipHash-2-4 with the key 00..0f. */
#include "crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_vectors(void **state)
{
	unsigned char key[16], in[16];

	(void)state;
	for (unsigned char i = 0; i < 16; i++)
		key[i] = in[i] = i;
	assert_true(siphash24(key, bytes_of(in, 0)) == 0x726fdb47dd0e0e31u);
	assert_true(siphash24(key, bytes_of(in, 1)) == 0x74f839c593dc67fdu);
	assert_true(siphash24(key, bytes_of(in, 15)) == 0xa129ca6149be45e5u);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
