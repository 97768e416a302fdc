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

/* Every value of a name, in order: what servers that take the last one would see is not hidden. */
static void test_all_of_a_name(void **state)
{
	const struct http_field f[] = { { .name = BYTES("Cookie"), .value = BYTES("a=1; b=2;a=\"9\""), .id = HTTP_COOKIE },
		{ .name = BYTES("X"), .value = BYTES("a=1") },
		{ .name = BYTES("Cookie"), .value = BYTES("a"), .id = HTTP_COOKIE },
		{ .name = BYTES("Cookie"), .value = BYTES("a=x"), .id = HTTP_COOKIE } };
	static const struct bytes cookies_want[] = { LIT("1"), LIT("9"), LIT("x") }, queries_want[] = { LIT("1"), LIT(""), LIT(""), LIT("a b") };
	struct bytes left = BYTES(""), query = BYTES("a=1&b=2&a&%61=&&a=a+b"), v;
	unsigned char mem[64], little[4];
	size_t field = 0;
	struct arena a;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cookies_want); i++) {
		assert_true(http_cookie_next(f, COUNT_OF(f), BYTES("a"), &field, &left, &v));
		assert_true(bytes_eq(v, cookies_want[i]));
	}
	assert_false(http_cookie_next(f, COUNT_OF(f), BYTES("a"), &field, &left, &v));
	arena_init(&a, mem, sizeof mem);
	for (size_t i = 0; i < COUNT_OF(queries_want); i++) {
		assert_true(http_query_next(&query, BYTES("a"), &a, &v));
		assert_true(v.at && bytes_eq(v, queries_want[i]));
	}
	assert_false(http_query_next(&query, BYTES("a"), &a, &v));
	/* One that does not fit is there, and told. */
	arena_init(&a, little, sizeof little);
	query = BYTES("a=%41%41%41%41%41%41");
	assert_true(http_query_next(&query, BYTES("a"), &a, &v));
	assert_null(v.at);
}

static void test_without(void **state)
{
	static const struct { const char *why; struct bytes in, want; } cases[] = {
		{ "in the middle", LIT("a=1&b=2&c=3"), LIT("a=1&c=3") },
		{ "first and last", LIT("b=2&a=1&b=3"), LIT("a=1") },
		{ "with its name encoded", LIT("a=1&%62=2"), LIT("a=1") },
		{ "without a value", LIT("b&a"), LIT("a") },
		{ "a longer name stays", LIT("bb=1&a%62=2"), LIT("bb=1&a%62=2") },
		{ "nothing is left", LIT("b=1"), LIT("") },
		{ "nothing there", LIT(""), LIT("") },
		{ "empty pairs go", LIT("&&a=1&&"), LIT("a=1") },
		{ "others stay as they were sent", LIT("a=%20+%zz"), LIT("a=%20+%zz") },
	};
	unsigned char mem[64];
	struct arena a;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes out;
		arena_init(&a, mem, sizeof mem);
		out = http_query_without(cases[i].in, BYTES("b"), &a);
		if (!out.at || !bytes_eq(out, cases[i].want))
			fail_msg("%s: %.*s", cases[i].why, FMT(out));
	}
	arena_init(&a, mem, 4);
	assert_null(http_query_without(BYTES("a=1&c=2"), BYTES("b"), &a).at);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_queries), cmocka_unit_test(test_full_arena),
		cmocka_unit_test(test_cookies), cmocka_unit_test(test_all_of_a_name), cmocka_unit_test(test_without) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
