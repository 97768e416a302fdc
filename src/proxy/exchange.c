/* One request and its answer: bytes move both ways as far as they go; each direction owns one buffer that it
 * holds only while there is something in it. */
#include "proxy/engine.h"
#include "base/clock.h"
#include "http1/write.h"

#include <stdlib.h>
#include <sys/socket.h>

#define EXCHANGES_KEPT 256
#define TRAILERS_MAX   2048 /* more than that is dropped, as an intermediary may (RFC 9110 6.5.1) */
#define CHUNK_ROOM     (64 + TRAILERS_MAX) /* a chunk's size line, its end, the last chunk and its trailers */

static void exchange_on_time(struct timer *t);

struct exchange *exchange_new(struct client *c)
{
	struct engine *g = c->engine;
	struct exchange *x = g->free_exchanges;
	unsigned char *mem;

	if (x) {
		g->free_exchanges = x->next_free;
		g->free_exchange_count--;
		mem = x->arena.start;
	} else {
		x = malloc(sizeof *x + EXCHANGE_ARENA);
		if (!x)
			return NULL;
		mem = (unsigned char *)(x + 1);
	}
	memset(x, 0, sizeof *x);
	arena_init(&x->arena, mem, EXCHANGE_ARENA);
	x->client = c;
	x->engine = g;
	return x;
}

void exchange_free(struct exchange *x)
{
	struct engine *g = x->engine;

	upstream_stop_waiting(x);
	upstream_uncount(x);
	if (x->admit || x->has_secret)
		admit_end(x);
	loop_timer_clear(g->loop, &x->timer);
	buf_give(&g->bufs, &x->up_in);
	buf_give(&g->bufs, &x->up_out);
	buf_give(&g->bufs, &x->out);
	if (g->free_exchange_count >= EXCHANGES_KEPT) {
		free(x);
		return;
	}
	x->next_free = g->free_exchanges;
	g->free_exchanges = x;
	g->free_exchange_count++;
}

void exchange_start(struct exchange *x)
{
	struct engine *g = x->engine;

	x->started_us = loop_now_us(g->loop);
	x->real_us = loop_real_us(g->loop);
	x->up_left = x->req.framing == HTTP_BODY_LENGTH ? x->req.length : 0;
	x->up_done = x->req.framing == HTTP_BODY_NONE || (x->req.framing == HTTP_BODY_LENGTH && x->req.length == 0);
	if (x->client->listener->conf == NULL) {
		metrics_answer(x);
		return;
	}
	engine_isolation_look(g);
	if (x->req.framing == HTTP_BODY_LENGTH && g->conf->limits.body_max && x->req.length > g->conf->limits.body_max) {
		exchange_refuse(x, 413, "body-too-large");
		return;
	}
	exchange_fill_input(x);
	if (g->isolated.count && exchange_is_isolated(x)) {
		exchange_refuse_isolated(x, g->isolated.has_node ? 503 : 403);
		return;
	}
	if (g->conf->gateway.is_on && !admit_begin(x))
		return;
	exchange_go(x);
}

void exchange_go(struct exchange *x)
{
	struct engine *g = x->engine;

	if (!exchange_decide(x))
		return;
	if (x->pool->conf->total_ms)
		x->total_until_ms = loop_now_ms(g->loop) + x->pool->conf->total_ms;
	retry_budget_request(&x->pool->budget);
	upstream_get(x);
}

void exchange_timer(struct exchange *x, uint32_t most)
{
	uint64_t now = loop_now_ms(x->engine->loop), until = now + most;

	if (x->try_until_ms && !x->head_written && x->try_until_ms < until)
		until = x->try_until_ms;
	if (x->total_until_ms && x->total_until_ms < until)
		until = x->total_until_ms;
	loop_timer_set(x->engine->loop, &x->timer, until > now ? until - now : 0, exchange_on_time);
}

static void exchange_arm(struct exchange *x)
{
	if (x->session)
		admit_seen(x);
	if (x->is_tunnel)
		loop_timer_set(x->engine->loop, &x->timer, x->engine->conf->limits.tunnel_idle_ms, exchange_on_time);
	else
		exchange_timer(x, x->pool->conf->response_ms);
}

void exchange_upstream_ready(struct exchange *x, struct upstream *u)
{
	struct engine *g = x->engine;

	x->up = u;
	u->x = x;
	u->requests++;
	u->had_secret = x->has_secret;
	x->phase = X_RELAY;
	record_use(x);
	x->sent_us = loop_now_us(g->loop);
	if (x->up_out.mem == NULL && buf_take(&g->bufs, &x->up_out,
		x->client->in.cap == BUF_LARGE || x->up_left > BUF_SMALL ? BUF_LARGE : BUF_SMALL) != OK) {
		exchange_refuse(x, 503, "memory");
		return;
	}
	x->up_out.start = x->up_out.end = 0;
	if (exchange_write_request(x) != OK) {
		exchange_refuse(x, 431, "head-too-large");
		return;
	}
	exchange_arm(x);
	if (!exchange_pump(x))
		return;
}

/* The client must move, or be gone when its time is over. */
static void client_wait(struct exchange *x)
{
	struct client *c = x->client;
	void (*on_time)(struct timer *) = c->timer.on_due;

	if (on_time)
		loop_timer_set(x->engine->loop, &c->timer, x->engine->conf->limits.body_ms, on_time);
}

static void put_chunk(struct text *t, struct bytes data)
{
	text_hex(t, data.len);
	text_lit(t, "\r\n");
	text_add(t, data);
	text_lit(t, "\r\n");
}

/* Where a chunked body's trailers are kept until it ends; without room in the arena they are dropped. */
static struct text *trailers_of(struct exchange *x, struct text *t)
{
	if (!t->at) {
		void *mem = arena_alloc_raw(&x->arena, TRAILERS_MAX);
		if (!mem)
			return NULL;
		text_init(t, mem, TRAILERS_MAX);
	}
	return t;
}

static struct bytes trailers_read(const struct text *t)
{
	return t->failed ? BYTES("") : text_bytes(t);
}

/* Takes body bytes of the client from b into up_out. */
static enum err body_from(struct exchange *x, struct buf *b)
{
	struct text t;
	struct bytes data;
	size_t used = 0;
	enum err e;

	if (x->req.framing == HTTP_BODY_LENGTH) {
		size_t n = buf_len(b) < x->up_left ? buf_len(b) : (size_t)x->up_left;
		if (n > buf_room(&x->up_out))
			n = buf_room(&x->up_out);
		memcpy(x->up_out.mem + x->up_out.end, b->mem + b->start, n);
		buf_filled(&x->up_out, n);
		b->start += n;
		x->up_left -= n;
		x->body_in += n;
		x->up_done = x->up_left == 0;
		return OK;
	}
	if (buf_room(&x->up_out) <= CHUNK_ROOM)
		return ERR_AGAIN;
	data = bytes_cut(buf_bytes(b), 0, buf_room(&x->up_out) - CHUNK_ROOM);
	e = chunk_read(&x->up_chunks, data, &used, &data, trailers_of(x, &x->up_trailers));
	if (e != OK && e != ERR_AGAIN)
		return e;
	b->start += used;
	x->body_in += data.len;
	if (x->engine->conf->limits.body_max && x->body_in > x->engine->conf->limits.body_max)
		return ERR_LIMIT;
	t = buf_text(&x->up_out);
	if (data.len)
		put_chunk(&t, data);
	if (e == OK) {
		http1_write_last_chunk(&t, trailers_read(&x->up_trailers), x->edits, false);
		x->up_done = true;
	}
	return buf_text_end(&x->up_out, &t);
}

/* More of the request's body into up_out. ERR_AGAIN: none now. */
static enum err body_take(struct exchange *x)
{
	struct client *c = x->client;
	enum err e;

	x->up_any_body = true;
	if (buf_room(&x->up_out) <= CHUNK_ROOM)
		return ERR_AGAIN;
	if (buf_len(&c->in))
		return body_from(x, &c->in);
	if (x->req.framing == HTTP_BODY_LENGTH) {
		struct buf *b = &x->up_out;
		size_t cap = b->cap, before = b->end;
		if (buf_room(b) > x->up_left)
			b->cap = b->end + (size_t)x->up_left;
		e = io_read(&c->io, b);
		b->cap = cap;
		x->up_left -= b->end - before;
		x->body_in += b->end - before;
		x->up_done = x->up_left == 0;
		return e;
	}
	if (x->up_in.mem == NULL && buf_take(&x->engine->bufs, &x->up_in, BUF_SMALL) != OK)
		return ERR_MEMORY;
	if (buf_len(&x->up_in) == 0) {
		x->up_in.start = x->up_in.end = 0;
		e = io_read(&c->io, &x->up_in);
		if (e != OK)
			return e;
	}
	return body_from(x, &x->up_in);
}

/* What went to the server has its token, and who the person is. */
static void give_up_out(struct exchange *x)
{
	if (x->has_secret)
		buf_wipe(&x->up_out);
	buf_give(&x->engine->bufs, &x->up_out);
}

/* Towards the server. False: x is gone. */
static bool pump_up(struct exchange *x)
{
	for (;;) {
		enum err e = OK;
		while (!x->up_done && !x->up_broken && (e = body_take(x)) == OK)
			;
		if (e == ERR_AGAIN && buf_len(&x->up_out) == 0)
			client_wait(x);
		if (e != OK && e != ERR_AGAIN) {
			if (x->head_written || (e != ERR_SYNTAX && e != ERR_LIMIT)) {
				client_close(x->client);
			} else {
				x->client->closes = true;
				exchange_refuse(x, e == ERR_LIMIT ? 413 : 400, e == ERR_LIMIT ? "body-too-large" : "chunk");
			}
			return false;
		}
		if (buf_len(&x->up_out) == 0 || x->up_broken) {
			if (x->up_done)
				give_up_out(x);
			return true;
		}
		e = io_write(&x->up->io, &x->up_out);
		if (e == ERR_AGAIN)
			return true;
		if (e != OK) { /* its answer may be there already: reading will tell */
			x->up_broken = true;
			x->up_out.start = x->up_out.end = 0;
			x->up->io.readable = x->up->io.peer_ended = true;
			return true;
		}
		exchange_arm(x);
		if (x->up_done) {
			loop_timer_clear(x->engine->loop, &x->client->timer);
			give_up_out(x);
			return true;
		}
	}
}

static void down_end(struct exchange *x)
{
	x->down_done = true;
	upstream_note_answer(x);
}

/* The answer's head, once it is whole in u->in. */
static enum err take_head(struct exchange *x, struct upstream *u)
{
	struct engine *g = x->engine;
	const char *why = "";
	size_t used = 0;
	enum err e;

	if (u->in.mem == NULL)
		TRY(buf_take(&g->bufs, &u->in, BUF_SMALL));
	if (buf_len(&u->in) == u->scanned) {
		if (buf_room(&u->in) == 0)
			return ERR_LIMIT;
		TRY(io_read(&u->io, &u->in));
	}
	x->any_answer = true;
	e = http1_parse_response(buf_bytes(&u->in), &g->conf->limits.http, &x->arena, x->req.method, &u->scanned, &used,
		&x->res, &why);
	if (e == ERR_AGAIN && u->scanned < buf_len(&u->in))
		u->scanned = buf_len(&u->in); /* what is there has been looked at */
	if (e == ERR_AGAIN && buf_room(&u->in) == 0) { /* more may have come, and no event will tell of it again */
		if (u->in.start == 0)
			return ERR_LIMIT;
		buf_pack(&u->in);
		return OK;
	}
	if (e != OK)
		return e;
	u->in.start += used;
	u->scanned = 0;
	if (x->res.status == 101 && x->req.upgrade.len == 0)
		return ERR_SYNTAX;
	x->down_left = x->res.framing == HTTP_BODY_LENGTH ? x->res.length : 0;
	if (x->out.mem == NULL)
		TRY(buf_take(&g->bufs, &x->out, x->res.framing == HTTP_BODY_CHUNKED || x->res.framing == HTTP_BODY_UNTIL_CLOSE ||
			x->down_left > BUF_SMALL - 2048 ? BUF_LARGE : BUF_SMALL));
	if (x->res.status < 200 && x->res.status != 101) {
		if (x->req.minor == 0)
			return OK;
		return exchange_write_response(x);
	}
	x->status = x->res.status;
	x->re_chunk = x->req.minor == 1 &&
		(x->res.framing == HTTP_BODY_CHUNKED || x->res.framing == HTTP_BODY_UNTIL_CLOSE);
	if (x->req.minor == 0 && (x->res.framing == HTTP_BODY_CHUNKED || x->res.framing == HTTP_BODY_UNTIL_CLOSE))
		x->client->closes = true;
	if (!exchange_decide_response(x))
		return ERR_DENIED;
	if (exchange_write_response(x) != OK)
		return ERR_MEMORY;
	x->head_written = true;
	if (x->res.status == 101)
		x->is_tunnel = true;
	else if (x->res.framing == HTTP_BODY_NONE || (x->res.framing == HTTP_BODY_LENGTH && x->down_left == 0))
		down_end(x);
	return OK;
}

static enum err put_body(struct exchange *x, struct bytes data, bool is_last)
{
	struct text t = buf_text(&x->out);

	x->body_out += data.len;
	if (x->re_chunk && data.len)
		put_chunk(&t, data);
	else
		text_add(&t, data);
	if (is_last && x->re_chunk)
		http1_write_last_chunk(&t, trailers_read(&x->down_trailers), x->edits, true);
	return buf_text_end(&x->out, &t);
}

static enum err take_length(struct exchange *x, struct upstream *u)
{
	struct buf *b = &x->out;
	size_t n = buf_len(&u->in);
	enum err e = OK;

	if (buf_room(b) == 0)
		return ERR_AGAIN;
	if (n) {
		n = n < x->down_left ? n : (size_t)x->down_left;
		n = n < buf_room(b) ? n : buf_room(b);
		memcpy(b->mem + b->end, u->in.mem + u->in.start, n);
		u->in.start += n;
		buf_filled(b, n);
	} else {
		size_t cap = b->cap, before = b->end;
		if (buf_room(b) > x->down_left)
			b->cap = b->end + (size_t)x->down_left;
		e = io_read(&u->io, b);
		b->cap = cap;
		n = b->end - before;
	}
	x->down_left -= n;
	x->body_out += n;
	if (x->down_left == 0)
		down_end(x);
	return e;
}

/* RFC 9112 9.8: over TLS, an answer that ends with the connection is whole only after a closure alert. */
static bool is_clean_end(const struct upstream *u)
{
	struct tls_facts facts;

	if (!u->io.tls)
		return true;
	tls_facts(u->io.tls, &facts);
	return facts.is_cleanly_closed;
}

/* Chunked, or until the server closes: through u->in. */
static enum err take_stream(struct exchange *x, struct upstream *u)
{
	struct bytes data;
	size_t used = 0;
	enum err e;

	if (buf_room(&x->out) <= CHUNK_ROOM)
		return ERR_AGAIN;
	if (buf_len(&u->in) == 0) {
		u->in.start = u->in.end = 0;
		e = io_read(&u->io, &u->in);
		if (e == ERR_CLOSED && x->res.framing == HTTP_BODY_UNTIL_CLOSE && is_clean_end(u)) {
			down_end(x);
			return put_body(x, BYTES(""), true);
		}
		if (e != OK)
			return e;
	}
	data = bytes_cut(buf_bytes(&u->in), 0, buf_room(&x->out) - CHUNK_ROOM);
	if (x->res.framing == HTTP_BODY_UNTIL_CLOSE) {
		u->in.start += data.len;
		return put_body(x, data, false);
	}
	e = chunk_read(&x->down_chunks, data, &used, &data, trailers_of(x, &x->down_trailers));
	if (e != OK && e != ERR_AGAIN)
		return e;
	u->in.start += used;
	if (e == OK)
		down_end(x);
	return put_body(x, data, e == OK);
}

static enum err take_answer(struct exchange *x)
{
	struct upstream *u = x->up;

	if (!x->head_written)
		return take_head(x, u);
	if (x->res.framing == HTTP_BODY_LENGTH)
		return take_length(x, u);
	return take_stream(x, u);
}

/* The server is no longer needed: give it back before the client's last bytes are sent. */
static void release_upstream(struct exchange *x)
{
	struct upstream *u = x->up;

	if (!u)
		return;
	x->up = NULL;
	upstream_uncount(x);
	loop_timer_clear(x->engine->loop, &x->timer);
	/* Not after an upgrade that was refused: some servers still take what comes next for the tunnel's. */
	upstream_done(u, x->res.keep_alive && x->up_done && !x->up_broken && buf_len(&u->in) == 0 &&
		x->res.framing != HTTP_BODY_UNTIL_CLOSE && !u->io.peer_ended && x->req.upgrade.len == 0);
}

/* Towards the client. False: x is gone. */
static bool pump_down(struct exchange *x)
{
	for (;;) {
		enum err e = OK;
		bool any = false;
		while (!x->down_done && !x->is_tunnel && x->up && x->phase == X_RELAY && (e = take_answer(x)) == OK)
			any = true;
		if (any && x->up && !x->down_done)
			exchange_arm(x);
		if (e != OK && e != ERR_AGAIN) {
			exchange_upstream_failed(x, e);
			return false;
		}
		if (x->down_done)
			release_upstream(x);
		if (buf_len(&x->out) == 0) {
			if (x->down_done) {
				client_exchange_done(x->client);
				return false;
			}
			if (x->up && !x->is_tunnel && x->head_written)
				buf_give_if_empty(&x->engine->bufs, &x->out);
			if (x->out.mem == NULL && x->up && x->head_written &&
				buf_take(&x->engine->bufs, &x->out, BUF_LARGE) != OK) {
				client_close(x->client);
				return false;
			}
			return true;
		}
		e = io_write(&x->client->io, &x->out);
		if (e == ERR_AGAIN) {
			client_wait(x);
			return true;
		}
		if (e != OK) {
			client_close(x->client);
			return false;
		}
		if (x->up_done)
			loop_timer_clear(x->engine->loop, &x->client->timer);
		if (x->is_tunnel)
			return true;
	}
}

/* One direction of a tunnel. ERR_CLOSED: ended and all of it was passed on; other errors: cut both. */
static enum err tunnel_move(struct exchange *x, struct io *from, struct buf *first, struct io *to, struct buf *b)
{
	for (;;) {
		enum err e = OK, w;
		if (first->mem && buf_len(first) && b->mem != first->mem) {
			size_t n = buf_len(first) < buf_room(b) ? buf_len(first) : buf_room(b);
			memcpy(b->mem + b->end, first->mem + first->start, n);
			buf_filled(b, n);
			first->start += n;
		} else {
			e = io_read(from, b);
		}
		if (buf_len(b) == 0)
			return e;
		exchange_arm(x);
		w = io_write(to, b);
		if (w != OK)
			return w == ERR_AGAIN ? ERR_AGAIN : ERR_IO;
		if (e != OK)
			return e;
	}
}

static bool tunnel_side(struct exchange *x, bool up)
{
	struct client *c = x->client;
	bool *ended = up ? &x->client_ended : &x->server_ended;
	enum err e;

	if (*ended)
		return true;
	e = up ? tunnel_move(x, &c->io, &c->in, &x->up->io, &x->up_out)
	       : tunnel_move(x, &x->up->io, &x->up->in, &c->io, &x->out);
	if (e == ERR_AGAIN || e == OK)
		return true;
	*ended = true;
	if (e == ERR_CLOSED && !(x->client_ended && x->server_ended)) {
		shutdown(up ? x->up->io.watch.fd : c->io.watch.fd, SHUT_WR);
		return true;
	}
	client_close(c);
	return false;
}

static bool pump_tunnel(struct exchange *x)
{
	struct engine *g = x->engine;

	if (x->client->state != CLIENT_TUNNEL) {
		x->client->state = CLIENT_TUNNEL;
		x->client->closes = true;
		board_add(&g->board->counters[M_TUNNELS_OPEN], 1);
		loop_timer_clear(g->loop, &x->client->timer);
		if ((x->out.mem == NULL && buf_take(&g->bufs, &x->out, BUF_SMALL) != OK) ||
			(x->up_out.mem == NULL && buf_take(&g->bufs, &x->up_out, BUF_SMALL) != OK)) {
			client_close(x->client);
			return false;
		}
		exchange_arm(x);
	}
	return tunnel_side(x, true) && tunnel_side(x, false);
}

bool exchange_pump(struct exchange *x)
{
	if (x->client->io.broken) {
		client_close(x->client);
		return false;
	}
	if (x->phase == X_FORM && !x->down_done)
		return admit_pump(x);
	if (!x->is_tunnel) {
		if (x->up && x->phase == X_RELAY && !pump_up(x))
			return false;
		if (!pump_down(x))
			return false;
	}
	if (x->is_tunnel && (x->client->state == CLIENT_TUNNEL || buf_len(&x->out) == 0))
		return pump_tunnel(x);
	return true;
}

static bool is_safe_to_repeat(const struct exchange *x)
{
	if (x->up_any_body || x->any_answer || x->head_written)
		return false;
	switch (x->req.method) {
	case HTTP_GET: case HTTP_HEAD: case HTTP_OPTIONS: case HTTP_PUT: case HTTP_DELETE: case HTTP_TRACE: return true;
	case HTTP_OTHER: case HTTP_POST: case HTTP_CONNECT: case HTTP_PATCH: return false;
	}
	return false;
}

/* Another server, when that is safe and the budget allows. */
static bool try_again(struct exchange *x, bool nothing_sent)
{
	if (!nothing_sent && !is_safe_to_repeat(x))
		return false;
	if (x->total_until_ms && loop_now_ms(x->engine->loop) >= x->total_until_ms)
		return false;
	if (x->head_written || x->any_answer || (nothing_sent && x->up_any_body))
		return false;
	if (x->tries >= x->pool->conf->retry_tries || !retry_budget_take(&x->pool->budget))
		return false;
	if (!x->tried)
		x->tried = arena_array(&x->arena, x->pool->balance.count, sizeof *x->tried);
	if (!x->tried)
		return false;
	x->tried[x->server] = true;
	x->tries++;
	board_add(&x->engine->board->counters[M_RETRIES], 1);
	upstream_get(x);
	return true;
}

void exchange_upstream_failed(struct exchange *x, enum err e)
{
	struct upstream *u = x->up;
	bool never_sent = u == NULL, was_kept = u && u->requests > 1;
	unsigned status = e == ERR_TIMEOUT ? 504 : 502;

	x->up = NULL;
	upstream_stop_waiting(x);
	upstream_uncount(x);
	loop_timer_clear(x->engine->loop, &x->timer);
	if (u)
		upstream_done(u, false);
	/* A kept connection that the server was closing just then says nothing about the server. */
	if (was_kept && !x->any_answer && e == ERR_CLOSED && !x->tried_fresh && is_safe_to_repeat(x)) {
		x->tried_fresh = true;
		upstream_get(x);
		return;
	}
	/* By a policy on the answer, or no room beside the request's own head: the server did nothing wrong, and no
	 * client may have it ejected. */
	if (e == ERR_DENIED || e == ERR_MEMORY) {
		exchange_refuse(x, e == ERR_DENIED ? 502 : 503, e == ERR_DENIED ? "policy-unknown" : "memory");
		return;
	}
	upstream_note_failure(x->engine, x->pool, x->server);
	if (try_again(x, never_sent))
		return;
	if (x->head_written) { /* the client sees a short answer; there is no honest other way */
		x->refusal = e == ERR_TIMEOUT ? "server-time" : "server-broke-off";
		e = io_write(&x->client->io, &x->out); /* what came is passed on, as far as it goes at once */
		(void)e;
		client_close(x->client);
		return;
	}
	exchange_refuse(x, status,
		e == ERR_TIMEOUT ? "server-time" : e == ERR_TLS ? "server-tls" : never_sent ? "server-unreachable" :
		e == ERR_SYNTAX || e == ERR_LIMIT ? "server-answer-malformed" : "server-closed");
}

/* What is waited for is the client: it has not sent its body, or not taken what is there. That is for its own
 * time to end, and must never count against the server, or strangers could have servers ejected by being slow. */
static bool is_client_slow(const struct exchange *x)
{
	if (buf_len(&x->out) > 0)
		return true;
	if (x->req.expects_continue && !x->any_answer && x->body_in == 0)
		return false; /* it waits for the server's 100, as it may */
	return !x->up_done && !x->up_broken && !x->head_written && buf_len(&x->up_out) == 0;
}

static void exchange_on_time(struct timer *t)
{
	struct exchange *x = CONTAINER_OF(t, struct exchange, timer);
	bool is_total;

	if (x->is_tunnel) {
		client_close(x->client);
		return;
	}
	if (x->phase == X_ASKING || x->phase == X_FORM) {
		admit_on_time(x);
		return;
	}
	if (x->phase == X_QUEUED) {
		exchange_refuse(x, 503, "queue-time");
		return;
	}
	is_total = x->total_until_ms && loop_now_ms(x->engine->loop) >= x->total_until_ms;
	if (x->phase != X_RELAY || !is_client_slow(x)) {
		exchange_upstream_failed(x, ERR_TIMEOUT);
	} else if (!is_total) {
		x->try_until_ms = 0; /* the try was as long as the client made it */
		exchange_arm(x);
	} else if (x->head_written) {
		x->refusal = "client-time";
		client_close(x->client);
	} else {
		exchange_refuse(x, 408, "client-time");
	}
}

void exchange_leave_server(struct exchange *x)
{
	struct upstream *u = x->up;

	if (x->head_written) {
		client_reset(x->client, "isolated");
		return;
	}
	if (u)
		upstream_reset(u, "isolated");
	if (x->phase == X_RELAY && !is_safe_to_repeat(x)) {
		exchange_refuse_isolated(x, 503);
		return;
	}
	x->up = NULL;
	upstream_stop_waiting(x);
	upstream_uncount(x);
	loop_timer_clear(x->engine->loop, &x->timer);
	if (u)
		upstream_done(u, false);
	upstream_get(x);
}

void exchange_wait(struct exchange *x, uint32_t ms)
{
	loop_timer_set(x->engine->loop, &x->timer, ms, exchange_on_time);
}

void exchange_queue_timer(struct exchange *x)
{
	loop_timer_set(x->engine->loop, &x->timer, x->pool->conf->queue_ms, exchange_on_time);
}
