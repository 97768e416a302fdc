/* Lines that come in pieces: numbers and places are those of the whole log, halves of a pair meet over pieces, and a year that a line does not
 * have is that of the time at which it came. */
#include "watch/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define NEW_YEAR UINT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define PACK \
	"name: test\ntitle: Of a test\nentries:\n" \
	"  - {id: t-one, title: One, kind: access, class: probe, confidence: high, source: x, words: [marked], match: {path: '/marked'}, tests: {hits: ['a'], misses: ['b']}}\n" \
	"  - {id: t-first, title: First, kind: access, class: attempt, confidence: low, part: true, source: x, words: [begins], match: {path: '/begins'}, tests: {hits: ['a'], misses: ['b']}}\n" \
	"  - {id: t-then, title: Then, kind: access, class: attempt, confidence: low, part: true, source: x, words: [follows], match: {path: '/follows'}, tests: {hits: ['a'], misses: ['b']}}\n" \
	"  - {id: t-pair, title: Both, kind: pair, class: compromise, confidence: high, source: x, first: t-first, then: t-then, within: 60, tests: {hits: ['a'], misses: ['b']}}\n" \
	"  - {id: t-shell, title: Shell, kind: line, logs: [shell], class: compromise, confidence: high, source: x, words: [whoami], match: {command: 'whoami'}, tests: {hits: ['a'], misses: ['b']}}\n"

struct world {
	struct hunt_layout *layout;
	struct hunt_rules *rules;
	struct alert_group *group;
	struct live *live;
	struct text got;
};

static void on_alert(void *ctx, const struct alert *a)
{
	struct world *w = ctx;

	if (a->kind == ALERT_FIRST)
		text_fmt(&w->got, "%s %s %s %llu+%lld %llu %s|", a->finding->rule, a->source, a->finding->where, (unsigned long long)a->finding->line,
			a->finding->has_offset ? (long long)a->finding->offset : -1, (unsigned long long)(a->at_us / SECOND), a->finding->when_how);
}

static int setup(void **state)
{
	const struct alert_group_options o = { 60 * SECOND, { 0 } };
	char error[DATA_ERROR_MAX] = "", *text = malloc(65536);
	FILE *f = fopen("rules/layout/netscaler.yaml", "rb");
	struct world *w = calloc(1, sizeof(*w));
	size_t n;

	if (!w || !text || !f)
		return -1;
	n = fread(text, 1, 65536, f);
	fclose(f);
	text_init_growing(&w->got, 1 << 20);
	w->rules = hunt_rules_new();
	if (hunt_layout_read(bytes_of(text, n), "netscaler.yaml", &w->layout, error) != OK || hunt_rules_add(w->rules, w->layout, BYTES(PACK), "test", error) != OK ||
		hunt_rules_compile(w->rules, error) != OK) {
		print_error("%s\n", error);
		return -1;
	}
	free(text);
	w->group = alert_group_new(&o, on_alert, w);
	w->live = live_new(w->rules, w->layout, w->group, NULL, NULL);
	*state = w;
	return w->live ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	live_free(&w->live);
	alert_group_free(&w->group);
	hunt_rules_free(&w->rules);
	hunt_layout_free(&w->layout);
	text_fini(&w->got);
	free(w);
	return 0;
}

static void take(struct world *w, const char *path, const char *lines, uint64_t line, uint64_t offset, uint64_t now_us)
{
	const struct live_lines in = { .path = path, .where = "/here", .source = "log x", .lines = bytes_str(lines), .line = line, .offset = offset, .now_us = now_us };

	live_take(w->live, &in);
}

static void expect(struct world *w, const char *want)
{
	if (!bytes_eq(text_bytes(&w->got), bytes_str(want)))
		fail_msg("'%.*s' and not '%s'", FMT(text_bytes(&w->got)), want);
	w->got.len = 0;
}

#define WEB(client, clock, path) client " - - [01/Jan/2026:" clock " +0000] \"GET " path " HTTP/1.1\" 200 1 \"-\" \"-\"\n"
#define ACCESS "/var/log/httpaccess.log"

static void test_places(void **state)
{
	struct world *w = *state;

	take(w, ACCESS, WEB("192.0.2.1", "00:00:01", "/"), 1, 0, NEW_YEAR);
	take(w, ACCESS, WEB("192.0.2.1", "00:00:02", "/") WEB("192.0.2.1", "00:00:03", "/marked"), 2, 100, NEW_YEAR);
	expect(w, "t-one log x /here 3+174 1767225603 log|");
	take(w, ACCESS, WEB("192.0.2.2", "00:00:04", "/marked") WEB("192.0.2.3", "00:00:05", "/marked"), 1000000007, UINT64_C(5000000000), NEW_YEAR);
	expect(w, "t-one log x /here 1000000007+5000000000 1767225604 log|t-one log x /here 1000000008+5000000080 1767225605 log|");
	take(w, ACCESS, "", 5, 5, NEW_YEAR);
	take(w, ACCESS, "\n\n", 5, 5, NEW_YEAR);
	take(w, ACCESS, "192.0.2.4 - - [01/Jan/2026:00:00:06 +0000] \"GET /marked", 9, 9, NEW_YEAR); /* cut off: what is there counts */
	expect(w, "t-one log x /here 9+9 1767225606 log|");
	/* its name says nothing: the first line of a piece does */
	take(w, "/srv/some.log", WEB("192.0.2.5", "00:00:07", "/marked"), 1, 0, NEW_YEAR);
	expect(w, "t-one log x /here 1+0 1767225607 log|");
}

static void test_of_no_file(void **state)
{
	struct world *w = *state;
	const struct live_lines in = { .path = live_path_of(w->layout, "access"), .where = "", .source = "front door", .lines = BYTES(WEB("192.0.2.1", "00:00:01", "/marked")),
		.now_us = NEW_YEAR };

	assert_non_null(in.path);
	assert_null(live_path_of(w->layout, "no such log"));
	live_take(w->live, &in);
	expect(w, "t-one front door  0+-1 1767225601 request|");
}

static void test_halves_in_two_pieces(void **state)
{
	struct world *w = *state;

	take(w, ACCESS, WEB("192.0.2.1", "00:00:01", "/begins"), 1, 0, NEW_YEAR);
	take(w, ACCESS, WEB("192.0.2.2", "00:00:02", "/follows"), 2, 100, NEW_YEAR); /* another client */
	expect(w, "");
	take(w, ACCESS, WEB("192.0.2.1", "00:00:31", "/follows"), 3, 200, NEW_YEAR);
	expect(w, "t-pair log x /here 3+200 1767225631 log|");
	take(w, ACCESS, WEB("192.0.2.3", "00:00:01", "/begins"), 4, 300, NEW_YEAR);
	take(w, ACCESS, WEB("192.0.2.3", "00:01:02", "/follows"), 5, 400, NEW_YEAR); /* too late */
	expect(w, "");
}

#define SHELL(date) date " <local7.notice> ns bash[77]: nsroot on /dev/pts/0 shell_command=\"whoami\"\n"

static void test_years(void **state)
{
	struct world *w = *state;

	take(w, "/var/log/bash.log", SHELL("Jan  1 00:00:00"), 1, 0, NEW_YEAR + SECOND);
	expect(w, "t-shell log x /here 1+0 1767225600 year from the file's mtime; zone not written: UTC|");
	alert_group_flush(w->group, NEW_YEAR);
	/* the last second of a year, read in the next */
	take(w, "/var/log/bash.log", SHELL("Dec 31 23:59:59"), 2, 100, NEW_YEAR + SECOND);
	expect(w, "t-shell log x /here 2+100 1767225599 year from the file's mtime; zone not written: UTC|");
	alert_group_flush(w->group, NEW_YEAR);
	/* both in one piece */
	take(w, "/var/log/bash.log", SHELL("Dec 31 23:59:58") "Jan  1 00:00:00 <local7.notice> ns bash[77]: nsroot on /dev/pts/0 shell_command=\"id\"\n", 3, 200, NEW_YEAR + SECOND);
	expect(w, "t-shell log x /here 3+200 1767225598 year from the file's mtime; zone not written: UTC|");
	alert_group_flush(w->group, NEW_YEAR);
	/* the leap day of the last year that had one */
	take(w, "/var/log/bash.log", SHELL("Dec  1 00:00:00"), 4, 300, NEW_YEAR + 300 * 86400 * SECOND);
	expect(w, "t-shell log x /here 4+300 1764547200 year from the file's mtime; zone not written: UTC|");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_places), TEST(test_of_no_file), TEST(test_halves_in_two_pieces), TEST(test_years) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
