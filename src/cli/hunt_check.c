/* sluis hunt --check-packs: every entry's own tests, through the engine that hunts. An entry without a hit and a miss is not shown to
 * work, and that fails too. */
#include "cli/hunt_priv.h"

#include "window/when.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MTIME_S INT64_C(1579046400) /* 2020-01-15, where a test says nothing */

struct checking {
	const struct hunt_rule *rule;
	bool is_found;
};

static void on_summary(void *ctx, const struct hunt_summary *s)
{
	(void)ctx;
	(void)s;
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct checking *c = ctx;

	if (c->rule->is_own ? f->is_own : f->rule == c->rule->id)
		c->is_found = true;
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx;
	fprintf(stderr, "%s: %s\n", where, what);
}

static const char *text_of(const json_t *test, const char *key, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(test, key));

	return value ? value : otherwise;
}

static const char *example_of(const struct hunt_ready *r, const struct hunt_rule *rule)
{
	if (rule->kind == RULE_PAIR)
		rule = &r->rules->at[rule->first];
	for (size_t i = 0; i < hunt_layout_logs(r->layout); i++)
		if (rule->logs & 1u << i)
			return hunt_layout_log(r->layout, i)->example;
	return "/nothing";
}

static int64_t time_of(const json_t *test, const char *key, int64_t otherwise)
{
	const char *value = text_of(test, key, NULL);
	uint64_t us;

	return value && when_parse(bytes_str(value), 0, false, &us) == OK ? (int64_t)(us / 1000000) : otherwise;
}

/* Content that is no text: pairs of hexadecimal digits. */
static struct bytes content_of(const json_t *test, unsigned char mem[256])
{
	const char *hex = text_of(test, "hex", NULL);
	size_t n = 0;
	unsigned octet;

	if (!hex)
		return bytes_str(json_is_string(test) ? json_string_value(test) : text_of(test, "content", ""));
	for (; n < 256 && sscanf(hex + 2 * n, "%2x", &octet) == 1; n++)
		mem[n] = (unsigned char)octet;
	return bytes_of(mem, n);
}

static bool finds(const struct hunt_ready *r, const struct hunt_rule *rule, const json_t *test)
{
	static const char *const kinds[] = { "regular", "directory", "symlink", "other" };
	struct checking c = { .rule = rule };
	const struct hunt_output out = { on_summary, on_finding, on_problem, on_summary, &c };
	unsigned char mem[256];
	struct bytes content = content_of(test, mem);
	struct hunt_scan *scan = hunt_scan_new(r->rules, r->layout, &out);
	struct hunt_file f = { .path = text_of(test, "path", example_of(r, rule)), .has_owner = true, .has_times = true, .user = "", .group = "",
		.target = text_of(test, "link", ""), .mode = (uint32_t)strtoul(text_of(test, "mode", "0444"), NULL, 8),
		.uid = (uint32_t)strtoul(text_of(test, "owner", "0"), NULL, 10), .mtime_s = time_of(test, "mtime", MTIME_S), .birth_s = time_of(test, "birth", 0) };
	struct hunt_sink sink;

	if (!scan)
		exit(cli_fail(2, "out of memory"));
	f.where = f.path;
	f.size = strtoull(text_of(test, "size", "0"), NULL, 10);
	if (!json_object_get(test, "size"))
		f.size = content.len;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (strcmp(text_of(test, "type", "regular"), kinds[i]) == 0)
			f.kind = (enum hunt_kind)i;
	hunt_scan_tell_parts(scan);
	sink = hunt_scan_sink(scan);
	if (sink.file(sink.ctx, &f)) {
		sink.bytes(sink.ctx, content, 0);
		sink.bytes(sink.ctx, BYTES("\n"), content.len);
		sink.end(sink.ctx, OK);
	}
	hunt_scan_free(&scan);
	return c.is_found;
}

static unsigned check_list(const struct hunt_ready *r, const struct hunt_rule *rule, const char *key, bool want, unsigned *count)
{
	const json_t *list = json_object_get(rule->tests, key), *test;
	unsigned failed = 0;
	size_t i;

	if (json_array_size(list) == 0) {
		printf("%s:%u: %s has no %s\n", data_name(rule->from), data_line(rule->from, rule->tests), rule->id, key);
		return 1;
	}
	json_array_foreach(list, i, test) {
		++*count;
		if (finds(r, rule, test) == want)
			continue;
		failed++;
		printf("%s:%u: %s %s: %.200s\n", data_name(rule->from), data_line(rule->from, test), rule->id, want ? "does not find" : "finds",
			json_is_string(test) ? json_string_value(test) : text_of(test, "path", text_of(test, "content", "")));
	}
	return failed;
}

int hunt_check_packs(const struct cli *cli, const struct hunt_ready *r)
{
	unsigned failed = 0, count = 0;

	for (size_t i = 0; i < r->rules->count; i++) {
		failed += check_list(r, &r->rules->at[i], "hits", true, &count);
		failed += check_list(r, &r->rules->at[i], "misses", false, &count);
	}
	cli_say(cli, stdout, W_HUNT_CHECKED, r->rules->count, count, failed);
	return failed ? 1 : 0;
}
