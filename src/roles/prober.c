/* prober: asks servers whether they are well, over descriptors from the dialer, and writes the answers on the
 * health board. It holds nothing and can reach nothing by itself. */
#include "roles/role.h"
#include "balance/balance.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/text.h"
#include "board/board.h"
#include "conf/conf.h"
#include "jail/jail.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (16 * 1024)

struct probe { /* one per server of a pool with a check */
	struct watch watch; /* fd -1: no connection */
	struct timer timer;
	const struct conf_pool *pool;
	const struct conf_server *server;
	uint16_t pool_index, server_index;
	struct health health;
	bool is_dialing;
	uint32_t serial; /* of the check under way: a late answer is not counted for the next */
	size_t len;
	unsigned char *answer;
};

static struct conf *conf;
static struct probe *probes;
static size_t probe_count;
static struct board_health_board *board;
static struct channel *dialer;
static struct loop *loop;

static void probe_start(struct timer *t);

static void set_state(const struct conf_server *s, bool is_up, enum err why)
{
	struct board_health_server *row = &board->servers[s->global];

	__atomic_store_n(&row->since_ms, row->state == HEALTH_UNKNOWN ? 0 : loop_now_ms(loop), __ATOMIC_RELAXED);
	__atomic_store_n(&row->state, is_up ? HEALTH_UP : HEALTH_DOWN, __ATOMIC_RELAXED);
	__atomic_store_n(&row->last_error, (uint32_t)why, __ATOMIC_RELAXED);
}

static void probe_close(struct probe *p)
{
	if (p->watch.fd >= 0) {
		loop_remove(loop, &p->watch, false); /* the dialer may not have closed its copy yet */
		close(p->watch.fd);
	}
	p->watch.fd = -1;
}

static void probe_end(struct probe *p, bool passed, enum err why)
{
	struct board_health_server *row = &board->servers[p->server->global];
	uint32_t ms = p->pool->check_interval_ms;

	probe_close(p);
	p->is_dialing = false;
	board_add(&row->checks, 1);
	if (!passed)
		board_add(&row->failed, 1);
	if (health_note(&p->health, passed)) {
		set_state(p->server, passed, why);
		if (passed)
			LOG(EV_SERVER_UP, KV_BYTES("pool", p->pool->name), KV_BYTES("server", p->server->name));
		else
			LOG(EV_SERVER_DOWN, KV_BYTES("pool", p->pool->name), KV_BYTES("server", p->server->name),
				KV_STR("why", err_name(why)));
	}
	/* Some jitter, so that checks of many servers do not run in step. */
	loop_timer_set(loop, &p->timer, ms - ms / 10 + (uint32_t)(loop_now_us(loop) % (ms / 5 + 1)), probe_start);
}

static void on_time(struct timer *t)
{
	probe_end(CONTAINER_OF(t, struct probe, timer), false, ERR_TIMEOUT);
}

/* The whole answer is there (or its first 16 KB). */
static void judge(struct probe *p)
{
	struct http1_limits limits = { .line_max = 8192, .field_max = 8192, .head_max = ANSWER_MAX, .fields_max = 100 };
	static unsigned char mem[32768];
	struct bytes in = bytes_of(p->answer, p->len);
	struct http_response res;
	struct arena a;
	size_t scanned = 0, used = 0;
	const char *why;

	arena_init(&a, mem, sizeof mem);
	if (http1_parse_response(in, &limits, &a, HTTP_GET, &scanned, &used, &res, &why) != OK)
		probe_end(p, false, ERR_SYNTAX);
	else if (res.status < p->pool->check_status_least || res.status > p->pool->check_status_most)
		probe_end(p, false, ERR_DENIED);
	else if (p->pool->check_text.len && bytes_find(bytes_cut(in, used, in.len), p->pool->check_text) == SIZE_MAX)
		probe_end(p, false, ERR_NOT_FOUND);
	else
		probe_end(p, true, OK);
}

static void on_event(struct watch *w, uint32_t events)
{
	struct probe *p = CONTAINER_OF(w, struct probe, watch);
	ssize_t n;

	(void)events;
	while (p->len < ANSWER_MAX) {
		n = recv(w->fd, p->answer + p->len, ANSWER_MAX - p->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && p->len == 0) {
			probe_end(p, false, ERR_CLOSED);
			return;
		}
		if (n <= 0)
			break;
		p->len += (size_t)n;
		/* The status alone is asked for: no need to wait until the server closes. */
		if (p->pool->check_text.len == 0 && bytes_find(bytes_of(p->answer, p->len), BYTES("\r\n\r\n")) != SIZE_MAX)
			break;
		if (p->pool->check_text.len && bytes_find(bytes_of(p->answer, p->len), p->pool->check_text) != SIZE_MAX)
			break;
	}
	judge(p);
}

static void probe_connected(struct probe *p, int fd)
{
	unsigned char mem[2048];
	struct text t;

	p->is_dialing = false;
	/* To servers with TLS the check is, for now, that they take a connection. */
	if (p->pool->check == CHECK_TCP || p->pool->tls.is_on) {
		close(fd);
		probe_end(p, true, OK);
		return;
	}
	p->watch = (struct watch){ .fd = fd, .on_event = on_event };
	p->len = 0;
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "GET ");
	text_add(&t, p->pool->check_path);
	text_lit(&t, " HTTP/1.1\r\nHost: ");
	text_add(&t, p->pool->check_host.len ? p->pool->check_host : p->server->host);
	text_lit(&t, "\r\nUser-Agent: sluis-check\r\nConnection: close\r\n\r\n");
	/* A fresh connection's buffer takes this at once. */
	if (t.failed || send(fd, t.at, t.len, MSG_NOSIGNAL) != (ssize_t)t.len || loop_add(loop, &p->watch, EPOLLIN | EPOLLRDHUP) != OK)
		probe_end(p, false, ERR_IO);
}

static void probe_start(struct timer *timer)
{
	struct probe *p = CONTAINER_OF(timer, struct probe, timer);
	unsigned char mem[8];
	struct text t;

	text_init(&t, mem, sizeof mem);
	p->serial = (p->serial + 1) & 0xffff;
	text_put_u32(&t, p->serial << 16 | (uint32_t)(p - probes));
	text_put_u16(&t, p->pool_index);
	text_put_u16(&t, p->server_index);
	if (!dialer || role_send(dialer, MSG_DIAL, text_bytes(&t), NULL, 0) != OK) {
		/* Without a dialer nothing is known about the server: the state stays. */
		loop_timer_set(loop, &p->timer, p->pool->check_interval_ms, probe_start);
		return;
	}
	p->is_dialing = true;
	loop_timer_set(loop, &p->timer, p->pool->check_timeout_ms, on_time);
}

static struct probe *probe_of(struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t id = reader_u32(&r), i = id & 0xffff;

	/* A late answer to a check that has timed out finds no dial under way. */
	return i < probe_count && probes[i].is_dialing && probes[i].serial == id >> 16 ? &probes[i] : NULL;
}

static enum err on_dialed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct probe *p = probe_of(m);

	(void)run, (void)from;
	if (!p)
		return OK;
	if (m->fds_lost) {
		probe_end(p, false, ERR_LIMIT);
		return OK;
	}
	probe_connected(p, m->fds[0]);
	m->fds[0] = -1;
	return OK;
}

static enum err on_dial_failed(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct probe *p = probe_of(m);

	(void)run, (void)from;
	if (p)
		probe_end(p, false, ERR_IO);
	return OK;
}

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	void *at;

	(void)run, (void)from;
	if (reader_u8(&r) != BOARD_HEALTH)
		return ERR_SYNTAX;
	TRY(board_map(BOARD_HEALTH, m->fds[0], true, &at));
	board = at;
	return OK;
}

static enum err prober_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c->role != ROLE_DIALER)
		return ERR_DENIED;
	dialer = c;
	return OK;
}

static void prober_peer_gone(struct role_run *run, struct channel *c)
{
	(void)run;
	if (dialer != c)
		return;
	dialer = NULL;
	for (size_t i = 0; i < probe_count; i++)
		if (probes[i].is_dialing) {
			probes[i].is_dialing = false;
			loop_timer_set(loop, &probes[i].timer, probes[i].pool->check_interval_ms, probe_start);
		}
}

static enum err prober_start(struct role_run *run)
{
	loop = run->loop;
	TRY(role_conf(run, &conf));
	if (!board)
		return ERR_ORDER;
	probes = calloc(conf->server_total + 1, sizeof *probes);
	if (!probes)
		return ERR_MEMORY;
	for (size_t i = 0; i < conf->pool_count; i++)
		for (size_t s = 0; s < conf->pools[i].server_count; s++) {
			const struct conf_pool *pool = &conf->pools[i];
			struct probe *p = &probes[probe_count];
			if (pool->check == CHECK_NONE) {
				set_state(&pool->servers[s], true, OK);
				continue;
			}
			*p = (struct probe){ .watch.fd = -1, .pool = pool, .server = &pool->servers[s], .pool_index = (uint16_t)i,
				.server_index = (uint16_t)s, .health = { .rise = pool->check_rise, .fall = pool->check_fall },
				.answer = malloc(ANSWER_MAX) };
			if (!p->answer)
				return ERR_MEMORY;
			probe_count++;
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
	.hears = (const struct call[]){
		/* message         from               when          handler */
		{ MSG_BOARD,       FROM(ROLE_MASTER), WHEN_SETUP,   on_board },
		{ MSG_DIALED,      FROM(ROLE_DIALER), WHEN_RUNNING, on_dialed },
		{ MSG_DIAL_FAILED, FROM(ROLE_DIALER), WHEN_RUNNING, on_dial_failed },
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
