/* What a process does when it is taken over, under the confinement that it put on itself: one deed of those that
 * SLUIS_CAPTURED names, separated by commas; a worker takes the one of its own number, when a client connects, the others
 * the first, as soon as they are ready. A deed that succeeds says so on standard error. Linked with --wrap. */
#define _GNU_SOURCE
#include "base/log.h"
#include "board/board.h"
#include "board/requests.h"
#include "ipc/frame.h"
#include "ledger/ring.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static int control = -1;
static unsigned number;
static bool is_worker;

static const struct {
	size_t least;
	unsigned fds;
} messages[MSG_COUNT] = {
#define MSG(sym, name, least, most, fds, doc) [sym] = { least, fds },
#include "ipc/messages.tbl"
#undef MSG
};

static long reads(const char *path)
{
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);
}

static long opens(void)
{
	return reads("/etc/passwd");
}

static long opens_old(void)
{
	long fd = syscall(SYS_open, "/etc/passwd", O_RDONLY, 0);

#ifdef SLUIS_SANITIZED
	if (fd < 0) /* a sanitizer's own call is refused, not deadly */
		return opens();
#endif
	return fd;
}

static long creates(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600);
}

static long reads_key(void)
{
	const char *path = getenv("SLUIS_CAPTURED_KEY");

	return reads(path ? path : "/");
}

static long reads_masters_memory(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/mem", syscall(SYS_getppid));
	return reads(path);
}

static long reads_memory(void)
{
	char byte;
	struct iovec mine = { &byte, 1 }, theirs = { (void *)(uintptr_t)&messages, 1 };

	return process_vm_readv((pid_t)syscall(SYS_getpid), &mine, 1, &theirs, 1, 0);
}

static long makes_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long makes_unix_socket(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long connects(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};

	return syscall(SYS_connect, control, &to, sizeof(to)) < 0 ? 0 : 0; /* that it came back is enough */
}

static long listens(void)
{
	return syscall(SYS_listen, control, 1) < 0 ? 0 : 0;
}

static long executes(void)
{
	char *argv[] = { (char *)(uintptr_t) "/bin/true", NULL };

	return syscall(SYS_execve, argv[0], argv, argv + 1);
}

static long forks(void)
{
	return syscall(SYS_fork);
}

static long traces(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}

static long kills(void)
{
	return syscall(SYS_kill, syscall(SYS_getpid), 0);
}

static long makes_code(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long uses_io_uring(void)
{
	char params[256] = { 0 };

	return syscall(SYS_io_uring_setup, 1, params);
}

static long loads_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0) < 0 ? 0 : 0;
}

static long becomes_root(void)
{
	return syscall(SYS_setuid, 0);
}

static long renames(void)
{
	return syscall(SYS_rename, "/tmp/sluis-none", "/tmp/sluis-other") < 0 ? 0 : 0;
}

/* The list of what is isolated: it reads it, and would like to write it. */
static void *isolation;

static long releases_itself(void)
{
	return syscall(SYS_mprotect, isolation, 4096, PROT_READ | PROT_WRITE);
}

/* Not what a stranger does, but a mistake of ours: the sanitizer must be able to say so from inside the jail. */
static long reads_over_the_end(void)
{
	volatile size_t over = 40;
	char *volatile p = calloc(1, 32); /* volatile: nobody but the sanitizer knows its size */
	long got = p ? p[over] : 0;

	free(p);
	return got;
}

static long overflows(void)
{
	volatile int most = 0x7fffffff;

	return most + 1;
}

static const struct {
	const char *name;
	long (*act)(void);
} deeds[] = {
	{ "open", opens },
	{ "open_old", opens_old },
	{ "create", creates },
	{ "key", reads_key },
	{ "memory_of_master", reads_masters_memory },
	{ "memory", reads_memory },
	{ "socket", makes_socket },
	{ "unix_socket", makes_unix_socket },
	{ "connect", connects },
	{ "listen", listens },
	{ "execute", executes },
	{ "fork", forks },
	{ "trace", traces },
	{ "kill", kills },
	{ "code", makes_code },
	{ "io_uring", uses_io_uring },
	{ "bpf", loads_bpf },
	{ "root", becomes_root },
	{ "rename", renames },
	{ "release", releases_itself },
	{ "over_the_end", reads_over_the_end },
	{ "overflow", overflows },
};

static void say(unsigned type)
{
	char control_space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))] = { 0 };
	unsigned char packet[512] = { (unsigned char)type };
	struct iovec iov = { packet, 2 + (type < MSG_COUNT ? messages[type].least : 0) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (type < MSG_COUNT && messages[type].fds) {
		struct cmsghdr *c;
		int fds[IPC_FDS_MAX] = { 2, 2, 2, 2 };
		size_t size = messages[type].fds * sizeof(int);

		m.msg_control = control_space;
		m.msg_controllen = CMSG_SPACE(size);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(c), fds, size);
	}
	(void)!sendmsg(control, &m, MSG_NOSIGNAL);
}

/* What a captured process can do to the ring that it shares with the scribe. */
static struct ledger_ring *ring;

static void spoil(const char *how, size_t len)
{
	static const unsigned char garbage[] = { 0xff, 0xff, 1, 2, 3, 4 };
	uint64_t head = ring->head;

	if (strncmp(how, "numbers", len) == 0) {
		ring->head = head + 2 * (uint64_t)LEDGER_RING_BYTES;
	} else if (strncmp(how, "garbage", len) == 0) {
		for (size_t i = 0; i < sizeof(garbage); i++)
			ring->bytes[(head + i) & (LEDGER_RING_BYTES - 1)] = garbage[i];
		ring->head = head + sizeof(garbage);
	} else if (strncmp(how, "kind", len) == 0) {
		(void)ledger_ring_write(ring, &(struct ledger_record){ .kind = LEDGER_COMMAND, .name = BYTES("false") });
	} else { /* two opens of one number */
		(void)ledger_ring_write(ring, &(struct ledger_record){ .kind = LEDGER_IN, .state = LEDGER_OPEN, .conn = 42 });
		(void)ledger_ring_write(ring, &(struct ledger_record){ .kind = LEDGER_IN, .state = LEDGER_OPEN, .conn = 42 });
	}
}

/* And to the one that it shares with the watcher. */
static struct requests_ring *requests;

static void spoil_requests(const char *how, size_t len)
{
	uint64_t head = requests->head;

	if (strncmp(how, "numbers", len) == 0) {
		requests->head = head + 2 * (uint64_t)REQUESTS_BYTES;
		return;
	}
	for (size_t i = 0; i < 64; i++)
		requests->bytes[(head + i) & (REQUESTS_BYTES - 1)] = 0xff;
	requests->head = head + 64;
}

enum err __real_board_map(enum board_kind k, int fd, bool writable, void **out);
enum err __wrap_board_map(enum board_kind k, int fd, bool writable, void **out);
enum err __wrap_board_map(enum board_kind k, int fd, bool writable, void **out)
{
	enum err e = __real_board_map(k, fd, writable, out);

	if (e == OK && k == BOARD_RING)
		ring = *out;
	if (e == OK && k == BOARD_REQUESTS)
		requests = *out;
	if (e == OK && k == BOARD_ISOLATION)
		isolation = *out;
	return e;
}

static void act(const char *name, size_t len)
{
	unsigned type;

	if (len > 5 && memcmp(name, "ring:", 5) == 0) {
		spoil(name + 5, len - 5);
		return;
	}
	if (len > 9 && memcmp(name, "requests:", 9) == 0) {
		spoil_requests(name + 9, len - 9);
		return;
	}
	if (sscanf(name, "say:%u", &type) == 1) {
		say(type);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(deeds); i++)
		if (strlen(deeds[i].name) == len && memcmp(deeds[i].name, name, len) == 0) {
			dprintf(2, "captured: tries %s\n", deeds[i].name);
			if (deeds[i].act() >= 0)
				dprintf(2, "captured: %s came through\n", deeds[i].name);
			else
				dprintf(2, "captured: %s was only refused\n", deeds[i].name);
		}
}

static void taken_over(void)
{
	const char *at = getenv("SLUIS_CAPTURED");

	for (unsigned n = is_worker ? number : 0; at && n > 0; n--) {
		at = strchr(at, ',');
		at = at ? at + 1 : NULL;
	}
	if (at)
		act(at, strcspn(at, ","));
}

void __real_log_init(const char *process, int index, enum log_level least);
void __wrap_log_init(const char *process, int index, enum log_level least);
void __wrap_log_init(const char *process, int index, enum log_level least)
{
	number = index > 0 ? (unsigned)index : 0;
	is_worker = strcmp(process, "worker") == 0;
	__real_log_init(process, index, least);
}

enum err __real_ipc_send(int sock, enum msg_type type, struct bytes body, const int *fds, unsigned fd_count);
enum err __wrap_ipc_send(int sock, enum msg_type type, struct bytes body, const int *fds, unsigned fd_count);
enum err __wrap_ipc_send(int sock, enum msg_type type, struct bytes body, const int *fds, unsigned fd_count)
{
	enum err e = __real_ipc_send(sock, type, body, fds, fd_count);

	if (type == MSG_READY) {
		control = sock;
		if (!is_worker)
			taken_over();
	}
	return e;
}

int __real_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
	int client = __real_accept4(fd, at, len, flags);

	if (client >= 0)
		taken_over();
	return client;
}
