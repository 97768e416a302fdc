/* The scan takes files; a piece of a log that grows is put to it as a file of its own, which has just been changed. What it remembers from
 * file to file (halves of pairs) holds over pieces too. */
#include "watch/live.h"

#include <stdlib.h>

struct live {
	struct hunt_scan *scan;
	struct hunt_output output;
	struct alert_group *group;
	void (*on_problem)(void *ctx, const char *where, const char *what);
	void *ctx;
	const struct live_lines *in;
};

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct live *l = ctx;
	struct hunt_finding live = *f;

	if (*l->in->where) {
		live.line = f->line ? f->line + l->in->line - 1 : 0;
		live.offset = f->has_offset ? f->offset + l->in->offset : 0;
	} else { /* it was answered just now: line and file of a log that is none say nothing */
		live.line = 0;
		live.has_offset = false;
		live.path = live.where = "";
		live.when_how = "request";
	}
	alert_group_take(l->group, &live, l->in->source, l->in->now_us);
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	struct live *l = ctx;

	if (l->on_problem)
		l->on_problem(l->ctx, where, what);
}

static void on_nothing(void *ctx, const struct hunt_summary *s)
{
	(void)ctx, (void)s;
}

struct live *live_new(struct hunt_rules *rules, struct hunt_layout *layout, struct alert_group *group,
	void (*problem)(void *ctx, const char *where, const char *what), void *ctx)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->group = group;
	l->on_problem = problem;
	l->ctx = ctx;
	l->output = (struct hunt_output){ .begin = on_nothing, .finding = on_finding, .problem = on_problem, .end = on_nothing, .ctx = l };
	l->scan = hunt_scan_new(rules, layout, &l->output);
	if (!l->scan)
		live_free(&l);
	return l;
}

void live_free(struct live **pl)
{
	struct live *l = *pl;

	*pl = NULL;
	if (!l)
		return;
	hunt_scan_free(&l->scan);
	free(l);
}

void live_take(struct live *l, const struct live_lines *in)
{
	const struct hunt_file file = { .path = in->path, .where = in->where, .kind = HUNT_REGULAR, .user = "", .group = "", .target = "",
		.has_times = true, .mtime_s = (int64_t)(in->now_us / 1000000), .size = in->lines.len };
	struct hunt_sink sink = hunt_scan_sink(l->scan);

	if (in->lines.len == 0)
		return;
	l->in = in;
	if (sink.file(sink.ctx, &file)) {
		sink.bytes(sink.ctx, in->lines, 0);
		sink.end(sink.ctx, OK);
	}
	l->in = NULL;
}

const char *live_path_of(struct hunt_layout *layout, const char *log)
{
	int i = hunt_layout_log_of(layout, log);

	return i < 0 ? NULL : hunt_layout_log(layout, (size_t)i)->example;
}
