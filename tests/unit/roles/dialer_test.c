/* The dialer as a confined child: whom it connects, whom it refuses, and who is stopped. */
#define _GNU_SOURCE
#define main dialer_main
int main(int argc, char **argv);
#include "roles/dialer.c" /* for its table */
#undef main

#include "bundle.h"

#include <arpa/inet.h>
#include <stdio.h>

static int listener, silent; /* of the test: a server, and a DNS server that never answers */

static struct board_isolation *board; /* the test writes it, as the master would */

static unsigned port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof sa;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

static int bound(int type)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

static void give_board(struct child *c)
{
	const unsigned char body[3] = { BOARD_ISOLATION, 0, 0 };
	void *at;
	int fd;

	assert_int_equal(board_create(BOARD_ISOLATION, &fd), OK);
	assert_int_equal(board_map(BOARD_ISOLATION, fd, true, &at), OK);
	board = at;
	say(c->control, MSG_BOARD, body, sizeof body, fd);
	close(fd);
}

/* Pool 0: the listener, and a port that is bound and not listening. Pool 1: a name that gets no answer. Pool 2: a
 * name that is known at once. */
static int begin_with(struct child *c, enum role_id peer)
{
	char yaml[1024];
	int closed = bound(SOCK_STREAM), out;

	listener = bound(SOCK_STREAM);
	silent = bound(SOCK_DGRAM);
	assert_int_equal(listen(listener, 16), 0);
	snprintf(yaml, sizeof yaml,
		"listeners: {web: {address: '127.0.0.1:1'}}\nroutes: [{pool: a}]\nresolvers: ['127.0.0.1:%u']\n"
		"pools:\n  a: {servers: ['127.0.0.1:%u', '127.0.0.1:%u']}\n  b: {servers: ['app.test:80'], connect_time: 60s}\n"
		"  c: {servers: ['localhost:80']}\n",
		port_of(silent), port_of(listener), port_of(closed));
	child_begin(c, &role_dialer);
	child_setup_conf(c, yaml);
	give_board(c);
	out = child_peer(c, peer, 0);
	child_start(c);
	close(closed);
	return out;
}

static int end(struct child *c, int peer)
{
	close(peer);
	close(listener);
	close(silent);
	return child_end(c);
}

static void ask(int peer, unsigned char request, unsigned char pool, unsigned char server)
{
	unsigned char body[8] = { request, 0, 0, 0, pool, 0, server, 0 };

	say(peer, MSG_DIAL, body, sizeof body, -1);
}

static void connects_to_configured_servers(void **state)
{
	struct child c;
	struct ipc_msg m;
	int peer = begin_with(&c, ROLE_PROBER), taken;

	(void)state;
	ask(peer, 7, 0, 0);
	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.type, MSG_DIALED);
	assert_int_equal(m.body.at[0], 7);
	taken = accept(listener, NULL, NULL);
	assert_true(taken >= 0);
	assert_int_equal(send(m.fds[0], "x", 1, 0), 1);
	char byte;
	assert_int_equal(recv(taken, &byte, 1, 0), 1);
	close(taken);
	ipc_msg_close(&m);

	ask(peer, 8, 0, 1);
	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.type, MSG_DIAL_FAILED);
	assert_int_equal(m.body.at[0], 8);
	assert_int_equal(m.body.at[4], ERR_IO);
	assert_int_equal(m.body.at[5], ECONNREFUSED);
	assert_int_equal(end(&c, peer), 0);
}

static void workers_are_told_addresses(void **state)
{
	struct child c;
	struct ipc_msg m;
	int peer = begin_with(&c, ROLE_WORKER);

	(void)state;
	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.type, MSG_ADDRESSES);
	assert_int_equal(m.body.len, 4 + 2 * 16); /* 127.0.0.1 and ::1 */
	assert_int_equal(m.body.at[0], 2);
	assert_int_equal(m.body.at[4 + 12], 127);
	assert_int_equal(m.body.at[4 + 31], 1);
	assert_int_equal(end(&c, peer), 0);
}

static void what_is_not_configured_stops_the_sender(void **state)
{
	static const struct {
		const char *why;
		unsigned char body[8];
	} cases[] = {
		{ "a pool that is not there", { 1, 0, 0, 0, 3, 0, 0, 0 } },
		{ "a server that is not there", { 1, 0, 0, 0, 0, 0, 2, 0 } },
		{ "the largest numbers", { 1, 0, 0, 0, 255, 255, 255, 255 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct child c;
		int peer = begin_with(&c, ROLE_PROBER);

		print_message("%s\n", cases[i].why);
		say(peer, MSG_DIAL, cases[i].body, sizeof cases[i].body, -1);
		child_accuses(&c, peer, ROLE_PROBER);
		assert_int_equal(end(&c, peer), 0);
	}
}

static enum err any_file(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s, (void)path, (void)arena;
	*out = BYTES("PEM");
	return OK;
}

/* Pool 1 is a directory's. Who hears browsers has no way to it, and who asks directories none to apps. */
static void directories_are_for_those_who_ask_them(void **state)
{
	static const char yaml[] = "listeners: {web: {address: '127.0.0.1:1', tls: {certificates: [{chain: a.pem, key: a.key}]}}}\n"
		"pools: {a: {servers: ['127.0.0.1:1']}}\ngateway: {portal: a.test, ldap: {b: {servers: ['127.0.0.1:1'], tls: off, base: dc=x}}}\n";
	static const struct { enum role_id role; unsigned char pool; bool is_let; } cases[] = { { ROLE_WORKER, 0, true }, { ROLE_WORKER, 1, false },
		{ ROLE_DIRECTORY, 0, false }, { ROLE_DIRECTORY, 1, true } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const unsigned char body[8] = { 1, 0, 0, 0, cases[i].pool, 0, 0, 0 };
		struct conf_source files = { .get = any_file };
		struct bundle_writer w;
		struct bytes out;
		struct child c;
		struct ipc_msg m;
		int peer;

		bundle_writer_init(&w, &files, BYTES("sluis.yaml"), bytes_str(yaml));
		assert_int_equal(w.source.get(&w.source, BYTES("a.pem"), NULL, &out), OK);
		child_begin(&c, &role_dialer);
		child_setup(&c, text_bytes(&w.out));
		bundle_writer_fini(&w);
		give_board(&c);
		peer = child_peer(&c, cases[i].role, 0);
		child_start(&c);
		say(peer, MSG_DIAL, body, sizeof body, -1);
		if (cases[i].is_let) {
			assert_int_equal(hear(peer, &m), OK);
			assert_int_equal(m.type, MSG_DIAL_FAILED); /* nobody listens there */
		} else {
			child_accuses(&c, peer, cases[i].role);
		}
		close(peer);
		assert_int_equal(child_end(&c), 0);
	}
}

/* Sends when there is room; false when the channel is closed. */
static bool press(int peer)
{
	static const unsigned char body[8] = { 1, 0, 0, 0, 1, 0, 0, 0 };
	struct pollfd p = { peer, POLLOUT, 0 };

	assert_int_equal(poll(&p, 1, 10000), 1);
	return ipc_send(peer, MSG_DIAL, bytes_of(body, sizeof body), NULL, 0) != ERR_CLOSED;
}

static void more_than_the_limit_is_refused(void **state)
{
	struct child c;
	struct ipc_msg m;
	int peer = begin_with(&c, ROLE_PROBER);

	(void)state;
	for (unsigned i = 0; i < DIALS_PER_CHANNEL; i++)
		while (ipc_send(peer, MSG_DIAL, BYTES("\1\0\0\0\1\0\0\0"), NULL, 0) == ERR_AGAIN) {
			struct pollfd p = { peer, POLLOUT, 0 };
			assert_int_equal(poll(&p, 1, 10000), 1);
		}
	ask(peer, 9, 1, 0); /* those before wait for the name */
	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.type, MSG_DIAL_FAILED);
	assert_int_equal(m.body.at[0], 9);
	assert_int_equal(m.body.at[4], ERR_LIMIT);
	assert_int_equal(end(&c, peer), 0);
}

static void who_asks_and_does_not_listen_is_stopped(void **state)
{
	struct child c;
	struct ipc_msg m;
	int peer = begin_with(&c, ROLE_PROBER);

	(void)state;
	while (press(peer))
		;
	assert_int_equal(hear(c.control, &m), OK);
	assert_int_equal(m.type, MSG_VIOLATION);
	assert_int_equal(m.body.at[0], ROLE_PROBER);
	/* It goes on for the others. */
	close(peer);
	peer = child_peer(&c, ROLE_PROBER, 0);
	ask(peer, 3, 0, 0);
	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.type, MSG_DIALED);
	ipc_msg_close(&m);
	assert_int_equal(end(&c, peer), 0);
}

static void publish(const char *target)
{
	struct isolation_entry e;

	if (target)
		assert_int_equal(isolation_parse(ISOLATE_TARGET, bytes_str(target), &e), OK);
	board_isolation_write(board, &e, target ? 1 : 0);
}

static void hear_denied(int peer, unsigned char request)
{
	struct ipc_msg m;

	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.type, MSG_DIAL_FAILED);
	assert_int_equal(m.body.at[0], request);
	assert_int_equal(m.body.at[4], ERR_DENIED);
}

/* Whoever asks, and without any message: a worker that was taken over gets no descriptor either. */
static void what_is_isolated_is_refused(void **state)
{
	char address[32], port[32];
	struct child c;
	struct ipc_msg m;
	int peer = begin_with(&c, ROLE_PROBER);

	(void)state;
	snprintf(address, sizeof address, "127.0.0.1:%u", port_of(listener));
	snprintf(port, sizeof port, "a/127.0.0.1:%u", port_of(listener));
	const char *const wanted[] = { "a", port, address, "127.0.0.1", "127.0.0.0/8" };
	for (size_t i = 0; i < COUNT_OF(wanted); i++) {
		publish(wanted[i]);
		ask(peer, (unsigned char)i, 0, 0);
		hear_denied(peer, (unsigned char)i);
	}
	publish("127.0.0.1:1"); /* another target, and then none */
	for (unsigned i = 0; i < 2; i++) {
		ask(peer, 9, 0, 0);
		assert_int_equal(hear(peer, &m), OK);
		assert_int_equal(m.type, MSG_DIALED);
		ipc_msg_close(&m);
		publish(NULL);
	}
	assert_int_equal(end(&c, peer), 0);
}

static void what_is_on_its_way_is_given_up(void **state)
{
	struct child c;
	struct ipc_msg m;
	int peer = begin_with(&c, ROLE_PROBER);

	(void)state;
	ask(peer, 5, 1, 0); /* waits for its name */
	ask(peer, 6, 0, 1); /* answered: so the one before has been read */
	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.body.at[0], 6);
	publish("b");
	say(c.control, MSG_ISOLATION, "", 0, -1);
	hear_denied(peer, 5);
	assert_int_equal(end(&c, peer), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects_to_configured_servers),
		cmocka_unit_test(workers_are_told_addresses),
		cmocka_unit_test(what_is_not_configured_stops_the_sender),
		cmocka_unit_test(directories_are_for_those_who_ask_them), cmocka_unit_test(more_than_the_limit_is_refused),
		cmocka_unit_test(who_asks_and_does_not_listen_is_stopped),
		cmocka_unit_test(what_is_isolated_is_refused),
		cmocka_unit_test(what_is_on_its_way_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
