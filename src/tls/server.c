/* A listener's certificates: one SSL_CTX for each, in which the first certificate of the other kind (RSA, ECDSA)
 * that has all its names stands beside it, so that libssl chooses by what the client can verify. The name that
 * a client asks for chooses the context. */
#define _GNU_SOURCE
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

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

static int name_cmp(const void *a, const void *b)
{
	const struct server_name *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : x->ctx < y->ctx ? -1 : x->ctx > y->ctx;
}

/* The first context for exactly this name, or NULL. */
static const struct server_name *find_name(const struct tls_server *s, const char *name)
{
	size_t from = 0, to = s->name_count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (strcmp(s->names[mid].name, name) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	return from < s->name_count && strcmp(s->names[from].name, name) == 0 ? &s->names[from] : NULL;
}

size_t tls_server_choose(const struct tls_server *s, const char *name)
{
	const struct server_name *found;
	char lower[256], *dot;
	size_t n = 0;

	for (; name[n] && n < sizeof lower - 1; n++)
		lower[n] = (char)tolower((unsigned char)name[n]);
	lower[n] = 0;
	found = find_name(s, lower);
	/* RFC 6125 6.4.3: a star stands for one whole label, the first. */
	if (!found && (dot = strchr(lower, '.')) && dot != lower) {
		dot[-1] = '*';
		found = find_name(s, dot - 1);
	}
	return found ? found->ctx : 0; /* the first certificate serves unknown names */
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *s = arg;
	const char *name;

	(void)alert;
	if (s->count > 1 && (name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)))
		SSL_set_SSL_CTX(ssl, s->ctxs[tls_server_choose(s, name)]);
	return SSL_TLSEXT_ERR_OK;
}

/* libssl has chosen between the certificates of the context by now. */
static int on_status(SSL *ssl, void *arg)
{
	const struct tls_server *s = arg;
	const X509 *leaf = SSL_get_certificate(ssl);
	struct bytes ocsp = BYTES("");
	unsigned char *copy;

	for (size_t i = 0; i < s->count; i++)
		if (s->certs[i].leaf == leaf)
			ocsp = s->certs[i].conf->ocsp_der;
	if (ocsp.len == 0 || !(copy = OPENSSL_memdup(ocsp.at, ocsp.len)))
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)ocsp.len);
	return SSL_TLSEXT_ERR_OK;
}

static void add_name(struct tls_server *s, const unsigned char *at, int len, size_t ctx)
{
	char *name;

	if (len <= 0 || memchr(at, 0, (size_t)len))
		return;
	name = strndup((const char *)at, (size_t)len);
	s->names = realloc(s->names, (s->name_count + 1) * sizeof *s->names);
	CHECK(name && s->names);
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	s->names[s->name_count++] = (struct server_name){ name, ctx };
}

/* RFC 6125: the names of subjectAltName; only where there is none, the common name. */
static void add_names(struct tls_server *s, X509 *leaf, size_t ctx)
{
	GENERAL_NAMES *alt = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	X509_NAME *subject = X509_get_subject_name(leaf);
	int n = sk_GENERAL_NAME_num(alt), i;

	for (i = 0; i < n; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(alt, i);
		if (g->type == GEN_DNS)
			add_name(s, ASN1_STRING_get0_data(g->d.dNSName), ASN1_STRING_length(g->d.dNSName), ctx);
	}
	i = n > 0 ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (i >= 0) {
		const ASN1_STRING *cn = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i));
		add_name(s, ASN1_STRING_get0_data(cn), ASN1_STRING_length(cn), ctx);
	}
	GENERAL_NAMES_free(alt);
}

static bool has_name(const struct tls_server *s, size_t ctx, char *name)
{
	const struct server_name wanted = { name, ctx };

	return bsearch(&wanted, s->names, s->name_count, sizeof *s->names, name_cmp) != NULL;
}

/* Whether b may stand beside a: of the other kind, and for every name of a's. */
static bool is_partner(const struct tls_server *s, size_t a, size_t b)
{
	if (s->certs[a].is_rsa == s->certs[b].is_rsa)
		return false;
	for (size_t i = 0; i < s->name_count; i++)
		if (s->names[i].ctx == a && !has_name(s, b, s->names[i].name))
			return false;
	return true;
}

/* The first that may stand beside a, or a itself. Only those that share a's first name are looked at. */
static size_t find_partner(const struct tls_server *s, size_t a)
{
	const struct server_name *n;
	size_t i = 0;

	while (i < s->name_count && s->names[i].ctx != a)
		i++;
	if (i == s->name_count)
		return a;
	for (n = find_name(s, s->names[i].name); n < s->names + s->name_count && strcmp(n->name, s->names[i].name) == 0; n++)
		if (is_partner(s, a, n->ctx))
			return n->ctx;
	return a;
}

static enum err ctx_new(struct tls_server *s, const struct conf_tls *conf, const struct conf_cert *cert, struct tls_signer *signer,
	char *error, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	struct server_cert *c = &s->certs[s->count];

	CHECK(ctx != NULL);
	s->ctxs[s->count++] = ctx;
	tls_ctx_common(ctx);
	SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT); /* passwords and tokens come in here, and the library's buffers go back to the heap */
	SSL_CTX_set_min_proto_version(ctx, conf->min_version);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"sluis", 5);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_on_ticket);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, s);
	SSL_CTX_set_tlsext_status_cb(ctx, on_status);
	SSL_CTX_set_tlsext_status_arg(ctx, s);
	if (conf->client_certs != CLIENT_CERTS_OFF) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (conf->client_certs == CLIENT_CERTS_REQUIRE ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
		TRY(tls_ctx_trust(ctx, conf->client_ca_pem, true, error, size));
	}
	TRY(tls_ctx_use(ctx, cert->chain_pem, signer, cert->key, error, size));
	c->conf = cert;
	c->leaf = SSL_CTX_get0_certificate(ctx);
	c->is_rsa = EVP_PKEY_get_base_id(X509_get0_pubkey(c->leaf)) == EVP_PKEY_RSA;
	return tls_chain_expiry(cert->chain_pem, &c->not_after_s);
}

static enum err add_partner(struct tls_server *s, size_t a, struct tls_signer *signer, char *error, size_t size)
{
	size_t b = find_partner(s, a);

	if (b == a)
		return OK;
	TRY(tls_ctx_use(s->ctxs[a], s->certs[b].conf->chain_pem, signer, s->certs[b].conf->key, error, size));
	/* One object for both contexts, so that on_status knows it again. */
	return SSL_CTX_use_certificate(s->ctxs[a], s->certs[b].leaf) == 1 ? OK : ERR_TLS;
}

enum err tls_server_new(const struct conf_tls *conf, struct tls_signer *signer, struct tls_server **out, char *error, size_t size)
{
	struct tls_server *s = calloc(1, sizeof *s);
	enum err e = ERR_MEMORY;

	CHECK(s != NULL);
	s->ctxs = calloc(conf->cert_count + 1, sizeof(SSL_CTX *));
	s->certs = calloc(conf->cert_count + 1, sizeof *s->certs);
	CHECK(s->ctxs && s->certs);
	for (size_t i = 0; i < conf->cert_count; i++) {
		if ((e = ctx_new(s, conf, &conf->certs[i], signer, error, size)) != OK)
			break;
		add_names(s, s->certs[i].leaf, i);
	}
	if (s->name_count)
		qsort(s->names, s->name_count, sizeof *s->names, name_cmp);
	for (size_t i = 0; e == OK && i < s->count; i++)
		e = add_partner(s, i, signer, error, size);
	if (e != OK) {
		tls_server_free(&s);
		return e;
	}
	*out = s;
	return OK;
}

uint64_t tls_server_expiry(const struct tls_server *s, size_t certificate)
{
	CHECK(certificate < s->count);
	return s->certs[certificate].not_after_s;
}

void tls_server_free(struct tls_server **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < (*s)->count; i++)
		SSL_CTX_free((*s)->ctxs[i]);
	for (size_t i = 0; i < (*s)->name_count; i++)
		free((*s)->names[i].name);
	free((*s)->names);
	free((*s)->certs);
	free((*s)->ctxs);
	free(*s);
	*s = NULL;
}
