/* Texts of one form each: what the schema of CSAF 2.0 says with regular expressions and formats, by hand, so that no text of a
 * stranger can make a matcher slow. */
#include "csaf/csaf_priv.h"

#include <ctype.h>
#include <stdlib.h>

static bool is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static bool is_alpha(unsigned char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool all(struct bytes b, bool (*is)(unsigned char))
{
	for (size_t i = 0; i < b.len; i++)
		if (!is(b.at[i]))
			return false;
	return true;
}

/* The next part up to the separator; false when there is none left. */
static bool next_part(struct bytes *left, unsigned char separator, struct bytes *part)
{
	size_t end;

	if (!left->at)
		return false;
	end = bytes_find_byte(*left, separator);
	*part = bytes_cut(*left, 0, end);
	*left = end == SIZE_MAX ? bytes_of(NULL, 0) : bytes_cut(*left, end + 1, left->len);
	return true;
}

/* --- versions: integers, or Semantic Versioning 2.0.0 --- */

static bool is_number(struct bytes b)
{
	return b.len && all(b, is_digit) && (b.len == 1 || b.at[0] != '0');
}

static bool is_identifier(unsigned char c)
{
	return is_alnum(c) || c == '-';
}

static bool are_identifiers(struct bytes b, bool is_pre_release)
{
	struct bytes part;

	while (next_part(&b, '.', &part)) {
		if (!part.len || !all(part, is_identifier))
			return false;
		if (is_pre_release && all(part, is_digit) && !is_number(part))
			return false;
	}
	return true;
}

struct version {
	struct bytes core, pre, build; /* .at NULL: there is none */
};

static struct version version_split(const char *s)
{
	struct bytes all_of = bytes_str(s);
	size_t plus = bytes_find_byte(all_of, '+'), minus;
	struct version v = { .core = bytes_cut(all_of, 0, plus) };

	if (plus != SIZE_MAX)
		v.build = bytes_cut(all_of, plus + 1, all_of.len);
	minus = bytes_find_byte(v.core, '-');
	if (minus != SIZE_MAX) {
		v.pre = bytes_cut(v.core, minus + 1, v.core.len);
		v.core = bytes_cut(v.core, 0, minus);
	}
	return v;
}

bool is_integer_version(const char *s)
{
	return is_number(bytes_str(s));
}

bool is_version(const char *s)
{
	struct version v = version_split(s);
	struct bytes part, left = v.core;
	size_t n = 0;

	/* Ours, not the standard's: histories are sorted by them. */
	if (strnlen(s, CSAF_VERSION_MAX + 1) > CSAF_VERSION_MAX)
		return false;
	while (next_part(&left, '.', &part)) {
		if (!is_number(part))
			return false;
		n++;
	}
	if (n == 1)
		return !v.pre.at && !v.build.at;
	return n == 3 && (!v.pre.at || are_identifiers(v.pre, true)) && (!v.build.at || are_identifiers(v.build, false));
}

bool has_pre_release(const char *version)
{
	return version_split(version).pre.at != NULL;
}

unsigned long version_major(const char *version)
{
	return strtoul(version, NULL, 10);
}

static int number_cmp(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return bytes_cmp(a, b);
}

static int pre_cmp(struct bytes a, struct bytes b)
{
	struct bytes pa, pb;
	bool more_a, more_b;
	int d;

	if (!a.at || !b.at)
		return (a.at == NULL) - (b.at == NULL);
	for (;;) {
		more_a = next_part(&a, '.', &pa);
		more_b = next_part(&b, '.', &pb);
		if (!more_a || !more_b)
			return more_a - more_b;
		if (all(pa, is_digit) && all(pb, is_digit))
			d = number_cmp(pa, pb);
		else if (all(pa, is_digit) || all(pb, is_digit))
			d = all(pa, is_digit) ? -1 : 1;
		else
			d = bytes_cmp(pa, pb);
		if (d)
			return d;
	}
}

int csaf_version_cmp(const char *a, const char *b)
{
	struct version va, vb;
	struct bytes pa, pb;
	int d;

	if (!is_version(a) || !is_version(b))
		return is_version(a) - is_version(b);
	va = version_split(a);
	vb = version_split(b);
	while (next_part(&va.core, '.', &pa)) {
		if (!next_part(&vb.core, '.', &pb))
			return 1;
		if ((d = number_cmp(pa, pb)))
			return d;
	}
	return vb.core.at ? -1 : pre_cmp(va.pre, vb.pre);
}

bool version_same(const char *a, const char *b, bool is_draft)
{
	struct version va = version_split(a), vb = version_split(b);

	return bytes_eq(va.core, vb.core) && (is_draft || (!!va.pre.at == !!vb.pre.at && bytes_eq(va.pre, vb.pre)));
}

/* --- languages: RFC 5646 2.1 --- */

static bool is_private(struct bytes left)
{
	struct bytes part;

	if (!left.at)
		return false;
	while (next_part(&left, '-', &part))
		if (part.len < 1 || part.len > 8 || !all(part, is_alnum))
			return false;
	return true;
}

bool is_language(const char *s)
{
	struct bytes left = bytes_str(s), part;
	unsigned stage = 0, extlangs = 0; /* 0 extlang, 1 script, 2 region, 3 variants, 4 extensions */

	if (bytes_eq_nocase(left, BYTES("i-default")) || bytes_eq_nocase(left, BYTES("i-mingo")))
		return true;
	if (!next_part(&left, '-', &part) || !all(part, is_alpha))
		return false;
	if (part.len == 1)
		return ascii_lower(part.at[0]) == 'x' && is_private(left);
	if (part.len < 2 || part.len > 8)
		return false;
	stage = part.len > 3;
	while (next_part(&left, '-', &part)) {
		if (!all(part, is_alnum) || part.len < 1 || part.len > 8)
			return false;
		if (part.len == 1 && ascii_lower(part.at[0]) == 'x')
			return is_private(left);
		if (part.len == 1) {
			if (!next_part(&left, '-', &part) || part.len < 2 || part.len > 8 || !all(part, is_alnum))
				return false;
			stage = 4;
		} else if (stage == 4) {
			continue;
		} else if (stage == 0 && part.len == 3 && all(part, is_alpha) && extlangs < 3) {
			extlangs++;
		} else if (stage <= 1 && part.len == 4 && all(part, is_alpha)) {
			stage = 2;
		} else if (stage <= 2 && ((part.len == 2 && all(part, is_alpha)) || (part.len == 3 && all(part, is_digit)))) {
			stage = 3;
		} else if (part.len >= 5 || (part.len == 4 && is_digit(part.at[0]))) {
			stage = 3;
		} else {
			return false;
		}
	}
	return true;
}

/* --- dates: RFC 3339 5.6 --- */

static bool two(const char *s, unsigned most, unsigned *out)
{
	if (!is_digit((unsigned char)s[0]) || !is_digit((unsigned char)s[1]))
		return false;
	*out = (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0');
	return *out <= most;
}

static int64_t days_since_1970(unsigned y, unsigned m, unsigned d)
{
	unsigned yy = y - (m <= 2), era = yy / 400, of_era = yy % 400, of_year = (153 * (m + (m > 2 ? (unsigned)-3 : 9)) + 2) / 5 + d - 1;

	return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool zone(const char *s, int64_t *seconds)
{
	unsigned h, m;

	if ((s[0] == 'Z' || s[0] == 'z') && !s[1])
		return true;
	if ((s[0] != '+' && s[0] != '-') || !two(s + 1, 23, &h) || s[3] != ':' || !two(s + 4, 59, &m) || s[6])
		return false;
	*seconds -= (s[0] == '+' ? 1 : -1) * (int64_t)(h * 3600 + m * 60);
	return true;
}

bool date_value(const char *s, int64_t *seconds, uint32_t *nanos)
{
	static const unsigned char lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned c, y, month, day, h, m, sec, digits = 0;

	if (strlen(s) < 20 || !two(s, 99, &c) || !two(s + 2, 99, &y) || s[4] != '-' || !two(s + 5, 12, &month) || s[7] != '-' || !two(s + 8, 31, &day))
		return false;
	y += c * 100;
	if (!month || !day || day > lengths[month - 1] || (month == 2 && day == 29 && (y % 4 || (y % 100 == 0 && y % 400))))
		return false;
	if ((s[10] != 'T' && s[10] != 't') || !two(s + 11, 23, &h) || s[13] != ':' || !two(s + 14, 59, &m) || s[16] != ':' || !two(s + 17, 60, &sec))
		return false;
	*seconds = days_since_1970(y, month, day) * 86400 + h * 3600 + m * 60 + sec;
	*nanos = 0;
	s += 19;
	if (*s == '.') {
		for (s++; is_digit((unsigned char)*s); s++)
			if (digits++ < 9)
				*nanos = *nanos * 10 + (uint32_t)(*s - '0');
		if (!digits)
			return false;
		for (; digits < 9; digits++)
			*nanos *= 10;
	}
	return zone(s, seconds);
}

bool is_date_time(const char *s)
{
	uint32_t nanos;
	int64_t seconds;

	return date_value(s, &seconds, &nanos);
}

int date_cmp(const char *a, const char *b)
{
	int64_t sa = 0, sb = 0;
	uint32_t na = 0, nb = 0;

	if (!date_value(a, &sa, &na) || !date_value(b, &sb, &nb))
		return 0;
	if (sa != sb)
		return sa < sb ? -1 : 1;
	return na == nb ? 0 : na < nb ? -1 : 1;
}

/* --- addresses and names --- */

bool is_uri(const char *s)
{
	struct bytes b = bytes_str(s);
	size_t colon = bytes_find_byte(b, ':');

	if (colon == SIZE_MAX || colon == 0 || !is_alpha(b.at[0]))
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!is_alnum(b.at[i]) && !strchr("+-.", b.at[i]))
			return false;
	for (size_t i = colon + 1; i < b.len; i++) {
		if (b.at[i] <= ' ' || b.at[i] >= 0x7f || strchr("\"<>\\^`{|}", b.at[i]))
			return false;
		if (b.at[i] == '%' && (i + 2 >= b.len || !isxdigit(b.at[i + 1]) || !isxdigit(b.at[i + 2])))
			return false;
	}
	return true;
}

bool is_purl_start(const char *s)
{
	return bytes_starts(bytes_str(s), BYTES("pkg:")) && strlen(s) >= 7;
}

static bool is_type(unsigned char c)
{
	return is_alnum(c) || c == '.' || c == '+' || c == '-';
}

static bool are_qualifiers(struct bytes left)
{
	struct bytes one;

	while (next_part(&left, '&', &one)) {
		struct bytes key = bytes_cut(one, 0, bytes_find_byte(one, '='));

		if (!key.len || key.len == one.len || is_digit(key.at[0]))
			return false;
		for (size_t i = 0; i < key.len; i++)
			if (!is_alnum(key.at[i]) && !strchr(".-_", key.at[i]))
				return false;
	}
	return true;
}

/* pkg:type/namespace/name@version?qualifiers#subpath: type, name and the form of each part. */
bool is_purl(const char *s)
{
	struct bytes left = bytes_str(s), type, part = { 0 }, qualifiers = { 0 };
	size_t hash, mark, at;

	if (!is_uri(s) || !bytes_starts(left, BYTES("pkg:")))
		return false;
	left = bytes_cut(left, 4, left.len);
	while (left.len && left.at[0] == '/')
		left = bytes_cut(left, 1, left.len);
	hash = bytes_find_byte(left, '#');
	left = bytes_cut(left, 0, hash);
	mark = bytes_find_byte(left, '?');
	if (mark != SIZE_MAX)
		qualifiers = bytes_cut(left, mark + 1, left.len);
	left = bytes_cut(left, 0, mark);
	if (!next_part(&left, '/', &type) || !left.at || !type.len || !all(type, is_type) || is_digit(type.at[0]))
		return false;
	while (next_part(&left, '/', &part)) {
	}
	at = bytes_find_byte(part, '@');
	return at != 0 && part.len > 0 && (mark == SIZE_MAX || are_qualifiers(qualifiers));
}

bool is_cve(const char *s)
{
	struct bytes b = bytes_str(s);

	return b.len >= 13 && bytes_starts(b, BYTES("CVE-")) && all(bytes_cut(b, 4, 8), is_digit) && b.at[8] == '-' && all(bytes_cut(b, 9, b.len), is_digit);
}

bool is_cwe(const char *s)
{
	struct bytes b = bytes_str(s);

	return bytes_starts(b, BYTES("CWE-")) && b.len >= 5 && b.len <= 10 && b.at[4] != '0' && all(bytes_cut(b, 4, b.len), is_digit);
}

bool is_hash(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (!isxdigit((unsigned char)s[n]))
			return false;
	return n >= 32;
}

static bool ends_are(const char *s, const char *not_these)
{
	size_t n = strlen(s);

	return n && !strchr(not_these, s[0]) && !strchr(not_these, s[n - 1]);
}

bool is_trimmed(const char *s)
{
	return ends_are(s, " \t\r\n\v\f");
}

bool is_category(const char *s)
{
	return ends_are(s, " \t\r\n\v\f-_.");
}

/* --- CPE: NISTIR 7695 6.1 (URI) and 6.2 (formatted string) --- */

static bool is_cpe_uri(struct bytes left)
{
	struct bytes part;
	size_t n = 0;

	while (next_part(&left, ':', &part)) {
		if (n == 0 && part.len && (part.len > 1 || !strchr("aho", ascii_lower(part.at[0]))))
			return false;
		for (size_t i = 0; i < part.len; i++)
			if (!is_alnum(part.at[i]) && !strchr("._-~%", part.at[i]))
				return false;
		n++;
	}
	return n <= 7;
}

/* One value of a formatted string: * or - or quoted and plain characters, with ? and * at the ends only. */
static bool is_cpe_value(struct bytes v)
{
	size_t from = 0, to = v.len;

	if (v.len == 1 && (v.at[0] == '*' || v.at[0] == '-'))
		return true;
	if (to && v.at[0] == '*')
		from = 1;
	else
		while (from < to && v.at[from] == '?')
			from++;
	if (to - from > 1 && v.at[to - 1] == '*' && v.at[to - 2] != '\\')
		to--;
	else
		while (to - from > 1 && v.at[to - 1] == '?' && v.at[to - 2] != '\\')
			to--;
	if (from >= to)
		return false;
	for (size_t i = from; i < to; i++) {
		if (v.at[i] == '\\') {
			if (++i >= to || !strchr("\\*?!\"#$%&'()+,/:;<=>@[]^`{|}~", v.at[i]))
				return false;
		} else if (!is_alnum(v.at[i]) && !strchr("-._", v.at[i])) {
			return false;
		}
	}
	return true;
}

static bool is_cpe_language(struct bytes v)
{
	struct bytes part;

	if (v.len == 1)
		return v.at[0] == '*' || v.at[0] == '-';
	if (!next_part(&v, '-', &part) || part.len < 2 || part.len > 3 || !all(part, is_alpha))
		return false;
	return !v.at || (v.len == 2 && all(v, is_alpha)) || (v.len == 3 && all(v, is_digit));
}

static bool is_cpe_23(struct bytes b)
{
	size_t n = 0, from = 0;

	for (size_t i = 0; i <= b.len; i++) {
		if (i < b.len && b.at[i] == '\\') {
			i++;
			continue;
		}
		if (i < b.len && b.at[i] != ':')
			continue;
		struct bytes v = bytes_cut(b, from, i);

		if (n == 0 && (v.len != 1 || !strchr("aho*-", v.at[0])))
			return false;
		if (n > 0 && !(n == 6 ? is_cpe_language(v) : is_cpe_value(v)))
			return false;
		n++;
		from = i + 1;
	}
	return n == 11;
}

bool is_cpe(const char *s)
{
	struct bytes b = bytes_str(s);

	if (b.len < 5)
		return false;
	if (bytes_starts(b, BYTES("cpe:2.3:")))
		return is_cpe_23(bytes_cut(b, 8, b.len));
	return bytes_eq_nocase(bytes_cut(b, 0, 5), BYTES("cpe:/")) && is_cpe_uri(bytes_cut(b, 5, b.len));
}
