/* Messages of both standards and of what is sent in their name; and as lines of the appliance's logs. */
#include "watch/syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW UINT64_C(1779613953000000) /* 2026-05-24T09:12:33Z */
#define SECOND UINT64_C(1000000)
#define DAY (86400 * SECOND)

static void is_text(struct bytes got, const char *want)
{
	if (!bytes_eq(got, bytes_str(want)))
		fail_msg("'%.*s' and not '%s'", FMT(got), want);
}

static void test_messages(void **state)
{
	static const struct {
		const char *in, *host, *program, *pid, *msgid, *message;
		unsigned facility, severity;
		uint64_t at_us;
		bool has_time, has_year, is_appliance;
	} cases[] = {
		/* RFC 5424 6.5, examples 1 to 4 in form */
		{ "<34>1 2026-05-11T22:14:15.003Z gw.example.org su - ID47 - \xef\xbb\xbf'su root' failed", "gw.example.org", "su", "", "ID47", "'su root' failed", 4, 2,
			NOW - 12 * DAY - 39498 * SECOND + 3000, true, true, false },
		{ "<165>1 2026-05-24T02:12:33.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time", "192.0.2.1", "myproc", "8710", "", "%% It's time", 20, 5, NOW + 3,
			true, true, false },
		{ "<165>1 2026-05-24T11:12:33+02:00 h a - ID47 [x@32473 iut=\"3\" s=\"a\\]b\\\"\"][y@32473] BOM-less", "h", "a", "", "ID47", "BOM-less", 20, 5, NOW, true, true,
			false },
		{ "<0>1 - - - - - -", "", "", "", "", "", 0, 0, NOW, false, false, false },
		{ "<191>1 - - - - - [a b=\"\"]", "", "", "", "", "", 23, 7, NOW, false, false, false },
		/* RFC 3164 */
		{ "<189>May 24 09:12:33 ns bash[123]: nsroot on /dev/pts/0 shell_command=\"id\"\n", "ns", "bash", "123", "", "nsroot on /dev/pts/0 shell_command=\"id\"", 23, 5,
			NOW, true, false, false },
		{ "<13>May  4 09:12:33 192.0.2.9 cron: (root) CMD (x)", "192.0.2.9", "cron", "", "", "(root) CMD (x)", 1, 5, NOW - 20 * DAY, true, false, false },
		{ "<13>Dec 31 09:12:33 h p: x", "h", "p", "", "", "x", 1, 5, NOW - 144 * DAY, true, false, false },
		{ "<13>May 24 09:12:33 /usr/sbin/cron[7]: (nobody) CMD (x)", "", "/usr/sbin/cron", "7", "", "(nobody) CMD (x)", 1, 5, NOW, true, false, false },
		{ "<13>May 24 09:12:33 Forwarded from ns2: sh[9]: x", "ns2", "sh", "9", "", "x", 1, 5, NOW, true, false, false },
		{ "<13>May 24 09:12:33 2001:db8::1 p: x", "2001:db8::1", "p", "", "", "x", 1, 5, NOW, true, false, false },
		{ "<13>2026-05-24T09:12:33Z h p[1]: x", "h", "p", "1", "", "x", 1, 5, NOW, true, true, false },
		{ "<13>no date at all", "", "", "", "", "no date at all", 1, 5, NOW, false, false, false },
		{ "<13>Feb 30 09:12:33 h p: x", "", "", "", "", "Feb 30 09:12:33 h p: x", 1, 5, NOW, false, false, false },
		{ "<190>May 24 09:12:33 198.51.100.7 - - [24/May/2026:09:12:33 +0000] \"GET / HTTP/1.1\" 200 1", "", "", "", "",
			"198.51.100.7 - - [24/May/2026:09:12:33 +0000] \"GET / HTTP/1.1\" 200 1", 23, 6, NOW, true, false, false },
		/* a NetScaler's, day and month in both orders */
		{ "<134> 05/24/2026:09:12:33 GMT ns 0-PPE-0 : default SSLVPN LOGIN 123 0 : Context a", "ns", "", "", "",
			"05/24/2026:09:12:33 GMT ns 0-PPE-0 : default SSLVPN LOGIN 123 0 : Context a", 16, 6, NOW, true, true, true },
		{ "<134>24/05/2026:11:12:33 CEST ns 0-PPE-0 : default AAA x 1 0 : y", "ns", "", "", "", "24/05/2026:11:12:33 CEST ns 0-PPE-0 : default AAA x 1 0 : y", 16,
			6, NOW, true, true, true },
		{ "<134> 04/05/2026:09:12:33 GMT  0-PPE-0 : x", "", "", "", "", "04/05/2026:09:12:33 GMT  0-PPE-0 : x", 16, 6, NOW - 20 * DAY, true, true, true },
		{ "<134>May 24 09:12:33 192.0.2.1 05/24/2026:09:12:33 GMT ns 0-PPE-0 : x", "ns", "", "", "", "05/24/2026:09:12:33 GMT ns 0-PPE-0 : x", 16, 6, NOW, true, true,
			true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct syslog_message m = { 0 };

		print_message("%s\n", cases[i].in);
		assert_int_equal(syslog_message_parse(bytes_str(cases[i].in), NOW, &m), OK);
		is_text(m.host, cases[i].host);
		is_text(m.program, cases[i].program);
		is_text(m.pid, cases[i].pid);
		is_text(m.msgid, cases[i].msgid);
		is_text(m.message, cases[i].message);
		assert_int_equal(m.facility, cases[i].facility);
		assert_int_equal(m.severity, cases[i].severity);
		assert_int_equal((int64_t)(m.at_us - cases[i].at_us), 0);
		assert_true(m.has_time == cases[i].has_time && m.has_year == cases[i].has_year && m.is_appliance == cases[i].is_appliance);
	}
}

static void test_what_is_none(void **state)
{
	static const struct {
		const char *in;
		enum err want;
	} cases[] = {
		{ "", ERR_SYNTAX }, { "x", ERR_SYNTAX }, { "<>x", ERR_SYNTAX }, { "<192>x", ERR_SYNTAX }, { "<007>x", ERR_SYNTAX }, { "<1 3>x", ERR_SYNTAX },
		{ "<13", ERR_SYNTAX }, { "<1300>x", ERR_SYNTAX }, { "<-1>x", ERR_SYNTAX }, { "<13>2 - - - - - -", ERR_UNSUPPORTED },
		{ "<13>1 - - - - -", ERR_SYNTAX }, { "<13>1 - - - - - x", ERR_SYNTAX }, { "<13>1 2026-05-24T09:12:33 h a - - -", ERR_SYNTAX },
		{ "<13>1 2026-02-30T09:12:33Z h a - - -", ERR_SYNTAX }, { "<13>1 - h\x01 a - - -", ERR_SYNTAX }, { "<13>1 - - - - - [a", ERR_SYNTAX },
		{ "<13>1 - - - - - [a b=c]", ERR_SYNTAX }, { "<13>1 - - - - - [a b=\"c]\"]", ERR_SYNTAX }, { "<13>1 - - - - - [a b=\"c\\", ERR_SYNTAX },
		{ "<13>1 - - - - - []", ERR_SYNTAX }, { "<13>1 - - - - - [a]x", ERR_SYNTAX }, { "<13>1  - - - - -", ERR_SYNTAX },
	};
	char long_name[400];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct syslog_message m = { .facility = 99 };

		print_message("%s\n", cases[i].in);
		assert_int_equal(syslog_message_parse(bytes_str(cases[i].in), NOW, &m), cases[i].want);
		assert_int_equal(m.facility, 99);
	}
	snprintf(long_name, sizeof(long_name), "<13>1 - - %049d - - -", 1);
	assert_int_equal(syslog_message_parse(bytes_str(long_name), NOW, &(struct syslog_message){ 0 }), ERR_SYNTAX);
}

static struct hunt_layout *layout_of_rules(void)
{
	char error[DATA_ERROR_MAX], *text = malloc(65536);
	FILE *f = fopen("rules/layout/netscaler.yaml", "rb");
	struct hunt_layout *l = NULL;
	size_t n;

	assert_true(text && f);
	n = fread(text, 1, 65536, f);
	fclose(f);
	assert_int_equal(hunt_layout_read(bytes_of(text, n), "netscaler.yaml", &l, error), OK);
	free(text);
	return l;
}

static void test_lines_of_the_appliance(void **state)
{
	static const struct {
		const char *in, *log, *line;
	} cases[] = {
		{ "<189>May  4 09:12:33 ns bash[123]: nsroot on /dev/pts/0 shell_command=\"id\"", "shell",
			"May  4 09:12:33 <local7.notice> ns bash[123]: nsroot on /dev/pts/0 shell_command=\"id\"" },
		{ "<13>1 2026-05-24T11:12:33+02:00 ns -bash 7 - - a\nb\x1b[m\tc", "shell", "May 24 09:12:33 <user.notice> ns -bash[7]: a\\x0ab\\x1b[m\tc" },
		{ "<78>May 24 09:12:33 /usr/sbin/cron[7]: (nobody) CMD (x)", "cron", "May 24 09:12:33 <cron.info> - /usr/sbin/cron[7]: (nobody) CMD (x)" },
		{ "<190>May 24 09:12:33 ns httpd: 198.51.100.7 - - [24/May/2026:09:12:33 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"x\ny\"", "access",
			"198.51.100.7 - - [24/May/2026:09:12:33 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"x\\x0ay\"" },
		{ "<187>May 24 09:12:33 ns httpd: [Sun May 24 09:12:33 2026] [error] [client 198.51.100.7] x", "error", "[Sun May 24 09:12:33 2026] [error] [client 198.51.100.7] x" },
		{ "<134> 05/24/2026:09:12:33 GMT ns 0-PPE-0 : default AAA x 1 0 : y", "ns", "May 24 09:12:33 <local0.info> ns 05/24/2026:09:12:33 GMT ns 0-PPE-0 : default AAA x 1 0 : y" },
		{ "<13>words", "notice", "May 24 09:12:33 <user.notice> - words" },
	};
	struct hunt_layout *l = layout_of_rules();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct syslog_message m = { 0 };
		unsigned char mem[1024];
		struct text t;
		int log;

		print_message("%s\n", cases[i].in);
		text_init(&t, mem, sizeof(mem));
		assert_int_equal(syslog_message_parse(bytes_str(cases[i].in), NOW, &m), OK);
		log = syslog_message_log(&m, l);
		assert_true(log >= 0);
		assert_string_equal(hunt_layout_log(l, (size_t)log)->name, cases[i].log);
		syslog_message_put_line(&t, &m);
		assert_false(t.failed);
		is_text(text_bytes(&t), cases[i].line);
	}
	hunt_layout_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_messages), cmocka_unit_test(test_what_is_none), cmocka_unit_test(test_lines_of_the_appliance) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
