/* Accept as a list of ranges, read where it stands: nothing is stored, nothing is sorted. */
#include "http/accept.h"

/* The part of *left up to a separator that stands outside of quotes; the rest stays in *left. */
static struct bytes next_part(struct bytes *left, unsigned char separator)
{
	bool quoted = false;
	struct bytes part;
	size_t i;

	for (i = 0; i < left->len; i++) {
		if (quoted && left->at[i] == '\\')
			i++;
		else if (left->at[i] == '"')
			quoted = !quoted;
		else if (left->at[i] == separator && !quoted)
			break;
	}
	part = bytes_trim(bytes_cut(*left, 0, i));
	*left = bytes_cut(*left, i < left->len ? i + 1 : left->len, left->len);
	return part;
}

/* RFC 9110 12.4.2: 0 or 1 and at most three digits behind the point. -1: it is none. */
static int read_q(struct bytes b)
{
	int q, scale = 100;

	if (b.len == 0 || b.len > 5 || (b.at[0] != '0' && b.at[0] != '1') || (b.len > 1 && b.at[1] != '.'))
		return -1;
	q = (b.at[0] - '0') * 1000;
	for (size_t i = 2; i < b.len; i++, scale /= 10) {
		if (b.at[i] < '0' || b.at[i] > '9')
			return -1;
		q += (b.at[i] - '0') * scale;
	}
	return q <= 1000 ? q : -1;
}

static unsigned match(struct bytes range, struct bytes type)
{
	size_t slash = bytes_find_byte(type, '/');

	if (bytes_eq(range, BYTES("*/*")))
		return 1;
	if (bytes_eq_nocase(range, type))
		return 3;
	return range.len == slash + 2 && range.at[slash + 1] == '*' &&
		bytes_eq_nocase(bytes_cut(range, 0, slash + 1), bytes_cut(type, 0, slash + 1)) ? 2 : 0;
}

static unsigned match_language(struct bytes range, struct bytes language)
{
	if (bytes_eq(range, BYTES("*")))
		return 1;
	if (bytes_eq_nocase(range, language))
		return 3;
	return range.len > language.len && range.at[language.len] == '-' &&
		bytes_eq_nocase(bytes_cut(range, 0, language.len), language) ? 2 : 0;
}

static struct http_accept find(const struct http_field *f, size_t n, enum http_field_id id,
	unsigned (*match_one)(struct bytes range, struct bytes what), struct bytes what)
{
	struct http_accept best = { .q = -1 };
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		struct bytes left = f[i].value;
		if (f[i].id != id)
			continue;
		for (; left.len; at++) {
			struct bytes item = next_part(&left, ',');
			unsigned specific = match_one(next_part(&item, ';'), what);
			int q = 1000;
			while (specific && item.len) {
				struct bytes p = next_part(&item, ';');
				if (p.len >= 2 && ascii_lower(p.at[0]) == 'q' && p.at[1] == '=')
					q = read_q(bytes_cut(p, 2, p.len));
			}
			if (q >= 0 && specific > best.specific)
				best = (struct http_accept){ q, specific, at };
		}
	}
	return best;
}

struct http_accept http_accept_find(const struct http_field *f, size_t n, struct bytes type)
{
	return find(f, n, HTTP_ACCEPT, match, type);
}

struct http_accept http_accept_language_find(const struct http_field *f, size_t n, struct bytes language)
{
	return find(f, n, HTTP_ACCEPT_LANGUAGE, match_language, language);
}
