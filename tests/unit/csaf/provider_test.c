/* What a provider publishes: what may be asked for, and what may not. */
#include "csaf/provider.h"

#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void test_paths(void **state)
{
	static const struct {
		const char *path;
		bool is_safe;
	} cases[] = { { "2020/a-1.json", true }, { "a.json", true }, { "../a.json", false }, { "2020/../a.json", false }, { "/a.json", false },
		{ "a//b.json", false }, { "https://x/a.json", false }, { "a%2e.json", false }, { "a\\b.json", false }, { "a.txt", false }, { "", false },
		{ ".hidden.json", false }, { "a?b.json", false } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (csaf_path_is_safe(bytes_str(cases[i].path)) != cases[i].is_safe)
			fail_msg("%s", cases[i].path);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *url;
		bool is_safe;
	} cases[] = { { "https://a.example/b", true }, { "https://a.example:8443/b.json", true }, { "http://a.example/b", false }, { "https://a.example", false },
		{ "https:///b", false }, { "https://u:p@a.example/b", false }, { "https://a.example/../b", false }, { "file:///etc/passwd", false },
		{ "https://a.example/b c", false } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (csaf_url_is_safe(bytes_str(cases[i].url)) != cases[i].is_safe)
			fail_msg("%s", cases[i].url);
}

static void test_lines(void **state)
{
	static const struct {
		enum err (*fn)(struct bytes in, struct text *out, char error[CSAF_WORDS_MAX]);
		const char *in, *want; /* NULL: refused */
	} cases[] = {
		{ csaf_changes_lines, "\"2020/a.json\",\"2020-01-09T10:00:00Z\"\r\n\"../b.json\",\"2020-01-09T10:00:00Z\"\n", "2020/a.json\t2020-01-09T10:00:00Z\n!../b.json\n" },
		{ csaf_changes_lines, "", "" },
		{ csaf_changes_lines, "a.json,2020-01-09T10:00:00Z\n", NULL },
		{ csaf_changes_lines, "\"a.json\",\"yesterday\"\n", NULL },
		{ csaf_changes_lines, "\"a.json\",\"2020-01-09T10:00:00Z\",\"x\"\n", NULL },
		{ csaf_index_lines, "a.json\n/b.json\n", "a.json\t\n!/b.json\n" },
		{ csaf_provider_lines, "{\"metadata_version\":\"2.0\",\"role\":\"csaf_provider\",\"publisher\":{\"name\":\"P\"},\"distributions\":[{\"directory_url\":\"https://p.example/d\"},"
			"{\"directory_url\":\"http://p.example/e\"},{\"rolie\":{\"feeds\":[{\"url\":\"https://p.example/f.json\"}]}}]}",
			"N P\nR csaf_provider\nD https://p.example/d/\nF https://p.example/f.json\n" },
		{ csaf_provider_lines, "{}", NULL },
		{ csaf_feed_lines, "{\"feed\":{\"entry\":[{\"updated\":\"2020-01-09T10:00:00Z\",\"content\":{\"src\":\"https://p.example/a.json\"},\"link\":[{\"rel\":\"hash\","
			"\"href\":\"https://p.example/a.json.sha256\"},{\"rel\":\"hash\",\"href\":\"https://p.example/a.json.sha512\"}]},{\"content\":{\"src\":\"file:///a.json\"}}]}}",
			"https://p.example/a.json\t2020-01-09T10:00:00Z\thttps://p.example/a.json.sha512\n!file:///a.json\n" },
		{ csaf_feed_lines, "{\"feed\":{}}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char error[CSAF_WORDS_MAX] = "";
		struct text out;
		enum err e;

		text_init_growing(&out, 65536);
		e = cases[i].fn(bytes_str(cases[i].in), &out, error);
		if (cases[i].want && (e != OK || !bytes_eq(text_bytes(&out), bytes_str(cases[i].want))))
			fail_msg("%zu: %s: %.*s", i, error, FMT(text_bytes(&out)));
		if (!cases[i].want && (e != ERR_SYNTAX || !error[0]))
			fail_msg("%zu was taken", i);
		text_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_paths), cmocka_unit_test(test_addresses), cmocka_unit_test(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
