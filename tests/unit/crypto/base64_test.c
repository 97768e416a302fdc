/* base64url: RFC 4648's vectors, and that each value has one spelling. */
#include "crypto/base64.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const struct { const char *why, *text; struct bytes want; } good[] = {
	{ "nothing", "", LIT("") },
	{ "one octet", "Zg", LIT("f") },
	{ "two", "Zm8", LIT("fo") },
	{ "three", "Zm9v", LIT("foo") },
	{ "six", "Zm9vYmFy", LIT("foobar") },
	{ "both characters of its own", "-_8", LIT("\xfb\xff") },
};
static const struct { const char *why, *text; } bad[] = {
	{ "padding", "Zg==" }, { "a single character", "Z" }, { "bits behind the last octet", "Zh" }, { "the other alphabet", "+/8" },
	{ "a space", "Zm9 " }, { "bits behind two octets", "Zm9" },
};

static void test_good(void **state)
{
	unsigned char out[16], mem[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct text t;

		text_init(&t, mem, sizeof mem);
		base64url_put(&t, good[i].want);
		assert_true(bytes_eq(text_bytes(&t), bytes_str(good[i].text)));
		assert_int_equal(base64url_read_any(bytes_str(good[i].text), out, sizeof out, &n), OK);
		assert_true(bytes_eq(bytes_of(out, n), good[i].want));
		assert_int_equal(base64url_read(bytes_str(good[i].text), out, good[i].want.len), OK);
	}
}

static void test_bad(void **state)
{
	unsigned char out[16] = { 7 };
	size_t n = 99;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(base64url_read_any(bytes_str(bad[i].text), out, sizeof out, &n), ERR_SYNTAX);
	assert_int_equal(base64url_read_any(BYTES("Zm9v"), out, 2, &n), ERR_LIMIT);
	assert_int_equal(base64url_read(BYTES("Zm9v"), out, 2), ERR_SYNTAX);
	assert_int_equal(out[0], 7);
	assert_int_equal(n, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
