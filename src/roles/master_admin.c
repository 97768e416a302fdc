/* What administrators may ask over the admin socket: one function per command, a table, JSON in and out. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "admin/history.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#include <signal.h>

#define CONFIRM_MOST_S 86400
#define NOTE_MOST      200 /* so that the ledger cuts nothing */

json_t *admin_error(const char *what)
{
	return json_pack("{s:b,s:s}", "ok", 0, "error", what);
}

static json_t *admin_ok(void)
{
	return json_pack("{s:b}", "ok", 1);
}

static json_t *text_json(struct bytes b)
{
	json_t *j = json_stringn(b.len ? (const char *)b.at : "", b.len);

	return j ? j : json_string("?");
}

/* Answers at once when text was refused; else generation_start's asker is answered later. */
static json_t *put_in_use(struct master *m, struct admin_conn *c, struct bytes text, struct bytes bundle, const char *why,
	uint32_t confirm_s)
{
	const struct origin from = { .text = text, .bundle = bundle };
	json_t *errors = NULL;

	for (const struct generation *g = m->generations; g; g = g->next)
		if (g->state == GEN_STARTING)
			return admin_error("another configuration is just starting");
	if (m->is_stopping)
		return admin_error("sluisd is stopping");
	if (generation_start(m, &from, c, c->uid, why, confirm_s, &errors) == OK)
		return NULL;
	return json_pack("{s:b,s:s,s:o}", "ok", 0, "error", "the configuration was refused; nothing changed", "errors", errors);
}

static json_t *do_reload(struct master *m, struct admin_conn *c, const json_t *request)
{
	json_int_t confirm = json_integer_value(json_object_get(request, "confirm"));
	struct text text;
	json_t *answer;

	if (confirm < 0 || confirm > CONFIRM_MOST_S)
		return admin_error("confirm is a number of seconds, at most 86400");
	text_init_growing(&text, HISTORY_TEXT_MAX);
	if (file_read(m->file, &text) != OK)
		answer = admin_error("the configuration file cannot be read");
	else
		answer = put_in_use(m, c, text_bytes(&text), BYTES(""), "reload", (uint32_t)confirm);
	text_fini(&text);
	return answer;
}

static json_t *do_confirm(struct master *m, struct admin_conn *c, const json_t *request)
{
	(void)c;
	(void)request;
	if (!m->has_fallback)
		return admin_error("nothing waits to be confirmed");
	master_confirm_end(m);
	return admin_ok();
}

/* Its sockets may be open already: a worker serves before the master has heard from all of them. */
static json_t *still_starting(void)
{
	return admin_error("no configuration is in use yet: Sluis is starting; ask again in a moment");
}

static json_t *do_rollback(struct master *m, struct admin_conn *c, const json_t *request)
{
	json_int_t number = json_integer_value(json_object_get(request, "number"));
	struct text text, bundle;
	json_t *answer;

	if (!m->active)
		return still_starting();
	if (number < 1 || number >= UINT32_MAX)
		return admin_error("number is an entry of sluis config history");
	text_init_growing(&text, HISTORY_TEXT_MAX);
	text_init_growing(&bundle, BUNDLE_MOST);
	if (history_read(m->active->conf->state_dir, (uint32_t)number, &text) != OK)
		answer = admin_error("there is no such entry in the history");
	else if (history_read_bundle(m->active->conf->state_dir, (uint32_t)number, &bundle) == OK)
		answer = put_in_use(m, c, text_bytes(&text), text_bytes(&bundle), "rollback", 0);
	else /* its files as they are now */
		answer = put_in_use(m, c, text_bytes(&text), BYTES(""), "rollback", 0);
	text_fini(&bundle);
	text_fini(&text);
	return answer;
}

static json_t *do_history(struct master *m, struct admin_conn *c, const json_t *request)
{
	json_t *list;

	(void)c;
	(void)request;
	if (!m->active)
		return still_starting();
	if (history_list(m->active->conf->state_dir, &list) != OK)
		return admin_error("the history cannot be read");
	return json_pack("{s:b,s:o}", "ok", 1, "history", list);
}

/* One entry's text, or without a number the text in use. */
static json_t *do_show(struct master *m, struct admin_conn *c, const json_t *request)
{
	json_int_t number = json_integer_value(json_object_get(request, "number"));
	struct text text;
	json_t *answer;

	(void)c;
	if (!m->active)
		return still_starting();
	if (number < 0 || number >= UINT32_MAX)
		return admin_error("there is no such entry in the history");
	text_init_growing(&text, HISTORY_TEXT_MAX);
	if (number == 0)
		text_add(&text, text_bytes(&m->active->text));
	else if (history_read(m->active->conf->state_dir, (uint32_t)number, &text) != OK)
		text.failed = true;
	answer = text.failed ? admin_error("there is no such entry in the history") :
		json_pack("{s:b,s:o}", "ok", 1, "text", text_json(text_bytes(&text)));
	text_fini(&text);
	return answer;
}

static json_t *server_status(const struct master *m, const struct generation *g, const struct conf_pool *p,
	const struct conf_server *s)
{
	static const char *const states[] = { "unknown", "up", "down" }, *const admins[] = { "enabled", "drain", "disabled" };
	uint64_t active = 0, connections = 0, requests = 0, failures = 0;
	const struct board_health_server *row;
	char why[BOARD_TEXT_MAX + 1];
	uint32_t health, admin;

	if (s->global >= BOARD_SERVERS_MAX)
		return json_null();
	row = &g->health->servers[s->global];
	health = __atomic_load_n(&row->state, __ATOMIC_RELAXED);
	board_text_read(&row->why, why);
	admin = g->board->admin[s->global];
	for (size_t i = 0; i < g->child_count; i++) {
		const struct board_worker *w = g->children[i].counters;

		if (!w)
			continue;
		active += w->servers[s->global].active;
		connections += w->servers[s->global].connections;
		requests += w->servers[s->global].requests;
		failures += w->servers[s->global].failures;
	}
	return json_pack("{s:o,s:o,s:i,s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:s,s:f}", "name", text_json(s->name), "host", text_json(s->host),
		"port", (int)s->port, "health", health < COUNT_OF(states) ? states[health] : "unknown", "admin",
		master_isolation_has(p, s) ? "isolated" : admin < COUNT_OF(admins) ? admins[admin] : "enabled", "active", (json_int_t)active, "connections",
		(json_int_t)connections, "requests", (json_int_t)requests, "failures", (json_int_t)failures, "checks",
		(json_int_t)__atomic_load_n(&row->checks, __ATOMIC_RELAXED), "checks_failed",
		(json_int_t)__atomic_load_n(&row->failed, __ATOMIC_RELAXED), "check_error", why,
		"request_rate", master_rate_server(m, s->global));
}

static json_t *pools_status(const struct master *m, const struct generation *g)
{
	json_t *pools = json_array();

	for (size_t i = 0; i < g->conf->pool_count; i++) {
		const struct conf_pool *p = &g->conf->pools[i];
		json_t *servers = json_array();

		for (size_t j = 0; j < p->server_count; j++)
			json_array_append_new(servers, server_status(m, g, p, &p->servers[j]));
		json_array_append_new(pools, json_pack("{s:o,s:o}", "name", text_json(p->name), "servers", servers));
	}
	return pools;
}

static json_t *children_status(struct master *m)
{
	json_t *list = json_array();
	struct child_walk w = { 0 };
	const struct child *c;

	while ((c = child_next(m, &w)))
		if (c->gen || c->pid > 0) /* of those that outlive generations, who runs */
			json_array_append_new(list, json_pack("{s:s,s:i,s:i,s:i,s:b}", "role", role_name(c->role), "index", (int)c->index, "pid",
				(int)c->pid, "generation", c->gen ? (int)c->gen->number : 0, "ready", (int)c->is_ready));
	return list;
}

static json_t *counters_status(const struct generation *g)
{
	static const char *const names[METRIC_COUNT] = {
#define METRIC(sym, name, type, labels, help) [sym] = name,
#include "board/metrics.tbl"
#undef METRIC
	};
	json_t *all = json_object();

	for (size_t k = 0; k < METRIC_COUNT; k++) {
		uint64_t sum = g->board->base[k];

		for (size_t i = 0; i < g->child_count; i++)
			if (g->children[i].counters)
				sum += __atomic_load_n(&g->children[i].counters->counters[k], __ATOMIC_RELAXED);
		json_object_set_new(all, names[k], json_integer((json_int_t)sum));
	}
	return all;
}

static json_t *ledger_status(const struct master *m)
{
	static const char *const states[] = { "starts", "written", "fails" };
	char why[BOARD_TEXT_MAX + 1], when[25];
	uint32_t state;

	if (!m->ledger)
		return json_pack("{s:s}", "state", "off");
	state = __atomic_load_n(&m->ledger->state, __ATOMIC_RELAXED);
	board_text_read(&m->ledger->why, why);
	clock_rfc3339(__atomic_load_n(&m->ledger->written_us, __ATOMIC_RELAXED), when);
	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:s}", "state", state < COUNT_OF(states) ? states[state] : "unknown", "why", why, "batch",
		(json_int_t)__atomic_load_n(&m->ledger->batch, __ATOMIC_RELAXED), "records",
		(json_int_t)__atomic_load_n(&m->ledger->records, __ATOMIC_RELAXED), "lost",
		(json_int_t)__atomic_load_n(&m->ledger->lost, __ATOMIC_RELAXED), "written", when);
}

/* Requests of this generation's workers and those before, as /metrics counts them. */
static json_t *detect_status(const struct generation *g, const json_t *counters)
{
	if (!g->conf->detect.is_on)
		return json_pack("{s:s}", "mode", "off");
	return json_pack("{s:s,s:o,s:O,s:O}", "mode", "on", "alerts", text_json(g->conf->detect.alerts), "requests",
		json_object_get(counters, "sluis_detect_requests_total"), "lost", json_object_get(counters, "sluis_detect_lost_total"));
}

static json_t *do_status(struct master *m, struct admin_conn *c, const json_t *request)
{
	const struct generation *g = m->active;
	json_t *counters, *detect;
	unsigned old = 0;

	(void)c;
	(void)request;
	if (!g)
		return admin_error("no configuration is in use yet");
	counters = counters_status(g);
	detect = detect_status(g, counters);
	for (const struct generation *each = m->generations; each; each = each->next)
		old += each->state > GEN_ACTIVE;
	return json_pack("{s:b,s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:I,s:b,s:f,s:f,s:o,s:o,s:o,s:o,s:o,s:o}", "ok", 1, "version", SLUIS_VERSION,
		"file", m->file, "generation", (int)g->number, "old_generations", (int)old, "config_time_us",
		(json_int_t)g->board->config_time_us, "reloads", (json_int_t)m->reloads, "reload_failures",
		(json_int_t)m->reload_failures, "child_restarts", (json_int_t)m->child_restarts, "confirm_pending",
		(int)m->has_fallback, "request_rate", master_rate_requests(m), "connection_rate",
		master_rate_connections(m), "pools", pools_status(m, g), "processes", children_status(m), "counters", counters,
		"ledger", ledger_status(m), "detect", detect, "store", master_identity_store(m));
}

/* In every generation that knows the server: requests of old connections obey too. */
static bool set_admin(struct master *m, struct bytes pool, struct bytes server, enum board_admin to)
{
	bool found = false;

	for (struct generation *g = m->generations; g; g = g->next)
		for (size_t i = 0; i < g->conf->pool_count; i++) {
			const struct conf_pool *p = &g->conf->pools[i];

			for (size_t j = 0; bytes_eq(p->name, pool) && j < p->server_count; j++)
				if (bytes_eq(p->servers[j].name, server) && p->servers[j].global < BOARD_SERVERS_MAX) {
					__atomic_store_n(&g->board->admin[p->servers[j].global], to, __ATOMIC_RELAXED);
					found = true;
				}
		}
	return found;
}

static json_t *do_admin(struct master *m, const json_t *request, enum board_admin to)
{
	const char *target = json_string_value(json_object_get(request, "server"));
	struct bytes all = bytes_str(target);
	size_t slash = target ? bytes_find_byte(all, '/') : SIZE_MAX;

	if (slash == SIZE_MAX)
		return admin_error("name the server as POOL/SERVER");
	if (!set_admin(m, bytes_cut(all, 0, slash), bytes_cut(all, slash + 1, all.len), to))
		return admin_error("there is no such server; sluis status lists them");
	return admin_ok();
}

static json_t *do_drain(struct master *m, struct admin_conn *c, const json_t *request)
{
	(void)c;
	return do_admin(m, request, ADMIN_DRAIN);
}

static json_t *do_enable(struct master *m, struct admin_conn *c, const json_t *request)
{
	(void)c;
	return do_admin(m, request, ADMIN_ENABLED);
}

static json_t *do_disable(struct master *m, struct admin_conn *c, const json_t *request)
{
	(void)c;
	return do_admin(m, request, ADMIN_DISABLED);
}

static json_t *do_reopen(struct master *m, struct admin_conn *c, const json_t *request)
{
	(void)c;
	(void)request;
	master_reopen(m);
	return admin_ok();
}

/* Printable ASCII of 1 to most octets. */
static bool is_line(const char *s, size_t most)
{
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n > 0 && n <= most;
}

/* Work that people did and that belongs into the ledger with who and when. Only what begins with a topic of this list: a note must
 * never look like a command that sluisd carried out. */
static json_t *do_note(struct master *m, struct admin_conn *c, const json_t *request)
{
	static const char *const topics[] = { "plan " };
	const char *text = json_string_value(json_object_get(request, "text"));
	const char *detail = json_string_value(json_object_get(request, "detail"));

	if (!is_line(text, NOTE_MOST) || (detail && *detail && !is_line(detail, NOTE_MOST)))
		return admin_error("text and detail are printable ASCII, at most 200 characters");
	for (size_t i = 0; i < COUNT_OF(topics); i++)
		if (bytes_starts(bytes_str(text), bytes_str(topics[i])))
			return json_pack("{s:b,s:b}", "ok", 1, "ledger", (int)master_ledger_note(m, text, detail ? detail : "", c->uid));
	return admin_error("a note begins with what it is about: plan ...");
}

static const struct {
	const char *name;
	json_t *(*run)(struct master *m, struct admin_conn *c, const json_t *request); /* NULL: answered later */
	bool is_told; /* in the log */
} commands[] = {
	{ "confirm", do_confirm, true },
	{ "disable", do_disable, true },
	{ "drain", do_drain, true },
	{ "enable", do_enable, true },
	{ "history", do_history, false },
	{ "identity", master_identity_ask, true },
	{ "isolate", master_isolate, true },
	{ "isolated", master_isolated, false },
	{ "note", do_note, false },
	{ "reload", do_reload, true },
	{ "release", master_release, true },
	{ "reopen", do_reopen, true },
	{ "rollback", do_rollback, true },
	{ "show", do_show, false },
	{ "status", do_status, false },
};

void master_on_request(struct admin_server *s, struct admin_conn *c, json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	const char *what = json_string_value(json_object_get(request, "server"));
	char told[200];
	json_t *answer;

	if (!what)
		what = json_string_value(json_object_get(request, "what"));
	if (name && strcmp(name, "identity") == 0) {
		master_identity_told(request, told, sizeof(told));
		what = told;
	}

	for (size_t i = 0; name && i < COUNT_OF(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (commands[i].is_told)
			LOG(EV_ADMIN_COMMAND, KV_STR("command", name), KV_UINT("uid", c->uid), KV_STR("what", what ? what : ""));
		answer = commands[i].run(s->ctx, c, request);
		if (commands[i].is_told)
			master_ledger_command(s->ctx, name, what ? what : "", c->uid, !answer ? "begun" :
				json_is_true(json_object_get(answer, "ok")) ? "done" : "refused");
		if (answer)
			admin_answer(c, answer);
		return;
	}
	admin_answer(c, admin_error("unknown command"));
}

void master_on_gone(struct admin_server *s, struct admin_conn *c)
{
	struct master *m = s->ctx;

	master_isolation_on_gone(c);
	master_identity_on_gone(m, c);
	for (struct generation *g = m->generations; g; g = g->next)
		if (g->asker == c)
			g->asker = NULL;
}
