/* What happens with a request: who the client is, which rules hold, which pool serves it. */
#include "proxy/engine.h"
#include "crypto/hash.h"

static bool is_trusted(const struct listener *l, const struct addr *a)
{
	for (size_t i = 0; i < l->conf->trusted_count; i++)
		if (addr_in(a, &l->conf->trusted[i]))
			return true;
	return false;
}

/* Behind trusted peers, the client is the last address of X-Forwarded-For that is not itself trusted. */
static struct addr find_client(const struct exchange *x)
{
	const struct listener *l = x->client->listener;
	struct addr client = x->client->peer;

	if (!is_trusted(l, &client))
		return client;
	for (size_t i = x->req.field_count; i > 0; i--) {
		const struct http_field *f = &x->req.fields[i - 1];
		struct bytes left = f->value;
		if (f->id != HTTP_X_FORWARDED_FOR)
			continue;
		while (left.len) {
			size_t comma = left.len;
			struct addr a;
			while (comma > 0 && left.at[comma - 1] != ',')
				comma--;
			struct bytes one = bytes_trim(bytes_cut(left, comma, left.len));
			if (addr_parse_ip(one, &a) != OK)
				return client;
			client = a;
			if (!is_trusted(l, &a))
				return client;
			left = bytes_cut(left, 0, comma ? comma - 1 : 0);
		}
	}
	return client;
}

void exchange_fill_input(struct exchange *x)
{
	struct client *c = x->client;

	x->peer_is_trusted = is_trusted(c->listener, &c->peer);
	x->input = (struct policy_input){ .req = &x->req, .client = find_client(x), .peer = c->peer,
		.listener = c->listener->conf->name, .is_tls = c->io.tls != NULL, .tls_version = c->tls.version,
		.tls_sni = c->tls.sni, .tls_cipher = c->tls.cipher, .tls_client_subject = c->tls.client_subject,
		.real_us = x->real_us, .tags = x->tags, .arena = &x->engine->scratch, .arena_is_scratch = true };
	policy_input_index(&x->input);
}

struct bytes exchange_string(struct exchange *x, const struct policy_expr *e)
{
	struct bytes v;

	x->input.arena = &x->arena;
	v = policy_string(e, &x->input);
	x->input.arena = &x->engine->scratch;
	return v;
}

/* False: the arena is full, and the head would not be what the administrator wrote. A client can bring that about
 * with a long head, so it must not be how a field stays in. */
static bool add_edit(struct exchange *x, const struct policy_action *a, bool on_response)
{
	struct http1_edit *e = arena_alloc(&x->arena, sizeof *e), *last = x->edits;

	if (!e)
		return false;
	e->name = a->name;
	e->on_response = on_response;
	e->removes = a->kind == ACT_REMOVE_FIELD;
	e->replaces = a->kind == ACT_SET_FIELD;
	if (a->value)
		e->value = exchange_string(x, a->value);
	if (a->value && !e->value.at)
		return false;
	if (!last) {
		x->edits = e;
		return true;
	}
	while (last->next)
		last = (struct http1_edit *)(uintptr_t)last->next;
	last->next = e;
	return true;
}

static bool within_rate(struct exchange *x, const struct policy_action *a, struct bytes v)
{
	struct engine *g = x->engine;
	unsigned char key[16];

	memcpy(key, g->hash_key, sizeof key);
	key[0] ^= (unsigned char)a->limit_id;
	key[1] ^= (unsigned char)(a->limit_id >> 8);
	return board_rate_allow(g->limits, siphash24(key, v) | 1, a->rate, a->per_ms, a->burst, loop_now_us(g->loop));
}

static bool rewrite_path(struct exchange *x, struct bytes to)
{
	struct bytes path, wire;
	const char *why;

	/* What a policy made goes through the same reading as what a client sent. */
	if (canon_path(to, &x->engine->conf->canon, &x->arena, &path, &wire, &why) != OK)
		return false;
	x->req.path = path;
	x->req.wire_path = wire;
	return true;
}

static void redirect_to(struct exchange *x, unsigned status, struct bytes to)
{
	for (size_t i = 0; i < to.len; i++)
		if (to.at[i] <= ' ' || to.at[i] >= 127) {
			exchange_refuse(x, 500, "redirect-malformed");
			return;
		}
	exchange_reply(x, status, BYTES(""), to, BYTES(""));
}

enum verdict { GO_ON, STOP_RULES, ANSWERED };

/* The request's memory is used up: its head is too large for what the policies make of it. */
static enum verdict no_room(struct exchange *x)
{
	exchange_refuse(x, 431, "policy-memory");
	return ANSWERED;
}

static enum verdict set_tag(struct exchange *x, struct bytes tag)
{
	for (size_t i = 0; i < x->tag_count; i++)
		if (bytes_eq(x->tags[i], tag))
			return GO_ON;
	CHECK(x->tag_count < COUNT_OF(x->tags)); /* conf counts the different tags */
	x->tags[x->tag_count++] = tag;
	x->input.tag_count = x->tag_count;
	return GO_ON;
}

static enum verdict act(struct exchange *x, const struct policy_action *a)
{
	struct engine *g = x->engine;
	struct bytes v = BYTES("");

	if (a->value && a->kind != ACT_SET_FIELD && a->kind != ACT_ADD_FIELD && !(v = exchange_string(x, a->value)).at)
		return no_room(x);
	switch (a->kind) {
	case ACT_ALLOW: return STOP_RULES;
	case ACT_BLOCK:
		board_add(&g->board->counters[M_BLOCKED], 1);
		record_policy(x, a->status ? a->status : 403, "block");
		exchange_refuse(x, a->status ? a->status : 403, "policy");
		return ANSWERED;
	case ACT_REDIRECT:
		redirect_to(x, a->status ? a->status : 302, v);
		return ANSWERED;
	case ACT_RESPOND:
		exchange_reply(x, a->status, a->content_type, BYTES(""), v);
		return ANSWERED;
	case ACT_REWRITE_PATH:
		if (rewrite_path(x, v))
			return GO_ON;
		exchange_refuse(x, 500, "rewrite-malformed");
		return ANSWERED;
	case ACT_SET_FIELD:
	case ACT_ADD_FIELD:
	case ACT_REMOVE_FIELD: return add_edit(x, a, false) ? GO_ON : no_room(x);
	case ACT_POOL: x->pool = &g->pools[a->pool]; x->pool_index = a->pool; return GO_ON;
	case ACT_TAG: return set_tag(x, a->name);
	case ACT_RATE_LIMIT:
		if (within_rate(x, a, v))
			return GO_ON;
		board_add(&g->board->counters[M_RATE_LIMITED], 1);
		record_policy(x, a->status ? a->status : 429, "rate limit");
		exchange_refuse(x, a->status ? a->status : 429, "rate-limit");
		return ANSWERED;
	}
	return GO_ON;
}

static bool redirect_https(struct exchange *x)
{
	const struct conf_listener *l = x->client->listener->conf;
	unsigned char mem[9000];
	struct text t;

	if (x->req.host.len == 0) {
		exchange_refuse(x, 400, "no-host");
		return false;
	}
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "https://");
	text_add(&t, x->req.host);
	if (l->redirect_port && l->redirect_port != 443) {
		text_byte(&t, ':');
		text_u64(&t, l->redirect_port);
	}
	text_add(&t, x->req.wire_path);
	if (x->req.has_query) {
		text_byte(&t, '?');
		text_add(&t, x->req.raw_query);
	}
	if (t.failed)
		exchange_refuse(x, 414, "target-too-long");
	else
		redirect_to(x, 308, text_bytes(&t));
	return false;
}

bool exchange_decide(struct exchange *x)
{
	struct engine *g = x->engine;
	const struct conf *conf = g->conf;
	const struct policy_rule *rule;
	const struct conf_route *route;
	size_t next = 0;
	bool is_unknown;

	if (x->req.method == HTTP_CONNECT || x->req.method == HTTP_TRACE) {
		exchange_refuse(x, 405, "method");
		return false;
	}
	while (conf->rule_count && (rule = policy_match(conf->rules, conf->rule_count, &next, &x->input, &is_unknown))) {
		enum verdict v = GO_ON;
		x->rule = rule;
		if (is_unknown) { /* it might block, or let in who should not be: neither can be told */
			board_add(&g->board->counters[M_BLOCKED], 1);
			record_policy(x, 403, "cannot tell");
			exchange_refuse(x, 403, "policy-unknown");
			return false;
		}
		for (size_t i = 0; i < rule->action_count && v == GO_ON; i++)
			v = act(x, &rule->actions[i]);
		if (v == ANSWERED)
			return false;
		if (v == STOP_RULES)
			break;
	}
	if (x->client->listener->conf->redirect_to_https)
		return redirect_https(x);
	if (conf->gateway.is_on && !admit_decide(x))
		return false;
	if (x->pool && (!conf->gateway.is_on || x->app))
		return true;
	route = router_find_route(g->router, x->req.host, x->req.path, &x->input);
	if (!route && !x->pool) {
		exchange_refuse(x, 404, "no-route");
		return false;
	}
	if (route && route->needs_session) { /* a pool that a policy chose is no way around the sign-in */
		if (!admit_route(x, route))
			return false;
	} else if (conf->gateway.is_on && !admit_plain(x)) {
		exchange_refuse(x, 431, "head-too-large");
		return false;
	}
	if (!x->pool) {
		x->pool_index = route->pool;
		x->pool = &g->pools[route->pool];
	}
	return true;
}

bool exchange_decide_response(struct exchange *x)
{
	const struct conf *conf = x->engine->conf;
	const struct policy_rule *rule;
	size_t next = 0;
	bool is_unknown;

	x->input.res = &x->res;
	while (next < conf->rule_count &&
		(rule = policy_match(conf->rules, conf->rule_count, &next, &x->input, &is_unknown))) {
		if (is_unknown)
			return false;
		for (size_t i = 0; i < rule->action_count; i++)
			if (!add_edit(x, &rule->actions[i], true))
				return false;
	}
	return x->is_behind ? admit_app_response(x) : !conf->gateway.is_on || admit_plain_response(x);
}
