/* RFC 6238's own vectors, and a code that is good once, for a minute and a half at most. */
#include "auth/totp.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const unsigned char secret[TOTP_SECRET_LEN + 1] = "12345678901234567890"; /* of RFC 6238 appendix B and RFC 4226 appendix D */

static void test_vectors(void **state)
{
	static const struct { uint64_t now_s; const char *want; } cases[] = { /* the last six of its eight digits: SHA1 */
		{ 59, "287082" }, { 1111111109, "081804" }, { 1111111111, "050471" }, { 1234567890, "005924" }, { 2000000000, "279037" },
		{ UINT64_C(20000000000), "353130" },
		/* RFC 4226 appendix D, counts 0 and 9 */
		{ 0, "755224" }, { 270, "520489" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char code[TOTP_DIGITS + 1];
		totp_code(secret, cases[i].now_s / TOTP_STEP_S, code);
		assert_string_equal(code, cases[i].want);
	}
}

static void test_window(void **state)
{
	static const struct { const char *why; uint64_t now_s, last; const char *code; bool want; uint64_t last_after; } cases[] = {
		/* 287082 is of step 1; 755224 of step 0, 359152 of 2, 969429 of 3 */
		{ "of now", 59, 0, "287082", true, 1 },
		{ "its first second", 30, 0, "287082", true, 1 },
		{ "the step before", 89, 0, "287082", true, 1 },
		{ "two steps before", 90, 0, "287082", false, 0 },
		{ "the next one", 29, 0, "287082", true, 1 },
		{ "the one after the next", 29, 0, "359152", false, 0 },
		{ "at 0, of the next", 0, 0, "287082", true, 1 },
		{ "at 0, of step 0: not later than 0", 0, 0, "755224", false, 0 },
		{ "used", 59, 1, "287082", false, 1 },
		{ "an earlier one than the last", 89, 2, "287082", false, 2 },
		{ "a later one", 89, 1, "359152", true, 2 },
		{ "last is far ahead", 59, UINT64_MAX, "287082", false, UINT64_MAX },
		{ "the last second there is", UINT64_MAX, 0, "287082", false, 0 },
		{ "as apps show it", 59, 0, "287 082", true, 1 },
		{ "spaces around", 59, 0, " 2 8 7 0 8 2 ", true, 1 },
		{ "one digit wrong", 59, 0, "287083", false, 0 },
		{ "the first wrong", 59, 0, "387082", false, 0 },
		{ "five digits", 59, 0, "28708", false, 0 },
		{ "seven digits", 59, 0, "2870820", false, 0 },
		{ "six and a space more", 59, 0, "287082 ", true, 1 },
		{ "nothing", 59, 0, "", false, 0 },
		{ "spaces", 59, 0, "      ", false, 0 },
		{ "letters", 59, 0, "28708b", false, 0 },
		{ "a dash is no space", 59, 0, "287-082", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t last = cases[i].last;
		bool got = totp_check(secret, bytes_str(cases[i].code), cases[i].now_s, &last);
		if (got != cases[i].want || last != cases[i].last_after)
			fail_msg("%s", cases[i].why);
	}
}

/* Every code once, in turn, also when they come early or late. */
static void test_once(void **state)
{
	uint64_t last = 0;

	(void)state;
	for (uint64_t step = 57000000; step < 57000050; step++) {
		char code[TOTP_DIGITS + 1];
		uint64_t now_s = (uint64_t)((int64_t)(step * TOTP_STEP_S) + (int64_t)(step % 3) * 29 - 29);
		totp_code(secret, step, code);
		assert_true(totp_check(secret, bytes_str(code), now_s, &last));
		assert_int_equal(last, step);
		assert_false(totp_check(secret, bytes_str(code), now_s, &last));
		assert_int_equal(last, step);
	}
}

static void test_secret(void **state)
{
	unsigned char a[TOTP_SECRET_LEN] = { 0 }, b[TOTP_SECRET_LEN] = { 0 };

	(void)state;
	totp_secret_new(a);
	totp_secret_new(b);
	assert_memory_not_equal(a, b, sizeof a);
}

static void test_base32(void **state)
{
	static const struct { const char *in, *want; } cases[] = { /* RFC 4648 10, without its padding */
		{ "", "" }, { "f", "MY" }, { "fo", "MZXQ" }, { "foo", "MZXW6" }, { "foob", "MZXW6YQ" }, { "fooba", "MZXW6YTB" }, { "foobar", "MZXW6YTBOI" },
		{ "12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[64];
		struct text t;
		text_init(&t, mem, sizeof mem);
		totp_base32(&t, bytes_str(cases[i].in));
		assert_false(t.failed);
		assert_true(bytes_eq(text_bytes(&t), bytes_str(cases[i].want)));
	}
}

static void test_uri(void **state)
{
	unsigned char mem[512];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	totp_uri(&t, BYTES("Gemeente D\xc3\xa9lft: & co"), BYTES("eva+x@example.org"), secret);
	assert_false(t.failed);
	assert_true(bytes_eq(text_bytes(&t), BYTES("otpauth://totp/Gemeente%20D%C3%A9lft%3A%20%26%20co:eva%2Bx%40example.org"
						    "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Gemeente%20D%C3%A9lft%3A%20%26%20co")));
	text_init(&t, mem, 20);
	totp_uri(&t, BYTES("Sluis"), BYTES("eva"), secret);
	assert_true(t.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors), cmocka_unit_test(test_window), cmocka_unit_test(test_once), cmocka_unit_test(test_secret),
		cmocka_unit_test(test_base32), cmocka_unit_test(test_uri) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
