/* Asking identity who shows a token, remembering the answer as long as the connection and the session live, and cutting what is live of a session
 * that has ended. No table of sessions: a connection knows its own, and nothing is left of it when it is gone. */
#include "proxy/admit.h"

#include "proxy/engine.h"

#include "base/secret.h"

#include <stdlib.h>

#define JWT_SPARE_S 60 /* a token for servers is renewed so long before it ends */
#define FORM_MS	    15000

/* --- one request to the gateway itself --- */

struct admit *admit_of(struct exchange *x)
{
	struct admit *a = x->admit;

	if (a)
		return a;
	a = calloc(1, sizeof *a);
	if (!a) {
		exchange_refuse(x, 503, "memory");
		return NULL;
	}
	arena_init(&a->arena, a->mem, sizeof a->mem);
	text_init_growing(&a->head, 8192);
	text_init_growing(&a->page, 100 * 1024);
	x->admit = a;
	return a;
}

static void forget_ask(struct exchange *x)
{
	if (x->admit && x->admit->ask) {
		x->engine->asks[x->admit->ask - 1].x = NULL;
		x->admit->ask = 0;
	}
}

void admit_end(struct exchange *x)
{
	struct admit *a = x->admit;

	forget_ask(x);
	if (a) {
		text_fini(&a->head);
		text_fini(&a->page);
		secret_wipe(a, sizeof *a);
		free(a);
		x->admit = NULL;
	}
	/* Heads with tokens: where they were parsed to, and what we answered. What they came in is the connection's (client_give_in). */
	secret_wipe(x->arena.start, (size_t)(x->arena.next - x->arena.start));
	buf_wipe(&x->up_in);
	buf_wipe(&x->up_out);
	buf_wipe(&x->out);
}

void admit_client_end(struct client *c)
{
	record_uses_end(c);
	secret_wipe(c->session, c->session->size);
	free(c->session);
	c->session = NULL;
}

void admit_forget(struct exchange *x)
{
	x->session = NULL;
	x->input.session = NULL;
	if (x->client->session)
		admit_client_end(x->client);
}

struct bytes admit_shown_target(const struct exchange *x)
{
	struct bytes target = x->req.target;

	/* A provider's answer, also to a name that is not one any more. */
	if (x->engine->conf->gateway.oidc_count && bytes_starts(target, BYTES("/oidc/")))
		return bytes_cut(target, 0, bytes_find_byte(target, '?'));
	if (!x->engine->conf->gateway.is_on || bytes_find(target, BYTES("code=")) == SIZE_MAX ||
		!(bytes_starts(x->req.path, BYTES(ADMIT_PREFIX)) || bytes_find(target, BYTES("sluis")) != SIZE_MAX))
		return target;
	return bytes_cut(target, 0, bytes_find_byte(target, '?'));
}

/* --- asking --- */

void admit_ask(struct exchange *x, enum auth_call_id call, bool is_flow, struct bytes token, const struct bytes *args, size_t n,
	void (*then)(struct exchange *x, const struct auth_answer *a))
{
	struct engine *g = x->engine;
	struct admit *a = admit_of(x);
	unsigned char mem[4096];
	struct auth_call c = { .id = call, .client = x->input.client, .token_is_flow = is_flow, .token = token, .arg_count = n };
	size_t slot = 0;
	struct text t;
	enum err e;

	if (!a)
		return;
	while (slot < ADMIT_ASKS_MAX && g->asks[slot].x)
		slot++;
	c.client.port = 0;
	for (size_t i = 0; i < n; i++)
		c.args[i] = args[i];
	c.request = (uint32_t)slot | ++g->ask_serial << 10;
	text_init(&t, mem, sizeof mem);
	auth_call_write(&t, &c);
	if (t.failed) {
		exchange_refuse(x, 413, "form-too-large");
		return;
	}
	e = slot == ADMIT_ASKS_MAX || !g->ask ? ERR_AGAIN : g->ask(g, text_bytes(&t));
	secret_wipe(mem, sizeof mem);
	if (e != OK) {
		exchange_refuse(x, 503, "identity");
		return;
	}
	g->asks[slot].x = x;
	g->asks[slot].serial = c.request;
	a->ask = (uint32_t)slot + 1;
	a->then = then;
	x->phase = X_ASKING;
	exchange_wait(x, ADMIT_ASK_MS);
}

enum err engine_identity_answer(struct engine *g, struct bytes body)
{
	struct auth_answer answer;
	struct exchange *x;
	size_t slot;

	TRY(auth_answer_parse(body, &answer));
	slot = answer.request % ADMIT_ASKS_MAX;
	x = g->asks[slot].x;
	if (!x || g->asks[slot].serial != answer.request)
		return OK; /* it went away meanwhile */
	forget_ask(x);
	x->phase = X_NEW;
	loop_timer_clear(g->loop, &x->timer);
	x->admit->then(x, &answer);
	return OK;
}

void engine_identity_lost(struct engine *g)
{
	for (size_t i = 0; i < ADMIT_ASKS_MAX; i++) {
		struct exchange *x = g->asks[i].x;

		if (!x)
			continue;
		forget_ask(x);
		x->phase = X_NEW;
		exchange_refuse(x, 503, "identity");
	}
}

void admit_on_time(struct exchange *x)
{
	bool is_form = x->phase == X_FORM;

	forget_ask(x);
	x->phase = X_NEW;
	exchange_refuse(x, is_form ? 408 : 503, is_form ? "body-time" : "identity-time");
}

/* --- forms --- */

static bool form_done(struct exchange *x)
{
	struct admit *a = x->admit;
	enum err e;

	x->phase = X_NEW;
	x->up_done = true;
	loop_timer_clear(x->engine->loop, &x->timer);
	e = a->is_raw ? OK : form_parse(bytes_of(a->body, a->body_len), &a->arena, &a->form);
	if (e == OK)
		a->formed(x);
	else
		exchange_refuse(x, e == ERR_MEMORY || e == ERR_LIMIT ? 413 : 400, "form");
	return false;
}

/* n more octets of it are in a->body. */
static void body_came(struct exchange *x, size_t n)
{
	x->admit->body_len += n;
	x->up_left -= n;
	x->body_in += n;
}

bool admit_pump(struct exchange *x)
{
	struct admit *a = x->admit;
	struct buf *in = &x->client->in;
	size_t n = buf_len(in) < x->up_left ? buf_len(in) : (size_t)x->up_left;
	enum err e = OK;

	/* What came with the head. The rest is not read into that buffer: the request's fields are views into it. */
	memcpy(a->body + a->body_len, in->mem + in->start, n);
	secret_wipe(in->mem + in->start, n);
	in->start += n;
	body_came(x, n);
	while (x->up_left && e == OK) {
		struct buf b = { .mem = a->body, .start = a->body_len, .end = a->body_len, .cap = a->body_len + (size_t)x->up_left };

		e = io_read(&x->client->io, &b);
		body_came(x, b.end - a->body_len);
	}
	if (!x->up_left)
		return form_done(x);
	if (e == ERR_AGAIN)
		return true;
	client_close(x->client);
	return false;
}

static void begin_body(struct exchange *x)
{
	x->has_secret = x->client->had_secret = true;
	x->phase = X_FORM;
	exchange_wait(x, FORM_MS);
	(void)!admit_pump(x);
}

void admit_form(struct exchange *x, void (*formed)(struct exchange *x))
{
	const struct http_field *type = http_find_field_id(x->req.fields, x->req.field_count, HTTP_CONTENT_TYPE);
	struct admit *a = admit_of(x);

	if (!a)
		return;
	if (x->req.framing == HTTP_BODY_CHUNKED || (x->req.framing == HTTP_BODY_LENGTH && x->req.length > FORM_BODY_MAX)) {
		exchange_refuse(x, x->req.framing == HTTP_BODY_CHUNKED ? 411 : 413, "form-too-large");
		return;
	}
	if (x->up_left && (!type || !bytes_starts(type->value, BYTES("application/x-www-form-urlencoded")))) {
		exchange_refuse(x, 415, "form-type");
		return;
	}
	a->formed = formed;
	begin_body(x);
}

void admit_read_body(struct exchange *x, void (*done)(struct exchange *x))
{
	struct admit *a = admit_of(x);

	if (!a)
		return;
	CHECK(x->up_left <= FORM_BODY_MAX);
	a->formed = done;
	a->is_raw = true;
	begin_body(x);
}

/* --- answers --- */

void admit_origin(const struct exchange *x, struct text *t, struct bytes host)
{
	text_lit(t, "https://");
	text_add(t, host);
	if (x->engine->conf->gateway.port != 443)
		text_fmt(t, ":%u", x->engine->conf->gateway.port);
}

void admit_set_token(struct exchange *x, const char *cookie, struct bytes token)
{
	struct text *t = &x->admit->head;

	text_lit(t, "Set-Cookie: ");
	cookie_write(t, cookie, token, strcmp(cookie, COOKIE_PORTAL) != 0 && strcmp(cookie, COOKIE_APP) != 0 && token.len ? 600 : 0);
	text_lit(t, "\r\n");
	x->has_secret = true;
	if (strcmp(cookie, COOKIE_PORTAL) == 0 || strcmp(cookie, COOKIE_APP) == 0)
		admit_forget(x);
}

void admit_reply(struct exchange *x, unsigned status, struct bytes type)
{
	struct admit *a = x->admit;

	if (a->page.failed || a->head.failed) {
		exchange_refuse(x, 500, "page-too-large");
		return;
	}
	x->local_head = text_bytes(&a->head);
	exchange_reply(x, status, type, BYTES(""), text_bytes(&a->page));
}

void admit_redirect(struct exchange *x, struct bytes to)
{
	struct admit *a = x->admit;

	text_lit(&a->head, "Referrer-Policy: no-referrer\r\n");
	x->local_head = text_bytes(&a->head);
	if (a->head.failed)
		exchange_refuse(x, 500, "redirect-malformed");
	else
		exchange_reply(x, 303, BYTES(""), to, BYTES(""));
}

bool admit_facts(const struct auth_answer *a, struct auth_facts *out)
{
	return a->result == AUTH_OK && a->value_count > 0 && auth_facts_parse(a->values[0], out) == OK;
}

/* --- who asks --- */

void admit_hash(struct exchange *x, const unsigned char token[AUTH_TOKEN_LEN], unsigned char hash[SHA256_LEN])
{
	sha256_begin(x->engine->sha);
	sha256_add(x->engine->sha, bytes_of(token, AUTH_TOKEN_LEN));
	sha256_end(x->engine->sha, hash);
}

const char *admit_cookie(const struct exchange *x)
{
	return bytes_eq(x->req.host, x->engine->conf->gateway.portal) ? COOKIE_PORTAL : COOKIE_APP;
}

static bool is_alive(const struct exchange *x, const struct admit_session *s)
{
	uint64_t now_s = x->real_us / 1000000;

	return board_session_lives(x->engine->sessions, s->facts.slot, s->facts.generation) && s->facts.until_s > now_s &&
	       (!s->facts.jwt.len || s->facts.jwt_until_s > now_s + JWT_SPARE_S);
}

/* What no person does is no use of a session: what pages of the portal load, and the warning, which browsers go to and look at again by themselves. */
static bool is_by_itself(const struct exchange *x)
{
	struct bytes path = x->req.path;

	return bytes_eq(x->req.host, x->engine->conf->gateway.portal) &&
	       (bytes_eq(path, BYTES("/still-there")) || bytes_starts(path, BYTES("/-/")) || bytes_eq(path, BYTES("/.well-known/jwks.json")));
}

/* False: it waits, or has been answered. */
static bool use_session(struct exchange *x)
{
	x->session = x->client->session;
	x->input.session = x->session ? &x->session->policy : NULL;
	if (x->session && !admit_device_shown(x))
		return admit_device_lacking(x);
	if (x->session && !is_by_itself(x))
		admit_seen(x);
	return true;
}

void admit_seen(struct exchange *x)
{
	board_session_seen(x->engine->sessions_seen, x->session->facts.slot, loop_real_us(x->engine->loop) / 1000000);
}

static enum err remember(struct exchange *x, const unsigned char hash[SHA256_LEN], struct bytes value)
{
	struct bytes host = x->req.host;
	struct admit_session *s = malloc(sizeof *s + value.len + host.len);

	if (!s)
		return ERR_MEMORY;
	memset(s, 0, sizeof *s);
	s->size = sizeof *s + value.len + host.len;
	memcpy(s->mem, value.at, value.len);
	memcpy(s->mem + value.len, host.at, host.len);
	s->host = bytes_of(s->mem + value.len, host.len);
	memcpy(s->hash, hash, SHA256_LEN);
	if (auth_facts_parse(bytes_of(s->mem, value.len), &s->facts) != OK || s->facts.slot >= BOARD_SESSION_SLOTS) {
		secret_wipe(s, s->size);
		free(s);
		return ERR_SYNTAX;
	}
	s->policy = (struct policy_session){ .has_mfa = s->facts.has_mfa, .is_device_bound = s->facts.is_device_bound, .method = s->facts.method,
		.user = s->facts.user, .groups = s->facts.groups, .group_count = s->facts.group_count, .since_s = s->facts.since_s,
		.proved_s = s->facts.proved_s };
	if (x->client->session)
		admit_client_end(x->client);
	x->client->session = s;
	return OK;
}

static void session_told(struct exchange *x, const struct auth_answer *a)
{
	unsigned char hash[SHA256_LEN];
	struct admit *own = x->admit;

	admit_hash(x, own->token, hash);
	if (a->result == AUTH_NONE) {
		admit_forget(x);
	} else if (a->result != AUTH_OK || a->value_count < 1 || remember(x, hash, a->values[0]) != OK) {
		exchange_refuse(x, 503, "identity");
		return;
	} else if (!is_alive(x, x->client->session)) { /* it ended while the answer was on its way */
		admit_forget(x);
	}
	if (!use_session(x))
		return;
	if (x->session && exchange_is_isolated(x)) {
		exchange_refuse_isolated(x, 403);
		return;
	}
	exchange_go(x);
}

bool admit_begin(struct exchange *x)
{
	struct client *c = x->client;
	unsigned char token[AUTH_TOKEN_LEN], hash[SHA256_LEN];
	struct admit *a;

	if (!c->io.tls || admit_is_device_path(x) || !cookie_token(x->req.fields, x->req.field_count, admit_cookie(x), token))
		return true; /* cookies of ours go over TLS alone */
	x->has_secret = c->had_secret = true;
	admit_hash(x, token, hash);
	if (c->session && secret_eq(bytes_of(c->session->hash, sizeof hash), bytes_of(hash, sizeof hash)) && bytes_eq(c->session->host, x->req.host) &&
		is_alive(x, c->session) && !board_session_is_news(x->engine->sessions, c->session->facts.slot, c->session->facts.news)) {
		secret_wipe(token, sizeof token);
		return use_session(x);
	}
	a = admit_of(x);
	if (a) {
		memcpy(a->token, token, sizeof token);
		a->has_token = true;
		admit_ask(x, CALL_SESSION, false, bytes_of(a->token, AUTH_TOKEN_LEN), &x->req.host, 1, session_told);
	}
	secret_wipe(token, sizeof token);
	return false;
}

/* --- what expressions say of them --- */

static enum policy_truth truth(struct exchange *x, const struct policy_expr *e)
{
	arena_reset(&x->engine->scratch);
	return policy_truth(e, &x->input);
}

bool admit_holds(struct exchange *x, const struct policy_expr *e)
{
	return !e || truth(x, e) == POLICY_TRUE;
}

bool admit_demands(struct exchange *x, const struct policy_expr *e)
{
	return e && truth(x, e) != POLICY_FALSE;
}

const struct policy_expr *admit_kept_out(struct exchange *x, const struct policy_expr *own)
{
	const struct policy_expr *all = x->engine->conf->gateway.allow;

	return !admit_holds(x, all) ? all : !admit_holds(x, own) ? own : NULL;
}

bool admit_lacks_factor(struct exchange *x, const struct conf_app *app)
{
	return !x->session->facts.has_mfa && admit_demands(x, conf_mfa_of(&x->engine->conf->gateway, app));
}

bool admit_step_up_helps(const struct exchange *x, const struct policy_expr *rule, const struct policy_expr *own, struct bytes own_text)
{
	struct bytes text = rule == own ? own_text : x->engine->conf->gateway.allow_text;

	return !x->session->facts.has_mfa && (!rule || bytes_find(text, BYTES("session.mfa")) != SIZE_MAX);
}

struct bytes admit_why(struct exchange *x, const struct policy_expr *e, bool wanted)
{
	struct policy_reason reasons[8];
	struct policy_input in = x->input;
	size_t n;

	if (!e)
		return BYTES("");
	arena_reset(&x->engine->scratch);
	in.arena_is_scratch = false;
	n = policy_explain(e, &in, reasons, COUNT_OF(reasons));
	for (size_t i = 0; i < n; i++)
		if ((reasons[i].truth == POLICY_TRUE) == wanted)
			return reasons[i].source; /* a view into the expression as it was written */
	return BYTES("");
}

/* --- hosts of ours --- */

bool admit_decide(struct exchange *x)
{
	const struct conf *conf = x->engine->conf;
	bool is_portal = bytes_eq(x->req.host, conf->gateway.portal);
	const struct conf_app *app = is_portal ? NULL : conf_app_by_host(conf, x->req.host);

	bool is_own_path = !is_portal && bytes_starts(x->req.path, BYTES(ADMIT_PREFIX)); /* whichever route of the host asks for a session */

	if (!is_portal && !app && !is_own_path)
		return true;
	if (!x->client->io.tls) {
		exchange_refuse(x, 403, "no-tls");
		return false;
	}
	if (admit_is_device_path(x)) {
		admit_device_path(x);
		return false;
	}
	if (is_portal) {
		portal_answer(x);
		return false;
	}
	x->app = app;
	if (is_own_path) {
		admit_app_path(x);
		return false;
	}
	return admit_app_request(x, app);
}

bool admit_route(struct exchange *x, const struct conf_route *r)
{
	const struct policy_expr *rule;

	if (!x->client->io.tls) {
		exchange_refuse(x, 403, "no-tls");
		return false;
	}
	rule = x->session ? admit_kept_out(x, r->allow) : NULL;
	if (rule) {
		admit_denied(x, NULL, rule, admit_step_up_helps(x, rule, r->allow, r->allow_text));
		return false;
	}
	return admit_app_request(x, NULL);
}

/* --- sessions that end --- */

void engine_sessions_ended(struct engine *g)
{
	g->sessions_news = true;
}

/* First all are found, then they are cut: each may take others with it. */
void engine_sessions_cut(struct engine *g)
{
	struct client *c;

	if (!g->sessions_news)
		return;
	g->sessions_news = false;
	for (c = g->clients; c; c = c->next)
		if (c->session && !board_session_lives(g->sessions, c->session->facts.slot, c->session->facts.generation))
			client_to_cut(c);
	while ((c = g->cuts)) {
		client_not_cut(c);
		if (c->x && c->x->session && !c->x->is_local) {
			client_reset(c, "session-ended");
		} else if (!c->x || !c->x->session) {
			admit_client_end(c);
		}
	}
}
