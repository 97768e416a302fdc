/* A hunt as one HTML page that stands alone: no script, nothing fetched. For who must decide: the verdict in words, what to do next, how
 * far the logs reach, when what happened, and each finding. Text out; the words are the caller's, in the reader's language. */
#ifndef HUNT_PAGE_H
#define HUNT_PAGE_H

#include "base/text.h"
#include "hunt/output.h"

enum hunt_page_lang { HUNT_PAGE_EN, HUNT_PAGE_NL };

struct hunt_page;

/* At most this many findings stand in the page; the rest is counted, and that is said. */
#define HUNT_PAGE_MAX 2000

/* to must outlive *out, and has the whole page after end; it may be failed: then the page did not fit. ERR_MEMORY. */
enum err hunt_page_open(struct text *to, enum hunt_page_lang lang, struct hunt_page **out) MUST_USE;
struct hunt_output hunt_page_output(struct hunt_page *p);
void hunt_page_close(struct hunt_page **p);

#endif
