/* Policies and their actions, of the file itself and of shipped sets. */
#include "conf/load_priv.h"

#include <stdio.h>

static const char *const actions[] = { "allow", "block", "redirect", "respond", "rewrite_path", "set_field", "add_field",
	"remove_field", "pool", "tag", "rate_limit" };

/* Small maps of actions: keys are checked here, they are few. */
static yaml_node_t *part(struct loader *l, yaml_node_t *map, const char *key)
{
	if (map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
		if (bytes_eq(node_text(yaml_document_get_node(l->doc, p->key)), bytes_str(key)))
			return yaml_document_get_node(l->doc, p->value);
	return NULL;
}

static void check_parts(struct loader *l, yaml_node_t *map, const char *const *keys, size_t n)
{
	if (map->type != YAML_MAPPING_NODE) {
		conf_fail(l, &map->start_mark, NULL, "a map is expected here, like {%s: ...}", keys[0]);
		return;
	}
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *key = yaml_document_get_node(l->doc, p->key);
		bool known = false;
		char hint[128];
		const char *best;
		for (size_t i = 0; i < n; i++)
			known = known || bytes_eq(node_text(key), bytes_str(keys[i]));
		if (known)
			continue;
		best = conf_nearest(node_text(key), keys, n);
		snprintf(hint, sizeof hint, "write '%s'", best ? best : keys[0]);
		conf_fail(l, &key->start_mark, hint, "unknown key '%.*s'", FMT(node_text(key)));
	}
}

static uint64_t part_number(struct loader *l, yaml_node_t *map, const char *key, uint64_t least, uint64_t most, uint64_t fallback)
{
	yaml_node_t *n = map->type == YAML_SCALAR_NODE && key == NULL ? map : key ? part(l, map, key) : NULL;
	uint64_t v;

	if (!n || (n->type == YAML_SCALAR_NODE && n->data.scalar.length == 0))
		return fallback;
	if (bytes_u64(node_text(n), &v) == OK && v >= least && v <= most)
		return v;
	conf_fail(l, &n->start_mark, NULL, "a number from %llu to %llu is expected here", (unsigned long long)least,
		(unsigned long long)most);
	return fallback;
}

static uint32_t part_ms(struct loader *l, yaml_node_t *map, const char *key, uint32_t fallback)
{
	yaml_node_t *n = part(l, map, key);
	struct bytes v = node_text(n);
	uint64_t number;
	bool ms = bytes_ends(v, BYTES("ms"));

	if (!n)
		return fallback;
	if (v.len > 1 && (ms || bytes_ends(v, BYTES("s")) || bytes_ends(v, BYTES("m")) || bytes_ends(v, BYTES("h"))) &&
		bytes_u64(bytes_cut(v, 0, v.len - (ms ? 2 : 1)), &number) == OK && number > 0 && number <= 86400) {
		unsigned char unit = v.at[v.len - 1];
		return (uint32_t)(number * (ms ? 1 : unit == 's' ? 1000 : unit == 'm' ? 60000 : 3600000));
	}
	conf_fail(l, &n->start_mark, "write a time like 1s or 1m", "'%.*s' is not a time", FMT(v));
	return fallback;
}

static struct policy_expr *part_expr(struct loader *l, yaml_node_t *map, const char *key, bool on_response)
{
	yaml_node_t *n = key ? part(l, map, key) : map;

	if (!n) {
		conf_fail(l, &map->start_mark, NULL, "'%s' is missing here", key ? key : "a value");
		return NULL;
	}
	return conf_expr(l, n, POLICY_STRING, on_response);
}

static void read_field_name(struct loader *l, yaml_node_t *n, struct policy_action *a)
{
	static const char *const framing[] = { "content-length", "transfer-encoding", "connection", "host", "upgrade", "te", "trailer" };

	a->name = n ? arena_copy(l->arena, node_text(n)) : BYTES("");
	if (!n || !http_is_token(a->name)) {
		conf_fail(l, n ? &n->start_mark : NULL, "letters, digits and -", "a field name is expected here");
		return;
	}
	for (size_t i = 0; i < COUNT_OF(framing); i++)
		if (bytes_eq_nocase(a->name, bytes_str(framing[i])) && (a->kind != ACT_SET_FIELD || i != 3))
			conf_fail(l, &n->start_mark, NULL, "the field '%.*s' belongs to the connection and cannot be changed", FMT(a->name));
}

/* A request has room for POLICY_TAGS_MAX different ones. */
static void read_tag(struct loader *l, yaml_node_t *v, struct policy_action *a)
{
	a->name = arena_copy(l->arena, node_text(v));
	if (!http_is_token(a->name)) {
		conf_fail(l, &v->start_mark, "letters, digits and -", "a tag is expected here");
		return;
	}
	for (size_t i = 0; i < l->tag_count; i++)
		if (bytes_eq(l->tags[i], a->name))
			return;
	if (l->tag_count == COUNT_OF(l->tags))
		conf_fail(l, &v->start_mark, "use one of the others again", "there are more than %zu different tags", COUNT_OF(l->tags));
	else
		l->tags[l->tag_count++] = a->name;
}

static void read_action_value(struct loader *l, struct policy_action *a, yaml_node_t *v, bool on_response)
{
	static const char *const redirect[] = { "to", "status" }, *const respond[] = { "status", "body", "content_type" },
		*const field[] = { "name", "value" }, *const limit[] = { "key", "rate", "per", "burst", "status" };

	switch (a->kind) {
	case ACT_ALLOW: break;
	case ACT_BLOCK: a->status = (uint16_t)part_number(l, v, NULL, 400, 599, 403); break;
	case ACT_REDIRECT:
		check_parts(l, v, redirect, COUNT_OF(redirect));
		a->value = part_expr(l, v, "to", on_response);
		a->status = (uint16_t)part_number(l, v, "status", 301, 308, 302);
		if (a->status >= 304 && a->status <= 306)
			conf_fail(l, &part(l, v, "status")->start_mark, "write 301, 302, 303, 307 or 308", "%u is not a redirect", a->status);
		break;
	case ACT_RESPOND:
		check_parts(l, v, respond, COUNT_OF(respond));
		a->status = (uint16_t)part_number(l, v, "status", 200, 599, 200);
		a->content_type = part(l, v, "content_type") ? arena_copy(l->arena, node_text(part(l, v, "content_type"))) :
			BYTES("text/plain; charset=utf-8");
		for (size_t i = 0; i < a->content_type.len; i++)
			if (a->content_type.at[i] < ' ' || a->content_type.at[i] > 126)
				conf_fail(l, &part(l, v, "content_type")->start_mark, NULL, "this is not a content type");
		a->value = part(l, v, "body") ? part_expr(l, v, "body", on_response) : NULL;
		break;
	case ACT_REWRITE_PATH: a->value = part_expr(l, v, NULL, on_response); break;
	case ACT_SET_FIELD: case ACT_ADD_FIELD:
		check_parts(l, v, field, COUNT_OF(field));
		read_field_name(l, part(l, v, "name"), a);
		a->value = part_expr(l, v, "value", on_response);
		break;
	case ACT_REMOVE_FIELD: read_field_name(l, v, a); break;
	case ACT_POOL: a->pool = (uint16_t)conf_find_pool(l, node_text(v), &v->start_mark); break;
	case ACT_TAG: read_tag(l, v, a); break;
	case ACT_RATE_LIMIT:
		check_parts(l, v, limit, COUNT_OF(limit));
		a->value = part(l, v, "key") ? part_expr(l, v, "key", on_response) : NULL;
		a->rate = (uint32_t)part_number(l, v, "rate", 1, 1000000, 0);
		a->per_ms = part_ms(l, v, "per", 1000);
		a->burst = (uint32_t)part_number(l, v, "burst", 1, 1000000, a->rate);
		a->status = (uint16_t)part_number(l, v, "status", 400, 599, 429);
		if (l->conf->rate_limit_count == UINT16_MAX) {
			conf_fail(l, &v->start_mark, NULL, "there are too many rate limits");
			return;
		}
		a->limit_id = l->conf->rate_limit_count++;
		if (a->rate == 0)
			conf_fail(l, &v->start_mark, "write {rate: 10, per: 1s}", "'rate' is missing here");
		break;
	}
}

static void read_action(struct loader *l, yaml_node_t *n, struct policy_action *a, bool on_response)
{
	yaml_node_t *key = n, *value = n;
	const char *best;
	char hint[64];

	if (n->type == YAML_MAPPING_NODE && n->data.mapping.pairs.top - n->data.mapping.pairs.start == 1) {
		key = yaml_document_get_node(l->doc, n->data.mapping.pairs.start->key);
		value = yaml_document_get_node(l->doc, n->data.mapping.pairs.start->value);
	} else if (n->type != YAML_SCALAR_NODE) {
		conf_fail(l, &n->start_mark, "write one action per item: - block: 403", "an action is expected here");
		return;
	}
	for (unsigned i = 0; i < COUNT_OF(actions); i++) {
		if (!bytes_eq(node_text(key), bytes_str(actions[i])))
			continue;
		a->kind = (enum policy_action_kind)i;
		if (on_response && i != ACT_SET_FIELD && i != ACT_ADD_FIELD && i != ACT_REMOVE_FIELD)
			conf_fail(l, &key->start_mark, "use set_field, add_field or remove_field", "'%s' cannot be done on a response", actions[i]);
		else if (key != value)
			read_action_value(l, a, value, on_response);
		else if (i > ACT_BLOCK)
			conf_fail(l, &key->start_mark, NULL, "'%s' needs a value", actions[i]);
		else
			a->status = 403;
		return;
	}
	best = conf_nearest(node_text(key), actions, COUNT_OF(actions));
	snprintf(hint, sizeof hint, "write '%s'", best ? best : "block: 403");
	conf_fail(l, &key->start_mark, hint, "unknown action '%.*s'", FMT(node_text(key)));
}

static void read_rule(struct loader *l, yaml_node_t *n, struct bytes set)
{
	struct policy_rule *r = &l->conf->rules[l->conf->rule_count];
	struct map m = conf_map(l, n, "policy"), tests = map_map(&m, "tests", "policy_tests");
	struct policy_action *list;
	yaml_node_t **items, *when;

	(void)tests; /* its keys are checked; sluis policy test reads them */
	if (!m.node)
		return;
	r->set = set;
	r->name = map_string(&m, "name");
	r->on_response = map_choice(&m, "on") == 1;
	if (r->name.len == 0)
		conf_fail(l, &n->start_mark, "write name: short-name", "the policy has no name");
	when = map_node(&m, "if");
	r->when = when ? conf_expr(l, when, POLICY_BOOL, r->on_response) : NULL;
	r->action_count = map_items(&m, "then", &items);
	if (r->action_count == 0)
		conf_fail(l, &n->start_mark, "write then: {block: 403}", "the policy has no action ('then')");
	r->actions = list = conf_array(l, r->action_count, sizeof *list);
	for (size_t i = 0; i < r->action_count; i++)
		read_action(l, items[i], &list[i], r->on_response);
	l->conf->rule_count++;
}

static void grow(struct loader *l, size_t more)
{
	struct policy_rule *rules = conf_array(l, l->conf->rule_count + more, sizeof *rules);

	if (l->conf->rule_count)
		memcpy(rules, l->conf->rules, l->conf->rule_count * sizeof *rules);
	l->conf->rules = rules;
}

void conf_read_rule_set(struct loader *l, yaml_node_t *root)
{
	struct map m = conf_map(l, root, "rule_set");
	struct bytes set = map_string(&m, "name");
	yaml_node_t **items;
	size_t n = map_items(&m, "rules", &items);

	if (set.len == 0)
		conf_fail(l, NULL, "write name: short-name", "the set has no name");
	if (n == 0)
		conf_fail(l, NULL, "write rules: [{name: ..., if: ..., then: ...}]", "the set has no list 'rules'");
	grow(l, n);
	for (size_t i = 0; i < n; i++)
		read_rule(l, items[i], set);
}

static void read_shipped(struct loader *l, yaml_node_t *name)
{
	unsigned char mem[128];
	struct text path;
	struct bytes text, set = arena_copy(l->arena, node_text(name));
	yaml_document_t doc, *outer = l->doc;
	struct bytes outer_file = l->file, outer_text = l->text;

	text_init(&path, mem, sizeof mem);
	text_lit(&path, "rules:");
	text_add(&path, set);
	if (path.failed || bytes_find_byte(set, '/') != SIZE_MAX ||
		l->source->get(l->source, arena_copy(l->arena, text_bytes(&path)), l->arena, &text) != OK) {
		conf_fail(l, &name->start_mark, "shipped: netscaler", "there is no rule set '%.*s'", FMT(set));
		return;
	}
	l->file = arena_copy(l->arena, text_bytes(&path));
	if (conf_parse_doc(l, text, &doc)) {
		l->doc = &doc;
		l->text = text;
		conf_read_rule_set(l, yaml_document_get_root_node(&doc));
		yaml_document_delete(&doc);
		l->doc = outer;
		l->text = outer_text;
	}
	l->file = outer_file;
}

void conf_read_rules(struct loader *l, const struct map *top)
{
	yaml_node_t **items;
	size_t n = map_items(top, "rules", &items);

	for (size_t i = 0; i < n; i++)
		read_shipped(l, items[i]);
	n = map_items(top, "policies", &items);
	grow(l, n);
	for (size_t i = 0; i < n; i++)
		read_rule(l, items[i], BYTES(""));
}
