/* ES256 over EVP; libcrypto's signatures are DER (SEC 1, C.5), those of tokens two numbers of fixed length. */
#include "crypto/es256.h"

#include "crypto/pem_priv.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#define NUMBER_LEN 32
#define DER_MAX	   80 /* 72, and room */

struct es256_key {
	EVP_PKEY *key;
};

static struct es256_key *wrap(EVP_PKEY *key)
{
	struct es256_key *k = key ? calloc(1, sizeof(*k)) : NULL;

	if (!k)
		EVP_PKEY_free(key);
	else
		k->key = key;
	return k;
}

struct es256_key *es256_new(void)
{
	return wrap(EVP_EC_gen("P-256"));
}

static bool is_p256(const EVP_PKEY *key)
{
	char group[32];

	return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       bytes_eq(bytes_str(group), BYTES("prime256v1"));
}

enum err es256_load(struct bytes pem, struct es256_key **out)
{
	EVP_PKEY *key = pem_read_private(pem);
	struct es256_key *k;

	if (!key)
		return ERR_SYNTAX;
	if (!is_p256(key)) {
		EVP_PKEY_free(key);
		return ERR_UNSUPPORTED;
	}
	k = wrap(key);
	if (!k)
		return ERR_MEMORY;
	*out = k;
	return OK;
}

void es256_free(struct es256_key **k)
{
	if (!*k)
		return;
	EVP_PKEY_free((*k)->key);
	free(*k);
	*k = NULL;
}

enum err es256_write(const struct es256_key *k, struct text *out)
{
	return pem_write_private(k->key, out);
}

enum err es256_public(const struct es256_key *k, unsigned char out[ES256_PUBLIC_LEN])
{
	BIGNUM *x = NULL, *y = NULL;
	bool ok = EVP_PKEY_get_bn_param(k->key, OSSL_PKEY_PARAM_EC_PUB_X, &x) == 1 &&
		EVP_PKEY_get_bn_param(k->key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) == 1 && BN_bn2binpad(x, out, NUMBER_LEN) == NUMBER_LEN &&
		BN_bn2binpad(y, out + NUMBER_LEN, NUMBER_LEN) == NUMBER_LEN;

	BN_free(x);
	BN_free(y);
	return ok ? OK : ERR_MEMORY;
}

enum err es256_sign(const struct es256_key *k, const unsigned char digest[ES256_DIGEST_LEN], unsigned char out[ES256_SIGNATURE_LEN])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(k->key, NULL);
	unsigned char der[DER_MAX];
	const unsigned char *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig = NULL;
	bool ok = c && EVP_PKEY_sign_init(c) == 1 && EVP_PKEY_sign(c, der, &len, digest, ES256_DIGEST_LEN) == 1;

	if (ok)
		sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, NUMBER_LEN) == NUMBER_LEN &&
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + NUMBER_LEN, NUMBER_LEN) == NUMBER_LEN;
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(c);
	return ok ? OK : ERR_MEMORY;
}

static EVP_PKEY *public_of(const unsigned char public_key[ES256_PUBLIC_LEN])
{
	unsigned char point[1 + ES256_PUBLIC_LEN] = { 4 }; /* uncompressed, SEC 1 2.3.3 */
	char group[] = "prime256v1";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)), OSSL_PARAM_construct_end() };
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	memcpy(point + 1, public_key, ES256_PUBLIC_LEN);
	if (!c || EVP_PKEY_fromdata_init(c) != 1 || EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(c);
	return key;
}

bool es256_verify(const unsigned char public_key[ES256_PUBLIC_LEN], const unsigned char digest[ES256_DIGEST_LEN], struct bytes signature)
{
	EVP_PKEY *key = signature.len == ES256_SIGNATURE_LEN ? public_of(public_key) : NULL;
	EVP_PKEY_CTX *c = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	ECDSA_SIG *sig = key ? ECDSA_SIG_new() : NULL;
	BIGNUM *r = key ? BN_bin2bn(signature.at, NUMBER_LEN, NULL) : NULL, *s = key ? BN_bin2bn(signature.at + NUMBER_LEN, NUMBER_LEN, NULL) : NULL;
	unsigned char der[DER_MAX], *at = der;
	bool ok = false;
	int len;

	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* sig's */
		len = i2d_ECDSA_SIG(sig, &at);
		ok = len > 0 && c && EVP_PKEY_verify_init(c) == 1 && EVP_PKEY_verify(c, der, (size_t)len, digest, ES256_DIGEST_LEN) == 1;
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(key);
	return ok;
}
