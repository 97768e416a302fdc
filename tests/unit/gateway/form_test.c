/* What comes from a browser, with every way to say it twice, half or in disguise. */
#include "gateway/form.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#define A32 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
/* 32 octets in base64url: 43 characters. */
#define T1 "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA"
#define T2 "__________________________________________8"
#define FIELD(n, v) { .name = LIT(n), .value = LIT(v) }
#define COOKIE(v)   { .name = LIT("cookie"), .value = LIT(v), .id = HTTP_COOKIE }

static void test_form(void **state)
{
	static const struct { const char *why; struct bytes in; enum err want; size_t count; struct bytes a; } cases[] = {
		{ "an empty one",			LIT(""),			OK, 0, LIT("") },
		{ "one field",				LIT("a=1"),			OK, 1, LIT("1") },
		{ "plus is a space",			LIT("a=1+2"),			OK, 1, LIT("1 2") },
		{ "an escaped plus is one",		LIT("a=1%2b2"),			OK, 1, LIT("1+2") },
		{ "decoded once",			LIT("a=%2541"),			OK, 1, LIT("%41") },
		{ "separators escaped",			LIT("a=%26b%3D1"),		OK, 1, LIT("&b=1") },
		{ "only the first '=' divides",		LIT("a==="),			OK, 1, LIT("==") },
		{ "no '='",				LIT("a"),			OK, 1, LIT("") },
		{ "nothing between",			LIT("&a=1&&b=2&"),		OK, 2, LIT("1") },
		{ "an encoded name",			LIT("%61=1"),			OK, 1, LIT("1") },
		{ "lines and tabs in a value",		LIT("a=1%0d%0a%09"),		OK, 1, LIT("1\r\n\t") },
		{ "UTF-8",				LIT("a=%C3%A9"),		OK, 1, LIT("\xc3\xa9") },
		{ "a name twice",			LIT("a=1&a=1"),			ERR_SYNTAX, 0, LIT("") },
		{ "a name twice, in disguise",		LIT("a=1&%61=2"),		ERR_SYNTAX, 0, LIT("") },
		{ "an empty field twice",		LIT("a&a"),			ERR_SYNTAX, 0, LIT("") },
		{ "no name",				LIT("=1"),			ERR_SYNTAX, 0, LIT("") },
		{ "half an escape",			LIT("a=%4"),			ERR_SYNTAX, 0, LIT("") },
		{ "an escape that begins only",		LIT("a=%"),			ERR_SYNTAX, 0, LIT("") },
		{ "an escape of no digits",		LIT("a=%zz"),			ERR_SYNTAX, 0, LIT("") },
		{ "an escape over the end of a field",	LIT("a=%4&b=1"),		ERR_SYNTAX, 0, LIT("") },
		{ "NUL",				LIT("a=1%00"),			ERR_SYNTAX, 0, LIT("") },
		{ "NUL, not escaped",			LIT("a=1\0"),			ERR_SYNTAX, 0, LIT("") },
		{ "NUL in a name",			LIT("a%00=1"),			ERR_SYNTAX, 0, LIT("") },
		{ "escape (the key)",			LIT("a=%1b"),			ERR_SYNTAX, 0, LIT("") },
		{ "delete",				LIT("a=%7f"),			ERR_SYNTAX, 0, LIT("") },
		{ "a line's end in a name",		LIT("a%0a=1"),			ERR_SYNTAX, 0, LIT("") },
		{ "as many fields as may be",		LIT("a=1&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x"),   OK, 24, LIT("1") },
		{ "one more",				LIT("a=1&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q&r&s&t&u&v&w&x&y"), ERR_LIMIT, 0, LIT("") },
	};
	static unsigned char mem[4096], large[FORM_BODY_MAX + 1];
	struct form f = { .count = 99 };
	struct arena arena;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		arena_init(&arena, mem, sizeof mem);
		print_message("%s\n", cases[i].why);
		f.count = 99;
		assert_int_equal(form_parse(cases[i].in, &arena, &f), cases[i].want);
		assert_int_equal(f.count, cases[i].want == OK ? cases[i].count : 99);
		if (cases[i].want == OK)
			assert_true(bytes_eq(form_get(&f, "a"), cases[i].a) && form_get(&f, "none").len == 0);
	}
	memset(large, 'a', sizeof large);
	arena_init(&arena, mem, sizeof mem);
	assert_int_equal(form_parse(bytes_of(large, FORM_BODY_MAX), &arena, &f), OK);
	assert_int_equal(form_parse(bytes_of(large, FORM_BODY_MAX + 1), &arena, &f), ERR_LIMIT);
	memset(large, '+', sizeof large);
	assert_int_equal(form_parse(bytes_of(large, FORM_BODY_MAX), &arena, &f), ERR_MEMORY);
}

static void join(void *ctx, struct bytes name, struct bytes value)
{
	text_fmt(ctx, "[%.*s|%.*s]", FMT(name), FMT(value));
}

/* Another's form: all pairs, in their order. */
static void test_each(void **state)
{
	static const struct { const char *why; struct bytes in; bool want; const char *pairs; } cases[] = {
		{ "an empty one",		LIT(""),		true,  "" },
		{ "one field",			LIT("a=1"),		true,  "[a|1]" },
		{ "a name twice, in order",	LIT("b=2&a=1&b=3"),	true,  "[b|2][a|1][b|3]" },
		{ "decoded",			LIT("a%5B%5D=1+%2B"),	true,  "[a[]|1 +]" },
		{ "no name",			LIT("=1"),		true,  "[|1]" },
		{ "control characters",		LIT("a=%1b%0d%0a"),	true,  "[a|\x1b\r\n]" },
		{ "UTF-8",			LIT("a=%C3%A9"),	true,  "[a|\xc3\xa9]" },
		{ "no UTF-8",			LIT("a=%E9"),		false, NULL },
		{ "no UTF-8 in a name",		LIT("%E9=a"),		false, NULL },
		{ "NUL",			LIT("a=%00"),		false, NULL },
		{ "NUL in a name",		LIT("a%00=1"),		false, NULL },
		{ "half an escape",		LIT("a=%4"),		false, NULL },
	};
	static unsigned char mem[48 * 1024], large[FORM_BODY_MAX + 1], out[1024];
	struct arena arena;
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		arena_init(&arena, mem, sizeof mem);
		text_init(&t, out, sizeof out);
		print_message("%s\n", cases[i].why);
		assert_int_equal(form_each(cases[i].in, &arena, join, &t), cases[i].want);
		if (cases[i].want)
			assert_true(bytes_eq(text_bytes(&t), bytes_str(cases[i].pairs)));
	}
	for (size_t i = 0; i < sizeof large; i++)
		large[i] = i % 2 ? '&' : 'a';
	arena_init(&arena, mem, sizeof mem);
	assert_true(form_each(bytes_of(large, 2 * FORM_PAIRS_MAX), &arena, NULL, NULL));
	assert_false(form_each(bytes_of(large, 2 * FORM_PAIRS_MAX + 1), &arena, NULL, NULL));
	memset(large, '<', sizeof large); /* 6 octets each on a page */
	assert_true(form_each(bytes_of(large, FORM_PAGE_MAX / 6 - 20), &arena, NULL, NULL));
	assert_false(form_each(bytes_of(large, FORM_BODY_MAX), &arena, NULL, NULL));
	memset(large, '+', sizeof large);
	assert_true(form_each(bytes_of(large, FORM_BODY_MAX), &arena, NULL, NULL));
	assert_false(form_each(bytes_of(large, FORM_BODY_MAX + 1), &arena, NULL, NULL));
}

static void test_cookie_token(void **state)
{
	static const struct { const char *why; struct http_field f[2]; bool want; } cases[] = {
		{ "alone",				{ COOKIE("__Host-sluis-portal=" T1) }, true },
		{ "among others",			{ COOKIE("a=b; __Host-sluis-portal=" T1 "; c=d") }, true },
		{ "in a second field",			{ COOKIE("a=b"), COOKIE("__Host-sluis-portal=" T1) }, true },
		{ "no space between",			{ COOKIE("a=b;__Host-sluis-portal=" T1) }, true },
		{ "none",				{ COOKIE("a=b") }, false },
		{ "in a field of another name",		{ FIELD("x-cookie", "__Host-sluis-portal=" T1) }, false },
		{ "twice",				{ COOKIE("__Host-sluis-portal=" T1 "; __Host-sluis-portal=" T2) }, false },
		{ "twice the same",			{ COOKIE("__Host-sluis-portal=" T1 "; __Host-sluis-portal=" T1) }, false },
		{ "twice, one of them empty",		{ COOKIE("__Host-sluis-portal=; __Host-sluis-portal=" T1) }, false },
		{ "twice, in two fields",		{ COOKIE("__Host-sluis-portal=" T1), COOKIE("__Host-sluis-portal=" T2) }, false },
		{ "a prefix in another case, put beside",	{ COOKIE("__host-sluis-portal=" T2 "; __Host-sluis-portal=" T1) }, true },
		{ "a prefix in another case alone",	{ COOKIE("__host-sluis-portal=" T1) }, false },
		{ "without the prefix",			{ COOKIE("sluis-portal=" T1) }, false },
		{ "__Secure- is not __Host-",		{ COOKIE("__Secure-sluis-portal=" T1) }, false },
		{ "a longer name",			{ COOKIE("__Host-sluis-portal2=" T1) }, false },
		{ "a space behind the name",		{ COOKIE("__Host-sluis-portal =" T1) }, false },
		{ "in quotes",				{ COOKIE("__Host-sluis-portal=\"" T1 "\"") }, false },
		{ "a character short",			{ COOKIE("__Host-sluis-portal=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHy") }, false },
		{ "a character more",			{ COOKIE("__Host-sluis-portal=" T1 "A") }, false },
		{ "with padding",			{ COOKIE("__Host-sluis-portal=" T1 "=") }, false },
		{ "bits behind the last octet",		{ COOKIE("__Host-sluis-portal=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB") }, false },
		{ "the other alphabet",			{ COOKIE("__Host-sluis-portal=+//////////////////////////////////////////8") }, false },
		{ "a percent escape",			{ COOKIE("__Host-sluis-portal=%41QIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eH") }, false },
		{ "no '='",				{ COOKIE("__Host-sluis-portal") }, false },
		{ "empty",				{ COOKIE("__Host-sluis-portal=") }, false },
	};
	unsigned char out[AUTH_TOKEN_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].why);
		memset(out, 0xee, sizeof out);
		assert_int_equal(cookie_token(cases[i].f, 2, COOKIE_PORTAL, out), cases[i].want);
		for (size_t k = 0; k < sizeof out; k++)
			assert_int_equal(out[k], cases[i].want ? k + 1 : 0xee);
	}
	assert_false(cookie_token(NULL, 0, COOKIE_PORTAL, out));
}

static void test_cookie_write(void **state)
{
	static const struct { const char *why; struct bytes token; uint32_t age; const char *want; } cases[] = {
		{ "until the browser ends",	LIT(A32), 0,
			"__Host-sluis-app=QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE; Path=/; Secure; HttpOnly; SameSite=Lax" },
		{ "for a while",		LIT(A32), 600,
			"__Host-sluis-app=QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600" },
		{ "taken away",			LIT(""), 600, "__Host-sluis-app=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0" },
	};
	struct http_field back = { .name = LIT("cookie"), .id = HTTP_COOKIE };
	unsigned char mem[256], out[AUTH_TOKEN_LEN];
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		text_init(&t, mem, sizeof mem);
		cookie_write(&t, COOKIE_APP, cases[i].token, cases[i].age);
		print_message("%s\n", cases[i].why);
		assert_false(t.failed);
		assert_true(bytes_eq(text_bytes(&t), bytes_str(cases[i].want)));
		back.value = bytes_cut(text_bytes(&t), 0, bytes_find_byte(text_bytes(&t), ';'));
		assert_int_equal(cookie_token(&back, 1, COOKIE_APP, out), cases[i].token.len > 0);
	}
}

static void test_cookie_lang(void **state)
{
	static const struct { const char *why; struct http_field f; const char *want; } cases[] = {
		{ "Dutch",		COOKIE("__Host-sluis-lang=nl"), "nl" },
		{ "English",		COOKIE("__Host-sluis-lang=en"), "en" },
		{ "none of ours",	COOKIE("__Host-sluis-lang=de"), "" },
		{ "markup",		COOKIE("__Host-sluis-lang=<b>"), "" },
		{ "twice",		COOKIE("__Host-sluis-lang=nl; __Host-sluis-lang=en"), "" },
	};
	unsigned char mem[256];
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].why);
		assert_true(bytes_eq(cookie_lang(&cases[i].f, 1), bytes_str(cases[i].want)));
	}
	text_init(&t, mem, sizeof mem);
	cookie_lang_write(&t, BYTES("nl"));
	assert_true(bytes_eq(text_bytes(&t), BYTES("__Host-sluis-lang=nl; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=31536000")));
}

static void test_cookie_is_ours(void **state)
{
	static const struct { struct bytes name; bool want; } cases[] = {
		{ LIT("__Host-sluis-portal"), true }, { LIT("__Host-sluis-app"), true }, { LIT("__host-SLUIS-app"), true },
		{ LIT(" __Host-sluis-app\t"), true }, { LIT("__Host-sluis-"), true }, { LIT("__Host-sluis"), false }, { LIT("sluis-app"), false },
		{ LIT("__Secure-sluis-app"), false }, { LIT(""), false }, { LIT("JSESSIONID"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(cookie_is_ours(cases[i].name), cases[i].want);
}

static void test_csrf(void **state)
{
	char one[CSRF_LEN + 1], two[CSRF_LEN + 1];
	struct bytes token = BYTES(A32), other = BYTES("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");

	(void)state;
	csrf_make(token, one);
	csrf_make(other, two);
	assert_int_equal(strlen(one), CSRF_LEN);
	assert_string_not_equal(one, two);
	assert_true(csrf_fits(token, bytes_str(one)));
	assert_false(csrf_fits(token, bytes_str(two)));
	assert_false(csrf_fits(token, bytes_of(one, CSRF_LEN - 1)));
	assert_false(csrf_fits(token, BYTES("")));
	csrf_make(BYTES(""), one);
	assert_false(csrf_fits(BYTES(""), bytes_str(one))); /* who has no token could make this one */
}

static void test_origin(void **state)
{
	static const struct { const char *why; struct http_field f[3]; bool want; } cases[] = {
		{ "both",			{ FIELD("Sec-Fetch-Site", "same-origin"), FIELD("Origin", "https://work.example.org") }, true },
		{ "fetch metadata alone",	{ FIELD("sec-fetch-site", "same-origin") }, true },
		{ "origin alone",		{ FIELD("origin", "https://work.example.org") }, true },
		{ "none of both",		{ FIELD("referer", "https://work.example.org/") }, false },
		{ "typed in",			{ FIELD("sec-fetch-site", "none") }, false },
		{ "an app's host",		{ FIELD("sec-fetch-site", "same-site"), FIELD("origin", "https://work.example.org") }, false },
		{ "another site",		{ FIELD("sec-fetch-site", "cross-site") }, false },
		{ "both, which disagree",	{ FIELD("sec-fetch-site", "same-origin"), FIELD("origin", "https://wiki.example.org") }, false },
		{ "null",			{ FIELD("sec-fetch-site", "same-origin"), FIELD("origin", "null") }, false },
		{ "plain HTTP",			{ FIELD("origin", "http://work.example.org") }, false },
		{ "another port",		{ FIELD("origin", "https://work.example.org:8443") }, false },
		{ "a longer host",		{ FIELD("origin", "https://work.example.org.example.net") }, false },
		{ "a host below",		{ FIELD("origin", "https://a.work.example.org") }, false },
		{ "empty",			{ FIELD("origin", "") }, false },
		{ "two origins",		{ FIELD("origin", "https://work.example.org"), FIELD("origin", "https://work.example.org") }, false },
		{ "two origins in one",		{ FIELD("origin", "https://work.example.org https://wiki.example.org") }, false },
		{ "two sites",			{ FIELD("sec-fetch-site", "same-origin"), FIELD("Sec-Fetch-Site", "cross-site") }, false },
		{ "another case",		{ FIELD("sec-fetch-site", "Same-Origin") }, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].why);
		assert_int_equal(origin_is_ours(cases[i].f, 3, BYTES("https://work.example.org")), cases[i].want);
	}
	assert_false(origin_is_ours(cases[13].f, 3, BYTES(""))); /* an empty one, where none is configured */
}

static void test_hosts_and_targets(void **state)
{
	static const struct { const char *why; struct bytes in; bool want; } hosts[] = {
		{ "a name",		LIT("wiki.example.org"), true },
		{ "digits, - and _",	LIT("a-1_b.example.org"), true },
		{ "empty",		LIT(""), false },
		{ "another host, and ours as its path, as a wildcard would match", LIT("evil.example.net/.example.org"), false },
		{ "ours as a user's name", LIT("a.example.org@evil.example.net"), false },
		{ "a port",		LIT("wiki.example.org:8443"), false },
		{ "a backslash",	LIT("evil.example.net\\.example.org"), false },
		{ "a query",		LIT("evil.example.net?.example.org"), false },
		{ "a fragment",		LIT("evil.example.net#.example.org"), false },
		{ "upper case",		LIT("Wiki.example.org"), false },
		{ "a line's end",	LIT("a\r\n.example.org"), false },
		{ "a dot in front",	LIT(".example.org"), false },
		{ "two dots",		LIT("a..example.org"), false },
	}, targets[] = {
		{ "a page",		LIT("/a/b?c=d"), true },
		{ "empty segments later, which apps may have", LIT("/a//b"), true },
		{ "a backslash in the query, as browsers send it", LIT("/a?b=\\"), true },
		{ "empty",		LIT(""), false },
		{ "a host",		LIT("//evil.example.net"), false },
		{ "a backslash for a slash", LIT("/\\evil.example.net"), false },
		{ "a tab",		LIT("/\t/evil.example.net"), false },
		{ "a field smuggled in", LIT("/\r\nSet-Cookie: a=b"), false },
		{ "a scheme",		LIT("https://evil.example.net/"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(hosts); i++) {
		print_message("%s\n", hosts[i].why);
		assert_int_equal(link_is_host(hosts[i].in), hosts[i].want);
	}
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		print_message("%s\n", targets[i].why);
		assert_int_equal(link_is_target(targets[i].in), targets[i].want);
	}
}

static void test_link(void **state)
{
	static const struct { const char *why; struct bytes in; bool want; } cases[] = {
		{ "home",				LIT("/"), true },
		{ "an app",				LIT("/go/wiki"), true },
		{ "with a target",			LIT("/go/wiki?to=https%3A%2F%2Fwiki.example.org%2F"), true },
		{ "slashes in a query are values",	LIT("/go/wiki?to=//a//b"), true },
		{ "a fragment",				LIT("/account#sessions"), true },
		{ "empty",				LIT(""), false },
		{ "a host",				LIT("//evil.example.net"), false },
		{ "a host, three slashes",		LIT("///evil.example.net"), false },
		{ "a backslash for a slash",		LIT("/\\evil.example.net"), false },
		{ "a backslash in front",		LIT("\\/evil.example.net"), false },
		{ "a backslash later",			LIT("/a\\b"), false },
		{ "a tab, which browsers leave out",	LIT("/\t/evil.example.net"), false },
		{ "a line's end",			LIT("/\n/evil.example.net"), false },
		{ "a field smuggled in",		LIT("/\r\nSet-Cookie: a=b"), false },
		{ "NUL",				LIT("/a\0b"), false },
		{ "a space",				LIT("/ /evil.example.net"), false },
		{ "a space in front",			LIT(" /"), false },
		{ "a scheme",				LIT("https://evil.example.net/"), false },
		{ "a scheme alone",			LIT("https:"), false },
		{ "a script",				LIT("javascript:alert(1)"), false },
		{ "no slash in front",			LIT("go/wiki"), false },
		{ "a dot segment hides a host",		LIT("/.//evil.example.net"), false },
		{ "two dots hide a host",		LIT("/a/..//evil.example.net"), false },
		{ "delete",				LIT("/a\x7f"), false },
		{ "not ASCII",				LIT("/\xc3\xa9"), false },
	};
	static unsigned char large[LINK_MAX + 1];
	unsigned char mem[64];
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].why);
		assert_true(bytes_eq(link_local(cases[i].in), cases[i].want ? cases[i].in : BYTES("")));
	}
	memset(large, 'a', sizeof large);
	large[0] = '/';
	assert_int_equal(link_local(bytes_of(large, LINK_MAX)).len, LINK_MAX);
	assert_int_equal(link_local(bytes_of(large, LINK_MAX + 1)).len, 0);
	text_init(&t, mem, sizeof mem);
	link_encode(&t, BYTES("/a-b.c_d~?&=%+\xc3\xa9 Z9\""));
	assert_true(bytes_eq(text_bytes(&t), BYTES("%2Fa-b.c_d~%3F%26%3D%25%2B%C3%A9%20Z9%22")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_form), cmocka_unit_test(test_each), cmocka_unit_test(test_cookie_token), cmocka_unit_test(test_cookie_write),
		cmocka_unit_test(test_cookie_lang), cmocka_unit_test(test_cookie_is_ours), cmocka_unit_test(test_csrf), cmocka_unit_test(test_origin),
		cmocka_unit_test(test_hosts_and_targets), cmocka_unit_test(test_link) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
