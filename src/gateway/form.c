/* Reading forms, and what makes a form's answer ours. The reading is stricter than http/params, which finds what policies ask for: here
 * a form that is not quite right is no form. */
#include "gateway/form.h"

#include "base/secret.h"
#include "base/utf8.h"
#include "crypto/base64.h"
#include "crypto/sha256.h"

#define FORM_FIELD_FRAME 48 /* octets of <input type="hidden" name="" value=""> */

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* URL Standard, 5.1, but for one thing: an escape that is none is an error there for nobody, and here for all. */
static enum err decode(struct bytes in, struct arena *arena, struct bytes *out)
{
	unsigned char *to;
	size_t n = 0;

	if (bytes_find_byte(in, '%') == SIZE_MAX && bytes_find_byte(in, '+') == SIZE_MAX) {
		*out = in;
		return OK;
	}
	to = arena_alloc_raw(arena, in.len + 1);
	if (!to)
		return ERR_MEMORY;
	for (size_t i = 0; i < in.len; i++) {
		if (in.at[i] == '%') {
			if (in.len - i < 3 || hex(in.at[i + 1]) < 0 || hex(in.at[i + 2]) < 0)
				return ERR_SYNTAX;
			to[n++] = (unsigned char)(hex(in.at[i + 1]) << 4 | hex(in.at[i + 2]));
			i += 2;
		} else {
			to[n++] = in.at[i] == '+' ? ' ' : in.at[i];
		}
	}
	*out = bytes_of(to, n);
	return OK;
}

static bool has_control(struct bytes b, bool may_have_lines)
{
	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = b.at[i];
		if (may_have_lines && (c == '\t' || c == '\n' || c == '\r'))
			continue;
		if (c < ' ' || c == 127)
			return true;
	}
	return false;
}

static enum err add_pair(struct form *f, struct bytes pair, struct arena *arena)
{
	size_t eq = bytes_find_byte(pair, '=');
	struct bytes name, value;

	TRY(decode(bytes_cut(pair, 0, eq), arena, &name));
	TRY(decode(eq == SIZE_MAX ? BYTES("") : bytes_cut(pair, eq + 1, pair.len), arena, &value));
	if (name.len == 0 || has_control(name, false) || has_control(value, true))
		return ERR_SYNTAX;
	for (size_t i = 0; i < f->count; i++) {
		if (bytes_eq(f->fields[i].name, name))
			return ERR_SYNTAX;
	}
	if (f->count == FORM_FIELDS_MAX)
		return ERR_LIMIT;
	f->fields[f->count].name = name;
	f->fields[f->count++].value = value;
	return OK;
}

enum err form_parse(struct bytes body, struct arena *arena, struct form *out)
{
	struct form f = { .count = 0 };

	if (body.len > FORM_BODY_MAX)
		return ERR_LIMIT;
	while (body.len) {
		size_t end = bytes_find_byte(body, '&');
		struct bytes pair = bytes_cut(body, 0, end);
		body = end == SIZE_MAX ? BYTES("") : bytes_cut(body, end + 1, body.len);
		if (pair.len) /* "a=1&" says nothing twice */
			TRY(add_pair(&f, pair, arena));
	}
	*out = f;
	return OK;
}

/* As &#...; and the like are written, at the longest. */
static size_t page_len(struct bytes b)
{
	size_t n = 0;

	for (size_t i = 0; i < b.len; i++)
		n += b.at[i] == '&' || b.at[i] == '<' || b.at[i] == '>' || b.at[i] == '"' || b.at[i] == '\'' ? 6 : 1;
	return n;
}

bool form_each(struct bytes body, struct arena *arena, void (*one)(void *ctx, struct bytes name, struct bytes value), void *ctx)
{
	size_t count = 0, on_page = 0;

	if (body.len > FORM_BODY_MAX)
		return false;
	while (body.len) {
		size_t end = bytes_find_byte(body, '&');
		struct bytes pair = bytes_cut(body, 0, end), name, value;
		size_t eq = bytes_find_byte(pair, '=');

		body = end == SIZE_MAX ? BYTES("") : bytes_cut(body, end + 1, body.len);
		if (!pair.len)
			continue;
		if (decode(bytes_cut(pair, 0, eq), arena, &name) != OK ||
			decode(eq == SIZE_MAX ? BYTES("") : bytes_cut(pair, eq + 1, pair.len), arena, &value) != OK)
			return false;
		on_page += page_len(name) + page_len(value) + FORM_FIELD_FRAME;
		if (++count > FORM_PAIRS_MAX || on_page > FORM_PAGE_MAX || !utf8_is_valid(name) || !utf8_is_valid(value) ||
			bytes_find_byte(name, 0) != SIZE_MAX || bytes_find_byte(value, 0) != SIZE_MAX)
			return false;
		if (one)
			one(ctx, name, value);
	}
	return true;
}

struct bytes form_get(const struct form *f, const char *name)
{
	for (size_t i = 0; i < f->count; i++) {
		if (bytes_eq(f->fields[i].name, bytes_str(name)))
			return f->fields[i].value;
	}
	return BYTES("");
}

void csrf_make(struct bytes token, char out[CSRF_LEN + 1])
{
	static const struct bytes label = LIT("sluis form\n"); /* the session's hash in the store has none: no form shows a part of that */
	unsigned char what[64], sum[SHA256_LEN];
	struct text t, to;

	text_init(&t, what, sizeof what);
	text_add(&t, label);
	text_add(&t, token);
	CHECK(!t.failed);
	sha256_of(text_bytes(&t), sum);
	secret_wipe(what, sizeof what);
	text_init(&to, out, CSRF_LEN);
	base64url_put(&to, bytes_of(sum, 16));
	CHECK(!to.failed && to.len == CSRF_LEN);
	out[CSRF_LEN] = 0;
}

bool csrf_fits(struct bytes token, struct bytes given)
{
	char want[CSRF_LEN + 1];

	if (token.len != AUTH_TOKEN_LEN)
		return false;
	csrf_make(token, want);
	return secret_eq(bytes_of(want, CSRF_LEN), given);
}

/* Of a field that may be there once. False: it is there more often. */
static bool find_once(const struct http_field *f, size_t n, struct bytes name, const struct http_field **out)
{
	*out = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!bytes_eq_nocase(f[i].name, name))
			continue;
		if (*out)
			return false;
		*out = &f[i];
	}
	return true;
}

/* W3C Fetch Metadata 2.3; Fetch Standard 3.2, "Origin". Both are forbidden names: no script can set them. */
bool origin_is_ours(const struct http_field *f, size_t n, struct bytes origin)
{
	const struct http_field *site, *from;

	if (!find_once(f, n, BYTES("sec-fetch-site"), &site) || !find_once(f, n, BYTES("origin"), &from))
		return false;
	if (site && !bytes_eq(site->value, BYTES("same-origin")))
		return false;
	if (from && (origin.len == 0 || !bytes_eq(from->value, origin)))
		return false;
	return site || from;
}
