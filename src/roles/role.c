/* Start-up, confinement and message table of every child process. Nothing here knows what a role does. */
#define _GNU_SOURCE
#include "roles/role.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGES_PER_TURN 32 /* of one channel; so that one peer cannot keep the others waiting */
#define BUNDLE_MAX	  (256u << 20)

static unsigned char report_mem[256]; /* the body of MSG_READY */
static struct text report;

static enum err on_setup(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	struct stat st;
	void *at;

	(void)from;
	if (run->bundle.at)
		return ERR_ORDER;
	run->generation = reader_u32(&r);
	run->index = reader_u16(&r);
	run->workers = reader_u16(&r);
	if (!reader_done(&r))
		return ERR_SYNTAX;
	log_init(role_name(run->role->id), run->index, LOG_LEVEL_INFO);
	if (fstat(m->fds[0], &st) < 0 || st.st_size <= 0 || st.st_size > BUNDLE_MAX)
		return ERR_LIMIT;
	at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->fds[0], 0);
	if (at == MAP_FAILED)
		return ERR_IO;
	run->bundle = bytes_of(at, (size_t)st.st_size);
	return OK;
}

static void channel_event(struct watch *w, uint32_t events);

static void channel_close(struct channel *c)
{
	struct role_run *run = c->run;

	if (c->is_closed)
		return;
	c->is_closed = true;
	loop_remove(run->loop, &c->watch, false);
	fd_close(&c->watch.fd);
	if (c == run->control)
		return;
	for (struct channel **at = &run->channels; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	if (run->role->peer_gone)
		run->role->peer_gone(run, c);
}

static enum err on_peer(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint8_t role = reader_u8(&r);
	uint16_t index = reader_u16(&r);
	struct channel *c;

	(void)from;
	if (!reader_done(&r) || role == ROLE_MASTER || role >= ROLE_COUNT || !run->bundle.at)
		return ERR_SYNTAX;
	/* A restarted peer takes its forerunner's place. */
	c = role_find_peer(run, (enum role_id)role, index);
	if (c) {
		channel_close(c);
		free(c);
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_MEMORY;
	*c = (struct channel){ .watch = { .fd = m->fds[0], .on_event = channel_event }, .role = (enum role_id)role,
		.index = index, .run = run, .next = run->channels };
	if (fd_nonblock(c->watch.fd) != OK || (run->is_running && loop_add(run->loop, &c->watch, EPOLLIN) != OK)) {
		free(c);
		return ERR_IO;
	}
	m->fds[0] = -1;
	run->channels = c;
	return run->role->peer ? run->role->peer(run, c) : OK;
}

static enum err on_start(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	const int *const lists[] = { run->role->syscalls, NULL };
	struct jail jail = { .syscalls = lists, .may_connect = run->role->may_connect, .files = run->role->files };

	(void)m;
	if (!run->bundle.at)
		return ERR_ORDER;
	if (run->role->start)
		TRY(run->role->start(run));
	jail.writes = run->writes;
	TRY(jail_apply(&jail, &report));
	LOG(EV_CONFINED, KV_BYTES("enforced", text_bytes(&report)));
	run->is_running = true;
	for (struct channel *c = run->channels; c; c = c->next)
		TRY(loop_add(run->loop, &c->watch, EPOLLIN));
	if (run->role->run)
		TRY(run->role->run(run));
	return role_send(from, MSG_READY, text_bytes(&report), NULL, 0);
}

static enum err on_error_log(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)run;
	(void)from;
	if (m->fds_lost)
		return OK; /* the log before is better than none */
	return dup3(m->fds[0], STDERR_FILENO, 0) < 0 ? ERR_IO : OK;
}

static const struct call common[] = {
	{ MSG_ERROR_LOG, FROM(ROLE_MASTER), WHEN_SETUP | WHEN_RUNNING, on_error_log },
	{ MSG_SETUP, FROM(ROLE_MASTER), WHEN_SETUP, on_setup },
	{ MSG_PEER, FROM(ROLE_MASTER), WHEN_SETUP | WHEN_RUNNING, on_peer },
	{ MSG_START, FROM(ROLE_MASTER), WHEN_SETUP, on_start },
	{ 0 },
};

static const struct call *find_call(const struct call *list, enum msg_type type)
{
	for (; list && list->type != MSG_NONE; list++)
		if (list->type == type)
			return list;
	return NULL;
}

void role_violation(struct channel *c, const char *what)
{
	struct role_run *run = c->run;

	if (c->is_closed)
		return;
	LOG(EV_IPC_VIOLATION, KV_STR("sender", role_name(c->role)), KV_UINT("index", c->index), KV_STR("what", what));
	if (c == run->control) {
		role_exit(run, 1);
	} else {
		unsigned char body[3] = { (unsigned char)c->role, (unsigned char)(c->index & 0xff),
			(unsigned char)(c->index >> 8) };

		/* A master that does not read for so long that its buffer is full: nothing can be told, so end. */
		if (role_send(run->control, MSG_VIOLATION, bytes_of(body, sizeof(body)), NULL, 0) != OK)
			role_exit(run, 1);
	}
	channel_close(c);
}

/* One message; false when c was closed. */
static bool dispatch(struct channel *c, struct ipc_msg *m)
{
	struct role_run *run = c->run;
	const struct call *call = find_call(common, m->type);
	char what[80];
	enum err e;

	if (!call)
		call = find_call(run->role->hears, m->type);
	if (!call || !(call->from & FROM(c->role)))
		e = ERR_DENIED;
	else if (!(call->when & (run->is_running ? WHEN_RUNNING : WHEN_SETUP)))
		e = ERR_ORDER;
	else
		e = call->handle(run, c, m);
	if (e == OK || c->is_closed)
		return !c->is_closed;
	snprintf(what, sizeof(what), "%s: %s", ipc_msg_name(m->type), err_name(e));
	role_violation(c, what);
	return false;
}

static void channel_read(struct channel *c)
{
	static unsigned char buf[IPC_BODY_MAX + 2];

	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		struct ipc_msg m;
		enum err e = ipc_recv(c->watch.fd, buf, &m);
		bool is_open;

		if (e == ERR_AGAIN)
			return;
		if (e != OK) {
			if (e == ERR_SYNTAX)
				role_violation(c, "not a message");
			else if (c == c->run->control)
				role_exit(c->run, 0); /* the master is gone, so are we */
			channel_close(c);
			return;
		}
		is_open = dispatch(c, &m);
		secret_wipe(buf, sizeof buf); /* tokens, passwords and tickets' keys pass through here */
		ipc_msg_close(&m);
		if (!is_open)
			return;
	}
}

static void channel_event(struct watch *w, uint32_t events)
{
	struct channel *c = CONTAINER_OF(w, struct channel, watch);
	struct role_run *run = c->run;

	if (events & EPOLLOUT && c->wants_write && run->role->writable)
		run->role->writable(run, c);
	if (!c->is_closed && events & ~(uint32_t)EPOLLOUT)
		channel_read(c);
	if (c->is_closed && c != run->control)
		free(c);
}

enum err role_send(struct channel *c, enum msg_type type, struct bytes body, const int *fds, unsigned fd_count)
{
	if (c->is_closed)
		return ERR_CLOSED;
	return ipc_send(c->watch.fd, type, body, fds, fd_count);
}

void role_want_write(struct channel *c, bool on)
{
	if (c->is_closed || c->wants_write == on)
		return;
	c->wants_write = on;
	if (c->watch.is_added && loop_change(c->run->loop, &c->watch, on ? EPOLLIN | EPOLLOUT : EPOLLIN) != OK)
		role_exit(c->run, 1);
}

struct channel *role_find_peer(struct role_run *run, enum role_id role, uint16_t index)
{
	for (struct channel *c = run->channels; c; c = c->next)
		if (c->role == role && c->index == index)
			return c;
	return NULL;
}

void role_exit(struct role_run *run, int status)
{
	run->exit_status = status;
	loop_stop(run->loop);
}

static void ignore_signals(void)
{
	static const int ours[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };

	/* A terminal sends its signals to all; what they mean is for the master to say. */
	for (size_t i = 0; i < COUNT_OF(ours); i++)
		signal(ours[i], SIG_IGN);
}

int role_main(const struct role *r, int argc, char **argv)
{
	static struct role_run run;
	static struct channel control;
	struct jail jail = { .user_prefix = argc > 1 ? argv[1] : NULL, .role = role_name(r->id) };
	int type = 0;
	socklen_t len = sizeof(type);

	log_init(role_name(r->id), -1, LOG_LEVEL_INFO);
	if (getsockopt(ROLE_CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET) {
		fprintf(stderr, "sluis-%s is started by sluisd, not by hand\n", role_name(r->id));
		return 2;
	}
	ignore_signals();
	text_init(&report, report_mem, sizeof(report_mem));
	if (jail_leave_root(&jail, &report) != OK) {
		LOG(EV_SYSTEM, KV_STR("call", "leave root"), KV_ERRNO());
		return 1;
	}
	run = (struct role_run){ .role = r, .loop = loop_new(), .control = &control };
	control = (struct channel){ .watch = { .fd = ROLE_CONTROL_FD, .on_event = channel_event },
		.role = ROLE_MASTER, .run = &run };
	if (!run.loop || fd_nonblock(ROLE_CONTROL_FD) != OK || fd_cloexec(ROLE_CONTROL_FD, true) != OK ||
		loop_add(run.loop, &control.watch, EPOLLIN) != OK) {
		LOG(EV_SYSTEM, KV_STR("call", "start"), KV_ERRNO());
		return 1;
	}
	loop_run(run.loop);
	if (run.is_running && r->end)
		r->end(&run);
	/* Straight to the end: nothing of a confined process needs tidying by run-time libraries, which might
	 * call what is no longer allowed. */
	_exit(run.exit_status);
}
