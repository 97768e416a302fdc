/* Names asked of a DNS server that is part of the test, in the same loop: what changes, what stays when lookups fail,
 * and that it all works in the dialer's jail. */
#define _GNU_SOURCE
#include "net/resolve.h"
#include "jail/jail.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 10000
#define TYPE_A      1
#define TYPE_CNAME  5
#define TYPE_AAAA   28

struct answer {
	unsigned rcode;
	const char *ip[48];      /* of both families; those of the question's are sent */
	unsigned char last[48];  /* instead: 192.0.2.N for each, until 0 */
	uint32_t ttl, cname_ttl; /* cname_ttl: an alias before the addresses */
	bool is_silent, is_garbled;
};

static struct loop *loop;
static struct watch server;
static struct addr server_address;
static struct answer script[2]; /* now, and after 'turns' questions */
static unsigned turns, questions, garble_seed;
static struct resolver *resolver;
static struct resolve_name names[300];
static unsigned events[3];
static bool (*until)(void);
static uint64_t end_ms;

static void put16(struct text *t, unsigned n)
{
	text_byte(t, (unsigned char)(n >> 8));
	text_byte(t, (unsigned char)n);
}

static void put32(struct text *t, uint32_t n)
{
	put16(t, n >> 16);
	put16(t, n & 0xffff);
}

static void put_record(struct text *t, unsigned owner, unsigned type, uint32_t ttl, struct bytes data)
{
	put16(t, 0xc000 | owner);
	put16(t, type);
	put16(t, 1);
	put32(t, ttl);
	put16(t, (unsigned)data.len);
	text_add(t, data);
}

static unsigned put_answers(struct text *t, const struct answer *a, unsigned type)
{
	unsigned n = 0, owner = 12;

	if (a->cname_ttl) {
		unsigned at = (unsigned)t->len + 12; /* where its data begins: the alias' target */
		put_record(t, 12, TYPE_CNAME, a->cname_ttl, BYTES("\2go\4test\0"));
		owner = at;
		n++;
	}
	for (size_t i = 0; i < COUNT_OF(a->ip) && (a->ip[i] || a->last[i]); i++) {
		unsigned char four[4] = { 192, 0, 2, a->last[i] };
		struct addr ip;

		if (a->last[i]) {
			if (type == TYPE_A) {
				put_record(t, owner, type, a->ttl, bytes_of(four, 4));
				n++;
			}
			continue;
		}
		assert_int_equal(addr_parse_ip(bytes_str(a->ip[i]), &ip), OK);
		if (addr_is_v4(&ip) != (type == TYPE_A))
			continue;
		put_record(t, owner, type, a->ttl,
			addr_is_v4(&ip) ? bytes_of(ip.ip + 12, 4) : bytes_of(ip.ip, 16));
		n++;
	}
	return n;
}

static unsigned next_random(void)
{
	garble_seed = garble_seed * 1103515245 + 12345;
	return garble_seed >> 16;
}

static void on_question(struct watch *w, uint32_t what)
{
	unsigned char in[1500], mem[1500];
	struct sockaddr_storage from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(w->fd, in, sizeof in, 0, (struct sockaddr *)&from, &len);
	const struct answer *a = &script[turns && questions >= turns];
	size_t end = 12;
	struct text t;
	unsigned count;

	(void)what;
	if (n < 17)
		return;
	questions++;
	if (a->is_silent)
		return;
	while (in[end])
		end += 1u + in[end];
	text_init(&t, mem, sizeof mem);
	text_add(&t, bytes_of(in, 2));
	put16(&t, 0x8180 | a->rcode);
	put16(&t, 1);
	put32(&t, 0);
	put16(&t, 0);
	text_add(&t, bytes_of(in + 12, end + 5 - 12));
	count = put_answers(&t, a, in[end + 2]);
	assert_false(t.failed);
	mem[7] = (unsigned char)count;
	if (a->is_garbled) /* not the id: that would be another's answer */
		for (int i = 0; i < 4; i++)
			mem[2 + next_random() % (t.len - 2)] ^= (unsigned char)next_random();
	assert_true(sendto(w->fd, mem, t.len, 0, (struct sockaddr *)&from, len) == (ssize_t)t.len);
}

static void on_event(struct resolve_name *n, enum resolve_event what)
{
	(void)n;
	events[what]++;
}

static void look(struct timer *t)
{
	if (loop_now_ms(loop) > end_ms)
		fail_msg("waited in vain, after %u questions", questions);
	if (until())
		loop_stop(loop);
	else
		loop_timer_set(loop, t, 1, look);
}

static void wait_for(bool (*condition)(void))
{
	struct timer t = { 0 };

	until = condition;
	loop_tick(loop);
	end_ms = loop_now_ms(loop) + PATIENCE_MS;
	loop_timer_set(loop, &t, 1, look);
	loop_run(loop);
}

static void add(const char *host, struct resolve_name *n)
{
	assert_int_equal(resolver_add(resolver, bytes_str(host), n), OK);
}

static int setup(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct resolver_conf c = { .ttl_least_ms = 16,
		.ttl_most_ms = 3600000,
		.retry_least_ms = 16,
		.retry_most_ms = 64,
		.timeout_ms = 50,
		.tries = 2,
		.on_event = on_event };
	socklen_t len = sizeof sa;
	const char *why;

	(void)state;
	memset(script, 0, sizeof script);
	memset(events, 0, sizeof events);
	turns = questions = 0;
	loop = loop_new();
	server = (struct watch){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.on_event = on_question };
	assert_int_equal(bind(server.fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sa, len, &server_address), OK);
	assert_int_equal(loop_add(loop, &server, EPOLLIN), OK);
	c.loop = loop;
	c.servers = &server_address;
	c.server_count = 1;
	assert_int_equal(resolver_new(&c, &resolver, &why), OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	resolver_free(&resolver);
	loop_remove(loop, &server, true);
	close(server.fd);
	loop_free(&loop);
	return 0;
}

static void assert_list(const struct resolve_name *n, const char *want)
{
	unsigned char mem[2048];
	struct text t;

	text_init(&t, mem, sizeof mem);
	for (size_t i = 0; i < n->count; i++) {
		if (i)
			text_byte(&t, ' ');
		addr_write_ip(&n->list[i], &t);
	}
	text_byte(&t, 0);
	assert_string_equal((char *)mem, want);
}

static bool is_settled(void)
{
	return events[RESOLVE_CHANGED] && names[0].is_answered;
}
static bool has_changed_twice(void)
{
	return events[RESOLVE_CHANGED] >= 2;
}
static bool has_failed(void)
{
	return events[RESOLVE_FAILED] >= 1;
}
static bool has_recovered(void)
{
	return events[RESOLVE_RECOVERED] >= 1;
}
static bool is_healed(void)
{
	return names[0].count == 1 && names[0].list[0].ip[15] == 3;
}
static bool was_asked_often(void)
{
	return questions >= 20;
}

static void begin(const struct answer *a)
{
	script[0] = *a;
	add("app.test", &names[0]);
	resolver_start(resolver);
}

static void both_families_in_order(void **state)
{
	(void)state;
	begin(&(struct answer){
		.ip = { "2001:db8::2", "192.0.2.9", "192.0.2.1", "2001:db8::1", "192.0.2.9" }, .ttl = 60 });
	wait_for(is_settled);
	assert_null(names[0].error);
	assert_list(&names[0], "192.0.2.1 192.0.2.9 2001:db8::1 2001:db8::2");
	assert_int_equal(questions, 2);
}

static void asked_again_and_turned_round_is_no_change(void **state)
{
	(void)state;
	begin(&(struct answer){ .ip = { "192.0.2.1", "192.0.2.2" }, .ttl = 0 });
	script[1] = (struct answer){ .ip = { "192.0.2.2", "192.0.2.1" }, .ttl = 0 };
	turns = 4;
	wait_for(was_asked_often);
	assert_int_equal(events[RESOLVE_CHANGED], 1);
	assert_int_equal(events[RESOLVE_FAILED] + events[RESOLVE_RECOVERED], 0);
	assert_list(&names[0], "192.0.2.1 192.0.2.2");
}

static void a_short_alias_counts(void **state)
{
	(void)state;
	/* The addresses last an hour, the alias one second: only by the alias is it asked again in time. */
	begin(&(struct answer){ .ip = { "192.0.2.1" }, .ttl = 3600, .cname_ttl = 1 });
	script[1] = (struct answer){ .ip = { "192.0.2.2" }, .ttl = 3600 };
	turns = 2;
	wait_for(has_changed_twice);
	assert_list(&names[0], "192.0.2.2");
}

static void a_family_goes(void **state)
{
	(void)state;
	begin(&(struct answer){ .ip = { "192.0.2.1", "2001:db8::1" } });
	script[1] = (struct answer){ .ip = { "2001:db8::1" } };
	turns = 6;
	wait_for(was_asked_often);
	assert_list(&names[0], "2001:db8::1");
}

#define FAILED "no DNS server could tell: they refused, failed, or cannot be reached"
static const struct {
	const char *why;
	struct answer answer;
	const char *error;
} failures[] = {
	{ "no such name", { .rcode = 3 }, "there is no such name" },
	{ "server failure", { .rcode = 2 }, FAILED },
	{ "refused", { .rcode = 5 }, FAILED },
	{ "no addresses", { .rcode = 0 }, "the name has no address" },
	{ "silence", { .is_silent = true }, "the DNS servers are silent" },
};

static void the_last_addresses_stay(void **state)
{
	for (size_t i = 0; i < COUNT_OF(failures); i++) {
		if (i)
			setup(state);
		begin(&(struct answer){ .ip = { "192.0.2.1" } });
		wait_for(is_settled);
		script[0] = failures[i].answer;
		wait_for(has_failed);
		if (!names[0].error || strcmp(names[0].error, failures[i].error) != 0)
			fail_msg("%s: %s", failures[i].why, names[0].error ? names[0].error : "no error");
		assert_list(&names[0], "192.0.2.1");
		questions = 0;
		if (!failures[i].answer.is_silent)
			wait_for(was_asked_often); /* it is tried again, and told once */
		assert_int_equal(events[RESOLVE_FAILED], 1);
		script[0] = (struct answer){ .ip = { "192.0.2.1" }, .ttl = 60 };
		wait_for(has_recovered);
		assert_null(names[0].error);
		assert_int_equal(events[RESOLVE_CHANGED], 1);
		if (i + 1 < COUNT_OF(failures))
			teardown(state);
	}
}

static void unknown_then_known(void **state)
{
	(void)state;
	begin(&(struct answer){ .rcode = 3 });
	wait_for(has_failed);
	assert_true(names[0].is_answered);
	assert_int_equal(names[0].count, 0);
	script[0] = (struct answer){ .ip = { "192.0.2.7" }, .ttl = 60 };
	wait_for(is_settled);
	assert_list(&names[0], "192.0.2.7");
	assert_null(names[0].error);
}

static void more_addresses_than_are_kept(void **state)
{
	struct answer a = { .ttl = 60 };

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		a.last[i] = (unsigned char)(200 - i);
	begin(&a);
	wait_for(is_settled);
	assert_int_equal(names[0].count, RESOLVE_FAMILY_MAX);
	assert_int_equal(names[0].list[0].ip[15], 161); /* the lowest, whatever their order */
	assert_int_equal(names[0].list[31].ip[15], 192);
}

static void garbled_answers_do_no_harm(void **state)
{
	(void)state;
	garble_seed = 1;
	begin(&(struct answer){
		.ip = { "192.0.2.1", "192.0.2.2", "2001:db8::1" }, .cname_ttl = 1, .ttl = 0 });
	wait_for(is_settled);
	script[0].is_garbled = true;
	wait_for(was_asked_often);
	questions = 0;
	wait_for(was_asked_often);
	assert_true(names[0].count > 0 && names[0].count <= RESOLVE_ADDRESS_MAX);
	script[0] = (struct answer){ .ip = { "192.0.2.3" } };
	wait_for(is_healed);
	assert_list(&names[0], "192.0.2.3");
}

static bool all_are_known(void)
{
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (names[i].count == 0)
			return false;
	return true;
}

static void many_names(void **state)
{
	char host[32];

	(void)state;
	script[0] = (struct answer){ .ip = { "192.0.2.1" }, .ttl = 60 };
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(host, sizeof host, "app%zu.test", i);
		add(host, &names[i]);
	}
	resolver_start(resolver);
	wait_for(all_are_known);
	assert_int_equal(events[RESOLVE_CHANGED], COUNT_OF(names));
}

static bool all_have_failed(void)
{
	return events[RESOLVE_FAILED] >= COUNT_OF(names);
}

static void many_names_and_no_way_to_the_server(void **state)
{
	char host[32];

	/* Each question fails at once, in the middle of asking: nothing may grow with the number of names. */
	(void)state;
	loop_remove(loop, &server, true);
	close(server.fd);
	server.fd = -1;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(host, sizeof host, "app%zu.test", i);
		add(host, &names[i]);
	}
	resolver_start(resolver);
	wait_for(all_have_failed);
	assert_int_equal(names[0].count, 0);
}

static void names_that_are_none(void **state)
{
	static unsigned char mem[254];

	(void)state;
	memset(mem, 'a', sizeof mem);
	assert_int_equal(resolver_add(resolver, BYTES(""), &names[0]), ERR_SYNTAX);
	assert_int_equal(resolver_add(resolver, BYTES("a\0b"), &names[0]), ERR_SYNTAX);
	assert_int_equal(resolver_add(resolver, bytes_of(mem, sizeof mem), &names[0]), ERR_SYNTAX);
	assert_int_equal(resolver_add(resolver, bytes_of(mem, sizeof mem - 1), &names[0]), OK);
}

static void localhost_is_never_asked_for(void **state)
{
	(void)state;
	add("localhost", &names[0]);
	add("app.localhost", &names[1]);
	resolver_start(resolver);
	for (int i = 0; i < 2; i++)
		if (!names[i].is_fixed || !names[i].is_answered || names[i].count == 0)
			fail_msg("%s: %zu addresses", names[i].host, names[i].count);
	assert_int_equal(names[0].list[0].ip[12], 127);
	assert_int_equal(questions, 0);
}

/* The server stays outside; the child asks from inside of the dialer's jail, and may open no file after all. */
static void works_in_the_dialers_jail(void **state)
{
	static const int *const lists[] = { jail_dialer, NULL };
	static unsigned char mem[256];
	int status = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		struct jail jail = { .syscalls = lists, .may_connect = true };
		struct text report;

		loop_free(&loop); /* the parent's epoll instance is shared with it: have one of our own */
		loop = loop_new();
		resolver_free(&resolver);
		struct resolver_conf c = { .loop = loop,
			.servers = &server_address,
			.server_count = 1,
			.ttl_least_ms = 16,
			.ttl_most_ms = 1000,
			.retry_least_ms = 16,
			.retry_most_ms = 64,
			.timeout_ms = 1000,
			.tries = 3,
			.on_event = on_event };
		const char *why;
		if (resolver_new(&c, &resolver, &why) != OK ||
			resolver_add(resolver, BYTES("app.test"), &names[0]) != OK)
			_exit(1);
		text_init(&report, mem, sizeof mem);
		if (jail_apply(&jail, &report) != OK)
			_exit(2);
		resolver_start(resolver);
		wait_for(has_changed_twice);
		syscall(SYS_openat, AT_FDCWD, "/etc/hosts", O_RDONLY, 0);
		_exit(3);
	}
	script[0] = (struct answer){ .ip = { "192.0.2.1" }, .ttl = 0 };
	script[1] = (struct answer){ .ip = { "192.0.2.2" }, .ttl = 0 };
	turns = 6;
	while (waitpid(pid, &status, WNOHANG) != pid) {
		struct pollfd p = { server.fd, POLLIN, 0 };

		if (poll(&p, 1, 10) == 1)
			on_question(&server, EPOLLIN);
	}
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	assert_true(questions >= 6);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_families_in_order),
		TEST(asked_again_and_turned_round_is_no_change),
		TEST(a_short_alias_counts),
		TEST(a_family_goes),
		TEST(the_last_addresses_stay),
		TEST(unknown_then_known),
		TEST(more_addresses_than_are_kept),
		TEST(garbled_answers_do_no_harm),
		TEST(many_names),
		TEST(many_names_and_no_way_to_the_server),
		TEST(names_that_are_none),
		TEST(localhost_is_never_asked_for),
		TEST(works_in_the_dialers_jail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
