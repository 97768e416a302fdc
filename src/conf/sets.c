/* Named sets of addresses and strings, written in the file or in files of their own, one item per line. */
#include "conf/load_priv.h"

#define PREFIX_HINT "write 192.0.2.1 or 192.0.2.0/24, with no bits set behind the prefix"

void conf_prefixes(struct loader *l, yaml_node_t **items, size_t n, const struct addr_prefix **out, size_t *count)
{
	struct addr_prefix *list = conf_array(l, n, sizeof *list);

	*count = 0;
	for (size_t i = 0; i < n; i++) {
		if (addr_parse_prefix(node_text(items[i]), &list[*count]) == OK)
			++*count;
		else
			conf_fail(l, &items[i]->start_mark, PREFIX_HINT, "'%.*s' is not an address or prefix", FMT(node_text(items[i])));
	}
	*out = list;
}

static size_t line_count(struct bytes text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.at[i] == '\n';
	return lines;
}

/* A line without its comment and the blanks around it. */
static struct bytes item_of(struct bytes line)
{
	struct bytes item = bytes_cut(line, 0, bytes_find_byte(line, '#'));

	if (item.len && item.at[item.len - 1] == '\r')
		item.len--;
	return bytes_trim(item);
}

/* Mistakes are told as places in the set's own file. */
static void read_set_file(struct loader *l, const struct map *m, struct policy_set_def *s)
{
	struct bytes text = map_file(m, "file"), outer = l->file;
	struct addr_prefix *prefixes = NULL;
	struct bytes *strings = NULL;
	size_t lines = line_count(text), n = 0;

	if (s->is_addresses)
		s->prefixes = prefixes = conf_array(l, lines, sizeof *prefixes);
	else
		s->strings = strings = conf_array(l, lines, sizeof *strings);
	l->file = map_string(m, "file");
	for (yaml_mark_t at = { 0 }; text.len; at.line++) {
		size_t lf = bytes_find_byte(text, '\n');
		struct bytes line = bytes_cut(text, 0, lf), item = item_of(line);
		text = lf == SIZE_MAX ? BYTES("") : bytes_cut(text, lf + 1, text.len);
		if (item.len == 0)
			continue;
		at.column = (size_t)(item.at - line.at);
		if (strings)
			strings[n++] = item;
		else if (addr_parse_prefix(item, &prefixes[n]) == OK)
			n++;
		else
			conf_fail(l, &at, PREFIX_HINT, "'%.*s' is not an address or prefix", FMT(bytes_cut(item, 0, 100)));
	}
	l->file = outer;
	s->prefix_count = s->string_count = n;
}

static bool is_set_name(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = ascii_lower(name.at[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
			return false;
	}
	return name.len > 0;
}

/* What would be left unread, or leave a set empty without a word, and a rule with it that never holds. */
static void check_set(struct loader *l, const struct map *m, const yaml_node_t *name, const yaml_node_t *value)
{
	bool file = map_node(m, "file"), addresses = map_node(m, "addresses"), strings = map_node(m, "strings");

	if (!is_set_name(node_text(name)))
		conf_fail(l, &name->start_mark, "letters, digits, - and _", "'%.*s' is not a name for a set", FMT(node_text(name)));
	if (file + addresses + strings > 1)
		conf_fail(l, &value->start_mark, "keep one of addresses, strings and file", "the set has several sources");
	if (file + addresses + strings == 0)
		conf_fail(l, &value->start_mark, "write addresses: [...], strings: [...] or file: NAME", "the set has no values");
	if (map_node(m, "type") && !file)
		conf_fail(l, &map_node(m, "type")->start_mark, "leave it out", "'type' says what a file holds, and there is no file");
}

static void read_set(struct loader *l, yaml_node_t *name, yaml_node_t *value, struct policy_set_def *s)
{
	struct map m = conf_map(l, value, "set");
	yaml_node_t **items;
	struct bytes *strings;
	size_t n;

	check_set(l, &m, name, value);
	s->name = arena_copy(l->arena, node_text(name));
	s->is_addresses = map_node(&m, "strings") ? false : map_choice(&m, "type") == 0;
	if (map_node(&m, "file")) {
		read_set_file(l, &m, s);
	} else if (s->is_addresses) {
		n = map_items(&m, "addresses", &items);
		conf_prefixes(l, items, n, &s->prefixes, &s->prefix_count);
	} else {
		s->string_count = map_items(&m, "strings", &items);
		s->strings = strings = conf_array(l, s->string_count, sizeof *strings);
		for (size_t k = 0; k < s->string_count; k++)
			strings[k] = arena_copy(l->arena, node_text(items[k]));
	}
	CHECK(policy_set_freeze(s, l->arena) == OK); /* start-up: as conf_array */
}

void conf_read_sets(struct loader *l, const struct map *top)
{
	yaml_node_pair_t *pairs;
	struct policy_set_def *sets;
	size_t count = conf_named(l, top, "sets", &pairs);

	l->conf->sets = sets = conf_array(l, count, sizeof *sets);
	for (size_t i = 0; i < count; i++)
		read_set(l, yaml_document_get_node(l->doc, pairs[i].key), yaml_document_get_node(l->doc, pairs[i].value), &sets[i]);
	l->conf->set_count = count;
}
