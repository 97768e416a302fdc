/* A page with a form of an app's, to be sent again: its fields are hidden, as they came, for only the app knows what they mean. */
#include "gateway/page_priv.h"

#include "gateway/form.h"

static void put_pair(void *ctx, struct bytes name, struct bytes value)
{
	struct text *t = ctx;

	text_lit(t, "<input type=\"hidden\" name=\"");
	text_html(t, name);
	text_lit(t, "\" value=\"");
	text_html(t, value); /* browsers send line ends of all kinds as CR LF, as they did the first time */
	text_lit(t, "\">\n");
}

void page_form_kept(struct text *t, const struct page *p, struct bytes host, struct bytes target, struct bytes body, struct arena *a)
{
	const struct page bare = { .gateway = p->gateway, .lang = p->lang, .now_s = p->now_s };
	const struct page_head h = { .title = target.len ? PW_FORM : PW_FORM_GONE, .look = "narrow", .base = p->gateway->origin };

	page_begin(t, &bare, &h);
	text_lit(t, "<p class=\"lead\">");
	put_with(t, &bare, target.len ? PW_FORM_LEAD : PW_FORM_GONE_LEAD, host, p->facts ? p->facts->user : BYTES(""));
	text_lit(t, "</p>\n");
	if (target.len) {
		text_lit(t, "<form method=\"post\" action=\"");
		text_html(t, target);
		text_lit(t, "\" class=\"stack\">\n");
		if (!form_each(body, a, put_pair, t))
			t->failed = true;
		put_button(t, &bare, PW_FORM_SEND, "main");
		text_lit(t, "</form>\n");
	}
	text_lit(t, "<p class=\"after\"><a class=\"back\" href=\"/\">");
	put(t, &bare, PW_FORM_NOT);
	text_lit(t, "</a></p>\n");
	page_end(t, &bare, &h);
}
