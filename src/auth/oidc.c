/* Metadata, the two requests, and the token endpoint's answer. Keys and tokens are in oidc_keys.c and oidc_token.c. */
#include "auth/oidc.h"

#include "auth/oidc_priv.h"
#include "crypto/base64.h"
#include "crypto/sha256.h"
#include "net/url.h"

const struct oidc_algorithm_row oidc_algorithms[OIDC_ALGORITHM_COUNT] = {
	[OIDC_RS256] = { "RS256", "RSA", NULL, "SHA256", 0, false },
	[OIDC_RS384] = { "RS384", "RSA", NULL, "SHA384", 0, false },
	[OIDC_RS512] = { "RS512", "RSA", NULL, "SHA512", 0, false },
	[OIDC_PS256] = { "PS256", "RSA", NULL, "SHA256", 0, true },
	[OIDC_PS384] = { "PS384", "RSA", NULL, "SHA384", 0, true },
	[OIDC_PS512] = { "PS512", "RSA", NULL, "SHA512", 0, true },
	[OIDC_ES256] = { "ES256", "EC", "P-256", "SHA256", 32, false },
	[OIDC_ES384] = { "ES384", "EC", "P-384", "SHA384", 48, false },
	[OIDC_EDDSA] = { "EdDSA", "OKP", "Ed25519", NULL, 0, false },
};

enum err oidc_algorithm_by_name(struct bytes name, enum oidc_algorithm *out)
{
	for (size_t i = 0; i < OIDC_ALGORITHM_COUNT; i++)
		if (bytes_eq(name, bytes_str(oidc_algorithms[i].name))) {
			*out = (enum oidc_algorithm)i;
			return OK;
		}
	return ERR_NOT_FOUND;
}

/* --- JSON --- */

json_t *oidc_json_object(struct bytes in)
{
	json_error_t error;
	json_t *root = in.len && in.len <= OIDC_BODY_MAX ? json_loadb((const char *)in.at, in.len, JSON_REJECT_DUPLICATES, &error) : NULL;

	if (root && !json_is_object(root)) {
		json_decref(root);
		root = NULL;
	}
	return root;
}

struct bytes oidc_string(const json_t *object, const char *name)
{
	const json_t *v = json_object_get(object, name);

	return json_is_string(v) ? bytes_of(json_string_value(v), json_string_length(v)) : BYTES("");
}

bool oidc_string_is(const json_t *object, const char *name, const char *value)
{
	return bytes_eq(oidc_string(object, name), bytes_str(value));
}

bool oidc_array_has(const json_t *array, struct bytes value)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *v = json_array_get(array, i);

		if (json_is_string(v) && bytes_eq(bytes_of(json_string_value(v), json_string_length(v)), value))
			return true;
	}
	return false;
}

/* --- metadata --- */

static bool endpoint(const json_t *root, const char *name, bool may_be_http, struct bytes *out)
{
	struct url u;

	*out = oidc_string(root, name);
	return url_read(*out, &u) == OK && (may_be_http || !u.is_http);
}

/* Absent, a list says nothing that we could hold against it (Discovery 3: most have defaults that are enough). */
static bool may(const json_t *root, const char *name, struct bytes value)
{
	const json_t *list = json_object_get(root, name);

	return !list || oidc_array_has(list, value);
}

static const char *metadata_trouble(struct oidc_metadata *m, struct bytes issuer)
{
	struct url u;
	bool is_http;

	m->issuer = oidc_string(m->root, "issuer");
	if (!bytes_eq(m->issuer, issuer) || url_read(issuer, &u) != OK)
		return "its metadata has another issuer than the configuration: write issuer as the provider does";
	is_http = u.is_http;
	if (!endpoint(m->root, "authorization_endpoint", is_http, &m->authorization))
		return "its metadata has no authorization_endpoint, or one that is no https URL";
	if (!endpoint(m->root, "token_endpoint", is_http, &m->token))
		return "its metadata has no token_endpoint, or one that is no https URL";
	if (!endpoint(m->root, "jwks_uri", is_http, &m->keys))
		return "its metadata has no jwks_uri, or one that is no https URL";
	if (json_object_get(m->root, "end_session_endpoint") && !endpoint(m->root, "end_session_endpoint", is_http, &m->end_session))
		return "its metadata has an end_session_endpoint that is no https URL";
	if (!may(m->root, "response_types_supported", BYTES("code")))
		return "it does not offer the code flow (response_types_supported)";
	if (!may(m->root, "code_challenge_methods_supported", BYTES("S256")))
		return "it offers PKCE without S256 (code_challenge_methods_supported)";
	/* RFC 9126 5. To push each request would be a question to the provider for whoever begins a sign-in: a stranger costs us nothing now. */
	if (json_is_true(json_object_get(m->root, "require_pushed_authorization_requests")))
		return "it demands pushed authorization requests (RFC 9126), which Sluis does not send: have it let this client do without";
	m->tells_issuer = json_is_true(json_object_get(m->root, "authorization_response_iss_parameter_supported"));
	return NULL;
}

enum err oidc_metadata_read(struct bytes in, struct bytes issuer, struct oidc_metadata *out, const char **why)
{
	struct oidc_metadata m = { .root = oidc_json_object(in) };
	const char *trouble = m.root ? metadata_trouble(&m, issuer) : "its metadata is no JSON object, or has a member twice";

	if (trouble) {
		*why = trouble;
		oidc_metadata_fini(&m);
		return ERR_SYNTAX;
	}
	*out = m;
	return OK;
}

void oidc_metadata_fini(struct oidc_metadata *m)
{
	json_decref(m->root);
	*m = (struct oidc_metadata){ 0 };
}

/* --- what is asked --- */

static void put_parameter(struct text *t, const char *name, struct bytes value)
{
	text_byte(t, '&');
	text_str(t, name);
	text_byte(t, '=');
	text_uri(t, value);
}

/* A query that the endpoint has is kept, RFC 6749 3.1. */
static void put_first(struct text *t, struct bytes endpoint_url, const char *first)
{
	text_add(t, endpoint_url);
	text_byte(t, bytes_find_byte(endpoint_url, '?') == SIZE_MAX ? '?' : '&');
	text_str(t, first);
}

void oidc_authorization_write(struct text *t, const struct oidc_request *r)
{
	unsigned char digest[SHA256_LEN], mem[OIDC_RANDOM_LEN];
	struct text challenge;

	sha256_of(r->verifier, digest); /* RFC 7636 4.2 */
	text_init(&challenge, mem, sizeof mem);
	base64url_put(&challenge, bytes_of(digest, sizeof digest));
	CHECK(!challenge.failed);
	put_first(t, r->endpoint, "response_type=code");
	put_parameter(t, "client_id", r->client_id);
	put_parameter(t, "redirect_uri", r->redirect_uri);
	put_parameter(t, "scope", r->scope);
	put_parameter(t, "state", r->state);
	put_parameter(t, "nonce", r->nonce);
	put_parameter(t, "code_challenge", text_bytes(&challenge));
	put_parameter(t, "code_challenge_method", BYTES("S256"));
}

void oidc_exchange_write(struct text *t, const struct oidc_exchange *x)
{
	text_lit(t, "grant_type=authorization_code");
	put_parameter(t, "code", x->code);
	put_parameter(t, "redirect_uri", x->redirect_uri);
	put_parameter(t, "code_verifier", x->verifier);
	if (x->auth != OIDC_AUTH_BASIC)
		put_parameter(t, "client_id", x->client_id);
	if (x->auth == OIDC_AUTH_POST)
		put_parameter(t, "client_secret", x->secret);
}

void oidc_basic_put(struct text *t, struct bytes b)
{
	text_uri(t, b);
}

void oidc_end_session_write(struct text *t, struct bytes url, struct bytes client_id, struct bytes back)
{
	put_first(t, url, "client_id=");
	text_uri(t, client_id);
	put_parameter(t, "post_logout_redirect_uri", back);
}

/* --- the token endpoint's answer --- */

static const char *error_name(const json_t *root)
{
	static const char *const names[] = { "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope" };

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (oidc_string_is(root, "error", names[i]))
			return names[i];
	return "another error";
}

enum err oidc_answer_read(struct bytes in, struct oidc_answer *out, const char **why)
{
	struct oidc_answer a = { .root = oidc_json_object(in) };
	enum err e = OK;

	if (!a.root) {
		*why = "its token endpoint answered with something that is no JSON object, or has a member twice";
		return ERR_SYNTAX;
	}
	a.id_token = oidc_string(a.root, "id_token");
	if (json_object_get(a.root, "error")) {
		*why = error_name(a.root);
		e = ERR_DENIED;
	} else if (a.id_token.len == 0) {
		*why = "its token endpoint gave no id_token: scopes need openid";
		e = ERR_SYNTAX;
	}
	if (e != OK)
		oidc_answer_fini(&a);
	else
		*out = a;
	return e;
}

void oidc_answer_fini(struct oidc_answer *a)
{
	json_decref(a->root);
	*a = (struct oidc_answer){ 0 };
}
