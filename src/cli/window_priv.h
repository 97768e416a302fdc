/* What the files of sluis window share: the question, and the two places that answer it. */
#ifndef CLI_WINDOW_PRIV_H
#define CLI_WINDOW_PRIV_H

#include "cli/site.h"
#include "ledger/query.h"
#include "window/page.h"

#define WINDOW_EVENTS_MOST 1000 /* sign-ins and commands of an appliance that are told; more are counted */

struct asked {
	const char *from, *to, *with, *html, *dir, *ns_log;
	uint64_t from_us, to_us, limit, hops;
	int html_fd; /* opened before anything is read; -1: none */
	struct ledger_filter filter;
	char own_dir[SITE_LEDGER_MAX], canonical[64];
};

/* What an appliance's logs told besides connections. */
struct ns_told {
	char note[700]; /* what must be known about the logs */
	struct window_event *events; /* sign-ins, failed ones, ends of sessions, commands: at most WINDOW_EVENTS_MOST, in order of time */
	size_t count;
	uint64_t more;	     /* there were, and are not told */
	struct contacts *all; /* of the window, whoever was asked for: for the second step; NULL without --hops 2 */
	struct text texts;   /* of events */
};

/* The same question as ledger_query, asked of an appliance's logs. told is filled also after an error; window_ns_free. */
enum err window_ns_query(const struct asked *a, struct ledger_answer *out, struct ns_told *told) MUST_USE;
/* The contacts of `all` that f asks for; the answer as ledger_query's. */
enum err window_ns_follow(const struct ns_told *told, const struct ledger_filter *f, struct ledger_answer *out) MUST_USE;
void window_ns_free(struct ns_told *told);

#endif
