/* Tokens are taken apart by other hands: OpenSSL checks the signature, jansson reads the claims. */
#include "auth/jws.h"
#include "crypto/base64.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#define KID_LITERAL "0123456789012345678901234567890123456789abc"

static EVP_PKEY *new_key(unsigned char public_key[JWS_PUBLIC_LEN])
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	unsigned char *point = NULL;

	assert_non_null(key);
	assert_int_equal(EVP_PKEY_get1_encoded_public_key(key, &point), 65);
	memcpy(public_key, point + 1, JWS_PUBLIC_LEN);
	OPENSSL_free(point);
	return key;
}

/* r || s of a signature over a digest, as the keeper makes it. */
static void sign(EVP_PKEY *key, const unsigned char digest[32], unsigned char out[JWS_SIGNATURE_LEN])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	unsigned char der[80];
	const unsigned char *at = der;
	size_t len = sizeof der;
	ECDSA_SIG *sig;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, der, &len, digest, 32), 1);
	sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	assert_non_null(sig);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32), 32);
	assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32), 32);
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(ctx);
}

/* Over the octets themselves: OpenSSL makes the digest. */
static bool is_signed(EVP_PKEY *key, struct bytes what, const unsigned char raw[JWS_SIGNATURE_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int len, is_right;

	assert_int_equal(ECDSA_SIG_set0(sig, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL)), 1);
	len = i2d_ECDSA_SIG(sig, &der);
	assert_true(len > 0);
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	is_right = EVP_DigestVerify(ctx, der, (size_t)len, what.at, what.len);
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	return is_right == 1;
}

static json_t *decode(struct bytes part)
{
	static unsigned char mem[32768];
	json_error_t error;
	size_t len;
	json_t *j;

	assert_int_equal(base64url_read_any(part, mem, sizeof mem, &len), OK);
	j = json_loadb((const char *)mem, len, JSON_REJECT_DUPLICATES, &error);
	if (!j)
		fail_msg("%s: %.*s", error.text, (int)len, (const char *)mem);
	return j;
}

static const char *member(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s ? s : "(none)";
}

/* The array's strings with spaces between. */
static const char *list(const json_t *j, const char *name)
{
	static char out[256];
	const json_t *a = json_object_get(j, name), *one;
	struct text t;
	size_t i;

	assert_true(json_is_array(a));
	text_init(&t, out, sizeof out - 1);
	json_array_foreach(a, i, one) {
		if (i)
			text_byte(&t, ' ');
		text_str(&t, json_string_value(one));
	}
	assert_false(t.failed);
	out[t.len] = 0;
	return out;
}

static const struct auth_facts eva = { .id = "0123456789abcdef", .user = LIT("eva"), .display = LIT("Eva \"de\" Vri\xc3\xabs"), .mail = LIT("eva@example.org"),
	.method = LIT("password totp"), .has_mfa = true, .groups = { LIT("staff"), LIT("care, night"), LIT("caf\xc3\xa9") }, .group_count = 3 };

static void test_token(void **state)
{
	struct jws_claims c = { .issuer = LIT("https://work.example.org"), .audience = LIT("https://intranet.work.example.org"), .facts = &eva, .now_s = 1700000000,
		.until_s = 1700000300 };
	unsigned char public_key[JWS_PUBLIC_LEN], digest[32], signature[JWS_SIGNATURE_LEN], raw[JWS_SIGNATURE_LEN], mem[8192];
	EVP_PKEY *key = new_key(public_key);
	char kid[JWS_KID_LEN + 1];
	struct bytes all, signed_part;
	size_t first, second;
	json_t *head, *payload;
	struct text t;

	(void)state;
	jws_kid(public_key, kid);
	text_init(&t, mem, sizeof mem);
	jws_write(&t, &c, kid);
	jws_digest(text_bytes(&t), digest);
	sign(key, digest, signature);
	jws_finish(&t, signature);
	assert_false(t.failed);

	all = text_bytes(&t);
	first = bytes_find_byte(all, '.');
	second = first + 1 + bytes_find_byte(bytes_cut(all, first + 1, all.len), '.');
	signed_part = bytes_cut(all, 0, second);
	assert_int_equal(base64url_read(bytes_cut(all, second + 1, all.len), raw, sizeof raw), OK);
	assert_true(is_signed(key, signed_part, raw));
	raw[5] ^= 1;
	assert_false(is_signed(key, signed_part, raw));

	head = decode(bytes_cut(all, 0, first));
	assert_string_equal(member(head, "typ"), "JWT");
	assert_string_equal(member(head, "alg"), "ES256");
	assert_string_equal(member(head, "kid"), kid);
	assert_int_equal(json_object_size(head), 3);
	payload = decode(bytes_cut(all, first + 1, second));
	assert_string_equal(member(payload, "iss"), "https://work.example.org");
	assert_string_equal(member(payload, "aud"), "https://intranet.work.example.org");
	assert_string_equal(member(payload, "sub"), "eva");
	assert_string_equal(member(payload, "name"), "Eva \"de\" Vri\xc3\xabs");
	assert_string_equal(member(payload, "email"), "eva@example.org");
	assert_string_equal(member(payload, "sid"), "0123456789abcdef");
	assert_int_equal(json_integer_value(json_object_get(payload, "iat")), 1700000000);
	assert_int_equal(json_integer_value(json_object_get(payload, "exp")), 1700000300);
	assert_int_equal(strlen(member(payload, "jti")), BASE64_LEN(16));
	assert_string_equal(list(payload, "groups"), "staff care, night caf\xc3\xa9");
	assert_int_equal(json_array_size(json_object_get(payload, "groups")), 3);
	assert_string_equal(list(payload, "amr"), "pwd otp mfa");
	assert_int_equal(json_object_size(payload), 11);
	json_decref(head);
	json_decref(payload);
	EVP_PKEY_free(key);
}

static json_t *payload_of(const struct auth_facts *f)
{
	struct jws_claims c = { .issuer = LIT("https://work.example.org"), .audience = LIT("https://wiki.work.example.org"), .facts = f, .now_s = 1, .until_s = 2 };
	static unsigned char mem[32768];
	struct bytes all;
	struct text t;

	text_init(&t, mem, sizeof mem);
	jws_write(&t, &c, KID_LITERAL);
	assert_false(t.failed);
	all = text_bytes(&t);
	return decode(bytes_cut(all, bytes_find_byte(all, '.') + 1, all.len));
}

static void test_methods(void **state)
{
	static const struct { struct bytes method; bool has_mfa, is_device_bound; const char *want; } cases[] = {
		{ LIT("password"), false, false, "pwd" },
		{ LIT("password totp"), true, false, "pwd otp mfa" },
		{ LIT("password recovery"), true, false, "pwd otp mfa" },
		{ LIT("password totp recovery"), true, false, "pwd otp mfa" },
		{ LIT("passkey"), true, true, "swk pop mfa" },
		{ LIT("passkey"), true, false, "swk mfa" },
		{ LIT("password passkey"), true, true, "pwd swk pop mfa" },
		{ LIT("password"), false, true, "pwd pop" },
		{ LIT("passwordless"), false, false, "" },
		{ LIT(""), false, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct auth_facts f = { .id = "0123456789abcdef", .user = LIT("piet"), .method = cases[i].method, .has_mfa = cases[i].has_mfa,
			.is_device_bound = cases[i].is_device_bound };
		json_t *j = payload_of(&f);
		assert_string_equal(list(j, "amr"), cases[i].want);
		assert_null(json_object_get(j, "name"));
		assert_null(json_object_get(j, "email"));
		assert_int_equal(json_array_size(json_object_get(j, "groups")), 0);
		json_decref(j);
	}
}

static void test_jti(void **state)
{
	json_t *a = payload_of(&eva), *b = payload_of(&eva);

	(void)state;
	assert_string_not_equal(member(a, "jti"), member(b, "jti"));
	json_decref(a);
	json_decref(b);
}

/* A display name cannot become a claim, and the most that facts may hold fits, escaped. */
static void test_hostile(void **state)
{
	static unsigned char worst[AUTH_FACTS_MAX];
	struct auth_facts f = { .id = "0123456789abcdef", .user = LIT("piet"), .display = LIT("x\",\"sub\":\"eva\",\"y\":\"\\") };
	static unsigned char mem[64];
	struct jws_claims c = { .issuer = LIT("i"), .audience = LIT("a"), .facts = &eva };
	struct text t;
	json_t *j;

	(void)state;
	j = payload_of(&f);
	assert_string_equal(member(j, "sub"), "piet");
	assert_string_equal(member(j, "name"), "x\",\"sub\":\"eva\",\"y\":\"\\");
	json_decref(j);
	memset(worst, 1, sizeof worst);
	f.display = bytes_of(worst, sizeof worst);
	j = payload_of(&f);
	assert_int_equal(json_string_length(json_object_get(j, "name")), sizeof worst);
	json_decref(j);
	text_init(&t, mem, sizeof mem);
	jws_write(&t, &c, KID_LITERAL);
	assert_true(t.failed);
}

/* RFC 7638 3.2's form with the key of RFC 7517 appendix A.1, made here by hand and by OpenSSL. */
static void test_key(void **state)
{
	static const char x[] = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", y[] = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";
	static const char form[] = "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}";
	unsigned char public_key[JWS_PUBLIC_LEN], digest[32], got[32], mem[512];
	char kid[JWS_KID_LEN + 1];
	json_t *set, *key;
	struct text t;

	(void)state;
	assert_int_equal(base64url_read(bytes_str(x), public_key, 32), OK);
	assert_int_equal(base64url_read(bytes_str(y), public_key + 32, 32), OK);
	jws_kid(public_key, kid);
	assert_int_equal(EVP_Digest(form, strlen(form), digest, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(base64url_read(bytes_str(kid), got, sizeof got), OK);
	assert_memory_equal(got, digest, sizeof got);

	text_init(&t, mem, sizeof mem);
	jws_key_set(&t, (const unsigned char (*)[JWS_PUBLIC_LEN])public_key, 1);
	assert_false(t.failed);
	set = json_loadb((const char *)mem, t.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(set);
	assert_int_equal(json_array_size(json_object_get(set, "keys")), 1);
	key = json_array_get(json_object_get(set, "keys"), 0);
	assert_string_equal(member(key, "kty"), "EC");
	assert_string_equal(member(key, "crv"), "P-256");
	assert_string_equal(member(key, "use"), "sig");
	assert_string_equal(member(key, "alg"), "ES256");
	assert_string_equal(member(key, "kid"), kid);
	assert_string_equal(member(key, "x"), x);
	assert_string_equal(member(key, "y"), y);
	assert_int_equal(json_object_size(key), 7);
	json_decref(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_token), cmocka_unit_test(test_methods), cmocka_unit_test(test_jti), cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_key) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
