/* sluis hunt for people: what was found by class and rule, a timeline, what the logs cover, and the verdict with its reasons. Findings of
 * one rule in one file are one row: a scan by a stranger makes thousands of lines. */
#include "cli/hunt_priv.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX     4000
#define EXCERPT_MOST 160

struct row {
	const char *rule, *title, *source; /* the packs' */
	char *where, *client, *excerpt;
	enum hunt_class class;
	enum hunt_confidence confidence;
	bool is_own;
	size_t count, excerpt_len;
	uint64_t first_us, last_us, line, offset;
	const char *when_how;
};
struct table {
	const struct cli *cli;
	FILE *to;
	struct row rows[ROWS_MAX];
	size_t count, more;
};

void hunt_print_quoted(FILE *to, struct bytes b, size_t most)
{
	for (size_t i = 0; i < b.len && i < most; i++) {
		if (b.at[i] >= ' ' && b.at[i] < 0x7f && b.at[i] != '\\')
			fputc(b.at[i], to);
		else if (b.at[i] == '\\')
			fputs("\\\\", to);
		else
			fprintf(to, "\\x%02x", b.at[i]);
	}
	if (b.len > most)
		fputs("...", to);
}

static void on_begin(void *ctx, const struct hunt_summary *s)
{
	(void)ctx;
	(void)s;
}

static char *copy(struct bytes b, size_t most)
{
	size_t n = b.len < most ? b.len : most;
	char *out = malloc(n + 1);

	if (out) {
		if (n)
			memcpy(out, b.at, n);
		out[n] = 0;
	}
	return out;
}

static struct row *row_of(struct table *t, const struct hunt_finding *f)
{
	struct row *r;

	for (size_t i = t->count; i-- > 0;) {
		r = &t->rows[i];
		if (r->rule == f->rule && r->is_own == f->is_own && r->where && strcmp(r->where, f->where) == 0)
			return r;
	}
	if (t->count == ROWS_MAX)
		return NULL;
	r = &t->rows[t->count++];
	*r = (struct row){ .rule = f->rule, .title = f->title, .source = f->source, .class = f->class, .confidence = f->confidence, .is_own = f->is_own,
		.line = f->line, .offset = f->offset, .when_how = f->when_how, .where = strdup(f->where), .client = copy(f->client, 64),
		.excerpt = copy(f->excerpt, EXCERPT_MOST), .excerpt_len = f->excerpt.len < EXCERPT_MOST ? f->excerpt.len : EXCERPT_MOST };
	return r;
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct table *t = ctx;
	struct row *r = row_of(t, f);

	if (!r) {
		t->more++;
		return;
	}
	r->count++;
	if (f->at_us && (!r->first_us || f->at_us < r->first_us))
		r->first_us = f->at_us;
	if (f->at_us > r->last_us)
		r->last_us = f->at_us;
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	struct table *t = ctx;

	fputs("sluis: ", stderr);
	hunt_print_quoted(stderr, bytes_str(where), 4096);
	fprintf(stderr, ": %s\n", what);
	(void)t;
}

static void print_row(struct table *t, const struct row *r)
{
	char at[25] = "-", to[25] = "";

	if (r->first_us)
		clock_rfc3339(r->first_us, at);
	if (r->last_us > r->first_us)
		clock_rfc3339(r->last_us, to);
	fprintf(t->to, "  [%s] %s: %s\n", hunt_confidence_name(r->confidence), r->rule, r->title);
	fputs("      ", t->to);
	hunt_print_quoted(t->to, bytes_str(r->where), 4096);
	if (r->line)
		fprintf(t->to, ":%llu", (unsigned long long)r->line);
	else if (r->offset)
		fprintf(t->to, "@%llu", (unsigned long long)r->offset);
	fprintf(t->to, "  x%zu  %s%s%s", r->count, at, *to ? " .. " : "", to);
	if (r->first_us && *r->when_how && strcmp(r->when_how, "log") != 0)
		fprintf(t->to, " (%s)", r->when_how);
	if (r->client && *r->client) {
		fputs("  ", t->to);
		hunt_print_quoted(t->to, bytes_str(r->client), 64);
	}
	fputs("\n      ", t->to);
	hunt_print_quoted(t->to, bytes_of(r->excerpt, r->excerpt ? r->excerpt_len : 0), EXCERPT_MOST);
	fprintf(t->to, "\n      %s\n", r->source);
}

static void print_group(struct table *t, enum hunt_class class, bool is_own, enum word title)
{
	bool any = false;

	for (size_t i = 0; i < t->count; i++) {
		if (t->rows[i].is_own != is_own || (!is_own && t->rows[i].class != class))
			continue;
		if (!any)
			cli_say(t->cli, t->to, title);
		any = true;
		print_row(t, &t->rows[i]);
	}
}

static int by_time(const void *pa, const void *pb)
{
	const struct row *a = pa, *b = pb;

	return a->first_us < b->first_us ? -1 : a->first_us > b->first_us;
}

static void print_timeline(struct table *t)
{
	bool any = false;

	qsort(t->rows, t->count, sizeof(t->rows[0]), by_time);
	for (size_t i = 0; i < t->count; i++) {
		const struct row *r = &t->rows[i];
		char at[25];

		if (!r->first_us || r->is_own)
			continue;
		if (!any)
			cli_say(t->cli, t->to, W_HUNT_TIMELINE);
		any = true;
		clock_rfc3339(r->first_us, at);
		fprintf(t->to, "  %s  %-10s %s  ", at, hunt_class_name(r->class), r->rule);
		hunt_print_quoted(t->to, bytes_str(r->client ? r->client : ""), 64);
		fputc('\n', t->to);
	}
}

static void print_coverage(struct table *t, const struct hunt_summary *s)
{
	char from[25], to[25];

	cli_say(t->cli, t->to, W_HUNT_COVERAGE);
	for (size_t i = 0; i < s->log_count; i++) {
		const struct hunt_log *log = &s->logs[i];

		if (!log->first_us) {
			cli_say(t->cli, t->to, W_HUNT_NO_LOG, log->kind);
			continue;
		}
		clock_rfc3339(log->first_us, from);
		clock_rfc3339(log->last_us, to);
		cli_say(t->cli, t->to, W_HUNT_LOG, log->kind, from, to, log->files, (unsigned long long)log->lines, (unsigned long long)log->damaged);
	}
}

static void on_end(void *ctx, const struct hunt_summary *s)
{
	static const enum word verdicts[] = { W_HUNT_V_NOTHING, W_HUNT_V_FOUND, W_HUNT_V_CANNOT_TELL };
	struct table *t = ctx;

	print_group(t, HUNT_COMPROMISE, false, W_HUNT_COMPROMISE);
	print_group(t, HUNT_PROBE, false, W_HUNT_PROBE);
	print_group(t, HUNT_ATTEMPT, false, W_HUNT_ATTEMPT);
	print_group(t, HUNT_TRACE, false, W_HUNT_TRACE);
	print_group(t, HUNT_TRACE, true, W_HUNT_OWN);
	if (t->more)
		cli_say(t->cli, t->to, W_HUNT_MORE, t->more);
	print_timeline(t);
	print_coverage(t, s);
	cli_say(t->cli, t->to, W_HUNT_READ, (unsigned long long)s->files, (double)s->bytes / 1e6, s->problems);
	cli_say(t->cli, t->to, W_HUNT_VERDICT, cli_word(t->cli, verdicts[s->verdict]));
	for (size_t i = 0; i < s->reason_count; i++)
		fprintf(t->to, "  - %s\n", s->reasons[i]);
	fflush(t->to);
	for (size_t i = 0; i < t->count; i++) {
		free(t->rows[i].where);
		free(t->rows[i].client);
		free(t->rows[i].excerpt);
	}
	t->count = 0;
}

struct hunt_output hunt_table_output(const struct cli *cli, FILE *to)
{
	static struct table t;

	t.cli = cli;
	t.to = to;
	return (struct hunt_output){ on_begin, on_finding, on_problem, on_end, &t };
}
