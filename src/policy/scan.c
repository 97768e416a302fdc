/* From octets to tokens. */
#include "policy/compile_priv.h"

#include <stdio.h>

struct policy_expr *compile_fail(struct compiler *c, size_t at, const char *fmt, ...)
{
	va_list ap;

	if (c->failed)
		return NULL; /* the first error is the one that helps */
	c->failed = true;
	c->error->line = 1;
	c->error->column = 1;
	for (size_t i = 0; i < at && i < c->in.len; i++) {
		c->error->column++;
		if (c->in.at[i] == '\n') {
			c->error->line++;
			c->error->column = 1;
		}
	}
	va_start(ap, fmt);
	vsnprintf(c->error->what, sizeof c->error->what, fmt, ap);
	va_end(ap);
	return NULL;
}

static bool is_word(unsigned char ch)
{
	return (ascii_lower(ch) >= 'a' && ascii_lower(ch) <= 'z') || (ch >= '0' && ch <= '9') || ch == '_' || ch == '.';
}

/* Where the string that begins at from (behind its quote) ends: at its closing quote, or SIZE_MAX. */
static size_t string_end(struct bytes in, size_t from)
{
	for (size_t i = from; i < in.len; i++) {
		if (in.at[i] == '"')
			return i;
		if (in.at[i] == '\\')
			i++;
	}
	return SIZE_MAX;
}

static void scan_string(struct compiler *c)
{
	size_t end = string_end(c->in, c->at), n = 0;
	unsigned char *out;

	c->token = T_BAD;
	if (end == SIZE_MAX) {
		compile_fail(c, c->start, "the string has no end; write a closing \" (and \\\" for a quote inside)");
		return;
	}
	out = arena_alloc_raw(c->arena, end - c->at + 1);
	if (!out) {
		compile_fail(c, c->start, "the expression is too large");
		return;
	}
	for (size_t i = c->at; i < end; i++) {
		unsigned char ch = c->in.at[i];
		if (ch == '\\') {
			unsigned char e = c->in.at[++i];
			if (e != '"' && e != '\\') /* kept for regular expressions: "\d" is \d */
				out[n++] = '\\';
			ch = e;
		}
		out[n++] = ch;
	}
	c->at = end + 1;
	c->text = bytes_of(out, n);
	c->token = T_STRING;
}

size_t compile_list_end(const struct compiler *c)
{
	for (size_t i = c->at; i < c->in.len; i++) {
		if (c->in.at[i] == '}')
			return i;
		if (c->in.at[i] == '"' && (i = string_end(c->in, i + 1)) == SIZE_MAX)
			break;
	}
	return c->in.len;
}

/* Numbers, addresses and prefixes all start with a digit, a hex digit or a colon. */
static void scan_number(struct compiler *c)
{
	size_t i = c->start;
	struct bytes t;
	uint64_t n;

	while (i < c->in.len && (is_word(c->in.at[i]) || c->in.at[i] == ':' || c->in.at[i] == '/'))
		i++;
	t = bytes_cut(c->in, c->start, i);
	c->at = i;
	c->text = t;
	if (bytes_u64(t, &n) == OK && n <= INT64_MAX) {
		c->number = (int64_t)n;
		c->token = T_INT;
	} else if (addr_parse_prefix(t, &c->prefix) == OK) {
		c->is_prefix = bytes_find_byte(t, '/') != SIZE_MAX;
		c->token = T_ADDRESS;
	} else {
		c->token = T_BAD;
		compile_fail(c, c->start, "%.*s is neither a number nor an address or prefix; write 8080, 192.0.2.1, 192.0.2.0/24 "
			"or 2001:db8::/32 with no bits set behind the prefix", FMT(bytes_cut(t, 0, 60)));
	}
}

static void scan_word(struct compiler *c)
{
	static const struct { struct bytes word; enum token token; } words[] = { { LIT("and"), T_AND }, { LIT("or"), T_OR },
		{ LIT("not"), T_NOT } };
	size_t i = c->start;

	while (i < c->in.len && is_word(c->in.at[i]))
		i++;
	if (i < c->in.len && c->in.at[i] == ':') { /* an IPv6 address that starts with a letter */
		scan_number(c);
		return;
	}
	c->text = bytes_cut(c->in, c->start, i);
	c->at = i;
	c->token = T_WORD;
	for (size_t w = 0; w < COUNT_OF(words); w++)
		if (bytes_eq(c->text, words[w].word))
			c->token = words[w].token;
}

static void scan_set(struct compiler *c)
{
	size_t i = ++c->at;

	while (i < c->in.len && (is_word(c->in.at[i]) || c->in.at[i] == '-'))
		i++;
	c->text = bytes_cut(c->in, c->at, i);
	c->at = i;
	c->token = T_SET;
}

static const char *bad_character(unsigned char ch)
{
	switch (ch) {
	case '\'': return "write strings in double quotes";
	case '=': return "write == to compare";
	case '~': return "write matches \"...\" for a regular expression";
	case '&': return "write and";
	case '|': return "write or";
	case '[': case ']': return "write a list as {\"a\" \"b\"}";
	case '/': return "write a path in double quotes, as \"/admin\"";
	default: return "this character has no meaning here; strings stand in double quotes";
	}
}

void compile_next(struct compiler *c)
{
	static const struct { struct bytes text; enum token token; } marks[] = { { LIT("=="), T_EQ }, { LIT("!="), T_NE },
		{ LIT("<="), T_LE }, { LIT(">="), T_GE }, { LIT("&&"), T_AND }, { LIT("||"), T_OR }, { LIT("<"), T_LT },
		{ LIT(">"), T_GT }, { LIT("!"), T_NOT }, { LIT("("), T_OPEN }, { LIT(")"), T_CLOSE }, { LIT("{"), T_LBRACE },
		{ LIT("}"), T_RBRACE }, { LIT(","), T_COMMA } };
	unsigned char ch;

	c->end = c->at;
	while (c->at < c->in.len && memchr(" \t\r\n", c->in.at[c->at], 4))
		c->at++;
	c->start = c->at;
	c->token = T_END;
	if (c->at >= c->in.len || c->failed)
		return;
	ch = c->in.at[c->at];
	for (size_t i = 0; i < COUNT_OF(marks); i++)
		if (bytes_starts(bytes_cut(c->in, c->at, c->in.len), marks[i].text)) {
			c->token = marks[i].token;
			c->at += marks[i].text.len;
			return;
		}
	if (ch == '"') {
		c->at++;
		scan_string(c);
	} else if (ch == '$') {
		scan_set(c);
	} else if ((ch >= '0' && ch <= '9') || ch == ':') {
		scan_number(c);
	} else if (is_word(ch)) {
		scan_word(c);
	} else {
		c->token = T_BAD;
		compile_fail(c, c->at, "%s", bad_character(ch));
	}
}
