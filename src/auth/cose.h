/* Public keys of passkeys: COSE_Key (RFC 8152 7 and 13, RFC 8230 4) as WebAuthn Level 2 6.5.1.1 has it, and signatures made with them. */
#ifndef AUTH_COSE_H
#define AUTH_COSE_H

#include "base/bytes.h"

enum cose_algorithm { COSE_ES256 = -7, COSE_EDDSA = -8, COSE_RS256 = -257 };

struct evp_pkey_st; /* EVP_PKEY of libcrypto */
struct cose_key {
	enum cose_algorithm algorithm;
	struct evp_pkey_st *key;
};
/* Reads one key from the start of in; *len is how many octets it has. ERR_UNSUPPORTED: an algorithm that is not of ours. ERR_SYNTAX: not such a key,
 * or one that cannot be: a point off its curve, RSA outside 2048..4096 bits or with a weak exponent, a parameter that is not of this kind of key.
 * Give it back with cose_key_fini. Without memory the process ends (CHECK). */
enum err cose_key_read(struct bytes in, struct cose_key *out, size_t *len) MUST_USE;
void cose_key_fini(struct cose_key *k);
/* ES256: ASN.1, DER. EdDSA: Ed25519. RS256: PKCS #1 v1.5. The key says which. */
bool cose_verify(const struct cose_key *k, struct bytes what, struct bytes signature) MUST_USE;

#endif
