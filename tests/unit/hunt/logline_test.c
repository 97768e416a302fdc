/* Error log and syslog lines, and the years of those that have none. */
#include "hunt/logline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_error_log(void **state)
{
	struct errorlog e = { 0 };

	(void)state;
	assert_int_equal(errorlog_parse(BYTES("[Thu Jan 09 12:34:56 2020] [error] [client 203.0.113.7] x"), &e), OK);
	assert_true(e.at_us == UINT64_C(1578573296000000) && bytes_eq(e.client, BYTES("203.0.113.7")));
	assert_int_equal(errorlog_parse(BYTES("[Thu Jan 09 12:34:56.123456 2020] [core:error] [pid 7] [client 203.0.113.7:4711] x"), &e), OK);
	assert_true(e.at_us == UINT64_C(1578573296000000) && bytes_eq(e.client, BYTES("203.0.113.7")));
	assert_int_equal(errorlog_parse(BYTES("cat: /proc/version: No such file or directory"), &e), ERR_SYNTAX);
	assert_int_equal(errorlog_parse(BYTES("[]"), &e), ERR_SYNTAX);
}

static void test_commands(void **state)
{
	static const struct {
		const char *line, *user, *command;
	} cases[] = {
		{ "Jan  9 12:34:56 <local7.notice> ns bash[1]: nsroot on /dev/pts/0 shell_command=\"ls -l\"", "nsroot", "ls -l" },
		{ "Jan 19 12:34:56 <local7.notice> ns sh[1]: (null) on (null) shell_command=\"id\"", "(null)", "id" },
		{ "Jan 19 12:34:56 ns cron[99]: (nobody) CMD (/tmp/x)", "nobody", "/tmp/x" },
		{ "Jan 19 12:34:56 ns kernel: hello", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct syslog_line l = { 0 };

		print_message("%s\n", cases[i].line);
		assert_int_equal(syslog_parse(bytes_str(cases[i].line), &l), OK);
		assert_true(bytes_eq(l.user, bytes_str(cases[i].user)) && bytes_eq(l.command, bytes_str(cases[i].command)));
	}
}

static void test_years(void **state)
{
	const struct syslog_line dec = { .month = 12, .day = 31, .hour = 10 }, jan = { .month = 1, .day = 1, .hour = 1 };
	const uint64_t new_year = UINT64_C(1577880000000000); /* 2020-01-01 12:00 */

	(void)state;
	assert_int_equal(syslog_year(new_year, &dec, 0), 2019);
	assert_int_equal(syslog_year(new_year, &jan, 0), 2020);
	assert_int_equal(syslog_year(new_year, &jan, 1), 2019);
	assert_int_equal(syslog_year(new_year - UINT64_C(50400000000), &jan, 0), 2020); /* changed the evening before: another zone */
	assert_int_equal(syslog_year(0, &jan, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_error_log), cmocka_unit_test(test_commands), cmocka_unit_test(test_years) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
