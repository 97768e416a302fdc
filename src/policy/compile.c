/* From text to tree by recursive descent; each node knows its type, and what does not fit is told with line
 * and column. Depth and size are bounded, so that no text can exhaust the stack or the arena. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "policy/policy_priv.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX    64
#define LIST_MAX     10000

const struct policy_field_info policy_fields[POLICY_FIELD_COUNT] = {
#define POLICY_FIELD(sym, name, type, doc) { name, doc, type },
#include "policy/fields.tbl"
#undef POLICY_FIELD
};

enum token { T_END, T_WORD, T_STRING, T_INT, T_ADDRESS, T_OPEN, T_CLOSE, T_LBRACE, T_RBRACE, T_COMMA, T_SET, T_EQ, T_NE, T_LT,
	T_LE, T_GT, T_GE, T_AND, T_OR, T_NOT, T_BAD };

struct compiler {
	struct bytes in;
	size_t at, start;	/* behind the current token, its start */
	enum token token;
	struct bytes text;	/* of the token */
	int64_t number;
	struct addr_prefix prefix;
	bool is_prefix;		/* the address had a length */
	unsigned depth;
	bool response_ok, looks_at_response;
	const struct policy_set_def *sets;
	size_t set_count;
	struct arena *arena;
	struct policy_error *error;
	bool failed;
	struct policy_expr *regexes;
};

static const char *type_name(enum policy_type t)
{
	switch (t) {
	case POLICY_BOOL: return "true or false";
	case POLICY_INT: return "a number";
	case POLICY_STRING: return "a string";
	case POLICY_ADDRESS: return "an address";
	}
	return "?";
}

PRINTF(3, 4) static struct policy_expr *fail(struct compiler *c, size_t at, const char *fmt, ...)
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

static void scan_string(struct compiler *c)
{
	size_t i = c->at, n = 0;
	unsigned char *out = arena_alloc_raw(c->arena, c->in.len - i + 1);

	c->token = T_BAD;
	if (!out) {
		fail(c, c->start, "the expression is too large");
		return;
	}
	while (i < c->in.len && c->in.at[i] != '"') {
		unsigned char ch = c->in.at[i++];
		if (ch == '\\' && i < c->in.len) {
			unsigned char e = c->in.at[i++];
			if (e != '"' && e != '\\') /* kept for regular expressions: "\d" is \d */
				out[n++] = '\\';
			ch = e;
		}
		out[n++] = ch;
	}
	if (i >= c->in.len) {
		fail(c, c->start, "the string has no end; write a closing \"");
		return;
	}
	c->at = i + 1;
	c->text = bytes_of(out, n);
	c->token = T_STRING;
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
		fail(c, c->start, "%.*s is neither a number nor an address or prefix", FMT(t));
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

static void next(struct compiler *c)
{
	static const struct { struct bytes text; enum token token; } marks[] = { { LIT("=="), T_EQ }, { LIT("!="), T_NE },
		{ LIT("<="), T_LE }, { LIT(">="), T_GE }, { LIT("&&"), T_AND }, { LIT("||"), T_OR }, { LIT("<"), T_LT },
		{ LIT(">"), T_GT }, { LIT("!"), T_NOT }, { LIT("("), T_OPEN }, { LIT(")"), T_CLOSE }, { LIT("{"), T_LBRACE },
		{ LIT("}"), T_RBRACE }, { LIT(","), T_COMMA } };
	unsigned char ch;

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
		c->at++;
		c->start = c->at;
		scan_word(c);
		c->start--;
		c->token = T_SET;
	} else if ((ch >= '0' && ch <= '9') || ch == ':') {
		scan_number(c);
	} else if (is_word(ch)) {
		scan_word(c);
	} else {
		c->token = T_BAD;
		fail(c, c->at, ch == '\'' ? "write strings in double quotes" : ch == '=' ? "write == to compare" :
			"unexpected character");
	}
}

static struct policy_expr *node(struct compiler *c, enum policy_op op, enum policy_type type)
{
	struct policy_expr *e = arena_alloc(c->arena, sizeof *e);

	if (!e) {
		fail(c, c->start, "the expression is too large");
		return NULL;
	}
	e->op = op;
	e->type = type;
	return e;
}

static unsigned distance(struct bytes a, const char *b)
{
	unsigned row[64], n = (unsigned)strlen(b);

	if (n >= 63 || a.len >= 63)
		return 99;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned up = row[j], cost = diagonal + (a.at[i - 1] != (unsigned char)b[j - 1]);
			row[j] = up + 1 < cost ? up + 1 : cost;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = up;
		}
	}
	return row[n];
}

static const struct { const char *name; enum policy_op op; enum policy_type type; unsigned args; } functions[] = {
	{ "starts_with", OP_STARTS, POLICY_BOOL, 2 }, { "ends_with", OP_ENDS, POLICY_BOOL, 2 },
	{ "lower", OP_LOWER, POLICY_STRING, 1 }, { "upper", OP_UPPER, POLICY_STRING, 1 }, { "len", OP_LEN, POLICY_INT, 1 },
	{ "header", OP_HEADER, POLICY_STRING, 1 }, { "response.header", OP_RESPONSE_HEADER, POLICY_STRING, 1 },
	{ "cookie", OP_COOKIE, POLICY_STRING, 1 }, { "query", OP_QUERY, POLICY_STRING, 1 }, { "tag", OP_TAG, POLICY_BOOL, 1 },
	{ "text_decode", OP_TEXT_DECODE, POLICY_STRING, 1 }, { "concat", OP_CONCAT, POLICY_STRING, 2 },
};

static struct policy_expr *unknown_name(struct compiler *c, struct bytes name, size_t at)
{
	const char *best = "";
	unsigned least = 99;

	for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
		if (distance(name, policy_fields[i].name) < least)
			least = distance(name, best = policy_fields[i].name);
	for (size_t i = 0; i < COUNT_OF(functions); i++)
		if (distance(name, functions[i].name) < least)
			least = distance(name, best = functions[i].name);
	if (least <= 3)
		return fail(c, at, "unknown name %.*s; did you mean %s?", FMT(name), best);
	return fail(c, at, "unknown name %.*s", FMT(name));
}

static struct policy_expr *parse_or(struct compiler *c);

static struct policy_expr *parse_call(struct compiler *c, struct bytes name, size_t at)
{
	for (size_t i = 0; i < COUNT_OF(functions); i++) {
		struct policy_expr *e;
		if (!bytes_eq(name, bytes_str(functions[i].name)))
			continue;
		e = node(c, functions[i].op, functions[i].type);
		next(c);
		for (unsigned n = 0; e && n < functions[i].args; n++) {
			size_t where = (next(c), c->start);
			struct policy_expr *arg = parse_or(c);
			if (!arg)
				return NULL;
			if (arg->type != POLICY_STRING)
				return fail(c, where, "%s wants a string here, not %s", functions[i].name, type_name(arg->type));
			if ((e->op == OP_HEADER || e->op == OP_RESPONSE_HEADER || e->op == OP_COOKIE || e->op == OP_QUERY ||
				e->op == OP_TAG) && arg->op != OP_STRING)
				return fail(c, where, "%s wants a name in quotes", functions[i].name);
			*(n ? &e->b : &e->a) = arg;
			if (n + 1 < functions[i].args && c->token != T_COMMA)
				return fail(c, c->start, "%s takes %u arguments; write a comma and the next one", functions[i].name,
					functions[i].args);
		}
		if (!e)
			return NULL;
		if (c->token != T_CLOSE)
			return fail(c, c->start, "write ) after the argument of %s", functions[i].name);
		next(c);
		if (e->op == OP_RESPONSE_HEADER) {
			if (!c->response_ok)
				return fail(c, at, "response.header is known only in rules with on: response");
			c->looks_at_response = true;
		}
		return e;
	}
	return unknown_name(c, name, at);
}

static struct policy_expr *parse_name(struct compiler *c)
{
	struct bytes name = c->text;
	size_t at = c->start;
	struct policy_expr *e;
	bool is_call = c->at < c->in.len && c->in.at[c->at] == '(';

	if (is_call)
		return parse_call(c, name, at);
	next(c);
	if (bytes_eq(name, BYTES("true")) || bytes_eq(name, BYTES("false"))) {
		e = node(c, OP_BOOL, POLICY_BOOL);
		if (e)
			e->number = name.len == 4;
		return e;
	}
	for (size_t i = 0; i < POLICY_FIELD_COUNT; i++) {
		if (!bytes_eq(name, bytes_str(policy_fields[i].name)))
			continue;
		if (i == F_STATUS) {
			if (!c->response_ok)
				return fail(c, at, "response.status is known only in rules with on: response");
			c->looks_at_response = true;
		}
		e = node(c, OP_FIELD, policy_fields[i].type);
		if (e)
			e->field = (enum policy_field_id)i;
		return e;
	}
	return unknown_name(c, name, at);
}

static struct policy_expr *parse_value(struct compiler *c)
{
	struct policy_expr *e = NULL;

	switch (c->token) {
	case T_WORD: return parse_name(c);
	case T_STRING:
		e = node(c, OP_STRING, POLICY_STRING);
		if (e)
			e->string = c->text;
		break;
	case T_INT:
		e = node(c, OP_INT, POLICY_INT);
		if (e)
			e->number = c->number;
		break;
	case T_ADDRESS:
		if (c->is_prefix)
			return fail(c, c->start, "a prefix stands only behind in: client.ip in {%.*s}", FMT(c->text));
		e = node(c, OP_ADDRESS, POLICY_ADDRESS);
		if (e)
			memcpy(e->address.ip, c->prefix.ip, sizeof e->address.ip);
		break;
	case T_OPEN:
		next(c);
		e = parse_or(c);
		if (e && c->token != T_CLOSE)
			return fail(c, c->start, "write ) here");
		break;
	case T_END: return fail(c, c->start, "the expression ends too early; a field, a value or ( is missing");
	default: return fail(c, c->start, "a field, a value or ( is expected here");
	}
	if (e)
		next(c);
	return e;
}

static int string_cmp(const void *a, const void *b)
{
	return bytes_cmp(*(const struct bytes *)a, *(const struct bytes *)b);
}

static struct policy_expr *in_set(struct compiler *c, struct policy_expr *e)
{
	for (size_t i = 0; i < c->set_count; i++) {
		const struct policy_set_def *s = &c->sets[i];
		struct bytes *sorted;
		if (!bytes_eq(s->name, c->text))
			continue;
		if (s->is_addresses != (e->a->type == POLICY_ADDRESS) || (!s->is_addresses && e->a->type != POLICY_STRING))
			return fail(c, c->start, "$%.*s holds %s, and the left side is %s", FMT(s->name),
				s->is_addresses ? "addresses" : "strings", type_name(e->a->type));
		if (s->is_addresses) {
			e->op = OP_IN_ADDRESSES;
			e->prefixes = s->prefixes;
			e->count = s->prefix_count;
		} else {
			e->op = OP_IN_STRINGS;
			e->count = s->string_count;
			sorted = arena_array(c->arena, s->string_count + 1, sizeof *sorted);
			if (!sorted)
				return fail(c, c->start, "the set is too large");
			if (s->string_count)
				memcpy(sorted, s->strings, s->string_count * sizeof *sorted);
			qsort(sorted, s->string_count, sizeof *sorted, string_cmp);
			e->strings = sorted;
		}
		next(c);
		return e;
	}
	return fail(c, c->start, "there is no set $%.*s; name it under sets:", FMT(c->text));
}

static struct policy_expr *in_list(struct compiler *c, struct policy_expr *e)
{
	enum token want = e->a->type == POLICY_STRING ? T_STRING : e->a->type == POLICY_INT ? T_INT : T_ADDRESS;
	size_t cap = 0, n = 0, size = want == T_STRING ? sizeof(struct bytes) : want == T_INT ? sizeof(int64_t) : sizeof(struct addr_prefix);
	unsigned char *list;

	cap = (c->in.len - c->at) / 2 + 2; /* an item takes two octets at least; a string may hold a } */
	if (cap > LIST_MAX)
		cap = LIST_MAX;
	list = arena_array(c->arena, cap, size);
	if (!list)
		return fail(c, c->start, "the list is too long; use a set from a file");
	for (next(c); c->token != T_RBRACE; n++) {
		if (c->token == T_COMMA) {
			next(c);
			n--;
			continue;
		}
		if (c->token != want)
			return fail(c, c->start, "the list must hold only %s here, and end with }",
				want == T_STRING ? "strings" : want == T_INT ? "numbers" : "addresses and prefixes");
		if (n >= cap)
			return fail(c, c->start, "the list is too long; use a set from a file");
		if (want == T_STRING)
			memcpy(list + n * size, &c->text, size);
		else if (want == T_INT)
			memcpy(list + n * size, &c->number, size);
		else
			memcpy(list + n * size, &c->prefix, size);
		next(c);
	}
	e->op = want == T_STRING ? OP_IN_STRINGS : want == T_INT ? OP_IN_INTS : OP_IN_ADDRESSES;
	e->count = n;
	if (want == T_STRING) {
		qsort(list, n, size, string_cmp);
		e->strings = (const struct bytes *)(void *)list;
	} else if (want == T_INT) {
		e->numbers = (const int64_t *)(void *)list;
	} else {
		e->prefixes = (const struct addr_prefix *)(void *)list;
	}
	next(c);
	return e;
}

static struct policy_expr *parse_in(struct compiler *c, struct policy_expr *left)
{
	struct policy_expr *e = node(c, OP_IN_STRINGS, POLICY_BOOL);

	if (!e)
		return NULL;
	e->a = left;
	if (left->type == POLICY_BOOL)
		return fail(c, c->start, "in wants a string, a number or an address on its left");
	next(c);
	if (c->token == T_SET)
		return in_set(c, e);
	if (c->token == T_LBRACE)
		return in_list(c, e);
	return fail(c, c->start, "write in {\"a\" \"b\"} or in $set");
}

static struct policy_expr *parse_matches(struct compiler *c, struct policy_expr *left)
{
	struct policy_expr *e = node(c, OP_MATCHES, POLICY_BOOL);
	/* What the pattern itself may set is only lower: PCRE2 takes the lowest. */
	static const struct bytes limits = LIT("(*LIMIT_MATCH=100000)(*LIMIT_DEPTH=1000)");
	unsigned char *limited;
	int code;
	PCRE2_SIZE at;

	next(c);
	if (!e || left->type != POLICY_STRING || c->token != T_STRING)
		return fail(c, c->start, "matches wants a string on its left and a regular expression in quotes on its right");
	e->a = left;
	limited = arena_alloc_raw(c->arena, limits.len + c->text.len);
	if (!limited)
		return fail(c, c->start, "the expression is too large");
	memcpy(limited, limits.at, limits.len);
	memcpy(limited + limits.len, c->text.at, c->text.len);
	e->regex = pcre2_compile(limited, limits.len + c->text.len, PCRE2_NEVER_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_DOLLAR_ENDONLY,
		&code, &at, NULL);
	if (!e->regex) {
		unsigned char what[128];
		pcre2_get_error_message(code, what, sizeof what);
		return fail(c, c->start, "the regular expression is wrong at its octet %zu: %s", at > limits.len ? at - limits.len + 1 : 1, (char *)what);
	}
	pcre2_jit_compile(e->regex, PCRE2_JIT_COMPLETE); /* without it the interpreter serves */
	e->match = pcre2_match_data_create(1, NULL);
	e->next_regex = c->regexes;
	c->regexes = e;
	next(c);
	return e;
}

static struct policy_expr *parse_comparison(struct compiler *c)
{
	static const enum policy_op ops[] = { [T_EQ] = OP_EQ, [T_NE] = OP_NE, [T_LT] = OP_LT, [T_LE] = OP_LE, [T_GT] = OP_GT,
		[T_GE] = OP_GE };
	struct policy_expr *left = parse_value(c), *e;
	enum policy_op op;
	size_t at = c->start;

	if (!left)
		return NULL;
	if (c->token >= T_EQ && c->token <= T_GE)
		op = ops[c->token];
	else if (c->token == T_WORD && bytes_eq(c->text, BYTES("contains")))
		op = OP_CONTAINS;
	else if (c->token == T_WORD && bytes_eq(c->text, BYTES("matches")))
		return parse_matches(c, left);
	else if (c->token == T_WORD && bytes_eq(c->text, BYTES("in")))
		return parse_in(c, left);
	else
		return left;
	e = node(c, op, POLICY_BOOL);
	next(c);
	at = c->start;
	if (!e || !(e->b = parse_value(c)))
		return NULL;
	e->a = left;
	if (e->b->type != left->type)
		return fail(c, at, "the left side is %s, and this is %s", type_name(left->type), type_name(e->b->type));
	if (op == OP_CONTAINS && left->type != POLICY_STRING)
		return fail(c, at, "contains compares strings");
	if (op != OP_EQ && op != OP_NE && op != OP_CONTAINS && left->type != POLICY_INT)
		return fail(c, at, "< and > compare numbers; the left side is %s", type_name(left->type));
	return e;
}

static struct policy_expr *parse_not(struct compiler *c)
{
	struct policy_expr *e;
	size_t at;

	if (++c->depth > DEPTH_MAX)
		return fail(c, c->start, "the expression is nested too deeply");
	if (c->token != T_NOT) {
		e = parse_comparison(c);
		c->depth--;
		return e;
	}
	e = node(c, OP_NOT, POLICY_BOOL);
	next(c);
	at = c->start;
	if (!e || !(e->a = parse_not(c)))
		return NULL;
	if (e->a->type != POLICY_BOOL)
		return fail(c, at, "not wants true or false, and this is %s", type_name(e->a->type));
	c->depth--;
	return e;
}

static struct policy_expr *parse_chain(struct compiler *c, enum token token, enum policy_op op,
	struct policy_expr *(*part)(struct compiler *))
{
	size_t at = c->start;
	struct policy_expr *left = part(c);

	while (left && c->token == token) {
		struct policy_expr *e = node(c, op, POLICY_BOOL);
		size_t right_at;
		if (left->type != POLICY_BOOL)
			return fail(c, at, "%s joins conditions, and this is %s", op == OP_AND ? "and" : "or", type_name(left->type));
		next(c);
		right_at = c->start;
		if (!e || !(e->b = part(c)))
			return NULL;
		if (e->b->type != POLICY_BOOL)
			return fail(c, right_at, "%s joins conditions, and this is %s", op == OP_AND ? "and" : "or",
				type_name(e->b->type));
		e->a = left;
		left = e;
	}
	return left;
}

static struct policy_expr *parse_and(struct compiler *c)
{
	return parse_chain(c, T_AND, OP_AND, parse_not);
}

static struct policy_expr *parse_or(struct compiler *c)
{
	return parse_chain(c, T_OR, OP_OR, parse_and);
}

enum err policy_compile(struct bytes source, enum policy_type want, bool response_fields_allowed,
	const struct policy_set_def *sets, size_t set_count, struct arena *arena, struct policy_expr **out,
	struct policy_error *error)
{
	struct compiler c = { .in = source, .sets = sets, .set_count = set_count, .arena = arena, .error = error,
		.response_ok = response_fields_allowed };
	struct policy_expr *e;

	*error = (struct policy_error){ 0 };
	next(&c);
	e = parse_or(&c);
	if (e && c.token != T_END)
		e = fail(&c, c.start, "the expression should end here; join conditions with and, or");
	if (e && e->type != want && !(want == POLICY_STRING && e->type != POLICY_BOOL))
		e = fail(&c, 0, "this is %s, and %s is wanted", type_name(e->type), type_name(want));
	if (!e || c.failed) {
		for (struct policy_expr *r = c.regexes; r; r = r->next_regex) {
			pcre2_match_data_free(r->match);
			pcre2_code_free(r->regex);
		}
		return ERR_SYNTAX;
	}
	e->looks_at_response = c.looks_at_response;
	if (e->op != OP_MATCHES)
		e->next_regex = c.regexes;
	*out = e;
	return OK;
}

void policy_expr_fini(struct policy_expr *e)
{
	for (struct policy_expr *r = e; r; r = r->next_regex)
		if (r->op == OP_MATCHES && r->regex) {
			pcre2_match_data_free(r->match);
			pcre2_code_free(r->regex);
			r->regex = r->match = NULL;
		}
}
