/* Values out of YAML nodes, checked against the table of keys; every mistake is noted and reading goes on. */
#include "conf/load_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define ERRORS_MAX 100

const struct conf_key conf_keys[] = {
#define KEY(section, name, type, fallback, doc, example) { #section, name, KEY_##type, fallback, doc, example },
#include "conf/keys.tbl"
#undef KEY
};
const size_t conf_key_count = COUNT_OF(conf_keys);

void *conf_array(struct loader *l, size_t n, size_t size)
{
	void *p = arena_array(l->arena, n ? n : 1, size);

	CHECK(p != NULL); /* start-up: a configuration that fills the arena's limit cannot be used */
	return p;
}

void conf_fail(struct loader *l, const yaml_mark_t *at, const char *hint, const char *fmt, ...)
{
	struct conf_errors *es = l->errors;
	struct conf_error *e;
	char buf[512];
	va_list ap;

	if (es->count == es->cap) {
		if (es->cap >= ERRORS_MAX)
			return;
		e = conf_array(l, ERRORS_MAX, sizeof *e);
		es->list = e;
		es->cap = ERRORS_MAX;
	}
	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	e = &es->list[es->count++];
	es->errors++;
	e->file = l->file;
	e->line = at ? (unsigned)at->line + 1 : 1;
	e->column = at ? (unsigned)at->column + 1 : 1;
	e->what = arena_copy(l->arena, bytes_str(buf));
	e->hint = hint ? arena_copy(l->arena, bytes_str(hint)) : BYTES("");
}

struct bytes node_text(const yaml_node_t *n)
{
	if (!n || n->type != YAML_SCALAR_NODE)
		return BYTES("");
	return bytes_of(n->data.scalar.value, n->data.scalar.length);
}

static unsigned distance(struct bytes a, struct bytes b)
{
	unsigned row[65];

	if (a.len > 63 || b.len > 63)
		return 99;
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned up = row[j], cost = diagonal + (a.at[i - 1] != b.at[j - 1]);
			row[j] = up + 1 < cost ? up + 1 : cost;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = up;
		}
	}
	return row[b.len];
}

const char *conf_nearest(struct bytes word, const char *const *words, size_t n)
{
	const char *best = NULL;
	unsigned least = word.len > 8 ? 4 : 3;

	for (size_t i = 0; i < n; i++)
		if (distance(word, bytes_str(words[i])) < least)
			least = distance(word, bytes_str(best = words[i]));
	return best;
}

static const struct conf_key *find_key(const char *section, struct bytes name)
{
	for (size_t i = 0; i < conf_key_count; i++)
		if (strcmp(conf_keys[i].section, section) == 0 && bytes_eq(name, bytes_str(conf_keys[i].name)))
			return &conf_keys[i];
	return NULL;
}

static void unknown_key(struct loader *l, const yaml_node_t *key, const char *section)
{
	const char *names[64], *best;
	size_t n = 0;
	char hint[128];

	for (size_t i = 0; i < conf_key_count && n < COUNT_OF(names); i++)
		if (strcmp(conf_keys[i].section, section) == 0)
			names[n++] = conf_keys[i].name;
	best = conf_nearest(node_text(key), names, n);
	if (best)
		snprintf(hint, sizeof hint, "write '%s'", best);
	conf_fail(l, &key->start_mark, best ? hint : "see docs/configuration.md for the keys of this section",
		"unknown key '%.*s'", FMT(node_text(key)));
}

struct map conf_map(struct loader *l, yaml_node_t *node, const char *section)
{
	struct map m = { l, NULL, section };

	if (!node || (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0))
		return m;
	if (node->type != YAML_MAPPING_NODE) {
		conf_fail(l, &node->start_mark, "write 'key: value' lines, indented", "a map is expected here");
		return m;
	}
	m.node = node;
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
		yaml_node_t *key = yaml_document_get_node(l->doc, p->key);
		if (!find_key(section, node_text(key)))
			unknown_key(l, key, section);
		for (yaml_node_pair_t *q = node->data.mapping.pairs.start; q < p; q++)
			if (bytes_eq(node_text(key), node_text(yaml_document_get_node(l->doc, q->key))))
				conf_fail(l, &key->start_mark, "keep one of the two", "key '%.*s' stands here twice", FMT(node_text(key)));
	}
	return m;
}

yaml_node_t *map_node(const struct map *m, const char *key)
{
	CHECK(find_key(m->section, bytes_str(key)) != NULL); /* the table must know what the code reads */
	if (!m->node)
		return NULL;
	for (yaml_node_pair_t *p = m->node->data.mapping.pairs.start; p < m->node->data.mapping.pairs.top; p++)
		if (bytes_eq(node_text(yaml_document_get_node(m->l->doc, p->key)), bytes_str(key)))
			return yaml_document_get_node(m->l->doc, p->value);
	return NULL;
}

yaml_mark_t map_mark(const struct map *m, const char *key)
{
	yaml_node_t *n = map_node(m, key);

	return n ? n->start_mark : m->node ? m->node->start_mark : (yaml_mark_t){ 0 };
}

struct map map_map(const struct map *m, const char *key, const char *section)
{
	return conf_map(m->l, map_node(m, key), section);
}

struct bytes map_string(const struct map *m, const char *key)
{
	yaml_node_t *n = map_node(m, key);

	if (!n)
		return bytes_str(find_key(m->section, bytes_str(key))->fallback);
	if (n->type != YAML_SCALAR_NODE) {
		conf_fail(m->l, &n->start_mark, NULL, "'%s' is a single value", key);
		return BYTES("");
	}
	return arena_copy(m->l->arena, node_text(n));
}

/* Digits, then one of the unit's letters. */
static enum err with_unit(struct bytes v, const char *const *units, const uint64_t *factors, size_t n, uint64_t *out)
{
	size_t digits = 0;
	uint64_t value;

	while (digits < v.len && v.at[digits] >= '0' && v.at[digits] <= '9')
		digits++;
	TRY(bytes_u64(bytes_cut(v, 0, digits), &value));
	for (size_t i = 0; i < n; i++)
		if (bytes_eq(bytes_cut(v, digits, v.len), bytes_str(units[i])))
			return __builtin_mul_overflow(value, factors[i], out) ? ERR_LIMIT : OK;
	return ERR_SYNTAX;
}

uint64_t map_number(const struct map *m, const char *key, uint64_t least, uint64_t most)
{
	static const char *const units[] = { "", "k", "m", "g" };
	static const uint64_t factors[] = { 1, 1 << 10, 1 << 20, 1 << 30 };
	struct bytes v = map_string(m, key);
	bool is_size = find_key(m->section, bytes_str(key))->type == KEY_SIZE;
	yaml_mark_t at = map_mark(m, key);
	uint64_t n = 0;

	if (v.len && with_unit(v, units, factors, is_size ? COUNT_OF(units) : 1, &n) != OK)
		conf_fail(m->l, &at, is_size ? "write a size, like 16k, 10m or 1g" : "write a whole number",
			"'%.*s' is not %s", FMT(v), is_size ? "a size" : "a number");
	else if (n < least || n > most)
		conf_fail(m->l, &at, NULL, "%s must be from %llu to %llu", key, (unsigned long long)least,
			(unsigned long long)most);
	else
		return n;
	return least;
}

uint32_t map_ms(const struct map *m, const char *key)
{
	static const char *const units[] = { "ms", "s", "m", "h", "d" };
	static const uint64_t factors[] = { 1, 1000, 60000, 3600000, 86400000 };
	struct bytes v = map_string(m, key);
	yaml_mark_t at = map_mark(m, key);
	uint64_t n = 0;

	if (with_unit(v, units, factors, COUNT_OF(units), &n) != OK)
		conf_fail(m->l, &at, "write a time with its unit, like 500ms, 10s, 5m, 1h or 365d", "'%.*s' is not a time", FMT(v));
	else if (n > UINT32_MAX && strcmp(key, "hsts") != 0)
		conf_fail(m->l, &at, "the longest is 49d", "'%.*s' is too long", FMT(v));
	else
		return strcmp(key, "hsts") == 0 ? (uint32_t)(n / 1000) : (uint32_t)n;
	return 1000;
}

bool map_bool(const struct map *m, const char *key)
{
	struct bytes v = map_string(m, key);
	yaml_mark_t at = map_mark(m, key);

	if (bytes_eq(v, BYTES("true")))
		return true;
	if (!bytes_eq(v, BYTES("false")))
		conf_fail(m->l, &at, "write true or false", "'%.*s' is neither true nor false", FMT(v));
	return false;
}

unsigned map_choice(const struct map *m, const char *key, const char *words)
{
	struct bytes v = map_string(m, key), left = bytes_str(words);
	yaml_mark_t at = map_mark(m, key);
	char hint[160];

	for (unsigned i = 0; left.len; i++) {
		size_t space = bytes_find_byte(left, ' ');
		if (bytes_eq(bytes_cut(left, 0, space), v))
			return i;
		left = space == SIZE_MAX ? BYTES("") : bytes_cut(left, space + 1, left.len);
	}
	snprintf(hint, sizeof hint, "write one of: %s", words);
	conf_fail(m->l, &at, hint, "'%.*s' is not known for '%s'", FMT(v), key);
	return 0;
}

struct bytes map_file(const struct map *m, const char *key)
{
	struct bytes path = map_string(m, key), out = BYTES("");
	yaml_mark_t at = map_mark(m, key);
	enum err e;

	if (path.len == 0)
		return out;
	e = m->l->source->get(m->l->source, path, m->l->arena, &out);
	if (e != OK) {
		conf_fail(m->l, &at, "paths are taken from the configuration file's folder", "the file '%.*s' cannot be read (%s)",
			FMT(path), err_name(e));
		return BYTES("");
	}
	return out;
}

size_t map_items(const struct map *m, const char *key, yaml_node_t ***items)
{
	yaml_node_t *n = map_node(m, key);
	size_t count;

	*items = NULL;
	if (!n)
		return 0;
	if (n->type != YAML_SEQUENCE_NODE) {
		*items = conf_array(m->l, 1, sizeof **items);
		(*items)[0] = n;
		return 1;
	}
	count = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	*items = conf_array(m->l, count, sizeof **items);
	for (size_t i = 0; i < count; i++)
		(*items)[i] = yaml_document_get_node(m->l->doc, n->data.sequence.items.start[i]);
	return count;
}

struct policy_expr *conf_expr(struct loader *l, yaml_node_t *n, enum policy_type want, bool on_response)
{
	struct policy_expr *e = NULL;
	struct policy_error error;
	yaml_mark_t at;

	if (n->type != YAML_SCALAR_NODE) {
		conf_fail(l, &n->start_mark, NULL, "an expression is expected here");
		return NULL;
	}
	if (policy_compile(arena_copy(l->arena, node_text(n)), want, on_response, l->conf->sets, l->conf->set_count, l->arena, &e,
		&error) == OK)
		return e;
	at = n->start_mark;
	if (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && error.line == 1)
		at.column += error.column - 1;
	else if (error.line == 1 && n->data.scalar.style != YAML_LITERAL_SCALAR_STYLE && n->data.scalar.style != YAML_FOLDED_SCALAR_STYLE)
		at.column += error.column; /* behind the quote */
	else
		at.line += error.line;
	conf_fail(l, &at, NULL, "in the expression: %s", error.what);
	return NULL;
}
