/* TLS over a socket, with libssl: server contexts whose private keys are the keeper's, client contexts to
 * servers, and a stream that reads ahead so that a record costs one recv. One loop's thread uses these. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "conf/conf.h"
#include "loop/loop.h"

/* How a worker has things signed: sends MSG_SIGN to the keeper and calls back, or (start-up, tests) NULL
 * post signs at once. The handshake of that one connection waits; the loop goes on (ASYNC jobs). */
struct tls_signer {
	/* Posts a request; later tls_signed(ctx of request) must be called exactly once. ERR_AGAIN: keeper is busy or gone. */
	enum err (*post)(struct tls_signer *s, uint32_t request, uint16_t key, uint16_t scheme, struct bytes digest);
};

struct tls_server; /* all certificates of one listener; SNI and RSA/ECDSA choice inside */
enum err tls_server_new(const struct conf_tls *conf, struct tls_signer *signer, struct tls_server **out,
	char *error, size_t error_size) MUST_USE;
void tls_server_free(struct tls_server **s);
/* Keys for session tickets, as MSG_TICKETS_ARE carries them: first for new tickets, all for old ones. */
enum err tls_tickets_set(struct bytes keys) MUST_USE;
/* The keeper's answer; status 0 is ok. Unknown requests are ignored (the connection went away). Resumes the
 * waiting handshake by calling its stream's on_wake. */
void tls_signed(uint32_t request, uint8_t status, struct bytes signature);

struct tls_client;
enum err tls_client_new(const struct conf_pool_tls *conf, struct tls_signer *signer, struct tls_client **out,
	char *error, size_t error_size) MUST_USE;
void tls_client_free(struct tls_client **c);

struct tls_stream; /* over a non-blocking socket that the caller owns */
enum err tls_accept(struct tls_server *s, int fd, void (*on_wake)(void *), void *ctx, struct tls_stream **out) MUST_USE;
enum err tls_connect(struct tls_client *c, int fd, struct bytes host, void (*on_wake)(void *), void *ctx,
	struct tls_stream **out) MUST_USE;
void tls_free(struct tls_stream **t);
/* OK: done. ERR_AGAIN: wait for the socket or for on_wake. ERR_TLS, ERR_CLOSED: over. */
enum err tls_handshake(struct tls_stream *t) MUST_USE;
/* *n bytes were moved. ERR_AGAIN: none now. ERR_CLOSED: the peer ended (clean: close_notify came). */
enum err tls_read(struct tls_stream *t, void *buf, size_t cap, size_t *n) MUST_USE;
enum err tls_write(struct tls_stream *t, struct bytes b, size_t *n) MUST_USE;
bool tls_has_pending(const struct tls_stream *t); /* decrypted or read-ahead bytes that need no event */
void tls_shutdown(struct tls_stream *t); /* close_notify, best effort */
struct tls_facts {
	bool is_resumed, is_cleanly_closed;
	struct bytes version, cipher, sni, alpn, client_subject; /* live as long as the stream */
	const char *error; /* of a failed handshake: "certificate verify failed"; or NULL */
	const char *verify_error; /* why the peer's certificate was not accepted: "certificate has expired"; or NULL */
};
void tls_facts(const struct tls_stream *t, struct tls_facts *out);
/* The earliest notAfter of a chain, seconds since 1970, for expiry warnings. */
enum err tls_chain_expiry(struct bytes chain_pem, uint64_t *not_after_s) MUST_USE;

/* The keeper's half: a loaded private key. digest's length must fit scheme (RFC 8446 4.2.3). */
struct tls_key;
enum err tls_key_load(struct bytes pem, struct tls_key **out) MUST_USE;
void tls_key_free(struct tls_key **k);
enum err tls_key_sign(struct tls_key *k, uint16_t scheme, struct bytes digest, unsigned char *sig, size_t cap,
	size_t *len) MUST_USE;

#endif
