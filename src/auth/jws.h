/* JSON Web Tokens for servers behind us, RFC 7515, 7519: ES256 alone. The signature itself comes from the keeper. */
#ifndef AUTH_JWS_H
#define AUTH_JWS_H

#include "auth/facts.h"
#include "base/text.h"

#define JWS_PUBLIC_LEN	  64 /* x and y of P-256 */
#define JWS_SIGNATURE_LEN 64 /* r and s, RFC 7518 3.4 */
#define JWS_KID_LEN	  43 /* RFC 7638 thumbprint in base64url */

/* The key's name. */
void jws_kid(const unsigned char public_key[JWS_PUBLIC_LEN], char out[JWS_KID_LEN + 1]);
/* {"keys":[{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":...,"x":...,"y":...}]} */
void jws_key_set(struct text *t, const unsigned char (*public_keys)[JWS_PUBLIC_LEN], size_t n);
struct jws_claims {
	struct bytes issuer, audience; /* "https://work.example.org", "https://intranet.work.example.org" */
	/* sub: the user; name, email (where there are), groups, sid: the session's id, amr (RFC 8176): pwd, otp, swk of a passkey, pop of a session
	 * that is bound to a key of the device, mfa */
	const struct auth_facts *facts;
	uint64_t now_s, until_s;
};
/* base64url(header) . base64url(payload): what is signed. typ JWT, alg ES256, kid. jti is random. */
void jws_write(struct text *t, const struct jws_claims *c, const char kid[JWS_KID_LEN + 1]);
/* The digest to sign, and the signature put behind. */
void jws_digest(struct bytes signed_part, unsigned char out[32]);
void jws_finish(struct text *t, const unsigned char signature[JWS_SIGNATURE_LEN]);

#endif
