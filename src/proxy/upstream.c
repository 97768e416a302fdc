/* Connections to servers: which server, a kept connection or a new one by the dialer, a place in the queue. */
#include "proxy/engine.h"
#include "crypto/hash.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_LOOK_MS 16

static void upstream_on_event(struct watch *w, uint32_t events);

/* Not secret and never changed: all workers, restarts and nodes must send a key to the same server. */
static const unsigned char ring_key[16] = "sluis hash ring";

uint64_t engine_random(struct engine *g)
{
	/* xorshift64*: to spread load, not to keep secrets */
	g->random ^= g->random >> 12;
	g->random ^= g->random << 25;
	g->random ^= g->random >> 27;
	return g->random * 0x2545f4914f6cdd1du;
}

struct board_worker_server *server_row(struct engine *g, const struct pool *p, uint16_t server)
{
	return &g->board->servers[p->conf->servers[server].global];
}

static void pool_refresh(struct engine *g, struct pool *p)
{
	uint64_t now = loop_now_ms(g->loop);

	for (size_t i = 0; i < p->balance.count; i++) {
		struct balance_server *s = &p->balance.servers[i];
		uint16_t id = p->conf->servers[i].global;
		uint32_t admin = __atomic_load_n(&g->admin->admin[id], __ATOMIC_RELAXED);

		s->is_up = admin != ADMIN_DISABLED && !p->isolated[i] &&
			__atomic_load_n(&g->health->servers[id].state, __ATOMIC_RELAXED) != HEALTH_DOWN;
		s->is_draining = admin == ADMIN_DRAIN;
		s->up_since_ms = __atomic_load_n(&g->health->servers[id].since_ms, __ATOMIC_RELAXED);
		s->active = 0;
		s->is_ejected = false;
		s->latency_us = g->board->servers[id].latency_us;
		for (unsigned w = 0; w < g->worker_count; w++) {
			const struct board_worker *b = g->others[w];
			if (!b)
				continue;
			s->active += __atomic_load_n(&b->servers[id].active, __ATOMIC_RELAXED);
			if (__atomic_load_n(&b->servers[id].ejected_until_ms, __ATOMIC_RELAXED) > now)
				s->is_ejected = true;
		}
	}
}

static size_t sticky_server(struct exchange *x)
{
	struct pool *p = x->pool;
	struct bytes cookie;

	if (p->conf->sticky_cookie.len == 0 ||
		!http_cookie_find(x->req.fields, x->req.field_count, p->conf->sticky_cookie, &cookie) || cookie.len == 0)
		return BALANCE_NONE;
	for (size_t i = 0; i < p->balance.count; i++)
		if (bytes_eq(p->conf->servers[i].name, cookie))
			return i;
	return BALANCE_NONE;
}

static void upstream_unlink(struct upstream *u)
{
	if (!u->prev)
		return;
	*u->prev = u->next;
	if (u->next)
		u->next->prev = u->prev;
	u->prev = NULL;
	u->pool->kept_count[u->server]--;
}

static void give_in(struct upstream *u)
{
	if (u->had_secret)
		buf_wipe(&u->in);
	u->had_secret = false;
	buf_give(&u->engine->bufs, &u->in);
}

void upstream_close(struct upstream *u)
{
	struct engine *g = u->engine;
	struct board_worker_server *row = server_row(g, u->pool, u->server);

	record_upstream_close(u);
	upstream_unlink(u);
	loop_timer_clear(g->loop, &u->timer);
	give_in(u);
	loop_remove(g->loop, &u->io.watch, false); /* the dialer may not have closed its copy yet */
	io_close(g->loop, &u->io);
	__atomic_store_n(&row->connections, row->connections - 1, __ATOMIC_RELAXED);
	free(u);
}

static void upstream_on_idle(struct timer *t)
{
	upstream_close(CONTAINER_OF(t, struct upstream, timer));
}

/* The first in the queue tries again. One that has to wait on goes back to the front: its turn is not lost. */
static void queue_next(struct pool *p)
{
	struct exchange *x = p->queue_first;

	if (!x)
		return;
	p->queue_first = x->queue_next;
	if (x->queue_next)
		x->queue_next->queue_prev = &p->queue_first;
	else
		p->queue_last = &p->queue_first;
	x->queue_prev = NULL;
	p->queued--;
	upstream_get(x);
}

/* Its server's name does not stand for its address any more. */
static bool upstream_has_moved(const struct upstream *u)
{
	struct bytes list = u->pool->addresses[u->server];

	for (size_t at = 0; at + sizeof u->ip <= list.len; at += sizeof u->ip)
		if (memcmp(list.at + at, u->ip, sizeof u->ip) == 0)
			return false;
	return list.len > 0;
}

enum err engine_addresses(struct engine *g, uint16_t pool, uint16_t server, struct bytes list)
{
	struct upstream *next;
	unsigned char *copy;
	struct pool *p;

	if (pool >= g->conf->pool_count || server >= g->pools[pool].balance.count || list.len == 0 || list.len % 16)
		return ERR_SYNTAX;
	copy = malloc(list.len);
	if (!copy)
		return ERR_MEMORY;
	memcpy(copy, list.at, list.len);
	p = &g->pools[pool];
	free((void *)(uintptr_t)p->addresses[server].at);
	p->addresses[server] = bytes_of(copy, list.len);
	if (g->isolated.count)
		engine_isolation_mark(g);
	for (struct upstream *u = p->kept[server]; u; u = next) {
		next = u->next;
		if (upstream_has_moved(u))
			upstream_close(u);
	}
	return OK;
}

void upstream_done(struct upstream *u, bool keep)
{
	struct pool *p = u->pool;
	struct engine *g = u->engine;

	record_upstream_done(u);
	u->scanned = 0;
	keep = keep && !g->is_draining && !upstream_has_moved(u) && p->kept_count[u->server] < p->conf->keep_max &&
		(p->conf->keep_requests == 0 || u->requests < p->conf->keep_requests);
	if (!keep) {
		upstream_close(u);
	} else {
		give_in(u);
		u->next = p->kept[u->server];
		u->prev = &p->kept[u->server];
		if (u->next)
			u->next->prev = &u->next;
		p->kept[u->server] = u;
		p->kept_count[u->server]++;
		loop_timer_set(g->loop, &u->timer, p->conf->keep_idle_ms, upstream_on_idle);
	}
	queue_next(p);
}

void upstream_uncount(struct exchange *x)
{
	struct board_worker_server *row;

	if (!x->is_counted)
		return;
	row = server_row(x->engine, x->pool, x->server);
	__atomic_store_n(&row->active, row->active - 1, __ATOMIC_RELAXED);
	x->is_counted = false;
}

static void upstream_count(struct exchange *x)
{
	struct board_worker_server *row = server_row(x->engine, x->pool, x->server);

	__atomic_store_n(&row->active, row->active + 1, __ATOMIC_RELAXED);
	board_add(&row->requests, 1);
	x->is_counted = true;
}

void upstream_note_failure(struct engine *g, struct pool *p, uint16_t server)
{
	struct board_worker_server *row = server_row(g, p, server);

	board_add(&row->failures, 1);
	row->failures_in_row++;
	if (p->conf->eject_failures && row->failures_in_row >= p->conf->eject_failures) {
		__atomic_store_n(&row->ejected_until_ms, loop_now_ms(g->loop) + p->conf->eject_ms, __ATOMIC_RELAXED);
		row->failures_in_row = 0;
	}
}

void upstream_note_answer(struct exchange *x)
{
	struct engine *g = x->engine;
	struct board_worker_server *row = server_row(g, x->pool, x->server);
	uint64_t us = loop_now_us(g->loop) - x->sent_us;

	row->latency_us = latency_average(row->latency_us, us > UINT32_MAX ? UINT32_MAX : (uint32_t)us);
	if (x->status >= 100 && x->status < 600)
		board_add(&row->status[x->status / 100], 1);
	board_add(&row->bytes_in, x->body_in);
	board_add(&row->bytes_out, x->body_out);
	if (x->status >= 500 && x->status != 501 && x->status != 505)
		upstream_note_failure(g, x->pool, x->server);
	else
		row->failures_in_row = 0;
}

static enum err dial(struct exchange *x)
{
	struct engine *g = x->engine;

	for (unsigned i = 0; i < DIALS_MAX; i++) {
		if (g->dials[i].in_use)
			continue;
		g->dials[i].serial = (g->dials[i].serial + 1) & 0xffffff;
		TRY(g->dial(g, g->dials[i].serial << 8 | i, x->pool_index, x->server));
		g->dials[i].in_use = true;
		g->dials[i].x = x;
		g->dials[i].pool = x->pool_index;
		g->dials[i].server = x->server;
		g->dial_count++;
		x->dial_slot = i + 1;
		x->phase = X_DIALING;
		board_add(&g->board->counters[M_DIALS], 1);
		return OK;
	}
	return ERR_AGAIN;
}

/* What frees a place may happen in another worker, which cannot tell us: as long as somebody waits, look. */
static void queue_on_time(struct timer *t)
{
	struct engine *g = CONTAINER_OF(t, struct engine, queue_timer);

	for (size_t i = 0; i < g->conf->pool_count; i++) {
		struct pool *p = &g->pools[i];
		for (uint32_t before = 0; p->queued && p->queued != before;) {
			before = p->queued;
			queue_next(p);
		}
		if (p->queued)
			loop_timer_set(g->loop, t, QUEUE_LOOK_MS, queue_on_time);
	}
}

static void upstream_wait(struct exchange *x)
{
	struct pool *p = x->pool;

	if (p->queued >= p->conf->queue_max) {
		exchange_refuse(x, 503, "queue-full");
		return;
	}
	if (x->phase == X_QUEUED) {
		x->queue_next = p->queue_first;
		x->queue_prev = &p->queue_first;
		if (x->queue_next)
			x->queue_next->queue_prev = &x->queue_next;
		else
			p->queue_last = &x->queue_next;
		p->queue_first = x;
	} else {
		x->queue_next = NULL;
		x->queue_prev = p->queue_last;
		*p->queue_last = x;
		p->queue_last = &x->queue_next;
	}
	x->phase = X_QUEUED;
	p->queued++;
	/* queue_ms counts from the first wait on */
	if (!timer_is_set(&x->timer))
		exchange_queue_timer(x);
	if (!timer_is_set(&x->engine->queue_timer))
		loop_timer_set(x->engine->loop, &x->engine->queue_timer, QUEUE_LOOK_MS, queue_on_time);
}

void upstream_stop_waiting(struct exchange *x)
{
	if (x->dial_slot)
		x->engine->dials[x->dial_slot - 1].x = NULL;
	x->dial_slot = 0;
	if (x->queue_prev) {
		*x->queue_prev = x->queue_next;
		if (x->queue_next)
			x->queue_next->queue_prev = x->queue_prev;
		else
			x->pool->queue_last = x->queue_prev;
		x->pool->queued--;
		x->queue_prev = NULL;
	}
}

void upstream_get(struct exchange *x)
{
	struct engine *g = x->engine;
	struct pool *p = x->pool;
	struct balance_choice c = { .now_ms = loop_now_ms(g->loop), .random = engine_random(g), .tried = x->tried };
	bool is_full = false;
	struct upstream *u;
	size_t server;

	pool_refresh(g, p);
	c.sticky = sticky_server(x);
	if (p->conf->hash_key)
		c.hash = siphash24(ring_key, exchange_string(x, p->conf->hash_key));
	server = balance_choose(&p->balance, &c, &is_full);
	if (server == BALANCE_NONE) {
		if (is_full)
			upstream_wait(x);
		else if (p->isolated_count || x->was_denied)
			exchange_refuse_isolated(x, 503);
		else
			exchange_refuse(x, 503, "no-server");
		return;
	}
	x->server = (uint16_t)server;
	x->sticky_set = p->conf->sticky_cookie.len && c.sticky != server;
	x->try_until_ms = p->conf->try_ms ? loop_now_ms(g->loop) + p->conf->try_ms : 0;
	upstream_count(x);
	u = p->kept[server];
	if (u) {
		upstream_unlink(u);
		loop_timer_clear(g->loop, &u->timer);
		exchange_upstream_ready(x, u);
		return;
	}
	loop_timer_clear(g->loop, &x->timer);
	if (dial(x) != OK) {
		upstream_uncount(x);
		upstream_wait(x);
	} else if (x->try_until_ms || x->total_until_ms) { /* the time to connect is the dialer's to hold */
		exchange_timer(x, UINT32_MAX);
	}
}

static void upstream_begin(struct upstream *u)
{
	struct exchange *x = u->x;

	if (u->io.handshaking) {
		enum err e = tls_handshake(u->io.tls);
		if (e == ERR_AGAIN)
			return;
		if (e != OK) {
			struct tls_facts facts;
			tls_facts(u->io.tls, &facts);
			x->tls_error = facts.error;
			x->up = NULL;
			upstream_close(u);
			exchange_upstream_failed(x, ERR_TLS);
			return;
		}
		u->io.handshaking = false;
		u->io.readable = u->io.writable = true;
	}
	exchange_upstream_ready(x, u);
}

static void upstream_on_wake(void *ctx)
{
	struct upstream *u = ctx;

	upstream_on_event(&u->io.watch, EPOLLIN | EPOLLOUT);
}

static void upstream_on_event(struct watch *w, uint32_t events)
{
	struct upstream *u = CONTAINER_OF(CONTAINER_OF(w, struct io, watch), struct upstream, io);

	io_note(&u->io, events);
	if (u->io.handshaking) {
		if (u->x)
			upstream_begin(u);
		else
			upstream_close(u);
	} else if (u->x) {
		if (!exchange_pump(u->x))
			return;
	} else if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		/* A kept connection on which anything happens has ended, or speaks out of turn. TLS tickets do
		 * come unasked: read them. */
		if (u->io.tls && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
			unsigned char byte;
			size_t n;
			if (tls_read(u->io.tls, &byte, 1, &n) == ERR_AGAIN)
				return;
		}
		upstream_close(u);
	}
}

static struct upstream *upstream_new(struct engine *g, struct pool *p, uint16_t server, int fd)
{
	struct upstream *u = calloc(1, sizeof *u);
	struct board_worker_server *row = server_row(g, p, server);

	if (!u)
		return NULL;
	*u = (struct upstream){ .engine = g, .pool = p, .server = server };
	u->io.watch.fd = fd;
	u->io.watch.on_event = upstream_on_event;
	u->io.readable = false;
	u->io.writable = true;
	__atomic_store_n(&row->connections, row->connections + 1, __ATOMIC_RELAXED);
	if (loop_add(g->loop, &u->io.watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) != OK) {
		u->io.watch.fd = -1;
		upstream_close(u);
		return NULL;
	}
	return u;
}

/* Ends what was asked of the dialer. False: this is not the answer to anything. *x is NULL when nobody waits any more. */
static bool dial_end(struct engine *g, uint32_t request, struct exchange **x)
{
	unsigned i = request & 0xff;

	if (!g->dials[i].in_use || g->dials[i].serial != request >> 8)
		return false;
	*x = g->dials[i].x;
	g->dials[i].in_use = false;
	g->dials[i].x = NULL;
	g->dial_count--;
	if (*x)
		(*x)->dial_slot = 0;
	return true;
}

/* To another server; when the same one is denied again, the dialer knows of more than we do. */
static void dial_denied(struct exchange *x)
{
	engine_isolation_look(x->engine);
	upstream_uncount(x);
	loop_timer_clear(x->engine->loop, &x->timer);
	if (!x->tried)
		x->tried = arena_array(&x->arena, x->pool->balance.count, sizeof *x->tried);
	if (!x->tried || x->tried[x->server]) {
		exchange_refuse_isolated(x, 503);
		return;
	}
	x->tried[x->server] = true;
	x->was_denied = true;
	upstream_get(x);
}

void engine_dial_denied(struct engine *g, uint32_t request)
{
	struct exchange *x;

	if (!dial_end(g, request, &x))
		return;
	board_add(&g->board->counters[M_DIAL_FAILURES], 1);
	if (x)
		dial_denied(x);
}

/* Takes the descriptor over; conn: its number in the ledger. ERR_DENIED: it was isolated meanwhile. */
static enum err dial_take(struct engine *g, uint32_t request, int fd, const unsigned char ip[16], uint64_t conn,
	struct exchange *x, struct upstream **out)
{
	unsigned i = request & 0xff;
	struct pool *p = &g->pools[g->dials[i].pool];
	struct upstream *u;

	u = upstream_new(g, p, g->dials[i].server, fd);
	if (!u) {
		close(fd);
		return ERR_MEMORY;
	}
	memcpy(u->ip, ip, sizeof u->ip);
	u->conn = conn;
	if (pool_is_isolated(g, p, u->server, ip)) {
		upstream_reset(u, "isolated");
		upstream_close(u);
		return ERR_DENIED;
	}
	if (p->tls) {
		const struct conf_server *s = &p->conf->servers[u->server];
		struct bytes host = p->conf->tls.server_name.len ? p->conf->tls.server_name : s->host;

		u->io.handshaking = true;
		if (!x || tls_connect(p->tls, fd, host, upstream_on_wake, u, &u->io.tls) != OK) {
			upstream_close(u);
			return ERR_TLS;
		}
	}
	*out = u;
	return OK;
}

void engine_dialed(struct engine *g, uint32_t request, int fd, const unsigned char ip[16], uint64_t conn)
{
	struct upstream *u = NULL;
	struct exchange *x;
	enum err e = ERR_IO;

	if (!dial_end(g, request, &x)) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fd < 0)
		board_add(&g->board->counters[M_DIAL_FAILURES], 1);
	else
		e = dial_take(g, request, fd, ip, conn, x, &u);
	if (e != OK) {
		if (x && e == ERR_DENIED)
			dial_denied(x);
		else if (x)
			exchange_upstream_failed(x, e);
		return;
	}
	if (!x) {
		upstream_done(u, true);
		return;
	}
	u->x = x;
	x->up = u;
	if (u->io.handshaking)
		exchange_timer(x, u->pool->conf->connect_ms);
	upstream_begin(u);
}

void engine_dial_back(struct engine *g)
{
	queue_on_time(&g->queue_timer);
}

void engine_dial_lost(struct engine *g)
{
	for (unsigned i = 0; i < DIALS_MAX; i++)
		if (g->dials[i].in_use)
			engine_dialed(g, g->dials[i].serial << 8 | i, -1, NULL, 0);
}
