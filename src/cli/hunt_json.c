/* sluis hunt --json: one object per line with ECS names; the last line is the verdict. */
#include "cli/hunt_priv.h"

#include "base/clock.h"
#include "json/write.h"
#include "net/addr.h"

#include <stdio.h>
#include <string.h>

#define LINE_MOST (8u << 20) /* six octets for each that is examined in a line, several times */

static const char *const verdicts[] = { "nothing-found", "found", "cannot-tell" };

static void key(struct text *t, const char *name)
{
	text_lit(t, ",\"");
	text_str(t, name);
	text_lit(t, "\":");
}

static void put(struct text *t, const char *name, struct bytes b)
{
	if (b.len == 0)
		return;
	key(t, name);
	json_put_string(t, b);
}

static void put_str(struct text *t, const char *name, const char *value)
{
	put(t, name, bytes_str(value));
}

static void put_number(struct text *t, const char *name, uint64_t n)
{
	key(t, name);
	text_u64(t, n);
}

static void put_time(struct text *t, const char *name, uint64_t us)
{
	char at[25];

	if (!us)
		return;
	clock_rfc3339(us, at);
	put_str(t, name, at);
}

/* "A B" as ["A","B"]. */
static void put_words(struct text *t, const char *name, const char *words)
{
	bool first = true;

	if (!*words)
		return;
	key(t, name);
	for (const char *w = words; *w;) {
		size_t n = strcspn(w, " ");

		text_byte(t, first ? '[' : ',');
		json_put_string(t, bytes_of(w, n));
		first = false;
		w += n + (w[n] == ' ');
	}
	text_byte(t, ']');
}

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

static void put_request(struct text *t, const struct hunt_finding *f)
{
	struct addr addr;

	put(t, addr_parse_ip(f->client, &addr) == OK ? "source.ip" : "source.address", f->client);
	put(t, "http.request.method", f->method);
	put(t, "url.original", f->url);
	put(t, "user_agent.original", f->user_agent);
	put(t, "user.name", f->user);
	if (f->status)
		put_number(t, "http.response.status_code", f->status);
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct text t;
	char mode[8];

	text_init_growing(&t, LINE_MOST);
	text_lit(&t, "{\"event.kind\":\"alert\",\"event.module\":\"sluis\",\"event.dataset\":\"sluis.hunt\"");
	put_time(&t, "@timestamp", f->at_us);
	put_str(&t, "rule.id", f->rule);
	put_str(&t, "rule.name", f->title);
	put_str(&t, "rule.reference", f->source);
	put_words(&t, "vulnerability.id", f->advisories);
	put_str(&t, "file.path", f->path);
	put_str(&t, "log.file.path", f->where);
	put_str(&t, "sluis.class", hunt_class_name(f->class));
	put_str(&t, "sluis.confidence", hunt_confidence_name(f->confidence));
	if (f->line)
		put_number(&t, "sluis.line", f->line);
	if (f->has_offset || !f->line)
		put_number(&t, "sluis.offset", f->offset);
	put_str(&t, "sluis.time_from", f->when_how);
	put_request(&t, f);
	if (f->has_mode) {
		snprintf(mode, sizeof(mode), "%04o", f->mode & 07777u);
		put_str(&t, "file.mode", mode);
		snprintf(mode, sizeof(mode), "%u", f->uid % 1000000);
		put_str(&t, "file.uid", mode);
	}
	if (f->is_own)
		text_lit(&t, ",\"sluis.own\":true");
	put_str(&t, "sluis.note", f->note);
	put(&t, "message", f->excerpt);
	write_line(ctx, &t);
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	struct text t;

	text_init_growing(&t, LINE_MOST);
	text_lit(&t, "{\"event.kind\":\"pipeline_error\",\"event.module\":\"sluis\",\"event.dataset\":\"sluis.hunt\"");
	put_str(&t, "log.file.path", where);
	put_str(&t, "error.message", what);
	write_line(ctx, &t);
}

static void put_list(struct text *t, const char *name, const char *const *list, size_t count)
{
	key(t, name);
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
	key(t, "sluis.coverage");
	text_byte(t, '[');
	for (size_t i = 0; i < s->log_count; i++) {
		text_str(t, i ? ",{\"log\":" : "{\"log\":");
		json_put_string(t, bytes_str(s->logs[i].kind));
		put_time(t, "first", s->logs[i].first_us);
		put_time(t, "last", s->logs[i].last_us);
		put_number(t, "lines", s->logs[i].lines);
		put_number(t, "damaged", s->logs[i].damaged);
		put_number(t, "files", s->logs[i].files);
		text_byte(t, '}');
	}
	text_byte(t, ']');
}

static void on_end(void *ctx, const struct hunt_summary *s)
{
	struct text t;

	text_init_growing(&t, LINE_MOST);
	text_lit(&t, "{\"event.kind\":\"state\",\"event.module\":\"sluis\",\"event.dataset\":\"sluis.hunt\"");
	put_time(&t, "@timestamp", s->end_us);
	put_str(&t, "sluis.verdict", verdicts[s->verdict]);
	key(&t, "sluis.counts");
	text_byte(&t, '{');
	for (unsigned i = 0; i < HUNT_CLASS_COUNT; i++)
		text_fmt(&t, "\"%s\":%zu,", hunt_class_name((enum hunt_class)i), s->counts[i]);
	text_fmt(&t, "\"own\":%zu}", s->own);
	put_number(&t, "sluis.problems", s->problems);
	put_number(&t, "sluis.files", s->files);
	put_number(&t, "sluis.bytes", s->bytes);
	put_time(&t, "sluis.exposed.from", s->exposed_from_us);
	put_time(&t, "sluis.exposed.to", s->exposed_to_us);
	text_fmt(&t, ",\"sluis.covered\":%s", s->is_covered && s->exposed_from_us ? "true" : "false");
	put_list(&t, "sluis.reasons", s->reasons, s->reason_count);
	put_coverage(&t, s);
	put_list(&t, "sluis.packs", s->packs, s->pack_count);
	put_str(&t, "sluis.version", s->version);
	put_str(&t, "host.name", s->host);
	put_time(&t, "event.start", s->begin_us);
	put_time(&t, "event.end", s->end_us);
	write_line(ctx, &t);
	fflush(ctx);
}

struct hunt_output hunt_json_output(FILE *to)
{
	return (struct hunt_output){ on_begin, on_finding, on_problem, on_end, to };
}
