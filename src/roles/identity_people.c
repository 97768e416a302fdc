/* People who come from elsewhere: their rows in the store, which factors, passkeys and sessions hang on as on any user's; sign-ins with a password that a
 * directory knows; and whether who is signed in is still there. A row is found by where somebody comes from and who that is there, never by the name:
 * a name that is taken is refused, whoever had it first. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/secret.h"

#include <stdio.h>

#define DOWN_TOLD_S   60
#define LOOKUPS_MOST  16 /* under way or waiting */
#define LOOK_AGAIN_S  30 /* at most, after a directory did not answer */

bool people_origin(char out[ORIGIN_MAX], const char *kind, struct bytes provider)
{
	return snprintf(out, ORIGIN_MAX, "%s:%.*s", kind, FMT(provider)) < ORIGIN_MAX;
}

bool people_is_of_directory(const struct store_user *u)
{
	return bytes_starts(u->origin, BYTES("ldap:"));
}

/* --- rows --- */

/* As the store keeps texts: no control characters, and no half of a UTF-8 sequence at the end. */
static struct bytes clean(struct identity *id, struct bytes b)
{
	unsigned char mem[STORE_TEXT_MAX];
	struct text t;

	if (b.len > sizeof mem) {
		b.len = sizeof mem;
		while (b.len && (b.at[b.len] & 0xc0) == 0x80)
			b.len--;
	}
	text_init(&t, mem, sizeof mem);
	for (size_t i = 0; i < b.len; i++)
		text_byte(&t, b.at[i] < ' ' || b.at[i] == 0x7f ? ' ' : b.at[i]);
	b = arena_copy(&id->arena, text_bytes(&t));
	return b.at ? b : BYTES("");
}

/* In the store's form. What cannot be a group's name there is left out: the process that asked should have seen to it. */
static struct bytes join_groups(struct identity *id, const struct directory_person *who)
{
	static unsigned char mem[AUTH_GROUPS_MAX * (STORE_TEXT_MAX + 1)];
	struct bytes b;
	struct text t;

	text_init(&t, mem, sizeof mem);
	for (size_t i = 0; i < who->group_count; i++) {
		struct bytes g = who->groups[i];
		bool is_good = g.len > 0 && g.len <= STORE_TEXT_MAX;

		for (size_t k = 0; k < g.len && is_good; k++)
			is_good = g.at[k] >= ' ' && g.at[k] != 0x7f && g.at[k] != ',';
		if (!is_good)
			continue;
		if (t.len)
			text_byte(&t, '\n');
		text_add(&t, g);
	}
	b = arena_copy(&id->arena, text_bytes(&t));
	return b.at ? b : BYTES("");
}

static enum err refused(const char *origin, struct bytes name, const char *why)
{
	LOG(EV_DIRECTORY_REFUSED, KV_STR("provider", origin), KV_BYTES("name", bytes_cut(name, 0, STORE_TEXT_MAX)), KV_STR("why", why));
	return ERR_DENIED;
}

static enum err store_fails(struct identity *id, const char *what)
{
	identity_store_fails(id, what);
	return ERR_IO;
}

static enum err add(struct identity *id, const char *origin, const struct directory_person *who, struct store_user *u)
{
	struct store_user other, new = { .name = who->name, .display = clean(id, who->display), .mail = clean(id, who->mail), .groups = join_groups(id, who),
		.origin = bytes_str(origin), .subject = who->subject };
	enum err e = store_user_find(id->store, who->name, &id->arena, &other);

	if (e == OK)
		return refused(origin, who->name, !other.origin.len ? "a user of our own has that name: rename or remove one of the two" :
			bytes_eq(other.origin, new.origin) ? "somebody else from there had that name: sluis user remove, if that one is gone" :
			"a user who comes from elsewhere has that name: rename or remove one of the two");
	if (e == ERR_NOT_FOUND)
		e = store_user_add(id->store, &new, identity_now_s(id));
	if (e == OK)
		e = store_user_get(id->store, new.id, &id->arena, u);
	return e == OK ? OK : store_fails(id, "user_add");
}

/* Only what is another is written: a lookup of somebody who has not changed waits for no disk. */
static enum err renew(struct identity *id, const char *origin, const struct directory_person *who, struct store_user *u)
{
	struct bytes display = clean(id, who->display), mail = clean(id, who->mail), groups = join_groups(id, who);
	bool is_other = !bytes_eq(u->display, display) || !bytes_eq(u->mail, mail) || !bytes_eq(u->groups, groups);
	bool is_renamed = !bytes_eq_nocase(u->name, who->name);
	enum err e = OK;

	if (is_renamed) {
		e = store_user_rename(id->store, u->id, who->name);
		if (e == ERR_ORDER) { /* signs in as before, under the name that it has */
			(void)!refused(origin, who->name, "the new name of somebody known is another user's: the old one stays");
			is_renamed = false;
			e = OK;
		}
	}
	if (e == OK && is_other)
		e = store_user_set(id->store, u->id, display, mail, groups);
	if (e != OK)
		return store_fails(id, "user_set");
	if (!is_other && !is_renamed)
		return OK;
	(void)sessions_user_changed(id->sessions, u->id); /* other groups, other rights: workers ask again */
	return store_user_get(id->store, u->id, &id->arena, u) == OK ? OK : store_fails(id, "user_get");
}

enum err people_take(struct identity *id, const char *origin, const struct directory_person *who, struct store_user *u)
{
	enum err e;

	if (!store_name_is_valid(who->name))
		return refused(origin, who->name, "a name has 1 to 64 of a-z, 0-9 . _ - @ + and begins with a letter or a digit: choose another attribute for it");
	if (who->subject.len == 0 || who->subject.len > STORE_SUBJECT_MAX)
		return refused(origin, who->name, "what tells people apart has 1 to 255 octets: choose another attribute for it");
	e = store_user_by_subject(id->store, bytes_str(origin), who->subject, &id->arena, u);
	if (e == ERR_NOT_FOUND)
		e = add(id, origin, who, u);
	else if (e == OK)
		e = renew(id, origin, who, u);
	else
		e = store_fails(id, "user_by_subject");
	if (e == OK && store_user_looked(id->store, u->id, identity_now_s(id)) != OK)
		e = store_fails(id, "user_looked");
	return e;
}

/* --- sign-ins --- */

static size_t place_of(const struct identity *id, const char *provider)
{
	const struct conf_ldap *p = conf_ldap_by_name(id->conf, bytes_str(provider));

	return p ? (size_t)(p - id->conf->gateway.ldap) : SIZE_MAX;
}

static void tell_down(struct identity *id, const char *provider, struct bytes why)
{
	size_t i = place_of(id, provider);
	uint64_t now_s = identity_now_s(id);

	if (i < CONF_DIRECTORIES_MAX && id->providers[i].told_s && now_s < id->providers[i].told_s + DOWN_TOLD_S)
		return;
	if (i < CONF_DIRECTORIES_MAX)
		id->providers[i].told_s = now_s;
	LOG(EV_DIRECTORY_DOWN, KV_STR("provider", provider), KV_BYTES("why", why));
}

static bool ask(struct identity *id, const struct directory_job *from, size_t provider);

static void password_known(struct identity *id, struct directory_job *j, const struct directory_answer *a)
{
	struct bytes name = bytes_str(j->name);
	char origin[ORIGIN_MAX];
	struct store_user u;
	enum err e;

	switch (a->status) {
	case DIRECTORY_OK: break;
	case DIRECTORY_NONE:
		if (!j->user && j->next < id->conf->gateway.ldap_count) {
			if (!ask(id, j, j->next))
				identity_reply_result(id, &j->asker, AUTH_BUSY);
			return;
		}
		sign_in_wrong(id, &j->asker, j->user, name, &j->client, "ldap");
		return;
	case DIRECTORY_WRONG:
		if (a->why.len)
			LOG(EV_DIRECTORY_REFUSED, KV_STR("provider", j->provider), KV_BYTES("name", name), KV_BYTES("why", a->why));
		sign_in_wrong(id, &j->asker, j->user, name, &j->client, "ldap");
		return;
	case DIRECTORY_DOWN:
	case DIRECTORY_STATUS_COUNT:
		tell_down(id, j->provider, a->why);
		identity_reply_result(id, &j->asker, AUTH_DOWN);
		return;
	}
	e = people_origin(origin, "ldap", bytes_str(j->provider)) ? people_take(id, origin, &a->person, &u) : ERR_DENIED;
	if (e == ERR_IO)
		identity_reply_result(id, &j->asker, AUTH_DOWN);
	else if (e != OK || u.is_disabled)
		sign_in_wrong(id, &j->asker, e == OK ? u.id : j->user, name, &j->client, "ldap");
	else
		sign_in_go_on(id, &j->asker, &u, "ldap", false, &j->client, bytes_str(j->agent));
}

/* The same question to that provider. False: too many wait. */
static bool ask(struct identity *id, const struct directory_job *from, size_t provider)
{
	const struct bytes args[] = { bytes_str(from->name), bytes_of(from->password, from->password_len) };
	struct directory_job *j = directory_job_new(id, &from->asker, DIRECTORY_PASSWORD, id->conf->gateway.ldap[provider].name, args, COUNT_OF(args));

	if (!j)
		return false;
	j->done = password_known;
	j->client = from->client;
	memcpy(j->name, from->name, sizeof j->name);
	memcpy(j->agent, from->agent, sizeof j->agent);
	j->user = from->user;
	j->next = provider + 1;
	memcpy(j->password, from->password, sizeof j->password);
	j->password_len = from->password_len;
	directory_start(id, j);
	return true;
}

void people_sign_in(struct identity *id, const struct asker *a, const struct auth_call *c, const char *name, const struct store_user *u)
{
	struct directory_job j = { .asker = *a, .client = c->client, .user = u->id, .password_len = c->args[1].len };
	size_t provider = 0;

	/* Who is known is asked for where they come from, and nowhere else: another directory may have another person of that name. */
	for (; u->id && provider < id->conf->gateway.ldap_count; provider++)
		if (bytes_eq(bytes_cut(u->origin, 5, u->origin.len), id->conf->gateway.ldap[provider].name))
			break;
	if (provider == id->conf->gateway.ldap_count || j.password_len == 0 || j.password_len > sizeof j.password || !*name) {
		sign_in_wrong(id, a, u->id, bytes_str(name), &c->client, "ldap");
		return;
	}
	snprintf(j.name, sizeof j.name, "%s", name);
	sign_in_write_agent(j.agent, c->args[2]);
	memcpy(j.password, c->args[1].at, j.password_len);
	if (!ask(id, &j, provider))
		identity_reply_result(id, a, AUTH_BUSY);
	secret_wipe(&j, sizeof j);
}

/* --- who is signed in, or has a passkey: is that one still there? --- */

static void gone(struct identity *id, const struct directory_job *j, const struct directory_answer *a, const struct store_user *u)
{
	size_t ended;

	LOG(EV_DIRECTORY_GONE, KV_STR("provider", j->provider), KV_BYTES("user", u->name),
		KV_BYTES("why", a->status == DIRECTORY_NONE ? BYTES("there is no such entry any more, or filter no longer finds it") : a->why));
	(void)!identity_end_user(id, j->user, "revoked", &ended);
}

static void looked_up(struct identity *id, struct directory_job *j, const struct directory_answer *a)
{
	size_t i = place_of(id, j->provider);
	uint64_t now_s = identity_now_s(id);
	char origin[ORIGIN_MAX];
	struct store_user u;

	if (i == SIZE_MAX || store_user_get(id->store, j->user, &id->arena, &u) != OK)
		return;
	if (a->status == DIRECTORY_OK && people_origin(origin, "ldap", bytes_str(j->provider))) {
		(void)!people_take(id, origin, &a->person, &u); /* what it could not do it has told */
	} else if (a->status == DIRECTORY_DOWN) {
		uint32_t wait_s = id->conf->gateway.ldap[i].refresh_s;

		tell_down(id, j->provider, a->why);
		if (store_user_looked(id->store, j->user, 0) != OK)
			(void)!store_fails(id, "user_looked");
		id->providers[i].not_before_s = now_s + (wait_s < LOOK_AGAIN_S ? wait_s : LOOK_AGAIN_S);
	} else {
		gone(id, j, a, &u);
	}
}

/* Of a sign-in that waits for it. */
static void passkey_looked_up(struct identity *id, struct directory_job *j, const struct directory_answer *a)
{
	char origin[ORIGIN_MAX];
	struct store_user u;
	enum err e;

	if (a->status == DIRECTORY_DOWN || store_user_get(id->store, j->user, &id->arena, &u) != OK) {
		if (a->status == DIRECTORY_DOWN)
			tell_down(id, j->provider, a->why);
		identity_reply_result(id, &j->asker, AUTH_DOWN);
		return;
	}
	if (a->status != DIRECTORY_OK) {
		gone(id, j, a, &u);
		sign_in_denied(id, &j->asker, &u, &j->client, "passkey");
		return;
	}
	e = people_origin(origin, "ldap", bytes_str(j->provider)) ? people_take(id, origin, &a->person, &u) : ERR_DENIED;
	if (e == ERR_IO)
		identity_reply_result(id, &j->asker, AUTH_DOWN);
	else if (e != OK || u.id != j->user || u.is_disabled)
		sign_in_denied(id, &j->asker, &u, &j->client, "passkey");
	else
		sign_in_go_on(id, &j->asker, &u, "passkey", j->is_verified, &j->client, bytes_str(j->agent));
}

/* What the provider said is old: it says so anew. */
static void to_provider(struct identity *id, const struct asker *a, struct bytes provider)
{
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_MORE, .values = { provider }, .value_count = 1 });
}

void people_passkey(struct identity *id, const struct asker *a, const struct store_user *u, bool is_verified, const struct addr *client, struct bytes agent)
{
	struct bytes provider = bytes_cut(u->origin, 5, u->origin.len); /* behind "ldap:" or "oidc:" */
	struct directory_job *j;
	uint64_t looked_s;

	if (u->origin.len == 0) {
		sign_in_go_on(id, a, u, "passkey", is_verified, client, agent);
	} else if (people_is_of_directory(u) && conf_ldap_by_name(id->conf, provider)) {
		j = directory_job_new(id, a, DIRECTORY_LOOKUP, provider, &u->subject, 1);
		if (!j) {
			identity_reply_result(id, a, AUTH_BUSY);
			return;
		}
		j->user = u->id;
		j->client = *client;
		j->is_verified = is_verified;
		sign_in_write_agent(j->agent, agent);
		j->done = passkey_looked_up;
		directory_start(id, j);
	} else if (people_is_of_directory(u) || !conf_oidc_by_name(id->conf, provider)) {
		sign_in_denied(id, a, u, client, "passkey"); /* from where nobody comes any more */
	} else if (store_user_looked_at(id->store, u->id, &looked_s) != OK) {
		identity_reply_result(id, a, AUTH_DOWN);
	} else if (identity_now_s(id) >= looked_s + id->conf->gateway.absolute_s) {
		to_provider(id, a, provider);
	} else {
		sign_in_go_on(id, a, u, "passkey", is_verified, client, agent);
	}
}

static bool is_under_way(const struct identity *id, int64_t user)
{
	for (size_t i = 0; i < DIRECTORY_JOBS_MAX; i++)
		if (id->directory_jobs[i].state != DIRECTORY_JOB_FREE && id->directory_jobs[i].is_lookup && id->directory_jobs[i].user == user)
			return true;
	return false;
}

static size_t lookups(const struct identity *id)
{
	size_t n = 0;

	for (size_t i = 0; i < DIRECTORY_JOBS_MAX; i++)
		n += id->directory_jobs[i].state != DIRECTORY_JOB_FREE && id->directory_jobs[i].is_lookup;
	return n;
}

static void look_up(struct identity *id, const struct conf_ldap *p, const struct store_user *u)
{
	struct directory_job *j = directory_job_new(id, NULL, DIRECTORY_LOOKUP, p->name, &u->subject, 1);

	if (!j)
		return;
	j->is_lookup = true;
	j->user = u->id;
	j->done = looked_up;
	directory_start(id, j);
}

void people_tick(struct identity *id)
{
	uint64_t now_s = identity_now_s(id);

	for (size_t i = 0; i < id->conf->gateway.ldap_count; i++) {
		const struct conf_ldap *p = &id->conf->gateway.ldap[i];
		char origin[ORIGIN_MAX];
		struct store_user u;

		if (now_s < id->providers[i].not_before_s || now_s < p->refresh_s || !people_origin(origin, "ldap", p->name))
			continue;
		while (lookups(id) < LOOKUPS_MOST) {
			arena_reset(&id->arena);
			if (store_user_to_look(id->store, bytes_str(origin), now_s - p->refresh_s + 1, &id->arena, &u) != OK || is_under_way(id, u.id))
				break;
			/* Now, so that the next one comes next; who is not answered about is asked about again after refresh. */
			if (store_user_looked(id->store, u.id, now_s) != OK)
				break;
			look_up(id, p, &u);
		}
	}
}
