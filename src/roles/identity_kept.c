/* Forms that people sent to an app when their session had ended: kept in memory, for the browser that sent them, until its user has signed in. Anybody
 * can send a form, so a place is for a moment, few are for one source, and a full table turns new ones away. */
#include "roles/identity_priv.h"

#include "base/secret.h"
#include "crypto/sha256.h"
#include "gateway/form.h"

#include <stdio.h>
#include <stdlib.h>

#define PART_MOST 3500 /* of an answer; with a target less */

void kept_end(struct kept *k)
{
	if (k->body)
		secret_wipe(k->body, FORM_BODY_MAX);
	free(k->body);
	free(k->target);
	secret_wipe(k, sizeof *k);
}

void kept_tick(struct identity *id)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (id->kept[i].until_s && id->kept[i].until_s <= identity_now_s(id))
			kept_end(&id->kept[i]);
}

static struct kept *find(struct identity *id, const unsigned char hash[SHA256_LEN], struct bytes host)
{
	struct kept *found = NULL;

	for (size_t i = 0; i < KEPT_MAX; i++)
		if (id->kept[i].until_s > identity_now_s(id) && bytes_eq(bytes_str(id->kept[i].host), host) &&
			secret_eq(bytes_of(id->kept[i].hash, SHA256_LEN), bytes_of(hash, SHA256_LEN)))
			found = &id->kept[i];
	return found;
}

/* In place of the one that this browser has there already; else a free place. NULL: there is none for that source. */
static struct kept *place(struct identity *id, struct kept *before, const struct addr *client)
{
	struct kept *free_one = NULL;
	size_t n = 0;

	if (before)
		kept_end(before);
	for (size_t i = 0; i < KEPT_MAX; i++) {
		if (!id->kept[i].until_s)
			free_one = &id->kept[i];
		else if (memcmp(id->kept[i].client.ip, client->ip, addr_is_v4(client) ? 16 : 8) == 0)
			n++;
	}
	return n < KEPT_OF_SOURCE ? free_one : NULL;
}

static bool begin(struct identity *id, struct kept *k, const struct auth_call *c, uint64_t all)
{
	struct bytes target = c->args[4];

	k->body = malloc(FORM_BODY_MAX);
	k->target = malloc(target.len + 1);
	if (!k->body || !k->target) {
		kept_end(k);
		return false;
	}
	memcpy(k->target, target.at, target.len);
	k->target[target.len] = 0;
	memcpy(k->hash, c->args[1].at, sizeof k->hash);
	snprintf(k->host, sizeof k->host, "%.*s", FMT(c->args[0]));
	k->client = c->client;
	k->all = (size_t)all;
	k->until_s = identity_now_s(id) + id->conf->gateway.keep_forms_s;
	return true;
}

void call_keep(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	struct bytes host = c->args[0], target = c->args[4], part = c->args[5];
	uint64_t offset = 0, all = 0;
	struct kept *k;

	if (!id->conf->gateway.keep_forms_s || c->args[1].len != SHA256_LEN || bytes_u64(c->args[2], &all) != OK || all == 0 || all > FORM_BODY_MAX ||
		bytes_u64(c->args[3], &offset) != OK || !identity_has_apps_at(id, host) || (offset == 0 && (target.len > LINK_MAX || !link_is_target(target)))) {
		identity_reply_result(id, a, AUTH_DENIED);
		return;
	}
	k = find(id, c->args[1].at, host);
	if (offset == 0) {
		k = place(id, k, &c->client);
		if (!k || !begin(id, k, c, all)) {
			identity_reply_result(id, a, AUTH_BUSY);
			return;
		}
	}
	if (!k || all != k->all || offset != k->len || part.len > k->all - k->len) {
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	memcpy(k->body + k->len, part.at, part.len);
	k->len += part.len;
	identity_reply_result(id, a, AUTH_OK);
}

/* It stays until its time is over: a page that did not arrive is asked for again. */
void call_kept(struct identity *id, const struct asker *a, const struct auth_call *c)
{
	const struct session *s = identity_find(id, c->token);
	unsigned char hash[SHA256_LEN], number[24];
	struct bytes target;
	struct kept *k = NULL;
	uint64_t offset = 0;
	struct text t;

	if (s && s->kept.host[0] && c->args[0].len == AUTH_TOKEN_LEN && bytes_u64(c->args[1], &offset) == OK) {
		sha256_of(c->args[0], hash);
		k = find(id, hash, bytes_str(s->kept.host));
	}
	if (!k || k->len != k->all || offset > k->len) { /* half a form is none: it would be sent as if it were whole */
		identity_reply_result(id, a, AUTH_NONE);
		return;
	}
	target = offset ? BYTES("") : bytes_str(k->target);
	text_init(&t, number, sizeof number);
	text_u64(&t, k->all);
	identity_reply(id, a, &(struct auth_answer){ .result = AUTH_OK, .value_count = 3, .values = { text_bytes(&t), target,
		bytes_cut(bytes_of(k->body, k->len), (size_t)offset, (size_t)offset + PART_MOST - target.len) } });
}
