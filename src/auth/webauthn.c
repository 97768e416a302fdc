/* The steps of registration (7.1) and authentication (7.2) in their order; numbers are those of WebAuthn Level 2. */
#include "auth/webauthn.h"

#include "auth/cbor.h"
#include "auth/cose.h"
#include "crypto/base64.h"
#include "crypto/sha256.h"

#include <jansson.h>

enum { CLIENT_DATA_MAX = 8192, AUTH_DATA_MAX = 4096, CHALLENGE_MAX = 64 }; /* octets; what browsers send is a tenth of that */
enum { FLAG_UP = 1, FLAG_UV = 4, FLAG_BE = 8, FLAG_BS = 16, FLAG_AT = 64, FLAG_ED = 128 }; /* 6.1; BE and BS: Level 3, 6.1.3 */
enum { AAGUID_LEN = 16 };

static enum err fail(const char **why, const char *step, enum err e)
{
	*why = step;
	return e;
}

static bool is_string(const json_t *v, struct bytes want)
{
	return json_is_string(v) && bytes_eq(bytes_of(json_string_value(v), json_string_length(v)), want);
}

/* 7.1 steps 7 to 10, 7.2 steps 11 to 14. */
static enum err check_members(const struct webauthn_party *p, const json_t *c, struct bytes type, const char **why)
{
	unsigned char mem[BASE64_LEN(CHALLENGE_MAX)];
	const json_t *cross = json_object_get(c, "crossOrigin"), *binding = json_object_get(c, "tokenBinding");
	struct text challenge;

	CHECK(p->challenge.len >= 16 && p->challenge.len <= CHALLENGE_MAX); /* 13.4.3 */
	text_init(&challenge, mem, sizeof mem);
	base64url_put(&challenge, p->challenge);
	if (!is_string(json_object_get(c, "type"), type))
		return fail(why, "type", ERR_DENIED);
	if (!is_string(json_object_get(c, "challenge"), text_bytes(&challenge)))
		return fail(why, "challenge", ERR_DENIED);
	if (!is_string(json_object_get(c, "origin"), p->origin))
		return fail(why, "origin", ERR_DENIED);
	/* In a frame of another site: never asked for. topOrigin (Level 3, 5.8.1) stands there in such a frame alone. */
	if ((cross && !json_is_false(cross)) || json_object_get(c, "topOrigin"))
		return fail(why, "cross_origin", ERR_DENIED);
	/* No connection of ours has a token binding, so none can be "present". */
	if (binding && !is_string(json_object_get(binding, "status"), BYTES("supported")))
		return fail(why, "syntax", ERR_SYNTAX);
	return OK;
}

static enum err check_client_data(const struct webauthn_party *p, struct bytes in, struct bytes type, const char **why)
{
	json_t *c;
	enum err e;

	if (in.len == 0 || in.len > CLIENT_DATA_MAX)
		return fail(why, "syntax", ERR_SYNTAX);
	c = json_loadb((const char *)in.at, in.len, JSON_REJECT_DUPLICATES, NULL);
	e = json_is_object(c) ? check_members(p, c, type, why) : fail(why, "syntax", ERR_SYNTAX);
	json_decref(c);
	return e;
}

/* Authenticator data, 6.1. */
struct auth_data {
	struct bytes rp_id_hash, id, key; /* id, key: of attested credential data, 6.5.1 */
	unsigned flags;
	uint32_t count;
	int algorithm;
};

static uint32_t big_endian(struct bytes b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < b.len; i++)
		n = n << 8 | b.at[i];
	return n;
}

/* 6.5.1 and 7.1 step 16; the reader stands behind it afterwards. */
static enum err read_attested(struct reader *r, struct auth_data *d, const char **why)
{
	struct cose_key key;
	size_t len = 0;
	enum err e;

	reader_take(r, AAGUID_LEN);
	d->id = reader_take(r, big_endian(reader_take(r, 2)));
	if (r->failed || d->id.len == 0 || d->id.len > WEBAUTHN_ID_MAX)
		return fail(why, "syntax", ERR_SYNTAX);
	e = cose_key_read(r->left, &key, &len);
	if (e == ERR_UNSUPPORTED)
		return fail(why, "algorithm", ERR_DENIED);
	if (e != OK)
		return fail(why, "key", ERR_SYNTAX);
	d->algorithm = key.algorithm;
	cose_key_fini(&key);
	d->key = reader_take(r, len);
	return d->key.len > WEBAUTHN_KEY_MAX ? fail(why, "key", ERR_SYNTAX) : OK;
}

static bool is_map(struct bytes b)
{
	return b.len && b.at[0] >> 5 == CBOR_MAP;
}

/* Extensions (7.1 step 17, 7.2 step 18): none is asked for, and what an authenticator adds on its own is passed over. */
static enum err read_auth_data(struct bytes in, bool is_attested, struct auth_data *out, const char **why)
{
	struct reader r = { .left = in };
	struct auth_data d = { 0 };

	d.rp_id_hash = reader_take(&r, SHA256_LEN);
	d.flags = reader_u8(&r);
	d.count = big_endian(reader_take(&r, 4));
	if (r.failed || in.len > AUTH_DATA_MAX || ((d.flags & FLAG_AT) != 0) != is_attested)
		return fail(why, "syntax", ERR_SYNTAX);
	if ((d.flags & FLAG_BS) && !(d.flags & FLAG_BE)) /* Level 3, 6.1.3: backed up, and not to be backed up */
		return fail(why, "syntax", ERR_SYNTAX);
	if (is_attested)
		TRY(read_attested(&r, &d, why));
	if (d.flags & FLAG_ED) {
		if (!is_map(r.left))
			return fail(why, "syntax", ERR_SYNTAX);
		cbor_skip(&r, CBOR_DEPTH_MAX);
	}
	if (!reader_done(&r))
		return fail(why, "syntax", ERR_SYNTAX);
	*out = d;
	return OK;
}

/* 7.1 steps 13 to 15, 7.2 steps 15 to 17. */
static enum err check_flags(const struct webauthn_party *p, const struct auth_data *d, const char **why)
{
	unsigned char hash[SHA256_LEN];

	sha256_of(p->rp_id, hash);
	if (!bytes_eq(d->rp_id_hash, bytes_of(hash, sizeof hash)))
		return fail(why, "rp_id", ERR_DENIED);
	if (!(d->flags & FLAG_UP))
		return fail(why, "user_present", ERR_DENIED);
	if (p->needs_verification && !(d->flags & FLAG_UV))
		return fail(why, "user_verified", ERR_DENIED);
	return OK;
}

static bool is_member(struct reader *r, struct bytes *last, struct bytes name)
{
	struct cbor_item k = cbor_key(r, last);

	return k.kind == CBOR_TEXT && bytes_eq(k.string, name);
}

/* 6.5.4: { "fmt": text, "attStmt": map, "authData": bytes }, in this order, for that is the canonical one. */
static enum err read_attestation(struct bytes in, struct bytes *auth_data, const char **why)
{
	struct reader r = { .left = in };
	struct bytes last = { 0 }, format, statement;

	if (cbor_map(&r) != 3 || !is_member(&r, &last, BYTES("fmt")))
		return fail(why, "syntax", ERR_SYNTAX);
	format = cbor_text(&r);
	if (!is_member(&r, &last, BYTES("attStmt")) || !is_map(r.left))
		return fail(why, "syntax", ERR_SYNTAX);
	statement = r.left;
	cbor_skip(&r, CBOR_DEPTH_MAX - 1);
	if (bytes_eq(format, BYTES("none")) && statement.len - r.left.len != 1) /* 8.7: it has nothing to state */
		return fail(why, "syntax", ERR_SYNTAX);
	if (!is_member(&r, &last, BYTES("authData")))
		return fail(why, "syntax", ERR_SYNTAX);
	*auth_data = cbor_bytes(&r);
	return reader_done(&r) ? OK : fail(why, "syntax", ERR_SYNTAX);
}

enum err webauthn_register(const struct webauthn_party *p, struct bytes client_data, struct bytes attestation, struct webauthn_credential *out,
	const char **why)
{
	struct bytes auth_data;
	struct auth_data d;

	TRY(check_client_data(p, client_data, BYTES("webauthn.create"), why));
	TRY(read_attestation(attestation, &auth_data, why));
	TRY(read_auth_data(auth_data, true, &d, why));
	TRY(check_flags(p, &d, why));
	*out = (struct webauthn_credential){ .id = d.id, .public_key = d.key, .algorithm = d.algorithm, .sign_count = d.count,
		.is_verified = d.flags & FLAG_UV, .is_backed_up = d.flags & FLAG_BS };
	return OK;
}

/* 7.2 steps 19 and 20: over the authenticator data and the hash of the client data, by the key and the algorithm that were registered. */
static enum err check_signature(const struct webauthn_credential *c, struct bytes client_data, struct bytes auth_data, struct bytes signature,
	const char **why)
{
	unsigned char signed_part[AUTH_DATA_MAX + SHA256_LEN];
	struct cose_key key;
	size_t len = 0;
	bool is_good;

	CHECK(auth_data.len <= AUTH_DATA_MAX);
	if (cose_key_read(c->public_key, &key, &len) != OK)
		return fail(why, "key", ERR_SYNTAX);
	if (len != c->public_key.len || (c->algorithm && (int)key.algorithm != c->algorithm)) {
		cose_key_fini(&key);
		return fail(why, "key", ERR_SYNTAX);
	}
	memcpy(signed_part, auth_data.at, auth_data.len);
	sha256_of(client_data, signed_part + auth_data.len);
	is_good = cose_verify(&key, bytes_of(signed_part, auth_data.len + SHA256_LEN), signature);
	cose_key_fini(&key);
	return is_good ? OK : fail(why, "signature", ERR_DENIED);
}

enum err webauthn_assert(const struct webauthn_party *p, const struct webauthn_credential *credential, struct bytes client_data,
	struct bytes authenticator_data, struct bytes signature, struct webauthn_credential *out, const char **why)
{
	struct auth_data d;

	TRY(check_client_data(p, client_data, BYTES("webauthn.get"), why));
	TRY(read_auth_data(authenticator_data, false, &d, why));
	TRY(check_flags(p, &d, why));
	TRY(check_signature(credential, client_data, authenticator_data, signature, why));
	if ((d.count || credential->sign_count) && d.count <= credential->sign_count) /* step 21 */
		return fail(why, "count", ERR_DENIED);
	*out = *credential;
	out->sign_count = d.count;
	out->is_verified = d.flags & FLAG_UV;
	out->is_backed_up = d.flags & FLAG_BS;
	return OK;
}
