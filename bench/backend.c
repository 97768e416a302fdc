/* The server behind the proxies of the benchmark: answers every GET with a fixed body, 1 KB, or 64 KB
 * and 10 MB for paths that end in /64k and /10m, at as little cost as it can, so that the thing measured
 * is the proxy. It reads no more of HTTP than where a request ends. usage: bench_backend */
#define _GNU_SOURCE 1
#include "bench/common.h"

enum { EVENTS = 256, HEAD = 16384 };

struct answer {
	const char *suffix;
	size_t body;
	char *bytes;
	size_t len;
};
static struct answer answers[] = { { "/64k", 65536, NULL, 0 }, { "/10m", 10 << 20, NULL, 0 },
	{ "", 1024, NULL, 0 } };

struct conn {
	int fd;
	size_t have;
	const struct answer *answer; /* being sent, or NULL */
	size_t sent;
	char head[HEAD];
};

static void answers_make(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct answer *a = &answers[i];
		char head[256];
		int n = snprintf(head, sizeof(head),
			"HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Tue, 24 Nov 2026 00:00:00 GMT\r\n"
			"Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
			a->body);

		a->len = (size_t)n + a->body;
		a->bytes = malloc(a->len);
		if (!a->bytes)
			quit("memory");
		memcpy(a->bytes, head, (size_t)n);
		memset(a->bytes + n, 'x', a->body);
	}
}

static const struct answer *answer_for(const char *line, size_t len)
{
	const char *end = memchr(line, '\r', len), *path_end;
	size_t i = 0;

	if (end)
		len = (size_t)(end - line);
	path_end = memrchr(line, ' ', len);
	for (; path_end && answers[i].suffix[0]; i++) {
		size_t n = strlen(answers[i].suffix);

		if ((size_t)(path_end - line) >= n && memcmp(path_end - n, answers[i].suffix, n) == 0)
			return &answers[i];
	}
	return &answers[sizeof(answers) / sizeof(answers[0]) - 1];
}

/* Sends, reads and sends again until a socket call would wait; false: the connection is over. */
static bool conn_go(struct conn *c)
{
	for (;;) {
		char *end;
		size_t used;
		ssize_t n;

		while (c->answer) {
			n = send(c->fd, c->answer->bytes + c->sent, c->answer->len - c->sent, MSG_NOSIGNAL);
			if (n < 0)
				return errno == EAGAIN;
			c->sent += (size_t)n;
			if (c->sent == c->answer->len)
				c->answer = NULL;
		}
		end = memmem(c->head, c->have, "\r\n\r\n", 4);
		if (end) {
			used = (size_t)(end - c->head) + 4;
			c->answer = answer_for(c->head, used);
			c->sent = 0;
			c->have -= used;
			memmove(c->head, c->head + used, c->have);
			continue;
		}
		if (c->have == HEAD)
			return false;
		n = recv(c->fd, c->head + c->have, HEAD - c->have, 0);
		if (n == 0)
			return false;
		if (n < 0)
			return errno == EAGAIN;
		c->have += (size_t)n;
	}
}

static void on_accept(int epoll, int listener)
{
	for (;;) {
		struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct conn *c;

		if (fd < 0)
			return;
		c = malloc(sizeof(*c));
		if (!c)
			quit("memory");
		c->fd = fd;
		c->have = 0;
		c->answer = NULL;
		no_delay(fd);
		e.data.ptr = c;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
			quit("epoll_ctl");
	}
}

int main(void)
{
	struct epoll_event events[EVENTS], e = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), listener;

	all_descriptors();
	answers_make();
	listener = listen_and_tell();
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e))
		quit("epoll");
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c) {
				on_accept(epoll, listener);
			} else if (!conn_go(c)) {
				close(c->fd);
				free(c);
			}
		}
	}
}
