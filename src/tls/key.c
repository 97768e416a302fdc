/* The keeper's half: a private key in this process's memory, and signatures over digests. */
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

/* RFC 8446 4.2.3: which digest and which kind of key a scheme stands for. */
static const struct {
	uint16_t scheme;
	size_t digest;
	int type, padding; /* padding 0: none (ECDSA) */
} schemes[] = {
	{ 0x0403, 32, EVP_PKEY_EC, 0 }, { 0x0503, 48, EVP_PKEY_EC, 0 }, { 0x0603, 64, EVP_PKEY_EC, 0 },
	{ 0x0804, 32, EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING }, { 0x0805, 48, EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING },
	{ 0x0806, 64, EVP_PKEY_RSA, RSA_PKCS1_PSS_PADDING }, { 0x0401, 32, EVP_PKEY_RSA, RSA_PKCS1_PADDING },
	{ 0x0501, 48, EVP_PKEY_RSA, RSA_PKCS1_PADDING }, { 0x0601, 64, EVP_PKEY_RSA, RSA_PKCS1_PADDING },
};

struct tls_key {
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *ctxs[COUNT_OF(schemes)]; /* made once: libcrypto's search for an algorithm costs as much as an ECDSA signature */
};

/* The scheme that a curve is for; a curve of as many bits is not enough (secp256k1). */
static uint16_t scheme_of_curve(const EVP_PKEY *k)
{
	static const struct { const char *name; uint16_t scheme; } curves[] = {
		{ "prime256v1", 0x0403 }, { "secp384r1", 0x0503 }, { "secp521r1", 0x0603 },
	};
	char group[32] = "";

	for (size_t i = 0; i < COUNT_OF(curves) && EVP_PKEY_get_group_name(k, group, sizeof group, NULL) == 1; i++)
		if (strcmp(group, curves[i].name) == 0)
			return curves[i].scheme;
	return 0;
}

bool tls_is_supported(const EVP_PKEY *k)
{
	if (EVP_PKEY_get_base_id(k) == EVP_PKEY_RSA)
		return EVP_PKEY_get_bits(k) >= RSA_BITS_LEAST && EVP_PKEY_get_bits(k) <= RSA_BITS_MOST;
	return EVP_PKEY_get_base_id(k) == EVP_PKEY_EC && scheme_of_curve(k);
}

/* Keys that need a password have none to give: an unencrypted one is asked for, and no prompt. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
	(void)buf, (void)size, (void)writing, (void)ctx;
	return -1;
}

static EVP_PKEY_CTX *ctx_new(EVP_PKEY *pkey, size_t i)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(pkey, NULL);
	const EVP_MD *md = schemes[i].digest == 32 ? EVP_sha256() : schemes[i].digest == 48 ? EVP_sha384() : EVP_sha512();
	bool ok = c && EVP_PKEY_sign_init(c) > 0;

	if (ok && schemes[i].padding)
		ok = EVP_PKEY_CTX_set_rsa_padding(c, schemes[i].padding) > 0 && EVP_PKEY_CTX_set_signature_md(c, md) > 0;
	if (ok && schemes[i].padding == RSA_PKCS1_PSS_PADDING)
		ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
	if (ok)
		return c;
	EVP_PKEY_CTX_free(c);
	return NULL;
}

enum err tls_key_load(struct bytes pem, struct tls_key **out)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	struct tls_key *k;
	bool ok = pkey && tls_is_supported(pkey);

	BIO_free(bio);
	ERR_clear_error();
	if (!pkey)
		return ERR_SYNTAX;
	k = calloc(1, sizeof *k);
	if (!k) {
		EVP_PKEY_free(pkey);
		return ERR_MEMORY;
	}
	k->pkey = pkey;
	for (size_t i = 0; ok && i < COUNT_OF(schemes); i++)
		if (schemes[i].type == EVP_PKEY_get_base_id(pkey) && (schemes[i].padding || schemes[i].scheme == scheme_of_curve(pkey)))
			ok = (k->ctxs[i] = ctx_new(pkey, i)) != NULL;
	ERR_clear_error();
	if (!ok) {
		tls_key_free(&k);
		return ERR_UNSUPPORTED;
	}
	*out = k;
	return OK;
}

void tls_key_free(struct tls_key **k)
{
	if (!*k)
		return;
	for (size_t i = 0; i < COUNT_OF(schemes); i++)
		EVP_PKEY_CTX_free((*k)->ctxs[i]);
	EVP_PKEY_free((*k)->pkey);
	free(*k);
	*k = NULL;
}

bool tls_key_is_of(const struct tls_key *k, struct bytes chain_pem)
{
	BIO *bio = BIO_new_mem_buf(chain_pem.at, (int)chain_pem.len);
	X509 *leaf = bio ? PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL) : NULL;
	EVP_PKEY *pub = leaf ? X509_get0_pubkey(leaf) : NULL;
	bool same = pub && EVP_PKEY_eq(pub, k->pkey) == 1;

	X509_free(leaf);
	BIO_free(bio);
	ERR_clear_error();
	return same;
}

enum err tls_key_sign(struct tls_key *k, uint16_t scheme, struct bytes digest, unsigned char *sig, size_t cap, size_t *len)
{
	size_t i = 0, n = cap;
	bool ok;

	while (i < COUNT_OF(schemes) && schemes[i].scheme != scheme)
		i++;
	if (i == COUNT_OF(schemes) || !k->ctxs[i])
		return ERR_UNSUPPORTED;
	/* In TLS 1.2 a curve goes with any digest; its length must still be one that exists. */
	if (digest.len != schemes[i].digest && !(schemes[i].padding == 0 && (digest.len == 32 || digest.len == 48 || digest.len == 64)))
		return ERR_SYNTAX;
	ok = (size_t)EVP_PKEY_get_size(k->pkey) <= cap && EVP_PKEY_sign(k->ctxs[i], sig, &n, digest.at, digest.len) > 0;
	ERR_clear_error();
	if (!ok)
		return ERR_TLS;
	*len = n;
	return OK;
}
