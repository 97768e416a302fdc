/* The frame that all pages of the portal stand in: head, landmarks, what went wrong, help and language. */
#include "gateway/page.h"

#include "gateway/form.h"
#include "gateway/page_priv.h"
#include "http/accept.h"

#define ROOM 10240 /* octets: the longest row, and the page's end */

const char *page_word(enum page_lang l, enum page_word w)
{
	static const char *const words[PAGE_WORD_COUNT][PAGE_LANG_COUNT] = {
#define WORD(sym, en, nl) [sym] = { en, nl },
#include "gateway/words.tbl"
#undef WORD
	};

	CHECK(w < PAGE_WORD_COUNT && l < PAGE_LANG_COUNT);
	return words[w][l];
}

static bool is_before(struct http_accept a, struct http_accept b)
{
	return a.q > b.q || (a.q == b.q && (a.specific > b.specific || (a.specific == b.specific && a.at < b.at)));
}

enum page_lang page_lang_of(struct bytes chosen, const struct http_field *f, size_t n)
{
	struct http_accept nl, en;

	if (bytes_eq(chosen, BYTES("nl")))
		return PAGE_NL;
	if (bytes_eq(chosen, BYTES("en")))
		return PAGE_EN;
	nl = http_accept_language_find(f, n, BYTES("nl"));
	en = http_accept_language_find(f, n, BYTES("en"));
	return nl.q > 0 && nl.specific > 1 && is_before(nl, en) ? PAGE_NL : PAGE_EN;
}

static void csp_hosts(struct text *t, const struct conf_gateway *g)
{
	for (size_t i = 0; i < g->app_count; i++) {
		text_lit(t, " https://");
		text_add(t, g->apps[i].host);
		if (g->port && g->port != 443) {
			text_byte(t, ':');
			text_u64(t, g->port);
		}
	}
}

void page_csp(struct text *t, const struct conf_gateway *g)
{
	text_lit(t, "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; form-action 'self'");
	csp_hosts(t, g);
	text_lit(t, "; base-uri 'none'; frame-ancestors 'none'");
}

void page_csp_app(struct text *t, const struct conf_gateway *g, bool has_form)
{
	text_lit(t, "default-src 'none'; style-src ");
	text_add(t, g->origin);
	text_lit(t, "; img-src ");
	text_add(t, g->origin);
	text_str(t, has_form ? "; form-action 'self' https:" : "; form-action 'none'");
	text_lit(t, "; base-uri 'none'; frame-ancestors 'none'");
}

bool page_has_room(const struct text *t)
{
	size_t cap = t->limit ? t->limit : t->cap;

	return !t->failed && cap - t->len > ROOM;
}

static struct bytes portal_title(const struct page *p)
{
	return p->gateway->title.len ? p->gateway->title : p->gateway->portal;
}

/* href="BASE/path" */
static void put_href(struct text *t, const struct page_head *h, const char *path)
{
	text_lit(t, " href=\"");
	text_html(t, h->base);
	text_html(t, bytes_str(path));
	text_byte(t, '"');
}

static void put_refresh(struct text *t, const struct page *p, const struct page_head *h)
{
	const struct auth_facts *f = p->facts;
	uint64_t after = h->refresh_s, left;
	const char *to = h->refresh_to;

	if (!after && p->wants_refresh && !h->stays && f) {
		left = f->until_s > p->now_s ? f->until_s - p->now_s : 1;
		if (f->idle_s && f->idle_s < left)
			left = f->idle_s;
		after = left - (left / 2 < 120 ? left / 2 : 120);
		text_fmt(t, "<meta http-equiv=\"refresh\" content=\"%llu; url=/still-there", (unsigned long long)after);
		if (p->here.len) {
			text_lit(t, "?next=");
			link_encode(t, p->here);
		}
		text_lit(t, "\">\n");
		return;
	}
	if (after && !*to) /* to itself */
		text_fmt(t, "<meta http-equiv=\"refresh\" content=\"%llu\">\n", (unsigned long long)after);
	else if (after)
		text_fmt(t, "<meta http-equiv=\"refresh\" content=\"%llu; url=%s\">\n", (unsigned long long)after, to);
}

static void put_head(struct text *t, const struct page *p, const struct page_head *h)
{
	const char *script = p->with_passkeys && !h->base.len ? page_file_path("passkey.js") : NULL;

	text_fmt(t, "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n", page_word(p->lang, PW_CODE));
	text_lit(t, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n");
	put_refresh(t, p, h);
	text_lit(t, "<title>");
	if (p->error.len)
		put(t, p, PW_ERROR_TITLE);
	put_with(t, p, h->title, h->about, BYTES(""));
	text_lit(t, " – ");
	text_html(t, portal_title(p));
	text_lit(t, "</title>\n<link rel=\"icon\"");
	put_href(t, h, p->gateway->logo.len ? "/-/logo" : page_file_path("icon.svg"));
	text_lit(t, ">\n<link rel=\"stylesheet\"");
	put_href(t, h, page_file_path("portal.css"));
	text_lit(t, ">\n");
	if (p->gateway->colour.len) {
		text_lit(t, "<link rel=\"stylesheet\"");
		put_href(t, h, "/-/colour.css");
		text_lit(t, ">\n");
	}
	if (script)
		text_fmt(t, "<script src=\"%s\" defer></script>\n", script);
	text_lit(t, "</head>\n");
}

static void put_nav(struct text *t, const struct page *p, const struct page_head *h)
{
	text_lit(t, "<nav aria-label=\"");
	put(t, p, PW_NAV);
	text_fmt(t, "\">\n<a href=\"/\"%s>", h->title == PW_APPS ? " aria-current=\"page\"" : "");
	put(t, p, PW_APPS);
	text_fmt(t, "</a>\n<a href=\"/account\"%s>", h->title == PW_ACCOUNT ? " aria-current=\"page\"" : "");
	put(t, p, PW_ACCOUNT);
	text_lit(t, "</a>\n<form method=\"post\" action=\"/sign-out\">");
	put_hidden(t, "csrf", p->csrf);
	put_button(t, p, PW_SIGN_OUT, "quiet");
	text_lit(t, "</form>\n</nav>\n");
}

static void put_top(struct text *t, const struct page *p, const struct page_head *h)
{
	text_fmt(t, "<body class=\"%s\">\n<a class=\"skip\" href=\"#main\">", h->look);
	put(t, p, PW_SKIP);
	text_lit(t, "</a>\n<header class=\"top\"><div>\n<a class=\"brand\"");
	put_href(t, h, "/");
	text_byte(t, '>');
	if (p->gateway->logo.len) {
		text_lit(t, "<img src=\"");
		text_html(t, h->base);
		text_lit(t, "/-/logo\" alt=\"\">");
	}
	text_lit(t, "<span>");
	text_html(t, portal_title(p));
	text_lit(t, "</span></a>\n");
	if (p->facts && !h->base.len)
		put_nav(t, p, h);
	text_lit(t, "</div></header>\n");
}

static void put_told(struct text *t, const struct page *p)
{
	if (p->error.len) {
		text_lit(t, "<div class=\"told wrong\" role=\"alert\">\n<strong>");
		put(t, p, PW_WENT_WRONG);
		text_lit(t, "</strong>\n<p id=\"error\">");
		text_html(t, p->error);
		text_lit(t, "</p>\n");
		if (p->wrong.len) {
			text_lit(t, "<p><a href=\"#");
			text_html(t, p->wrong);
			text_lit(t, "\">");
			put(t, p, PW_TO_FIELD);
			text_lit(t, "</a></p>\n");
		}
		text_lit(t, "</div>\n");
	}
	if (p->note.len) {
		text_lit(t, "<div class=\"told done\" role=\"status\"><p>");
		text_html(t, p->note);
		text_lit(t, "</p></div>\n");
	}
}

void page_begin(struct text *t, const struct page *p, const struct page_head *h)
{
	put_head(t, p, h);
	put_top(t, p, h);
	text_lit(t, "<main id=\"main\" tabindex=\"-1\">\n<h1>");
	if (h->heading)
		put_with(t, p, h->heading, h->heading_about, BYTES(""));
	else
		put_with(t, p, h->title, h->about, BYTES(""));
	text_lit(t, "</h1>\n");
	put_told(t, p);
}

/* Before somebody has signed in there is no session to keep the choice in: a link, whose answer sets a cookie. */
static void put_language(struct text *t, const struct page *p)
{
	const char *code = page_word(p->lang, PW_LANGUAGE_OTHER_CODE);

	if (p->facts) {
		put_form(t, p, "/language", "language");
		text_fmt(t, "<button class=\"link\" name=\"language\" value=\"%s\" lang=\"%s\">", code, code);
		put(t, p, PW_LANGUAGE_OTHER);
		text_lit(t, "</button></form>\n");
		return;
	}
	text_fmt(t, "<p class=\"language\"><a href=\"?lang=%s", code);
	if (p->next.len) {
		text_lit(t, "&amp;next=");
		link_encode(t, p->next);
	}
	text_fmt(t, "\" lang=\"%s\" hreflang=\"%s\">", code, code);
	put(t, p, PW_LANGUAGE_OTHER);
	text_lit(t, "</a></p>\n");
}

void page_end(struct text *t, const struct page *p, const struct page_head *h)
{
	struct bytes notice = words_of(p, &p->gateway->notice), support = words_of(p, &p->gateway->support);
	struct bytes hours = words_of(p, &p->gateway->support_hours);

	text_lit(t, "</main>\n<footer><div>\n");
	if (support.len || hours.len) {
		text_lit(t, "<p class=\"support\"><strong>");
		put(t, p, PW_SUPPORT);
		text_lit(t, "</strong> ");
		text_html(t, support);
		text_str(t, support.len && hours.len ? "<br>" : "");
		text_html(t, hours);
		text_lit(t, "</p>\n");
	}
	if (!h->base.len)
		put_language(t, p);
	if (notice.len) {
		text_lit(t, "<p class=\"notice\">");
		text_html(t, notice);
		text_lit(t, "</p>\n");
	}
	text_lit(t, "</div></footer>\n</body>\n</html>\n");
}
