/* Passkeys: as the only factor, as the second one, and to step up. A challenge is good once, for five minutes, for the flow or session it was given to. */
#include "roles/identity_priv.h"

#include "auth/webauthn.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/base64.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

#include <stdio.h>

#define CHALLENGE_S 300

/* Who asks: a sign-in under way, or a session of the portal. */
struct who {
	struct flow *f;
	struct session *s;
	struct store_user u; /* of a passkey sign-in that has just begun: none yet, id 0 */
	unsigned char *challenge;
	bool *has_challenge;
};

static bool find_who(struct identity *id, const struct auth_call *c, struct who *w)
{
	*w = (struct who){ .f = c->token_is_flow ? flow_find(id, c->token) : NULL };
	if (!c->token_is_flow)
		w->s = identity_portal_session(id, c->token);
	if (!w->f && !w->s)
		return false;
	w->challenge = w->f ? w->f->challenge : w->s->challenge;
	w->has_challenge = w->f ? &w->f->has_challenge : &w->s->has_challenge;
	if (w->f && w->f->is_passkey)
		return true;
	if (w->f && !flow_holds(id, w->f, &w->u)) {
		w->f = NULL;
		return false;
	}
	return w->f || (store_user_get(id->store, w->s->kept.user, &id->arena, &w->u) == OK && !w->u.is_disabled);
}

static void give_challenge(struct identity *id, struct who *w)
{
	random_bytes(w->challenge, 32);
	*w->has_challenge = true;
	if (w->s)
		w->s->challenge_until_s = identity_now_s(id) + CHALLENGE_S;
}

/* Used up, whatever comes of it. */
static bool take_challenge(struct identity *id, struct who *w, unsigned char out[32])
{
	bool is_good = *w->has_challenge && (!w->s || w->s->challenge_until_s > identity_now_s(id));

	memcpy(out, w->challenge, 32);
	*w->has_challenge = false;
	secret_wipe(w->challenge, 32);
	return is_good;
}

static struct webauthn_party party(const struct identity *id, const unsigned char challenge[32], bool needs_verification)
{
	return (struct webauthn_party){ .rp_id = id->conf->gateway.portal, .origin = id->conf->gateway.origin, .challenge = bytes_of(challenge, 32),
		.needs_verification = needs_verification };
}

static void bad(struct identity *id, const struct asker *a, const char *why)
{
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_BAD, .values = { bytes_str(why) }, .value_count = 1 });
}

static bool put_id(void *ctx, const struct store_passkey *p)
{
	struct text *t = ctx;

	if (t->len + BASE64_LEN(p->id.len) + 1 > 2800)
		return false;
	if (t->len)
		text_byte(t, ' ');
	base64url_put(t, p->id);
	return true;
}

/* --- a new one --- */

/* As for one-time passwords: who must, or whose session is as strong as what there is. */
static bool may_add(const struct who *w)
{
	return w->f && w->f->is_passkey ? false : flow_must_enrol(&w->u) || (w->s && w->s->kept.has_mfa);
}

void call_passkey_new(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char mem[3000];
	struct text t;
	struct who w;

	if (!find_who(id, c, &w) || !may_add(&w)) {
		identity_reply_result(id, a, w.f || w.s ? AUTH_DENIED : AUTH_NONE);
		return;
	}
	give_challenge(id, &w);
	text_init(&t, mem, sizeof mem);
	if (store_passkeys(id->store, w.u.id, put_id, &t) != OK) {
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .value_count = 3,
		.values = { bytes_of(w.challenge, 32), bytes_of(w.u.handle, sizeof w.u.handle), text_bytes(&t) } });
}

void call_passkey_add(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char challenge[32], mem[RECOVERY_COUNT * (RECOVERY_CODE_LEN + 1)];
	char name[STORE_TEXT_MAX + 1], method[sizeof ((struct flow *)0)->method + 16];
	struct webauthn_party p;
	struct webauthn_credential found;
	const char *why = "challenge";
	struct bytes codes = BYTES("");
	struct text t;
	struct who w;
	enum err e;

	if (!find_who(id, c, &w) || !may_add(&w)) {
		identity_reply_result(id, a, w.f || w.s ? AUTH_DENIED : AUTH_NONE);
		return;
	}
	if (!take_challenge(id, &w, challenge)) {
		bad(id, a, why);
		return;
	}
	p = party(id, challenge, true);
	if (webauthn_register(&p, c->args[0], c->args[1], &found, &why) != OK) {
		bad(id, a, why);
		return;
	}
	sign_in_write_agent(name, c->args[2].len ? bytes_cut(c->args[2], 0, 60) : BYTES("Passkey"));
	e = store_passkey_add(id->store, w.u.id, &(struct store_passkey){ .id = found.id, .public_key = found.public_key, .name = bytes_str(name),
		.sign_count = found.sign_count, .is_backed_up = found.is_backed_up, .made_s = identity_now_s(id) });
	if (e == ERR_ORDER) {
		bad(id, a, "known");
		return;
	}
	text_init(&t, mem, sizeof mem);
	if (e == OK && w.u.recovery_left == 0) {
		e = recovery_renew(id, w.u.id, &t);
		codes = text_bytes(&t);
	}
	if (e != OK) {
		identity_store_fails(id, "passkey_add");
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	identity_record(id, LEDGER_SIGN_IN, &c->client, w.u.name, w.s ? w.s->kept.id : "", "factor added", BYTES("passkey"));
	if (w.f) {
		snprintf(method, sizeof method, "%s passkey", w.f->method);
		sign_in_finish(id, a, &w.u, method, w.f, &c->client, c->args[3], &codes);
	} else {
		session_stronger(id, a, w.s, "passkey", &codes);
	}
	flows_end_of_user(id, w.u.id); /* what began before there was this factor would go without it */
	secret_wipe(mem, sizeof mem);
}

struct by_name {
	struct bytes name; /* passkey_put_name's */
	unsigned char id[WEBAUTHN_ID_MAX];
	size_t len;
};

void passkey_put_name(struct text *t, struct bytes id)
{
	hex_put(t, bytes_cut(id, 0, PASSKEY_NAME_OCTETS));
}

static bool find_by_name(void *ctx, const struct store_passkey *p)
{
	struct by_name *b = ctx;
	unsigned char mem[2 * PASSKEY_NAME_OCTETS];
	struct text t;

	text_init(&t, mem, sizeof mem);
	passkey_put_name(&t, p->id);
	if (!bytes_eq(text_bytes(&t), b->name) || p->id.len > sizeof b->id)
		return true;
	memcpy(b->id, p->id.at, p->id.len);
	b->len = p->id.len;
	return false;
}

void call_passkey_remove(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct by_name b = { .name = c->args[0] };
	struct auth_facts facts;
	struct who w;

	if (!find_who(id, c, &w) || !w.s || identity_facts(id, w.s, &facts) != OK) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	/* The last factor where one is demanded stays, as with one-time passwords. */
	if (!w.s->kept.has_mfa || (w.u.passkeys == 1 && !w.u.has_totp && identity_demands(id, id->conf->gateway.mfa, &facts, &c->client))) {
		identity_reply_result(id, a, AUTH_DENIED);
		return;
	}
	if (store_passkeys(id->store, w.u.id, find_by_name, &b) != OK || b.len == 0 ||
		store_passkey_remove(id->store, w.u.id, bytes_of(b.id, b.len)) != OK) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	flows_end_of_user(id, w.u.id);
	identity_record(id, LEDGER_SIGN_IN, &c->client, w.u.name, w.s->kept.id, "factor removed", BYTES("passkey"));
	identity_reply_result(id, a, AUTH_OK);
}

/* --- one that is there --- */

void call_passkey_ask(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char mem[3000];
	struct text t;
	struct who w;

	text_init(&t, mem, sizeof mem);
	if (!find_who(id, c, &w) || !w.u.id || !w.u.passkeys || store_passkeys(id->store, w.u.id, put_id, &t) != OK) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	give_challenge(id, &w);
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { bytes_of(w.challenge, 32), text_bytes(&t) }, .value_count = 2 });
}

void call_passkey_begin(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char token[AUTH_TOKEN_LEN];
	struct flow *f = flow_new(id, true, token);

	f->client = c->client;
	random_bytes(f->challenge, sizeof f->challenge);
	f->has_challenge = true;
	f->until_s = identity_now_s(id) + CHALLENGE_S;
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .token_is_flow = true, .token = bytes_of(token, sizeof token),
		.values = { bytes_of(f->challenge, sizeof f->challenge) }, .value_count = 1 });
	secret_wipe(token, sizeof token);
}

/* What a passkey that is right is good for: a sign-in alone, a second factor, or a step up. */
static void proved(struct identity *id, const struct asker *a, const struct auth_call *c, struct who *w, const struct store_user *u, bool is_verified)
{
	char method[sizeof w->f->method + 16];

	if (w->f && w->f->is_passkey) {
		flow_end(w->f);
		people_passkey(id, a, u, is_verified, &c->client, c->args[5]);
		return;
	}
	if (w->f) {
		snprintf(method, sizeof method, "%s passkey", w->f->method);
		sign_in_finish(id, a, u, method, w->f, &c->client, c->args[5], NULL);
		return;
	}
	guess_succeeded(id->guess, u->name, &c->client, loop_now_ms(id->run->loop));
	identity_record(id, LEDGER_SIGN_IN, &c->client, u->name, w->s->kept.id, "stepped up", BYTES("passkey"));
	session_stronger(id, a, w->s, "passkey", NULL);
}

void call_passkey_prove(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct webauthn_credential known, found;
	struct webauthn_party p;
	const char *why = "challenge";
	unsigned char challenge[32];
	struct store_passkey key;
	struct store_user u;
	int64_t user;
	unsigned char mem[64];
	struct bytes name;
	bool is_alone, is_there;
	struct who w;
	struct text t;

	if (!find_who(id, c, &w)) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	is_alone = w.f && w.f->is_passkey;
	text_init(&t, mem, sizeof mem); /* limits are by the passkey: wrong passwords for its owner's name are not its own */
	base64url_put(&t, bytes_cut(c->args[0], 0, 24));
	name = is_alone ? text_bytes(&t) : w.u.name;
	is_there = c->args[0].len <= WEBAUTHN_ID_MAX && store_passkey_find(id->store, c->args[0], &id->arena, &key, &user) == OK &&
		store_user_get(id->store, user, &id->arena, &u) == OK;
	/* Whose it is says whether somebody is known here: others of that address who guess do not hold up its owner. */
	if (!sign_in_may_try(id, a, !is_alone ? w.u.id : is_there ? u.id : 0, name, &c->client))
		return;
	if (!take_challenge(id, &w, challenge) || !is_there || u.is_disabled || (!is_alone && user != w.u.id) ||
		(c->args[4].len && !bytes_eq(c->args[4], bytes_of(u.handle, sizeof u.handle)))) { /* 7.2 step 6 */
		sign_in_wrong(id, a, w.u.id, name, &c->client, "passkey");
		return;
	}
	p = party(id, challenge, is_alone);
	known = (struct webauthn_credential){ .id = key.id, .public_key = key.public_key, .sign_count = key.sign_count };
	if (webauthn_assert(&p, &known, c->args[1], c->args[2], c->args[3], &found, &why) != OK) {
		if (is_alone)
			guess_right(id->guess, name, &c->client); /* it counts below, as its owner's */
		if (strcmp(why, "count") == 0) /* a copy of the key may be in other hands: people should know */
			LOG(EV_SIGN_IN_ALARM, KV_BYTES("user", u.name), KV_STR("method", "passkey"), KV_STR("what", "its counter did not grow"));
		sign_in_wrong(id, a, u.id, u.name, &c->client, "passkey");
		return;
	}
	if (store_passkey_used(id->store, key.id, found.sign_count, found.is_backed_up, identity_now_s(id)) != OK) {
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	if (is_alone)
		guess_succeeded(id->guess, name, &c->client, loop_now_ms(id->run->loop));
	proved(id, a, c, &w, &u, found.is_verified);
}
