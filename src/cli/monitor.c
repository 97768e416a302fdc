/* sluis monitor: indicators over logs as they grow, over syslog, and what the front door's detection says; alerts go out. Everything that can
 * be wrong is said before anything is read. */
#define _GNU_SOURCE
#include "cli/monitor_priv.h"

#include "alert/alert.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW_US UINT64_C(600000000)
#define PER_HOUR  60
#define KEEP_US	  (UINT64_C(90) * 86400 * 1000000)

static bool take_more(const char *value, const char **list, size_t most, size_t *count)
{
	if (*count == most)
		return false;
	list[(*count)++] = value;
	return true;
}

static int take_options(struct monitor *m, int argc, char **argv)
{
	struct monitor_options *o = &m->given;
	struct {
		const char *name;
		const char **list;
		size_t most, *count;
	} const lists[] = { { "--log", o->logs, MONITOR_LOGS_MAX - 1, &o->log_count }, { "--syslog", o->syslog, MONITOR_LISTEN_MAX, &o->syslog_count },
		{ "--to", o->to, DELIVER_TOS_MAX, &o->to_count }, { "--pack", o->wanted.packs, HUNT_PACKS_MAX, &o->pack_count } };

	for (int i = 0; i < argc; i++) {
		bool is_known = false;

		for (size_t k = 0; k < COUNT_OF(lists); k++)
			if (strcmp(argv[i], lists[k].name) == 0 && i + 1 < argc) {
				if (!take_more(argv[++i], lists[k].list, lists[k].most, lists[k].count))
					return 1 + cli_fail_in(m->cli, W_MONITOR_TOO_MANY, lists[k].name, lists[k].most);
				is_known = true;
				break;
			}
		if (is_known)
			continue;
		if (strcmp(argv[i], "--state") == 0 && i + 1 < argc)
			o->state = argv[++i];
		else if (strcmp(argv[i], "--from-start") == 0)
			o->from_start = true;
		else if (strcmp(argv[i], "--once") == 0)
			o->once = true;
		else
			return 1 + cli_fail_in(m->cli, W_MONITOR_OPTION, argv[i]);
	}
	return 0;
}

/* Without -c and without a packaged configuration the options are all there is. */
static int read_site(struct monitor *m)
{
	const struct conf *c;

	m->window_us = WINDOW_US;
	m->per_hour = PER_HOUR;
	m->keep_us = KEEP_US;
	if (m->given.state)
		snprintf(m->state_dir, sizeof(m->state_dir), "%s", m->given.state);
	if (!m->cli->config && access(SITE_DEFAULT_CONFIG, F_OK) < 0)
		return 0;
	if (!site_load(m->cli, &m->site) || !m->site.is_valid)
		return m->site.conf ? 1 + cli_fail_in(m->cli, W_MONITOR_CONFIG, m->site.config) : 2;
	c = m->site.conf;
	m->window_us = (uint64_t)c->monitor.window_s * 1000000;
	m->per_hour = c->monitor.per_hour;
	m->keep_us = (uint64_t)c->monitor.keep_s * 1000000;
	if (!m->given.state)
		snprintf(m->state_dir, sizeof(m->state_dir), "%.*s", FMT(c->monitor.state_dir));
	if (c->detect.is_on)
		snprintf(m->alerts_file, sizeof(m->alerts_file), "%s", m->site.alerts);
	return 0;
}

static int make_state(struct monitor *m)
{
	char parent[4200], *slash;

	if (!*m->state_dir)
		return 1 + cli_fail_in(m->cli, W_MONITOR_NO_STATE);
	snprintf(parent, sizeof(parent), "%s", m->state_dir);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = 0;
		if (mkdir(parent, 0700) < 0 && errno != EEXIST)
			return 1 + cli_fail_in(m->cli, W_MONITOR_STATE, m->state_dir, strerror(errno));
	}
	if (journal_folder(m->state_dir, &m->folder) != OK)
		return 1 + cli_fail_in(m->cli, W_MONITOR_STATE, m->state_dir, strerror(errno));
	return 0;
}

static int open_journal(struct monitor *m)
{
	const struct journal_options options = { .keep_us = m->keep_us };
	uint64_t torn = 0;
	enum err e = journal_open(m->folder, &options, &m->journal, &torn);

	if (e == ERR_DENIED)
		return 1 + cli_fail_in(m->cli, W_MONITOR_RUNS, m->state_dir);
	if (e != OK)
		return 1 + cli_fail_in(m->cli, W_MONITOR_STATE, m->state_dir, strerror(errno));
	if (torn)
		LOG(EV_MONITOR_STORE, KV_STR("what", "an alert that was half written when the machine stopped was cut off; its log is read again"));
	return 0;
}

static const struct follow_at *find_position(const struct position *p, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(p[i].path, path) == 0)
			return &p[i].at;
	return NULL;
}

static int read_positions(struct monitor *m, struct position *p, size_t *count)
{
	char path[4300];
	struct text text;
	enum err e;

	*count = 0;
	snprintf(path, sizeof(path), "%s/positions.json", m->state_dir);
	text_init_growing(&text, POSITIONS_FILE_MAX);
	e = file_read(path, &text);
	if (e == OK)
		e = positions_parse(text_bytes(&text), p, count);
	else if (errno == ENOENT)
		e = OK;
	text_fini(&text);
	return e == OK ? 0 : 1 + cli_fail_in(m->cli, W_MONITOR_POSITIONS, path);
}

static int add_log(struct monitor *m, const char *path, const struct position *p, size_t count, bool from_start)
{
	const char *base = strrchr(path, '/');
	char folder[FOLLOW_PATH_MAX], *absolute, *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = 0;
	absolute = realpath(slash ? (*folder ? folder : "/") : ".", NULL);
	if (!absolute)
		return 1 + cli_fail_in(m->cli, W_MONITOR_FOLDER, path, strerror(errno));
	snprintf(folder, sizeof(folder), "%.2000s%s%.1000s", absolute, strcmp(absolute, "/") == 0 ? "" : "/", base ? base + 1 : path);
	free(absolute);
	for (size_t i = 0; i < m->log_count; i++)
		if (strcmp(m->logs[i].path, folder) == 0)
			return 0; /* named twice: it is followed once */
	if (m->log_count == MONITOR_LOGS_MAX)
		return 1 + cli_fail_in(m->cli, W_MONITOR_TOO_MANY, "--log", (size_t)MONITOR_LOGS_MAX - 1);
	if (follow_init(&m->logs[m->log_count], folder, find_position(p, count, folder), from_start) != OK)
		return 1 + cli_fail_in(m->cli, W_MONITOR_FOLDER, path, strerror(ENAMETOOLONG));
	m->log_count++;
	return 0;
}

static int find_logs(struct monitor *m)
{
	struct position *p = calloc(POSITIONS_MAX, sizeof(*p));
	char path[FOLLOW_PATH_MAX];
	size_t count = 0;
	int status;

	m->logs = calloc(MONITOR_LOGS_MAX, sizeof(*m->logs));
	CHECK(p && m->logs);
	status = read_positions(m, p, &count);
	if (!status && *m->alerts_file) { /* what it holds was found before we came, and told to nobody */
		status = add_log(m, m->alerts_file, p, count, true);
		if (!status)
			snprintf(m->alerts_file, sizeof(m->alerts_file), "%s", m->logs[0].path);
	}
	for (size_t i = 0; !status && i < m->given.log_count; i++)
		status = add_log(m, m->given.logs[i], p, count, m->given.from_start);
	for (size_t i = 0; !status && m->site.conf && i < m->site.conf->monitor.log_count; i++) {
		monitor_path(m->site.config, m->site.conf->monitor.logs[i], path, sizeof(path));
		status = add_log(m, path, p, count, m->given.from_start);
	}
	free(p);
	return status;
}

static int add_listen(struct monitor *m, const char *url)
{
	if (m->listen_count == MONITOR_LISTEN_MAX)
		return 1 + cli_fail_in(m->cli, W_MONITOR_TOO_MANY, "--syslog", (size_t)MONITOR_LISTEN_MAX);
	if (monitor_listen_parse(url, &m->listens[m->listen_count]) != OK)
		return 1 + cli_fail_in(m->cli, W_MONITOR_URL, url);
	m->listen_count++;
	return 0;
}

static int find_listens(struct monitor *m)
{
	int status = 0;

	for (size_t i = 0; !status && i < m->given.syslog_count; i++)
		status = add_listen(m, m->given.syslog[i]);
	for (size_t i = 0; !status && m->site.conf && i < m->site.conf->monitor.syslog_count; i++) {
		char *url = strndup((const char *)m->site.conf->monitor.syslog[i].at, m->site.conf->monitor.syslog[i].len);

		CHECK(url);
		status = add_listen(m, url); /* which keeps it */
	}
	return status;
}

static int start_sender(struct monitor *m)
{
	pid_t reader = getpid();
	sigset_t child;
	int pair[2];

	/* Its end must not be missed, however early: the reader looks for it when it has a loop. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &child, NULL) < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return cli_fail(2, "pipe: %s", strerror(errno));
	m->sender = fork();
	if (m->sender < 0)
		return cli_fail(2, "fork: %s", strerror(errno));
	if (m->sender == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != reader)
			_exit(2); /* it ended before that: the next reader has a sender of its own, and two would be in each other's way */
		close(pair[1]);
		journal_close(&m->journal); /* and the lock with it: who starts after the reader's end must not find it held */
		monitor_send(m, pair[0]);
	}
	close(pair[0]);
	m->sender_fd = pair[1];
	for (size_t i = 0; i < m->to_count; i++)
		deliver_to_fini(&m->tos[i]); /* its secrets are the sender's alone */
	return 0;
}

static int prepare(struct monitor *m)
{
	int status = read_site(m);

	gethostname(m->host, sizeof(m->host) - 1);
	if (!status)
		status = make_state(m);
	if (!status)
		status = find_logs(m);
	if (!status)
		status = find_listens(m);
	if (!status && m->log_count == 0 && m->listen_count == 0)
		status = 1 + cli_fail_in(m->cli, W_MONITOR_NOTHING);
	if (!status)
		status = monitor_read_destinations(m);
	if (!status)
		status = hunt_get_ready(m->cli, &m->given.wanted, &m->ready);
	if (!status)
		status = open_journal(m);
	return status;
}

int cli_monitor(const struct cli *cli, int argc, char **argv)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int status;

	CHECK(m);
	m->cli = cli;
	m->folder = m->sender_fd = -1;
	m->given.wanted.yara_timeout_s = 0;
	setvbuf(stderr, NULL, _IOLBF, 4096); /* a message is one piece, for two processes write there */
	log_init("monitor", -1, LOG_LEVEL_INFO);
	status = take_options(m, argc, argv);
	if (!status)
		status = prepare(m);
	if (!status)
		status = start_sender(m);
	if (!status) /* the sender has neither these sockets nor the key of their certificate */
		status = syslog_server_open(m);
	if (!status)
		status = monitor_read(m);
	fflush(NULL);
	_exit(status); /* straight out: exit handlers of libraries may need more than is left */
}
