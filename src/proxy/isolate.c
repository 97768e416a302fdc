/* What administrators have isolated, in this worker: the master's list is copied when it changes, connections that it is
 * about are cut at the turn's end, and new requests are refused. What the list says and matches is board/isolation.h's. */
#define _GNU_SOURCE
#include "proxy/engine.h"

#include <sys/socket.h>

#define ISOLATED "isolated" /* in the access log and in the ledger: why it ended */

static bool has_address(const struct engine *g, const unsigned char ip[16], uint16_t port)
{
	struct addr a = { .port = port };

	memcpy(a.ip, ip, sizeof a.ip);
	return isolation_has_target(&g->isolated, &a);
}

/* A name that stands for several addresses is left out when all of them are isolated; the dialer passes over single ones. */
static bool is_server_isolated(const struct engine *g, const struct pool *p, size_t i)
{
	const struct conf_server *s = &p->conf->servers[i];
	struct bytes list = p->addresses[i];

	if (isolation_has_server(&g->isolated, p->conf->name, s->name))
		return true;
	if (!s->is_name)
		return has_address(g, s->address.ip, s->port);
	for (size_t at = 0; at + 16 <= list.len; at += 16)
		if (!has_address(g, list.at + at, s->port))
			return false;
	return list.len > 0;
}

void engine_isolation_mark(struct engine *g)
{
	for (size_t i = 0; i < g->conf->pool_count; i++) {
		struct pool *p = &g->pools[i];

		p->isolated_count = 0;
		for (size_t s = 0; s < p->balance.count; s++) {
			p->isolated[s] = g->isolated.count && is_server_isolated(g, p, s);
			p->isolated_count += p->isolated[s];
		}
	}
}

void engine_isolation_read(struct engine *g)
{
	if (!board_isolation_read(g->isolation, &g->isolated))
		return; /* asked again with the next connection, request or second */
	engine_isolation_mark(g);
	g->isolation_news = true;
}

bool pool_is_isolated(const struct engine *g, const struct pool *p, uint16_t server, const unsigned char *ip)
{
	return p->isolated[server] ||
	       (ip && g->isolated.count && has_address(g, ip, p->conf->servers[server].port));
}

static bool is_client_isolated(const struct client *c)
{
	const struct isolation_list *l = &c->engine->isolated;

	return l->has_node || isolation_has_client(l, &c->peer) ||
	       isolation_has_user(l, c->tls.client_subject) || (c->session && isolation_has_user(l, c->session->facts.user));
}

bool exchange_is_isolated(const struct exchange *x)
{
	return is_client_isolated(x->client) ||
	       (x->input.req && isolation_has_client(&x->engine->isolated, &x->input.client));
}

/* It waits for the server's answer, or the answer is on its way. */
static bool uses_isolated(const struct exchange *x)
{
	return x->pool && !x->is_local && (x->up || x->dial_slot || x->head_written) &&
	       pool_is_isolated(x->engine, x->pool, x->server, x->up ? x->up->ip : NULL);
}

static bool has_to_be_cut(const struct client *c)
{
	bool is_asking = c->x && (c->state == CLIENT_EXCHANGE || c->state == CLIENT_TUNNEL);

	if (!c->listener->conf) /* administrators must reach what they have isolated */
		return false;
	return is_client_isolated(c) || (is_asking && (exchange_is_isolated(c->x) || uses_isolated(c->x)));
}

/* A reset: what lies in the kernel's buffers would go on for as long as the other side takes it, and an answer that ends
 * with its connection would look whole. */
static void io_reset(struct io *io)
{
	static const struct linger at_once = { .l_onoff = 1 };

	setsockopt(io->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void upstream_reset(struct upstream *u, const char *why)
{
	u->why_ended = why;
	io_reset(&u->io);
	shutdown(u->io.watch.fd, SHUT_RDWR); /* the dialer may not have closed its copy yet */
}

void client_reset(struct client *c, const char *why)
{
	if (c->x) {
		c->x->refusal = why;
		if (c->x->up)
			upstream_reset(c->x->up, why);
	}
	c->why_ended = why;
	io_reset(&c->io);
	client_close(c);
}

static void client_cut(struct client *c)
{
	struct exchange *x = c->x;

	board_add(&c->engine->board->counters[M_ISOLATION_CUT], 1);
	if (is_client_isolated(c) || !x)
		client_reset(c, ISOLATED);
	else if (!exchange_is_isolated(x))
		exchange_leave_server(x);
	else if (x->head_written)
		client_reset(c, ISOLATED);
	else
		exchange_refuse_isolated(x, 403);
}

void client_to_cut(struct client *c)
{
	struct engine *g = c->engine;

	c->cut_next = g->cuts;
	c->cut_prev = &g->cuts;
	if (c->cut_next)
		c->cut_next->cut_prev = &c->cut_next;
	g->cuts = c;
}

void client_not_cut(struct client *c)
{
	if (!c->cut_prev)
		return;
	*c->cut_prev = c->cut_next;
	if (c->cut_next)
		c->cut_next->cut_prev = c->cut_prev;
	c->cut_prev = NULL;
}

static void close_kept(struct engine *g)
{
	struct upstream *next;

	for (size_t i = 0; g->isolated.count && i < g->conf->pool_count; i++)
		for (size_t s = 0; s < g->pools[i].balance.count; s++)
			for (struct upstream *u = g->pools[i].kept[s]; u; u = next) {
				next = u->next;
				if (!pool_is_isolated(g, u->pool, u->server, u->ip))
					continue;
				board_add(&g->board->counters[M_ISOLATION_CUT], 1);
				upstream_reset(u, ISOLATED);
				upstream_close(u);
			}
}

/* First all are found, then they are cut: each may take others with it. */
void engine_isolation_cut(struct engine *g)
{
	struct client *c;

	if (!g->isolation_news)
		return;
	g->isolation_news = false;
	close_kept(g);
	for (c = g->clients; g->isolated.count && c; c = c->next)
		if (has_to_be_cut(c))
			client_to_cut(c);
	while ((c = g->cuts)) {
		client_not_cut(c);
		client_cut(c);
	}
	__atomic_store_n(&g->board->isolation_epoch, g->isolated.epoch, __ATOMIC_RELEASE);
}
