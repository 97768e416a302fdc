/* The floor of the proxy benchmark: relays each client connection to one server connection of its own,
 * without looking at a byte. What a proxy costs above this is its own doing; below it, none can go
 * without going around the socket interface. usage: bench_floor SERVER_PORT */
#define _GNU_SOURCE 1
#include "bench/common.h"

enum { BUFFER = 65536, EVENTS = 256 };

struct side {
	int fd;
	bool is_client, peer_ended, is_writable, said_end;
	struct side *other;
	char *held; /* read from here, not yet taken by other; NULL when none */
	size_t held_at, held_len;
	struct side *next_dead;
};

static int epoll;
static char shared[BUFFER];
static struct side *dead; /* freed after the turn: later events may still name them */

static void pair_close(struct side *s)
{
	struct side *o = s->other;

	if (s->fd < 0)
		return;
	close(s->fd);
	close(o->fd);
	s->fd = o->fd = -1;
	s->next_dead = dead;
	dead = s;
}

static void bury(void)
{
	while (dead) {
		struct side *s = dead, *o = s->other;

		dead = s->next_dead;
		free(s->held);
		free(o->held);
		free(s);
		free(o);
	}
}

/* Sends what is held of s to its other side: 1 all gone, 0 the socket is full, -1 broken. */
static int push(struct side *s)
{
	while (s->held_len) {
		ssize_t n = send(s->other->fd, s->held + s->held_at, s->held_len, MSG_NOSIGNAL);

		if (n < 0) {
			s->other->is_writable = false;
			return errno == EAGAIN ? 0 : -1;
		}
		s->held_at += (size_t)n;
		s->held_len -= (size_t)n;
	}
	free(s->held);
	s->held = NULL;
	return 1;
}

static int hold(struct side *s, const char *at, size_t len)
{
	s->held = malloc(BUFFER);
	if (!s->held)
		return -1;
	memcpy(s->held, at, len);
	s->held_at = 0;
	s->held_len = len;
	return 0;
}

/* Moves bytes from s to its other side until one of them has no more to give or take; -1: close both. */
static int move(struct side *s)
{
	for (;;) {
		ssize_t n, sent;

		if (s->held) {
			int gone = push(s);

			if (gone <= 0)
				return gone;
		}
		n = recv(s->fd, shared, BUFFER, 0);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		if (n == 0) {
			s->peer_ended = true;
			if (!s->said_end && shutdown(s->other->fd, SHUT_WR))
				return -1;
			s->said_end = true;
			return s->other->peer_ended ? -1 : 0;
		}
		sent = send(s->other->fd, shared, (size_t)n, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno != EAGAIN)
				return -1;
			sent = 0;
		}
		if (sent < n) {
			s->other->is_writable = false;
			if (hold(s, shared + sent, (size_t)(n - sent)))
				return -1;
			return 0;
		}
		if (n < BUFFER) /* short: drained, and the next edge comes with the next byte (epoll(7)) */
			return 0;
	}
}

static void on_side(struct side *s, uint32_t events)
{
	if (s->fd < 0)
		return;
	if (events & EPOLLERR) {
		pair_close(s);
		return;
	}
	if ((events & EPOLLOUT) && !s->is_writable) {
		s->is_writable = true;
		if (s->other->held && move(s->other) < 0) {
			pair_close(s);
			return;
		}
	}
	if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) || s->said_end)
		return;
	if (move(s) < 0) {
		pair_close(s);
		return;
	}
	/* The end may stand behind a short read: there is no further edge for it. */
	if ((events & (EPOLLRDHUP | EPOLLHUP)) && !s->held && !s->said_end && move(s) < 0)
		pair_close(s);
}

static int watch(struct side *s)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = s };

	return epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &e);
}

static void on_accept(int listener, uint16_t server_port)
{
	struct sockaddr_in a = loopback(INADDR_LOOPBACK, server_port);

	for (;;) {
		struct side *c, *s;
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		c = calloc(1, sizeof(*c));
		s = calloc(1, sizeof(*s));
		if (!c || !s)
			quit("memory");
		*c = (struct side){ .fd = fd, .is_client = true, .is_writable = true, .other = s };
		*s = (struct side){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
			.other = c };
		if (s->fd < 0)
			quit("socket");
		if (connect(s->fd, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS) {
			pair_close(c);
			continue;
		}
		no_delay(c->fd);
		no_delay(s->fd);
		if (watch(s) || watch(c))
			quit("epoll_ctl");
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN };
	uint16_t port;
	int listener;

	if (argc != 2) {
		fprintf(stderr, "usage: bench_floor SERVER_PORT\n");
		return 2;
	}
	port = (uint16_t)number(argv[1], UINT16_MAX);
	all_descriptors();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_and_tell();
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e))
		quit("epoll");
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				on_side(events[i].data.ptr, events[i].events);
			else
				on_accept(listener, port);
		}
		bury();
	}
}
