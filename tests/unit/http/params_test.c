/* Parameters and cookies by name: which one is found, and what it decodes to. */
#include "http/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *why;
	struct bytes query, name;
	bool found;
	struct bytes value;
} queries[] = {
	{ "plain", LIT("a=1&b=2"), LIT("b"), true, LIT("2") },
	{ "the first of two", LIT("a=1&a=2"), LIT("a"), true, LIT("1") },
	{ "an encoded name", LIT("%61=1"), LIT("a"), true, LIT("1") },
	{ "decoded once", LIT("a=%2541"), LIT("a"), true, LIT("%41") },
	{ "plus is a space", LIT("a+b=c+d%2B"), LIT("a b"), true, LIT("c d+") },
	{ "no value", LIT("a&b"), LIT("a"), true, LIT("") },
	{ "an empty value at the end", LIT("b=1&a="), LIT("a"), true, LIT("") },
	{ "a value with equals signs", LIT("a=b=c"), LIT("a"), true, LIT("b=c") },
	{ "a malformed escape stays", LIT("a=%4&b=%zz"), LIT("b"), true, LIT("%zz") },
	{ "a longer name", LIT("ab=1"), LIT("a"), false, LIT("") },
	{ "a shorter name", LIT("a=1"), LIT("ab"), false, LIT("") },
	{ "case counts", LIT("A=1"), LIT("a"), false, LIT("") },
	{ "empty pairs", LIT("&&&a=1&"), LIT("a"), true, LIT("1") },
	{ "nothing", LIT(""), LIT("a"), false, LIT("") },
};

static void test_queries(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		unsigned char mem[256];
		struct bytes v = BYTES("");
		struct arena a;

		arena_init(&a, mem, sizeof mem);
		if (http_query_find(queries[i].query, queries[i].name, &a, &v) != queries[i].found ||
			(queries[i].found && !bytes_eq(v, queries[i].value)))
			fail_msg("%s: %.*s", queries[i].why, FMT(v));
	}
}

/* Many encoded names before it must not use up the room of the one that is asked for. */
static void test_full_arena(void **state)
{
	unsigned char mem[16];
	struct bytes v;
	struct arena a;

	(void)state;
	arena_init(&a, mem, sizeof mem);
	assert_true(http_query_find(BYTES("%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61=1&%62%62%62=2&q=hit"), BYTES("q"), &a, &v));
	assert_true(bytes_eq(v, BYTES("hit")));
}

static const struct {
	const char *why;
	struct bytes name;
	bool found;
	struct bytes value;
} cookies[] = {
	{ "the first", LIT("a"), true, LIT("1") },
	{ "in quotes", LIT("b"), true, LIT("two") },
	{ "in the second field", LIT("c"), true, LIT("=3") },
	{ "case counts", LIT("A"), false, LIT("") },
	{ "without a value it is none", LIT("d"), false, LIT("") },
	{ "of another field", LIT("x"), false, LIT("") },
};

static void test_cookies(void **state)
{
	const struct http_field f[] = { { .name = BYTES("Cookie"), .value = BYTES("a=1; b=\"two\";a=9"), .id = HTTP_COOKIE },
		{ .name = BYTES("X"), .value = BYTES("x=1") },
		{ .name = BYTES("cookie"), .value = BYTES("d; c==3"), .id = HTTP_COOKIE } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cookies); i++) {
		struct bytes v = BYTES("");
		if (http_cookie_find(f, COUNT_OF(f), cookies[i].name, &v) != cookies[i].found ||
			(cookies[i].found && !bytes_eq(v, cookies[i].value)))
			fail_msg("%s: %.*s", cookies[i].why, FMT(v));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_queries), cmocka_unit_test(test_full_arena),
		cmocka_unit_test(test_cookies) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
