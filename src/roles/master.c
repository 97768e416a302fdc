/* sluisd: reads the configuration, binds, starts the children and hands everything over; parses nothing that
 * comes from the network. Hears signals, the admin socket, and two messages of its children. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "admin/history.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void confirm_late(struct timer *t)
{
	struct master *m = CONTAINER_OF(t, struct master, confirm);
	const struct origin back = { .bundle = text_bytes(&m->fallback), .keys = m->fallback_keys,
		.key_count = m->fallback_key_count };

	if (!m->has_fallback)
		return;
	for (const struct generation *g = m->generations; g; g = g->next)
		if (g->state == GEN_STARTING) { /* it ends the wait if it comes into use */
			loop_timer_set(m->loop, t, 1000, confirm_late);
			return;
		}
	LOG(EV_CONFIG_REFUSED, KV_STR("what", "not confirmed in time; going back to the configuration before"));
	if (generation_start(m, &back, NULL, geteuid(), "not confirmed", 0, NULL) != OK) {
		LOG(EV_INTERNAL, KV_STR("what", "the configuration before does not load any more"));
		master_confirm_end(m);
	}
}

/* Everything is kept here and now: by the time it is needed, the files may be others and the generation gone. */
enum err master_confirm_begin(struct master *m, uint32_t seconds, const struct generation *fallback)
{
	enum err e = ERR_MEMORY;

	text_init_growing(&m->fallback, BUNDLE_MOST);
	m->fallback_keys = calloc(fallback->conf->key_count + 1, sizeof(int));
	m->has_fallback = true;
	if (m->fallback_keys)
		e = fd_read_at_start(fallback->bundle, &m->fallback);
	for (size_t i = 0; e == OK && i < fallback->conf->key_count; i++) {
		int fd = fcntl(fallback->key_fds[i], F_DUPFD_CLOEXEC, 0);

		m->fallback_keys[m->fallback_key_count++] = fd;
		e = fd < 0 ? ERR_IO : OK;
	}
	if (e != OK) {
		master_confirm_end(m);
		return e;
	}
	loop_timer_set(m->loop, &m->confirm, (uint64_t)seconds * 1000, confirm_late);
	return OK;
}

void master_confirm_end(struct master *m)
{
	loop_timer_clear(m->loop, &m->confirm);
	if (m->has_fallback)
		text_fini(&m->fallback);
	for (size_t i = 0; i < m->fallback_key_count; i++)
		fd_close(&m->fallback_keys[i]);
	free(m->fallback_keys);
	m->fallback_keys = NULL;
	m->fallback_key_count = 0;
	m->has_fallback = false;
}

static void error_log(struct master *m, const struct conf *conf)
{
	struct child_walk w = { 0 };
	struct child *c;
	char path[8192];

	if (conf->error_log.len == 0)
		return;
	snprintf(path, sizeof(path), conf->error_log.at[0] == '/' ? "%.0s%.*s" : "%s/%.*s", m->base_dir, FMT(conf->error_log));
	AUTO(fd_close) int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
		LOG(EV_SYSTEM, KV_STR("call", "error log"), KV_ERRNO());
		return;
	}
	while ((c = child_next(m, &w)))
		if (c->pid > 0 && c->control.fd >= 0)
			(void)!child_send(c, MSG_ERROR_LOG, BYTES(""), fd);
}

void master_reopen(struct master *m)
{
	if (!m->active)
		return;
	error_log(m, m->active->conf);
	if (master_access_log(m, m->active->conf) != OK)
		LOG(EV_SYSTEM, KV_STR("call", "access log"), KV_ERRNO());
	if (master_alerts(m, m->active->conf) != OK)
		LOG(EV_SYSTEM, KV_STR("call", "alerts"), KV_ERRNO());
}

void master_went_out(struct master *m)
{
	if (!m->is_stopping || m->generations || !master_identity_is_over(m))
		return;
	if (m->scribe.pid > 0) { /* it ends with its channel; its end brings us here again */
		if (m->scribe.control.fd >= 0)
			child_end(&m->scribe);
		m->scribe.is_ending = true;
		return;
	}
	loop_stop(m->loop);
}

void master_stop(struct master *m)
{
	bool again = m->is_stopping;
	struct generation *next;

	m->is_stopping = true;
	master_confirm_end(m);
	master_notify(m, "STOPPING=1\nSTATUS=%s", again ? "ending at once" : "waiting for open connections");
	LOG(EV_STOPPING, KV_STR("how", again ? "at once" : "draining"));
	for (struct generation *g = m->generations; g; g = next) {
		next = g->next;
		if (again)
			generation_kill(g);
		else if (g->state == GEN_STARTING)
			generation_fail(g, "sluisd is stopping");
		else
			generation_drain(g);
	}
	master_went_out(m);
}

static void reload_by_signal(struct master *m)
{
	struct text text;

	for (const struct generation *g = m->generations; g; g = g->next)
		if (g->state == GEN_STARTING)
			return;
	text_init_growing(&text, HISTORY_TEXT_MAX);
	if (m->is_stopping)
		;
	else if (file_read(m->file, &text) != OK)
		LOG(EV_CONFIG_REFUSED, KV_STR("file", m->file), KV_STR("what", "cannot be read"));
	else {
		const struct origin from = { .text = text_bytes(&text) };

		if (generation_start(m, &from, NULL, geteuid(), "signal", 0, NULL) != OK)
			LOG(EV_CONFIG_REFUSED, KV_STR("file", m->file), KV_STR("what", "nothing changed"));
	}
	text_fini(&text);
}

static struct child *child_of(struct master *m, pid_t pid)
{
	struct child_walk w = { 0 };
	struct child *c;

	while ((c = child_next(m, &w)))
		if (c->pid == pid)
			return c;
	return NULL;
}

static void reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = child_of(m, pid);

		if (c)
			child_exited(c, status);
	}
}

static void signal_event(struct watch *w, uint32_t events)
{
	struct master *m = CONTAINER_OF(w, struct master, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(m);
		else if (info.ssi_signo == SIGHUP)
			reload_by_signal(m);
		else if (info.ssi_signo == SIGUSR1)
			master_reopen(m);
		else
			master_stop(m);
	}
}

static enum err signals_start(struct master *m)
{
	static const int ours[] = { SIGCHLD, SIGHUP, SIGUSR1, SIGTERM, SIGINT };
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	for (size_t i = 0; i < COUNT_OF(ours); i++)
		sigaddset(&set, ours[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ERR_IO;
	m->signals = (struct watch){ .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .on_event = signal_event };
	if (m->signals.fd < 0)
		return ERR_IO;
	return loop_add(m->loop, &m->signals, EPOLLIN);
}

/* Programs of the children: beside this one, or in ../libexec/sluis. Shipped rules likewise. */
static enum err find_programs(struct master *m, const char *rules)
{
	static char rules_dir[4200];
	char self[4000], path[4200];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return ERR_IO;
	self[n] = 0;
	snprintf(m->program_dir, sizeof(m->program_dir), "%s", dirname(self));
	snprintf(path, sizeof(path), "%s/sluis-worker", m->program_dir);
	m->rules_dir = rules;
	if (!rules) {
		snprintf(rules_dir, sizeof(rules_dir), "%s/../rules", m->program_dir);
		if (access(rules_dir, R_OK) < 0)
			snprintf(rules_dir, sizeof(rules_dir), "%s/../share/sluis/rules", m->program_dir);
		m->rules_dir = rules_dir;
	}
	if (access(path, X_OK) < 0)
		snprintf(m->program_dir, sizeof(m->program_dir), "%s/../libexec/sluis", self);
	return OK;
}

static enum err start_shared(struct master *m)
{
	struct board_limits *limits;
	unsigned char seed[32];
	ssize_t got;
	void *at;
	enum err e;

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return ERR_IO;
	e = memfd_sealed("sluis-ticket-seed", bytes_of(seed, sizeof(seed)), &m->ticket_seed);
	explicit_bzero(seed, sizeof(seed));
	if (e != OK)
		return e;
	TRY(board_create(BOARD_LIMITS, &m->limits_board));
	TRY(board_map(BOARD_LIMITS, m->limits_board, true, &at));
	limits = at;
	got = getrandom(limits->hash_key, sizeof(limits->hash_key), 0);
	munmap(at, board_size(BOARD_LIMITS));
	return got == (ssize_t)sizeof(limits->hash_key) ? OK : ERR_IO;
}

static void make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		LOG(EV_SYSTEM, KV_STR("call", "mkdir"), KV_STR("path", path), KV_ERRNO());
}

static enum err start_admin(struct master *m)
{
	const struct conf *conf = m->generations->conf;
	char path[4097];
	enum err e;

	if (conf->state_dir.len) {
		snprintf(path, sizeof(path), "%.*s", FMT(conf->state_dir));
		make_dir(path, 0700);
	}
	if (conf->admin_socket.len == 0)
		return OK;
	snprintf(path, sizeof(path), "%.*s", FMT(conf->admin_socket));
	make_dir(dirname(path), 0755); /* /run/sluis is gone after each boot */
	m->admin.ctx = m;
	m->admin.on_request = master_on_request;
	m->admin.on_gone = master_on_gone;
	e = admin_open(&m->admin, m->loop, conf->admin_socket);
	if (e != OK)
		LOG(EV_SYSTEM, KV_STR("call", "admin socket"), KV_BYTES("path", conf->admin_socket), KV_STR("result", err_name(e)),
			KV_STR("error", e == ERR_ORDER ? "another sluisd runs there" : strerror(errno)));
	return e;
}

static void limits(void)
{
	struct rlimit files, core = { 0, 0 };

	/* The children take what they need of it; a core would hold the configuration's secrets. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	setrlimit(RLIMIT_CORE, &core);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void on_second(struct timer *t)
{
	struct master *m = CONTAINER_OF(t, struct master, second);

	generation_counters_catch_up(m);
	master_rates_sample(m);
	master_isolation_tick(m);
	loop_timer_set(m->loop, t, 1000, on_second);
}

static int serve(struct master *m)
{
	struct origin from = { 0 };
	struct text text;
	enum err e;

	text_init_growing(&text, HISTORY_TEXT_MAX);
	if (file_read(m->file, &text) != OK) {
		LOG(EV_CONFIG_REFUSED, KV_STR("file", m->file), KV_STR("what", "cannot be read"));
		text_fini(&text);
		return 1;
	}
	from.text = text_bytes(&text);
	e = generation_start(m, &from, NULL, geteuid(), "start", 0, NULL);
	text_fini(&text);
	if (e != OK || !m->generations)
		return 1;
	error_log(m, m->generations->conf);
	if (start_admin(m) != OK) {
		generation_kill(m->generations);
		return 1;
	}
	loop_timer_set(m->loop, &m->second, 1000, on_second);
	loop_run(m->loop);
	admin_close(&m->admin);
	return m->has_served ? 0 : 1; /* 1: the first configuration could not be started */
}

int main(int argc, char **argv)
{
	static struct master m = { .limits_board = -1, .ticket_seed = -1, .access_log = -1, .alerts = -1, .notify_fd = -1, .ledger_dir = -1,
		.ledger_board = -1, .ledger_key = -1, .ledger_head = -1, .ledger_public = -1, .ring = -1, .scribe_bundle = -1 };
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "rules", required_argument, NULL, 'r' }, { "version", no_argument, NULL, 'v' }, { 0 } };
	const char *rules = NULL, *file = NULL;
	static char dir[4096];
	int opt;

	while ((opt = getopt_long(argc, argv, "c:r:v", options, NULL)) != -1) {
		if (opt == 'c')
			file = optarg;
		else if (opt == 'r')
			rules = optarg;
		else if (opt == 'v')
			return printf("sluisd %s\n", SLUIS_VERSION) < 0;
		else
			file = NULL;
	}
	if (!file || optind != argc) {
		fprintf(stderr, "usage: sluisd -c FILE [--rules DIR]\n");
		return 2;
	}
	log_init("master", -1, LOG_LEVEL_INFO);
	master_identity_init(&m);
	m.file = realpath(file, NULL);
	m.loop = loop_new();
	if (!m.file || !m.loop) {
		fprintf(stderr, "sluisd: %s: %s\n", file, strerror(errno));
		return 1;
	}
	snprintf(dir, sizeof(dir), "%s", m.file);
	snprintf(m.base_dir, sizeof(m.base_dir), "%s", dirname(dir));
	limits();
	master_notify_open(&m);
	if (find_programs(&m, rules) != OK || start_shared(&m) != OK || signals_start(&m) != OK) {
		LOG(EV_SYSTEM, KV_STR("call", "start"), KV_ERRNO());
		return 1;
	}
	return serve(&m);
}
