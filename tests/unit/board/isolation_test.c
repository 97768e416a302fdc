/* The list of what is isolated: what a reader gets, what matches, how it is written. */
#include "board/isolation.h"
#include "board/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct isolation_list list;

static const struct {
	const char *why;
	enum isolation_kind kind;
	struct bytes in;
	enum err want;
	const char *out;
} words[] = {
	{ "an address", ISOLATE_CLIENT, LIT("192.0.2.7"), OK, "192.0.2.7" },
	{ "a prefix", ISOLATE_CLIENT, LIT("10.0.0.0/8"), OK, "10.0.0.0/8" },
	{ "everybody", ISOLATE_CLIENT, LIT("0.0.0.0/0"), OK, "0.0.0.0/0" },
	{ "a prefix of one", ISOLATE_CLIENT, LIT("192.0.2.7/32"), OK, "192.0.2.7" },
	{ "IPv6", ISOLATE_CLIENT, LIT("2001:DB8:0::1"), OK, "2001:db8::1" },
	{ "a prefix of IPv6", ISOLATE_CLIENT, LIT("2001:db8::/32"), OK, "2001:db8::/32" },
	{ "host bits", ISOLATE_CLIENT, LIT("10.0.0.1/8"), ERR_SYNTAX, "" },
	{ "a client has no port", ISOLATE_CLIENT, LIT("192.0.2.7:80"), ERR_SYNTAX, "" },
	{ "no address", ISOLATE_CLIENT, LIT("anna"), ERR_SYNTAX, "" },
	{ "a target's address", ISOLATE_TARGET, LIT("192.0.2.7:80"), OK, "192.0.2.7:80" },
	{ "a target's, IPv6", ISOLATE_TARGET, LIT("[2001:db8::1]:80"), OK, "[2001:db8::1]:80" },
	{ "any port", ISOLATE_TARGET, LIT("192.0.2.7"), OK, "192.0.2.7" },
	{ "a network of targets", ISOLATE_TARGET, LIT("192.0.2.0/24"), OK, "192.0.2.0/24" },
	{ "a pool", ISOLATE_TARGET, LIT("app"), OK, "app" },
	{ "a server whose name is its address", ISOLATE_TARGET, LIT("app/192.0.2.7:80"), OK, "app/192.0.2.7:80" },
	{ "no name", ISOLATE_TARGET, LIT(""), ERR_SYNTAX, "" },
	{ "a user", ISOLATE_USER, LIT("CN=anna, O=Z\xc3\xbcrich"), OK, "CN=anna, O=Z\xc3\xbcrich" },
	{ "a user like an address", ISOLATE_USER, LIT("192.0.2.7"), OK, "192.0.2.7" },
	{ "no user", ISOLATE_USER, LIT(""), ERR_SYNTAX, "" },
	{ "control characters", ISOLATE_USER, LIT("a\nb"), ERR_SYNTAX, "" },
	{ "the node", ISOLATE_NODE, LIT("node"), OK, "node" },
	{ "another node", ISOLATE_NODE, LIT("nodes"), ERR_SYNTAX, "" },
	{ "no kind", ISOLATE_KINDS, LIT("x"), ERR_SYNTAX, "" },
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		unsigned char mem[600];
		struct isolation_entry e, again;
		struct text t;
		enum err got = isolation_parse(words[i].kind, words[i].in, &e);

		if (got != words[i].want)
			fail_msg("%s: %s", words[i].why, err_name(got));
		if (got != OK)
			continue;
		text_init(&t, mem, sizeof mem);
		isolation_put(&e, &t);
		if (!bytes_eq(text_bytes(&t), bytes_str(words[i].out)))
			fail_msg("%s: %.*s", words[i].why, FMT(text_bytes(&t)));
		assert_int_equal(isolation_parse(words[i].kind, text_bytes(&t), &again), OK);
		assert_true(isolation_is_same(&e, &again));
	}
}

static void test_long_names(void **state)
{
	unsigned char name[ISOLATION_NAME_MAX + 1];
	struct isolation_entry e;

	(void)state;
	memset(name, 'x', sizeof name);
	assert_int_equal(isolation_parse(ISOLATE_USER, bytes_of(name, ISOLATION_NAME_MAX), &e), OK);
	assert_int_equal(isolation_parse(ISOLATE_USER, bytes_of(name, sizeof name), &e), ERR_LIMIT);
}

/* The board that holds these, read by a map that cannot write. */
static void publish(const char *const *what, const enum isolation_kind *kind, size_t count)
{
	static struct isolation_entry e[16];
	struct board_isolation *w;
	const struct board_isolation *r;
	void *at;
	int fd;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(isolation_parse(kind[i], bytes_str(what[i]), &e[i]), OK);
	assert_int_equal(board_create(BOARD_ISOLATION, &fd), OK);
	assert_int_equal(board_map(BOARD_ISOLATION, fd, true, &at), OK);
	w = at;
	assert_int_equal(board_map(BOARD_ISOLATION, fd, false, &at), OK);
	r = at;
	memset(&list, 0, sizeof list);
	assert_false(board_isolation_is_news(r, &list)); /* a new board says what a new list says */
	board_isolation_write(w, e, count);
	assert_true(board_isolation_is_news(r, &list));
	assert_true(board_isolation_read(r, &list));
	assert_false(board_isolation_is_news(r, &list));
	assert_int_equal(list.count, count);
}

static const struct {
	const char *why;
	char how; /* client, target, server (by name), user */
	const char *what, *server;
	bool want;
} matches[] = {
	{ "the address", 'c', "192.0.2.7:1234", "", true },
	{ "its neighbour", 'c', "192.0.2.8:1234", "", false },
	{ "in the prefix", 'c', "10.255.0.1:1", "", true },
	{ "in the prefix of IPv6", 'c', "[2001:db8:ffff::1]:1", "", true },
	{ "outside of it", 'c', "[2001:db9::1]:1", "", false },
	{ "a target is no client", 'c', "198.51.100.1:80", "", false },
	{ "a target with its port", 't', "198.51.100.1:80", "", true },
	{ "with another port", 't', "198.51.100.1:81", "", false },
	{ "any port", 't', "198.51.100.2:81", "", true },
	{ "a client is no target", 't', "192.0.2.7:80", "", false },
	{ "a pool's server", 's', "app", "any", true },
	{ "a pool whose name begins so", 's', "app2", "any", false },
	{ "the server", 's', "db", "one", true },
	{ "another server", 's', "db", "two", false },
	{ "a server whose name begins so", 's', "db", "on", false },
	{ "the user", 'u', "CN=anna", "", true },
	{ "another", 'u', "CN=ann", "", false },
	{ "nobody", 'u', "", "", false },
};

static bool does_match(size_t i)
{
	struct bytes what = bytes_str(matches[i].what);
	struct addr a = { .port = 0 };

	if (matches[i].how == 'u')
		return isolation_has_user(&list, what);
	if (matches[i].how == 's')
		return isolation_has_server(&list, what, bytes_str(matches[i].server));
	assert_int_equal(addr_parse(what, &a), OK);
	return matches[i].how == 'c' ? isolation_has_client(&list, &a) : isolation_has_target(&list, &a);
}

static void test_matching(void **state)
{
	static const char *const what[] = { "192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "198.51.100.1:80", "198.51.100.2", "app", "db/one",
		"CN=anna" };
	static const enum isolation_kind kind[] = { ISOLATE_CLIENT, ISOLATE_CLIENT, ISOLATE_CLIENT, ISOLATE_TARGET, ISOLATE_TARGET,
		ISOLATE_TARGET, ISOLATE_TARGET, ISOLATE_USER };

	(void)state;
	publish(what, kind, COUNT_OF(what));
	assert_false(list.has_node);
	for (size_t i = 0; i < COUNT_OF(matches); i++)
		if (does_match(i) != matches[i].want)
			fail_msg("%s", matches[i].why);
	publish((const char *const[]){ "node" }, (const enum isolation_kind[]){ ISOLATE_NODE }, 1);
	assert_true(list.has_node);
}

static void test_torn(void **state)
{
	static struct board_isolation b;
	static struct isolation_entry e[ISOLATION_MAX];

	(void)state;
	b.epoch = 7; /* its writer is in the middle, or died there */
	assert_true(board_isolation_is_news(&b, &list));
	assert_false(board_isolation_read(&b, &list));
	assert_true(board_isolation_is_news(&b, &list));
	board_isolation_write(&b, e, ISOLATION_MAX); /* and as many as there may be */
	assert_true(board_isolation_read(&b, &list) && list.count == ISOLATION_MAX);
	assert_int_equal(b.epoch & 1, 0);
	b.count = ISOLATION_MAX + 1; /* a lie */
	assert_false(board_isolation_read(&b, &list));
	b.count = 1;
	memset(b.words[0], 0xff, sizeof b.words[0]);
	assert_true(board_isolation_read(&b, &list));
	assert_true(list.list[0].name_len <= ISOLATION_NAME_MAX && list.list[0].bits <= 128);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_long_names), cmocka_unit_test(test_matching),
		cmocka_unit_test(test_torn) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
