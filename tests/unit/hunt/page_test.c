/* The page says the verdict in words, stands alone, and quotes whatever the examined system had. */
#include "hunt/page.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct hunt_log logs[] = { { "access", 1579000000000000, 1579600000000000, 1000, 1, 3 }, { "cron", 0, 0, 0, 0, 1 } };
static const char *const reasons[] = { "logs <begin> late" };
static const struct hunt_finding nasty = { .rule = "r", .title = "<t>", .source = "https://example.org", .advisories = "CVE-1", .class = HUNT_COMPROMISE,
	.path = "/p", .where = "/p<script>", .line = 3, .at_us = 1579100000000000, .when_how = "log", .client = LIT("\"><script>"),
	.excerpt = LIT("<script>\x1b[2J\xff"), .note = "<i>" };

static void page(enum hunt_page_lang lang, struct hunt_summary s, size_t count, struct text *t)
{
	struct hunt_page *p = NULL;
	struct hunt_output out;

	s.host = "ns<1>";
	s.version = "1";
	s.logs = logs;
	s.log_count = COUNT_OF(logs);
	s.reasons = reasons;
	s.reason_count = 1;
	s.exposed_from_us = 1578500000000000;
	s.exposed_to_us = 1579500000000000;
	text_init_growing(t, 64u << 20);
	assert_int_equal(hunt_page_open(t, lang, &p), OK);
	out = hunt_page_output(p);
	out.begin(out.ctx, &s);
	for (size_t i = 0; i < count; i++)
		out.finding(out.ctx, &nasty);
	out.problem(out.ctx, "w<b>", "damaged");
	out.end(out.ctx, &s);
	hunt_page_close(&p);
	assert_true(!p && !t->failed);
}

static bool has(const struct text *t, const char *what)
{
	return bytes_find(text_bytes(t), bytes_str(what)) != SIZE_MAX;
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *want, *next;
		enum hunt_page_lang lang;
		struct hunt_summary s;
	} cases[] = {
		{ "This is no proof that there was no compromise", "keep monitoring", HUNT_PAGE_EN, { .verdict = HUNT_NOTHING_FOUND, .is_covered = true } },
		{ "Evidence of compromise was found", "sluis plan new", HUNT_PAGE_EN, { .verdict = HUNT_FOUND, .counts = { [HUNT_COMPROMISE] = 1 } } },
		{ "Er is bewijs van inbraak gevonden", "sluis plan new", HUNT_PAGE_NL, { .verdict = HUNT_FOUND, .counts = { [HUNT_COMPROMISE] = 1 } } },
		{ "Er zijn sporen gevonden", "deskundige", HUNT_PAGE_NL, { .verdict = HUNT_FOUND, .counts = { [HUNT_PROBE] = 1 } } },
		{ "Cannot tell", "as compromised", HUNT_PAGE_EN, { .verdict = HUNT_CANNOT_TELL } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct text t;

		page(cases[i].lang, cases[i].s, 0, &t);
		if (!has(&t, cases[i].want) || !has(&t, cases[i].next) || !has(&t, cases[i].s.is_covered ? "cover the window" : cases[i].lang ? "dekken niet" : "do not cover"))
			fail_msg("%s", cases[i].want);
		assert_true(has(&t, "class=\"win\"") && has(&t, "class=\"log\"") && has(&t, "logs &lt;begin&gt; late"));
		text_fini(&t);
	}
}

static void test_it_quotes_and_stands_alone(void **state)
{
	static const char *const never[] = { "<script", "src=", "href=", "url(", "@import", "\x1b", "\xff", "<t>", "<i>", "<b>/p", "ns<1>", "w<b>" };
	struct text t;

	(void)state;
	page(HUNT_PAGE_EN, (struct hunt_summary){ .verdict = HUNT_FOUND }, 1, &t);
	for (size_t i = 0; i < COUNT_OF(never); i++)
		if (has(&t, never[i]))
			fail_msg("%s", never[i]);
	assert_true(has(&t, "&lt;script&gt;\\x1b[2J\\xff") && has(&t, "<circle"));
	if (getenv("PAGE_TO")) {
		FILE *f = fopen(getenv("PAGE_TO"), "w");

		assert_true(f && fwrite(t.at, 1, t.len, f) == t.len && fclose(f) == 0);
	}
	text_fini(&t);
}

static void test_what_is_not_shown_is_counted(void **state)
{
	struct text t;

	(void)state;
	page(HUNT_PAGE_EN, (struct hunt_summary){ .verdict = HUNT_FOUND }, HUNT_PAGE_MAX + 7, &t);
	assert_true(has(&t, "Not shown here, but counted: 7"));
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_verdicts), cmocka_unit_test(test_it_quotes_and_stands_alone),
		cmocka_unit_test(test_what_is_not_shown_is_counted) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
