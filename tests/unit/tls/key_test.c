/* Which keys the keeper takes, and which digests it signs with them. */
#include "certs.h"

static const struct { const char *why, *kind; enum err want; } loads[] = {
	{ "P-256", "P-256", OK },
	{ "P-384", "P-384", OK },
	{ "P-521", "P-521", OK },
	{ "RSA, the smallest", "rsa2048", OK },
	{ "RSA that is too small", "rsa1024", ERR_UNSUPPORTED },
	{ "a curve that TLS 1.3 does not have", "secp256k1", ERR_UNSUPPORTED },
	{ "Ed25519", "ed25519", ERR_UNSUPPORTED },
};

static void test_load(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(loads); i++) {
		EVP_PKEY *pkey = key_make(loads[i].kind);
		struct bytes pem = key_pem(pkey, NULL), locked = key_pem(pkey, "word");
		struct tls_key *k = NULL;

		print_message("%s\n", loads[i].why);
		assert_int_equal(tls_key_load(pem, &k), loads[i].want);
		assert_int_equal(k != NULL, loads[i].want == OK);
		tls_key_free(&k);
		assert_null(k);
		tls_key_free(&k);
		assert_int_equal(tls_key_load(locked, &k), ERR_SYNTAX); /* and asks nobody for the password */
		assert_int_equal(tls_key_load(bytes_cut(pem, 0, pem.len / 2), &k), ERR_SYNTAX);
		assert_int_equal(tls_key_load(BYTES(""), &k), ERR_SYNTAX);
		assert_null(k);
		bytes_done(pem);
		bytes_done(locked);
		EVP_PKEY_free(pkey);
	}
}

static const struct { const char *why, *kind; uint16_t scheme; size_t digest; enum err want; } signs[] = {
	{ "ecdsa_secp256r1_sha256", "P-256", 0x0403, 32, OK },
	{ "TLS 1.2: the curve with a longer digest", "P-256", 0x0403, 48, OK },
	{ "TLS 1.2: the curve with the longest digest", "P-256", 0x0403, 64, OK },
	{ "a digest of no length that exists", "P-256", 0x0403, 31, ERR_SYNTAX },
	{ "no digest", "P-256", 0x0403, 0, ERR_SYNTAX },
	{ "another curve's scheme", "P-256", 0x0503, 48, ERR_UNSUPPORTED },
	{ "ecdsa_secp384r1_sha384", "P-384", 0x0503, 48, OK },
	{ "ecdsa_secp521r1_sha512", "P-521", 0x0603, 64, OK },
	{ "a scheme of RSA", "P-256", 0x0804, 32, ERR_UNSUPPORTED },
	{ "rsa_pss_rsae_sha256", "rsa2048", 0x0804, 32, OK },
	{ "rsa_pss_rsae_sha384", "rsa2048", 0x0805, 48, OK },
	{ "rsa_pss_rsae_sha512", "rsa2048", 0x0806, 64, OK },
	{ "rsa_pkcs1_sha256", "rsa2048", 0x0401, 32, OK },
	{ "rsa_pkcs1_sha384", "rsa2048", 0x0501, 48, OK },
	{ "rsa_pkcs1_sha512", "rsa2048", 0x0601, 64, OK },
	{ "a digest of another length", "rsa2048", 0x0804, 48, ERR_SYNTAX },
	{ "a digest of another length, PKCS#1", "rsa2048", 0x0401, 64, ERR_SYNTAX },
	{ "a whole block: no raw RSA", "rsa2048", 0x0401, 256, ERR_SYNTAX },
	{ "rsa_pkcs1_sha1", "rsa2048", 0x0201, 20, ERR_UNSUPPORTED },
	{ "rsa_pss_pss_sha256", "rsa2048", 0x0809, 32, ERR_UNSUPPORTED },
	{ "a scheme of ECDSA", "rsa2048", 0x0403, 32, ERR_UNSUPPORTED },
	{ "ed25519", "P-256", 0x0807, 32, ERR_UNSUPPORTED },
	{ "nothing", "P-256", 0, 32, ERR_UNSUPPORTED },
};

static bool verifies(EVP_PKEY *pkey, uint16_t scheme, struct bytes digest, const unsigned char *sig, size_t len)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(pkey, NULL);
	const EVP_MD *md = digest.len == 32 ? EVP_sha256() : digest.len == 48 ? EVP_sha384() : EVP_sha512();
	bool is_pss = scheme >> 8 == 8, ok = c && EVP_PKEY_verify_init(c) > 0;

	if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA)
		ok = ok && EVP_PKEY_CTX_set_rsa_padding(c, is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) > 0;
	ok = ok && EVP_PKEY_CTX_set_signature_md(c, md) > 0;
	if (is_pss)
		ok = ok && EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) > 0;
	ok = ok && EVP_PKEY_verify(c, sig, len, digest.at, digest.len) == 1;
	EVP_PKEY_CTX_free(c);
	return ok;
}

static void test_sign(void **state)
{
	unsigned char digest[256], sig[1024];
	EVP_PKEY *pkey = NULL;
	struct tls_key *k = NULL;
	const char *kind = "";

	(void)state;
	memset(digest, 7, sizeof digest);
	for (size_t i = 0; i < COUNT_OF(signs); i++) {
		size_t len = 0, again = 0;

		if (strcmp(kind, signs[i].kind) != 0) {
			tls_key_free(&k);
			EVP_PKEY_free(pkey);
			pkey = key_make(kind = signs[i].kind);
			struct bytes pem = key_pem(pkey, NULL);
			assert_int_equal(tls_key_load(pem, &k), OK);
			bytes_done(pem);
		}
		print_message("%s\n", signs[i].why);
		struct bytes d = bytes_of(digest, signs[i].digest);
		assert_int_equal(tls_key_sign(k, signs[i].scheme, d, sig, sizeof sig, &len), signs[i].want);
		if (signs[i].want != OK)
			continue;
		assert_true(verifies(pkey, signs[i].scheme, d, sig, len));
		assert_int_equal(tls_key_sign(k, signs[i].scheme, d, sig, sizeof sig, &again), OK); /* its context is used again */
		assert_true(verifies(pkey, signs[i].scheme, d, sig, again));
		assert_int_equal(tls_key_sign(k, signs[i].scheme, d, sig, 16, &again), ERR_TLS); /* no room */
	}
	tls_key_free(&k);
	EVP_PKEY_free(pkey);
}

static void test_is_of(void **state)
{
	static const char *const kinds[] = { "P-256", "P-384", "rsa2048" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		EVP_PKEY *mine = key_make(kinds[i]), *other = key_make(kinds[i]);
		X509 *a = cert_make(mine, "a", "DNS:a.test", -DAY, DAY, NULL, NULL), *b = cert_make(other, "b", "DNS:b.test", -DAY, DAY, NULL, NULL);
		struct bytes pem = key_pem(mine, NULL), ab = cert_pem(a, b), ba = cert_pem(b, a);
		struct tls_key *k = NULL;

		assert_int_equal(tls_key_load(pem, &k), OK);
		assert_true(tls_key_is_of(k, ab));
		assert_false(tls_key_is_of(k, ba)); /* the first certificate counts */
		assert_false(tls_key_is_of(k, BYTES("")));
		assert_false(tls_key_is_of(k, pem));
		tls_key_free(&k);
		bytes_done(pem), bytes_done(ab), bytes_done(ba);
		X509_free(a), X509_free(b);
		EVP_PKEY_free(mine), EVP_PKEY_free(other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_load), cmocka_unit_test(test_sign), cmocka_unit_test(test_is_of) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
