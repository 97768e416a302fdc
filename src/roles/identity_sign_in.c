/* Sign-ins: a password, then perhaps a second factor, then a session. A name that nobody has is answered like a wrong password, after as long. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

#include <stdio.h>

/* --- flows --- */

struct flow *flow_find(struct identity *id, struct bytes token)
{
	unsigned char hash[SHA256_LEN];
	struct flow *found = NULL;

	sha256_of(token, hash);
	for (size_t i = 0; i < FLOWS_MAX; i++)
		if (id->flows[i].until_s > identity_now_s(id) &&
			secret_eq(bytes_of(id->flows[i].hash, sizeof hash), bytes_of(hash, sizeof hash)))
			found = &id->flows[i];
	return found;
}

struct flow *flow_new(struct identity *id, bool is_passkey, unsigned char token[AUTH_TOKEN_LEN])
{
	/* Anybody may begin with a passkey: that must not push out those who have given their password. */
	size_t from = is_passkey ? FLOWS_PASSKEY : 0, to = is_passkey ? FLOWS_MAX : FLOWS_PASSKEY;
	struct flow *f = &id->flows[from];

	for (size_t i = from; i < to && f->until_s; i++)
		if (id->flows[i].until_s < f->until_s)
			f = &id->flows[i];
	flow_end(f);
	f->is_passkey = is_passkey;
	random_bytes(token, AUTH_TOKEN_LEN);
	sha256_of(bytes_of(token, AUTH_TOKEN_LEN), f->hash);
	f->until_s = identity_now_s(id) + FLOW_S;
	return f;
}

void flow_end(struct flow *f)
{
	secret_wipe(f, sizeof *f);
}

/* With another password, or other factors, it is not the sign-in that was begun. Not of it: recovery codes, which another sign-in may have used. */
static void write_mark(const struct store_user *u, unsigned char out[SHA256_LEN])
{
	unsigned char mem[SHA256_LEN + TOTP_SECRET_LEN + 8];
	struct text t;

	sha256_of(u->hash, out);
	text_init(&t, mem, sizeof mem);
	text_add(&t, bytes_of(out, SHA256_LEN));
	text_put_u32(&t, u->passkeys);
	if (u->has_totp)
		text_add(&t, bytes_of(u->totp, TOTP_SECRET_LEN));
	sha256_of(text_bytes(&t), out);
	secret_wipe(mem, sizeof mem);
}

bool flow_holds(struct identity *id, struct flow *f, struct store_user *u)
{
	unsigned char mark[SHA256_LEN];

	if (f->is_passkey || store_user_get(id->store, f->user, &id->arena, u) != OK)
		return false;
	write_mark(u, mark);
	if (!u->is_disabled && secret_eq(bytes_of(mark, sizeof mark), bytes_of(f->mark, sizeof f->mark)))
		return true;
	flow_end(f);
	return false;
}

bool flow_must_enrol(const struct store_user *u)
{
	return !u->has_totp && !u->passkeys;
}

void flows_end_here(struct identity *id, const struct flow_which *w)
{
	struct flows_ended *e = &id->ended[id->ended_count++ % FLOWS_ENDED_MAX];

	*e = (struct flows_ended){ .user = w->user, .before_s = w->before_s, .by_sid = w->sid };
	if (w->sid)
		memcpy(e->sid, w->sid, sizeof e->sid);
	for (size_t i = 0; i < FLOWS_MAX; i++) {
		struct flow *f = &id->flows[i];

		if (f->until_s && !f->is_passkey && (!w->user || f->user == w->user) && (!w->before_s || f->until_s - FLOW_S < w->before_s) &&
			(!w->sid || memcmp(f->sid, w->sid, sizeof f->sid) == 0))
			flow_end(f);
	}
}

/* Its person was told to go while the password, or the provider's code, was still looked at. */
static bool has_ended_meanwhile(const struct identity *id, const struct asker *a, int64_t user, const unsigned char sid[STORE_SID_LEN])
{
	uint64_t since_s = identity_now_s(id) - (loop_now_ms(id->run->loop) - a->asked_ms) / 1000;

	if (id->ended_count - a->ends_before > FLOWS_ENDED_MAX)
		return true; /* so many that it cannot be told */
	for (uint64_t i = a->ends_before; i < id->ended_count; i++) {
		const struct flows_ended *e = &id->ended[i % FLOWS_ENDED_MAX];

		if ((!e->user || e->user == user) && (!e->before_s || since_s < e->before_s) && (!e->by_sid || memcmp(e->sid, sid, STORE_SID_LEN) == 0))
			return true;
	}
	return false;
}

void flows_end(struct identity *id, const struct flow_which *w)
{
	flows_end_here(id, w);
	if (!w->before_s || w->before_s + FLOW_S > identity_now_s(id)) /* else none is so old */
		identity_store_tell_flows(id, w);
}

void flows_end_of_user(struct identity *id, int64_t user)
{
	flows_end(id, &(struct flow_which){ .user = user });
}

/* --- what is right and what is wrong --- */

void sign_in_write_agent(char out[STORE_TEXT_MAX + 1], struct bytes agent)
{
	struct text t;

	text_init(&t, out, STORE_TEXT_MAX);
	ledger_text_clean(&t, bytes_cut(agent, 0, STORE_TEXT_MAX));
	out[t.len] = 0;
}

bool sign_in_may_try(struct identity *id, const struct asker *a, int64_t user, struct bytes name, const struct addr *client)
{
	uint64_t now_s = identity_now_s(id);
	bool is_known = user && store_source_known(id->store, user, client, now_s);
	uint32_t wait_s = 0;

	switch (guess_ask(id->guess, name, client, is_known, loop_now_ms(id->run->loop), &wait_s)) {
	case GUESS_GO: return true;
	case GUESS_BUSY: identity_reply_result(id, a, AUTH_BUSY); return false;
	case GUESS_WAIT: identity_reply(id, a, &(struct auth_answer){ .result = AUTH_WAIT, .wait_s = wait_s }); return false;
	}
	return false;
}

static void refusal_due(struct timer *t)
{
	struct refusal *r = CONTAINER_OF(t, struct refusal, due);

	r->is_waiting = false;
	identity_reply_result(r->id, &r->asker, AUTH_REFUSED);
}

/* A wrong password of ours takes as long as one that a directory refused, or one whose hash is of another cost, and a name that nobody has as long as all
 * of these: until the next full half second. */
static void refuse(struct identity *id, const struct asker *a, const char *method)
{
	bool is_password = strcmp(method, "password") == 0 || strcmp(method, "ldap") == 0;
	uint64_t now = loop_now_ms(id->run->loop), gone = now - a->asked_ms;

	if (now > id->refusal_step_until_ms)
		id->refusal_step_ms = REFUSAL_STEP_MS;
	for (size_t i = 0; is_password && i < REFUSALS_MAX; i++) {
		struct refusal *r = &id->refusals[i];

		if (r->is_waiting)
			continue;
		r->id = id;
		r->asker = *a;
		r->is_waiting = true;
		loop_timer_set(id->run->loop, &r->due, id->refusal_step_ms - gone % id->refusal_step_ms, refusal_due);
		return;
	}
	identity_reply_result(id, a, is_password ? AUTH_BUSY : AUTH_REFUSED);
}

void sign_in_forget_asker(struct identity *id, const struct channel *c)
{
	for (size_t i = 0; i < REFUSALS_MAX; i++)
		if (id->refusals[i].asker.channel == c)
			id->refusals[i].asker.channel = NULL;
}

void sign_in_wrong(struct identity *id, const struct asker *a, int64_t user, struct bytes name, const struct addr *client, const char *method)
{
	uint64_t now_s = identity_now_s(id);
	bool is_alarm = false;
	unsigned char ip[64];
	struct text t;

	if (identity_store_is_lost(id)) { /* in the middle of it: nobody knows whether it was wrong */
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	guess_failed(id->guess, name, client, user && store_source_known(id->store, user, client, now_s), loop_now_ms(id->run->loop), &is_alarm);
	if (user && store_sign_in(id->store, user, client, bytes_str(method), STORE_WRONG, now_s) != OK)
		identity_store_fails(id, "sign_in");
	identity_record(id, LEDGER_SIGN_IN, client, name, "", "wrong", bytes_str(method));
	text_init(&t, ip, sizeof ip);
	addr_write_ip(client, &t);
	/* Whether there is such a name is not said: the log may be read by more people than the store. */
	if (is_alarm) {
		LOG(EV_SIGN_IN_ALARM, KV_BYTES("user", name), KV_BYTES("client", text_bytes(&t)), KV_STR("method", method));
		identity_alert_guessing(id, client, name);
	}
	refuse(id, a, method);
}

void sign_in_denied(struct identity *id, const struct asker *a, const struct store_user *u, const struct addr *client, const char *method)
{
	if (store_sign_in(id->store, u->id, client, bytes_str(method), STORE_REFUSED, identity_now_s(id)) != OK)
		identity_store_fails(id, "sign_in");
	identity_record(id, LEDGER_SIGN_IN, client, u->name, "", "denied", bytes_str(method));
	identity_reply_result(id, a, AUTH_DENIED);
}

/* --- from factor to factor --- */

static void begin_session(struct identity *id, const struct asker *a, const struct store_user *u, const char *method, bool has_mfa, const struct addr *client,
	struct bytes agent, const struct sign_in_from *from)
{
	const struct conf_gateway *g = &id->conf->gateway;
	uint64_t now_s = identity_now_s(id);
	struct store_session of = { .user = u->id, .client = *client, .since_s = now_s, .seen_s = now_s, .proved_s = now_s,
		.until_s = now_s + g->absolute_s, .idle_s = g->idle_s, .has_mfa = has_mfa };
	unsigned char token[AUTH_TOKEN_LEN];
	struct session *s = NULL, *mine[USER_SESSIONS_MAX + 1];
	enum err e;
	size_t n;

	snprintf(of.method, sizeof of.method, "%s", method);
	memcpy(of.sid, from->sid, sizeof of.sid);
	sign_in_write_agent(of.agent, agent);
	e = sessions_add(id->sessions, &of, NULL, token, &s);
	if (e == OK)
		e = store_session_put(id->store, &s->kept);
	if (e == OK)
		e = store_sign_in(id->store, u->id, client, bytes_str(method), STORE_SIGNED_IN, now_s);
	if (e != OK) { /* what is not kept would not be there after a restart, and nobody could end it */
		LOG(EV_IDENTITY_STORE, KV_STR("what", "session"), KV_STR("why", e == ERR_LIMIT ? "there are as many sessions as gateway.sessions allows" :
			store_error(id->store)));
		if (s)
			sessions_end(id->sessions, s, "replaced");
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	n = sessions_of_user(id->sessions, u->id, mine, COUNT_OF(mine));
	if (n > USER_SESSIONS_MAX)
		sessions_end(id->sessions, mine[USER_SESSIONS_MAX - (mine[USER_SESSIONS_MAX] == s)], "too many"); /* of the same second any may be last */
	guess_succeeded(id->guess, u->name, client, loop_now_ms(id->run->loop));
	identity_record(id, LEDGER_SIGN_IN, client, u->name, s->kept.id, "signed in", bytes_str(method));
	identity_reply_session(id, a, s, bytes_of(token, sizeof token), from->extra);
	secret_wipe(token, sizeof token);
}

void sign_in_finish(struct identity *id, const struct asker *a, const struct store_user *u, const char *method, struct flow *f, const struct addr *client,
	struct bytes agent, const struct bytes *extra)
{
	struct sign_in_from from = { .extra = extra };

	memcpy(from.sid, f->sid, sizeof from.sid);
	flow_end(f);
	begin_session(id, a, u, method, true, client, agent, &from);
}

/* What the second factor may be, for the page. */
static void put_methods(struct text *t, const struct store_user *u)
{
	if (u->has_totp)
		text_lit(t, "totp ");
	if (u->passkeys)
		text_lit(t, "passkey ");
	if (u->recovery_left)
		text_lit(t, "recovery ");
	if (t->len)
		t->len--;
}

void sign_in_go_on_from(struct identity *id, const struct asker *a, const struct store_user *u, const char *method, bool is_mfa, const struct addr *client,
	struct bytes agent, const struct sign_in_from *from)
{
	const struct conf_gateway *g = &id->conf->gateway;
	const struct session nobody = { .kept = { .user = u->id, .since_s = identity_now_s(id), .proved_s = identity_now_s(id), .has_mfa = is_mfa } };
	struct auth_answer answer = { .result = AUTH_MORE, .token_is_flow = true };
	unsigned char token[AUTH_TOKEN_LEN], methods[64];
	struct auth_facts who;
	struct flow *f;
	struct text t;

	if (has_ended_meanwhile(id, a, u->id, from->sid)) {
		guess_right(id->guess, u->name, client);
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (identity_facts(id, &nobody, &who) != OK) {
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	who.method = bytes_str(method);
	if (!identity_holds(id, g->allow, &who, client)) {
		sign_in_denied(id, a, u, client, method);
		return;
	}
	if (is_mfa || !identity_demands(id, g->mfa, &who, client)) {
		begin_session(id, a, u, method, is_mfa, client, agent, from);
		return;
	}
	guess_right(id->guess, u->name, client);
	f = flow_new(id, false, token);
	f->user = u->id;
	f->client = *client;
	snprintf(f->name, sizeof f->name, "%.*s", FMT(u->name));
	snprintf(f->method, sizeof f->method, "%s", method);
	write_mark(u, f->mark);
	memcpy(f->sid, from->sid, sizeof f->sid);
	text_init(&t, methods, sizeof methods);
	put_methods(&t, u);
	answer.token = bytes_of(token, sizeof token);
	if (flow_must_enrol(u))
		answer.result = AUTH_ENROL;
	else
		answer.values[answer.value_count++] = text_bytes(&t);
	if (from->extra)
		answer.values[answer.value_count++] = *from->extra;
	identity_reply(id, a, &answer);
	secret_wipe(token, sizeof token);
}

void sign_in_go_on(struct identity *id, const struct asker *a, const struct store_user *u, const char *method, bool is_mfa, const struct addr *client,
	struct bytes agent)
{
	const struct sign_in_from nowhere = { .extra = NULL };

	sign_in_go_on_from(id, a, u, method, is_mfa, client, agent, &nowhere);
}

/* --- calls --- */

/* It is the same password still: who waits for the second factor goes on. (One of another node, of that same moment, signs in once more.) */
static void marks_follow(struct identity *id, struct store_user *u, struct bytes hash)
{
	unsigned char before[SHA256_LEN], after[SHA256_LEN];

	write_mark(u, before);
	u->hash = hash;
	write_mark(u, after);
	for (size_t i = 0; i < FLOWS_PASSKEY; i++) {
		struct flow *f = &id->flows[i];

		if (f->until_s && f->user == u->id && secret_eq(bytes_of(f->mark, sizeof f->mark), bytes_of(before, sizeof before)))
			memcpy(f->mark, after, sizeof f->mark);
	}
}

static void rehashed(struct identity *id, struct job *j, bool failed, bool fits, struct bytes hash)
{
	struct store_user u;
	enum err e;

	(void)fits;
	if (failed || identity_store_is_lost(id) || store_user_get(id->store, j->user, &id->arena, &u) != OK || !bytes_eq(u.hash, bytes_str(j->hash_before)))
		return;
	e = store_user_rehash(id->store, j->user, u.hash, hash);
	if (e == OK)
		marks_follow(id, &u, hash);
	else if (e != ERR_NOT_FOUND) /* there is another password by now */
		identity_store_fails(id, "user_rehash");
}

/* The password was right, and is known now: its hash, imported at another cost, is made anew at ours, so that its time tells no more. Nobody waits for
 * it; where no hasher has room, it is done at the next sign-in. */
static void rehash(struct identity *id, const struct job *of)
{
	const struct asker nobody = { .channel = NULL };
	struct job *j = password_hash_is_ours(bytes_str(of->hash)) ? NULL : job_new(id, &nobody, bytes_of(of->password, of->password_len));

	if (!j)
		return;
	j->is_making = true;
	j->done = rehashed;
	j->user = of->user;
	memcpy(j->hash_before, of->hash, sizeof j->hash_before);
	job_start(id, j);
}

/* Its hash was made anew while this sign-in waited, or there is another password: the hash that is there now says which. */
static bool look_again(struct identity *id, const struct job *of, const struct store_user *u)
{
	struct job *j;

	if (of->is_again || u->is_disabled || u->origin.len || bytes_eq(u->hash, bytes_str(of->hash)) || !password_hash_is_ours(u->hash) ||
		password_hash_is_ours(bytes_str(of->hash)))
		return false;
	j = job_new(id, &of->asker, bytes_of(of->password, of->password_len));
	if (!j)
		return false;
	j->is_again = true;
	j->done = of->done;
	j->client = of->client;
	j->user = of->user;
	memcpy(j->name, of->name, sizeof j->name);
	memcpy(j->agent, of->agent, sizeof j->agent);
	snprintf(j->hash, sizeof j->hash, "%.*s", FMT(u->hash));
	job_start(id, j);
	return true;
}

static void password_known(struct identity *id, struct job *j, bool failed, bool fits, struct bytes hash)
{
	struct store_user u;
	bool is_there;

	(void)hash;
	if (failed) {
		identity_reply_result(id, &j->asker, AUTH_DOWN);
		return;
	}
	/* Looked up anew: the user may have been disabled, or given another password, while this one was looked at. */
	is_there = fits && j->user && store_user_get(id->store, j->user, &id->arena, &u) == OK;
	if (is_there && look_again(id, j, &u))
		return;
	if (!is_there || u.is_disabled || u.origin.len || !bytes_eq(u.hash, bytes_str(j->hash))) {
		sign_in_wrong(id, &j->asker, j->user, bytes_str(j->name), &j->client, "password");
		return;
	}
	rehash(id, j);
	sign_in_go_on(id, &j->asker, &u, "password", false, &j->client, bytes_str(j->agent));
}

static void lower_into(char *out, size_t cap, struct bytes b)
{
	size_t n = 0;

	b = bytes_trim(b);
	for (; n < b.len && n + 1 < cap; n++)
		out[n] = (char)ascii_lower(b.at[n]);
	out[n] = 0;
}

void call_sign_in(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	char name[PASSWORD_MOST + 1];
	struct store_user u = { .id = 0 };
	struct job *j;
	enum err e;

	lower_into(name, sizeof name, c->args[0]);
	e = store_name_is_valid(bytes_str(name)) ? store_user_find(id->store, bytes_str(name), &id->arena, &u) : ERR_NOT_FOUND;
	if (e != OK && e != ERR_NOT_FOUND) {
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	if (!sign_in_may_try(id, a, u.id, bytes_str(name), &c->client))
		return;
	if (c->args[1].len == 0 || c->args[1].len > PASSWORD_MOST) {
		sign_in_wrong(id, a, u.id, bytes_str(name), &c->client, "password");
		return;
	}
	if (id->conf->gateway.ldap_count && (!u.id || people_is_of_directory(&u))) {
		people_sign_in(id, a, c, name, &u);
		return;
	}
	j = job_new(id, a, c->args[1]);
	if (!j) {
		identity_reply_result(id, a, AUTH_BUSY);
		return;
	}
	j->done = password_known;
	j->client = c->client;
	j->user = u.is_disabled ? 0 : u.id;
	snprintf(j->name, sizeof j->name, "%s", name);
	snprintf(j->hash, sizeof j->hash, "%.*s", j->user ? (int)u.hash.len : 0, (const char *)u.hash.at);
	sign_in_write_agent(j->agent, c->args[2]);
	job_start(id, j);
}

void call_second(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct flow *f = flow_find(id, c->token);
	struct store_user u;
	char method[sizeof f->method + 16], name[16];

	if (!f || !flow_holds(id, f, &u) || flow_must_enrol(&u)) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (!sign_in_may_try(id, a, u.id, u.name, &c->client))
		return;
	snprintf(name, sizeof name, "%.*s", FMT(bytes_cut(c->args[0], 0, 15)));
	if (!factor_check(id, &u, c->args[0], c->args[1])) {
		sign_in_wrong(id, a, u.id, u.name, &c->client, name);
		if (++f->tries >= FLOW_TRIES)
			flow_end(f);
		return;
	}
	snprintf(method, sizeof method, "%s %s", f->method, name);
	sign_in_finish(id, a, &u, method, f, &c->client, c->args[2], NULL);
}
