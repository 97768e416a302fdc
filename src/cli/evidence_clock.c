/* How far this machine's time can be trusted: both clocks, the zone, what the kernel knows of its synchronisation, what the
 * synchronising program says, and the hardware's clock. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"

#include "base/clock.h"
#include "base/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOOL_MS	  3000
#define TOOL_MOST 16384

extern char **environ;

static long long ns_of(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void read_until(int fd, struct text *out)
{
	uint64_t end = clock_mono_us() + TOOL_MS * 1000;
	char buf[4096];

	for (;;) {
		uint64_t now = clock_mono_us();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (now >= end || poll(&p, 1, (int)((end - now) / 1000) + 1) <= 0)
			return;
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			return;
		text_add(out, bytes_of(buf, (size_t)n));
	}
}

/* What a program says on its standard output, for a few seconds at most; null when it is not there or fails. */
static json_t *ask_tool(const char *const argv[])
{
	posix_spawn_file_actions_t to;
	struct text out;
	json_t *answer = json_null();
	int pipes[2], status = 0;
	pid_t pid;

	if (access(argv[0], X_OK) < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return answer;
	text_init_growing(&out, TOOL_MOST);
	posix_spawn_file_actions_init(&to);
	posix_spawn_file_actions_adddup2(&to, pipes[1], 1);
	posix_spawn_file_actions_addopen(&to, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, argv[0], &to, NULL, (char *const *)(uintptr_t)argv, environ) == 0) {
		fd_close(&pipes[1]);
		read_until(pipes[0], &out);
		kill(pid, SIGKILL); /* has it ended, it is still ours until waited for */
		if (waitpid(pid, &status, 0) == pid && out.len)
			answer = json_of(text_bytes(&out));
	}
	posix_spawn_file_actions_destroy(&to);
	fd_close(&pipes[0]);
	fd_close(&pipes[1]);
	text_fini(&out);
	return answer;
}

static json_t *file_json(const char *path)
{
	char mem[4096];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	if (file_read(path, &t) != OK)
		return json_null();
	while (t.len && t.at[t.len - 1] == '\n')
		t.len--;
	return json_of(text_bytes(&t));
}

static json_t *kernel_sync(void)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);

	if (state < 0)
		return json_null();
	return json_pack("{s:b,s:i,s:i,s:I,s:I,s:I,s:I,s:i,s:s}", "synchronized", !(t.status & STA_UNSYNC) && state != TIME_ERROR,
		"state", state, "status", t.status, "offset", (json_int_t)t.offset, "frequency", (json_int_t)t.freq, "maxerror_us",
		(json_int_t)t.maxerror, "esterror_us", (json_int_t)t.esterror, "tai", t.tai, "offset_unit",
		t.status & STA_NANO ? "ns" : "us");
}

static void put_zone(json_t *o, time_t now)
{
	char local[64] = "", link[4096];
	ssize_t n = readlink("/etc/localtime", link, sizeof(link) - 1);
	struct tm tm;

	tzset();
	if (!localtime_r(&now, &tm))
		return;
	strftime(local, sizeof(local), "%Y-%m-%dT%H:%M:%S%z", &tm);
	json_object_set_new(o, "local", json_string(local));
	json_object_set_new(o, "zone", json_string(tm.tm_zone));
	json_object_set_new(o, "utc_offset_s", json_integer(tm.tm_gmtoff));
	json_object_set_new(o, "localtime_link", n > 0 ? json_of(bytes_of(link, (size_t)n)) : json_null());
	json_object_set_new(o, "timezone_file", file_json("/etc/timezone"));
}

json_t *evidence_clock(void)
{
	static const char *const timedatectl[] = { "/usr/bin/timedatectl", "show", NULL };
	static const char *const chronyc[] = { "/usr/bin/chronyc", "-n", "tracking", NULL };
	long long real = ns_of(CLOCK_REALTIME), mono = ns_of(CLOCK_MONOTONIC), boot = ns_of(CLOCK_BOOTTIME);
	char utc[25], booted[25];
	json_t *o;

	clock_rfc3339((uint64_t)real / 1000, utc);
	clock_rfc3339((uint64_t)(real - boot) / 1000, booted);
	o = json_pack("{s:s,s:I,s:I,s:I,s:s}", "utc", utc, "realtime_ns", (json_int_t)real, "monotonic_ns", (json_int_t)mono,
		"boottime_ns", (json_int_t)boot, "booted_utc", booted);
	put_zone(o, (time_t)(real / 1000000000));
	json_object_set_new(o, "boot_id", file_json("/proc/sys/kernel/random/boot_id"));
	json_object_set_new(o, "kernel", kernel_sync());
	json_object_set_new(o, "hardware_clock", json_pack("{s:o,s:o,s:o}", "since_epoch", file_json("/sys/class/rtc/rtc0/since_epoch"),
		"date", file_json("/sys/class/rtc/rtc0/date"), "time", file_json("/sys/class/rtc/rtc0/time")));
	json_object_set_new(o, "timedatectl", ask_tool(timedatectl));
	json_object_set_new(o, "chronyc", ask_tool(chronyc));
	return o;
}
