/* Private keys in and out of PEM, for the rooms' kinds of keys: Ed25519 and ES256. */
#ifndef CRYPTO_PEM_PRIV_H
#define CRYPTO_PEM_PRIV_H

#include "base/text.h"

#include <openssl/bio.h>
#include <openssl/evp.h>

/* For PEM_read_bio_...: nobody is ever asked on a terminal. */
int pem_no_password(char *buf, int size, int rwflag, void *ctx);
/* Text to read PEM from; NULL: no memory, or more than 64 KB. BIO_free it, NULL too. */
BIO *pem_open(struct bytes pem);
/* PKCS#8 without a password; the caller's. NULL: it is not that. */
EVP_PKEY *pem_read_private(struct bytes pem);
enum err pem_write_private(EVP_PKEY *key, struct text *out) MUST_USE;
/* What was written to the memory BIO `from`, where ok; wipes and frees it. ERR_LIMIT: no room in out. */
enum err pem_take(BIO *from, bool ok, struct text *out) MUST_USE;

#endif
