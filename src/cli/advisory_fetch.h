/* HTTPS for sluis advisory sync: one address after the other, with limits on size, time and redirects; nothing is read in it here. */
#ifndef CLI_ADVISORY_FETCH_H
#define CLI_ADVISORY_FETCH_H

#include "base/text.h"

#define FETCH_WORDS_MAX 300

struct fetcher;
/* ca: a file of certificates in PEM, or NULL for the system's. NULL: libcurl has no memory. */
struct fetcher *fetcher_new(const char *ca);
void fetcher_free(struct fetcher **f);

enum fetched {
	FETCHED,
	FETCHED_SAME,	  /* 304: as it was when etag was noted */
	FETCHED_NOT,	  /* the server answered, and not with it (404, 500, too large): *why says how */
	FETCHED_BROKEN,	  /* the network failed: *why */
};
/* etag: in, what was noted last time ("" for none); out, what to note. */
enum fetched fetch(struct fetcher *f, const char *url, size_t most, struct text *out, char etag[256], char why[FETCH_WORDS_MAX]);

#endif
