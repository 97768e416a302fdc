/* One child process: started, given what it needs, listened to, restarted with back-off. What it says is
 * held against a table of two messages; anything else kills it. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/reader.h"
#include "roles/role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_LEAST_MS 100
#define BACKOFF_MOST_MS	 10000
#define STABLE_MS	 30000 /* after so long a life, the next restart is quick again */
#define HAND_OVER_MS	 2000  /* how long a starting child may leave its messages unread */
#define CONTROL_BUFFER	 (1 << 20)

enum err child_send(struct child *c, enum msg_type type, struct bytes body, int fd)
{
	enum err e;

	while ((e = ipc_send(c->control.fd, type, body, &fd, fd >= 0)) == ERR_AGAIN) {
		struct pollfd p = { c->control.fd, POLLOUT, 0 };

		/* A running child is never waited for. A starting one has not heard the world yet. */
		if (c->is_ready || poll(&p, 1, HAND_OVER_MS) <= 0)
			break;
	}
	if (e != OK && e != ERR_CLOSED) {
		LOG(EV_SYSTEM, KV_STR("call", "send"), KV_STR("message", ipc_msg_name(type)),
			KV_STR("to", role_name(c->role)), KV_UINT("index", c->index), KV_STR("result", err_name(e)));
		child_kill(c);
	}
	return e;
}

void child_kill(struct child *c)
{
	if (c->pid > 0)
		kill(c->pid, SIGKILL);
}

void child_end(struct child *c)
{
	c->is_ending = true;
	loop_timer_clear(c->master->loop, &c->restart);
	loop_remove(c->master->loop, &c->control, false);
	fd_close(&c->control.fd);
}

struct child *child_next(struct master *m, struct child_walk *w)
{
	struct child *rest[2 + HASHERS_MOST] = { &m->scribe, &m->identity.process };

	if (!w->is_begun)
		*w = (struct child_walk){ .gen = m->generations, .is_begun = true };
	for (; w->gen; w->gen = w->gen->next, w->next = 0)
		if (w->next < w->gen->child_count)
			return &w->gen->children[w->next++];
	for (size_t i = 0; i < HASHERS_MOST; i++)
		rest[2 + i] = &m->identity.hashers[i];
	while (w->next < COUNT_OF(rest))
		if (rest[w->next++]->master)
			return rest[w->next - 1];
	return NULL;
}

static void violation(struct child *c, const char *what)
{
	LOG(EV_IPC_VIOLATION, KV_STR("sender", role_name(c->role)), KV_UINT("index", c->index),
		KV_INT("pid", c->pid), KV_STR("what", what));
	child_kill(c);
}

/* 0: of those that outlive generations. */
static unsigned number_of(const struct child *c)
{
	return c->gen ? c->gen->number : 0;
}

static void on_ready(struct child *c, const struct ipc_msg *msg)
{
	if (c->is_ready) {
		violation(c, "ready twice");
		return;
	}
	c->is_ready = true;
	LOG(EV_CHILD_STARTED, KV_STR("role", role_name(c->role)), KV_UINT("index", c->index), KV_INT("pid", c->pid),
		KV_UINT("generation", number_of(c)), KV_BYTES("enforced", msg->body));
	if (c->role == ROLE_SCRIBE)
		master_ledger_ready(c->master);
	if (c->role == ROLE_IDENTITY)
		master_identity_ready(c->master);
	for (struct generation *g = c->master->generations, *next; g; g = next) { /* one that starts may wait for who outlives it */
		next = g->next;
		if (!c->gen || c->gen == g)
			generation_child_ready(g);
	}
}

/* What a process says that is not ready yet is put into an answer for people: its letters and no more. */
static void on_refused(struct child *c, const struct ipc_msg *msg)
{
	char *out = c->gen ? c->gen->refused : NULL;
	size_t n = 0;

	if (c->role != ROLE_WATCHER || c->is_ready || !out) {
		violation(c, ipc_msg_name(msg->type));
		return;
	}
	for (; n < msg->body.len && n + 1 < sizeof(c->gen->refused); n++)
		out[n] = msg->body.at[n] >= ' ' && msg->body.at[n] < 127 ? (char)msg->body.at[n] : '?';
	out[n] = 0;
}

/* It has ended, and what it said before may not have been heard yet. */
static void hear_why(struct child *c)
{
	static unsigned char buf[IPC_BODY_MAX + 2];
	struct ipc_msg msg;

	while (c->control.fd >= 0 && ipc_recv(c->control.fd, buf, &msg) == OK) {
		if (msg.type == MSG_REFUSED)
			on_refused(c, &msg);
		ipc_msg_close(&msg);
	}
}

static bool may_talk(const struct child *a, const struct child *b)
{
	static const unsigned peers[ROLE_COUNT] = {
		[ROLE_WORKER] = FROM(ROLE_KEEPER) | FROM(ROLE_DIALER) | FROM(ROLE_IDENTITY),
		[ROLE_KEEPER] = FROM(ROLE_WORKER) | FROM(ROLE_PROBER) | FROM(ROLE_SCRIBE) | FROM(ROLE_IDENTITY),
		[ROLE_DIALER] = FROM(ROLE_WORKER) | FROM(ROLE_PROBER) | FROM(ROLE_DIRECTORY) | FROM(ROLE_IDENTITY),
		[ROLE_PROBER] = FROM(ROLE_DIALER) | FROM(ROLE_KEEPER),
		[ROLE_SCRIBE] = FROM(ROLE_KEEPER),
		[ROLE_IDENTITY] = FROM(ROLE_WORKER) | FROM(ROLE_KEEPER) | FROM(ROLE_HASHER) | FROM(ROLE_DIRECTORY) | FROM(ROLE_DIALER),
		[ROLE_HASHER] = FROM(ROLE_IDENTITY),
		[ROLE_DIRECTORY] = FROM(ROLE_DIALER) | FROM(ROLE_IDENTITY),
	};
	const struct generation *g = a->gen ? a->gen : b->gen;

	if (!(peers[a->role] & FROM(b->role)) || (a->gen && b->gen && a->gen != b->gen))
		return false;
	if ((a->role == ROLE_DIALER && b->role == ROLE_IDENTITY) || (a->role == ROLE_IDENTITY && b->role == ROLE_DIALER))
		return g && g->conf->gateway.store.is_shared; /* else it has no way out at all */
	/* identity is nothing to who has no gateway */
	return !g || (a->role != ROLE_IDENTITY && b->role != ROLE_IDENTITY) || g->conf->gateway.is_on;
}

/* What to knows other as. The scribe numbers keepers by their generations, and so does identity, and workers and directories by both. */
static uint16_t index_for(const struct child *to, const struct child *other)
{
	if (to->gen || !other->gen)
		return other->index;
	if (other->role == ROLE_WORKER || other->role == ROLE_DIRECTORY)
		return (uint16_t)((other->gen->number & 0xff) << 8 | (other->index & 0xff));
	return (uint16_t)other->gen->number;
}

/* Whose ring the scribe means. */
static struct child *find_writer(struct master *m, unsigned role, uint16_t index, uint32_t generation)
{
	struct child_walk w = { 0 };
	struct child *o;

	while ((o = child_next(m, &w)))
		if (o->role == role && o->index == index && (o->gen ? o->gen->number : o->number) == generation)
			return o;
	return NULL;
}

/* Whom c means. The scribe reads the rings of all, and says of which generation. */
static struct child *find_accused(struct child *c, struct bytes body)
{
	struct reader r = { .left = body };
	uint8_t role = reader_u8(&r);
	uint16_t index = reader_u16(&r);
	bool is_of_ring = body.len == 7 && c->role == ROLE_SCRIBE;
	uint32_t generation = is_of_ring ? reader_u32(&r) : 0;
	struct child_walk w = { 0 };
	struct child *o;

	if (!reader_done(&r))
		return NULL;
	if (is_of_ring)
		return find_writer(c->master, role, index, generation);
	while ((o = child_next(c->master, &w)))
		if (o->role == role && index_for(c, o) == index && may_talk(c, o))
			return o;
	return NULL;
}

/* A child may accuse only those it has a channel to, or whose ring it reads. */
static void on_violation(struct child *c, const struct ipc_msg *msg)
{
	struct child *accused = find_accused(c, msg->body);

	if (!accused) {
		violation(c, "accuses a stranger");
		return;
	}
	if (msg->body.len == 7)
		accused->is_ring_spoiled = true;
	violation(accused, "told by its peer");
}

static void child_event(struct watch *w, uint32_t events)
{
	static unsigned char buf[IPC_BODY_MAX + 2];
	struct child *c = CONTAINER_OF(w, struct child, control);
	struct ipc_msg msg;
	enum err e = ipc_recv(w->fd, buf, &msg);

	(void)events;
	if (e == ERR_AGAIN)
		return;
	if (e == ERR_CLOSED || e == ERR_IO) { /* SIGCHLD tells the rest */
		loop_remove(c->master->loop, &c->control, false);
		fd_close(&c->control.fd);
		return;
	}
	if (e != OK)
		violation(c, "not a message");
	else if (msg.type == MSG_READY)
		on_ready(c, &msg);
	else if (msg.type == MSG_VIOLATION)
		on_violation(c, &msg);
	else if (msg.type == MSG_REFUSED)
		on_refused(c, &msg);
	else if (msg.type == MSG_LEDGER_FLUSHED && c->role == ROLE_SCRIBE)
		master_ledger_flushed(c->master);
	else if (msg.type == MSG_IDENTITY_ADMIN_IS && c->role == ROLE_IDENTITY && master_identity_answered(c->master, msg.body) == OK)
		;
	else
		violation(c, ipc_msg_name(msg.type));
	if (e == OK)
		ipc_msg_close(&msg);
}

/* In the child between fork and exec: descriptor 3 is the channel, nothing else but 0 to 2 goes along. */
NORETURN static void become(const char *path, enum role_id role, int control, const char *user)
{
	char name[32];
	char *argv[] = { name, (char *)(uintptr_t)user, NULL };
	sigset_t none;

	snprintf(name, sizeof(name), "sluis-%s", role_name(role));
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (control == ROLE_CONTROL_FD ? fd_cloexec(control, false) != OK : dup2(control, ROLE_CONTROL_FD) < 0)
		_exit(126);
	if (close_range(ROLE_CONTROL_FD + 1, ~0u, 0) < 0)
		_exit(126);
	execv(path, argv);
	_exit(127);
}

/* A descriptor that can only be read through: the same memory file, opened anew. */
static int read_only(int fd)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static enum err send_numbered(struct child *c, enum msg_type type, size_t number, int fd)
{
	unsigned char body[2] = { (unsigned char)(number & 0xff), (unsigned char)(number >> 8) };

	return child_send(c, type, bytes_of(body, sizeof(body)), fd);
}

enum err child_send_board(struct child *c, enum board_kind kind, unsigned index, int fd, bool writable)
{
	unsigned char body[3] = { (unsigned char)kind, (unsigned char)(index & 0xff), (unsigned char)(index >> 8) };
	AUTO(fd_close) int ro = writable ? -1 : read_only(fd);

	if (!writable && ro < 0)
		return ERR_IO;
	return child_send(c, MSG_BOARD, bytes_of(body, sizeof(body)), writable ? fd : ro);
}

static enum err hand_over_worker(struct child *c)
{
	struct generation *g = c->gen;

	for (size_t i = 0; i < g->conf->listener_count; i++)
		TRY(send_numbered(c, MSG_LISTENER, i, g->listener_fds[i]));
	if (g->admin_fd >= 0)
		TRY(send_numbered(c, MSG_LISTENER, CONF_ADMIN_LISTENER, g->admin_fd));
	TRY(child_send_board(c, BOARD_MASTER, 0, g->master_board, false));
	TRY(child_send_board(c, BOARD_HEALTH, 0, g->health_board, false));
	TRY(child_send_board(c, BOARD_LIMITS, 0, g->master->limits_board, true));
	TRY(child_send_board(c, BOARD_ISOLATION, 0, master_isolation_board(), false));
	for (size_t i = 0; i < g->child_count; i++)
		if (g->children[i].role == ROLE_WORKER)
			TRY(child_send_board(c, BOARD_WORKER, g->children[i].index, g->children[i].board, &g->children[i] == c));
	if (g->master->ledger_board >= 0)
		TRY(child_send_board(c, BOARD_LEDGER, 0, g->master->ledger_board, false));
	if (c->requests >= 0)
		TRY(child_send_board(c, BOARD_REQUESTS, c->index, c->requests, true));
	TRY(master_identity_hand_over_worker(c));
	if (g->master->access_log >= 0)
		TRY(child_send(c, MSG_ACCESS_LOG, BYTES(""), g->master->access_log));
	return OK;
}

static enum err hand_over_watcher(struct child *c)
{
	struct generation *g = c->gen;

	for (size_t i = 0; i < g->child_count; i++)
		if (g->children[i].requests >= 0)
			TRY(child_send_board(c, BOARD_REQUESTS, g->children[i].index, g->children[i].requests, true));
	return child_send(c, MSG_ALERTS, BYTES(""), g->master->alerts);
}

/* Checks show the certificate that their pool shows; the prober gets signatures of no other key. */
static bool is_for_checks(const struct conf *conf, size_t key)
{
	for (size_t i = 0; i < conf->pool_count; i++)
		if (conf->pools[i].check != CHECK_NONE && conf->pools[i].tls.has_client_cert &&
			conf->pools[i].tls.client_cert.key == key)
			return true;
	return false;
}

static enum err hand_over_keeper(struct child *c)
{
	struct generation *g = c->gen;

	for (size_t i = 0; i < g->conf->key_count; i++) {
		unsigned char body[3] = { (unsigned char)(i & 0xff), (unsigned char)(i >> 8), is_for_checks(g->conf, i) };

		lseek(g->key_fds[i], 0, SEEK_SET); /* a keeper before may have read it */
		TRY(child_send(c, MSG_KEY, bytes_of(body, sizeof(body)), g->key_fds[i]));
	}
	lseek(g->master->ticket_seed, 0, SEEK_SET);
	TRY(master_ledger_key(c));
	TRY(master_identity_key(c));
	return child_send(c, MSG_TICKET_SEED, BYTES(""), g->master->ticket_seed);
}

static enum err send_peer(struct child *to, const struct child *other, int fd)
{
	unsigned index = index_for(to, other);
	unsigned char body[3] = { (unsigned char)other->role, (unsigned char)(index & 0xff), (unsigned char)(index >> 8) };

	return child_send(to, MSG_PEER, bytes_of(body, sizeof(body)), fd);
}

static enum err connect_pair(struct child *c, struct child *other)
{
	const int size = CONTROL_BUFFER;
	int pair[2];
	enum err e;

	if (other == c || other->pid <= 0 || other->control.fd < 0 || !may_talk(c, other))
		return OK;
	TRY(ipc_pair(pair));
	/* Room for every signature that may be on its way (tls/sign.c), of the largest keys too. */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	e = send_peer(c, other, pair[0]);
	if (e == OK)
		(void)!send_peer(other, c, pair[1]); /* if it does not take it, it is going */
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return e;
}

/* Channels to all that run already; those that come later connect themselves. */
static enum err connect_peers(struct child *c)
{
	struct child_walk w = { 0 };
	struct child *o;

	while ((o = child_next(c->master, &w)))
		TRY(connect_pair(c, o));
	return OK;
}

enum err child_send_setup(struct child *c, uint32_t generation, size_t workers, int bundle)
{
	unsigned char mem[8];
	struct text setup;

	text_init(&setup, mem, sizeof(mem));
	text_put_u32(&setup, generation);
	text_put_u16(&setup, c->index);
	text_put_u16(&setup, (uint16_t)workers);
	return child_send(c, MSG_SETUP, text_bytes(&setup), bundle);
}

static enum err hand_over_of_generation(struct child *c)
{
	struct generation *g = c->gen;
	size_t workers = 0;

	for (size_t i = 0; i < g->child_count; i++)
		workers += g->children[i].role == ROLE_WORKER;
	TRY(child_send_setup(c, g->number, workers, g->bundle));
	if (c->role == ROLE_WORKER)
		TRY(hand_over_worker(c));
	if (c->role == ROLE_KEEPER)
		TRY(hand_over_keeper(c));
	if (c->role == ROLE_WATCHER)
		TRY(hand_over_watcher(c));
	for (size_t i = 0; c->role == ROLE_DIRECTORY && i < g->conf->secret_count; i++) {
		if (g->conf->gateway.store.has_password && i == g->conf->gateway.store.secret)
			continue;
		lseek(g->secret_fds[i], 0, SEEK_SET); /* one before may have read it */
		TRY(send_numbered(c, MSG_SECRET, i, g->secret_fds[i]));
	}
	if (c->role == ROLE_DIALER)
		TRY(child_send_board(c, BOARD_ISOLATION, 0, master_isolation_board(), false));
	if (c->role == ROLE_PROBER)
		TRY(child_send_board(c, BOARD_HEALTH, 0, g->health_board, true));
	if (c->role == ROLE_DIALER && g->master->ledger_board >= 0)
		TRY(child_send_board(c, BOARD_LEDGER, 0, g->master->ledger_board, false));
	return OK;
}

static enum err hand_over(struct child *c)
{
	TRY(c->gen ? hand_over_of_generation(c) : c->role == ROLE_SCRIBE ? master_ledger_hand_over(c) : master_identity_hand_over(c));
	if (c->ring >= 0)
		TRY(child_send_board(c, BOARD_RING, 0, c->ring, true));
	TRY(connect_peers(c));
	return child_send(c, MSG_START, BYTES(""), -1);
}

enum err child_start(struct child *c)
{
	struct master *m = c->master;
	const int size = CONTROL_BUFFER;
	char path[4200], user[64];
	int pair[2];

	snprintf(path, sizeof(path), "%s/sluis-%s", m->program_dir, role_name(c->role));
	if (c->gen)
		snprintf(user, sizeof(user), "%.*s", FMT(c->gen->conf->user));
	else
		snprintf(user, sizeof(user), "%s", c->role == ROLE_SCRIBE ? m->ledger_user : m->identity.user);
	TRY(master_ledger_begins(c));
	TRY(ipc_pair(pair));
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)); /* as much as the system grants */
	c->pid = fork();
	if (c->pid == 0)
		become(path, c->role, pair[1], user);
	fd_close(&pair[1]);
	if (c->pid < 0) {
		c->pid = 0;
		fd_close(&pair[0]);
		return ERR_IO;
	}
	c->is_ready = false;
	c->started_ms = loop_now_ms(m->loop);
	c->control = (struct watch){ .fd = pair[0], .on_event = child_event };
	if (loop_add(m->loop, &c->control, EPOLLIN) != OK || hand_over(c) != OK)
		child_kill(c); /* its exit is handled like any other */
	return OK;
}

static void child_restart(struct timer *t)
{
	struct child *c = CONTAINER_OF(t, struct child, restart);

	c->master->child_restarts++;
	if (c->gen)
		c->gen->board->child_restarts++;
	if (child_start(c) != OK) {
		LOG(EV_SYSTEM, KV_STR("call", "fork"), KV_ERRNO());
		loop_timer_set(c->master->loop, t, BACKOFF_MOST_MS, child_restart);
	}
}

void child_restart_now(struct child *c)
{
	if (c->pid == 0)
		loop_timer_set(c->master->loop, &c->restart, 0, child_restart);
}

void child_exited(struct child *c, int status)
{
	struct master *m = c->master;
	bool expected = c->is_ending && WIFEXITED(status) && WEXITSTATUS(status) == 0, was_ready = c->is_ready;

	if (!expected)
		LOG(EV_CHILD_EXITED, KV_STR("role", role_name(c->role)), KV_UINT("index", c->index), KV_INT("pid", c->pid),
			KV_UINT("generation", number_of(c)), KV_INT("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
			KV_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
	c->pid = 0;
	if (c->role == ROLE_WATCHER && !c->is_ready)
		hear_why(c);
	c->is_ready = false;
	loop_remove(m->loop, &c->control, false);
	fd_close(&c->control.fd);
	master_ledger_ended(c);
	if (c->role == ROLE_SCRIBE && c->is_ending && (expected || !m->flushing)) {
		master_ledger_flushed(m);
		master_went_out(m);
		return;
	}
	if (c->role == ROLE_SCRIBE)
		c->is_ending = false; /* its last batch is not written yet */
	if ((c->role == ROLE_IDENTITY || c->role == ROLE_HASHER) && master_identity_exited(c, was_ready))
		return;
	if (c->role == ROLE_WORKER)
		generation_counters_fold(c->gen, c);
	if (c->gen && (c->is_ending || c->gen->state == GEN_STARTING || c->gen->state == GEN_ENDING)) {
		c->is_ending = true;
		generation_child_gone(c->gen, c);
		return;
	}
	if (loop_now_ms(m->loop) - c->started_ms > STABLE_MS || !c->backoff_ms)
		c->backoff_ms = BACKOFF_LEAST_MS;
	loop_timer_set(m->loop, &c->restart, m->flushing ? BACKOFF_LEAST_MS : c->backoff_ms, child_restart);
	c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : c->backoff_ms * 2;
}
