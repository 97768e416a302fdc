/* What a browser may send as a passkey's answer: registered, and, when that is taken, signed in with what was registered. An input is the client
 * data, the attestation object, the client data of the sign-in and its authenticator data, each behind its length in two octets, then the signature. */
#include "auth/cbor.h"
#include "auth/cose.h"
#include "auth/webauthn.h"
#include "base/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct bytes part, struct bytes all)
{
	return part.at >= all.at && part.len <= all.len && (size_t)(part.at - all.at) <= all.len - part.len;
}

static void sign_in(const struct webauthn_party *p, const struct webauthn_credential *c, struct reader *r)
{
	struct bytes client_data = reader_take(r, reader_u16(r)), auth_data = reader_take(r, reader_u16(r)), signature = reader_rest(r);
	struct webauthn_credential after;
	const char *why = NULL;

	if (webauthn_assert(p, c, client_data, auth_data, signature, &after, &why) != OK) {
		CHECK(why);
		return;
	}
	CHECK(bytes_eq(after.id, c->id) && bytes_eq(after.public_key, c->public_key) && after.algorithm == c->algorithm);
	CHECK(after.sign_count > c->sign_count || (after.sign_count == 0 && c->sign_count == 0));
	CHECK(after.is_verified || !p->needs_verification);
}

static void ceremonies(struct bytes in, bool needs_verification)
{
	static const unsigned char challenge[32] = { 1, 2, 3, 250, 251 };
	const struct webauthn_party p = { .rp_id = BYTES("work.example.org"), .origin = BYTES("https://work.example.org"),
		.challenge = bytes_of(challenge, sizeof challenge), .needs_verification = needs_verification };
	struct reader r = { .left = in };
	struct bytes client_data = reader_take(&r, reader_u16(&r)), attestation = reader_take(&r, reader_u16(&r));
	struct webauthn_credential c;
	const char *why = NULL;

	if (webauthn_register(&p, client_data, attestation, &c, &why) != OK) {
		CHECK(why);
		return;
	}
	CHECK(c.id.len && c.id.len <= WEBAUTHN_ID_MAX && c.public_key.len <= WEBAUTHN_KEY_MAX);
	CHECK(is_within(c.id, attestation) && is_within(c.public_key, attestation));
	CHECK(c.algorithm == COSE_ES256 || c.algorithm == COSE_EDDSA || c.algorithm == COSE_RS256);
	CHECK(c.is_verified || !needs_verification);
	sign_in(&p, &c, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = { .left = bytes_of(data, size) };
	struct cose_key key;
	size_t len;

	ceremonies(r.left, false);
	ceremonies(r.left, true);
	if (cose_key_read(r.left, &key, &len) == OK) { /* seeds "key-..." */
		CHECK(len <= size);
		CHECK(!cose_verify(&key, BYTES("nobody signed this"), r.left));
		cose_key_fini(&key);
	}
	cbor_skip(&r, CBOR_DEPTH_MAX);
	CHECK(r.failed || r.left.len < size);
	return 0;
}
