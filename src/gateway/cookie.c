/* Cookies of ours. RFC 6265bis, section numbers of draft-ietf-httpbis-rfc6265bis-20. */
#include "gateway/form.h"

#include "crypto/base64.h"

#define COOKIE_OURS "__Host-sluis-"
#define YEAR_S	    31536000u

/* The only value of that name over all Cookie fields. False: none, or more than one: another host, or plain HTTP, may have put one beside
 * ours, and there is no telling which is which (8.6). Quotes are part of a value (4.2.1). */
static bool find_once(const struct http_field *f, size_t n, struct bytes name, struct bytes *out)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		struct bytes left = f[i].value;
		if (f[i].id != HTTP_COOKIE)
			continue;
		while (left.len) {
			size_t end = bytes_find_byte(left, ';'), eq;
			struct bytes pair = bytes_trim(bytes_cut(left, 0, end));
			left = end == SIZE_MAX ? BYTES("") : bytes_cut(left, end + 1, left.len);
			eq = bytes_find_byte(pair, '=');
			if (eq == SIZE_MAX || !bytes_eq(bytes_cut(pair, 0, eq), name))
				continue;
			*out = bytes_cut(pair, eq + 1, pair.len);
			found++;
		}
	}
	return found == 1;
}

bool cookie_token(const struct http_field *f, size_t n, const char *name, unsigned char out[AUTH_TOKEN_LEN])
{
	struct bytes value;

	return find_once(f, n, bytes_str(name), &value) && base64url_read(value, out, AUTH_TOKEN_LEN) == OK;
}

static void write_end(struct text *t, bool is_taken_away, uint32_t max_age_s)
{
	text_lit(t, "; Path=/; Secure; HttpOnly; SameSite=Lax"); /* Secure, Path=/ and no Domain: what "__Host-" demands (4.1.3.2) */
	if (is_taken_away || max_age_s) {
		text_lit(t, "; Max-Age=");
		text_u64(t, is_taken_away ? 0 : max_age_s);
	}
}

void cookie_write(struct text *t, const char *name, struct bytes token, uint32_t max_age_s)
{
	CHECK(token.len == 0 || token.len == AUTH_TOKEN_LEN);
	text_str(t, name);
	text_byte(t, '=');
	base64url_put(t, token);
	write_end(t, token.len == 0, max_age_s);
}

static bool is_lang(struct bytes lang)
{
	return bytes_eq(lang, BYTES("en")) || bytes_eq(lang, BYTES("nl"));
}

struct bytes cookie_lang(const struct http_field *f, size_t n)
{
	struct bytes value;

	return find_once(f, n, BYTES(COOKIE_LANG), &value) && is_lang(value) ? value : BYTES("");
}

void cookie_lang_write(struct text *t, struct bytes lang)
{
	CHECK(is_lang(lang));
	text_lit(t, COOKIE_LANG "=");
	text_add(t, lang);
	write_end(t, false, YEAR_S);
}

bool cookie_is_ours(struct bytes name)
{
	return bytes_eq_nocase(bytes_cut(bytes_trim(name), 0, sizeof COOKIE_OURS - 1), BYTES(COOKIE_OURS));
}
