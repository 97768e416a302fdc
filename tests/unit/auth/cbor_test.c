/* Items of CBOR as CTAP2 writes them, and others that RFC 8949 allows and CTAP2 does not. */
#include "auth/cbor.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_skip(void **state)
{
	static const struct { const char *why; struct bytes in; bool is_good; } cases[] = {
		{ "0", LIT("\x00"), true },
		{ "23, the last within the octet", LIT("\x17"), true },
		{ "24", LIT("\x18\x18"), true },
		{ "23 in two octets", LIT("\x18\x17"), false },
		{ "256", LIT("\x19\x01\x00"), true },
		{ "255 in three octets", LIT("\x19\x00\xff"), false },
		{ "65536", LIT("\x1a\x00\x01\x00\x00"), true },
		{ "65535 in five octets", LIT("\x1a\x00\x00\xff\xff"), false },
		{ "2^32", LIT("\x1b\x00\x00\x00\x01\x00\x00\x00\x00"), true },
		{ "2^32 - 1 in nine octets", LIT("\x1b\x00\x00\x00\x00\xff\xff\xff\xff"), false },
		{ "the largest", LIT("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), true },
		{ "reserved 28", LIT("\x1c"), false },
		{ "-2^64", LIT("\x3b\xff\xff\xff\xff\xff\xff\xff\xff"), true },
		{ "octets", LIT("\x42\x00\x01"), true },
		{ "octets that end early", LIT("\x42\x00"), false },
		{ "octets in chunks", LIT("\x5f\x41\x00\xff"), false },
		{ "octets as many as there can be", LIT("\x5b\xff\xff\xff\xff\xff\xff\xff\xff"), false },
		{ "an empty list", LIT("\x80"), true },
		{ "a list as long as there can be", LIT("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"), false },
		{ "a list in a list", LIT("\x81\x80"), true },
		{ "three lists", LIT("\x81\x81\x80"), false },
		{ "a map as long as there can be", LIT("\xbb\xff\xff\xff\xff\xff\xff\xff\xff"), false },
		{ "keys: number, negative, octets, text", LIT("\xa4\x01\x00\x20\x00\x41\x00\x00\x61" "a\x00"), true },
		{ "a shorter key stands first", LIT("\xa2\x61" "b\x00\x62" "aa\x00"), true },
		{ "by the alphabet", LIT("\xa2\x62" "aa\x00\x61" "b\x00"), false },
		{ "negative first", LIT("\xa2\x20\x00\x01\x00"), false },
		{ "10 before 9", LIT("\xa2\x0a\x00\x09\x00"), false },
		{ "a list for a key", LIT("\xa1\x80\x00"), false },
		{ "true for a key", LIT("\xa1\xf5\x00"), false },
		{ "false", LIT("\xf4"), true },
		{ "null", LIT("\xf6"), true },
		{ "undefined", LIT("\xf7"), false },
		{ "a simple value in two octets", LIT("\xf8\x20"), false },
		{ "a half float", LIT("\xf9\x3c\x00"), true },
		{ "half a half float", LIT("\xf9\x3c"), false },
		{ "a double", LIT("\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a"), true },
		{ "a break", LIT("\xff"), false },
		{ "a tag", LIT("\xc1\x00"), false },
		{ "nothing", LIT(""), false },
		{ "two items", LIT("\x00\x00"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct reader r = { .left = cases[i].in };
		cbor_skip(&r, 2);
		if (reader_done(&r) != cases[i].is_good)
			fail_msg("%s", cases[i].why);
	}
}

static void test_read(void **state)
{
	struct reader r = { .left = BYTES("\xa2\x01\x39\x01\x00\x20\x62" "ab") };
	struct bytes last = { 0 };

	(void)state;
	assert_int_equal(cbor_map(&r), 2);
	assert_int_equal(cbor_key(&r, &last).n, 1);
	assert_int_equal(cbor_int(&r), -257);
	assert_int_equal(cbor_key(&r, &last).kind, CBOR_NEGATIVE);
	assert_true(bytes_eq(cbor_text(&r), BYTES("ab")));
	assert_true(reader_done(&r));
	r = (struct reader){ .left = BYTES("\x1a\x80\x00\x00\x00") };
	assert_int_equal(cbor_int(&r), 0); /* over INT32_MAX */
	assert_true(r.failed);
	r = (struct reader){ .left = BYTES("\x61" "a") };
	assert_int_equal(cbor_bytes(&r).len, 0); /* text is not octets */
	assert_true(r.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_skip), cmocka_unit_test(test_read) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
