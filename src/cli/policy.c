/* sluis policy test FILE [REQUESTS]: what the policies decide about requests, and why. FILE is a configuration or a
 * rule set; without REQUESTS the tests beside its policies are run. Files may come from anywhere, so they are read
 * by a process that can only read. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/fd.h"
#include "cli/policy_run.h"
#include "conf/bundle.h"
#include "json/write.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOWN_MOST 200 /* octets of a value; more is cut */

struct policy_test {
	const struct cli *cli;
	struct text out;
	size_t held, failed;
};

/* --- words --- */

static void quoted(struct text *t, struct bytes b)
{
	json_put_string(t, bytes_cut(b, 0, SHOWN_MOST));
	if (b.len > SHOWN_MOST)
		text_fmt(t, "... (%zu octets)", b.len);
}

/* Plain when it is, quoted otherwise: nothing that a request holds reaches a terminal as it is. */
static void shown(struct text *t, struct bytes b)
{
	bool plain = b.len > 0 && b.len <= SHOWN_MOST;

	for (size_t i = 0; i < b.len && plain; i++)
		plain = b.at[i] > ' ' && b.at[i] < 127;
	if (plain)
		text_add(t, b);
	else
		quoted(t, b);
}

/* Octets that a terminal would act on are written as escapes. */
static void safe(struct text *t, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] >= ' ' && b.at[i] < 127)
			text_byte(t, b.at[i]);
		else if (b.at[i] == '\n' || b.at[i] == '\t') /* of an expression in a block */
			text_byte(t, ' ');
		else
			text_fmt(t, "\\x%02x", b.at[i]);
}

static void print_reason(struct text *t, const struct policy_reason *r)
{
	text_lit(t, "      ");
	safe(t, r->source);
	text_str(t, r->truth == POLICY_TRUE ? " holds" : r->truth == POLICY_FALSE ? " does not hold" : " cannot be told");
	if (r->left.len) {
		text_lit(t, ": ");
		safe(t, bytes_cut(r->left, 0, SHOWN_MOST));
		text_lit(t, " is ");
		quoted(t, r->value);
	}
	text_byte(t, '\n');
}

static void print_match(struct text *t, const struct policy_match *m)
{
	text_lit(t, "    ");
	if (m->rule->set.len) {
		text_add(t, m->rule->set);
		text_byte(t, '/');
	}
	text_add(t, m->rule->name);
	if (m->rule->on_response)
		text_lit(t, " (on the response)");
	text_lit(t, " -> ");
	safe(t, m->actions);
	text_byte(t, '\n');
	for (size_t i = 0; i < m->reason_count; i++)
		print_reason(t, &m->reasons[i]);
	if (m->reason_count == 0)
		text_lit(t, "      always\n");
}

static void print_request(struct text *t, const struct conf_request *q, const struct policy_outcome *o)
{
	text_fmt(t, "%.*s:%u: ", FMT(q->file), q->line);
	if (q->name.len)
		text_fmt(t, "%.*s: ", FMT(q->name));
	if (o->target.len) {
		shown(t, o->method);
		text_byte(t, ' ');
		shown(t, o->target);
	} else {
		quoted(t, bytes_cut(q->head, 0, bytes_find_byte(q->head, '\r')));
	}
	text_byte(t, '\n');
}

static void print_outcome(struct text *t, const struct policy_outcome *o)
{
	if (o->is_read) {
		text_lit(t, "    path ");
		shown(t, o->path);
		if (!bytes_eq(o->path, o->server_path)) {
			text_lit(t, ", for the server ");
			shown(t, o->server_path);
		}
		text_byte(t, '\n');
	}
	for (size_t i = 0; i < o->match_count; i++)
		print_match(t, &o->matches[i]);
	if (o->is_cut)
		text_lit(t, "    and more that are not shown\n");
	text_lit(t, "    decision: ");
	safe(t, o->decision);
	text_byte(t, '\n');
}

/* --- JSON --- */

static void json_pair(struct text *t, const char *key, struct bytes value)
{
	text_fmt(t, "\"%s\": ", key);
	json_put_string(t, value);
}

static void json_match(struct text *t, const struct policy_match *m)
{
	text_lit(t, "{");
	json_pair(t, "set", m->rule->set);
	text_lit(t, ", ");
	json_pair(t, "policy", m->rule->name);
	text_lit(t, ", ");
	json_pair(t, "actions", m->actions);
	text_fmt(t, ", \"unknown\": %s, \"reasons\": [", m->is_unknown ? "true" : "false");
	for (size_t i = 0; i < m->reason_count; i++) {
		const struct policy_reason *r = &m->reasons[i];
		text_str(t, i ? ", {" : "{");
		json_pair(t, "comparison", r->source);
		text_fmt(t, ", \"holds\": %s", r->truth == POLICY_UNKNOWN ? "null" : r->truth == POLICY_TRUE ? "true" : "false");
		if (r->left.len) {
			text_lit(t, ", ");
			json_pair(t, "left", r->left);
			text_lit(t, ", ");
			json_pair(t, "value", bytes_cut(r->value, 0, 4096));
		}
		text_byte(t, '}');
	}
	text_lit(t, "]}");
}

static void json_request(struct text *t, const struct conf_request *q, const struct policy_outcome *o, struct bytes wrong, bool first)
{
	text_str(t, first ? "\n{" : ",\n{");
	json_pair(t, "file", q->file);
	text_fmt(t, ", \"line\": %u, ", q->line);
	json_pair(t, "name", q->name);
	if (q->policy.len) {
		text_lit(t, ", ");
		json_pair(t, "policy", q->policy);
		text_fmt(t, ", \"must_hit\": %s", q->must_hit ? "true" : "false");
	}
	text_lit(t, ", ");
	json_pair(t, "method", o->method);
	text_lit(t, ", ");
	json_pair(t, "target", o->target);
	text_lit(t, ", ");
	json_pair(t, "path", o->path);
	text_lit(t, ", ");
	json_pair(t, "server_path", o->server_path);
	text_lit(t, ", \"matches\": [");
	for (size_t i = 0; i < o->match_count; i++) {
		text_str(t, i ? ", " : "");
		json_match(t, &o->matches[i]);
	}
	text_lit(t, "], ");
	json_pair(t, "decision", o->decision);
	text_fmt(t, ", \"held\": %s, ", wrong.len ? "false" : "true");
	json_pair(t, "wrong", wrong);
	text_byte(t, '}');
}

/* --- expectations --- */

static bool has_match(const struct policy_outcome *o, struct bytes policy)
{
	for (size_t i = 0; i < o->match_count; i++)
		if (bytes_eq(o->matches[i].rule->name, policy) && !o->matches[i].is_unknown)
			return true;
	return false;
}

/* decision or its first words. */
static bool is_decision(struct bytes decision, struct bytes want)
{
	return bytes_starts(decision, want) && (decision.len == want.len || decision.at[want.len] == ' ');
}

static bool names_are(const struct policy_outcome *o, const struct bytes *names, size_t n)
{
	if (o->match_count != n || o->is_cut)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!bytes_eq(o->matches[i].rule->name, names[i]))
			return false;
	return true;
}

/* What is not as it must be, one per line; nothing when all is. */
static void compare(struct text *t, const struct conf_request *q, const struct policy_outcome *o)
{
	if (q->policy.len && !o->is_read)
		text_lit(t, "no policy sees this request: test another one");
	else if (q->policy.len && has_match(o, q->policy) != q->must_hit)
		text_fmt(t, "%.*s %s for this request", FMT(q->policy), q->must_hit ? "must hold" : "must not hold");
	if (!q->is_expected)
		return;
	if (q->decision.len && !is_decision(o->decision, q->decision))
		text_fmt(t, "%sthe decision must be %.*s", t->len ? "; " : "", FMT(q->decision));
	if (q->path.len && !bytes_eq(o->path, q->path)) {
		text_fmt(t, "%sthe path must be ", t->len ? "; " : "");
		shown(t, q->path);
	}
	if (q->names_policies && !names_are(o, q->policies, q->policy_count)) {
		text_fmt(t, "%sthe policies that hold must be [", t->len ? "; " : "");
		for (size_t i = 0; i < q->policy_count; i++)
			text_fmt(t, "%s%.*s", i ? ", " : "", FMT(q->policies[i]));
		text_byte(t, ']');
	}
}

static void run_one(struct policy_test *test, struct policy_runner *runner, const struct conf_request *q, bool first)
{
	static struct policy_outcome o;
	unsigned char mem[4096];
	struct text wrong;
	bool is_quiet;

	text_init(&wrong, mem, sizeof(mem));
	policy_runner_run(runner, q, q->policy.len > 0, &o);
	compare(&wrong, q, &o);
	test->held += wrong.len == 0;
	test->failed += wrong.len > 0;
	if (test->cli->as_json) {
		json_request(&test->out, q, &o, text_bytes(&wrong), first);
		return;
	}
	is_quiet = q->policy.len && wrong.len == 0;
	text_str(&test->out, wrong.len ? "FAILED " : q->policy.len || q->is_expected ? "ok " : "");
	if (q->policy.len)
		text_fmt(&test->out, "%.*s %s ", FMT(q->policy), q->must_hit ? "hits" : "misses");
	print_request(&test->out, q, &o);
	if (!is_quiet)
		print_outcome(&test->out, &o);
	if (wrong.len)
		text_fmt(&test->out, "    WRONG: %.*s\n", FMT(text_bytes(&wrong)));
}

/* --- files --- */

static void print_errors(const char *file, enum err e, const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct conf_error *f = &errors->list[i];
		fprintf(stderr, "%.*s:%u:%u: %s%.*s%s%.*s\n", FMT(f->file), f->line, f->column, f->is_warning ? "warning: " : "",
			FMT(f->what), f->hint.len ? "; " : "", FMT(f->hint));
	}
	if (e != OK && errors->count == 0)
		fprintf(stderr, "%s:1:1: %s\n", file, err_name(e));
}

static int run_all(const struct cli *cli, const struct conf *conf, const struct conf_requests *requests)
{
	struct policy_test test = { .cli = cli };
	struct policy_runner runner;
	struct arena arena;
	enum err e;

	arena_init_growing(&arena, 64u << 20);
	text_init_growing(&test.out, 64u << 20);
	if (policy_runner_init(&runner, conf, &arena) != OK)
		return cli_fail(1, "not enough memory");
	if (cli->as_json)
		text_lit(&test.out, "{\"requests\": [");
	for (size_t i = 0; i < requests->count; i++)
		run_one(&test, &runner, &requests->list[i], i == 0);
	if (cli->as_json)
		text_fmt(&test.out, "\n], \"held\": %zu, \"failed\": %zu}\n", test.held, test.failed);
	else
		text_fmt(&test.out, "%zu requests, %zu failed\n", requests->count, test.failed);
	e = test.out.failed ? ERR_LIMIT : fd_write_all(STDOUT_FILENO, text_bytes(&test.out));
	text_fini(&test.out);
	arena_fini(&arena);
	if (e != OK)
		return cli_fail(1, "the result cannot be written (%s)", err_name(e));
	return test.failed ? 1 : 0;
}

static int test_files(const struct cli *cli, const char *file, const char *requests_file)
{
	struct text text, requests_text;
	struct conf_requests requests;
	struct conf_errors errors = { 0 };
	struct disk_source disk;
	struct conf *conf = NULL;
	bool is_rule_set;
	enum err e;

	text_init_growing(&text, 16u << 20);
	text_init_growing(&requests_text, 16u << 20);
	if (file_read(file, &text) != OK)
		return cli_fail(2, "%s cannot be read", file);
	if (requests_file && file_read(requests_file, &requests_text) != OK)
		return cli_fail(2, "%s cannot be read", requests_file);
	disk_source_init(&disk, dirname(strdup(file)), cli->rules);
	is_rule_set = conf_is_rule_set(text_bytes(&text));
	e = is_rule_set ? conf_load_rule_set(bytes_str(file), text_bytes(&text), &disk.source, &conf, &errors) :
		conf_load(bytes_str(file), text_bytes(&text), &disk.source, &conf, &errors);
	if (e == OK && requests_file)
		e = conf_load_requests(conf, bytes_str(requests_file), text_bytes(&requests_text), &requests, &errors);
	else if (e == OK)
		e = conf_load_tests(conf, bytes_str(file), text_bytes(&text), is_rule_set, &requests, &errors);
	print_errors(file, e, &errors);
	if (e != OK)
		return 2;
	if (requests.count == 0)
		return cli_fail(2, "%s has no tests beside its policies; name a file of requests behind it", file);
	return run_all(cli, conf, &requests);
}

int cli_policy(const struct cli *cli, int argc, char **argv)
{
	if (argc < 2 || argc > 3 || strcmp(argv[0], "test") != 0)
		return cli_fail(2, "usage: sluis policy test FILE [REQUESTS]");
	if (cli_confine() != OK)
		return cli_fail(1, "this system does not let the test be confined");
	_exit(test_files(cli, argv[1], argc == 3 ? argv[2] : NULL)); /* straight out, as in check.c */
}
