/* The client of the proxy benchmark: keeps N connections busy with the requests of a file, over HTTP/1.1
 * or TLS 1.3, on kept connections, or on a new one for each request (full or resumed handshakes), or
 * opens connections, makes one request on each and leaves them idle. Or it makes so many requests a
 * second, whether or not those before are answered; the time of each is from when it was due.
 *
 * It warms up, prints READY, waits for a line, measures, finishes what is under way, prints one line of
 * JSON, and keeps its connections until its input ends: so the caller can read the proxy's CPU time and
 * memory at exactly these moments, and the requests counted are the requests the proxy served. */
#define _GNU_SOURCE 1
#include "bench/common.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { EVENTS = 256, HEAD = 8192, READ = 262144, ERRORS_MAX = 1000, OPENING = 64, SOURCES = 8 };
enum mode { MODE_KEEP, MODE_NEW, MODE_RESUME, MODE_IDLE };
enum state { STATE_CLOSED, STATE_CONNECT, STATE_HANDSHAKE, STATE_SEND, STATE_READ, STATE_IDLE };

struct request {
	const char *at;
	size_t len;
};
struct conn {
	int fd;
	enum state state;
	SSL *ssl;
	SSL_SESSION *session;
	const struct request *req;
	uint64_t start, left;
	size_t sent, have;
	bool in_body, is_reusable;
	char *head;
};

/* Microseconds in 64 steps per power of two: two figures that can be told apart differ by 1.6 %. */
enum { STEPS = 64, POWERS = 34 };
static uint64_t histogram[POWERS * STEPS];

static struct {
	uint16_t port;
	unsigned long conns, seconds_ms, count;
	enum mode mode;
	uint64_t every_ns; /* 0: as fast as answers come */
	bool tls, any_status;
} opt = { .conns = 64, .seconds_ms = 3000 };

static struct {
	uint64_t requests, refused, errors, bytes, handshakes, resumed, ns;
} stat_;

static SSL_CTX *tls;
static int epoll;
static struct conn *conns;
static struct request *requests;
static size_t request_count, request_next, busy, opened, next_idle;
static uint64_t deadline, begun;
static bool is_stopping;
static char buffer[READ];

static void record(uint64_t ns)
{
	uint64_t us = ns / 1000;
	unsigned power = 0;

	while (us >> power >= 2 * STEPS)
		power++;
	if (power >= POWERS - 1)
		power = POWERS - 2;
	histogram[power == 0 && us < STEPS ? us : (power + 1) * STEPS + ((us >> power) & (STEPS - 1))]++;
}

static double percentile_ms(double share)
{
	uint64_t total = 0, sum = 0;

	for (size_t i = 0; i < POWERS * STEPS; i++)
		total += histogram[i];
	for (size_t i = 0; i < POWERS * STEPS; i++) {
		sum += histogram[i];
		if (total && (double)sum >= share * (double)total) {
			uint64_t us = i < STEPS ? i : (uint64_t)(STEPS + i % STEPS) << (i / STEPS - 1);

			return (double)us / 1000;
		}
	}
	return 0;
}

static void requests_read(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text, *at, *end;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) <= 0 || fseek(f, 0, SEEK_SET))
		quit(path);
	text = malloc((size_t)size);
	if (!text || fread(text, 1, (size_t)size, f) != (size_t)size)
		quit(path);
	fclose(f);
	requests = calloc((size_t)size / 4 + 1, sizeof(*requests));
	if (!requests)
		quit("memory");
	for (at = text; (end = memmem(at, (size_t)(text + size - at), "\r\n\r\n", 4)); at += requests[request_count++].len) {
		static const char name[] = "\r\nContent-Length:"; /* as written by those who write the files */
		const char *field = memmem(at, (size_t)(end - at), name, sizeof(name) - 1);
		unsigned long body = field ? strtoul(field + sizeof(name) - 1, NULL, 10) : 0;

		if (body > (size_t)(text + size - end - 4))
			break;
		requests[request_count] = (struct request){ at, (size_t)(end + 4 - at) + body };
	}
	if (!request_count || at != text + size) {
		errno = EINVAL;
		quit(path);
	}
}

static void conn_close(struct conn *c)
{
	if (c->ssl) {
		if (c->state == STATE_READ || c->state == STATE_IDLE)
			SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
		c->ssl = NULL;
	}
	ERR_clear_error();
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->state = STATE_CLOSED;
}

static void conn_open(struct conn *c)
{
	struct sockaddr_in to = loopback(INADDR_LOOPBACK, opt.port);
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		quit("socket");
	no_delay(c->fd);
	if (opt.mode != MODE_KEEP) { /* more addresses, so that closed connections do not use up the ports */
		struct sockaddr_in from = loopback(INADDR_LOOPBACK + (uint32_t)(opened++ % SOURCES), 0);

		(void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)))
			quit("bind");
	}
	c->state = STATE_CONNECT;
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		quit("connect");
	if (opt.tls) {
		c->ssl = SSL_new(tls);
		if (!c->ssl || !SSL_set_fd(c->ssl, c->fd) ||
			!SSL_set_tlsext_host_name(c->ssl, "bench.example"))
			quit("SSL_new");
		SSL_set_app_data(c->ssl, c);
		if (opt.mode == MODE_RESUME && c->session)
			SSL_set_session(c->ssl, c->session);
	}
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e))
		quit("epoll_ctl");
}

static int on_session(SSL *ssl, SSL_SESSION *s)
{
	struct conn *c = SSL_get_app_data(ssl);

	if (opt.mode != MODE_RESUME)
		return 0;
	SSL_SESSION_free(c->session);
	c->session = s;
	return 1; /* kept */
}

static void conn_fail(struct conn *c, const char *what)
{
	if (stat_.errors++ < 5)
		fprintf(stderr, "bench_load: %s (state %d, %zu bytes of head, %s)\n", what, (int)c->state,
			c->have, strerror(errno));
	if (stat_.errors > ERRORS_MAX) {
		errno = 0;
		quit("too many errors");
	}
	conn_close(c);
	busy--;
}

/* Bytes moved, 0 when the call would wait, -1 on error or end. */
static ssize_t conn_recv(struct conn *c)
{
	ssize_t n;

	if (c->ssl) {
		int r = SSL_read(c->ssl, buffer, READ), e;

		if (r > 0)
			return r;
		e = SSL_get_error(c->ssl, r);
		return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	n = recv(c->fd, buffer, READ, 0);
	if (n > 0)
		return n;
	return n < 0 && errno == EAGAIN ? 0 : -1;
}

static ssize_t conn_send(struct conn *c)
{
	const char *at = c->req->at + c->sent;
	size_t len = c->req->len - c->sent;
	ssize_t n;

	if (c->ssl) {
		int r = SSL_write(c->ssl, at, (int)len), e;

		if (r > 0)
			return r;
		e = SSL_get_error(c->ssl, r);
		return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	n = send(c->fd, at, len, MSG_NOSIGNAL);
	return n < 0 && errno == EAGAIN ? 0 : n;
}

/* Takes n bytes of buffer as part of the answer: 1 the answer is complete, 0 more to come, -1 not an answer. */
static int answer_take(struct conn *c, size_t n)
{
	size_t body = n, take;
	char *end, *field;

	if (!c->in_body) {
		size_t before = c->have;

		take = HEAD - 1 - c->have < n ? HEAD - 1 - c->have : n;
		memcpy(c->head + c->have, buffer, take);
		c->have += take;
		c->head[c->have] = 0;
		end = memmem(c->head, c->have, "\r\n\r\n", 4);
		if (!end)
			return c->have == HEAD - 1 ? -1 : 0;
		*end = 0;
		field = strcasestr(c->head, "\r\ncontent-length:");
		if (strncmp(c->head, opt.any_status ? "HTTP/1.1 " : "HTTP/1.1 200", opt.any_status ? 9 : 12) != 0 || !field)
			return -1;
		if (c->head[9] >= '4')
			stat_.refused++;
		c->left = strtoull(field + 17, NULL, 10);
		c->is_reusable = !strcasestr(c->head, "\r\nconnection: close");
		c->in_body = true;
		body = n - ((size_t)(end + 4 - c->head) - before);
	}
	if (body > c->left)
		return -1;
	c->left -= body;
	stat_.bytes += body;
	return c->left == 0;
}

static void request_start(struct conn *c, uint64_t due)
{
	busy++;
	c->req = &requests[request_next++ % request_count];
	c->sent = c->have = 0;
	c->in_body = false;
	c->start = due;
	if (c->state == STATE_CLOSED)
		conn_open(c);
	else
		c->state = STATE_SEND;
}

static void answer_done(struct conn *c)
{
	uint64_t now = now_ns();

	record(now - c->start);
	stat_.requests++;
	busy--;
	if (opt.mode == MODE_NEW || opt.mode == MODE_RESUME || !c->is_reusable)
		conn_close(c);
	else
		c->state = STATE_IDLE;
	if (now >= deadline || (opt.count && stat_.requests + busy >= opt.count))
		is_stopping = true;
}

static void conn_go(struct conn *c, uint32_t events);

/* The next request of this connection, or of the next connection when these stay idle. */
static void conn_next(struct conn *c)
{
	if (is_stopping || opt.every_ns)
		return;
	if (opt.mode == MODE_IDLE) {
		if (next_idle >= opt.conns)
			return;
		c = &conns[next_idle++];
	}
	request_start(c, now_ns());
	if (c->state == STATE_SEND)
		conn_go(c, 0);
}

/* Starts what is due while there are connections for it; the time of the next one that is. What finds no connection waits for one, and is late. */
static uint64_t pace(uint64_t due, uint64_t now)
{
	for (size_t i = 0; i < opt.conns && due < deadline && now >= due; i++) {
		struct conn *c = &conns[i];

		if (c->state != STATE_CLOSED && c->state != STATE_IDLE)
			continue;
		request_start(c, due);
		due += opt.every_ns;
		if (c->state == STATE_SEND)
			conn_go(c, 0);
	}
	return due;
}

static int wait_for_events(struct epoll_event *events, uint64_t until)
{
	uint64_t now = now_ns(), most = 1000000000u, ns = until > now ? until - now : 0;
	struct timespec t = { .tv_nsec = (long)(ns < most ? ns : most - 1) };

	return epoll_pwait2(epoll, events, EVENTS, &t, NULL);
}

static bool handshake(struct conn *c)
{
	int r = SSL_connect(c->ssl), e;

	if (r != 1) {
		e = SSL_get_error(c->ssl, r);
		if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) {
			conn_fail(c, "handshake");
			conn_next(c);
		}
		return false;
	}
	stat_.handshakes++;
	stat_.resumed += SSL_session_reused(c->ssl) ? 1 : 0;
	return true;
}

static void conn_go(struct conn *c, uint32_t events)
{
	ssize_t n;
	int done;

	if (c->state == STATE_CONNECT) {
		if (events & (EPOLLERR | EPOLLHUP)) {
			conn_fail(c, "connect");
			conn_next(c);
			return;
		}
		if (!(events & EPOLLOUT))
			return;
		c->state = c->ssl ? STATE_HANDSHAKE : STATE_SEND;
	}
	if (c->state == STATE_HANDSHAKE) {
		if (!handshake(c))
			return;
		c->state = STATE_SEND;
	}
	while (c->state == STATE_SEND) {
		n = conn_send(c);
		if (n == 0)
			return;
		if (n < 0) {
			conn_fail(c, "send");
			conn_next(c);
			return;
		}
		c->sent += (size_t)n;
		if (c->sent == c->req->len) {
			c->state = STATE_READ;
			if (!c->ssl)
				return; /* the answer comes with an edge of its own */
		}
	}
	while (c->state == STATE_READ) {
		n = conn_recv(c);
		if (n == 0)
			return;
		done = n < 0 ? -1 : answer_take(c, (size_t)n);
		if (done < 0) {
			conn_fail(c, n < 0 ? "connection ended" : "not the answer that was asked for");
			conn_next(c);
			return;
		}
		if (done) {
			answer_done(c);
			conn_next(c);
			return;
		}
	}
	if (c->state == STATE_IDLE && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
		conn_close(c);
}

/* Runs for that long (or until the count is reached), and ends when nothing is under way. */
static void phase(uint64_t ms)
{
	struct epoll_event events[EVENTS];
	size_t first = opt.every_ns ? 0 : opt.mode == MODE_IDLE && opt.conns > OPENING ? OPENING : opt.conns;
	uint64_t grace, due;

	memset(&stat_, 0, sizeof(stat_));
	memset(histogram, 0, sizeof(histogram));
	begun = now_ns();
	deadline = opt.mode == MODE_IDLE ? UINT64_MAX : begun + ms * 1000000u;
	grace = begun + (ms + 60000u) * 1000000u;
	is_stopping = false;
	busy = 0;
	next_idle = first;
	for (size_t i = 0; i < first; i++) {
		request_start(&conns[i], now_ns());
		if (conns[i].state == STATE_SEND)
			conn_go(&conns[i], 0);
	}
	due = opt.every_ns ? begun : UINT64_MAX;
	while (busy || due < deadline) {
		uint64_t now = now_ns();
		int n;

		due = pace(due, now);
		n = wait_for_events(events, due > now && due < deadline ? due : UINT64_MAX);
		for (int i = 0; i < n; i++)
			conn_go(events[i].data.ptr, events[i].events);
		if (now_ns() >= deadline)
			is_stopping = true;
		if (now_ns() > grace) {
			errno = ETIMEDOUT;
			quit("requests without an answer");
		}
	}
	stat_.ns = now_ns() - begun;
}

static void tls_init(void)
{
	tls = SSL_CTX_new(TLS_client_method());
	if (!tls || !SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) ||
		!SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") ||
		!SSL_CTX_set1_groups_list(tls, "X25519"))
		quit("SSL_CTX");
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL); /* the proxy is measured, not its certificate */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls, on_session);
	/* 10,000 idle clients should fit beside the proxy. Partial writes are handled by conn_go. */
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
}

static void usage(void)
{
	fprintf(stderr,
		"usage: bench_load -p PORT -r REQUESTS_FILE [-c CONNECTIONS] [-d MILLISECONDS | -n COUNT]\n"
		"                  [-w WARM_UP_MILLISECONDS] [-m keep|new|resume|idle] [-t]\n"
		"                  [-R REQUESTS_A_SECOND] [-a]\n"
		"-a: answers of any status; those from 400 on are counted as refused\n");
	exit(2);
}

static void wait_for_line(void)
{
	char line[64];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
}

static const char *const mode_names[] = { "keep", "new", "resume", "idle" };

static void options(int argc, char **argv, unsigned long *warm)
{
	int o;

	while ((o = getopt(argc, argv, "p:r:c:d:n:w:m:tR:a")) != -1) {
		switch (o) {
		case 'p': opt.port = (uint16_t)number(optarg, UINT16_MAX); break;
		case 'r': requests_read(optarg); break;
		case 'c': opt.conns = number(optarg, 100000); break;
		case 'd': opt.seconds_ms = number(optarg, 3600000); break;
		case 'n': opt.count = number(optarg, 1u << 30); break;
		case 'w': *warm = number(optarg, 60000); break;
		case 't': opt.tls = true; break;
		case 'a': opt.any_status = true; break;
		case 'R': opt.every_ns = 1000000000u / (number(optarg, 1000000) ?: 1); break;
		case 'm':
			for (opt.mode = MODE_KEEP; opt.mode <= MODE_IDLE; opt.mode++) {
				if (strcmp(optarg, mode_names[opt.mode]) == 0)
					break;
			}
			if (opt.mode > MODE_IDLE)
				usage();
			break;
		default: usage();
		}
	}
	if (!opt.port || !request_count || !opt.conns || optind != argc)
		usage();
	if (opt.count)
		opt.seconds_ms = 3600000;
}

int main(int argc, char **argv)
{
	unsigned long warm = 300, count, lost = 0;

	options(argc, argv, &warm);
	all_descriptors();
	tls_init();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	conns = calloc(opt.conns, sizeof(*conns));
	if (epoll < 0 || !conns)
		quit("memory");
	for (size_t i = 0; i < opt.conns; i++) {
		conns[i].fd = -1;
		conns[i].head = malloc(HEAD);
		if (!conns[i].head)
			quit("memory");
	}
	count = opt.count;
	opt.count = 0;
	if (opt.mode != MODE_IDLE)
		phase(warm); /* opens the connections; each has its session when they are resumed */
	printf("READY\n");
	fflush(stdout);
	wait_for_line();
	opt.count = count;
	phase(opt.seconds_ms);
	for (size_t i = 0; i < opt.conns && opt.mode == MODE_IDLE; i++)
		lost += conns[i].state == STATE_IDLE ? 0 : 1;
	printf("{\"requests\": %lu, \"refused\": %lu, \"errors\": %lu, \"seconds\": %.3f, \"rps\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
	       "\"bytes\": %lu, \"handshakes\": %lu, \"resumed\": %lu, \"lost\": %lu}\n",
		stat_.requests, stat_.refused, stat_.errors, (double)stat_.ns / 1e9,
		(double)stat_.requests * 1e9 / (double)stat_.ns, percentile_ms(0.5), percentile_ms(0.99),
		stat_.bytes, stat_.handshakes, stat_.resumed, lost);
	fflush(stdout);
	for (;;)
		wait_for_line();
}
