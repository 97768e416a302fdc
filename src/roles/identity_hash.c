/* Passwords through the hashers: one at a time each, the others wait in their order; a hasher that dies has its password looked at by another. */
#include "roles/identity_priv.h"

#include "base/reader.h"
#include "base/secret.h"

#include <stdlib.h>

void hash_init(struct identity *id)
{
	for (size_t i = 0; i < JOBS_MAX; i++) {
		id->jobs[i].next = id->free_jobs;
		id->free_jobs = &id->jobs[i];
	}
	id->waiting_last = &id->waiting;
	id->refusal_step_ms = REFUSAL_STEP_MS;
}

struct job *job_new(struct identity *id, const struct asker *a, struct bytes password)
{
	struct job *j = id->free_jobs;

	if (!j || password.len > PASSWORD_MOST)
		return NULL;
	id->free_jobs = j->next;
	memset(j, 0, sizeof *j);
	j->asker = *a;
	memcpy(j->password, password.at, password.len);
	j->password_len = password.len;
	return j;
}

static void job_free(struct identity *id, struct job *j)
{
	secret_wipe(j, sizeof *j);
	j->next = id->free_jobs;
	id->free_jobs = j;
}

static void hand_out(struct identity *id)
{
	for (size_t i = 0; i < HASHERS_MAX && id->waiting; i++) {
		struct hasher *h = &id->hashers[i];
		struct job *j = id->waiting;
		unsigned char mem[600];
		struct text t;

		if (!h->channel || h->job)
			continue;
		text_init(&t, mem, sizeof mem);
		text_put_u32(&t, (uint32_t)(j - id->jobs));
		text_put_u8(&t, j->is_making ? 0 : 1);
		text_put_bytes(&t, bytes_of(j->password, j->password_len));
		text_put_bytes(&t, bytes_str(j->hash));
		if (role_send(h->channel, MSG_HASH, text_bytes(&t), NULL, 0) == OK) {
			h->job = j;
			h->since_ms = loop_now_ms(id->run->loop);
			id->waiting = j->next;
			if (!id->waiting)
				id->waiting_last = &id->waiting;
		}
		secret_wipe(mem, sizeof mem);
	}
}

void job_start(struct identity *id, struct job *j)
{
	j->next = NULL;
	*id->waiting_last = j;
	id->waiting_last = &j->next;
	hand_out(id);
}

/* An imported hash may take longer than the step: then all refusals get a longer one, which it stays below also when the machine has more to do. Of
 * our own the first step is long enough, or the machine is slow for all alike. */
static void learn_time(struct identity *id, const struct job *j, uint64_t took_ms)
{
	if (j->is_making || !j->hash[0] || password_hash_is_ours(bytes_str(j->hash)))
		return;
	while (id->refusal_step_ms < took_ms + took_ms / 2 && id->refusal_step_ms < REFUSAL_STEP_MOST_MS)
		id->refusal_step_ms *= 2;
	if (took_ms + took_ms / 2 > REFUSAL_STEP_MS)
		id->refusal_step_until_ms = loop_now_ms(id->run->loop) + REFUSAL_STEP_KEPT_MS;
}

enum err hash_on_hashed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct identity *id = run->data;
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	uint8_t status = reader_u8(&r);
	struct bytes hash = reader_rest(&r);

	for (size_t i = 0; i < HASHERS_MAX; i++) {
		struct hasher *h = &id->hashers[i];
		struct job *j = h->job;

		if (h->channel != from)
			continue;
		if (!j || request != (uint32_t)(j - id->jobs) || status > 2 || hash.len >= PASSWORD_HASH_MAX || (j->is_making && status == 0 && hash.len == 0))
			return ERR_SYNTAX;
		h->job = NULL;
		learn_time(id, j, loop_now_ms(id->run->loop) - h->since_ms);
		arena_reset(&id->arena);
		j->done(id, j, status == 2, status == 0, hash);
		job_free(id, j);
		hand_out(id);
		return OK;
	}
	return ERR_ORDER;
}

void hash_peer(struct identity *id, struct channel *c)
{
	for (size_t i = 0; i < HASHERS_MAX; i++)
		if (!id->hashers[i].channel) {
			id->hashers[i] = (struct hasher){ .channel = c };
			hand_out(id);
			return;
		}
}

void hash_peer_gone(struct identity *id, struct channel *c)
{
	for (size_t i = 0; i < HASHERS_MAX; i++) {
		struct job *j = id->hashers[i].job;

		if (id->hashers[i].channel != c)
			continue;
		id->hashers[i] = (struct hasher){ .channel = NULL };
		if (j && ++j->hashers_lost >= HASHERS_LOST) { /* or one password would keep all others out */
			arena_reset(&id->arena);
			j->done(id, j, true, false, BYTES(""));
			job_free(id, j);
		} else if (j) { /* first again: it has waited the longest */
			j->next = id->waiting;
			id->waiting = j;
			if (!j->next)
				id->waiting_last = &j->next;
		}
		hand_out(id);
	}
}

void hash_forget_asker(struct identity *id, const struct channel *c)
{
	for (size_t i = 0; i < JOBS_MAX; i++)
		if (id->jobs[i].asker.channel == c)
			id->jobs[i].asker.channel = NULL;
}
