/* sluis plan list, show, next and export: reads plans and changes none. */
#define _GNU_SOURCE
#include "cli/plan_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "cli/files.h"
#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void print_json(json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(j);
}

/* The part of a head that is divided by |. */
static struct bytes head_part(const char *head, size_t n)
{
	while (n-- && strchr(head, '|'))
		head = strchr(head, '|') + 1;
	return bytes_of(head, strcspn(head, "|"));
}

static bool is_plan(const char *name, void *ctx)
{
	(void)ctx;
	return bytes_ends(bytes_str(name), BYTES(".json"));
}

static void list_row(const struct plan_call *c, const struct plan *p, json_t *rows)
{
	char made[25], id[2100], appliance[2100], advisory[2100], count[40];
	const json_t *first = json_array_get(json_object_get(plan_json(p), "history"), 0);

	clock_rfc3339((uint64_t)json_integer_value(json_object_get(first, "at_us")), made);
	if (c->cli->as_json) {
		json_array_append_new(rows, json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:s}", "id", plan_text(p, "id", PLAN_EN), "appliance",
			plan_text(p, "appliance", PLAN_EN), "advisory", plan_text(p, "advisory", PLAN_EN), "template", plan_text(p, "template", PLAN_EN),
			"done", (json_int_t)plan_done_count(p), "steps", (json_int_t)plan_count(p), "made", made));
		return;
	}
	snprintf(count, sizeof(count), "%zu/%zu", plan_done_count(p), plan_count(p));
	printf("%-28s  %-20s  %-16s  %-7s  %.19s\n", plan_clean(plan_text(p, "id", PLAN_EN), id), plan_clean(plan_text(p, "appliance", PLAN_EN), appliance),
		plan_clean(plan_text(p, "advisory", PLAN_EN), advisory), count, made);
}

int plan_call_list(struct plan_call *c)
{
	const char *head = cli_word(c->cli, W_PLAN_LIST_HEAD);
	size_t count = 0;
	char **names = names_in(c->dir, is_plan, NULL, &count);
	json_t *rows = json_array();
	int status = 0;

	if (!names && errno != ENOENT)
		status = cli_fail_in(c->cli, W_PLAN_FOLDER, c->dir, strerror(errno));
	else if (!c->cli->as_json && count == 0)
		cli_say(c->cli, stdout, W_PLAN_NONE, c->dir);
	else if (!c->cli->as_json)
		printf("%-28.*s  %-20.*s  %-16.*s  %-7.*s  %.*s\n", FMT(head_part(head, 0)), FMT(head_part(head, 1)), FMT(head_part(head, 2)),
			FMT(head_part(head, 3)), FMT(head_part(head, 4)));
	for (size_t i = 0; i < count; i++) {
		struct plan *p;

		names[i][strlen(names[i]) - 5] = 0;
		p = plan_load(c, names[i]);
		if (p)
			list_row(c, p, rows);
		else
			status = 1;
		plan_free(&p);
	}
	if (c->cli->as_json)
		print_json(json_pack("{s:O}", "plans", rows));
	json_decref(rows);
	names_free(names, count);
	return status;
}

static void print_steps(const struct plan_call *c, const struct plan *p, bool ready_only)
{
	static const enum word states[PLAN_STATE_COUNT] = { W_PLAN_W_DONE, W_PLAN_W_READY, W_PLAN_W_WAITING };
	const char *head = cli_word(c->cli, W_PLAN_STEP_HEAD);

	printf("%-20.*s  %-16.*s  %.*s\n", FMT(head_part(head, 0)), FMT(head_part(head, 1)), FMT(head_part(head, 2)));
	for (size_t i = 0; i < plan_count(p); i++) {
		char title[2100], note[2100];
		struct plan_step s;

		plan_at(p, i, plan_language(c), &s);
		if (ready_only && s.state != PLAN_READY)
			continue;
		printf("%-20s  %-16s  %s\n", s.id, cli_word(c->cli, states[s.state]), plan_clean(s.title, title));
		if (ready_only) {
			printf("    %s\n", plan_clean(s.how, note));
			for (size_t k = 0; k < json_array_size(s.commands); k++)
				printf("    $ %s\n", plan_clean(json_string_value(json_array_get(s.commands, k)), note));
			if (s.wants_evidence)
				printf("    (%s)\n", cli_word(c->cli, W_PLAN_W_WANTS));
		}
		if (s.state == PLAN_DONE) {
			char when[25];

			clock_rfc3339(s.at_us, when);
			printf("    %.19sZ  %s  %s%s%s\n", when, plan_clean(*s.by ? s.by : s.user, title), plan_clean(s.note, note),
				s.is_in_ledger ? "" : "  ", s.is_in_ledger ? "" : cli_word(c->cli, W_PLAN_W_NOT_LEDGER));
			if (*s.evidence)
				printf("    %s  sha256 %s  %llu B\n", plan_clean(s.evidence, note), s.sha256, (unsigned long long)s.evidence_size);
		}
	}
}

/* The plan as it is kept, with each step's state, which is not kept but follows. */
static json_t *with_states(const struct plan *p)
{
	json_t *all = json_deep_copy(plan_json(p)), *steps = json_object_get(all, "steps");

	for (size_t i = 0; i < plan_count(p); i++) {
		struct plan_step s;

		plan_at(p, i, PLAN_EN, &s);
		json_object_set_new(json_array_get(steps, i), "state", json_string(plan_state_name(s.state)));
	}
	return all;
}

int plan_call_show(struct plan_call *c)
{
	struct plan *p = plan_load(c, c->id);
	char title[2100];

	if (!p)
		return 1;
	if (c->cli->as_json) {
		print_json(with_states(p));
	} else {
		printf("%s\n", plan_clean(plan_text(p, "title", plan_language(c)), title));
		cli_say(c->cli, stdout, W_PLAN_PROGRESS, plan_done_count(p), plan_count(p));
		print_steps(c, p, false);
	}
	plan_free(&p);
	return 0;
}

int plan_call_next(struct plan_call *c)
{
	struct plan *p = plan_load(c, c->id);

	if (!p)
		return 1;
	if (c->cli->as_json) {
		json_t *all = with_states(p), *steps = json_object_get(all, "steps");

		for (size_t i = json_array_size(steps); i-- > 0;)
			if (strcmp(json_string_value(json_object_get(json_array_get(steps, i), "state")), "ready") != 0)
				json_array_remove(steps, i);
		print_json(json_pack("{s:s,s:O,s:b}", "plan", c->id, "steps", steps, "all_done", (int)(plan_done_count(p) == plan_count(p))));
		json_decref(all);
	} else if (plan_done_count(p) == plan_count(p)) {
		cli_say(c->cli, stdout, W_PLAN_ALL_DONE);
	} else {
		puts(cli_word(c->cli, W_PLAN_NEXT));
		print_steps(c, p, true);
	}
	plan_free(&p);
	return 0;
}

static struct plan_words words_of(const struct plan_call *c)
{
	static const enum word phases[] = { W_PLAN_P_CONTAIN, W_PLAN_P_PRESERVE, W_PLAN_P_EXAMINE, W_PLAN_P_REBUILD, W_PLAN_P_RENEW, W_PLAN_P_CONNECTED,
		W_PLAN_P_RETURN, W_PLAN_P_MONITOR };
	const struct cli *cli = c->cli;
	struct plan_words w = { .lang = cli->lang == LANG_NL ? "nl" : "en", .title = cli_word(cli, W_PLAN_W_TITLE),
		.advisory = cli_word(cli, W_PLAN_W_ADVISORY), .appliance = cli_word(cli, W_PLAN_W_APPLIANCE), .made = cli_word(cli, W_PLAN_W_MADE),
		.progress = cli_word(cli, W_PLAN_W_PROGRESS), .state = { cli_word(cli, W_PLAN_W_DONE), cli_word(cli, W_PLAN_W_READY),
			cli_word(cli, W_PLAN_W_WAITING) }, .after = cli_word(cli, W_PLAN_W_AFTER), .source = cli_word(cli, W_PLAN_W_SOURCE),
		.unconfirmed = cli_word(cli, W_PLAN_W_UNCONFIRMED), .who = cli_word(cli, W_PLAN_W_WHO), .when = cli_word(cli, W_PLAN_W_WHEN),
		.note = cli_word(cli, W_PLAN_W_NOTE), .evidence = cli_word(cli, W_PLAN_W_EVIDENCE), .wants_evidence = cli_word(cli, W_PLAN_W_WANTS),
		.not_in_ledger = cli_word(cli, W_PLAN_W_NOT_LEDGER), .history = cli_word(cli, W_PLAN_W_HISTORY), .step = cli_word(cli, W_PLAN_W_STEP),
		.taken_back = cli_word(cli, W_PLAN_W_BACK), .done_word = cli_word(cli, W_PLAN_W_DONE) };

	for (size_t i = 0; i < COUNT_OF(phases); i++)
		w.phases[i] = cli_word(cli, phases[i]);
	return w;
}

static int put_out(const struct plan_call *c, struct bytes b)
{
	struct output o;
	bool ok;

	if (!c->output) {
		fwrite(b.at, 1, b.len, stdout);
		return fflush(stdout) == 0 ? 0 : cli_fail_in(c->cli, W_PLAN_WRITE, "-", strerror(errno));
	}
	if (!output_open(&o, c->output, false))
		return cli_fail_in(c->cli, W_PLAN_WRITE, c->output, strerror(errno));
	ok = fd_write_all(o.fd, b) == OK && output_commit(&o, false);
	if (!ok) {
		int error = errno;

		output_drop(&o);
		return cli_fail_in(c->cli, W_PLAN_WRITE, c->output, strerror(error));
	}
	return 0;
}

int plan_call_export(struct plan_call *c)
{
	bool is_page = c->format && strcmp(c->format, "html") == 0;
	struct plan_words w = words_of(c);
	struct plan *p;
	struct text t;
	int status;

	if (!is_page && (!c->format || strcmp(c->format, "markdown") != 0)) {
		cli_fail_in(c->cli, W_PLAN_FORMAT);
		return 2;
	}
	p = plan_load(c, c->id);
	if (!p)
		return 1;
	text_init_growing(&t, 16 * PLAN_FILE_MAX);
	(is_page ? plan_page : plan_markdown)(p, plan_language(c), &w, &t);
	status = t.failed ? cli_fail_in(c->cli, W_PLAN_WRITE, c->output ? c->output : "-", err_name(ERR_LIMIT)) : put_out(c, text_bytes(&t));
	text_fini(&t);
	plan_free(&p);
	return status;
}
