/* Syslog over UDP (RFC 5426), TCP (octet counting, RFC 6587 3.4.1) and TLS (RFC 5425). libcurl connects, which gives name resolution
 * without waiting, addresses one after the other, and TLS; then octets are sent as they are. For UDP it is given a datagram socket, which
 * it connects like any other. There is no answer in this protocol: an alert counts as taken when the peer's system has acknowledged all
 * of its octets. */
#define _GNU_SOURCE
#include "alert/deliver_priv.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOSE_MS 20u /* for a close that was under way while an alert was sent */

static bool is_udp(const struct dest *t)
{
	return t->to.kind == DELIVER_SYSLOG_UDP;
}

static void close_and_fail(struct dest *t, const char *why)
{
	char copy[CURL_ERROR_SIZE];

	snprintf(copy, sizeof(copy), "%s", why); /* it may be the handle's */
	dest_curl_stop(t);
	dest_failed(t, copy);
}

static void frame(struct dest *t)
{
	unsigned char room[ALERT_SYSLOG_MAX];
	struct text message;

	text_init(&message, room, sizeof(room));
	alert_put_syslog(&message, &t->alerts[0], dest_line(t), t->to.facility);
	text_fini(&t->out);
	text_init_growing(&t->out, ALERT_SYSLOG_MAX + 16);
	if (!is_udp(t))
		text_fmt(&t->out, "%zu ", message.len);
	text_add(&t->out, text_bytes(&message));
	t->sent = 0;
}

static curl_socket_t open_datagram(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	(void)ctx;
	(void)purpose;
	return socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static bool set_up(struct dest *t)
{
	char url[DELIVER_URL_MAX + 1];
	bool is_tls = t->to.kind == DELIVER_SYSLOG_TLS;

	return deliver_to_connect_url(&t->to, is_tls ? "https" : "http", url, sizeof(url)) && curl_easy_setopt(t->curl, CURLOPT_URL, url) == CURLE_OK &&
		curl_easy_setopt(t->curl, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK && curl_easy_setopt(t->curl, CURLOPT_PROXY, "") == CURLE_OK &&
		curl_easy_setopt(t->curl, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK && curl_easy_setopt(t->curl, CURLOPT_TCP_KEEPALIVE, is_udp(t) ? 0L : 1L) == CURLE_OK &&
		(!is_udp(t) || curl_easy_setopt(t->curl, CURLOPT_OPENSOCKETFUNCTION, open_datagram) == CURLE_OK);
}

static void send_datagram(struct dest *t)
{
	if (send(t->socket, t->out.at, t->out.len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)t->out.len) {
		dest_taken(t);
		return;
	}
	snprintf(t->error, sizeof(t->error), "%s", errno == ECONNREFUSED ? "nobody listens there (an earlier alert may be lost)" : strerror(errno));
	close_and_fail(t, t->error);
}

/* What the peer says means nothing; whether it closed or broke off does. ERR_CLOSED, ERR_IO. */
static enum err listen_to(struct dest *t)
{
	char room[512];
	size_t n;

	if (is_udp(t))
		return OK;
	for (unsigned i = 0; i < 100; i++) {
		CURLcode code = curl_easy_recv(t->curl, room, sizeof(room), &n);

		if (code == CURLE_AGAIN)
			return OK;
		if (code != CURLE_OK)
			return ERR_IO;
		if (n == 0)
			return ERR_CLOSED;
	}
	return OK;
}

static void begin(struct dest *t);

/* Broken off in the middle. On a connection that served before, the receiver may have gone for long: the same again on a new one, at
 * once. On a new one it is a failure. */
static void break_off(struct dest *t)
{
	if (!t->is_used) {
		close_and_fail(t, "the connection broke off");
		return;
	}
	dest_curl_stop(t);
	begin(t);
}

/* False: not all is sent yet, or it broke off. */
static bool send_more(struct dest *t)
{
	while (t->sent < t->out.len) {
		size_t n = 0;
		CURLcode code = curl_easy_send(t->curl, t->out.at + t->sent, t->out.len - t->sent, &n);

		if (code == CURLE_AGAIN)
			return false;
		if (code != CURLE_OK) {
			break_off(t);
			return false;
		}
		t->sent += n;
		t->sent_ms = t->d->now_ms;
	}
	return true;
}

/* A receiver that closed before it had read an alert acknowledges it all the same, and says so a moment later. On a new connection that
 * would be odd, and waiting for it would repeat alerts for ever to one that closes after each. */
static bool is_safe(const struct dest *t)
{
	int unacknowledged = 0;

	if (ioctl(t->socket, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged > 0)
		return false;
	return !t->is_used || t->d->now_ms - t->sent_ms >= CLOSE_MS;
}

static void go_on(struct dest *t)
{
	enum err e;

	if (t->d->now_ms - t->began_ms > TRY_MS) {
		close_and_fail(t, t->is_open ? "the receiver takes nothing" : "no connection within the time");
		return;
	}
	if (!t->is_open)
		return;
	if (is_udp(t)) {
		send_datagram(t);
		return;
	}
	if (!send_more(t))
		return;
	e = listen_to(t);
	if (e == ERR_IO || (e == ERR_CLOSED && t->is_used)) {
		break_off(t);
	} else if (e == ERR_CLOSED || is_safe(t)) {
		t->is_used = true;
		dest_taken(t);
	}
}

void deliver_syslog_look(struct dest *t)
{
	if (t->is_open && t->state != DEST_SENDING && listen_to(t) != OK)
		dest_curl_stop(t);
}

static void begin(struct dest *t)
{
	if (t->is_open && listen_to(t) != OK)
		dest_curl_stop(t);
	frame(t);
	if (t->out.failed)
		close_and_fail(t, "no memory");
	else if (t->is_open)
		go_on(t);
	else if (dest_curl(t, "http,https") && (!set_up(t) || !dest_curl_start(t)))
		close_and_fail(t, "no memory");
}

static void done(struct dest *t, CURLcode code)
{
	if (code == CURLE_OK && curl_easy_getinfo(t->curl, CURLINFO_ACTIVESOCKET, &t->socket) == CURLE_OK && t->socket != CURL_SOCKET_BAD) {
		t->is_open = true; /* the handle stays in the multi: outside it, the connection would be closed */
		go_on(t);
		return;
	}
	close_and_fail(t, dest_curl_why(t, code));
}

bool deliver_syslog_waits(const struct dest *t, struct curl_waitfd *out)
{
	if (!t->is_open)
		return false;
	*out = (struct curl_waitfd){ .fd = t->socket, .events = CURL_WAIT_POLLIN };
	if (t->state == DEST_SENDING)
		out->events = t->sent < t->out.len ? CURL_WAIT_POLLOUT : CURL_WAIT_POLLPRI; /* acknowledgements are no event: the step's time */
	return true;
}

const struct deliver_way *deliver_syslog_way(void)
{
	static const struct deliver_way way = { begin, go_on, done };

	return &way;
}
