/* sluis hunt --json: one object per line with ECS names; the last line is the verdict. */
#include "cli/hunt_priv.h"

#include "hunt/ecs.h"
#include "json/write.h"

#include <stdio.h>
#include <string.h>

#define LINE_MOST (8u << 20) /* six octets for each that is examined in a line, several times */

static const char *const verdicts[] = { "nothing-found", "found", "cannot-tell" };

/* Whoever is looked for chose some of the texts: however long they are, a finding is never left out for it. */
static void write_line(FILE *to, struct text *t)
{
	text_lit(t, "}\n");
	CHECK(!t->failed);
	fwrite(t->at, 1, t->len, to);
	text_fini(t);
}

static void on_begin(void *ctx, const struct hunt_summary *s)
{
	(void)ctx;
	(void)s;
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct text t;

	text_init_growing(&t, LINE_MOST);
	text_lit(&t, "{\"event.kind\":\"alert\",\"event.module\":\"sluis\",\"event.dataset\":\"sluis.hunt\"");
	hunt_ecs_finding(&t, f);
	write_line(ctx, &t);
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	struct text t;

	text_init_growing(&t, LINE_MOST);
	text_lit(&t, "{\"event.kind\":\"pipeline_error\",\"event.module\":\"sluis\",\"event.dataset\":\"sluis.hunt\"");
	hunt_ecs_str(&t, "log.file.path", where);
	hunt_ecs_str(&t, "error.message", what);
	write_line(ctx, &t);
}

static void put_list(struct text *t, const char *name, const char *const *list, size_t count)
{
	hunt_ecs_key(t, name);
	text_byte(t, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			text_byte(t, ',');
		json_put_string(t, bytes_str(list[i]));
	}
	text_byte(t, ']');
}

static void put_coverage(struct text *t, const struct hunt_summary *s)
{
	hunt_ecs_key(t, "sluis.coverage");
	text_byte(t, '[');
	for (size_t i = 0; i < s->log_count; i++) {
		text_str(t, i ? ",{\"log\":" : "{\"log\":");
		json_put_string(t, bytes_str(s->logs[i].kind));
		hunt_ecs_time(t, "first", s->logs[i].first_us);
		hunt_ecs_time(t, "last", s->logs[i].last_us);
		hunt_ecs_number(t, "lines", s->logs[i].lines);
		hunt_ecs_number(t, "damaged", s->logs[i].damaged);
		hunt_ecs_number(t, "files", s->logs[i].files);
		text_byte(t, '}');
	}
	text_byte(t, ']');
}

static void on_end(void *ctx, const struct hunt_summary *s)
{
	struct text t;

	text_init_growing(&t, LINE_MOST);
	text_lit(&t, "{\"event.kind\":\"state\",\"event.module\":\"sluis\",\"event.dataset\":\"sluis.hunt\"");
	hunt_ecs_time(&t, "@timestamp", s->end_us);
	hunt_ecs_str(&t, "sluis.verdict", verdicts[s->verdict]);
	hunt_ecs_key(&t, "sluis.counts");
	text_byte(&t, '{');
	for (unsigned i = 0; i < HUNT_CLASS_COUNT; i++)
		text_fmt(&t, "\"%s\":%zu,", hunt_class_name((enum hunt_class)i), s->counts[i]);
	text_fmt(&t, "\"own\":%zu}", s->own);
	hunt_ecs_number(&t, "sluis.problems", s->problems);
	hunt_ecs_number(&t, "sluis.files", s->files);
	hunt_ecs_number(&t, "sluis.bytes", s->bytes);
	hunt_ecs_time(&t, "sluis.exposed.from", s->exposed_from_us);
	hunt_ecs_time(&t, "sluis.exposed.to", s->exposed_to_us);
	text_fmt(&t, ",\"sluis.covered\":%s", s->is_covered && s->exposed_from_us ? "true" : "false");
	put_list(&t, "sluis.reasons", s->reasons, s->reason_count);
	put_coverage(&t, s);
	put_list(&t, "sluis.packs", s->packs, s->pack_count);
	hunt_ecs_str(&t, "sluis.version", s->version);
	hunt_ecs_str(&t, "host.name", s->host);
	hunt_ecs_time(&t, "event.start", s->begin_us);
	hunt_ecs_time(&t, "event.end", s->end_us);
	write_line(ctx, &t);
	fflush(ctx);
}

struct hunt_output hunt_json_output(FILE *to)
{
	return (struct hunt_output){ on_begin, on_finding, on_problem, on_end, to };
}
