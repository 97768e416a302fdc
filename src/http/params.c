/* Reading query strings and Cookie fields without building tables. */
#include "http/params.h"

static int hex(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct bytes http_percent_decode(struct bytes in, bool plus_is_space, struct arena *arena)
{
	unsigned char *out = arena_alloc_raw(arena, in.len + 1);
	size_t n = 0;

	if (!out)
		return bytes_of(NULL, 0);
	for (size_t i = 0; i < in.len; i++) {
		if (in.at[i] == '%' && in.len - i > 2 && hex(in.at[i + 1]) >= 0 && hex(in.at[i + 2]) >= 0) {
			out[n++] = (unsigned char)(hex(in.at[i + 1]) << 4 | hex(in.at[i + 2]));
			i += 2;
		} else {
			out[n++] = plus_is_space && in.at[i] == '+' ? ' ' : in.at[i];
		}
	}
	return bytes_of(out, n);
}

/* Compares without room: a full arena must not hide a parameter from a policy. */
static bool key_is(struct bytes raw, struct bytes name)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.len; i++, n++) {
		unsigned char c = raw.at[i] == '+' ? ' ' : raw.at[i];
		if (c == '%' && raw.len - i > 2 && hex(raw.at[i + 1]) >= 0 && hex(raw.at[i + 2]) >= 0) {
			c = (unsigned char)(hex(raw.at[i + 1]) << 4 | hex(raw.at[i + 2]));
			i += 2;
		}
		if (n == name.len || name.at[n] != c)
			return false;
	}
	return n == name.len;
}

static struct bytes take_pair(struct bytes *left)
{
	size_t end = bytes_find_byte(*left, '&');
	struct bytes pair = bytes_cut(*left, 0, end);

	*left = end == SIZE_MAX ? BYTES("") : bytes_cut(*left, end + 1, left->len);
	return pair;
}

bool http_query_next(struct bytes *left, struct bytes name, struct arena *arena, struct bytes *value)
{
	while (left->len) {
		struct bytes pair = take_pair(left);
		size_t eq = bytes_find_byte(pair, '=');
		if (pair.len && key_is(bytes_cut(pair, 0, eq), name)) {
			struct bytes raw = eq == SIZE_MAX ? BYTES("") : bytes_cut(pair, eq + 1, pair.len);
			if (bytes_find_byte(raw, '%') != SIZE_MAX || bytes_find_byte(raw, '+') != SIZE_MAX)
				raw = http_percent_decode(raw, true, arena);
			*value = raw;
			return true;
		}
	}
	return false;
}

bool http_query_find(struct bytes q, struct bytes name, struct arena *arena, struct bytes *value)
{
	struct bytes found;

	if (!http_query_next(&q, name, arena, &found) || !found.at)
		return false;
	*value = found;
	return true;
}

struct bytes http_query_without(struct bytes q, struct bytes name, struct arena *arena)
{
	unsigned char *out = arena_alloc_raw(arena, q.len + 1), *to = out;

	if (!out)
		return bytes_of(NULL, 0);
	while (q.len) {
		struct bytes pair = take_pair(&q);
		if (pair.len == 0 || key_is(bytes_cut(pair, 0, bytes_find_byte(pair, '=')), name))
			continue;
		if (to != out)
			*to++ = '&';
		memcpy(to, pair.at, pair.len);
		to += pair.len;
	}
	return bytes_of(out, (size_t)(to - out));
}

bool http_cookie_next(const struct http_field *f, size_t n, struct bytes name, size_t *field, struct bytes *left,
	struct bytes *value)
{
	for (;;) {
		while (left->len) {
			size_t end = bytes_find_byte(*left, ';');
			struct bytes pair = bytes_trim(bytes_cut(*left, 0, end));
			size_t eq = bytes_find_byte(pair, '=');
			*left = end == SIZE_MAX ? BYTES("") : bytes_cut(*left, end + 1, left->len);
			if (eq != SIZE_MAX && bytes_eq(bytes_cut(pair, 0, eq), name)) {
				struct bytes v = bytes_cut(pair, eq + 1, pair.len);
				if (v.len >= 2 && v.at[0] == '"' && v.at[v.len - 1] == '"')
					v = bytes_cut(v, 1, v.len - 1);
				*value = v;
				return true;
			}
		}
		while (*field < n && f[*field].id != HTTP_COOKIE)
			++*field;
		if (*field == n)
			return false;
		*left = f[(*field)++].value;
	}
}

bool http_cookie_find(const struct http_field *f, size_t n, struct bytes name, struct bytes *value)
{
	struct bytes left = BYTES("");
	size_t field = 0;

	return http_cookie_next(f, n, name, &field, &left, value);
}
