/* Public keys made of their numbers, as passkeys (COSE) and key sets of other sign-in services (JWK) have them. */
#ifndef AUTH_PUBLIC_KEY_H
#define AUTH_PUBLIC_KEY_H

#include "base/bytes.h"

struct evp_pkey_st; /* EVP_PKEY of libcrypto */

#define PUBLIC_KEY_RSA_LEAST 2048 /* bits */

/* Each gives a key to be freed with EVP_PKEY_free, or NULL: the numbers cannot be such a key. Without memory the process ends (CHECK). */
/* group: "P-256" or "P-384"; x and y have the curve's full length, leading zeros too. A point off the curve, or at infinity, is none. */
struct evp_pkey_st *public_key_ec(const char *group, struct bytes x, struct bytes y);
/* Unsigned, the most significant octet first and not 0. PUBLIC_KEY_RSA_LEAST to most_bits, an odd exponent of more than 16 bits and at most 8 octets. */
struct evp_pkey_st *public_key_rsa(struct bytes n, struct bytes e, unsigned most_bits);
struct evp_pkey_st *public_key_ed25519(struct bytes x);

#endif
