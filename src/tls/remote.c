/* Private keys that are elsewhere: a small OSSL_PROVIDER whose keys hold the public half of a certificate and the
 * number of the keeper's key, and whose signatures are the keeper's answers. libssl takes such a key for one of
 * its own, and chooses scheme and digest by itself. Not here: any cryptography but the digest of what is signed. */
#include "tls/tls.h"
#include "tls/tls_priv.h"

#include <openssl/bn.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define OUR_PROVIDER   "sluis-keeper"
#define OUR_PARAM      "sluis-key" /* a struct key_ref */

struct key_ref {
	struct tls_signer *signer;
	uint16_t key;
};
struct remote_key {
	struct key_ref ref; /* signer NULL: only a public half, being compared */
	bool is_rsa;
	uint16_t ecdsa; /* the scheme of its curve */
	int bits, security_bits, size;
	const char *group;
	size_t public_len;
	unsigned char public[RSA_BITS_MOST / 8 + 64]; /* the point; or exponent and modulus */
};
struct remote_sig {
	const struct remote_key *key;
	unsigned digest; /* index of digests */
	bool is_pss;
};

/* The digests of TLS, and what their number adds to a SignatureScheme (RFC 8446 4.2.3). */
static struct { const char *name, *alias; EVP_MD *md; } digests[] = {
	{ "SHA2-256", "SHA256", NULL }, { "SHA2-384", "SHA384", NULL }, { "SHA2-512", "SHA512", NULL },
};
/* Our keys have a library context of their own. In the default one libcrypto's cache of what was found would mix them
 * with its own keys of the same names; then groups (P-256, ...) vanish from contexts made later. */
static OSSL_LIB_CTX *ours;
static EVP_MD_CTX *hash; /* nothing waits between its use and the next */

static const struct { const char *name, *alias; int bits, security_bits, size; uint16_t scheme; } curves[] = {
	{ "prime256v1", "P-256", 256, 128, 72, 0x0403 },
	{ "secp384r1", "P-384", 384, 192, 104, 0x0503 },
	{ "secp521r1", "P-521", 521, 256, 139, 0x0603 },
};

/* --- keys --- */

static void *ec_new(void *ctx)
{
	(void)ctx;
	return calloc(1, sizeof(struct remote_key));
}

static void *rsa_new(void *ctx)
{
	struct remote_key *k = ec_new(ctx);

	if (k)
		k->is_rsa = true;
	return k;
}

static int key_has(const void *data, int selection)
{
	const struct remote_key *k = data;

	return k && (k->ref.signer || !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY));
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct remote_key *x = a, *y = b;

	(void)selection;
	return x->is_rsa == y->is_rsa && x->group == y->group && x->public_len == y->public_len &&
		memcmp(x->public, y->public, x->public_len) == 0;
}

static int import_ec(struct remote_key *k, const OSSL_PARAM params[])
{
	const OSSL_PARAM *group = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_GROUP_NAME);
	const OSSL_PARAM *point = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_PUB_KEY);
	void *to = k->public;
	const char *name;

	if (!group || !point || !OSSL_PARAM_get_utf8_string_ptr(group, &name) ||
		!OSSL_PARAM_get_octet_string(point, &to, sizeof k->public, &k->public_len))
		return 0;
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		if (strcasecmp(name, curves[i].name) == 0 || strcasecmp(name, curves[i].alias) == 0) {
			k->group = curves[i].name;
			k->bits = curves[i].bits;
			k->security_bits = curves[i].security_bits;
			k->size = curves[i].size;
			k->ecdsa = curves[i].scheme;
			return 1;
		}
	return 0;
}

static int import_rsa(struct remote_key *k, const OSSL_PARAM params[])
{
	const OSSL_PARAM *n = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_N);
	const OSSL_PARAM *e = OSSL_PARAM_locate_const(params, OSSL_PKEY_PARAM_RSA_E);
	BIGNUM *modulus = NULL, *exponent = NULL;
	int ok = n && e && OSSL_PARAM_get_BN(n, &modulus) && OSSL_PARAM_get_BN(e, &exponent);

	ok = ok && BN_num_bits(modulus) >= RSA_BITS_LEAST && BN_num_bits(modulus) <= RSA_BITS_MOST && BN_num_bytes(exponent) <= 32;
	if (ok) {
		k->bits = BN_num_bits(modulus);
		k->security_bits = BN_security_bits(k->bits, -1);
		k->size = BN_num_bytes(modulus);
		BN_bn2binpad(exponent, k->public, 32);
		k->public_len = 32 + (size_t)BN_bn2bin(modulus, k->public + 32);
	}
	BN_free(modulus);
	BN_free(exponent);
	return ok;
}

static int key_import(void *data, int selection, const OSSL_PARAM params[])
{
	const OSSL_PARAM *ref = OSSL_PARAM_locate_const(params, OUR_PARAM);
	struct remote_key *k = data;
	void *to = &k->ref;
	size_t len;

	if (!(selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY))
		return 0;
	if (ref && (!OSSL_PARAM_get_octet_string(ref, &to, sizeof k->ref, &len) || len != sizeof k->ref))
		return 0;
	return k->is_rsa ? import_rsa(k, params) : import_ec(k, params);
}

static const OSSL_PARAM *key_import_types(int selection)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_octet_string(OUR_PARAM, NULL, 0),
		OSSL_PARAM_END,
	};

	return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? types : NULL;
}

static int key_get(void *data, OSSL_PARAM params[])
{
	const struct remote_key *k = data;
	OSSL_PARAM *p;

	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_BITS)) && !OSSL_PARAM_set_int(p, k->bits))
		return 0;
	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_SECURITY_BITS)) && !OSSL_PARAM_set_int(p, k->security_bits))
		return 0;
	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_MAX_SIZE)) && !OSSL_PARAM_set_int(p, k->size))
		return 0;
	if ((p = OSSL_PARAM_locate(params, OSSL_PKEY_PARAM_GROUP_NAME)) && (!k->group || !OSSL_PARAM_set_utf8_string(p, k->group)))
		return 0;
	return 1;
}

static const OSSL_PARAM *key_gettable(void *ctx)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx;
	return types;
}

/* libssl looks for these names in its own context first, cannot export the key there, and comes here. A name that is not
 * there at all would cost a search through all providers each time. */
static const char *ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : NULL;
}

static const char *rsa_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "RSA" : NULL;
}

/* --- signatures --- */

static void *sig_new(void *ctx, const char *properties)
{
	(void)ctx, (void)properties;
	return calloc(1, sizeof(struct remote_sig));
}

static int sig_set(void *ctx, const OSSL_PARAM params[])
{
	struct remote_sig *s = ctx;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
	const char *text;
	int n;

	if (p && p->data_type == OSSL_PARAM_UTF8_STRING && OSSL_PARAM_get_utf8_string_ptr(p, &text))
		n = strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0 ? RSA_PKCS1_PSS_PADDING :
			strcmp(text, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING : 0;
	else if (p && !OSSL_PARAM_get_int(p, &n))
		return 0;
	if (p && n != RSA_PKCS1_PSS_PADDING && n != RSA_PKCS1_PADDING)
		return 0;
	if (p)
		s->is_pss = n == RSA_PKCS1_PSS_PADDING;
	/* RFC 8446 4.2.3: the salt is as long as the digest; the keeper does it no other way. */
	p = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	if (p && p->data_type == OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_utf8_string_ptr(p, &text) && strcmp(text, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
	return !p || (OSSL_PARAM_get_int(p, &n) && n == RSA_PSS_SALTLEN_DIGEST);
}

static const OSSL_PARAM *sig_settable(void *ctx, void *provider)
{
	static const OSSL_PARAM types[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_END,
	};

	(void)ctx, (void)provider;
	return types;
}

static int sig_init(void *ctx, const char *digest, void *key, const OSSL_PARAM params[])
{
	struct remote_sig *s = ctx;

	if (key)
		s->key = key;
	if (!s->key || !s->key->ref.signer || !digest)
		return 0;
	for (unsigned i = 0; i < COUNT_OF(digests); i++)
		if (strcasecmp(digest, digests[i].name) == 0 || strcasecmp(digest, digests[i].alias) == 0) {
			s->digest = i;
			return params ? sig_set(s, params) : 1;
		}
	return 0;
}

static int sig_make(void *ctx, unsigned char *sig, size_t *len, size_t cap, const unsigned char *text, size_t text_len)
{
	struct remote_sig *s = ctx;
	const struct remote_key *k = s->key;
	unsigned char digest[64];
	unsigned digest_len;
	unsigned scheme = k->is_rsa ? (s->is_pss ? 0x0804 + s->digest : 0x0401 + 0x100 * s->digest) : k->ecdsa;

	if (!sig) {
		*len = (size_t)k->size;
		return 1;
	}
	if (!EVP_DigestInit_ex2(hash, digests[s->digest].md, NULL) || !EVP_DigestUpdate(hash, text, text_len) ||
		!EVP_DigestFinal_ex(hash, digest, &digest_len))
		return 0;
	return tls_sign_remotely(k->ref.signer, k->ref.key, (uint16_t)scheme, bytes_of(digest, digest_len), sig, cap, len) == OK;
}

/* --- the provider --- */

typedef void (*function)(void);
#define FN(id, fn) { id, (function)fn }

#define KEY_FUNCTIONS(new, operation) \
	FN(OSSL_FUNC_KEYMGMT_NEW, new), FN(OSSL_FUNC_KEYMGMT_FREE, free), FN(OSSL_FUNC_KEYMGMT_HAS, key_has), \
	FN(OSSL_FUNC_KEYMGMT_MATCH, key_match), FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import), \
	FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types), FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get), \
	FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable), FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, operation), \
	{ 0, NULL }

static const OSSL_DISPATCH ec_functions[] = { KEY_FUNCTIONS(ec_new, ec_operation) };
static const OSSL_DISPATCH rsa_functions[] = { KEY_FUNCTIONS(rsa_new, rsa_operation) };
static const OSSL_DISPATCH sig_functions[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, sig_new), FN(OSSL_FUNC_SIGNATURE_FREECTX, free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sig_init), FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sig_make),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sig_set), FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sig_settable),
	{ 0, NULL },
};
static const OSSL_ALGORITHM key_kinds[] = {
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=" OUR_PROVIDER, ec_functions, "ECDSA keys of the keeper's" },
	{ "RSA:rsaEncryption:1.2.840.113549.1.1.1", "provider=" OUR_PROVIDER, rsa_functions, "RSA keys of the keeper's" },
	{ 0 },
};
static const OSSL_ALGORITHM signatures[] = {
	{ "ECDSA", "provider=" OUR_PROVIDER, sig_functions, "ECDSA by the keeper" },
	{ "RSA", "provider=" OUR_PROVIDER, sig_functions, "RSA by the keeper" },
	{ 0 },
};

static const OSSL_ALGORITHM *provider_query(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? key_kinds : operation == OSSL_OP_SIGNATURE ? signatures : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **ctx)
{
	static const OSSL_DISPATCH functions[] = { FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query), { 0, NULL } };

	(void)in;
	*out = functions;
	*ctx = (void *)(uintptr_t)handle;
	return 1;
}

static void provider_load(void)
{
	if (ours)
		return;
	ours = OSSL_LIB_CTX_new();
	hash = EVP_MD_CTX_new();
	CHECK(ours && hash && OSSL_PROVIDER_add_builtin(ours, OUR_PROVIDER, provider_init) && OSSL_PROVIDER_load(ours, OUR_PROVIDER));
	for (size_t i = 0; i < COUNT_OF(digests); i++)
		CHECK(digests[i].md = EVP_MD_fetch(NULL, digests[i].name, NULL));
}

EVP_PKEY *tls_remote_key(X509 *cert, struct tls_signer *signer, uint16_t key, char *error, size_t size)
{
	struct key_ref ref = { signer, key };
	EVP_PKEY *pub = X509_get0_pubkey(cert), *out = NULL;
	int id = pub ? EVP_PKEY_get_base_id(pub) : 0;
	OSSL_PARAM *known = NULL, *all, mine[] = { OSSL_PARAM_octet_string(OUR_PARAM, &ref, sizeof ref), OSSL_PARAM_END };
	EVP_PKEY_CTX *c;

	if (id != EVP_PKEY_EC && id != EVP_PKEY_RSA) {
		snprintf(error, size, "the certificate's key is neither ECDSA nor RSA");
		return NULL;
	}
	provider_load();
	CHECK(EVP_PKEY_todata(pub, EVP_PKEY_PUBLIC_KEY, &known) == 1);
	all = OSSL_PARAM_merge(known, mine);
	c = EVP_PKEY_CTX_new_from_name(ours, id == EVP_PKEY_EC ? "EC" : "RSA", NULL);
	CHECK(all && c && EVP_PKEY_fromdata_init(c) == 1);
	if (EVP_PKEY_fromdata(c, &out, EVP_PKEY_PUBLIC_KEY, all) != 1)
		snprintf(error, size, id == EVP_PKEY_EC ? "the certificate's curve is not P-256, P-384 or P-521" :
			"the certificate's RSA key has not 2048 to 8192 bits");
	ERR_clear_error();
	EVP_PKEY_CTX_free(c);
	OSSL_PARAM_free(all); /* a shallow copy: what it points at is known's */
	OSSL_PARAM_free(known);
	return out;
}
