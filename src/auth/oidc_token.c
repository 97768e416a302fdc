/* Tokens: first the signature, by a key and an algorithm that we chose, then what is in them. */
#include "auth/oidc_priv.h"

#include "base/secret.h"
#include "crypto/base64.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <math.h>
#include <stdlib.h>

#define SKEW_S	      60
#define HEAD_MAX      4096
#define SIGNATURE_MAX 1024
#define DER_MAX	      128
#define TIME_MOST     (UINT64_C(1) << 53)
#define TEXT_MOST     255
#define LOGOUT_EVENT  "http://schemas.openid.net/event/backchannel-logout"

/* --- the signature --- */

/* libcrypto wants ECDSA's two numbers in DER; JWS has them side by side (RFC 7518 3.4). 0: not such a signature. */
static size_t ecdsa_der(struct bytes raw, size_t number_len, unsigned char der[DER_MAX])
{
	ECDSA_SIG *sig = raw.len == 2 * number_len ? ECDSA_SIG_new() : NULL;
	BIGNUM *r = sig ? BN_bin2bn(raw.at, (int)number_len, NULL) : NULL, *s = sig ? BN_bin2bn(raw.at + number_len, (int)number_len, NULL) : NULL;
	unsigned char *at = der;
	int len = 0;

	if (sig) {
		CHECK(r && s && ECDSA_SIG_set0(sig, r, s) == 1);
		len = i2d_ECDSA_SIG(sig, &at);
		ECDSA_SIG_free(sig);
	}
	return len > 0 ? (size_t)len : 0;
}

static bool verify(const struct oidc_key *k, const struct oidc_algorithm_row *alg, struct bytes what, struct bytes signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *key = NULL;
	unsigned char der[DER_MAX];
	bool is_good;

	CHECK(ctx);
	if (alg->number_len)
		signature = bytes_of(der, ecdsa_der(signature, alg->number_len, der));
	is_good = signature.len && EVP_DigestVerifyInit_ex(ctx, &key, alg->digest, NULL, NULL, k->key, NULL) == 1;
	if (is_good && alg->is_pss) /* RFC 7518 3.5: the salt is as long as the digest */
		is_good = EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_DIGEST) == 1;
	is_good = is_good && EVP_DigestVerify(ctx, signature.at, signature.len, what.at, what.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return is_good;
}

struct parts {
	struct bytes signed_part, head, payload, signature; /* the last three still encoded */
};

static bool split(struct bytes token, struct parts *p)
{
	size_t first = bytes_find_byte(token, '.'), second;
	struct bytes rest;

	if (token.len > OIDC_TOKEN_MAX || first == SIZE_MAX)
		return false;
	rest = bytes_cut(token, first + 1, token.len);
	second = bytes_find_byte(rest, '.');
	if (second == SIZE_MAX)
		return false;
	*p = (struct parts){ .head = bytes_cut(token, 0, first), .payload = bytes_cut(rest, 0, second), .signature = bytes_cut(rest, second + 1, rest.len),
		.signed_part = bytes_cut(token, 0, first + 1 + second) };
	return bytes_find_byte(p->signature, '.') == SIZE_MAX; /* five parts: it is encrypted */
}

static json_t *decode(struct bytes part, size_t most)
{
	unsigned char *mem = part.len / 4 * 3 + 2 <= most ? malloc(part.len / 4 * 3 + 3) : NULL;
	json_t *root = NULL;
	size_t len;

	if (mem && base64url_read_any(part, mem, part.len / 4 * 3 + 3, &len) == OK)
		root = oidc_json_object(bytes_of(mem, len));
	free(mem);
	return root;
}

/* Without a name, the one key that suits, if there is just one (Core 10.1). */
static bool suits(const struct oidc_keys *keys, size_t i, enum oidc_algorithm alg, bool has_kid, struct bytes kid)
{
	size_t of_alg = 0;

	if (!(keys->keys[i].algorithms & OIDC_BIT(alg)))
		return false;
	if (has_kid)
		return bytes_eq(keys->keys[i].kid, kid);
	for (size_t j = 0; j < keys->count; j++)
		of_alg += (keys->keys[j].algorithms & OIDC_BIT(alg)) != 0;
	return of_alg == 1;
}

static bool has_name(const struct oidc_keys *keys, struct bytes kid)
{
	for (size_t i = 0; i < keys->count; i++)
		if (bytes_eq(keys->keys[i].kid, kid))
			return true;
	return false;
}

static enum err check_signature(const struct parts *p, const json_t *head, const struct oidc_keys *keys, unsigned allowed, const char **why)
{
	bool has_kid = json_object_get(head, "kid") != NULL, has_key = false;
	struct bytes kid = oidc_string(head, "kid");
	unsigned char signature[SIGNATURE_MAX];
	enum oidc_algorithm alg;
	size_t len;

	if (oidc_algorithm_by_name(oidc_string(head, "alg"), &alg) != OK || !(allowed & OIDC_BIT(alg))) {
		*why = "the token's algorithm is not one of allow_algorithms";
		return ERR_DENIED;
	}
	if (has_kid && kid.len == 0) {
		*why = "the token's kid is no name";
		return ERR_DENIED;
	}
	if (base64url_read_any(p->signature, signature, sizeof signature, &len) != OK) {
		*why = "the token has no signature";
		return ERR_DENIED;
	}
	for (size_t i = 0; i < keys->count; i++) {
		if (!suits(keys, i, alg, has_kid, kid))
			continue;
		has_key = true;
		if (verify(&keys->keys[i], &oidc_algorithms[alg], p->signed_part, bytes_of(signature, len)))
			return OK;
	}
	if (!has_key && !(has_kid && has_name(keys, kid))) { /* it may be newer than the keys that we have */
		*why = has_kid ? "the provider has no key of the token's kid" : "the token names no key, and not just one suits its algorithm";
		return ERR_NOT_FOUND;
	}
	*why = has_key ? "the token's signature is wrong" : "the token's key is not for its algorithm";
	return ERR_DENIED;
}

/* --- what every token says --- */

/* Seconds; what is no number is missing. A number may be anything: it is held against the ends before it becomes an integer. */
static bool time_of(const json_t *claims, const char *name, uint64_t *out)
{
	const json_t *v = json_object_get(claims, name);
	double d;

	if (json_is_integer(v)) {
		json_int_t n = json_integer_value(v);
		*out = n < 0 ? 0 : (uint64_t)n > TIME_MOST ? TIME_MOST : (uint64_t)n;
		return true;
	}
	if (!json_is_real(v))
		return false;
	d = json_real_value(v);
	if (isnan(d))
		return false;
	*out = d <= 0 ? 0 : d >= (double)TIME_MOST ? TIME_MOST : (uint64_t)d;
	return true;
}

/* aud: one, or several with us among them; then azp says whom it was made for, and wherever it stands it must be us (Core 3.1.3.7, 3 to 5). */
static const char *audience_trouble(const json_t *claims, struct bytes client_id)
{
	const json_t *aud = json_object_get(claims, "aud"), *azp = json_object_get(claims, "azp");

	if (azp && !bytes_eq(oidc_string(claims, "azp"), client_id))
		return "the token was made for another client (azp)";
	if (json_is_string(aud))
		return bytes_eq(oidc_string(claims, "aud"), client_id) ? NULL : "the token is for another client (aud)";
	if (!oidc_array_has(aud, client_id))
		return "the token is for another client (aud)";
	return json_array_size(aud) > 1 && !azp ? "the token has several audiences and no azp" : NULL;
}

static const char *common_trouble(const json_t *claims, const struct oidc_want *w, uint64_t *until_s)
{
	uint64_t iat, nbf = 0;
	const char *trouble;

	if (!bytes_eq(oidc_string(claims, "iss"), w->issuer) || w->issuer.len == 0)
		return "the token has another issuer";
	trouble = audience_trouble(claims, w->client_id);
	if (trouble)
		return trouble;
	if (!time_of(claims, "exp", until_s) || !time_of(claims, "iat", &iat) || (json_object_get(claims, "nbf") && !time_of(claims, "nbf", &nbf)))
		return "the token lacks exp or iat, or a time is no number";
	if (*until_s + SKEW_S <= w->now_s)
		return "the token is over (exp): compare the clocks";
	if (iat > w->now_s + SKEW_S || nbf > w->now_s + SKEW_S)
		return "the token is from the future (iat, nbf): compare the clocks";
	return NULL;
}

/* A claim that may be missing; is_bad: it is there, and is no string of 1 to most octets without control characters. */
static struct bytes claim(const json_t *claims, const char *name, size_t most, bool *is_bad)
{
	struct bytes v = oidc_string(claims, name);

	if (!json_object_get(claims, name))
		return v;
	for (size_t i = 0; i < v.len; i++)
		if (v.at[i] < ' ' || v.at[i] == 127)
			*is_bad = true;
	if (v.len == 0 || v.len > most)
		*is_bad = true;
	return v;
}

/* typ, where there is one, tells tokens apart that one key signs (RFC 8725 3.11). */
static bool has_type(const json_t *head, struct bytes also)
{
	struct bytes typ = oidc_string(head, "typ");

	return !json_object_get(head, "typ") || bytes_eq_nocase(typ, BYTES("JWT")) || (also.len && bytes_eq_nocase(typ, also));
}

static enum err read_token(struct bytes token, const struct oidc_keys *keys, const struct oidc_want *w, struct bytes typ, struct oidc_token *out, const char **why)
{
	json_t *head = NULL, *claims = NULL;
	const char *trouble;
	enum err e = ERR_DENIED;
	struct parts p;

	*why = "the token is no signed JSON Web Token (three parts)";
	if (!split(token, &p))
		return ERR_DENIED;
	head = decode(p.head, HEAD_MAX);
	if (!head) {
		*why = "the token's header is no JSON object, or has a member twice";
	} else if (!has_type(head, typ)) {
		*why = "the token is of another type (typ)";
	} else if (json_object_get(head, "crit")) {
		*why = "the token demands an extension (crit)"; /* RFC 7515 4.1.11 */
	} else {
		e = check_signature(&p, head, keys, w->algorithms, why);
	}
	json_decref(head);
	if (e != OK)
		return e;
	claims = decode(p.payload, OIDC_TOKEN_MAX);
	*out = (struct oidc_token){ .root = claims };
	trouble = claims ? common_trouble(claims, w, &out->until_s) : "the token's claims are no JSON object, or one is there twice";
	if (!trouble)
		return OK;
	*why = trouble;
	oidc_token_fini(out);
	return ERR_DENIED;
}

/* --- an ID token --- */

static const char *take_groups(const json_t *claims, struct bytes name, struct directory_person *p)
{
	char key[TEXT_MOST + 1];
	const json_t *v;

	if (name.len == 0 || name.len > TEXT_MOST)
		return NULL;
	memcpy(key, name.at, name.len);
	key[name.len] = 0;
	v = json_object_get(claims, key);
	if (!v) /* Entra ID: what is too much stands elsewhere, and here only that it does (Core 5.6.2) */
		return json_object_get(json_object_get(claims, "_claim_names"), key)
			? "the provider keeps the groups elsewhere, for they are too many: have it send only those that count here" : NULL;
	if (json_is_string(v)) {
		p->groups[p->group_count++] = bytes_of(json_string_value(v), json_string_length(v));
		return NULL;
	}
	if (!json_is_array(v))
		return "the token's groups are neither a list nor a string";
	if (json_array_size(v) > DIRECTORY_GROUPS_MAX)
		return "the token has more than 64 groups: have the provider send only those that count here";
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *g = json_array_get(v, i);

		if (!json_is_string(g))
			return "the token has a group that is no string";
		p->groups[p->group_count++] = bytes_of(json_string_value(g), json_string_length(g));
	}
	return NULL;
}

static bool is_mfa(const json_t *claims, const struct oidc_want *w)
{
	const json_t *amr = json_object_get(claims, "amr");

	for (size_t i = 0; i < w->mfa_value_count; i++)
		if (oidc_array_has(amr, w->mfa_values[i]) || bytes_eq(oidc_string(claims, "acr"), w->mfa_values[i]))
			return true;
	return false;
}

static const char *person_trouble(const json_t *claims, const struct oidc_want *w, struct directory_person *p)
{
	const json_t *verified = json_object_get(claims, "email_verified");
	bool is_unverified = verified && !json_is_true(verified) && !oidc_string_is(claims, "email_verified", "true"), is_bad = false;
	char name_claim[TEXT_MOST + 1];

	p->subject = claim(claims, "sub", OIDC_SUBJECT_MAX, &is_bad);
	if (p->subject.len == 0 || is_bad)
		return "the token has no sub, or one that is none";
	p->sid = claim(claims, "sid", TEXT_MOST, &is_bad);
	if (is_bad)
		return "the token's sid is none";
	if (w->name_claim.len == 0 || w->name_claim.len > TEXT_MOST)
		return "there is no name_claim";
	memcpy(name_claim, w->name_claim.at, w->name_claim.len);
	name_claim[w->name_claim.len] = 0;
	p->name = claim(claims, name_claim, TEXT_MOST, &is_bad);
	if (p->name.len == 0 || is_bad)
		return "the token lacks the claim that name_claim names, or it is no name: have the provider send it, or choose another";
	/* An address that nobody has shown to be theirs is no name: anybody could have typed another's. */
	if (bytes_eq(w->name_claim, BYTES("email")) && (is_unverified || !verified))
		return "name_claim is email, and the provider does not say that it is verified (email_verified)";
	p->display = claim(claims, "name", TEXT_MOST, &is_bad);
	if (is_bad)
		p->display = BYTES(""); /* only shown */
	is_bad = false;
	p->mail = claim(claims, "email", TEXT_MOST, &is_bad);
	if (is_bad || is_unverified)
		p->mail = BYTES("");
	p->has_mfa = is_mfa(claims, w);
	return take_groups(claims, w->groups_claim, p);
}

static const char *nonce_trouble(const json_t *claims, struct bytes nonce)
{
	struct bytes given = oidc_string(claims, "nonce");

	if (given.len == 0)
		return "the token has no nonce";
	return nonce.len && secret_eq(given, nonce) ? NULL : "the token's nonce is another's";
}

enum err oidc_id_token_read(struct bytes token, const struct oidc_keys *keys, const struct oidc_want *w, struct oidc_token *out, const char **why)
{
	struct oidc_token t;
	const char *trouble;

	TRY(read_token(token, keys, w, BYTES(""), &t, why));
	trouble = nonce_trouble(t.root, w->nonce);
	if (!trouble)
		trouble = person_trouble(t.root, w, &t.person);
	if (trouble) {
		*why = trouble;
		oidc_token_fini(&t);
		return ERR_DENIED;
	}
	*out = t;
	return OK;
}

/* --- a logout token --- */

static const char *logout_trouble(const json_t *claims, struct oidc_token *t)
{
	bool is_bad = false;

	if (!json_is_object(json_object_get(json_object_get(claims, "events"), LOGOUT_EVENT)))
		return "the token is no logout token (events)";
	if (json_object_get(claims, "nonce")) /* else an ID token could be one */
		return "the logout token has a nonce";
	t->person.subject = claim(claims, "sub", OIDC_SUBJECT_MAX, &is_bad);
	t->person.sid = claim(claims, "sid", TEXT_MOST, &is_bad);
	t->jti = claim(claims, "jti", TEXT_MOST, &is_bad);
	if (is_bad || t->jti.len == 0)
		return "the logout token has no jti, or its sub, sid or jti is none";
	return t->person.subject.len == 0 && t->person.sid.len == 0 ? "the logout token has neither sub nor sid" : NULL;
}

enum err oidc_logout_token_read(struct bytes token, const struct oidc_keys *keys, const struct oidc_want *w, struct oidc_token *out, const char **why)
{
	struct oidc_token t;
	const char *trouble;

	TRY(read_token(token, keys, w, BYTES("logout+jwt"), &t, why));
	trouble = logout_trouble(t.root, &t);
	if (trouble) {
		*why = trouble;
		oidc_token_fini(&t);
		return ERR_DENIED;
	}
	*out = t;
	return OK;
}

void oidc_token_fini(struct oidc_token *t)
{
	json_decref(t->root);
	*t = (struct oidc_token){ 0 };
}
