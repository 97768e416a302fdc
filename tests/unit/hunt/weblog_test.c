/* Access log lines in the appliance's formats, and paths in every disguise. */
#include "hunt/weblog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_formats(void **state)
{
	static const struct {
		const char *why, *line, *client, *target, *agent;
		unsigned status;
		enum err want;
	} cases[] = {
		{ "combined", "203.0.113.7 - - [11/Jan/2020:10:00:05 +0000] \"GET /a HTTP/1.1\" 200 9 \"-\" \"b\"", "203.0.113.7", "/a", "b", 200, OK },
		{ "with a process and a time", "203.0.113.7 - u [11/Jan/2020:10:00:05 +0000] [7] \"PUT /a HTTP/1.0\" 304 - \"-\" \"b\" \"Time: 9 microsecs\"", "203.0.113.7", "/a", "b", 304, OK },
		{ "with the true client", "203.0.113.7 -> 192.0.2.1 - - [11/Jan/2020:10:00:05 +0000] [7] \"GET /a HTTP/1.1\" 200 9 \"-\" \"b\"", "203.0.113.7", "/a", "b", 200, OK },
		{ "spaces in the target", "1.2.3.4 - - [11/Jan/2020:10:00:05 +0000] \"GET /a b c HTTP/1.1\" 200 9 \"-\" \"b\"", "1.2.3.4", "/a b c", "b", 200, OK },
		{ "quotes in the target", "1.2.3.4 - - [11/Jan/2020:10:00:05 +0000] \"GET /a\\\"b HTTP/1.1\" 200 9 \"-\" \"b\"", "1.2.3.4", "/a\\\"b", "b", 200, OK },
		{ "cut off", "1.2.3.4 - - [11/Jan/2020:10:00:05 +0000] \"GET /a", "1.2.3.4", "/a", "", 0, OK },
		{ "no protocol", "1.2.3.4 - - [11/Jan/2020:10:00:05 +0000] \"GET /a\" 400 9", "1.2.3.4", "/a", "", 400, OK },
		{ "no such day", "1.2.3.4 - - [31/Feb/2020:10:00:05 +0000] \"GET /a\" 400 9", NULL, NULL, NULL, 0, ERR_SYNTAX },
		{ "no request", "1.2.3.4 - - [11/Jan/2020:10:00:05 +0000] GET", NULL, NULL, NULL, 0, ERR_SYNTAX },
		{ "nothing", "", NULL, NULL, NULL, 0, ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct weblog w = { 0 };

		print_message("%s\n", cases[i].why);
		assert_int_equal(weblog_parse(bytes_str(cases[i].line), &w), cases[i].want);
		if (cases[i].want != OK)
			continue;
		assert_true(bytes_eq(w.client, bytes_str(cases[i].client)));
		assert_true(bytes_eq(w.target, bytes_str(cases[i].target)));
		assert_true(bytes_eq(w.user_agent, bytes_str(cases[i].agent)));
		assert_int_equal(w.status, cases[i].status);
		assert_true(w.at_us == UINT64_C(1578736805000000));
	}
}

static void test_zones(void **state)
{
	uint64_t at = 0;

	(void)state;
	assert_int_equal(weblog_time(BYTES("[11/Jan/2020:11:00:05 +0100]"), &at), OK);
	assert_true(at == UINT64_C(1578736805000000));
	assert_int_equal(weblog_time(BYTES("[29/Feb/2020:23:59:60 -0130]"), &at), OK);
	assert_int_equal(weblog_time(BYTES("[29/Feb/2019:00:00:00 +0000]"), &at), ERR_SYNTAX);
}

static void test_disguises(void **state)
{
	static const struct {
		const char *target, *decoded, *clean;
	} cases[] = {
		{ "/vpn/../vpns/a.xml?x=%2f", "/vpn/../vpns/a.xml", "/vpns/a.xml" },
		{ "/vpn/%2e%2e/%76pns/a", "/vpn/../vpns/a", "/vpns/a" },
		{ "/vpn/..%252f%25%37%36pns/a", "/vpn/../vpns/a", "/vpns/a" },
		{ "http://h:80/vpn//./a/", "/vpn//./a/", "/vpn/a/" },
		{ "/../../a", "/../../a", "/a" },
		{ "/a%zz%4", "/a%zz%4", "/a%zz%4" },
		{ "/a\\x2eb", "/a.b", "/a.b" },
		{ "/[%25template.new%25]", "/[%template.new%]", "/[%template.new%]" },
		{ "", "", "/" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[2][128];
		struct text t[2];

		text_init(&t[0], mem[0], sizeof(mem[0]));
		text_init(&t[1], mem[1], sizeof(mem[1]));
		weblog_decode(bytes_str(cases[i].target), &t[0]);
		weblog_clean(text_bytes(&t[0]), &t[1]);
		print_message("%s: %.*s, %.*s\n", cases[i].target, FMT(text_bytes(&t[0])), FMT(text_bytes(&t[1])));
		assert_true(bytes_eq(text_bytes(&t[0]), bytes_str(cases[i].decoded)));
		assert_true(bytes_eq(text_bytes(&t[1]), bytes_str(cases[i].clean)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_formats), cmocka_unit_test(test_zones), cmocka_unit_test(test_disguises) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
