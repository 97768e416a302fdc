/* A client's connection from accept to close: handshake, heads, keep-alive, limits in time and number. */
#define _GNU_SOURCE
#include "proxy/engine.h"
#include "base/secret.h"
#include "crypto/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_MS     2000
#define LATER_MAX     256
#define ACCEPTS_MAX   16 /* per turn, so that other loops get their share */

static void client_on_event(struct watch *w, uint32_t events);
static void client_on_time(struct timer *t);
static void client_later(struct client *c);
static void client_give_in(struct client *c);
static void client_not_later(struct client *c);

static void client_on_wake(void *ctx)
{
	struct client *c = ctx;

	c->io.readable = c->io.writable = true;
	client_run(c);
}

static struct client *client_new(struct listener *l, int fd, const struct addr *peer)
{
	struct engine *g = l->engine;
	struct client *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->engine = g;
	c->listener = l;
	c->peer = *peer;
	c->accepted_ms = loop_now_ms(g->loop);
	c->io.watch.fd = fd;
	c->io.watch.on_event = client_on_event;
	c->io.readable = c->io.writable = true;
	c->next = g->clients;
	c->prev = &g->clients;
	if (c->next)
		c->next->prev = &c->next;
	g->clients = c;
	g->client_count++;
	board_add(&g->board->counters[M_CONNECTIONS], 1);
	board_add(&g->board->counters[M_CONNECTIONS_OPEN], 1);
	return c;
}

/* What a token or a password came in is wiped with what came before and behind it. A head that was too long for the small buffer was not looked at yet. */
static void client_give_in(struct client *c)
{
	if (c->in.mem && (c->had_secret || (c->state == CLIENT_HEAD && c->engine->conf->gateway.is_on)))
		buf_wipe(&c->in);
	buf_give(&c->engine->bufs, &c->in);
}

void client_close(struct client *c)
{
	struct engine *g = c->engine;

	if (c->x) {
		struct exchange *x = c->x;
		c->x = NULL;
		if (x->up)
			upstream_done(x->up, false);
		access_log_write(x);
		record_exchange_end(x);
		exchange_free(x);
	}
	record_client_close(c);
	if (c->state == CLIENT_TUNNEL)
		board_add(&g->board->counters[M_TUNNELS_OPEN], (uint64_t)-1);
	client_not_later(c);
	client_not_cut(c);
	if (c->session)
		admit_client_end(c);
	loop_timer_clear(g->loop, &c->timer);
	io_close(g->loop, &c->io);
	client_give_in(c);
	if (c->is_counted)
		board_client_remove(g->board, c->count_key);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	g->client_count--;
	board_add(&g->board->counters[M_CONNECTIONS_OPEN], (uint64_t)-1);
	free(c);
	if (g->is_draining && g->client_count == 0)
		g->on_drained(g);
}

static enum err client_start(struct client *c)
{
	struct engine *g = c->engine;

	TRY(loop_add(g->loop, &c->io.watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET));
	if (c->listener->tls) {
		TRY(tls_accept(c->listener->tls, c->io.watch.fd, client_on_wake, c, &c->io.tls));
		c->state = CLIENT_HANDSHAKE;
		c->io.handshaking = true;
	} else {
		c->state = CLIENT_IDLE;
	}
	loop_timer_set(g->loop, &c->timer, g->conf->limits.header_ms, client_on_time);
	return OK;
}

/* Over all workers. The administrator's listener has no limit: it is needed most when the others are full. */
static bool is_within_limits(const struct listener *l, const struct addr *peer, uint64_t *key)
{
	const struct engine *g = l->engine;
	const struct conf_limits *limits = &g->conf->limits;
	uint64_t open = 0, same = 0;

	if (!l->conf)
		return true;
	*key = limits->connections_per_client ? siphash24(g->hash_key, bytes_of(peer->ip, sizeof peer->ip)) : 0;
	for (unsigned w = 0; w < g->worker_count; w++) {
		if (!g->others[w])
			continue;
		open += __atomic_load_n(&g->others[w]->counters[M_CONNECTIONS_OPEN], __ATOMIC_RELAXED);
		if (limits->connections_per_client)
			same += board_client_count(g->others[w], *key);
	}
	return open < limits->connections && (!limits->connections_per_client || same < limits->connections_per_client);
}

void client_accept(struct listener *l)
{
	struct engine *g = l->engine;

	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		struct addr peer;
		struct client *c;
		uint64_t key = 0;
		int fd = accept4(l->watch.fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
				engine_accept_pause(g);
			return;
		}
		engine_isolation_look(g);
		if ((uint32_t)fd >= g->files_for_clients) { /* the kernel gives the lowest that is free */
			engine_accept_pause(g);
			i = ACCEPTS_MAX; /* this one more */
		}
		if (addr_from_sockaddr((struct sockaddr *)&sa, len, &peer) != OK || !is_within_limits(l, &peer, &key) ||
			(l->conf && record_refuses(g))) {
			board_add(&g->board->counters[M_CONNECTIONS_REFUSED], 1);
			close(fd);
			continue;
		}
		c = client_new(l, fd, &peer);
		if (!c) {
			close(fd);
			continue;
		}
		c->count_key = key;
		record_client_open(c);
		c->is_counted = l->conf && g->conf->limits.connections_per_client && board_client_add(g->board, key);
		if (client_start(c) != OK)
			client_close(c);
		else if (l->tls == NULL || i > 0) /* TLS clients speak first as well; one try is cheap */
			client_run(c);
	}
}

static void client_handshake(struct client *c)
{
	struct engine *g = c->engine;
	enum err e = tls_handshake(c->io.tls);

	/* A client that ends before it has our signature will not finish. */
	if (e == ERR_AGAIN && !(c->io.peer_ended && tls_is_signing(c->io.tls)))
		return;
	if (e != OK) {
		board_add(&g->board->counters[M_TLS_FAILED], 1);
		client_close(c);
		return;
	}
	tls_facts(c->io.tls, &c->tls);
	board_add(&g->board->counters[M_TLS_HANDSHAKES], 1);
	if (c->tls.is_resumed)
		board_add(&g->board->counters[M_TLS_RESUMED], 1);
	c->io.handshaking = false;
	c->io.readable = c->io.writable = true;
	c->state = CLIENT_IDLE;
	client_run(c);
}

/* A request that cannot be read: answered once, and the connection ends. */
static void client_bad_request(struct client *c, struct exchange *x, unsigned status, const char *why)
{
	board_add(&c->engine->board->counters[M_REFUSED_SYNTAX], 1);
	c->had_secret = c->had_secret || c->engine->conf->gateway.is_on; /* it may have shown one: nobody has looked */
	c->closes = true;
	x->up_done = true;
	exchange_refuse(x, status, why);
}

/* HTTP/1.0 without Host asks for what is at the address it was sent to (RFC 9112 3.3). Routes and policies see that
 * address, and so does the server: an empty Host would be read in as many ways as there are servers. */
static void client_stand_in_host(struct client *c, struct http_request *r, struct arena *arena)
{
	unsigned char *mem = arena_alloc_raw(arena, 64);
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct addr local;
	struct text t;

	if (!mem || getsockname(c->io.watch.fd, (struct sockaddr *)&sa, &len) < 0 ||
		addr_from_sockaddr((struct sockaddr *)&sa, len, &local) != OK)
		return; /* refused below: no host */
	text_init(&t, mem, 64);
	addr_write(&local, &t);
	r->authority = text_bytes(&t);
}

static void client_begin(struct client *c, struct exchange *x, size_t used)
{
	struct engine *g = c->engine;
	const char *why = "path";
	struct bytes scheme = c->io.tls ? BYTES("https") : BYTES("http");
	enum err e;

	c->in.start += used;
	c->scanned = 0;
	c->requests++;
	c->state = CLIENT_EXCHANGE;
	loop_timer_clear(g->loop, &c->timer);
	c->closes = !x->req.keep_alive || g->is_draining || c->requests >= g->conf->limits.requests_per_connection;
	if (x->req.minor == 0 && x->req.form != HTTP_FORM_ABSOLUTE &&
		!http_find_field_id(x->req.fields, x->req.field_count, HTTP_HOST))
		client_stand_in_host(c, &x->req, &x->arena);
	e = canon_request(&x->req, &g->conf->canon, scheme, &x->arena, &why);
	if (e != OK) {
		client_bad_request(c, x, e == ERR_MEMORY ? 431 : 400, e == ERR_MEMORY ? "head-too-large" : why);
		return;
	}
	exchange_start(x);
}

/* Reads a head from what has come. False: wait, or c is gone. */
static bool client_head(struct client *c)
{
	struct engine *g = c->engine;
	struct http1_refusal why = { 400, "syntax" };
	struct exchange *x;
	size_t used = 0;
	enum err e;

	if (c->state == CLIENT_IDLE) {
		c->state = CLIENT_HEAD;
		loop_timer_set(g->loop, &c->timer, g->conf->limits.header_ms, client_on_time);
	}
	if (c->x == NULL && (c->x = exchange_new(c)) == NULL) {
		client_close(c);
		return false;
	}
	x = c->x;
	e = http1_parse_request(buf_bytes(&c->in), &g->conf->limits.http, &x->arena, &c->scanned, &used, &x->req, &why);
	if (e == OK) {
		client_begin(c, x, used);
		return false;
	}
	if (e != ERR_AGAIN) {
		x->req = (struct http_request){ .method_text = BYTES("-"), .minor = 1 };
		c->state = CLIENT_EXCHANGE;
		client_bad_request(c, x, e == ERR_MEMORY ? 431 : why.status, e == ERR_MEMORY ? "head-too-large" : why.reason);
		return false;
	}
	arena_reset(&x->arena);
	if (buf_room(&c->in) == 0) {
		if (c->in.start > 0) {
			buf_pack(&c->in);
		} else { /* a head over the small buffer: a large one takes over; the limits are below its size */
			struct buf big = { 0 };
			if (c->in.cap >= BUF_LARGE || buf_take(&g->bufs, &big, BUF_LARGE) != OK) {
				client_close(c);
				return false;
			}
			memcpy(big.mem, c->in.mem, c->in.end);
			buf_filled(&big, c->in.end);
			client_give_in(c);
			c->in = big;
		}
	}
	return true;
}

static void client_linger(struct client *c)
{
	enum err e;

	do {
		c->in.start = c->in.end = 0;
		e = io_read(&c->io, &c->in);
	} while (e == OK);
	if (e != ERR_AGAIN)
		client_close(c);
}

/* An idle connection on which nothing has come holds neither buffer nor exchange. */
static void client_rest(struct client *c)
{
	if (buf_len(&c->in))
		return;
	client_give_in(c);
	if (c->x) {
		exchange_free(c->x);
		c->x = NULL;
	}
}

static void client_read(struct client *c)
{
	struct engine *g = c->engine;

	for (;;) {
		enum err e;
		if (c->in.mem == NULL && buf_take(&g->bufs, &c->in, BUF_SMALL) != OK) {
			client_close(c);
			return;
		}
		if (buf_len(&c->in) > c->scanned && !client_head(c))
			return; /* it has gone on by itself, or is gone */
		e = io_read(&c->io, &c->in);
		if (e == ERR_AGAIN) {
			if (c->state == CLIENT_IDLE)
				client_rest(c);
			return;
		}
		if (e != OK) {
			if (c->x) { /* never began */
				exchange_free(c->x);
				c->x = NULL;
			}
			client_close(c);
			return;
		}
	}
}

void client_run(struct client *c)
{
	switch (c->state) {
	case CLIENT_HANDSHAKE: client_handshake(c); return;
	case CLIENT_IDLE:
	case CLIENT_HEAD: client_read(c); return;
	case CLIENT_EXCHANGE:
	case CLIENT_TUNNEL:
		if (!exchange_pump(c->x))
			return;
		return;
	case CLIENT_LINGER: client_linger(c); return;
	}
}

static void client_on_event(struct watch *w, uint32_t events)
{
	struct client *c = CONTAINER_OF(CONTAINER_OF(w, struct io, watch), struct client, io);

	io_note(&c->io, events);
	client_run(c);
}

void client_exchange_done(struct client *c)
{
	struct engine *g = c->engine;
	struct exchange *x = c->x;
	bool all_read = x->up_done;

	access_log_write(x);
	record_exchange_end(x);
	c->x = NULL;
	if (x->up_in.mem) { /* what came behind a chunked body is the next request */
		client_give_in(c);
		c->in = x->up_in;
		x->up_in = (struct buf){ 0 };
	}
	exchange_free(x);
	if (c->closes || !all_read) {
		if (c->io.tls)
			tls_shutdown(c->io.tls);
		if (all_read && c->io.peer_ended) {
			client_close(c);
			return;
		}
		/* Closing with unread bytes would reset the answer away: end our side, read on for a while. */
		shutdown(c->io.watch.fd, SHUT_WR);
		c->state = CLIENT_LINGER;
		loop_timer_set(g->loop, &c->timer, LINGER_MS, client_on_time);
		if (c->in.mem == NULL && buf_take(&g->bufs, &c->in, BUF_SMALL) != OK) {
			client_close(c);
			return;
		}
		client_linger(c);
		return;
	}
	c->state = CLIENT_IDLE;
	c->scanned = 0;
	if (buf_len(&c->in)) /* pipelined */
		buf_pack(&c->in);
	else
		client_give_in(c);
	loop_timer_set(g->loop, &c->timer, g->conf->limits.idle_ms, client_on_time);
	/* Not from here: a client that pipelines a thousand requests must not grow our stack. */
	if (buf_len(&c->in) || io_may_read(&c->io))
		client_later(c);
}

static void client_later(struct client *c)
{
	struct engine *g = c->engine;

	if (c->later_prev)
		return;
	c->later_next = g->later;
	c->later_prev = &g->later;
	if (c->later_next)
		c->later_next->later_prev = &c->later_next;
	g->later = c;
}

static void client_not_later(struct client *c)
{
	if (!c->later_prev)
		return;
	*c->later_prev = c->later_next;
	if (c->later_next)
		c->later_next->later_prev = c->later_prev;
	c->later_prev = NULL;
}

static void later_on_time(struct timer *t)
{
	(void)t; /* only there so that the loop does not sleep */
}

void client_run_later(struct engine *g)
{
	for (int i = 0; g->later && i < LATER_MAX; i++) {
		struct client *c = g->later;
		client_not_later(c);
		client_run(c);
	}
	if (g->later)
		loop_timer_set(g->loop, &g->later_timer, 0, later_on_time);
}

static void client_on_time(struct timer *t)
{
	struct client *c = CONTAINER_OF(t, struct client, timer);

	if (c->state == CLIENT_HEAD && c->x) {
		struct exchange *x = c->x;
		x->req = (struct http_request){ .method_text = BYTES("-"), .minor = 1 };
		c->had_secret = c->had_secret || c->engine->conf->gateway.is_on;
		c->state = CLIENT_EXCHANGE;
		c->closes = true;
		x->up_done = true;
		exchange_refuse(x, 408, "header-time");
		return;
	}
	if (c->state == CLIENT_EXCHANGE && c->x && !c->x->up_done && !c->x->head_written) {
		c->closes = true;
		exchange_refuse(c->x, 408, "body-time");
		return;
	}
	client_close(c);
}
