/* The administrator's listener: /metrics (Prometheus text format 0.0.4), summed over all workers' boards,
 * and /health. */
#include "proxy/engine.h"

static uint64_t sum_counter(const struct engine *g, enum metric m)
{
	uint64_t n = __atomic_load_n(&g->admin->base[m], __ATOMIC_RELAXED);

	for (unsigned w = 0; w < g->worker_count; w++)
		if (g->others[w])
			n += __atomic_load_n(&g->others[w]->counters[m], __ATOMIC_RELAXED);
	return n;
}

static void put_head(struct text *t, const char *name, const char *type, const char *help)
{
	text_fmt(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_counters(const struct engine *g, struct text *t)
{
	static const struct { const char *name, *type, *help; } info[] = {
#define METRIC(sym, name, type, labels, help) { name, #type, help },
#include "board/metrics.tbl"
#undef METRIC
	};

	for (unsigned m = 0; m < METRIC_COUNT; m++) {
		put_head(t, info[m].name, info[m].type, info[m].help);
		text_fmt(t, "%s %llu\n", info[m].name, (unsigned long long)sum_counter(g, (enum metric)m));
	}
}

static void put_latency(const struct engine *g, struct text *t)
{
	uint64_t n = 0;

	put_head(t, "sluis_request_duration_seconds", "histogram", "Time from a request's head to its answer's end.");
	for (unsigned b = 0; b < 16; b++) {
		for (unsigned w = 0; w < g->worker_count; w++)
			if (g->others[w])
				n += __atomic_load_n(&g->others[w]->latency_buckets[b], __ATOMIC_RELAXED);
		if (b < 15)
			text_fmt(t, "sluis_request_duration_seconds_bucket{le=\"%g\"} %llu\n", (double)(1u << b) / 1000,
				(unsigned long long)n);
	}
	text_fmt(t, "sluis_request_duration_seconds_bucket{le=\"+Inf\"} %llu\nsluis_request_duration_seconds_count %llu\n",
		(unsigned long long)n, (unsigned long long)n);
}

static void put_row(const struct engine *g, struct text *t, const char *name, const struct conf_pool *p,
	const struct conf_server *s, size_t offset, bool wide)
{
	uint64_t n = 0;

	for (unsigned w = 0; w < g->worker_count; w++) {
		const unsigned char *row;
		if (!g->others[w])
			continue;
		row = (const unsigned char *)&g->others[w]->servers[s->global] + offset;
		n += wide ? __atomic_load_n((const uint64_t *)(const void *)row, __ATOMIC_RELAXED)
			  : __atomic_load_n((const uint32_t *)(const void *)row, __ATOMIC_RELAXED);
	}
	text_fmt(t, "%s{pool=\"%.*s\",server=\"%.*s\"} %llu\n", name, FMT(p->name), FMT(s->name), (unsigned long long)n);
}

static void put_servers(const struct engine *g, struct text *t)
{
	static const struct { const char *name, *type, *help; size_t offset; bool wide; } rows[] = {
#define ROW(name, type, member, help) { name, type, help, offsetof(struct board_worker_server, member), \
	sizeof(((struct board_worker_server *)0)->member) == 8 }
		ROW("sluis_server_requests_total", "counter", requests, "Requests given to the server."),
		ROW("sluis_server_failures_total", "counter", failures, "Connections or answers of the server that failed."),
		ROW("sluis_server_active_requests", "gauge", active, "Requests under way."),
		ROW("sluis_server_connections", "gauge", connections, "Connections open, used or kept."),
#undef ROW
	};
	const struct conf *c = g->conf;

	for (size_t r = 0; r < COUNT_OF(rows); r++) {
		put_head(t, rows[r].name, rows[r].type, rows[r].help);
		for (size_t p = 0; p < c->pool_count; p++)
			for (size_t s = 0; s < c->pools[p].server_count; s++)
				put_row(g, t, rows[r].name, &c->pools[p], &c->pools[p].servers[s], rows[r].offset, rows[r].wide);
	}
	put_head(t, "sluis_server_up", "gauge", "1 when the last checks passed, else 0.");
	for (size_t p = 0; p < c->pool_count; p++)
		for (size_t s = 0; s < c->pools[p].server_count; s++)
			text_fmt(t, "sluis_server_up{pool=\"%.*s\",server=\"%.*s\"} %d\n", FMT(c->pools[p].name),
				FMT(c->pools[p].servers[s].name),
				__atomic_load_n(&g->health->servers[c->pools[p].servers[s].global].state, __ATOMIC_RELAXED) !=
					HEALTH_DOWN);
}

static void put_certificates(const struct engine *g, struct text *t)
{
	const struct conf *c = g->conf;

	put_head(t, "sluis_certificate_expiry_seconds", "gauge", "When the certificate's chain ends, seconds since 1970.");
	for (size_t l = 0; l < c->listener_count; l++)
		for (size_t i = 0; i < c->listeners[l].tls.cert_count; i++)
			text_fmt(t, "sluis_certificate_expiry_seconds{listener=\"%.*s\",certificate=\"%zu\"} %llu\n",
				FMT(c->listeners[l].name), i, (unsigned long long)tls_server_expiry(g->listeners[l].tls, i));
}

enum ledger_metric {
#define LEDGER_METRIC(sym, name, type, help) sym,
#include "board/ledger_metrics.tbl"
#undef LEDGER_METRIC
	LEDGER_METRIC_COUNT
};

static uint64_t load(const uint64_t *n)
{
	return __atomic_load_n(n, __ATOMIC_RELAXED);
}

static void put_ledger_value(const struct board_ledger *b, enum ledger_metric m, struct text *t)
{
	uint64_t written = load(&b->written_us), unread = load(&b->unread);

	switch (m) {
	case LM_UP: text_u64(t, __atomic_load_n(&b->state, __ATOMIC_RELAXED) == LEDGER_WRITES); break;
	case LM_RECORDS: text_u64(t, load(&b->records)); break;
	case LM_LOST: text_u64(t, load(&b->lost)); break;
	case LM_BATCHES: text_u64(t, load(&b->batch)); break;
	case LM_WRITTEN: text_fmt(t, "%llu.%06u", (unsigned long long)(written / 1000000), (unsigned)(written % 1000000)); break;
	case LM_SIZE: text_u64(t, load(&b->size)); break;
	case LM_RING: text_fmt(t, "%.4f", unread < LEDGER_RING_BYTES - LEDGER_RING_RESERVE ? (double)unread / (LEDGER_RING_BYTES - LEDGER_RING_RESERVE) : 1.0); break;
	case LEDGER_METRIC_COUNT: break;
	}
}

static void put_ledger(const struct engine *g, struct text *t)
{
	static const struct { const char *name, *type, *help; } info[] = {
#define LEDGER_METRIC(sym, name, type, help) { name, #type, help },
#include "board/ledger_metrics.tbl"
#undef LEDGER_METRIC
	};
	static const char *const modes[] = { [CONF_LEDGER_COUNTED] = "counted", [CONF_LEDGER_STRICT] = "strict", [CONF_LEDGER_OFF] = "off" };

	put_head(t, "sluis_ledger_info", "gauge", "1; ledger.mode is a label.");
	text_fmt(t, "sluis_ledger_info{mode=\"%s\"} 1\n", modes[g->ledger ? g->conf->ledger.mode : CONF_LEDGER_OFF]);
	for (unsigned m = 0; g->ledger && m < LEDGER_METRIC_COUNT; m++) {
		put_head(t, info[m].name, info[m].type, info[m].help);
		text_fmt(t, "%s ", info[m].name);
		put_ledger_value(g->ledger, (enum ledger_metric)m, t);
		text_byte(t, '\n');
	}
}

static void put_store(const struct engine *g, struct text *t)
{
	uint32_t state;

	if (!g->sessions)
		return;
	state = __atomic_load_n(&g->sessions->store_state, __ATOMIC_RELAXED);
	put_head(t, "sluis_store_up", "gauge", "1: users and sessions can be asked for; 0: the PostgreSQL that nodes share is lost.");
	text_fmt(t, "sluis_store_up %d\n", state == BOARD_STORE_OWN || state == BOARD_STORE_CONNECTED);
}

void metrics_write(struct engine *g, struct text *t)
{
	put_head(t, "sluis_build_info", "gauge", "1; the version is a label.");
	text_fmt(t, "sluis_build_info{version=\"%s\"} 1\n", SLUIS_VERSION);
	put_head(t, "sluis_config_generation", "gauge", "Number of the configuration in use.");
	text_fmt(t, "sluis_config_generation %u\n", g->admin->generation);
	put_head(t, "sluis_config_reloads_total", "counter", "Configurations taken into use.");
	text_fmt(t, "sluis_config_reloads_total %llu\n", (unsigned long long)g->admin->reloads);
	put_head(t, "sluis_child_restarts_total", "counter", "Processes that ended and were started again.");
	text_fmt(t, "sluis_child_restarts_total %llu\n", (unsigned long long)g->admin->child_restarts);
	put_counters(g, t);
	put_latency(g, t);
	put_servers(g, t);
	put_certificates(g, t);
	put_ledger(g, t);
	put_store(g, t);
}

void metrics_answer(struct exchange *x)
{
	struct text t;

	if (x->req.method != HTTP_GET && x->req.method != HTTP_HEAD) {
		exchange_refuse(x, 405, "method");
	} else if (bytes_eq(x->req.path, BYTES("/health"))) {
		exchange_reply(x, 200, BYTES("text/plain"), BYTES(""), BYTES("ok\n"));
	} else if (bytes_eq(x->req.path, BYTES("/metrics"))) {
		text_init_growing(&t, BUF_LARGE - 8192);
		metrics_write(x->engine, &t);
		if (t.failed)
			exchange_refuse(x, 500, "metrics-too-large");
		else
			exchange_reply(x, 200, BYTES("text/plain; version=0.0.4"), BYTES(""), text_bytes(&t));
		text_fini(&t);
	} else {
		exchange_refuse(x, 404, "no-route");
	}
}
