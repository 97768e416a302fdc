/* Which route a request takes: host before path before order; and the pool that goes with it. */
#include "proxy/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char text[] =
	"listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [{chain: a.pem, key: a.key}]}}}\n"
	"pools: {one: {servers: ['a:1']}, two: {servers: ['a:2']}}\ngateway: {portal: work.example.org}\n"
	"routes:\n"
	"- {host: www.example.org, path: /a, pool: two}\n"		/* 0 */
	"- {host: www.example.org, pool: one}\n"			/* 1 */
	"- {host: '*.example.org', require: session, pool: two}\n"	/* 2 */
	"- {host: '*.dev.example.org', if: 'http.method == \"PUT\"', pool: two}\n" /* 3 */
	"- {host: '*.dev.example.org', path: /b/c/, pool: one}\n"	/* 4 */
	"- {path: /open, pool: two}\n";					/* 5 */

static enum err a_file(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s;
	(void)path;
	(void)arena;
	*out = BYTES("PEM");
	return OK;
}

static const struct { const char *why, *host, *path, *method; int route; } cases[] = {
	{ "the exact host, the longest path", "www.example.org", "/a/b", "GET", 0 },
	{ "whole segments", "www.example.org", "/ab", "GET", 1 },
	{ "a wildcard", "x.example.org", "/a", "GET", 2 },
	{ "no wildcard for the name itself", "example.org", "/a", "GET", -1 },
	{ "the longest wildcard", "x.dev.example.org", "/b/c/d", "GET", 4 },
	{ "whose expression holds", "x.dev.example.org", "/", "PUT", 3 },
	{ "or else the next wildcard", "x.dev.example.org", "/", "GET", 2 },
	{ "no host, where none fits", "other.example", "/open", "GET", 5 },
	{ "also for who names none", "", "/open/a", "GET", 5 },
	{ "nothing", "other.example", "/", "GET", -1 },
};

static void routes(void **state)
{
	struct conf_source source = { .get = a_file };
	struct conf_errors errors;
	struct router *r = NULL;
	struct conf *c = NULL;

	(void)state;
	assert_int_equal(conf_load(BYTES("t.yaml"), bytes_str(text), &source, &c, &errors), OK);
	assert_int_equal(router_new(c, &c->arena, &r), OK);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_request req = { .method_text = bytes_str(cases[i].method), .host = bytes_str(cases[i].host), .path = bytes_str(cases[i].path) };
		struct policy_input in = { .req = &req, .arena = &c->arena };
		const struct conf_route *want = cases[i].route < 0 ? NULL : &c->routes[cases[i].route], *got = router_find_route(r, req.host, req.path, &in);

		if (got != want)
			fail_msg("%s: route %td", cases[i].why, got ? got - c->routes : -1);
		assert_int_equal(router_find(r, req.host, req.path, &in), want ? want->pool : SIZE_MAX);
	}
	assert_true(c->routes[2].needs_session);
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(routes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
