/* The portal's first page: the apps that somebody may open, and how the session is protected. */
#include "gateway/page_priv.h"

#include "gateway/form.h"

#define RECENT_MOST 6	/* tiles of what was used lately */
#define RECENT_LEAST 9	/* apps; with fewer, all are in sight anyway */
#define TEXT_MOST   140 /* octets of a description on a tile */
#define WHY_MOST    400

struct home {
	const struct page *p;
	const struct page_app *apps;
	size_t count, left_out;
};

static bool has_text(struct bytes hay, struct bytes needle)
{
	for (size_t i = 0; i + needle.len <= hay.len; i++) {
		if (bytes_eq_nocase(bytes_cut(hay, i, i + needle.len), needle))
			return true;
	}
	return false;
}

/* Every word of the search is somewhere in what the app is called. */
static bool fits(const struct conf_app *a, struct bytes search)
{
	while (search.len) {
		size_t end = bytes_find_byte(search, ' ');
		struct bytes word = bytes_cut(search, 0, end);
		search = end == SIZE_MAX ? BYTES("") : bytes_cut(search, end + 1, search.len);
		if (!has_text(a->name, word) && !has_text(a->description, word) && !has_text(a->group, word) && !has_text(a->host, word) &&
			!has_text(a->id, word))
			return false;
	}
	return true;
}

static struct bytes app_name(const struct conf_app *a)
{
	return a->name.len ? a->name : a->id;
}

static void put_icon(struct text *t, const struct conf_app *a)
{
	struct bytes name = app_name(a);
	size_t first = 1;

	if (a->icon.len) {
		text_lit(t, "<img class=\"icon\" src=\"/-/icon/");
		link_encode(t, a->id);
		text_lit(t, "\" alt=\"\">");
		return;
	}
	while (first < name.len && (name.at[first] & 0xc0) == 0x80)
		first++;
	text_lit(t, "<span class=\"icon\" aria-hidden=\"true\">");
	text_html(t, bytes_cut(name, 0, first));
	text_lit(t, "</span>");
}

static void put_words(struct text *t, const struct conf_app *a)
{
	put_icon(t, a);
	text_lit(t, "<span class=\"words\"><span class=\"name\">");
	text_html(t, app_name(a));
	text_lit(t, "</span>");
	if (a->description.len) {
		text_lit(t, "<span class=\"text\">");
		put_cut(t, a->description, TEXT_MOST);
		text_lit(t, "</span>");
	}
}

static void put_why(struct text *t, const struct page *p, const struct page_app *a)
{
	struct bytes help = a->app->help.len ? a->app->help : words_of(p, &p->gateway->support);

	text_lit(t, "<details><summary>");
	put(t, p, PW_WHY);
	text_lit(t, "<span class=\"unseen\"> ");
	put_with(t, p, PW_WHY_OF, app_name(a->app), BYTES(""));
	text_lit(t, "</span></summary>\n");
	if (a->why.len) {
		text_lit(t, "<p>");
		put(t, p, PW_RULE);
		text_lit(t, " <code>");
		put_cut(t, a->why, WHY_MOST);
		text_lit(t, "</code></p>\n");
	}
	if (help.len) {
		text_lit(t, "<p>");
		put(t, p, PW_DENIED_ASK);
		text_byte(t, ' ');
		put_cut(t, help, WHY_MOST);
		text_lit(t, "</p>\n");
	}
	text_lit(t, "</details>");
}

static void put_star(struct text *t, const struct page *p, const struct page_app *a)
{
	text_lit(t, "<form method=\"post\" action=\"/favourite\">");
	put_hidden(t, "csrf", p->csrf);
	put_hidden(t, "app", a->app->id);
	put_hidden(t, "on", a->is_favourite ? BYTES("0") : BYTES("1"));
	text_fmt(t, "<button class=\"star%s\" aria-label=\"", a->is_favourite ? " is-on" : "");
	put_with(t, p, a->is_favourite ? PW_FAVOURITE_REMOVE : PW_FAVOURITE_ADD, app_name(a->app), BYTES(""));
	text_lit(t, "\"><svg aria-hidden=\"true\" viewBox=\"0 0 24 24\"><use href=\"#star\"/></svg></button></form>");
}

static void put_tile(struct text *t, struct home *h, const struct page_app *a)
{
	if (!page_has_room(t)) {
		h->left_out++;
		return;
	}
	if (a->state == PAGE_APP_DENIED) {
		text_lit(t, "<li class=\"tile is-denied\"><div class=\"open\">");
		put_words(t, a->app);
		text_lit(t, "<span class=\"state\">");
		put(t, h->p, PW_STATE_DENIED);
		text_lit(t, "</span></span></div>");
		put_why(t, h->p, a);
	} else {
		text_lit(t, "<li class=\"tile\"><a class=\"open\" href=\"/go/");
		link_encode(t, a->app->id);
		text_lit(t, "\">");
		put_words(t, a->app);
		if (a->state == PAGE_APP_STEP_UP) {
			text_lit(t, "<span class=\"state\">");
			put(t, h->p, PW_STATE_STEP_UP);
			text_lit(t, "</span>");
		}
		text_lit(t, "</span></a>");
	}
	put_star(t, h->p, a);
	text_lit(t, "</li>\n");
}

static void put_favourites(struct text *t, struct home *h)
{
	bool is_open = false;

	for (size_t i = 0; i < h->count; i++) {
		if (!h->apps[i].is_favourite)
			continue;
		if (!is_open) {
			text_lit(t, "<section>\n");
			put_element(t, h->p, "h2", PW_FAVOURITES);
			text_lit(t, "<ul class=\"tiles\">\n");
			is_open = true;
		}
		put_tile(t, h, &h->apps[i]);
	}
	if (is_open)
		text_lit(t, "</ul>\n</section>\n");
}

/* The one used last before `before`; NULL: none. Apps used in one second come in their order. */
static const struct page_app *used_before(const struct home *h, const struct page_app *before)
{
	const struct page_app *best = NULL;

	for (size_t i = 0; i < h->count; i++) {
		const struct page_app *a = &h->apps[i];
		if (!a->used_s || (before && (a->used_s > before->used_s || (a->used_s == before->used_s && a <= before))))
			continue;
		if (!best || a->used_s > best->used_s)
			best = a;
	}
	return best;
}

static void put_recent(struct text *t, struct home *h)
{
	const struct page_app *a = used_before(h, NULL);

	if (!a || h->count < RECENT_LEAST)
		return;
	text_lit(t, "<section>\n");
	put_element(t, h->p, "h2", PW_RECENT);
	text_lit(t, "<ul class=\"tiles\">\n");
	for (size_t i = 0; i < RECENT_MOST && a; i++, a = used_before(h, a))
		put_tile(t, h, a);
	text_lit(t, "</ul>\n</section>\n");
}

static bool is_first_of_group(const struct home *h, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (bytes_eq(h->apps[i].app->group, h->apps[at].app->group))
			return false;
	}
	return true;
}

static void put_group(struct text *t, struct home *h, struct bytes group, bool is_only)
{
	text_lit(t, "<section>\n<h2>");
	if (group.len)
		text_html(t, group);
	else
		put(t, h->p, is_only ? PW_ALL : PW_OTHER);
	text_lit(t, "</h2>\n<ul class=\"tiles\">\n");
	for (size_t i = 0; i < h->count; i++) {
		if (bytes_eq(h->apps[i].app->group, group))
			put_tile(t, h, &h->apps[i]);
	}
	text_lit(t, "</ul>\n</section>\n");
}

/* In the order of the configuration; what is in no group comes last. */
static void put_groups(struct text *t, struct home *h)
{
	bool has_groups = false, has_others = false;

	for (size_t i = 0; i < h->count; i++) {
		has_others |= h->apps[i].app->group.len == 0;
		if (h->apps[i].app->group.len == 0 || !is_first_of_group(h, i))
			continue;
		has_groups = true;
		if (page_has_room(t))
			put_group(t, h, h->apps[i].app->group, false);
		else
			for (size_t k = i; k < h->count; k++)
				h->left_out += bytes_eq(h->apps[k].app->group, h->apps[i].app->group);
	}
	if (has_others)
		put_group(t, h, BYTES(""), !has_groups);
	if (!h->count)
		put_element(t, h->p, "p", PW_NO_APPS);
}

static void put_found(struct text *t, struct home *h, struct bytes search)
{
	size_t found = 0;

	for (size_t i = 0; i < h->count; i++)
		found += fits(h->apps[i].app, search);
	text_lit(t, "<section>\n<p class=\"found\" role=\"status\">");
	if (found == 1)
		put(t, h->p, PW_SEARCH_FOUND_1);
	else if (found)
		put_with_number(t, h->p, PW_SEARCH_FOUND, found);
	else
		put(t, h->p, PW_SEARCH_NONE);
	text_lit(t, " <a href=\"/\">");
	put(t, h->p, PW_SEARCH_ALL);
	text_lit(t, "</a></p>\n");
	if (found)
		text_lit(t, "<ul class=\"tiles\">\n");
	for (size_t i = 0; i < h->count; i++) {
		if (fits(h->apps[i].app, search))
			put_tile(t, h, &h->apps[i]);
	}
	text_str(t, found ? "</ul>\n</section>\n" : "</section>\n");
}

static void put_search(struct text *t, const struct page *p, struct bytes search)
{
	text_lit(t, "<form class=\"search\" role=\"search\" method=\"get\" action=\"/\">\n<label for=\"q\">");
	put(t, p, PW_SEARCH);
	text_lit(t, "</label>\n<div><input id=\"q\" name=\"q\" type=\"search\" autocomplete=\"off\" maxlength=\"100\" value=\"");
	text_html(t, search);
	text_lit(t, "\">\n");
	put_button(t, p, PW_SEARCH_GO, "quiet");
	text_lit(t, "</div></form>\n");
}

static void put_session(struct text *t, const struct page *p)
{
	const struct auth_facts *f = p->facts;

	text_lit(t, "<div class=\"session\">\n<p>");
	put(t, p, PW_SESSION_WITH);
	text_byte(t, ' ');
	put_method(t, p, f->method);
	text_lit(t, ". ");
	put(t, p, PW_SESSION_UNTIL);
	text_byte(t, ' ');
	put_time(t, p, f->until_s);
	if (f->idle_s) {
		text_lit(t, ", ");
		put_with_number(t, p, PW_SESSION_IDLE, f->idle_s < 60 ? 1 : f->idle_s / 60);
	}
	text_lit(t, ".</p>\n");
	if (f->has_mfa)
		put_element(t, p, "span class=\"badge\"", PW_SESSION_MFA);
	if (f->is_device_bound)
		put_element(t, p, "span class=\"badge\"", PW_SESSION_BOUND);
	text_lit(t, "</div>\n");
}

void page_home(struct text *t, const struct page *p, const struct page_app *apps, size_t count, struct bytes search)
{
	const struct page_head head = { .title = PW_APPS, .heading = PW_HELLO, .heading_about = user_display(p), .look = "wide" };
	struct home h = { .p = p, .apps = apps, .count = count };

	CHECK(p->facts);
	search = bytes_trim(search);
	page_begin(t, p, &head);
	text_lit(t, "<svg class=\"unseen\" aria-hidden=\"true\"><symbol id=\"star\" viewBox=\"0 0 24 24\"><path d=\"M12 3.2l2.7 5.5 6.1.9-4.4 4.3 "
		"1 6.1-5.4-2.9L6.6 20l1-6.1L3.2 9.6l6.1-.9z\"/></symbol></svg>\n");
	put_session(t, p);
	if (count)
		put_search(t, p, search);
	if (search.len) {
		put_found(t, &h, search);
	} else {
		put_favourites(t, &h);
		put_recent(t, &h);
		put_groups(t, &h);
	}
	if (h.left_out) {
		text_lit(t, "<p class=\"told plain\">");
		put_with_number(t, p, PW_MORE, h.left_out);
		text_lit(t, "</p>\n");
	}
	page_end(t, p, &head);
}
