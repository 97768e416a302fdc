/* Deliveries against small servers in threads: order, nothing lost over failures and restarts, the forms on the wire. Time is the test's:
 * where a destination rests, the clock is put forward. */
#define _GNU_SOURCE
#include "alert/deliver.h"

#include "base/clock.h"
#include "base/fd.h"
#include "crypto/hmac.h"

#include <setjmp.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define REAL_US 1700000000000000u
#define SECRET	"the key of signatures"
#define LOTS	200u

/* --- a server: one thread, one connection after the other --- */

enum server_kind { SERVER_UDP, SERVER_TCP, SERVER_HTTP };
struct server {
	enum server_kind kind;
	int fd, end[2]; /* end: closed by the test when it is over */
	unsigned port, fail_first; /* HTTP: so many answers 500 before the first 200; TCP: connections closed after one message */
	bool resets;		   /* TCP: those close without reading what is left */
	pthread_t thread;
	pthread_mutex_t lock; /* of what is below */
	struct text got;      /* one message a line */
	size_t count, refused, bad;
};

static void keep(struct server *s, struct bytes message)
{
	pthread_mutex_lock(&s->lock);
	text_add(&s->got, message);
	text_byte(&s->got, '\n');
	s->count++;
	pthread_mutex_unlock(&s->lock);
}

static void count_bad(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->bad++;
	pthread_mutex_unlock(&s->lock);
}

/* Waits for octets or the end; 0: the end, or the peer closed. */
static size_t take(const struct server *s, int fd, void *at, size_t most)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = s->end[0], .events = POLLIN } };
	ssize_t n;

	if (poll(p, 2, -1) < 0 || p[1].revents)
		return 0;
	n = recv(fd, at, most, 0);
	return n > 0 ? (size_t)n : 0;
}

/* Octet counting (RFC 6587 3.4.1): all whole messages of the buffer; what is left stays. */
static void take_frames(struct server *s, struct text *t)
{
	for (;;) {
		struct bytes b = text_bytes(t);
		size_t space = bytes_find_byte(b, ' ');
		uint64_t n;

		if (space == SIZE_MAX)
			return;
		if (bytes_u64(bytes_cut(b, 0, space), &n) != OK) {
			count_bad(s);
			return;
		}
		if (b.len - space - 1 < n)
			return;
		keep(s, bytes_cut(b, space + 1, space + 1 + n));
		memmove(t->at, t->at + space + 1 + n, b.len - space - 1 - n);
		t->len = b.len - space - 1 - n;
	}
}

static void serve_tcp(struct server *s, int fd)
{
	unsigned char room[4096];
	struct text t;
	size_t n, before = s->count;

	text_init_growing(&t, 1 << 20);
	while ((n = take(s, fd, room, sizeof(room)))) {
		text_add(&t, bytes_of(room, n));
		take_frames(s, &t);
		if (s->fail_first && s->count > before) {
			s->fail_first--;
			break;
		}
	}
	text_fini(&t);
}

static bool check_signature(struct bytes head, struct bytes body)
{
	size_t at = bytes_find(head, BYTES("Sluis-Signature: t=1700000000,v1="));
	unsigned char sum[SHA256_LEN], got[SHA256_LEN];
	struct text t;

	if (at == SIZE_MAX || hex_read(bytes_cut(head, at + 33, at + 33 + 64), got, sizeof(got)) != OK)
		return false;
	text_init_growing(&t, 1 << 20);
	text_lit(&t, "1700000000.");
	text_add(&t, body);
	hmac_sha256(BYTES(SECRET), text_bytes(&t), sum);
	text_fini(&t);
	return memcmp(sum, got, sizeof(sum)) == 0;
}

/* One request; false: the connection is over. */
static bool serve_request(struct server *s, int fd, struct text *t)
{
	unsigned char room[4096];
	size_t n, head = SIZE_MAX, at;
	uint64_t length = 0;

	t->len = 0;
	while ((head = bytes_find(text_bytes(t), BYTES("\r\n\r\n"))) == SIZE_MAX || t->len < head + 4 + length) {
		if (head != SIZE_MAX && (at = bytes_find(text_bytes(t), BYTES("Content-Length: "))) != SIZE_MAX) {
			struct bytes rest = bytes_cut(text_bytes(t), at + 16, t->len);

			if (bytes_u64(bytes_cut(rest, 0, bytes_find_byte(rest, '\r')), &length) == OK && t->len >= head + 4 + length)
				break;
		}
		n = take(s, fd, room, sizeof(room));
		if (!n)
			return false;
		text_add(t, bytes_of(room, n));
	}
	if (s->fail_first) {
		s->fail_first--;
		pthread_mutex_lock(&s->lock);
		s->refused++;
		pthread_mutex_unlock(&s->lock);
		return send(fd, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", 42, MSG_NOSIGNAL) > 0;
	}
	if (!check_signature(bytes_cut(text_bytes(t), 0, head), bytes_cut(text_bytes(t), head + 4, t->len)))
		count_bad(s);
	keep(s, bytes_cut(text_bytes(t), head + 4, t->len));
	return send(fd, "HTTP/1.1 204 Thanks\r\n\r\n", 23, MSG_NOSIGNAL) > 0;
}

static void *serve(void *ctx)
{
	struct server *s = ctx;
	struct pollfd p[2] = { { .fd = s->fd, .events = POLLIN }, { .fd = s->end[0], .events = POLLIN } };
	unsigned char room[ALERT_SYSLOG_MAX + 1];
	struct text t;

	text_init_growing(&t, 1 << 20);
	while (poll(p, 2, -1) > 0 && !p[1].revents) {
		int fd;
		ssize_t n;

		if (s->kind == SERVER_UDP) {
			n = recv(s->fd, room, sizeof(room), 0);
			if (n > 0)
				keep(s, bytes_of(room, (size_t)n));
			continue;
		}
		fd = accept(s->fd, NULL, NULL);
		if (s->kind == SERVER_TCP)
			serve_tcp(s, fd);
		else
			while (serve_request(s, fd, &t))
				;
		close(fd);
	}
	text_fini(&t);
	return NULL;
}

static struct server *start_on(enum server_kind kind, unsigned fail_first, unsigned port)
{
	struct server *s = calloc(1, sizeof(*s));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons((uint16_t)port) };
	socklen_t len = sizeof(a);
	int on = 1;

	assert_non_null(s);
	s->kind = kind;
	s->fail_first = fail_first;
	text_init_growing(&s->got, 16 << 20);
	pthread_mutex_init(&s->lock, NULL);
	s->fd = socket(AF_INET, (kind == SERVER_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_true(kind == SERVER_UDP || listen(s->fd, 8) == 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	assert_int_equal(pipe2(s->end, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return s;
}

static struct server *start(enum server_kind kind, unsigned fail_first)
{
	return start_on(kind, fail_first, 0);
}

static void stop(struct server **s)
{
	close((*s)->end[1]);
	pthread_join((*s)->thread, NULL);
	close((*s)->end[0]);
	close((*s)->fd);
	text_fini(&(*s)->got);
	free(*s);
	*s = NULL;
}

/* --- the journal and the deliveries of a test --- */

struct place {
	char path[64];
	int fd;
	struct journal *journal;
	struct deliver *d;
	uint64_t ahead_ms; /* how far the test's clock is put forward */
	unsigned next;
	size_t failing, working, problems;
	char error[300];
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	const struct journal_options o = { 0 };
	uint64_t torn;

	assert_non_null(p);
	snprintf(p->path, sizeof(p->path), "/tmp/sluis-deliver-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	assert_int_equal(journal_folder(p->path, &p->fd), OK);
	assert_int_equal(journal_open(p->fd, &o, &p->journal, &torn), OK);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	DIR *d = opendir(p->path);
	const struct dirent *e;

	deliver_free(&p->d);
	journal_close(&p->journal);
	while (d && (e = readdir(d)))
		unlinkat(p->fd, e->d_name, 0);
	closedir(d);
	close(p->fd);
	assert_int_equal(rmdir(p->path), 0);
	free(p);
	return 0;
}

static void on_state(void *ctx, const char *name, bool is_failing, const char *error)
{
	struct place *p = ctx;

	(void)name;
	*(is_failing ? &p->failing : &p->working) += 1;
	if (is_failing)
		snprintf(p->error, sizeof(p->error), "%s", error);
}

static void on_problem(void *ctx, const char *name, const char *what)
{
	(void)name;
	(void)what;
	((struct place *)ctx)->problems++;
}

/* Alerts number p->next and on: their id ends with it. */
static void add(struct place *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char line[300];

		snprintf(line, sizeof(line), "{\"event.id\":\"%032x\",\"sluis.alert\":\"first\",\"sluis.class\":\"probe\",\"rule.name\":\"t\",\"observer.hostname\":\"h\"}\n", p->next++);
		assert_int_equal(journal_append(p->journal, bytes_str(line)), OK);
	}
	assert_int_equal(journal_sync(p->journal), OK);
}

static struct deliver_to to_of(const char *name, const char *fmt, unsigned port)
{
	struct deliver_to to;
	char url[200], error[DELIVER_ERROR_MAX] = "";

	snprintf(url, sizeof(url), "%s", fmt);
	if (strstr(fmt, "PORT"))
		snprintf(url, sizeof(url), "%.*s%u%s", (int)(strstr(fmt, "PORT") - fmt), fmt, port, strstr(fmt, "PORT") + 4);
	assert_int_equal(deliver_to_parse(name, url, &to, error), OK);
	if (to.kind == DELIVER_WEBHOOK) {
		memcpy(to.secret, SECRET, sizeof(SECRET) - 1);
		to.secret_len = sizeof(SECRET) - 1;
	}
	assert_int_equal(deliver_to_check(&to, error), OK);
	return to;
}

static void begin(struct place *p, const struct deliver_to *tos, size_t n)
{
	const struct deliver_options o = { "h", on_state, on_problem, p };
	char error[DELIVER_ERROR_MAX];

	assert_int_equal(deliver_new(p->fd, tos, n, &o, &p->d, error), OK);
}

/* Until it holds. The clock runs fast, so that rests between tries are short. */
#define UNTIL(p, condition)                                                                       \
	do {                                                                                      \
		uint64_t until_ = clock_mono_us() + 60 * 1000000u;                               \
		while (!(condition)) {                                                           \
			unsigned ms_ = deliver_step((p)->d, clock_mono_us() / 1000 + (p)->ahead_ms, REAL_US); \
			if ((p)->failing > (p)->working)                                         \
				(p)->ahead_ms += 100;                                            \
			deliver_wait((p)->d, -1, ms_ < 5 ? ms_ : 5);                             \
			if (clock_mono_us() > until_)                                            \
				fail_msg("waited a minute for " #condition);                     \
		}                                                                                 \
	} while (0)

static bool has(struct server *s, size_t n)
{
	bool yes;

	pthread_mutex_lock(&s->lock);
	yes = s->count >= n;
	pthread_mutex_unlock(&s->lock);
	return yes;
}

/* The alerts from..to each once or more, in order. */
static void assert_order(struct bytes got, unsigned from, unsigned to)
{
	unsigned next = from;

	while (got.len) {
		size_t at = bytes_find(got, BYTES("\"event.id\":\""));
		char id[33] = "";
		unsigned n;

		if (at == SIZE_MAX)
			break;
		memcpy(id, got.at + at + 12, 32);
		n = (unsigned)strtoul(id, NULL, 16);
		assert_true(n == next || (n + 1 == next && next > from)); /* a repeat is allowed, a gap is not */
		next = n + 1;
		got = bytes_cut(got, at + 44, got.len);
	}
	assert_int_equal(next, to);
}

/* --- tests --- */

static void test_parse(void **state)
{
	static const struct {
		const char *why, *url, *says;
		enum deliver_kind kind;
	} cases[] = {
		{ "a file", "file:/var/log/alerts.jsonl", NULL, DELIVER_FILE },
		{ "a file with slashes", "file:///var/log/alerts.jsonl", NULL, DELIVER_FILE },
		{ "a relative file", "file:alerts", "file:/PATH", 0 },
		{ "udp", "syslog+udp://logs.example.org", NULL, DELIVER_SYSLOG_UDP },
		{ "tcp", "syslog+tcp://192.0.2.1:601", NULL, DELIVER_SYSLOG_TCP },
		{ "tls on v6", "SYSLOG+TLS://[2001:db8::1]:6514/", NULL, DELIVER_SYSLOG_TLS },
		{ "a path that means nothing", "syslog+tcp://192.0.2.1/x", "write syslog+tcp://HOST", 0 },
		{ "https", "https://example.org/hook?a=b", NULL, DELIVER_WEBHOOK },
		{ "plain http", "http://example.org/hook", "https://", 0 },
		{ "plain http to a name that says loopback", "http://127.0.0.1.example.org/", "https://", 0 },
		{ "plain http here", "http://127.0.0.1:8000/hook", NULL, DELIVER_WEBHOOK },
		{ "plain http here, v6", "http://[::1]:8000/hook", NULL, DELIVER_WEBHOOK },
		{ "a password in a URL", "https://me:secret@example.org/", "password", 0 },
		{ "smtp", "smtp://mail.example.org:587", NULL, DELIVER_MAIL },
		{ "smtps", "smtps://mail.example.org", NULL, DELIVER_MAIL },
		{ "another scheme", "ftp://example.org", "write file:/PATH", 0 },
		{ "no host", "https://", "write", 0 },
		{ "nothing", "", "write file:/PATH", 0 },
	};
	char error[DELIVER_ERROR_MAX];
	struct deliver_to to;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		enum err e = deliver_to_parse("d", cases[i].url, &to, error);

		if (e != (cases[i].says ? ERR_SYNTAX : OK) || (cases[i].says && !strstr(error, cases[i].says)) || (!cases[i].says && to.kind != cases[i].kind))
			fail_msg("%s: %s", cases[i].why, e == OK ? "taken" : error);
	}
	assert_int_equal(deliver_to_parse("a/b", "file:/x", &to, error), ERR_SYNTAX);
	assert_int_equal(deliver_to_parse("m", "smtp://mail.example.org", &to, error), OK);
	assert_int_equal(deliver_to_check(&to, error), ERR_SYNTAX);
	snprintf(to.from, sizeof(to.from), "a@example.org");
	snprintf(to.to, sizeof(to.to), "b@example.org");
	assert_int_equal(deliver_to_check(&to, error), OK);
	snprintf(to.to, sizeof(to.to), "b@example.org\r\nDATA");
	assert_int_equal(deliver_to_check(&to, error), ERR_SYNTAX);
	snprintf(to.to, sizeof(to.to), "b@example.org");
	snprintf(to.user, sizeof(to.user), "me");
	assert_int_equal(deliver_to_check(&to, error), ERR_SYNTAX);
}

static void test_file(void **state)
{
	struct place *p = *state;
	char url[100], path[90];
	struct deliver_to to;
	struct text got;

	snprintf(path, sizeof(path), "%s/out.jsonl", p->path);
	snprintf(url, sizeof(url), "file:%s", path);
	to = to_of("out", url, 0);
	add(p, LOTS);
	assert_int_equal(journal_append(p->journal, BYTES("no alert\n")), OK);
	begin(p, &to, 1);
	UNTIL(p, deliver_done(p->d) == 1);
	add(p, 3);
	assert_int_equal(deliver_done(p->d), 0);
	UNTIL(p, deliver_done(p->d) == 1);
	assert_int_equal(p->problems, 1);
	assert_int_equal(p->failing, 0);
	text_init_growing(&got, 1 << 20);
	assert_int_equal(file_read(path, &got), OK);
	assert_order(text_bytes(&got), 0, LOTS + 3);
	text_fini(&got);
}

static void test_udp(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_UDP, 0);
	const struct deliver_to to = to_of("udp", "syslog+udp://127.0.0.1:PORT", s->port);

	add(p, 20);
	begin(p, &to, 1);
	UNTIL(p, has(s, 20));
	assert_order(text_bytes(&s->got), 0, 20);
	assert_true(bytes_starts(text_bytes(&s->got), BYTES("<83>1 - h sluis - ALERT - {")));
	UNTIL(p, deliver_done(p->d) == 1);
	stop(&s);
}

static void test_tcp_one_connection(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_TCP, 0);
	const struct deliver_to to = to_of("tcp", "syslog+tcp://127.0.0.1:PORT", s->port);

	add(p, LOTS);
	begin(p, &to, 1);
	UNTIL(p, has(s, LOTS));
	UNTIL(p, deliver_done(p->d) == 1);
	add(p, 1);
	UNTIL(p, has(s, LOTS + 1));
	assert_int_equal(s->count, LOTS + 1);
	assert_int_equal(s->bad, 0);
	assert_int_equal(p->failing, 0);
	assert_order(text_bytes(&s->got), 0, LOTS + 1);
	stop(&s);
}

/* A receiver that closes its connection is seen before the next alert goes. */
static void test_tcp_closes_between_alerts(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_TCP, 3);
	const struct deliver_to to = to_of("tcp", "syslog+tcp://127.0.0.1:PORT", s->port);

	begin(p, &to, 1);
	for (unsigned i = 1; i <= 6; i++) {
		add(p, 1);
		UNTIL(p, has(s, i) && deliver_done(p->d) == 1);
		if (i <= 3) {
			struct timespec rest = { 0, 50000000 }; /* for its close, which nothing here can await */

			nanosleep(&rest, NULL);
		}
	}
	assert_order(text_bytes(&s->got), 0, 6);
	stop(&s);
}

static void test_tcp_nobody_there(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_TCP, 0);
	unsigned port = s->port;
	const struct deliver_to to = to_of("tcp", "syslog+tcp://127.0.0.1:PORT", port);

	stop(&s);
	add(p, 5);
	begin(p, &to, 1);
	UNTIL(p, p->failing == 1);
	assert_int_equal(deliver_failing(p->d), 1);
	assert_true(p->error[0] != 0);
	s = start_on(SERVER_TCP, 0, port);
	UNTIL(p, has(s, 5) && deliver_done(p->d) == 1);
	assert_int_equal(p->failing, 1);
	assert_int_equal(p->working, 1);
	assert_order(text_bytes(&s->got), 0, 5);
	stop(&s);
}

static void test_webhook_fails_twice(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_HTTP, 2);
	const struct deliver_to to = to_of("hook", "http://127.0.0.1:PORT/alerts", s->port);

	add(p, 30);
	begin(p, &to, 1);
	UNTIL(p, has(s, 30) && deliver_done(p->d) == 1);
	assert_int_equal(s->refused, 2);
	assert_int_equal(s->count, 30);
	assert_int_equal(s->bad, 0); /* signatures */
	assert_int_equal(p->failing, 1);
	assert_int_equal(p->working, 1);
	assert_string_equal(p->error, "the server answered with status 503");
	assert_order(text_bytes(&s->got), 0, 30);
	stop(&s);
}

/* Broken off in the middle, as often as it goes: each new start goes on where the last ended. */
static void test_restarts_lose_nothing(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_HTTP, 1);
	const struct deliver_to to = to_of("hook", "http://127.0.0.1:PORT/alerts", s->port);

	for (unsigned i = 1; i <= 8; i++) {
		begin(p, &to, 1);
		add(p, 10);
		UNTIL(p, has(s, i * 5));
		deliver_free(&p->d);
		p->failing = p->working = 0;
	}
	begin(p, &to, 1);
	UNTIL(p, deliver_done(p->d) == 1);
	assert_order(text_bytes(&s->got), 0, 80);
	stop(&s);
}

/* One that fails does not hold up another; one that is added later begins with what is next. */
static void test_destinations_are_apart(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_TCP, 0), *gone = start(SERVER_TCP, 0);
	struct deliver_to tos[3] = { to_of("gone", "syslog+tcp://127.0.0.1:PORT", gone->port), to_of("tcp", "syslog+tcp://127.0.0.1:PORT", s->port) };
	char url[100], path[90], error[DELIVER_ERROR_MAX];
	const struct deliver_options o = { "h", NULL, NULL, NULL };
	struct text got;

	stop(&gone);
	add(p, 10);
	begin(p, tos, 2);
	UNTIL(p, has(s, 10) && p->failing == 1);
	deliver_free(&p->d);
	snprintf(path, sizeof(path), "%s/out.jsonl", p->path);
	snprintf(url, sizeof(url), "file:%s", path);
	tos[2] = to_of("late", url, 0);
	begin(p, tos, 3);
	add(p, 2);
	UNTIL(p, deliver_done(p->d) == 2);
	text_init_growing(&got, 1 << 20);
	assert_int_equal(file_read(path, &got), OK);
	assert_order(text_bytes(&got), 10, 12);
	text_fini(&got);
	deliver_free(&p->d);
	tos[2] = tos[1];
	assert_int_equal(deliver_new(p->fd, tos, 3, &o, &p->d, error), ERR_SYNTAX);
	assert_non_null(strstr(error, "tcp"));
	stop(&s);
}

static void test_retries_grow(void **state)
{
	struct place *p = *state;
	struct server *s = start(SERVER_HTTP, 1000);
	const struct deliver_to to = to_of("hook", "http://127.0.0.1:PORT/", s->port);
	uint64_t now = 1000, until;

	add(p, 1);
	begin(p, &to, 1);
	/* Ten minutes of its clock, in steps of 400 ms that wait for what is under way. */
	for (until = clock_mono_us() + 60 * 1000000u; now < 600000 && clock_mono_us() < until; now += 400) {
		deliver_step(p->d, now, REAL_US);
		deliver_wait(p->d, -1, 1);
		deliver_step(p->d, now, REAL_US);
	}
	assert_in_range(s->refused, 6, 12); /* 1 2 4 8 16 32 64 128 256 seconds apart */
	assert_int_equal(p->failing, 1);
	stop(&s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		CASE(test_file),
		CASE(test_udp),
		CASE(test_tcp_one_connection),
		CASE(test_tcp_closes_between_alerts),
		CASE(test_tcp_nobody_there),
		CASE(test_webhook_fails_twice),
		CASE(test_restarts_lose_nothing),
		CASE(test_destinations_are_apart),
		CASE(test_retries_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
