/* Keys and certificates for the tests of this room, made in memory. */
#ifndef TEST_TLS_CERTS_H
#define TEST_TLS_CERTS_H

#include "tls/tls.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400L

static inline EVP_PKEY *key_make(const char *kind)
{
	EVP_PKEY *k;

	if (strncmp(kind, "rsa", 3) == 0)
		k = EVP_RSA_gen((unsigned)atoi(kind + 3));
	else if (strcmp(kind, "ed25519") == 0)
		k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		k = EVP_EC_gen(kind);
	assert_non_null(k);
	return k;
}

static inline struct bytes bio_bytes(BIO *b)
{
	char *at;
	long len = BIO_get_mem_data(b, &at);
	unsigned char *copy = malloc((size_t)len);

	assert_non_null(copy);
	memcpy(copy, at, (size_t)len);
	BIO_free(b);
	return bytes_of(copy, (size_t)len);
}

/* The caller frees .at. */
static inline struct bytes key_pem(EVP_PKEY *k, const char *password)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_PKCS8PrivateKey(b, k, password ? EVP_aes_128_cbc() : NULL, password,
		password ? (int)strlen(password) : 0, NULL, NULL));
	return bio_bytes(b);
}

/* A certificate for these names ("DNS:a.test,DNS:b.test"), valid from and to, seconds from now; issuer NULL: by itself. */
static inline X509 *cert_make(EVP_PKEY *k, const char *cn, const char *names, long from, long to, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *c = X509_new();
	X509_NAME *n = X509_NAME_new();
	X509V3_CTX v3;
	X509_EXTENSION *e;
	static long serial;

	assert_true(c && n && X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0));
	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
	X509_set_subject_name(c, n);
	X509_set_issuer_name(c, issuer ? X509_get_subject_name(issuer) : n);
	X509_gmtime_adj(X509_getm_notBefore(c), from);
	X509_gmtime_adj(X509_getm_notAfter(c), to);
	X509_set_pubkey(c, k);
	X509V3_set_ctx(&v3, issuer ? issuer : c, c, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &v3, names ? NID_subject_alt_name : NID_basic_constraints, names ? names : "CA:TRUE");
	assert_true(e && X509_add_ext(c, e, -1));
	X509_EXTENSION_free(e);
	X509_NAME_free(n);
	assert_true(X509_sign(c, issuer_key ? issuer_key : k, EVP_PKEY_get_base_id(issuer_key ? issuer_key : k) == EVP_PKEY_ED25519 ?
		NULL : EVP_sha256()));
	return c;
}

static inline struct bytes cert_pem(X509 *leaf, X509 *more)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_X509(b, leaf) && (!more || PEM_write_bio_X509(b, more)));
	return bio_bytes(b);
}

static inline void bytes_done(struct bytes b)
{
	free((void *)(uintptr_t)b.at);
}

#endif
