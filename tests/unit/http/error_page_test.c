/* Error pages: the format that is wanted, nothing unescaped, nothing about the product, a style that its own
 * Content-Security-Policy lets pass. */
#include "http/error_page.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *why;
	struct bytes accept;
	bool is_json;
} cases[] = {
	{ "no Accept", LIT(""), false },
	{ "a browser", LIT("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), false },
	{ "a program", LIT("application/json"), true },
	{ "a kind of JSON", LIT("application/problem+json"), true },
	{ "anything", LIT("*/*"), false },
	{ "JSON by name, anything else too", LIT("application/json, text/plain, */*"), true },
	{ "any application type", LIT("application/*"), true },
	{ "JSON first", LIT("application/json, text/html"), true },
	{ "HTML first", LIT("text/html, application/json"), false },
	{ "JSON wanted more", LIT("text/html;q=0.5, application/json;q=0.9"), true },
	{ "HTML wanted more", LIT("application/json;q=0.5, text/html;q=0.9"), false },
	{ "HTML refused", LIT("text/html;q=0"), true },
	{ "HTML refused, anything else", LIT("text/html;q=0, */*"), true },
	{ "both refused", LIT("text/html;q=0, application/json;q=0"), false },
	{ "JSON refused", LIT("application/json;q=0, */*"), false },
	{ "neither", LIT("image/png"), false },
	{ "another JSON", LIT("application/json-seq"), false },
};

static bool has(const struct text *t, const char *s)
{
	return bytes_find(text_bytes(t), bytes_str(s)) != SIZE_MAX;
}

static void test_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_field accept = { .id = HTTP_ACCEPT, .value = cases[i].accept };
		unsigned char mem[8192];
		struct bytes type = BYTES("");
		struct text t;

		text_init(&t, mem, sizeof mem);
		error_page_write(&t, 502, &accept, 1, BYTES("4711"), BYTES("<b>\"Call\"</b> & ask"), &type);
		if (t.failed || bytes_starts(type, BYTES("application/problem+json")) != cases[i].is_json)
			fail_msg("%s: %.*s", cases[i].why, FMT(type));
		assert_true(has(&t, "502") && has(&t, "Bad Gateway") && has(&t, "4711"));
		assert_false(has(&t, "luis") || has(&t, SLUIS_VERSION) || has(&t, "<script"));
		if (cases[i].is_json)
			assert_true(has(&t, "\"contact\":\"<b>\\\"Call\\\"</b> & ask\""));
		else
			assert_true(has(&t, "lang=\"en\"") && has(&t, "&lt;b&gt;&quot;Call&quot;&lt;/b&gt; &amp; ask"));
	}
}

/* Each status has a page that fits and says something to do; none falls through to a page of another class. */
static void test_statuses(void **state)
{
	(void)state;
	for (unsigned status = 400; status < 600; status++) {
		unsigned char mem[8192];
		struct bytes type;
		struct text t;

		text_init(&t, mem, sizeof mem);
		error_page_write(&t, status, NULL, 0, BYTES("4711"), BYTES(""), &type);
		assert_false(t.failed);
		assert_true(has(&t, "<h1>") && has(&t, "ry again") + has(&t, "Check") + has(&t, "ask") + has(&t, "Sign in") +
			has(&t, "Open") + has(&t, "Go back") + has(&t, "Remove") > 0);
		assert_int_equal(has(&t, "not your fault"), status == 500 || status == 501 || status > 504);
	}
}

static const struct {
	const char *why;
	struct bytes language;
	const char *lang, *about[2]; /* of 403, of 503 */
} isolated[] = {
	{ "no wish", LIT(""), "en", { "Your access has been blocked", "taken out of use" } },
	{ "Dutch", LIT("nl,en;q=0.7"), "nl", { "Uw toegang is geblokkeerd", "buiten gebruik gesteld" } },
	{ "of Belgium", LIT("nl-BE"), "nl", { "Uw toegang is geblokkeerd", "buiten gebruik gesteld" } },
	{ "English first", LIT("en, nl"), "en", { "Your access has been blocked", "taken out of use" } },
	{ "Dutch refused", LIT("nl;q=0, *"), "en", { "Your access has been blocked", "taken out of use" } },
	{ "a third language", LIT("fr"), "en", { "Your access has been blocked", "taken out of use" } },
};

static void test_isolated(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(isolated) * 4; i++) {
		struct http_field f[] = { { .id = HTTP_ACCEPT_LANGUAGE, .value = isolated[i / 4].language },
			{ .id = HTTP_ACCEPT, .value = i & 2 ? BYTES("application/json") : BYTES("text/html") } };
		unsigned char mem[8192];
		struct bytes type;
		struct text t;

		text_init(&t, mem, sizeof mem);
		error_page_write_isolated(&t, i & 1 ? 503 : 403, f, COUNT_OF(f), BYTES("4711"), BYTES("<i>Call 112</i>"), &type);
		if (t.failed || (!has(&t, isolated[i / 4].about[i & 1]) && !(i & 2)))
			fail_msg("%s: %.*s", isolated[i / 4].why, FMT(text_bytes(&t)));
		assert_int_equal(has(&t, "lang=\"nl\""), !(i & 2) && strcmp(isolated[i / 4].lang, "nl") == 0);
		assert_true(has(&t, i & 2 ? "\"contact\":\"<i>Call 112</i>\"" : "&lt;i&gt;Call 112&lt;/i&gt;"));
		assert_true(has(&t, "4711") && !has(&t, "luis") && !has(&t, "ry again in"));
	}
}

static void test_style_is_let_pass(void **state)
{
	unsigned char mem[8192], hash[32], base64[64];
	struct bytes type, page, css;
	struct text t;
	char want[80];

	(void)state;
	text_init(&t, mem, sizeof mem);
	error_page_write(&t, 503, NULL, 0, BYTES("1"), BYTES(""), &type);
	page = text_bytes(&t);
	css = bytes_cut(page, bytes_find(page, BYTES("<style>")) + 7, bytes_find(page, BYTES("</style>")));
	assert_true(css.len > 100 && css.len < page.len);
	assert_int_equal(EVP_Digest(css.at, css.len, hash, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_EncodeBlock(base64, hash, sizeof hash), 44);
	snprintf(want, sizeof want, "'sha256-%s'", (const char *)base64);
	assert_string_equal(ERROR_PAGE_STYLE, want);
}

static void test_full(void **state)
{
	unsigned char mem[40];
	struct bytes type;
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	error_page_write(&t, 404, NULL, 0, BYTES("1"), BYTES(""), &type);
	assert_true(t.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pages), cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_isolated), cmocka_unit_test(test_style_is_let_pass), cmocka_unit_test(test_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
