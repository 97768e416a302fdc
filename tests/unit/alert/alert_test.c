/* The forms of an alert: a line that is read back, a mail and a syslog message that nothing breaks out of. */
#include "alert/alert.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define T0 1700000000000000u

static struct hunt_finding finding(void)
{
	return (struct hunt_finding){ .rule = "cve-2019-19781/template", .title = "A template was run", .source = "https://example.org/rule", .advisories = "CVE-2019-19781 CVE-2023-3519",
		.class = HUNT_COMPROMISE, .confidence = HUNT_HIGH, .path = "/var/log/httpaccess.log", .where = "/srv/log/httpaccess.log", .line = 12, .when_how = "log",
		.client = BYTES("192.0.2.7"), .method = BYTES("GET"), .url = BYTES("/vpn/../vpns/a.xml"), .user_agent = BYTES("curl/8"), .status = 200,
		.excerpt = BYTES("GET /vpn/../vpns/a.xml \xff\x1b[31m \xe2\x80\xae"), .note = "" };
}

static struct alert alert_of(const struct hunt_finding *f)
{
	return (struct alert){ .id = "00112233445566778899aabbccddeeff", .kind = ALERT_FIRST, .at_us = f ? T0 : 0, .first_us = T0, .last_us = T0, .count = 1,
		.source = f ? "log /srv/log/httpaccess.log" : "", .finding = f, .class = f ? f->class : HUNT_ATTEMPT };
}

static void write_line(struct text *t, const struct alert *a)
{
	text_init_growing(t, ALERT_LINE_MAX);
	alert_put_json(t, a, "monitor.example.org", T0 + 5000000);
	assert_false(t->failed);
	assert_int_equal(t->at[t->len - 1], '\n');
	assert_int_equal(bytes_find_byte(text_bytes(t), '\n'), t->len - 1);
}

#define EQ(b, s) assert_true(bytes_eq((b), BYTES(s)))

static void test_json_round(void **state)
{
	const struct hunt_finding f = finding();
	const struct alert a = alert_of(&f);
	struct alert_fields out;
	struct text t;

	(void)state;
	write_line(&t, &a);
	assert_int_equal(alert_read_json(text_bytes(&t), &out), OK);
	EQ(out.id, "00112233445566778899aabbccddeeff");
	assert_int_equal(out.kind, ALERT_FIRST);
	assert_int_equal(out.class, HUNT_COMPROMISE);
	EQ(out.host, "monitor.example.org");
	EQ(out.time, "2023-11-14T22:13:20.000Z");
	EQ(out.created, "2023-11-14T22:13:25.000Z");
	EQ(out.time_from, "log");
	EQ(out.rule, "cve-2019-19781/template");
	EQ(out.title, "A template was run");
	EQ(out.advisories, "CVE-2019-19781");
	EQ(out.source, "log /srv/log/httpaccess.log");
	EQ(out.client, "192.0.2.7");
	EQ(out.url, "/vpn/../vpns/a.xml");
	EQ(out.message, "GET /vpn/../vpns/a.xml \xef\xbf\xbd\x1b[31m \xe2\x80\xae");
	assert_int_equal(out.status, 200);
	assert_int_equal(out.line, 12);
	assert_int_equal(out.count, 1);
	assert_true(bytes_find(text_bytes(&t), BYTES("\"sluis.next\":\"1. Treat the system as compromised")) != SIZE_MAX);
	assert_true(bytes_find(text_bytes(&t), BYTES("sluis plan new --advisory CVE-2019-19781 ")) != SIZE_MAX);
	alert_fields_fini(&out);
	text_fini(&t);
}

static void test_limited_and_without_a_time(void **state)
{
	const struct alert_held held[] = { { "often", 5 }, { "seldom \"x\"", 3 } };
	struct alert a = alert_of(NULL);
	struct hunt_finding f = finding();
	struct alert_fields out;
	struct text t;

	(void)state;
	a.kind = ALERT_LIMITED;
	a.count = 8;
	a.held = held;
	a.held_count = 2;
	write_line(&t, &a);
	assert_int_equal(alert_read_json(text_bytes(&t), &out), OK);
	assert_int_equal(out.kind, ALERT_LIMITED);
	assert_int_equal(out.count, 8);
	assert_int_equal(json_array_size(out.held), 2);
	alert_fields_fini(&out);
	text_fini(&t);
	a = alert_of(&f);
	a.at_us = 0;
	write_line(&t, &a);
	assert_int_equal(alert_read_json(text_bytes(&t), &out), OK);
	EQ(out.time, "2023-11-14T22:13:25.000Z");
	EQ(out.time_from, "seen");
	alert_fields_fini(&out);
	text_fini(&t);
}

static void test_what_is_no_alert(void **state)
{
	static const char *const lines[] = { "", "{}", "[]", "null", "{\"event.id\":\"00112233445566778899aabbccddeeff\"}",
		"{\"event.id\":\"00112233445566778899aabbccddeefg\",\"sluis.alert\":\"first\",\"sluis.class\":\"probe\"}",
		"{\"event.id\":\"00112233445566778899aabbccddeeff\",\"sluis.alert\":\"first\",\"sluis.class\":\"other\"}",
		"{\"event.id\":\"00112233445566778899aabbccddeeff\",\"sluis.alert\":\"first\",\"sluis.class\":\"probe\"", };
	struct alert_fields out;
	char *big = calloc(1, ALERT_LINE_MAX + 2);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		assert_int_equal(alert_read_json(bytes_str(lines[i]), &out), ERR_SYNTAX);
	assert_non_null(big);
	assert_int_equal(alert_read_json(bytes_of(big, ALERT_LINE_MAX + 1), &out), ERR_LIMIT);
	free(big);
}

static void keep_alert(void *ctx, const struct alert *a)
{
	write_line(ctx, a);
}

/* Control octets take six each; all texts as long as a group keeps them. */
static void test_the_largest_line_fits(void **state)
{
	const struct alert_group_options o = { 1000000, { 0 } };
	struct text t = { 0 };
	struct alert_group *g = alert_group_new(&o, keep_alert, &t);
	struct hunt_finding f = finding();
	struct alert_fields fields;
	char *big = malloc(10001), out[ALERT_SYSLOG_MAX + 1];
	struct text syslog;
	json_t *json;

	(void)state;
	assert_true(g && big);
	memset(big, 1, 10000);
	big[10000] = 0;
	f.rule = f.title = f.source = f.advisories = f.path = f.where = f.when_how = f.note = big;
	f.client = f.method = f.url = f.user_agent = f.user = f.excerpt = bytes_str(big);
	alert_group_take(g, &f, big, T0);
	assert_true(t.len > 60000);
	assert_int_equal(alert_read_json(text_bytes(&t), &fields), OK);
	text_init(&syslog, out, ALERT_SYSLOG_MAX);
	alert_put_syslog(&syslog, &fields, text_bytes(&t), ALERT_FACILITY_DEFAULT);
	assert_false(syslog.failed);
	out[syslog.len] = 0;
	assert_non_null(strchr(out, '{'));
	json = json_loads(strchr(out, '{'), JSON_ALLOW_NUL, NULL);
	assert_true(json_is_true(json_object_get(json, "sluis.cut")));
	assert_string_equal(json_string_value(json_object_get(json, "event.id")), json_string_value(json_object_get(fields.root, "event.id")));
	json_decref(json);
	alert_fields_fini(&fields);
	text_fini(&t);
	alert_group_free(&g);
	free(big);
}

static void test_syslog(void **state)
{
	struct hunt_finding f = finding();
	struct alert a = alert_of(&f);
	struct alert_fields fields;
	struct text t, out;
	char room[ALERT_SYSLOG_MAX + 1];
	unsigned facility = 0;

	(void)state;
	write_line(&t, &a);
	assert_int_equal(alert_read_json(text_bytes(&t), &fields), OK);
	text_init(&out, room, ALERT_SYSLOG_MAX);
	alert_put_syslog(&out, &fields, text_bytes(&t), ALERT_FACILITY_DEFAULT);
	assert_true(bytes_starts(text_bytes(&out), BYTES("<82>1 2023-11-14T22:13:20.000Z monitor.example.org sluis - ALERT - {\"event.kind\":\"alert\"")));
	assert_true(bytes_ends(text_bytes(&out), BYTES("}")));
	fields.host = BYTES("a host");
	fields.time = BYTES("2023-11-14 22:13");
	fields.class = HUNT_TRACE;
	text_init(&out, room, ALERT_SYSLOG_MAX);
	alert_put_syslog(&out, &fields, text_bytes(&t), 16);
	assert_true(bytes_starts(text_bytes(&out), BYTES("<134>1 - - sluis - ALERT - {")));
	assert_true(alert_facility_parse("local7", &facility));
	assert_int_equal(facility, 23);
	assert_true(alert_facility_parse("authpriv", &facility));
	assert_int_equal(facility, 10);
	assert_false(alert_facility_parse("loca", &facility));
	alert_fields_fini(&fields);
	text_fini(&t);
}

static void test_syslog_cuts_the_excerpt_first(void **state)
{
	struct alert_fields fields;
	struct text t, out;
	char room[ALERT_SYSLOG_MAX + 1];
	struct bytes line;
	json_t *json;

	(void)state;
	text_init_growing(&t, ALERT_LINE_MAX);
	text_lit(&t, "{\"event.id\":\"00112233445566778899aabbccddeeff\",\"sluis.alert\":\"first\",\"sluis.class\":\"probe\",\"url.original\":\"/x\",\"message\":\"");
	for (unsigned i = 0; i < 5000; i++)
		text_lit(&t, "\xc3\xa9");
	text_lit(&t, "\"}\n");
	line = text_bytes(&t);
	assert_int_equal(alert_read_json(line, &fields), OK);
	text_init(&out, room, ALERT_SYSLOG_MAX);
	alert_put_syslog(&out, &fields, line, 10);
	assert_in_range(out.len, ALERT_SYSLOG_MAX - 8, ALERT_SYSLOG_MAX);
	room[out.len] = 0;
	json = json_loads(strchr(room, '{'), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "url.original")), "/x");
	assert_true(json_string_length(json_object_get(json, "message")) > 7000);
	json_decref(json);
	alert_fields_fini(&fields);
	text_fini(&t);
}

/* The message with its body's soft line ends and quoting taken out, enough to look for words. */
static char *mail_of(const struct alert_fields *f, size_t n, enum alert_lang l)
{
	const struct alert_mail m = { "sluis@example.org", "night@example.org", "monitor.example.org", l, T0 };
	struct text t, plain;

	text_init_growing(&t, ALERT_MAIL_MAX);
	text_init_growing(&plain, ALERT_MAIL_MAX);
	assert_int_equal(alert_put_mail(&t, f, n, &m), OK);
	for (size_t i = 0; i < t.len; i++) {
		if (bytes_starts(bytes_cut(text_bytes(&t), i, t.len), BYTES("=\r\n")))
			i += 2;
		else
			text_byte(&plain, t.at[i]);
	}
	text_byte(&plain, 0);
	assert_false(plain.failed);
	text_fini(&t);
	return (char *)plain.at;
}

static void test_mail(void **state)
{
	struct hunt_finding f = finding();
	struct alert a = alert_of(&f);
	struct alert_fields fields;
	struct text t;
	char *mail;

	(void)state;
	write_line(&t, &a);
	assert_int_equal(alert_read_json(text_bytes(&t), &fields), OK);
	mail = mail_of(&fields, 1, ALERT_EN);
	assert_non_null(strstr(mail, "Subject: [Sluis] compromise: A template was run (CVE-2019-19781)\r\n"));
	assert_non_null(strstr(mail, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
	assert_non_null(strstr(mail, "Message-ID: <00112233445566778899aabbccddeeff@monitor.example.org>\r\n"));
	assert_non_null(strstr(mail, "When        2023-11-14T22:13:20.000Z UTC (known from: log)"));
	assert_non_null(strstr(mail, "Who         192.0.2.7, curl/8"));
	assert_non_null(strstr(mail, "Request     GET /vpn/../vpns/a.xml, answered with status 200"));
	assert_non_null(strstr(mail, "7. Recover by a plan, certificates and passwords included: sluis plan new --advisory CVE-2019-19781 --appliance NAME."));
	assert_null(strstr(mail, "=1B")); /* control characters and turned text do not reach a terminal */
	assert_null(strstr(mail, "=E2=80=AE"));
	free(mail);
	mail = mail_of(&fields, 1, ALERT_NL);
	assert_non_null(strstr(mail, "Content-Language: nl\r\n"));
	assert_non_null(strstr(mail, "Behandel het systeem als gecompromitteerd"));
	free(mail);
	alert_fields_fini(&fields);
	text_fini(&t);
}

static void test_mail_of_several(void **state)
{
	struct hunt_finding f = finding(), g = finding();
	struct alert a = alert_of(&f), b;
	struct alert_fields fields[3];
	struct text t[3];
	char *mail;

	(void)state;
	f.class = HUNT_ATTEMPT;
	f.client = BYTES("192.0.2.8");
	a.class = HUNT_ATTEMPT;
	write_line(&t[0], &a);
	f.client = BYTES("192.0.2.9; reboot");
	a.kind = ALERT_AGAIN;
	a.count = 41;
	write_line(&t[1], &a);
	b = alert_of(&g);
	write_line(&t[2], &b);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(alert_read_json(text_bytes(&t[i]), &fields[i]), OK);
	mail = mail_of(fields, 3, ALERT_EN);
	assert_non_null(strstr(mail, "Subject: [Sluis] compromise: A template was run (CVE-2019-19781), and 2 more\r\n") ? mail : strstr(mail, "=5BSluis=5D_compromise"));
	assert_non_null(strstr(mail, "41 times more after the first alert"));
	assert_non_null(strstr(mail, "What to do next (compromise)"));
	assert_non_null(strstr(mail, "sluis isolate CLIENT --for 2h")); /* two clients: none is named */
	assert_true(strstr(mail, "What to do next (compromise)") < strstr(mail, "What to do next (attempt)"));
	free(mail);
	mail = mail_of(&fields[1], 1, ALERT_EN);
	assert_non_null(strstr(mail, "sluis isolate CLIENT --for 2h")); /* what is no address is not put into a command */
	free(mail);
	mail = mail_of(&fields[0], 1, ALERT_EN);
	assert_non_null(strstr(mail, "sluis isolate 192.0.2.8 --for 2h"));
	free(mail);
	for (size_t i = 0; i < 3; i++) {
		alert_fields_fini(&fields[i]);
		text_fini(&t[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_round),
		cmocka_unit_test(test_limited_and_without_a_time),
		cmocka_unit_test(test_what_is_no_alert),
		cmocka_unit_test(test_the_largest_line_fits),
		cmocka_unit_test(test_syslog),
		cmocka_unit_test(test_syslog_cuts_the_excerpt_first),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_mail_of_several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
