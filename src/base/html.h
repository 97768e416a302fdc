/* Pages that stand alone: no script, nothing fetched, light and dark, fit for print. One head and one look for all of them. */
#ifndef BASE_HTML_H
#define BASE_HTML_H

#include "base/text.h"

/* The page up to and with <body>, which the caller closes. style: rules of its own, CSS of ours; var(--fg), var(--bg), var(--line),
 * var(--soft), var(--good), var(--act), var(--warn) and var(--bad) are colours that hold in light and dark. */
void html_begin(struct text *t, const char *lang, struct bytes title, const char *style);
/* "2020-01-09 12:00:00"; microseconds since 1970, UTC. */
void html_time(struct text *t, uint64_t us);

#endif
