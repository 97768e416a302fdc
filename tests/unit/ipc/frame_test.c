/* Frames: what the table allows arrives, all else is refused and leaves no descriptor behind. */
#include "ipc/frame.h"

#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
	const char *why;
	struct bytes in;
	unsigned fds;
	enum err want;
} cases[] = {
	{ "empty", LIT(""), 0, ERR_SYNTAX },
	{ "half a type", LIT("\x08"), 0, ERR_SYNTAX },
	{ "type 0", LIT("\0\0"), 0, ERR_SYNTAX },
	{ "start", LIT("\x08\0"), 0, OK },
	{ "start with a body", LIT("\x08\0x"), 0, ERR_SYNTAX },
	{ "start with a descriptor", LIT("\x08\0"), 1, ERR_SYNTAX },
	{ "unknown type", LIT("\xff\0"), 0, ERR_SYNTAX },
	{ "type over a byte", LIT("\x08\x01"), 0, ERR_SYNTAX },
	{ "dial", LIT("\x0f\0" "\1\0\0\0\2\0\3\0"), 0, OK },
	{ "dial, one byte short", LIT("\x0f\0" "\1\0\0\0\2\0\3"), 0, ERR_SYNTAX },
	{ "dial, one byte more", LIT("\x0f\0" "\1\0\0\0\2\0\3\0\0"), 0, ERR_SYNTAX },
	{ "a listener without its descriptor", LIT("\x02\0\0\0"), 0, ERR_SYNTAX },
	{ "a listener with two", LIT("\x02\0\0\0"), 2, ERR_SYNTAX },
};

static void parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ipc_msg m = { 0 };

		if (ipc_parse(cases[i].in, cases[i].fds, &m) != cases[i].want)
			fail_msg("%s", cases[i].why);
	}
}

static void round_trip(void **state)
{
	static unsigned char buf[IPC_BODY_MAX + 2];
	int pair[2], pipe_fds[2];
	struct ipc_msg m;
	char c = 0;

	(void)state;
	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(ipc_recv(pair[1], buf, &m), ERR_AGAIN);
	assert_int_equal(ipc_send(pair[0], MSG_LISTENER, bytes_of("\5\1", 2), &pipe_fds[1], 1), OK);
	assert_int_equal(ipc_recv(pair[1], buf, &m), OK);
	assert_int_equal(m.type, MSG_LISTENER);
	assert_int_equal(m.body.len, 2);
	assert_memory_equal(m.body.at, "\5\1", 2);
	assert_int_equal(m.fd_count, 1);
	assert_true(fcntl(m.fds[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(m.fds[0], "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &c, 1), 1);
	ipc_msg_close(&m);
	assert_int_equal(m.fds[0], -1);
	close(pair[0]);
	assert_int_equal(ipc_recv(pair[1], buf, &m), ERR_CLOSED);
	assert_int_equal(ipc_send(pair[1], MSG_START, BYTES(""), NULL, 0), ERR_CLOSED);
	close(pair[1]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* Sends raw, as a taken over process would. */
static void send_raw(int sock, const void *at, size_t len, int fd, unsigned count)
{
	struct iovec iov = { (void *)(uintptr_t)at, len };
	char control[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (count) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		for (unsigned i = 0; i < count; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &m, 0), len);
}

static void wrong_messages_leave_nothing(void **state)
{
	static unsigned char buf[IPC_BODY_MAX + 2], big[IPC_BODY_MAX + 100];
	static const unsigned counts[] = { 1, 4, 5, 8, 9, 16 };
	int pair[2], before, after;
	struct ipc_msg m;

	(void)state;
	assert_int_equal(ipc_pair(pair), OK);
	before = dup(0);
	for (size_t i = 0; i < COUNT_OF(counts); i++) {
		send_raw(pair[0], "\x08\0", 2, pair[0], counts[i]);
		assert_int_equal(ipc_recv(pair[1], buf, &m), ERR_SYNTAX);
	}
	big[0] = MSG_READY;
	send_raw(pair[0], big, sizeof(big), 0, 0);
	assert_int_equal(ipc_recv(pair[1], buf, &m), ERR_SYNTAX);
	send_raw(pair[0], big, 2 + 257, pair[0], 1);
	assert_int_equal(ipc_recv(pair[1], buf, &m), ERR_SYNTAX);
	after = dup(0);
	assert_int_equal(after, before + 1); /* the lowest free number: nothing stayed open */
	close(after);
	close(before);
	close(pair[0]);
	close(pair[1]);
}

/* A process that is out of descriptors must not take a message that lacks some for an attack. */
static void none_left(void **state)
{
	static const unsigned char dialed[2 + 35] = { MSG_DIALED };
	static unsigned char buf[IPC_BODY_MAX + 2];
	struct rlimit before, low;
	struct ipc_msg m;
	int pair[2];

	(void)state;
	assert_int_equal(ipc_pair(pair), OK);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = (rlim_t)pair[1] + 1;
	send_raw(pair[0], dialed, sizeof(dialed), pair[0], 1);
	send_raw(pair[0], dialed, sizeof(dialed), pair[0], 9); /* a liar stays one */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(ipc_recv(pair[1], buf, &m), OK);
	assert_int_equal(m.type, MSG_DIALED);
	assert_true(m.fds_lost);
	assert_int_equal(m.fds[0], -1);
	ipc_msg_close(&m);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(ipc_recv(pair[1], buf, &m), ERR_SYNTAX);
	close(pair[0]);
	close(pair[1]);
}

static void full(void **state)
{
	int pair[2];
	enum err e;

	(void)state;
	assert_int_equal(ipc_pair(pair), OK);
	do
		e = ipc_send(pair[0], MSG_START, BYTES(""), NULL, 0);
	while (e == OK);
	assert_int_equal(e, ERR_AGAIN);
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse),
		cmocka_unit_test(round_trip),
		cmocka_unit_test(wrong_messages_leave_nothing),
		cmocka_unit_test(none_left),
		cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
