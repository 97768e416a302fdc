/* Pages that tell something and lead on: not allowed, still there, signed out, over, and any other message. */
#include "gateway/page_priv.h"

#include "gateway/form.h"

static void put_link_at(struct text *t, const struct page *p, enum page_word w, struct bytes base, const char *path, const char *look)
{
	text_fmt(t, "<p class=\"after\"><a class=\"%s\" href=\"", look);
	text_html(t, base);
	text_fmt(t, "%s\">", path);
	put(t, p, w);
	text_lit(t, "</a></p>\n");
}

static void put_link(struct text *t, const struct page *p, enum page_word w, const char *path, const char *look)
{
	put_link_at(t, p, w, BYTES(""), path, look);
}

static void put_rule(struct text *t, const struct page *p, struct bytes why)
{
	if (!why.len)
		return;
	text_lit(t, "<p>");
	put(t, p, PW_RULE);
	text_lit(t, "</p>\n<pre tabindex=\"0\"><code>");
	put_cut(t, why, 2000);
	text_lit(t, "</code></pre>\n");
}

/* base: where the portal is, on a page of another host. From there it takes no form. */
static void put_helps(struct text *t, const struct page *p, struct bytes base, struct bytes help, bool step_up_helps)
{
	put_element(t, p, "h2", PW_DENIED_HELPS);
	if (step_up_helps) {
		put_element(t, p, "p", PW_DENIED_STEP_UP);
		text_lit(t, "<p><a class=\"button\" href=\"");
		text_html(t, base);
		text_lit(t, "/step-up");
		if (p->next.len) {
			text_lit(t, "?next=");
			link_encode(t, p->next);
		}
		text_lit(t, "\">");
		put(t, p, PW_SECOND);
		text_lit(t, "</a></p>\n");
	}
	if (help.len) {
		text_lit(t, "<p>");
		put(t, p, PW_DENIED_ASK);
		text_lit(t, " <strong>");
		text_html(t, help);
		text_lit(t, "</strong></p>\n");
	}
	if (base.len) {
		put_element(t, p, "p", PW_DENIED_OTHER_AT_PORTAL);
		return;
	}
	put_element(t, p, "p", PW_DENIED_OTHER);
	text_lit(t, "<form method=\"post\" action=\"/sign-out\" class=\"inline\">\n");
	put_hidden(t, "csrf", p->csrf);
	put_button(t, p, PW_OTHER_ACCOUNT, "quiet");
	text_lit(t, "</form>\n");
}

void page_denied(struct text *t, const struct page *p, const struct conf_app *app, struct bytes host, struct bytes why, bool step_up_helps)
{
	struct bytes name = app && app->name.len ? app->name : app && app->id.len ? app->id : host;
	const struct page_head h = { .title = PW_DENIED, .about = name, .look = "narrow", .base = p->csrf.len ? BYTES("") : p->gateway->origin };

	page_begin(t, p, &h);
	if (p->facts) {
		text_lit(t, "<p class=\"lead\">");
		put_with(t, p, PW_DENIED_LEAD, p->facts->user, BYTES(""));
		text_lit(t, "</p>\n");
	}
	put_rule(t, p, why);
	put_helps(t, p, h.base, app && app->help.len ? app->help : words_of(p, &p->gateway->support), step_up_helps);
	put_link_at(t, p, PW_TO_HOME, h.base, "/", "back");
	page_end(t, p, &h);
}

void page_still_there(struct text *t, const struct page *p, uint64_t ends_s, uint64_t gone_s)
{
	const struct page_head h = { .title = PW_STILL_THERE, .look = "narrow", .refresh_to = "",
		.refresh_s = gone_s > p->now_s ? gone_s - p->now_s + 1 : 1 };

	page_begin(t, p, &h);
	text_lit(t, "<p class=\"lead\">");
	put(t, p, PW_STILL_THERE_LEAD);
	text_lit(t, " <strong>");
	put_time(t, p, ends_s);
	text_lit(t, "</strong></p>\n");
	put_form(t, p, "/stay", "stack");
	text_lit(t, "<button class=\"main\" autofocus>");
	put(t, p, PW_STAY);
	text_lit(t, "</button>\n</form>\n");
	page_end(t, p, &h);
}

void page_ended(struct text *t, const struct page *p)
{
	const struct page_head h = { .title = PW_ENDED, .look = "narrow" };

	page_begin(t, p, &h);
	put_element(t, p, "p class=\"lead\"", PW_ENDED_LEAD);
	put_link(t, p, PW_SIGN_IN_AGAIN, "/sign-in", "button");
	page_end(t, p, &h);
}

void page_signed_out(struct text *t, const struct page *p, struct bytes label, struct bytes url)
{
	const struct page_head h = { .title = PW_SIGNED_OUT, .look = "narrow" };

	page_begin(t, p, &h);
	put_element(t, p, "p class=\"lead\"", PW_SIGNED_OUT_LEAD);
	if (url.len) {
		text_lit(t, "<p>");
		put_with(t, p, PW_SIGNED_OUT_STILL, label, BYTES(""));
		text_lit(t, "</p>\n<p class=\"after\"><a class=\"button\" href=\"");
		text_html(t, url);
		text_lit(t, "\">");
		put_with(t, p, PW_SIGNED_OUT_ALSO, label, BYTES(""));
		text_lit(t, "</a></p>\n");
	}
	put_link(t, p, PW_SIGN_IN_AGAIN, "/sign-in", "button");
	page_end(t, p, &h);
}

void page_message(struct text *t, const struct page *p, enum page_word title, enum page_word text, unsigned status)
{
	const struct page_head h = { .title = title, .look = "narrow" };

	page_begin(t, p, &h);
	put_element(t, p, "p class=\"lead\"", text);
	put_link(t, p, p->facts ? PW_TO_HOME : PW_SIGN_IN, "/", "button");
	text_lit(t, "<p class=\"number\">");
	put_with_number(t, p, PW_STATUS, status);
	text_lit(t, "</p>\n");
	page_end(t, p, &h);
}

void page_app_over(struct text *t, const struct page *p, const struct conf_app *app)
{
	const struct page bare = { .gateway = p->gateway, .lang = p->lang, .now_s = p->now_s };
	const struct page_head h = { .title = PW_OVER, .about = app->name.len ? app->name : app->id, .look = "narrow", .base = p->gateway->origin };

	page_begin(t, &bare, &h);
	put_element(t, &bare, "p class=\"lead\"", PW_OVER_LEAD);
	text_lit(t, "<p class=\"after\"><a class=\"button\" href=\"");
	text_html(t, p->gateway->origin);
	text_lit(t, "/go/");
	link_encode(t, app->id);
	text_lit(t, "\">");
	put(t, &bare, PW_OVER_AGAIN);
	text_lit(t, "</a></p>\n");
	page_end(t, &bare, &h);
}

void page_device(struct text *t, const struct page *p, struct bytes app, bool is_waiting)
{
	const struct page bare = { .gateway = p->gateway, .lang = p->lang, .now_s = p->now_s };
	const struct page_head h = { .title = is_waiting ? PW_DEVICE_WAIT : PW_DEVICE, .about = app, .look = "narrow", .base = p->gateway->origin,
		.refresh_s = is_waiting, .refresh_to = "" };

	page_begin(t, &bare, &h);
	put_element(t, &bare, "p class=\"lead\"", is_waiting ? PW_DEVICE_WAIT_LEAD : PW_DEVICE_LEAD);
	if (!is_waiting) {
		put_element(t, &bare, "h2", PW_DENIED_HELPS);
		put_element(t, &bare, "p", PW_DEVICE_WHICH);
		put_element(t, &bare, "p", PW_DEVICE_AGAIN);
	}
	text_lit(t, "<p class=\"after\"><a class=\"back\" href=\"");
	text_html(t, p->gateway->origin);
	text_lit(t, "/\">");
	put(t, &bare, PW_TO_HOME);
	text_lit(t, "</a></p>\n");
	page_end(t, &bare, &h);
}
