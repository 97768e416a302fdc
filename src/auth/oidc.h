/* What another sign-in service says, by OpenID Connect Core 1.0, Discovery 1.0 and Back-Channel Logout 1.0: its metadata, its keys, the answer of its token
 * endpoint, and the tokens that it signs; and what is asked of it: the authorization request (code flow, PKCE by RFC 7636) and the code's exchange. Bytes in,
 * values out: no network and no clock. Members that come twice are refused everywhere. Each reader says in *why, on failure, what was wrong:
 * words for a log, without a value that came in. json_object_seed has been called before. */
#ifndef AUTH_OIDC_H
#define AUTH_OIDC_H

#include "auth/directory.h"

#define OIDC_CODE_MAX	 2048
#define OIDC_BODY_MAX	 (256 * 1024)
#define OIDC_TOKEN_MAX	 (64 * 1024)
#define OIDC_KEYS_MAX	 32
#define OIDC_SUBJECT_MAX 255
#define OIDC_RANDOM_LEN	 43 /* state, nonce and PKCE verifier: 32 octets in base64url */

struct json_t;
struct evp_pkey_st;

/* --- algorithms of signatures, RFC 7518 3.1 and RFC 8037 3.1: those with a public key alone --- */

enum oidc_algorithm { OIDC_RS256, OIDC_RS384, OIDC_RS512, OIDC_PS256, OIDC_PS384, OIDC_PS512, OIDC_ES256, OIDC_ES384, OIDC_EDDSA, OIDC_ALGORITHM_COUNT };
#define OIDC_BIT(algorithm)	(1u << (algorithm))
#define OIDC_ALGORITHMS_DEFAULT (OIDC_BIT(OIDC_RS256) | OIDC_BIT(OIDC_PS256) | OIDC_BIT(OIDC_ES256) | OIDC_BIT(OIDC_EDDSA))
/* "RS256" and so on. ERR_NOT_FOUND: not one of these; "none" and those with a shared key (HS256, ...) are never. */
enum err oidc_algorithm_by_name(struct bytes name, enum oidc_algorithm *out) MUST_USE;

/* --- metadata: ISSUER/.well-known/openid-configuration --- */

struct oidc_metadata {
	struct json_t *root; /* the views below are of it */
	struct bytes issuer, authorization, token, keys, end_session; /* end_session: empty where it has none */
	bool tells_issuer; /* its authorization answers have iss, RFC 9207 */
};
/* The issuer must be the given one exactly (Discovery 4.3). http endpoints are taken of an http issuer alone. Give it back with oidc_metadata_fini. */
enum err oidc_metadata_read(struct bytes in, struct bytes issuer, struct oidc_metadata *out, const char **why) MUST_USE;
void oidc_metadata_fini(struct oidc_metadata *m);

/* --- keys: RFC 7517 --- */

struct oidc_key {
	struct bytes kid;    /* empty: none */
	unsigned algorithms; /* OIDC_BIT of those that this key verifies */
	struct evp_pkey_st *key;
};
struct oidc_keys {
	struct json_t *root;
	struct oidc_key keys[OIDC_KEYS_MAX];
	size_t count;
};
/* Keys that are for something else, of a kind unknown here, or weak, are skipped (5). ERR_LIMIT: more than OIDC_KEYS_MAX. ERR_NOT_FOUND: none is left. */
enum err oidc_keys_read(struct bytes in, struct oidc_keys *out, const char **why) MUST_USE;
void oidc_keys_fini(struct oidc_keys *k);

/* --- tokens --- */

/* What a token is held against. */
struct oidc_want {
	struct bytes issuer, client_id;
	struct bytes nonce; /* of an ID token */
	struct bytes name_claim, groups_claim; /* of an ID token; groups_claim empty: groups are not taken */
	const struct bytes *mfa_values; /* of amr or acr */
	size_t mfa_value_count;
	unsigned algorithms; /* OIDC_BIT of those that are allowed */
	uint64_t now_s;
};
struct oidc_token {
	struct json_t *root; /* person's, and jti's views are of it */
	struct directory_person person;
	struct bytes jti; /* of a logout token */
	uint64_t until_s; /* exp, at most 2^53 */
};
/* Core 3.1.3.7. ERR_NOT_FOUND: no key of that name: fetch the keys anew. ERR_DENIED: anything else that makes it bad. Give it back with oidc_token_fini. */
enum err oidc_id_token_read(struct bytes token, const struct oidc_keys *keys, const struct oidc_want *want, struct oidc_token *out, const char **why) MUST_USE;
/* Back-Channel Logout 2.6: person has subject or sid, or both; jti is there. That it is used once is the caller's to see. */
enum err oidc_logout_token_read(struct bytes token, const struct oidc_keys *keys, const struct oidc_want *want, struct oidc_token *out, const char **why) MUST_USE;
void oidc_token_fini(struct oidc_token *t);

/* --- what is asked --- */

struct oidc_request {
	struct bytes endpoint, client_id, redirect_uri, scope; /* scope: divided by spaces */
	struct bytes state, nonce, verifier;
};
/* The URL that a browser is sent to; PKCE's challenge is made of the verifier (S256). */
void oidc_authorization_write(struct text *t, const struct oidc_request *r);

enum oidc_client_auth { OIDC_AUTH_BASIC, OIDC_AUTH_POST, OIDC_AUTH_NONE };
struct oidc_exchange {
	enum oidc_client_auth auth;
	struct bytes code, redirect_uri, verifier, client_id, secret;
};
/* The form for the token endpoint, RFC 6749 4.1.3. Wipe it. */
void oidc_exchange_write(struct text *t, const struct oidc_exchange *x);
/* Name or secret of HTTP Basic, encoded as a form's value (RFC 6749 2.3.1), before HTTP's own encoding. */
void oidc_basic_put(struct text *t, struct bytes b);

struct oidc_answer {
	struct json_t *root;
	struct bytes id_token;
};
/* Of the token endpoint, whatever its status. ERR_DENIED: it is an error of RFC 6749 5.2, *why its name (invalid_grant, ...), or "another error". */
enum err oidc_answer_read(struct bytes in, struct oidc_answer *out, const char **why) MUST_USE;
void oidc_answer_fini(struct oidc_answer *a);

/* The URL at which a person signs out there too, RP-Initiated Logout 1.0 2. back: where it leads back to. */
void oidc_end_session_write(struct text *t, struct bytes endpoint, struct bytes client_id, struct bytes back);

#endif
