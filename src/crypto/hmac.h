/* HMAC-SHA256 (RFC 2104, FIPS 198-1) by libcrypto. */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include "crypto/sha256.h"

/* Of a key of any length. Without memory the process ends (CHECK). Compare with secret_eq. */
void hmac_sha256(struct bytes key, struct bytes what, unsigned char out[SHA256_LEN]);

#endif
