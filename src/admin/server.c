/* JSON lines over a unix socket; everything bounded: connections, request, answer, time. */
#define _GNU_SOURCE
#include "admin/server.h"

#include "base/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void conn_close(struct admin_conn *c)
{
	struct admin_server *s = c->server;

	loop_timer_clear(s->loop, &c->timer);
	loop_remove(s->loop, &c->watch, false); /* a child between fork and exec holds a copy */
	fd_close(&c->watch.fd);
	text_fini(&c->out);
	c->server = NULL;
	if (c->is_asked && c->out.len == 0 && s->on_gone)
		s->on_gone(s, c);
}

static void conn_late(struct timer *t)
{
	conn_close(CONTAINER_OF(t, struct admin_conn, timer));
}

static void conn_write(struct admin_conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->watch.fd, c->out.at + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		c->sent += (size_t)n;
	}
	conn_close(c);
}

static int dump_piece(const char *at, size_t len, void *out)
{
	text_add(out, bytes_of(at, len));
	return 0;
}

void admin_answer(struct admin_conn *c, json_t *answer)
{
	text_init_growing(&c->out, ADMIN_ANSWER_MAX);
	if (answer)
		(void)json_dump_callback(answer, dump_piece, &c->out, JSON_COMPACT);
	json_decref(answer);
	if (!answer || c->out.failed) {
		text_fini(&c->out);
		text_init_growing(&c->out, ADMIN_ANSWER_MAX);
		text_lit(&c->out, "{\"ok\":false,\"error\":\"the answer is too long\"}");
	}
	text_byte(&c->out, '\n');
	loop_timer_set(c->server->loop, &c->timer, ADMIN_TIMEOUT_MS, conn_late);
	conn_write(c);
}

static void conn_refuse(struct admin_conn *c, const char *why)
{
	c->is_asked = true;
	admin_answer(c, json_pack("{s:b,s:s}", "ok", 0, "error", why));
}

static void conn_request(struct admin_conn *c, size_t len)
{
	json_t *request = json_loadb((const char *)c->in, len, JSON_REJECT_DUPLICATES, NULL);

	if (!json_is_object(request)) {
		json_decref(request);
		conn_refuse(c, "the request is not a JSON object in one line");
		return;
	}
	c->is_asked = true;
	loop_timer_clear(c->server->loop, &c->timer);
	c->server->on_request(c->server, c, request);
	json_decref(request);
}

static void conn_read(struct admin_conn *c)
{
	for (;;) {
		ssize_t n = recv(c->watch.fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);
		unsigned char *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			conn_close(c);
			return;
		}
		c->in_len += (size_t)n;
		end = memchr(c->in, '\n', c->in_len);
		if (end) {
			conn_request(c, (size_t)(end - c->in));
			return;
		}
		if (c->in_len == sizeof(c->in)) {
			conn_refuse(c, "the request is too long");
			return;
		}
	}
}

static void conn_event(struct watch *w, uint32_t events)
{
	struct admin_conn *c = CONTAINER_OF(w, struct admin_conn, watch);

	if (!c->is_asked && events & EPOLLIN)
		conn_read(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		conn_close(c);
	else if (c->out.len && events & EPOLLOUT)
		conn_write(c);
}

static void server_event(struct watch *w, uint32_t events)
{
	struct admin_server *s = CONTAINER_OF(w, struct admin_server, watch);
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);
	struct admin_conn *c = NULL;

	(void)events;
	if (fd < 0)
		return;
	for (size_t i = 0; i < ADMIN_CONNS_MAX && !c; i++)
		if (!s->conns[i].server)
			c = &s->conns[i];
	/* The file's mode keeps strangers out; this holds even where somebody changed it. */
	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || (who.uid != 0 && who.uid != geteuid())) {
		fd_close(&fd);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->watch = (struct watch){ .fd = fd, .on_event = conn_event };
	c->server = s;
	c->uid = who.uid;
	if (loop_add(s->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) != OK) {
		c->server = NULL;
		fd_close(&c->watch.fd);
		return;
	}
	loop_timer_set(s->loop, &c->timer, ADMIN_TIMEOUT_MS, conn_late);
}

static enum err unix_address(struct bytes path, struct sockaddr_un *a)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	if (path.len == 0 || path.len >= sizeof(a->sun_path))
		return ERR_LIMIT;
	memcpy(a->sun_path, path.at, path.len);
	return OK;
}

/* True when a process answers there; a socket that nobody listens at was left behind and may be replaced. */
static bool is_answered(const struct sockaddr_un *a)
{
	AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;
}

enum err admin_open(struct admin_server *s, struct loop *loop, struct bytes path)
{
	AUTO(fd_close) int fd = -1;
	struct sockaddr_un a;
	struct stat st;
	mode_t old;
	int e;

	TRY(unix_address(path, &a));
	if (is_answered(&a))
		return ERR_ORDER;
	if (lstat(a.sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && unlink(a.sun_path) < 0)
		return ERR_IO;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ERR_IO;
	old = umask(0177); /* never open to others, not even for a moment */
	e = bind(fd, (const struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (e < 0 || listen(fd, ADMIN_CONNS_MAX) < 0)
		return ERR_IO;
	s->loop = loop;
	s->watch = (struct watch){ .fd = fd, .on_event = server_event };
	memcpy(s->path, a.sun_path, sizeof(s->path));
	TRY(loop_add(loop, &s->watch, EPOLLIN));
	fd = -1;
	return OK;
}

void admin_close(struct admin_server *s)
{
	if (!s->loop)
		return;
	for (size_t i = 0; i < ADMIN_CONNS_MAX; i++)
		if (s->conns[i].server)
			conn_close(&s->conns[i]);
	loop_remove(s->loop, &s->watch, false);
	fd_close(&s->watch.fd);
	unlink(s->path);
	s->loop = NULL;
}

/* Reads up to the end of the line, or until the time is over. */
static enum err read_line(int fd, unsigned timeout_s, struct text *line)
{
	unsigned char buf[16384];

	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		int ready = poll(&p, 1, (int)timeout_s * 1000);
		ssize_t n;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready == 0 ? ERR_TIMEOUT : ERR_IO;
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return line->len ? OK : ERR_CLOSED;
		text_add(line, bytes_of(buf, (size_t)n));
		if (line->failed)
			return ERR_LIMIT;
		if (memchr(buf, '\n', (size_t)n))
			return OK;
	}
}

enum err admin_call(const char *path, const json_t *request, unsigned timeout_s, json_t **answer)
{
	AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	char *line = json_dumps(request, JSON_COMPACT);
	struct text got;
	json_t *j = NULL;
	enum err e = line ? unix_address(bytes_str(path), &a) : ERR_MEMORY;

	if (e == OK && (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0))
		e = errno == EACCES || errno == EPERM ? ERR_DENIED : ERR_NOT_FOUND;
	if (e == OK)
		e = fd_write_all(fd, bytes_str(line));
	if (e == OK)
		e = fd_write_all(fd, BYTES("\n"));
	free(line);
	if (e != OK)
		return e;
	text_init_growing(&got, ADMIN_ANSWER_MAX + 1);
	e = read_line(fd, timeout_s, &got);
	if (e == OK) {
		j = json_loadb((const char *)got.at, got.len, 0, NULL);
		if (!json_is_object(j)) {
			json_decref(j);
			e = ERR_SYNTAX;
		}
	}
	text_fini(&got);
	if (e == OK)
		*answer = j;
	return e;
}
