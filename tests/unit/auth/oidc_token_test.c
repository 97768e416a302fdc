/* Tokens as a provider signs them, then each way that they can be bad, once. */
#include "auth/oidc.h"
#include "crypto/base64.h"
#include "crypto/hmac.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#define NOW    UINT64_C(1800000000)
#define ISSUER "https://id.example.org"
#define SUB    "\"sub\":\"u-1\""
#define BASE   "\"iss\":\"" ISSUER "\",\"exp\":1800000300,\"iat\":1799999999"
#define AUD    "\"aud\":\"me\""
#define NONCE  "\"nonce\":\"N0\""
#define NAME   "\"preferred_username\":\"eva\""
#define GOOD   "{" BASE "," AUD "," NONCE "," SUB "," NAME "}"

enum { RSA_KEY, RSA_PS_ONLY, P256_KEY, P384_KEY, ED_KEY, STRANGER, KEY_COUNT };
static const char *const kids[] = { "rsa", "ps", "ec", "ec384", "ed", "rsa" };
static EVP_PKEY *pairs[KEY_COUNT];
static unsigned char set_mem[20000], pem_mem[4096];
static struct bytes key_set, rsa_n; /* rsa_n: the modulus, as an attacker knows it */
static struct oidc_keys keys;

static void put_number(struct text *t, const char *name, EVP_PKEY *key, const char *param, size_t len)
{
	unsigned char mem[1024];
	BIGNUM *n = NULL;

	assert_int_equal(EVP_PKEY_get_bn_param(key, param, &n), 1);
	len = len ? len : (size_t)BN_num_bytes(n);
	assert_int_equal(BN_bn2binpad(n, mem, (int)len), len);
	text_fmt(t, ",\"%s\":\"", name);
	base64url_put(t, bytes_of(mem, len));
	text_byte(t, '"');
	BN_free(n);
}

static void put_key(struct text *t, int i)
{
	unsigned char raw[32];
	size_t len = sizeof raw;

	text_fmt(t, "%s{\"kid\":\"%s\"", i ? "," : "", kids[i]);
	if (i == RSA_KEY || i == RSA_PS_ONLY) {
		text_str(t, i == RSA_KEY ? ",\"kty\":\"RSA\",\"use\":\"sig\"" : ",\"kty\":\"RSA\",\"alg\":\"PS256\"");
		put_number(t, "n", pairs[i], OSSL_PKEY_PARAM_RSA_N, 0);
		put_number(t, "e", pairs[i], OSSL_PKEY_PARAM_RSA_E, 0);
	} else if (i == ED_KEY) {
		assert_int_equal(EVP_PKEY_get_raw_public_key(pairs[i], raw, &len), 1);
		text_lit(t, ",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
		base64url_put(t, bytes_of(raw, len));
		text_byte(t, '"');
	} else {
		text_str(t, i == P256_KEY ? ",\"kty\":\"EC\",\"crv\":\"P-256\"" : ",\"kty\":\"EC\",\"crv\":\"P-384\"");
		put_number(t, "x", pairs[i], OSSL_PKEY_PARAM_EC_PUB_X, i == P256_KEY ? 32 : 48);
		put_number(t, "y", pairs[i], OSSL_PKEY_PARAM_EC_PUB_Y, i == P256_KEY ? 32 : 48);
	}
	text_byte(t, '}');
}

static int make_keys(void **state)
{
	const char *why = "";
	BIGNUM *n = NULL;
	struct text t;

	(void)state;
	pairs[RSA_KEY] = EVP_RSA_gen(2048);
	pairs[RSA_PS_ONLY] = EVP_RSA_gen(2048);
	pairs[STRANGER] = EVP_RSA_gen(2048);
	pairs[P256_KEY] = EVP_EC_gen("P-256");
	pairs[P384_KEY] = EVP_EC_gen("P-384");
	pairs[ED_KEY] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	text_init(&t, set_mem, sizeof set_mem);
	text_lit(&t, "{\"keys\":[");
	for (int i = 0; i < STRANGER; i++)
		put_key(&t, i);
	text_lit(&t, "]}");
	assert_false(t.failed);
	key_set = text_bytes(&t);
	assert_int_equal(oidc_keys_read(key_set, &keys, &why), OK);
	assert_int_equal(keys.count, STRANGER);
	assert_int_equal(EVP_PKEY_get_bn_param(pairs[RSA_KEY], OSSL_PKEY_PARAM_RSA_N, &n), 1);
	rsa_n = bytes_of(pem_mem, (size_t)BN_bn2bin(n, pem_mem));
	BN_free(n);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	oidc_keys_fini(&keys);
	for (size_t i = 0; i < KEY_COUNT; i++)
		EVP_PKEY_free(pairs[i]);
	return 0;
}

/* The signature of what is in t, put behind it. as: the algorithm that it is really made with. */
static void sign(struct text *t, int key, const char *as)
{
	unsigned char mem[1024], raw[96];
	const unsigned char *der = mem;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *c = NULL;
	size_t len = sizeof mem, half = strcmp(as, "ES384") == 0 ? 48 : 32;
	bool is_ec = as[0] == 'E' && as[1] == 'S';
	ECDSA_SIG *sig;

	assert_int_equal(EVP_DigestSignInit(ctx, &c, as[0] == 'E' && as[1] == 'd' ? NULL : strstr(as, "384") ? EVP_sha384() : EVP_sha256(), NULL, pairs[key]), 1);
	if (as[0] == 'P') {
		EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(EVP_DigestSign(ctx, mem, &len, t->at, t->len), 1);
	EVP_MD_CTX_free(ctx);
	text_byte(t, '.');
	if (!is_ec) {
		base64url_put(t, bytes_of(mem, len));
		return;
	}
	sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half);
	BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half);
	base64url_put(t, bytes_of(raw, 2 * half));
	ECDSA_SIG_free(sig);
}

static void begin(struct text *t, const char *head, const char *claims)
{
	base64url_put(t, bytes_str(head));
	text_byte(t, '.');
	base64url_put(t, bytes_str(claims));
}

static const struct bytes mfa_values[] = { LIT("mfa"), LIT("gold") };
static struct oidc_want want_of(void)
{
	return (struct oidc_want){ .issuer = BYTES(ISSUER), .client_id = BYTES("me"), .nonce = BYTES("N0"), .name_claim = BYTES("preferred_username"), .groups_claim = BYTES("groups"),
		.mfa_values = mfa_values, .mfa_value_count = COUNT_OF(mfa_values), .algorithms = OIDC_ALGORITHMS_DEFAULT, .now_s = NOW };
}

/* --- signatures and headers --- */

static void test_signatures(void **state)
{
	static const struct { const char *why, *head; int key; const char *as; enum err want; const char *says; unsigned allowed; } cases[] = {
		{ "RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", RSA_KEY, "RS256", OK, "", 0 },
		{ "PS256", "{\"alg\":\"PS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}", RSA_KEY, "PS256", OK, "", 0 },
		{ "ES256", "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"jwt\"}", P256_KEY, "ES256", OK, "", 0 },
		{ "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", ED_KEY, "EdDSA", OK, "", 0 },
		{ "ES384 where it is allowed", "{\"alg\":\"ES384\",\"kid\":\"ec384\"}", P384_KEY, "ES384", OK, "", OIDC_BIT(OIDC_ES384) },
		{ "ES384 where it is not", "{\"alg\":\"ES384\",\"kid\":\"ec384\"}", P384_KEY, "ES384", ERR_DENIED, "allow_algorithms", 0 },
		{ "RS256 where only ES256 is allowed", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", RSA_KEY, "RS256", ERR_DENIED, "allow_algorithms", OIDC_BIT(OIDC_ES256) },
		{ "no name, and one key of that kind", "{\"alg\":\"EdDSA\"}", ED_KEY, "EdDSA", OK, "", 0 },
		{ "no name, and two keys that suit", "{\"alg\":\"PS256\"}", RSA_KEY, "PS256", ERR_NOT_FOUND, "names no key", 0 },
		{ "a name that nobody has", "{\"alg\":\"RS256\",\"kid\":\"new\"}", RSA_KEY, "RS256", ERR_NOT_FOUND, "kid", 0 },
		{ "the name of another key of its kind", "{\"alg\":\"PS256\",\"kid\":\"ps\"}", RSA_KEY, "PS256", ERR_DENIED, "signature is wrong", 0 },
		{ "the name of a key of another kind", "{\"alg\":\"RS256\",\"kid\":\"ec\"}", RSA_KEY, "RS256", ERR_DENIED, "not for its algorithm", 0 },
		{ "an algorithm that the key's alg excludes", "{\"alg\":\"RS256\",\"kid\":\"ps\"}", RSA_PS_ONLY, "RS256", ERR_DENIED, "not for its algorithm", 0 },
		{ "a name that is a number", "{\"alg\":\"RS256\",\"kid\":7}", RSA_KEY, "RS256", ERR_DENIED, "kid is no name", 0 },
		{ "another's key", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", STRANGER, "RS256", ERR_DENIED, "signature is wrong", 0 },
		{ "PS256 that says RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", RSA_KEY, "PS256", ERR_DENIED, "signature is wrong", 0 },
		{ "none", "{\"alg\":\"none\"}", RSA_KEY, "RS256", ERR_DENIED, "allow_algorithms", 0 },
		{ "None", "{\"alg\":\"None\",\"kid\":\"rsa\"}", RSA_KEY, "RS256", ERR_DENIED, "allow_algorithms", 0 },
		{ "no alg", "{\"kid\":\"rsa\"}", RSA_KEY, "RS256", ERR_DENIED, "allow_algorithms", 0 },
		{ "alg that is a list", "{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}", RSA_KEY, "RS256", ERR_DENIED, "allow_algorithms", 0 },
		{ "alg twice", "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"rsa\"}", RSA_KEY, "RS256", ERR_DENIED, "twice", 0 },
		{ "an extension", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"b64\"],\"b64\":false}", RSA_KEY, "RS256", ERR_DENIED, "crit", 0 },
		{ "a key in the header counts for nothing", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jwk\":{\"kty\":\"RSA\"},\"jku\":\"https://evil.example/\"}", STRANGER, "RS256", ERR_DENIED, "signature is wrong", 0 },
		{ "an access token", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}", RSA_KEY, "RS256", ERR_DENIED, "typ", 0 },
		{ "a logout token", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"logout+jwt\"}", RSA_KEY, "RS256", ERR_DENIED, "typ", 0 },
		{ "a header that is a list", "[]", RSA_KEY, "RS256", ERR_DENIED, "header", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[8192];
		struct oidc_want w = want_of();
		struct oidc_token token = { 0 };
		const char *why = "";
		struct text t;
		enum err e;

		if (cases[i].allowed)
			w.algorithms = cases[i].allowed;
		text_init(&t, mem, sizeof mem);
		begin(&t, cases[i].head, GOOD);
		sign(&t, cases[i].key, cases[i].as);
		assert_false(t.failed);
		e = oidc_id_token_read(text_bytes(&t), &keys, &w, &token, &why);
		if (e != cases[i].want || (e != OK && !strstr(why, cases[i].says)))
			fail_msg("%s: %s: %s", cases[i].why, err_name(e), why);
		oidc_token_fini(&token);
	}
}

/* What is not a signature by a private key at all. */
static void test_forgeries(void **state)
{
	static const char *const heads[] = { "{\"alg\":\"none\"}", "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"alg\":\"ES256\",\"kid\":\"ec\"}",
		"{\"alg\":\"EdDSA\",\"kid\":\"ed\"}" };
	unsigned char mem[8192], sum[SHA256_LEN];
	struct oidc_want w = want_of();
	struct oidc_token token;
	const char *why = "";
	struct text t;

	(void)state;
	w.algorithms = (1u << OIDC_ALGORITHM_COUNT) - 1;
	for (size_t i = 0; i < COUNT_OF(heads); i++)
		for (int how = 0; how < 6; how++) {
			text_init(&t, mem, sizeof mem);
			begin(&t, heads[i], GOOD);
			hmac_sha256(how == 2 ? key_set : rsa_n, text_bytes(&t), sum);
			if (how != 4) /* two parts */
				text_byte(&t, '.');
			if (how == 1 || how == 2) /* the public key as a shared secret */
				base64url_put(&t, bytes_of(sum, sizeof sum));
			if (how == 3) /* CVE-2022-21449: r and s are 0 */
				base64url_put(&t, bytes_of((unsigned char[64]){ 0 }, 64));
			if (how == 5) /* encrypted: five parts */
				text_lit(&t, "AAAA.AAAA.AAAA");
			assert_int_equal(oidc_id_token_read(text_bytes(&t), &keys, &w, &token, &why), ERR_DENIED);
		}
}

static void test_every_octet_is_signed(void **state)
{
	unsigned char mem[8192];
	struct oidc_want w = want_of();
	struct oidc_token token = { 0 };
	const char *why = "";
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	begin(&t, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", GOOD);
	sign(&t, P256_KEY, "ES256");
	assert_int_equal(oidc_id_token_read(text_bytes(&t), &keys, &w, &token, &why), OK);
	oidc_token_fini(&token);
	for (size_t i = 0; i < t.len; i++) {
		mem[i] ^= 1;
		assert_int_not_equal(oidc_id_token_read(text_bytes(&t), &keys, &w, &token, &why), OK);
		mem[i] ^= 1;
	}
	for (size_t n = 0; n < t.len; n++)
		assert_int_not_equal(oidc_id_token_read(bytes_of(mem, n), &keys, &w, &token, &why), OK);
}

/* --- claims --- */

static enum err read_claims(const char *claims, bool is_logout, const struct oidc_want *w, struct oidc_token *token, const char **why)
{
	static unsigned char mem[200000];
	struct text t;

	text_init(&t, mem, sizeof mem);
	begin(&t, is_logout ? "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"typ\":\"logout+jwt\"}" : "{\"alg\":\"EdDSA\",\"kid\":\"ed\"}", claims);
	sign(&t, ED_KEY, "EdDSA");
	assert_false(t.failed);
	return is_logout ? oidc_logout_token_read(text_bytes(&t), &keys, w, token, why) : oidc_id_token_read(text_bytes(&t), &keys, w, token, why);
}

#define REST NONCE "," SUB "," NAME
#define TIMES(exp, iat) "{\"iss\":\"" ISSUER "\"," AUD "," REST ",\"exp\":" exp ",\"iat\":" iat "}"

static void test_claims(void **state)
{
	static const struct { const char *why, *claims, *says; } cases[] = {
		{ "good", GOOD, NULL },
		{ "no iss", "{\"exp\":1800000300,\"iat\":1799999999," AUD "," REST "}", "another issuer" },
		{ "a slash more", "{\"iss\":\"" ISSUER "/\",\"exp\":1800000300,\"iat\":1799999999," AUD "," REST "}", "another issuer" },
		{ "another aud", "{" BASE ",\"aud\":\"you\"," REST "}", "(aud)" },
		{ "no aud", "{" BASE "," REST "}", "(aud)" },
		{ "a list with us alone", "{" BASE ",\"aud\":[\"me\"]," REST "}", NULL },
		{ "several, without azp", "{" BASE ",\"aud\":[\"me\",\"you\"]," REST "}", "no azp" },
		{ "several, with azp", "{" BASE ",\"aud\":[\"me\",\"you\"],\"azp\":\"me\"," REST "}", NULL },
		{ "several, with another's azp", "{" BASE ",\"aud\":[\"me\",\"you\"],\"azp\":\"you\"," REST "}", "(azp)" },
		{ "several without us", "{" BASE ",\"aud\":[\"she\",\"you\"],\"azp\":\"me\"," REST "}", "(aud)" },
		{ "one, with another's azp", "{" BASE "," AUD ",\"azp\":\"you\"," REST "}", "(azp)" },
		{ "one, with azp that is no string", "{" BASE "," AUD ",\"azp\":null," REST "}", "(azp)" },
		{ "a number as aud", "{" BASE ",\"aud\":7," REST "}", "(aud)" },
		{ "over", TIMES("1799999940", "1799999000"), "is over" },
		{ "over, within the skew", TIMES("1799999941", "1799999000"), NULL },
		{ "from the future", TIMES("1800000300", "1800000061"), "from the future" },
		{ "from the future, within the skew", TIMES("1800000300", "1800000060"), NULL },
		{ "not before", "{" BASE "," AUD "," REST ",\"nbf\":1800000061}", "from the future" },
		{ "not before a huge number", "{" BASE "," AUD "," REST ",\"nbf\":1e300}", "from the future" },
		{ "nbf that is a string", "{" BASE "," AUD "," REST ",\"nbf\":\"0\"}", "no number" },
		{ "exp as a string", TIMES("\"1800000300\"", "1799999999"), "no number" },
		{ "a huge exp", TIMES("1e300", "1799999999"), NULL },
		{ "the largest integer", TIMES("9223372036854775807", "1799999999"), NULL },
		{ "a larger integer", TIMES("9223372036854775808", "1799999999"), "no JSON object" },
		{ "an exp that is no number any more", TIMES("1e999", "1799999999"), "no JSON object" },
		{ "an exp below zero", TIMES("-1e300", "1799999999"), "is over" },
		{ "an exp below zero, integer", TIMES("-9223372036854775808", "1799999999"), "is over" },
		{ "a huge iat", TIMES("1800000300", "1e300"), "from the future" },
		{ "a fraction", TIMES("1800000300.5", "1799999999.5"), NULL },
		{ "no exp", "{\"iss\":\"" ISSUER "\"," AUD "," REST ",\"iat\":1799999999}", "lacks exp" },
		{ "no iat", "{\"iss\":\"" ISSUER "\"," AUD "," REST ",\"exp\":1800000300}", "lacks exp" },
		{ "no nonce", "{" BASE "," AUD "," SUB "," NAME "}", "no nonce" },
		{ "another nonce", "{" BASE "," AUD ",\"nonce\":\"N1\"," SUB "," NAME "}", "another's" },
		{ "a nonce that begins alike", "{" BASE "," AUD ",\"nonce\":\"N\"," SUB "," NAME "}", "another's" },
		{ "an empty nonce", "{" BASE "," AUD ",\"nonce\":\"\"," SUB "," NAME "}", "no nonce" },
		{ "no sub", "{" BASE "," AUD "," NONCE "," NAME "}", "no sub" },
		{ "an empty sub", "{" BASE "," AUD "," NONCE ",\"sub\":\"\"," NAME "}", "no sub" },
		{ "a sub that is a number", "{" BASE "," AUD "," NONCE ",\"sub\":7," NAME "}", "no sub" },
		{ "a line's end in sub", "{" BASE "," AUD "," NONCE ",\"sub\":\"a\\nb\"," NAME "}", "no sub" },
		{ "sub twice", "{" BASE "," AUD "," NONCE ",\"sub\":\"a\",\"sub\":\"b\"," NAME "}", "twice" },
		{ "a zero in sub", "{" BASE "," AUD "," NONCE ",\"sub\":\"a\\u0000b\"," NAME "}", "no JSON object" },
		{ "no name", "{" BASE "," AUD "," NONCE "," SUB "}", "name_claim" },
		{ "a name that is a list", "{" BASE "," AUD "," NONCE "," SUB ",\"preferred_username\":[\"eva\"]}", "name_claim" },
		{ "groups that are a number", "{" BASE "," AUD "," REST ",\"groups\":7}", "groups" },
		{ "a group that is a number", "{" BASE "," AUD "," REST ",\"groups\":[\"a\",7]}", "group that is no string" },
		{ "groups that are elsewhere", "{" BASE "," AUD "," REST ",\"_claim_names\":{\"groups\":\"src1\"}}", "elsewhere" },
		{ "a list", "[]", "no JSON object" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct oidc_want w = want_of();
		struct oidc_token token = { 0 };
		const char *why = "";
		enum err e = read_claims(cases[i].claims, false, &w, &token, &why);

		if ((e == OK) != !cases[i].says || (e != OK && (e != ERR_DENIED || !strstr(why, cases[i].says))))
			fail_msg("%s: %s: %s", cases[i].why, err_name(e), why);
		if (e == OK && token.until_s > UINT64_C(1) << 53)
			fail_msg("%s: %llu", cases[i].why, (unsigned long long)token.until_s);
		oidc_token_fini(&token);
	}
}

static void test_lengths_of_sub(void **state)
{
	char claims[1000], sub[300];

	(void)state;
	for (unsigned len = 255; len <= 256; len++) {
		struct oidc_want w = want_of();
		struct oidc_token token = { 0 };
		const char *why = "";

		memset(sub, 'x', len);
		sub[len] = 0;
		snprintf(claims, sizeof claims, "{" BASE "," AUD "," NONCE ",\"sub\":\"%s\"," NAME "}", sub);
		assert_int_equal(read_claims(claims, false, &w, &token, &why), len == 255 ? OK : ERR_DENIED);
		oidc_token_fini(&token);
	}
}

static void test_person(void **state)
{
	static const struct { const char *more, *name_claim; bool has_mfa; size_t groups; const char *mail, *name; } cases[] = {
		{ "", "preferred_username", false, 0, "", "eva" },
		{ ",\"groups\":[\"a\",\"b\"],\"amr\":[\"pwd\",\"mfa\"],\"sid\":\"s1\",\"name\":\"Eva J\",\"email\":\"e@x.org\"", "preferred_username", true, 2, "e@x.org", "eva" },
		{ ",\"groups\":\"a\",\"amr\":\"mfa\"", "preferred_username", false, 1, "", "eva" },
		{ ",\"amr\":[\"otp\"],\"acr\":\"gold\"", "preferred_username", true, 0, "", "eva" },
		{ ",\"amr\":[\"MFA\",7]", "preferred_username", false, 0, "", "eva" },
		{ ",\"email\":\"e@x.org\",\"email_verified\":false", "preferred_username", false, 0, "", "eva" },
		{ ",\"email\":\"e@x.org\",\"email_verified\":true", "email", false, 0, "e@x.org", "e@x.org" },
		{ ",\"email\":\"e@x.org\",\"email_verified\":\"true\"", "email", false, 0, "e@x.org", "e@x.org" }, /* as some write it */
		{ ",\"email\":\"e@x.org\",\"email_verified\":false", "email", false, 0, NULL, NULL },
		{ ",\"email\":\"e@x.org\"", "email", false, 0, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct oidc_want w = want_of();
		struct oidc_token token = { 0 };
		const char *why = "";
		char claims[1000];
		enum err e;

		w.name_claim = bytes_str(cases[i].name_claim);
		snprintf(claims, sizeof claims, "{" BASE "," AUD "," REST "%s}", cases[i].more);
		e = read_claims(claims, false, &w, &token, &why);
		assert_int_equal(e == OK, cases[i].name != NULL);
		if (e == OK) {
			assert_int_equal(token.person.has_mfa, cases[i].has_mfa);
			assert_int_equal(token.person.group_count, cases[i].groups);
			assert_true(bytes_eq(token.person.mail, bytes_str(cases[i].mail)));
			assert_true(bytes_eq(token.person.name, bytes_str(cases[i].name)));
			assert_true(bytes_eq(token.person.subject, BYTES("u-1")));
		}
		oidc_token_fini(&token);
	}
}

static void test_many_groups(void **state)
{
	static unsigned char mem[2000];

	(void)state;
	for (unsigned n = 64; n <= 65; n++) {
		struct oidc_want w = want_of();
		struct oidc_token token = { 0 };
		const char *why = "";
		struct text t;

		text_init(&t, mem, sizeof mem);
		text_lit(&t, "{" BASE "," AUD "," REST ",\"groups\":[");
		for (unsigned i = 0; i < n; i++)
			text_fmt(&t, "%s\"g%u\"", i ? "," : "", i);
		text_lit(&t, "]}");
		text_byte(&t, 0);
		assert_int_equal(read_claims((char *)mem, false, &w, &token, &why), n == 64 ? OK : ERR_DENIED);
		oidc_token_fini(&token);
		w.groups_claim = BYTES(""); /* they are not taken: how many does not matter */
		assert_int_equal(read_claims((char *)mem, false, &w, &token, &why), OK);
		assert_int_equal(token.person.group_count, 0);
		oidc_token_fini(&token);
	}
}

/* --- the end of a session --- */

#define EVENTS "\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":{}}"

static void test_logout(void **state)
{
	static const struct { const char *why, *claims, *says; } cases[] = {
		{ "sid and sub", "{" BASE "," AUD ",\"jti\":\"j\"," EVENTS "," SUB ",\"sid\":\"s\"}", NULL },
		{ "sid alone", "{" BASE "," AUD ",\"jti\":\"j\"," EVENTS ",\"sid\":\"s\"}", NULL },
		{ "sub alone", "{" BASE "," AUD ",\"jti\":\"j\"," EVENTS "," SUB "}", NULL },
		{ "neither", "{" BASE "," AUD ",\"jti\":\"j\"," EVENTS "}", "neither" },
		{ "a nonce", "{" BASE "," AUD ",\"jti\":\"j\"," EVENTS "," SUB "," NONCE "}", "nonce" },
		{ "no events", "{" BASE "," AUD ",\"jti\":\"j\"," SUB "}", "events" },
		{ "another event", "{" BASE "," AUD ",\"jti\":\"j\",\"events\":{\"x\":{}}," SUB "}", "events" },
		{ "an event that is no object", "{" BASE "," AUD ",\"jti\":\"j\",\"events\":{\"http://schemas.openid.net/event/backchannel-logout\":true}," SUB "}", "events" },
		{ "no jti", "{" BASE "," AUD "," EVENTS "," SUB "}", "jti" },
		{ "a sid that is a number", "{" BASE "," AUD ",\"jti\":\"j\"," EVENTS "," SUB ",\"sid\":7}", "is none" },
		{ "another aud", "{" BASE ",\"aud\":\"you\",\"jti\":\"j\"," EVENTS "," SUB "}", "(aud)" },
		{ "over", "{\"iss\":\"" ISSUER "\"," AUD ",\"exp\":1799999000,\"iat\":1799998000,\"jti\":\"j\"," EVENTS "," SUB "}", "is over" },
		{ "an ID token", GOOD, "events" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct oidc_want w = want_of();
		struct oidc_token token = { 0 };
		const char *why = "";
		enum err e = read_claims(cases[i].claims, true, &w, &token, &why);

		if ((e == OK) != !cases[i].says || (e != OK && !strstr(why, cases[i].says)))
			fail_msg("%s: %s: %s", cases[i].why, err_name(e), why);
		assert_true(e != OK || bytes_eq(token.jti, BYTES("j")));
		oidc_token_fini(&token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_forgeries),
		cmocka_unit_test(test_every_octet_is_signed),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_lengths_of_sub),
		cmocka_unit_test(test_person),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_logout),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
