/* Any bytes at the admin socket, in one piece or two: every asker gets one line of JSON or a closed connection, and
 * the server goes on. The first byte says where they are cut. */
#define _GNU_SOURCE
#include "admin/server.h"

#include "base/fd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct admin_server server;
static struct loop *loop;
static struct watch always; /* readable at any time */
static char dir[] = "/tmp/sluis-fuzz-XXXXXX", path[64];
static unsigned asked;

static void on_request(struct admin_server *s, struct admin_conn *c, json_t *request)
{
	(void)s;
	CHECK(json_is_object(request));
	asked++;
	admin_answer(c, json_pack("{s:b,s:O}", "ok", 1, "echo", request));
}

static void stop(struct watch *w, uint32_t events)
{
	(void)w;
	(void)events;
	loop_stop(loop);
}

static void close_server(void)
{
	admin_close(&server);
	rmdir(dir);
}

static void open_server(void)
{
	CHECK(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	loop = loop_new();
	CHECK(loop);
	always.fd = eventfd(1, EFD_CLOEXEC);
	always.on_event = stop;
	CHECK(always.fd >= 0 && loop_add(loop, &always, EPOLLIN) == OK);
	server.on_request = on_request;
	CHECK(admin_open(&server, loop, bytes_str(path)) == OK);
	atexit(close_server);
}

/* Everything that is there is seen, in the same turn as the stop; nothing is waited for. */
static void turn(void)
{
	loop_run(loop);
}

static size_t say(int fd, struct bytes b)
{
	ssize_t n = b.len ? send(fd, b.at, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	return n < 0 ? 0 : (size_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char out[65536];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct bytes in;
	size_t cut;
	ssize_t n;
	int fd;

	if (size < 1 || size > 2 * ADMIN_REQUEST_MAX)
		return 0;
	if (!loop)
		open_server();
	asked = 0;
	in = bytes_of(data + 1, size - 1);
	cut = in.len ? data[0] % in.len : 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(a.sun_path, path, sizeof path);
	CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
	turn(); /* accepted */
	say(fd, bytes_cut(in, 0, cut));
	if (cut)
		turn();
	say(fd, bytes_cut(in, cut, in.len));
	turn();
	shutdown(fd, SHUT_WR);
	turn();
	n = recv(fd, out, sizeof out, MSG_DONTWAIT);
	CHECK(asked <= 1);
	if (n > 0) {
		json_t *j = json_loadb(out, (size_t)n, JSON_ALLOW_NUL, NULL);
		CHECK(out[n - 1] == '\n' && json_is_object(j) && json_is_boolean(json_object_get(j, "ok")));
		json_decref(j);
	} else {
		CHECK(asked == 0);
	}
	close(fd);
	return 0;
}
