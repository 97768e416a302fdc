/* A state machine over octets; data is handed out in runs. */
#include "http1/chunk.h"
#include "base/text.h"
#include "http1/parse_priv.h"

#define LINE_MAX_ALL 8192 /* of one extension, or of all trailers */

enum { SIZE, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LF, END };

static int hex_value(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err size_byte(struct chunk_reader *c, unsigned char b)
{
	int v = hex_value(b);

	if (v >= 0) {
		if (++c->digits > 16)
			return ERR_LIMIT;
		c->left = c->left << 4 | (unsigned)v;
		return c->left > INT64_MAX ? ERR_LIMIT : ERR_AGAIN;
	}
	if (c->digits == 0)
		return ERR_SYNTAX;
	c->line = 0;
	if (b == ';')
		c->state = EXT;
	else if (b == '\r')
		c->state = SIZE_LF;
	else
		return ERR_SYNTAX; /* "5 " too: no white space before the end, whatever RFC 9112 errata let pass */
	return ERR_AGAIN;
}

static bool is_text(unsigned char b)
{
	return (b >= 0x20 && b != 0x7f) || b == '\t';
}

static enum err line_byte(struct chunk_reader *c, unsigned char b, struct text *trailers)
{
	if (++c->line > LINE_MAX_ALL)
		return ERR_LIMIT;
	switch (c->state) {
	case EXT:
		if (b == '\r')
			c->state = SIZE_LF;
		else if (!is_text(b))
			return ERR_SYNTAX;
		return ERR_AGAIN;
	case SIZE_LF:
		if (b != '\n')
			return ERR_SYNTAX;
		c->state = c->left ? DATA : TRAILER;
		c->digits = 0;
		c->line = 0;
		c->seen_field = false;
		return ERR_AGAIN;
	case DATA_CR:
		c->state = DATA_LF;
		return b == '\r' ? ERR_AGAIN : ERR_SYNTAX;
	case DATA_LF:
		c->state = SIZE;
		return b == '\n' ? ERR_AGAIN : ERR_SYNTAX;
	case TRAILER:
		if (b == '\r') {
			c->state = TRAILER_LF;
			return c->seen_field && !c->seen_colon ? ERR_SYNTAX : ERR_AGAIN;
		}
		if (c->seen_colon ? !is_text(b) : !http1_is(b, CH_TOKEN) && (b != ':' || !c->seen_field))
			return ERR_SYNTAX;
		c->seen_colon = c->seen_colon || b == ':';
		c->seen_field = true;
		if (trailers)
			text_byte(trailers, b);
		return ERR_AGAIN;
	case TRAILER_LF:
		if (b != '\n')
			return ERR_SYNTAX;
		if (!c->seen_field) {
			c->state = END;
			return OK;
		}
		if (trailers)
			text_lit(trailers, "\r\n");
		c->seen_field = c->seen_colon = false;
		c->state = TRAILER;
		return ERR_AGAIN;
	default: return ERR_ORDER;
	}
}

enum err chunk_read(struct chunk_reader *c, struct bytes in, size_t *used, struct bytes *data, struct text *trailers_out)
{
	size_t at = 0;
	enum err e = c->state == END ? OK : ERR_AGAIN;

	*data = bytes_of(in.at, 0);
	while (e == ERR_AGAIN && at < in.len) {
		if (c->state == DATA) {
			size_t n = in.len - at < c->left ? in.len - at : (size_t)c->left;
			if (data->len)
				break; /* one run a call */
			*data = bytes_of(in.at + at, n);
			at += n;
			c->left -= n;
			if (c->left == 0)
				c->state = DATA_CR;
			continue;
		}
		e = c->state == SIZE ? size_byte(c, in.at[at]) : line_byte(c, in.at[at], trailers_out);
		at++;
	}
	*used = at;
	return e;
}
