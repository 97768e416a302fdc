/* SHA-512 (FIPS 180-4) by libcrypto, of bytes that are in memory. */
#ifndef CRYPTO_SHA512_H
#define CRYPTO_SHA512_H

#include "base/bytes.h"

#define SHA512_LEN 64

/* Without memory the process ends (CHECK). */
void sha512_of(struct bytes b, unsigned char out[SHA512_LEN]);

#endif
