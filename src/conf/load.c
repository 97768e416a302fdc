/* From text to snapshot. Order matters: sets before expressions, pools before what names them, the gateway before the routes that must not
 * go around it. */
#include "conf/conf.h"
#include "conf/tests.h"
#include "conf/load_priv.h"
#include "balance/check.h"
#include "board/board.h"

#include <stdio.h>
#include <stdlib.h>

#define CONF_MEMORY (256u << 20)
#define DEPTH_MAX   32
#define DNS_PORT    53

/* Aliases are refused: they save little and can make a small file huge. */
bool conf_parse_doc(struct loader *l, struct bytes text, yaml_document_t *doc)
{
	yaml_parser_t p;
	yaml_event_t ev;
	bool ok = true, end = false;
	unsigned depth = 0, documents = 0;

	CHECK(yaml_parser_initialize(&p));
	yaml_parser_set_input_string(&p, text.at ? text.at : (const unsigned char *)"", text.len);
	while (ok && !end) {
		if (!yaml_parser_parse(&p, &ev)) {
			conf_fail(l, &p.problem_mark, NULL, "this is not YAML: %s", p.problem ? p.problem : "syntax");
			ok = false;
			break;
		}
		if (ev.type == YAML_ALIAS_EVENT) {
			conf_fail(l, &ev.start_mark, "write the value again", "aliases are not allowed");
			ok = false;
		}
		depth += ev.type == YAML_MAPPING_START_EVENT || ev.type == YAML_SEQUENCE_START_EVENT;
		depth -= ev.type == YAML_MAPPING_END_EVENT || ev.type == YAML_SEQUENCE_END_EVENT;
		if (depth > DEPTH_MAX) {
			conf_fail(l, &ev.start_mark, NULL, "nested too deeply");
			ok = false;
		}
		if (ev.type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
			conf_fail(l, &ev.start_mark, "keep one", "a second document begins here");
			ok = false;
		}
		end = ev.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&p);
	if (!ok)
		return false;
	CHECK(yaml_parser_initialize(&p));
	yaml_parser_set_input_string(&p, text.at ? text.at : (const unsigned char *)"", text.len);
	ok = yaml_parser_load(&p, doc);
	if (!ok)
		conf_fail(l, &p.problem_mark, NULL, "this is not YAML: %s", p.problem ? p.problem : "syntax");
	yaml_parser_delete(&p);
	return ok;
}

bool conf_read_cert(struct loader *l, const struct map *m, struct conf_cert *out)
{
	struct conf *c = l->conf;
	struct bytes *keys;
	struct conf_mark *keys_at;
	yaml_mark_t at = m->node ? m->node->start_mark : (yaml_mark_t){ 0 };

	out->chain_path = map_string(m, "chain");
	out->key_path = map_string(m, "key");
	out->chain_at = map_place(m, "chain");
	out->key_at = map_place(m, "key");
	out->chain_pem = map_file(m, "chain");
	if (out->chain_path.len == 0 || out->key_path.len == 0) {
		conf_fail(l, &at, "write chain: FILE and key: FILE", "a certificate needs 'chain' and 'key'");
		return false;
	}
	if (c->key_count == UINT16_MAX) {
		conf_fail(l, &at, NULL, "there are too many private keys");
		return false;
	}
	for (size_t i = 0; i < c->key_count; i++)
		if (bytes_eq(c->keys[i], out->key_path)) {
			out->key = (uint16_t)i;
			return true;
		}
	keys = conf_array(l, c->key_count + 1, sizeof *keys);
	keys_at = conf_array(l, c->key_count + 1, sizeof *keys_at);
	if (c->key_count) {
		memcpy(keys, c->keys, c->key_count * sizeof *keys);
		memcpy(keys_at, c->keys_at, c->key_count * sizeof *keys_at);
	}
	keys[c->key_count] = out->key_path;
	keys_at[c->key_count] = out->key_at;
	c->keys = keys;
	c->keys_at = keys_at;
	out->key = (uint16_t)c->key_count++;
	return true;
}

static void read_listener_tls(struct loader *l, const struct map *m, struct conf_tls *tls)
{
	struct map client = map_map(m, "client_certificates", "client_certificates");
	struct conf_cert *certs;
	yaml_node_t **items;

	tls->is_on = true;
	tls->cert_count = map_items(m, "certificates", &items);
	tls->certs = certs = conf_array(l, tls->cert_count, sizeof *certs);
	if (tls->cert_count == 0) {
		yaml_mark_t at = m->node->start_mark;
		conf_fail(l, &at, "write certificates: [{chain: FILE, key: FILE}]", "TLS needs a certificate");
	}
	for (size_t i = 0; i < tls->cert_count; i++) {
		struct map c = conf_map(l, items[i], "certificate");
		if (!conf_read_cert(l, &c, &certs[i]))
			continue;
		certs[i].ocsp_path = map_string(&c, "ocsp");
		certs[i].ocsp_der = map_file(&c, "ocsp");
		certs[i].ocsp_at = map_place(&c, "ocsp");
	}
	tls->min_version = map_choice(m, "min_version") ? 0x0304 : 0x0303;
	tls->hsts_s = map_s(m, "hsts");
	tls->hsts_subdomains = map_bool(m, "hsts_subdomains");
	tls->hsts_preload = map_bool(m, "hsts_preload");
	if (client.node) {
		tls->client_certs = map_choice(&client, "mode") ? CLIENT_CERTS_REQUIRE : CLIENT_CERTS_OPTIONAL;
		tls->client_ca_pem = map_file(&client, "ca");
		tls->client_ca_at = map_place(&client, "ca");
		if (tls->client_ca_pem.len == 0)
			conf_fail(l, &client.node->start_mark, "write ca: FILE", "client certificates need authorities to trust");
	}
}

size_t conf_named(struct loader *l, const struct map *top, const char *key, yaml_node_pair_t **pairs)
{
	yaml_node_t *n = map_node(top, key);

	*pairs = NULL;
	if (!n || (n->type == YAML_SCALAR_NODE && n->data.scalar.length == 0))
		return 0;
	if (n->type != YAML_MAPPING_NODE) {
		conf_fail(l, &n->start_mark, "write NAME: and its keys below it", "'%s' is a map of names", key);
		return 0;
	}
	*pairs = n->data.mapping.pairs.start;
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top; p++)
		for (yaml_node_pair_t *q = n->data.mapping.pairs.start; q < p; q++) {
			yaml_node_t *name = yaml_document_get_node(l->doc, p->key);
			if (bytes_eq(node_text(name), node_text(yaml_document_get_node(l->doc, q->key))))
				conf_fail(l, &name->start_mark, "give each its own name", "'%.*s' stands here twice", FMT(node_text(name)));
		}
	return (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
}

void conf_read_listeners(struct loader *l, const struct map *top)
{
	struct conf *c = l->conf;
	yaml_node_pair_t *pairs;
	yaml_node_t **items;
	size_t n = conf_named(l, top, "listeners", &pairs);

	c->listeners = conf_array(l, n, sizeof *c->listeners);
	for (size_t i = 0; i < n; i++) {
		struct conf_listener *s = &c->listeners[i];
		struct map m = conf_map(l, yaml_document_get_node(l->doc, pairs[i].value), "listener");
		struct map tls = map_map(&m, "tls", "listener_tls");
		struct bytes address = map_string(&m, "address");
		yaml_mark_t at = map_mark(&m, "address");
		size_t peers;

		s->name = arena_copy(l->arena, node_text(yaml_document_get_node(l->doc, pairs[i].key)));
		if (addr_parse(address, &s->address) != OK)
			conf_fail(l, &at, "write address: 0.0.0.0:443 or [::]:443", "'%.*s' is not an address with a port", FMT(address));
		for (size_t k = 0; k < i; k++)
			if (memcmp(&c->listeners[k].address, &s->address, sizeof s->address) == 0 && s->address.port)
				conf_fail(l, &at, NULL, "the address is already used by the listener '%.*s'", FMT(c->listeners[k].name));
		if (tls.node)
			read_listener_tls(l, &tls, &s->tls);
		s->redirect_port = (uint16_t)map_number(&m, "redirect_to_https");
		s->redirect_to_https = s->redirect_port != 0;
		peers = map_items(&m, "trusted_peers", &items);
		conf_prefixes(l, items, peers, &s->trusted, &s->trusted_count);
	}
	c->listener_count = n;
	if (n == 0)
		conf_fail(l, top->node ? &top->node->start_mark : NULL, "write listeners: {web: {address: 0.0.0.0:80}}",
			"there is no listener");
}

bool conf_is_host(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = ascii_lower(b.at[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
			return false;
	}
	return b.len > 0 && b.len <= 253;
}

static void read_server(struct loader *l, yaml_node_t *n, struct conf_server *s)
{
	struct map m = { l, NULL, "server" };
	struct bytes address;
	size_t colon;
	uint64_t port;

	if (n->type == YAML_SCALAR_NODE) {
		address = arena_copy(l->arena, node_text(n));
	} else {
		m = conf_map(l, n, "server");
		address = map_string(&m, "address");
	}
	s->name = map_string(&m, "name").len ? map_string(&m, "name") : address;
	s->weight = (uint16_t)map_number(&m, "weight");
	s->is_backup = map_bool(&m, "backup");
	s->max_connections = (uint32_t)map_number(&m, "max_connections");
	if (addr_parse(address, &s->address) == OK) {
		s->port = s->address.port;
		s->host = bytes_cut(address, 0, address.len - 1);
		while (s->host.len && s->host.at[s->host.len - 1] != ':')
			s->host.len--;
		s->host.len -= s->host.len > 0;
		return;
	}
	colon = bytes_find_byte(address, ':');
	if (colon == SIZE_MAX || !conf_is_host(bytes_cut(address, 0, colon)) || bytes_u64(bytes_cut(address, colon + 1, address.len), &port) != OK || port == 0 || port > 65535) {
		conf_fail(l, &n->start_mark, "write 10.0.0.1:8080, [2001:db8::1]:8080 or name.example.org:8080",
			"'%.*s' is not an address or name with a port", FMT(address));
		return;
	}
	s->host = bytes_cut(address, 0, colon);
	s->is_name = true;
	s->port = (uint16_t)port;
}

static void read_check(struct loader *l, const struct map *pool, struct conf_pool *p)
{
	struct map m = map_map(pool, "check", "check");
	struct bytes status = map_string(&m, "status");
	size_t dash = bytes_find_byte(status, '-');
	yaml_mark_t at = map_mark(&m, "status");
	uint64_t low = 0, high = 0;

	p->check_path = map_plain(&m, "http");
	p->check = !m.node ? CHECK_NONE : p->check_path.len ? CHECK_HTTP : CHECK_TCP;
	p->check_host = map_plain(&m, "host");
	p->check_text = map_string(&m, "text");
	if (p->check_text.len > CHECK_TEXT_MAX) {
		yaml_mark_t text_at = map_mark(&m, "text");
		conf_fail(l, &text_at, "choose a part of it", "the text of a check has more than %d octets", CHECK_TEXT_MAX);
	}
	p->check_interval_ms = map_ms(&m, "interval");
	p->check_timeout_ms = map_ms(&m, "timeout");
	p->check_rise = (uint32_t)map_number(&m, "rise");
	p->check_fall = (uint32_t)map_number(&m, "fall");
	if (p->check_interval_ms < 50)
		p->check_interval_ms = 50;
	if (bytes_u64(bytes_cut(status, 0, dash), &low) != OK ||
		(dash != SIZE_MAX && bytes_u64(bytes_cut(status, dash + 1, status.len), &high) != OK) || low < 100 || low > 599 || high > 599 ||
		(dash != SIZE_MAX && high < low))
		conf_fail(l, &at, "write 200 or 200-399", "'%.*s' is not a status", FMT(status));
	p->check_status_least = (uint16_t)low;
	p->check_status_most = (uint16_t)(dash == SIZE_MAX ? low : high);
	if (p->check == CHECK_HTTP && p->check_path.at[0] != '/') {
		at = map_mark(&m, "http");
		conf_fail(l, &at, "write http: /path", "the path of a check starts with /");
	}
}

static void read_pool_tls(struct loader *l, const struct map *pool, struct conf_pool_tls *t)
{
	struct map m = map_map(pool, "tls", "pool_tls");

	if (!m.node)
		return;
	t->is_on = true;
	t->verify = map_bool(&m, "verify");
	if (t->verify)
		t->ca_pem = map_file(&m, "ca");
	t->ca_at = map_place(&m, "ca");
	t->server_name = map_string(&m, "server_name");
	if (map_node(&m, "chain") || map_node(&m, "key")) {
		t->client_cert.chain_path = map_string(&m, "chain");
		t->has_client_cert = conf_read_cert(l, &m, &t->client_cert);
	}
}

static void read_pool(struct loader *l, const struct map *m, struct conf_pool *p)
{
	struct map eject = map_map(m, "eject", "eject"), retry = map_map(m, "retry", "retry");
	yaml_node_t **items, *hash = map_node(m, "hash");
	yaml_mark_t at = map_mark(m, "servers");

	p->algorithm = (enum conf_algorithm)map_choice(m, "balance");
	if (hash)
		p->hash_key = conf_expr(l, hash, POLICY_STRING, false);
	if (p->algorithm == BALANCE_HASH && !hash)
		conf_fail(l, &at, "write hash: client.ip", "balance: hash needs an expression in 'hash'");
	p->server_count = map_items(m, "servers", &items);
	if (p->server_count > BOARD_SERVERS_MAX - l->conf->server_total) { /* the boards have room for no more */
		conf_fail(l, &at, NULL, "there are more than %d servers", BOARD_SERVERS_MAX);
		p->server_count = BOARD_SERVERS_MAX - l->conf->server_total;
	}
	p->servers = conf_array(l, p->server_count, sizeof *p->servers);
	if (p->server_count == 0)
		conf_fail(l, &at, "write servers: [10.0.0.1:8080]", "the pool '%.*s' has no servers", FMT(p->name));
	for (size_t i = 0; i < p->server_count; i++) {
		read_server(l, items[i], &p->servers[i]);
		p->servers[i].global = (uint16_t)l->conf->server_total++;
		for (size_t k = 0; k < i; k++)
			if (bytes_eq(p->servers[k].name, p->servers[i].name))
				conf_fail(l, &items[i]->start_mark, "give one of them a name of its own", "the server '%.*s' stands in this pool twice",
					FMT(p->servers[i].name));
	}
	p->sticky_cookie = map_string(m, "sticky");
	if (p->sticky_cookie.len && !http_is_token(p->sticky_cookie)) {
		at = map_mark(m, "sticky");
		conf_fail(l, &at, "letters, digits and -", "'%.*s' is not the name of a cookie", FMT(p->sticky_cookie));
	}
	p->slow_start_ms = map_ms(m, "slow_start");
	p->queue_max = (uint32_t)map_number(m, "queue");
	p->queue_ms = map_ms(m, "queue_time");
	p->keep_max = (uint32_t)map_number(m, "keep");
	p->keep_idle_ms = map_ms(m, "keep_time");
	p->keep_requests = (uint32_t)map_number(m, "keep_requests");
	p->connect_ms = map_ms(m, "connect_time");
	p->response_ms = map_ms(m, "response_time");
	p->try_ms = map_ms(m, "try_time");
	p->total_ms = map_ms(m, "total_time");
	p->eject_failures = (uint32_t)map_number(&eject, "failures");
	p->eject_ms = map_ms(&eject, "time");
	p->eject_max_percent = (uint32_t)map_number(&eject, "max_percent");
	p->retry_tries = (uint32_t)map_number(&retry, "tries");
	p->retry_budget_percent = (uint32_t)map_number(&retry, "budget");
	read_check(l, m, p);
	read_pool_tls(l, m, &p->tls);
}

void conf_read_pools(struct loader *l, const struct map *top)
{
	struct conf *c = l->conf;
	yaml_node_pair_t *pairs;
	size_t n = conf_named(l, top, "pools", &pairs);

	if (n > BOARD_SERVERS_MAX) { /* each needs a server of its own */
		conf_fail(l, &yaml_document_get_node(l->doc, pairs[BOARD_SERVERS_MAX].key)->start_mark, NULL,
			"there are more than %d pools", BOARD_SERVERS_MAX);
		n = BOARD_SERVERS_MAX;
	}

	c->pools = conf_array(l, n, sizeof *c->pools);
	c->pool_count = n;
	for (size_t i = 0; i < n; i++) {
		struct map m = conf_map(l, yaml_document_get_node(l->doc, pairs[i].value), "pool");
		c->pools[i].name = arena_copy(l->arena, node_text(yaml_document_get_node(l->doc, pairs[i].key)));
		read_pool(l, &m, &c->pools[i]);
	}
}

size_t conf_find_pool(struct loader *l, struct bytes name, const yaml_mark_t *at)
{
	const char *names[64], *best;
	char hint[128] = "name it under pools:";
	size_t n = 0;

	for (size_t i = 0; i < l->conf->pool_count; i++) {
		if (bytes_eq(l->conf->pools[i].name, name) && l->conf->pools[i].of == CONF_POOL_APPS)
			return i;
		if (n < COUNT_OF(names) && l->conf->pools[i].of == CONF_POOL_APPS)
			names[n++] = (const char *)l->conf->pools[i].name.at; /* arena_copy ends it with NUL */
	}
	best = conf_nearest(name, names, n);
	if (best)
		snprintf(hint, sizeof hint, "write '%s'", best);
	conf_fail(l, at, hint, "there is no pool '%.*s'", FMT(name));
	return 0;
}

static void read_limits(struct loader *l, const struct map *top)
{
	struct map m = map_map(top, "limits", "limits"), k = map_map(top, "canonical", "canonical");
	struct conf_limits *s = &l->conf->limits;

	s->http.line_max = map_number(&m, "request_line");
	s->http.field_max = map_number(&m, "field");
	s->http.head_max = map_number(&m, "head");
	s->http.fields_max = map_number(&m, "fields");
	s->http.drop_ambiguous = map_choice(&m, "ambiguous_fields") == 0;
	s->body_max = map_number(&m, "body");
	s->header_ms = map_ms(&m, "header_time");
	s->body_ms = map_ms(&m, "body_time");
	s->idle_ms = map_ms(&m, "idle_time");
	s->tunnel_idle_ms = map_ms(&m, "tunnel_idle_time");
	s->drain_ms = map_ms(&m, "drain_time");
	s->connections = (uint32_t)map_number(&m, "connections");
	s->connections_per_client = (uint32_t)map_number(&m, "connections_per_client");
	s->requests_per_connection = (uint32_t)map_number(&m, "requests_per_connection");
	l->conf->canon.encoded_slash = map_choice(&k, "encoded_slash") ? CANON_KEEP : CANON_REFUSE;
	l->conf->canon.parameters = map_choice(&k, "parameters") ? CANON_KEEP : CANON_REFUSE;
	l->conf->canon.merge_slashes = map_bool(&k, "merge_slashes");
}

static void read_resolvers(struct loader *l, const struct map *top)
{
	struct conf *c = l->conf;
	yaml_node_t **items;
	size_t n = map_items(top, "resolvers", &items);

	c->resolvers = conf_array(l, n, sizeof *c->resolvers);
	for (size_t i = 0; i < n; i++) {
		struct addr *a = &c->resolvers[c->resolver_count];

		if (addr_parse(node_text(items[i]), a) == OK) {
			c->resolver_count++;
		} else if (addr_parse_ip(node_text(items[i]), a) == OK) {
			a->port = DNS_PORT;
			c->resolver_count++;
		} else {
			conf_fail(l, &items[i]->start_mark, "write 192.0.2.53, 127.0.0.1:5353, 2001:db8::53 or \"[2001:db8::53]:5353\"",
				"'%.*s' is not the address of a DNS server", FMT(node_text(items[i])));
		}
	}
}

static void read_top(struct loader *l, const struct map *top)
{
	struct map admin = map_map(top, "admin", "admin"), log = map_map(top, "log", "log");
	struct map ledger = map_map(top, "ledger", "ledger");
	struct conf *c = l->conf;
	yaml_mark_t at = map_mark(&admin, "listen");

	c->workers = (uint16_t)map_number(top, "workers");
	c->user = map_string(top, "user");
	c->state_dir = map_string(top, "state_dir");
	c->contact = map_string(top, "contact");
	c->admin_socket = map_string(&admin, "socket");
	read_resolvers(l, top);
	if (map_string(&admin, "listen").len && addr_parse(map_string(&admin, "listen"), &c->admin_address) != OK)
		conf_fail(l, &at, "write listen: 127.0.0.1:9180", "'%.*s' is not an address with a port", FMT(map_string(&admin, "listen")));
	c->access_log = map_string(&log, "access");
	c->error_log = map_string(&log, "error");
	c->ledger.mode = (enum conf_ledger_mode)map_choice(&ledger, "mode");
	c->ledger.keep_s = map_s(&ledger, "keep");
	c->ledger.keep_bytes = map_number(&ledger, "keep_size");
	read_limits(l, top);
	conf_read_sets(l, top);
	conf_read_pools(l, top);
	conf_read_listeners(l, top);
	conf_read_gateway(l, top);
	conf_read_routes(l, top);
	conf_read_rules(l, top);
	conf_read_detect(l, top);
}

/* Opens a configuration that is to be filled. False: it is no YAML, and that is told. */
static bool load_begin(struct loader *l, struct bytes file, struct bytes text, struct conf_source *source, struct conf **out,
	struct conf_errors *errors, yaml_document_t *doc)
{
	struct conf *c = calloc(1, sizeof *c);

	CHECK(c != NULL);
	arena_init_growing(&c->arena, CONF_MEMORY);
	*errors = (struct conf_errors){ 0 };
	*out = c;
	*l = (struct loader){ .conf = c, .arena = &c->arena, .source = source, .errors = errors, .text = text, .doc = doc };
	c->file = l->file = arena_copy(&c->arena, file);
	return conf_parse_doc(l, text, doc);
}

static enum err load_end(struct conf_errors *errors, yaml_document_t *doc)
{
	yaml_document_delete(doc);
	conf_sort_errors(errors);
	return errors->errors ? ERR_SYNTAX : OK;
}

enum err conf_load(struct bytes file, struct bytes text, struct conf_source *source, struct conf **out,
	struct conf_errors *errors)
{
	yaml_document_t doc;
	struct loader l;

	if (!load_begin(&l, file, text, source, out, errors, &doc))
		return ERR_SYNTAX;
	struct map top = conf_map(&l, yaml_document_get_root_node(&doc), "top");
	read_top(&l, &top);
	return load_end(errors, &doc);
}

enum err conf_load_rule_set(struct bytes file, struct bytes text, struct conf_source *source, struct conf **out,
	struct conf_errors *errors)
{
	yaml_document_t doc;
	struct loader l;

	if (!load_begin(&l, file, text, source, out, errors, &doc))
		return ERR_SYNTAX;
	struct map nothing = { &l, NULL, "top" };
	read_limits(&l, &nothing);
	/* A rule must hold under every configuration, so it is shown what the least strict one lets through. */
	l.conf->canon = (struct canon_rules){ CANON_KEEP, CANON_KEEP, true };
	conf_read_rule_set(&l, yaml_document_get_root_node(&doc));
	return load_end(errors, &doc);
}

void conf_free(struct conf **c)
{
	if (!*c)
		return;
	for (size_t i = 0; i < (*c)->rule_count; i++) {
		const struct policy_rule *r = &(*c)->rules[i];
		if (r->when)
			policy_expr_fini(r->when);
		for (size_t k = 0; k < r->action_count; k++)
			if (r->actions[k].value)
				policy_expr_fini(r->actions[k].value);
	}
	for (size_t i = 0; i < (*c)->route_count; i++) {
		const struct conf_route *r = &(*c)->routes[i];
		if (r->when)
			policy_expr_fini(r->when);
		if (r->allow)
			policy_expr_fini(r->allow);
	}
	conf_free_gateway(&(*c)->gateway);
	for (size_t i = 0; i < (*c)->pool_count; i++)
		if ((*c)->pools[i].hash_key)
			policy_expr_fini((*c)->pools[i].hash_key);
	arena_fini(&(*c)->arena);
	free(*c);
	*c = NULL;
}
