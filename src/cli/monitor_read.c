/* The reader: follows logs, hears syslog, looks for indicators, and writes alerts to the journal. How far it has read is written only after
 * the alerts of it are on the disk: after a crash something may be found twice, nothing is missed. */
#define _GNU_SOURCE
#include "cli/monitor_priv.h"

#include "alert/alert.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "cli/files.h"
#include "jail/jail.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS	     200
#define PIECE	     (1u << 20)
#define PIECES_A_TURN 8
#define SYSLOG_MOST  (256u << 10) /* lines of one sender and log that are put to the scan together */
#define OUT_MOST     (32u << 20)
#define TRIM_MS	     600000
#define FILES	     1024 /* logs, connections, and what else there is */
#define POSITIONS    "positions.json"

struct reading {
	struct monitor *m;
	struct loop *loop;
	struct alert_group *group;
	struct live *live;
	struct follow_sink sink;
	struct timer look, trim;
	struct watch signals;
	struct text out, positions, written, lines, line; /* lines: of syslog, from one sender to one log */
	char source[400];
	int lines_log;
	unsigned char *piece;
	uint64_t messages, refused, again_ms;
	bool is_failing, has_lost;
	int status;
};

/* What found no room is told as lost, and leaves no half line. */
static void end_line(struct reading *r, size_t before)
{
	if (!r->out.failed)
		return;
	if (!r->has_lost)
		LOG(EV_ALERT_LOST, KV_STR("why", "there is no more room for alerts that wait for the disk"));
	r->has_lost = true;
	r->out.len = before;
	r->out.failed = false;
}

static void on_alert(void *ctx, const struct alert *a)
{
	struct reading *r = ctx;
	size_t before = r->out.len;

	alert_put_json(&r->out, a, r->m->host, clock_real_us());
	end_line(r, before);
}

static void on_scan_problem(void *ctx, const char *where, const char *what)
{
	(void)ctx;
	LOG(EV_MONITOR_LOG, KV_STR("log", where), KV_STR("what", what));
}

/* --- logs --- */

static void on_follow_problem(void *ctx, struct follow *f, const char *what)
{
	(void)ctx;
	LOG(EV_MONITOR_LOG, KV_STR("log", f->path), KV_STR("what", what));
}

/* Alerts that the front door's detection has made: they are passed on as they are. */
static void take_alerts(struct reading *r, const struct follow *f, struct bytes lines)
{
	while (lines.len) {
		size_t n = bytes_find_byte(lines, '\n');
		struct bytes line = bytes_cut(lines, 0, n == SIZE_MAX ? n : n + 1);
		struct alert_fields fields;

		lines = bytes_cut(lines, line.len, lines.len);
		if (n != SIZE_MAX && alert_read_json(line, &fields) == OK) {
			alert_fields_fini(&fields);
			text_add(&r->out, line);
			end_line(r, r->out.len);
				} else {
			LOG(EV_MONITOR_LOG, KV_STR("log", f->path), KV_STR("what", "a line that is no alert was passed over"));
		}
	}
}

static void on_lines(void *ctx, struct follow *f, struct bytes lines, uint64_t line, uint64_t offset)
{
	struct reading *r = ctx;
	struct live_lines in = { .path = f->path, .where = f->path, .lines = lines, .line = line, .offset = offset, .now_us = clock_real_us() };
	const char *base = strrchr(f->path, '/');
	char source[FOLLOW_PATH_MAX + 8], mapped[LAYOUT_PATH_MAX];

	if (*r->m->alerts_file && strcmp(f->path, r->m->alerts_file) == 0) {
		take_alerts(r, f, lines);
		return;
	}
	snprintf(source, sizeof(source), "log %s", f->path);
	in.source = source;
	/* A log that was sent here stands under another path, and is known by its name, or else by its lines. */
	if (hunt_layout_find_log(r->m->ready.layout, f->path) < 0 && base && hunt_layout_map(r->m->ready.layout, base + 1, true, mapped))
		in.path = mapped;
	live_take(r->live, &in);
}

/* --- syslog --- */

static void scan_messages(struct reading *r)
{
	struct live_lines in = { .where = "syslog", .source = r->source, .lines = text_bytes(&r->lines), .line = 1, .now_us = clock_real_us() };

	if (r->lines.len && r->lines_log >= 0) {
		in.path = hunt_layout_log(r->m->ready.layout, (size_t)r->lines_log)->example;
		live_take(r->live, &in);
	}
	r->lines.len = 0;
}

static void put_host(struct text *t, struct bytes host)
{
	for (size_t i = 0; i < host.len && i < 64; i++)
		text_byte(t, host.at[i] > ' ' && host.at[i] < 127 ? host.at[i] : '?');
}

static void on_message(void *ctx, const struct addr *from, struct bytes message)
{
	struct reading *r = ctx;
	struct syslog_message m;
	unsigned char mem[256];
	struct text source;
	int log;

	r->messages++;
	if (syslog_message_parse(message, clock_real_us(), &m) != OK) {
		r->refused++;
		return;
	}
	log = syslog_message_log(&m, r->m->ready.layout);
	text_init(&source, mem, sizeof(mem) - 1);
	text_lit(&source, "syslog ");
	addr_write_ip(from, &source);
	text_byte(&source, ' ');
	put_host(&source, m.host);
	text_byte(&source, 0);
	if (log != r->lines_log || strcmp((const char *)mem, r->source) != 0 || r->lines.len > SYSLOG_MOST - 4 * SYSLOG_MESSAGE_MAX - 512)
		scan_messages(r);
	r->lines_log = log;
	snprintf(r->source, sizeof(r->source), "%s", (const char *)mem);
	syslog_message_put_line(&r->lines, &m);
	text_byte(&r->lines, '\n');
}

/* --- to the disk --- */

static bool write_journal(struct reading *r)
{
	struct monitor *m = r->m;

	if (r->out.len && (journal_append(m->journal, text_bytes(&r->out)) != OK || journal_sync(m->journal) != OK))
		return false;
	r->out.len = 0;
	r->has_lost = false;
	r->positions.len = 0;
	positions_put(&r->positions, m->logs, m->log_count);
	if (!bytes_eq(text_bytes(&r->positions), text_bytes(&r->written))) {
		if (positions_write(m->folder, POSITIONS, text_bytes(&r->positions)) != OK)
			return false;
		r->written.len = 0;
		text_add(&r->written, text_bytes(&r->positions));
	}
	return true;
}

static void save(struct reading *r)
{
	bool was_failing = r->is_failing;

	r->is_failing = !write_journal(r);
	if (r->is_failing && !was_failing)
		LOG(EV_MONITOR_STORE, KV_STR("folder", r->m->state_dir), KV_ERRNO());
	if (!r->is_failing && was_failing)
		LOG(EV_MONITOR_STORE, KV_STR("folder", r->m->state_dir), KV_STR("what", "it can be written again"));
}

/* --- time and signals --- */

/* Whether there is more in some log now, and whether all were read to their ends. */
static bool read_logs(struct reading *r, bool *is_end)
{
	uint64_t now = clock_mono_us() / 1000;
	bool any = false;

	for (size_t i = 0; i < r->m->log_count; i++) {
		struct follow *f = &r->m->logs[i];
		bool is_more = true;

		for (unsigned n = 0; is_more && n < PIECES_A_TURN; n++)
			is_more = follow_step(f, r->piece, PIECE, now, &r->sink);
		any = any || is_more;
		*is_end = *is_end && follow_is_at_end(f);
	}
	return any;
}

static void on_time(struct timer *t)
{
	struct reading *r = CONTAINER_OF(t, struct reading, look);
	bool is_more = false, is_end = true;

	if (!r->is_failing) /* what cannot be kept is not read */
		is_more = read_logs(r, &is_end);
	scan_messages(r);
	alert_group_tick(r->group, clock_real_us());
	save(r);
	if (r->m->given.once && !is_more && is_end && !r->is_failing) {
		loop_stop(r->loop);
		return;
	}
	loop_timer_set(r->loop, t, is_more ? 0 : LOOK_MS, on_time);
}

static void on_trim(struct timer *t)
{
	struct reading *r = CONTAINER_OF(t, struct reading, trim);
	const char *names[DELIVER_TOS_MAX];

	for (size_t i = 0; i < r->m->to_count; i++)
		names[i] = r->m->texts[i];
	if (r->m->to_count && journal_trim(r->m->journal, names, r->m->to_count, clock_real_us(), NULL) != OK)
		LOG(EV_MONITOR_STORE, KV_STR("what", "old alerts cannot be removed"), KV_ERRNO());
	if (r->refused)
		LOG(EV_MONITOR_PEER, KV_STR("why", "messages that are no syslog"), KV_UINT("messages", r->refused));
	r->refused = 0;
	loop_timer_set(r->loop, t, TRIM_MS, on_trim);
}

static void on_signal(struct watch *w, uint32_t events)
{
	struct reading *r = CONTAINER_OF(w, struct reading, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) { /* without the sender nobody is alerted: whoever started us must know */
			LOG(EV_CHILD_EXITED, KV_STR("role", "sender"), KV_INT("pid", r->m->sender));
			r->status = 2;
		}
		loop_stop(r->loop);
	}
}

static enum err take_signals(struct reading *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return ERR_IO;
	r->signals = (struct watch){ .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .on_event = on_signal };
	return r->signals.fd < 0 ? ERR_IO : loop_add(r->loop, &r->signals, EPOLLIN);
}

/* --- start and end --- */

static enum err confine(const struct monitor *m)
{
	static const int *const lists[] = { jail_hunter, jail_monitor, NULL };
	static char folders[MONITOR_LOGS_MAX][FOLLOW_PATH_MAX];
	const char *reads[MONITOR_LOGS_MAX + 1] = { NULL };
	const struct jail jail = { .role = "monitor", .syscalls = lists, .reads = reads, .writes = m->state_dir, .keeps_parent = true, .files = FILES };
	unsigned char mem[512];
	struct text report;

	for (size_t i = 0; i < m->log_count; i++) { /* the folder, for what is rotated has another name */
		snprintf(folders[i], sizeof(folders[i]), "%s", m->logs[i].path);
		*(strrchr(folders[i], '/') == folders[i] ? folders[i] + 1 : strrchr(folders[i], '/')) = 0;
		reads[i] = folders[i];
	}
	text_init(&report, mem, sizeof(mem));
	TRY(jail_apply(&jail, &report));
	LOG(EV_MONITOR_STARTED, KV_UINT("logs", m->log_count), KV_UINT("listeners", m->listen_count), KV_UINT("destinations", m->to_count),
		KV_BYTES("enforced", text_bytes(&report)));
	return OK;
}

static enum err begin(struct reading *r)
{
	struct alert_group_options options = { .window_us = r->m->window_us };

	for (size_t i = 0; i < HUNT_CLASS_COUNT; i++)
		options.per_hour[i] = r->m->per_hour;
	for (size_t i = 0; i < r->m->to_count; i++)
		snprintf(r->m->texts[i], sizeof(r->m->texts[i]), "%s", r->m->tos[i].name);
	text_init_growing(&r->out, OUT_MOST);
	text_init_growing(&r->positions, POSITIONS_FILE_MAX);
	text_init_growing(&r->written, POSITIONS_FILE_MAX);
	text_init_growing(&r->lines, SYSLOG_MOST);
	r->lines_log = -1;
	r->sink = (struct follow_sink){ .ctx = r, .lines = on_lines, .problem = on_follow_problem };
	r->piece = malloc(PIECE);
	r->loop = loop_new();
	r->group = alert_group_new(&options, on_alert, r);
	r->live = r->group ? live_new(r->m->ready.rules, r->m->ready.layout, r->group, on_scan_problem, r) : NULL;
	if (!r->piece || !r->loop || !r->live)
		return ERR_MEMORY;
	TRY(take_signals(r));
	TRY(syslog_server_run(r->m, r->loop, on_message, r));
	loop_timer_set(r->loop, &r->look, 1, on_time);
	loop_timer_set(r->loop, &r->trim, TRIM_MS, on_trim);
	return confine(r->m);
}

/* What is in the journal goes out as far as it can in a short time; the rest with the next start. */
static void end_sender(struct monitor *m)
{
	int status;

	fd_close(&m->sender_fd);
	while (waitpid(m->sender, &status, 0) < 0 && errno == EINTR)
		;
}

int monitor_read(struct monitor *m)
{
	struct reading *r = calloc(1, sizeof(*r));

	CHECK(r);
	r->m = m;
	if (begin(r) != OK) {
		LOG(EV_SYSTEM, KV_STR("call", "start"), KV_ERRNO());
		return 2;
	}
	loop_run(r->loop);
	scan_messages(r);
	alert_group_flush(r->group, clock_real_us());
	save(r);
	if (r->is_failing)
		r->status = 2;
	LOG(EV_MONITOR_ENDS, KV_UINT("messages", r->messages));
	if (r->status == 0)
		end_sender(m);
	return r->status;
}
