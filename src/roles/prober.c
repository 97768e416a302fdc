/* prober: asks servers whether they are well, over descriptors from the dialer, and writes the answers on the
 * health board. It holds nothing and can reach nothing by itself: it connects by the dialer, and where a pool shows a
 * certificate the keeper signs. */
#include "roles/role.h"
#include "balance/balance.h"
#include "balance/check.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/text.h"
#include "board/board.h"
#include "conf/conf.h"
#include "jail/jail.h"
#include "ledger/ring.h"
#include "tls/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_MS   100 /* until a check is tried again that said nothing about its server */
#define LINGER_MS  1000
#define LINGER_MAX (64 * 1024)

enum probe_state {
	PROBE_IDLE,    /* waits for its time */
	PROBE_DIALING, /* no connection yet */
	PROBE_HANDSHAKE,
	PROBE_ANSWER,
	PROBE_LINGERING, /* there is a verdict; the rest is read, so that the server sees an orderly end */
};
struct probe { /* one per server of a pool with a check */
	enum probe_state state;
	struct watch watch; /* fd -1: no connection */
	struct timer timer; /* the next check; during one, its end */
	struct timer linger;
	const struct conf_pool *pool;
	const struct conf_server *server;
	uint16_t pool_index, server_index;
	struct health health;
	uint32_t serial; /* of the check under way: a late answer is not counted for the next */
	struct tls_stream *tls;
	struct check_answer *answer; /* in PROBE_ANSWER */
	size_t lingered;
};

static struct conf *conf;
static struct probe *probes;
static size_t probe_count;
static struct tls_client **tls_clients; /* by pool; NULL where none is needed */
static struct board_health_board *board;
static struct ledger_ring *records; /* for the scribe; NULL: there is no ledger */
static struct channel *dialer, *keeper;
static struct loop *loop;

static void probe_start(struct timer *t);

static void set_state(const struct conf_server *s, bool is_up)
{
	struct board_health_server *row = &board->servers[s->global];

	__atomic_store_n(
		&row->since_ms, row->state == HEALTH_UNKNOWN ? 0 : loop_now_ms(loop), __ATOMIC_RELAXED);
	__atomic_store_n(&row->state, is_up ? HEALTH_UP : HEALTH_DOWN, __ATOMIC_RELAXED);
}

static void probe_close(struct probe *p)
{
	loop_timer_clear(loop, &p->linger);
	if (p->tls) {
		tls_shutdown(p->tls);
		tls_free(&p->tls);
	}
	if (p->watch.fd >= 0) {
		loop_remove(loop, &p->watch, false); /* the dialer may not have closed its copy yet */
		close(p->watch.fd);
	}
	p->watch.fd = -1;
	free(p->answer);
	p->answer = NULL;
	p->state = PROBE_IDLE;
}

/* Some jitter, so that checks of many servers do not run in step. */
static void next_check(struct probe *p, uint32_t ms)
{
	loop_timer_set(
		loop, &p->timer, ms - ms / 10 + (uint32_t)(loop_now_us(loop) % (ms / 5 + 1)), probe_start);
}

/* The verdict. why is empty for a check that passed. */
static void record_health(const struct probe *p, struct bytes why)
{
	unsigned char mem[LEDGER_TEXT_MAX];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_add(&t, bytes_cut(p->pool->name, 0, 120));
	text_byte(&t, '/');
	text_add(&t, bytes_cut(p->server->name, 0, 130));
	(void)ledger_ring_write(records, &(struct ledger_record){ .kind = LEDGER_HEALTH, .name = text_bytes(&t),
		.outcome = why.len ? BYTES("down") : BYTES("up"), .detail = why });
}

static void probe_end(struct probe *p, struct bytes why)
{
	struct board_health_server *row = &board->servers[p->server->global];
	bool passed = why.len == 0;

	board_add(&row->checks, 1);
	if (!passed)
		board_add(&row->failed, 1);
	board_text_write(&row->why, why);
	if (health_note(&p->health, passed)) {
		set_state(p->server, passed);
		record_health(p, why);
		if (passed)
			LOG(EV_SERVER_UP, KV_BYTES("pool", p->pool->name),
				KV_BYTES("server", p->server->name));
		else
			LOG(EV_SERVER_DOWN, KV_BYTES("pool", p->pool->name),
				KV_BYTES("server", p->server->name), KV_BYTES("why", why));
	}
	next_check(p, p->pool->check_interval_ms);
}

static void probe_fail(struct probe *p, const char *what, const char *why)
{
	char text[CHECK_WHY_MAX];
	int n = snprintf(text, sizeof text, "%s%s", what, why);

	probe_close(p);
	probe_end(p, bytes_of(text, n < (int)sizeof text ? (size_t)n : sizeof text - 1));
}

static void on_time(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);

	probe_fail(p,
		p->state == PROBE_DIALING     ? "connect: "
		: p->state == PROBE_HANDSHAKE ? "tls: "
					      : "",
		"timeout");
}

static void on_lingered(struct timer *t)
{
	probe_close(CONTAINER_OF(t, struct probe, linger));
}

static enum err probe_read(struct probe *p, unsigned char *buf, size_t cap, size_t *n)
{
	ssize_t got;

	if (p->tls)
		return tls_read(p->tls, buf, cap, n);
	do
		got = recv(p->watch.fd, buf, cap, 0);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
	*n = (size_t)got;
	return OK;
}

static void probe_go(struct probe *p);

/* Unread bytes at a close become a reset, which servers log as an error of ours. */
static void probe_linger(struct probe *p)
{
	p->state = PROBE_LINGERING;
	p->lingered = 0;
	free(p->answer);
	p->answer = NULL;
	loop_timer_set(loop, &p->linger, LINGER_MS, on_lingered);
	if (p->pool->check == CHECK_TCP) { /* after a request its "Connection: close" ends it */
		if (p->tls)
			tls_shutdown(p->tls);
		shutdown(p->watch.fd, SHUT_WR);
	}
	probe_go(p);
}

static void read_rest(struct probe *p)
{
	unsigned char buf[4096];
	size_t n = 0;
	enum err e;

	while ((e = probe_read(p, buf, sizeof buf, &n)) == OK && p->lingered < LINGER_MAX)
		p->lingered += n;
	if (e != ERR_AGAIN)
		probe_close(p);
}

static void read_answer(struct probe *p)
{
	unsigned char buf[4096];
	struct bytes why = BYTES("");
	char text[CHECK_WHY_MAX];
	size_t n = 0;
	enum err e;

	do {
		e = probe_read(p, buf, sizeof buf, &n);
		if (e == ERR_AGAIN)
			return;
		e = e == OK ? check_feed(p->answer, bytes_of(buf, n)) : check_end(p->answer);
	} while (e == ERR_AGAIN);
	if (e != OK) {
		memcpy(text, p->answer->why, sizeof text);
		why = bytes_str(text);
	}
	probe_end(p, why);
	probe_linger(p);
}

static void send_request(struct probe *p)
{
	struct check_want want = { p->pool->check_status_least, p->pool->check_status_most,
		p->pool->check_text };
	unsigned char mem[8192];
	struct text t;
	size_t n = 0;
	enum err e = OK;

	p->answer = malloc(sizeof *p->answer);
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "GET ");
	text_add(&t, p->pool->check_path);
	text_lit(&t, " HTTP/1.1\r\nHost: ");
	text_add(&t, p->pool->check_host.len ? p->pool->check_host : p->server->host);
	text_lit(&t, "\r\nUser-Agent: sluis-check\r\nConnection: close\r\n\r\n");
	if (!p->answer || t.failed) {
		probe_fail(p, "", "no memory for the request");
		return;
	}
	check_init(p->answer, &want);
	p->state = PROBE_ANSWER;
	/* A fresh connection's buffer takes this at once. */
	if (p->tls) {
		e = tls_write(p->tls, text_bytes(&t), &n);
	} else {
		ssize_t sent = send(p->watch.fd, t.at, t.len, MSG_NOSIGNAL);
		n = sent > 0 ? (size_t)sent : 0;
	}
	if (e != OK || n != t.len)
		probe_fail(p, "", "closed without an answer");
	else
		read_answer(p);
}

static void shake_hands(struct probe *p)
{
	enum err e = tls_handshake(p->tls);
	struct tls_facts facts;

	if (e == ERR_AGAIN)
		return;
	if (e != OK) {
		tls_facts(p->tls, &facts);
		probe_fail(p, "tls: ", facts.error ? facts.error : "the handshake failed");
	} else if (p->pool->check == CHECK_TCP) {
		probe_end(p, BYTES(""));
		probe_linger(p);
	} else {
		send_request(p);
	}
}

static void probe_go(struct probe *p)
{
	switch (p->state) {
	case PROBE_IDLE:
	case PROBE_DIALING: break;
	case PROBE_HANDSHAKE: shake_hands(p); break;
	case PROBE_ANSWER: read_answer(p); break;
	case PROBE_LINGERING: read_rest(p); break;
	}
}

static void on_event(struct watch *w, uint32_t events)
{
	struct probe *p = CONTAINER_OF(w, struct probe, watch);

	if (p->tls)
		tls_note(p->tls, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	probe_go(p);
}

static void on_wake(void *ctx)
{
	probe_go(ctx);
}

static void probe_connected(struct probe *p, int fd)
{
	const struct conf_pool_tls *tls = &p->pool->tls;

	p->watch = (struct watch){ .fd = fd, .on_event = on_event };
	if (loop_add(loop, &p->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) != OK) {
		probe_fail(p, "", "the connection cannot be watched");
	} else if (tls->is_on) {
		p->state = PROBE_HANDSHAKE;
		if (tls_connect(tls_clients[p->pool_index], fd,
			    tls->server_name.len ? tls->server_name : p->server->host, on_wake, p,
			    &p->tls) != OK)
			probe_fail(p, "tls: ", "the server's name cannot be verified");
		else
			shake_hands(p);
	} else if (p->pool->check == CHECK_TCP) {
		probe_end(p, BYTES(""));
		probe_linger(p);
	} else {
		send_request(p);
	}
}

static void probe_start(struct timer *timer)
{
	struct probe *p = CONTAINER_OF(timer, struct probe, timer);
	unsigned char mem[8];
	struct text t;

	probe_close(p); /* what lingers from the check before */
	text_init(&t, mem, sizeof mem);
	p->serial = (p->serial + 1) & 0xffff;
	text_put_u32(&t, p->serial << 16 | (uint32_t)(p - probes));
	text_put_u16(&t, p->pool_index);
	text_put_u16(&t, p->server_index);
	if (!dialer || role_send(dialer, MSG_DIAL, text_bytes(&t), NULL, 0) != OK) {
		/* Without a dialer nothing is known about the server: the state stays. */
		next_check(p, p->pool->check_interval_ms);
		return;
	}
	p->state = PROBE_DIALING;
	loop_timer_set(loop, &p->timer, p->pool->check_timeout_ms, on_time);
}

static struct probe *probe_of(uint32_t id)
{
	uint32_t i = id & 0xffff;

	/* A late answer to a check that has timed out finds no dial under way. */
	return i < probe_count && probes[i].state == PROBE_DIALING && probes[i].serial == id >> 16
		       ? &probes[i]
		       : NULL;
}

static enum err on_dialed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	struct probe *p = probe_of(reader_u32(&r));

	(void)run, (void)from;
	if (!p)
		return OK;
	if (m->fds_lost) { /* we are out of descriptors, which says nothing about the server */
		p->state = PROBE_IDLE;
		next_check(p, AGAIN_MS);
		return OK;
	}
	probe_connected(p, m->fds[0]);
	m->fds[0] = -1;
	return OK;
}

/* This machine's lack of something says nothing about the server. */
static bool is_ours(enum err why, int error)
{
	return why == ERR_LIMIT || error == EMFILE || error == ENFILE || error == ENOBUFS ||
	       error == ENOMEM || error == EADDRNOTAVAIL;
}

static enum err on_dial_failed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	struct probe *p = probe_of(reader_u32(&r));
	enum err why = (enum err)reader_u8(&r);
	int error = (int)reader_u32(&r);

	(void)run, (void)from;
	if (!p)
		return OK;
	if (is_ours(why, error)) {
		p->state = PROBE_IDLE;
		next_check(p, AGAIN_MS);
	} else if (why == ERR_DENIED) { /* no verdict about the server: when it is released, it is as well as it was */
		p->state = PROBE_IDLE;
		board_text_write(&board->servers[p->server->global].why, BYTES("isolated"));
		next_check(p, p->pool->check_interval_ms);
	} else if (why == ERR_NOT_FOUND) {
		probe_fail(p, "", "no address of the name is known");
	} else {
		probe_fail(p, "connect: ", why == ERR_TIMEOUT ? "timeout" : strerror(error));
	}
	return OK;
}

static enum err post_sign(
	struct tls_signer *s, uint32_t request, uint16_t key, uint16_t scheme, struct bytes digest)
{
	(void)s;
	return role_sign(keeper, request, key, scheme, digest);
}

static struct tls_signer signer = { .post = post_sign };

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	void *at;

	(void)run, (void)from;
	switch (reader_u8(&r)) {
	case BOARD_HEALTH:
		TRY(board_map(BOARD_HEALTH, m->fds[0], true, &at));
		board = at;
		return OK;
	case BOARD_RING:
		TRY(board_map(BOARD_RING, m->fds[0], true, &at));
		records = at;
		return OK;
	}
	return ERR_SYNTAX;
}

static enum err prober_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c->role == ROLE_DIALER)
		dialer = c;
	else if (c->role == ROLE_KEEPER)
		keeper = c;
	else
		return ERR_DENIED;
	if (c == keeper)
		tls_signer_back();
	return OK;
}

static void prober_peer_gone(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c == keeper) {
		keeper = NULL;
		tls_signer_lost();
	}
	if (c != dialer)
		return;
	dialer = NULL;
	for (size_t i = 0; i < probe_count; i++)
		if (probes[i].state == PROBE_DIALING) {
			probes[i].state = PROBE_IDLE;
			next_check(&probes[i], probes[i].pool->check_interval_ms);
		}
}

static enum err tls_init(size_t pool)
{
	const struct conf_pool *p = &conf->pools[pool];
	char error[256] = "";
	enum err e;

	if (!p->tls.is_on || p->check == CHECK_NONE)
		return OK;
	e = tls_client_new(&p->tls, &signer, &tls_clients[pool], error, sizeof error);
	if (e != OK)
		LOG(EV_INTERNAL, KV_STR("what", "TLS of a pool's checks"), KV_BYTES("pool", p->name),
			KV_STR("why", error));
	return e;
}

static enum err prober_start(struct role_run *run)
{
	loop = run->loop;
	TRY(role_conf(run, &conf));
	if (!board)
		return ERR_ORDER;
	probes = calloc(conf->server_total + 1, sizeof *probes);
	tls_clients = calloc(conf->pool_count + 1, sizeof *tls_clients);
	if (!probes || !tls_clients)
		return ERR_MEMORY;
	for (size_t i = 0; i < conf->pool_count; i++) {
		TRY(tls_init(i));
		for (size_t s = 0; s < conf->pools[i].server_count; s++) {
			const struct conf_pool *pool = &conf->pools[i];
			struct probe *p = &probes[probe_count];
			if (pool->check == CHECK_NONE) {
				set_state(&pool->servers[s], true);
				continue;
			}
			*p = (struct probe){ .watch.fd = -1,
				.pool = pool,
				.server = &pool->servers[s],
				.pool_index = (uint16_t)i,
				.server_index = (uint16_t)s,
				.health = { .rise = pool->check_rise, .fall = pool->check_fall } };
			probe_count++;
		}
	}
	return OK;
}

static enum err prober_run(struct role_run *run)
{
	(void)run;
	for (size_t i = 0; i < probe_count; i++)
		loop_timer_set(loop, &probes[i].timer, 10 + i, probe_start);
	return OK;
}

static const struct role role_prober = {
	.id = ROLE_PROBER,
	.syscalls = jail_prober,
	.files = 65536,
	.hears =
		(const struct call[]){
			/* message         from               when          handler */
			{ MSG_BOARD, FROM(ROLE_MASTER), WHEN_SETUP, on_board },
			{ MSG_DIALED, FROM(ROLE_DIALER), WHEN_RUNNING, on_dialed },
			{ MSG_DIAL_FAILED, FROM(ROLE_DIALER), WHEN_RUNNING, on_dial_failed },
			{ MSG_SIGNED, FROM(ROLE_KEEPER), WHEN_RUNNING, role_on_signed },
			{ 0 },
		},
	.start = prober_start,
	.run = prober_run,
	.peer = prober_peer,
	.peer_gone = prober_peer_gone,
};

int main(int argc, char **argv)
{
	return role_main(&role_prober, argc, argv);
}
