/* Proofs of a browser that it holds the key of a session: Device Bound Session Credentials (W3C webappsec-dbsc, "DBSC Proof JWT Syntax"). Reads the
 * token and checks its signature; which challenge and which key count is the caller's to say. No clock, no state. */
#ifndef AUTH_DBSC_H
#define AUTH_DBSC_H

#include "crypto/es256.h"

#define DBSC_JWT_MAX	   2000 /* octets */
#define DBSC_CHALLENGE_LEN 32	/* ours are random, and travel as base64url */

struct dbsc_proof {
	unsigned char challenge[DBSC_CHALLENGE_LEN]; /* jti */
	bool has_key;
	unsigned char key[ES256_PUBLIC_LEN]; /* that it names as its own: counts at registration alone */
	struct bytes signed_part;	     /* a view into the token */
	unsigned char signature[ES256_SIGNATURE_LEN];
	bool has_subject;
	unsigned char subject[16]; /* the session's id that it is about, as characters: a refresh has it (sub) */
};

/* ERR_SYNTAX: not three parts of base64url, no JSON, a member twice, typ or alg or key other than dbsc+jwt, ES256 and P-256, critical extensions, no
 * challenge of ours in jti. ERR_LIMIT: too long. Nothing is verified yet. */
enum err dbsc_read(struct bytes jwt, struct dbsc_proof *out) MUST_USE;
bool dbsc_verify(const struct dbsc_proof *p, const unsigned char key[ES256_PUBLIC_LEN]) MUST_USE;

/* The value of a field that is one string: bare, as Chromium sends it, or quoted, as the draft has it (RFC 9651 3.3.3). Parameters are read over; an
 * escape makes it none, for nothing of ours holds one. Empty: it is not that. A view into value. */
struct bytes dbsc_string(struct bytes value);

#endif
