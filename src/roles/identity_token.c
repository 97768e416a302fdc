/* Tokens for servers: made here, signed by the keeper, one call later. Only the public half of the key is known here. */
#include "roles/identity_priv.h"

#include "auth/store_nodes.h"
#include "base/log.h"
#include "base/reader.h"
#include "crypto/sha256.h"

#include <stdio.h>

#define TOKEN_TEXT_MAX 3000
#define KEYS_S	       86400 /* keys that other nodes used since */
#define KEYS_MOST      12 /* they fit into one message */

void token_peer(struct identity *id, struct channel *c)
{
	if (id->keeper && (uint16_t)(c->index - id->keeper->index) >= 0x8000)
		return; /* its index is its generation: the newest signs */
	id->keeper = c;
	(void)!role_send(c, MSG_TOKEN_PUBLIC, BYTES(""), NULL, 0);
}

static void forget(struct token_job *j)
{
	text_fini(&j->text);
	*j = (struct token_job){ .until_s = 0 };
}

static void give_up(struct identity *id, struct token_job *j)
{
	identity_reply_result(id, &j->asker, AUTH_BUSY);
	forget(j);
}

void token_peer_gone(struct identity *id, struct channel *c)
{
	struct channel *newest = NULL;

	if (id->keeper != c)
		return;
	id->keeper = NULL;
	id->has_key = false; /* another's may be another */
	for (struct channel *k = id->run->channels; k; k = k->next)
		if (k != c && k->role == ROLE_KEEPER && !k->is_closed && (!newest || (uint16_t)(k->index - newest->index) < 0x8000))
			newest = k;
	for (size_t i = 0; i < TOKENS_MAX; i++)
		if (id->tokens[i].until_s)
			give_up(id, &id->tokens[i]);
	if (newest)
		token_peer(id, newest);
}

void token_tick(struct identity *id)
{
	for (size_t i = 0; i < TOKENS_MAX; i++)
		if (id->tokens[i].until_s && id->tokens[i].until_s + TOKEN_WAIT_S <= identity_now_s(id) + TOKEN_S)
			give_up(id, &id->tokens[i]);
}

void token_forget_asker(struct identity *id, const struct channel *c)
{
	for (size_t i = 0; i < TOKENS_MAX; i++)
		if (id->tokens[i].asker.channel == c)
			id->tokens[i].asker.channel = NULL;
}

enum err token_on_public(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct identity *id = run->data;

	if (from != id->keeper)
		return OK; /* an older generation's, of a key that may have been another then */
	memcpy(id->key, m->body.at, sizeof id->key);
	jws_kid(id->key, id->kid);
	id->has_key = true;
	id->link.key_told_s = 0; /* it may be another */
	return OK;
}

static struct bytes origin_of(struct identity *id, const char *host, char mem[300])
{
	snprintf(mem, 300, "https://%s", host);
	if (id->conf->gateway.port != 443)
		snprintf(mem + strlen(mem), 300 - strlen(mem), ":%u", id->conf->gateway.port);
	return bytes_str(mem);
}

void token_start(struct identity *id, const struct asker *a, struct session *s, const struct auth_facts *facts, const struct conf_app *app)
{
	struct token_job *j = NULL;
	unsigned char mem[36];
	char audience[300];
	struct text t;

	(void)app;
	for (size_t i = 0; i < TOKENS_MAX && !j; i++)
		if (!id->tokens[i].until_s)
			j = &id->tokens[i];
	if (!j || !id->keeper || !id->has_key) {
		identity_reply_result(id, a, AUTH_BUSY);
		return;
	}
	*j = (struct token_job){ .asker = *a, .slot = s->slot, .generation = s->generation, .until_s = identity_now_s(id) + TOKEN_S };
	text_init_growing(&j->text, TOKEN_TEXT_MAX);
	jws_write(&j->text, &(struct jws_claims){ .issuer = id->conf->gateway.origin, .audience = origin_of(id, s->kept.host, audience), .facts = facts,
		.now_s = identity_now_s(id), .until_s = j->until_s }, id->kid);
	text_init(&t, mem, sizeof mem);
	j->request = (uint32_t)(j - id->tokens) | ++id->token_serial * TOKENS_MAX;
	text_put_u32(&t, j->request);
	jws_digest(text_bytes(&j->text), mem + 4);
	t.len = sizeof mem;
	if (j->text.failed || role_send(id->keeper, MSG_TOKEN_SIGN, text_bytes(&t), NULL, 0) != OK) {
		forget(j);
		identity_reply_result(id, a, AUTH_BUSY);
	}
}

enum err token_on_signed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct identity *id = run->data;
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	uint8_t status = reader_u8(&r);
	struct bytes signature = reader_rest(&r);
	unsigned char mem[IPC_BODY_MAX];
	struct auth_facts facts;
	struct token_job *j;
	struct session *s;
	struct text t;

	(void)from;
	j = &id->tokens[request % TOKENS_MAX];
	if (!j->until_s || j->request != request)
		return OK; /* too late, or of a keeper before this one */
	s = sessions_at(id->sessions, j->slot);
	arena_reset(&id->arena);
	if (status != 0 || signature.len != JWS_SIGNATURE_LEN || !s || s->generation != j->generation || identity_facts(id, s, &facts) != OK) {
		identity_reply_result(id, &j->asker, !s || s->generation != j->generation ? AUTH_NONE : AUTH_DOWN);
		forget(j);
		return OK;
	}
	jws_finish(&j->text, signature.at);
	facts.jwt = text_bytes(&j->text);
	facts.jwt_until_s = j->until_s;
	identity_device_facts(id, s, &facts);
	text_init(&t, mem, sizeof mem - 64);
	auth_facts_write(&t, &facts);
	if (t.failed || j->text.failed)
		identity_reply_result(id, &j->asker, AUTH_DOWN);
	else
		identity_reply(id, &j->asker, &(struct auth_answer){ .result = AUTH_OK, .values = { text_bytes(&t) }, .value_count = 1 });
	forget(j);
	return OK;
}

struct keys { unsigned char list[KEYS_MOST][JWS_PUBLIC_LEN]; size_t count; };

static void add_key(void *ctx, const unsigned char key[JWS_PUBLIC_LEN])
{
	struct keys *k = ctx;

	if (k->count < KEYS_MOST)
		memcpy(k->list[k->count++], key, JWS_PUBLIC_LEN);
}

/* Ours, and those of other nodes: a server is not to need to know which one signed. */
struct keys_walk { void (*one)(void *ctx, const unsigned char key[64]); void *ctx; const unsigned char *own; };

static bool give_key(void *ctx, const unsigned char key[64])
{
	struct keys_walk *w = ctx;

	if (memcmp(key, w->own, 64) != 0)
		w->one(w->ctx, key);
	return true;
}

/* The keys of other nodes that sign tokens. */
static void each_key_elsewhere(struct identity *id, void (*one)(void *ctx, const unsigned char key[64]), void *ctx)
{
	struct keys_walk w = { .one = one, .ctx = ctx, .own = id->key };
	uint64_t now_s = identity_now_s(id);

	if (id->link.state == LINK_UP && store_keys(id->store, now_s > KEYS_S ? now_s - KEYS_S : 0, give_key, &w) != OK)
		identity_store_fails(id, "keys");
}

void call_jwks(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	unsigned char mem[300 * KEYS_MOST];
	struct keys keys = { .count = 0 };
	struct text t;

	(void)c;
	text_init(&t, mem, sizeof mem);
	if (!id->has_key) {
		identity_reply_result(id, a, AUTH_BUSY);
		return;
	}
	add_key(&keys, id->key);
	each_key_elsewhere(id, add_key, &keys);
	jws_key_set(&t, (const unsigned char (*)[JWS_PUBLIC_LEN])keys.list, keys.count);
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .values = { text_bytes(&t) }, .value_count = 1 });
}
