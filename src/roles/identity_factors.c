/* Factors of people who have begun to sign in, or have: one-time passwords, recovery codes, a new password, a session that proves more. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>

static void store_failed(struct identity *id, const struct asker *a, const char *what)
{
	identity_store_fails(id, what);
	identity_reply_result(id, a, AUTH_DOWN);
}

bool factor_check(struct identity *id, const struct store_user *u, struct bytes method, struct bytes code)
{
	unsigned char hash[RECOVERY_HASH_LEN];
	uint64_t step = u->totp_last_step;

	/* Taken away on disk before anybody is told: what was used once is never good again, whatever happens now. */
	if (bytes_eq(method, BYTES("totp")))
		return u->has_totp && totp_check(u->totp, code, identity_now_s(id), &step) && store_totp_used(id->store, u->id, step) == OK;
	if (bytes_eq(method, BYTES("recovery")))
		return recovery_hash(code, hash) && store_recovery_use(id->store, u->id, hash) == OK;
	return false;
}

enum err recovery_renew(struct identity *id, int64_t user, struct text *codes)
{
	unsigned char hashes[RECOVERY_COUNT][RECOVERY_HASH_LEN];
	char code[RECOVERY_CODE_LEN + 1];

	for (size_t i = 0; i < RECOVERY_COUNT; i++) {
		recovery_new(code, hashes[i]);
		text_str(codes, i ? " " : "");
		text_str(codes, code);
	}
	secret_wipe(code, sizeof code);
	return codes->failed ? ERR_LIMIT : store_recovery_set(id->store, user, (const unsigned char (*)[RECOVERY_HASH_LEN])hashes, RECOVERY_COUNT);
}

/* --- one-time passwords --- */

/* Who sets one up: somebody who must before there is a session, or has a session that is as strong as what there is already. */
static bool find_setup(struct identity *id, const struct auth_call *c, struct flow **f, struct session **s, struct store_user *u, enum auth_result *why)
{
	*f = c->token_is_flow ? flow_find(id, c->token) : NULL;
	*s = c->token_is_flow ? NULL : identity_portal_session(id, c->token);
	*why = AUTH_NONE;
	if (*f)
		return flow_holds(id, *f, u) && flow_must_enrol(u);
	if (!*s || store_user_get(id->store, (*s)->kept.user, &id->arena, u) != OK)
		return false;
	*why = AUTH_DENIED;
	return !u->is_disabled && ((*s)->kept.has_mfa || flow_must_enrol(u));
}

void call_totp_new(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char secret[64], uri[600], *pending;
	struct auth_answer answer = { .result = AUTH_OK, .value_count = 2 };
	enum auth_result why;
	struct store_user u;
	struct session *s;
	struct text t, v;
	struct flow *f;

	if (!find_setup(id, c, &f, &s, &u, &why)) {
		identity_reply_result(id, a, why);
		return;
	}
	pending = f ? f->pending_totp : s->pending_totp;
	if (!(f ? f->has_pending_totp : s->has_pending_totp)) /* a page that is loaded again shows the same */
		totp_secret_new(pending);
	if (f)
		f->has_pending_totp = true;
	else
		s->has_pending_totp = true;
	text_init(&t, secret, sizeof secret);
	totp_base32(&t, bytes_of(pending, TOTP_SECRET_LEN));
	text_init(&v, uri, sizeof uri);
	totp_uri(&v, id->conf->gateway.title, u.name, pending);
	answer.values[0] = text_bytes(&t);
	answer.values[1] = text_bytes(&v);
	identity_reply(id, a, &answer);
	secret_wipe(secret, sizeof secret);
	secret_wipe(uri, sizeof uri);
}

void session_stronger(struct identity *id, const struct asker *a, struct session *s, const char *method, const struct bytes *extra)
{
	char before[sizeof s->kept.method];

	snprintf(before, sizeof before, "%s", s->kept.method);
	if (!bytes_ends(bytes_str(before), bytes_str(method)))
		snprintf(s->kept.method, sizeof s->kept.method, "%.40s %s", before, method);
	s->kept.has_mfa = true;
	s->kept.proved_s = identity_now_s(id);
	identity_renew(id, a, s, extra);
}

void call_totp_check(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char *pending, mem[RECOVERY_COUNT * (RECOVERY_CODE_LEN + 1)];
	char method[sizeof ((struct flow *)0)->method + 8];
	struct bytes codes = BYTES("");
	enum auth_result why;
	struct store_user u;
	struct session *s;
	uint64_t step = 0;
	struct flow *f;
	struct text t;
	enum err e;

	if (!find_setup(id, c, &f, &s, &u, &why) || !(f ? f->has_pending_totp : s->has_pending_totp)) {
		identity_reply_result(id, a, why == AUTH_DENIED ? why : AUTH_NONE);
		return;
	}
	pending = f ? f->pending_totp : s->pending_totp;
	if (!sign_in_may_try(id, a, u.id, u.name, &c->client))
		return;
	if (!totp_check(pending, c->args[0], identity_now_s(id), &step)) {
		sign_in_wrong(id, a, u.id, u.name, &c->client, "totp");
		return;
	}
	text_init(&t, mem, sizeof mem);
	e = store_totp_set(id->store, u.id, pending, step);
	if (e == OK && u.recovery_left == 0) {
		e = recovery_renew(id, u.id, &t);
		codes = text_bytes(&t);
	}
	if (e != OK) {
		store_failed(id, a, "totp_set");
		return;
	}
	identity_record(id, LEDGER_SIGN_IN, &c->client, u.name, s ? s->kept.id : "", "factor added", BYTES("totp"));
	if (f) {
		snprintf(method, sizeof method, "%s totp", f->method);
		sign_in_finish(id, a, &u, method, f, &c->client, c->args[1], &codes);
	} else {
		guess_succeeded(id->guess, u.name, &c->client, loop_now_ms(id->run->loop));
		s->has_pending_totp = false;
		secret_wipe(s->pending_totp, sizeof s->pending_totp);
		session_stronger(id, a, s, "totp", &codes);
	}
	flows_end_of_user(id, u.id); /* what began before there was this factor would go without it */
	secret_wipe(mem, sizeof mem);
}

void call_totp_remove(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = identity_portal_session(id, c->token);
	struct auth_facts who;
	struct store_user u;

	if (!s || store_user_get(id->store, s->kept.user, &id->arena, &u) != OK || identity_facts(id, s, &who) != OK) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	/* The last factor where one is demanded: what would be left is a sign-in that has to set one up again. */
	if (!s->kept.has_mfa || (u.has_totp && !u.passkeys && identity_demands(id, id->conf->gateway.mfa, &who, &c->client))) {
		identity_reply_result(id, a, AUTH_DENIED);
		return;
	}
	if (store_totp_set(id->store, u.id, NULL, 0) != OK) {
		store_failed(id, a, "totp_set");
		return;
	}
	flows_end_of_user(id, u.id);
	identity_record(id, LEDGER_SIGN_IN, &c->client, u.name, s->kept.id, "factor removed", BYTES("totp"));
	identity_reply_result(id, a, AUTH_OK);
}

void call_recovery_new(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char mem[RECOVERY_COUNT * (RECOVERY_CODE_LEN + 1)];
	struct session *s = identity_portal_session(id, c->token);
	struct store_user u;
	struct text t;

	if (!s || !s->kept.has_mfa || store_user_get(id->store, s->kept.user, &id->arena, &u) != OK) {
		identity_reply_result(id, a, s && !s->kept.has_mfa ? AUTH_DENIED : AUTH_NONE);
		return;
	}
	text_init(&t, mem, sizeof mem);
	if (recovery_renew(id, u.id, &t) != OK) {
		store_failed(id, a, "recovery_set");
	} else {
		flows_end_of_user(id, u.id);
		identity_record(id, LEDGER_SIGN_IN, &c->client, u.name, s->kept.id, "recovery codes made", BYTES(""));
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { text_bytes(&t) }, .value_count = 1 });
	}
	secret_wipe(mem, sizeof mem);
}

void call_step_up(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = identity_portal_session(id, c->token);
	struct store_user u;
	char name[16];

	if (!s || store_user_get(id->store, s->kept.user, &id->arena, &u) != OK) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (!sign_in_may_try(id, a, u.id, u.name, &c->client))
		return;
	snprintf(name, sizeof name, "%.*s", FMT(bytes_cut(c->args[0], 0, 15)));
	if (!factor_check(id, &u, c->args[0], c->args[1])) {
		sign_in_wrong(id, a, u.id, u.name, &c->client, name);
		return;
	}
	guess_succeeded(id->guess, u.name, &c->client, loop_now_ms(id->run->loop));
	identity_record(id, LEDGER_SIGN_IN, &c->client, u.name, s->kept.id, "stepped up", bytes_str(name));
	session_stronger(id, a, s, name, NULL);
}

/* --- a new password --- */

static void password_made(struct identity *id, struct job *j, bool failed, bool fits, struct bytes hash)
{
	struct session *s = sessions_at(id->sessions, j->slot);

	(void)fits;
	if (!s || s->generation != j->generation) {
		identity_reply_result(id, &j->asker, AUTH_NONE);
		return;
	}
	if (failed || store_user_password(id->store, s->kept.user, hash, false) != OK) {
		store_failed(id, &j->asker, "user_password");
		return;
	}
	identity_end_others(id, s, "password");
	s->kept.proved_s = identity_now_s(id);
	identity_record(id, LEDGER_SIGN_IN, &j->client, bytes_str(j->name), s->kept.id, "password changed", BYTES(""));
	identity_renew(id, &j->asker, s, NULL);
}

static void old_password_known(struct identity *id, struct job *j, bool failed, bool fits, struct bytes hash)
{
	struct job *next;

	(void)hash;
	if (failed) {
		identity_reply_result(id, &j->asker, AUTH_DOWN);
		return;
	}
	if (!fits) {
		sign_in_wrong(id, &j->asker, j->user, bytes_str(j->name), &j->client, "password");
		return;
	}
	/* As after a sign-in: or who mistyped the old one a few times would have to wait at the next device. */
	guess_succeeded(id->guess, bytes_str(j->name), &j->client, loop_now_ms(id->run->loop));
	next = job_new(id, &j->asker, bytes_of(j->next_password, j->next_len));
	if (!next) {
		identity_reply_result(id, &j->asker, AUTH_BUSY);
		return;
	}
	next->is_making = true;
	next->done = password_made;
	next->slot = j->slot;
	next->generation = j->generation;
	next->client = j->client;
	memcpy(next->name, j->name, sizeof next->name);
	job_start(id, next);
}

void call_password(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = identity_portal_session(id, c->token);
	struct bytes old = c->args[0], new = c->args[1];
	const char *why;
	struct store_user u;
	struct job *j;

	if (!s || store_user_get(id->store, s->kept.user, &id->arena, &u) != OK) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	why = u.origin.len ? "directory" : bytes_eq(old, new) ? "same" : new.len > PASSWORD_MOST ? "too_long" : password_refusal(new, u.name);
	if (why) {
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_BAD, .values = { bytes_str(why) }, .value_count = 1 });
		return;
	}
	if (!sign_in_may_try(id, a, u.id, u.name, &c->client))
		return;
	j = job_new(id, a, old);
	if (!j) {
		identity_reply_result(id, a, AUTH_BUSY);
		return;
	}
	j->done = old_password_known;
	j->client = c->client;
	j->user = u.id;
	j->slot = s->slot;
	j->generation = s->generation;
	snprintf(j->name, sizeof j->name, "%.*s", FMT(u.name));
	snprintf(j->hash, sizeof j->hash, "%.*s", FMT(u.hash));
	memcpy(j->next_password, new.at, new.len);
	j->next_len = new.len;
	job_start(id, j);
}
