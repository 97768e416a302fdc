/* What the answer to a health check says: its status and whether it holds a text, read as the bytes come. An engine:
 * no socket, no clock. The same bytes give the same verdict however they are cut. */
#ifndef BALANCE_CHECK_H
#define BALANCE_CHECK_H

#include "base/text.h"
#include "http1/chunk.h"
#include "http1/parse.h"

#define CHECK_HEAD_MAX (16 * 1024)
#define CHECK_BODY_MAX                                                                                       \
	(256 * 1024) /* octets behind the head, framing included, in which the text is looked for */
#define CHECK_TEXT_MAX 1024
#define CHECK_WHY_MAX  96

struct check_want {
	uint16_t status_least, status_most;
	struct bytes text; /* at most CHECK_TEXT_MAX; empty: the status decides */
};
struct check_answer {
	struct check_want want;
	bool in_body;
	enum http_framing framing;
	uint64_t left; /* of a body with a length */
	struct chunk_reader chunks;
	size_t head_len, scanned, body_len, window_len;
	char why[CHECK_WHY_MAX]; /* why the check failed: "status 500, wanted 200-399" */
	unsigned char head[CHECK_HEAD_MAX];
	unsigned char window
		[4 * CHECK_TEXT_MAX]; /* the end of the body so far, as long as the text, and what is new */
};

void check_init(struct check_answer *c, const struct check_want *want);
/* OK: passed. ERR_AGAIN: more is needed. Anything else: failed, c->why says why. Not to be called after a verdict. */
enum err check_feed(struct check_answer *c, struct bytes in) MUST_USE;
/* The server ended the connection before there was a verdict: that is one too. Never OK, never ERR_AGAIN. */
enum err check_end(struct check_answer *c) MUST_USE;

#endif
