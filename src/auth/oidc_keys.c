/* Key sets: each key once, with the algorithms that it may verify, so that no token chooses what its signature is held against. */
#include "auth/oidc_priv.h"

#include "auth/public_key.h"
#include "crypto/base64.h"

#include <openssl/evp.h>

#define RSA_MOST   8192
#define NUMBER_MOST (RSA_MOST / 8)

struct number {
	unsigned char at[NUMBER_MOST];
	size_t len;
};

static struct bytes number_of(const json_t *key, const char *name, struct number *n)
{
	if (base64url_read_any(oidc_string(key, name), n->at, sizeof n->at, &n->len) != OK)
		n->len = 0;
	return bytes_of(n->at, n->len);
}

/* NULL: a kind that is unknown here, or numbers that cannot be such a key. */
static EVP_PKEY *read_key(const json_t *key)
{
	struct number a, b;

	if (oidc_string_is(key, "kty", "RSA"))
		return public_key_rsa(number_of(key, "n", &a), number_of(key, "e", &b), RSA_MOST);
	if (oidc_string_is(key, "kty", "EC") && oidc_string_is(key, "crv", "P-256"))
		return public_key_ec("P-256", number_of(key, "x", &a), number_of(key, "y", &b));
	if (oidc_string_is(key, "kty", "EC") && oidc_string_is(key, "crv", "P-384"))
		return public_key_ec("P-384", number_of(key, "x", &a), number_of(key, "y", &b));
	if (oidc_string_is(key, "kty", "OKP") && oidc_string_is(key, "crv", "Ed25519"))
		return public_key_ed25519(number_of(key, "x", &a));
	return NULL;
}

/* What it may verify: by its kind, and by alg, use and key_ops where it has them (RFC 7517 4.2 to 4.4). */
static unsigned algorithms_of(const json_t *key)
{
	const json_t *alg = json_object_get(key, "alg"), *ops = json_object_get(key, "key_ops");
	unsigned all = 0;

	if (json_object_get(key, "use") && !oidc_string_is(key, "use", "sig"))
		return 0;
	if (ops && !oidc_array_has(ops, BYTES("verify")))
		return 0;
	for (size_t i = 0; i < OIDC_ALGORITHM_COUNT; i++) {
		const struct oidc_algorithm_row *r = &oidc_algorithms[i];

		if (oidc_string_is(key, "kty", r->key_type) && (!r->curve || oidc_string_is(key, "crv", r->curve)) &&
			(!alg || oidc_string_is(key, "alg", r->name)))
			all |= OIDC_BIT(i);
	}
	return all;
}

enum err oidc_keys_read(struct bytes in, struct oidc_keys *out, const char **why)
{
	json_t *root = oidc_json_object(in), *list = json_object_get(root, "keys");
	enum err e = OK;

	*out = (struct oidc_keys){ .root = root };
	if (!json_is_array(list)) {
		*why = "its key set is no JSON object with keys, or has a member twice";
		e = ERR_SYNTAX;
	} else if (json_array_size(list) > OIDC_KEYS_MAX) {
		*why = "its key set has more than 32 keys";
		e = ERR_LIMIT;
	}
	for (size_t i = 0; e == OK && i < json_array_size(list); i++) {
		const json_t *key = json_array_get(list, i);
		struct oidc_key k = { .kid = oidc_string(key, "kid"), .algorithms = algorithms_of(key) };

		k.key = k.algorithms ? read_key(key) : NULL;
		if (k.key)
			out->keys[out->count++] = k;
	}
	if (e == OK && out->count == 0) {
		*why = "its key set has no key that signatures could be verified with";
		e = ERR_NOT_FOUND;
	}
	if (e != OK)
		oidc_keys_fini(out);
	return e;
}

void oidc_keys_fini(struct oidc_keys *k)
{
	for (size_t i = 0; i < k->count; i++)
		EVP_PKEY_free(k->keys[i].key);
	json_decref(k->root);
	*k = (struct oidc_keys){ 0 };
}
