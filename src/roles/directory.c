/* directory: asks directories of people whether a password is right and who somebody is. It holds the passwords of the service accounts and hears one
 * question at a time from identity; it has no socket, no name lookup and no file: connections come from the dialer, to servers of providers alone. It
 * blocks while it asks. A question that takes too long ends it, and the master starts another. */
#include "roles/directory_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "jail/jail.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>

#define ARENA_SIZE (512 * 1024)
#define NICENESS   5

static struct directory directory;
static unsigned char arena_memory[ARENA_SIZE];

uint64_t directory_now_ms(void)
{
	return clock_mono_us() / 1000;
}

struct bytes directory_text(struct directory *d, const char *fmt, ...)
{
	unsigned char mem[400];
	struct bytes b;
	struct text t;
	va_list ap;

	text_init(&t, mem, sizeof mem);
	va_start(ap, fmt);
	text_vfmt(&t, fmt, ap);
	va_end(ap);
	b = arena_copy(&d->arena, text_bytes(&t));
	return b.at ? b : BYTES("");
}

void directory_refuse(struct directory_answer *a, enum directory_status status, struct bytes why)
{
	*a = (struct directory_answer){ .request = a->request, .status = status, .why = why };
}

/* --- connections --- */

/* The next message of the dialer. ERR_TIMEOUT: none until end_ms. */
static enum err hear(struct channel *c, unsigned char *buf, uint64_t end_ms, struct ipc_msg *m)
{
	for (;;) {
		uint64_t now = directory_now_ms();
		struct pollfd p = { c->watch.fd, POLLIN, 0 };
		enum err e = ipc_recv(c->watch.fd, buf, m);

		if (e != ERR_AGAIN)
			return e;
		if (now >= end_ms || (poll(&p, 1, (int)(end_ms - now)) < 0 && errno != EINTR))
			return ERR_TIMEOUT;
	}
}

/* What the dialer said about the dial of that number; ERR_AGAIN: about another, which was given up. */
static enum err take_dialed(struct ipc_msg *m, uint32_t dial, int *fd, int *error)
{
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	enum err e = (enum err)reader_u8(&r);

	if (m->type != MSG_DIALED && m->type != MSG_DIAL_FAILED)
		return ERR_SYNTAX;
	if (request != dial)
		return ERR_AGAIN;
	*error = (int)reader_u32(&r);
	if (m->type == MSG_DIAL_FAILED)
		return e == OK || e == ERR_AGAIN || e == ERR_SYNTAX ? ERR_IO : e;
	if (m->fds_lost)
		return ERR_LIMIT;
	*fd = m->fds[0];
	m->fds[0] = -1;
	return OK;
}

static struct bytes why_not(struct directory *d, const struct conf_server *s, enum err e, int error)
{
	const char *what = e == ERR_TIMEOUT ? "no connection within the time limit" : e == ERR_NOT_FOUND ? "no address of the name is known" :
		e == ERR_DENIED ? "isolated, or the ledger cannot be written" : e == ERR_CLOSED ? "no dialer" : e == ERR_LIMIT ? "no descriptor left" :
		error ? strerror(error) : err_name(e);

	return directory_text(d, "%.*s: connect: %s", FMT(s->name), what);
}

enum err directory_dial(struct directory *d, uint16_t pool, uint16_t server, uint64_t end_ms, int *fd, struct bytes *why)
{
	static unsigned char buf[IPC_BODY_MAX + 2];
	uint32_t dial = ++d->dials;
	unsigned char mem[8];
	struct ipc_msg m;
	int error = 0;
	struct text t;
	enum err e;

	text_init(&t, mem, sizeof mem);
	text_put_u32(&t, dial);
	text_put_u16(&t, pool);
	text_put_u16(&t, server);
	e = d->dialer ? role_send(d->dialer, MSG_DIAL, text_bytes(&t), NULL, 0) : ERR_CLOSED;
	while (e == OK) {
		e = hear(d->dialer, buf, end_ms, &m);
		if (e != OK)
			break;
		e = take_dialed(&m, dial, fd, &error);
		ipc_msg_close(&m);
		if (e == OK)
			return OK;
		if (e == ERR_SYNTAX)
			role_violation(d->dialer, "not what a dial is answered with");
		if (e == ERR_AGAIN)
			e = OK;
	}
	*why = why_not(d, &d->conf->pools[pool].servers[server], e, error);
	return e;
}

/* One that was given up. */
static enum err on_dialed_late(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)run, (void)from, (void)m;
	return OK;
}

/* --- questions --- */

/* The default of SIGALRM is the end: whatever a library hangs in. 0: no longer. */
static void end_after(uint64_t ms)
{
	const struct itimerval t = { .it_value = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) } };

	(void)!setitimer(ITIMER_REAL, &t, NULL);
}

static void ask(struct directory *d, const struct directory_ask *q, struct directory_answer *a)
{
	const struct conf_ldap *l = conf_ldap_by_name(d->conf, q->provider);
	const struct conf_oidc *o = conf_oidc_by_name(d->conf, q->provider);

	if (l && (q->kind == DIRECTORY_PASSWORD || q->kind == DIRECTORY_LOOKUP)) {
		end_after(l->timeout_ms + DIRECTORY_SPARE_MS);
		ldap_answer(d, l, q, directory_now_ms() + l->timeout_ms, a);
	} else if (o && (q->kind == DIRECTORY_WHERE || q->kind == DIRECTORY_CODE || q->kind == DIRECTORY_LOGOUT)) {
		end_after(o->timeout_ms + DIRECTORY_SPARE_MS);
		oidc_answer(d, o, q, directory_now_ms() + o->timeout_ms, a);
	} else {
		directory_refuse(a, DIRECTORY_DOWN, BYTES("this configuration has no such provider"));
	}
	end_after(0);
}

static enum err send_answer(struct channel *to, const struct directory_answer *a, bool *is_too_long)
{
	unsigned char mem[DIRECTORY_BODY_MAX];
	struct text t;
	enum err e = OK;

	text_init(&t, mem, sizeof mem);
	directory_answer_write(&t, a);
	*is_too_long = t.failed;
	if (!t.failed)
		e = role_send(to, MSG_DIRECTORY_ANSWER, text_bytes(&t), NULL, 0);
	return e == ERR_AGAIN || e == ERR_CLOSED ? OK : e; /* an identity that does not read its answers loses them */
}

static enum err on_ask(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct directory *d = run->data;
	struct directory_answer a = { 0 };
	struct directory_ask q;
	bool is_too_long = false;
	enum err e;

	TRY(directory_ask_parse(m->body, &q));
	arena_reset(&d->arena);
	a.request = q.request;
	ask(d, &q, &a);
	e = send_answer(from, &a, &is_too_long);
	if (e == OK && is_too_long) {
		directory_refuse(&a, DIRECTORY_WRONG, BYTES("more groups than fit into an answer: name those that matter in take_groups"));
		e = send_answer(from, &a, &is_too_long);
	}
	secret_wipe((void *)(uintptr_t)m->body.at, m->body.len);
	return e;
}

/* --- start --- */

static enum err on_secret(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint16_t i = reader_u16(&r);
	struct text t;

	(void)run, (void)from;
	if (!reader_done(&r) || i >= SECRETS_MAX || directory.secrets[i].at)
		return ERR_SYNTAX;
	unsigned char *mem = malloc(SECRET_MAX + 1); /* until the end of the process */
	if (!mem)
		return ERR_MEMORY;
	text_init(&t, mem, SECRET_MAX);
	if (fd_read_at_start(m->fds[0], &t) != OK)
		t.len = 0; /* directory_start, which knows the paths, refuses it */
	while (t.len && (mem[t.len - 1] == '\n' || mem[t.len - 1] == '\r'))
		t.len--;
	mem[t.len] = 0;
	directory.secrets[i] = text_bytes(&t);
	return OK;
}

static enum err directory_start(struct role_run *run)
{
	struct directory *d = &directory;

	d->run = run;
	run->data = d;
	arena_init(&d->arena, arena_memory, sizeof arena_memory);
	TRY(role_conf(run, &d->conf));
	for (size_t i = 0; i < d->conf->secret_count; i++) {
		if (d->conf->gateway.store.has_password && i == d->conf->gateway.store.secret)
			continue; /* identity's */
		if (i >= SECRETS_MAX || !d->secrets[i].at)
			return ERR_ORDER;
		/* RFC 4513 5.1.2: with an empty one a server would take us for nobody, and say yes. */
		if (d->secrets[i].len == 0) {
			LOG(EV_DIRECTORY_DOWN, KV_BYTES("file", d->conf->secrets[i]), KV_STR("why", "the file of the password is empty, has more than 1024 octets, or cannot be read"));
			return ERR_DENIED;
		}
	}
	errno = 0; /* libldap waits for TLS by asking again and again: that must not take the cores from workers */
	if (getpriority(PRIO_PROCESS, 0) < NICENESS && errno == 0)
		(void)!setpriority(PRIO_PROCESS, 0, NICENESS);
	TRY(oidc_start(d));
	return ldap_start(d);
}

static enum err directory_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c->role == ROLE_DIALER)
		directory.dialer = c;
	else if (c->role != ROLE_IDENTITY)
		return ERR_DENIED;
	return OK;
}

static void directory_peer_gone(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c == directory.dialer)
		directory.dialer = NULL;
}

static const struct role role_directory = {
	.id = ROLE_DIRECTORY,
	.syscalls = jail_directory,
	.files = 64,
	.hears = (const struct call[]){
		/* message          from                 when          handler */
		{ MSG_SECRET,       FROM(ROLE_MASTER),   WHEN_SETUP,   on_secret },
		{ MSG_DIRECTORY_ASK, FROM(ROLE_IDENTITY), WHEN_RUNNING, on_ask },
		{ MSG_DIALED,       FROM(ROLE_DIALER),   WHEN_RUNNING, on_dialed_late },
		{ MSG_DIAL_FAILED,  FROM(ROLE_DIALER),   WHEN_RUNNING, on_dialed_late },
		{ 0 },
	},
	.start = directory_start,
	.peer = directory_peer,
	.peer_gone = directory_peer_gone,
};

int main(int argc, char **argv)
{
	return role_main(&role_directory, argc, argv);
}
