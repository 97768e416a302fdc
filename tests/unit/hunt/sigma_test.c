/* Sigma rules in the published form, through the scan that hunts: which lines they hold for, and what is refused with which words. */
#include "hunt/scan.h"
#include "hunt/sigma.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char layout_text[] = "name: x\nroots: []\nsingles: []\nlogs:\n  - {name: access, format: web, path: '^/access', example: /access}\n";

struct heard {
	unsigned findings, refusals;
	struct hunt_finding last;
	char rule[80], source[80], advisories[120], error[DATA_ERROR_MAX];
};

static void on_summary(void *ctx, const struct hunt_summary *s)
{
	(void)ctx;
	(void)s;
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct heard *h = ctx;

	h->findings++;
	h->last = *f;
	snprintf(h->rule, sizeof(h->rule), "%s", f->rule);
	snprintf(h->source, sizeof(h->source), "%s", f->source);
	snprintf(h->advisories, sizeof(h->advisories), "%s", f->advisories);
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx;
	fail_msg("%s: %s", where, what);
}

static void on_refused(void *ctx, const char *error)
{
	struct heard *h = ctx;

	h->refusals++;
	snprintf(h->error, sizeof(h->error), "%s", error);
}

static struct hunt_layout *layout(void)
{
	static struct hunt_layout *l;
	char error[DATA_ERROR_MAX];

	if (!l)
		assert_int_equal(hunt_layout_read(bytes_str(layout_text), "layout", &l, error), OK);
	return l;
}

/* The rules of text over content, a log. */
static struct heard hunt(const char *text, const char *content, struct hunt_sigma_counts *counts)
{
	const struct hunt_file file = { .path = "/access", .where = "/access", .kind = HUNT_REGULAR, .user = "", .group = "", .target = "" };
	struct heard h = { 0 };
	const struct hunt_output out = { on_summary, on_finding, on_problem, on_summary, &h };
	struct hunt_rules *rules = hunt_rules_new();
	struct hunt_scan *scan;
	struct hunt_sink sink;
	char error[DATA_ERROR_MAX];

	assert_non_null(rules);
	*counts = (struct hunt_sigma_counts){ 0 };
	assert_int_equal(hunt_sigma_add(rules, layout(), bytes_str(text), "rules.yml", on_refused, &h, counts), OK);
	assert_int_equal(hunt_rules_compile(rules, error), OK);
	scan = hunt_scan_new(rules, layout(), &out);
	assert_non_null(scan);
	sink = hunt_scan_sink(scan);
	assert_true(sink.file(sink.ctx, &file));
	sink.bytes(sink.ctx, bytes_str(content), 0);
	sink.end(sink.ctx, OK);
	hunt_scan_free(&scan);
	hunt_rules_free(&rules);
	return h;
}

#define TIME "[11/Jan/2020:10:00:05 +0000] "
#define GET(target) "203.0.113.7 - - " TIME "\"GET " target " HTTP/1.1\" 200 9 \"-\" \"Mozilla/5.0\"\n"
#define RULE(detection) "title: t\nlogsource: {category: webserver}\ndetection:\n" detection

static void test_what_holds(void **state)
{
	static const struct {
		const char *why, *detection, *line;
		bool want;
	} cases[] = {
		{ "a part of the query field is a part of the whole target", "  a: {cs-uri-query|contains: '/../vpns/'}\n  condition: a\n", GET("/vpn/../vpns/cfg/smb.conf"), true },
		{ "encoded, what needs no encoding", "  a: {cs-uri-query|contains: '/../vpns/'}\n  condition: a\n", GET("/vpn/%2e%2e/%76pns/a.xml"), true },
		{ "encoded twice", "  a: {c-uri|contains: '/../vpns/'}\n  condition: a\n", GET("/vpn/%252e%252e/vpns/a.xml"), true },
		{ "as it was sent", "  a: {c-uri|contains: '%2e%2e'}\n  condition: a\n", GET("/vpn/%2e%2e/vpns/a.xml"), true },
		{ "upper case is lower case", "  a: {c-uri|contains: '/VPNS/'}\n  condition: a\n", GET("/vpns/x"), true },
		{ "but not with cased", "  a: {c-uri|contains|cased: '/VPNS/'}\n  condition: a\n", GET("/vpns/x"), false },
		{ "cased, and it is", "  a: {c-uri|contains|cased: '/VPNS/'}\n  condition: a\n", GET("/VPNS/x"), true },
		{ "without a modifier all of it", "  a: {cs-uri-stem: '/vpns'}\n  condition: a\n", GET("/vpns/x"), false },
		{ "all of it", "  a: {cs-uri-stem: '/vpns/x'}\n  condition: a\n", GET("/vpns/x?y"), true },
		{ "the stem without dot segments", "  a: {cs-uri-stem|startswith: '/vpns/x'}\n  condition: a\n", GET("/vpn/.././vpns/./x"), true },
		{ "the query alone", "  a: {cs-uri-query: 'a=b'}\n  condition: a\n", GET("/x?a=b"), true },
		{ "the query alone, decoded", "  a: {cs-uri-query|startswith: 'a=<b'}\n  condition: a\n", GET("/x?a=%3cb"), true },
		{ "a beginning", "  a: {c-uri|startswith: '/a'}\n  condition: a\n", GET("/b/a"), false },
		{ "an end", "  a: {c-uri|endswith: '/a'}\n  condition: a\n", GET("/b/a"), true },
		{ "an end that is none", "  a: {c-uri|endswith: '/a'}\n  condition: a\n", GET("/b/ab"), false },
		{ "stars", "  a: {c-uri: '/a*c/?.pl'}\n  condition: a\n", GET("/abc/x.pl"), true },
		{ "a question mark is one octet", "  a: {c-uri: '/a*c/?.pl'}\n  condition: a\n", GET("/abc/.pl"), false },
		{ "a star at both ends", "  a: {c-uri: '*vpns*'}\n  condition: a\n", GET("/a/vpns/b"), true },
		{ "an escaped star is a star", "  a: {c-uri|contains: 'a\\*b'}\n  condition: a\n", GET("/a*b"), true },
		{ "and nothing else", "  a: {c-uri|contains: 'a\\*b'}\n  condition: a\n", GET("/axb"), false },
		{ "two backslashes and a star: a backslash, then anything", "  a: {c-uri|contains: 'a\\\\*b'}\n  condition: a\n", GET("/a%5cxxb"), true },
		{ "three and a star: a backslash and a star", "  a: {c-uri|contains: 'a\\\\\\*b'}\n  condition: a\n", GET("/a%5c*b"), true },
		{ "a backslash before a letter is itself", "  a: {c-uri|contains: 'a\\b'}\n  condition: a\n", GET("/a%5cb"), true },
		{ "dots are dots", "  a: {c-uri|contains: 'a.b'}\n  condition: a\n", GET("/axb"), false },
		{ "one of the values", "  a: {c-uri|contains: [zzz, '/x']}\n  condition: a\n", GET("/x"), true },
		{ "each of the values", "  a: {c-uri|contains|all: [zzz, '/x']}\n  condition: a\n", GET("/x"), false },
		{ "each, and they are", "  a: {c-uri|contains|all: [yy, '/x']}\n  condition: a\n", GET("/xyy"), true },
		{ "fields hold together", "  a: {c-uri|contains: '/x', cs-method: POST}\n  condition: a\n", GET("/x"), false },
		{ "maps in a list are alternatives", "  a:\n    - {c-uri|contains: '/x'}\n    - {cs-method: POST}\n  condition: a\n", GET("/x"), true },
		{ "a status", "  a: {c-uri|contains: '/x', sc-status: [200, 304]}\n  condition: a\n", GET("/x"), true },
		{ "another status", "  a: {c-uri|contains: '/x', sc-status: 404}\n  condition: a\n", GET("/x"), false },
		{ "a status alone", "  a: {sc-status: 200}\n  condition: a\n", GET("/"), true },
		{ "an expression has case", "  a: {c-uri|re: '/V[a-z]+$'}\n  condition: a\n", GET("/vpns"), false },
		{ "unless it says not", "  a: {c-uri|re|i: '/V[a-z]+$'}\n  condition: a\n", GET("/vpns"), true },
		{ "an expression without a word", "  a: {c-uri|re: '[0-9]{4}'}\n  condition: a\n", GET("/1234"), true },
		{ "a network", "  a: {c-ip|cidr: '203.0.113.0/24'}\n  condition: a\n", GET("/"), true },
		{ "another network", "  a: {c-ip|cidr: ['192.0.2.0/24', '2001:db8::/32']}\n  condition: a\n", GET("/"), false },
		{ "an address", "  a: {c-ip: '203.0.113.7'}\n  condition: a\n", GET("/"), true },
		{ "no referer", "  a: {cs-referer: null, c-uri|contains: '/x'}\n  condition: a\n", GET("/x"), true },
		{ "a referer of a dash", "  a: {cs-referrer: '-', c-uri|contains: '/x'}\n  condition: a\n", GET("/x"), true },
		{ "no user agent, but there is one", "  a: {cs-user-agent: '', c-uri|contains: '/x'}\n  condition: a\n", GET("/x"), false },
		{ "a user agent", "  a: {c-useragent|startswith: 'mozilla/'}\n  condition: a\n", GET("/x"), true },
		{ "a version", "  a: {cs-version: 'HTTP/1.1'}\n  condition: a\n", GET("/x"), true },
		{ "a host, of a target that has one", "  a: {cs-host: 'example.org'}\n  condition: a\n", GET("http://example.org/x"), true },
		{ "no host in the log", "  a: {cs-host|contains: 'example'}\n  condition: a\n", GET("/example"), false },
		{ "a long host", "  a: {cs-host|re: '^.{8,}$'}\n  condition: a\n", GET("http://example.org/x"), true },
		{ "a user", "  a: {cs-username: nsroot}\n  condition: a\n", "203.0.113.7 - nsroot " TIME "\"GET / HTTP/1.1\" 200 9 \"-\" \"-\"\n", true },
		{ "keywords", "  keywords: ['zzz', 'smb.conf']\n  condition: keywords\n", GET("/vpns/smb.conf"), true },
		{ "keywords with stars, decoded", "  keywords: ['*<script*']\n  condition: keywords\n", GET("/a?b=%3Cscript%3E"), true },
		{ "keywords, all of them", "  keywords: {'|all': ['vpns', 'nothing']}\n  condition: keywords\n", GET("/vpns/smb.conf"), false },
		{ "base64", "  a: {c-uri|base64|contains: 'whoami'}\n  condition: a\n", GET("/?c=d2hvYW1p"), true },
		{ "base64 in the middle of something", "  a: {c-uri|base64offset|contains: 'whoami'}\n  condition: a\n", GET("/?c=O3dob2FtaTs"), true },
		{ "and", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  condition: a and b\n", GET("/x"), false },
		{ "or", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  condition: a or b\n", GET("/x"), true },
		{ "not", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  condition: a and not b\n", GET("/x"), true },
		{ "not alone: every line", "  b: {cs-method: POST}\n  condition: not b\n", GET("/x"), true },
		{ "and before or", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  c: {c-uri|contains: zzz}\n  condition: a or b and c\n", GET("/x"), true },
		{ "parentheses", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  c: {c-uri|contains: zzz}\n  condition: (a or b)and(c)\n", GET("/x"), false },
		{ "1 of them", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  condition: 1 of them\n", GET("/x"), true },
		{ "all of them", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  condition: all of them\n", GET("/x"), false },
		{ "them is without underscores", "  a: {c-uri|contains: '/x'}\n  _b: {cs-method: POST}\n  condition: all of them\n", GET("/x"), true },
		{ "1 of a beginning", "  sel_a: {c-uri|contains: '/x'}\n  sel_b: {c-uri|contains: yy}\n  filter_a: {cs-method: GET}\n  condition: 1 of sel_* and not 1 of filter_*\n", GET("/x"), false },
		{ "all of a beginning", "  sel_a: {c-uri|contains: '/x'}\n  sel_b: {c-uri|contains: yy}\n  condition: all of sel_*\n", GET("/xyy"), true },
		{ "conditions in a list are alternatives", "  a: {c-uri|contains: '/x'}\n  b: {cs-method: POST}\n  condition: [b, a]\n", GET("/x"), true },
		{ "a line that is damaged", "  a: {c-uri|contains: '/vpns/'}\n  condition: a\n", "xx /vpns/ xx\n", true },
	};
	char text[1000];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct hunt_sigma_counts counts;
		struct heard h;

		snprintf(text, sizeof(text), RULE("%s"), cases[i].detection);
		h = hunt(text, cases[i].line, &counts);
		if (h.refusals || counts.rules != 1 || h.findings != cases[i].want)
			fail_msg("%s: %u findings, %u refused %s", cases[i].why, h.findings, h.refusals, h.error);
	}
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const char *text, *words;
		unsigned line;
	} cases[] = {
		{ RULE("  a: {dst_ip: x}\n  condition: a\n"), "the field 'dst_ip' is not supported", 4 },
		{ RULE("  a: {c-uri|contains|windash: x}\n  condition: a\n"), "the modifier 'windash' is not supported", 4 },
		{ RULE("  a: {c-uri|cidr: 10.0.0.0/8}\n  condition: a\n"), "cidr goes with c-ip", 4 },
		{ RULE("  a: {c-ip|cidr: nothing}\n  condition: a\n"), "is no network", 4 },
		{ RULE("  a: {c-uri|startswith|endswith: x}\n  condition: a\n"), "exclude each other", 4 },
		{ RULE("  a: {c-uri|re: '(?=x)y'}\n  condition: a\n"), "is no expression that can be searched for", 4 },
		{ RULE("  a: {c-uri|re: 'x('}\n  condition: a\n"), "is no expression that can be searched for", 4 },
		{ RULE("  a: {c-uri|contains: ''}\n  condition: a\n"), "an empty value", 4 },
		{ RULE("  a: {c-uri: {b: c}}\n  condition: a\n"), "a value is a text", 4 },
		{ RULE("  a: []\n  condition: a\n"), "1 to 2048 alternatives", 4 },
		{ RULE("  a: {c-uri: x}\n"), "the condition is missing", 4 },
		{ RULE("  a: {c-uri: x}\n  timeframe: 5m\n  condition: a\n"), "timeframe is not supported", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: a | count() by c-ip > 5\n"), "aggregations", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: a and\n"), "a selection is missing at its end", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: (a\n"), "a closing parenthesis is missing", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: a)\n"), "instead of ')'", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: b\n"), "instead of 'b'", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: 2 of them\n"), "instead of '2'", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: 1 of filter_*\n"), "instead of 'filter_*'", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: 1 a\n"), "'of' instead of 'a'", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: ''\n"), "a selection is missing", 5 },
		{ RULE("  a: {c-uri: x}\n  condition: ((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))\n"), "more than 32 levels", 5 },
		{ "title: t\ncorrelation: {type: event_count}\n", "correlations are not supported", 2 },
		{ "title: t\naction: global\n", "action", 2 },
		{ "title: t\nlevel: high\n", "a Sigma rule has a logsource", 1 },
		{ "title: t\nlogsource: {category: webserver}\n", "a Sigma rule has a detection", 1 },
		{ "logsource: {category: webserver}\ndetection: {a: {c-uri: x}, condition: a}\n", "'title' is missing", 1 },
		{ "title: t\nlevel: severe\nlogsource: {category: webserver}\ndetection: {a: {c-uri: x}, condition: a}\n", "'level' is 'severe'", 2 },
		{ "title: t\nid: i\nlogsource: {category: webserver}\ndetection: {a: {c-uri: &x y}, condition: a}\n", "anchors", 4 },
		{ "- a\n- b\n", "no Sigma rule", 1 },
	};
	char where[40];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct hunt_sigma_counts counts;
		struct heard h = hunt(cases[i].text, GET("/x"), &counts);

		snprintf(where, sizeof(where), "rules.yml:%u:", cases[i].line);
		if (h.refusals != 1 || counts.refused != 1 || counts.rules || h.findings || !strstr(h.error, cases[i].words) || strncmp(h.error, where, strlen(where)) != 0)
			fail_msg("%s: %u refused: %s", cases[i].words, h.refusals, h.error);
	}
}

/* Rules as they are published, about two of the advisories; written for this test. */
static const char published[] =
	"# two rules and one about another log\n"
	"title: Path traversal towards the scripts of the portal\n"
	"id: 0d0b5d43-6c3e-4b8e-9a55-1f1f0c9c1a01\n"
	"status: test\n"
	"references:\n  - https://example.org/one\n  - https://example.org/two\n"
	"author: nobody\ndate: 2020-01-02\n"
	"tags:\n  - attack.initial-access\n  - cve.2019-19781\n  - cve.2020.0001\n"
	"logsource:\n  category: webserver\n  definition: all requests\n"
	"detection:\n  selection:\n    cs-uri-query|contains:\n      - '/../vpns/'\n      - '/vpns/cfg/smb.conf'\n      - '/vpns/portal/scripts/'\n"
	"  filter:\n    cs-uri-query|endswith: '/logout.pl'\n  condition: selection and not filter\n"
	"falsepositives:\n  - Unknown\nlevel: critical\n"
	"---\n"
	"title: A proxy's\nlogsource: {category: proxy}\ndetection: {a: {c-uri: x}, condition: a}\n"
	"--- # the third\n"
	"title: The discovery document with a long host\n"
	"tags: [cve.2023.4966]\n"
	"logsource: {product: netscaler}\n"
	"detection:\n  selection_path:\n    cs-method: GET\n    cs-uri-stem|contains: '/oauth/idp/.well-known/openid-configuration'\n"
	"  selection_host:\n    cs-host|re: '^.{24,}'\n  condition: all of selection_*\nlevel: low\n";

static void test_published(void **state)
{
	struct hunt_sigma_counts counts;
	struct heard h = hunt(published, GET("/vpn/../vpns/portal/scripts/newbm.pl"), &counts);

	(void)state;
	assert_int_equal(counts.rules, 2);
	assert_int_equal(counts.other, 1);
	assert_int_equal(counts.refused, 0);
	assert_int_equal(h.findings, 1);
	assert_string_equal(h.rule, "0d0b5d43-6c3e-4b8e-9a55-1f1f0c9c1a01");
	assert_string_equal(h.source, "https://example.org/one");
	assert_string_equal(h.advisories, "CVE-2019-19781 CVE-2020-0001");
	assert_int_equal(h.last.class, HUNT_ATTEMPT);
	assert_int_equal(h.last.confidence, HUNT_HIGH);
	assert_int_equal(h.last.line, 1);
	h = hunt(published, GET("/vpns/portal/scripts/logout.pl"), &counts);
	assert_int_equal(h.findings, 0);
	h = hunt(published, GET("/a") GET("http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org/oauth/idp/.well-known/openid-configuration"), &counts);
	assert_int_equal(h.findings, 1);
	assert_string_equal(h.rule, "The discovery document with a long host");
	assert_string_equal(h.source, "rules.yml");
	assert_string_equal(h.advisories, "CVE-2023-4966");
	assert_int_equal(h.last.confidence, HUNT_LOW);
	assert_int_equal(h.last.line, 2);
}

static void test_the_same_rule_twice_is_refused(void **state)
{
	struct hunt_sigma_counts counts;
	struct heard h = hunt(RULE("  a: {c-uri|contains: '/x'}\n  condition: a\n") "---\n" RULE("  a: {c-uri|contains: '/y'}\n  condition: a\n"), GET("/x"), &counts);

	(void)state;
	assert_int_equal(counts.rules, 1);
	assert_int_equal(counts.refused, 1);
	assert_int_equal(h.findings, 1);
	assert_non_null(strstr(h.error, "is there already"));
	assert_true(strncmp(h.error, "rules.yml:6:", 12) == 0 || strncmp(h.error, "rules.yml:7:", 12) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_holds),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_the_same_rule_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
