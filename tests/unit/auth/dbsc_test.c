/* Proofs of the device's key: tokens made here by OpenSSL, one thing wrong with each. */
#include "auth/dbsc.h"
#include "crypto/base64.h"
#include "crypto/sha256.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define CHALLENGE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static struct es256_key *key, *other;
static unsigned char public_key[ES256_PUBLIC_LEN], other_key[ES256_PUBLIC_LEN];
static char x[48], y[48];

static int make_keys(void **state)
{
	struct text t;

	(void)state;
	key = es256_new();
	other = es256_new();
	assert_true(key && other);
	assert_int_equal(es256_public(key, public_key), OK);
	assert_int_equal(es256_public(other, other_key), OK);
	text_init(&t, x, sizeof x - 1);
	base64url_put(&t, bytes_of(public_key, 32));
	text_init(&t, y, sizeof y - 1);
	base64url_put(&t, bytes_of(public_key + 32, 32));
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	es256_free(&key);
	es256_free(&other);
	return 0;
}

/* "$X" and "$Y" stand for the key's coordinates. */
static void put_part(struct text *t, const char *json)
{
	unsigned char mem[8000];
	struct text part;

	text_init(&part, mem, sizeof mem);
	for (const char *at = json; *at; at++) {
		if (*at == '$')
			text_str(&part, *++at == 'X' ? x : y);
		else
			text_byte(&part, (unsigned char)*at);
	}
	assert_false(part.failed);
	base64url_put(t, text_bytes(&part));
}

static struct bytes make(const char *header, const char *payload, struct es256_key *signer)
{
	static unsigned char mem[20000];
	unsigned char digest[SHA256_LEN], signature[ES256_SIGNATURE_LEN];
	struct text t;

	text_init(&t, mem, sizeof mem);
	put_part(&t, header);
	text_byte(&t, '.');
	put_part(&t, payload);
	sha256_of(text_bytes(&t), digest);
	assert_int_equal(es256_sign(signer, digest, signature), OK);
	text_byte(&t, '.');
	base64url_put(&t, bytes_of(signature, sizeof signature));
	assert_false(t.failed);
	return text_bytes(&t);
}

#define JWK	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"$X\",\"y\":\"$Y\"}"
#define TYPED	"\"typ\":\"dbsc+jwt\",\"alg\":\"ES256\""
#define HEADER	"{" TYPED ",\"jwk\":" JWK "}"
#define PAYLOAD "{\"jti\":\"" CHALLENGE "\"}"

static const struct { const char *why, *header, *payload; enum err want; bool has_key; } cases[] = {
	{ "as Chromium registers", HEADER, PAYLOAD, OK, true },
	{ "as the draft has it", "{" TYPED "}", "{\"jti\":\"" CHALLENGE "\",\"key\":" JWK ",\"iat\":1,\"aud\":\"https://a.example/\"}", OK, true },
	{ "a refresh", "{" TYPED "}", "{\"jti\":\"" CHALLENGE "\",\"sub\":\"0123456789abcdef\"}", OK, false },
	{ "claims that say nothing here", HEADER, "{\"jti\":\"" CHALLENGE "\",\"authorization\":\"a\",\"iat\":\"1\"}", OK, true },
	{ "a key twice", HEADER, "{\"jti\":\"" CHALLENGE "\",\"key\":" JWK "}", ERR_SYNTAX, false },
	{ "no algorithm", "{\"typ\":\"dbsc+jwt\",\"alg\":\"none\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "another algorithm", "{\"typ\":\"dbsc+jwt\",\"alg\":\"RS256\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "a MAC", "{\"typ\":\"dbsc+jwt\",\"alg\":\"HS256\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "alg is left out", "{\"typ\":\"dbsc+jwt\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "another type", "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "no type", "{\"alg\":\"ES256\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "a type that is no text", "{\"typ\":1,\"alg\":\"ES256\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "a critical extension", "{" TYPED ",\"crit\":[\"b64\"],\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "a member twice", "{" TYPED ",\"alg\":\"ES256\",\"jwk\":" JWK "}", PAYLOAD, ERR_SYNTAX, false },
	{ "a claim twice", HEADER, "{\"jti\":\"" CHALLENGE "\",\"jti\":\"" CHALLENGE "\"}", ERR_SYNTAX, false },
	{ "no challenge", HEADER, "{}", ERR_SYNTAX, false },
	{ "a challenge that is no text", HEADER, "{\"jti\":1}", ERR_SYNTAX, false },
	{ "a challenge that is none of ours", HEADER, "{\"jti\":\"AAAA\"}", ERR_SYNTAX, false },
	{ "another curve", "{" TYPED ",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"$X\",\"y\":\"$Y\"}}", PAYLOAD, ERR_SYNTAX, false },
	{ "another kind of key", "{" TYPED ",\"jwk\":{\"kty\":\"RSA\",\"n\":\"$X\",\"e\":\"AQAB\"}}", PAYLOAD, ERR_SYNTAX, false },
	{ "half a key", "{" TYPED ",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"$X\"}}", PAYLOAD, ERR_SYNTAX, false },
	{ "a key that is a text", "{" TYPED ",\"jwk\":\"$X\"}", PAYLOAD, ERR_SYNTAX, false },
	{ "the private key with it", "{" TYPED ",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"$X\",\"y\":\"$Y\",\"d\":\"$X\"}}", PAYLOAD, ERR_SYNTAX, false },
	{ "a subject of another length", HEADER, "{\"jti\":\"" CHALLENGE "\",\"sub\":\"0123456789abcde\"}", ERR_SYNTAX, false },
	{ "a list", "[]", PAYLOAD, ERR_SYNTAX, false },
	{ "no JSON", "{", PAYLOAD, ERR_SYNTAX, false },
	{ "a list of claims", HEADER, "[\"" CHALLENGE "\"]", ERR_SYNTAX, false },
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct dbsc_proof p;
		enum err e = dbsc_read(make(cases[i].header, cases[i].payload, key), &p);

		if (e != cases[i].want)
			fail_msg("%s: %s", cases[i].why, err_name(e));
		if (e != OK)
			continue;
		for (unsigned char b = 0; b < DBSC_CHALLENGE_LEN; b++)
			assert_int_equal(p.challenge[b], b);
		if (p.has_key != cases[i].has_key || (p.has_key && memcmp(p.key, public_key, sizeof p.key) != 0))
			fail_msg("%s: the key", cases[i].why);
		if (!dbsc_verify(&p, public_key) || dbsc_verify(&p, other_key))
			fail_msg("%s: the signature", cases[i].why);
	}
}

static void test_subject(void **state)
{
	struct dbsc_proof p;

	(void)state;
	assert_int_equal(dbsc_read(make("{" TYPED "}", "{\"jti\":\"" CHALLENGE "\",\"sub\":\"0123456789abcdef\"}", key), &p), OK);
	assert_true(p.has_subject && memcmp(p.subject, "0123456789abcdef", 16) == 0);
	assert_int_equal(dbsc_read(make(HEADER, PAYLOAD, key), &p), OK);
	assert_false(p.has_subject);
}

/* What another key signed, and what was changed after it was signed. */
static void test_signature(void **state)
{
	static const unsigned char nowhere[ES256_PUBLIC_LEN];
	unsigned char copy[4000];
	struct dbsc_proof p;
	struct bytes jwt = make(HEADER, PAYLOAD, other);
	size_t n = 0;

	(void)state;
	assert_int_equal(dbsc_read(jwt, &p), OK);
	assert_false(dbsc_verify(&p, p.key));
	assert_true(dbsc_verify(&p, other_key));
	assert_false(dbsc_verify(&p, nowhere));
	jwt = make(HEADER, PAYLOAD, key);
	for (size_t i = 0; i < jwt.len; i++) {
		memcpy(copy, jwt.at, jwt.len);
		copy[i] = copy[i] == 'A' ? 'B' : 'A';
		if (dbsc_read(bytes_of(copy, jwt.len), &p) == OK && dbsc_verify(&p, public_key))
			fail_msg("octet %zu was changed, and nobody saw it", i);
		n++;
	}
	assert_true(n > 300);
}

static void test_shape(void **state)
{
	struct bytes jwt = make(HEADER, PAYLOAD, key);
	unsigned char more[DBSC_JWT_MAX + 1];
	char long_payload[3000];
	struct dbsc_proof p;

	(void)state;
	for (size_t n = 0; n < jwt.len; n++)
		assert_int_not_equal(dbsc_read(bytes_cut(jwt, 0, n), &p), OK);
	memcpy(more, jwt.at, jwt.len);
	memcpy(more + jwt.len, "=", 1);
	assert_int_equal(dbsc_read(bytes_of(more, jwt.len + 1), &p), ERR_SYNTAX);
	memcpy(more + jwt.len, ".", 1);
	assert_int_equal(dbsc_read(bytes_of(more, jwt.len + 1), &p), ERR_SYNTAX);
	assert_int_equal(dbsc_read(BYTES(""), &p), ERR_SYNTAX);
	assert_int_equal(dbsc_read(BYTES(".."), &p), ERR_SYNTAX);
	memset(more, 'A', sizeof more);
	assert_int_equal(dbsc_read(bytes_of(more, sizeof more), &p), ERR_LIMIT);
	snprintf(long_payload, sizeof long_payload, "{\"jti\":\"" CHALLENGE "\",\"a\":\"%01500d\"}", 0);
	assert_int_equal(dbsc_read(make(HEADER, long_payload, key), &p), ERR_LIMIT);
}

static void test_string(void **state)
{
	static const struct { struct bytes in, want; } strings[] = {
		{ LIT("abc"), LIT("abc") }, { LIT("\"abc\""), LIT("abc") }, { LIT(" \"abc\" ; a=b"), LIT("abc") }, { LIT("abc; a"), LIT("abc") },
		{ LIT("\"abc"), LIT("") }, { LIT("\"a\\\"bc\""), LIT("") }, { LIT("\""), LIT("") }, { LIT("\"\""), LIT("") }, { LIT(""), LIT("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(strings); i++)
		if (!bytes_eq(dbsc_string(strings[i].in), strings[i].want))
			fail_msg("%.*s", FMT(strings[i].in));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_subject), cmocka_unit_test(test_signature),
		cmocka_unit_test(test_shape), cmocka_unit_test(test_string) };

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
