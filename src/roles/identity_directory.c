/* Questions to directories: which process asks them, and who is owed the answer. One at a time each, the others wait in their order, sign-ins before
 * lookups. A process that ends over a question has it answered as down: it may have been the question's fault. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"

#include <stdio.h>

static void directory_finish(struct identity *id, struct directory_job *j, const struct directory_answer *a)
{
	arena_reset(&id->arena);
	j->done(id, j, a);
	secret_wipe(j, sizeof *j);
}

/* Nobody can be asked, or who was asked has ended. */
static void directory_lost(struct identity *id, struct directory_job *j, const char *why)
{
	const struct directory_answer a = { .request = j->request, .status = DIRECTORY_DOWN, .why = bytes_str(why) };

	directory_finish(id, j, &a);
}

struct directory_job *directory_job_new(struct identity *id, const struct asker *a, enum directory_kind kind, struct bytes provider, const struct bytes *args,
	size_t n)
{
	struct directory_job *j = NULL;
	struct directory_ask ask = { .kind = kind, .provider = provider, .arg_count = n };
	struct text t;

	for (size_t i = 0; i < DIRECTORY_JOBS_MAX && !j; i++)
		if (id->directory_jobs[i].state == DIRECTORY_JOB_FREE)
			j = &id->directory_jobs[i];
	if (!j)
		return NULL;
	*j = (struct directory_job){ .request = ++id->directory_serial, .kind = kind, .since_ms = loop_now_ms(id->run->loop) };
	if (a)
		j->asker = *a;
	snprintf(j->provider, sizeof j->provider, "%.*s", FMT(provider));
	ask.request = j->request;
	memcpy(ask.args, args, n * sizeof *args);
	text_init(&t, j->body, sizeof j->body);
	directory_ask_write(&t, &ask);
	j->body_len = t.len;
	if (t.failed) {
		secret_wipe(j, sizeof *j);
		return NULL;
	}
	j->state = DIRECTORY_JOB_NEW;
	return j;
}

/* Sign-ins first, then who came first. */
static struct directory_job *next_job(struct identity *id)
{
	struct directory_job *first = NULL;

	for (size_t i = 0; i < DIRECTORY_JOBS_MAX; i++) {
		struct directory_job *j = &id->directory_jobs[i];

		if (j->state != DIRECTORY_JOB_WAITS)
			continue;
		if (!first || j->is_lookup < first->is_lookup || (j->is_lookup == first->is_lookup && (int32_t)(j->request - first->request) < 0))
			first = j;
	}
	return first;
}

/* Of the configuration in use: one before may have other providers, one to come may never. */
static bool is_current(const struct identity *id, const struct directory_process *p)
{
	return p->channel && p->channel->index >> 8 == (id->generation & 0xff);
}

/* One process is kept free of lookups, where there is more than one. */
static bool may_look_up(const struct identity *id)
{
	size_t all = 0, busy = 0;

	for (size_t i = 0; i < DIRECTORIES_MAX; i++) {
		all += is_current(id, &id->directories[i]);
		busy += is_current(id, &id->directories[i]) && id->directories[i].job && id->directories[i].job->is_lookup;
	}
	return busy + 1 < all || (all == 1 && busy == 0);
}

void directory_hand_out(struct identity *id)
{
	for (size_t i = 0; i < DIRECTORIES_MAX; i++) {
		struct directory_process *p = &id->directories[i];
		struct directory_job *j = is_current(id, p) && !p->job ? next_job(id) : NULL;

		if (!j || (j->is_lookup && !may_look_up(id)))
			continue;
		if (role_send(p->channel, MSG_DIRECTORY_ASK, bytes_of(j->body, j->body_len), NULL, 0) != OK)
			continue;
		secret_wipe(j->body, sizeof j->body);
		p->job = j;
		j->state = DIRECTORY_JOB_ASKED;
	}
}

void directory_start(struct identity *id, struct directory_job *j)
{
	j->state = DIRECTORY_JOB_WAITS;
	directory_hand_out(id);
}

enum err directory_on_answer(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct identity *id = run->data;
	struct directory_answer a;

	TRY(directory_answer_parse(m->body, &a));
	for (size_t i = 0; i < DIRECTORIES_MAX; i++) {
		struct directory_process *p = &id->directories[i];
		struct directory_job *j = p->job;

		if (p->channel != from)
			continue;
		if (!j || a.request != j->request || !directory_answer_fits(&a, j->kind))
			return ERR_SYNTAX;
		p->job = NULL;
		directory_finish(id, j, &a);
		directory_hand_out(id);
		return OK;
	}
	return ERR_ORDER;
}

/* One of a configuration that only drains is not asked any more: its place is another's, if need be. */
void directory_peer(struct identity *id, struct channel *c)
{
	struct directory_process *place = NULL;

	for (size_t i = 0; i < DIRECTORIES_MAX; i++) {
		struct directory_process *p = &id->directories[i];

		if (!p->channel) {
			place = p;
			break;
		}
		if (!place && !p->job && !is_current(id, p))
			place = p;
	}
	if (place)
		*place = (struct directory_process){ .channel = c };
	directory_hand_out(id);
}

void directory_peer_gone(struct identity *id, struct channel *c)
{
	for (size_t i = 0; i < DIRECTORIES_MAX; i++) {
		struct directory_job *j = id->directories[i].job;

		if (id->directories[i].channel != c)
			continue;
		id->directories[i] = (struct directory_process){ .channel = NULL };
		if (j)
			directory_lost(id, j, "the process that asked it has ended: it took too long, or the error log says why");
		directory_hand_out(id);
	}
}

void directory_forget_asker(struct identity *id, const struct channel *c)
{
	for (size_t i = 0; i < DIRECTORY_JOBS_MAX; i++)
		if (id->directory_jobs[i].asker.channel == c)
			id->directory_jobs[i].asker.channel = NULL;
}

void directory_tick(struct identity *id)
{
	uint64_t now = loop_now_ms(id->run->loop);

	for (size_t i = 0; i < DIRECTORY_JOBS_MAX; i++) {
		struct directory_job *j = &id->directory_jobs[i];

		if (j->state == DIRECTORY_JOB_WAITS && now - j->since_ms >= DIRECTORY_WAIT_MS)
			directory_lost(id, j, "all processes that ask directories are busy: gateway.directories says how many there are");
	}
}
