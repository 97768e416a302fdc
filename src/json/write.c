/* Escaping: runs of plain ASCII are copied at once, everything else octet by octet. */
#include "json/write.h"

/* Length of the valid UTF-8 sequence at b (RFC 3629: no overlong forms, no surrogates), or 0. */
static size_t utf8_len(struct bytes b)
{
	unsigned char c = b.at[0], low = 0x80, high = 0xbf;
	size_t n;

	if (c >= 0xc2 && c <= 0xdf)
		n = 2;
	else if (c >= 0xe0 && c <= 0xef)
		n = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		n = 4;
	else
		return 0;
	if (b.len < n)
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	if (c == 0xed)
		high = 0x9f;
	if (c == 0xf0)
		low = 0x90;
	if (c == 0xf4)
		high = 0x8f;
	if (b.at[1] < low || b.at[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((b.at[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static size_t json_plain_run(struct bytes b)
{
	size_t n = 0;

	while (n < b.len && b.at[n] >= 0x20 && b.at[n] < 0x7f && b.at[n] != '"' && b.at[n] != '\\')
		n++;
	return n;
}

void json_put_string(struct text *t, struct bytes b)
{
	text_byte(t, '"');
	while (b.len) {
		size_t n = json_plain_run(b);
		if (n == 0) {
			unsigned char c = b.at[0];
			n = 1;
			if (c == '"' || c == '\\') {
				text_byte(t, '\\');
				text_byte(t, c);
			} else if (c < 0x20 || c == 0x7f) {
				text_lit(t, "\\u00");
				text_byte(t, (unsigned char)"0123456789abcdef"[c >> 4]);
				text_byte(t, (unsigned char)"0123456789abcdef"[c & 15]);
			} else if ((n = utf8_len(b)) > 0) {
				text_add(t, bytes_cut(b, 0, n));
			} else {
				text_lit(t, "\\ufffd");
				n = 1;
			}
		} else {
			text_add(t, bytes_cut(b, 0, n));
		}
		b = bytes_cut(b, n, b.len);
	}
	text_byte(t, '"');
}
