/* The admin socket: answers lines of JSON, refuses everything else, is closed to others. */
#define _GNU_SOURCE
#include "admin/server.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char path[64];

static void on_request(struct admin_server *s, struct admin_conn *c, json_t *request)
{
	if (json_object_get(request, "stop"))
		loop_stop(s->loop);
	admin_answer(c, json_pack("{s:b,s:O,s:i}", "ok", 1, "echo", request, "uid", (int)c->uid));
}

/* What comes back for these bytes, as text. */
static void ask_raw(const void *at, size_t len, char *out, size_t size)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t got = 0;
	ssize_t n;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(fd_write_all(fd, bytes_of(at, len)), OK);
	while (got < size - 1 && (n = read(fd, out + got, size - 1 - got)) > 0)
		got += (size_t)n;
	out[got] = 0;
	close(fd);
}

static void answers(void **state)
{
	char dir[] = "/tmp/sluis-admin-XXXXXX", out[8192];
	static char big[ADMIN_REQUEST_MAX];
	json_t *request, *answer = NULL;
	struct stat st;
	pid_t pid;
	int status, ready[2];
	char c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/admin.sock", dir);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		static struct admin_server s = { .on_request = on_request };
		struct loop *l = loop_new();

		if (admin_open(&s, l, bytes_str(path)) != OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		loop_run(l);
		admin_close(&s);
		loop_free(&l);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	request = json_pack("{s:s}", "command", "x");
	assert_int_equal(admin_call(path, request, 10, &answer), OK);
	json_decref(request);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_int_equal(json_integer_value(json_object_get(answer, "uid")), getuid());
	json_decref(answer);

	ask_raw("nonsense\n", 9, out, sizeof(out));
	assert_non_null(strstr(out, "\"ok\":false"));
	ask_raw("[1]\n", 4, out, sizeof(out));
	assert_non_null(strstr(out, "\"ok\":false"));
	memset(big, 'x', sizeof(big));
	ask_raw(big, sizeof(big), out, sizeof(out));
	assert_non_null(strstr(out, "too long"));

	request = json_pack("{s:b}", "stop", 1);
	assert_int_equal(admin_call(path, request, 10, &answer), OK);
	json_decref(request);
	json_decref(answer);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(stat(path, &st), -1); /* taken away at the end */
	assert_int_equal(rmdir(dir), 0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(answers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
