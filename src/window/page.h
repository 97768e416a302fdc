/* The window's answer as one page that stands alone: no script, no request to anywhere. Text in, text out. */
#ifndef WINDOW_PAGE_H
#define WINDOW_PAGE_H

#include "base/text.h"
#include "ledger/contacts.h"

struct window_row {
	struct contact c;
	bool was_open, is_open;
	unsigned hop; /* 1: with X itself; 2: with what X was connected with */
};
/* What the ledger or an appliance's log tells besides connections. Texts are raw: they are escaped. */
struct window_event {
	uint64_t at_us;
	const char *kind; /* sign-in, refused, sign-out; of the ledger also revoked, isolation; of an appliance also session-end, command */
	struct bytes user, from, what, session, file;
	uint64_t line; /* of file; the record's number, of the ledger */
	bool is_suspect;
};
struct window_words { /* what people read, in their language */
	const char *lang, *title, *with, *from_to, *systems, *timeline, *graph, *client, *user, *target, *name, *first, *last, *times, *in, *out,
		*open, *before, *how, *more, *events, *events_more;
};
struct window_view {
	struct bytes with; /* what was asked for; empty: all */
	uint64_t from_us, to_us;
	const struct window_row *rows;
	size_t count, more; /* more: rows that are not there */
	const char *const *notes; /* what must be known about the answer; ends with NULL */
	const struct window_event *events;
	size_t event_count;
	uint64_t event_more;
	const struct window_words *words;
};

void window_page(struct text *t, const struct window_view *v);
/* "1.2 MB" */
void window_bytes(struct text *t, uint64_t n);

#endif
