/* Ed25519 over EVP, keys in and out of PEM. */
#include "crypto/ed25519.h"

#include "crypto/pem_priv.h"
#include "crypto/sha256.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

struct ed25519_key {
	EVP_PKEY *key;
};

static struct ed25519_key *wrap(EVP_PKEY *key)
{
	struct ed25519_key *k = key ? calloc(1, sizeof(*k)) : NULL;

	if (!k)
		EVP_PKEY_free(key);
	else
		k->key = key;
	return k;
}

struct ed25519_key *ed25519_new(void)
{
	return wrap(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

enum err ed25519_load(struct bytes pem, struct ed25519_key **out)
{
	EVP_PKEY *key = pem_read_private(pem);
	struct ed25519_key *k;

	if (!key)
		return ERR_SYNTAX;
	if (!EVP_PKEY_is_a(key, "ED25519")) {
		EVP_PKEY_free(key);
		return ERR_UNSUPPORTED;
	}
	k = wrap(key);
	if (!k)
		return ERR_MEMORY;
	*out = k;
	return OK;
}

void ed25519_free(struct ed25519_key **k)
{
	if (!*k)
		return;
	EVP_PKEY_free((*k)->key);
	free(*k);
	*k = NULL;
}

enum err ed25519_write(const struct ed25519_key *k, struct text *out)
{
	return pem_write_private(k->key, out);
}

void ed25519_public(const struct ed25519_key *k, unsigned char out[ED25519_PUBLIC_LEN])
{
	size_t len = ED25519_PUBLIC_LEN;

	CHECK(EVP_PKEY_get_raw_public_key(k->key, out, &len) == 1 && len == ED25519_PUBLIC_LEN);
}

enum err ed25519_sign(const struct ed25519_key *k, struct bytes what, unsigned char out[ED25519_SIGNATURE_LEN])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = ED25519_SIGNATURE_LEN;
	bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, k->key) == 1 &&
		EVP_DigestSign(c, out, &len, what.at, what.len) == 1 && len == ED25519_SIGNATURE_LEN;

	EVP_MD_CTX_free(c);
	return ok ? OK : ERR_MEMORY;
}

enum err ed25519_public_write(const unsigned char key[ED25519_PUBLIC_LEN], struct text *out)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_PUBLIC_LEN);
	BIO *to = BIO_new(BIO_s_mem());
	bool ok = k && to && PEM_write_bio_PUBKEY(to, k) == 1;

	EVP_PKEY_free(k);
	return pem_take(to, ok, out);
}

enum err ed25519_public_load(struct bytes pem, unsigned char out[ED25519_PUBLIC_LEN])
{
	BIO *in = pem_open(pem);
	EVP_PKEY *k = in ? PEM_read_bio_PUBKEY(in, NULL, pem_no_password, NULL) : NULL;
	unsigned char raw[ED25519_PUBLIC_LEN];
	size_t len = sizeof(raw);
	enum err e = OK;

	BIO_free(in);
	if (!k)
		return ERR_SYNTAX;
	if (!EVP_PKEY_is_a(k, "ED25519") || EVP_PKEY_get_raw_public_key(k, raw, &len) != 1 || len != sizeof(raw))
		e = ERR_UNSUPPORTED;
	else
		memcpy(out, raw, sizeof(raw));
	EVP_PKEY_free(k);
	return e;
}

void ed25519_fingerprint(const unsigned char key[ED25519_PUBLIC_LEN], char out[ED25519_PRINT_MAX])
{
	unsigned char sum[SHA256_LEN];
	struct text t;

	sha256_of(bytes_of(key, ED25519_PUBLIC_LEN), sum);
	text_init(&t, out, ED25519_PRINT_MAX - 1);
	text_lit(&t, "SHA256:");
	hex_put(&t, bytes_of(sum, sizeof(sum)));
	CHECK(!t.failed);
	out[t.len] = 0;
}

bool ed25519_verify(const unsigned char key[ED25519_PUBLIC_LEN], struct bytes what, struct bytes signature)
{
	EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_PUBLIC_LEN);
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	bool ok = k && c && signature.len == ED25519_SIGNATURE_LEN && EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) == 1 &&
		EVP_DigestVerify(c, signature.at, signature.len, what.at, what.len) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
	return ok;
}
