/* What administrators ask, over the master: users and sessions, as JSON. One function per request in a table. A request says {"what": "user.add", ...};
 * the answer is {"ok": true, ...} or {"ok": false, "error": "...", "why": "a stable name"}. Lists come in parts: "more" is what to ask with as "after". */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define ANSWER_MAX (IPC_BODY_MAX - 4)
#define LIST_MOST  200 /* in one part, if they fit */

static void answer_to(struct identity *id, uint32_t request, json_t *j)
{
	unsigned char mem[IPC_BODY_MAX];
	struct text t;
	char *text = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	text_init(&t, mem, sizeof mem);
	text_put_u32(&t, request);
	text_str(&t, text ? text : "{}");
	free(text);
	if (t.failed) {
		t.failed = false;
		t.len = 4;
		text_str(&t, "{\"ok\":false,\"error\":\"the answer is too long\",\"why\":\"limit\"}");
	}
	(void)!role_send(id->run->control, MSG_IDENTITY_ADMIN_IS, text_bytes(&t), NULL, 0);
}

static json_t *failed(const char *why, const char *what)
{
	return json_pack("{s:b,s:s,s:s}", "ok", 0, "error", what, "why", why);
}

static json_t *store_failed(struct identity *id)
{
	return json_pack("{s:b,s:s,s:s}", "ok", 0, "error", store_error(id->store), "why", "store");
}

static json_t *ok(void)
{
	return json_pack("{s:b}", "ok", 1);
}

static struct bytes text_of(const json_t *r, const char *key)
{
	const json_t *v = json_object_get(r, key);

	return v && json_is_string(v) ? bytes_of(json_string_value(v), json_string_length(v)) : BYTES("");
}

/* The user that the request names. NULL answer: *u is filled; is_known: with who it is, which is known while the store is lost too. */
static json_t *find_by_name(struct identity *id, const json_t *r, struct store_user *u, bool is_known)
{
	struct bytes name = text_of(r, "name");

	if (!store_name_is_valid(name))
		return failed("name", "a name has 1 to 64 of a-z, 0-9 . _ - @ + and begins with a letter or a digit");
	switch (is_known ? store_user_known_find(id->store, name, &id->arena, u) : store_user_find(id->store, name, &id->arena, u)) {
	case OK: return NULL;
	case ERR_NOT_FOUND: return failed("none", "there is no user of that name; sluis user list names them");
	default: return store_failed(id);
	}
}

static json_t *find_user(struct identity *id, const json_t *r, struct store_user *u)
{
	return find_by_name(id, r, u, false);
}

/* --- users --- */

/* Groups of a request (a list of names) as the store keeps them. False: one is not a name. */
static bool read_groups(struct identity *id, const json_t *r, struct bytes *out)
{
	const json_t *list = json_object_get(r, "groups"), *v;
	unsigned char mem[STORE_TEXT_MAX * 8];
	struct text t;
	size_t i;

	text_init(&t, mem, sizeof mem);
	json_array_foreach (list, i, v) {
		struct bytes g = json_is_string(v) ? bytes_of(json_string_value(v), json_string_length(v)) : BYTES("");

		if (g.len == 0 || g.len > 64 || i >= AUTH_GROUPS_MAX)
			return false;
		for (size_t k = 0; k < g.len; k++)
			if (g.at[k] < ' ' || g.at[k] == 127 || g.at[k] == ',')
				return false;
		if (t.len)
			text_byte(&t, '\n');
		text_add(&t, g);
	}
	*out = arena_copy(&id->arena, text_bytes(&t));
	return !t.failed && (t.len == 0 || out->at);
}

static bool is_plain(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < ' ' || b.at[i] == 127)
			return false;
	return b.len <= STORE_TEXT_MAX;
}

static void password_made(struct identity *id, struct job *j, bool made_none, bool fits, struct bytes hash)
{
	const json_t *r = j->admin;
	struct store_user u = { .id = 0 };
	enum err e = ERR_IO;
	json_t *answer;
	size_t ended;

	(void)fits;
	if (!made_none && j->user == 0) {
		u.name = text_of(r, "name");
		u.display = text_of(r, "display");
		u.mail = text_of(r, "mail");
		u.hash = hash;
		u.must_change = j->must_change;
		e = read_groups(id, r, &u.groups) ? store_user_add(id->store, &u, identity_now_s(id)) : ERR_SYNTAX;
	} else if (!made_none) {
		e = store_user_password(id->store, j->user, hash, j->must_change);
		if (e == OK)
			e = identity_end_user(id, j->user, "password", &ended);
	}
	answer = e == OK ? ok() : e == ERR_ORDER ? failed("exists", "there is a user of that name already; sluis user passwd gives another password") :
		made_none ? failed("memory", "the password could not be hashed: is there memory?") : store_failed(id);
	answer_to(id, j->asker.request, answer);
	json_decref(j->admin);
	j->admin = NULL;
}

static json_t *hash_for(struct identity *id, uint32_t request, const json_t *r, int64_t user)
{
	struct bytes password = text_of(r, "password"), name = text_of(r, "name");
	const char *why = password.len > PASSWORD_MOST ? "too_long" : password_refusal(password, name);
	const struct asker a = { .channel = id->run->control, .request = request, .is_admin = true };
	struct job *j;

	if (why)
		return json_pack("{s:b,s:s,s:s}", "ok", 0, "error", "that password is not taken", "why", why);
	j = job_new(id, &a, password);
	if (!j)
		return failed("busy", "too many passwords are being looked at; try again in a moment");
	j->is_making = true;
	j->user = user;
	j->must_change = json_is_true(json_object_get(r, "must_change"));
	j->done = password_made;
	j->admin = json_deep_copy(r);
	json_object_del(j->admin, "password");
	job_start(id, j);
	return NULL;
}

static json_t *user_add(struct identity *id, uint32_t request, const json_t *r)
{
	struct store_user u = { .name = text_of(r, "name"), .display = text_of(r, "display"), .mail = text_of(r, "mail"), .hash = text_of(r, "hash") };
	enum err e;

	if (!store_name_is_valid(u.name))
		return failed("name", "a name has 1 to 64 of a-z, 0-9 . _ - @ + and begins with a letter or a digit");
	if (!is_plain(u.display) || !is_plain(u.mail))
		return failed("text", "a display name and a mail address have at most 200 characters, and no control characters");
	if (!read_groups(id, r, &u.groups))
		return failed("groups", "a group has 1 to 64 characters, no comma and no control characters; a user has at most 64 groups");
	if (u.hash.len == 0 && text_of(r, "password").len)
		return hash_for(id, request, r, 0);
	if (u.hash.len && !password_hash_is_valid(u.hash))
		return failed("hash", "only argon2id hashes in PHC format ($argon2id$v=19$...) within 256 MiB and 10 passes are taken over");
	e = store_user_add(id->store, &u, identity_now_s(id));
	return e == OK ? ok() : e == ERR_ORDER ? failed("exists", "there is a user of that name already") : store_failed(id);
}

static json_t *user_passwd(struct identity *id, uint32_t request, const json_t *r)
{
	struct store_user u;
	json_t *wrong = find_user(id, r, &u);

	if (!wrong && u.origin.len)
		wrong = failed("origin", "the password is not kept here: change it where the user comes from (sluis user show says where)");
	return wrong ? wrong : hash_for(id, request, r, u.id);
}

static json_t *user_set(struct identity *id, uint32_t request, const json_t *r)
{
	struct store_user u;
	json_t *wrong = find_user(id, r, &u);

	(void)request;
	if (wrong)
		return wrong;
	if (json_object_get(r, "display"))
		u.display = text_of(r, "display");
	if (json_object_get(r, "mail"))
		u.mail = text_of(r, "mail");
	if (!is_plain(u.display) || !is_plain(u.mail))
		return failed("text", "a display name and a mail address have at most 200 characters, and no control characters");
	if (json_object_get(r, "groups") && !read_groups(id, r, &u.groups))
		return failed("groups", "a group has 1 to 64 characters, no comma and no control characters; a user has at most 64 groups");
	if (u.origin.len)
		return failed("origin", "name, mail and groups come from where the user does (sluis user show says where): change them there");
	if (store_user_set(id->store, u.id, u.display, u.mail, u.groups) != OK)
		return store_failed(id);
	(void)sessions_user_changed(id->sessions, u.id); /* other groups, other rights: workers ask again */
	return ok();
}

static json_t *user_able(struct identity *id, const json_t *r, bool is_disabled)
{
	struct store_user u;
	json_t *wrong = find_user(id, r, &u);
	size_t ended = 0;

	if (wrong)
		return wrong;
	if (store_user_disable(id->store, u.id, is_disabled) != OK)
		return store_failed(id);
	if (is_disabled && identity_end_user(id, u.id, "disabled", &ended) != OK)
		return store_failed(id);
	return json_pack("{s:b,s:I}", "ok", 1, "ended", (json_int_t)ended);
}

static json_t *user_disable(struct identity *id, uint32_t request, const json_t *r)
{
	(void)request;
	return user_able(id, r, true);
}

static json_t *user_enable(struct identity *id, uint32_t request, const json_t *r)
{
	(void)request;
	return user_able(id, r, false);
}

static json_t *user_unlock(struct identity *id, uint32_t request, const json_t *r)
{
	struct store_user u;
	json_t *wrong = find_user(id, r, &u);

	(void)request;
	if (wrong)
		return wrong;
	guess_unlock(id->guess, u.name);
	return ok();
}

static json_t *user_remove(struct identity *id, uint32_t request, const json_t *r)
{
	struct store_user u;
	json_t *wrong = find_user(id, r, &u);
	size_t ended;

	(void)request;
	if (wrong)
		return wrong;
	if (identity_end_user(id, u.id, "removed", &ended) != OK || store_user_remove(id->store, u.id) != OK)
		return store_failed(id);
	return json_pack("{s:b,s:I}", "ok", 1, "ended", (json_int_t)ended);
}

/* All second factors away: who has lost them sets up new ones at the next sign-in. */
static bool remove_passkey(void *ctx, const struct store_passkey *p)
{
	struct { struct identity *id; int64_t user; enum err e; } *c = ctx;

	c->e = store_passkey_remove(c->id->store, c->user, p->id);
	return false; /* the list has changed: it is asked for again */
}

static json_t *user_reset_factors(struct identity *id, uint32_t request, const json_t *r)
{
	struct { struct identity *id; int64_t user; enum err e; } ctx = { .id = id };
	struct store_user u;
	json_t *wrong = find_user(id, r, &u);
	size_t ended;

	(void)request;
	if (wrong)
		return wrong;
	ctx.user = u.id;
	for (uint32_t i = 0; i < u.passkeys && ctx.e == OK; i++)
		if (store_passkeys(id->store, u.id, remove_passkey, &ctx) != OK)
			ctx.e = ERR_IO;
	if (ctx.e != OK || store_totp_set(id->store, u.id, NULL, 0) != OK || store_recovery_set(id->store, u.id, NULL, 0) != OK ||
		identity_end_user(id, u.id, "factors", &ended) != OK)
		return store_failed(id);
	return json_pack("{s:b,s:I}", "ok", 1, "ended", (json_int_t)ended);
}

static json_t *string_of(struct bytes b)
{
	json_t *j = json_stringn(b.len ? (const char *)b.at : "", b.len);

	return j ? j : json_string("?");
}

static json_t *user_json(const struct store_user *u)
{
	json_t *groups = json_array();
	struct bytes left = u->groups, group;

	while (store_group_next(&left, &group))
		json_array_append_new(groups, string_of(group));
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:b,s:b,s:i,s:i,s:I,s:I}", "name", string_of(u->name), "display", string_of(u->display), "mail",
		string_of(u->mail), "groups", groups, "origin", string_of(u->origin), "disabled", u->is_disabled, "must_change", u->must_change, "password", u->hash.len > 0, "totp",
		u->has_totp, "passkeys", (int)u->passkeys, "recovery", (int)u->recovery_left, "made", (json_int_t)u->made_s, "last", (json_int_t)u->last_s);
}

static json_t *user_show(struct identity *id, uint32_t request, const json_t *r)
{
	struct session *list[1];
	struct store_user u;
	json_t *wrong = find_user(id, r, &u), *j;

	(void)request;
	if (wrong)
		return wrong;
	j = user_json(&u);
	json_object_set_new(j, "sessions", json_integer((json_int_t)sessions_of_user(id->sessions, u.id, list, 1)));
	return json_pack("{s:b,s:o}", "ok", 1, "user", j);
}

/* A part of a list: as many as fit into a message. */
struct part {
	json_t *list;
	size_t size;
	char more[STORE_USER_NAME_MAX + 1];
	bool is_full;
};

static bool part_add(struct part *p, json_t *item)
{
	char *text = json_dumps(item, JSON_COMPACT);
	size_t size = text ? strlen(text) + 1 : 0;

	free(text);
	if (p->size + size > ANSWER_MAX - 200) {
		json_decref(item);
		p->is_full = true;
		return false;
	}
	p->size += size;
	json_array_append_new(p->list, item);
	return true;
}

static bool list_user(void *ctx, const struct store_user *u)
{
	struct part *p = ctx;

	if (!part_add(p, user_json(u)))
		return false;
	snprintf(p->more, sizeof p->more, "%.*s", FMT(u->name));
	return true;
}

static json_t *part_json(struct part *p, const char *key)
{
	json_t *j = json_pack("{s:b,s:o}", "ok", 1, key, p->list);

	if (p->is_full)
		json_object_set_new(j, "more", json_string(p->more));
	return j;
}

static json_t *user_list(struct identity *id, uint32_t request, const json_t *r)
{
	struct part p = { .list = json_array() };

	(void)request;
	if (store_users(id->store, text_of(r, "after"), LIST_MOST, list_user, &p) != OK) {
		json_decref(p.list);
		return store_failed(id);
	}
	if (json_array_size(p.list) == LIST_MOST)
		p.is_full = true;
	return part_json(&p, "users");
}

/* --- sessions --- */

struct which { /* what a request asks for; all of it must fit */
	struct identity *id;
	int64_t user; /* 0: any */
	struct bytes sid, app; /* a host */
	uint64_t before_s;
	bool has_after;
	uint64_t after; /* a slot: it is there whatever ended meanwhile */
	struct part *part;
	uint32_t count;
};

/* NULL: *w is filled. */
static json_t *read_which(struct identity *id, const json_t *r, struct which *w)
{
	struct bytes app = text_of(r, "app");
	const struct conf_app *a;
	struct store_user u;

	*w = (struct which){ .id = id, .sid = text_of(r, "id"), .before_s = (uint64_t)json_integer_value(json_object_get(r, "before")) };
	if (json_object_get(r, "name")) {
		json_t *wrong = find_by_name(id, r, &u, true);

		if (wrong)
			return wrong;
		w->user = u.id;
	}
	if (app.len) {
		a = conf_app_by_id(id->conf, app);
		if (!a)
			a = conf_app_by_host(id->conf, app);
		if (!a)
			return failed("app", "there is no app of that name in the configuration");
		w->app = a->host;
	}
	return NULL;
}

static bool is_one(void *ctx, const struct session *s)
{
	const struct which *w = ctx;

	return (!w->user || s->kept.user == w->user) && (!w->sid.len || bytes_eq(w->sid, bytes_str(s->kept.id))) &&
	       (w->app.len ? bytes_eq(w->app, bytes_str(s->kept.host)) : w->sid.len || s->parent_generation == 0) &&
	       (!w->before_s || s->kept.since_s < w->before_s);
}

static bool list_session(void *ctx, struct session *s)
{
	struct which *w = ctx;
	const struct store_session *k = &s->kept;
	unsigned char ip[64];
	struct store_user u;
	struct text t;

	if ((w->has_after && s->slot <= w->after) || !is_one(w, s))
		return true;
	arena_reset(&w->id->scratch);
	text_init(&t, ip, sizeof ip);
	addr_write_ip(&k->client, &t);
	if (!part_add(w->part, json_pack("{s:s,s:o,s:s,s:o,s:s,s:s,s:b,s:b,s:I,s:I,s:I}", "id", k->id, "user",
		string_of(store_user_known(w->id->store, k->user, &w->id->scratch, &u) == OK ? u.name : BYTES("?")), "host", k->host, "address",
		string_of(text_bytes(&t)), "agent", k->agent, "method", k->method, "mfa", k->has_mfa, "device_bound",
		k->is_device_bound, "since", (json_int_t)k->since_s, "seen",
		(json_int_t)k->seen_s, "until", (json_int_t)k->until_s)))
		return false;
	snprintf(w->part->more, sizeof w->part->more, "%u", s->slot);
	return true;
}

static json_t *sessions_list(struct identity *id, uint32_t request, const json_t *r)
{
	struct part p = { .list = json_array() };
	struct which w;
	json_t *wrong = read_which(id, r, &w);

	(void)request;
	if (wrong) {
		json_decref(p.list);
		return wrong;
	}
	w.part = &p;
	w.has_after = text_of(r, "after").len > 0;
	if (w.has_after && bytes_u64(text_of(r, "after"), &w.after) != OK) {
		json_decref(p.list);
		return failed("after", "after is what \"more\" said");
	}
	sessions_each(id->sessions, list_session, &w);
	return part_json(&p, "sessions");
}

static json_t *sessions_revoke(struct identity *id, uint32_t request, const json_t *r)
{
	struct which w;
	json_t *wrong = read_which(id, r, &w);
	size_t n;

	(void)request;
	if (wrong)
		return wrong;
	if (!w.user && !w.sid.len && !w.app.len && !w.before_s && !json_is_true(json_object_get(r, "all")))
		return failed("which", "which sessions? a user, an id, an app, a time, or all of them");
	if (!w.sid.len && !w.app.len) /* all of somebody, or of everybody: what is about to become a session too */
		flows_end(id, &(struct flow_which){ .user = w.user, .before_s = w.before_s });
	if (identity_end_all(id, is_one, &w, "revoked", &n) != OK && !identity_store_is_lost(id))
		return store_failed(id);
	if (n == 0 && w.sid.len)
		return failed("none", "there is no session of that id; sluis sessions list names them");
	/* later: other nodes hear of it when the store is back */
	return json_pack("{s:b,s:I,s:i,s:b}", "ok", 1, "ended", (json_int_t)n, "left", (int)sessions_count(id->sessions), "later", identity_store_is_lost(id));
}

static const struct {
	const char *what;
	/* NULL: it is answered later. */
	json_t *(*function)(struct identity *id, uint32_t request, const json_t *r);
} functions[] = {
	{ "user.add", user_add }, { "user.passwd", user_passwd }, { "user.set", user_set }, { "user.disable", user_disable },
	{ "user.enable", user_enable }, { "user.unlock", user_unlock }, { "user.remove", user_remove }, { "user.reset-factors", user_reset_factors },
	{ "user.show", user_show }, { "user.list", user_list },
	{ "sessions.list", sessions_list }, { "sessions.revoke", sessions_revoke },
};

enum err identity_on_admin(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct identity *id = run->data;
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	struct bytes text = reader_rest(&r);
	json_t *j = json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL), *answer = NULL;
	const char *what = json_string_value(json_object_get(j, "what"));
	size_t i = 0;

	(void)from;
	arena_reset(&id->arena);
	while (what && i < COUNT_OF(functions) && strcmp(functions[i].what, what) != 0)
		i++;
	if (!what || i == COUNT_OF(functions))
		answer = failed("what", "identity does not know that request: is this sluis as new as sluisd?");
	else
		answer = functions[i].function(id, request, j);
	if (answer)
		answer_to(id, request, answer);
	json_decref(j);
	return OK;
}
