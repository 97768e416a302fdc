/* One configuration in use and the children that live by it. A generation starts beside the one before;
 * only when all its children are ready does the old one stop accepting, so no connection is refused. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "admin/history.h"
#include "base/fd.h"
#include "base/log.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_MS      30000 /* until all children of a new generation must be ready */
#define DRAIN_SPARE_MS 2000 /* after the limit told to the workers */
#define END_MS	       3000
#define BACKLOG	      4096

static const bool is_counter[METRIC_COUNT] = {
#define counter true
#define gauge	false
#define METRIC(sym, name, type, labels, help) [sym] = type,
#include "board/metrics.tbl"
#undef METRIC
#undef counter
#undef gauge
};

static void fold(struct board_master *to, struct child *worker)
{
	for (size_t i = 0; worker->counters && i < METRIC_COUNT; i++) {
		uint64_t n = __atomic_load_n(&worker->counters->counters[i], __ATOMIC_RELAXED);

		if (is_counter[i])
			board_add(&to->base[i], n - worker->folded[i]);
		worker->folded[i] = n;
	}
}

void generation_counters_fold(struct generation *g, struct child *worker)
{
	if (!worker->counters || !g->master->active)
		return;
	fold(g->master->active->board, worker);
	if (g == g->master->active) { /* its successor counts on the same board, from nothing */
		memset(worker->counters, 0, sizeof(*worker->counters));
		memset(worker->folded, 0, sizeof(worker->folded));
	}
}

void generation_counters_catch_up(struct master *m)
{
	for (struct generation *g = m->generations; g && m->active; g = g->next)
		for (size_t i = 0; g != m->active && g->state > GEN_ACTIVE && i < g->child_count; i++)
			fold(m->active->board, &g->children[i]);
}

static void generation_free(struct generation **at)
{
	struct generation *g = *at;

	if (!g)
		return;
	loop_timer_clear(g->master->loop, &g->deadline);
	for (size_t i = 0; i < g->child_count; i++) {
		loop_timer_clear(g->master->loop, &g->children[i].restart);
		master_ledger_forget(&g->children[i]);
		fd_close(&g->children[i].board);
		fd_close(&g->children[i].requests);
		if (g->children[i].counters)
			munmap(g->children[i].counters, board_size(BOARD_WORKER));
	}
	for (size_t i = 0; g->key_fds && i < g->conf->key_count; i++)
		fd_close(&g->key_fds[i]);
	for (size_t i = 0; g->secret_fds && i < g->conf->secret_count; i++)
		fd_close(&g->secret_fds[i]);
	if (g->board)
		munmap(g->board, board_size(BOARD_MASTER));
	if (g->health)
		munmap(g->health, board_size(BOARD_HEALTH));
	fd_close(&g->master_board);
	fd_close(&g->health_board);
	fd_close(&g->bundle);
	text_fini(&g->text);
	conf_free(&g->conf);
	text_fini(&g->kept);
	free(g->key_fds);
	free(g->secret_fds);
	free(g->listener_fds);
	free(g->children);
	free(g);
	*at = NULL;
}

static void add_error(json_t *errors, struct bytes file, unsigned line, unsigned column, struct bytes what,
	struct bytes hint)
{
	LOG(EV_CONFIG_REFUSED, KV_BYTES("file", file), KV_UINT("line", line), KV_UINT("column", column),
		KV_BYTES("what", what), KV_BYTES("hint", hint));
	json_array_append_new(errors, json_pack("{s:s%,s:i,s:i,s:s%,s:s%}", "file", (const char *)file.at, file.len,
		"line", (int)line, "column", (int)column, "what", (const char *)what.at, what.len, "hint",
		hint.len ? (const char *)hint.at : "", hint.len));
}

static void add_system_error(json_t *errors, struct bytes file, struct conf_mark at, const char *what, struct bytes name)
{
	char buf[512];

	snprintf(buf, sizeof(buf), "%s %.*s: %s", what, FMT(name), strerror(errno));
	add_error(errors, file, at.line, at.column, bytes_str(buf), BYTES(""));
}

/* The text through conf_load; what it read besides goes into the bundle. */
static enum err load(struct generation *g, const struct origin *from, json_t *errors)
{
	struct master *m = g->master;
	struct bytes file = bytes_str(m->file), text = from->text;
	struct disk_source disk;
	struct bundle_reader kept;
	struct bundle_writer bundle;
	struct conf_errors found = { 0 };
	enum err e;

	disk_source_init(&disk, m->base_dir, m->rules_dir);
	text_init_growing(&g->kept, BUNDLE_MOST);
	text_init_growing(&g->text, HISTORY_TEXT_MAX);
	if (from->bundle.len) { /* the caller's copy goes before conf does */
		text_add(&g->kept, from->bundle);
		TRY(g->kept.failed ? ERR_MEMORY : bundle_reader_init(&kept, text_bytes(&g->kept)));
		text = kept.text;
	}
	bundle_writer_init(&bundle, from->bundle.len ? &kept.source : &disk.source, file, text);
	e = conf_load(file, text, &bundle.source, &g->conf, &found);
	if (e == OK) /* keys are the keeper's to look at */
		e = tls_check(g->conf, &found, loop_real_us(m->loop) / 1000000, NULL, NULL);
	for (size_t i = 0; i < found.count; i++)
		if (!found.list[i].is_warning)
			add_error(errors, found.list[i].file, found.list[i].line, found.list[i].column, found.list[i].what,
				found.list[i].hint);
	if (e == OK && bundle.out.failed)
		e = ERR_LIMIT;
	if (e == OK)
		e = memfd_sealed("sluis-bundle", text_bytes(&bundle.out), &g->bundle);
	bundle_writer_fini(&bundle);
	text_add(&g->text, text);
	return e != OK ? e : g->text.failed ? ERR_LIMIT : OK;
}

/* As a copy that never changes: a keeper that is started again, or a configuration that comes back, needs the key as it
 * was, also when a new one was written into the same file. The kernel copies; the master reads none of it. */
static enum err open_copy(struct generation *g, struct bytes name, struct conf_mark at, const char *what, json_t *errors, int *out)
{
	char path[8192];

	if (name.len && name.at[0] == '/')
		snprintf(path, sizeof(path), "%.*s", FMT(name));
	else
		snprintf(path, sizeof(path), "%s/%.*s", g->master->base_dir, FMT(name));
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum err e = fd < 0 ? ERR_IO : memfd_of_file("sluis-key", fd, TLS_KEY_FILE_MAX, out);

	if (e == ERR_LIMIT)
		errno = EFBIG;
	if (e != OK)
		add_system_error(errors, bytes_str(g->master->file), at, what, name);
	return e;
}

/* Also where a configuration comes back: a password that the service has changed meanwhile is not worth keeping. */
static enum err open_secrets(struct generation *g, json_t *errors)
{
	g->secret_fds = calloc(g->conf->secret_count + 1, sizeof(int));
	if (!g->secret_fds)
		return ERR_MEMORY;
	for (size_t i = 0; i < g->conf->secret_count; i++)
		g->secret_fds[i] = -1;
	for (size_t i = 0; i < g->conf->secret_count; i++)
		TRY(open_copy(g, g->conf->secrets[i], g->conf->secrets_at[i], "cannot open the file of the password", errors, &g->secret_fds[i]));
	return OK;
}

static enum err open_keys(struct generation *g, const struct origin *from, json_t *errors)
{
	g->key_fds = calloc(g->conf->key_count + 1, sizeof(int));
	if (!g->key_fds)
		return ERR_MEMORY;
	for (size_t i = 0; i < g->conf->key_count; i++)
		g->key_fds[i] = -1;
	for (size_t i = 0; i < g->conf->key_count; i++) {
		if (from->keys && i < from->key_count) {
			g->key_fds[i] = fcntl(from->keys[i], F_DUPFD_CLOEXEC, 0);
			if (g->key_fds[i] < 0)
				return ERR_IO;
			continue;
		}
		TRY(open_copy(g, g->conf->keys[i], g->conf->keys_at[i], "cannot open the private key", errors, &g->key_fds[i]));
	}
	return OK;
}

/* The socket at this address: the one that is there, or a new one. Kept until no generation uses it. */
static int listen_at(struct master *m, const struct addr *a)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(a, &sa);
	struct socket *s;
	const int on = 1;
	int fd;

	for (s = m->sockets; s; s = s->next)
		if (s->addr.port == a->port && memcmp(s->addr.ip, a->ip, sizeof(a->ip)) == 0)
			return s->fd;
	s = calloc(1, sizeof(*s));
	fd = s ? socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	if (fd < 0) {
		free(s);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* Linux hands it on to what is accepted: tcp(7) */
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0) {
		int e = errno;

		fd_close(&fd);
		free(s);
		errno = e;
		return -1;
	}
	*s = (struct socket){ .next = m->sockets, .addr = *a, .fd = fd };
	m->sockets = s;
	return fd;
}

static bool is_used(const struct master *m, int fd)
{
	for (const struct generation *g = m->generations; g; g = g->next) {
		/* An old generation accepts no more: its workers hold their own copies. */
		if (g->state > GEN_ACTIVE)
			continue;
		if (g->admin_fd == fd)
			return true;
		for (size_t i = 0; g->listener_fds && i < g->conf->listener_count; i++)
			if (g->listener_fds[i] == fd)
				return true;
	}
	return false;
}

static void close_unused(struct master *m)
{
	for (struct socket **at = &m->sockets; *at;) {
		struct socket *s = *at;

		if (is_used(m, s->fd)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		fd_close(&s->fd);
		free(s);
	}
}

static enum err open_listeners(struct generation *g, json_t *errors)
{
	struct bytes file = bytes_str(g->master->file);

	g->listener_fds = calloc(g->conf->listener_count + 1, sizeof(int));
	if (!g->listener_fds)
		return ERR_MEMORY;
	for (size_t i = 0; i < g->conf->listener_count; i++)
		g->listener_fds[i] = -1;
	for (size_t i = 0; i < g->conf->listener_count; i++) {
		g->listener_fds[i] = listen_at(g->master, &g->conf->listeners[i].address);
		if (g->listener_fds[i] < 0) {
			add_system_error(errors, file, (struct conf_mark){ 0 }, "cannot listen for", g->conf->listeners[i].name);
			return ERR_IO;
		}
	}
	if (g->conf->admin_address.port) {
		g->admin_fd = listen_at(g->master, &g->conf->admin_address);
		if (g->admin_fd < 0) {
			add_system_error(errors, file, (struct conf_mark){ 0 }, "cannot listen for", BYTES("the admin address"));
			return ERR_IO;
		}
	}
	return OK;
}

/* What administrators said about servers goes over by their names; numbers may have moved. */
static void take_over_admin(struct generation *g, const struct generation *from)
{
	for (size_t p = 0; p < g->conf->pool_count; p++)
		for (size_t q = 0; q < from->conf->pool_count; q++) {
			const struct conf_pool *a = &g->conf->pools[p], *b = &from->conf->pools[q];

			if (!bytes_eq(a->name, b->name))
				continue;
			for (size_t i = 0; i < a->server_count; i++)
				for (size_t j = 0; j < b->server_count; j++)
					if (bytes_eq(a->servers[i].name, b->servers[j].name) &&
						a->servers[i].global < BOARD_SERVERS_MAX && b->servers[j].global < BOARD_SERVERS_MAX)
						g->board->admin[a->servers[i].global] = from->board->admin[b->servers[j].global];
		}
}

static enum err make_boards(struct generation *g)
{
	const struct generation *from = g->master->active;
	void *at;

	TRY(board_create(BOARD_MASTER, &g->master_board));
	TRY(board_map(BOARD_MASTER, g->master_board, true, &at));
	g->board = at;
	TRY(board_create(BOARD_HEALTH, &g->health_board));
	TRY(board_map(BOARD_HEALTH, g->health_board, false, &at));
	g->health = at;
	if (from)
		take_over_admin(g, from);
	return OK;
}

static unsigned workers_wanted(const struct conf *conf)
{
	cpu_set_t cores;
	int n = conf->workers;

	if (n == 0)
		n = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
	return n < 1 ? 1 : n > BOARD_WORKERS_MAX ? BOARD_WORKERS_MAX : (unsigned)n;
}

static unsigned directories_wanted(const struct conf *conf)
{
	return conf->gateway.is_on && conf->gateway.ldap_count + conf->gateway.oidc_count ? conf->gateway.directories : 0;
}

static enum err make_children(struct generation *g)
{
	static const enum role_id singles[] = { ROLE_KEEPER, ROLE_DIALER, ROLE_PROBER, ROLE_WATCHER };
	unsigned workers = workers_wanted(g->conf), single_count = COUNT_OF(singles) - !g->conf->detect.is_on, others = single_count + directories_wanted(g->conf);

	g->children = calloc(others + workers, sizeof(*g->children));
	if (!g->children)
		return ERR_MEMORY;
	for (size_t i = 0; i < others + workers; i++) {
		struct child *c = &g->children[g->child_count++];
		bool is_worker = i >= others;
		void *at;

		*c = (struct child){ .master = g->master, .gen = g, .ring = -1, .requests = -1,
			.role = is_worker ? ROLE_WORKER : i < single_count ? singles[i] : ROLE_DIRECTORY,
			.index = (uint16_t)(is_worker ? i - others : i < single_count ? 0 : i - single_count), .control = { .fd = -1 }, .board = -1 };
		if (c->role != ROLE_KEEPER && c->role != ROLE_WATCHER && c->role != ROLE_DIRECTORY)
			TRY(master_ledger_ring(c));
		if (!is_worker)
			continue;
		TRY(board_create(BOARD_WORKER, &c->board));
		TRY(board_map(BOARD_WORKER, c->board, true, &at));
		c->counters = at;
		if (g->conf->detect.is_on)
			TRY(board_create(BOARD_REQUESTS, &c->requests));
	}
	return OK;
}

static void start_late(struct timer *t)
{
	generation_fail(CONTAINER_OF(t, struct generation, deadline), "its processes were not ready in time");
}

static enum err use_isolation(struct generation *g, json_t *errors)
{
	char what[8192];
	enum err e = master_isolation_use(g->master, g->conf->state_dir, what, sizeof(what));

	if (e != OK)
		add_error(errors, bytes_str(g->master->file), 0, 0, bytes_str(what), BYTES(""));
	return e;
}

static enum err prepare_identity(struct generation *g, json_t *errors)
{
	char what[4400];
	enum err e = master_identity_prepare(g->master, g, what, sizeof(what));

	if (e != OK)
		add_error(errors, bytes_str(g->master->file), g->conf->gateway.at.line, g->conf->gateway.at.column, bytes_str(what), BYTES(""));
	return e;
}

static enum err prepare(struct generation *g, const struct origin *from, json_t *errors)
{
	TRY(load(g, from, errors));
	TRY(use_isolation(g, errors));
	TRY(open_keys(g, from, errors));
	TRY(open_secrets(g, errors));
	TRY(open_listeners(g, errors));
	if (g->master->access_log < 0 && g->conf->access_log.len && master_access_log(g->master, g->conf) != OK) {
		add_system_error(errors, bytes_str(g->master->file), (struct conf_mark){ 0 }, "cannot open the access log", g->conf->access_log);
		return ERR_IO;
	}
	if (g->master->alerts < 0 && g->conf->detect.is_on && master_alerts(g->master, g->conf) != OK) {
		add_system_error(errors, bytes_str(g->master->file), (struct conf_mark){ 0 }, "cannot open the file of alerts", g->conf->detect.alerts);
		return ERR_IO;
	}
	TRY(make_boards(g));
	if (!g->master->has_served && !g->master->active) {
		enum err e = master_ledger_start(g->master, g);

		if (e != OK) {
			add_system_error(errors, bytes_str(g->master->file), (struct conf_mark){ 0 }, "cannot set up the ledger below", g->conf->state_dir);
			return e;
		}
	}
	TRY(prepare_identity(g, errors));
	return make_children(g);
}

static enum err start_children(struct generation *g)
{
	TRY(master_identity_start(g->master, g));
	for (size_t i = 0; i < g->child_count; i++)
		TRY(child_start(&g->children[i]));
	return OK;
}

enum err generation_start(struct master *m, const struct origin *from, struct admin_conn *asker, uid_t uid, const char *why,
	uint32_t confirm_s, json_t **errors)
{
	struct generation *g = calloc(1, sizeof(*g));
	json_t *found = json_array();
	enum err e;

	CHECK(g && found);
	*g = (struct generation){ .master = m, .number = m->last_number + 1, .bundle = -1, .admin_fd = -1,
		.master_board = -1, .health_board = -1, .uid = uid, .why = why, .confirm_s = confirm_s };
	e = prepare(g, from, found);
	if (e != OK) {
		if (json_array_size(found) == 0)
			add_error(found, bytes_str(m->file), 0, 0, bytes_str(err_name(e)), BYTES(""));
		m->reload_failures++;
		generation_free(&g);
		close_unused(m);
	} else {
		m->last_number++;
		g->next = m->generations;
		m->generations = g;
		g->asker = asker;
		loop_timer_set(m->loop, &g->deadline, START_MS, start_late);
		e = start_children(g);
		if (e != OK) {
			g->asker = NULL; /* told by our result */
			add_error(found, bytes_str(m->file), 0, 0, BYTES("the processes could not be started"), BYTES(""));
			generation_fail(g, "start");
		}
	}
	if (e != OK && errors)
		*errors = found;
	else
		json_decref(found);
	return e;
}

static void answer(struct generation *g, json_t *j)
{
	struct admin_conn *c = g->asker;

	g->asker = NULL;
	if (c)
		admin_answer(c, j);
	else
		json_decref(j);
}

void generation_fail(struct generation *g, const char *what)
{
	struct master *m = g->master;

	if (g->state != GEN_STARTING)
		return;
	LOG(EV_CONFIG_REFUSED, KV_UINT("generation", g->number), KV_STR("what", what));
	m->reload_failures++;
	if (m->active)
		m->active->board->reload_failures = m->reload_failures;
	answer(g, admin_error(what));
	g->state = GEN_ENDING;
	if (!m->active)
		m->is_stopping = true; /* nothing to go back to */
	generation_kill(g);
}

static void keep_history(struct generation *g, uint64_t real_us)
{
	uint32_t number = 0;
	struct text bundle;
	enum err e;

	text_init_growing(&bundle, BUNDLE_MOST);
	e = fd_read_at_start(g->bundle, &bundle);
	if (e == OK)
		e = history_save(g->conf->state_dir, text_bytes(&g->text), text_bytes(&bundle), real_us, g->uid, g->why, &number);
	text_fini(&bundle);
	if (e != OK)
		LOG(EV_SYSTEM, KV_STR("call", "history"), KV_STR("result", err_name(e)), KV_ERRNO());
}

static void activate(struct generation *g)
{
	struct master *m = g->master;
	struct generation *old = m->active;
	uint64_t now = loop_real_us(m->loop);

	loop_timer_clear(m->loop, &g->deadline);
	g->state = GEN_ACTIVE;
	m->active = g;
	m->has_served = true;
	master_isolation_activated(g->conf->state_dir);
	master_confirm_end(m); /* only now: a configuration that was refused decides nothing */
	if (old) {
		memcpy(g->board->base, old->board->base, sizeof(g->board->base));
		for (size_t i = 0; i < old->child_count; i++)
			fold(g->board, &old->children[i]);
	}
	if (old)
		m->reloads++;
	g->board->generation = g->number;
	g->board->config_time_us = now;
	g->board->reloads = m->reloads;
	g->board->reload_failures = m->reload_failures;
	g->board->child_restarts = m->child_restarts;
	keep_history(g, now);
	master_ledger_config(m, g);
	master_identity_config(m, g);
	LOG(EV_CONFIG_LOADED, KV_UINT("generation", g->number), KV_STR("file", m->file), KV_STR("why", g->why),
		KV_UINT("uid", g->uid), KV_UINT("listeners", g->conf->listener_count),
		KV_UINT("pools", g->conf->pool_count), KV_UINT("rules", g->conf->rule_count));
	master_notify(m, "READY=1\nSTATUS=generation %u is in use", g->number);
	if (g->confirm_s && (!old || master_confirm_begin(m, g->confirm_s, old) != OK)) {
		LOG(EV_SYSTEM, KV_STR("call", "confirm"), KV_ERRNO());
		g->confirm_s = 0; /* told in the answer: it does not go back by itself */
	}
	if (old && !bytes_eq(old->conf->access_log, g->conf->access_log) && master_access_log(m, g->conf) != OK)
		LOG(EV_SYSTEM, KV_STR("call", "access log"), KV_ERRNO());
	if (old && !bytes_eq(old->conf->detect.alerts, g->conf->detect.alerts) && master_alerts(m, g->conf) != OK)
		LOG(EV_SYSTEM, KV_STR("call", "alerts"), KV_ERRNO());
	answer(g, json_pack("{s:b,s:i,s:i}", "ok", 1, "generation", (int)g->number, "confirm", (int)g->confirm_s));
	if (old)
		generation_drain(old);
	close_unused(m);
	master_certs_check(m);
}

void generation_child_ready(struct generation *g)
{
	if (g->state != GEN_STARTING)
		return;
	for (size_t i = 0; i < g->child_count; i++)
		if (!g->children[i].is_ready)
			return;
	if (master_ledger_is_ready(g->master) && master_identity_is_ready(g))
		activate(g);
}

static void generation_check(struct generation *g);

static void end_late(struct timer *t)
{
	generation_kill(CONTAINER_OF(t, struct generation, deadline));
}

/* The workers are gone: the others have nobody to serve and end with their control channel. */
void generation_end_singles(struct generation *g)
{
	g->state = GEN_ENDING;
	for (size_t i = 0; i < g->child_count; i++)
		child_end(&g->children[i]);
	loop_timer_set(g->master->loop, &g->deadline, END_MS, end_late);
	generation_check(g); /* perhaps all of them were waiting for a restart */
}

static void generation_gone(struct generation *g)
{
	struct master *m = g->master;

	for (struct generation **at = &m->generations; *at; at = &(*at)->next)
		if (*at == g) {
			*at = g->next;
			break;
		}
	if (m->active == g)
		m->active = NULL;
	if (m->active && m->active->board->old_generations)
		m->active->board->old_generations--;
	generation_free(&g);
	close_unused(m);
	master_identity_check(m);
	master_went_out(m);
}

static void generation_check(struct generation *g)
{
	size_t workers = 0, all = 0;

	for (size_t i = 0; i < g->child_count; i++) {
		all += g->children[i].pid > 0;
		workers += g->children[i].pid > 0 && g->children[i].role == ROLE_WORKER;
	}
	if (g->state == GEN_DRAINING) { /* those that serve the workers, and the ledger, are started again until they are not needed */
		if (workers == 0 && !master_ledger_flush(g))
			generation_end_singles(g);
	} else if (all == 0) {
		generation_gone(g);
	}
}

void generation_child_gone(struct generation *g, struct child *c)
{
	char what[800];

	if (g->state == GEN_STARTING) {
		if (*g->refused)
			snprintf(what, sizeof(what), "the configuration was refused; nothing changed: detect: %s (sluis check names all that is wrong)", g->refused);
		else
			snprintf(what, sizeof(what), "its %s ended before it was ready; the error log tells why", role_name(c->role));
		generation_fail(g, what);
		return; /* generation_kill looks whether it was the last */
	}
	if (g->state > GEN_ACTIVE)
		generation_check(g);
}

static void drain_late(struct timer *t)
{
	struct generation *g = CONTAINER_OF(t, struct generation, deadline);

	for (size_t i = 0; i < g->child_count; i++)
		if (g->children[i].role == ROLE_WORKER)
			child_kill(&g->children[i]);
}

void generation_drain(struct generation *g)
{
	struct master *m = g->master;
	uint32_t ms = g->conf->limits.drain_ms;
	unsigned char mem[4];
	struct text body;

	if (g->state != GEN_ACTIVE)
		return;
	g->state = GEN_DRAINING;
	if (m->active && m->active != g)
		m->active->board->old_generations++;
	text_init(&body, mem, sizeof(mem));
	text_put_u32(&body, ms);
	for (size_t i = 0; i < g->child_count; i++) {
		struct child *c = &g->children[i];

		if (c->role != ROLE_WORKER)
			continue;
		loop_timer_clear(m->loop, &c->restart);
		c->is_ending = true;
		if (c->pid > 0 && (c->control.fd < 0 || child_send(c, MSG_DRAIN, text_bytes(&body), -1) != OK))
			child_kill(c);
	}
	loop_timer_set(m->loop, &g->deadline, (uint64_t)ms + DRAIN_SPARE_MS, drain_late);
	close_unused(m);
	generation_check(g);
}

void generation_kill(struct generation *g)
{
	if (g->master->flushing == g)
		g->master->flushing = NULL;
	g->state = GEN_ENDING;
	for (size_t i = 0; i < g->child_count; i++) {
		g->children[i].is_ending = true;
		loop_timer_clear(g->master->loop, &g->children[i].restart);
		child_kill(&g->children[i]);
	}
	generation_check(g);
}

/* path is empty: it is closed. Children of that role get the new one. */
static enum err open_log(struct master *m, struct bytes path, enum role_id role, enum msg_type type, int *log)
{
	char name[8192];
	int fd;

	if (path.len == 0) {
		fd_close(log);
		return OK;
	}
	if (path.at[0] == '/')
		snprintf(name, sizeof(name), "%.*s", FMT(path));
	else
		snprintf(name, sizeof(name), "%s/%.*s", m->base_dir, FMT(path));
	fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return ERR_IO;
	fd_close(log);
	*log = fd;
	for (struct generation *g = m->generations; g; g = g->next)
		for (size_t i = 0; i < g->child_count; i++)
			if (g->children[i].role == role && g->children[i].control.fd >= 0)
				(void)!child_send(&g->children[i], type, BYTES(""), fd);
	return OK;
}

enum err master_access_log(struct master *m, const struct conf *conf)
{
	return open_log(m, conf->access_log, ROLE_WORKER, MSG_ACCESS_LOG, &m->access_log);
}

/* sluis monitor passes alerts on, as a user of its own: the group of that user may read them. */
static void share_alerts(const struct master *m, const struct conf *conf)
{
	const struct group *group;
	char name[80];

	if (m->alerts < 0 || conf->user.len == 0 || geteuid() != 0)
		return;
	snprintf(name, sizeof(name), "%.*s-monitor", FMT(bytes_cut(conf->user, 0, 64)));
	group = getgrnam(name);
	if (group && fchown(m->alerts, (uid_t)-1, group->gr_gid) < 0)
		LOG(EV_SYSTEM, KV_STR("call", "fchown"), KV_STR("file", "alerts"), KV_STR("group", name), KV_ERRNO());
}

enum err master_alerts(struct master *m, const struct conf *conf)
{
	char dir[4096];

	if (conf->detect.is_on && conf->state_dir.len && bytes_starts(conf->detect.alerts, conf->state_dir)) { /* as the ledger does, which may be off */
		snprintf(dir, sizeof(dir), "%.*s", FMT(conf->state_dir));
		if (mkdir(dir, 0700) < 0 && errno != EEXIST)
			return ERR_IO;
	}
	TRY(open_log(m, conf->detect.alerts, ROLE_WATCHER, MSG_ALERTS, &m->alerts));
	share_alerts(m, conf);
	(void)!master_identity_alerts(m);
	return OK;
}
