/* Ed25519 (RFC 8032) by libcrypto: the key that signs the ledger, evidence, backups and releases. What is signed is a text
 * that begins with what it is for, so that a signature for one thing is none for another. */
#ifndef CRYPTO_ED25519_H
#define CRYPTO_ED25519_H

#include "base/text.h"

#define ED25519_PUBLIC_LEN    32
#define ED25519_SIGNATURE_LEN 64
#define ED25519_PEM_MAX	      256
#define ED25519_PRINT_MAX     72 /* of a fingerprint, with its 0 */

struct ed25519_key; /* a private key */

/* A new key from the system's random bytes. NULL: libcrypto refused. */
struct ed25519_key *ed25519_new(void);
/* Reads PKCS#8 PEM without a password. ERR_SYNTAX: it is not that; ERR_UNSUPPORTED: a key of another kind. */
enum err ed25519_load(struct bytes pem, struct ed25519_key **out) MUST_USE;
void ed25519_free(struct ed25519_key **k);
/* Appends the private key as PEM: wipe the text afterwards. */
enum err ed25519_write(const struct ed25519_key *k, struct text *out) MUST_USE;
void ed25519_public(const struct ed25519_key *k, unsigned char out[ED25519_PUBLIC_LEN]);
enum err ed25519_sign(const struct ed25519_key *k, struct bytes what, unsigned char out[ED25519_SIGNATURE_LEN]) MUST_USE;

/* SubjectPublicKeyInfo in PEM, as "openssl pkey -pubin" reads it. */
enum err ed25519_public_write(const unsigned char key[ED25519_PUBLIC_LEN], struct text *out) MUST_USE;
enum err ed25519_public_load(struct bytes pem, unsigned char out[ED25519_PUBLIC_LEN]) MUST_USE;
/* "SHA256:" and the sum of the 32 octets, hexadecimal: what people compare, the same wherever a key is shown. */
void ed25519_fingerprint(const unsigned char key[ED25519_PUBLIC_LEN], char out[ED25519_PRINT_MAX]);
bool ed25519_verify(const unsigned char key[ED25519_PUBLIC_LEN], struct bytes what, struct bytes signature) MUST_USE;

#endif
