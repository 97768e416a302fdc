/* The prober as a confined child, with the test as its dialer and its server: what counts as a check and what does not. */
#define _GNU_SOURCE
#define main prober_main
int main(int argc, char **argv);
#include "roles/prober.c" /* for its table */
#undef main

#include "bundle.h"

static struct board_health_board *shared;

static int begin(struct child *c, const char *pool)
{
	unsigned char body[3] = { BOARD_HEALTH, 0, 0 };
	char yaml[512];
	void *at;
	int fd, out;

	snprintf(yaml, sizeof yaml,
		"listeners: {web: {address: '127.0.0.1:1'}}\npools: {a: {servers: ['127.0.0.1:9'], check: {%s}}}\n",
		pool);
	assert_int_equal(board_create(BOARD_HEALTH, &fd), OK);
	assert_int_equal(board_map(BOARD_HEALTH, fd, false, &at), OK);
	shared = at;
	child_begin(c, &role_prober);
	child_setup_conf(c, yaml);
	say(c->control, MSG_BOARD, body, sizeof body, fd);
	close(fd);
	out = child_peer(c, ROLE_DIALER, 0);
	child_start(c);
	return out;
}

static uint32_t asked(int dial)
{
	struct ipc_msg m;
	uint32_t request;

	assert_int_equal(hear(dial, &m), OK);
	assert_int_equal(m.type, MSG_DIAL);
	memcpy(&request, m.body.at, sizeof request);
	return request;
}

/* Hands over a connection; the test's end of it. */
static int connected(int dial, uint32_t request)
{
	unsigned char body[35] = { 0 };
	int pair[2];

	memcpy(body, &request, sizeof request);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	say(dial, MSG_DIALED, body, sizeof body, pair[1]);
	close(pair[1]);
	return pair[0];
}

static void refused(int dial, uint32_t request, enum err why, int error)
{
	unsigned char body[9] = { 0, 0, 0, 0, (unsigned char)why, (unsigned char)error };

	memcpy(body, &request, sizeof request);
	say(dial, MSG_DIAL_FAILED, body, sizeof body, -1);
}

/* What comes within ten seconds; 0 at the end. */
static size_t take(int sock, char *buf, size_t cap)
{
	struct pollfd p = { sock, POLLIN, 0 };
	ssize_t n;

	assert_int_equal(poll(&p, 1, 10000), 1);
	n = recv(sock, buf, cap, 0);
	assert_true(n >= 0);
	return (size_t)n;
}

static void assert_row(enum board_health state, unsigned checks, unsigned failed, const char *why)
{
	char text[BOARD_TEXT_MAX + 1];

	board_text_read(&shared->servers[0].why, text);
	assert_string_equal(text, why);
	assert_int_equal(shared->servers[0].state, state);
	assert_int_equal(shared->servers[0].checks, checks);
	assert_int_equal(shared->servers[0].failed, failed);
}

static void checks_and_says_why(void **state)
{
	struct child c;
	int dial = begin(&c, "http: /health, interval: 50ms, rise: 1, fall: 1"), server;
	uint32_t request;
	char buf[1024];

	(void)state;
	server = connected(dial, asked(dial));
	assert_true(take(server, buf, sizeof buf) > 0);
	assert_memory_equal(buf, "GET /health HTTP/1.1\r\n", 22);
	assert_int_equal(send(server, "HTTP/1.1 200 OK\r\n\r\n", 19, 0), 19);
	close(server);
	server = connected(dial, asked(dial)); /* the next check: the one before has its verdict */
	assert_row(HEALTH_UP, 1, 0, "");
	assert_true(take(server, buf, sizeof buf) > 0);
	assert_int_equal(send(server, "HTTP/1.1 503 X\r\n\r\n", 18, 0), 18);
	close(server);
	request = asked(dial);
	assert_row(HEALTH_DOWN, 2, 1, "status 503, wanted 200-399"); /* before the next verdict can be there */
	refused(dial, request, ERR_IO, ECONNREFUSED);
	request = asked(dial);
	assert_row(HEALTH_DOWN, 3, 2, "connect: Connection refused");
	refused(dial, request, ERR_TIMEOUT, ETIMEDOUT);
	request = asked(dial);
	assert_row(HEALTH_DOWN, 4, 3, "connect: timeout");
	refused(dial, request, ERR_NOT_FOUND, 0);
	asked(dial);
	assert_row(HEALTH_DOWN, 5, 4, "no address of the name is known");
	close(dial);
	assert_int_equal(child_end(&c), 0);
}

/* Our own lack of descriptors or room must not take servers out. */
static void what_is_our_own_fault_is_no_verdict(void **state)
{
	static const struct {
		enum err why;
		int error;
	} ours[] = { { ERR_LIMIT, EAGAIN }, { ERR_IO, EMFILE }, { ERR_IO, ENFILE }, { ERR_IO, ENOBUFS },
		{ ERR_IO, EADDRNOTAVAIL } };
	struct child c;
	int dial = begin(&c, "interval: 50ms, fall: 1");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(ours); i++)
		refused(dial, asked(dial), ours[i].why, ours[i].error);
	asked(dial);
	assert_row(HEALTH_UNKNOWN, 0, 0, "");
	close(dial);
	assert_int_equal(child_end(&c), 0);
}

static void a_late_connection_is_closed_and_not_counted(void **state)
{
	struct child c;
	int dial = begin(&c, "interval: 50ms, timeout: 50ms, fall: 1"), server;
	uint32_t late;
	char buf[16];

	(void)state;
	late = asked(dial);
	(void)asked(dial); /* the first has timed out */
	assert_int_equal(shared->servers[0].failed, 1);
	server = connected(dial, late);
	assert_int_equal(take(server, buf, sizeof buf), 0);
	assert_int_equal(shared->servers[0].state, HEALTH_DOWN);
	close(server);
	close(dial);
	assert_int_equal(child_end(&c), 0);
}

static void a_dialer_that_dies_leaves_the_state(void **state)
{
	struct child c;
	int dial = begin(&c, "interval: 50ms, timeout: 30s, fall: 1"), server;

	(void)state;
	server = connected(dial, asked(dial));
	close(server);
	(void)asked(dial);
	assert_row(HEALTH_UP, 1, 0, "");
	close(dial);
	dial = child_peer(&c, ROLE_DIALER, 0);
	(void)asked(dial);
	assert_row(HEALTH_UP, 1, 0, "");
	close(dial);
	assert_int_equal(child_end(&c), 0);
}

static void only_dialer_and_keeper_may_talk_to_it(void **state)
{
	struct child c;
	struct ipc_msg m;
	int dial = begin(&c, "interval: 50ms"), keeper_end = child_peer(&c, ROLE_KEEPER, 0);

	(void)state;
	say(keeper_end, MSG_SIGNED, "\0\0\0\0\1", 5, -1); /* nobody asked: it is dropped */
	(void)asked(dial);
	say(keeper_end, MSG_DIAL_FAILED, "\0\0\0\0\0\0\0\0\0", 9, -1); /* the dialer's word */
	child_accuses(&c, keeper_end, ROLE_KEEPER);
	close(keeper_end);
	say(dial, MSG_BOARD, "\1\0\0", 3, 0);
	do
		assert_int_equal(hear(c.control, &m), OK);
	while (m.type != MSG_VIOLATION);
	assert_int_equal(m.body.at[0], ROLE_DIALER);
	close(dial);
	assert_int_equal(child_end(&c), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_and_says_why),
		cmocka_unit_test(what_is_our_own_fault_is_no_verdict),
		cmocka_unit_test(a_late_connection_is_closed_and_not_counted),
		cmocka_unit_test(a_dialer_that_dies_leaves_the_state),
		cmocka_unit_test(only_dialer_and_keeper_may_talk_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
