/* A role in a real, confined child of the test, which plays the master and the role's peers. */
#ifndef UNIT_ROLES_CHILD_H
#define UNIT_ROLES_CHILD_H

#include "base/fd.h"
#include "roles/role.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct child {
	pid_t pid;
	int control;
};

static inline void say(int sock, enum msg_type type, const void *body, size_t len, int fd)
{
	assert_int_equal(ipc_send(sock, type, bytes_of(body, len), &fd, fd >= 0), OK);
}

/* The next message within ten seconds, or the reason why there is none. */
static inline enum err hear(int sock, struct ipc_msg *m)
{
	static unsigned char buf[IPC_BODY_MAX + 2];
	struct pollfd p = { sock, POLLIN, 0 };

	if (poll(&p, 1, 10000) != 1)
		return ERR_TIMEOUT;
	return ipc_recv(sock, buf, m);
}

static inline void child_begin(struct child *c, const struct role *r)
{
	char *argv[] = { (char *)(uintptr_t) "child", (char *)(uintptr_t) "sluis", NULL };
	int control[2];

	assert_int_equal(ipc_pair(control), OK);
	c->control = control[0];
	c->pid = fork();
	if (c->pid == 0) {
		if (dup2(control[1], ROLE_CONTROL_FD) < 0)
			_exit(9);
		for (int fd = ROLE_CONTROL_FD + 1; fd < 64; fd++)
			close(fd);
		_exit(role_main(r, 2, argv));
	}
	close(control[1]);
}

/* Process 0 of its role, of generation 1, with two workers. */
static inline void child_setup(struct child *c, struct bytes bundle)
{
	static const unsigned char setup[8] = { 1, 0, 0, 0, 0, 0, 2, 0 };
	int fd;

	assert_int_equal(memfd_sealed("bundle", bundle, &fd), OK);
	say(c->control, MSG_SETUP, setup, sizeof(setup), fd);
	close(fd);
}

/* The test's end of a channel to it. */
static inline int child_peer(struct child *c, enum role_id role, uint16_t index)
{
	unsigned char body[3] = { (unsigned char)role, (unsigned char)(index & 0xff),
		(unsigned char)(index >> 8) };
	int pair[2];

	assert_int_equal(ipc_pair(pair), OK);
	say(c->control, MSG_PEER, body, sizeof(body), pair[1]);
	close(pair[1]);
	return pair[0];
}

static inline void child_start(struct child *c)
{
	struct ipc_msg m;

	say(c->control, MSG_START, "", 0, -1);
	assert_int_equal(hear(c->control, &m), OK);
	assert_int_equal(m.type, MSG_READY);
	assert_true(bytes_find(m.body, BYTES("seccomp=kill")) != SIZE_MAX);
}

/* The peer's channel is closed, and the master is told who it was. */
static inline void child_accuses(struct child *c, int peer, enum role_id role)
{
	struct ipc_msg m;

	assert_int_equal(hear(peer, &m), ERR_CLOSED);
	assert_int_equal(hear(c->control, &m), OK);
	assert_int_equal(m.type, MSG_VIOLATION);
	assert_int_equal(m.body.at[0], role);
}

/* The exit status, as waitpid says it. */
static inline int child_end(struct child *c)
{
	int status;

	fd_close(&c->control);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return status;
}

#endif
