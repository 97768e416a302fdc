/* URLs of other services, and what only looks like one. */
#include "net/url.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_urls(void **state)
{
	static const struct { const char *why, *url; enum err want; const char *host; unsigned port; const char *rest; } cases[] = {
		{ "plain", "https://id.example.org", OK, "id.example.org", 443, "" },
		{ "a path", "https://id.example.org/a/b?c=d", OK, "id.example.org", 443, "/a/b?c=d" },
		{ "a query alone", "https://id.example.org?c", OK, "id.example.org", 443, "?c" },
		{ "a port", "https://id.example.org:8443/x", OK, "id.example.org", 8443, "/x" },
		{ "IPv6", "https://[2001:db8::1]:8443/x", OK, "2001:db8::1", 8443, "/x" },
		{ "IPv6 without a port", "https://[::1]/x", OK, "::1", 443, "/x" },
		{ "http at this machine", "http://127.0.0.1:8080/x", OK, "127.0.0.1", 8080, "/x" },
		{ "http at this machine, IPv6", "http://[::1]/x", OK, "::1", 80, "/x" },
		{ "http elsewhere", "http://id.example.org/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "http at a name that may lead anywhere", "http://localhost/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "http at a name that looks like an address", "http://127.0.0.1.example.org/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "another scheme", "ftp://id.example.org/", ERR_SYNTAX, NULL, 0, NULL },
		{ "a script", "javascript:alert(1)", ERR_SYNTAX, NULL, 0, NULL },
		{ "capitals", "HTTPS://id.example.org/", ERR_SYNTAX, NULL, 0, NULL },
		{ "a user", "https://user@id.example.org/", ERR_SYNTAX, NULL, 0, NULL },
		{ "a user and password", "https://a:b@id.example.org/", ERR_SYNTAX, NULL, 0, NULL },
		{ "a fragment", "https://id.example.org/#x", ERR_SYNTAX, NULL, 0, NULL },
		{ "a space", "https://id.example.org/a b", ERR_SYNTAX, NULL, 0, NULL },
		{ "a line's end", "https://id.example.org/a\r\nx: y", ERR_SYNTAX, NULL, 0, NULL },
		{ "a backslash", "https://id.example.org\\@evil.example/", ERR_SYNTAX, NULL, 0, NULL },
		{ "a quote", "https://id.example.org/\"x", ERR_SYNTAX, NULL, 0, NULL },
		{ "other than ASCII", "https://id.example.org/\xc3\xa9", ERR_SYNTAX, NULL, 0, NULL },
		{ "no host", "https:///x", ERR_SYNTAX, NULL, 0, NULL },
		{ "an empty port", "https://id.example.org:/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "port 0", "https://id.example.org:0/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "a port that is too large", "https://id.example.org:65536/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "brackets without an address", "https://[id]/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "brackets that do not close", "https://[::1/x", ERR_SYNTAX, NULL, 0, NULL },
		{ "more behind brackets", "https://[::1]x/", ERR_SYNTAX, NULL, 0, NULL },
		{ "an underscore", "https://id_1.example.org/", ERR_SYNTAX, NULL, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct url u;
		enum err e = url_read(bytes_str(cases[i].url), &u);

		if (e != cases[i].want)
			fail_msg("%s: %s", cases[i].why, err_name(e));
		if (e == OK && (!bytes_eq(u.host, bytes_str(cases[i].host)) || u.port != cases[i].port || !bytes_eq(u.rest, bytes_str(cases[i].rest))))
			fail_msg("%s: other parts", cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
