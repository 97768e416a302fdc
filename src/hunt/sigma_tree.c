/* The nodes of Sigma rules, and selections: lists are alternatives, maps hold altogether. */
#include "hunt/sigma_priv.h"

#include <stdlib.h>
#include <string.h>

enum err sigma_leaf(struct sigma *s, const struct sigma_node *node, unsigned *out)
{
	if (s->node_count == SIGMA_NODES_MAX)
		return ERR_LIMIT;
	if (s->node_count == s->node_cap) {
		size_t cap = s->node_cap ? s->node_cap * 2 : 256;
		struct sigma_node *grown = realloc(s->nodes, cap * sizeof(*grown));

		if (!grown)
			return ERR_MEMORY;
		s->nodes = grown;
		s->node_cap = cap;
	}
	s->nodes[s->node_count] = *node;
	*out = (unsigned)s->node_count++;
	return OK;
}

enum err sigma_group(struct sigma *s, enum sigma_kind kind, const unsigned *kids, size_t count, unsigned *out)
{
	struct sigma_node node = { .kind = kind, .first = (unsigned)s->kid_count, .count = (unsigned)count };

	CHECK(count > 0 && count <= SIGMA_VALUES_MAX);
	if (count == 1 && kind != SIGMA_NOT) {
		*out = kids[0];
		return OK;
	}
	if (s->kid_count > SIGMA_NODES_MAX)
		return ERR_LIMIT;
	if (s->kid_cap - s->kid_count < count) {
		size_t cap = (s->kid_cap + count) * 2;
		unsigned *grown = realloc(s->kids, cap * sizeof(*grown));

		if (!grown)
			return ERR_MEMORY;
		s->kids = grown;
		s->kid_cap = cap;
	}
	memcpy(s->kids + s->kid_count, kids, count * sizeof(*kids));
	s->kid_count += count;
	return sigma_leaf(s, &node, out);
}

enum err sigma_pattern(struct sigma_reading *r, const json_t *at, enum sigma_field field, struct bytes expression, bool has_case, struct bytes word,
	unsigned *out)
{
	struct sigma_node node = { .kind = SIGMA_PATTERN, .field = field };
	char why[PATTERNS_ERROR_MAX] = "";
	enum err e = patterns_add(r->s->fields[field], expression, has_case, false, &node.id, why);

	if (e != OK)
		return e == ERR_MEMORY ? e : data_fail(r->d, at, r->error, "%s", why);
	if (word.len) {
		node.word = strndup((const char *)word.at, word.len);
		if (!node.word)
			return ERR_MEMORY;
	}
	e = sigma_leaf(r->s, &node, out);
	if (e != OK)
		free(node.word);
	return e;
}

/* One field's values: alternatives, or with `all` each of them. */
static enum err read_values(struct sigma_reading *r, const char *key, const json_t *value, unsigned *out)
{
	struct sigma_modifiers m = { 0 };
	unsigned kids[SIGMA_VALUES_MAX];
	enum sigma_field field;
	const json_t *item;
	size_t i;

	TRY(sigma_read_key(r, value, key, &field, &m));
	if (!json_is_array(value))
		return sigma_read_value(r, value, field, &m, out);
	if (json_array_size(value) == 0 || json_array_size(value) > SIGMA_VALUES_MAX)
		return data_fail(r->d, value, r->error, "'%s' has 1 to %d values", key, SIGMA_VALUES_MAX);
	json_array_foreach(value, i, item)
		TRY(sigma_read_value(r, item, field, &m, &kids[i]));
	return sigma_group(r->s, m.all ? SIGMA_ALL : SIGMA_ANY, kids, json_array_size(value), out);
}

static enum err read_map(struct sigma_reading *r, const json_t *map, unsigned *out)
{
	unsigned kids[SIGMA_SELECTIONS_MAX];
	size_t count = 0;
	const char *key;
	json_t *value;

	if (json_object_size(map) == 0 || json_object_size(map) > SIGMA_SELECTIONS_MAX)
		return data_fail(r->d, map, r->error, "a selection has 1 to %d fields", SIGMA_SELECTIONS_MAX);
	json_object_foreach ((json_t *)(uintptr_t)map, key, value)
		TRY(read_values(r, key, value, &kids[count++]));
	return sigma_group(r->s, SIGMA_ALL, kids, count, out);
}

static enum err read_one(struct sigma_reading *r, const json_t *at, unsigned *out)
{
	static const struct sigma_modifiers keyword = { .contains = true };

	if (json_is_object(at))
		return read_map(r, at, out);
	if (json_is_array(at))
		return data_fail(r->d, at, r->error, "a list in a list; a selection is a map of fields, or a list of maps or keywords");
	return sigma_read_value(r, at, SIGMA_LINE, &keyword, out);
}

enum err sigma_read_selection(struct sigma_reading *r, const json_t *at, unsigned *out)
{
	unsigned kids[SIGMA_VALUES_MAX];
	const json_t *item;
	size_t i;

	if (!json_is_array(at))
		return read_one(r, at, out);
	if (json_array_size(at) == 0 || json_array_size(at) > SIGMA_VALUES_MAX)
		return data_fail(r->d, at, r->error, "a selection has 1 to %d alternatives", SIGMA_VALUES_MAX);
	json_array_foreach(at, i, item)
		TRY(read_one(r, item, &kids[i]));
	return sigma_group(r->s, SIGMA_ANY, kids, json_array_size(at), out);
}
