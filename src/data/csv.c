/* A field is a view where it can be: only doubled quotes make a copy. What RFC 4180 does not allow is refused, not guessed at: in a list of people a
 * quote in the wrong place would move all that stands behind it. */
#include "data/csv.h"

#include "base/err.h"

static unsigned char guess_separator(struct bytes in)
{
	bool is_quoted = false, has_semicolon = false;

	for (size_t i = 0; i < in.len && (is_quoted || in.at[i] != '\n'); i++) {
		if (in.at[i] == '"')
			is_quoted = !is_quoted;
		else if (!is_quoted && in.at[i] == ',')
			return ',';
		else if (!is_quoted && in.at[i] == ';')
			has_semicolon = true;
	}
	return has_semicolon ? ';' : ',';
}

void csv_init(struct csv *c, struct bytes in)
{
	if (bytes_starts(in, BYTES("\xef\xbb\xbf")))
		in = bytes_cut(in, 3, in.len);
	*c = (struct csv){ .left = in, .separator = guess_separator(in), .line = 1, .record_line = 1 };
}

static enum err fail(struct csv *c, enum err e, unsigned line, const char *why)
{
	c->why = why;
	c->record_line = line;
	c->left = BYTES("");
	return e;
}

static void skip(struct csv *c, size_t n)
{
	c->left = bytes_cut(c->left, n, c->left.len);
}

/* Behind a field: the separator, or the end of the line. */
static enum err take_end(struct csv *c, bool *is_last)
{
	struct bytes in = c->left;

	*is_last = true;
	if (in.len == 0)
		return OK;
	if (in.at[0] == c->separator) {
		*is_last = false;
		skip(c, 1);
	} else if (in.at[0] == '\n' || bytes_starts(in, BYTES("\r\n"))) {
		skip(c, in.at[0] == '\n' ? 1 : 2);
		c->line++;
	} else if (in.at[0] == '\r') {
		return fail(c, ERR_SYNTAX, c->line, "a carriage return without a line feed; lines end in LF or CRLF");
	} else {
		return fail(c, ERR_SYNTAX, c->line, "text behind a closing quote; double a quote that belongs to the text");
	}
	return OK;
}

/* RFC 4180 2.6: a field without quotes has none inside. */
static enum err take_bare(struct csv *c, struct bytes *out)
{
	size_t n = 0;

	while (n < c->left.len && c->left.at[n] != c->separator && c->left.at[n] != '\n' && c->left.at[n] != '\r') {
		if (c->left.at[n] == '"')
			return fail(c, ERR_SYNTAX, c->line, "a quote inside a field without quotes; put the whole field in quotes, and double the quote");
		if (c->left.at[n] == 0)
			return fail(c, ERR_SYNTAX, c->line, "a NUL; is this a text?");
		n++;
	}
	*out = bytes_cut(c->left, 0, n);
	skip(c, n);
	return OK;
}

/* RFC 4180 2.7: in quotes a quote is doubled, and all else is itself. */
static enum err take_quoted(struct csv *c, struct text *mem, struct bytes *out)
{
	size_t n = 1, from = mem->len;
	unsigned line = c->line;
	bool is_doubled = false;

	for (;; n++) {
		if (n >= c->left.len)
			return fail(c, ERR_SYNTAX, line, "a quote begins here and does not end");
		if (c->left.at[n] == 0)
			return fail(c, ERR_SYNTAX, c->line, "a NUL; is this a text?");
		c->line += c->left.at[n] == '\n';
		if (c->left.at[n] != '"')
			continue;
		if (n + 1 >= c->left.len || c->left.at[n + 1] != '"')
			break;
		is_doubled = true;
		n++;
	}
	*out = bytes_cut(c->left, 1, n);
	skip(c, n + 1);
	if (!is_doubled)
		return OK;
	for (size_t i = 0; i < out->len; i++) {
		text_byte(mem, out->at[i]);
		i += out->at[i] == '"';
	}
	if (mem->failed)
		return fail(c, ERR_LIMIT, line, "too much text with quotes in one line");
	*out = bytes_of(mem->at + from, mem->len - from);
	return OK;
}

enum err csv_next(struct csv *c, struct csv_record *out)
{
	bool is_last = false;
	struct text mem;

	while (c->left.len && (c->left.at[0] == '\n' || bytes_starts(c->left, BYTES("\r\n")))) {
		skip(c, c->left.at[0] == '\n' ? 1 : 2);
		c->line++;
	}
	if (c->left.len == 0)
		return c->why ? ERR_SYNTAX : ERR_NOT_FOUND;
	c->record_line = c->line;
	text_init(&mem, out->mem, sizeof(out->mem));
	for (out->count = 0; !is_last; out->count++) {
		unsigned line = c->line;
		struct bytes *field;

		if (out->count == CSV_FIELDS_MAX)
			return fail(c, ERR_LIMIT, line, "more than 64 columns");
		field = &out->fields[out->count];
		TRY(c->left.len && c->left.at[0] == '"' ? take_quoted(c, &mem, field) : take_bare(c, field));
		if (field->len > CSV_FIELD_MAX)
			return fail(c, ERR_LIMIT, line, "a field of more than 4096 octets; is a quote missing?");
		TRY(take_end(c, &is_last));
	}
	return OK;
}
