#include "auth/cose.h"

#include "auth/cbor.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

enum { KTY = 1, ALG = 3 };				      /* labels, RFC 8152 7.1; the others by kind of key */
enum { KTY_OKP = 1, KTY_EC2 = 2, KTY_RSA = 3 };		      /* RFC 8152 13, RFC 8230 4 */
enum { CRV = -1, X = -2, Y = -3, RSA_N = -1, RSA_E = -2 };    /* 13.1.1, 13.2; RFC 8230 4 */
enum { CRV_P256 = 1, CRV_ED25519 = 6, COORDINATE_LEN = 32 };  /* 13.1 */
enum { RSA_LEAST = 2048, RSA_MOST = 4096, EXPONENT_MOST = 8 }; /* bits, bits, octets */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL), *check;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	CHECK(ctx && params && EVP_PKEY_fromdata_init(ctx) == 1);
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1) {
		check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
		CHECK(check);
		if (EVP_PKEY_public_check(check) != 1) { /* for EC2: on the curve, not at infinity */
			EVP_PKEY_free(key);
			key = NULL;
		}
		EVP_PKEY_CTX_free(check);
	}
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *ec_key(struct bytes x, struct bytes y)
{
	unsigned char point[1 + 2 * COORDINATE_LEN] = { POINT_CONVERSION_UNCOMPRESSED };
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key;

	if (x.len != COORDINATE_LEN || y.len != COORDINATE_LEN)
		return NULL;
	memcpy(point + 1, x.at, COORDINATE_LEN);
	memcpy(point + 1 + COORDINATE_LEN, y.at, COORDINATE_LEN);
	build = OSSL_PARAM_BLD_new();
	CHECK(build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
	      OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) == 1);
	key = from_params("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

/* RFC 8230 4: unsigned, the most significant octet first and not 0. An exponent of 3 has had too many accidents; 65537 is what is made. */
static EVP_PKEY *rsa_key(struct bytes n, struct bytes e)
{
	OSSL_PARAM_BLD *build;
	EVP_PKEY *key = NULL;
	BIGNUM *modulus, *exponent;
	int bits;

	if (n.len == 0 || n.len > RSA_MOST / 8 || n.at[0] == 0 || e.len == 0 || e.len > EXPONENT_MOST || e.at[0] == 0)
		return NULL;
	modulus = BN_bin2bn(n.at, (int)n.len, NULL);
	exponent = BN_bin2bn(e.at, (int)e.len, NULL);
	build = OSSL_PARAM_BLD_new();
	CHECK(modulus && exponent && build);
	bits = BN_num_bits(modulus);
	if (bits >= RSA_LEAST && bits <= RSA_MOST && BN_is_odd(modulus) && BN_is_odd(exponent) && BN_num_bits(exponent) > 16) {
		CHECK(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
		      OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
		key = from_params("RSA", build);
	}
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

/* The labels of a key are sorted as CBOR sorts them: 1, 3, -1, -2, -3. So each is where it must be, and there is no other (6.5.1.1). */
static bool is_label(struct reader *r, struct bytes *last, int label)
{
	struct cbor_item k = cbor_key(r, last);
	bool is_it = label >= 0 ? k.kind == CBOR_UINT && k.n == (uint64_t)label : k.kind == CBOR_NEGATIVE && k.n == (uint64_t)(-1 - label);

	if (!is_it)
		r->failed = true;
	return is_it;
}

static bool has_number(struct reader *r, struct bytes *last, int label, int64_t value)
{
	if (is_label(r, last, label) && cbor_int(r) == value)
		return !r->failed;
	r->failed = true;
	return false;
}

static struct bytes string_of(struct reader *r, struct bytes *last, int label)
{
	return is_label(r, last, label) ? cbor_bytes(r) : (struct bytes){ 0 };
}

/* What stands behind kty and alg; NULL: not such a key. */
static EVP_PKEY *read_rest(struct reader *r, struct bytes *last, enum cose_algorithm alg, int64_t kty, uint64_t pairs)
{
	struct bytes a, b;

	switch (alg) {
	case COSE_ES256:
		if (kty != KTY_EC2 || pairs != 5 || !has_number(r, last, CRV, CRV_P256))
			return NULL;
		a = string_of(r, last, X);
		b = string_of(r, last, Y);
		return r->failed ? NULL : ec_key(a, b);
	case COSE_EDDSA:
		if (kty != KTY_OKP || pairs != 4 || !has_number(r, last, CRV, CRV_ED25519))
			return NULL;
		a = string_of(r, last, X);
		return r->failed || a.len != COORDINATE_LEN ? NULL : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, a.at, a.len);
	case COSE_RS256:
		if (kty != KTY_RSA || pairs != 4)
			return NULL;
		a = string_of(r, last, RSA_N);
		b = string_of(r, last, RSA_E);
		return r->failed ? NULL : rsa_key(a, b);
	}
	return NULL;
}

enum err cose_key_read(struct bytes in, struct cose_key *out, size_t *len)
{
	struct reader r = { .left = in };
	struct bytes last = { 0 };
	uint64_t pairs = cbor_map(&r);
	int64_t kty = is_label(&r, &last, KTY) ? cbor_int(&r) : 0;
	int64_t alg = is_label(&r, &last, ALG) ? cbor_int(&r) : 0;
	EVP_PKEY *key;

	if (r.failed)
		return ERR_SYNTAX;
	if (alg != COSE_ES256 && alg != COSE_EDDSA && alg != COSE_RS256)
		return ERR_UNSUPPORTED;
	key = read_rest(&r, &last, (enum cose_algorithm)alg, kty, pairs);
	if (!key) {
		ERR_clear_error();
		return ERR_SYNTAX;
	}
	*out = (struct cose_key){ .algorithm = (enum cose_algorithm)alg, .key = key };
	*len = in.len - r.left.len;
	return OK;
}

void cose_key_fini(struct cose_key *k)
{
	EVP_PKEY_free(k->key);
	k->key = NULL;
}

bool cose_verify(const struct cose_key *k, struct bytes what, struct bytes signature)
{
	const EVP_MD *md = k->algorithm == COSE_EDDSA ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool is_good;

	CHECK(ctx);
	is_good = EVP_DigestVerifyInit(ctx, NULL, md, NULL, k->key) == 1 &&
		  EVP_DigestVerify(ctx, signature.at, signature.len, what.at, what.len) == 1;
	EVP_MD_CTX_free(ctx);
	ERR_clear_error(); /* a wrong signature is an answer, not an error for the next to find */
	return is_good;
}
