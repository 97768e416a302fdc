/* ECDSA on P-256 over SHA-256 (FIPS 186-5) by libcrypto: the key that signs tokens for servers (ES256, RFC 7518 3.4). Ed25519 would be simpler,
 * but not every server's library knows it. */
#ifndef CRYPTO_ES256_H
#define CRYPTO_ES256_H

#include "base/text.h"

#define ES256_PUBLIC_LEN    64 /* x and y, RFC 7518 6.2.1 */
#define ES256_SIGNATURE_LEN 64 /* r and s */
#define ES256_DIGEST_LEN    32
#define ES256_PEM_MAX	    512

struct es256_key; /* a private key */

/* A new key from the system's random bytes. NULL: libcrypto refused. */
struct es256_key *es256_new(void);
/* Reads PEM (PKCS#8, or SEC 1) without a password. ERR_SYNTAX: it is not that; ERR_UNSUPPORTED: a key of another kind. */
enum err es256_load(struct bytes pem, struct es256_key **out) MUST_USE;
void es256_free(struct es256_key **k);
/* Appends the private key as PKCS#8 in PEM: wipe the text afterwards. ERR_LIMIT: the text is too small. */
enum err es256_write(const struct es256_key *k, struct text *out) MUST_USE;
enum err es256_public(const struct es256_key *k, unsigned char out[ES256_PUBLIC_LEN]) MUST_USE;
/* Of a digest that was made before. ERR_MEMORY: libcrypto refused. */
enum err es256_sign(const struct es256_key *k, const unsigned char digest[ES256_DIGEST_LEN], unsigned char out[ES256_SIGNATURE_LEN]) MUST_USE;
/* False also when public_key is no point of the curve. */
bool es256_verify(const unsigned char public_key[ES256_PUBLIC_LEN], const unsigned char digest[ES256_DIGEST_LEN], struct bytes signature) MUST_USE;

#endif
