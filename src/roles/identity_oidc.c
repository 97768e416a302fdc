/* Signing in at another service, by OpenID Connect: a browser is sent there with values that only this sign-in has, and comes back with a code that the
 * directory process exchanges for a verified token. Here is what binds the two: the flow, once, in one browser; and whose sessions end when the provider
 * says so. */
#include "roles/identity_priv.h"

#include "auth/oidc.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/base64.h"
#include "crypto/random.h"
#include "crypto/sha256.h"

#include <stdio.h>
#include <stdlib.h>

#define FLOWS_OF_SOURCE 256  /* of one address: its own oldest makes room, not others' */
#define REFRESH_S	300  /* where a provider is, is asked anew so often; what is known holds for KNOWN_S */
#define KNOWN_S		900
#define AGAIN_S		10   /* after a failure */
#define TOLD_S		60   /* of a provider that is down, once in so long */
#define JTIS_MAX	4096
#define LOGOUTS_MAX	16   /* logout tokens that are looked at: strangers may send some too */
#define ENDPOINT_MAX	1024
#define URL_LONGEST	3600
#define WORK_CODE	"oidc code"
#define WORK_LOGOUT	"oidc logout"
#define WORK_STATE	"oidc state"
#define PROVIDER_MAX	40 /* octets of a name, conf/directory.c */

struct oidc_flow {
	unsigned char hash[SHA256_LEN], state[SHA256_LEN]; /* of its token; of what the provider is to give back */
	uint64_t until_s;				   /* 0: free */
	char provider[PROVIDER_MAX + 1];
	char nonce[OIDC_RANDOM_LEN + 1], verifier[OIDC_RANDOM_LEN + 1];
	struct addr client;
	char *target; /* ours */
};
/* Where a provider is, as the directory process read it. */
struct where {
	char name[PROVIDER_MAX + 1];
	uint32_t generation;
	bool is_asked, tells_issuer;
	uint64_t until_s, next_s, told_s; /* until_s: known as long */
	char authorization[ENDPOINT_MAX + 1], end_session[ENDPOINT_MAX + 1];
};
struct used {
	unsigned char hash[SHA256_LEN];
	uint64_t until_s; /* 0: free */
};
static struct {
	struct oidc_flow flows[OIDC_FLOWS_MAX];
	struct where where[CONF_OIDC_MAX];
	struct used jtis[JTIS_MAX];
	size_t logouts; /* under way */
} oidc;

/* --- flows --- */

static void flow_clear(struct oidc_flow *f)
{
	if (f->target)
		secret_wipe(f->target, strlen(f->target));
	free(f->target);
	secret_wipe(f, sizeof *f);
}

static bool is_of(const struct oidc_flow *f, const struct addr *client)
{
	return f->until_s && memcmp(f->client.ip, client->ip, addr_is_v4(client) ? 16 : 8) == 0;
}

/* The place of a new one: free, else the oldest of that address where it has many, else the oldest. */
static struct oidc_flow *flow_place(const struct addr *client)
{
	struct oidc_flow *oldest = &oidc.flows[0], *own = NULL;
	size_t count = 0;

	for (size_t i = 0; i < OIDC_FLOWS_MAX; i++) {
		struct oidc_flow *f = &oidc.flows[i];

		if (is_of(f, client)) {
			count++;
			own = !own || f->until_s < own->until_s ? f : own;
		}
		if (f->until_s < oldest->until_s)
			oldest = f;
	}
	return count >= FLOWS_OF_SOURCE ? own : oldest;
}

/* 43 characters that only this flow has. */
static void put_random(char out[OIDC_RANDOM_LEN + 1])
{
	unsigned char raw[32];
	struct text t;

	random_bytes(raw, sizeof raw);
	text_init(&t, out, OIDC_RANDOM_LEN);
	base64url_put(&t, bytes_of(raw, sizeof raw));
	CHECK(!t.failed && t.len == OIDC_RANDOM_LEN);
	out[t.len] = 0;
	secret_wipe(raw, sizeof raw);
}

/* Taken out: what it was for happens now or never. False: there is none. */
static bool flow_take(struct identity *id, struct bytes token, struct oidc_flow *out)
{
	unsigned char hash[SHA256_LEN];
	struct oidc_flow *found = NULL;

	sha256_of(token, hash);
	for (size_t i = 0; i < OIDC_FLOWS_MAX; i++)
		if (oidc.flows[i].until_s > identity_now_s(id) && secret_eq(bytes_of(oidc.flows[i].hash, sizeof hash), bytes_of(hash, sizeof hash)))
			found = &oidc.flows[i];
	if (!found)
		return false;
	*out = *found;
	found->target = NULL; /* out's */
	flow_clear(found);
	return true;
}

/* --- where providers are: asked ahead of time, so that nobody who begins waits, and a stranger who begins often costs nothing --- */

static struct where *where_of(struct identity *id, const struct conf_oidc *o)
{
	struct where *w = &oidc.where[o - id->conf->gateway.oidc];

	if (w->generation != id->generation || !bytes_eq(bytes_str(w->name), o->name)) {
		*w = (struct where){ .generation = id->generation };
		snprintf(w->name, sizeof w->name, "%.*s", FMT(o->name));
	}
	return w;
}

static void tell_down(struct identity *id, struct where *w, struct bytes why)
{
	if (w->told_s && w->told_s + TOLD_S > identity_now_s(id))
		return;
	w->told_s = identity_now_s(id);
	LOG(EV_DIRECTORY_DOWN, KV_STR("provider", w->name), KV_BYTES("why", why));
}

static void where_known(struct identity *id, struct directory_job *j, const struct directory_answer *a)
{
	const struct conf_oidc *o = conf_oidc_by_name(id->conf, bytes_str(j->provider));
	struct where *w = o ? where_of(id, o) : NULL;

	if (!w || !w->is_asked) /* of a configuration before */
		return;
	w->is_asked = false;
	w->next_s = identity_now_s(id) + (a->status == DIRECTORY_OK ? REFRESH_S : AGAIN_S);
	if (a->status != DIRECTORY_OK) {
		tell_down(id, w, a->why);
		return;
	}
	snprintf(w->authorization, sizeof w->authorization, "%.*s", FMT(a->values[0]));
	snprintf(w->end_session, sizeof w->end_session, "%.*s", FMT(a->values[1]));
	w->tells_issuer = a->values[2].len > 0;
	w->until_s = identity_now_s(id) + KNOWN_S;
	w->told_s = 0;
}

void oidc_tick(struct identity *id)
{
	uint64_t now_s = identity_now_s(id);

	for (size_t i = 0; i < id->conf->gateway.oidc_count; i++) {
		struct where *w = where_of(id, &id->conf->gateway.oidc[i]);
		struct directory_job *j;

		if (w->is_asked || w->next_s > now_s)
			continue;
		j = directory_job_new(id, NULL, DIRECTORY_WHERE, id->conf->gateway.oidc[i].name, &id->conf->gateway.oidc[i].name, 0);
		if (!j)
			continue;
		j->done = where_known;
		j->is_lookup = true;
		w->is_asked = true;
		directory_start(id, j);
	}
	for (size_t i = 0; i < OIDC_FLOWS_MAX; i++)
		if (oidc.flows[i].until_s && oidc.flows[i].until_s <= now_s)
			flow_clear(&oidc.flows[i]);
}

/* --- there --- */

static struct bytes redirect_uri(struct identity *id, const struct conf_oidc *o, char mem[400])
{
	snprintf(mem, 400, "%.*s/oidc/%.*s/callback", FMT(id->conf->gateway.origin), FMT(o->name));
	return bytes_str(mem);
}

void call_oidc_begin(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct conf_oidc *o = conf_oidc_by_name(id->conf, c->args[0]);
	struct where *w = o ? where_of(id, o) : NULL;
	unsigned char token[AUTH_TOKEN_LEN], mem[URL_LONGEST];
	char state[OIDC_RANDOM_LEN + 1], redirect[400];
	struct oidc_flow *f;
	struct text t;

	if (!w || w->until_s <= identity_now_s(id)) {
		identity_reply_result(id, a, w ? AUTH_DOWN : AUTH_NONE);
		return;
	}
	f = flow_place(&c->client);
	flow_clear(f);
	f->target = strndup(c->args[1].len ? (const char *)c->args[1].at : "", c->args[1].len);
	if (!f->target) {
		identity_reply_result(id, a, AUTH_BUSY);
		return;
	}
	random_bytes(token, sizeof token);
	sha256_of(bytes_of(token, sizeof token), f->hash);
	put_random(state);
	sha256_of(bytes_str(state), f->state);
	put_random(f->nonce);
	put_random(f->verifier);
	f->client = c->client;
	f->until_s = identity_now_s(id) + FLOW_S;
	snprintf(f->provider, sizeof f->provider, "%.*s", FMT(o->name));
	text_init(&t, mem, sizeof mem);
	oidc_authorization_write(&t, &(struct oidc_request){ .endpoint = bytes_str(w->authorization), .client_id = o->client_id,
		.redirect_uri = redirect_uri(id, o, redirect), .scope = o->scope, .state = bytes_str(state), .nonce = bytes_str(f->nonce), .verifier = bytes_str(f->verifier) });
	if (t.failed) {
		flow_clear(f);
		identity_reply_result(id, a, AUTH_DOWN);
	} else {
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .token_is_flow = true, .token = bytes_of(token, sizeof token),
			.values = { text_bytes(&t) }, .value_count = 1 });
	}
	secret_wipe(token, sizeof token);
	secret_wipe(state, sizeof state);
	secret_wipe(mem, sizeof mem);
}

/* --- and back --- */

/* Nobody guesses what is 256 bits long or signed: limits are on the work, and a stranger's wrong answers hold up nobody else of his address. False: it
 * has been answered. */
static bool may_work(struct identity *id, const struct asker *a, const char *what, const struct addr *client)
{
	uint32_t wait_s = 0;

	switch (guess_work(id->guess, what, client, loop_now_ms(id->run->loop), &wait_s)) {
	case GUESS_GO: return true;
	case GUESS_BUSY: identity_reply_result(id, a, AUTH_BUSY); return false;
	case GUESS_WAIT: identity_reply(id, a, &(struct auth_answer){ .result = AUTH_WAIT, .wait_s = wait_s }); return false;
	}
	return false;
}

static void tell_alarm(struct identity *id, const struct addr *client, const char *provider)
{
	unsigned char mem[64];
	struct text t;

	text_init(&t, mem, sizeof mem);
	addr_write_ip(client, &t);
	LOG(EV_SIGN_IN_ALARM, KV_BYTES("client", text_bytes(&t)), KV_STR("method", "oidc"), KV_STR("provider", provider));
	identity_alert_guessing(id, client, BYTES(""));
}

static void tell_wrong(struct identity *id, const struct addr *client, const char *provider, struct bytes why, bool is_sign_in)
{
	unsigned char mem[64];
	struct text t;

	text_init(&t, mem, sizeof mem);
	addr_write_ip(client, &t);
	LOG(EV_DIRECTORY_REFUSED, KV_STR("provider", provider), KV_BYTES("client", text_bytes(&t)), KV_BYTES("why", why));
	if (is_sign_in)
		identity_record(id, LEDGER_SIGN_IN, client, BYTES(""), "", "wrong", BYTES("oidc"));
}

static void wrong(struct identity *id, const struct asker *a, const struct addr *client, const char *what, const char *provider, struct bytes why)
{
	bool is_alarm = false;

	guess_work_wrong(id->guess, what, client, loop_now_ms(id->run->loop), &is_alarm);
	if (is_alarm)
		tell_alarm(id, client, provider);
	tell_wrong(id, client, provider, why, strcmp(what, WORK_CODE) == 0);
	identity_reply_result(id, a, AUTH_REFUSED);
}

/* It cost nothing: whoever sends thousands is refused as often, and fills no log and no ledger. */
static void wrong_state(struct identity *id, const struct asker *a, const struct addr *client, const char *provider, const char *why)
{
	bool is_alarm = false;

	if (guess_work_note(id->guess, WORK_STATE, client, loop_now_ms(id->run->loop), &is_alarm))
		tell_wrong(id, client, provider, bytes_str(why), true);
	if (is_alarm)
		tell_alarm(id, client, provider);
	identity_reply_result(id, a, AUTH_REFUSED);
}

static void sid_of(const char *provider, struct bytes sid, unsigned char out[STORE_SID_LEN])
{
	unsigned char mem[PROVIDER_MAX + 1 + 255], digest[SHA256_LEN];
	struct text t;

	memset(out, 0, STORE_SID_LEN);
	if (sid.len == 0)
		return;
	text_init(&t, mem, sizeof mem);
	text_str(&t, provider);
	text_byte(&t, '\n');
	text_add(&t, bytes_cut(sid, 0, 255));
	sha256_of(text_bytes(&t), digest);
	memcpy(out, digest, STORE_SID_LEN);
}

static void code_known(struct identity *id, struct directory_job *j, const struct directory_answer *answer)
{
	const struct conf_oidc *o = conf_oidc_by_name(id->conf, bytes_str(j->provider));
	struct bytes target = bytes_str(j->target ? j->target : "");
	struct sign_in_from from = { .extra = &target };
	char origin[ORIGIN_MAX];
	struct store_user u;
	enum err e;

	if (answer->status == DIRECTORY_WRONG) {
		wrong(id, &j->asker, &j->client, WORK_CODE, j->provider, answer->why);
	} else if (answer->status != DIRECTORY_OK || !answer->has_person || !o) {
		guess_work_right(id->guess, WORK_CODE, &j->client); /* it says nothing about the answer */
		if (o)
			tell_down(id, where_of(id, o), answer->why);
		identity_reply_result(id, &j->asker, AUTH_DOWN);
	} else {
		guess_work_right(id->guess, WORK_CODE, &j->client);
		e = people_origin(origin, "oidc", o->name) ? people_take(id, origin, &answer->person, &u) : ERR_DENIED;
		if (e == ERR_IO) {
			identity_reply_result(id, &j->asker, AUTH_DOWN);
		} else if (e != OK || u.is_disabled) {
			identity_record(id, LEDGER_SIGN_IN, &j->client, e == OK ? u.name : answer->person.name, "", "denied", BYTES("oidc"));
			identity_reply_result(id, &j->asker, AUTH_DENIED);
		} else {
			sid_of(j->provider, answer->person.sid, from.sid);
			sign_in_go_on_from(id, &j->asker, &u, "oidc", answer->person.has_mfa, &j->client, bytes_str(j->agent), &from);
		}
	}
	free(j->target);
	j->target = NULL;
}

/* NULL: the answer is this flow's. */
static const char *answer_trouble(struct identity *id, const struct conf_oidc *o, const struct oidc_flow *f, const struct auth_call *c)
{
	unsigned char hash[SHA256_LEN];

	sha256_of(c->args[2], hash);
	if (!bytes_eq(bytes_str(f->provider), c->args[0]))
		return "the answer came to the place of another provider than the one that was asked";
	if (!secret_eq(bytes_of(hash, sizeof hash), bytes_of(f->state, sizeof f->state)))
		return "the answer's state is not this sign-in's";
	if (where_of(id, o)->tells_issuer && c->args[3].len == 0) /* RFC 9207 2.4 */
		return "the answer has no iss, and the provider's metadata says that all have";
	if (c->args[3].len && !bytes_eq(c->args[3], o->issuer))
		return "the answer is of another issuer (iss)";
	return NULL;
}

void call_oidc_end(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct conf_oidc *o = conf_oidc_by_name(id->conf, c->args[0]);
	struct directory_job *j;
	const char *trouble;
	struct oidc_flow f;
	char redirect[400];

	if (!o || !flow_take(id, c->token, &f)) { /* over, or used: no guess, for nobody guesses 256 bits */
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	trouble = answer_trouble(id, o, &f, c);
	if (trouble)
		wrong_state(id, a, &c->client, f.provider, trouble);
	if (trouble || !may_work(id, a, WORK_CODE, &c->client)) {
		flow_clear(&f);
		return;
	}
	j = directory_job_new(id, a, DIRECTORY_CODE, o->name,
		(const struct bytes[]){ c->args[1], bytes_str(f.verifier), bytes_str(f.nonce), redirect_uri(id, o, redirect) }, 4);
	if (!j) {
		guess_work_right(id->guess, WORK_CODE, &c->client);
		identity_reply_result(id, a, AUTH_BUSY);
	} else {
		j->done = code_known;
		j->client = c->client;
		sign_in_write_agent(j->agent, c->args[4]);
		j->target = f.target;
		f.target = NULL;
		directory_start(id, j);
	}
	flow_clear(&f);
}

/* --- the provider ends a session --- */

/* ERR_ORDER: it was used before. ERR_LIMIT: no more can be remembered, so that none may be used. */
static enum err use_jti(struct identity *id, const char *provider, struct bytes jti, uint64_t until_s)
{
	unsigned char mem[PROVIDER_MAX + 1 + 255], hash[SHA256_LEN];
	uint64_t now_s = identity_now_s(id);
	struct used *place = NULL;
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_str(&t, provider);
	text_byte(&t, '\n');
	text_add(&t, jti);
	if (t.failed)
		return ERR_LIMIT;
	sha256_of(text_bytes(&t), hash);
	for (size_t i = 0; i < JTIS_MAX; i++) {
		struct used *u = &oidc.jtis[i];

		if (u->until_s > now_s && memcmp(u->hash, hash, sizeof hash) == 0)
			return ERR_ORDER;
		if (u->until_s <= now_s && !place)
			place = u;
	}
	if (!place)
		return ERR_LIMIT;
	memcpy(place->hash, hash, sizeof hash);
	place->until_s = until_s + 120; /* and twice what clocks may differ */
	return OK;
}

struct ending {
	unsigned char sid[STORE_SID_LEN];
	int64_t user; /* 0: any */
	bool by_sid;
};

static bool is_ending(void *ctx, const struct session *s)
{
	const struct ending *e = ctx;

	return s->kept.host[0] == 0 && (!e->user || s->kept.user == e->user) && (!e->by_sid || memcmp(s->kept.sid, e->sid, sizeof e->sid) == 0);
}

static void logout_known(struct identity *id, struct directory_job *j, const struct directory_answer *answer)
{
	const struct directory_person *p = &answer->person;
	char origin[ORIGIN_MAX];
	struct ending end = { .by_sid = p->sid.len > 0 };
	struct store_user u;
	uint64_t until_s;
	enum err e = OK;
	size_t ended;

	oidc.logouts--;
	if (answer->status == DIRECTORY_WRONG) {
		wrong(id, &j->asker, &j->client, WORK_LOGOUT, j->provider, answer->why);
		return;
	}
	/* Without sub and sid it would be everybody's: the process that read the token says that one is there, and could be another's by now. */
	if (answer->status != DIRECTORY_OK || !answer->has_person || (!p->subject.len && !p->sid.len) || bytes_u64(answer->values[1], &until_s) != OK) {
		guess_work_right(id->guess, WORK_LOGOUT, &j->client);
		identity_reply_result(id, &j->asker, AUTH_DOWN);
		return;
	}
	e = use_jti(id, j->provider, answer->values[0], until_s);
	if (e != OK) {
		wrong(id, &j->asker, &j->client, WORK_LOGOUT, j->provider, e == ERR_ORDER ? BYTES("the logout token was used before (jti)") :
			BYTES("too many logout tokens are remembered until they are over"));
		return;
	}
	guess_work_right(id->guess, WORK_LOGOUT, &j->client);
	if (!people_origin(origin, "oidc", bytes_str(j->provider)))
		e = ERR_NOT_FOUND;
	sid_of(j->provider, p->sid, end.sid);
	if (e == OK && p->subject.len) {
		e = store_user_by_subject(id->store, bytes_str(origin), p->subject, &id->arena, &u);
		end.user = e == OK ? u.id : 0;
	}
	if (e == OK) {
		flows_end(id, &(struct flow_which){ .user = end.user, .sid = end.by_sid ? end.sid : NULL });
		e = identity_end_all(id, is_ending, &end, "revoked", &ended);
	}
	identity_reply_result(id, &j->asker, e == OK || e == ERR_NOT_FOUND ? AUTH_OK : AUTH_DOWN); /* of somebody who never came: nothing to end */
}

void call_oidc_logout(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct conf_oidc *o = conf_oidc_by_name(id->conf, c->args[0]);
	struct directory_job *j = NULL;

	if (!o) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	if (!may_work(id, a, WORK_LOGOUT, &c->client))
		return;
	if (oidc.logouts < LOGOUTS_MAX)
		j = directory_job_new(id, a, DIRECTORY_LOGOUT, o->name, &c->args[1], 1);
	if (!j) {
		guess_work_right(id->guess, WORK_LOGOUT, &c->client);
		identity_reply_result(id, a, AUTH_BUSY);
		return;
	}
	oidc.logouts++;
	j->done = logout_known;
	j->client = c->client;
	directory_start(id, j);
}

/* --- and people end it there --- */

void call_oidc_out(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct conf_oidc *o = conf_oidc_by_name(id->conf, c->args[0]);
	struct where *w = o ? where_of(id, o) : NULL;
	unsigned char mem[URL_LONGEST];
	char back[320];
	struct text t;

	if (!w || w->until_s <= identity_now_s(id) || !w->end_session[0]) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	snprintf(back, sizeof back, "%.*s/signed-out", FMT(id->conf->gateway.origin));
	text_init(&t, mem, sizeof mem);
	oidc_end_session_write(&t, bytes_str(w->end_session), o->client_id, bytes_str(back));
	if (t.failed)
		identity_reply_result(id, a, AUTH_NONE);
	else
		identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { text_bytes(&t) }, .value_count = 1 });
}
