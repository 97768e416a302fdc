/* Messages to bytes: heads written onward, framing made anew, hop-by-hop fields left out. */
#ifndef HTTP1_WRITE_H
#define HTTP1_WRITE_H

#include "base/text.h"
#include "http/message.h"

struct http1_edit { /* a change to fields, in order; made by policies and by the proxy itself */
	const struct http1_edit *next;
	struct bytes name, value;
	bool removes, replaces, on_response;
};
struct http1_forward {
	struct bytes client;	 /* address as text */
	bool is_v6;
	struct bytes request_id;
	uint16_t port;		 /* of the listener */
	bool is_trusted;	 /* X-Forwarded-*, Forwarded of the peer are kept and X-Forwarded-For grows */
	const struct http1_edit *edits;
};
/* Content of t->failed is not a head: check it. */
void http1_write_request(struct text *t, const struct http_request *r, const struct http1_forward *f);

struct http1_reply {
	enum http_framing framing; /* towards the client */
	uint64_t length;	   /* HTTP_BODY_LENGTH; of HTTP_BODY_NONE too unless UINT64_MAX (HEAD, 304) */
	bool closes;
	uint8_t client_minor;
	const struct http1_edit *edits;
};
void http1_write_response(struct text *t, const struct http_response *r, const struct http1_reply *reply);
/* The end of a chunked body: the last chunk and those of its trailer lines (as chunk_read collects them) that may stand
 * there, RFC 9110 6.5.1: none that frames, routes, authenticates or says what the content is, and none that edits remove
 * or replace in the head: what a policy keeps from the reader must not come in at the end. */
void http1_write_last_chunk(struct text *t, struct bytes trailers, const struct http1_edit *edits, bool on_response);
void http1_write_field(struct text *t, struct bytes name, struct bytes value);

#endif
