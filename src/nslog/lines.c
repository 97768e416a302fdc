/* Lines out of pieces: the memory is one line, however long the file is. */
#include "nslog/lines_priv.h"

void lines_begin(struct lines *l)
{
	l->piece = BYTES("");
	l->len = 0;
	l->overlong = false;
}

void lines_put(struct lines *l, struct bytes piece)
{
	CHECK(l->piece.len == 0);
	l->piece = piece;
}

static struct bytes without_cr(struct bytes line)
{
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static void keep(struct lines *l, struct bytes part)
{
	if (l->overlong || part.len > NSLOG_LINE_MAX - l->len) {
		l->overlong = true;
		l->len = 0;
		return;
	}
	if (part.len)
		memcpy(l->mem + l->len, part.at, part.len);
	l->len += part.len;
}

static void take(struct lines *l, struct bytes *line, bool *overlong)
{
	*overlong = l->overlong;
	*line = l->overlong ? BYTES("") : without_cr(bytes_of(l->mem, l->len));
	l->len = 0;
	l->overlong = false;
}

bool lines_next(struct lines *l, struct bytes *line, bool *overlong)
{
	size_t end = bytes_find_byte(l->piece, '\n');
	struct bytes part;

	if (end == SIZE_MAX) {
		keep(l, l->piece);
		l->piece = BYTES("");
		return false;
	}
	part = bytes_cut(l->piece, 0, end);
	l->piece = bytes_cut(l->piece, end + 1, l->piece.len);
	if (l->len == 0 && !l->overlong && part.len <= NSLOG_LINE_MAX) {
		*line = without_cr(part);
		*overlong = false;
		return true;
	}
	keep(l, part);
	take(l, line, overlong);
	return true;
}

bool lines_last(struct lines *l, struct bytes *line, bool *overlong)
{
	if (l->len == 0 && !l->overlong)
		return false;
	take(l, line, overlong);
	return true;
}
