/* Findings are collected as table rows while they come, because the verdict, which stands first, is known last. Every text that came from
 * the examined system was chosen by a stranger and goes through text_html. */
#include "hunt/page.h"

#include "base/html.h"

#include <stdlib.h>

#define ROWS_MOST     (64u << 20)
#define PROBLEMS_MOST 500
#define DOTS_MOST     2000
#define WIDTH	      720.0

enum say { SAY_TITLE, SAY_NEXT, SAY_COVERAGE, SAY_TIMELINE, SAY_FINDINGS, SAY_PROBLEMS, SAY_LOG, SAY_LINES, SAY_FROM, SAY_TO, SAY_WINDOW, SAY_NO_LOGS, SAY_COVERED,
	SAY_NOT_COVERED, SAY_WHEN, SAY_WHAT, SAY_WHERE, SAY_EXCERPT, SAY_MORE, SAY_OWN, SAY_NONE, SAY_NO_WINDOW, SAY_REASONS, SAY_COUNT };

static const char *const words[SAY_COUNT][2] = {
	[SAY_TITLE] = { "Hunt for signs of compromise", "Zoektocht naar sporen van inbraak" },
	[SAY_NEXT] = { "What to do next", "Wat nu te doen" },
	[SAY_COVERAGE] = { "How far the logs reach", "Hoe ver de logboeken reiken" },
	[SAY_TIMELINE] = { "When", "Wanneer" },
	[SAY_FINDINGS] = { "Findings", "Bevindingen" },
	[SAY_PROBLEMS] = { "What could not be read, or was repaired", "Wat niet te lezen was, of is hersteld" },
	[SAY_LOG] = { "Log", "Logboek" },
	[SAY_LINES] = { "Lines", "Regels" },
	[SAY_FROM] = { "From (UTC)", "Van (UTC)" },
	[SAY_TO] = { "To (UTC)", "Tot (UTC)" },
	[SAY_WINDOW] = { "window of exposure", "periode van blootstelling" },
	[SAY_NO_LOGS] = { "No logs with times were found.", "Er zijn geen logboeken met tijden gevonden." },
	[SAY_COVERED] = { "The logs cover the window of exposure.", "De logboeken dekken de periode van blootstelling." },
	[SAY_NOT_COVERED] = { "The logs do not cover the whole window of exposure: for the rest there is no evidence, in either direction.",
		"De logboeken dekken niet de hele periode van blootstelling: voor de rest is er geen bewijs, in geen van beide richtingen." },
	[SAY_WHEN] = { "When (UTC)", "Wanneer (UTC)" },
	[SAY_WHAT] = { "What", "Wat" },
	[SAY_WHERE] = { "Where", "Waar" },
	[SAY_EXCERPT] = { "Excerpt", "Fragment" },
	[SAY_MORE] = { "Not shown here, but counted", "Hier niet getoond, wel geteld" },
	[SAY_OWN] = { "own or a known scanner's: not counted", "eigen of van een bekende scanner: niet geteld" },
	[SAY_NONE] = { "None.", "Geen." },
	[SAY_NO_WINDOW] = { "No window of exposure was given.", "Er is geen periode van blootstelling opgegeven." },
	[SAY_REASONS] = { "Why", "Waarom" },
};
static const char *const verdicts[][2] = {
	[HUNT_NOTHING_FOUND] = { "No known signs were found. This is no proof that there was no compromise.",
		"Er zijn geen bekende sporen gevonden. Dat bewijst niet dat er geen inbraak was." },
	[HUNT_FOUND] = { "Signs were found.", "Er zijn sporen gevonden." },
	[HUNT_CANNOT_TELL] = { "Cannot tell: what was there to look at is not enough.", "Niet vast te stellen: wat er te onderzoeken was, is niet genoeg." },
};
static const char *const compromised[2] = { "Evidence of compromise was found.", "Er is bewijs van inbraak gevonden." };
static const char *const advice[][2] = {
	[HUNT_NOTHING_FOUND] = { "Install the fixed build, keep these logs, and keep monitoring.", "Installeer de herstelde build, bewaar deze logboeken en blijf bewaken." },
	[HUNT_FOUND] = { "Have the findings judged by an expert today; keep the system as it is until then, and keep its evidence.",
		"Laat de bevindingen vandaag beoordelen door een deskundige; laat het systeem tot dan zoals het is, en bewaar het bewijs." },
	[HUNT_CANNOT_TELL] = { "Look for logs elsewhere (syslog, backups, older support bundles). Until then, treat the system as compromised if it was exposed.",
		"Zoek elders naar logboeken (syslog, back-ups, oudere support bundles). Behandel het systeem tot dan als gecompromitteerd als het blootgesteld was." },
};
static const char *const act_now[2] = { "Disconnect the system from the network but not from power, preserve it, and follow a recovery plan: sluis plan new.",
	"Koppel het systeem los van het netwerk maar niet van de stroom, stel het veilig, en volg een herstelplan: sluis plan new." };
static const char *const classes[HUNT_CLASS_COUNT][2] = { [HUNT_COMPROMISE] = { "evidence of compromise", "bewijs van inbraak" },
	[HUNT_PROBE] = { "successful probe: it was vulnerable", "geslaagde proef: het was kwetsbaar" }, [HUNT_ATTEMPT] = { "failed attempt", "mislukte poging" },
	[HUNT_TRACE] = { "trace", "spoor" } };

static const char style[] = ":root{--c2:#8a6d00}@media(prefers-color-scheme:dark){:root{--c2:#d4b106}}.verdict{font-size:1.3rem;border-left:8px solid var(--soft);"
	"padding:.3rem 1rem}.v0{border-color:var(--good)}.v1{border-color:var(--warn)}.v9{border-color:var(--bad)}.k0{color:var(--bad);fill:var(--bad)}"
	".k1{color:var(--warn);fill:var(--warn)}.k2{color:var(--c2);fill:var(--c2)}.k3{color:var(--soft);fill:var(--soft)}.win{fill:var(--warn);opacity:.2}"
	".log{fill:var(--good)}code{white-space:pre-wrap}";

struct hunt_page {
	struct text *to, rows, problems;
	enum hunt_page_lang lang;
	size_t shown, more, problem_count, dot_count;
	struct dot {
		uint64_t at_us;
		enum hunt_class class;
	} dots[DOTS_MOST];
};

static void put(struct text *t, const char *s)
{
	text_html(t, bytes_str(s ? s : ""));
}

static void say(const struct hunt_page *p, enum say w)
{
	put(p->to, words[w][p->lang]);
}

static void put_time(struct text *t, uint64_t us)
{
	if (us)
		html_time(t, us);
	else
		text_byte(t, '-');
}

/* What is no printable ASCII is shown as \xNN: a page must not be steered either. */
static void put_raw(struct text *t, struct bytes b)
{
	for (size_t i = 0; i < b.len && i < HUNT_EXCERPT_MAX; i++)
		if (b.at[i] >= 0x20 && b.at[i] < 0x7f)
			text_html(t, bytes_cut(b, i, i + 1));
		else
			text_fmt(t, "\\x%02x", b.at[i]);
}

static void on_begin(void *ctx, const struct hunt_summary *s)
{
	(void)ctx; /* end has all of it */
	(void)s;
}

static void on_finding(void *ctx, const struct hunt_finding *f)
{
	struct hunt_page *p = ctx;
	struct text *t = &p->rows;

	if (f->at_us && !f->is_own && p->dot_count < DOTS_MOST)
		p->dots[p->dot_count++] = (struct dot){ f->at_us, f->class };
	if (p->shown == HUNT_PAGE_MAX || t->failed) {
		p->more++;
		return;
	}
	p->shown++;
	text_lit(t, "<tr><td>");
	put_time(t, f->at_us);
	text_lit(t, "<br>");
	put(t, f->when_how);
	text_fmt(t, "</td><td><b class=\"k%d\">", f->is_own ? 3 : (int)f->class);
	put(t, f->is_own ? words[SAY_OWN][p->lang] : classes[f->class][p->lang]);
	text_lit(t, "</b> (");
	put(t, hunt_confidence_name(f->confidence));
	text_lit(t, ")<br>");
	put(t, f->title);
	text_lit(t, "<br><small>");
	put(t, f->rule);
	text_byte(t, ' ');
	put(t, f->advisories);
	text_byte(t, ' ');
	put(t, f->source);
	text_lit(t, "</small></td><td>");
	put_raw(t, bytes_str(f->where));
	if (f->line)
		text_fmt(t, ":%llu", (unsigned long long)f->line);
	text_lit(t, "<br>");
	put_raw(t, f->client);
	text_lit(t, "</td><td><code>");
	put_raw(t, f->excerpt);
	text_lit(t, "</code><br>");
	put(t, f->note);
	text_lit(t, "</td></tr>\n");
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	struct hunt_page *p = ctx;

	if (p->problem_count++ >= PROBLEMS_MOST)
		return;
	text_lit(&p->problems, "<li><code>");
	put_raw(&p->problems, bytes_str(where));
	text_lit(&p->problems, "</code>: ");
	put_raw(&p->problems, bytes_str(what));
	text_lit(&p->problems, "</li>\n");
}

struct scale {
	uint64_t from, to;
};

static void widen(struct scale *s, uint64_t us)
{
	if (!us)
		return;
	s->from = !s->from || us < s->from ? us : s->from;
	s->to = us > s->to ? us : s->to;
}

static double place(const struct scale *s, uint64_t us)
{
	if (us <= s->from || s->to <= s->from)
		return 0;
	return us >= s->to ? WIDTH : WIDTH * (double)(us - s->from) / (double)(s->to - s->from);
}

static struct scale scale_of(const struct hunt_page *p, const struct hunt_summary *s)
{
	struct scale all = { 0 };

	widen(&all, s->exposed_from_us);
	widen(&all, s->exposed_to_us);
	for (size_t i = 0; i < s->log_count; i++) {
		widen(&all, s->logs[i].first_us);
		widen(&all, s->logs[i].last_us);
	}
	for (size_t i = 0; i < p->dot_count; i++)
		widen(&all, p->dots[i].at_us);
	return all;
}

static void put_axis(struct text *t, const struct scale *all, size_t height)
{
	text_fmt(t, "<svg viewBox=\"0 0 960 %zu\" role=\"img\">\n<text x=\"200\" y=\"12\">", height);
	put_time(t, all->from);
	text_lit(t, "</text><text x=\"920\" y=\"12\" text-anchor=\"end\">");
	put_time(t, all->to);
	text_lit(t, "</text>\n");
}

static void put_coverage(const struct hunt_page *p, const struct hunt_summary *s)
{
	struct scale all = scale_of(p, s);
	struct text *t = p->to;
	size_t height = 24 * s->log_count + 50;

	text_lit(t, "<p>");
	say(p, !s->exposed_from_us ? SAY_NO_WINDOW : s->is_covered ? SAY_COVERED : SAY_NOT_COVERED);
	text_lit(t, "</p>\n");
	if (s->log_count == 0) {
		text_lit(t, "<p>");
		say(p, SAY_NO_LOGS);
		text_lit(t, "</p>\n");
		return;
	}
	put_axis(t, &all, height);
	if (s->exposed_from_us) {
		double x = place(&all, s->exposed_from_us), end = place(&all, s->exposed_to_us ? s->exposed_to_us : all.to);

		text_fmt(t, "<rect class=\"win\" x=\"%.1f\" y=\"18\" width=\"%.1f\" height=\"%zu\"/><text x=\"%.1f\" y=\"%zu\">", 200 + x, end > x ? end - x : 1,
			height - 36, 200 + (x > 560 ? 560 : x), height - 4);
		say(p, SAY_WINDOW);
		text_lit(t, "</text>\n");
	}
	for (size_t i = 0; i < s->log_count; i++) {
		double x = place(&all, s->logs[i].first_us), w = place(&all, s->logs[i].last_us) - x;

		text_fmt(t, "<text x=\"190\" y=\"%zu\" text-anchor=\"end\">", 24 * i + 38);
		put(t, s->logs[i].kind);
		text_lit(t, "</text>");
		if (s->logs[i].first_us)
			text_fmt(t, "<rect class=\"log\" x=\"%.1f\" y=\"%zu\" width=\"%.1f\" height=\"12\"/>", 200 + x, 24 * i + 28, w < 2 ? 2 : w);
		text_byte(t, '\n');
	}
	text_lit(t, "</svg>\n");
}

static void put_logs(const struct hunt_page *p, const struct hunt_summary *s)
{
	static const enum say heads[] = { SAY_LOG, SAY_LINES, SAY_FROM, SAY_TO };
	struct text *t = p->to;

	text_lit(t, "<table><tr>");
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		text_lit(t, "<th>");
		say(p, heads[i]);
		text_lit(t, "</th>");
	}
	text_lit(t, "</tr>\n");
	for (size_t i = 0; i < s->log_count; i++) {
		text_lit(t, "<tr><td>");
		put(t, s->logs[i].kind);
		text_fmt(t, " (%zu)</td><td>%llu</td><td>", s->logs[i].files, (unsigned long long)s->logs[i].lines);
		put_time(t, s->logs[i].first_us);
		text_lit(t, "</td><td>");
		put_time(t, s->logs[i].last_us);
		text_lit(t, "</td></tr>\n");
	}
	text_lit(t, "</table>\n");
}

static void put_timeline(const struct hunt_page *p, const struct hunt_summary *s)
{
	struct scale all = scale_of(p, s);
	struct text *t = p->to;

	text_lit(t, "<h2>");
	say(p, SAY_TIMELINE);
	text_lit(t, "</h2>\n");
	put_axis(t, &all, 24 * HUNT_CLASS_COUNT + 24);
	for (int c = 0; c < HUNT_CLASS_COUNT; c++) {
		text_fmt(t, "<text x=\"190\" y=\"%d\" text-anchor=\"end\">%.12s: %zu</text>\n", 24 * c + 38, hunt_class_name((enum hunt_class)c), s->counts[c]);
	}
	for (size_t i = 0; i < p->dot_count; i++)
		text_fmt(t, "<circle class=\"k%d\" cx=\"%.1f\" cy=\"%d\" r=\"4\"/>\n", (int)p->dots[i].class, 200 + place(&all, p->dots[i].at_us),
			24 * (int)p->dots[i].class + 34);
	text_lit(t, "</svg>\n");
}

static void put_verdict(const struct hunt_page *p, const struct hunt_summary *s)
{
	bool is_bad = s->counts[HUNT_COMPROMISE] > 0;
	struct text *t = p->to;

	text_fmt(t, "<p class=\"verdict v%d\">", is_bad ? 9 : (int)s->verdict);
	put(t, is_bad ? compromised[p->lang] : verdicts[s->verdict][p->lang]);
	text_lit(t, "</p>\n<h2>");
	say(p, SAY_NEXT);
	text_lit(t, "</h2>\n<p>");
	put(t, is_bad ? act_now[p->lang] : advice[s->verdict][p->lang]);
	text_lit(t, "</p>\n<p><small>");
	say(p, SAY_REASONS);
	text_lit(t, ":</small></p><ul>\n");
	for (size_t i = 0; i < s->reason_count; i++) {
		text_lit(t, "<li>");
		put(t, s->reasons[i]);
		text_lit(t, "</li>\n");
	}
	text_lit(t, "</ul>\n");
}

static void put_findings(const struct hunt_page *p)
{
	static const enum say heads[] = { SAY_WHEN, SAY_WHAT, SAY_WHERE, SAY_EXCERPT };
	struct text *t = p->to;

	text_lit(t, "<h2>");
	say(p, SAY_FINDINGS);
	text_lit(t, "</h2>\n<table><tr>");
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		text_lit(t, "<th>");
		say(p, heads[i]);
		text_lit(t, "</th>");
	}
	text_lit(t, "</tr>\n");
	text_add(t, text_bytes(&p->rows));
	text_lit(t, "</table>\n<p>");
	if (p->shown == 0)
		say(p, SAY_NONE);
	if (p->more) {
		say(p, SAY_MORE);
		text_fmt(t, ": %zu", p->more);
	}
	text_lit(t, "</p>\n<h2>");
	say(p, SAY_PROBLEMS);
	text_fmt(t, " (%zu)</h2>\n<ul>", p->problem_count);
	text_add(t, text_bytes(&p->problems));
	text_lit(t, "</ul>\n");
}

static void on_end(void *ctx, const struct hunt_summary *s)
{
	struct hunt_page *p = ctx;
	struct text *t = p->to;

	html_begin(t, p->lang ? "nl" : "en", bytes_str(words[SAY_TITLE][p->lang]), style);
	text_lit(t, "<h1>");
	say(p, SAY_TITLE);
	if (s->host && *s->host) {
		text_lit(t, ": ");
		put_raw(t, bytes_str(s->host));
	}
	text_lit(t, "</h1>\n<p>");
	put_time(t, s->end_us);
	text_fmt(t, " UTC, Sluis %.40s, %llu %s, %llu B</p>\n", s->version ? s->version : "", (unsigned long long)s->files, p->lang ? "bestanden" : "files",
		(unsigned long long)s->bytes);
	put_verdict(p, s);
	text_lit(t, "<h2>");
	say(p, SAY_COVERAGE);
	text_lit(t, "</h2>\n");
	put_coverage(p, s);
	put_logs(p, s);
	put_timeline(p, s);
	put_findings(p);
	text_lit(t, "</body>\n</html>\n");
}

enum err hunt_page_open(struct text *to, enum hunt_page_lang lang, struct hunt_page **out)
{
	struct hunt_page *p = calloc(1, sizeof(*p));

	if (!p)
		return ERR_MEMORY;
	p->to = to;
	p->lang = lang;
	text_init_growing(&p->rows, ROWS_MOST);
	text_init_growing(&p->problems, ROWS_MOST);
	*out = p;
	return OK;
}

struct hunt_output hunt_page_output(struct hunt_page *p)
{
	return (struct hunt_output){ on_begin, on_finding, on_problem, on_end, p };
}

void hunt_page_close(struct hunt_page **p)
{
	if (*p) {
		text_fini(&(*p)->rows);
		text_fini(&(*p)->problems);
	}
	free(*p);
	*p = NULL;
}
