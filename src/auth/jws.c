/* Few claims, each written here: nothing of what a server is told comes from a browser but the user's own name and what the store has of it. */
#include "auth/jws.h"

#include "crypto/base64.h"
#include "crypto/random.h"
#include "crypto/sha256.h"
#include "json/write.h"

#define COORDINATE_LEN 32
#define JTI_LEN	       16
#define PAYLOAD_MAX    (6 * AUTH_FACTS_MAX + 4096) /* an octet is at most six in JSON; the rest is ours, issuer and audience */

static void put_coordinates(struct text *t, const unsigned char public_key[JWS_PUBLIC_LEN])
{
	text_lit(t, "\"x\":\"");
	base64url_put(t, bytes_of(public_key, COORDINATE_LEN));
	text_lit(t, "\",\"y\":\"");
	base64url_put(t, bytes_of(public_key + COORDINATE_LEN, COORDINATE_LEN));
	text_lit(t, "\"}");
}

/* RFC 7638 3.2: the required members alone, in order of their names. */
void jws_kid(const unsigned char public_key[JWS_PUBLIC_LEN], char out[JWS_KID_LEN + 1])
{
	unsigned char mem[160], digest[SHA256_LEN];
	struct text t, kid;

	text_init(&t, mem, sizeof mem);
	text_lit(&t, "{\"crv\":\"P-256\",\"kty\":\"EC\",");
	put_coordinates(&t, public_key);
	CHECK(!t.failed);
	sha256_of(text_bytes(&t), digest);
	text_init(&kid, out, JWS_KID_LEN);
	base64url_put(&kid, bytes_of(digest, sizeof digest));
	CHECK(!kid.failed && kid.len == JWS_KID_LEN);
	out[JWS_KID_LEN] = 0;
}

void jws_key_set(struct text *t, const unsigned char (*public_keys)[JWS_PUBLIC_LEN], size_t n)
{
	text_lit(t, "{\"keys\":[");
	for (size_t i = 0; i < n; i++) {
		char kid[JWS_KID_LEN + 1];

		jws_kid(public_keys[i], kid);
		text_fmt(t, "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"%s\",", i ? "," : "", kid);
		put_coordinates(t, public_keys[i]);
	}
	text_lit(t, "]}");
}

static void put_member(struct text *t, const char *name, struct bytes value)
{
	text_fmt(t, ",\"%s\":", name);
	json_put_string(t, value);
}

static bool has_word(struct bytes words, struct bytes word)
{
	while (words.len) {
		size_t end = bytes_find_byte(words, ' ');
		if (bytes_eq(bytes_cut(words, 0, end), word))
			return true;
		words = end == SIZE_MAX ? bytes_cut(words, 0, 0) : bytes_cut(words, end + 1, words.len);
	}
	return false;
}

/* RFC 8176 2. A passkey may be copied to other devices: no hardware's is claimed. */
static void put_methods(struct text *t, const struct auth_facts *f)
{
	const struct { const char *name; bool is_so; } all[] = {
		{ "pwd", has_word(f->method, BYTES("password")) || has_word(f->method, BYTES("ldap")) },
		{ "otp", has_word(f->method, BYTES("totp")) || has_word(f->method, BYTES("recovery")) },
		{ "swk", has_word(f->method, BYTES("passkey")) },
		{ "pop", f->is_device_bound }, /* of the session's key, not of a passkey */
		{ "mfa", f->has_mfa },
	};
	const char *comma = "";

	text_lit(t, ",\"amr\":[");
	for (size_t i = 0; i < COUNT_OF(all); i++)
		if (all[i].is_so) {
			text_fmt(t, "%s\"%s\"", comma, all[i].name);
			comma = ",";
		}
	text_byte(t, ']');
}

static void put_payload(struct text *t, const struct jws_claims *c)
{
	const struct auth_facts *f = c->facts;
	unsigned char jti[JTI_LEN];

	random_bytes(jti, sizeof jti);
	text_lit(t, "{\"iss\":");
	json_put_string(t, c->issuer);
	put_member(t, "aud", c->audience);
	put_member(t, "sub", f->user);
	text_lit(t, ",\"iat\":");
	text_u64(t, c->now_s);
	text_lit(t, ",\"exp\":");
	text_u64(t, c->until_s);
	text_lit(t, ",\"jti\":\"");
	base64url_put(t, bytes_of(jti, sizeof jti));
	text_byte(t, '"');
	put_member(t, "sid", bytes_str(f->id));
	if (f->display.len)
		put_member(t, "name", f->display);
	if (f->mail.len)
		put_member(t, "email", f->mail);
	text_lit(t, ",\"groups\":[");
	for (size_t i = 0; i < f->group_count; i++) {
		if (i)
			text_byte(t, ',');
		json_put_string(t, f->groups[i]);
	}
	text_byte(t, ']');
	put_methods(t, f);
	text_byte(t, '}');
}

void jws_write(struct text *t, const struct jws_claims *c, const char kid[JWS_KID_LEN + 1])
{
	unsigned char head_mem[128], mem[PAYLOAD_MAX];
	struct text head, payload;

	text_init(&head, head_mem, sizeof head_mem);
	text_lit(&head, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":");
	json_put_string(&head, bytes_str(kid));
	text_byte(&head, '}');
	CHECK(!head.failed);
	text_init(&payload, mem, sizeof mem);
	put_payload(&payload, c);
	if (payload.failed) { /* a token is whole or not there */
		t->failed = true;
		return;
	}
	base64url_put(t, text_bytes(&head));
	text_byte(t, '.');
	base64url_put(t, text_bytes(&payload));
}

void jws_digest(struct bytes signed_part, unsigned char out[32])
{
	sha256_of(signed_part, out);
}

void jws_finish(struct text *t, const unsigned char signature[JWS_SIGNATURE_LEN])
{
	text_byte(t, '.');
	base64url_put(t, bytes_of(signature, JWS_SIGNATURE_LEN));
}
