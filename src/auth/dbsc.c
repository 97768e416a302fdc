/* The draft has the key in the payload's "key", Chromium in the header's "jwk" (RFC 7515 4.1.3): either is read, both at once are refused, so that there
 * is no telling two keys apart. aud and iat are not looked at: a challenge is of one session at one host, is used once and ends soon. */
#include "auth/dbsc.h"

#include "base/secret.h"
#include "crypto/base64.h"
#include "crypto/sha256.h"

#include <jansson.h>

#define COORDINATE_LEN 32

static struct bytes member(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v) ? bytes_of(json_string_value(v), json_string_length(v)) : BYTES("");
}

static json_t *read_part(struct bytes part)
{
	unsigned char mem[DBSC_JWT_MAX];
	json_t *o;
	size_t len;

	if (base64url_read_any(part, mem, sizeof mem, &len) != OK)
		return NULL;
	o = json_loadb((const char *)mem, len, JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

static enum err read_key(const json_t *jwk, struct dbsc_proof *p)
{
	if (!jwk)
		return OK;
	/* RFC 7518 6.2: coordinates have their full length. Whether they are a point is seen by who verifies. */
	if (!json_is_object(jwk) || p->has_key || !bytes_eq(member(jwk, "kty"), BYTES("EC")) || !bytes_eq(member(jwk, "crv"), BYTES("P-256")) ||
		json_object_get(jwk, "d"))
		return ERR_SYNTAX;
	TRY(base64url_read(member(jwk, "x"), p->key, COORDINATE_LEN));
	TRY(base64url_read(member(jwk, "y"), p->key + COORDINATE_LEN, COORDINATE_LEN));
	p->has_key = true;
	return OK;
}

static enum err read_header(const json_t *h, struct dbsc_proof *p)
{
	if (!bytes_eq(member(h, "typ"), BYTES("dbsc+jwt")) || !bytes_eq(member(h, "alg"), BYTES("ES256")) || json_object_get(h, "crit"))
		return ERR_SYNTAX; /* the algorithm is ours to choose (RFC 8725 3.1); what must be understood, we do not (RFC 7515 4.1.11) */
	return read_key(json_object_get(h, "jwk"), p);
}

static enum err read_payload(const json_t *c, struct dbsc_proof *p)
{
	const json_t *sub = json_object_get(c, "sub");

	TRY(base64url_read(member(c, "jti"), p->challenge, sizeof p->challenge));
	if (sub) {
		if (member(c, "sub").len != sizeof p->subject)
			return ERR_SYNTAX;
		memcpy(p->subject, member(c, "sub").at, sizeof p->subject);
		p->has_subject = true;
	}
	return read_key(json_object_get(c, "key"), p);
}

enum err dbsc_read(struct bytes jwt, struct dbsc_proof *out)
{
	size_t first = bytes_find_byte(jwt, '.'), second;
	struct dbsc_proof p = { .has_key = false };
	struct bytes rest;
	json_t *part;
	enum err e;

	if (jwt.len > DBSC_JWT_MAX)
		return ERR_LIMIT;
	if (first == SIZE_MAX)
		return ERR_SYNTAX;
	rest = bytes_cut(jwt, first + 1, jwt.len);
	second = bytes_find_byte(rest, '.');
	if (second == SIZE_MAX)
		return ERR_SYNTAX;
	TRY(base64url_read(bytes_cut(rest, second + 1, rest.len), p.signature, sizeof p.signature)); /* r and s, RFC 7518 3.4 */
	p.signed_part = bytes_cut(jwt, 0, first + 1 + second);
	part = read_part(bytes_cut(jwt, 0, first));
	e = part ? read_header(part, &p) : ERR_SYNTAX;
	json_decref(part);
	if (e != OK)
		return e;
	part = read_part(bytes_cut(rest, 0, second));
	e = part ? read_payload(part, &p) : ERR_SYNTAX;
	json_decref(part);
	if (e == OK)
		*out = p;
	return e;
}

bool dbsc_verify(const struct dbsc_proof *p, const unsigned char key[ES256_PUBLIC_LEN])
{
	unsigned char digest[SHA256_LEN];

	sha256_of(p->signed_part, digest);
	return es256_verify(key, digest, bytes_of(p->signature, sizeof p->signature));
}

struct bytes dbsc_string(struct bytes value)
{
	size_t end;

	value = bytes_trim(value);
	if (!bytes_starts(value, BYTES("\"")))
		return bytes_trim(bytes_cut(value, 0, bytes_find_byte(value, ';')));
	value = bytes_cut(value, 1, value.len);
	end = bytes_find_byte(value, '"');
	if (end == SIZE_MAX || bytes_find_byte(bytes_cut(value, 0, end), '\\') != SIZE_MAX)
		return BYTES("");
	return bytes_cut(value, 0, end);
}
