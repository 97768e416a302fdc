/* One pass decodes and checks, one resolves dot segments, one encodes again. The path that policies see and
 * the path that the server gets are made from the same octets. RFC 3986 6.2.2; docs/canonical.md. */
#include "http/canon.h"

#define SEGMENTS_MAX 512

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err refuse(const char **why, const char *what)
{
	*why = what;
	return ERR_SYNTAX;
}

/* Octets of an encoded slash or backslash that is kept must not become a separator: they stay as their
 * escape in both forms. */
struct canon_out {
	unsigned char *at;
	size_t len;
};

static void put_kept(struct canon_out *o, unsigned char c)
{
	o->at[o->len++] = '%';
	o->at[o->len++] = (unsigned char)"0123456789ABCDEF"[c >> 4];
	o->at[o->len++] = (unsigned char)"0123456789ABCDEF"[c & 15];
}

/* What an escape stands for: refused, kept or decoded. */
static enum err decode_escape(unsigned char c, struct bytes rest, const struct canon_rules *rules, struct canon_out *o,
	const char **why)
{
	if (c == 0)
		return refuse(why, "encoded-nul");
	if (c < 0x20 || c == 0x7f)
		return refuse(why, "encoded-control");
	if (c == '/' || c == '\\') {
		if (rules->encoded_slash == CANON_REFUSE)
			return refuse(why, c == '/' ? "encoded-slash" : "backslash");
		put_kept(o, c);
		return OK;
	}
	if (c == '%') { /* "%25" before two hex digits would be an escape after a second decoding */
		if (rest.len >= 2 && hex(rest.at[0]) >= 0 && hex(rest.at[1]) >= 0)
			return refuse(why, "doubly-encoded");
		put_kept(o, c);
		return OK;
	}
	if (c == ';' && rules->parameters == CANON_REFUSE)
		return refuse(why, "parameter");
	if (c == '?' || c == '#') { /* would end the path for a reader behind us */
		put_kept(o, c);
		return OK;
	}
	o->at[o->len++] = c;
	return OK;
}

static enum err decode(struct bytes raw, const struct canon_rules *rules, struct canon_out *o, const char **why)
{
	for (size_t i = 0; i < raw.len; i++) {
		unsigned char c = raw.at[i];
		if (c == '%') {
			if (raw.len - i < 3 || hex(raw.at[i + 1]) < 0 || hex(raw.at[i + 2]) < 0)
				return refuse(why, "escape-malformed");
			c = (unsigned char)(hex(raw.at[i + 1]) << 4 | hex(raw.at[i + 2]));
			i += 2;
			TRY(decode_escape(c, bytes_cut(raw, i + 1, raw.len), rules, o, why));
		} else if (c == '\\') {
			return refuse(why, "backslash");
		} else if (c == ';' && rules->parameters == CANON_REFUSE) {
			return refuse(why, "parameter");
		} else if (c < 0x20 || c == 0x7f || c == '?' || c == '#') {
			return refuse(why, "path-form"); /* http1 lets none of them come here; others may call too */
		} else {
			o->at[o->len++] = c;
		}
	}
	return OK;
}

/* An escape can also be put together from several: "%25%32%65", "%252%65" hold "%2e" for a second decoder. */
static enum err check_twice(struct bytes b, const char **why)
{
	for (size_t i = 0; i + 5 <= b.len; i++)
		if (b.at[i] == '%' && b.at[i + 1] == '2' && b.at[i + 2] == '5' && hex(b.at[i + 3]) >= 0 && hex(b.at[i + 4]) >= 0)
			return refuse(why, "doubly-encoded");
	return OK;
}

/* RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF. */
static enum err check_utf8(struct bytes b, const char **why)
{
	for (size_t i = 0; i < b.len; ) {
		unsigned char c = b.at[i], low = 0x80, high = 0xbf;
		size_t n = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
		if (n == 0 || b.len - i < n)
			return refuse(why, c == 0xc0 || c == 0xc1 ? "overlong-utf8" : "not-utf8");
		if (c == 0xe0)
			low = 0xa0;
		if (c == 0xf0)
			low = 0x90;
		if (c == 0xed)
			high = 0x9f;
		if (c == 0xf4)
			high = 0x8f;
		for (size_t k = 1; k < n; k++) {
			if (b.at[i + k] < low || b.at[i + k] > high)
				return refuse(why, (c == 0xe0 || c == 0xf0) && k == 1 && b.at[i + k] < low && b.at[i + k] >= 0x80 ?
					"overlong-utf8" : "not-utf8");
			low = 0x80;
			high = 0xbf;
		}
		i += n;
	}
	return OK;
}

static bool is_dots(struct bytes s)
{
	return bytes_eq(s, BYTES(".")) || bytes_eq(s, BYTES(".."));
}

/* A segment that a server which drops parameters, or which decodes the slashes that are kept, would read as
 * a dot segment: "..;a", "..%2Fb". NULL when there is none. */
static const char *hidden_dots(struct bytes s)
{
	size_t from = 0;

	for (size_t i = 0; i <= s.len; i++) {
		struct bytes escape = bytes_cut(s, i, i + 3), piece;
		size_t semi;
		bool is_slash = bytes_eq(escape, BYTES("%2F")) || bytes_eq(escape, BYTES("%5C"));
		if (i < s.len && !is_slash)
			continue;
		piece = bytes_cut(s, from, i);
		semi = bytes_find_byte(piece, ';');
		if (semi != SIZE_MAX && is_dots(bytes_cut(piece, 0, semi)))
			return "parameter";
		if (piece.len != s.len && is_dots(piece))
			return "encoded-slash";
		from = i + 3;
	}
	return NULL;
}

static enum err resolve(struct canon_out *o, const struct canon_rules *rules, const char **why)
{
	struct bytes in = bytes_of(o->at, o->len);
	size_t starts[SEGMENTS_MAX], depth = 0, out = 0, i = 0;
	const char *hidden;

	while (i < in.len) { /* at a '/' */
		size_t end = i + 1;
		while (end < in.len && in.at[end] != '/')
			end++;
		struct bytes s = bytes_cut(in, i + 1, end);
		bool is_last = end == in.len;
		if (s.len == 0 && !is_last) {
			if (!rules->merge_slashes)
				return refuse(why, "empty-segment");
		} else if ((hidden = hidden_dots(s)) != NULL) {
			return refuse(why, hidden);
		} else if (is_dots(s)) {
			if (s.len == 2) {
				if (depth == 0)
					return refuse(why, "above-root");
				out = starts[--depth];
			}
			if (is_last)
				o->at[out++] = '/';
		} else {
			if (depth == SEGMENTS_MAX)
				return refuse(why, "too-many-segments");
			starts[depth++] = out;
			memmove(o->at + out, o->at + i, end - i); /* out never passes i */
			out += end - i;
		}
		i = end;
	}
	o->len = out;
	return OK;
}

static bool is_plain(unsigned char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || memchr("/-._~!$&'()*+,;=:@%", c, 19);
}

enum err canon_path(struct bytes raw, const struct canon_rules *rules, struct arena *arena, struct bytes *path,
	struct bytes *wire, const char **why)
{
	struct canon_out o = { .at = raw.len < SIZE_MAX / 4 ? arena_alloc_raw(arena, raw.len + 1) : NULL };
	unsigned char *w;
	size_t extra = 0, n = 0;

	if (!o.at)
		return ERR_MEMORY;
	if (raw.len == 0 || raw.at[0] != '/')
		return refuse(why, "path-form");
	TRY(decode(raw, rules, &o, why));
	TRY(check_twice(bytes_of(o.at, o.len), why));
	TRY(check_utf8(bytes_of(o.at, o.len), why));
	TRY(resolve(&o, rules, why));
	if (o.len == 0)
		o.at[o.len++] = '/';
	*path = bytes_of(o.at, o.len);
	for (size_t i = 0; i < o.len; i++)
		extra += !is_plain(o.at[i]);
	if (extra == 0) {
		*wire = *path;
		return OK;
	}
	w = arena_alloc_raw(arena, o.len + 2 * extra);
	if (!w)
		return ERR_MEMORY;
	for (size_t i = 0; i < o.len; i++) {
		if (is_plain(o.at[i])) {
			w[n++] = o.at[i];
		} else {
			w[n++] = '%';
			w[n++] = (unsigned char)"0123456789ABCDEF"[o.at[i] >> 4];
			w[n++] = (unsigned char)"0123456789ABCDEF"[o.at[i] & 15];
		}
	}
	*wire = bytes_of(w, n);
	return OK;
}

static bool is_host_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '-' || c == '.' || c == '_';
}

/* RFC 9110 7.2, RFC 3986 3.2.2: a name, an address, or an IPv6 address in brackets; no user, no escape. */
static enum err read_authority(struct bytes a, struct arena *arena, struct http_request *r, const char **why)
{
	size_t end = 0;
	struct bytes host, port = BYTES("");
	unsigned char *low;
	uint64_t n = 0;

	if (a.len && a.at[0] == '[') {
		end = bytes_find_byte(a, ']');
		if (end == SIZE_MAX || end < 3)
			return refuse(why, "host-malformed");
		for (size_t i = 1; i < end; i++)
			if (hex(a.at[i]) < 0 && a.at[i] != ':' && a.at[i] != '.')
				return refuse(why, "host-malformed");
		end++;
	} else {
		while (end < a.len && is_host_char(a.at[end]))
			end++;
	}
	host = bytes_cut(a, 0, end);
	if (host.len == 0 || host.len > 255 || host.at[0] == '.' || bytes_find(host, BYTES("..")) != SIZE_MAX)
		return refuse(why, "host-malformed");
	if (end < a.len) {
		if (a.at[end] != ':')
			return refuse(why, "host-malformed");
		port = bytes_cut(a, end + 1, a.len);
		if (bytes_u64(port, &n) != OK || n == 0 || n > 65535 || port.len > 5)
			return refuse(why, "port-malformed");
	}
	low = arena_alloc_raw(arena, host.len);
	if (!low)
		return ERR_MEMORY;
	for (size_t i = 0; i < host.len; i++)
		low[i] = ascii_lower(host.at[i]);
	r->host = bytes_of(low, host.len);
	if (r->host.len > 1 && low[host.len - 1] == '.')
		r->host.len--; /* the absolute form of a name is the same host */
	r->authority = a;
	r->port = (uint16_t)n;
	return OK;
}

enum err canon_request(struct http_request *r, const struct canon_rules *rules, struct bytes default_scheme,
	struct arena *arena, const char **why)
{
	const struct http_field *host = http_find_field_id(r->fields, r->field_count, HTTP_HOST);

	r->scheme = default_scheme;
	if (r->form == HTTP_FORM_AUTHORITY)
		return OK; /* CONNECT, which is refused by its method */
	if (r->form == HTTP_FORM_ABSOLUTE) {
		/* RFC 9112 3.2.2 has the target win; a Host that says something else is refused instead. */
		if (host && !bytes_eq_nocase(host->value, r->authority))
			return refuse(why, "host-differs");
		if (!bytes_starts(r->target, BYTES("http://")) && !bytes_starts(r->target, BYTES("https://")))
			return refuse(why, "target-form");
		if (r->raw_path.len == 0)
			r->raw_path = BYTES("/");
		TRY(read_authority(r->authority, arena, r, why));
	} else if (host) {
		TRY(read_authority(host->value, arena, r, why));
	} else {
		if (r->authority.len == 0)
			return refuse(why, "host-missing");
		TRY(read_authority(r->authority, arena, r, why));
	}
	if (r->form == HTTP_FORM_ASTERISK) {
		r->path = r->wire_path = BYTES("*");
		return OK;
	}
	return canon_path(r->raw_path, rules, arena, &r->path, &r->wire_path, why);
}
