/* The condition language: selections joined with and, or, not and parentheses, and "1 of" or "all of" what begins alike. What counts
 * requests (| count() and its like) is refused: a hunt's rules are about one line. */
#include "hunt/sigma_priv.h"

#include <string.h>

struct parsing {
	struct sigma_reading *r;
	const json_t *at;
	struct bytes rest, word; /* word: the next token; empty at the end */
	unsigned depth;
};

#define SUPPORTED "a condition has names of selections, and, or, not, parentheses, '1 of them', 'all of them', '1 of name_*' and 'all of name_*'"

static bool is_space(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void next(struct parsing *p)
{
	struct bytes b = p->rest;
	size_t n = 0;

	while (b.len && is_space(b.at[0]))
		b = bytes_cut(b, 1, b.len);
	if (b.len && strchr("()|", b.at[0]))
		n = 1;
	while (n < b.len && !(n == 1 && strchr("()|", b.at[0])) && !is_space(b.at[n]) && !strchr("()|", b.at[n]))
		n++;
	p->word = bytes_cut(b, 0, n);
	p->rest = bytes_cut(b, n, b.len);
}

static bool is_word(const struct parsing *p, const char *word)
{
	return bytes_eq_nocase(p->word, bytes_str(word));
}

static enum err fail(struct parsing *p, const char *what)
{
	if (p->word.len && p->word.at[0] == '|')
		return data_fail(p->r->d, p->at, p->r->error, "aggregations (| count() and others) are not supported; " SUPPORTED);
	return p->word.len ? data_fail(p->r->d, p->at, p->r->error, "condition: %s instead of '%.*s'; " SUPPORTED, what, FMT(bytes_cut(p->word, 0, 60))) :
			     data_fail(p->r->d, p->at, p->r->error, "condition: %s is missing at its end; " SUPPORTED, what);
}

static bool is_meant(struct bytes pattern, const char *name)
{
	struct bytes n = bytes_str(name);
	size_t star = bytes_find_byte(pattern, '*');

	if (star == SIZE_MAX)
		return bytes_eq(pattern, n);
	return n.len + 1 >= pattern.len && bytes_starts(n, bytes_cut(pattern, 0, star)) && bytes_ends(n, bytes_cut(pattern, star + 1, pattern.len));
}

/* "them" is all selections but those that begin with an underscore. */
static enum err parse_of(struct parsing *p, bool all, unsigned *out)
{
	unsigned kids[SIGMA_SELECTIONS_MAX];
	bool is_them = is_word(p, "them");
	size_t count = 0;

	for (size_t i = 0; i < p->r->selection_count; i++) {
		const struct sigma_selection *s = &p->r->selections[i];

		if (is_them ? s->name[0] != '_' : is_meant(p->word, s->name))
			kids[count++] = s->node;
	}
	if (count == 0)
		return fail(p, "a selection that is there, or a beginning of one with *,");
	next(p);
	return sigma_group(p->r->s, all ? SIGMA_ALL : SIGMA_ANY, kids, count, out);
}

static enum err parse_or(struct parsing *p, unsigned *out);

static enum err parse_primary(struct parsing *p, unsigned *out)
{
	struct bytes name = p->word;
	bool is_any = is_word(p, "1") || is_word(p, "any"), is_all = is_word(p, "all");

	if (is_word(p, "(")) {
		next(p);
		TRY(parse_or(p, out));
		if (!is_word(p, ")"))
			return fail(p, "a closing parenthesis");
		next(p);
		return OK;
	}
	if (name.len == 0 || is_word(p, ")") || is_word(p, "|") || is_word(p, "and") || is_word(p, "or"))
		return fail(p, "a selection");
	for (size_t i = 0; i < p->r->selection_count; i++)
		if (bytes_eq(name, bytes_str(p->r->selections[i].name))) {
			*out = p->r->selections[i].node;
			next(p);
			return OK;
		}
	if (!is_any && !is_all)
		return fail(p, "a selection that is there");
	next(p);
	if (!is_word(p, "of"))
		return fail(p, "'of'");
	next(p);
	return parse_of(p, is_all, out);
}

static enum err parse_not(struct parsing *p, unsigned *out)
{
	unsigned below;
	enum err e;

	if (p->depth == SIGMA_DEPTH_MAX)
		return data_fail(p->r->d, p->at, p->r->error, "condition: more than %d levels of parentheses and not", SIGMA_DEPTH_MAX);
	p->depth++;
	if (is_word(p, "not")) {
		next(p);
		e = parse_not(p, &below);
		if (e == OK)
			e = sigma_group(p->r->s, SIGMA_NOT, &below, 1, out);
	} else {
		e = parse_primary(p, out);
	}
	p->depth--;
	return e;
}

static enum err parse_and(struct parsing *p, unsigned *out)
{
	unsigned both[2];

	TRY(parse_not(p, &both[0]));
	while (is_word(p, "and")) {
		next(p);
		TRY(parse_not(p, &both[1]));
		TRY(sigma_group(p->r->s, SIGMA_ALL, both, 2, &both[0]));
	}
	*out = both[0];
	return OK;
}

static enum err parse_or(struct parsing *p, unsigned *out)
{
	unsigned both[2];

	TRY(parse_and(p, &both[0]));
	while (is_word(p, "or")) {
		next(p);
		TRY(parse_and(p, &both[1]));
		TRY(sigma_group(p->r->s, SIGMA_ANY, both, 2, &both[0]));
	}
	*out = both[0];
	return OK;
}

static enum err parse(struct sigma_reading *r, const json_t *at, unsigned *out)
{
	struct parsing p = { .r = r, .at = at, .rest = bytes_str(json_string_value(at)) };

	if (!json_is_string(at) || p.rest.len > SIGMA_CONDITION_MAX)
		return data_fail(r->d, at, r->error, "a condition is a text of at most %d octets", SIGMA_CONDITION_MAX);
	next(&p);
	TRY(parse_or(&p, out));
	return p.word.len ? fail(&p, "and, or, or the end") : OK;
}

enum err sigma_read_condition(struct sigma_reading *r, const json_t *at, unsigned *out)
{
	unsigned kids[SIGMA_SELECTIONS_MAX];
	const json_t *item;
	size_t i;

	if (!json_is_array(at))
		return parse(r, at, out);
	if (json_array_size(at) == 0 || json_array_size(at) > SIGMA_SELECTIONS_MAX)
		return data_fail(r->d, at, r->error, "a list of conditions has 1 to %d of them", SIGMA_SELECTIONS_MAX);
	json_array_foreach(at, i, item) /* each would be a rule of its own: one of them is enough */
		TRY(parse(r, item, &kids[i]));
	return sigma_group(r->s, SIGMA_ANY, kids, json_array_size(at), out);
}
