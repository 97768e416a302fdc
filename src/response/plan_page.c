/* A plan to hand over: Markdown for a case file, and one HTML page that can be printed and signed. Notes and names were typed by
 * somebody, and names of systems may come from an attacker's traffic: all of them are escaped. */
#include "response/plan_priv.h"

#include "base/html.h"

#include <string.h>

static const char style[] =
	"body{max-width:60rem}h1{line-height:1.2;margin-bottom:.25rem}h2{margin-top:2.5rem;border-bottom:2px solid var(--line)}.soft{color:var(--soft)}"
	"dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dl.facts dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
	"section.step{border-left:5px solid var(--line);padding:.1rem 1rem .4rem;margin:1rem 0;break-inside:avoid}section.done{border-color:var(--good)}"
	"section.ready{border-color:var(--act)}h3{margin:.3rem 0}.state{font-size:.8rem;border:1px solid;border-radius:1rem;padding:.1rem .6rem;"
	"margin-left:.5rem;white-space:nowrap;font-weight:400}.done .state{color:var(--good)}.ready .state{color:var(--act)}.waiting .state{color:var(--soft)}"
	"code{font-size:.9em;overflow-wrap:anywhere}pre{border:1px solid var(--line);padding:.5rem;overflow-x:auto;white-space:pre-wrap}"
	".proof{font-size:.9rem;border-top:1px solid var(--line);padding-top:.3rem}progress{width:100%;height:1rem}@media print{body{max-width:none}h2{margin-top:1.2rem}}";

static void put_time(struct text *t, uint64_t us)
{
	html_time(t, us);
	text_lit(t, " UTC");
}

const char *plan_phase(const struct plan_words *w, const char *phase)
{
	size_t n = strlen(phase);

	for (size_t i = 0; i < COUNT_OF(w->phases) && w->phases[i]; i++)
		if (strncmp(w->phases[i], phase, n) == 0 && w->phases[i][n] == '=')
			return w->phases[i] + n + 1;
	return phase;
}

static uint64_t made_us(const struct plan *p)
{
	return (uint64_t)json_integer_value(json_object_get(json_array_get(json_object_get(p->root, "history"), 0), "at_us"));
}

/* --- Markdown --- */

/* What Markdown or HTML in it would take for its own is escaped; a line feed ends no paragraph. */
static void put_md(struct text *t, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n') {
			text_lit(t, "  \n");
			continue;
		}
		if (*s == '<' || *s == '&') {
			text_str(t, *s == '<' ? "&lt;" : "&amp;");
			continue;
		}
		if (strchr("\\`*_[]#|>!~", *s))
			text_byte(t, '\\');
		text_byte(t, (unsigned char)*s);
	}
}

static void put_md_fact(struct text *t, const char *word, const char *value)
{
	text_fmt(t, "- **%s:** ", word);
	put_md(t, value);
	text_byte(t, '\n');
}

static void put_md_proof(struct text *t, const struct plan_step *s, const struct plan_words *w)
{
	text_fmt(t, "- **%s:** ", w->who);
	put_md(t, *s->by ? s->by : s->user);
	text_fmt(t, " (%s, uid %u), ", s->user, s->uid);
	put_time(t, s->at_us);
	text_fmt(t, "%s%s\n", s->is_in_ledger ? "" : "; ", s->is_in_ledger ? "" : w->not_in_ledger);
	if (*s->note)
		put_md_fact(t, w->note, s->note);
	if (*s->evidence) {
		put_md_fact(t, w->evidence, s->evidence);
		text_fmt(t, "  - SHA-256 `%s`, %llu B\n", s->sha256, (unsigned long long)s->evidence_size);
	}
}

static void put_after(struct text *t, const struct plan_step *s)
{
	for (size_t i = 0; i < json_array_size(s->after); i++) {
		text_str(t, i ? ", " : "");
		text_str(t, json_string_value(json_array_get(s->after, i)));
	}
}

static void put_md_step(struct text *t, const struct plan_step *s, const struct plan_words *w)
{
	text_fmt(t, "### [%c] ", s->state == PLAN_DONE ? 'x' : ' ');
	put_md(t, s->title);
	text_fmt(t, " (`%s`, %s)\n\n", s->id, w->state[s->state]);
	put_md(t, s->how);
	text_lit(t, "\n\n");
	if (json_array_size(s->commands)) {
		text_lit(t, "```\n");
		for (size_t i = 0; i < json_array_size(s->commands); i++)
			text_fmt(t, "%s\n", json_string_value(json_array_get(s->commands, i)));
		text_lit(t, "```\n\n");
	}
	if (json_array_size(s->after)) {
		text_fmt(t, "- **%s:** ", w->after);
		put_after(t, s);
		text_byte(t, '\n');
	}
	if (s->wants_evidence && s->state != PLAN_DONE)
		text_fmt(t, "- %s\n", w->wants_evidence);
	if (s->state == PLAN_DONE)
		put_md_proof(t, s, w);
	put_md_fact(t, w->source, s->source);
	if (*s->unconfirmed)
		put_md_fact(t, w->unconfirmed, s->unconfirmed);
	text_byte(t, '\n');
}

void plan_markdown(const struct plan *p, enum plan_lang l, const struct plan_words *w, struct text *t)
{
	const char *phase = "";

	text_lit(t, "# ");
	put_md(t, plan_text(p, "title", l));
	text_lit(t, "\n\n");
	put_md_fact(t, w->title, plan_text(p, "id", l));
	put_md_fact(t, w->appliance, plan_text(p, "appliance", l));
	put_md_fact(t, w->advisory, plan_text(p, "advisory", l));
	text_fmt(t, "- **%s:** ", w->made);
	put_time(t, made_us(p));
	text_fmt(t, "\n- **%s:** %zu / %zu\n\n", w->progress, plan_done_count(p), plan_count(p));
	put_md(t, plan_text(p, "about", l));
	text_lit(t, "\n\n");
	for (size_t i = 0; i < plan_count(p); i++) {
		struct plan_step s;

		plan_at(p, i, l, &s);
		if (strcmp(s.phase, phase) != 0)
			text_fmt(t, "## %s\n\n", plan_phase(w, s.phase));
		phase = s.phase;
		put_md_step(t, &s, w);
	}
}

/* --- HTML --- */

static void put(struct text *t, const char *s)
{
	text_html(t, bytes_str(s));
}

static void put_lines(struct text *t, const char *s)
{
	while (*s) {
		size_t n = strcspn(s, "\n");

		text_html(t, bytes_of(s, n));
		s += n;
		if (*s) {
			text_lit(t, "<br>\n");
			s++;
		}
	}
}

static void put_fact(struct text *t, const char *word, const char *value)
{
	text_lit(t, "<dt>");
	put(t, word);
	text_lit(t, "</dt><dd>");
	put_lines(t, value);
	text_lit(t, "</dd>\n");
}

static void put_proof(struct text *t, const struct plan_step *s, const struct plan_words *w)
{
	text_lit(t, "<dl class=\"facts proof\"><dt>");
	put(t, w->who);
	text_lit(t, "</dt><dd>");
	put(t, *s->by ? s->by : s->user);
	text_lit(t, " (");
	put(t, s->user);
	text_fmt(t, ", uid %u)</dd><dt>", s->uid);
	put(t, w->when);
	text_lit(t, "</dt><dd>");
	put_time(t, s->at_us);
	if (!s->is_in_ledger) {
		text_lit(t, "; ");
		put(t, w->not_in_ledger);
	}
	text_lit(t, "</dd>\n");
	if (*s->note)
		put_fact(t, w->note, s->note);
	if (*s->evidence) {
		put_fact(t, w->evidence, s->evidence);
		text_fmt(t, "<dt>SHA-256</dt><dd><code>");
		put(t, s->sha256);
		text_fmt(t, "</code>, %llu B</dd>\n", (unsigned long long)s->evidence_size);
	}
	text_lit(t, "</dl>\n");
}

static void put_commands(struct text *t, const struct plan_step *s)
{
	if (json_array_size(s->commands) == 0)
		return;
	text_lit(t, "<pre>");
	for (size_t i = 0; i < json_array_size(s->commands); i++) {
		put(t, json_string_value(json_array_get(s->commands, i)));
		text_byte(t, '\n');
	}
	text_lit(t, "</pre>\n");
}

static void put_step(struct text *t, const struct plan_step *s, const struct plan_words *w)
{
	text_fmt(t, "<section class=\"step %s\">\n<h3>", plan_state_name(s->state));
	text_str(t, s->state == PLAN_DONE ? "&#9745; " : "&#9744; ");
	put(t, s->title);
	text_lit(t, " <span class=\"state\">");
	put(t, w->state[s->state]);
	text_lit(t, "</span></h3>\n<p>");
	put_lines(t, s->how);
	text_lit(t, "</p>\n");
	put_commands(t, s);
	text_lit(t, "<p class=\"soft\"><code>");
	put(t, s->id);
	text_lit(t, "</code>");
	if (json_array_size(s->after)) {
		text_lit(t, " &#183; ");
		put(t, w->after);
		text_lit(t, ": ");
		put_after(t, s);
	}
	if (s->wants_evidence) {
		text_lit(t, " &#183; ");
		put(t, w->wants_evidence);
	}
	text_lit(t, "<br>");
	put(t, w->source);
	text_lit(t, ": ");
	put(t, s->source);
	if (*s->unconfirmed) {
		text_lit(t, "<br>");
		put(t, w->unconfirmed);
		text_lit(t, ": ");
		put(t, s->unconfirmed);
	}
	text_lit(t, "</p>\n");
	if (s->state == PLAN_DONE)
		put_proof(t, s, w);
	text_lit(t, "</section>\n");
}

static void put_history(struct text *t, const struct plan *p, const struct plan_words *w)
{
	const json_t *history = json_object_get(p->root, "history");
	const char *const heads[] = { w->when, w->step, w->who, w->note };

	text_lit(t, "<h2>");
	put(t, w->history);
	text_lit(t, "</h2>\n<table><tr>");
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		text_lit(t, "<th>");
		put(t, heads[i]);
		text_lit(t, "</th>");
	}
	text_lit(t, "</tr>\n");
	for (size_t i = 0; i < json_array_size(history); i++) {
		const json_t *h = json_array_get(history, i);
		const char *what = json_string_value(json_object_get(h, "what")), *by = json_string_value(json_object_get(h, "by"));

		text_lit(t, "<tr><td>");
		put_time(t, (uint64_t)json_integer_value(json_object_get(h, "at_us")));
		text_lit(t, "</td><td>");
		put(t, strcmp(what, "new") == 0 ? w->made : json_string_value(json_object_get(h, "step")));
		text_lit(t, " ");
		put(t, strcmp(what, "undo") == 0 ? w->taken_back : strcmp(what, "done") == 0 ? w->done_word : "");
		text_lit(t, "</td><td>");
		put(t, *by ? by : json_string_value(json_object_get(h, "user")));
		text_lit(t, "</td><td>");
		put_lines(t, json_string_value(json_object_get(h, "note")));
		text_lit(t, "</td></tr>\n");
	}
	text_lit(t, "</table>\n");
}

static void put_head(struct text *t, const struct plan *p, enum plan_lang l, const struct plan_words *w)
{
	html_begin(t, w->lang, bytes_str(plan_text(p, "title", l)), style);
	text_lit(t, "<h1>");
	put(t, plan_text(p, "title", l));
	text_lit(t, "</h1>\n<dl class=\"facts\">\n");
	put_fact(t, w->title, plan_text(p, "id", l));
	put_fact(t, w->appliance, plan_text(p, "appliance", l));
	put_fact(t, w->advisory, plan_text(p, "advisory", l));
	text_lit(t, "<dt>");
	put(t, w->made);
	text_lit(t, "</dt><dd>");
	put_time(t, made_us(p));
	text_lit(t, ", ");
	put(t, plan_text(p, "user", l));
	text_lit(t, "</dd><dt>");
	put(t, w->progress);
	text_fmt(t, "</dt><dd>%zu / %zu<br><progress max=\"%zu\" value=\"%zu\"></progress></dd></dl>\n<p>", plan_done_count(p), plan_count(p), plan_count(p),
		plan_done_count(p));
	put_lines(t, plan_text(p, "about", l));
	text_lit(t, "</p>\n");
}

void plan_page(const struct plan *p, enum plan_lang l, const struct plan_words *w, struct text *t)
{
	const char *phase = "";

	put_head(t, p, l, w);
	for (size_t i = 0; i < plan_count(p); i++) {
		struct plan_step s;

		plan_at(p, i, l, &s);
		if (strcmp(s.phase, phase) != 0) {
			text_lit(t, "<h2>");
			put(t, plan_phase(w, s.phase));
			text_lit(t, "</h2>\n");
		}
		phase = s.phase;
		put_step(t, &s, w);
	}
	put_history(t, p, w);
	text_lit(t, "</body>\n</html>\n");
}
