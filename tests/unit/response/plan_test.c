/* Templates and plans: what is refused and where, what becomes of steps for each of something, and that the order holds. */
#include "response/plan.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define HEAD "name: t\nproducts: [p]\nadvisories: [CVE-1]\ntitle: {en: 'T {appliance}', nl: t}\nabout: {en: a, nl: a}\nsteps:\n"
#define TEXTS "phase: contain, title: {en: e, nl: n}, how: {en: e, nl: n}, source: s"

static struct data *read(const char *text)
{
	char error[DATA_ERROR_MAX];
	struct data *d = NULL;

	if (data_read(bytes_str(text), "t.yaml", &d, error) != OK)
		fail_msg("%s", error);
	return d;
}

static void test_templates_that_are_refused(void **state)
{
	static const struct {
		const char *why, *text, *error;
	} cases[] = {
		{ "no steps", HEAD "  []\n", "t.yaml:7: 'steps' is a list" },
		{ "an unknown key", HEAD "- {id: a, " TEXTS ", x: y}\n", "t.yaml:7: 'x' is not a key here" },
		{ "no source", HEAD "- {id: a, phase: contain, title: {en: e, nl: n}, how: {en: e, nl: n}}\n", "t.yaml:7: 'source' is missing" },
		{ "one language", HEAD "- {id: a, phase: contain, title: {en: e}, how: {en: e, nl: n}, source: s}\n", "t.yaml:7: 'nl' is missing" },
		{ "a phase that is none", HEAD "- {id: a, phase: x, title: {en: e, nl: n}, how: {en: e, nl: n}, source: s}\n", "t.yaml:7: 'phase' is 'x'" },
		{ "an id with a blank", HEAD "- {id: a b, " TEXTS "}\n", "t.yaml:7: 'id' is at most 40" },
		{ "twice", HEAD "- {id: a, " TEXTS "}\n- {id: a, " TEXTS "}\n", "t.yaml:8: the step 'a' is there twice" },
		{ "after a later step", HEAD "- {id: a, after: [b], " TEXTS "}\n- {id: b, " TEXTS "}\n", "t.yaml:7: 'a' is after 'b', which is no step before it" },
		{ "after itself", HEAD "- {id: a, after: [a], " TEXTS "}\n", "t.yaml:7: 'a' is after 'a'" },
		{ "each without a word for none", HEAD "- {id: a, each: system, " TEXTS "}\n", "t.yaml:7: 'without' is missing" },
		{ "evidence: yes", HEAD "- {id: a, evidence: yes, " TEXTS "}\n", "t.yaml:7: 'evidence' is true or false" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char error[PLAN_ERROR_MAX] = "";
		struct data *d = read(cases[i].text);

		assert_int_equal(plan_template_check(d, error), ERR_SYNTAX);
		if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: '%s', not '%s'", cases[i].why, error, cases[i].error);
		data_free(&d);
	}
}

static const char *const good = HEAD "- {id: a, " TEXTS "}\n"
	"- {id: s, each: system, without: {en: all, nl: 'alle van {appliance}'}, phase: connected, title: {en: 'S {item} {x}', nl: '{item}'}, how: {en: '{detail}.', nl: n},"
	" commands: ['c {item}'], source: s, after: [a]}\n- {id: z, after: [s], evidence: true, " TEXTS "}\n";

static struct plan *make(const struct plan_item *systems, size_t count)
{
	struct plan_facts f = { .id = "a-1", .advisory = "CVE-1", .appliance = "adc", .now_us = 5, .who = { 7, "u", "" }, .systems = systems, .system_count = count };
	struct data *d = read(good);
	char error[PLAN_ERROR_MAX];
	struct plan *p = NULL;

	assert_int_equal(plan_template_check(d, error), OK);
	assert_true(plan_template_is_for(d, "p") && plan_template_names(d, "CVE-1") && !plan_template_names(d, "CVE-2"));
	if (plan_new(d, &f, &p, error) != OK)
		fail_msg("%s", error);
	data_free(&d);
	return p;
}

static void test_a_step_for_each(void **state)
{
	static const struct plan_item two[] = { { "h1", "d1" }, { "{detail}", "" } };
	struct plan *p = make(two, 2), *none = make(NULL, 0);
	struct plan_step s;

	(void)state;
	assert_int_equal(plan_count(p), 4);
	assert_string_equal(plan_text(p, "title", PLAN_EN), "T adc");
	plan_at(p, 1, PLAN_EN, &s);
	assert_string_equal(s.id, "s-1");
	assert_string_equal(s.title, "S h1 {x}"); /* a place that nothing knows stays */
	assert_string_equal(s.how, "d1.");
	assert_string_equal(json_string_value(json_array_get(s.commands, 0)), "c h1");
	plan_at(p, 2, PLAN_EN, &s);
	assert_string_equal(s.title, "S {detail} {x}"); /* what was filled in is not filled again */
	plan_at(p, 3, PLAN_EN, &s);
	assert_int_equal(json_array_size(s.after), 2);
	plan_at(none, 1, PLAN_NL, &s);
	assert_string_equal(s.id, "s");
	assert_string_equal(s.title, "alle van adc");
	plan_free(&p);
	plan_free(&none);
	assert_null(p);
}

static void test_the_order_holds(void **state)
{
	static const struct plan_act note = { .now_us = 9, .who = { 7, "u", "" }, .note = "n", .evidence = "", .sha256 = "" },
		file = { .now_us = 9, .who = { 7, "u", "" }, .note = "", .evidence = "/f", .sha256 = "00", .evidence_size = 3 },
		nothing = { .who = { 7, "u", "" }, .note = "", .evidence = "", .sha256 = "" }, bad = { .who = { 7, "u", "" }, .note = "a\x1b", .evidence = "", .sha256 = "" };
	struct plan *p = make(NULL, 0);
	struct plan_step s;
	char mem[100];
	struct text t;

	(void)state;
	assert_int_equal(plan_may_done(p, "q", &note), PLAN_NO_STEP);
	assert_int_equal(plan_may_done(p, "s", &note), PLAN_NOT_YET);
	text_init(&t, mem, sizeof(mem));
	plan_blockers(p, "s", false, &t);
	assert_true(bytes_eq(text_bytes(&t), BYTES("a")));
	assert_int_equal(plan_may_done(p, "a", &nothing), PLAN_WANTS_PROOF);
	assert_int_equal(plan_may_done(p, "a", &bad), PLAN_BAD_TEXT);
	assert_int_equal(plan_may_undo(p, "a", &note), PLAN_NOT_DONE);
	plan_done(p, "a", &note, true);
	assert_int_equal(plan_may_done(p, "a", &note), PLAN_DONE_BEFORE);
	plan_done(p, "s", &file, false);
	assert_int_equal(plan_may_done(p, "z", &note), PLAN_WANTS_EVIDENCE);
	assert_int_equal(plan_may_undo(p, "a", &note), PLAN_IS_NEEDED);
	assert_int_equal(plan_may_undo(p, "s", &nothing), PLAN_WANTS_PROOF);
	plan_at(p, 1, PLAN_EN, &s);
	assert_true(s.state == PLAN_DONE && s.uid == 7 && s.at_us == 9 && s.evidence_size == 3 && !s.is_in_ledger);
	plan_undo(p, "s", &note, true);
	assert_int_equal(plan_done_count(p), 1);
	plan_at(p, 2, PLAN_EN, &s);
	assert_int_equal(s.state, PLAN_WAITING);
	assert_int_equal(json_array_size(json_object_get(plan_json(p), "history")), 4);
	plan_free(&p);
}

static void test_facts_that_cannot_be(void **state)
{
	static const struct plan_item bad_system = { "a\nb", "" };
	const struct plan_facts cases[] = {
		{ .id = "../x", .advisory = "C", .appliance = "a", .who = { 0, "u", "" } },
		{ .id = "a", .advisory = "", .appliance = "a", .who = { 0, "u", "" } },
		{ .id = "a", .advisory = "C", .appliance = "a\x01", .who = { 0, "u", "" } },
		{ .id = "a", .advisory = "C", .appliance = "a", .who = { 0, "u", "" }, .systems = &bad_system, .system_count = 1 },
		{ .id = "a", .advisory = "C", .appliance = "\xff", .who = { 0, "u", "" } },
	};
	struct data *d = read(good);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char error[PLAN_ERROR_MAX] = "";
		struct plan *p = NULL;

		assert_int_equal(plan_new(d, &cases[i], &p, error), ERR_SYNTAX);
		assert_true(!p && *error);
	}
	data_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates_that_are_refused),
		cmocka_unit_test(test_a_step_for_each),
		cmocka_unit_test(test_the_order_holds),
		cmocka_unit_test(test_facts_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
