/* Syslog from appliances: datagrams, streams, and streams over TLS (RFC 5425). Nobody is believed: a message is at most 8 KiB, connections
 * are limited, and one that sends what is no frame ends. */
#define _GNU_SOURCE
#include "cli/monitor_priv.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX	  512
#define CONNECTIONS_OF_ONE 128 /* from one address, so that nobody fills them alone */
#define QUIET_MS	  60000 /* when there is no room, one that was quiet for so long makes it */
#define TOLD_A_MINUTE	  60	/* lines of the log about senders, who choose their number */
#define DATAGRAMS_A_TURN  256
#define READS_A_TURN	  16
#define HANDSHAKE_MS	  10000
#define BACKLOG		  128
#define RECEIVE_BUFFER	  (4 << 20) /* a burst of datagrams waits there; as much as the system grants */

struct connection {
	struct watch watch;
	struct syslog_server *server;
	struct connection *next, **prev;
	struct timer handshake;
	struct addr from;
	SSL *ssl; /* NULL: without TLS */
	uint64_t heard_ms;
	bool is_ready;
	struct syslog_frames frames;
};
struct listener {
	struct watch watch;
	struct syslog_server *server;
	const struct monitor_listen *listen;
};
struct syslog_server {
	struct loop *loop;
	monitor_on_message *on;
	void *ctx;
	SSL_CTX *tls;
	struct listener listeners[MONITOR_LISTEN_MAX];
	size_t listener_count, connection_count;
	struct connection *connections;
	struct addr from; /* of the message that is being told */
	uint64_t minute, told, untold;
};

/* --- before the jail --- */

static const char *tls_why(void)
{
	unsigned long e = ERR_peek_error(); /* the first is the cause */
	const char *why = e == 0 ? NULL : ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e);

	return why ? why : "the connection ended";
}

/* A key with a pass phrase: nobody is there to be asked. */
static int no_phrase(char *mem, int size, int is_writing, void *ctx)
{
	(void)mem, (void)size, (void)is_writing, (void)ctx;
	return -1;
}

static int open_tls(struct monitor *m, struct syslog_server *s)
{
	const struct conf_monitor *c = m->site.conf ? &m->site.conf->monitor : NULL;
	char chain[4200] = "", key[4200] = "", ca[4200] = "";

	if (!c || c->chain.len == 0 || c->key.len == 0)
		return 1 + cli_fail_in(m->cli, W_MONITOR_NO_TLS);
	monitor_path(m->site.config, c->chain, chain, sizeof(chain));
	monitor_path(m->site.config, c->key, key, sizeof(key));
	monitor_path(m->site.config, c->client_ca, ca, sizeof(ca));
	ERR_clear_error();
	s->tls = SSL_CTX_new(TLS_server_method());
	CHECK(s->tls);
	SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION);
	SSL_CTX_set_options(s->tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	/* Connections last for days: sessions would only be another way in. */
	SSL_CTX_set_session_cache_mode(s->tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(s->tls, 0);
	SSL_CTX_set_default_passwd_cb(s->tls, no_phrase);
	if (SSL_CTX_use_certificate_chain_file(s->tls, chain) != 1)
		return 1 + cli_fail_in(m->cli, W_MONITOR_CERTIFICATE, chain, tls_why());
	if (SSL_CTX_use_PrivateKey_file(s->tls, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(s->tls) != 1)
		return 1 + cli_fail_in(m->cli, W_MONITOR_CERTIFICATE, key, tls_why());
	if (!*ca)
		return 0;
	if (SSL_CTX_load_verify_locations(s->tls, ca, NULL) != 1)
		return 1 + cli_fail_in(m->cli, W_MONITOR_CERTIFICATE, ca, tls_why());
	SSL_CTX_set_client_CA_list(s->tls, SSL_load_client_CA_file(ca));
	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

static int open_socket(const struct monitor_listen *l)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&l->address, &sa);
	bool is_udp = l->transport == MONITOR_UDP;
	int fd = socket(sa.ss_family, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const int on = 1, size = RECEIVE_BUFFER;

	if (fd < 0)
		return -1;
	if (is_udp)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	else
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&sa, len) < 0 || (!is_udp && listen(fd, BACKLOG) < 0)) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

int syslog_server_open(struct monitor *m)
{
	struct syslog_server *s = m->server = calloc(1, sizeof(*s));
	int status = 0;

	CHECK(s);
	for (size_t i = 0; !status && i < m->listen_count; i++) {
		if (m->listens[i].transport == MONITOR_TLS && !s->tls)
			status = open_tls(m, s);
		if (status)
			break;
		m->listens[i].fd = open_socket(&m->listens[i]);
		if (m->listens[i].fd < 0)
			return 1 + cli_fail_in(m->cli, W_MONITOR_LISTEN, m->listens[i].url, strerror(errno));
		s->listeners[s->listener_count++] = (struct listener){ .server = s, .listen = &m->listens[i], .watch.fd = m->listens[i].fd };
	}
	return status;
}

/* --- connections --- */

static void peer_trouble(struct syslog_server *s, const struct addr *from, const char *why)
{
	uint64_t minute = loop_now_ms(s->loop) / 60000;
	unsigned char mem[64];
	struct text t;

	if (minute != s->minute) {
		if (s->untold)
			LOG(EV_MONITOR_PEER, KV_STR("why", "more of the kind, which were not told one by one"), KV_UINT("count", s->untold));
		s->minute = minute;
		s->told = s->untold = 0;
	}
	if (s->told >= TOLD_A_MINUTE) {
		s->untold++;
		return;
	}
	s->told++;
	text_init(&t, mem, sizeof(mem));
	addr_write(from, &t);
	LOG(EV_MONITOR_PEER, KV_BYTES("peer", text_bytes(&t)), KV_STR("why", why));
}

static void connection_close(struct connection *c)
{
	struct syslog_server *s = c->server;

	loop_timer_clear(s->loop, &c->handshake);
	loop_remove(s->loop, &c->watch, false);
	if (c->ssl)
		SSL_free(c->ssl);
	fd_close(&c->watch.fd);
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->connection_count--;
	free(c);
}

static void on_framed(void *ctx, struct bytes message)
{
	struct syslog_server *s = ctx;

	s->on(s->ctx, &s->from, message);
}

/* What was read, or 0: later; -1: its end or trouble. */
static ssize_t read_some(struct connection *c, unsigned char *mem, size_t size)
{
	ssize_t n;

	if (!c->ssl) {
		n = read(c->watch.fd, mem, size);
		return n > 0 ? n : n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	ERR_clear_error();
	if (!c->is_ready) {
		int e = SSL_accept(c->ssl);

		if (e != 1) {
			int why = SSL_get_error(c->ssl, e);

			if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
				return 0;
			peer_trouble(c->server, &c->from, tls_why());
			return -1;
		}
		c->is_ready = true;
		loop_timer_clear(c->server->loop, &c->handshake);
	}
	n = SSL_read(c->ssl, mem, (int)size);
	if (n > 0)
		return n;
	n = SSL_get_error(c->ssl, (int)n);
	return n == SSL_ERROR_WANT_READ || n == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

static void connection_event(struct watch *w, uint32_t events)
{
	struct connection *c = CONTAINER_OF(w, struct connection, watch);
	static unsigned char mem[16384];
	enum err e = OK;

	(void)events;
	c->server->from = c->from;
	c->heard_ms = loop_now_ms(c->server->loop);
	for (unsigned i = 0; e == OK && i < READS_A_TURN; i++) {
		ssize_t n = read_some(c, mem, sizeof(mem));

		if (n == 0)
			return;
		if (n < 0) {
			e = syslog_frames_end(&c->frames, on_framed, c->server);
			if (e != OK)
				peer_trouble(c->server, &c->from, "the connection ended within a message");
			connection_close(c);
			return;
		}
		e = syslog_frames_feed(&c->frames, bytes_of(mem, (size_t)n), on_framed, c->server);
	}
	if (e == OK)
		return; /* there is more: we are called again */
	peer_trouble(c->server, &c->from, c->frames.reason ? c->frames.reason : err_name(e));
	connection_close(c);
}

static void handshake_late(struct timer *t)
{
	struct connection *c = CONTAINER_OF(t, struct connection, handshake);

	peer_trouble(c->server, &c->from, "no TLS handshake in time");
	connection_close(c);
}

/* NULL: there is room, or there may be; else why there is none. */
static const char *make_room(struct syslog_server *s, const struct addr *from)
{
	struct connection *quietest = NULL;
	size_t same = 0;

	for (struct connection *c = s->connections; c; c = c->next) {
		same += memcmp(c->from.ip, from->ip, sizeof(from->ip)) == 0;
		if (!quietest || c->heard_ms < quietest->heard_ms)
			quietest = c;
	}
	if (same >= CONNECTIONS_OF_ONE)
		return "there are too many connections from its address";
	if (s->connection_count < CONNECTIONS_MAX)
		return NULL;
	if (loop_now_ms(s->loop) - quietest->heard_ms < QUIET_MS)
		return "there are too many connections";
	peer_trouble(s, &quietest->from, "it made room for another connection, for it was quiet the longest");
	connection_close(quietest);
	return NULL;
}

static void begin(struct syslog_server *s, int fd, const struct addr *from, bool has_tls)
{
	const char *why = make_room(s, from);
	struct connection *c = why ? NULL : calloc(1, sizeof(*c));

	if (!c) {
		peer_trouble(s, from, why ? why : "there is no memory");
		close(fd);
		return;
	}
	c->server = s;
	c->heard_ms = loop_now_ms(s->loop);
	c->from = *from;
	c->watch = (struct watch){ .fd = fd, .on_event = connection_event };
	syslog_frames_init(&c->frames);
	if (has_tls) {
		c->ssl = SSL_new(s->tls);
		CHECK(c->ssl && SSL_set_fd(c->ssl, fd) == 1);
		loop_timer_set(s->loop, &c->handshake, HANDSHAKE_MS, handshake_late);
	}
	c->next = s->connections;
	c->prev = &s->connections;
	if (c->next)
		c->next->prev = &c->next;
	s->connections = c;
	s->connection_count++;
	if (loop_add(s->loop, &c->watch, EPOLLIN | EPOLLRDHUP) != OK)
		connection_close(c);
}

static void on_accept(struct watch *w, uint32_t events)
{
	struct listener *l = CONTAINER_OF(w, struct listener, watch);

	(void)events;
	for (unsigned i = 0; i < READS_A_TURN; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		struct addr from = { 0 };
		int fd = accept4(w->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		(void)!addr_from_sockaddr((const struct sockaddr *)&sa, len, &from);
		begin(l->server, fd, &from, l->listen->transport == MONITOR_TLS);
	}
}

static void on_datagram(struct watch *w, uint32_t events)
{
	struct listener *l = CONTAINER_OF(w, struct listener, watch);
	static unsigned char mem[65536];

	(void)events;
	for (unsigned i = 0; i < DATAGRAMS_A_TURN; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		ssize_t n = recvfrom(w->fd, mem, sizeof(mem), 0, (struct sockaddr *)&sa, &len);

		if (n < 0)
			return;
		l->server->from = (struct addr){ 0 };
		(void)!addr_from_sockaddr((const struct sockaddr *)&sa, len, &l->server->from);
		if (n > 0)
			on_framed(l->server, bytes_cut(bytes_of(mem, (size_t)n), 0, SYSLOG_MESSAGE_MAX));
	}
}

enum err syslog_server_run(struct monitor *m, struct loop *loop, monitor_on_message *on, void *ctx)
{
	struct syslog_server *s = m->server;

	s->loop = loop;
	s->on = on;
	s->ctx = ctx;
	for (size_t i = 0; i < s->listener_count; i++) {
		struct listener *l = &s->listeners[i];

		l->watch.on_event = l->listen->transport == MONITOR_UDP ? on_datagram : on_accept;
		TRY(loop_add(loop, &l->watch, EPOLLIN));
	}
	return OK;
}

void syslog_server_close(struct syslog_server **ps)
{
	struct syslog_server *s = *ps;

	*ps = NULL;
	if (!s)
		return;
	while (s->connections)
		connection_close(s->connections);
	for (size_t i = 0; i < s->listener_count; i++)
		fd_close(&s->listeners[i].watch.fd);
	SSL_CTX_free(s->tls);
	free(s);
}
