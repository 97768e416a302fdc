/* What the files of sluis window share: the question, and the two places that answer it. */
#ifndef CLI_WINDOW_PRIV_H
#define CLI_WINDOW_PRIV_H

#include "cli/site.h"
#include "ledger/query.h"
#include "window/page.h"

#define WINDOW_EVENTS_MOST 1000 /* sign-ins, refusals and so on that are told; more are counted */

struct asked {
	const char *from, *to, *with, *html, *dir, *ns_log;
	uint64_t from_us, to_us, limit, hops;
	int html_fd; /* opened before anything is read; -1: none */
	struct ledger_filter filter;
	char own_dir[SITE_LEDGER_MAX], canonical[64];
};

/* What was told besides connections. Begins zeroed. */
struct window_told {
	char note[700]; /* what must be known about an appliance's logs; empty: the ledger answered */
	struct window_event *events; /* at most WINDOW_EVENTS_MOST, the first */
	size_t count;
	uint64_t more;	      /* there were, and are not told */
	struct contacts *all; /* of an appliance's logs, of the window, whoever was asked for: for the second step; NULL without --hops 2 */
	struct text texts;    /* of events */
};

/* Copies the event's texts (kind is kept as it is); they are in their places after window_told_finish, which sorts by time. */
void window_told_add(struct window_told *told, const struct window_event *e);
void window_told_finish(struct window_told *told);
void window_told_fini(struct window_told *told);
/* ledger_hears.on_event; arg is the struct window_told. */
void window_on_ledger_event(void *arg, const struct ledger_event *e);

/* The same question as ledger_query, asked of an appliance's logs. told is filled also after an error, and to be finished. */
enum err window_ns_query(const struct asked *a, struct ledger_answer *out, struct window_told *told) MUST_USE;
/* The contacts of `all` that f asks for; the answer as ledger_query's. */
enum err window_ns_follow(const struct window_told *told, const struct ledger_filter *f, struct ledger_answer *out) MUST_USE;

#endif
