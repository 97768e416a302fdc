/* Setting the proxy up from a configuration, its listening sockets, and draining it. */
#include "proxy/engine.h"
#include "base/clock.h"
#include "base/fd.h"
#include "crypto/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define ENGINE_MEMORY (512u << 20)
#define LOG_BUFFER    (64 * 1024)
#define LOG_FLUSH_AT  (16 * 1024)
#define ACCEPT_PAUSE_MS 100
#define FILES_RESERVED	8 /* a part of descriptors: this one */


static enum err pool_init(struct engine *g, struct pool *p, const struct conf_pool *conf, struct tls_signer *signer,
	char *error, size_t error_size)
{
	size_t n = conf->server_count;
	struct bytes *names = arena_array(&g->arena, n, sizeof *names);

	static const enum balance_algorithm algorithms[] = { [BALANCE_ROUND_ROBIN] = BAL_ROUND_ROBIN,
		[BALANCE_LEAST_REQUESTS] = BAL_LEAST_REQUESTS, [BALANCE_TWO_CHOICES] = BAL_TWO_CHOICES, [BALANCE_HASH] = BAL_HASH };
	p->conf = conf;
	p->budget.percent = conf->retry_budget_percent;
	p->queue_last = &p->queue_first;
	p->kept = arena_array(&g->arena, n, sizeof *p->kept);
	p->kept_count = arena_array(&g->arena, n, sizeof *p->kept_count);
	p->addresses = arena_array(&g->arena, n, sizeof *p->addresses);
	p->isolated = arena_array(&g->arena, n, sizeof *p->isolated);
	p->balance = (struct balance_pool){ .algorithm = algorithms[conf->algorithm], .count = n,
		.slow_start_ms = conf->slow_start_ms, .eject_max_percent = conf->eject_max_percent,
		.servers = arena_array(&g->arena, n, sizeof *p->balance.servers) };
	if (!names || !p->kept || !p->kept_count || !p->addresses || !p->isolated || !p->balance.servers)
		return ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		names[i] = conf->servers[i].name;
		p->balance.servers[i].weight = conf->servers[i].weight;
		p->balance.servers[i].is_backup = conf->servers[i].is_backup;
		p->balance.servers[i].max_active = conf->servers[i].max_connections;
	}
	if (conf->tls.is_on)
		TRY(tls_client_new(&conf->tls, signer, &p->tls, error, error_size));
	return balance_pool_init(&p->balance, &g->arena, names);
}

static void engine_turn_end(void *ctx)
{
	struct engine *g = ctx;

	client_run_later(g);
	engine_isolation_cut(g);
	engine_sessions_cut(g);
	if (g->access_out.len >= LOG_FLUSH_AT)
		access_log_flush(g);
}

static void engine_on_second(struct timer *t)
{
	struct engine *g = CONTAINER_OF(t, struct engine, second);

	if (g->access_out.len && g->access_fd >= 0)
		access_log_flush(g);
	engine_isolation_look(g);
	if (g->is_draining && loop_now_ms(g->loop) >= g->draining_until_ms) {
		g->on_drained(g);
		return;
	}
	loop_timer_set(g->loop, &g->second, 1000, engine_on_second);
}

enum err engine_init(struct engine *g, struct loop *loop, const struct conf *conf, struct tls_signer *signer,
	char *error, size_t error_size)
{
	struct rlimit files;

	g->loop = loop;
	g->conf = conf;
	g->access_fd = -1;
	if (conf->gateway.is_on)
		g->sha = sha256_new();
	g->files_for_clients = UINT32_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < UINT32_MAX)
		g->files_for_clients = (uint32_t)files.rlim_cur - (uint32_t)files.rlim_cur / FILES_RESERVED;
	arena_init_growing(&g->arena, ENGINE_MEMORY);
	random_bytes(&g->random, sizeof g->random);
	random_bytes(&g->id_prefix, sizeof g->id_prefix);
	memcpy(g->hash_key, g->limits->hash_key, sizeof g->hash_key);
	g->random |= 1;
	random_bytes(&g->conn_next, sizeof g->conn_next);
	g->conn_next = (g->conn_next >> 1 & ~UINT64_C(0xffffffff)) + 1; /* 31 random bits, so that processes differ */
	snprintf(error, error_size, "not enough memory");
	g->pools = arena_array(&g->arena, conf->pool_count + 1, sizeof *g->pools);
	g->listeners = arena_array(&g->arena, conf->listener_count + 1, sizeof *g->listeners);
	void *log = arena_alloc_raw(&g->arena, LOG_BUFFER), *scratch = arena_alloc_raw(&g->arena, POLICY_SCRATCH_SIZE);
	if (!scratch || !g->pools || !g->listeners || !log)
		return ERR_MEMORY;
	arena_init(&g->scratch, scratch, POLICY_SCRATCH_SIZE);
	text_init(&g->access_out, log, LOG_BUFFER);
	TRY(router_new(conf, &g->arena, &g->router));
	for (size_t i = 0; i < conf->pool_count; i++)
		TRY(pool_init(g, &g->pools[i], &conf->pools[i], signer, error, error_size));
	for (size_t i = 0; i < conf->listener_count; i++)
		if (conf->listeners[i].tls.is_on)
			TRY(tls_server_new(&conf->listeners[i].tls, signer, &g->listeners[i].tls, error, error_size));
	engine_isolation_read(g);
	loop_at_turn_end(loop, engine_turn_end, g);
	loop_timer_set(loop, &g->second, 1000, engine_on_second);
	return OK;
}

void engine_fini(struct engine *g)
{
	sha256_free(&g->sha);
	while (g->clients)
		client_close(g->clients);
	for (size_t i = 0; i < g->conf->pool_count; i++) {
		for (size_t s = 0; s < g->pools[i].balance.count; s++) {
			while (g->pools[i].kept[s])
				upstream_close(g->pools[i].kept[s]);
			free((void *)(uintptr_t)g->pools[i].addresses[s].at);
		}
		tls_client_free(&g->pools[i].tls);
	}
	for (size_t i = 0; i < g->conf->listener_count; i++)
		tls_server_free(&g->listeners[i].tls);
	if (g->access_fd >= 0)
		access_log_flush(g);
	arena_fini(&g->arena);
}

static void on_listener(struct watch *w, uint32_t events)
{
	(void)events;
	client_accept(CONTAINER_OF(w, struct listener, watch));
}

enum err engine_listen(struct engine *g, uint16_t listener, int fd)
{
	size_t i = listener == CONF_ADMIN_LISTENER ? g->conf->listener_count : listener;
	struct listener *l;

	if (i > g->conf->listener_count)
		return ERR_SYNTAX;
	l = &g->listeners[i];
	l->engine = g;
	l->conf = i < g->conf->listener_count ? &g->conf->listeners[i] : NULL;
	l->watch.fd = fd;
	l->watch.on_event = on_listener;
	l->is_open = true;
	/* Shared by all workers: level-triggered, and one of them is woken for one connection. */
	return loop_add(g->loop, &l->watch, EPOLLIN | EPOLLEXCLUSIVE);
}

static void accept_again(struct timer *t)
{
	struct engine *g = CONTAINER_OF(t, struct engine, accept_timer);

	if (g->is_draining)
		return;
	AUTO(fd_close) int probe = fcntl(g->listeners[0].watch.fd, F_DUPFD_CLOEXEC, 0);
	if (probe < 0 || (uint32_t)probe >= g->files_for_clients) { /* still none free */
		loop_timer_set(g->loop, t, ACCEPT_PAUSE_MS, accept_again);
		return;
	}
	for (size_t i = 0; i <= g->conf->listener_count; i++) {
		struct listener *l = &g->listeners[i];
		if (l->is_open && !l->watch.is_added && loop_add(g->loop, &l->watch, EPOLLIN | EPOLLEXCLUSIVE) != OK)
			loop_timer_set(g->loop, t, ACCEPT_PAUSE_MS, accept_again);
	}
}

void engine_accept_pause(struct engine *g)
{
	if (g->is_draining || timer_is_set(&g->accept_timer))
		return;
	board_add(&g->board->counters[M_ACCEPT_PAUSED], 1);
	for (size_t i = 0; i <= g->conf->listener_count; i++)
		if (g->listeners[i].is_open)
			loop_remove(g->loop, &g->listeners[i].watch, false);
	loop_timer_set(g->loop, &g->accept_timer, ACCEPT_PAUSE_MS, accept_again);
}

void engine_drain(struct engine *g, uint32_t limit_ms)
{
	if (g->is_draining)
		return;
	for (size_t i = 0; i <= g->conf->listener_count; i++) {
		struct listener *l = &g->listeners[i];
		if (l->is_open) {
			loop_remove(g->loop, &l->watch, false);
			close(l->watch.fd);
			l->is_open = false;
		}
	}
	g->is_draining = true;
	g->draining_until_ms = loop_now_ms(g->loop) + limit_ms;
	/* Connections between two requests may have one under way: they end with their next answer. */
	if (g->client_count == 0)
		g->on_drained(g);
}
