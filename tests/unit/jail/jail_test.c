/* Children under each role's confinement try what a taken over process would try, and are killed. */
#define _GNU_SOURCE
#include "jail/jail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void opens(void)
{
	syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void opens_old(void)
{
#ifdef SYS_open
	if (syscall(SYS_open, "/etc/passwd", O_RDONLY, 0) >= 0)
		_exit(5);
#endif
#if defined(SLUIS_SANITIZED) || !defined(SYS_open)
	opens(); /* a sanitizer's own call is refused, not deadly */
#endif
}

static void creates(void)
{
	syscall(SYS_openat, AT_FDCWD, "/tmp/sluis-jail-test", O_WRONLY | O_CREAT, 0600);
}

static void makes_socket(void)
{
	syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static void makes_unix_socket(void)
{
	syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static void connects(void)
{
	syscall(SYS_connect, 0, NULL, 0);
}

static void executes(void)
{
	char *argv[] = { (char *)(uintptr_t)"/bin/true", NULL };

	syscall(SYS_execve, argv[0], argv, argv + 1);
}

static void forks(void)
{
	syscall(SYS_fork);
}

static void traces(void)
{
	syscall(SYS_ptrace, PTRACE_ATTACH, getppid(), 0, 0);
}

static void kills_parent(void)
{
	syscall(SYS_kill, getppid(), SIGTERM);
}

static void makes_code(void)
{
	syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void rewrites_code(void)
{
	syscall(SYS_mprotect, (uintptr_t)&rewrites_code & ~(uintptr_t)4095, 4096, PROT_READ | PROT_EXEC);
}

static void lives(void)
{
	char buf[16];
	int pair[2] = { 0, 0 };

	(void)pair;
	void *p = malloc(1 << 20);

	free(p);
	if (syscall(SYS_getrandom, buf, sizeof(buf), 0) != (long)sizeof(buf))
		_exit(3);
}

static const int *const worker[] = { jail_worker, NULL }, *const keeper[] = { jail_keeper, NULL },
	*const dialer[] = { jail_dialer, NULL }, *const prober[] = { jail_prober, NULL },
	*const check[] = { jail_check, NULL };

static const struct {
	const char *why;
	const int *const *lists;
	void (*act)(void);
	bool dies;
} cases[] = {
	{ "a worker lives", worker, lives, false },
	{ "a worker opens a file", worker, opens, true },
	{ "a worker opens a file by the old call", worker, opens_old, true },
	{ "a worker creates a file", worker, creates, true },
	{ "a worker makes a socket", worker, makes_socket, true },
	{ "a worker connects", worker, connects, true },
	{ "a worker executes", worker, executes, true },
	{ "a worker forks", worker, forks, true },
	{ "a worker traces", worker, traces, true },
	{ "a worker sends a signal", worker, kills_parent, true },
	{ "a worker makes code", worker, makes_code, true },
	{ "a worker changes code", worker, rewrites_code, true },
	{ "a keeper lives", keeper, lives, false },
	{ "a keeper makes a socket", keeper, makes_socket, true },
	{ "a keeper opens a file", keeper, opens, true },
	{ "a dialer makes a socket", dialer, makes_socket, false },
	{ "a dialer makes a unix socket", dialer, makes_unix_socket, true },
	{ "a dialer opens a file", dialer, opens, true },
	{ "a prober makes a socket", prober, makes_socket, true },
	{ "a prober executes", prober, executes, true },
	{ "a check reads a file", check, opens, false },
	{ "a check creates a file", check, creates, true },
	{ "a check makes a socket", check, makes_socket, true },
};

static int run_child(const struct jail *j, void (*act)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		unsigned char mem[512];
		struct text report;

		text_init(&report, mem, sizeof(mem));
		if (jail_leave_root(j, &report) != OK || jail_apply(j, &report) != OK)
			_exit(2);
		act();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void powers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		static const char *const etc[] = { "/etc", NULL };
		struct jail j = { .user_prefix = "sluis", .role = "worker", .syscalls = cases[i].lists,
			.reads = cases[i].lists == check ? etc : NULL, .keeps_parent = true, .files = 1024 };
		int status = run_child(&j, cases[i].act);

		if (cases[i].dies ? !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) : status != 0)
			fail_msg("%s: status %x", cases[i].why, (unsigned)status);
	}
}

static void reads_hosts(void)
{
	if (open("/etc/passwd", O_RDONLY) < 0)
		_exit(3);
	if (open("/proc/self/status", O_RDONLY) >= 0) /* not below /etc */
		_exit(4);
}

static void landlock_holds(void **state)
{
	static const char *const etc[] = { "/etc", NULL };
	struct jail j = { .role = "check", .syscalls = check, .reads = etc, .keeps_parent = true };
	/* the kernel's level, asked as the jail asks */
	bool has_landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) >= 1;
	int status = run_child(&j, reads_hosts);

	(void)state;
	assert_int_equal(WEXITSTATUS(status), has_landlock ? 0 : 4);
}

/* prefix: "" is a configuration without users; its processes once went on as root. */
static void reports_and_leaves_root(const char *prefix)
{
	int status, pipe_fds[2];
	char buf[512] = "";
	pid_t pid;

	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		struct jail j = { .user_prefix = prefix, .role = "worker", .syscalls = worker, .keeps_parent = true };
		unsigned char mem[512];
		struct text report;

		text_init(&report, mem, sizeof(mem));
		if (jail_leave_root(&j, &report) != OK || jail_apply(&j, &report) != OK)
			_exit(2);
		if (getuid() == 0 || write(pipe_fds[1], report.at, report.len) != (ssize_t)report.len)
			_exit(3);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(read(pipe_fds[0], buf, sizeof(buf) - 1) > 0);
	assert_non_null(strstr(buf, "seccomp=kill"));
	assert_non_null(strstr(buf, "no_new_privs=yes"));
	assert_non_null(strstr(buf, "landlock="));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void report_text(void **state)
{
	(void)state;
	reports_and_leaves_root("sluis");
	reports_and_leaves_root("");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(powers),
		cmocka_unit_test(landlock_holds),
		cmocka_unit_test(report_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
