/* What a provider, or somebody in its place, may give as a token. An input is a token; or, behind a '{', claims, which are signed here, so that
 * what stands behind the signature is seen too. */
#include "auth/oidc.h"
#include "crypto/base64.h"

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct oidc_keys keys;
static EVP_PKEY *pair;

static void make_keys(void)
{
	static const unsigned char seed[32] = { 7 };
	unsigned char mem[300], raw[32];
	const char *why = NULL;
	size_t len = sizeof raw;
	struct text t;

	pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
	CHECK(pair && EVP_PKEY_get_raw_public_key(pair, raw, &len) == 1);
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "{\"keys\":[{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"");
	base64url_put(&t, bytes_of(raw, len));
	text_lit(&t, "\"}]}");
	CHECK(!t.failed && oidc_keys_read(text_bytes(&t), &keys, &why) == OK);
}

static void sign(struct text *t, struct bytes claims)
{
	unsigned char signature[64];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = sizeof signature;

	base64url_put(t, BYTES("{\"alg\":\"EdDSA\",\"kid\":\"k\"}"));
	text_byte(t, '.');
	base64url_put(t, claims);
	CHECK(ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pair) == 1 && EVP_DigestSign(ctx, signature, &len, t->at, t->len) == 1);
	EVP_MD_CTX_free(ctx);
	text_byte(t, '.');
	base64url_put(t, bytes_of(signature, len));
}

static void look(struct bytes token, bool is_signed)
{
	static const struct bytes mfa[] = { LIT("mfa") };
	const struct oidc_want w = { .issuer = BYTES("https://id.example.org"), .client_id = BYTES("me"), .nonce = BYTES("N0"), .name_claim = BYTES("preferred_username"),
		.groups_claim = BYTES("groups"), .mfa_values = mfa, .mfa_value_count = 1, .algorithms = OIDC_ALGORITHMS_DEFAULT, .now_s = 1800000000 };
	const char *why = NULL;
	struct oidc_token t;

	if (oidc_id_token_read(token, &keys, &w, &t, &why) == OK) {
		CHECK(t.person.subject.len && t.person.subject.len <= OIDC_SUBJECT_MAX && t.person.name.len && t.person.group_count <= DIRECTORY_GROUPS_MAX);
		CHECK(t.until_s > w.now_s - 60 && t.until_s <= UINT64_C(1) << 53);
		CHECK(is_signed);
		oidc_token_fini(&t);
	} else {
		CHECK(why);
	}
	why = NULL;
	if (oidc_logout_token_read(token, &keys, &w, &t, &why) == OK) {
		CHECK(t.jti.len && (t.person.subject.len || t.person.sid.len) && is_signed);
		oidc_token_fini(&t);
	} else {
		CHECK(why);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text t;

	if (!pair)
		make_keys();
	if (size == 0 || data[0] != '{') {
		look(bytes_of(data, size), false);
		return 0;
	}
	text_init_growing(&t, 1 << 20);
	sign(&t, bytes_of(data, size));
	if (!t.failed)
		look(text_bytes(&t), true);
	text_fini(&t);
	return 0;
}
