/* Expressions inside YAML scalars: compiled, and their mistakes told as places in the YAML file. */
#include "conf/load_priv.h"

/* How many octets of UTF-8 the hexadecimal digits of an escape make. */
static size_t escape_octets(struct bytes digits)
{
	uint32_t n = 0;

	for (size_t i = 0; i < digits.len; i++) {
		unsigned char c = ascii_lower(digits.at[i]);
		n = n << 4 | (uint32_t)(c >= 'a' ? c - 'a' + 10 : c - '0');
	}
	return n < 0x80 ? 1 : n < 0x800 ? 2 : n < 0x10000 ? 3 : 4;
}

/* Where the octet number offset of a scalar's value stands in its line: quotes and escapes take columns of
 * their own, and a column is a character, not an octet. */
static size_t column_of(struct bytes line, size_t at, yaml_scalar_style_t style, size_t offset)
{
	size_t column = at, i = 0;

	for (size_t seen = 0; i < line.len && seen < at; i++)
		seen += i + 1 == line.len || (line.at[i + 1] & 0xc0) != 0x80;
	if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) {
		i++;
		column++;
	}
	while (offset && i < line.len) {
		size_t wide = 1, makes = 1;
		if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE && line.at[i] == '\'') {
			wide = 2;
		} else if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE && line.at[i] == '\\' && i + 1 < line.len) {
			unsigned char c = line.at[i + 1];
			wide = c == 'x' ? 4 : c == 'u' ? 6 : c == 'U' ? 10 : 2;
			makes = escape_octets(bytes_cut(line, i + 2, i + wide));
		} else {
			while (i + makes < line.len && (line.at[i + makes] & 0xc0) == 0x80)
				makes++;
		}
		i += wide == 1 ? makes : wide;
		column += wide;
		offset -= makes < offset ? makes : offset;
	}
	return column;
}

static struct bytes line_of(struct bytes text, size_t number)
{
	for (; number && text.len; number--) {
		size_t lf = bytes_find_byte(text, '\n');
		text = lf == SIZE_MAX ? BYTES("") : bytes_cut(text, lf + 1, text.len);
	}
	return bytes_cut(text, 0, bytes_find_byte(text, '\n'));
}

static yaml_mark_t place(const struct loader *l, const yaml_node_t *n, const struct policy_error *error)
{
	yaml_scalar_style_t style = n->data.scalar.style;
	yaml_mark_t at = n->start_mark;
	struct bytes line;

	if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
		size_t indent = 0;
		at.line += error->line;
		line = line_of(l->text, at.line);
		while (indent < line.len && line.at[indent] == ' ')
			indent++;
		at.column = indent;
		/* A folded text has lost its line ends: its first line is all that is known. */
		if (style == YAML_LITERAL_SCALAR_STYLE || indent + error->column <= line.len)
			at.column += error->column - 1;
	} else if (n->end_mark.line == at.line) {
		at.column = column_of(line_of(l->text, at.line), at.column, style, error->column - 1);
	}
	return at;
}

static struct policy_expr *compile(struct loader *l, yaml_node_t *n, struct bytes source, enum policy_type want, bool on_response)
{
	struct policy_expr *e = NULL;
	struct policy_error error;
	yaml_mark_t at;

	if (n->type != YAML_SCALAR_NODE) {
		conf_fail(l, &n->start_mark, NULL, "an expression is expected here");
		return NULL;
	}
	if (policy_compile(source, want, on_response, l->conf->sets, l->conf->set_count, l->arena, &e, &error) == OK)
		return e;
	at = place(l, n, &error);
	conf_fail(l, &at, NULL, "in the expression: %s", error.what);
	return NULL;
}

struct policy_expr *conf_expr(struct loader *l, yaml_node_t *n, enum policy_type want, bool on_response)
{
	return compile(l, n, arena_copy(l->arena, node_text(n)), want, on_response);
}

/* Where the octet number offset of source stands, as the compiler would say it. */
static struct policy_error error_at(struct bytes source, size_t offset)
{
	struct policy_error e = { .line = 1, .column = 1 };

	for (size_t i = 0; i < offset; i++) {
		e.column++;
		if (source.at[i] == '\n') {
			e.line++;
			e.column = 1;
		}
	}
	return e;
}

struct policy_expr *map_condition(const struct map *m, const char *key, const char *when, struct bytes *text)
{
	yaml_node_t *n = map_node(m, key);
	struct bytes source = n && n->type != YAML_SCALAR_NODE ? BYTES("") : map_string(m, key);
	struct policy_expr *e = NULL;
	struct policy_error error;
	struct bytes name;
	yaml_mark_t at;

	*text = source;
	while (text->len && (text->at[text->len - 1] == '\n' || text->at[text->len - 1] == ' ')) /* of a block */
		text->len--;
	if (!n) {
		if (source.len)
			CHECK(policy_compile(source, POLICY_BOOL, false, NULL, 0, m->l->arena, &e, &error) == OK);
		return e;
	}
	e = compile(m->l, n, source, POLICY_BOOL, false);
	if (!e || !when || !policy_needs_request(e))
		return e;
	name = policy_request_name(e);
	error = error_at(source, (size_t)(name.at - source.at));
	at = place(m->l, n, &error);
	conf_fail(m->l, &at, "use policies: for single paths", "'%s' says %.*s, which is not known when %s", key, FMT(name), when);
	return e;
}
