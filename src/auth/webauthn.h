/* Passkeys: WebAuthn Level 2 (W3C Recommendation 2021-04-08), 7.1 registration and 7.2 authentication, by the numbers of their steps. Attestation
 * "none" is asked for and any other statement is not looked at; algorithms ES256 and, for authenticators that have no other, RS256 and EdDSA.
 * Bytes in, verdict out: no clock, no store. Signatures by OpenSSL (auth/cose.h); CBOR by a reader of our own, in place (auth/cbor.h). */
#ifndef AUTH_WEBAUTHN_H
#define AUTH_WEBAUTHN_H

#include "base/arena.h"
#include "base/text.h"

#define WEBAUTHN_ID_MAX	 1023 /* octets of a credential id, 6.5.1 */
#define WEBAUTHN_KEY_MAX 700  /* of a public key, COSE_Key */

struct webauthn_party {
	struct bytes rp_id;  /* "work.example.org" */
	struct bytes origin; /* "https://work.example.org", with a port that is not 443 */
	struct bytes challenge; /* the 32 octets that were given out, once */
	bool needs_verification; /* the user must have been verified (UV): the passkey is the only factor */
};
struct webauthn_credential {
	struct bytes id, public_key; /* as they came */
	int algorithm; /* COSE: -7, -8, -257; 0, of one that is there: what its key says, for a COSE_Key names it */
	uint32_t sign_count;
	bool is_verified, is_backed_up;
};
/* client_data: clientDataJSON; attestation: attestationObject. *out are views into attestation. *why: a short stable name of the step that failed
 * ("type", "challenge", "origin", "cross_origin", "rp_id", "user_present", "user_verified", "algorithm", "key", "syntax"). ERR_DENIED, ERR_SYNTAX. */
enum err webauthn_register(const struct webauthn_party *p, struct bytes client_data, struct bytes attestation, struct webauthn_credential *out,
	const char **why) MUST_USE;
/* credential: what was registered. *out: verified, backed up and the new count. why also "signature", "count" (it did not grow: a copy may exist,
 * step 21; never with counts of 0). */
enum err webauthn_assert(const struct webauthn_party *p, const struct webauthn_credential *credential, struct bytes client_data,
	struct bytes authenticator_data, struct bytes signature, struct webauthn_credential *out, const char **why) MUST_USE;

#endif
