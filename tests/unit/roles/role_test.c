/* A small role in a real, confined child: what it hears, and what becomes of those who say something else. */
#define _GNU_SOURCE
#include "roles/role.h"

#include "child.h"
#include "jail/jail.h"

static enum err on_sign(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	unsigned char answer[5] = { 0 };

	(void)run;
	memcpy(answer, m->body.at, 4);
	return role_send(from, MSG_SIGNED, bytes_of(answer, sizeof(answer)), NULL, 0);
}

static enum err on_key(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)run;
	(void)from;
	(void)m;
	return OK;
}

static const struct call hears[] = {
	{ MSG_KEY, FROM(ROLE_MASTER), WHEN_SETUP, on_key },
	{ MSG_SIGN, FROM(ROLE_WORKER), WHEN_RUNNING, on_sign },
	{ 0 },
};
static const struct role toy = { .id = ROLE_KEEPER, .syscalls = jail_keeper, .hears = hears };

static int peer = -1;

static void begin(struct child *c)
{
	child_begin(c, &toy);
}

static void hand_over(struct child *c, bool start)
{
	child_setup(c, BYTES("x"));
	peer = child_peer(c, ROLE_WORKER, 0);
	if (start)
		child_start(c);
}

static int end(struct child *c)
{
	fd_close(&peer);
	return child_end(c);
}

static void serves_and_ends_with_its_master(void **state)
{
	struct child c;
	struct ipc_msg m;
	int status;

	(void)state;
	begin(&c);
	hand_over(&c, true);
	say(peer, MSG_SIGN, "\7\0\0\0\0\0\0\0", 8, -1);
	assert_int_equal(hear(peer, &m), OK);
	assert_int_equal(m.type, MSG_SIGNED);
	assert_int_equal(m.body.at[0], 7);
	status = end(&c);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void peers_wrong_message_stops_it(void **state)
{
	static const struct {
		const char *why;
		enum msg_type type;
		struct bytes body;
	} cases[] = {
		{ "not in the table", MSG_DIAL, LIT("\0\0\0\0\0\0\0\0") },
		{ "the master's", MSG_START, LIT("") },
		{ "the right one's answer", MSG_SIGNED, LIT("\0\0\0\0\0") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct child c;
		struct ipc_msg m;

		begin(&c);
		hand_over(&c, true);
		say(peer, cases[i].type, cases[i].body.at, cases[i].body.len, -1);
		print_message("%s\n", cases[i].why);
		child_accuses(&c, peer, ROLE_WORKER);
		/* it goes on for the others: a new channel in the place of the old one works */
		int pair[2];
		assert_int_equal(ipc_pair(pair), OK);
		say(c.control, MSG_PEER, "\1\0\0", 3, pair[1]);
		close(pair[1]);
		say(pair[0], MSG_SIGN, "\7\0\0\0\0\0\0\0", 8, -1);
		assert_int_equal(hear(pair[0], &m), OK);
		assert_int_equal(m.type, MSG_SIGNED);
		close(pair[0]);
		assert_int_equal(end(&c), 0);
	}
}

static void wrong_order_ends_the_process(void **state)
{
	struct child c;
	struct ipc_msg m;

	(void)state;
	begin(&c); /* start before set-up */
	say(c.control, MSG_START, "", 0, -1);
	assert_int_equal(hear(c.control, &m), ERR_CLOSED);
	assert_int_equal(WEXITSTATUS(end(&c)), 1);

	begin(&c); /* a key after the start */
	hand_over(&c, true);
	say(c.control, MSG_KEY, "\0\0\0", 3, 0);
	assert_int_equal(hear(c.control, &m), ERR_CLOSED);
	assert_int_equal(WEXITSTATUS(end(&c)), 1);

	begin(&c); /* set up twice */
	hand_over(&c, false);
	say(c.control, MSG_SETUP, "\0\0\0\0\0\0\0\0", 8, 0);
	assert_int_equal(hear(c.control, &m), ERR_CLOSED);
	assert_int_equal(WEXITSTATUS(end(&c)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serves_and_ends_with_its_master),
		cmocka_unit_test(peers_wrong_message_stops_it),
		cmocka_unit_test(wrong_order_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
