/* RFC 4515 3 (values in filters), RFC 4514 2 and 3 (names as strings). */
#include "auth/ldap_filter.h"

static const char digits[] = "0123456789abcdef";

static void hex_octet(struct text *t, unsigned char c)
{
	text_byte(t, (unsigned char)digits[c >> 4]);
	text_byte(t, (unsigned char)digits[c & 15]);
}

static int digit_of(unsigned char c)
{
	c = ascii_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void ldap_filter_value(struct text *t, struct bytes value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = value.at[i];

		if (c < ' ' || c >= 0x7f || c == '*' || c == '(' || c == ')' || c == '\\') {
			text_byte(t, '\\');
			hex_octet(t, c);
		} else {
			text_byte(t, c);
		}
	}
}

enum err ldap_filter_fill(struct text *t, struct bytes pattern, struct bytes user, struct bytes dn)
{
	for (size_t i = 0; i < pattern.len; i++) {
		unsigned char letter = i + 1 < pattern.len ? pattern.at[i + 1] : 0;

		if (pattern.at[i] != '%') {
			text_byte(t, pattern.at[i]);
			continue;
		}
		if (letter == 'u' && user.at)
			ldap_filter_value(t, user);
		else if (letter == 'u')
			text_byte(t, '*');
		else if (letter == 'd' && dn.at)
			ldap_filter_value(t, dn);
		else
			return ERR_SYNTAX;
		i++;
	}
	return t->failed ? ERR_LIMIT : OK;
}

/* RFC 4512 1.4: a name or numbers with dots between. 0: neither. */
static size_t type_len(struct bytes dn)
{
	size_t n = bytes_find_byte(dn, '=');

	if (n == SIZE_MAX)
		return 0;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = ascii_lower(dn.at[i]);
		bool is_letter = c >= 'a' && c <= 'z';

		if (!is_letter && !(c >= '0' && c <= '9') && !(i && (c == '-' || c == '.')))
			return 0;
	}
	return n;
}

/* A \ and what is behind it; how many octets that was, 0: no escape. */
static size_t unescape(struct bytes at, struct text *t)
{
	int high, low;

	if (at.len >= 2 && memchr(" #=\\\"+,;<>", at.at[1], 10)) {
		text_byte(t, at.at[1]);
		return 2;
	}
	high = at.len >= 3 ? digit_of(at.at[1]) : -1;
	low = at.len >= 3 ? digit_of(at.at[2]) : -1;
	if (high < 0 || low < 0)
		return 0;
	text_byte(t, (unsigned char)(high << 4 | low));
	return 3;
}

enum err ldap_rdn_value(struct bytes dn, struct text *t)
{
	size_t i = type_len(dn), from = t->len, kept = 0;

	if (i == 0)
		return ERR_SYNTAX;
	i++;
	while (i < dn.len && dn.at[i] == ' ') /* RFC 2253's, which is still seen */
		i++;
	if (i < dn.len && dn.at[i] == '#')
		return ERR_SYNTAX;
	while (i < dn.len && dn.at[i] != ',' && dn.at[i] != '+' && dn.at[i] != ';') {
		if (dn.at[i] == '\\') {
			size_t n = unescape(bytes_cut(dn, i, dn.len), t);

			if (n == 0)
				return ERR_SYNTAX;
			i += n;
			kept = t->len - from; /* a space that was escaped stays */
			continue;
		}
		if (dn.at[i] == 0 || dn.at[i] == '"' || dn.at[i] == '<' || dn.at[i] == '>')
			return ERR_SYNTAX;
		text_byte(t, dn.at[i]);
		if (dn.at[i++] != ' ')
			kept = t->len - from;
	}
	if (t->failed)
		return ERR_LIMIT;
	t->len = from + kept;
	return kept ? OK : ERR_SYNTAX;
}

void ldap_hex(struct text *t, struct bytes octets)
{
	for (size_t i = 0; i < octets.len; i++)
		hex_octet(t, octets.at[i]);
}

enum err ldap_unhex(struct text *t, struct bytes in)
{
	if (in.len == 0 || in.len % 2)
		return ERR_SYNTAX;
	for (size_t i = 0; i < in.len; i += 2) {
		int high = digit_of(in.at[i]), low = digit_of(in.at[i + 1]);

		if (high < 0 || low < 0)
			return ERR_SYNTAX;
		text_byte(t, (unsigned char)(high << 4 | low));
	}
	return t->failed ? ERR_LIMIT : OK;
}
