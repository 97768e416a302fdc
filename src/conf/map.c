/* Values out of YAML nodes, checked against the table of keys; every mistake is noted and reading goes on. */
#include "conf/load_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define ERRORS_MAX 100

const struct conf_key conf_keys[] = {
#define KEY(section, name, type, fallback, range, doc, example) { #section, name, KEY_##type, fallback, range, doc, example },
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

static void add_error(struct arena *arena, struct conf_errors *es, const struct conf_error *found)
{
	struct conf_error *e;

	for (size_t i = 0; i < es->count; i++) /* a value that is asked for twice is wrong once */
		if (es->list[i].line == found->line && es->list[i].column == found->column &&
			bytes_eq(es->list[i].file, found->file) && bytes_eq(es->list[i].what, found->what))
			return;
	es->errors += !found->is_warning;
	if (es->count == es->cap) {
		if (es->cap >= ERRORS_MAX)
			return;
		es->list = arena_array(arena, ERRORS_MAX, sizeof *e);
		CHECK(es->list != NULL);
		es->cap = ERRORS_MAX;
	}
	e = &es->list[es->count++];
	*e = *found;
	e->what = arena_copy(arena, found->what);
	e->hint = arena_copy(arena, found->hint);
}

void conf_fail(struct loader *l, const yaml_mark_t *at, const char *hint, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	add_error(l->arena, l->errors, &(struct conf_error){ .file = l->file, .line = at ? (unsigned)at->line + 1 : 1,
		.column = at ? (unsigned)at->column + 1 : 1, .what = bytes_str(buf), .hint = bytes_str(hint ? hint : "") });
}

void conf_note(struct conf *c, struct conf_errors *es, struct conf_mark at, bool is_warning, const char *hint, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	add_error(&c->arena, es, &(struct conf_error){ .file = c->file, .line = at.line, .column = at.column,
		.what = bytes_str(buf), .hint = bytes_str(hint ? hint : ""), .is_warning = is_warning });
	conf_sort_errors(es);
}

/* By place within a file; the files stay in the order in which they were read. */
void conf_sort_errors(struct conf_errors *es)
{
	for (size_t i = 1; i < es->count; i++) {
		struct conf_error e = es->list[i];
		size_t k = i;
		for (; k > 0; k--) {
			const struct conf_error *b = &es->list[k - 1];
			if (!bytes_eq(b->file, e.file) || b->line < e.line || (b->line == e.line && b->column <= e.column))
				break;
			es->list[k] = *b;
		}
		es->list[k] = e;
	}
}

struct bytes node_text(const yaml_node_t *n)
{
	if (!n || n->type != YAML_SCALAR_NODE)
		return BYTES("");
	return bytes_of(n->data.scalar.value, n->data.scalar.length);
}

const char *conf_nearest(struct bytes word, const char *const *words, size_t n)
{
	const char *best = NULL;
	unsigned least = word.len > 8 ? 4 : 3;

	for (size_t i = 0; i < n; i++)
		if (bytes_distance(word, bytes_str(words[i])) < least)
			least = bytes_distance(word, bytes_str(best = words[i]));
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

struct conf_mark map_place(const struct map *m, const char *key)
{
	yaml_mark_t at = map_mark(m, key);

	return (struct conf_mark){ (unsigned)at.line + 1, (unsigned)at.column + 1 };
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

/* LEAST..MOST of the key's line in the table; without one, everything. */
static void range_of(const struct conf_key *k, uint64_t *least, uint64_t *most)
{
	struct bytes range = bytes_str(k->range);
	size_t dots = bytes_find(range, BYTES(".."));

	*least = 0;
	*most = UINT64_MAX;
	if (dots != SIZE_MAX)
		CHECK(bytes_u64(bytes_cut(range, 0, dots), least) == OK &&
			bytes_u64(bytes_cut(range, dots + 2, range.len), most) == OK);
}

uint64_t map_number(const struct map *m, const char *key)
{
	static const char *const units[] = { "", "k", "m", "g" };
	static const uint64_t factors[] = { 1, 1 << 10, 1 << 20, 1 << 30 };
	const struct conf_key *k = find_key(m->section, bytes_str(key));
	struct bytes v = map_string(m, key);
	bool is_size = k->type == KEY_SIZE;
	yaml_mark_t at = map_mark(m, key);
	uint64_t n = 0, least, most;

	range_of(k, &least, &most);
	/* An empty value is a mistake too: as 0 it would switch a limit off without a word. */
	if (with_unit(v, units, factors, is_size ? COUNT_OF(units) : 1, &n) != OK)
		conf_fail(m->l, &at, is_size ? "write a size, like 16k, 10m or 1g" : "write a whole number",
			"'%.*s' is not %s", FMT(v), is_size ? "a size" : "a number");
	else if (n < least || n > most)
		conf_fail(m->l, &at, NULL, "%s must be from %llu to %llu", key, (unsigned long long)least,
			(unsigned long long)most);
	else
		return n;
	return least;
}

static uint64_t time_of(const struct map *m, const char *key, uint64_t most, const char *longest)
{
	static const char *const units[] = { "ms", "s", "m", "h", "d" };
	static const uint64_t factors[] = { 1, 1000, 60000, 3600000, 86400000 };
	struct bytes v = map_string(m, key), range = bytes_str(find_key(m->section, bytes_str(key))->range);
	size_t dots = bytes_find(range, BYTES(".."));
	yaml_mark_t at = map_mark(m, key);
	uint64_t n = 0, least = 0, last = 0;

	if (dots != SIZE_MAX)
		CHECK(with_unit(bytes_cut(range, 0, dots), units, factors, COUNT_OF(units), &least) == OK &&
			with_unit(bytes_cut(range, dots + 2, range.len), units, factors, COUNT_OF(units), &last) == OK);
	if (with_unit(v, units, factors, COUNT_OF(units), &n) != OK)
		conf_fail(m->l, &at, "write a time with its unit, like 500ms, 10s, 5m, 1h or 365d", "'%.*s' is not a time", FMT(v));
	else if (dots != SIZE_MAX && (n < least || n > last))
		conf_fail(m->l, &at, NULL, "%s must be from %.*s to %.*s", key, FMT(bytes_cut(range, 0, dots)), FMT(bytes_cut(range, dots + 2, range.len)));
	else if (n > most)
		conf_fail(m->l, &at, longest, "'%.*s' is too long", FMT(v));
	else
		return n;
	return 1000;
}

uint32_t map_ms(const struct map *m, const char *key)
{
	return (uint32_t)time_of(m, key, UINT32_MAX, "the longest is 49d");
}

uint32_t map_s(const struct map *m, const char *key)
{
	return (uint32_t)(time_of(m, key, UINT64_C(3650) * 86400000, "the longest is 3650d") / 1000);
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

unsigned map_choice(const struct map *m, const char *key)
{
	struct bytes v = map_string(m, key), left = bytes_str(find_key(m->section, bytes_str(key))->range);
	yaml_mark_t at = map_mark(m, key);
	const char *words[8], *best;
	unsigned n = 0;
	char hint[160];

	for (; left.len; n++) {
		size_t bar = bytes_find_byte(left, '|');
		if (bytes_eq(bytes_cut(left, 0, bar), v))
			return n;
		CHECK(n < COUNT_OF(words));
		words[n] = (const char *)arena_copy(m->l->arena, bytes_cut(left, 0, bar)).at;
		left = bar == SIZE_MAX ? BYTES("") : bytes_cut(left, bar + 1, left.len);
	}
	best = conf_nearest(v, words, n);
	if (best) {
		snprintf(hint, sizeof hint, "write '%s'", best);
	} else {
		int used = snprintf(hint, sizeof hint, "write %s", words[0]);
		for (unsigned i = 1; i < n && used > 0 && (size_t)used < sizeof hint; i++)
			used += snprintf(hint + used, sizeof hint - (size_t)used, "%s%s", i + 1 == n ? " or " : ", ", words[i]);
	}
	conf_fail(m->l, &at, hint, "'%.*s' is not known for '%s'", FMT(v), key);
	return 0;
}

struct bytes map_plain(const struct map *m, const char *key)
{
	struct bytes v = map_string(m, key);
	yaml_mark_t at = map_mark(m, key);

	for (size_t i = 0; i < v.len; i++)
		if (v.at[i] < ' ' || v.at[i] == 127) {
			conf_fail(m->l, &at, NULL, "'%s' has control characters or line ends", key);
			return BYTES("");
		}
	return v;
}

struct bytes map_text(const struct map *m, const char *key, size_t most, bool one_line)
{
	struct bytes v = one_line ? map_plain(m, key) : map_string(m, key);
	yaml_mark_t at = map_mark(m, key);

	if (v.len <= most)
		return v;
	conf_fail(m->l, &at, "shorten it", "'%s' has %zu octets, and there is room for %zu", key, v.len, most);
	return BYTES("");
}

/* RFC 1123 2.1. Browsers take a last label of digits alone for an address. */
static bool is_host(struct bytes b)
{
	size_t label = 0, digits = 0;

	for (size_t i = 0; i <= b.len; i++) {
		unsigned char c = i < b.len ? b.at[i] : '.';
		if (c == '.') {
			if (label == 0 || label > 63 || b.at[i - 1] == '-' || (i == b.len && digits == label))
				return false;
			label = digits = 0;
			continue;
		}
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (c != '-' || label == 0))
			return false;
		label++;
		digits += c >= '0' && c <= '9';
	}
	return b.len <= 253;
}

struct bytes map_host(const struct map *m, const char *key)
{
	struct bytes v = map_string(m, key); /* a copy, ours to change */
	unsigned char *low = (unsigned char *)(uintptr_t)v.at;
	yaml_mark_t at = map_mark(m, key);

	if (!map_node(m, key))
		return BYTES("");
	for (size_t i = 0; i < v.len; i++)
		low[i] = ascii_lower(low[i]);
	if (is_host(v))
		return v;
	conf_fail(m->l, &at, "write www.example.org: no address, no port, no wildcard", "'%.*s' is not the name of a host", FMT(v));
	return BYTES("");
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
