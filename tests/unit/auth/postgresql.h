/* A PostgreSQL of the test's own, from Debian's package: on a free port of this machine, in a folder of its own, ended with it. */
#ifndef TESTS_AUTH_POSTGRESQL_H
#define TESTS_AUTH_POSTGRESQL_H

#define _GNU_SOURCE
#include "auth/store_postgresql.h"

#include "base/fd.h"
#include "roles/dialed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct postgresql_server { char dir[64], bin[300]; pid_t pid; struct addr at; } server;

/* It refuses root. */
static void be_nobody(void)
{
	const struct passwd *who = getuid() == 0 ? getpwnam("postgres") : NULL;

	if (who && (setgroups(0, NULL) < 0 || setgid(who->pw_gid) < 0 || setuid(who->pw_uid) < 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

static pid_t start(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		int log;

		if (chdir(server.dir) < 0)
			_exit(125);
		log = open("log", O_WRONLY | O_CREAT | O_APPEND, 0666);
		be_nobody();
		dup2(log, 1);
		dup2(log, 2);
		execv(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = -1;

	if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && getsockname(fd, (struct sockaddr *)&a, &len) == 0)
		port = ntohs(a.sin_port);
	close(fd);
	return port;
}

static int reach(void)
{
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(&server.at, &to);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, len) < 0)
		fd_close(&fd);
	return fd;
}

static bool postgresql_start(void)
{
	char port[8], program[400], text[40];
	glob_t found;
	int status;

	if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0 || found.gl_pathc == 0) {
		fprintf(stderr, "PostgreSQL is not installed: apt install postgresql\n");
		return false;
	}
	snprintf(server.bin, sizeof server.bin, "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	snprintf(server.dir, sizeof server.dir, "/tmp/store_pg.XXXXXX");
	if (!mkdtemp(server.dir) || chmod(server.dir, 0777) < 0)
		return false;
	snprintf(program, sizeof program, "%s/initdb", server.bin);
	waitpid(start((char *[]){ program, "-D", "data", "-U", "sluis", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", NULL }), &status, 0);
	if (status != 0)
		return false;
	snprintf(port, sizeof port, "%d", free_port());
	snprintf(text, sizeof text, "127.0.0.1:%s", port);
	if (addr_parse(bytes_str(text), &server.at) != OK)
		return false;
	snprintf(program, sizeof program, "%s/postgres", server.bin);
	server.pid = start((char *[]){ program, "-D", "data", "-p", port, "-h", "127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", NULL });
	for (int i = 0; i < 3000; i++) {
		int fd = reach();

		if (fd >= 0) {
			close(fd);
			return true;
		}
		if (waitpid(server.pid, &status, WNOHANG) != 0)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	return false;
}

static void postgresql_end(void)
{
	char command[100];

	if (server.pid > 0) {
		kill(server.pid, SIGQUIT);
		waitpid(server.pid, NULL, 0);
	}
	snprintf(command, sizeof command, "rm -rf %s", server.dir);
	if (server.dir[0] && system(command) != 0)
		fprintf(stderr, "%s stays\n", server.dir);
}

/* As identity does, but waiting for it. */
static enum err postgresql_connect(struct store *s)
{
	const struct store_server to = { .host = BYTES("127.0.0.1"), .address = server.at, .user = BYTES("sluis"), .database = BYTES("postgres") };
	bool wants_write = true;
	int fd;
	enum err e;

	do { /* right after its start it says that it starts */
		fd = reach();
		if (fd < 0)
			return ERR_IO;
		if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			return ERR_IO;
		dialed_give(fd);
		e = store_connect(s, &to);
		while (e == ERR_AGAIN) {
			struct pollfd at = { store_fd(s), (short)(wants_write ? POLLOUT : POLLIN), 0 };

			if (poll(&at, 1, 5000) <= 0)
				return ERR_TIMEOUT;
			e = store_connecting(s, &wants_write);
		}
	} while (e == ERR_IO && strstr(store_error(s), "starting up"));
	return e;
}

#endif
