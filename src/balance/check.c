/* The head by http1's strict parser, the body by its framing. Of the body nothing is kept but as much as the
 * beginning of a text can be long. */
#include "balance/check.h"

#include <stdarg.h>
#include <stdio.h>

#define HEAD_ARENA 32768

void check_init(struct check_answer *c, const struct check_want *want)
{
	CHECK(want->text.len <= CHECK_TEXT_MAX);
	/* The buffers stay as they are: what is in them is said by their lengths. */
	memset(c, 0, offsetof(struct check_answer, head));
	c->want = *want;
}

PRINTF(3, 4) static enum err failed(struct check_answer *c, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof c->why, fmt, ap);
	va_end(ap);
	return e;
}

static enum err text_missing(struct check_answer *c)
{
	return failed(c, ERR_NOT_FOUND, "text not found");
}

/* A run of the body's octets. */
static enum err find_text(struct check_answer *c, struct bytes run)
{
	size_t overlap = c->want.text.len - 1;

	while (run.len) {
		size_t room = sizeof c->window - c->window_len, n = run.len < room ? run.len : room;

		memcpy(c->window + c->window_len, run.at, n);
		c->window_len += n;
		run = bytes_cut(run, n, run.len);
		if (bytes_find(bytes_of(c->window, c->window_len), c->want.text) != SIZE_MAX)
			return OK;
		if (c->window_len > overlap) {
			memmove(c->window, c->window + c->window_len - overlap, overlap);
			c->window_len = overlap;
		}
	}
	return ERR_AGAIN;
}

static enum err feed_chunks(struct check_answer *c, struct bytes in)
{
	for (;;) {
		size_t used = 0;
		struct bytes run;
		enum err e = chunk_read(&c->chunks, in, &used, &run, NULL);

		in = bytes_cut(in, used, in.len);
		if (run.len && find_text(c, run) == OK)
			return OK;
		if (e == OK)
			return text_missing(c);
		if (e != ERR_AGAIN)
			return failed(c, e, "a chunked body with an error");
		if (in.len == 0)
			return ERR_AGAIN;
	}
}

static enum err feed_body(struct check_answer *c, struct bytes in)
{
	bool is_over = in.len > CHECK_BODY_MAX - c->body_len;
	enum err e = ERR_AGAIN;

	in = bytes_cut(in, 0, CHECK_BODY_MAX - c->body_len);
	c->body_len += in.len;
	switch (c->framing) {
	case HTTP_BODY_NONE: return text_missing(c);
	case HTTP_BODY_CHUNKED: e = feed_chunks(c, in); break;
	case HTTP_BODY_LENGTH:
		in = bytes_cut(in, 0, c->left < in.len ? (size_t)c->left : in.len);
		c->left -= in.len;
		e = find_text(c, in);
		if (e == ERR_AGAIN && c->left == 0)
			e = text_missing(c);
		break;
	case HTTP_BODY_UNTIL_CLOSE: e = find_text(c, in); break;
	}
	if (e == ERR_AGAIN && is_over)
		e = failed(c, ERR_LIMIT, "text not found in the first %d KB", CHECK_BODY_MAX / 1024);
	return e;
}

static enum err judge_status(struct check_answer *c, unsigned status)
{
	unsigned least = c->want.status_least, most = c->want.status_most;

	if (status >= least && status <= most)
		return OK;
	if (least == most)
		return failed(c, ERR_DENIED, "status %u, wanted %u", status, least);
	return failed(c, ERR_DENIED, "status %u, wanted %u-%u", status, least, most);
}

/* One head. ERR_AGAIN with fewer octets than before: that was an interim answer, there may be another. */
static enum err feed_head(struct check_answer *c)
{
	static const struct http1_limits limits = {
		.line_max = 8192, .field_max = 8192, .head_max = CHECK_HEAD_MAX, .fields_max = 100
	};
	static unsigned char mem[HEAD_ARENA]; /* empty again when this returns */
	const char *why = "syntax";
	struct http_response res;
	struct arena arena;
	size_t used = 0;
	enum err e;

	arena_init(&arena, mem, sizeof mem);
	e = http1_parse_response(
		bytes_of(c->head, c->head_len), &limits, &arena, HTTP_GET, &c->scanned, &used, &res, &why);
	if (e == ERR_AGAIN)
		return c->head_len < sizeof c->head
			       ? ERR_AGAIN
			       : failed(c, ERR_LIMIT, "the head is longer than %d KB", CHECK_HEAD_MAX / 1024);
	if (e != OK)
		return failed(c, e, "not an HTTP answer: %s", why);
	memmove(c->head, c->head + used, c->head_len - used);
	c->head_len -= used;
	c->scanned = 0;
	/* RFC 9110 15.2: interim answers come before the one that counts; 101 is the last of its kind. */
	if (res.status < 200 && res.status != 101)
		return ERR_AGAIN;
	TRY(judge_status(c, res.status));
	if (c->want.text.len == 0)
		return OK;
	c->in_body = true;
	c->framing = res.framing;
	c->left = res.length;
	return feed_body(c, bytes_of(c->head, c->head_len));
}

enum err check_feed(struct check_answer *c, struct bytes in)
{
	while (!c->in_body && in.len) {
		size_t room = sizeof c->head - c->head_len, n = in.len < room ? in.len : room, before;
		enum err e;

		memcpy(c->head + c->head_len, in.at, n);
		c->head_len += n;
		in = bytes_cut(in, n, in.len);
		do {
			before = c->head_len;
			e = feed_head(c);
		} while (e == ERR_AGAIN && !c->in_body && c->head_len && c->head_len < before);
		if (e != ERR_AGAIN)
			return e;
	}
	return in.len ? feed_body(c, in) : ERR_AGAIN;
}

enum err check_end(struct check_answer *c)
{
	if (c->in_body && c->framing == HTTP_BODY_UNTIL_CLOSE)
		return text_missing(c);
	return failed(c, ERR_CLOSED,
		c->in_body || c->head_len ? "closed inside the answer" : "closed without an answer");
}
