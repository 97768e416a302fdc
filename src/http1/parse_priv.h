/* What the readings of requests and responses share. */
#ifndef HTTP1_PARSE_PRIV_H
#define HTTP1_PARSE_PRIV_H

#include "http1/parse.h"

enum { CH_TOKEN = 1, CH_TARGET = 2, CH_VALUE = 4, CH_NAME_PLAIN = 8 };
extern const unsigned char http1_chars[256];
#define http1_is(c, what) ((http1_chars[(unsigned char)(c)] & (what)) != 0)

/* One line of in from at on: ends at CRLF. OK: *line without CRLF, *next behind it. ERR_AGAIN: no end yet.
 * ERR_SYNTAX: a bare LF, a bare CR or a NUL; *why names it. */
enum err http1_line(struct bytes in, size_t at, struct bytes *line, size_t *next, const char **why) MUST_USE;

struct http1_head { /* what the fields say about framing and the connection */
	struct http_field *fields;
	size_t count;
	bool has_length, has_coding, coding_is_chunked, has_close, has_keep_alive, names_upgrade;
	uint64_t length;
	unsigned hosts;
	struct bytes upgrade;
	bool expects_continue, expects_other;
};
/* Reads field lines from *at to the empty line. is_request tightens what only requests may not do. */
enum err http1_fields(struct bytes in, size_t *at, const struct http1_limits *limits, struct arena *arena,
	struct http1_head *h, struct http1_refusal *why) MUST_USE;
/* The members of a comma-separated list, RFC 9110 5.6.1, empty ones left out. False at the end. */
bool http1_list_next(struct bytes *left, struct bytes *item);
/* Whether a whole head is there: OK, ERR_AGAIN (scanned moved), ERR_LIMIT (longer than limits allow). */
enum err http1_head_end(struct bytes in, const struct http1_limits *limits, size_t *scanned) MUST_USE;

#endif
