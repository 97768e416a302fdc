/* What the files of this room share. */
#ifndef TLS_TLS_PRIV_H
#define TLS_TLS_PRIV_H

#include "tls/tls.h"

#include <openssl/ssl.h>

#define RSA_BITS_LEAST 2048
#define RSA_BITS_MOST  8192
#define SIGNATURE_MAX  (RSA_BITS_MOST / 8)

/* One certificate of a listener: as configured, its leaf, and when its chain ends. */
struct server_cert {
	const struct conf_cert *conf;
	X509 *leaf; /* the context's */
	bool is_rsa;
	uint64_t not_after_s;
};
/* A name that a certificate is for, "www.example.org" or "*.example.org", and the context that serves it. */
struct server_name {
	char *name;
	size_t ctx;
};
struct tls_server {
	size_t count;
	struct server_cert *certs;
	SSL_CTX **ctxs; /* one per certificate; ctxs[i] may hold a second certificate, of the other kind */
	struct server_name *names; /* sorted by name, then by ctx */
	size_t name_count;
};
struct tls_client {
	SSL_CTX *ctx;
	bool verify;
};

struct tls_stream {
	SSL *ssl;
	int fd;
	bool is_done, is_closed, is_orphan;
	bool is_drained, has_ended; /* the kernel has no more bytes; the peer has ended, so that it is never known */
	unsigned char *held; /* the session ticket, to go with the first answer */
	size_t held_len;
	bool is_parked;			      /* its job waits for a signature */
	struct tls_stream *next_waiting, **prev_waiting; /* prev: it waits for a place among those that sign */
	void (*on_wake)(void *);
	void *ctx;
	const char *error;
	char *subject; /* of the client's certificate; made when it is first asked for */
	size_t subject_len;
};

/* tls.c */
void tls_ctx_common(SSL_CTX *ctx);
enum err tls_ctx_trust(SSL_CTX *ctx, struct bytes pem, bool names_too, char *error, size_t size) MUST_USE;
/* Adds the chain, and a key that the keeper holds. */
enum err tls_ctx_use(SSL_CTX *ctx, struct bytes chain_pem, struct tls_signer *signer, uint16_t key, char *error, size_t size) MUST_USE;
int tls_on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc);

/* remote.c: a private key whose private half is the keeper's, for this certificate; NULL with *error filled. */
EVP_PKEY *tls_remote_key(X509 *cert, struct tls_signer *signer, uint16_t key, char *error, size_t size);

/* sign.c */
/* Inside a handshake's job: asks, parks the job, and returns with the answer. */
enum err tls_sign_remotely(struct tls_signer *signer, uint16_t key, uint16_t scheme, struct bytes digest,
	unsigned char *sig, size_t cap, size_t *len) MUST_USE;
void tls_sign_init(void);
/* False: as many handshakes as may be are waiting for the keeper; t is woken when there is a place. */
bool tls_sign_has_place(struct tls_stream *t);
void tls_sign_not_waiting(struct tls_stream *t);
void tls_sign_current(struct tls_stream *t); /* whose handshake runs now; NULL: none */

/* key.c */
bool tls_is_supported(const EVP_PKEY *k); /* its kind and size, of either half */

/* stream.c */
void tls_stream_end(struct tls_stream *t); /* frees it, job and all, after the answer */

#endif
