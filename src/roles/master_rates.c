/* Rates over the last ten seconds or so, from two samples of what the workers counted; for sluis status. */
#include "roles/master_priv.h"

#include <stdlib.h>

#define SAMPLE_MS 5000 /* the base of a rate is one to two of these old */

struct rates {
	uint64_t at_ms;
	uint32_t generation; /* 0: no sample. Servers have other numbers in another one */
	uint64_t connections, requests, server[BOARD_SERVERS_MAX];
};

static uint64_t sum(const struct generation *g, enum metric m)
{
	uint64_t n = g->board->base[m];

	for (size_t i = 0; i < g->child_count; i++)
		if (g->children[i].counters)
			n += __atomic_load_n(&g->children[i].counters->counters[m], __ATOMIC_RELAXED);
	return n;
}

static uint64_t sum_server(const struct generation *g, uint16_t server)
{
	uint64_t n = 0;

	for (size_t i = 0; i < g->child_count; i++)
		if (g->children[i].counters)
			n += __atomic_load_n(&g->children[i].counters->servers[server].requests, __ATOMIC_RELAXED);
	return n;
}

void master_rates_sample(struct master *m)
{
	const struct generation *g = m->active;
	uint64_t now = loop_now_ms(m->loop);
	struct rates *spare;

	for (size_t i = 0; i < COUNT_OF(m->rates); i++)
		if (!m->rates[i] && !(m->rates[i] = calloc(1, sizeof(*m->rates[i]))))
			return;
	if (!g || (m->rates[1]->generation == g->number && now - m->rates[1]->at_ms < SAMPLE_MS))
		return;
	spare = m->rates[0];
	m->rates[0] = m->rates[1];
	m->rates[1] = spare;
	*spare = (struct rates){ .at_ms = now, .generation = g->number, .connections = sum(g, M_CONNECTIONS),
		.requests = sum(g, M_REQUESTS) };
	for (size_t p = 0; p < g->conf->pool_count; p++)
		for (size_t s = 0; s < g->conf->pools[p].server_count; s++)
			spare->server[g->conf->pools[p].servers[s].global] = sum_server(g, g->conf->pools[p].servers[s].global);
}

/* The older sample, or after a reload the only one. */
static const struct rates *base(const struct master *m)
{
	for (size_t i = 0; i < COUNT_OF(m->rates); i++)
		if (m->rates[i] && m->active && m->rates[i]->generation == m->active->number)
			return m->rates[i];
	return NULL;
}

static double rate(const struct master *m, const struct rates *from, uint64_t before, uint64_t now)
{
	uint64_t ms = loop_now_ms(m->loop) - from->at_ms;

	/* A worker that ended takes its servers' counts along. */
	return now > before && ms ? (double)(now - before) * 1000 / (double)ms : 0;
}

double master_rate_requests(const struct master *m)
{
	const struct rates *from = base(m);

	return from ? rate(m, from, from->requests, sum(m->active, M_REQUESTS)) : 0;
}

double master_rate_connections(const struct master *m)
{
	const struct rates *from = base(m);

	return from ? rate(m, from, from->connections, sum(m->active, M_CONNECTIONS)) : 0;
}

double master_rate_server(const struct master *m, uint16_t server)
{
	const struct rates *from = base(m);

	return from && server < BOARD_SERVERS_MAX ? rate(m, from, from->server[server], sum_server(m->active, server)) : 0;
}
