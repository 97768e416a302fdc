/* Contexts: one SSL_CTX per certificate and listener, chosen by name; signatures by the keeper through an
 * EC_KEY_METHOD whose callback parks the handshake (ASYNC job) until the answer comes. */
#define _GNU_SOURCE
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_KEY_METHOD is how libssl 3.0 lets a key live elsewhere without a provider */
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include <openssl/async.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SCHEME_ECDSA_P256 0x0403
#define SCHEME_ECDSA_P384 0x0503
#define SCHEME_ECDSA_P521 0x0603
#define PENDING_MAX 4096

struct key_ref { /* hangs on the EC_KEY: which key of the keeper's, and how to ask */
	struct tls_signer *signer;
	uint16_t key, scheme;
};
struct pending {
	struct tls_stream *stream; /* NULL: it went away */
	uint32_t serial;
	bool in_use, is_done;
	uint8_t status;
	size_t len;
	unsigned char sig[160];
};
static struct pending pendings[PENDING_MAX];
static struct tls_stream *current; /* whose handshake runs now */
static EC_KEY_METHOD *ec_method;
static int key_index = -1;
static struct { unsigned char name[16], aes[32], mac[32]; } tickets[3];
static unsigned ticket_count;

static int pending_take(struct tls_stream *t)
{
	static unsigned from;

	for (unsigned n = 0; n < PENDING_MAX; n++) {
		unsigned i = (from + n) % PENDING_MAX;
		if (pendings[i].in_use)
			continue;
		from = i + 1;
		pendings[i] = (struct pending){ .stream = t, .serial = (pendings[i].serial + 1) & 0xfffff, .in_use = true };
		return (int)i;
	}
	return -1;
}

void tls_signed(uint32_t request, uint8_t status, struct bytes sig)
{
	struct pending *p = &pendings[request & (PENDING_MAX - 1)];

	if (!p->in_use || p->is_done || p->serial != request >> 12)
		return;
	p->is_done = true;
	p->status = sig.len > sizeof p->sig || sig.len == 0 ? 1 : status;
	if (p->status == 0)
		memcpy(p->sig, sig.at, p->len = sig.len);
	if (p->stream)
		tls_stream_wake(p->stream);
}

/* Runs inside the handshake's job. */
static ECDSA_SIG *remote_sign(const unsigned char *dgst, int len, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec)
{
	struct key_ref *ref = EC_KEY_get_ex_data(ec, key_index);
	int i = ref ? pending_take(current) : -1;
	const unsigned char *at;
	ECDSA_SIG *out = NULL;
	struct pending *p;

	(void)kinv, (void)r;
	if (i < 0)
		return NULL;
	p = &pendings[i];
	if (ref->signer->post(ref->signer, p->serial << 12 | (uint32_t)i, ref->key, ref->scheme, bytes_of(dgst, (size_t)len)) == OK) {
		while (!p->is_done && p->stream && ASYNC_get_current_job())
			ASYNC_pause_job();
		at = p->sig;
		if (p->is_done && p->status == 0)
			out = d2i_ECDSA_SIG(NULL, &at, (long)p->len);
	}
	p->in_use = false;
	return out;
}

static int remote_sign_der(int type, const unsigned char *dgst, int len, unsigned char *sig, unsigned *siglen, const BIGNUM *kinv,
	const BIGNUM *r, EC_KEY *ec)
{
	ECDSA_SIG *s = remote_sign(dgst, len, kinv, r, ec);
	int n;

	(void)type;
	if (!s)
		return 0;
	n = i2d_ECDSA_SIG(s, &sig);
	ECDSA_SIG_free(s);
	if (n <= 0)
		return 0;
	*siglen = (unsigned)n;
	return 1;
}

static void method_init(void)
{
	if (ec_method)
		return;
	ec_method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
	key_index = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	CHECK(ec_method && key_index >= 0);
	EC_KEY_METHOD_set_sign(ec_method, remote_sign_der, NULL, remote_sign);
}

static uint16_t scheme_of(const EC_KEY *ec)
{
	switch (EC_GROUP_get_curve_name(EC_KEY_get0_group(ec))) {
	case NID_X9_62_prime256v1: return SCHEME_ECDSA_P256;
	case NID_secp384r1: return SCHEME_ECDSA_P384;
	case NID_secp521r1: return SCHEME_ECDSA_P521;
	default: return 0;
	}
}

/* A private key whose private half is not here. */
static EVP_PKEY *remote_key(X509 *cert, struct tls_signer *signer, uint16_t key, char *error, size_t size)
{
	EVP_PKEY *pub = X509_get0_pubkey(cert), *out;
	EC_KEY *ec;
	struct key_ref *ref;

	if (!pub || EVP_PKEY_get_base_id(pub) != EVP_PKEY_EC) {
		snprintf(error, size, "only certificates with ECDSA keys are supported for now; issue one with a P-256 key");
		return NULL;
	}
	method_init();
	ec = EVP_PKEY_get1_EC_KEY(pub);
	ref = calloc(1, sizeof *ref);
	out = EVP_PKEY_new();
	CHECK(ec && ref && out);
	EC_KEY *mine = EC_KEY_new();
	CHECK(mine && EC_KEY_set_group(mine, EC_KEY_get0_group(ec)) && EC_KEY_set_public_key(mine, EC_KEY_get0_public_key(ec)));
	*ref = (struct key_ref){ signer, key, scheme_of(mine) };
	EC_KEY_free(ec);
	if (ref->scheme == 0 || !EC_KEY_set_method(mine, ec_method) || !EC_KEY_set_ex_data(mine, key_index, ref) ||
		!EVP_PKEY_assign_EC_KEY(out, mine)) {
		snprintf(error, size, "the certificate's curve is not P-256, P-384 or P-521");
		free(ref);
		EVP_PKEY_free(out);
		return NULL;
	}
	return out; /* ref lives as long as the process: contexts are made once */
}

static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
	unsigned i = 0;
	OSSL_PARAM params[2];

	if (ticket_count == 0)
		return 0;
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
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, tickets[i].mac, 32);
	params[1] = OSSL_PARAM_construct_end();
	char digest[] = "SHA256";
	OSSL_PARAM alg[2] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end() };
	if (!EVP_MAC_CTX_set_params(mac, alg) || !EVP_MAC_CTX_set_params(mac, params) ||
		!EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, tickets[i].aes, iv, enc))
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

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, outlen, ours, sizeof ours - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
	struct tls_server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	for (size_t i = 0; name && i < s->count; i++)
		if (X509_check_host(SSL_CTX_get0_certificate(s->ctx[i]), name, 0, 0, NULL) == 1) {
			SSL_set_SSL_CTX(ssl, s->ctx[i]);
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_OK; /* the first certificate serves unknown names */
}

static int on_status(SSL *ssl, void *arg)
{
	const struct conf_cert *c = arg;
	unsigned char *copy;

	if (c->ocsp_der.len == 0 || !(copy = OPENSSL_memdup(c->ocsp_der.at, c->ocsp_der.len)))
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)c->ocsp_der.len);
	return SSL_TLSEXT_ERR_OK;
}

static void common(SSL_CTX *ctx)
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

static enum err use_chain(SSL_CTX *ctx, struct bytes pem, struct tls_signer *signer, uint16_t key, char *error, size_t size)
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
	pkey = remote_key(cert, signer, key, error, size);
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

static enum err trust(SSL_CTX *ctx, struct bytes pem, bool names_too, char *error, size_t size)
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

static enum err server_ctx(struct tls_server *s, const struct conf_tls *conf, const struct conf_cert *cert, struct tls_signer *signer,
	char *error, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	CHECK(ctx != NULL);
	s->ctx[s->count++] = ctx;
	common(ctx);
	SSL_CTX_set_min_proto_version(ctx, conf->min_version);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"sluis", 5);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, (void *)(uintptr_t)cert);
	if (conf->client_certs != CLIENT_CERTS_OFF) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (conf->client_certs == CLIENT_CERTS_REQUIRE ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
		TRY(trust(ctx, conf->client_ca_pem, true, error, size));
	}
	return use_chain(ctx, cert->chain_pem, signer, cert->key, error, size);
}

enum err tls_server_new(const struct conf_tls *conf, struct tls_signer *signer, struct tls_server **out, char *error, size_t size)
{
	struct tls_server *s = calloc(1, sizeof *s + conf->cert_count * sizeof(SSL_CTX *));
	enum err e = ERR_MEMORY;

	CHECK(s != NULL);
	for (size_t i = 0; i < conf->cert_count; i++)
		if ((e = server_ctx(s, conf, &conf->certs[i], signer, error, size)) != OK)
			break;
	if (e != OK) {
		tls_server_free(&s);
		return e;
	}
	*out = s;
	return OK;
}

void tls_server_free(struct tls_server **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < (*s)->count; i++)
		SSL_CTX_free((*s)->ctx[i]);
	free(*s);
	*s = NULL;
}

enum err tls_client_new(const struct conf_pool_tls *conf, struct tls_signer *signer, struct tls_client **out, char *error, size_t size)
{
	struct tls_client *c = calloc(1, sizeof *c);
	enum err e = OK;

	CHECK(c != NULL);
	c->ctx = SSL_CTX_new(TLS_client_method());
	CHECK(c->ctx != NULL);
	common(c->ctx);
	c->verify = conf->verify;
	SSL_CTX_set_verify(c->ctx, conf->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (conf->verify)
		e = trust(c->ctx, conf->ca_pem, false, error, size);
	if (e == OK && conf->has_client_cert)
		e = use_chain(c->ctx, conf->client_cert.chain_pem, signer, conf->client_cert.key, error, size);
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

void tls_set_current(struct tls_stream *t)
{
	current = t;
}

void tls_forget_pending(struct tls_stream *t)
{
	for (unsigned i = 0; i < PENDING_MAX; i++)
		if (pendings[i].in_use && pendings[i].stream == t)
			pendings[i].stream = NULL;
}

enum err tls_chain_expiry(struct bytes pem, uint64_t *not_after_s)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	uint64_t least = UINT64_MAX;
	X509 *c;

	while (bio && (c = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		struct tm tm;
		if (ASN1_TIME_to_tm(X509_get0_notAfter(c), &tm) == 1) {
			int64_t s = timegm(&tm);
			if (s >= 0 && (uint64_t)s < least)
				least = (uint64_t)s;
		}
		X509_free(c);
	}
	ERR_clear_error();
	BIO_free(bio);
	if (least == UINT64_MAX)
		return ERR_SYNTAX;
	*not_after_s = least;
	return OK;
}
