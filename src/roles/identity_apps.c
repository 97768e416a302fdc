/* From the portal to an app: a one-time code, bound to the app's host, to the portal's session and to the browser that asked, becomes a session of that
 * app alone. The app's host never sees the portal's cookie, and what is stolen from one app opens no other. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "crypto/sha256.h"
#include "gateway/form.h"

#include <stdio.h>
#include <stdlib.h>

static void code_end(struct code *k)
{
	free(k->target);
	secret_wipe(k, sizeof *k);
}

static struct code *code_new(struct identity *id)
{
	struct code *k = &id->codes[0];

	for (size_t i = 0; i < CODES_MAX && k->until_s; i++)
		if (id->codes[i].until_s < k->until_s)
			k = &id->codes[i];
	code_end(k);
	return k;
}

/* Hosts that codes are made for: apps, and hosts of routes that ask for a session. A redirect to any other would be a present for phishers. */
static bool is_wildcard_of(struct bytes pattern, struct bytes host)
{
	return bytes_starts(pattern, BYTES("*.")) && host.len > pattern.len - 1 && bytes_ends(host, bytes_cut(pattern, 1, pattern.len));
}

static bool asks_for_session(const struct conf *c, struct bytes host)
{
	for (size_t i = 0; i < c->route_count; i++)
		for (size_t h = 0; c->routes[i].needs_session && h < c->routes[i].host_count; h++)
			if (bytes_eq(c->routes[i].hosts[h], host) || is_wildcard_of(c->routes[i].hosts[h], host))
				return true;
	return false;
}

bool identity_has_apps_at(const struct identity *id, struct bytes host)
{
	return !bytes_eq(host, id->conf->gateway.portal) && link_is_host(host) && host.len < sizeof((struct code *)0)->host &&
	       (conf_app_by_host(id->conf, host) || asks_for_session(id->conf, host));
}

/* As workers see it with each request (proxy/admit_app.c). */
static bool may_enter(struct identity *id, const struct conf_app *app, const struct auth_facts *who, const struct addr *client)
{
	const struct conf_gateway *g = &id->conf->gateway;

	return identity_holds(id, g->allow, who, client) && identity_holds(id, app ? app->allow : NULL, who, client) &&
	       (who->has_mfa || !identity_demands(id, conf_mfa_of(g, app), who, client));
}

void call_app_code(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = identity_portal_session(id, c->token);
	const struct conf_app *app = conf_app_by_host(id->conf, c->args[0]);
	unsigned char code[AUTH_TOKEN_LEN];
	struct auth_facts who;
	struct code *k;

	if (!s || identity_facts(id, s, &who) != OK) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (!identity_has_apps_at(id, c->args[0]) || c->args[1].len != SHA256_LEN || !link_is_target(c->args[2])) {
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_BAD, .values = { BYTES("host") }, .value_count = 1 });
		return;
	}
	/* The worker has asked the same, for the page; here it is decided. */
	if (who.must_change || !may_enter(id, app, &who, &c->client)) {
		identity_record(id, LEDGER_SIGN_IN, &c->client, who.user, s->kept.id, "denied", c->args[0]);
		identity_reply_result(id, a, AUTH_DENIED);
		return;
	}
	k = code_new(id);
	k->target = malloc(c->args[2].len + 1);
	if (!k->target) {
		identity_reply_result(id, a, AUTH_DOWN);
		return;
	}
	memcpy(k->target, c->args[2].at, c->args[2].len);
	k->target[c->args[2].len] = 0;
	random_bytes(code, sizeof code);
	sha256_of(bytes_of(code, sizeof code), k->hash);
	memcpy(k->nonce, c->args[1].at, sizeof k->nonce);
	snprintf(k->host, sizeof k->host, "%.*s", FMT(c->args[0]));
	k->slot = s->slot;
	k->generation = s->generation;
	k->until_s = identity_now_s(id) + CODE_S;
	if (id->link.is_shared && !identity_store_code(id, k, s)) { /* the browser may bring it to another node */
		code_end(k);
		identity_reply_result(id, a, AUTH_DOWN);
		secret_wipe(code, sizeof code);
		return;
	}
	if (id->link.is_shared)
		code_end(k);
	if (app && store_used(id->store, s->kept.user, app->id, identity_now_s(id)) != OK)
		identity_store_fails(id, "used");
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { bytes_of(code, sizeof code) }, .value_count = 1 });
	secret_wipe(code, sizeof code);
}

/* Used up, whatever comes of it. False: there is none. */
static bool code_take(struct identity *id, struct bytes code, struct code *out)
{
	unsigned char hash[SHA256_LEN];
	bool found = false;

	sha256_of(code, hash);
	for (size_t i = 0; i < CODES_MAX; i++)
		if (id->codes[i].until_s > identity_now_s(id) && secret_eq(bytes_of(id->codes[i].hash, sizeof hash), bytes_of(hash, sizeof hash))) {
			*out = id->codes[i];
			secret_wipe(&id->codes[i], sizeof id->codes[i]);
			found = true;
		}
	return found || (id->link.is_shared && identity_store_code_take(id, hash, out));
}

void call_app_enter(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct conf_app *app = conf_app_by_host(id->conf, c->args[0]);
	unsigned char token[AUTH_TOKEN_LEN], nonce[SHA256_LEN];
	struct store_session of = { .client = c->client, .since_s = identity_now_s(id), .seen_s = identity_now_s(id) };
	struct session *parent, *before, *s;
	struct bytes target;
	struct code k;
	enum err e;

	if (c->args[1].len != AUTH_TOKEN_LEN || c->args[2].len != AUTH_TOKEN_LEN || !code_take(id, c->args[1], &k)) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	sha256_of(c->args[2], nonce);
	parent = sessions_at(id->sessions, k.slot);
	/* Seen once, used up: a code that comes from another browser or for another host is in wrong hands. */
	if (!parent || parent->generation != k.generation || !bytes_eq(c->args[0], bytes_str(k.host)) ||
		!secret_eq(bytes_of(nonce, sizeof nonce), bytes_of(k.nonce, sizeof nonce))) {
		code_end(&k);
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	of.user = parent->kept.user;
	of.until_s = parent->kept.until_s;
	of.proved_s = parent->kept.proved_s;
	of.has_mfa = parent->kept.has_mfa;
	of.idle_s = app && app->idle_s ? app->idle_s : id->conf->gateway.idle_s;
	memcpy(of.host, k.host, sizeof of.host);
	memcpy(of.method, parent->kept.method, sizeof of.method);
	memcpy(of.agent, parent->kept.agent, sizeof of.agent);
	memcpy(of.parent, parent->kept.id, sizeof of.parent);
	target = arena_copy(&id->arena, bytes_str(k.target));
	code_end(&k);
	before = sessions_of_app(id->sessions, parent, bytes_str(of.host)); /* one browser, one cookie for this host: it takes its place */
	if (before)
		sessions_end(id->sessions, before, "replaced");
	e = sessions_add(id->sessions, &of, parent, token, &s);
	if (e == OK && store_session_put(id->store, &s->kept) != OK) {
		identity_store_fails(id, "session");
		sessions_end(id->sessions, s, "replaced");
		e = ERR_IO;
	}
	if (e != OK)
		identity_reply_result(id, a, AUTH_DOWN);
	else
		identity_reply_session(id, a, s, bytes_of(token, sizeof token), &target);
	secret_wipe(token, sizeof token);
}
