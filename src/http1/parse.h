/* HTTP/1.1 bytes to messages: strict readings of RFC 9112; what two readers could read differently is
 * refused. No socket, no clock. The same bytes give the same answer however they are cut. */
#ifndef HTTP1_PARSE_H
#define HTTP1_PARSE_H

#include "http/message.h"

struct http1_limits {
	size_t line_max;   /* request line or status line, without CRLF */
	size_t field_max;  /* one field line */
	size_t head_max;   /* the whole head */
	size_t fields_max; /* number of fields */
	bool drop_ambiguous; /* field names with '_' or '.': dropped when true, refused when false */
};

/* What to answer when a request is refused. */
struct http1_refusal {
	uint16_t status;    /* 400, 414, 431, 501, 505 */
	const char *reason; /* a short stable name for the log: "bare-lf", "length-and-coding" */
};

/* Reads one request head from in. OK: *used bytes are the head, *out is filled (fields from arena, views
 * into in; framing, keep_alive, expects_continue, upgrade, is_hop all decided). ERR_AGAIN: more bytes are
 * needed and what is there is not yet wrong. ERR_SYNTAX or ERR_LIMIT: *why says what to answer; the
 * connection cannot be used further. ERR_MEMORY: the arena is full (answer 431). scanned (0 at first) is
 * where the last call stopped looking for the head's end, so that dribbled bytes are not read again. */
enum err http1_parse_request(struct bytes in, const struct http1_limits *limits, struct arena *arena,
	size_t *scanned, size_t *used, struct http_request *out, struct http1_refusal *why) MUST_USE;
/* The same for a response head; request_method decides the framing (HEAD; RFC 9112 6.3). */
enum err http1_parse_response(struct bytes in, const struct http1_limits *limits, struct arena *arena,
	enum http_method request_method, size_t *scanned, size_t *used, struct http_response *out,
	const char **why) MUST_USE;

#endif
