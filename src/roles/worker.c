/* worker: speaks with the network and holds nothing but its own connections. No file, no socket of its own,
 * no key: listening sockets come from the master, connections to servers from the dialer, signatures from the
 * keeper. One event loop; the master starts one worker per core. */
#include "roles/role.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/text.h"
#include "jail/jail.h"
#include "proxy/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define LISTENERS_MAX 256
#define TICKETS_RETRY_MS 1000

struct worker {
	struct engine engine;
	struct tls_signer signer;
	struct role_run *run;
	struct conf *conf;
	struct channel *keeper, *dialer;
	struct timer tickets_timer;
	struct { uint16_t id; int fd; } listeners[LISTENERS_MAX];
	size_t listener_count;
	bool is_listening;
};

static struct worker worker;

static enum err post_sign(struct tls_signer *s, uint32_t request, uint16_t key, uint16_t scheme, struct bytes digest)
{
	return role_sign(CONTAINER_OF(s, struct worker, signer)->keeper, request, key, scheme, digest);
}

static enum err post_dial(struct engine *g, uint32_t request, uint16_t pool, uint16_t server)
{
	struct worker *w = g->role;
	unsigned char mem[8];
	struct text t;

	if (!w->dialer)
		return ERR_AGAIN;
	text_init(&t, mem, sizeof mem);
	text_put_u32(&t, request);
	text_put_u16(&t, pool);
	text_put_u16(&t, server);
	return role_send(w->dialer, MSG_DIAL, text_bytes(&t), NULL, 0);
}

static void ask_tickets(struct timer *t)
{
	struct worker *w = CONTAINER_OF(t, struct worker, tickets_timer);

	if (!w->keeper || role_send(w->keeper, MSG_TICKETS, BYTES(""), NULL, 0) != OK)
		loop_timer_set(w->run->loop, t, TICKETS_RETRY_MS, ask_tickets);
}

static enum err worker_listen(struct worker *w)
{
	w->is_listening = true;
	for (size_t i = 0; i < w->listener_count; i++)
		TRY(engine_listen(&w->engine, w->listeners[i].id, w->listeners[i].fd));
	return OK;
}

static bool has_tls(const struct conf *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		if (c->listeners[i].tls.is_on)
			return true;
	return false;
}

static void on_drained(struct engine *g)
{
	struct worker *w = g->role;

	access_log_flush(g);
	role_exit(w->run, 0);
}

/* --- what this process hears --- */

static enum err on_listener(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint16_t id = reader_u16(&r);

	(void)run, (void)from;
	if (!reader_done(&r) || worker.listener_count >= LISTENERS_MAX)
		return ERR_SYNTAX;
	worker.listeners[worker.listener_count].id = id;
	worker.listeners[worker.listener_count++].fd = m->fds[0];
	m->fds[0] = -1;
	return OK;
}

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint8_t kind = reader_u8(&r);
	uint16_t index = reader_u16(&r);
	struct engine *g = &worker.engine;
	bool is_own = kind == BOARD_WORKER && index == run->index;
	void *at;

	(void)from;
	if (!reader_done(&r) || kind > BOARD_SEEN || index >= BOARD_WORKERS_MAX)
		return ERR_SYNTAX;
	TRY(board_map((enum board_kind)kind, m->fds[0], is_own || kind == BOARD_LIMITS || kind == BOARD_RING || kind == BOARD_REQUESTS ||
		kind == BOARD_SEEN, &at));
	switch ((enum board_kind)kind) {
	case BOARD_MASTER: g->admin = at; break;
	case BOARD_HEALTH: g->health = at; break;
	case BOARD_LIMITS: g->limits = at; break;
	case BOARD_LEDGER: g->ledger = at; break;
	case BOARD_RING: g->records = at; break;
	case BOARD_ISOLATION: g->isolation = at; break;
	case BOARD_REQUESTS: g->seen = at; break;
	case BOARD_SESSIONS: g->sessions = at; break;
	case BOARD_SEEN: g->sessions_seen = at; break;
	case BOARD_WORKER:
		g->others[index] = at;
		if (is_own)
			g->board = at;
		break;
	}
	return OK;
}

static enum err on_access_log(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct engine *g = &worker.engine;

	(void)run, (void)from;
	if (m->fds_lost)
		return OK; /* the log before is better than none */
	if (g->access_fd > 0) {
		access_log_flush(g);
		close(g->access_fd);
	}
	g->access_fd = m->fds[0];
	m->fds[0] = -1;
	return OK;
}

static enum err on_drain(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t ms = reader_u32(&r);

	(void)run, (void)from;
	if (!reader_done(&r))
		return ERR_SYNTAX;
	engine_drain(&worker.engine, ms);
	return OK;
}

static enum err on_tickets_are(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t again_s = reader_u32(&r);

	(void)from;
	TRY(tls_tickets_set(reader_rest(&r)));
	if (!worker.is_listening)
		TRY(worker_listen(&worker));
	loop_timer_set(run->loop, &worker.tickets_timer, (uint64_t)(again_s ? again_s : 1) * 1000, ask_tickets);
	return OK;
}

static enum err on_dialed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	struct bytes ip;
	uint64_t conn;
	int fd = m->fds[0];

	(void)run, (void)from;
	(void)reader_take(&r, 5); /* status and errno: of failures */
	ip = reader_take(&r, 16);
	(void)reader_u16(&r);
	conn = reader_u64(&r);
	if (!reader_done(&r))
		return ERR_SYNTAX;
	m->fds[0] = -1; /* it may be -1 already, when we are out of descriptors: a connection that failed */
	engine_dialed(&worker.engine, request, fd, ip.at, conn);
	return OK;
}

static enum err on_addresses(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint16_t pool = reader_u16(&r), server = reader_u16(&r);

	(void)run, (void)from;
	return engine_addresses(&worker.engine, pool, server, reader_rest(&r));
}

static enum err on_dial_failed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };

	uint32_t request = reader_u32(&r);

	(void)run, (void)from;
	if (reader_u8(&r) == ERR_DENIED && reader_u32(&r) == EACCES) /* isolated; a strict ledger that does not write gives none */
		engine_dial_denied(&worker.engine, request);
	else
		engine_dialed(&worker.engine, request, -1, NULL, 0);
	return OK;
}

static enum err on_isolation(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)from, (void)m;
	if (run->is_running) /* else the start reads it */
		engine_isolation_look(&worker.engine);
	return OK;
}

static enum err worker_peer(struct role_run *run, struct channel *c)
{
	if (c->role == ROLE_KEEPER) {
		worker.keeper = c;
		tls_signer_back();
		if (run->is_running)
			ask_tickets(&worker.tickets_timer);
	} else if (c->role == ROLE_DIALER) {
		worker.dialer = c;
		if (run->is_running)
			engine_dial_back(&worker.engine);
	} else if (c->role != ROLE_IDENTITY) {
		return ERR_DENIED;
	}
	return OK;
}

static void worker_peer_gone(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c == worker.keeper) {
		worker.keeper = NULL;
		tls_signer_lost();
	}
	if (c == worker.dialer) {
		worker.dialer = NULL;
		engine_dial_lost(&worker.engine);
	}
}

static enum err worker_start(struct role_run *run)
{
	struct engine *g = &worker.engine;
	int access_fd = g->access_fd;
	char error[256] = "";

	worker.run = run;
	worker.signer.post = post_sign;
	TRY(role_conf(run, &worker.conf));
	if (!g->board || !g->admin || !g->health || !g->limits || !g->isolation || (g->records && !g->ledger))
		return ERR_ORDER;
	g->worker_count = run->workers < BOARD_WORKERS_MAX ? run->workers : BOARD_WORKERS_MAX;
	g->index = run->index;
	g->role = &worker;
	g->dial = post_dial;
	g->on_drained = on_drained;
	if (engine_init(g, run->loop, worker.conf, &worker.signer, error, sizeof error) != OK) {
		LOG(EV_INTERNAL, KV_STR("what", "the proxy cannot start"), KV_STR("why", error));
		return ERR_ORDER;
	}
	g->access_fd = access_fd ? access_fd : -1;
	return OK;
}

static enum err worker_run(struct role_run *run)
{
	(void)run;
	ask_tickets(&worker.tickets_timer);
	/* A handshake before the ticket keys are here could not resume what a worker before this one began. */
	return has_tls(worker.conf) ? OK : worker_listen(&worker);
}

static const struct role role_worker = {
	.id = ROLE_WORKER,
	.syscalls = jail_worker,
	.files = 1048576,
	.hears = (const struct call[]){
		/* message         from                when                         handler */
		{ MSG_LISTENER,    FROM(ROLE_MASTER),  WHEN_SETUP,                  on_listener },
		{ MSG_BOARD,       FROM(ROLE_MASTER),  WHEN_SETUP,                  on_board },
		{ MSG_ACCESS_LOG,  FROM(ROLE_MASTER),  WHEN_SETUP | WHEN_RUNNING,   on_access_log },
		{ MSG_DRAIN,       FROM(ROLE_MASTER),  WHEN_RUNNING,                on_drain },
		{ MSG_ISOLATION,   FROM(ROLE_MASTER),  WHEN_SETUP | WHEN_RUNNING,   on_isolation },
		{ MSG_SIGNED,      FROM(ROLE_KEEPER),  WHEN_RUNNING,                role_on_signed },
		{ MSG_TICKETS_ARE, FROM(ROLE_KEEPER),  WHEN_RUNNING,                on_tickets_are },
		{ MSG_DIALED,      FROM(ROLE_DIALER),  WHEN_RUNNING,                on_dialed },
		{ MSG_DIAL_FAILED, FROM(ROLE_DIALER),  WHEN_RUNNING,                on_dial_failed },
		{ MSG_ADDRESSES,   FROM(ROLE_DIALER),  WHEN_RUNNING,                on_addresses },
		{ 0 },
	},
	.start = worker_start,
	.run = worker_run,
	.peer = worker_peer,
	.peer_gone = worker_peer_gone,
};

int main(int argc, char **argv)
{
	return role_main(&role_worker, argc, argv);
}
