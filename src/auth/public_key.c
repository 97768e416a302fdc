/* Numbers to keys by EVP_PKEY_fromdata; what is too small, or no point of its curve, becomes none. */
#include "auth/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#define COORDINATE_MOST 48
#define EXPONENT_MOST	8
#define ED25519_LEN	32

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	CHECK(ctx && params && EVP_PKEY_fromdata_init(ctx) == 1);
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1) {
		check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		CHECK(check);
		if (EVP_PKEY_public_check(check) != 1) { /* of a curve: on it, not at infinity */
			EVP_PKEY_free(key);
			key = NULL;
		}
		EVP_PKEY_CTX_free(check);
	}
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error(); /* no key is an answer, not an error for the next to find */
	return key;
}

EVP_PKEY *public_key_ec(const char *group, struct bytes x, struct bytes y)
{
	unsigned char point[1 + 2 * COORDINATE_MOST] = { POINT_CONVERSION_UNCOMPRESSED };
	size_t len = strcmp(group, "P-256") == 0 ? 32 : 48;
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key;

	if (x.len != len || y.len != len)
		return NULL;
	memcpy(point + 1, x.at, len);
	memcpy(point + 1 + len, y.at, len);
	build = OSSL_PARAM_BLD_new();
	CHECK(build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
	      OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * len) == 1);
	key = from_params("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

/* An exponent of 3 has had too many accidents; 65537 is what is made. */
EVP_PKEY *public_key_rsa(struct bytes n, struct bytes e, unsigned most_bits)
{
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key = NULL;
	BIGNUM *modulus, *exponent;
	int bits;

	if (n.len == 0 || n.len > most_bits / 8 || n.at[0] == 0 || e.len == 0 || e.len > EXPONENT_MOST || e.at[0] == 0)
		return NULL;
	modulus = BN_bin2bn(n.at, (int)n.len, NULL);
	exponent = BN_bin2bn(e.at, (int)e.len, NULL);
	build = OSSL_PARAM_BLD_new();
	CHECK(modulus && exponent && build);
	bits = BN_num_bits(modulus);
	if (bits >= PUBLIC_KEY_RSA_LEAST && BN_is_odd(modulus) && BN_is_odd(exponent) && BN_num_bits(exponent) > 16) {
		CHECK(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
		key = from_params("RSA", build);
	}
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

EVP_PKEY *public_key_ed25519(struct bytes x)
{
	return x.len == ED25519_LEN ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.at, x.len) : NULL;
}
