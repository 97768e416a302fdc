/* Expressions against one request, errors with their columns, and the shipped rule sets against the
 * requests that each of their rules names. */
#include "base/fd.h"
#include "http/canon.h"
#include "http1/parse.h"
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <yaml.h>

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

static const struct { const char *expr; bool want; } truths[] = {
	{ "true", true },
	{ "not true or false", false },
	{ "true || false && false", true }, /* and binds closer */
	{ "!(true && false)", true },
	{ "http.method == \"GET\"", true },
	{ "http.method != \"GET\"", false },
	{ "http.path == \"/a/b c\"", true },
	{ "http.path.raw == \"/a/./b%20c\"", true },
	{ "http.target contains \"?x=1\"", true },
	{ "http.host == \"www.example\" and http.port == 8443", true },
	{ "http.path matches \"^/a/\\w c$\"", true },
	{ "http.path matches \"^/b\"", false },
	{ "starts_with(http.path, \"/a/\") and ends_with(http.path, \" c\")", true },
	{ "upper(http.method) == \"GET\" and lower(\"AbC\") == \"abc\"", true },
	{ "len(http.method) == 3 and len(\"\") < 1", true },
	{ "header(\"x-two\") == \"2\"", true },
	{ "header(\"X-None\") == \"\"", true },
	{ "cookie(\"sid\") == \"s1\"", true },
	{ "query(\"y\") == \"a b\"", true },
	{ "text_decode(\"/VPN/%2E%2e/%2576\") == \"/vpn/../%76\"", true }, /* once only */
	{ "client.ip in {10.0.0.0/8 192.0.2.0/24}", true },
	{ "client.ip in {2001:db8::/32}", false },
	{ "client.ip == 192.0.2.7 and peer.ip != 192.0.2.7", true },
	{ "http.method in {\"POST\" \"GET\"}", true },
	{ "http.port in {80 443}", false },
	{ "http.method in {\"}\" \"a\" \"b\" \"c\" \"d\" \"e\" \"GET\"}", true }, /* a } in a string sized the list */
	{ "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\" matches \"^(a+)+$\"", true }, /* a limit reached is a match */
	{ "http.method in $verbs and not (client.ip in $inside)", true },
	{ "peer.ip in $inside", true },
	{ "tag(\"seen\") and not tag(\"other\")", true },
	{ "time.hour == 12 and time.weekday == 4 and time.unix >= 1578571200", true },
	{ "tls and tls.client.subject == \"\"", true },
};

static const struct { const char *expr; unsigned line, column; const char *what; } errors[] = {
	{ "http.pth == \"/\"", 1, 1, "http.path" },
	{ "true and lowr(http.path) == \"/\"", 1, 10, "lower" },
	{ "http.path == 5", 1, 14, "number" },
	{ "true and http.path", 1, 10, "string" },
	{ "not http.port", 1, 5, "number" },
	{ "true\nand http.port == \"x\"", 2, 18, "string" },
	{ "len(5) == 1", 1, 5, "string" },
	{ "header(http.path) == \"\"", 1, 8, "quotes" },
	{ "http.path in {1}", 1, 15, "strings" },
	{ "client.ip in $verbs", 1, 14, "strings" },
	{ "http.path in $none", 1, 14, "none" },
	{ "http.path == \"x", 1, 14, "closing" },
	{ "http.path matches \"(\"", 1, 19, "regular" },
	{ "true and", 1, 9, "too early" },
	{ "true false", 1, 6, "end here" },
	{ "http.path", 1, 1, "wanted" },
	{ "response.status == 200", 1, 1, "response" },
	{ "client.ip == 10.0.0.0/8", 1, 14, "prefix" },
	{ "http.path < \"a\"", 1, 13, "numbers" },
};

static unsigned char memory[1 << 20];

static enum err compile(struct bytes source, struct arena *arena, struct policy_expr **e, struct policy_error *error)
{
	static const struct bytes verbs[] = { LIT("PUT"), LIT("GET") };
	static struct addr_prefix inside[1];
	static const struct policy_set_def sets[] = { { .name = LIT("verbs"), .strings = verbs, .string_count = 2 },
		{ .name = LIT("inside"), .is_addresses = true, .prefixes = inside, .prefix_count = 1 } };

	TRY(addr_parse_prefix(BYTES("10.0.0.0/8"), &inside[0]));
	return policy_compile(source, POLICY_BOOL, false, sets, COUNT_OF(sets), arena, e, error);
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
		assert_true(read_request(BYTES("GET /a/./b%20c?x=1&y=a+b HTTP/1.1\r\nHost: WWW.example:8443\r\n"
			"X-Two: 2\r\nCookie: a=b; sid=s1\r\n\r\n"), &arena, &in, &req));
		in.tags = tags;
		in.tag_count = 1;
		if (compile(bytes_str(truths[i].expr), &arena, &e, &error) != OK)
			fail_msg("%s: %u:%u %s", truths[i].expr, error.line, error.column, error.what);
		if (policy_is_true(e, &in) != truths[i].want)
			fail_msg("%s is not %d", truths[i].expr, truths[i].want);
		policy_expr_fini(e);
	}
}

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct policy_error error;
		struct policy_expr *e;
		struct arena arena;
		arena_init(&arena, memory, sizeof memory);
		if (compile(bytes_str(errors[i].expr), &arena, &e, &error) != ERR_SYNTAX)
			fail_msg("%s was accepted", errors[i].expr);
		if (error.line != errors[i].line || error.column != errors[i].column || !strstr(error.what, errors[i].what))
			fail_msg("%s: %u:%u %s", errors[i].expr, error.line, error.column, error.what);
	}
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

static yaml_node_t *part(yaml_document_t *doc, yaml_node_t *map, const char *key)
{
	assert_int_equal(map->type, YAML_MAPPING_NODE);
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
		if (strcmp((char *)yaml_document_get_node(doc, p->key)->data.scalar.value, key) == 0)
			return yaml_document_get_node(doc, p->value);
	fail_msg("no key %s", key);
	return NULL;
}

static struct bytes scalar(yaml_node_t *n)
{
	assert_int_equal(n->type, YAML_SCALAR_NODE);
	return bytes_of(n->data.scalar.value, n->data.scalar.length);
}

static void check_requests(const char *name, const struct policy_expr *e, yaml_document_t *doc, yaml_node_t *list, bool want)
{
	static unsigned char request_memory[1 << 18];

	assert_true(list->data.sequence.items.top > list->data.sequence.items.start);
	for (yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++) {
		struct bytes raw = scalar(yaml_document_get_node(doc, *i));
		struct policy_input in;
		struct http_request req;
		struct arena arena;
		arena_init(&arena, request_memory, sizeof request_memory);
		if (!read_request(raw, &arena, &in, &req))
			fail_msg("%s: cannot be read: %.*s", name, FMT(raw));
		if (policy_is_true(e, &in) != want)
			fail_msg("%s: %s: %.*s", name, want ? "should hit" : "should miss", FMT(raw));
	}
}

static void test_netscaler(void **state)
{
	struct text file;
	yaml_parser_t parser;
	yaml_document_t doc;
	yaml_node_t *rules;
	size_t n = 0;

	(void)state;
	text_init_growing(&file, 1 << 20);
	assert_int_equal(file_read("rules/netscaler.yaml", &file), OK);
	assert_true(yaml_parser_initialize(&parser));
	yaml_parser_set_input_string(&parser, file.at, file.len);
	assert_true(yaml_parser_load(&parser, &doc));
	rules = part(&doc, yaml_document_get_root_node(&doc), "rules");
	for (yaml_node_item_t *i = rules->data.sequence.items.start; i < rules->data.sequence.items.top; i++, n++) {
		yaml_node_t *rule = yaml_document_get_node(&doc, *i), *tests = part(&doc, rule, "tests");
		const char *name = (const char *)scalar(part(&doc, rule, "name")).at;
		struct policy_error error;
		struct policy_expr *e;
		struct arena arena;
		assert_true(scalar(part(&doc, rule, "source")).len > 0);
		arena_init(&arena, memory, sizeof memory);
		if (compile(scalar(part(&doc, rule, "if")), &arena, &e, &error) != OK)
			fail_msg("%s: %u:%u %s", name, error.line, error.column, error.what);
		check_requests(name, e, &doc, part(&doc, tests, "hits"), true);
		check_requests(name, e, &doc, part(&doc, tests, "misses"), false);
		policy_expr_fini(e);
	}
	assert_int_equal(n, 6);
	yaml_document_delete(&doc);
	yaml_parser_delete(&parser);
	text_fini(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_truths), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_depth), cmocka_unit_test(test_netscaler) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
