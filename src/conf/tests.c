/* Reads requests for sluis policy test into heads as they come from the wire. */
#include "conf/tests.h"
#include "conf/load_priv.h"

#define HEAD_MOST (256u << 10)

/* --- heads --- */

/* A block is for people: its lines get the line ends of HTTP, and the empty one that ends the head. */
static struct bytes block_head(struct loader *l, struct bytes in)
{
	struct text t;
	struct bytes out;

	text_init_growing(&t, HEAD_MOST);
	while (in.len) {
		size_t lf = bytes_find_byte(in, '\n');
		text_add(&t, bytes_cut(in, 0, lf));
		text_lit(&t, "\r\n");
		in = lf == SIZE_MAX ? BYTES("") : bytes_cut(in, lf + 1, in.len);
	}
	if (!bytes_ends(text_bytes(&t), BYTES("\r\n\r\n")))
		text_lit(&t, "\r\n");
	out = t.failed ? BYTES("") : arena_copy(l->arena, text_bytes(&t));
	text_fini(&t);
	return out;
}

static struct bytes head_of(struct loader *l, const yaml_node_t *n)
{
	if (n->data.scalar.style == YAML_LITERAL_SCALAR_STYLE)
		return block_head(l, node_text(n));
	return arena_copy(l->arena, node_text(n));
}

/* Every name and value of a map of fields, a list giving several. */
static size_t read_fields(struct loader *l, yaml_node_t *map, struct http_field **out)
{
	size_t n = 0, cap = 0;
	struct http_field *list;

	*out = NULL;
	if (!map || map->type != YAML_MAPPING_NODE) {
		if (map)
			conf_fail(l, &map->start_mark, "write {Name: value}", "fields are a map");
		return 0;
	}
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *v = yaml_document_get_node(l->doc, p->value);
		cap += v->type == YAML_SEQUENCE_NODE ? (size_t)(v->data.sequence.items.top - v->data.sequence.items.start) : 1;
	}
	*out = list = conf_array(l, cap, sizeof *list);
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		yaml_node_t *v = yaml_document_get_node(l->doc, p->value);
		struct bytes name = arena_copy(l->arena, node_text(yaml_document_get_node(l->doc, p->key)));
		bool is_list = v->type == YAML_SEQUENCE_NODE;
		size_t values = is_list ? (size_t)(v->data.sequence.items.top - v->data.sequence.items.start) : 1;
		for (size_t i = 0; i < values; i++)
			list[n++] = (struct http_field){ .name = name, .id = (uint16_t)http_field_id(name),
				.value = arena_copy(l->arena, node_text(is_list ?
					yaml_document_get_node(l->doc, v->data.sequence.items.start[i]) : v)) };
	}
	return n;
}

static struct bytes built_head(struct loader *l, const struct map *m)
{
	struct http_field *fields;
	size_t n = read_fields(l, map_node(m, "fields"), &fields);
	struct bytes out;
	struct text t;

	text_init_growing(&t, HEAD_MOST);
	text_add(&t, map_string(m, "method"));
	text_byte(&t, ' ');
	text_add(&t, map_string(m, "target"));
	text_lit(&t, " HTTP/");
	text_str(&t, map_choice(m, "version") ? "1.1" : "1.0");
	text_lit(&t, "\r\n");
	if (!http_find_field(fields, n, BYTES("Host")))
		text_lit(&t, "Host: test.example\r\n");
	for (size_t i = 0; i < n; i++) {
		text_add(&t, fields[i].name);
		text_lit(&t, ": ");
		text_add(&t, fields[i].value);
		text_lit(&t, "\r\n");
	}
	text_lit(&t, "\r\n");
	if (t.failed)
		conf_fail(l, &m->node->start_mark, NULL, "the request is too large");
	out = arena_copy(l->arena, text_bytes(&t));
	text_fini(&t);
	return out;
}

/* --- the rest of a request --- */

static void read_address(const struct map *m, const char *key, struct addr *out)
{
	yaml_mark_t at = map_mark(m, key);

	if (addr_parse_ip(map_string(m, key), out) != OK)
		conf_fail(m->l, &at, "write 192.0.2.1 or 2001:db8::1", "'%.*s' is not an address", FMT(map_string(m, key)));
}

static size_t read_listener(const struct map *m)
{
	struct bytes name = map_string(m, "listener");
	yaml_mark_t at = map_mark(m, "listener");

	for (size_t i = 0; i < m->l->conf->listener_count; i++) {
		const struct conf_listener *l = &m->l->conf->listeners[i];
		if (name.len == 0 ? !l->redirect_to_https : bytes_eq(l->name, name))
			return i;
	}
	if (name.len && m->l->conf->listener_count)
		conf_fail(m->l, &at, "write a name under listeners:", "there is no listener '%.*s'", FMT(name));
	return m->l->conf->listener_count ? 0 : SIZE_MAX;
}

static void read_expectations(const struct map *m, struct conf_request *r)
{
	struct map e = map_map(m, "expect", "expect");
	struct bytes *names;
	yaml_node_t **items;

	if (!e.node)
		return;
	r->is_expected = true;
	r->decision = map_string(&e, "decision");
	r->path = map_string(&e, "path");
	r->names_policies = map_node(&e, "policies") != NULL;
	r->policy_count = map_items(&e, "policies", &items);
	r->policies = names = conf_array(m->l, r->policy_count, sizeof *names);
	for (size_t i = 0; i < r->policy_count; i++)
		names[i] = arena_copy(m->l->arena, node_text(items[i]));
}

/* Who has signed in; what is not said follows from the rest. */
static void read_session(const struct map *m, struct conf_request *r)
{
	struct map s = map_map(m, "session", "request_session");
	struct bytes *groups;
	yaml_node_t **items;

	if (!s.node)
		return;
	r->has_session = true;
	r->session.user = map_string(&s, "user");
	r->session.has_mfa = map_bool(&s, "mfa");
	r->session.is_device_bound = map_bool(&s, "device_bound");
	r->session.method = map_string(&s, "method");
	if (r->session.method.len == 0)
		r->session.method = r->session.has_mfa ? BYTES("password totp") : BYTES("password");
	r->session.since_s = r->session.proved_s = map_node(&s, "since") ? map_number(&s, "since") : r->real_us / 1000000;
	r->session.group_count = map_items(&s, "groups", &items);
	r->session.groups = groups = conf_array(m->l, r->session.group_count, sizeof *groups);
	for (size_t i = 0; i < r->session.group_count; i++)
		groups[i] = arena_copy(m->l->arena, node_text(items[i]));
}

static void read_details(const struct map *m, struct conf_request *r)
{
	struct map response = map_map(m, "response", "request_response");
	unsigned tls = map_choice(m, "tls"); /* "", 1.2, 1.3, none */

	r->name = map_string(m, "name");
	read_address(m, "client", &r->client);
	r->peer = r->client;
	if (map_string(m, "peer").len)
		read_address(m, "peer", &r->peer);
	r->listener = read_listener(m);
	r->tls = tls == 0 ? TLS_AS_LISTENER : tls == 3 ? TLS_NONE : TLS_ON;
	r->tls_version = tls == 1 ? BYTES("1.2") : BYTES("1.3");
	r->sni = map_string(m, "sni");
	r->cipher = map_string(m, "cipher");
	r->client_subject = map_string(m, "client_subject");
	r->real_us = map_number(m, "time") * 1000000;
	read_session(m, r);
	if (response.node) {
		r->has_response = true;
		r->status = (uint16_t)map_number(&response, "status");
		r->field_count = read_fields(m->l, map_node(&response, "fields"), &r->fields);
	}
	read_expectations(m, r);
}

static void read_request(struct loader *l, yaml_node_t *n, struct conf_request *r)
{
	struct map m = { l, NULL, "request" };

	r->file = l->file;
	r->line = (unsigned)n->start_mark.line + 1;
	if (n->type == YAML_SCALAR_NODE) {
		r->head = head_of(l, n);
	} else {
		m = conf_map(l, n, "request");
		if (!m.node)
			return;
		if (map_node(&m, "head") && map_node(&m, "head")->type == YAML_SCALAR_NODE)
			r->head = head_of(l, map_node(&m, "head"));
		else
			r->head = built_head(l, &m);
		if (map_node(&m, "head") && (map_node(&m, "method") || map_node(&m, "target") || map_node(&m, "fields")))
			conf_fail(l, &n->start_mark, "keep one of the two", "head is the whole request, method, target and fields make one");
	}
	read_details(&m, r);
}

static void add_requests(struct loader *l, yaml_node_t **items, size_t n, struct bytes policy, bool must_hit,
	struct conf_requests *out)
{
	struct conf_request *list = conf_array(l, out->count + n, sizeof *list);

	if (out->count)
		memcpy(list, out->list, out->count * sizeof *list);
	out->list = list;
	for (size_t i = 0; i < n; i++) {
		struct conf_request *r = &list[out->count++];
		read_request(l, items[i], r);
		r->policy = policy;
		r->must_hit = must_hit;
	}
}

static void read_policy_tests(struct loader *l, yaml_node_t *policy, struct conf_requests *out)
{
	struct map m = conf_map(l, policy, "policy"), tests = map_map(&m, "tests", "policy_tests");
	struct bytes name = map_string(&m, "name");
	yaml_node_t **items;
	size_t n;

	n = map_items(&tests, "hits", &items);
	add_requests(l, items, n, name, true, out);
	n = map_items(&tests, "misses", &items);
	add_requests(l, items, n, name, false, out);
}

/* --- files --- */

static bool open_doc(struct loader *l, struct conf *c, struct bytes file, struct bytes text, struct conf_errors *errors,
	yaml_document_t *doc)
{
	*errors = (struct conf_errors){ 0 };
	*l = (struct loader){ .conf = c, .arena = &c->arena, .errors = errors, .text = text, .doc = doc };
	l->file = arena_copy(&c->arena, file);
	return conf_parse_doc(l, text, doc);
}

enum err conf_load_tests(struct conf *c, struct bytes file, struct bytes text, bool is_rule_set, struct conf_requests *out,
	struct conf_errors *errors)
{
	yaml_document_t doc;
	yaml_node_t **items;
	struct loader l;
	struct map top;
	size_t n;

	*out = (struct conf_requests){ 0 };
	if (!open_doc(&l, c, file, text, errors, &doc))
		return ERR_SYNTAX;
	top = conf_map(&l, yaml_document_get_root_node(&doc), is_rule_set ? "rule_set" : "top");
	n = map_items(&top, is_rule_set ? "rules" : "policies", &items);
	for (size_t i = 0; i < n; i++)
		read_policy_tests(&l, items[i], out);
	yaml_document_delete(&doc);
	return errors->errors ? ERR_SYNTAX : OK;
}

enum err conf_load_requests(struct conf *c, struct bytes file, struct bytes text, struct conf_requests *out,
	struct conf_errors *errors)
{
	yaml_document_t doc;
	yaml_node_t **items, *root;
	struct loader l;
	struct map top;
	size_t n;

	*out = (struct conf_requests){ 0 };
	if (!open_doc(&l, c, file, text, errors, &doc))
		return ERR_SYNTAX;
	root = yaml_document_get_root_node(&doc);
	top = conf_map(&l, root, "request_file");
	n = map_items(&top, "requests", &items);
	if (n == 0)
		conf_fail(&l, root ? &root->start_mark : NULL, "write requests: [{target: /}]", "there is no request");
	add_requests(&l, items, n, BYTES(""), false, out);
	yaml_document_delete(&doc);
	conf_sort_errors(errors);
	return errors->errors ? ERR_SYNTAX : OK;
}

bool conf_is_rule_set(struct bytes text)
{
	struct conf_errors errors = { 0 };
	struct loader l = { .errors = &errors };
	struct arena arena;
	yaml_document_t doc;
	bool is = false;

	arena_init_growing(&arena, 16u << 20);
	l.arena = &arena;
	if (conf_parse_doc(&l, text, &doc)) {
		yaml_node_t *root = yaml_document_get_root_node(&doc);
		l.doc = &doc;
		for (yaml_node_pair_t *p = root && root->type == YAML_MAPPING_NODE ? root->data.mapping.pairs.start : NULL;
			p && p < root->data.mapping.pairs.top; p++) {
			yaml_node_t *v = yaml_document_get_node(&doc, p->value);
			if (bytes_eq(node_text(yaml_document_get_node(&doc, p->key)), BYTES("rules")) && v->type == YAML_SEQUENCE_NODE &&
				v->data.sequence.items.start < v->data.sequence.items.top)
				is = yaml_document_get_node(&doc, v->data.sequence.items.start[0])->type == YAML_MAPPING_NODE;
		}
		yaml_document_delete(&doc);
	}
	arena_fini(&arena);
	return is;
}
