/* What people see and change of themselves: their apps, their sessions, where they signed in from. */
#include "roles/identity_priv.h"

#include "base/log.h"

#include <stdlib.h>

#define SIGN_INS_SHOWN 12
#define SESSIONS_SHOWN 12

static struct session *mine(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = identity_portal_session(id, c->token);

	if (!s)
		identity_reply_result(id, a, AUTH_NONE);
	return s;
}

static void done(struct identity *id, const struct asker *a, enum err e)
{
	if (e != OK && e != ERR_NOT_FOUND)
		identity_store_fails(id, auth_call_name(a->call));
	identity_reply_result(id, a, e == OK ? AUTH_OK : e == ERR_NOT_FOUND ? AUTH_NONE : AUTH_DOWN);
}

/* A field of a line: what would end it, or the line, is a space. */
static void put(struct text *t, struct bytes b)
{
	text_byte(t, '\t');
	for (size_t i = 0; i < b.len; i++)
		text_byte(t, b.at[i] < ' ' || b.at[i] == 127 ? ' ' : b.at[i]);
}

static void put_u64(struct text *t, uint64_t n)
{
	text_byte(t, '\t');
	text_u64(t, n);
}

static void put_ip(struct text *t, const struct addr *a)
{
	text_byte(t, '\t');
	addr_write_ip(a, t);
}

/* --- apps --- */

static bool put_app(void *ctx, struct bytes app, bool is_favourite, uint64_t used_s)
{
	struct text *t = ctx;

	if (is_favourite) {
		text_lit(t, "favourite");
		put(t, app);
		text_byte(t, '\n');
	}
	if (used_s) {
		text_lit(t, "recent");
		put(t, app);
		put_u64(t, used_s);
		text_byte(t, '\n');
	}
	return t->len < 3000;
}

void call_home(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct session *s = mine(id, a, c);
	unsigned char mem[3500];
	struct text t;
	enum err e;

	if (!s)
		return;
	text_init(&t, mem, sizeof mem);
	e = store_apps(id->store, s->kept.user, put_app, &t);
	if (e != OK && !identity_store_is_lost(id)) /* else the page goes without favourites */
		done(id, a, e);
	else
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { text_bytes(&t) }, .value_count = 1 });
}

void call_ends(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct session *s = mine(id, a, c);
	uint64_t seen_s, elsewhere_s, ends_s, gone_s;
	unsigned char mem[2][24];
	struct text ends, gone;

	if (!s)
		return;
	elsewhere_s = identity_store_seen(id, s);
	seen_s = elsewhere_s != UINT64_MAX && elsewhere_s > s->kept.seen_s ? elsewhere_s : s->kept.seen_s;
	ends_s = gone_s = s->kept.until_s;
	if (s->kept.idle_s && seen_s + s->kept.idle_s < ends_s)
		ends_s = seen_s + s->kept.idle_s;
	if (s->kept.idle_s && seen_s + s->kept.idle_s + identity_store_slack(id) < gone_s)
		gone_s = seen_s + s->kept.idle_s + identity_store_slack(id);
	text_init(&ends, mem[0], sizeof mem[0]);
	text_u64(&ends, ends_s);
	text_init(&gone, mem[1], sizeof mem[1]);
	text_u64(&gone, gone_s);
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { text_bytes(&ends), text_bytes(&gone) }, .value_count = 2 });
}

void call_favourite(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct session *s = mine(id, a, c);

	if (s && !conf_app_by_id(id->conf, c->args[0]))
		identity_reply_result(id, a, AUTH_NONE);
	else if (s)
		done(id, a, store_favourite(id->store, s->kept.user, c->args[0], bytes_eq(c->args[1], BYTES("1"))));
}

void call_used(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct session *s = mine(id, a, c);

	if (s && !conf_app_by_id(id->conf, c->args[0]))
		identity_reply_result(id, a, AUTH_NONE);
	else if (s)
		done(id, a, store_used(id->store, s->kept.user, c->args[0], identity_now_s(id)));
}

void call_language(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = mine(id, a, c);
	enum err e;

	if (!s)
		return;
	if (!bytes_eq(c->args[0], BYTES("en")) && !bytes_eq(c->args[0], BYTES("nl"))) {
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_BAD, .values = { BYTES("language") }, .value_count = 1 });
		return;
	}
	e = store_user_language(id->store, s->kept.user, c->args[0]);
	if (e == OK)
		sessions_changed(id->sessions, s);
	done(id, a, e);
}

/* --- the account --- */

static bool put_passkey(void *ctx, const struct store_passkey *p)
{
	struct text *t = ctx;

	text_lit(t, "passkey\t");
	passkey_put_name(t, p->id);
	put(t, p->name);
	put_u64(t, p->made_s);
	put_u64(t, p->used_s);
	text_byte(t, '\n');
	return t->len < 1200;
}

static void put_sessions(struct identity *id, struct text *t, const struct session *this)
{
	struct session *list[SESSIONS_SHOWN];
	size_t n = sessions_of_user(id->sessions, this->kept.user, list, SESSIONS_SHOWN);

	for (size_t i = 0; i < n && i < SESSIONS_SHOWN && t->len < 2600; i++) {
		const struct store_session *k = &list[i]->kept;

		text_lit(t, "session");
		put(t, bytes_str(k->id));
		put_u64(t, list[i] == this);
		put_ip(t, &k->client);
		put(t, bytes_cut(bytes_str(k->agent), 0, 150)); /* browsers name themselves last */
		put_u64(t, k->since_s);
		put_u64(t, k->seen_s);
		put_u64(t, k->until_s);
		put(t, bytes_str(k->method));
		text_byte(t, '\n');
	}
}

static bool put_sign_in(void *ctx, uint64_t when_s, const struct addr *client, struct bytes method, enum store_outcome outcome)
{
	struct text *t = ctx;

	text_lit(t, "sign-in");
	put_u64(t, when_s);
	put_ip(t, client);
	put(t, method);
	text_str(t, outcome == STORE_SIGNED_IN ? "\tsigned in\n" : outcome == STORE_WRONG ? "\twrong\n" : "\tdenied\n");
	return t->len < 3800;
}

void call_account(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct session *s = mine(id, a, c);
	unsigned char mem[3950];
	struct store_user u;
	struct text t;
	enum err e;

	if (!s)
		return;
	e = store_user_get(id->store, s->kept.user, &id->arena, &u);
	text_init(&t, mem, sizeof mem);
	if (e == OK) {
		text_lit(&t, "user");
		put(&t, u.name);
		put(&t, u.display);
		put(&t, u.mail);
		put(&t, u.origin);
		text_lit(&t, "\ntotp");
		put_u64(&t, u.has_totp);
		text_lit(&t, "\nrecovery");
		put_u64(&t, u.recovery_left);
		text_byte(&t, '\n');
		e = store_passkeys(id->store, u.id, put_passkey, &t);
	}
	if (e == OK) {
		put_sessions(id, &t, s);
		e = store_sign_ins(id->store, u.id, SIGN_INS_SHOWN, put_sign_in, &t);
	}
	if (e != OK || t.failed)
		done(id, a, e != OK ? e : ERR_LIMIT);
	else
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { text_bytes(&t) }, .value_count = 1 });
}

void call_session_end(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct session *s = mine(id, a, c);
	struct session *other;

	if (!s)
		return;
	other = sessions_find_id(id->sessions, c->args[0]);
	if (!other || other->kept.user != s->kept.user || other->parent_generation) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	sessions_end(id->sessions, other, "ended by its user");
	identity_reply_result(id, a, AUTH_OK);
}

void call_sessions_end(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = mine(id, a, c);

	if (!s)
		return;
	identity_end_others(id, s, "ended by its user");
	identity_reply_result(id, a, AUTH_OK);
}
