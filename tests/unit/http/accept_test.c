/* How much a client wants a type: quality, specificity, wildcards, and what is malformed. */
#include "http/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *why;
	struct bytes accept;
	int q;
	unsigned specific;
	size_t at;
} cases[] = { /* of text/html */
	{ "nothing", LIT(""), -1, 0, 0 },
	{ "another type", LIT("image/png"), -1, 0, 0 },
	{ "the type", LIT("text/html"), 1000, 3, 0 },
	{ "in any case", LIT("Text/HTML"), 1000, 3, 0 },
	{ "any subtype", LIT("image/png, text/*;q=0.5"), 500, 2, 1 },
	{ "anything", LIT("image/png, */*;q=0.1"), 100, 1, 1 },
	{ "the exact range wins over wildcards", LIT("*/*;q=0.9, text/*;q=0.8, text/html;q=0.1"), 100, 3, 2 },
	{ "and in the other order", LIT("text/html;q=0.1, text/*;q=0.8, */*;q=0.9"), 100, 3, 0 },
	{ "refused, though all else is welcome", LIT("*/*, text/html;q=0"), 0, 3, 1 },
	{ "three digits", LIT("text/html;q=0.123"), 123, 3, 0 },
	{ "white space around", LIT("text/html ; q=0.5"), 500, 3, 0 },
	{ "Q is q", LIT("text/html;Q=0.5"), 500, 3, 0 },
	{ "other parameters are read over", LIT("text/html;level=1;q=0.4"), 400, 3, 0 },
	{ "a comma in quotes divides nothing", LIT("text/plain;a=\"x,text/html\", text/html;q=0.3"), 300, 3, 1 },
	{ "an escaped quote", LIT("text/plain;a=\"\\\",text/html\""), -1, 0, 0 },
	{ "a quote that does not end", LIT("text/plain;a=\", text/html"), -1, 0, 0 },
	{ "q over one", LIT("text/html;q=1.5"), -1, 0, 0 },
	{ "q with four digits", LIT("text/html;q=0.1234"), -1, 0, 0 },
	{ "q with a sign", LIT("text/html;q=-1"), -1, 0, 0 },
	{ "q without a value", LIT("text/html;q="), -1, 0, 0 },
	{ "q without a point", LIT("text/html;q=05"), -1, 0, 0 },
	{ "a wildcard type with a subtype is none", LIT("*/html"), -1, 0, 0 },
	{ "a longer type", LIT("text/htmlx, text/htm"), -1, 0, 0 },
	{ "empty members", LIT(", ,text/html"), 1000, 3, 2 },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_field f = { .id = HTTP_ACCEPT, .value = cases[i].accept };
		struct http_accept a = http_accept_find(&f, 1, BYTES("text/html"));

		if (a.q != cases[i].q || a.specific != cases[i].specific || (a.q >= 0 && a.at != cases[i].at))
			fail_msg("%s: q %d, specific %u, at %zu", cases[i].why, a.q, a.specific, a.at);
	}
}

static const struct {
	const char *why;
	struct bytes accept;
	int q;
	unsigned specific;
} languages[] = { /* Dutch */
	{ "nothing", LIT(""), -1, 0 },
	{ "it", LIT("nl"), 1000, 3 },
	{ "in any case", LIT("NL;q=0.5"), 500, 3 },
	{ "of Belgium", LIT("en, nl-BE;q=0.8"), 800, 2 },
	{ "any", LIT("*;q=0.1"), 100, 1 },
	{ "another", LIT("en-GB,en;q=0.9"), -1, 0 },
	{ "one that begins so", LIT("nlx"), -1, 0 },
	{ "refused", LIT("*, nl;q=0"), 0, 3 },
};

static void test_languages(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(languages); i++) {
		struct http_field f = { .id = HTTP_ACCEPT_LANGUAGE, .value = languages[i].accept };
		struct http_accept a = http_accept_language_find(&f, 1, BYTES("nl"));

		if (a.q != languages[i].q || a.specific != languages[i].specific)
			fail_msg("%s: q %d, specific %u", languages[i].why, a.q, a.specific);
	}
}

static void test_several_fields_are_one_list(void **state)
{
	struct http_field f[] = { { .id = HTTP_ACCEPT, .value = BYTES("*/*;q=0.1") }, { .id = HTTP_HOST, .value = BYTES("text/html") },
		{ .id = HTTP_ACCEPT, .value = BYTES("text/html;q=0.7") } };
	struct http_accept a = http_accept_find(f, COUNT_OF(f), BYTES("text/html"));

	(void)state;
	assert_int_equal(a.q, 700);
	assert_int_equal(a.at, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_several_fields_are_one_list),
		cmocka_unit_test(test_languages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
