/* Error pages: the right format, nothing unescaped, nothing about the product. */
#include "http/error_page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *why;
	struct bytes accept;
	bool is_json;
} cases[] = {
	{ "no Accept", LIT(""), false },
	{ "a browser", LIT("text/html,application/xhtml+xml,*/*;q=0.8"), false },
	{ "a program", LIT("application/json"), true },
	{ "a kind of JSON", LIT("application/problem+json"), true },
	{ "anything", LIT("*/*"), false },
	{ "JSON first", LIT("application/json, text/html"), true },
	{ "HTML first", LIT("text/html, application/json"), false },
};

static bool has(const struct text *t, const char *s)
{
	return bytes_find(text_bytes(t), bytes_str(s)) != SIZE_MAX;
}

static void test_pages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[4096];
		struct bytes type = BYTES("");
		struct text t;

		text_init(&t, mem, sizeof mem);
		error_page_write(&t, 502, cases[i].accept, BYTES("4711"), BYTES("<b>\"Call\"</b> & ask"), &type);
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

static void test_full(void **state)
{
	unsigned char mem[40];
	struct bytes type;
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	error_page_write(&t, 404, BYTES(""), BYTES("1"), BYTES(""), &type);
	assert_true(t.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_pages), cmocka_unit_test(test_full) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
