/* Times as people write them, and what is almost one. */
#include "window/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void times(void **state)
{
	static const struct { const char *why; struct bytes in; bool is_end; enum err want; uint64_t s; } cases[] = {
		{ "now", LIT("now"), false, OK, 1000000000 },
		{ "ago", LIT("-2h"), false, OK, 1000000000 - 7200 },
		{ "before 1970", LIT("-99999d"), false, ERR_LIMIT, 0 },
		{ "a day begins", LIT("2020-01-09"), false, OK, 1578528000 },
		{ "a day ends", LIT("2020-01-09"), true, OK, 1578614399 },
		{ "a space", LIT("2020-01-09 12:30"), false, OK, 1578573000 },
		{ "a minute ends", LIT("2020-01-09 12:30"), true, OK, 1578573059 },
		{ "Z", LIT("2020-01-09T12:30:01Z"), false, OK, 1578573001 },
		{ "east", LIT("2020-01-09T12:30:01+01:00"), false, OK, 1578569401 },
		{ "west, with a fraction", LIT("2020-01-09T12:30:01.5-00:30"), false, OK, 1578574801 },
		{ "no such day", LIT("2020-02-30"), false, ERR_SYNTAX, 0 },
		{ "no such hour", LIT("2020-01-09 24:00"), false, ERR_SYNTAX, 0 },
		{ "a word", LIT("yesterday"), false, ERR_SYNTAX, 0 },
		{ "half a zone", LIT("2020-01-09T12:30:01+1"), false, ERR_SYNTAX, 0 },
		{ "nothing", LIT(""), false, ERR_SYNTAX, 0 },
		{ "a minus alone", LIT("-"), false, ERR_SYNTAX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t us = 0;

		if (when_parse(cases[i].in, UINT64_C(1000000000000000), cases[i].is_end, &us) != cases[i].want || us / 1000000 != cases[i].s)
			fail_msg("%s: %llu", cases[i].why, (unsigned long long)us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(times) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
