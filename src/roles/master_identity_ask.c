/* Administrators' questions about users and sessions: the master hands them on to identity, with who asks, and brings the answer back. It looks at
 * nothing of them but what logs may tell. A question may carry a password, so what it passed through is wiped. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"

#include <stdio.h>

#define ANSWER_MS   10000
#define REQUEST_LEN 4
#define FIELD_MOST  64

/* A list of what is told, and not of what is not: a field that comes later is a secret until it stands here. */
void master_identity_told(const json_t *request, char *out, size_t size)
{
	static const char *const fields[] = { "action", "what", "user", "name", "group", "session" };
	struct text t;

	text_init(&t, out, size - 1);
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		struct bytes value = bytes_cut(bytes_str(json_string_value(json_object_get(request, fields[i]))), 0, FIELD_MOST);

		if (value.len == 0 || size - 1 - t.len <= value.len)
			continue;
		if (t.len)
			text_byte(&t, ' ');
		for (size_t n = 0; n < value.len; n++)
			text_byte(&t, value.at[n] > ' ' && value.at[n] < 127 ? value.at[n] : '?');
	}
	out[t.len] = 0;
}

static void forget(struct identity_question *q)
{
	loop_timer_clear(q->master->loop, &q->late);
	*q = (struct identity_question){ 0 };
}

static void answer(struct identity_question *q, json_t *j)
{
	struct admin_conn *asker = q->asker;

	forget(q);
	admin_answer(asker, j);
}

static void answer_late(struct timer *t)
{
	answer(CONTAINER_OF(t, struct identity_question, late),
		admin_error("identity did not answer within 10 seconds; whether it was done is not known: look, and try again"));
}

static void wipe_password(const json_t *request)
{
	const json_t *password = json_object_get(request, "password");

	if (json_is_string(password))
		secret_wipe((void *)(uintptr_t)json_string_value(password), json_string_length(password));
}

/* request u32, and the question with the asker's uid, whatever uid it gave itself. */
static enum err write_question(struct text *t, uint32_t number, const json_t *request, uid_t uid)
{
	unsigned char mem[IPC_BODY_MAX - REQUEST_LEN];
	json_t *all = json_copy((json_t *)(uintptr_t)request); /* shallow: a password stays where it is */
	size_t len;
	enum err e = ERR_LIMIT;

	if (!all || json_object_set_new(all, "uid", json_integer(uid)) < 0) {
		json_decref(all);
		return ERR_MEMORY;
	}
	len = json_dumpb(all, (char *)mem, sizeof(mem), JSON_COMPACT);
	json_decref(all);
	if (len > 0 && len <= sizeof(mem)) {
		text_put_u32(t, number);
		text_add(t, bytes_of(mem, len));
		e = OK;
	}
	secret_wipe(mem, sizeof(mem));
	return e;
}

static struct identity_question *free_question(struct master *m)
{
	for (size_t i = 0; i < ADMIN_CONNS_MAX; i++)
		if (!m->identity.questions[i].asker)
			return &m->identity.questions[i];
	return NULL;
}

json_t *master_identity_ask(struct master *m, struct admin_conn *c, const json_t *request)
{
	struct child *identity = &m->identity.process;
	struct identity_question *q = free_question(m);
	unsigned char mem[IPC_BODY_MAX];
	struct text t;
	enum err e;

	CHECK(q); /* there are as many as askers */
	text_init(&t, mem, sizeof(mem));
	e = write_question(&t, ++m->identity.last_request, request, c->uid);
	wipe_password(request);
	secret_wipe(c->in, sizeof(c->in));
	if (e == OK && identity->is_ready && !identity->is_ending) {
		e = ipc_send(identity->control.fd, MSG_IDENTITY_ADMIN, text_bytes(&t), NULL, 0);
		secret_wipe(mem, sizeof(mem));
		if (e != OK)
			return admin_error("identity is too busy to be asked; try again in a moment");
		*q = (struct identity_question){ .master = m, .asker = c, .request = m->identity.last_request };
		loop_timer_set(m->loop, &q->late, ANSWER_MS, answer_late);
		return NULL;
	}
	secret_wipe(mem, sizeof(mem));
	if (e == ERR_LIMIT)
		return admin_error("the request is longer than identity takes (4 KB)");
	if (e != OK)
		return admin_error("no memory");
	if (!identity->master)
		return admin_error("identity does not run: the configuration in use has no gateway: section, without which there are no users and sessions");
	return admin_error("identity does not run at the moment; it is being started: try again, and see the error log if it stays so");
}

enum err master_identity_answered(struct master *m, struct bytes body)
{
	struct reader r = { .left = body };
	uint32_t request = reader_u32(&r);
	struct bytes text = reader_rest(&r);
	json_t *j = text.len ? json_loadb((const char *)text.at, text.len, JSON_REJECT_DUPLICATES, NULL) : NULL;

	if (r.failed || !json_is_object(j)) {
		json_decref(j);
		return ERR_SYNTAX;
	}
	for (size_t i = 0; i < ADMIN_CONNS_MAX; i++) {
		struct identity_question *q = &m->identity.questions[i];

		if (q->asker && q->request == request) {
			answer(q, j);
			return OK;
		}
	}
	json_decref(j); /* the asker went away, or did not wait so long */
	return OK;
}

void master_identity_no_answer(struct master *m)
{
	for (size_t i = 0; i < ADMIN_CONNS_MAX; i++)
		if (m->identity.questions[i].asker)
			answer(&m->identity.questions[i],
				admin_error("identity ended before it answered; whether it was done is not known: look, and try again"));
}

void master_identity_on_gone(struct master *m, struct admin_conn *c)
{
	for (size_t i = 0; i < ADMIN_CONNS_MAX; i++)
		if (m->identity.questions[i].asker == c)
			forget(&m->identity.questions[i]);
}
