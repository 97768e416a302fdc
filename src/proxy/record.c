/* What the ledger learns from a worker: clients' connections, which servers they used, blocked requests. Each is one copy into a
 * ring (ledger/ring.h). Where there is no ledger nothing is written. */
#include "proxy/engine.h"

#include <stdio.h>
#include <stdlib.h>

#define USES_MAX 64 /* of one client connection at a time; the one that was used longest ago ends for another */

bool record_refuses(const struct engine *g)
{
	if (g->conf->ledger.mode != CONF_LEDGER_STRICT || !g->records)
		return false;
	return __atomic_load_n(&g->ledger->state, __ATOMIC_RELAXED) != LEDGER_WRITES || ledger_ring_is_full(g->records);
}

static struct bytes listener_name(const struct client *c)
{
	return c->listener->conf ? c->listener->conf->name : BYTES("");
}

static bool is_recorded(const struct client *c)
{
	return c->engine->records && c->listener->conf;
}

void record_client_open(struct client *c)
{
	struct engine *g = c->engine;

	if (!is_recorded(c))
		return;
	c->conn = g->conn_next++;
	(void)ledger_ring_write(g->records, &(struct ledger_record){ .kind = LEDGER_IN, .state = LEDGER_OPEN, .conn = c->conn,
		.start_us = loop_real_us(g->loop), .client = c->peer, .listener = listener_name(c) });
}

/* "10.0.0.11:8080" is told as numbers; "app/web1" as text. */
static struct bytes name_of(const struct conf_pool *pool, uint16_t server, char out[LEDGER_TEXT_MAX])
{
	struct bytes name = pool->servers[server].name;
	struct text t;

	text_init(&t, out, LEDGER_TEXT_MAX);
	text_add(&t, bytes_cut(pool->name, 0, 120));
	text_byte(&t, '/');
	text_add(&t, bytes_cut(name, 0, 130));
	return text_bytes(&t);
}

static struct addr target_of(const struct conf_pool *pool, uint16_t server, const unsigned char ip[16])
{
	struct addr a = { .port = pool->servers[server].port };

	memcpy(a.ip, ip, sizeof(a.ip));
	return a;
}

/* Whose session it is; without one, whose certificate. */
static void put_who(struct ledger_record *r, const struct client *c, const struct admit_session *s)
{
	r->user = s ? s->facts.user : c->tls.client_subject;
	r->session = s ? bytes_str(s->facts.id) : BYTES("");
}

static void put_use(struct client *c, const struct use *u, bool is_end)
{
	struct engine *g = c->engine;
	char mem[LEDGER_TEXT_MAX];
	struct ledger_record r = { .kind = LEDGER_USE, .state = is_end ? LEDGER_CLOSE : LEDGER_OPEN, .conn = u->conn,
		.start_us = u->start_us, .client = u->client, .target = target_of(u->pool, u->server, u->ip),
		.listener = listener_name(c), .name = name_of(u->pool, u->server, mem) };

	put_who(&r, c, c->session);
	r.client.port = c->peer.port;
	if (is_end) {
		r.end_us = loop_real_us(g->loop);
		r.has_counts = true;
		r.requests = u->requests;
		r.bytes_in = u->bytes_in;
		r.bytes_out = u->bytes_out;
	}
	(void)ledger_ring_write(g->records, &r);
}

/* Also when another person goes on over the same connection: each use is of one. */
void record_uses_end(struct client *c)
{
	if (c->x)
		c->x->use = NULL;
	while (c->uses) {
		struct use *u = c->uses;

		put_use(c, u, true);
		c->uses = u->next;
		free(u);
	}
	c->use_count = 0;
}

void record_client_close(struct client *c)
{
	struct engine *g = c->engine;

	if (!is_recorded(c))
		return;
	record_uses_end(c);
	(void)ledger_ring_write(g->records, &(struct ledger_record){ .kind = LEDGER_IN, .state = LEDGER_CLOSE, .conn = c->conn,
		.end_us = loop_real_us(g->loop), .client = c->peer, .listener = listener_name(c), .user = c->tls.client_subject,
		.outcome = bytes_str(c->why_ended), .has_counts = true, .requests = c->requests, .bytes_in = c->bytes_in,
		.bytes_out = c->bytes_out });
}

static bool is_use(const struct use *u, const struct exchange *x)
{
	return u->pool == x->pool->conf && u->server == x->server && memcmp(u->ip, x->up->ip, sizeof(u->ip)) == 0 &&
		memcmp(u->client.ip, x->input.client.ip, sizeof(u->client.ip)) == 0;
}

/* The last in the list goes. */
static void end_oldest(struct client *c)
{
	struct use **at = &c->uses;

	while ((*at)->next)
		at = &(*at)->next;
	if (c->x && c->x->use == *at)
		c->x->use = NULL;
	put_use(c, *at, true);
	free(*at);
	*at = NULL;
	c->use_count--;
}

void record_use(struct exchange *x)
{
	struct client *c = x->client;
	struct engine *g = x->engine;
	struct use *u;

	x->use = NULL;
	if (!is_recorded(c))
		return;
	for (struct use **at = &c->uses; (u = *at); at = &u->next)
		if (is_use(u, x)) {
			*at = u->next;
			u->next = c->uses;
			c->uses = x->use = u;
			return;
		}
	if (c->use_count >= USES_MAX)
		end_oldest(c);
	u = calloc(1, sizeof(*u));
	if (!u) { /* begun and ended at once: known, without its bytes */
		struct use once = { .conn = g->conn_next++, .start_us = loop_real_us(g->loop), .pool = x->pool->conf,
			.client = x->input.client, .server = x->server };

		memcpy(once.ip, x->up->ip, sizeof(once.ip));
		put_use(c, &once, false);
		put_use(c, &once, true);
		return;
	}
	*u = (struct use){ .next = c->uses, .conn = g->conn_next++, .start_us = loop_real_us(g->loop), .pool = x->pool->conf,
		.client = x->input.client, .server = x->server };
	memcpy(u->ip, x->up->ip, sizeof(u->ip));
	c->uses = x->use = u;
	c->use_count++;
	put_use(c, u, false);
}

void record_exchange_end(struct exchange *x)
{
	struct client *c = x->client;

	c->bytes_in += x->body_in;
	c->bytes_out += x->body_out;
	if (!x->use)
		return;
	x->use->requests++;
	x->use->bytes_in += x->body_in;
	x->use->bytes_out += x->body_out;
	x->use = NULL;
}

/* Its exchange goes: the bodies' bytes count. */
void record_upstream_done(struct upstream *u)
{
	if (!u->x)
		return;
	u->bytes_in += u->x->body_in;
	u->bytes_out += u->x->body_out;
	u->x = NULL;
}

void record_upstream_close(struct upstream *u)
{
	struct engine *g = u->engine;
	char mem[LEDGER_TEXT_MAX];

	if (!g->records || !u->conn)
		return;
	record_upstream_done(u);
	(void)ledger_ring_write(g->records, &(struct ledger_record){ .kind = LEDGER_OUT, .state = LEDGER_CLOSE, .conn = u->conn,
		.end_us = loop_real_us(g->loop), .target = target_of(u->pool->conf, u->server, u->ip),
		.name = name_of(u->pool->conf, u->server, mem), .outcome = bytes_str(u->why_ended), .has_counts = true,
		.requests = u->requests, .bytes_in = u->bytes_in, .bytes_out = u->bytes_out });
}

void record_policy(struct exchange *x, unsigned status, const char *why)
{
	struct engine *g = x->engine;
	char name[LEDGER_TEXT_MAX], outcome[64], detail[512];
	struct ledger_record r = { .kind = LEDGER_POLICY, .client = x->input.client, .listener = listener_name(x->client) };
	struct text t;

	if (!is_recorded(x->client))
		return;
	put_who(&r, x->client, x->session);
	r.client.port = x->client->peer.port;
	text_init(&t, name, sizeof(name));
	if (x->rule) {
		text_add(&t, bytes_cut(x->rule->set, 0, 100));
		if (x->rule->set.len)
			text_byte(&t, '/');
		text_add(&t, bytes_cut(x->rule->name, 0, 150));
	}
	r.name = text_bytes(&t);
	snprintf(outcome, sizeof(outcome), "%s %u", why, status);
	r.outcome = bytes_str(outcome);
	text_init(&t, detail, sizeof(detail));
	text_add(&t, bytes_cut(x->req.method_text, 0, 32));
	text_byte(&t, ' ');
	text_add(&t, bytes_cut(x->req.host, 0, 150));
	text_byte(&t, ' ');
	text_add(&t, bytes_cut(admit_shown_target(x), 0, 300));
	r.detail = text_bytes(&t);
	(void)ledger_ring_write(g->records, &r);
}
