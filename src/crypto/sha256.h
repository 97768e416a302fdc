/* SHA-256 (FIPS 180-4) by libcrypto, and its hexadecimal form. */
#ifndef CRYPTO_SHA256_H
#define CRYPTO_SHA256_H

#include "base/text.h"

#define SHA256_LEN 32

/* Over pieces. One object serves many digests, one after the other. Without memory the process ends (CHECK). */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 **s);
void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, struct bytes b);
void sha256_end(struct sha256 *s, unsigned char out[SHA256_LEN]);
/* What sha256_end would answer now; more may be added afterwards. */
void sha256_so_far(const struct sha256 *s, unsigned char out[SHA256_LEN]);

void sha256_of(struct bytes b, unsigned char out[SHA256_LEN]);

/* Lower case, two digits per octet. */
void hex_put(struct text *t, struct bytes b);
/* Exactly 2 * len digits of either case; ERR_SYNTAX otherwise. */
enum err hex_read(struct bytes in, unsigned char *out, size_t len) MUST_USE;

#endif
