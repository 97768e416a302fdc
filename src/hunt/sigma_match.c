/* Sigma rules against a line: which expressions are in which field, then the trees. And the other way round, which words a line must have
 * to be worth it. */
#include "hunt/scan_priv.h"
#include "hunt/sigma_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sigma_look {
	unsigned char *hits[SIGMA_FIELD_COUNT];
	struct bytes raw[SIGMA_FIELD_COUNT];
	struct addr client;
	bool has_client;
	char status[16];
	unsigned char decode_mem[SCAN_LINE_MAX + 2];
};

struct sigma_look *sigma_look_new(const struct sigma *s)
{
	struct sigma_look *k = calloc(1, sizeof(*k));
	bool ok = k != NULL;

	for (size_t i = 0; k && i < SIGMA_FIELD_COUNT; i++)
		ok = (k->hits[i] = calloc(patterns_count(s->fields[i]) + 1, 1)) && ok;
	if (!ok)
		sigma_look_free(&k);
	return k;
}

void sigma_look_free(struct sigma_look **pk)
{
	struct sigma_look *k = *pk;

	*pk = NULL;
	for (size_t i = 0; k && i < SIGMA_FIELD_COUNT; i++)
		free(k->hits[i]);
	free(k);
}

static bool on_hit(void *ctx, unsigned id, uint64_t end)
{
	(void)end;
	((unsigned char *)ctx)[id] = 1;
	return true;
}

static void look(struct hunt_scan *s, enum sigma_field field, struct bytes text)
{
	if (text.len)
		patterns_scan(s->rules->sigma->fields[field], text, on_hit, s->sigma->hits[field]);
}

static void look_decoded(struct hunt_scan *s, enum sigma_field field, struct bytes text)
{
	struct text t;

	if (text.len == 0 || patterns_count(s->rules->sigma->fields[field]) == 0)
		return;
	text_init(&t, s->sigma->decode_mem, sizeof(s->sigma->decode_mem));
	weblog_decode_all(text, &t);
	look(s, field, text_bytes(&t));
}

/* Of http://HOST/..., which is all that the log's formats tell of it. */
static struct bytes host_of(struct bytes target)
{
	size_t scheme = bytes_find(bytes_cut(target, 0, 16), BYTES("://"));
	struct bytes host;

	if (scheme == SIZE_MAX || target.at[0] == '/')
		return (struct bytes){ 0 };
	host = bytes_cut(target, scheme + 3, target.len);
	return bytes_cut(host, 0, bytes_find_byte(host, '/'));
}

void sigma_look_at(struct hunt_scan *s, const struct fields *f)
{
	struct sigma_look *k = s->sigma;
	size_t query = bytes_find_byte(f->web.target, '?');

	for (size_t i = 0; i < SIGMA_FIELD_COUNT; i++)
		memset(k->hits[i], 0, patterns_count(s->rules->sigma->fields[i]));
	snprintf(k->status, sizeof(k->status), "%u", f->web.status);
	k->has_client = addr_parse_ip(f->client, &k->client) == OK;
	k->raw[SIGMA_METHOD] = f->web.method;
	k->raw[SIGMA_CLIENT] = f->client;
	k->raw[SIGMA_URI] = k->raw[SIGMA_QUERY] = f->web.target;
	k->raw[SIGMA_STEM] = bytes_cut(f->web.target, 0, query);
	k->raw[SIGMA_USER_AGENT] = f->web.user_agent;
	k->raw[SIGMA_REFERER] = f->web.referer;
	k->raw[SIGMA_STATUS] = f->web.status ? bytes_str(k->status) : (struct bytes){ 0 };
	k->raw[SIGMA_HOST] = host_of(f->web.target);
	k->raw[SIGMA_USER] = f->web.user;
	k->raw[SIGMA_VERSION] = f->web.protocol;
	k->raw[SIGMA_LINE] = f->line;
	for (size_t i = 0; i < SIGMA_FIELD_COUNT; i++)
		look(s, (enum sigma_field)i, k->raw[i]);
	look(s, SIGMA_URI, f->at[FIELD_DECODED]);
	look(s, SIGMA_QUERY, f->at[FIELD_DECODED]);
	if (query != SIZE_MAX) {
		struct bytes only = bytes_cut(f->web.target, query + 1, f->web.target.len);

		look(s, SIGMA_QUERY, only);
		look_decoded(s, SIGMA_QUERY, only);
		k->raw[SIGMA_QUERY] = only;
	} else {
		k->raw[SIGMA_QUERY] = (struct bytes){ 0 };
	}
	look(s, SIGMA_STEM, f->at[FIELD_PATH]);
	look(s, SIGMA_STEM, f->clean);
	look_decoded(s, SIGMA_USER_AGENT, f->web.user_agent);
	look_decoded(s, SIGMA_REFERER, f->web.referer);
	look_decoded(s, SIGMA_LINE, f->line);
}

bool sigma_holds(const struct hunt_scan *s, unsigned root)
{
	const struct sigma *sigma = s->rules->sigma;
	const struct sigma_node *n = &sigma->nodes[root];
	struct bytes raw = s->sigma->raw[n->field];

	switch (n->kind) {
	case SIGMA_ALL:
	case SIGMA_ANY:
		for (unsigned i = 0; i < n->count; i++)
			if (sigma_holds(s, sigma->kids[n->first + i]) == (n->kind == SIGMA_ANY))
				return n->kind == SIGMA_ANY;
		return n->kind == SIGMA_ALL;
	case SIGMA_NOT: return !sigma_holds(s, sigma->kids[n->first]);
	case SIGMA_PATTERN: return s->sigma->hits[n->field][n->id];
	case SIGMA_EMPTY: return raw.len == 0 || bytes_eq(raw, BYTES("-"));
	case SIGMA_PREFIX: return s->sigma->has_client && addr_in(&s->sigma->client, &n->prefix);
	}
	return false;
}

/* --- the first pass --- */

/* How good the words of a node are: the length of the shortest; 0: it holds for lines that have none of them. */
static size_t words_worth(const struct sigma *s, unsigned node)
{
	const struct sigma_node *n = &s->nodes[node];
	size_t worth = 0;

	switch (n->kind) {
	case SIGMA_ALL: /* the best one is enough */
		for (unsigned i = 0; i < n->count; i++) {
			size_t one = words_worth(s, s->kids[n->first + i]);

			worth = one > worth ? one : worth;
		}
		return worth;
	case SIGMA_ANY:
		for (unsigned i = 0; i < n->count; i++) {
			size_t one = words_worth(s, s->kids[n->first + i]);

			worth = i == 0 || one < worth ? one : worth;
		}
		return worth;
	case SIGMA_PATTERN: return n->word ? strlen(n->word) : 0;
	case SIGMA_NOT:
	case SIGMA_EMPTY:
	case SIGMA_PREFIX: break;
	}
	return 0;
}

static enum err add_words(struct hunt_rules *rules, const struct hunt_layout *l, unsigned node, char error[PATTERNS_ERROR_MAX])
{
	const struct sigma *s = rules->sigma;
	const struct sigma_node *n = &s->nodes[node];
	size_t best = 0, at = 0;

	if (n->kind == SIGMA_PATTERN)
		return hunt_rules_add_word(rules, l, bytes_str(n->word), error);
	for (unsigned i = 0; i < n->count; i++) {
		size_t one = words_worth(s, s->kids[n->first + i]);

		if (n->kind == SIGMA_ANY)
			TRY(add_words(rules, l, s->kids[n->first + i], error));
		else if (one > best) {
			best = one;
			at = i;
		}
	}
	return n->kind == SIGMA_ALL ? add_words(rules, l, s->kids[n->first + at], error) : OK;
}

enum err sigma_add_words(struct hunt_rules *rules, const struct hunt_layout *l, unsigned root, char error[PATTERNS_ERROR_MAX])
{
	if (words_worth(rules->sigma, root) == 0)
		return hunt_rules_add_word(rules, l, (struct bytes){ 0 }, error);
	return add_words(rules, l, root, error);
}
