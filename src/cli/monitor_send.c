/* The sender: takes alerts from the journal to their destinations. It has the secrets and the way out, and sees nothing of what strangers
 * wrote but what the reader made of it. */
#define _GNU_SOURCE
#include "cli/monitor_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "jail/jail.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define LAST_TRIES_MS 5000 /* after the reader's end */

static const enum hunt_class least_of[] = { HUNT_TRACE, HUNT_ATTEMPT, HUNT_PROBE, HUNT_COMPROMISE };

/* Letters, digits, - _ and . of what was written, so that it names a file. */
static void make_name(struct bytes from, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < from.len && n + 1 < size && n < JOURNAL_NAME_MAX; i++) {
		unsigned char c = from.at[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && n);

		if (is_plain)
			to[n++] = (char)c;
		else if (n && to[n - 1] != '-')
			to[n++] = '-';
	}
	to[n] = 0;
}

/* What stands behind a webhook's host is often its secret, and a name is shown and is a file's: of that a sum, so that two hooks of one host
 * have two names. */
static void name_of_url(struct bytes url, char *to, size_t size)
{
	size_t host = bytes_find(url, BYTES("://")), path;
	char text[JOURNAL_NAME_MAX - 8];
	uint32_t sum = 2166136261u; /* FNV-1a */

	path = host == SIZE_MAX ? SIZE_MAX : bytes_find_byte(bytes_cut(url, host + 3, url.len), '/');
	if (!bytes_starts(url, BYTES("http")) || path == SIZE_MAX || host + 3 + path + 1 >= url.len) {
		make_name(url, to, size);
		return;
	}
	for (size_t i = 0; i < url.len; i++)
		sum = (sum ^ url.at[i]) * 16777619u;
	make_name(bytes_cut(url, 0, host + 3 + path), text, sizeof(text));
	snprintf(to, size, "%s-%08x", text, sum);
}

static void copy(struct bytes from, char *to, size_t size)
{
	snprintf(to, size, "%.*s", FMT(from));
}

/* Beside the configuration's file where the path is not from the root, as for all files that it names. */
static void path_of(const struct monitor *m, struct bytes name, char *out, size_t size)
{
	const char *slash = strrchr(m->site.config, '/');

	if (name.len == 0 || name.at[0] == '/' || !slash)
		snprintf(out, size, "%.*s", FMT(name));
	else
		snprintf(out, size, "%.*s/%.*s", (int)(slash - m->site.config), m->site.config, FMT(name));
}

/* The first line of the file. */
static int read_secret(const struct monitor *m, struct bytes name, struct deliver_to *to)
{
	unsigned char mem[DELIVER_SECRET_MAX + 2];
	char path[4200];
	struct text t;
	size_t n;

	if (name.len == 0)
		return 0;
	path_of(m, name, path, sizeof(path));
	text_init(&t, mem, sizeof(mem));
	if (file_read(path, &t) != OK && !t.failed)
		return 1 + cli_fail_in(m->cli, W_MONITOR_SECRET, path, strerror(errno));
	n = bytes_find_byte(text_bytes(&t), '\n');
	to->secret_len = n == SIZE_MAX ? t.len : n;
	if (to->secret_len && mem[to->secret_len - 1] == '\r')
		to->secret_len--;
	if (t.failed || to->secret_len == 0 || to->secret_len > DELIVER_SECRET_MAX)
		return 1 + cli_fail_in(m->cli, W_MONITOR_SECRET_LINE, path);
	memcpy(to->secret, mem, to->secret_len);
	explicit_bzero(mem, sizeof(mem));
	return 0;
}

static int add_destination(struct monitor *m, struct bytes name, struct bytes url)
{
	char error[DELIVER_ERROR_MAX] = "", url_text[DELIVER_URL_MAX + 2];
	char own[JOURNAL_NAME_MAX + 1];

	if (m->to_count == DELIVER_TOS_MAX)
		return 1 + cli_fail_in(m->cli, W_MONITOR_TOO_MANY, "--to", (size_t)DELIVER_TOS_MAX);
	if (bytes_eq(name, url))
		name_of_url(url, own, sizeof(own));
	else
		make_name(name, own, sizeof(own));
	copy(url, url_text, sizeof(url_text));
	if (deliver_to_parse(own, url_text, &m->tos[m->to_count], error) != OK)
		return 1 + cli_fail_in(m->cli, W_MONITOR_TO, error);
	m->to_count++;
	return 0;
}

static int check_destination(struct monitor *m, const struct deliver_to *to)
{
	char error[DELIVER_ERROR_MAX] = "";

	return deliver_to_check(to, error) == OK ? 0 : 1 + cli_fail_in(m->cli, W_MONITOR_TO, error);
}

static int add_configured(struct monitor *m, const struct conf_alert_to *a)
{
	struct deliver_to *to = &m->tos[m->to_count];
	int status = add_destination(m, a->name, a->to);

	if (status)
		return status;
	copy(a->from, to->from, sizeof(to->from));
	copy(a->recipient, to->to, sizeof(to->to));
	copy(a->user, to->user, sizeof(to->user));
	path_of(m, a->ca, to->ca, sizeof(to->ca));
	to->least = least_of[a->least < COUNT_OF(least_of) ? a->least : 0];
	to->language = a->in_dutch ? ALERT_NL : ALERT_EN;
	status = read_secret(m, to->kind == DELIVER_MAIL ? a->password_file : a->secret_file, to);
	return status ? status : check_destination(m, to);
}

int monitor_read_destinations(struct monitor *m)
{
	int status = 0;

	m->tos = calloc(DELIVER_TOS_MAX, sizeof(*m->tos));
	CHECK(m->tos);
	for (size_t i = 0; !status && m->site.conf && i < m->site.conf->monitor.alert_count; i++)
		status = add_configured(m, &m->site.conf->monitor.alerts[i]);
	for (size_t i = 0; !status && i < m->given.to_count; i++) {
		status = add_destination(m, bytes_str(m->given.to[i]), bytes_str(m->given.to[i]));
		if (!status)
			status = check_destination(m, &m->tos[m->to_count - 1]);
	}
	if (!status && m->to_count == 0)
		cli_say(m->cli, stderr, W_MONITOR_NOBODY, m->state_dir);
	return status;
}

static void on_state(void *ctx, const char *name, bool is_failing, const char *error)
{
	(void)ctx;
	LOG(EV_MONITOR_DESTINATION, KV_STR("name", name), KV_STR("state", is_failing ? "fails" : "works"), KV_STR("why", error));
}

static void on_problem(void *ctx, const char *name, const char *what)
{
	(void)ctx;
	LOG(EV_MONITOR_STORE, KV_STR("destination", name), KV_STR("what", what));
}

static enum err confine(const struct monitor *m)
{
	static const int *const lists[] = { jail_sender, NULL };
	static const char *const known[] = { "/etc", "/usr/share/ca-certificates", "/usr/lib/ssl", "/run/systemd/resolve", "/run/resolvconf" };
	const char *reads[COUNT_OF(known) + DELIVER_TOS_MAX + 1] = { NULL }, *writes[DELIVER_TOS_MAX + 1] = { NULL };
	static char folders[DELIVER_TOS_MAX][DELIVER_URL_MAX + 1];
	struct jail jail = { .role = "sender", .syscalls = lists, .reads = reads, .writes = m->state_dir, .writes_too = writes, .may_connect = true, .looks_up_names = true };
	size_t n = 0, w = 0;
	struct addrinfo *found = NULL;
	unsigned char mem[512];
	struct text report;

	/* The C library's modules are loaded by the first look-up: now, for later they cannot be. */
	if (getaddrinfo("localhost", NULL, NULL, &found) == 0)
		freeaddrinfo(found);
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (access(known[i], R_OK) == 0)
			reads[n++] = known[i];
	for (size_t i = 0; i < m->to_count; i++) {
		if (m->tos[i].ca[0])
			reads[n++] = m->tos[i].ca;
		if (m->tos[i].kind != DELIVER_FILE)
			continue;
		snprintf(folders[w], sizeof(folders[w]), "%s", m->tos[i].url);
		*(strrchr(folders[w], '/') == folders[w] ? folders[w] + 1 : strrchr(folders[w], '/')) = 0;
		writes[w] = folders[w];
		w++;
	}
	text_init(&report, mem, sizeof(mem));
	TRY(jail_apply(&jail, &report));
	LOG(EV_CONFINED, KV_STR("part", "sender"), KV_BYTES("enforced", text_bytes(&report)));
	return OK;
}

static uint64_t now_ms(void)
{
	return clock_mono_us() / 1000;
}

void monitor_send(struct monitor *m, int fd)
{
	const struct deliver_options options = { .host = m->host, .on_state = on_state, .on_problem = on_problem };
	char error[DELIVER_ERROR_MAX] = "";
	struct deliver *d = NULL;
	uint64_t until = 0;

	signal(SIGINT, SIG_IGN); /* the reader's end is ours */
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (deliver_new(m->folder, m->tos, m->to_count, &options, &d, error) != OK) {
		cli_fail_in(m->cli, W_MONITOR_TO, error);
		_exit(2);
	}
	if (confine(m) != OK) {
		LOG(EV_SYSTEM, KV_STR("call", "confine"), KV_ERRNO());
		_exit(2);
	}
	while (!until || (now_ms() < until && deliver_done(d) < m->to_count)) {
		unsigned ms = deliver_step(d, now_ms(), clock_real_us());

		if (deliver_wait(d, until ? -1 : fd, until && ms > 50 ? 50 : ms) && !until)
			until = now_ms() + LAST_TRIES_MS;
	}
	deliver_free(&d);
	_exit(0);
}
