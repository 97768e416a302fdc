/* From text to tree by recursive descent; each node knows its type, and what does not fit is told with line
 * and column. Depth and size are bounded, so that no text can exhaust the stack or the arena, and no comparison
 * can need more room than the worker has for it. */
#include "policy/compile_priv.h"

#include <stdio.h>

#define DEPTH_MAX    64
#define LIST_MAX     10000

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

static struct policy_expr *node(struct compiler *c, enum policy_op op, enum policy_type type)
{
	struct policy_expr *e = arena_alloc(c->arena, sizeof *e);

	if (!e) {
		compile_fail(c, c->start, "the expression is too large");
		return NULL;
	}
	e->op = (uint8_t)op;
	e->type = (uint8_t)type;
	return e;
}

static struct policy_expr *unknown_name(struct compiler *c, struct bytes name, size_t at)
{
	const char *best = policy_nearest_name(name);

	if (best)
		return compile_fail(c, at, "unknown name %.*s; did you mean %s?", FMT(bytes_cut(name, 0, 60)), best);
	return compile_fail(c, at, "unknown name %.*s; docs/policy.md lists fields and functions, and strings stand in double quotes",
		FMT(bytes_cut(name, 0, 60)));
}

/* Operators that other languages have, and what to write here. */
static struct policy_expr *unexpected(struct compiler *c, const char *otherwise)
{
	static const struct { struct bytes word; const char *write; } words[] = { { LIT("eq"), "==" }, { LIT("ne"), "!=" },
		{ LIT("lt"), "<" }, { LIT("le"), "<=" }, { LIT("gt"), ">" }, { LIT("ge"), ">=" }, { LIT("is"), "==" },
		{ LIT("equals"), "==" }, { LIT("AND"), "and" }, { LIT("OR"), "or" }, { LIT("NOT"), "not" }, { LIT("IN"), "in" },
		{ LIT("like"), "contains or matches" }, { LIT("wildcard"), "matches with a regular expression" },
		{ LIT("starts_with"), "starts_with(x, y)" }, { LIT("startswith"), "starts_with(x, y)" },
		{ LIT("ends_with"), "ends_with(x, y)" }, { LIT("endswith"), "ends_with(x, y)" },
		{ LIT("xor"), "(x) != (y)" }, { LIT("match"), "matches" }, { LIT("contain"), "contains" } };

	for (size_t i = 0; c->token == T_WORD && i < COUNT_OF(words); i++)
		if (bytes_eq(c->text, words[i].word))
			return compile_fail(c, c->start, "there is no operator %.*s; write %s", FMT(c->text), words[i].write);
	if (c->token == T_NOT)
		return compile_fail(c, c->start, "not stands before a whole comparison: not (client.ip in $office)");
	return compile_fail(c, c->start, "%s", otherwise);
}

/* --- what a comparison is checked for --- */

static bool is_groups(const struct policy_expr *e)
{
	return e->op == OP_FIELD && e->field == F_USER_GROUPS;
}

static unsigned any_count(const struct policy_expr *e)
{
	if (!e)
		return 0;
	return (e->op == OP_ANY_HEADER || e->op == OP_RESPONSE_ANY_HEADER || e->op == OP_ANY_COOKIE || e->op == OP_ANY_QUERY || is_groups(e)) +
		any_count(e->a) + any_count(e->b);
}

static bool has_groups(const struct policy_expr *e)
{
	return e && (is_groups(e) || has_groups(e->a) || has_groups(e->b));
}

/* What of several values stands in e, for messages. */
static const char *any_name(const struct policy_expr *e)
{
	return has_groups(e) ? "user.groups" : "any_...";
}

static size_t text_most(const struct policy_expr *e)
{
	if (e->type != POLICY_STRING)
		return 64;
	switch (e->op) {
	case OP_STRING: return e->string.len;
	case OP_LOWER: case OP_UPPER: case OP_TEXT_DECODE: case OP_URL_DECODE: return text_most(e->a);
	case OP_CONCAT: return text_most(e->a) + text_most(e->b);
	default: return POLICY_TEXT_MOST;
	}
}

/* Room that an evaluation takes from the arena at most. */
static size_t room_most(const struct policy_expr *e)
{
	size_t own = text_most(e) + 2 * ARENA_ALIGN;

	switch (e->op) {
	case OP_STRING: case OP_FIELD: case OP_INT: case OP_ADDRESS: case OP_BOOL: case OP_COOKIE: case OP_ANY_COOKIE:
	case OP_ANY_HEADER: case OP_RESPONSE_ANY_HEADER: return 0;
	case OP_LEN: return room_most(e->a);
	case OP_CONCAT: return room_most(e->a) + room_most(e->b) + own;
	case OP_LOWER: case OP_UPPER: case OP_TEXT_DECODE: case OP_URL_DECODE: return room_most(e->a) + own;
	default: return own;
	}
}

static bool has_case(struct bytes s, bool upper)
{
	for (size_t i = 0; i < s.len; i++)
		if (upper ? s.at[i] >= 'A' && s.at[i] <= 'Z' : s.at[i] >= 'a' && s.at[i] <= 'z')
			return true;
	return false;
}

/* A literal that the left side can never hold is a rule that never holds: told, not left to be found out. */
static bool check_case(struct compiler *c, const struct policy_expr *left, struct bytes literal, size_t at)
{
	bool lower = left->op == OP_LOWER || left->op == OP_TEXT_DECODE ||
		(left->op == OP_FIELD && (left->field == F_HOST || left->field == F_SCHEME));

	if (lower && has_case(literal, true))
		compile_fail(c, at, "the left side is always in lower case; write \"%.*s\" in lower case too", FMT(bytes_cut(literal, 0, 100)));
	else if (left->op == OP_UPPER && has_case(literal, false))
		compile_fail(c, at, "the left side is always in upper case; write \"%.*s\" in upper case too", FMT(bytes_cut(literal, 0, 100)));
	return !c->failed;
}

/* How common an octet is in heads; the rarest one of a literal is looked for first. */
static size_t commonness(unsigned char ch)
{
	static const char order[] = "etaoinsrlcdhpm/.ugfbwv-ky0123456789=x&zjq:;%_ ,";
	const char *p = memchr(order, ascii_lower(ch), sizeof order - 1);

	return p ? COUNT_OF(order) - (size_t)(p - order) : 0;
}

static struct policy_expr *finish(struct compiler *c, struct policy_expr *e, size_t from, size_t right_at)
{
	unsigned left_any = any_count(e->a), right_any = e->b ? any_count(e->b) : 0;

	e->source = bytes_cut(c->in, from, c->end);
	if (e->op == OP_TAG || e->op == OP_BOOL || e->op == OP_FIELD)
		return e;
	if (right_any)
		return compile_fail(c, right_at, "%s stands on the left side of a comparison only; write the other side here", any_name(e->b));
	if (left_any > 1)
		return compile_fail(c, from, "one %s per comparison; write two comparisons", any_name(e->a));
	if (left_any && e->op == OP_NE)
		return compile_fail(c, from, "%s != would hold as soon as one value differs; write not (%s == ...)", any_name(e->a), any_name(e->a));
	e->is_any = left_any > 0;
	if (room_most(e->a) + (e->b ? room_most(e->b) : 0) > POLICY_SCRATCH_SIZE)
		return compile_fail(c, from, "this comparison may make texts of %zu octets, and there is room for %u; write fewer lower, concat, "
			"... around each other", room_most(e->a) + (e->b ? room_most(e->b) : 0), POLICY_SCRATCH_SIZE);
	if (!e->b || e->b->op != OP_STRING)
		return e;
	if (!check_case(c, e->a, e->b->string, right_at))
		return NULL;
	e->no_case = e->a->op == OP_LOWER;
	for (size_t i = 0; i < e->b->string.len && i < UINT32_MAX; i++)
		if (commonness(e->b->string.at[i]) < commonness(e->b->string.at[e->rare]))
			e->rare = (uint32_t)i;
	return e;
}

/* --- values --- */

static struct policy_expr *parse_or(struct compiler *c);

static struct policy_expr *parse_argument(struct compiler *c, const struct policy_function *f, size_t *at)
{
	struct policy_expr *arg;
	size_t where;

	compile_next(c); /* ( or a comma */
	where = *at = c->start;
	if (c->token == T_CLOSE || c->token == T_END)
		return compile_fail(c, where, "%s wants %s here", f->name, f->wants_name ? "a name in quotes" : "a string");
	arg = parse_or(c);
	if (!arg)
		return NULL;
	if (arg->type != POLICY_STRING)
		return compile_fail(c, where, "%s wants a string here, not %s", f->name, type_name(arg->type));
	if (f->wants_name && arg->op != OP_STRING)
		return compile_fail(c, where, "%s wants a name in quotes, as %s(\"name\")", f->name, f->name);
	if ((f->op == OP_HEADER || f->op == OP_ANY_HEADER || f->op == OP_RESPONSE_HEADER || f->op == OP_RESPONSE_ANY_HEADER) &&
		!http_is_token(arg->string))
		return compile_fail(c, where, "%s wants the name of a field, as \"User-Agent\"; no field is called \"%.*s\"", f->name,
			FMT(bytes_cut(arg->string, 0, 60)));
	return arg;
}

static struct policy_expr *parse_arguments(struct compiler *c, const struct policy_function *f, size_t at)
{
	struct policy_expr *e = node(c, f->op, f->type), *last = e;
	size_t where = at, right_at = at;

	for (unsigned n = 0;; n++) {
		struct policy_expr *arg = parse_argument(c, f, &where);
		if (!e || !arg)
			return NULL;
		if (n == 0) {
			e->a = arg;
		} else if (n == 1) {
			e->b = arg;
			right_at = where;
		} else { /* concat(a, b, c) is concat(a, concat(b, c)) */
			struct policy_expr *more = node(c, f->op, f->type);
			if (!more)
				return NULL;
			more->a = last->b;
			more->b = arg;
			last->b = more;
			last = more;
		}
		if (c->token == T_CLOSE && n + 1 >= f->args)
			break;
		if (c->token == T_COMMA && n + 1 >= f->most_args)
			return compile_fail(c, c->start, "%s takes no more than %u argument%s; write ) here", f->name, f->most_args,
				f->most_args == 1 ? "" : "s");
		if (c->token == T_COMMA)
			continue;
		if (n + 1 < f->args)
			return compile_fail(c, c->start, "%s takes %u arguments; write a comma and the next one", f->name, f->args);
		return unexpected(c, "write ) behind the arguments");
	}
	compile_next(c);
	e->source = bytes_cut(c->in, at, c->end);
	return e->op == OP_STARTS || e->op == OP_ENDS || e->op == OP_TAG ? finish(c, e, at, right_at) : e;
}

static void note_request(struct compiler *c, struct bytes name)
{
	if (c->request_name.len == 0)
		c->request_name = name;
}

static bool is_known_without_request(enum policy_field_id f)
{
	static const enum policy_field_id known[] = { F_CLIENT_IP, F_HOUR, F_WEEKDAY, F_UNIX, F_SESSION_VALID, F_SESSION_MFA, F_SESSION_BOUND,
		F_SESSION_METHOD, F_SESSION_AGE, F_USER_NAME, F_USER_GROUPS };

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (known[i] == f)
			return true;
	return false;
}

static struct policy_expr *parse_call(struct compiler *c, struct bytes name, size_t at)
{
	for (size_t i = 0; i < policy_function_count; i++) {
		struct policy_expr *e;
		if (!bytes_eq(name, bytes_str(policy_functions[i].name)))
			continue;
		e = parse_arguments(c, &policy_functions[i], at);
		if (!e)
			return NULL;
		if (policy_functions[i].wants_name) { /* it looks for that name in a head, or among the tags of the request */
			e->header = (uint16_t)http_field_id(e->a->string);
			note_request(c, name);
		}
		if (e->op == OP_RESPONSE_HEADER || e->op == OP_RESPONSE_ANY_HEADER) {
			if (!c->response_ok)
				return compile_fail(c, at, "%s is known only in policies with on: response", policy_functions[i].name);
			c->looks_at_response = true;
		}
		return e;
	}
	for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
		if (bytes_eq(name, bytes_str(policy_fields[i].name)))
			return compile_fail(c, at, "%s is a field, not a function; write it without (", policy_fields[i].name);
	return unknown_name(c, name, at);
}

static struct policy_expr *parse_name(struct compiler *c)
{
	struct bytes name = c->text;
	size_t at = c->start;
	struct policy_expr *e;

	compile_next(c);
	if (c->token == T_OPEN)
		return parse_call(c, name, at);
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
				return compile_fail(c, at, "response.status is known only in policies with on: response");
			c->looks_at_response = true;
		}
		if (!is_known_without_request((enum policy_field_id)i))
			note_request(c, name);
		e = node(c, OP_FIELD, policy_fields[i].type);
		if (e)
			e->field = (uint8_t)i;
		return e;
	}
	for (size_t i = 0; i < policy_function_count; i++)
		if (bytes_eq(name, bytes_str(policy_functions[i].name)))
			return compile_fail(c, at, "%s is a function; write %s(...)", policy_functions[i].name, policy_functions[i].name);
	return unknown_name(c, name, at);
}

static struct policy_expr *parse_literal(struct compiler *c)
{
	struct policy_expr *e = NULL;

	switch (c->token) {
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
			return compile_fail(c, c->start, "a prefix stands only behind in; write client.ip in {%.*s}", FMT(c->text));
		e = node(c, OP_ADDRESS, POLICY_ADDRESS);
		if (e)
			memcpy(e->address.ip, c->prefix.ip, sizeof e->address.ip);
		break;
	case T_END: return compile_fail(c, c->start, "the expression ends too early; a field, a value or ( is missing");
	case T_SET: return compile_fail(c, c->start, "a set stands only behind in; write client.ip in $%.*s", FMT(bytes_cut(c->text, 0, 60)));
	case T_LBRACE: return compile_fail(c, c->start, "a list stands only behind in; write http.method in {\"GET\" \"HEAD\"}");
	default: return compile_fail(c, c->start, "a field, a value or ( is expected here");
	}
	if (e)
		compile_next(c);
	return e;
}

static struct policy_expr *parse_value(struct compiler *c)
{
	size_t from = c->start;
	struct policy_expr *e;

	if (c->token == T_OPEN) {
		compile_next(c);
		e = parse_or(c);
		if (e && c->token != T_CLOSE)
			return unexpected(c, "write ) here");
		if (e)
			compile_next(c);
		return e;
	}
	e = c->token == T_WORD ? parse_name(c) : parse_literal(c);
	if (e && !c->failed && e->source.len == 0)
		e->source = bytes_cut(c->in, from, c->end);
	return e;
}

/* --- comparisons --- */

static struct policy_expr *in_set(struct compiler *c, struct policy_expr *e)
{
	for (size_t i = 0; i < c->set_count; i++) {
		const struct policy_set_def *s = &c->sets[i];
		if (!bytes_eq(s->name, c->text))
			continue;
		if (s->is_addresses != (e->a->type == POLICY_ADDRESS) || (!s->is_addresses && e->a->type != POLICY_STRING))
			return compile_fail(c, c->start, "$%.*s holds %s, and the left side is %s; write %s in $%.*s", FMT(s->name),
				s->is_addresses ? "addresses" : "strings", type_name(e->a->type),
				s->is_addresses ? "client.ip" : "a string", FMT(s->name));
		CHECK(s->is_addresses ? s->ranges != NULL : s->is_sorted); /* policy_set_freeze comes first */
		e->op = s->is_addresses ? OP_IN_ADDRESSES : OP_IN_STRINGS;
		e->count = s->is_addresses ? s->range_count : s->string_count;
		if (s->is_addresses)
			e->ranges = s->ranges;
		else
			e->strings = s->strings;
		compile_next(c);
		return e;
	}
	return compile_fail(c, c->start, "there is no set $%.*s; name it under sets:", FMT(bytes_cut(c->text, 0, 60)));
}

static struct policy_expr *wrong_item(struct compiler *c, enum token want)
{
	if (c->token == T_END)
		return compile_fail(c, c->start, "the list has no end; write a closing }");
	return compile_fail(c, c->start, "the list must hold only %s here, and end with }",
		want == T_STRING ? "strings in double quotes" : want == T_INT ? "numbers" : "addresses and prefixes, without quotes");
}

/* The items, one behind the other, of the size that the type wants. NULL: told. */
static unsigned char *list_items(struct compiler *c, enum token want, size_t size, const struct policy_expr *left, size_t *count)
{
	size_t cap = (compile_list_end(c) - c->at) / 2 + 2, n = 0; /* an item takes two octets at least */
	unsigned char *list;

	if (cap > LIST_MAX)
		cap = LIST_MAX;
	list = arena_array(c->arena, cap, size);
	if (!list) {
		compile_fail(c, c->start, "the list is too long; use a set from a file");
		return NULL;
	}
	for (compile_next(c); c->token != T_RBRACE; compile_next(c)) {
		if (c->token == T_COMMA)
			continue;
		if (c->token != want) {
			wrong_item(c, want);
			return NULL;
		}
		if (n >= cap) {
			compile_fail(c, c->start, "the list is too long; use a set from a file");
			return NULL;
		}
		if (want == T_STRING && !check_case(c, left, c->text, c->start))
			return NULL;
		memcpy(list + n++ * size, want == T_STRING ? (void *)&c->text : want == T_INT ? (void *)&c->number : (void *)&c->prefix,
			size);
	}
	*count = n;
	return list;
}

static struct policy_expr *in_list(struct compiler *c, struct policy_expr *e)
{
	enum token want = e->a->type == POLICY_STRING ? T_STRING : e->a->type == POLICY_INT ? T_INT : T_ADDRESS;
	size_t size = want == T_STRING ? sizeof(struct bytes) : want == T_INT ? sizeof(int64_t) : sizeof(struct addr_prefix);
	size_t at = c->start;
	void *list = list_items(c, want, size, e->a, &e->count);

	if (!list)
		return NULL;
	if (e->count == 0)
		return compile_fail(c, at, "the list is empty, so this can never hold; write in {\"a\" \"b\"}");
	if (want == T_STRING) {
		e->op = OP_IN_STRINGS;
		policy_strings_sort(list, e->count);
		e->strings = list;
	} else if (want == T_INT) {
		e->op = OP_IN_INTS;
		policy_ints_sort(list, e->count);
		e->numbers = list;
	} else {
		e->op = OP_IN_ADDRESSES;
		e->ranges = policy_ranges_make(list, e->count, c->arena, &e->count);
		if (!e->ranges)
			return compile_fail(c, at, "the expression is too large");
	}
	compile_next(c);
	return e;
}

static struct policy_expr *parse_in(struct compiler *c, struct policy_expr *left, size_t from)
{
	struct policy_expr *e = node(c, OP_IN_STRINGS, POLICY_BOOL);

	if (!e)
		return NULL;
	e->a = left;
	if (left->type == POLICY_BOOL)
		return compile_fail(c, c->start, "in wants a string, a number or an address on its left, not true or false");
	compile_next(c);
	if (c->token == T_SET)
		e = in_set(c, e);
	else if (c->token == T_LBRACE)
		e = in_list(c, e);
	else if (c->token == T_ADDRESS)
		return compile_fail(c, c->start, "write a list behind in: in {%.*s}", FMT(c->text));
	else
		return compile_fail(c, c->start, "write a list or a set behind in: in {\"a\" \"b\"} or in $set");
	return e ? finish(c, e, from, from) : NULL;
}

static struct policy_expr *parse_matches(struct compiler *c, struct policy_expr *left, size_t from)
{
	struct policy_expr *e = node(c, OP_MATCHES, POLICY_BOOL);
	size_t operator_at = c->start, at;
	char what[128];

	compile_next(c);
	if (!e)
		return NULL;
	if (left->type != POLICY_STRING)
		return compile_fail(c, operator_at, "matches looks at strings, and the left side is %s", type_name(left->type));
	if (c->token != T_STRING)
		return compile_fail(c, c->start, "matches wants a regular expression in double quotes here");
	e->a = left;
	e->regex = policy_regex_make(c->text, c->arena, what, sizeof what, &at);
	if (!e->regex)
		return compile_fail(c, c->start, "the regular expression is wrong at its octet %zu: %s", at, what);
	e->regex->next = c->regexes;
	c->regexes = e->regex;
	compile_next(c);
	return finish(c, e, from, from);
}

static struct policy_expr *mismatch(struct compiler *c, const struct policy_expr *left, const struct policy_expr *right, size_t at)
{
	const char *advice = "compare values of one type";

	if (left->type == POLICY_ADDRESS && right->type == POLICY_STRING)
		advice = "write addresses without quotes";
	else if (left->type == POLICY_INT && right->type == POLICY_STRING)
		advice = "write numbers without quotes";
	else if (left->type == POLICY_STRING && (right->op == OP_INT || right->op == OP_ADDRESS))
		advice = "write it in double quotes";
	else if (left->type == POLICY_BOOL)
		advice = "write true or false, or the left side alone";
	return compile_fail(c, at, "the left side is %s, and this is %s; %s", type_name(left->type), type_name(right->type), advice);
}

static struct policy_expr *parse_comparison(struct compiler *c)
{
	static const enum policy_op ops[] = { [T_EQ] = OP_EQ, [T_NE] = OP_NE, [T_LT] = OP_LT, [T_LE] = OP_LE, [T_GT] = OP_GT,
		[T_GE] = OP_GE };
	size_t from = c->start, at;
	struct policy_expr *left = parse_value(c), *e;
	enum policy_op op;

	if (!left)
		return NULL;
	if (c->token >= T_EQ && c->token <= T_GE)
		op = ops[c->token];
	else if (c->token == T_WORD && bytes_eq(c->text, BYTES("contains")))
		op = OP_CONTAINS;
	else if (c->token == T_WORD && bytes_eq(c->text, BYTES("matches")))
		return parse_matches(c, left, from);
	else if (c->token == T_WORD && bytes_eq(c->text, BYTES("in")))
		return parse_in(c, left, from);
	else
		return left;
	e = node(c, op, POLICY_BOOL);
	if (op == OP_CONTAINS && left->type != POLICY_STRING)
		return compile_fail(c, c->start, "contains looks at strings, and the left side is %s%s", type_name(left->type),
			left->type == POLICY_ADDRESS ? "; write client.ip in {10.0.0.0/8}" : "");
	compile_next(c);
	at = c->start;
	if (!e || !(e->b = parse_value(c)))
		return NULL;
	e->a = left;
	if (e->b->type != left->type)
		return mismatch(c, left, e->b, at);
	if (op == OP_CONTAINS && e->b->op == OP_STRING && e->b->string.len == 0)
		return compile_fail(c, at, "every string contains the empty one; write what to look for, or == \"\"");
	if (op >= OP_LT && op <= OP_GE && left->type != POLICY_INT)
		return compile_fail(c, at, "< and > compare numbers, and the left side is %s; write == or !=", type_name(left->type));
	return finish(c, e, from, at);
}

static struct policy_expr *parse_not(struct compiler *c)
{
	struct policy_expr *e;
	size_t at;

	if (++c->depth > DEPTH_MAX)
		return compile_fail(c, c->start, "the expression is nested too deeply; write several policies, with tag for what they share");
	if (c->token != T_NOT) {
		e = parse_comparison(c);
		c->depth--;
		return e;
	}
	e = node(c, OP_NOT, POLICY_BOOL);
	compile_next(c);
	at = c->start;
	if (!e || !(e->a = parse_not(c)))
		return NULL;
	if (e->a->type != POLICY_BOOL)
		return compile_fail(c, at, "not wants true or false, and this is %s; compare it with something", type_name(e->a->type));
	c->depth--;
	return e;
}

static struct policy_expr *no_condition(struct compiler *c, enum policy_op op, const struct policy_expr *e, size_t at)
{
	const char *word = op == OP_AND ? "and" : "or";

	return compile_fail(c, at, "%s joins conditions, and this is %s; write the whole comparison on both sides of %s%s", word,
		type_name(e->type), word, op == OP_OR ? ", or in {...}" : "");
}

/* a or b or c is (a, (b, c)), so that evaluation is a loop however long the chain. */
static struct policy_expr *parse_chain(struct compiler *c, enum token token, enum policy_op op,
	struct policy_expr *(*part)(struct compiler *))
{
	size_t at = c->start;
	struct policy_expr *first = part(c), *last = NULL;

	while (first && c->token == token) {
		struct policy_expr *e = node(c, op, POLICY_BOOL), *left = last ? last->b : first;
		if (!e)
			return NULL;
		if (left->type != POLICY_BOOL)
			return no_condition(c, op, left, at);
		compile_next(c);
		at = c->start;
		e->a = left;
		e->b = part(c);
		if (!e->b)
			return NULL;
		if (e->b->type != POLICY_BOOL)
			return no_condition(c, op, e->b, at);
		if (last)
			last->b = e;
		else
			first = e;
		last = e;
	}
	return first;
}

static struct policy_expr *parse_and(struct compiler *c)
{
	return parse_chain(c, T_AND, OP_AND, parse_not);
}

static struct policy_expr *parse_or(struct compiler *c)
{
	return parse_chain(c, T_OR, OP_OR, parse_and);
}

static struct policy_expr *check_root(struct compiler *c, struct policy_expr *e, enum policy_type want)
{
	if (c->token != T_END)
		return unexpected(c, "the expression should end here; join conditions with and, or");
	if (want == POLICY_BOOL && e->type != POLICY_BOOL)
		return compile_fail(c, 0, "this is %s, and a condition is wanted; compare it, as %s", type_name(e->type),
			e->type == POLICY_STRING ? "== \"...\" or contains \"...\"" : e->type == POLICY_INT ? "> 0" : "in {10.0.0.0/8}");
	if (want != POLICY_BOOL && e->type == POLICY_BOOL)
		return compile_fail(c, 0, "this is true or false, and a value is wanted; write a field, or a text in double quotes");
	if (want == POLICY_STRING && any_count(e))
		return compile_fail(c, 0, "%s gives several values, and one is wanted; write %s", any_name(e),
			has_groups(e) ? "user.name, or use the groups in a condition" : "header, cookie or query");
	return e;
}

enum err policy_compile(struct bytes source, enum policy_type want, bool response_fields_allowed,
	const struct policy_set_def *sets, size_t set_count, struct arena *arena, struct policy_expr **out,
	struct policy_error *error)
{
	struct compiler c = { .in = source, .sets = sets, .set_count = set_count, .arena = arena, .error = error,
		.response_ok = response_fields_allowed };
	struct policy_expr *e;

	*error = (struct policy_error){ 0 };
	compile_next(&c);
	e = parse_or(&c);
	if (e)
		e = check_root(&c, e, want);
	if (!e || c.failed) {
		for (struct policy_regex *r = c.regexes; r; r = r->next)
			policy_regex_fini(r);
		return ERR_SYNTAX;
	}
	e->looks_at_response = c.looks_at_response;
	e->regexes = c.regexes;
	e->request_name = c.request_name;
	*out = e;
	return OK;
}

void policy_expr_fini(struct policy_expr *e)
{
	for (struct policy_regex *r = e->regexes; r; r = r->next)
		policy_regex_fini(r);
	e->regexes = NULL;
}
