/* Follows proxy/client.c and proxy/decide.c step by step; what they do to connections is said in words here. */
#include "cli/policy_run.h"

#include "http1/parse.h"
#include "proxy/engine.h"

#define NOTES_SIZE (4u << 20)

static struct bytes note(struct policy_runner *r, const char *fmt, ...) PRINTF(2, 3);

static struct bytes note(struct policy_runner *r, const char *fmt, ...)
{
	unsigned char *mem = arena_alloc_raw(&r->notes, 9000);
	struct text t;
	va_list ap;

	if (!mem)
		return BYTES("?");
	text_init(&t, mem, 9000);
	va_start(ap, fmt);
	text_vfmt(&t, fmt, ap);
	va_end(ap);
	return t.failed ? BYTES("? (too long to show)") : text_bytes(&t);
}

enum err policy_runner_init(struct policy_runner *r, const struct conf *conf, struct arena *arena)
{
	void *exchange = arena_alloc_raw(arena, EXCHANGE_ARENA), *scratch = arena_alloc_raw(arena, POLICY_SCRATCH_SIZE);
	void *notes = arena_alloc_raw(arena, NOTES_SIZE);
	struct router *router = NULL;

	if (!exchange || !scratch || !notes)
		return ERR_MEMORY;
	if (conf->listener_count)
		TRY(router_new(conf, arena, &router));
	*r = (struct policy_runner){ .conf = conf, .router = router };
	arena_init(&r->exchange, exchange, EXCHANGE_ARENA);
	arena_init(&r->scratch, scratch, POLICY_SCRATCH_SIZE);
	arena_init(&r->notes, notes, NOTES_SIZE);
	return OK;
}

static void fill_input(struct policy_runner *r, const struct conf_request *q)
{
	const struct conf_listener *l = q->listener < r->conf->listener_count ? &r->conf->listeners[q->listener] : NULL;
	bool is_tls = q->tls == TLS_ON || (q->tls == TLS_AS_LISTENER && l && l->tls.is_on);

	r->in = (struct policy_input){ .req = &r->req, .client = q->client, .peer = q->peer,
		.listener = l ? l->name : BYTES("test"), .is_tls = is_tls, .real_us = q->real_us, .tags = r->tags,
		.arena = &r->scratch, .arena_is_scratch = true, .session = q->has_session ? &q->session : NULL };
	if (is_tls) {
		r->in.tls_version = q->tls_version;
		r->in.tls_sni = q->sni;
		r->in.tls_cipher = q->cipher;
		r->in.tls_client_subject = q->client_subject;
	}
}

/* False: refused, and out says so. */
static bool read_head(struct policy_runner *r, const struct conf_request *q)
{
	const struct conf_limits *limits = &r->conf->limits;
	struct http1_refusal refusal = { 400, "syntax" };
	size_t scanned = 0, used = 0;
	const char *why;
	enum err e;

	e = http1_parse_request(q->head, &limits->http, &r->exchange, &scanned, &used, &r->req, &refusal);
	if (e == ERR_AGAIN)
		r->out->decision = BYTES("refused 408 head-unfinished");
	else if (e == ERR_MEMORY)
		r->out->decision = BYTES("refused 431 head-too-large");
	else if (e != OK)
		r->out->decision = note(r, "refused %u %s", refusal.status, refusal.reason);
	if (e != OK)
		return false;
	r->out->method = r->req.method_text;
	r->out->target = r->req.target;
	fill_input(r, q);
	e = canon_request(&r->req, &r->conf->canon, r->in.is_tls ? BYTES("https") : BYTES("http"), &r->exchange, &why);
	if (e != OK) {
		r->out->decision = e == ERR_MEMORY ? BYTES("refused 431 head-too-large") : note(r, "refused 400 %s", why);
		return false;
	}
	r->out->is_read = true;
	r->out->path = r->out->server_path = r->req.path;
	r->out->host = r->req.host;
	if (r->req.framing == HTTP_BODY_LENGTH && limits->body_max && r->req.length > limits->body_max)
		r->out->decision = BYTES("refused 413 body-too-large");
	else if (r->req.method == HTTP_CONNECT || r->req.method == HTTP_TRACE)
		r->out->decision = BYTES("refused 405 method");
	policy_input_index(&r->in);
	return r->out->decision.len == 0;
}

static struct bytes value_of(struct policy_runner *r, const struct policy_expr *e)
{
	struct policy_input in = r->in;

	in.arena = &r->exchange;
	in.arena_is_scratch = false;
	return e ? policy_string(e, &in) : BYTES("");
}

static struct bytes rewrite(struct policy_runner *r, struct bytes to)
{
	struct bytes path, wire;
	const char *why;

	if (canon_path(to, &r->conf->canon, &r->exchange, &path, &wire, &why) != OK)
		return note(r, "refused 500 rewrite-malformed (%s)", why);
	r->req.path = path;
	r->req.wire_path = wire;
	r->out->server_path = path;
	return BYTES("");
}

static void add_tag(struct policy_runner *r, struct bytes tag)
{
	for (size_t i = 0; i < r->in.tag_count; i++)
		if (bytes_eq(r->tags[i], tag))
			return;
	CHECK(r->in.tag_count < COUNT_OF(r->tags)); /* conf counts the different tags */
	r->tags[r->in.tag_count++] = tag;
}

/* Applies an action. *end: the decision, when it is made here; *said: what was done, in words. */
static void act(struct policy_runner *r, const struct policy_action *a, bool on_response, struct bytes *said, struct bytes *end)
{
	struct bytes v = value_of(r, a->value);

	if (!v.at) {
		*said = *end = on_response ? BYTES("refused 502 policy-unknown") : BYTES("refused 431 policy-memory");
		return;
	}
	switch (a->kind) {
	case ACT_ALLOW: *said = *end = BYTES("allow"); break;
	case ACT_BLOCK: *said = *end = note(r, "block %u", a->status ? a->status : 403); break;
	case ACT_REDIRECT: *said = *end = note(r, "redirect %u %.*s", a->status ? a->status : 302, FMT(v)); break;
	case ACT_RESPOND: *said = *end = note(r, "respond %u", a->status); break;
	case ACT_REWRITE_PATH:
		*said = note(r, "rewrite_path %.*s", FMT(v));
		*end = rewrite(r, v);
		break;
	case ACT_SET_FIELD: *said = note(r, "set_field %.*s: %.*s", FMT(a->name), FMT(v)); break;
	case ACT_ADD_FIELD: *said = note(r, "add_field %.*s: %.*s", FMT(a->name), FMT(v)); break;
	case ACT_REMOVE_FIELD: *said = note(r, "remove_field %.*s", FMT(a->name)); break;
	case ACT_POOL:
		r->pool = a->pool;
		*said = note(r, "pool %.*s", FMT(r->conf->pools[a->pool].name));
		break;
	case ACT_TAG:
		add_tag(r, a->name);
		*said = note(r, "tag %.*s", FMT(a->name));
		break;
	case ACT_RATE_LIMIT:
		*said = note(r, "rate_limit %u per %u ms (%u above it), key \"%.*s\"", a->rate, a->per_ms,
			a->status ? a->status : 429, FMT(v));
		break;
	}
}

static void explain(struct policy_runner *r, struct policy_match *m)
{
	struct policy_input in = r->in;

	in.arena = &r->notes;
	in.arena_is_scratch = false;
	m->reason_count = m->rule->when ? policy_explain(m->rule->when, &in, m->reasons, COUNT_OF(m->reasons)) : 0;
}

/* All policies of one direction; the decision that ended them, or empty. */
static struct bytes run_rules(struct policy_runner *r, bool goes_on)
{
	const struct conf *c = r->conf;
	struct bytes decision = BYTES("");
	const struct policy_rule *rule;
	bool is_unknown;
	size_t next = 0;

	while (c->rule_count && (rule = policy_match(c->rules, c->rule_count, &next, &r->in, &is_unknown))) {
		struct policy_match spare = { 0 }, *m = &spare;
		struct bytes end = BYTES("");
		if (r->out->match_count < RUN_MATCHES_MAX)
			m = &r->out->matches[r->out->match_count++];
		else
			r->out->is_cut = true;
		*m = (struct policy_match){ .rule = rule, .is_unknown = is_unknown };
		explain(r, m);
		if (is_unknown)
			m->actions = end = rule->on_response ? BYTES("refused 502 policy-unknown") : BYTES("refused 403 policy-unknown");
		for (size_t i = 0; !is_unknown && i < rule->action_count && end.len == 0; i++) {
			struct bytes said = BYTES("");
			act(r, &rule->actions[i], rule->on_response, &said, &end);
			m->actions = m->actions.len ? note(r, "%.*s; %.*s", FMT(m->actions), FMT(said)) : said;
		}
		if (end.len && decision.len == 0)
			decision = end;
		if (end.len && !goes_on)
			break;
	}
	return decision;
}

/* What is in the way, or empty. What cannot be told is a refusal. */
static struct bytes access_to(struct policy_runner *r, const struct policy_expr *allow, const struct policy_expr *mfa)
{
	if (!r->in.session)
		return BYTES("sign-in");
	if (allow && policy_truth(allow, &r->in) != POLICY_TRUE)
		return BYTES("denied");
	if (mfa && !r->in.session->has_mfa && policy_truth(mfa, &r->in) != POLICY_FALSE)
		return BYTES("step-up");
	return BYTES("");
}

static struct bytes route(struct policy_runner *r, const struct conf_request *q)
{
	const struct conf_app *app = conf_app_by_host(r->conf, r->req.host);
	const struct conf_route *route;
	struct bytes not_yet = BYTES("");
	size_t pool = r->pool;

	if (!r->router)
		return BYTES("pass");
	if (q->listener < r->conf->listener_count && r->conf->listeners[q->listener].redirect_to_https)
		return BYTES("redirect 308 to https");
	if (r->conf->gateway.is_on && bytes_eq(r->req.host, r->conf->gateway.portal))
		return BYTES("portal");
	route = app ? NULL : router_find_route(r->router, r->req.host, r->req.path, &r->in);
	if (app)
		not_yet = access_to(r, app->allow, app->mfa);
	else if (route && route->needs_session) /* also when a policy has chosen the pool */
		not_yet = access_to(r, route->allow, NULL);
	if (not_yet.len)
		return not_yet;
	if (pool == SIZE_MAX && (app || route))
		pool = app ? app->pool : route->pool;
	if (pool == SIZE_MAX)
		return BYTES("refused 404 no-route");
	return note(r, "pool %.*s", FMT(r->conf->pools[pool].name));
}

void policy_runner_run(struct policy_runner *r, const struct conf_request *q, bool goes_on, struct policy_outcome *out)
{
	struct bytes decision;

	*out = (struct policy_outcome){ 0 };
	r->out = out;
	r->pool = SIZE_MAX;
	r->req = (struct http_request){ 0 };
	arena_reset(&r->exchange);
	arena_reset(&r->notes);
	if (!read_head(r, q))
		return;
	decision = run_rules(r, goes_on);
	if (decision.len == 0 || bytes_eq(decision, BYTES("allow")))
		decision = route(r, q);
	if (q->has_response && bytes_starts(decision, BYTES("pool "))) {
		struct bytes refused;
		r->res = (struct http_response){ .status = q->status, .minor = 1, .fields = q->fields, .field_count = q->field_count };
		r->in.res = &r->res;
		refused = run_rules(r, goes_on);
		if (refused.len)
			decision = refused;
	}
	out->decision = decision;
}
