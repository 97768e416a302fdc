#include "auth/cose.h"

#include "auth/cbor.h"
#include "auth/public_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>

enum { KTY = 1, ALG = 3 };				      /* labels, RFC 8152 7.1; the others by kind of key */
enum { KTY_OKP = 1, KTY_EC2 = 2, KTY_RSA = 3 };		      /* RFC 8152 13, RFC 8230 4 */
enum { CRV = -1, X = -2, Y = -3, RSA_N = -1, RSA_E = -2 };    /* 13.1.1, 13.2; RFC 8230 4 */
enum { CRV_P256 = 1, CRV_ED25519 = 6 }; /* 13.1 */
enum { RSA_MOST = 4096 };				      /* bits */

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
		return r->failed ? NULL : public_key_ec("P-256", a, b);
	case COSE_EDDSA:
		if (kty != KTY_OKP || pairs != 4 || !has_number(r, last, CRV, CRV_ED25519))
			return NULL;
		a = string_of(r, last, X);
		return r->failed ? NULL : public_key_ed25519(a);
	case COSE_RS256:
		if (kty != KTY_RSA || pairs != 4)
			return NULL;
		a = string_of(r, last, RSA_N);
		b = string_of(r, last, RSA_E);
		return r->failed ? NULL : public_key_rsa(a, b, RSA_MOST);
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
