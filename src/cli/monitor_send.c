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

/* The first line of the file. */
static int read_secret(const struct monitor *m, struct bytes name, struct deliver_to *to)
{
	unsigned char mem[DELIVER_SECRET_MAX + 2];
	char path[4200];
	struct text t;
	size_t n;

	if (name.len == 0)
		return 0;
	monitor_path(m->site.config, name, path, sizeof(path));
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

static bool has_room(const struct monitor *m, int *status)
{
	if (m->to_count < DELIVER_TOS_MAX)
		return true;
	*status = 1 + cli_fail_in(m->cli, W_MONITOR_TOO_MANY, "--to", (size_t)DELIVER_TOS_MAX);
	return false;
}

static int add_configured(struct monitor *m, const struct conf_alert_to *a)
{
	struct deliver_to *to = &m->tos[m->to_count];
	char error[DELIVER_ERROR_MAX] = "";
	int status = 0;

	if (!has_room(m, &status))
		return status;
	if (monitor_to_fill(m->site.config, a, to, error) != OK)
		return 1 + cli_fail_in(m->cli, W_MONITOR_TO, error);
	m->to_count++;
	status = read_secret(m, to->kind == DELIVER_MAIL ? a->password_file : a->secret_file, to);
	if (!status && deliver_to_check(to, error) != OK)
		status = 1 + cli_fail_in(m->cli, W_MONITOR_TO, error);
	return status;
}

static int add_given(struct monitor *m, const char *url)
{
	struct deliver_to *to = &m->tos[m->to_count];
	char error[DELIVER_ERROR_MAX] = "";
	int status = 0;

	if (!has_room(m, &status))
		return status;
	if (monitor_to_parse(bytes_str(url), bytes_str(url), to, error) != OK || deliver_to_check(to, error) != OK)
		return 1 + cli_fail_in(m->cli, W_MONITOR_TO, error);
	m->to_count++;
	return 0;
}

int monitor_read_destinations(struct monitor *m)
{
	int status = 0;

	m->tos = calloc(DELIVER_TOS_MAX, sizeof(*m->tos));
	CHECK(m->tos);
	for (size_t i = 0; !status && m->site.conf && i < m->site.conf->monitor.alert_count; i++)
		status = add_configured(m, &m->site.conf->monitor.alerts[i]);
	for (size_t i = 0; !status && i < m->given.to_count; i++)
		status = add_given(m, m->given.to[i]);
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
