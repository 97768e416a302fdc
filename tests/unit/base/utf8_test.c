/* Each edge of the ranges of RFC 3629. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct { const char *why; struct bytes in; size_t len; bool is_valid; } cases[] = {
	{ "nothing", LIT(""), 0, true },
	{ "ASCII", LIT("a"), 1, true },
	{ "NUL is a character", LIT("\0"), 1, true },
	{ "the first of two octets", LIT("\xc2\x80"), 2, true },
	{ "the last of two octets", LIT("\xdf\xbf"), 2, true },
	{ "overlong in two octets", LIT("\xc1\xbf"), 0, false },
	{ "the first of three octets", LIT("\xe0\xa0\x80"), 3, true },
	{ "overlong in three octets", LIT("\xe0\x9f\xbf"), 0, false },
	{ "the last before the surrogates", LIT("\xed\x9f\xbf"), 3, true },
	{ "a surrogate", LIT("\xed\xa0\x80"), 0, false },
	{ "the first of four octets", LIT("\xf0\x90\x80\x80"), 4, true },
	{ "overlong in four octets", LIT("\xf0\x8f\xbf\xbf"), 0, false },
	{ "the last character", LIT("\xf4\x8f\xbf\xbf"), 4, true },
	{ "above the last", LIT("\xf4\x90\x80\x80"), 0, false },
	{ "no first octet", LIT("\x80"), 0, false },
	{ "cut short", LIT("\xe2\x82"), 0, false },
	{ "a third octet that is none", LIT("\xe2\x82z"), 0, false },
	{ "two characters", LIT("\xc3\xa9" "e"), 2, true },
	{ "a good one, then a bad one", LIT("e\xff"), 1, false },
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (utf8_len(cases[i].in) != cases[i].len || utf8_is_valid(cases[i].in) != cases[i].is_valid)
			fail_msg("%s: %zu %d", cases[i].why, utf8_len(cases[i].in), utf8_is_valid(cases[i].in));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
