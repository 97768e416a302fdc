/* What the files of this room share. */
#ifndef TLS_TLS_PRIV_H
#define TLS_TLS_PRIV_H

#include "tls/tls.h"

#include <openssl/ssl.h>

struct tls_server {
	size_t count;
	SSL_CTX *ctx[];
};
struct tls_client {
	SSL_CTX *ctx;
	bool verify;
};
void tls_stream_wake(struct tls_stream *t);
void tls_set_current(struct tls_stream *t);
void tls_forget_pending(struct tls_stream *t);

#endif
