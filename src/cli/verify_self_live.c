/* What runs: sluisd at the other end of the admin socket, as the kernel names it, and its children, each by the program that it has in memory
 * and not by the name of a file that may have been put in its place. */
#define _GNU_SOURCE
#include "cli/evidence_priv.h"
#include "cli/verify_self_priv.h"

#include "admin/server.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 10
#define DELETED	 " (deleted)"

/* The process that listens at path; 0: none that can be seen from here. Negative: errno. */
static long listener(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	if (strlen(path) >= sizeof(addr.sun_path))
		errno = ENAMETOOLONG;
	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return -1;
	memcpy(addr.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return -1;
	return who.pid;
}

static long parent_of(long pid)
{
	char path[64], mem[1024], *at;
	struct text t;
	long parent = 0;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	text_init(&t, mem, sizeof(mem) - 1);
	if (file_read(path, &t) != OK)
		return 0;
	mem[t.len] = 0;
	at = strrchr(mem, ')'); /* the name before it may hold anything */
	return at && sscanf(at + 1, " %*c %ld", &parent) == 1 ? parent : 0;
}

static void take(struct self *s, long pid)
{
	struct self_process *p;
	char path[64];
	ssize_t n;

	s->processes = reallocarray(s->processes, s->process_count + 1, sizeof(*p));
	CHECK(s->processes);
	p = &s->processes[s->process_count];
	memset(p, 0, sizeof(*p));
	p->pid = pid;
	snprintf(path, sizeof(path), "/proc/%ld/exe", pid);
	p->fd = open(path, O_RDONLY | O_CLOEXEC);
	p->why = p->fd < 0 ? errno : 0;
	n = readlink(path, p->link, sizeof(p->link) - 1);
	p->link[n > 0 ? n : 0] = 0;
	if (p->why != ENOENT && p->why != ESRCH) /* it ended meanwhile */
		s->process_count++;
}

static void take_family(struct self *s, long master)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	uint64_t pid;

	take(s, master);
	while (d && (e = readdir(d)))
		if (bytes_u64(bytes_str(e->d_name), &pid) == OK && parent_of((long)pid) == master)
			take(s, (long)pid);
	if (d)
		closedir(d);
}

static json_t *ask(const char *path, const char *command)
{
	json_t *question = json_pack("{s:s}", "command", command), *answer = NULL;

	if (admin_call(path, question, ANSWER_S, &answer) != OK || !json_is_true(json_object_get(answer, "ok"))) {
		json_decref(answer);
		answer = NULL;
	}
	json_decref(question);
	return answer;
}

void self_ask(struct self *s)
{
	const char *env = getenv("SLUIS_SOCKET");
	const char *path = s->cli->socket ? s->cli->socket : s->cli->config && s->site.socket[0] ? s->site.socket : env ? env :
		s->site.socket[0] ? s->site.socket : CLI_DEFAULT_SOCKET;
	long master = listener(path);
	json_t *show;

	if (master <= 0) {
		s->why_silent = master == 0 ? W_SELF_R_OUT_OF_SIGHT : errno == EACCES ? W_SELF_R_NO_PERMISSION : W_SELF_R_NOT_RUNNING;
		return;
	}
	take_family(s, master);
	s->status = ask(path, "status");
	show = ask(path, "show");
	s->in_use = json_incref(json_object_get(show, "text"));
	json_decref(show);
}

/* The released file that has this content. */
static const struct release_file *content(const struct self *s, const char *hex)
{
	unsigned char sum[SHA256_LEN];

	if (hex_read(bytes_str(hex), sum, sizeof(sum)) != OK)
		return NULL;
	for (size_t i = 0; i < s->release.r.file_count; i++)
		if (memcmp(s->release.r.files[i].sha256, sum, sizeof(sum)) == 0)
			return &s->release.r.files[i];
	return NULL;
}

/* False: its program may not be read. */
static bool process(struct self *s, const struct self_process *p)
{
	char hex[2 * SHA256_LEN + 1], detail[64 + sizeof(hex)];
	const struct release_file *f;
	struct bytes link = bytes_str(p->link);
	struct bytes name;
	size_t slash;

	if (p->fd < 0 || !evidence_file_sum(p->fd, hex))
		return false;
	f = content(s, hex);
	snprintf(detail, sizeof(detail), "pid %ld%s%s", p->pid, f ? "" : ", SHA-256 ", f ? "" : hex);
	if (bytes_ends(link, BYTES(DELETED)))
		link.len -= sizeof(DELETED) - 1;
	name = link;
	while ((slash = bytes_find_byte(name, '/')) != SIZE_MAX)
		name = bytes_cut(name, slash + 1, name.len);
	if (!f || name.len >= f->path.len || !bytes_ends(f->path, name) || f->path.at[f->path.len - name.len - 1] != '/')
		self_find(s, SELF_PROCESSES, DIFF_RUNS_OTHER, p->link, detail);
	else if (link.len != strlen(p->link))
		self_find(s, SELF_PROCESSES, DIFF_REPLACED, p->link, detail);
	return true;
}

static void version(struct self *s)
{
	const char *v = json_string_value(json_object_get(s->status, "version"));

	if (v && !bytes_eq(bytes_str(v), s->release.r.version))
		self_find(s, SELF_PROCESSES, DIFF_RUNS_VERSION, "sluisd", v);
}

void self_processes(struct self *s)
{
	char detail[64] = "";
	bool is_done = true;

	if (s->root) {
		self_result(s, SELF_PROCESSES, SELF_NOT_LOOKED, W_SELF_R_OTHER_DISK, NULL);
		return;
	}
	if (s->process_count == 0) {
		self_result(s, SELF_PROCESSES, s->why_silent == W_SELF_R_NOT_RUNNING ? SELF_NOT_LOOKED : SELF_NOT_CHECKED, s->why_silent, NULL);
		return;
	}
	if (!s->has_release) {
		self_result(s, SELF_PROCESSES, SELF_NOT_CHECKED, W_SELF_R_NO_RELEASE, NULL);
		return;
	}
	version(s);
	for (size_t i = 0; i < s->process_count; i++)
		if (!process(s, &s->processes[i])) {
			is_done = false;
			snprintf(detail, sizeof(detail), "/proc/%ld/exe", s->processes[i].pid);
		}
	if (is_done)
		snprintf(detail, sizeof(detail), "%zu", s->process_count);
	self_result(s, SELF_PROCESSES, is_done ? SELF_GOOD : SELF_NOT_CHECKED, is_done ? W_SELF_R_PROCESSES : W_SELF_R_UNREADABLE, detail);
}
