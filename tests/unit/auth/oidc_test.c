/* What a provider says of itself, its keys, and what it is asked. Tokens: oidc_token_test.c. */
#include "auth/oidc.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* --- metadata --- */

#define ISSUER "https://id.example.org"
#define ENDPOINTS "\"authorization_endpoint\":\"https://id.example.org/auth\",\"token_endpoint\":\"https://id.example.org/token\"," \
	"\"jwks_uri\":\"https://keys.example.org/jwks\""

static void test_metadata(void **state)
{
	static const struct { const char *why, *in, *issuer, *want; } cases[] = {
		{ "the least", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS "}", ISSUER, NULL },
		{ "all", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS ",\"end_session_endpoint\":\"https://id.example.org/out\",\"response_types_supported\":[\"id_token\",\"code\"],"
			 "\"code_challenge_methods_supported\":[\"plain\",\"S256\"],\"authorization_response_iss_parameter_supported\":true}", ISSUER, NULL },
		{ "a slash more", "{\"issuer\":\"" ISSUER "/\"," ENDPOINTS "}", ISSUER, "another issuer" },
		{ "other case", "{\"issuer\":\"https://ID.example.org\"," ENDPOINTS "}", ISSUER, "another issuer" },
		{ "no issuer", "{" ENDPOINTS "}", ISSUER, "another issuer" },
		{ "a template as issuer, as Entra ID has for all tenants", "{\"issuer\":\"https://login.example/{tenantid}/v2.0\"," ENDPOINTS "}", "https://login.example/common/v2.0", "another issuer" },
		{ "issuer twice", "{\"issuer\":\"" ISSUER "\",\"issuer\":\"" ISSUER "\"," ENDPOINTS "}", ISSUER, "twice" },
		{ "a list", "[]", ISSUER, "no JSON object" },
		{ "nothing", "", ISSUER, "no JSON object" },
		{ "HTML", "<html>", ISSUER, "no JSON object" },
		{ "something behind", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS "} x", ISSUER, "no JSON object" },
		{ "no token endpoint", "{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"https://id.example.org/a\",\"jwks_uri\":\"https://id.example.org/k\"}", ISSUER, "token_endpoint" },
		{ "plain keys", "{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"https://id.example.org/a\",\"token_endpoint\":\"https://id.example.org/t\",\"jwks_uri\":\"http://id.example.org/k\"}", ISSUER, "jwks_uri" },
		{ "plain keys at this machine, of an https issuer", "{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"https://id.example.org/a\",\"token_endpoint\":\"https://id.example.org/t\",\"jwks_uri\":\"http://127.0.0.1/k\"}", ISSUER, "jwks_uri" },
		{ "all at this machine", "{\"issuer\":\"http://127.0.0.1:1\",\"authorization_endpoint\":\"http://127.0.0.1:1/a\",\"token_endpoint\":\"http://127.0.0.1:1/t\",\"jwks_uri\":\"http://127.0.0.1:1/k\"}", "http://127.0.0.1:1", NULL },
		{ "a script to go to", "{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"javascript:alert(1)\",\"token_endpoint\":\"https://id.example.org/t\",\"jwks_uri\":\"https://id.example.org/k\"}", ISSUER, "authorization_endpoint" },
		{ "an end of sessions that is none", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS ",\"end_session_endpoint\":7}", ISSUER, "end_session_endpoint" },
		{ "no code flow", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS ",\"response_types_supported\":[\"id_token\"]}", ISSUER, "code flow" },
		{ "PAR demanded", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS ",\"require_pushed_authorization_requests\":true}", ISSUER, "RFC 9126" },
		{ "PAR offered", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS ",\"pushed_authorization_request_endpoint\":\"https://id.example.org/par\",\"require_pushed_authorization_requests\":false}", ISSUER, NULL },
		{ "no S256", "{\"issuer\":\"" ISSUER "\"," ENDPOINTS ",\"code_challenge_methods_supported\":[\"plain\"]}", ISSUER, "S256" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct oidc_metadata m = { 0 };
		const char *why = NULL;
		enum err e = oidc_metadata_read(bytes_str(cases[i].in), bytes_str(cases[i].issuer), &m, &why);

		if ((e == OK) != !cases[i].want || (e != OK && (!why || !strstr(why, cases[i].want))))
			fail_msg("%s: %s, %s", cases[i].why, err_name(e), why ? why : "");
		if (e == OK && !bytes_starts(m.authorization, bytes_str(cases[i].issuer)))
			fail_msg("%s: another endpoint", cases[i].why);
		if (i == 1)
			assert_true(m.tells_issuer && bytes_eq(m.end_session, BYTES("https://id.example.org/out")));
		if (i == 0)
			assert_false(m.tells_issuer || m.end_session.len);
		oidc_metadata_fini(&m);
	}
}

/* --- keys --- */

/* RFC 8037 A.2; RFC 7517 A.1. */
#define ED "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define P256 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define RSA_N "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
#define RSA "\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\""
#define RSA_ALL 0x3fu /* RS and PS */

static void test_keys(void **state)
{
	static const struct { const char *why, *in; enum err want; size_t count; unsigned algorithms; /* of the first */ } cases[] = {
		{ "Ed25519", "{\"keys\":[{" ED ",\"kid\":\"a\"}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "P-256", "{\"keys\":[{" P256 ",\"use\":\"sig\"}]}", OK, 1, OIDC_BIT(OIDC_ES256) },
		{ "RSA", "{\"keys\":[{" RSA "}]}", OK, 1, RSA_ALL },
		{ "RSA for one algorithm", "{\"keys\":[{" RSA ",\"alg\":\"PS256\"}]}", OK, 1, OIDC_BIT(OIDC_PS256) },
		{ "several, and other members", "{\"keys\":[{" ED "},{" P256 "},{" RSA "}],\"x\":1}", OK, 3, OIDC_BIT(OIDC_EDDSA) },
		{ "for encryption, by use", "{\"keys\":[{" RSA ",\"use\":\"enc\"},{" ED "}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "for encryption, by alg", "{\"keys\":[{" RSA ",\"alg\":\"RSA-OAEP\"},{" ED "}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "an algorithm of another kind of key", "{\"keys\":[{" RSA ",\"alg\":\"ES256\"},{" ED "}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "use that is no string", "{\"keys\":[{" RSA ",\"use\":[\"sig\"]},{" ED "}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "not for verifying", "{\"keys\":[{" RSA ",\"key_ops\":[\"encrypt\"]},{" ED ",\"key_ops\":[\"verify\"]}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "a kind that is unknown", "{\"keys\":[{\"kty\":\"XYZ\"},{" ED "}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "a curve that is unknown", "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},{" ED "}]}", OK, 1, OIDC_BIT(OIDC_EDDSA) },
		{ "a shared key alone", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}]}", ERR_NOT_FOUND, 0, 0 },
		{ "a weak key alone", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoQ\",\"e\":\"AQAB\"}]}", ERR_NOT_FOUND, 0, 0 },
		{ "an exponent of 3", "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"Aw\"}]}", ERR_NOT_FOUND, 0, 0 },
		{ "a point off its curve", "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"}]}", ERR_NOT_FOUND, 0, 0 },
		{ "no keys", "{\"keys\":[]}", ERR_NOT_FOUND, 0, 0 },
		{ "members that are no keys", "{\"keys\":[1,null,\"x\",[]]}", ERR_NOT_FOUND, 0, 0 },
		{ "no list", "{\"keys\":{}}", ERR_SYNTAX, 0, 0 },
		{ "a list alone", "[{" ED "}]", ERR_SYNTAX, 0, 0 },
		{ "a member twice", "{\"keys\":[{" ED ",\"kid\":\"a\",\"kid\":\"b\"}]}", ERR_SYNTAX, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct oidc_keys k;
		const char *why = NULL;
		enum err e = oidc_keys_read(bytes_str(cases[i].in), &k, &why);

		if (e != cases[i].want || (e != OK && !why))
			fail_msg("%s: %s", cases[i].why, err_name(e));
		if (k.count != cases[i].count || (e == OK && k.keys[0].algorithms != cases[i].algorithms))
			fail_msg("%s: %zu keys, %x", cases[i].why, k.count, k.count ? k.keys[0].algorithms : 0);
		oidc_keys_fini(&k);
	}
}

static void test_many_keys(void **state)
{
	unsigned char mem[33 * 200];
	const char *why = NULL;
	struct oidc_keys k;
	struct text t;

	(void)state;
	for (unsigned n = 32; n <= 33; n++) {
		text_init(&t, mem, sizeof mem);
		text_lit(&t, "{\"keys\":[");
		for (unsigned i = 0; i < n; i++)
			text_fmt(&t, "%s{" ED ",\"kid\":\"%u\"}", i ? "," : "", i);
		text_lit(&t, "]}");
		assert_false(t.failed);
		assert_int_equal(oidc_keys_read(text_bytes(&t), &k, &why), n == 32 ? OK : ERR_LIMIT);
		assert_int_equal(k.count, n == 32 ? 32 : 0);
		oidc_keys_fini(&k);
	}
}

/* --- what is asked, and the answer --- */

static void test_request(void **state)
{
	const struct oidc_request r = { .endpoint = BYTES("https://id.example.org/auth?tenant=1"), .client_id = BYTES("a b&c"), .redirect_uri = BYTES("https://work.example.org/oidc/x/callback"),
		.scope = BYTES("openid profile"), .state = BYTES("S"), .nonce = BYTES("N"), .verifier = BYTES("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") }; /* RFC 7636 B */
	unsigned char mem[1000];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	oidc_authorization_write(&t, &r);
	text_byte(&t, 0);
	assert_string_equal(mem, "https://id.example.org/auth?tenant=1&response_type=code&client_id=a%20b%26c&redirect_uri=https%3A%2F%2Fwork.example.org%2Foidc%2Fx%2Fcallback"
		"&scope=openid%20profile&state=S&nonce=N&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256");
}

static void test_exchange(void **state)
{
	static const struct { enum oidc_client_auth auth; const char *want; } cases[] = {
		{ OIDC_AUTH_BASIC, "grant_type=authorization_code&code=c%2F1&redirect_uri=r&code_verifier=v" },
		{ OIDC_AUTH_POST, "grant_type=authorization_code&code=c%2F1&redirect_uri=r&code_verifier=v&client_id=me&client_secret=s%26x" },
		{ OIDC_AUTH_NONE, "grant_type=authorization_code&code=c%2F1&redirect_uri=r&code_verifier=v&client_id=me" },
	};
	unsigned char mem[300];
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		text_init(&t, mem, sizeof mem);
		oidc_exchange_write(&t, &(struct oidc_exchange){ .auth = cases[i].auth, .code = BYTES("c/1"), .redirect_uri = BYTES("r"), .verifier = BYTES("v"),
			.client_id = BYTES("me"), .secret = BYTES("s&x") });
		text_byte(&t, 0);
		assert_string_equal(mem, cases[i].want);
	}
	text_init(&t, mem, sizeof mem);
	oidc_basic_put(&t, BYTES("a:b%"));
	text_byte(&t, 0);
	assert_string_equal(mem, "a%3Ab%25");
	text_init(&t, mem, sizeof mem);
	oidc_end_session_write(&t, BYTES("https://id.example.org/out"), BYTES("me"), BYTES("https://work.example.org/"));
	text_byte(&t, 0);
	assert_string_equal(mem, "https://id.example.org/out?client_id=me&post_logout_redirect_uri=https%3A%2F%2Fwork.example.org%2F");
}

static void test_answer(void **state)
{
	static const struct { const char *in; enum err want; const char *why; } cases[] = {
		{ "{\"access_token\":\"x\",\"token_type\":\"Bearer\",\"id_token\":\"a.b.c\"}", OK, NULL },
		{ "{\"error\":\"invalid_grant\",\"error_description\":\"no\"}", ERR_DENIED, "invalid_grant" },
		{ "{\"error\":\"<script>\"}", ERR_DENIED, "another error" },
		{ "{\"error\":\"invalid_grant\",\"id_token\":\"a.b.c\"}", ERR_DENIED, "invalid_grant" },
		{ "{\"access_token\":\"x\"}", ERR_SYNTAX, "no id_token" },
		{ "{\"id_token\":7}", ERR_SYNTAX, "no id_token" },
		{ "{\"id_token\":\"a\",\"id_token\":\"b\"}", ERR_SYNTAX, "twice" },
		{ "id_token=a.b.c", ERR_SYNTAX, "no JSON" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct oidc_answer a = { 0 };
		const char *why = NULL;

		assert_int_equal(oidc_answer_read(bytes_str(cases[i].in), &a, &why), cases[i].want);
		assert_true(!cases[i].why || strstr(why, cases[i].why));
		assert_true(cases[i].want != OK || bytes_eq(a.id_token, BYTES("a.b.c")));
		oidc_answer_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metadata),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
