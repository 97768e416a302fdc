/* What contexts towards clients and servers have in common: versions and algorithms, chains and authorities; the
 * keys of session tickets; and contexts towards servers. */
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static struct { unsigned char name[16], aes[32], mac[32]; } tickets[3];
static unsigned ticket_count;

int tls_on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	static EVP_CIPHER *aes; /* fetched once: a search for each handshake costs microseconds */
	char digest[] = "SHA256";
	OSSL_PARAM params[3];
	unsigned i = 0;

	if (ticket_count == 0)
		return 0;
	if (!aes)
		aes = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (enc) {
		if (RAND_bytes(iv, 16) != 1)
			return -1;
		memcpy(name, tickets[0].name, 16);
	} else {
		while (i < ticket_count && memcmp(name, tickets[i].name, 16) != 0)
			i++;
		if (i == ticket_count)
			return 0;
	}
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, tickets[i].mac, 32);
	params[2] = OSSL_PARAM_construct_end();
	if (!EVP_MAC_CTX_set_params(mac, params) || !EVP_CipherInit_ex2(cipher, aes, tickets[i].aes, iv, enc, NULL))
		return -1;
	/* 2: good, and give a new one. TLS 1.3 clients use a ticket once (RFC 8446 C.4), so they always get one. */
	return enc || (i == 0 && SSL_version(ssl) < TLS1_3_VERSION) ? 1 : 2;
}

enum err tls_tickets_set(struct bytes keys)
{
	if (keys.len % 88 != 0 || keys.len == 0 || keys.len > 3 * 88)
		return ERR_SYNTAX;
	ticket_count = (unsigned)(keys.len / 88);
	for (unsigned i = 0; i < ticket_count; i++)
		memcpy(&tickets[i], keys.at + i * 88, 80);
	return OK;
}

void tls_ctx_common(SSL_CTX *ctx)
{
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
		SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, 16 * 1024 + 512);
}

enum err tls_ctx_use(SSL_CTX *ctx, struct bytes pem, struct tls_signer *signer, uint16_t key, char *error, size_t size)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	X509 *cert = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL, *more;
	EVP_PKEY *pkey;
	bool ok;

	if (!cert) {
		snprintf(error, size, "the chain holds no certificate in PEM");
		BIO_free(bio);
		return ERR_SYNTAX;
	}
	pkey = tls_remote_key(cert, signer, key, error, size);
	ok = pkey && SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, pkey) == 1;
	if (pkey && !ok)
		snprintf(error, size, "the certificate is refused by libssl");
	while (ok && (more = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		if (SSL_CTX_add0_chain_cert(ctx, more) != 1)
			X509_free(more);
	ERR_clear_error();
	EVP_PKEY_free(pkey);
	X509_free(cert);
	BIO_free(bio);
	return ok ? OK : ERR_SYNTAX;
}

enum err tls_ctx_trust(SSL_CTX *ctx, struct bytes pem, bool names_too, char *error, size_t size)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	unsigned n = 0;
	X509 *ca;

	while (bio && (ca = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		n += X509_STORE_add_cert(store, ca) == 1;
		if (names_too)
			SSL_CTX_add_client_CA(ctx, ca);
		X509_free(ca);
	}
	ERR_clear_error();
	BIO_free(bio);
	if (n)
		return OK;
	snprintf(error, size, "the file of authorities holds no certificate");
	return ERR_SYNTAX;
}

enum err tls_client_new(const struct conf_pool_tls *conf, struct tls_signer *signer, struct tls_client **out, char *error, size_t size)
{
	struct tls_client *c = calloc(1, sizeof *c);
	enum err e = OK;

	CHECK(c != NULL);
	c->ctx = SSL_CTX_new(TLS_client_method());
	CHECK(c->ctx != NULL);
	tls_ctx_common(c->ctx);
	c->verify = conf->verify;
	SSL_CTX_set_verify(c->ctx, conf->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (conf->verify)
		e = tls_ctx_trust(c->ctx, conf->ca_pem, false, error, size);
	if (e == OK && conf->has_client_cert)
		e = tls_ctx_use(c->ctx, conf->client_cert.chain_pem, signer, conf->client_cert.key, error, size);
	if (e != OK) {
		tls_client_free(&c);
		return e;
	}
	*out = c;
	return OK;
}

void tls_client_free(struct tls_client **c)
{
	if (!*c)
		return;
	SSL_CTX_free((*c)->ctx);
	free(*c);
	*c = NULL;
}

