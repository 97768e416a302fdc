/* What workers call: one function per call in a table, and what the functions have in common: answers, facts of a session, what an expression of the
 * configuration says about somebody. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/secret.h"

/* --- answers --- */

void identity_reply(struct identity *id, const struct asker *a, const struct auth_answer *answer)
{
	unsigned char mem[IPC_BODY_MAX];
	struct auth_answer with = *answer;
	struct text t;

	(void)id;
	if (!a->channel || a->is_admin)
		return;
	with.request = a->request;
	if (with.result == AUTH_NONE && identity_store_is_lost(id))
		with.result = AUTH_DOWN; /* what is not known here may be known to the store: nobody is told that it is over */
	text_init(&t, mem, sizeof mem);
	auth_answer_write(&t, &with);
	if (t.failed) { /* too long for a message: a mistake of ours */
		LOG(EV_INTERNAL, KV_STR("what", "an answer is too long"), KV_STR("call", auth_call_name(a->call)));
		t.len = 0;
		t.failed = false;
		auth_answer_write(&t, &(struct auth_answer){ .request = a->request, .result = AUTH_DOWN });
	}
	/* A worker that does not read its answers gives up by itself after its time. */
	(void)!role_send(a->channel, MSG_IDENTITY_ANSWER, text_bytes(&t), NULL, 0);
	secret_wipe(mem, sizeof mem);
}

void identity_reply_result(struct identity *id, const struct asker *a, enum auth_result r)
{
	identity_reply(id, a, &(struct auth_answer){ .result = r });
}

/* --- sessions --- */

const struct session *identity_parent(struct identity *id, const struct session *s)
{
	const struct session *p = s->parent_generation ? sessions_at(id->sessions, s->parent_slot) : NULL;

	return p && p->generation == s->parent_generation ? p : s;
}

enum err identity_facts(struct identity *id, const struct session *s, struct auth_facts *out)
{
	const struct session *p = identity_parent(id, s); /* who they are, and how they proved it, is the portal's */
	struct store_user u;

	TRY(store_user_known(id->store, s->kept.user, &id->arena, &u));
	if (u.is_disabled)
		return ERR_DENIED; /* his sessions have ended, or are about to */
	*out = (struct auth_facts){ .slot = s->slot, .generation = s->generation, .since_s = p->kept.since_s, .until_s = s->kept.until_s,
		.proved_s = p->kept.proved_s, .idle_s = s->kept.idle_s, .has_mfa = p->kept.has_mfa, .is_device_bound = s->kept.is_device_bound, /* each by itself */
		.must_change = u.must_change, .method = bytes_str(p->kept.method), .user = u.name, .display = u.display, .mail = u.mail,
		.language = u.language };
	memcpy(out->id, p->kept.id, sizeof out->id);
	while (out->group_count < AUTH_GROUPS_MAX && store_group_next(&u.groups, &out->groups[out->group_count]))
		out->group_count++;
	return OK;
}

static enum policy_truth truth(struct identity *id, const struct policy_expr *e, const struct auth_facts *who, const struct addr *client)
{
	static const struct http_request nothing = { .method_text = { (const unsigned char *)"", 0 } };
	const struct policy_session session = { .has_mfa = who->has_mfa, .is_device_bound = who->is_device_bound, .method = who->method,
		.user = who->user, .groups = who->groups, .group_count = who->group_count, .since_s = who->since_s, .proved_s = who->proved_s };
	const struct policy_input in = { .req = &nothing, .client = *client, .peer = *client, .is_tls = true, .session = &session,
		.real_us = loop_real_us(id->run->loop), .arena = &id->scratch, .arena_is_scratch = true };

	arena_reset(&id->scratch);
	return policy_truth(e, &in);
}

bool identity_holds(struct identity *id, const struct policy_expr *e, const struct auth_facts *who, const struct addr *client)
{
	return !e || truth(id, e, who, client) == POLICY_TRUE;
}

bool identity_demands(struct identity *id, const struct policy_expr *e, const struct auth_facts *who, const struct addr *client)
{
	return e && truth(id, e, who, client) != POLICY_FALSE;
}

static const struct conf_app *app_of(const struct identity *id, const char *host)
{
	return conf_app_by_host(id->conf, bytes_str(host));
}

void identity_reply_session(struct identity *id, const struct asker *a, struct session *s, struct bytes token, const struct bytes *extra)
{
	const struct conf_app *app = s->kept.host[0] ? app_of(id, s->kept.host) : NULL;
	struct auth_answer answer = { .result = AUTH_OK, .token = token, .value_count = 1 };
	unsigned char mem[AUTH_FACTS_MAX * 2];
	struct auth_facts facts;
	struct text t;

	if (identity_facts(id, s, &facts) != OK) {
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	if (app && app->with_token && token.len == 0) { /* with a new token no request goes to the app yet */
		token_start(id, a, s, &facts, app);
		return;
	}
	identity_device_facts(id, s, &facts);
	text_init(&t, mem, sizeof mem);
	auth_facts_write(&t, &facts);
	answer.values[0] = text_bytes(&t);
	if (extra)
		answer.values[answer.value_count++] = *extra;
	if (t.failed)
		answer = (struct auth_answer){ .result = AUTH_DOWN };
	identity_reply(id, a, &answer);
}

void identity_renew(struct identity *id, const struct asker *a, struct session *s, const struct bytes *extra)
{
	unsigned char token[AUTH_TOKEN_LEN];

	sessions_rotate(id->sessions, s, token);
	if (store_session_renew(id->store, &s->kept) != OK) { /* after a restart the token before would be good again; or another node has ended it */
		identity_store_fails(id, "session_put");
		sessions_end(id->sessions, s, "replaced");
		identity_reply_result(id, a, AUTH_DOWN);
	} else {
		identity_reply_session(id, a, s, bytes_of(token, sizeof token), extra);
	}
	secret_wipe(token, sizeof token);
}

struct session *identity_portal_session(struct identity *id, struct bytes token)
{
	struct session *s = identity_find(id, token);

	return s && !s->kept.host[0] ? s : NULL;
}

static bool is_other(void *ctx, const struct session *s)
{
	const struct session *keep = ctx;

	return s->kept.user == keep->kept.user && s != keep && s->parent_generation == 0;
}

static bool is_of_user(void *ctx, const struct session *s)
{
	return s->kept.user == *(const int64_t *)ctx && s->parent_generation == 0;
}

enum err identity_end_all(struct identity *id, bool (*match)(void *ctx, const struct session *s), void *ctx, const char *why, size_t *ended)
{
	enum err begun;

	identity_store_tell_ends(id, match, ctx);
	begun = identity_batch_begin(id);
	*ended = sessions_end_all(id->sessions, match, ctx, why);
	if (identity_batch_end(id, begun) == OK)
		return OK;
	identity_store_fails(id, "sessions_end");
	return ERR_IO;
}

enum err identity_end_user(struct identity *id, int64_t user, const char *why, size_t *ended)
{
	enum err e;

	flows_end_of_user(id, user);
	e = identity_end_all(id, is_of_user, &user, why, ended);
	return e == OK ? identity_store_remove_of(id, user) : e;
}

void identity_end_others(struct identity *id, struct session *s, const char *why)
{
	size_t ended;

	flows_end_of_user(id, s->kept.user);
	(void)!identity_end_all(id, is_other, s, why, &ended);
}

void identity_record(struct identity *id, enum ledger_kind kind, const struct addr *client, struct bytes user, const char *session, const char *outcome,
	struct bytes detail)
{
	(void)ledger_ring_write(id->records, &(struct ledger_record){ .kind = kind, .client = *client, .user = user, .session = bytes_str(session),
		.outcome = bytes_str(outcome), .detail = detail, .start_us = loop_real_us(id->run->loop) });
}

/* --- calls about a session itself --- */

static void call_session(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = identity_find(id, c->token);
	struct bytes host = c->args[0];

	if (!s || !bytes_eq(host, s->kept.host[0] ? bytes_str(s->kept.host) : id->conf->gateway.portal))
		identity_reply_result(id, a, AUTH_NONE);
	else
		identity_reply_session(id, a, s, BYTES(""), NULL);
}

static void call_sign_out(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = identity_find(id, c->token);
	struct store_user u = { .id = 0 };

	if (!s) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (store_user_get(id->store, s->kept.user, &id->arena, &u) != OK || !bytes_starts(u.origin, BYTES("oidc:")))
		u.origin = BYTES("");
	/* Of an app: the whole sign-in ends, for that is what people mean. */
	sessions_end(id->sessions, (struct session *)(uintptr_t)identity_parent(id, s), "sign-out");
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { bytes_cut(u.origin, 5, u.origin.len) }, .value_count = 1 });
}

static void (*const functions[CALL_COUNT])(struct identity *id, const struct asker *a, const struct auth_call *c) = {
	[CALL_SESSION] = call_session,
	[CALL_SIGN_IN] = call_sign_in,
	[CALL_SECOND] = call_second,
	[CALL_TOTP_NEW] = call_totp_new,
	[CALL_TOTP_CHECK] = call_totp_check,
	[CALL_TOTP_REMOVE] = call_totp_remove,
	[CALL_RECOVERY_NEW] = call_recovery_new,
	[CALL_STEP_UP] = call_step_up,
	[CALL_SIGN_OUT] = call_sign_out,
	[CALL_APP_CODE] = call_app_code,
	[CALL_APP_ENTER] = call_app_enter,
	[CALL_HOME] = call_home,
	[CALL_ENDS] = call_ends,
	[CALL_FAVOURITE] = call_favourite,
	[CALL_USED] = call_used,
	[CALL_ACCOUNT] = call_account,
	[CALL_PASSWORD] = call_password,
	[CALL_SESSION_END] = call_session_end,
	[CALL_SESSIONS_END] = call_sessions_end,
	[CALL_LANGUAGE] = call_language,
	[CALL_JWKS] = call_jwks,
	[CALL_PASSKEY_NEW] = call_passkey_new,
	[CALL_PASSKEY_ADD] = call_passkey_add,
	[CALL_PASSKEY_REMOVE] = call_passkey_remove,
	[CALL_PASSKEY_ASK] = call_passkey_ask,
	[CALL_PASSKEY_BEGIN] = call_passkey_begin,
	[CALL_PASSKEY_PROVE] = call_passkey_prove,
	[CALL_KEEP] = call_keep,
	[CALL_KEPT] = call_kept,
	[CALL_DEVICE_REGISTER] = call_device_register,
	[CALL_DEVICE_REFRESH] = call_device_refresh,
	[CALL_DEVICE_MISSING] = call_device_missing,
	[CALL_OIDC_BEGIN] = call_oidc_begin,
	[CALL_OIDC_END] = call_oidc_end,
	[CALL_OIDC_LOGOUT] = call_oidc_logout,
	[CALL_OIDC_OUT] = call_oidc_out,
};

void identity_call(struct identity *id, struct channel *from, const struct auth_call *c)
{
	const struct asker a = { .channel = from, .request = c->request, .call = c->id, .asked_ms = loop_now_ms(id->run->loop),
		.ends_before = id->ended_count };

	arena_reset(&id->arena);
	if (identity_store_is_closed(id)) /* who has been ended elsewhere cannot be told from others */
		identity_reply_result(id, &a, AUTH_DOWN);
	else
		functions[c->id](id, &a, c);
}
