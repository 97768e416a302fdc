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

struct tls_stream {
	SSL *ssl;
	int fd;
	void (*on_wake)(void *);
	void *ctx;
	bool is_done, is_closed, is_waiting, is_orphan;
	const char *error;
	char subject[256], version[8];
};

static int bio_read(BIO *b, char *buf, size_t len, size_t *n)
{
	struct tls_stream *t = BIO_get_data(b);
	ssize_t got = recv(t->fd, buf, len, 0);

	BIO_clear_retry_flags(b);
	*n = got > 0 ? (size_t)got : 0;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	return got > 0;
}

static int bio_write(BIO *b, const char *buf, size_t len, size_t *n)
{
	struct tls_stream *t = BIO_get_data(b);
	ssize_t put = send(t->fd, buf, len, MSG_NOSIGNAL);

	BIO_clear_retry_flags(b);
	*n = put > 0 ? (size_t)put : 0;
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return put > 0;
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
	TRY(stream_new(s->ctx[0], fd, on_wake, ctx, out));
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

/* A handshake that waits for the keeper cannot be freed: its job's stack is alive. It is told that its
 * question was given up, runs to its end, and is then freed. */
void tls_free(struct tls_stream **tp)
{
	struct tls_stream *t = *tp;

	if (!t)
		return;
	*tp = NULL;
	if (t->is_waiting) {
		t->is_orphan = true;
		tls_forget_pending(t);
		t->fd = -1;
		for (int i = 0; i < 4 && t->is_waiting; i++)
			if (tls_handshake(t) != ERR_AGAIN)
				break;
	}
	ERR_clear_error();
	SSL_free(t->ssl);
	free(t);
}

void tls_stream_wake(struct tls_stream *t)
{
	if (!t->is_orphan)
		t->on_wake(t->ctx);
}

static enum err result(struct tls_stream *t, int ret)
{
	int e = SSL_get_error(t->ssl, ret);
	unsigned long code;

	t->is_waiting = e == SSL_ERROR_WANT_ASYNC;
	switch (e) {
	case SSL_ERROR_NONE: return OK;
	case SSL_ERROR_WANT_READ: case SSL_ERROR_WANT_WRITE: case SSL_ERROR_WANT_ASYNC: return ERR_AGAIN;
	case SSL_ERROR_ZERO_RETURN: t->is_closed = true; return ERR_CLOSED;
	default: break;
	}
	code = ERR_peek_error();
	t->error = code ? ERR_reason_error_string(code) : "the connection broke";
	ERR_clear_error();
	return code ? ERR_TLS : ERR_CLOSED;
}

enum err tls_handshake(struct tls_stream *t)
{
	enum err e;

	if (t->is_done)
		return OK;
	ERR_clear_error();
	tls_set_current(t);
	e = result(t, SSL_do_handshake(t->ssl));
	tls_set_current(NULL);
	if (e == OK) {
		t->is_done = true;
		SSL_clear_mode(t->ssl, SSL_MODE_ASYNC);
	}
	return e;
}

enum err tls_read(struct tls_stream *t, void *buf, size_t cap, size_t *n)
{
	ERR_clear_error();
	return result(t, SSL_read_ex(t->ssl, buf, cap, n));
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
	struct tls_stream *mine = (struct tls_stream *)(uintptr_t)t;
	const unsigned char *alpn = NULL;
	unsigned alpn_len = 0;
	X509 *peer;

	*out = (struct tls_facts){ .is_resumed = SSL_session_reused(t->ssl), .is_cleanly_closed = t->is_closed, .error = t->error };
	if (t->error && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(t->ssl) != X509_V_OK)
		out->verify_error = X509_verify_cert_error_string(SSL_get_verify_result(t->ssl));
	out->version = SSL_version(t->ssl) == TLS1_3_VERSION ? BYTES("1.3") : BYTES("1.2");
	out->cipher = bytes_str(SSL_get_cipher_name(t->ssl));
	out->sni = bytes_str(SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
	SSL_get0_alpn_selected(t->ssl, &alpn, &alpn_len);
	out->alpn = bytes_of(alpn, alpn_len);
	peer = SSL_get0_peer_certificate(t->ssl);
	if (peer && SSL_get_verify_result(t->ssl) == X509_V_OK) {
		BIO *b = BIO_new(BIO_s_mem());
		int n = 0;
		if (b && X509_NAME_print_ex(b, X509_get_subject_name(peer), 0, XN_FLAG_RFC2253) >= 0)
			n = BIO_read(b, mine->subject, sizeof mine->subject);
		BIO_free(b);
		out->client_subject = bytes_of(t->subject, n > 0 ? (size_t)n : 0);
	}
}
