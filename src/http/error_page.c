/* One small page for somebody who only wanted to get on: what happened, what to do now, whom to ask, and the
 * number under which we find it. Nothing is loaded for it: the servers behind us may be gone. */
#include "http/error_page.h"
#include "http/accept.h"
#include "json/write.h"

/* Grey, not red: it is not the visitor's fault. Contrast is at least 7:1 in both schemes (WCAG 1.4.6). */
static const char style[] = ":root{color-scheme:light dark;--paper:#f3f5f7;--card:#fff;--ink:#1b2733;--soft:#44515e;--line:#c9d1d9}"
	"@media(prefers-color-scheme:dark){:root{--paper:#10161c;--card:#1a222b;--ink:#eef2f5;--soft:#bcc7d1;--line:#3b4854}}"
	"*{box-sizing:border-box}"
	"body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;padding:1rem;"
	"background:var(--paper);color:var(--ink);font:1.125rem/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}"
	"main{width:100%;max-width:36rem;padding:clamp(1.5rem,6vw,2.75rem);background:var(--card);"
	"border:1px solid var(--line);border-radius:.75rem}"
	"h1{margin:0 0 .75rem;font-size:clamp(1.5rem,5vw,1.875rem);line-height:1.25}p{margin:0 0 1rem}"
	".contact{font-weight:600;overflow-wrap:anywhere}"
	"footer{margin-top:1.75rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.9375rem}"
	"footer p{margin:0 0 .25rem}code{font:1em ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}";

struct words {
	unsigned status; /* 0: all others of that class */
	const char *heading, *what, *advice;
};

static const struct words words[] = {
	{ 400, "This request could not be read", "What was sent is not a valid request. Nothing was passed on.",
		"Check the address. If you followed a link, tell its owner that it is broken." },
	{ 401, "Please sign in", "This page is for people who have signed in.", "Sign in and try again." },
	{ 403, "You do not have access to this page", "This request is not allowed here.",
		"If you think you should have access, ask the person or desk that gave you the address." },
	{ 404, "This page does not exist", "There is nothing at this address.",
		"Check the address for a typing mistake, or start again from the home page." },
	{ 405, "This cannot be done here", "This method is not allowed at this address.", "Go back and try another way." },
	{ 408, "That took too long", "The request did not arrive in time.",
		"Check your connection and try again." },
	{ 413, "What you sent is too large", "It is larger than is allowed here. Nothing was stored.",
		"Send a smaller file, or ask how to send a large one." },
	{ 414, "This address is too long", "The address is longer than is allowed here.",
		"Check the address. If you followed a link, tell its owner that it is broken." },
	{ 417, "This request could not be read", "It expects something that is not offered here.", "Try again without it." },
	{ 421, "Wrong address", "This site is not served at this connection.", "Open the address anew." },
	{ 429, "One moment, please", "Too many requests came from you in a short time.",
		"Wait a moment and try again." },
	{ 431, "This request is too large", "Its header fields are larger than is allowed here.",
		"Remove the cookies of this site and try again." },
	{ 502, "The application gave no proper answer", "We reached the application, but its answer could not be used.",
		"Try again in a moment. What you filled in may not have been saved: check before you send it twice." },
	{ 503, "The application is not available just now", "It may be busy, or being worked on.",
		"Try again in a few minutes." },
	{ 504, "The application takes too long to answer", "We reached the application, but its answer did not come in time.",
		"Try again in a moment. What you filled in may have been saved: check before you send it twice." },
	{ 400, "This request could not be answered", "Something about the request is not as it must be.",
		"Go back and try again." },
	{ 500, "Something went wrong", "The request could not be answered. This is not your fault.",
		"Try again in a moment." },
};

static const struct words *words_for(unsigned status)
{
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (words[i].status == status)
			return &words[i];
	return &words[COUNT_OF(words) - (status >= 400 && status < 500 ? 2 : 1)];
}

/* How much more a is wanted than b: by its q, then by how exactly it was named, then by its place. */
static bool is_before(struct http_accept a, struct http_accept b)
{
	if (a.q != b.q)
		return a.q > b.q;
	return a.specific != b.specific ? a.specific > b.specific : a.at < b.at;
}

/* RFC 9110 12.5.1. HTML where the client does not care, and where it accepts neither: a person can read it.
 * Refusing HTML (q=0) is caring. */
static bool wants_json(const struct http_field *f, size_t n)
{
	struct http_accept html = http_accept_find(f, n, BYTES("text/html"));
	struct http_accept json = http_accept_find(f, n, BYTES("application/json"));
	struct http_accept problem = http_accept_find(f, n, BYTES("application/problem+json"));

	if (is_before(problem, json))
		json = problem;
	if (html.q == 0)
		return json.q != 0;
	return json.q > 0 && is_before(json, html);
}

/* A page's texts; around names the lines that are not about what happened. */
struct page {
	struct words words;
	const char *language, *title; /* of the problem: JSON's */
	const char *call, *request, *state;
};

static void write_json(struct text *t, const struct page *p, unsigned status, struct bytes request_id, struct bytes contact)
{
	text_fmt(t, "{\"status\":%u,\"title\":\"%s\",\"detail\":\"%s %s\",\"request_id\":", status, p->title, p->words.what,
		p->words.advice);
	json_put_string(t, request_id);
	if (contact.len) {
		text_lit(t, ",\"contact\":");
		json_put_string(t, contact);
	}
	text_lit(t, "}\n");
}

static void write_html(struct text *t, const struct page *p, unsigned status, struct bytes request_id, struct bytes contact)
{
	text_fmt(t, "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n", p->language);
	text_lit(t, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n");
	text_fmt(t, "<title>%s</title>\n<style>", p->words.heading);
	text_str(t, style);
	text_fmt(t, "</style>\n</head>\n<body>\n<main>\n<h1>%s</h1>\n<p>%s</p>\n<p>%s</p>\n", p->words.heading, p->words.what,
		p->words.advice);
	if (contact.len) {
		text_fmt(t, "<p>%s<br>\n<span class=\"contact\">", p->call);
		text_html(t, contact);
		text_lit(t, "</span></p>\n");
	}
	text_fmt(t, "<footer>\n<p>%s: <code>", p->request);
	text_html(t, request_id);
	text_fmt(t, "</code></p>\n<p>%s: %u %s</p>\n</footer>\n</main>\n</body>\n</html>\n", p->state, status, http_reason(status));
}

static void write_page(struct text *t, const struct page *p, unsigned status, const struct http_field *fields,
	size_t field_count, struct bytes request_id, struct bytes contact, struct bytes *type)
{
	bool is_json = wants_json(fields, field_count);

	*type = is_json ? BYTES("application/problem+json") : BYTES("text/html; charset=utf-8");
	(is_json ? write_json : write_html)(t, p, status, request_id, contact);
}

void error_page_write(struct text *t, unsigned status, const struct http_field *fields, size_t field_count,
	struct bytes request_id, struct bytes contact, struct bytes *type)
{
	const struct page p = { *words_for(status), "en", http_reason(status), "If it goes on, you can ask for help:",
		"Request number", "Status" };

	write_page(t, &p, status, fields, field_count, request_id, contact, type);
}

/* [language][about the application] */
static const struct page isolated[2][2] = {
	{ { { 403, "Your access has been blocked", "The administrators have blocked access from your connection or account, to protect "
		"the systems behind this page. Nothing was passed on.", "Trying again does not help. Please call the administrators." },
		  "en", "Access blocked by the administrators", "Whom to call:", "Request number", "Status" },
		{ { 503, "This application has been taken out of use", "The administrators have taken this application out of use for now, "
		"to protect it or others. This is not your fault.", "Trying again does not help until they put it back. If your work cannot "
		"wait, please call the administrators." },
			"en", "Application taken out of use by the administrators", "Whom to call:", "Request number", "Status" } },
	{ { { 403, "Uw toegang is geblokkeerd", "De beheerders hebben de toegang vanaf uw verbinding of account geblokkeerd, om de "
		"systemen achter deze pagina te beschermen. Er is niets doorgegeven.", "Opnieuw proberen helpt niet. Bel de beheerders." },
		  "nl", "Toegang geblokkeerd door de beheerders", "Wie u kunt bellen:", "Nummer van het verzoek", "Status" },
		{ { 503, "Deze toepassing is buiten gebruik gesteld", "De beheerders hebben deze toepassing voorlopig buiten gebruik gesteld, om "
		"die of andere te beschermen. Het ligt niet aan u.", "Opnieuw proberen helpt niet voordat zij de toepassing terugzetten. Kan uw "
		"werk niet wachten, bel dan de beheerders." },
			"nl", "Toepassing buiten gebruik gesteld door de beheerders", "Wie u kunt bellen:", "Nummer van het verzoek",
			"Status" } },
};

void error_page_write_isolated(struct text *t, unsigned status, const struct http_field *fields, size_t field_count,
	struct bytes request_id, struct bytes contact, struct bytes *type)
{
	struct http_accept nl = http_accept_language_find(fields, field_count, BYTES("nl"));
	struct http_accept en = http_accept_language_find(fields, field_count, BYTES("en"));
	bool is_dutch = nl.q > 0 && nl.specific > 1 && is_before(nl, en);

	write_page(t, &isolated[is_dutch][status == 503], status, fields, field_count, request_id, contact, type);
}
