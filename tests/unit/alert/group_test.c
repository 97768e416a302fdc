/* Groups, windows and limits of alerts. */
#include "alert/group.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECOND 1000000u
#define T0     (1700000000u * (uint64_t)SECOND)
#define WINDOW (60u * (uint64_t)SECOND)

struct told {
	size_t counts[ALERT_KIND_COUNT], by_class[HUNT_CLASS_COUNT];
	uint64_t sum, first_us, last_us, at_us; /* of the last; sum of counts of all */
	char id[ALERT_ID_LEN + 1], text[200], held[300];
};

static void on_alert(void *ctx, const struct alert *a)
{
	struct told *t = ctx;

	t->counts[a->kind]++;
	t->by_class[a->class]++;
	t->sum += a->count;
	t->first_us = a->first_us;
	t->last_us = a->last_us;
	t->at_us = a->at_us;
	assert_int_equal(strspn(a->id, "0123456789abcdef"), ALERT_ID_LEN);
	assert_string_not_equal(a->id, t->id);
	snprintf(t->id, sizeof(t->id), "%s", a->id);
	assert_true(a->kind == ALERT_LIMITED ? !a->finding : !!a->finding);
	if (a->finding) {
		snprintf(t->text, sizeof(t->text), "%s %s %.*s %.*s", a->source, a->finding->rule, FMT(a->finding->client), FMT(a->finding->excerpt));
		return;
	}
	t->held[0] = 0;
	for (size_t i = 0; i < a->held_count; i++)
		snprintf(t->held + strlen(t->held), sizeof(t->held) - strlen(t->held), "%s=%u ", a->held[i].rule, (unsigned)a->held[i].count);
}

static struct hunt_finding finding(const char *rule, enum hunt_class c, const char *client)
{
	return (struct hunt_finding){ .rule = rule, .title = "t", .source = "https://example.org/", .advisories = "", .class = c, .path = "/var/log/a", .where = "a",
		.when_how = "", .client = bytes_str(client), .excerpt = BYTES("excerpt"), .note = "" };
}

static struct alert_group *make(struct told *told, unsigned limit)
{
	const struct alert_group_options o = { WINDOW, { limit, limit, limit, limit } };
	struct alert_group *g = alert_group_new(&o, on_alert, told);

	assert_non_null(g);
	return g;
}

static void test_first_and_again(void **state)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, 0);
	struct hunt_finding f = finding("r", HUNT_PROBE, "192.0.2.1");
	char client[] = "192.0.2.1", rule[] = "r";

	(void)state;
	f.rule = rule;
	f.client = bytes_str(client);
	alert_group_take(g, &f, "front door", T0);
	assert_int_equal(told.counts[ALERT_FIRST], 1);
	assert_string_equal(told.text, "front door r 192.0.2.1 excerpt");
	f.at_us = T0 + 5;
	alert_group_take(g, &f, "front door", T0 + SECOND);
	f.at_us = T0 + 3;
	alert_group_take(g, &f, "front door", T0 + 2 * SECOND);
	alert_group_tick(g, T0 + WINDOW - 1);
	assert_int_equal(told.counts[ALERT_AGAIN], 0);
	memset(client, 'x', sizeof(client) - 1); /* copies are kept, not views */
	alert_group_tick(g, T0 + WINDOW);
	assert_int_equal(told.counts[ALERT_AGAIN], 1);
	assert_string_equal(told.text, "front door r 192.0.2.1 excerpt");
	assert_int_equal(told.sum, 3);
	assert_int_equal(told.first_us, T0 + 3);
	assert_int_equal(told.last_us, T0 + 5);
	assert_int_equal(told.at_us, T0 + 5);
	alert_group_free(&g);
	assert_null(g);
}

static void test_ends_after_a_quiet_window(void **state)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, 0);
	const struct hunt_finding f = finding("r", HUNT_PROBE, "192.0.2.1");

	(void)state;
	alert_group_take(g, &f, "s", T0);
	alert_group_take(g, &f, "s", T0 + 1);
	alert_group_tick(g, T0 + WINDOW); /* AGAIN; a second window begins */
	alert_group_take(g, &f, "s", T0 + WINDOW + 1);
	assert_int_equal(told.counts[ALERT_FIRST], 1);
	alert_group_tick(g, T0 + 2 * WINDOW);
	assert_int_equal(told.counts[ALERT_AGAIN], 2);
	alert_group_tick(g, T0 + 3 * WINDOW); /* quiet: forgotten */
	assert_int_equal(told.counts[ALERT_AGAIN], 2);
	alert_group_take(g, &f, "s", T0 + 3 * WINDOW + 1);
	assert_int_equal(told.counts[ALERT_FIRST], 2);
	alert_group_free(&g);
}

static void test_keys(void **state)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, 0);
	struct hunt_finding f = finding("r", HUNT_PROBE, "192.0.2.1");

	(void)state;
	alert_group_take(g, &f, "s", T0);
	alert_group_take(g, &f, "another source", T0);
	f.client = BYTES("192.0.2.2");
	alert_group_take(g, &f, "s", T0);
	f.rule = "another rule";
	alert_group_take(g, &f, "s", T0);
	f.client = BYTES("");
	alert_group_take(g, &f, "s", T0);
	f.path = "/another/path";
	alert_group_take(g, &f, "s", T0);
	assert_int_equal(told.counts[ALERT_FIRST], 6);
	alert_group_take(g, &f, "s", T0);
	f.is_own = true;
	f.path = "/own";
	alert_group_take(g, &f, "s", T0);
	assert_int_equal(told.counts[ALERT_FIRST], 6);
	alert_group_flush(g, T0 + 1);
	assert_int_equal(told.counts[ALERT_AGAIN], 1);
	alert_group_flush(g, T0 + 1);
	assert_int_equal(told.counts[ALERT_AGAIN], 1);
	alert_group_free(&g);
}

static void test_limit_is_per_class(void **state)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, 2);
	char client[32];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct hunt_finding f = finding(i % 3 ? "often" : "seldom", HUNT_ATTEMPT, client);

		snprintf(client, sizeof(client), "192.0.2.%u", i);
		f.client = bytes_str(client);
		alert_group_take(g, &f, "s", T0 + i);
	}
	assert_int_equal(told.by_class[HUNT_ATTEMPT], 2);
	alert_group_take(g, &(struct hunt_finding){ .rule = "c", .path = "", .class = HUNT_COMPROMISE, .client = BYTES("192.0.2.1") }, "s", T0 + 20);
	assert_int_equal(told.by_class[HUNT_COMPROMISE], 1);
	alert_group_tick(g, T0 + 1000 * (uint64_t)SECOND);
	assert_int_equal(told.counts[ALERT_LIMITED], 0);
	alert_group_tick(g, T0 + 1801 * (uint64_t)SECOND); /* two an hour: one after half of it */
	assert_int_equal(told.counts[ALERT_LIMITED], 1);
	assert_string_equal(told.held, "often=5 seldom=3 ");
	assert_int_equal(told.first_us, T0 + 2);
	assert_int_equal(told.last_us, T0 + 9);
	alert_group_free(&g);
}

/* 100,000 clients: all are counted somewhere, few are told, and memory is bounded by ALERT_GROUPS_MAX. */
static void flood(unsigned limit, size_t least, size_t most)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, limit);
	char client[32];

	for (unsigned i = 0; i < 100000; i++) {
		struct hunt_finding f = finding("r", HUNT_ATTEMPT, "");

		snprintf(client, sizeof(client), "2001:db8::%x", i);
		f.client = bytes_str(client);
		alert_group_take(g, &f, "s", T0 + i);
		if (i % 1000 == 0)
			alert_group_tick(g, T0 + i);
	}
	alert_group_flush(g, T0 + 100000);
	assert_in_range(told.counts[ALERT_FIRST] + told.counts[ALERT_LIMITED], least, most);
	assert_int_equal(told.sum, 100000);
	alert_group_free(&g);
}

static void test_flood_of_clients(void **state)
{
	(void)state;
	flood(60, 61, 70);
	flood(0, 100000, 100000);
}

/* Calls that are five microseconds apart each bring less than a part of a token; a flood would never see its bucket fill. */
static void test_bucket_fills_during_a_flood(void **state)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, 600);
	struct hunt_finding f = finding("r", HUNT_ATTEMPT, "");
	char client[32];

	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		snprintf(client, sizeof(client), "2001:db8::%x", i);
		f.client = bytes_str(client);
		alert_group_take(g, &f, "s", T0);
	}
	f.client = BYTES("192.0.2.1");
	for (unsigned i = 0; i < 1300000; i++) {
		assert_true(told.counts[ALERT_FIRST] == 600 || i > 1100000);
		alert_group_take(g, &f, "s", T0 + i * (uint64_t)5);
	}
	assert_int_equal(told.counts[ALERT_FIRST], 601); /* one in six seconds */
	alert_group_free(&g);
}

static void test_full_ends_the_oldest(void **state)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, 0);
	char client[32];

	(void)state;
	for (unsigned i = 0; i <= ALERT_GROUPS_MAX; i++) {
		struct hunt_finding f = finding("r", HUNT_ATTEMPT, "");

		snprintf(client, sizeof(client), "2001:db8::%x", i);
		f.client = bytes_str(client);
		alert_group_take(g, &f, "s", T0);
		if (i == 0)
			alert_group_take(g, &f, "s", T0);
		assert_int_equal(told.counts[ALERT_AGAIN], i == ALERT_GROUPS_MAX);
	}
	alert_group_free(&g);
}

static void test_texts_are_bounded(void **state)
{
	struct told told = { 0 };
	struct alert_group *g = make(&told, 0);
	struct hunt_finding f = finding("", HUNT_TRACE, "");
	char *big = malloc(100001);

	(void)state;
	assert_non_null(big);
	memset(big, 'a', 100000);
	big[100000] = 0;
	f.rule = f.title = f.path = f.where = f.note = f.advisories = f.source = big;
	f.client = f.url = f.user_agent = f.user = f.method = f.excerpt = bytes_str(big);
	alert_group_take(g, &f, big, T0);
	alert_group_take(g, &f, big, T0);
	assert_int_equal(told.counts[ALERT_FIRST], 1);
	alert_group_flush(g, T0);
	assert_int_equal(told.counts[ALERT_AGAIN], 1);
	alert_group_free(&g);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_and_again),
		cmocka_unit_test(test_ends_after_a_quiet_window),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_limit_is_per_class),
		cmocka_unit_test(test_flood_of_clients),
		cmocka_unit_test(test_bucket_fills_during_a_flood),
		cmocka_unit_test(test_full_ends_the_oldest),
		cmocka_unit_test(test_texts_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
