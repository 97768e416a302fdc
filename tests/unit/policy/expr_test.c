/* Expressions against one request; mistakes, their places and what is said about them; what cannot be told. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "http/canon.h"
#include "http1/parse.h"
#include "policy/policy_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <pcre2.h>

static const struct http1_limits limits = { 8192, 8192, 32768, 100, false };
static const struct canon_rules canon = { CANON_REFUSE, CANON_KEEP, true };

/* False when Sluis refuses the request before any rule sees it. */
static bool read_request(struct bytes raw, struct arena *arena, struct policy_input *in, struct http_request *req)
{
	struct http1_refusal refusal;
	size_t scanned = 0, used;
	const char *why;

	if (http1_parse_request(raw, &limits, arena, &scanned, &used, req, &refusal) != OK)
		return false;
	if (canon_request(req, &canon, BYTES("https"), arena, &why) != OK)
		return false;
	*in = (struct policy_input){ .req = req, .is_tls = true, .listener = BYTES("web"), .arena = arena,
		.real_us = UINT64_C(1578571200) * 1000000 }; /* Thursday 2020-01-09 12:00:00 UTC */
	if (addr_parse_ip(BYTES("192.0.2.7"), &in->client) != OK || addr_parse_ip(BYTES("10.1.2.3"), &in->peer) != OK)
		return false;
	return true;
}

#define REQUEST "GET /a/./b%20c?x=1&y=a+b&x=%32&Z=3 HTTP/1.1\r\nHost: WWW.example:8443\r\nX-Two: 2\r\nX-Many: one\r\n" \
	"x-many: Two\r\nCookie: a=b; sid=s1\r\nUser-Agent: Mozilla/5.0 SQLmap/1\r\nCookie: sid=\"s2\"\r\nX-Empty:\r\n\r\n"

static const struct { const char *expr; bool want; } truths[] = {
	{ "true", true },
	{ "not true or false", false },
	{ "true || false && false", true }, /* and binds closer */
	{ "!(true && false)", true },
	{ "false or false or (false or true) or false", true },
	{ "true and true and (true and false) and true", false },
	{ "(true or false) and (false or true) == true", true },
	{ "http.method == \"GET\"", true },
	{ "http.method != \"GET\"", false },
	{ "http.path == \"/a/b c\"", true },
	{ "http.path.raw == \"/a/./b%20c\"", true },
	{ "http.target contains \"?x=1\"", true },
	{ "http.host == \"www.example\" and http.port == 8443", true },
	{ "http.path matches \"^/a/\\w c$\"", true },
	{ "http.path matches \"^/b\"", false },
	{ "http.path matches \"\"", true },
	{ "starts_with(http.path, \"/a/\") and ends_with(http.path, \" c\")", true },
	{ "upper(http.method) == \"GET\" and lower(\"AbC\") == \"abc\" and upper(\"aZ[`{\") == \"AZ[`{\"", true },
	{ "len(http.method) == 3 and len(\"\") < 1", true },
	{ "header(\"x-two\") == \"2\"", true },
	{ "header(\"X-None\") == \"\"", true },
	/* A list, RFC 9110 5.3: neither of two fields is hidden, and one of them alone is not the value. */
	{ "header(\"X-Many\") == \"one, Two\"", true },
	{ "header(\"X-Many\") == \"one\"", false },
	{ "header(\"X-Many\") contains \"Two\"", true },
	{ "header(\"Cookie\") == \"a=b; sid=s1; sid=\\\"s2\\\"\"", true },
	{ "any_header(\"X-Many\") == \"Two\"", true },
	{ "any_header(\"X-Many\") == \"two\"", false },
	{ "lower(any_header(\"X-Many\")) == \"two\"", true },
	{ "any_header(\"X-Many\") in {\"Two\" \"Three\"}", true },
	{ "any_header(\"X-Many\") matches \"^T\"", true },
	{ "starts_with(any_header(\"X-Many\"), \"Tw\")", true },
	{ "len(any_header(\"X-Many\")) > 3", false },
	{ "not (any_header(\"X-Many\") == \"Three\")", true },
	{ "any_header(\"X-None\") == \"\"", false }, /* there is no value that it could hold for */
	{ "any_header(\"X-Empty\") == \"\"", true },
	{ "cookie(\"sid\") == \"s1\"", true },
	{ "any_cookie(\"sid\") == \"s2\"", true },
	{ "any_cookie(\"sid\") == \"s3\"", false },
	{ "query(\"y\") == \"a b\"", true },
	{ "query(\"x\") == \"1\" and query(\"z\") == \"\"", true }, /* names have case */
	{ "any_query(\"x\") == \"2\"", true },
	{ "any_query(\"x\") matches \"[^0-9]\"", false },
	{ "remove_query(\"x\") == \"y=a+b&Z=3\"", true },
	{ "remove_query(\"none\") == http.query", true },
	{ "concat(\"a\", http.method, \"b\", \"c\") == \"aGETbc\"", true },
	{ "text_decode(\"/VPN/%2E%2e/%2576\") == \"/vpn/../%76\"", true }, /* once only */
	{ "url_decode(\"/VPN/%2E%\") == \"/VPN/.%\"", true },
	{ "lower(http.user_agent) contains \"sqlmap\"", true },
	{ "lower(http.user_agent) contains \"sqlmapx\"", false },
	{ "lower(http.user_agent) contains \"mozilla/5\" and starts_with(lower(http.user_agent), \"moz\")", true },
	{ "ends_with(lower(http.user_agent), \"map/1\") and lower(http.user_agent) != \"mozilla\"", true },
	{ "lower(http.user_agent) contains \"5.0 sqlmap/1 and more than there is\"", false },
	{ "client.ip in {10.0.0.0/8 192.0.2.0/24}", true },
	{ "client.ip in {2001:db8::/32}", false },
	{ "client.ip in {::/0}", true }, /* IPv4 is inside, as ::ffff:0:0/96 */
	{ "client.ip == 192.0.2.7 and peer.ip != 192.0.2.7", true },
	{ "http.method in {\"POST\" \"GET\"}", true },
	{ "http.port in {9000 80 8443 443}", true },
	{ "http.port in {80 443}", false },
	{ "http.method in {\"}\" \"a\" \"b\" \"c\" \"d\" \"e\" \"GET\"}", true }, /* a } in a string sized the list */
	{ "http.method in $verbs and not (client.ip in $in-side)", true },
	{ "peer.ip in $in-side", true },
	{ "tag(\"seen\") and not tag(\"other\")", true },
	{ "time.hour == 12 and time.weekday == 4 and time.unix >= 1578571200", true },
	{ "tls and tls.client.subject == \"\"", true },
	{ "tls == true and tls != false", true },
};

static const struct { const char *expr; unsigned line, column; const char *what; } errors[] = {
	{ "http.pth == \"/\"", 1, 1, "unknown name http.pth; did you mean http.path?" },
	{ "ip.src in {10.0.0.0/8}", 1, 1, "unknown name ip.src; did you mean client.ip?" },
	{ "true and lowr(http.path) == \"/\"", 1, 10, "unknown name lowr; did you mean lower?" },
	{ "zzzzzzzzzz", 1, 1,
		"unknown name zzzzzzzzzz; docs/policy.md lists fields and functions, and strings stand in double quotes" },
	{ "lower == \"a\"", 1, 1, "lower is a function; write lower(...)" },
	{ "http.path(\"a\")", 1, 1, "http.path is a field, not a function; write it without (" },
	{ "http.path == 5", 1, 14, "the left side is a string, and this is a number; write it in double quotes" },
	{ "http.port == \"80\"", 1, 14, "the left side is a number, and this is a string; write numbers without quotes" },
	{ "client.ip == \"10.0.0.1\"", 1, 14, "the left side is an address, and this is a string; write addresses without quotes" },
	{ "tls == 1", 1, 8, "the left side is true or false, and this is a number; write true or false, or the left side alone" },
	{ "true and http.path", 1, 10, "and joins conditions, and this is a string; write the whole comparison on both sides of and" },
	{ "http.path == \"/a\" or \"/b\"", 1, 22,
		"or joins conditions, and this is a string; write the whole comparison on both sides of or, or in {...}" },
	{ "http.path or tls", 1, 1,
		"or joins conditions, and this is a string; write the whole comparison on both sides of or, or in {...}" },
	{ "tls or tls and http.path", 1, 16, "and joins conditions, and this is a string; write the whole comparison on both sides of and" },
	{ "not http.port", 1, 5, "not wants true or false, and this is a number; compare it with something" },
	{ "client.ip not in {10.0.0.0/8}", 1, 11, "not stands before a whole comparison: not (client.ip in $office)" },
	{ "true\nand http.port == \"x\"", 2, 18, "the left side is a number, and this is a string; write numbers without quotes" },
	{ "len(5) == 1", 1, 5, "len wants a string here, not a number" },
	{ "len() == 1", 1, 5, "len wants a string here" },
	{ "lower(http.path, \"a\")", 1, 16, "lower takes no more than 1 argument; write ) here" },
	{ "starts_with(http.path)", 1, 22, "starts_with takes 2 arguments; write a comma and the next one" },
	{ "lower(http.path == \"a\"", 1, 7, "lower wants a string here, not true or false" },
	{ "lower(http.path", 1, 16, "write ) behind the arguments" },
	{ "header(http.path) == \"\"", 1, 8, "header wants a name in quotes, as header(\"name\")" },
	{ "header(\"User Agent\") == \"\"", 1, 8, "header wants the name of a field, as \"User-Agent\"; no field is called \"User Agent\"" },
	{ "http.path in {1}", 1, 15, "the list must hold only strings in double quotes here, and end with }" },
	{ "client.ip in {\"10.0.0.0/8\"}", 1, 15, "the list must hold only addresses and prefixes, without quotes here, and end with }" },
	{ "http.path in {\"a\"", 1, 18, "the list has no end; write a closing }" },
	{ "http.path in {}", 1, 14, "the list is empty, so this can never hold; write in {\"a\" \"b\"}" },
	{ "http.path in \"a\"", 1, 14, "write a list or a set behind in: in {\"a\" \"b\"} or in $set" },
	{ "client.ip in 10.0.0.0/8", 1, 14, "write a list behind in: in {10.0.0.0/8}" },
	{ "tls in {1}", 1, 5, "in wants a string, a number or an address on its left, not true or false" },
	{ "client.ip in $verbs", 1, 14, "$verbs holds strings, and the left side is an address; write a string in $verbs" },
	{ "http.path in $in-side", 1, 14, "$in-side holds addresses, and the left side is a string; write client.ip in $in-side" },
	{ "http.path in $none", 1, 14, "there is no set $none; name it under sets:" },
	{ "$verbs", 1, 1, "a set stands only behind in; write client.ip in $verbs" },
	{ "http.path == \"x", 1, 14, "the string has no end; write a closing \" (and \\\" for a quote inside)" },
	{ "http.path == 'x'", 1, 14, "write strings in double quotes" },
	{ "http.path = \"x\"", 1, 11, "write == to compare" },
	{ "http.path ~ \"x\"", 1, 11, "write matches \"...\" for a regular expression" },
	{ "http.path eq \"x\"", 1, 11, "there is no operator eq; write ==" },
	{ "tls AND tls", 1, 5, "there is no operator AND; write and" },
	{ "(http.path startswith \"/a\")", 1, 12, "there is no operator startswith; write starts_with(x, y)" },
	{ "starts_with(http.path, /a)", 1, 24, "write a path in double quotes, as \"/admin\"" },
	{ "http.path == \"a\" ?", 1, 18, "this character has no meaning here; strings stand in double quotes" },
	{ "http.path matches \"a(\"", 1, 19, "the regular expression is wrong at its octet 3: missing closing parenthesis" },
	{ "http.port matches \"a\"", 1, 11, "matches looks at strings, and the left side is a number" },
	{ "http.path matches http.query", 1, 19, "matches wants a regular expression in double quotes here" },
	{ "client.ip contains \"10.\"", 1, 11, "contains looks at strings, and the left side is an address; write client.ip in {10.0.0.0/8}" },
	{ "http.path contains \"\"", 1, 20, "every string contains the empty one; write what to look for, or == \"\"" },
	{ "true and", 1, 9, "the expression ends too early; a field, a value or ( is missing" },
	{ "", 1, 1, "the expression ends too early; a field, a value or ( is missing" },
	{ "(tls", 1, 5, "write ) here" },
	{ "true false", 1, 6, "the expression should end here; join conditions with and, or" },
	{ "http.path", 1, 1, "this is a string, and a condition is wanted; compare it, as == \"...\" or contains \"...\"" },
	{ "http.port", 1, 1, "this is a number, and a condition is wanted; compare it, as > 0" },
	{ "client.ip", 1, 1, "this is an address, and a condition is wanted; compare it, as in {10.0.0.0/8}" },
	{ "response.status == 200", 1, 1, "response.status is known only in policies with on: response" },
	{ "response.header(\"a\") == \"\"", 1, 1, "response.header is known only in policies with on: response" },
	{ "client.ip == 10.0.0.0/8", 1, 14, "a prefix stands only behind in; write client.ip in {10.0.0.0/8}" },
	{ "client.ip in {10.0.0.1/8}", 1, 15, "10.0.0.1/8 is neither a number nor an address or prefix; write 8080, 192.0.2.1, "
		"192.0.2.0/24 or 2001:db8::/32 with no bits set behind the prefix" },
	{ "http.path < \"a\"", 1, 13, "< and > compare numbers, and the left side is a string; write == or !=" },
	/* What could never hold is told. */
	{ "lower(http.path) contains \"/VPN\"", 1, 27, "the left side is always in lower case; write \"/VPN\" in lower case too" },
	{ "starts_with(lower(http.path), \"/A\")", 1, 31, "the left side is always in lower case; write \"/A\" in lower case too" },
	{ "http.host == \"WWW.example\"", 1, 14, "the left side is always in lower case; write \"WWW.example\" in lower case too" },
	{ "http.host in {\"a\" \"B\"}", 1, 19, "the left side is always in lower case; write \"B\" in lower case too" },
	{ "upper(http.path) == \"/a\"", 1, 21, "the left side is always in upper case; write \"/a\" in upper case too" },
	/* Several values have places where they make no sense. */
	{ "any_header(\"A\") != \"a\"", 1, 1, "any_... != would hold as soon as one value differs; write not (any_... == ...)" },
	{ "\"a\" == any_header(\"A\")", 1, 8, "any_... stands on the left side of a comparison only; write the other side here" },
	{ "concat(any_header(\"A\"), any_header(\"B\")) == \"ab\"", 1, 1, "one any_... per comparison; write two comparisons" },
};

static unsigned char memory[1 << 20];

static enum err compile_as(struct bytes source, enum policy_type want, struct arena *arena, struct policy_expr **e,
	struct policy_error *error)
{
	static const struct bytes verbs[] = { LIT("PUT"), LIT("GET") };
	struct addr_prefix inside[1];
	struct policy_set_def sets[] = { { .name = LIT("verbs"), .strings = verbs, .string_count = 2 },
		{ .name = LIT("in-side"), .is_addresses = true, .prefixes = inside, .prefix_count = 1 } };

	TRY(addr_parse_prefix(BYTES("10.0.0.0/8"), &inside[0]));
	for (size_t i = 0; i < COUNT_OF(sets); i++)
		TRY(policy_set_freeze(&sets[i], arena));
	return policy_compile(source, want, false, sets, COUNT_OF(sets), arena, e, error);
}

static enum err compile(struct bytes source, struct arena *arena, struct policy_expr **e, struct policy_error *error)
{
	return compile_as(source, POLICY_BOOL, arena, e, error);
}

static void test_truths(void **state)
{
	static const struct bytes tags[] = { LIT("seen") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(truths); i++) {
		struct policy_error error;
		struct policy_expr *e;
		struct policy_input in;
		struct http_request req;
		struct arena arena;
		arena_init(&arena, memory, sizeof memory);
		assert_true(read_request(BYTES(REQUEST), &arena, &in, &req));
		in.tags = tags;
		in.tag_count = 1;
		if (compile(bytes_str(truths[i].expr), &arena, &e, &error) != OK)
			fail_msg("%s: %u:%u %s", truths[i].expr, error.line, error.column, error.what);
		if (policy_truth(e, &in) != (truths[i].want ? POLICY_TRUE : POLICY_FALSE))
			fail_msg("%s is not %d", truths[i].expr, truths[i].want);
		policy_expr_fini(e);
	}
}

static void test_errors(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct policy_error error;
		struct policy_expr *e;
		struct arena arena;
		arena_init(&arena, memory, sizeof memory);
		if (compile(bytes_str(errors[i].expr), &arena, &e, &error) != ERR_SYNTAX)
			fail_msg("%s was accepted", errors[i].expr);
		if (error.line != errors[i].line || error.column != errors[i].column || strcmp(error.what, errors[i].what) != 0) {
			print_error("%s: %u:%u %s\n", errors[i].expr, error.line, error.column, error.what);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* A value is one text; a condition is none. */
static void test_values(void **state)
{
	static const struct { const char *expr, *want, *what; } cases[] = {
		{ "client.ip", "192.0.2.7", "" },
		{ "http.port", "8443", "" },
		{ "concat(\"https://\", http.host, http.path.raw, \"?\", remove_query(\"x\"))", "https://www.example/a/./b%20c?y=a+b&Z=3", "" },
		{ "tls", NULL, "this is true or false, and a value is wanted; write a field, or a text in double quotes" },
		{ "any_header(\"X-Many\")", NULL, "any_... gives several values, and one is wanted; write header, cookie or query" },
	};
	struct policy_error error;
	struct policy_expr *e;
	struct policy_input in;
	struct http_request req;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		arena_init(&arena, memory, sizeof memory);
		assert_true(read_request(BYTES(REQUEST), &arena, &in, &req));
		assert_int_equal(compile_as(bytes_str(cases[i].expr), POLICY_STRING, &arena, &e, &error), cases[i].want ? OK : ERR_SYNTAX);
		assert_string_equal(error.what, cases[i].what);
		if (!cases[i].want)
			continue;
		assert_true(bytes_eq(policy_string(e, &in), bytes_str(cases[i].want)));
		policy_expr_fini(e);
	}
}

/* What ran into a bound is neither true nor false, and "not" does not make it so. */
#define SLOW "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\" matches \"^(a+)+$\""
static const struct { const char *expr; enum policy_truth want; } unknowns[] = {
	{ SLOW, POLICY_UNKNOWN },
	{ "not " SLOW, POLICY_UNKNOWN },
	{ "(" SLOW ") == false", POLICY_UNKNOWN },
	{ SLOW " or false", POLICY_UNKNOWN },
	{ SLOW " and true", POLICY_UNKNOWN },
	{ "false or " SLOW " or false", POLICY_UNKNOWN },
	{ SLOW " or true", POLICY_TRUE },	/* whichever it is */
	{ SLOW " and false", POLICY_FALSE },
	{ "not (" SLOW " and false)", POLICY_TRUE },
};

static void test_unknowns(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(unknowns); i++) {
		struct policy_rule rule = { .name = BYTES("r") };
		struct policy_error error;
		struct policy_input in;
		struct http_request req;
		struct arena arena;
		bool is_unknown;
		size_t next = 0;
		arena_init(&arena, memory, sizeof memory);
		assert_true(read_request(BYTES(REQUEST), &arena, &in, &req));
		assert_int_equal(compile(bytes_str(unknowns[i].expr), &arena, &rule.when, &error), OK);
		if (policy_truth(rule.when, &in) != unknowns[i].want)
			fail_msg("%s", unknowns[i].expr);
		assert_int_equal(policy_is_true(rule.when, &in), unknowns[i].want == POLICY_TRUE);
		/* A rule that may hold stops the walk, and says that it only may. */
		assert_ptr_equal(policy_match(&rule, 1, &next, &in, &is_unknown), unknowns[i].want == POLICY_FALSE ? NULL : &rule);
		assert_int_equal(is_unknown, unknowns[i].want == POLICY_UNKNOWN);
		policy_expr_fini(rule.when);
	}
}

/* Patterns that are slow on purpose, on the longest texts there are, as machine code and interpreted. PCRE2's own
 * answer tells what ended them, its count of steps or its memory: no clock is asked. */
static void test_slow_patterns(void **state)
{
	enum { MATCH = 1, STEPS = PCRE2_ERROR_MATCHLIMIT, STACK = PCRE2_ERROR_JIT_STACKLIMIT, HEAP = PCRE2_ERROR_HEAPLIMIT };
	static const struct { const char *pattern; size_t len; int compiled, interpreted; } cases[] = {
		{ "(a+)+$", 16384, STEPS, STEPS }, { "^(a+)+$", 65536, STEPS, STEPS }, { "(a|aa)+$", 16384, STEPS, STEPS }, { "^(a|aa)+$", 65536, STACK, HEAP },
		{ "a.*a.*b|ccc", 16384, STEPS, STEPS },
		/* The count alone would not end it: it begins anew at each of 64k places. The length does. */
		{ "(?=a)\\w*\\W\\d", 65536, STEPS, STEPS }, { "a!$", 16385, STEPS, STEPS },
		/* And what is quick is told, on long texts too. */
		{ "^/a", 65536, PCRE2_ERROR_NOMATCH, PCRE2_ERROR_NOMATCH }, { "^a", 65536, MATCH, MATCH }, { "a!$", 16384, MATCH, MATCH },
		{ "union.*select", 16384, PCRE2_ERROR_NOMATCH, PCRE2_ERROR_NOMATCH },
	};
	static unsigned char text[65536];
	uint32_t has_jit = 0;

	(void)state;
	pcre2_config(PCRE2_CONFIG_JIT, &has_jit);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char what[128];
		size_t at;
		struct arena arena;
		struct policy_regex *r;
		struct bytes s = bytes_of(text, cases[i].len);
		arena_init(&arena, memory, sizeof memory);
		r = policy_regex_make(bytes_str(cases[i].pattern), &arena, what, sizeof what, &at);
		assert_non_null(r);
		assert_int_equal(r->is_compiled, has_jit);
		memset(text, 'a', sizeof text);
		text[cases[i].len - 1] = '!';
		for (; ; r->is_compiled = false) {
			int want = r->is_compiled ? cases[i].compiled : cases[i].interpreted, got = policy_regex_run(r, s);
			if (want == MATCH ? got < 0 : got != want)
				fail_msg("%s, %s: %d, not %d", cases[i].pattern, r->is_compiled ? "compiled" : "interpreted", got, want);
			assert_int_equal(policy_regex_matches(r, s), want == MATCH ? POLICY_TRUE :
				want == PCRE2_ERROR_NOMATCH ? POLICY_FALSE : POLICY_UNKNOWN);
			if (!r->is_compiled)
				break;
		}
		policy_regex_fini(r);
	}
}

/* The worker's room for a comparison holds the largest that is accepted, on the longest head there can be: a
 * rule is never blind because a client sent much. One that could need more is refused. */
static void test_room(void **state)
{
	static unsigned char scratch_memory[POLICY_SCRATCH_SIZE], big[POLICY_TEXT_MOST];
	static const struct { const char *expr; bool fits; } cases[] = {
		{ "lower(upper(lower(upper(lower(upper(lower(header(\"X-Big\")))))))) == \"a\"", true },
		{ "concat(lower(header(\"X-Big\")), lower(http.query), text_decode(http.target)) contains \"zz\"", true },
		{ "lower(upper(lower(upper(lower(upper(lower(upper(lower(upper(header(\"X-Big\"))))))))))) == \"a\"", false },
		{ "concat(header(\"A\"), header(\"A\"), header(\"A\"), header(\"A\"), header(\"A\"), header(\"A\")) == \"a\"", false },
	};
	struct http_field fields[] = { { .name = BYTES("X-Big"), .value = bytes_of(big, sizeof big / 2 - 100) },
		{ .name = BYTES("x-big"), .value = bytes_of(big, sizeof big / 2 - 100) } };
	struct http_request req = { .target = bytes_of(big, sizeof big), .raw_query = bytes_of(big, sizeof big), .fields = fields,
		.field_count = 2 };
	struct arena scratch;
	struct policy_input in = { .req = &req, .arena = &scratch, .arena_is_scratch = true };

	(void)state;
	memset(big, 'x', sizeof big);
	arena_init(&scratch, scratch_memory, sizeof scratch_memory);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct policy_error error;
		struct policy_expr *e;
		struct arena arena;
		arena_init(&arena, memory, sizeof memory);
		assert_int_equal(compile(bytes_str(cases[i].expr), &arena, &e, &error), cases[i].fits ? OK : ERR_SYNTAX);
		if (!cases[i].fits) {
			assert_non_null(strstr(error.what, "there is room for"));
			continue;
		}
		for (int times = 0; times < 100; times++) /* no comparison takes room from the next */
			assert_int_equal(policy_truth(e, &in), POLICY_FALSE);
		policy_expr_fini(e);
	}
}

/* With an arena that is too small (a value's is the request's own) nothing is taken for an empty text. */
static void test_no_room(void **state)
{
	unsigned char little[16];
	struct policy_error error;
	struct policy_expr *e;
	struct policy_input in;
	struct http_request req;
	struct arena arena, small;

	(void)state;
	arena_init(&arena, memory, sizeof memory);
	assert_true(read_request(BYTES(REQUEST), &arena, &in, &req));
	in.arena = &small;
	arena_init(&small, little, sizeof little);
	assert_int_equal(compile(BYTES("upper(http.user_agent) == \"\""), &arena, &e, &error), OK);
	assert_int_equal(policy_truth(e, &in), POLICY_UNKNOWN);
	policy_expr_fini(e);
	assert_int_equal(compile(BYTES("not (http.method == upper(http.user_agent)) or tag(\"x\")"), &arena, &e, &error), OK);
	assert_int_equal(policy_truth(e, &in), POLICY_UNKNOWN);
	policy_expr_fini(e);
	assert_int_equal(compile_as(BYTES("lower(http.user_agent)"), POLICY_STRING, &arena, &e, &error), OK);
	assert_null(policy_string(e, &in).at);
	policy_expr_fini(e);
	assert_int_equal(compile_as(BYTES("tls.sni"), POLICY_STRING, &arena, &e, &error), OK);
	assert_non_null(policy_string(e, &in).at); /* empty is not unknown */
	policy_expr_fini(e);
}

static void test_depth(void **state)
{
	static char deep[5000];
	struct policy_error error;
	struct policy_expr *e;
	struct arena arena;

	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(deep, i ? '!' : '(', sizeof deep);
		arena_init(&arena, memory, sizeof memory);
		assert_int_equal(compile(bytes_of(deep, sizeof deep), &arena, &e, &error), ERR_SYNTAX);
		assert_non_null(strstr(error.what, "deep"));
	}
}

/* As many operands as a file may hold: a chain is a loop, not a recursion. */
static void test_long_chain(void **state)
{
	struct policy_error error;
	struct policy_expr *e;
	struct policy_input in;
	struct http_request req;
	struct arena arena, request_arena;
	struct text t;

	(void)state;
	arena_init_growing(&arena, 256u << 20);
	arena_init(&request_arena, memory, sizeof memory);
	assert_true(read_request(BYTES(REQUEST), &request_arena, &in, &req));
	text_init_growing(&t, 8u << 20);
	for (int i = 0; i < 200000; i++)
		text_lit(&t, "tag(\"x\") or ");
	text_lit(&t, "tls");
	assert_int_equal(compile(text_bytes(&t), &arena, &e, &error), OK);
	assert_int_equal(policy_truth(e, &in), POLICY_TRUE);
	policy_expr_fini(e);
	text_fini(&t);
	arena_fini(&arena);
}

static void test_explain(void **state)
{
	static const struct { const char *expr, *want; } cases[] = {
		{ "tls", "tls=1;" },
		{ "http.method == \"PUT\" or http.host contains \"www\" or tls", "http.host contains \"www\"=1 http.host:www.example;" },
		{ "(http.port > 1 and not (client.ip in $in-side))", "http.port > 1=1 http.port:8443;client.ip in $in-side=0 client.ip:192.0.2.7;" },
		{ "lower(any_header(\"X-Many\")) == \"two\"", "lower(any_header(\"X-Many\")) == \"two\"=1 lower(any_header(\"X-Many\")):two;" },
		{ "any_query(\"x\") == \"3\"", "any_query(\"x\") == \"3\"=0;" },
		{ "starts_with(http.path, \"/a\") and tag(\"t\")", "tag(\"t\")=0;" },
		{ "http.path == \"1\" or http.path == \"2\"", "http.path == \"1\"=0 http.path:/a/b c;http.path == \"2\"=0 http.path:/a/b c;" },
		{ "(tls == true) and true", "tls == true=1;true=1;" },
		{ SLOW " and tls", SLOW "=2 \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\":aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!;tls=1;" },
	};
	struct policy_reason reasons[4];
	struct policy_error error;
	struct policy_expr *e;
	struct policy_input in;
	struct http_request req;
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[1024];
		struct text t;
		size_t n;
		text_init(&t, mem, sizeof mem);
		arena_init(&arena, memory, sizeof memory);
		assert_true(read_request(BYTES(REQUEST), &arena, &in, &req));
		assert_int_equal(compile(bytes_str(cases[i].expr), &arena, &e, &error), OK);
		n = policy_explain(e, &in, reasons, COUNT_OF(reasons));
		for (size_t k = 0; k < n; k++) {
			text_fmt(&t, "%.*s=%d", FMT(reasons[k].source), (int)reasons[k].truth);
			if (reasons[k].left.len)
				text_fmt(&t, " %.*s:%.*s", FMT(reasons[k].left), FMT(reasons[k].value));
			text_byte(&t, ';');
		}
		if (!bytes_eq(text_bytes(&t), bytes_str(cases[i].want)))
			fail_msg("%s: %.*s", cases[i].expr, FMT(text_bytes(&t)));
		assert_true(policy_explain(e, &in, reasons, 1) <= 1);
		policy_expr_fini(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_truths), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_values), cmocka_unit_test(test_unknowns), cmocka_unit_test(test_slow_patterns),
		cmocka_unit_test(test_room), cmocka_unit_test(test_no_room), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_long_chain), cmocka_unit_test(test_explain) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
