/* TLS over a socket, with libssl: server contexts whose private keys are the keeper's, client contexts to
 * servers, and a stream that reads ahead so that a record costs one recv. One loop's thread uses these. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "base/text.h"
#include "conf/conf.h"
#include "loop/loop.h"

/* How a worker has things signed: sends MSG_SIGN to the keeper, whose answer it hands to tls_signed. The handshake
 * of that one connection waits; the loop goes on (ASYNC jobs). At most 128 requests are on their way; further
 * handshakes wait in line. */
struct tls_signer {
	/* Posts a request; tls_signed(request, ...) must be called once, at once or later, or tls_signer_lost for all.
	 * Not OK: this handshake fails. */
	enum err (*post)(struct tls_signer *s, uint32_t request, uint16_t key, uint16_t scheme, struct bytes digest);
};

struct tls_server; /* all certificates of one listener; SNI and RSA/ECDSA choice inside */
enum err tls_server_new(const struct conf_tls *conf, struct tls_signer *signer, struct tls_server **out,
	char *error, size_t error_size) MUST_USE;
void tls_server_free(struct tls_server **s);
/* When the chain of conf's certificate with this number ends, seconds since 1970. */
uint64_t tls_server_expiry(const struct tls_server *s, size_t certificate);
/* The number of the certificate that serves a client who asks for name; 0, the first, for names of none. One of the
 * other kind with the same names may take its place, if the client cannot verify this one. */
size_t tls_server_choose(const struct tls_server *s, const char *name);
/* Keys for session tickets, as MSG_TICKETS_ARE carries them: first for new tickets, all for old ones. */
enum err tls_tickets_set(struct bytes keys) MUST_USE;
/* The keeper's answer; status 0 is ok. Requests that are not waited for are ignored. Resumes the
 * waiting handshake by calling its stream's on_wake. */
void tls_signed(uint32_t request, uint8_t status, struct bytes signature);
/* The keeper is gone: the handshakes whose question it had fail; those that come now wait in line. */
void tls_signer_lost(void);
/* There is one again: the handshakes that came in between go on. */
void tls_signer_back(void);

struct tls_client;
enum err tls_client_new(const struct conf_pool_tls *conf, struct tls_signer *signer, struct tls_client **out,
	char *error, size_t error_size) MUST_USE;
void tls_client_free(struct tls_client **c);

struct tls_stream; /* over a non-blocking socket that the caller owns */
enum err tls_accept(struct tls_server *s, int fd, void (*on_wake)(void *), void *ctx, struct tls_stream **out) MUST_USE;
enum err tls_connect(struct tls_client *c, int fd, struct bytes host, void (*on_wake)(void *), void *ctx,
	struct tls_stream **out) MUST_USE;
/* on_wake is not called any more. What waits for the keeper is freed for good when the answer comes. */
void tls_free(struct tls_stream **t);
/* OK: done. ERR_AGAIN: wait for the socket or for on_wake. ERR_TLS, ERR_CLOSED: over. */
enum err tls_handshake(struct tls_stream *t) MUST_USE;
bool tls_is_signing(const struct tls_stream *t); /* tls_handshake waits for the keeper's answer */
/* *n bytes were moved. ERR_AGAIN: none now. ERR_CLOSED: the peer ended (clean: close_notify came). */
enum err tls_read(struct tls_stream *t, void *buf, size_t cap, size_t *n) MUST_USE;
enum err tls_write(struct tls_stream *t, struct bytes b, size_t *n) MUST_USE;
/* The loop's event for the socket: without it, no call asks the kernel again for what it had not. */
void tls_note(struct tls_stream *t, bool peer_ended);
bool tls_has_pending(const struct tls_stream *t); /* decrypted or read-ahead bytes that need no event */
void tls_shutdown(struct tls_stream *t); /* close_notify, best effort */
struct tls_facts {
	bool is_resumed, is_cleanly_closed;
	struct bytes version, cipher, sni, alpn, client_subject; /* live as long as the stream */
	const char *error; /* of a failed handshake: "certificate has expired"; or NULL. Lives as long as the process */
};
void tls_facts(const struct tls_stream *t, struct tls_facts *out);
/* The earliest notAfter of a chain, seconds since 1970, for expiry warnings. */
enum err tls_chain_expiry(struct bytes chain_pem, uint64_t *not_after_s) MUST_USE;

/* What conf_load cannot see: chains, authorities and OCSP answers that do not parse, keys of kinds that are not supported or
 * do not belong to their certificate; and, as warnings, certificates that are not in force at now_s. ERR_SYNTAX: there
 * are errors. read_key may be NULL (only who may read keys looks at them); ERR_DENIED from it: this one is not looked at. */
enum err tls_check(struct conf *conf, struct conf_errors *errors, uint64_t now_s,
	enum err (*read_key)(struct bytes path, void *ctx, struct text *pem), void *ctx) MUST_USE;

/* The keeper's half: a loaded private key. ERR_SYNTAX: no unencrypted key in PEM; ERR_UNSUPPORTED: neither RSA of 2048 to
 * 8192 bits nor ECDSA on P-256, P-384 or P-521. */
struct tls_key;
#define TLS_KEY_FILE_MAX 65536
enum err tls_key_load(struct bytes pem, struct tls_key **out) MUST_USE;
void tls_key_free(struct tls_key **k);
/* Whether it is the key of the first certificate of a chain. */
bool tls_key_is_of(const struct tls_key *k, struct bytes chain_pem);
/* digest's length must fit scheme (RFC 8446 4.2.3): ERR_SYNTAX. ERR_UNSUPPORTED: the scheme is not of this key's kind. */
enum err tls_key_sign(struct tls_key *k, uint16_t scheme, struct bytes digest, unsigned char *sig, size_t cap,
	size_t *len) MUST_USE;

#endif
