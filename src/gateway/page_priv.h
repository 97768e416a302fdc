/* What all pages of the portal are made of. Everything that comes in as bytes is escaped here. */
#ifndef GATEWAY_PAGE_PRIV_H
#define GATEWAY_PAGE_PRIV_H

#include "gateway/page.h"

extern const struct page_file page_files[]; /* made from web/ by web/embed.py */
extern const size_t page_file_count;

struct page_head {
	enum page_word title;
	struct bytes about; /* for the "%s" of title, if it has one */
	enum page_word heading; /* 0: the title */
	struct bytes heading_about;
	const char *look;   /* class of body: "narrow", "middle", "wide" */
	struct bytes base;  /* in front of all links; empty on the portal itself */
	uint64_t refresh_s; /* 0: none; else so many seconds until ... */
	const char *refresh_to; /* "": to itself */
	bool stays; /* what it shows cannot be had again: it goes nowhere by itself */
};
/* All up to the h1 and what is said below it. */
void page_begin(struct text *t, const struct page *p, const struct page_head *h);
void page_end(struct text *t, const struct page *p, const struct page_head *h);

void put(struct text *t, const struct page *p, enum page_word w);
/* page_fill, escaped. */
void put_with(struct text *t, const struct page *p, enum page_word w, struct bytes first, struct bytes second);
void put_with_number(struct text *t, const struct page *p, enum page_word w, uint64_t n);
/* At most most octets, whole characters of UTF-8, and an ellipsis where something is left out. */
void put_cut(struct text *t, struct bytes b, size_t most);
/* <TAG>word</TAG> and a line's end. tag may have attributes. */
void put_element(struct text *t, const struct page *p, const char *tag, enum page_word w);
void put_noscript(struct text *t, const struct page *p, enum page_word w);
/* "today, 19:31" or "27 November 2026, 19:31" in the machine's zone. */
void put_time(struct text *t, const struct page *p, uint64_t at_s);
void put_time_on_paper(struct text *t, const struct page *p, uint64_t at_s); /* never "today" */
/* "password and authenticator app", from a session's method. */
void put_method(struct text *t, const struct page *p, struct bytes method);
/* "Firefox on Windows", from a User-Agent; not escaped, for it is of ours. */
void device_write(struct text *t, enum page_lang l, struct bytes agent);
struct bytes words_of(const struct page *p, const struct conf_words *w); /* in the page's language */
struct bytes user_display(const struct page *p);

/* <form method=post> with the hidden fields that all have. </form> is the caller's. */
void put_form(struct text *t, const struct page *p, const char *action, const char *look);
void put_hidden(struct text *t, const char *name, struct bytes value);
struct field {
	const char *name, *id; /* id NULL: the name */
	enum page_word label, hint; /* hint 0: none */
	struct bytes hint_number;
	const char *type, *autocomplete, *more; /* more: attributes as they are, or NULL */
	struct bytes value;
	bool takes_focus; /* unless another field is wrong */
};
void put_field(struct text *t, const struct page *p, const struct field *f);
/* look: "main", "quiet", "danger". */
void put_button(struct text *t, const struct page *p, enum page_word w, const char *look);
/* A button of web/passkey.js and its status; see page.h. with: other attributes, or "". */
void put_passkey(struct text *t, const struct page *p, const char *id, enum page_word w, const char *options, const char *result,
	const char *with);
/* Where passkey-new (data-codes="passkey-codes") shows the first recovery codes, on a page whose main has it as a child. */
void put_passkey_codes(struct text *t, const struct page *p);
bool page_has_room(const struct text *t); /* for one more of a list, and for what stands below it */

#endif
