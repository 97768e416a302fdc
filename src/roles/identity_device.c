/* Sessions that are bound to a key of the device (auth/dbsc.h): a browser that can makes a key that does not leave the device, and from then on proves every
 * few minutes that it has it, for which it gets a short cookie. Who has copied the session's cookie alone is nobody. Each session, an app's too, has a key
 * of its own. */
#include "roles/identity_priv.h"

#include "auth/dbsc.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

#define CHALLENGE_S 300
#define OFFER_S	    900 /* from a session's begin: later nobody binds it, for a cookie may have been copied by then */
#define COOKIE_S    600
#define EACH_S	    180 /* Chromium signs 6 times in 9 minutes for all hosts of a domain together: half of that is for refreshing */
#define EARLY_S	    120 /* it refreshes so long before a cookie ends */
#define BEFORE_S    30 /* requests that were under way with the short cookie before */
#define GRACE_S	    4 /* and those without one, when the session was bound */
#define TOLD_S	    60

_Static_assert(DBSC_CHALLENGE_LEN == sizeof(((struct session *)0)->device_challenges[0].value), "a challenge");
_Static_assert(ES256_PUBLIC_LEN == sizeof(((struct store_session *)0)->device_key), "a key");

static enum conf_binding binding_of(const struct identity *id, const struct session *s)
{
	const struct conf_app *app = s->kept.host[0] ? conf_app_by_host(id->conf, bytes_str(s->kept.host)) : NULL;

	return app ? app->device_binding : id->conf->gateway.device_binding;
}

static bool may_be_bound(const struct identity *id, const struct session *s)
{
	return !s->kept.is_device_bound && binding_of(id, s) != CONF_BINDING_OFF && identity_now_s(id) < s->kept.since_s + OFFER_S;
}

/* --- challenges --- */

/* The latest, or a new one when that is no longer good for long; the one before stays good, for an answer to it may be under way. */
static const unsigned char *challenge(struct identity *id, struct session *s)
{
	uint64_t now_s = identity_now_s(id);

	if (s->device_challenges[0].until_s < now_s + CHALLENGE_S / 2) {
		s->device_challenges[1] = s->device_challenges[0];
		random_bytes(s->device_challenges[0].value, DBSC_CHALLENGE_LEN);
		s->device_challenges[0].until_s = now_s + CHALLENGE_S;
	}
	return s->device_challenges[0].value;
}

/* Once: what was answered is no challenge any more. */
static bool take_challenge(struct identity *id, struct session *s, const unsigned char value[DBSC_CHALLENGE_LEN])
{
	for (size_t i = 0; i < COUNT_OF(s->device_challenges); i++)
		if (s->device_challenges[i].until_s > identity_now_s(id) &&
			secret_eq(bytes_of(s->device_challenges[i].value, DBSC_CHALLENGE_LEN), bytes_of(value, DBSC_CHALLENGE_LEN))) {
			secret_wipe(&s->device_challenges[i], sizeof s->device_challenges[i]);
			return true;
		}
	return false;
}

void identity_device_facts(struct identity *id, struct session *s, struct auth_facts *f)
{
	const struct store_session *k = &s->kept;

	f->news = sessions_news_of(id->sessions, s);
	f->begun_s = k->since_s;
	if (k->is_device_bound) {
		memcpy(f->device_hash, k->device_hash, sizeof f->device_hash);
		memcpy(f->device_before, s->device_before, sizeof f->device_before);
		f->device_until_s = k->device_until_s;
		f->device_before_until_s = s->device_before_until_s;
		f->device_grace_s = s->device_grace_s;
	} else if (may_be_bound(id, s)) {
		memcpy(f->device_challenge, challenge(id, s), sizeof f->device_challenge);
		f->device_challenge_until_s = s->device_challenges[0].until_s;
	}
}

void identity_device_elsewhere(struct identity *id, struct session *s, const struct store_session *before)
{
	uint64_t now_s = identity_now_s(id);

	if (!s->kept.is_device_bound || memcmp(before->device_hash, s->kept.device_hash, sizeof before->device_hash) == 0)
		return;
	memcpy(s->device_before, before->device_hash, sizeof s->device_before);
	s->device_before_until_s = !before->is_device_bound ? 0 : now_s + BEFORE_S < before->device_until_s ? now_s + BEFORE_S : before->device_until_s;
	s->device_grace_s = before->is_device_bound ? 0 : now_s + GRACE_S;
	sessions_news(id->sessions, s);
}

/* --- calls --- */

static struct session *session_at_host(struct identity *id, const struct auth_call *c)
{
	struct session *s = identity_find(id, c->token);

	return s && bytes_eq(c->args[0], s->kept.host[0] ? bytes_str(s->kept.host) : id->conf->gateway.portal) ? s : NULL;
}

static void refuse(struct identity *id, const struct asker *a, struct bytes why)
{
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_DENIED, .values = { why }, .value_count = 1 });
}

/* More sessions, longer cookies: one that the browser may not renew would shut its owner out. */
static uint64_t cookie_s(struct identity *id, struct session *s)
{
	uint64_t all = EARLY_S + (uint64_t)sessions_bound(id->sessions, s) * EACH_S;

	return all > COOKIE_S ? all : COOKIE_S;
}

/* Another short cookie, on disk and on its way. What was fails with the store: the browser asks again. */
static void give_cookie(struct identity *id, const struct asker *a, struct session *s, const struct store_session *before)
{
	uint64_t lasts_s = cookie_s(id, s);
	unsigned char token[AUTH_TOKEN_LEN], digits[24];
	bool is_new = !before->is_device_bound;
	struct text t;

	text_init(&t, digits, sizeof digits);
	text_u64(&t, lasts_s);
	random_bytes(token, sizeof token);
	sha256_of(bytes_of(token, sizeof token), s->kept.device_hash);
	s->kept.device_until_s = identity_now_s(id) + lasts_s;
	if (store_session_device(id->store, &s->kept, is_new) != OK) {
		identity_store_fails(id, "session_device");
		s->kept = *before;
		identity_reply_result(id, a, AUTH_DOWN);
	} else {
		memcpy(s->device_before, before->device_hash, sizeof s->device_before);
		s->device_before_until_s = is_new ? 0 : identity_now_s(id) + BEFORE_S < before->device_until_s ? identity_now_s(id) + BEFORE_S : before->device_until_s;
		s->device_grace_s = is_new ? identity_now_s(id) + GRACE_S : 0;
		sessions_news(id->sessions, s);
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .token = bytes_of(token, sizeof token), .values = { bytes_str(s->kept.id),
			text_bytes(&t) }, .value_count = 2 });
	}
	secret_wipe(token, sizeof token);
}

void call_device_register(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = session_at_host(id, c);
	struct store_session before;
	struct dbsc_proof p;

	if (!s) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (!may_be_bound(id, s)) { /* another key would be another device's */
		refuse(id, a, s->kept.is_device_bound ? BYTES("bound") : BYTES("late"));
		return;
	}
	if (dbsc_read(c->args[1], &p) != OK || !p.has_key || !dbsc_verify(&p, p.key) || !take_challenge(id, s, p.challenge)) {
		refuse(id, a, BYTES("proof"));
		return;
	}
	before = s->kept;
	s->kept.is_device_bound = true;
	memcpy(s->kept.device_key, p.key, sizeof s->kept.device_key);
	give_cookie(id, a, s, &before);
}

void call_device_refresh(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = session_at_host(id, c);
	struct store_session before;
	struct dbsc_proof p;

	/* A browser may still hold what belonged to a session before this one. */
	if (!s || !s->kept.is_device_bound || !bytes_eq(c->args[1], bytes_str(s->kept.id))) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (c->args[2].len) {
		if (dbsc_read(c->args[2], &p) != OK || !dbsc_verify(&p, s->kept.device_key) ||
			(p.has_key && memcmp(p.key, s->kept.device_key, sizeof p.key) != 0) ||
			(p.has_subject && !bytes_eq(bytes_of(p.subject, sizeof p.subject), bytes_str(s->kept.id)))) {
			refuse(id, a, BYTES("proof"));
			return;
		}
		if (take_challenge(id, s, p.challenge)) {
			before = s->kept;
			give_cookie(id, a, s, &before);
			return;
		}
	}
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_MORE, .values = { bytes_of(challenge(id, s), DBSC_CHALLENGE_LEN) }, .value_count = 1 });
}

static const struct identity_alert copied = { .rule = "session-without-key", .class = HUNT_TRACE,
	.title = "A session that is bound to a device was shown without the device's key", .note = "it was refused; the session itself goes on" };

void call_device_missing(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct session *s = session_at_host(id, c);
	uint64_t now_s = identity_now_s(id);
	unsigned char ip[64];
	struct store_user u;
	struct text t;

	if (s && s->kept.is_device_bound && now_s >= s->device_told_s + TOLD_S) {
		s->device_told_s = now_s;
		text_init(&t, ip, sizeof ip);
		addr_write_ip(&c->client, &t);
		if (store_user_get(id->store, s->kept.user, &id->arena, &u) != OK)
			u.name = BYTES("?");
		LOG(EV_SESSION_DEVICE, KV_BYTES("user", u.name), KV_BYTES("client", text_bytes(&t)), KV_STR("session", identity_parent(id, s)->kept.id),
			KV_BYTES("host", c->args[0]));
		identity_alert(id, &copied, &c->client, u.name);
	}
	identity_reply_result(id, a, AUTH_OK);
}
