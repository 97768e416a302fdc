/* An authenticator for tests: makes keys, authenticator data, attestation objects and signatures as a passkey does, or wrong in one place.
 * CBOR is written octet by octet, so that what is read was not written by the same code. */
#ifndef TEST_AUTHENTICATOR_H
#define TEST_AUTHENTICATOR_H

#include "auth/cose.h"
#include "auth/webauthn.h"
#include "crypto/base64.h"
#include "crypto/sha256.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

enum { UP = 1, UV = 4, BE = 8, BS = 16, AT = 64, ED = 128 };

struct authenticator {
	EVP_PKEY *key;
	int algorithm;
	unsigned char cose_mem[1024], id[32];
	struct text cose;
};

static inline void cbor_head(struct text *t, unsigned major, unsigned n)
{
	CHECK(n <= UINT16_MAX);
	if (n < 24) {
		text_byte(t, (unsigned char)(major << 5 | n));
	} else if (n < 256) {
		text_byte(t, (unsigned char)(major << 5 | 24));
		text_byte(t, (unsigned char)n);
	} else {
		text_byte(t, (unsigned char)(major << 5 | 25));
		text_byte(t, (unsigned char)(n >> 8));
		text_byte(t, (unsigned char)n);
	}
}

static inline void cbor_string(struct text *t, unsigned major, struct bytes b)
{
	cbor_head(t, major, (unsigned)b.len);
	text_add(t, b);
}

static inline void cose_number(struct text *t, const char *name, EVP_PKEY *key)
{
	unsigned char out[512];
	BIGNUM *n = NULL;

	CHECK(EVP_PKEY_get_bn_param(key, name, &n) == 1);
	CHECK(BN_num_bytes(n) <= (int)sizeof out);
	/* Coordinates have 32 octets always, RSA's numbers no zeros in front. */
	if (name[0] == 'q')
		cbor_string(t, 2, bytes_of(out, (size_t)BN_bn2binpad(n, out, 32)));
	else
		cbor_string(t, 2, bytes_of(out, (size_t)BN_bn2bin(n, out)));
	BN_free(n);
}

static inline void cose_write(struct text *t, int algorithm, EVP_PKEY *key)
{
	unsigned char raw[32];
	size_t n = sizeof raw;

	switch (algorithm) {
	case COSE_ES256:
		text_lit(t, "\xa5\x01\x02\x03\x26\x20\x01\x21");
		cose_number(t, OSSL_PKEY_PARAM_EC_PUB_X, key);
		text_lit(t, "\x22");
		cose_number(t, OSSL_PKEY_PARAM_EC_PUB_Y, key);
		break;
	case COSE_EDDSA:
		CHECK(EVP_PKEY_get_raw_public_key(key, raw, &n) == 1);
		text_lit(t, "\xa4\x01\x01\x03\x27\x20\x06\x21");
		cbor_string(t, 2, bytes_of(raw, n));
		break;
	default:
		text_lit(t, "\xa4\x01\x03\x03\x39\x01\x00\x20");
		cose_number(t, OSSL_PKEY_PARAM_RSA_N, key);
		text_lit(t, "\x21");
		cose_number(t, OSSL_PKEY_PARAM_RSA_E, key);
	}
	CHECK(!t->failed);
}

static inline void authenticator_init(struct authenticator *a, int algorithm)
{
	memset(a->id, 0x5a, sizeof a->id);
	a->algorithm = algorithm;
	a->key = algorithm == COSE_ES256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256") : algorithm == COSE_EDDSA ?
		EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	CHECK(a->key);
	text_init(&a->cose, a->cose_mem, sizeof a->cose_mem);
	cose_write(&a->cose, algorithm, a->key);
}

/* 6.1. rest: attested credential data and extensions. */
static inline void auth_data_write(struct text *t, const char *rp_id, unsigned flags, uint32_t count, struct bytes rest)
{
	unsigned char hash[SHA256_LEN];

	sha256_of(bytes_str(rp_id), hash);
	text_add(t, bytes_of(hash, sizeof hash));
	text_byte(t, (unsigned char)flags);
	for (int shift = 24; shift >= 0; shift -= 8)
		text_byte(t, (unsigned char)(count >> shift));
	text_add(t, rest);
}

static inline void attested_write(struct text *t, struct bytes id, struct bytes cose)
{
	static const unsigned char aaguid[16];

	text_add(t, bytes_of(aaguid, sizeof aaguid));
	text_byte(t, (unsigned char)(id.len >> 8));
	text_byte(t, (unsigned char)id.len);
	text_add(t, id);
	text_add(t, cose);
}

static inline void attestation_write(struct text *t, struct bytes auth_data)
{
	text_lit(t, "\xa3\x63" "fmt\x64" "none\x67" "attStmt\xa0\x68" "authData");
	cbor_string(t, 2, auth_data);
}

static inline void client_data_write(struct text *t, const char *type, struct bytes challenge, const char *origin, const char *more)
{
	text_lit(t, "{\"type\":\"");
	text_str(t, type);
	text_lit(t, "\",\"challenge\":\"");
	base64url_put(t, challenge);
	text_lit(t, "\",\"origin\":\"");
	text_str(t, origin);
	text_lit(t, "\"");
	text_str(t, more);
	text_lit(t, "}");
}

static inline void authenticator_sign(const struct authenticator *a, struct bytes auth_data, struct bytes client_data, struct text *out)
{
	unsigned char what[8192], signature[512];
	size_t n = sizeof signature;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	CHECK(ctx && auth_data.len + SHA256_LEN <= sizeof what);
	memcpy(what, auth_data.at, auth_data.len);
	sha256_of(client_data, what + auth_data.len);
	CHECK(EVP_DigestSignInit(ctx, NULL, a->algorithm == COSE_EDDSA ? NULL : EVP_sha256(), NULL, a->key) == 1);
	CHECK(EVP_DigestSign(ctx, signature, &n, what, auth_data.len + SHA256_LEN) == 1);
	EVP_MD_CTX_free(ctx);
	text_add(out, bytes_of(signature, n));
}

#endif
