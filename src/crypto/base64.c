#include "crypto/base64.h"

void base64url_put(struct text *t, struct bytes b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < b.len; i++) {
		bits = bits << 8 | b.at[i];
		for (have += 8; have >= 6; have -= 6)
			text_byte(t, (unsigned char)digits[bits >> (have - 6) & 63]);
	}
	if (have)
		text_byte(t, (unsigned char)digits[bits << (6 - have) & 63]);
}

static int value_of(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

enum err base64url_read_any(struct bytes in, unsigned char *out, size_t cap, size_t *len)
{
	size_t n = in.len / 4 * 3 + (in.len % 4 ? in.len % 4 - 1 : 0), at = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	if (in.len % 4 == 1)
		return ERR_SYNTAX;
	if (n > cap)
		return ERR_LIMIT;
	for (size_t i = 0; i < in.len; i++) { /* looked at first: out is written on success only */
		if (value_of(in.at[i]) < 0)
			return ERR_SYNTAX;
	}
	if (in.len % 4 && value_of(in.at[in.len - 1]) & (in.len % 4 == 2 ? 15 : 3))
		return ERR_SYNTAX;
	for (size_t i = 0; i < in.len; i++) {
		bits = bits << 6 | (uint32_t)value_of(in.at[i]);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[at++] = (unsigned char)(bits >> have & 255);
		}
	}
	*len = at;
	return OK;
}

enum err base64url_read(struct bytes in, unsigned char *out, size_t len)
{
	size_t n;

	if (in.len != BASE64_LEN(len))
		return ERR_SYNTAX;
	return base64url_read_any(in, out, len, &n);
}
