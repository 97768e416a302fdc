/* The table of docs/canonical.md: what becomes canonical and what is refused. */
#include "http/canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	struct bytes raw, path, wire;
	const char *refused; /* NULL: it is canonical */
} cases[] = {
	{ LIT("/"), LIT("/"), LIT("/"), NULL },
	{ LIT("/a/b"), LIT("/a/b"), LIT("/a/b"), NULL },
	{ LIT("/vpn/../vpns/cfg/smb.conf"), LIT("/vpns/cfg/smb.conf"), LIT("/vpns/cfg/smb.conf"), NULL },
	{ LIT("/vpn/%2e%2e/vpns/"), LIT("/vpns/"), LIT("/vpns/"), NULL },
	{ LIT("/vpn/%2E./vpns/"), LIT("/vpns/"), LIT("/vpns/"), NULL },
	{ LIT("/vpn/..%2fvpns/"), LIT(""), LIT(""), "encoded-slash" },
	{ LIT("/vpn/..%5cvpns/"), LIT(""), LIT(""), "backslash" },
	{ LIT("/vpn/..\\vpns/"), LIT(""), LIT(""), "backslash" },
	{ LIT("/vpn/%252e%252e/vpns/"), LIT(""), LIT(""), "doubly-encoded" },
	{ LIT("/vpn/%25%32%65%252e/vpns/"), LIT(""), LIT(""), "doubly-encoded" },
	{ LIT("/%25%32%65"), LIT(""), LIT(""), "doubly-encoded" },
	{ LIT("/%252%66"), LIT(""), LIT(""), "doubly-encoded" },
	{ LIT("/%25%zz"), LIT(""), LIT(""), "escape-malformed" },
	{ LIT("/vpn/..;/vpns/"), LIT(""), LIT(""), "parameter" },
	{ LIT("/a;b=c"), LIT(""), LIT(""), "parameter" },
	{ LIT("/a%3bb"), LIT(""), LIT(""), "parameter" },
	{ LIT("/../etc/passwd"), LIT(""), LIT(""), "above-root" },
	{ LIT("/a/../../b"), LIT(""), LIT(""), "above-root" },
	{ LIT("//a///b"), LIT("/a/b"), LIT("/a/b"), NULL },
	{ LIT("/a//../b"), LIT("/b"), LIT("/b"), NULL },
	{ LIT("/a/./b/."), LIT("/a/b/"), LIT("/a/b/"), NULL },
	{ LIT("/a/b/.."), LIT("/a/"), LIT("/a/"), NULL },
	{ LIT("/a%00b"), LIT(""), LIT(""), "encoded-nul" },
	{ LIT("/a%0d%0ab"), LIT(""), LIT(""), "encoded-control" },
	{ LIT("/%c0%ae%c0%ae/"), LIT(""), LIT(""), "overlong-utf8" },
	{ LIT("/%e0%80%ae/"), LIT(""), LIT(""), "overlong-utf8" },
	{ LIT("/%ff"), LIT(""), LIT(""), "not-utf8" },
	{ LIT("/%ed%a0%80"), LIT(""), LIT(""), "not-utf8" },
	{ LIT("/caf%C3%A9 "), LIT("/caf\xc3\xa9 "), LIT("/caf%C3%A9%20"), NULL },
	{ LIT("/%41%7e"), LIT("/A~"), LIT("/A~"), NULL },
	{ LIT("/a%3Fb%23c"), LIT("/a%3Fb%23c"), LIT("/a%3Fb%23c"), NULL },
	{ LIT("/100%25"), LIT("/100%25"), LIT("/100%25"), NULL },
	{ LIT("/a%2"), LIT(""), LIT(""), "escape-malformed" },
	{ LIT("/a%zz"), LIT(""), LIT(""), "escape-malformed" },
	{ LIT("a"), LIT(""), LIT(""), "path-form" },
	{ LIT("/a\0b"), LIT(""), LIT(""), "path-form" },
	{ LIT("/a?b"), LIT(""), LIT(""), "path-form" },
	{ LIT("/a#b"), LIT(""), LIT(""), "path-form" },
};

static const struct canon_rules rules = { .merge_slashes = true };

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[8192];
		struct bytes path, wire, again, wire_again;
		const char *why = NULL;
		struct arena a;
		enum err e;

		arena_init(&a, mem, sizeof mem);
		e = canon_path(cases[i].raw, &rules, &a, &path, &wire, &why);
		if (cases[i].refused) {
			if (e != ERR_SYNTAX || strcmp(why, cases[i].refused) != 0)
				fail_msg("%.*s: %s %s", FMT(cases[i].raw), err_name(e), why ? why : "");
			continue;
		}
		if (e != OK || !bytes_eq(path, cases[i].path) || !bytes_eq(wire, cases[i].wire))
			fail_msg("%.*s: %s %s", FMT(cases[i].raw), err_name(e), why ? why : "");
		/* What the server gets reads as what policies saw. */
		assert_int_equal(canon_path(wire, &rules, &a, &again, &wire_again, &why), OK);
		assert_true(bytes_eq(again, path));
	}
}

/* With everything kept that can be kept, no dot segment hides behind it. */
static const struct {
	const char *why;
	struct bytes raw, path;
	const char *refused;
} kept[] = {
	{ "an encoded slash stays one", LIT("/a%2fb"), LIT("/a%2Fb"), NULL },
	{ "an encoded backslash too", LIT("/a%5Cb"), LIT("/a%5Cb"), NULL },
	{ "a parameter stays", LIT("/a;b=c/d"), LIT("/a;b=c/d"), NULL },
	{ "dots before an encoded slash", LIT("/vpn/..%2fvpns/"), LIT(""), "encoded-slash" },
	{ "dots behind one", LIT("/vpn/x%2f%2e%2e"), LIT(""), "encoded-slash" },
	{ "a single dot", LIT("/a%2f.%2fb"), LIT(""), "encoded-slash" },
	{ "dots before an encoded backslash", LIT("/vpn/..%5cvpns/"), LIT(""), "encoded-slash" },
	{ "dots with a parameter", LIT("/vpn/..;a/vpns/"), LIT(""), "parameter" },
	{ "all of it", LIT("/vpn/a%2f..;x/vpns/"), LIT(""), "parameter" },
	{ "a bare backslash is never kept", LIT("/a\\b"), LIT(""), "backslash" },
	{ "doubled slashes, not merged", LIT("/a//b"), LIT(""), "empty-segment" },
	{ "three dots are a name", LIT("/a/..."), LIT("/a/..."), NULL },
};

static void test_kept(void **state)
{
	const struct canon_rules keep = { .encoded_slash = CANON_KEEP, .parameters = CANON_KEEP };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		unsigned char mem[4096];
		struct bytes path, wire;
		const char *why = "";
		struct arena a;
		enum err e;

		arena_init(&a, mem, sizeof mem);
		e = canon_path(kept[i].raw, &keep, &a, &path, &wire, &why);
		if (kept[i].refused ? e != ERR_SYNTAX || strcmp(why, kept[i].refused) != 0
				    : e != OK || !bytes_eq(path, kept[i].path) || !bytes_eq(wire, kept[i].path))
			fail_msg("%s: %s %s", kept[i].why, err_name(e), why);
	}
}

static void test_no_room(void **state)
{
	unsigned char mem[16];
	struct bytes path, wire;
	const char *why = "";
	struct arena a;

	(void)state;
	arena_init(&a, mem, sizeof mem);
	assert_int_equal(canon_path(BYTES("/a-path-longer-than-the-arena"), &rules, &a, &path, &wire, &why), ERR_MEMORY);
}

static const struct {
	const char *why;
	struct bytes target, authority, raw_path, host;
	const char *refused;
} absolutes[] = {
	{ "the same host", LIT("http://a/b"), LIT("a"), LIT("/b"), LIT("a"), NULL },
	{ "the same in another case", LIT("http://A/b"), LIT("A"), LIT("/b"), LIT("a"), NULL },
	{ "no path", LIT("http://a"), LIT("a"), LIT(""), LIT("a"), NULL },
	{ "another host", LIT("http://a/b"), LIT("a"), LIT("/b"), LIT("b"), "host-differs" },
	{ "another port", LIT("http://a:81/b"), LIT("a:81"), LIT("/b"), LIT("a"), "host-differs" },
	{ "a user", LIT("http://u@a/b"), LIT("u@a"), LIT("/b"), LIT("u@a"), "host-malformed" },
};

static void test_absolute(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(absolutes); i++) {
		unsigned char mem[4096];
		struct http_field field = { .name = BYTES("Host"), .value = absolutes[i].host, .id = HTTP_HOST };
		struct http_request r = { .form = HTTP_FORM_ABSOLUTE, .target = absolutes[i].target, .minor = 1,
			.authority = absolutes[i].authority, .raw_path = absolutes[i].raw_path, .fields = &field,
			.field_count = 1 };
		const char *why = "";
		struct arena a;
		enum err e;

		arena_init(&a, mem, sizeof mem);
		e = canon_request(&r, &rules, BYTES("http"), &a, &why);
		if (absolutes[i].refused ? e != ERR_SYNTAX || strcmp(why, absolutes[i].refused) != 0
					 : e != OK || !bytes_eq(r.host, BYTES("a")) || r.wire_path.len == 0)
			fail_msg("%s: %s %s", absolutes[i].why, err_name(e), why);
	}
}

static const struct {
	struct bytes host;
	const char *refused;
	struct bytes want;
	uint16_t port;
} hosts[] = {
	{ LIT("Example.ORG"), NULL, LIT("example.org"), 0 },
	{ LIT("example.org:8443"), NULL, LIT("example.org"), 8443 },
	{ LIT("example.org."), NULL, LIT("example.org"), 0 },
	{ LIT("[2001:DB8::1]:80"), NULL, LIT("[2001:db8::1]"), 80 },
	{ LIT("user@example.org"), "host-malformed", LIT(""), 0 },
	{ LIT("a, b"), "host-malformed", LIT(""), 0 },
	{ LIT("example.org:port"), "port-malformed", LIT(""), 0 },
	{ LIT("example.org:"), "port-malformed", LIT(""), 0 },
	{ LIT(""), "host-malformed", LIT(""), 0 },
	{ LIT("a/b"), "host-malformed", LIT(""), 0 },
};

static void test_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(hosts); i++) {
		unsigned char mem[4096];
		struct http_field field = { .name = BYTES("Host"), .value = hosts[i].host, .id = HTTP_HOST };
		struct http_request r = { .target = BYTES("/"), .raw_path = BYTES("/"), .minor = 1, .fields = &field,
			.field_count = 1 };
		const char *why = "";
		struct arena a;
		enum err e;

		arena_init(&a, mem, sizeof mem);
		e = canon_request(&r, &rules, BYTES("http"), &a, &why);
		if (hosts[i].refused ? e != ERR_SYNTAX || strcmp(why, hosts[i].refused) != 0
				     : e != OK || !bytes_eq(r.host, hosts[i].want) || r.port != hosts[i].port)
			fail_msg("%.*s: %s %s", FMT(hosts[i].host), err_name(e), why);
	}
}

/* HTTP/1.0 without Host: what the caller says stands in; nobody guesses. */
static void test_no_host(void **state)
{
	static const struct {
		struct bytes authority, want;
		enum http_form form;
		enum err e;
	} none[] = { { LIT("127.0.0.1:8080"), LIT("127.0.0.1"), HTTP_FORM_ORIGIN, OK },
		{ LIT("[2001:db8::1]:80"), LIT("[2001:db8::1]"), HTTP_FORM_ORIGIN, OK },
		{ LIT("127.0.0.1:8080"), LIT("127.0.0.1"), HTTP_FORM_ASTERISK, OK },
		{ LIT(""), LIT(""), HTTP_FORM_ORIGIN, ERR_SYNTAX } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(none); i++) {
		struct http_request r = { .form = none[i].form, .authority = none[i].authority, .target = BYTES("/"),
			.raw_path = BYTES("/") };
		unsigned char mem[4096];
		const char *why = "";
		struct arena a;

		arena_init(&a, mem, sizeof mem);
		assert_int_equal(canon_request(&r, &rules, BYTES("http"), &a, &why), none[i].e);
		assert_true(bytes_eq(r.host, none[i].want));
		assert_string_equal(why, none[i].e == OK ? "" : "host-missing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_paths), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_no_room), cmocka_unit_test(test_absolute), cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_no_host) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
