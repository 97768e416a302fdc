/* What is wrong with the certificates of a configuration, told before anything uses it, at the place of the file's name.
 * Chains and authorities are parsed here as the worker will parse them. */
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include "base/secret.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <time.h>

#define KINDS "ECDSA on P-256, P-384 or P-521, or RSA with 2048 to 8192 bits"

struct check {
	struct conf *conf;
	struct conf_errors *errors;
	time_t now;
	enum err (*read_key)(struct bytes path, void *ctx, struct text *pem);
	void *ctx;
};

/* The reading ended because there was no more: what is between and behind the blocks is comment (RFC 7468 2). */
static bool ended_well(void)
{
	unsigned long e = ERR_peek_last_error();

	return ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
}

static void check_dates(const struct check *k, const struct conf_cert *c, X509 *cert, unsigned number)
{
	time_t now = k->now;
	char when[32] = "";
	const ASN1_TIME *from = X509_get0_notBefore(cert), *to = X509_get0_notAfter(cert);
	bool is_over = X509_cmp_time(to, &now) < 0, is_early = X509_cmp_time(from, &now) > 0;
	struct tm tm;

	if (!is_over && !is_early)
		return;
	if (ASN1_TIME_to_tm(is_over ? to : from, &tm) == 1)
		strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &tm);
	conf_note(k->conf, k->errors, c->chain_at, true, is_over ? "renew it; clients refuse it" : "look at this machine's clock",
		"certificate %u of '%.*s' is valid %s %s", number, FMT(c->chain_path), is_over ? "only until" : "only from", when);
}

static bool check_chain(const struct check *k, const struct conf_cert *c)
{
	BIO *bio = BIO_new_mem_buf(c->chain_pem.at, (int)c->chain_pem.len);
	X509 *cert, *before = NULL;
	unsigned n = 0;
	bool ok = true;

	CHECK(bio != NULL);
	ERR_clear_error();
	while (ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		const EVP_PKEY *pub = X509_get0_pubkey(cert);
		if (++n == 1 && !(pub && tls_is_supported(pub))) {
			conf_note(k->conf, k->errors, c->chain_at, false, "issue one with a key of " KINDS,
				"the key of the certificate in '%.*s' is of a kind that is not supported", FMT(c->chain_path));
			ok = false;
		}
		check_dates(k, c, cert, n);
		if (before && X509_check_issued(cert, before) != X509_V_OK)
			conf_note(k->conf, k->errors, c->chain_at, true,
				"write the certificate first, then the one that issued it, and so on",
				"certificate %u of '%.*s' did not issue the one before it", n, FMT(c->chain_path));
		X509_free(before);
		before = cert;
	}
	if (ok && n == 0)
		conf_note(k->conf, k->errors, c->chain_at, false, "name a file that begins with -----BEGIN CERTIFICATE-----",
			"'%.*s' holds no certificate in PEM", FMT(c->chain_path));
	else if (ok && !ended_well())
		conf_note(k->conf, k->errors, c->chain_at, false, "take the file anew from who issued it",
			"certificate %u of '%.*s' cannot be read", n + 1, FMT(c->chain_path));
	ok = ok && n > 0 && ended_well();
	ERR_clear_error();
	X509_free(before);
	BIO_free(bio);
	return ok;
}

static void check_key(const struct check *k, const struct conf_cert *c)
{
	static unsigned char mem[TLS_KEY_FILE_MAX]; /* not one that grows: that leaves copies behind */
	struct tls_key *key = NULL;
	struct text pem;
	enum err e;

	text_init(&pem, mem, sizeof mem);
	e = k->read_key(c->key_path, k->ctx, &pem);
	if (e == OK)
		e = tls_key_load(text_bytes(&pem), &key);
	secret_wipe(mem, sizeof mem);
	if (e == OK && !tls_key_is_of(key, c->chain_pem))
		conf_note(k->conf, k->errors, c->key_at, false, "name the key that the certificate was issued for",
			"the key '%.*s' does not belong to the certificate in '%.*s'", FMT(c->key_path), FMT(c->chain_path));
	else if (e == ERR_SYNTAX)
		conf_note(k->conf, k->errors, c->key_at, false, "write it without a password: openssl pkey -in FILE -out FILE",
			"'%.*s' holds no private key in PEM without a password", FMT(c->key_path));
	else if (e == ERR_UNSUPPORTED)
		conf_note(k->conf, k->errors, c->key_at, false, "make a key of " KINDS, "the key '%.*s' is of a kind that is not supported",
			FMT(c->key_path));
	else if (e != OK && e != ERR_DENIED)
		conf_note(k->conf, k->errors, c->key_at, false, "paths are taken from the configuration file's folder",
			"the key '%.*s' cannot be read (%s)", FMT(c->key_path), err_name(e));
	tls_key_free(&key);
}

static void check_cert(const struct check *k, const struct conf_cert *c)
{
	const unsigned char *at = c->ocsp_der.at;

	if (check_chain(k, c) && k->read_key)
		check_key(k, c);
	if (c->ocsp_der.len) {
		OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &at, (long)c->ocsp_der.len);
		if (!r || OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
			conf_note(k->conf, k->errors, c->ocsp_at, false, "fetch one with openssl ocsp -respout FILE",
				"'%.*s' holds no successful OCSP answer in DER", FMT(c->ocsp_path));
		OCSP_RESPONSE_free(r);
		ERR_clear_error();
	}
}

static void check_authorities(const struct check *k, struct bytes pem, struct conf_mark at)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	X509 *ca = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	if (!ca)
		conf_note(k->conf, k->errors, at, false, "name a file that begins with -----BEGIN CERTIFICATE-----",
			"the file of authorities holds no certificate in PEM");
	X509_free(ca);
	BIO_free(bio);
	ERR_clear_error();
}

enum err tls_check(struct conf *conf, struct conf_errors *errors, uint64_t now_s,
	enum err (*read_key)(struct bytes path, void *ctx, struct text *pem), void *ctx)
{
	const struct check k = { conf, errors, (time_t)now_s, read_key, ctx };

	for (size_t i = 0; i < conf->listener_count; i++) {
		const struct conf_tls *t = &conf->listeners[i].tls;
		for (size_t n = 0; n < t->cert_count; n++)
			check_cert(&k, &t->certs[n]);
		if (t->client_certs != CLIENT_CERTS_OFF)
			check_authorities(&k, t->client_ca_pem, t->client_ca_at);
	}
	for (size_t i = 0; i < conf->pool_count; i++) {
		const struct conf_pool_tls *t = &conf->pools[i].tls;
		if (t->has_client_cert)
			check_cert(&k, &t->client_cert);
		if (t->is_on && t->verify)
			check_authorities(&k, t->ca_pem, t->ca_at);
	}
	return errors->errors ? ERR_SYNTAX : OK;
}
