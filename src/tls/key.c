/* The keeper's half: a private key in this process's memory, and signatures over digests. */
#include "tls/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

struct tls_key {
	EVP_PKEY *pkey;
};

enum err tls_key_load(struct bytes pem, struct tls_key **out)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	struct tls_key *k;

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
	*out = k;
	return OK;
}

void tls_key_free(struct tls_key **k)
{
	if (!*k)
		return;
	EVP_PKEY_free((*k)->pkey);
	free(*k);
	*k = NULL;
}

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

enum err tls_key_sign(struct tls_key *k, uint16_t scheme, struct bytes digest, unsigned char *sig, size_t cap, size_t *len)
{
	EVP_PKEY_CTX *c;
	size_t i = 0, n = cap;
	const EVP_MD *md;
	bool ok;

	while (i < COUNT_OF(schemes) && schemes[i].scheme != scheme)
		i++;
	if (i == COUNT_OF(schemes) || schemes[i].type != EVP_PKEY_get_base_id(k->pkey))
		return ERR_UNSUPPORTED;
	/* In TLS 1.2 a curve goes with any digest; its length must still be one that exists. */
	if (digest.len != schemes[i].digest && !(schemes[i].padding == 0 && (digest.len == 32 || digest.len == 48 || digest.len == 64)))
		return ERR_SYNTAX;
	md = digest.len == 32 ? EVP_sha256() : digest.len == 48 ? EVP_sha384() : EVP_sha512();
	c = EVP_PKEY_CTX_new(k->pkey, NULL);
	ok = c && EVP_PKEY_sign_init(c) > 0;
	if (ok && schemes[i].padding)
		ok = EVP_PKEY_CTX_set_rsa_padding(c, schemes[i].padding) > 0;
	ok = ok && EVP_PKEY_CTX_set_signature_md(c, md) > 0;
	if (ok && schemes[i].padding == RSA_PKCS1_PSS_PADDING)
		ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
	ok = ok && (size_t)EVP_PKEY_get_size(k->pkey) <= cap && EVP_PKEY_sign(c, sig, &n, digest.at, digest.len) > 0;
	EVP_PKEY_CTX_free(c);
	ERR_clear_error();
	if (!ok)
		return ERR_TLS;
	*len = n;
	return OK;
}
