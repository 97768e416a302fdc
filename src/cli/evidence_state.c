/* state/: what this machine and Sluis' processes look like now, from /proc and from sluisd itself. */
#define _GNU_SOURCE
#include "cli/evidence_sockets.h"

#include "admin/server.h"
#include "base/clock.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utmpx.h>

#define ANSWER_S 10
#define FDS_MAX	 100000

static json_t *link_of(long pid, const char *what)
{
	char path[300], link[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, what);
	n = readlink(path, link, sizeof(link));
	return n > 0 ? json_of(bytes_of(link, (size_t)n)) : json_null();
}

static bool proc_text(long pid, const char *what, struct text *out)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, what);
	out->len = 0;
	out->failed = false;
	return file_read(path, out) == OK || out->len > 0;
}

static bool is_ours(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strncmp(slash ? slash + 1 : path, "sluis", 5) == 0;
}

/* By its program; where that may not be seen, by the name it gave itself. */
static bool is_sluis(long pid)
{
	char path[64], link[4096], mem[256];
	struct text t;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	n = readlink(path, link, sizeof(link) - 1);
	if (n > 0) {
		link[n] = 0;
		return is_ours(link);
	}
	text_init(&t, mem, sizeof(mem));
	return proc_text(pid, "comm", &t) && bytes_starts(text_bytes(&t), BYTES("sluis"));
}

static json_t *words_of(struct bytes b)
{
	json_t *list = json_array();

	while (b.len) {
		size_t end = bytes_find_byte(b, 0);

		json_array_append_new(list, json_of(bytes_cut(b, 0, end)));
		b = end == SIZE_MAX ? BYTES("") : bytes_cut(b, end + 1, b.len);
	}
	return list;
}

static json_t *descriptors(struct collect *c, long pid)
{
	char dir[64], name[300];
	json_t *list = json_array();
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%ld/fd", pid);
	d = opendir(dir);
	if (!d) {
		snprintf(name, sizeof(name), "state/processes.json: open files of %ld", pid);
		collect_missing(c, name, strerror(errno));
		json_decref(list);
		return json_null();
	}
	while ((e = readdir(d)) && json_array_size(list) < FDS_MAX) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "fd/%s", e->d_name);
		json_array_append_new(list, json_pack("{s:i,s:o}", "fd", atoi(e->d_name), "is", link_of(pid, name)));
	}
	closedir(d);
	return list;
}

/* Fields of /proc/PID/stat behind the name, which may hold anything. */
static void put_stat(json_t *o, long pid, struct text *t)
{
	unsigned long long start = 0;
	long ppid = 0, threads = 0;
	char state = '?', when[25], *at;

	if (!proc_text(pid, "stat", t))
		return;
	text_byte(t, 0);
	at = t->failed ? NULL : strrchr((char *)t->at, ')');
	if (!at || sscanf(at + 1, " %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu", &state, &ppid,
			   &threads, &start) != 4)
		return;
	/* It counts from boot, in ticks, and not while the machine slept: good to the second where it never slept. */
	clock_rfc3339(clock_real_us() - clock_mono_us() + start * 1000000 / (unsigned long long)sysconf(_SC_CLK_TCK), when);
	json_object_set_new(o, "ppid", json_integer(ppid));
	json_object_set_new(o, "state", json_stringn(&state, 1));
	json_object_set_new(o, "threads", json_integer(threads));
	json_object_set_new(o, "start_ticks", json_integer((json_int_t)start));
	json_object_set_new(o, "started", json_string(when));
}

/* Through /proc, so that it is the program that runs, even when its file was replaced or removed. */
static json_t *program_sum(struct collect *c, long pid)
{
	char path[64], sum[2 * SHA256_LEN + 1];

	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && evidence_file_sum(fd, sum))
		return json_string(sum);
	collect_missing(c, path, strerror(errno));
	return json_null();
}

static json_t *process(struct collect *c, long pid, struct text *t)
{
	json_t *o = json_pack("{s:I}", "pid", (json_int_t)pid);
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld", pid);
	if (stat(path, &st) < 0) {
		json_decref(o);
		return NULL;
	}
	put_stat(o, pid, t);
	json_object_set_new(o, "uid", json_integer(st.st_uid));
	json_object_set_new(o, "gid", json_integer(st.st_gid));
	json_object_set_new(o, "cmdline", proc_text(pid, "cmdline", t) ? words_of(text_bytes(t)) : json_null());
	json_object_set_new(o, "status", proc_text(pid, "status", t) ? json_of(text_bytes(t)) : json_null());
	json_object_set_new(o, "exe", link_of(pid, "exe"));
	json_object_set_new(o, "exe_sha256", program_sum(c, pid));
	json_object_set_new(o, "cwd", link_of(pid, "cwd"));
	json_object_set_new(o, "root", link_of(pid, "root"));
	json_object_set_new(o, "maps", proc_text(pid, "maps", t) ? json_of(text_bytes(t)) : json_null());
	json_object_set_new(o, "open", descriptors(c, pid));
	return o;
}

static json_t *processes(struct collect *c)
{
	json_t *list = json_array();
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct text t;
	uint64_t pid;

	text_init_growing(&t, 4u << 20);
	while (d && (e = readdir(d)))
		if (bytes_u64(bytes_str(e->d_name), &pid) == OK && is_sluis((long)pid)) {
			json_t *o = process(c, (long)pid, &t);

			if (o)
				json_array_append_new(list, o);
		}
	if (d)
		closedir(d);
	else
		collect_missing(c, "state/processes.json", strerror(errno));
	text_fini(&t);
	return list;
}

static json_t *users(struct collect *c)
{
	json_t *list = json_array();
	struct utmpx *u;

	if (access(_PATH_UTMPX, R_OK) < 0)
		collect_missing(c, "state/system.json: users", strerror(errno));
	setutxent();
	while ((u = getutxent())) {
		char when[25];

		if (u->ut_type != USER_PROCESS)
			continue;
		clock_rfc3339((uint64_t)u->ut_tv.tv_sec * 1000000, when);
		json_array_append_new(list, json_pack("{s:o,s:o,s:o,s:s,s:I}", "user", json_of(bytes_of(u->ut_user,
			strnlen(u->ut_user, sizeof(u->ut_user)))), "line", json_of(bytes_of(u->ut_line,
			strnlen(u->ut_line, sizeof(u->ut_line)))), "host", json_of(bytes_of(u->ut_host,
			strnlen(u->ut_host, sizeof(u->ut_host)))), "since", when, "pid", (json_int_t)u->ut_pid));
	}
	endutxent();
	return list;
}

static json_t *system_state(struct collect *c)
{
	static const struct {
		const char *key, *path;
	} files[] = { { "mounts", "/proc/self/mounts" }, { "uptime", "/proc/uptime" }, { "load", "/proc/loadavg" },
		{ "memory", "/proc/meminfo" }, { "os_release", "/etc/os-release" }, { "modules", "/proc/modules" },
		{ "command_line", "/proc/cmdline" }, { "routes", "/proc/net/route" }, { "neighbours", "/proc/net/arp" } };
	json_t *o = json_object();
	struct utsname u;

	if (uname(&u) == 0)
		json_object_set_new(o, "kernel", json_pack("{s:s,s:s,s:s,s:s,s:s}", "system", u.sysname, "host", u.nodename, "release",
			u.release, "version", u.version, "machine", u.machine));
	for (size_t i = 0; i < COUNT_OF(files); i++) {
		struct text t;

		text_init_growing(&t, 1u << 20);
		if (file_read(files[i].path, &t) == OK)
			json_object_set_new(o, files[i].key, json_of(text_bytes(&t)));
		else
			collect_missing(c, files[i].path, strerror(errno));
		text_fini(&t);
	}
	json_object_set_new(o, "users", users(c));
	return o;
}

static enum err status(struct collect *c)
{
	const char *path = c->site->socket[0] ? c->site->socket : CLI_DEFAULT_SOCKET;
	json_t *question = json_pack("{s:s}", "command", "status"), *answer = NULL;
	enum err e = admin_call(path, question, ANSWER_S, &answer);

	json_decref(question);
	if (e == OK)
		return collect_json(c, "state/status.json", answer);
	collect_missing(c, "state/status.json", e == ERR_NOT_FOUND ? "sluisd does not answer" : err_name(e));
	return OK;
}

enum err evidence_state(struct collect *c)
{
	TRY(status(c));
	TRY(collect_json(c, "state/processes.json", processes(c)));
	TRY(collect_json(c, "state/sockets.json", evidence_sockets(c)));
	return collect_json(c, "state/system.json", system_state(c));
}
