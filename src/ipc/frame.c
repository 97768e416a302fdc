/* Frames between processes: packets of a type and a body, with descriptors beside them. The checks of
 * messages.tbl are made here once, so that no handler sees a message of a wrong size. */
#include "ipc/frame.h"

#include "base/fd.h"
#include "base/reader.h"

#include <errno.h>
#include <sys/socket.h>

static const struct {
	const char *name;
	size_t least, most;
	unsigned fds;
} messages[MSG_COUNT] = {
#define MSG(sym, name, least, most, fds, doc) [sym] = { name, least, most, fds },
#include "ipc/messages.tbl"
#undef MSG
};

const char *role_name(enum role_id r)
{
	static const char *const names[ROLE_COUNT] = { "master", "worker", "keeper", "dialer", "prober", "scribe", "watcher", "identity", "hasher", "directory" };

	return (unsigned)r < ROLE_COUNT ? names[r] : "none";
}

const char *ipc_msg_name(enum msg_type t)
{
	return (unsigned)t < MSG_COUNT && messages[t].name ? messages[t].name : "none";
}

enum err ipc_parse(struct bytes packet, unsigned fd_count, struct ipc_msg *out)
{
	struct reader r = { .left = packet };
	uint16_t type = reader_u16(&r);
	struct bytes body = reader_rest(&r);

	if (r.failed || type == MSG_NONE || type >= MSG_COUNT)
		return ERR_SYNTAX;
	if (body.len < messages[type].least || body.len > messages[type].most || fd_count != messages[type].fds)
		return ERR_SYNTAX;
	out->type = (enum msg_type)type;
	out->body = body;
	return OK;
}

enum err ipc_send(int sock, enum msg_type type, struct bytes body, const int *fds, unsigned fd_count)
{
	unsigned char head[2] = { (unsigned char)((unsigned)type & 0xff), (unsigned char)((unsigned)type >> 8) };
	struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)body.at, body.len } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = body.len ? 2 : 1 };

	CHECK(type > MSG_NONE && type < MSG_COUNT);
	CHECK(body.len >= messages[type].least && body.len <= messages[type].most);
	CHECK(fd_count == messages[type].fds && fd_count <= IPC_FDS_MAX);
	if (fd_count) {
		struct cmsghdr *c;

		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	for (;;) {
		ssize_t n = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			return OK; /* SOCK_SEQPACKET: all or nothing */
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
			return ERR_AGAIN;
		if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
			return ERR_CLOSED;
		return ERR_IO;
	}
}

/* Keeps up to IPC_FDS_MAX descriptors, counts all. The room for them is so large that a sender's surplus
 * is normally seen here; what the kernel had to cut is told by MSG_CTRUNC. */
static unsigned take_fds(struct msghdr *m, int fds[IPC_FDS_MAX])
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < IPC_FDS_MAX)
				fds[count] = fd;
			else
				fd_close(&fd);
			count++;
		}
	}
	return count;
}

/* How many descriptors this packet should have brought; count if it is none that brings more. */
static unsigned wanted_fds(struct bytes packet, unsigned count)
{
	struct reader r = { .left = packet };
	uint16_t type = reader_u16(&r);

	return !r.failed && type < MSG_COUNT && messages[type].fds > count ? messages[type].fds : count;
}

enum err ipc_recv(int sock, unsigned char *buf, struct ipc_msg *out)
{
	struct iovec iov = { buf, IPC_BODY_MAX + 2 };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * IPC_FDS_MAX * sizeof(int))];
	} control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	struct ipc_msg msg = { .fds = { -1, -1, -1, -1 } };
	ssize_t n;
	enum err e;

	_Static_assert(IPC_FDS_MAX == 4, "the initializer above");
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? ERR_AGAIN : errno == ECONNRESET ? ERR_CLOSED : ERR_IO;
	unsigned count = take_fds(&m, msg.fds);
	msg.fd_count = count < IPC_FDS_MAX ? count : IPC_FDS_MAX;
	if (n == 0) { /* an empty packet is no message either: the end or a liar, both are over */
		ipc_msg_close(&msg);
		return ERR_CLOSED;
	}
	/* Cut although there was room for more: the kernel had no descriptor left to give to us. */
	msg.fds_lost = m.msg_flags & MSG_CTRUNC && count < 2 * IPC_FDS_MAX;
	if (msg.fds_lost && count < IPC_FDS_MAX)
		count = wanted_fds(bytes_of(buf, (size_t)n), count);
	e = m.msg_flags & MSG_TRUNC || (m.msg_flags & MSG_CTRUNC && !msg.fds_lost)
		? ERR_SYNTAX
		: ipc_parse(bytes_of(buf, (size_t)n), count, &msg);
	if (e != OK) {
		ipc_msg_close(&msg);
		return e;
	}
	*out = msg;
	return OK;
}

void ipc_msg_close(struct ipc_msg *m)
{
	for (unsigned i = 0; i < m->fd_count; i++)
		fd_close(&m->fds[i]);
	m->fd_count = 0;
}

enum err ipc_pair(int out[2])
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return ERR_IO;
	out[0] = pair[0];
	out[1] = pair[1];
	return OK;
}
