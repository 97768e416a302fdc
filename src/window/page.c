/* HTML, CSS and SVG by hand. Every text of the ledger was chosen by somebody outside, so all of them go through text_html. */
#include "window/page.h"

#include "base/html.h"

#include <math.h>

#define BARS_MOST  60
#define NODES_MOST 36
#define BAR_WIDTH  600.0

static const char style[] = "td.n,th.n{text-align:right;white-space:nowrap}.note{border-left:4px solid var(--warn);padding:.2rem .8rem}.bar{fill:var(--act)}"
	".bar2{fill:var(--warn)}.edge{stroke:var(--line);stroke-width:1.5}.wrap{overflow-x:auto}";

static void put_words(struct text *t, const char *s)
{
	text_html(t, bytes_str(s));
}

void window_bytes(struct text *t, uint64_t n)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double v = (double)n;
	size_t u = 0;

	while (v >= 1000 && u + 1 < COUNT_OF(units)) {
		v /= 1000;
		u++;
	}
	if (u == 0)
		text_fmt(t, "%llu B", (unsigned long long)n);
	else
		text_fmt(t, "%.1f %s", v, units[u]);
}

/* The other end, seen from what was asked for. */
static struct bytes other_end(const struct window_view *v, const struct window_row *r)
{
	if (v->with.len && (bytes_eq(r->c.client, v->with) || bytes_eq(r->c.user, v->with)))
		return r->c.target;
	return r->c.client;
}

static void put_timeline(struct text *t, const struct window_view *v)
{
	double span = v->to_us > v->from_us ? (double)(v->to_us - v->from_us) : 1;
	size_t n = v->count < BARS_MOST ? v->count : BARS_MOST;

	text_fmt(t, "<h2>%s</h2>\n<svg viewBox=\"0 0 960 %zu\" role=\"img\" aria-label=\"", v->words->timeline, 18 * n + 30);
	put_words(t, v->words->timeline);
	text_lit(t, "\">\n<text x=\"330\" y=\"12\">");
	html_time(t, v->from_us);
	text_lit(t, "</text><text x=\"930\" y=\"12\" text-anchor=\"end\">");
	html_time(t, v->to_us);
	text_lit(t, "</text>\n");
	for (size_t i = 0; i < n; i++) {
		const struct window_row *r = &v->rows[i];
		double x = BAR_WIDTH * (double)(r->c.first_us - v->from_us) / span, w = BAR_WIDTH * (double)(r->c.last_us - r->c.first_us) / span;

		text_fmt(t, "<text x=\"320\" y=\"%zu\" text-anchor=\"end\">", 18 * i + 33);
		text_html(t, bytes_cut(r->c.client, 0, 22));
		text_lit(t, " &#8594; ");
		text_html(t, bytes_cut(r->c.target, 0, 22));
		text_fmt(t, "</text><rect class=\"%s\" x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"12\"><title>", r->hop > 1 ? "bar2" : "bar", 330 + x,
			18 * i + 23, w < 2 ? 2 : w);
		html_time(t, r->c.first_us);
		text_lit(t, " &#8211; ");
		html_time(t, r->c.last_us);
		text_lit(t, "</title></rect>\n");
	}
	text_lit(t, "</svg>\n");
}

static void put_node(struct text *t, struct bytes name, double x, double y, bool is_far)
{
	text_fmt(t, "<circle class=\"%s\" cx=\"%.0f\" cy=\"%.0f\" r=\"6\"/><text x=\"%.0f\" y=\"%.0f\" text-anchor=\"%s\">", is_far ? "bar2" : "bar", x, y,
		x + (x < 480 ? -10 : 10), y + 4, x < 480 ? "end" : "start");
	text_html(t, bytes_cut(name, 0, 40));
	text_lit(t, "</text>\n");
}

/* X in the middle, the systems around it, the second step on an outer ring. */
static void put_graph(struct text *t, const struct window_view *v)
{
	size_t n = v->count < NODES_MOST ? v->count : NODES_MOST;

	if (v->with.len == 0)
		return;
	text_fmt(t, "<h2>%s</h2>\n<svg viewBox=\"0 0 960 520\" role=\"img\" aria-label=\"", v->words->graph);
	put_words(t, v->words->graph);
	text_lit(t, "\">\n");
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			const struct window_row *r = &v->rows[i];
			double a = 6.28318530718 * (double)i / (double)n, far = r->hop > 1 ? 1.0 : 0.68;
			double x = 480 + 270 * far * cos(a), y = 260 + 230 * far * sin(a);

			if (pass == 0)
				text_fmt(t, "<line class=\"edge\" x1=\"480\" y1=\"260\" x2=\"%.0f\" y2=\"%.0f\"/>\n", x, y);
			else
				put_node(t, r->hop > 1 ? r->c.client : other_end(v, r), x, y, r->hop > 1);
		}
	text_lit(t, "<circle class=\"bar\" cx=\"480\" cy=\"260\" r=\"10\"/><text x=\"480\" y=\"285\" text-anchor=\"middle\" font-weight=\"bold\">");
	text_html(t, v->with);
	text_lit(t, "</text>\n</svg>\n");
}

static void put_row(struct text *t, const struct window_view *v, const struct window_row *r)
{
	const struct bytes texts[] = { r->c.client, r->c.user, r->c.target, r->c.name };

	text_lit(t, "<tr>");
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		text_lit(t, "<td>");
		text_html(t, texts[i]);
		text_lit(t, "</td>");
	}
	text_lit(t, "<td>");
	html_time(t, r->c.first_us);
	if (r->was_open) {
		text_lit(t, "<br><small>");
		put_words(t, v->words->before);
		text_lit(t, "</small>");
	}
	text_lit(t, "</td><td>");
	html_time(t, r->c.last_us);
	if (r->is_open) {
		text_lit(t, "<br><small>");
		put_words(t, v->words->open);
		text_lit(t, "</small>");
	}
	text_fmt(t, "</td><td class=\"n\">%llu</td><td class=\"n\">", (unsigned long long)r->c.opened);
	window_bytes(t, r->c.bytes_in);
	text_lit(t, "</td><td class=\"n\">");
	window_bytes(t, r->c.bytes_out);
	text_lit(t, "</td></tr>\n");
}

static void put_table(struct text *t, const struct window_view *v)
{
	const struct window_words *w = v->words;
	const char *const heads[] = { w->client, w->user, w->target, w->name, w->first, w->last, w->times, w->in, w->out };

	text_fmt(t, "<h2>%s</h2>\n<div class=\"wrap\"><table>\n<thead><tr>", w->systems);
	for (size_t i = 0; i < COUNT_OF(heads); i++)
		text_fmt(t, "<th scope=\"col\"%s>%s</th>", i > 5 ? " class=\"n\"" : "", heads[i]);
	text_lit(t, "</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < v->count; i++)
		put_row(t, v, &v->rows[i]);
	text_lit(t, "</tbody></table></div>\n");
	if (v->more) {
		text_fmt(t, "<p>%llu ", (unsigned long long)v->more);
		put_words(t, w->more);
		text_lit(t, "</p>\n");
	}
}

static void put_events(struct text *t, const struct window_view *v)
{
	text_fmt(t, "<h2>%s</h2>\n<div class=\"wrap\"><table>\n<tbody>\n", v->words->events);
	for (size_t i = 0; i < v->event_count; i++) {
		const struct window_event *e = &v->events[i];
		const struct bytes texts[] = { bytes_str(e->kind), e->user, e->from, e->what };

		text_lit(t, "<tr><td>");
		html_time(t, e->at_us);
		text_str(t, e->is_suspect ? " <strong>!</strong></td>" : "</td>");
		for (size_t k = 0; k < COUNT_OF(texts); k++) {
			text_lit(t, "<td>");
			text_html(t, texts[k]);
			text_lit(t, "</td>");
		}
		text_lit(t, "</tr>\n");
	}
	text_lit(t, "</tbody></table></div>\n");
	if (v->event_more) {
		text_fmt(t, "<p>%llu ", (unsigned long long)v->event_more);
		put_words(t, v->words->events_more);
		text_lit(t, "</p>\n");
	}
}

void window_page(struct text *t, const struct window_view *v)
{
	const struct window_words *w = v->words;

	html_begin(t, w->lang, bytes_str(w->title), style);
	text_fmt(t, "<h1>%s</h1>\n<p>%s ", w->title, w->from_to);
	html_time(t, v->from_us);
	text_lit(t, " &#8211; ");
	html_time(t, v->to_us);
	text_lit(t, " UTC");
	if (v->with.len) {
		text_fmt(t, "<br>%s <strong>", w->with);
		text_html(t, v->with);
		text_lit(t, "</strong>");
	}
	text_lit(t, "</p>\n");
	for (const char *const *n = v->notes; *n; n++) {
		text_lit(t, "<p class=\"note\">");
		put_words(t, *n);
		text_lit(t, "</p>\n");
	}
	if (v->count) {
		put_timeline(t, v);
		put_graph(t, v);
		put_table(t, v);
	}
	if (v->event_count)
		put_events(t, v);
	text_lit(t, "<p><small>");
	put_words(t, w->how);
	text_lit(t, "</small></p>\n</body>\n</html>\n");
}
