/* One connection: a BIO of our own over the socket, so that there is no SIGPIPE and no system call whose
 * answer is known. */
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SUBJECT_MAX 1024
#define HELD_MAX    4096

/* A short read means that the socket is drained: until the next event, asking again would be answered EAGAIN. */
static int bio_read(BIO *b, char *buf, size_t len, size_t *n)
{
	struct tls_stream *t = BIO_get_data(b);
	ssize_t got = -1;

	errno = EAGAIN;
	if (!t->is_drained)
		got = recv(t->fd, buf, len, 0);
	BIO_clear_retry_flags(b);
	*n = got > 0 ? (size_t)got : 0;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	t->is_drained = !t->has_ended && (got > 0 ? (size_t)got < len : got < 0 && errno == EAGAIN);
	return got > 0;
}

void tls_note(struct tls_stream *t, bool peer_ended)
{
	t->is_drained = false;
	t->has_ended |= peer_ended;
}

/* TLS 1.3: the ticket goes out with the first answer, or when there is nothing to answer; a call of its own, and a
 * packet, would cost as much as the answer's. False: it goes now. */
static bool hold(struct tls_stream *t, const char *buf, size_t len)
{
	unsigned char *more;

	if (t->is_done || SSL_get_state(t->ssl) != TLS_ST_SW_SESSION_TICKET || SSL_version(t->ssl) != TLS1_3_VERSION ||
		len > HELD_MAX - t->held_len || !(more = realloc(t->held, t->held_len + len)))
		return false;
	memcpy(more + t->held_len, buf, len);
	t->held = more;
	t->held_len += len;
	return true;
}

/* Of put bytes, what was held went first; the rest. */
static size_t held_sent(struct tls_stream *t, size_t put)
{
	if (put < t->held_len) {
		t->held_len -= put;
		memmove(t->held, t->held + put, t->held_len);
		return 0;
	}
	put -= t->held_len;
	free(t->held);
	t->held = NULL;
	t->held_len = 0;
	return put;
}

static int bio_write(BIO *b, const char *buf, size_t len, size_t *n)
{
	struct tls_stream *t = BIO_get_data(b);
	struct iovec iov[2] = { { t->held, t->held_len }, { (void *)(uintptr_t)buf, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t put;

	BIO_clear_retry_flags(b);
	if (hold(t, buf, len)) {
		*n = len;
		return 1;
	}
	put = t->held ? sendmsg(t->fd, &m, MSG_NOSIGNAL) : send(t->fd, buf, len, MSG_NOSIGNAL);
	*n = put > 0 ? held_sent(t, (size_t)put) : 0;
	if ((put < 0 && (errno == EAGAIN || errno == EINTR)) || (put > 0 && *n == 0))
		BIO_set_retry_write(b);
	return *n > 0;
}

static void held_flush(struct tls_stream *t)
{
	ssize_t put = t->held ? send(t->fd, t->held, t->held_len, MSG_NOSIGNAL) : 0;

	if (put > 0)
		(void)held_sent(t, (size_t)put);
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b, (void)num, (void)ptr;
	return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static BIO *bio_new(struct tls_stream *t)
{
	static BIO_METHOD *method;
	BIO *b;

	if (!method) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
		CHECK(method && BIO_meth_set_read_ex(method, bio_read) && BIO_meth_set_write_ex(method, bio_write) &&
			BIO_meth_set_ctrl(method, bio_ctrl));
	}
	b = BIO_new(method);
	if (b) {
		BIO_set_data(b, t);
		BIO_set_init(b, 1);
	}
	return b;
}

static enum err stream_new(SSL_CTX *ctx, int fd, void (*on_wake)(void *), void *user, struct tls_stream **out)
{
	struct tls_stream *t = calloc(1, sizeof *t);
	BIO *b;

	if (!t)
		return ERR_MEMORY;
	*t = (struct tls_stream){ .fd = fd, .on_wake = on_wake, .ctx = user };
	tls_sign_init();
	t->ssl = SSL_new(ctx);
	b = t->ssl ? bio_new(t) : NULL;
	if (!b) {
		SSL_free(t->ssl);
		free(t);
		return ERR_MEMORY;
	}
	SSL_set_bio(t->ssl, b, b);
	SSL_set_mode(t->ssl, SSL_MODE_ASYNC);
	*out = t;
	return OK;
}

enum err tls_accept(struct tls_server *s, int fd, void (*on_wake)(void *), void *ctx, struct tls_stream **out)
{
	TRY(stream_new(s->ctxs[0], fd, on_wake, ctx, out));
	SSL_set_accept_state((*out)->ssl);
	return OK;
}

enum err tls_connect(struct tls_client *c, int fd, struct bytes host, void (*on_wake)(void *), void *ctx, struct tls_stream **out)
{
	char name[256];
	struct tls_stream *t;
	bool ok;

	if (host.len == 0 || host.len >= sizeof name)
		return ERR_SYNTAX;
	memcpy(name, host.at, host.len);
	name[host.len] = 0;
	TRY(stream_new(c->ctx, fd, on_wake, ctx, &t));
	SSL_set_connect_state(t->ssl);
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(t->ssl), name) == 1)
		ok = true;
	else
		ok = SSL_set1_host(t->ssl, name) == 1 && SSL_set_tlsext_host_name(t->ssl, name) == 1;
	ERR_clear_error();
	if (!ok) {
		tls_free(&t);
		return ERR_SYNTAX;
	}
	*out = t;
	return OK;
}

static void stream_free(struct tls_stream *t)
{
	ERR_clear_error();
	SSL_free(t->ssl);
	free(t->subject);
	free(t->held);
	free(t);
}

/* A handshake that waits for the keeper cannot be freed: its job's stack is alive, and its question is on its
 * way. It goes when the answer comes, or when the keeper is lost. */
void tls_free(struct tls_stream **tp)
{
	struct tls_stream *t = *tp;

	if (!t)
		return;
	*tp = NULL;
	tls_sign_not_waiting(t);
	if (t->is_parked) {
		t->is_orphan = true;
		t->fd = -1;
	} else {
		stream_free(t);
	}
}

void tls_stream_end(struct tls_stream *t)
{
	(void)!tls_handshake(t); /* meets descriptor -1 and fails */
	CHECK(!t->is_parked);	 /* a handshake signs once */
	stream_free(t);
}

static enum err result(struct tls_stream *t, int ret)
{
	int e = SSL_get_error(t->ssl, ret);
	unsigned long code;

	switch (e) {
	case SSL_ERROR_NONE: return OK;
	case SSL_ERROR_WANT_READ: case SSL_ERROR_WANT_WRITE: case SSL_ERROR_WANT_ASYNC: return ERR_AGAIN;
	case SSL_ERROR_ZERO_RETURN: t->is_closed = true; return ERR_CLOSED;
	default: break;
	}
	code = ERR_peek_error();
	if (SSL_get_verify_result(t->ssl) != X509_V_OK && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE)
		t->error = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl)); /* says more than "verify failed" */
	else
		t->error = code ? ERR_reason_error_string(code) : "the connection broke";
	if (!t->error)
		t->error = "an error that libssl has no words for";
	ERR_clear_error();
	return code ? ERR_TLS : ERR_CLOSED;
}

/* RFC 4514, of a verified certificate. */
static void keep_subject(struct tls_stream *t)
{
	X509 *peer = SSL_get0_peer_certificate(t->ssl);
	BIO *b;
	char *at;
	long len;

	if (!SSL_is_server(t->ssl) || !peer || SSL_get_verify_result(t->ssl) != X509_V_OK)
		return;
	b = BIO_new(BIO_s_mem());
	if (b && X509_NAME_print_ex(b, X509_get_subject_name(peer), 0, XN_FLAG_RFC2253) >= 0 &&
		(len = BIO_get_mem_data(b, &at)) > 0 && len <= SUBJECT_MAX && (t->subject = malloc((size_t)len)))
		memcpy(t->subject, at, t->subject_len = (size_t)len);
	BIO_free(b);
	ERR_clear_error();
}

enum err tls_handshake(struct tls_stream *t)
{
	enum err e;

	if (t->is_done)
		return OK;
	if (!tls_sign_has_place(t))
		return ERR_AGAIN;
	ERR_clear_error();
	tls_sign_current(t);
	e = result(t, SSL_do_handshake(t->ssl));
	tls_sign_current(NULL);
	if (e == OK) {
		t->is_done = true;
		SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
		keep_subject(t);
	}
	return e;
}

bool tls_is_signing(const struct tls_stream *t)
{
	return t->is_parked;
}

enum err tls_read(struct tls_stream *t, void *buf, size_t cap, size_t *n)
{
	enum err e;

	ERR_clear_error();
	e = result(t, SSL_read_ex(t->ssl, buf, cap, n));
	if (e == ERR_AGAIN && t->held)
		held_flush(t);
	return e;
}

enum err tls_write(struct tls_stream *t, struct bytes b, size_t *n)
{
	ERR_clear_error();
	return result(t, SSL_write_ex(t->ssl, b.at, b.len, n));
}

bool tls_has_pending(const struct tls_stream *t)
{
	return t->is_done && SSL_has_pending(t->ssl);
}

void tls_shutdown(struct tls_stream *t)
{
	ERR_clear_error();
	if (t->is_done)
		SSL_shutdown(t->ssl);
	ERR_clear_error();
}

void tls_facts(const struct tls_stream *t, struct tls_facts *out)
{
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;

	*out = (struct tls_facts){ .is_resumed = SSL_session_reused(t->ssl), .is_cleanly_closed = t->is_closed, .error = t->error };
	out->version = SSL_version(t->ssl) == TLS1_3_VERSION ? BYTES("1.3") : BYTES("1.2");
	out->cipher = bytes_str(SSL_get_cipher_name(t->ssl));
	out->sni = bytes_str(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
	out->alpn = bytes_of(alpn, alpn_len);
	out->client_subject = bytes_of(t->subject, t->subject_len);
}
