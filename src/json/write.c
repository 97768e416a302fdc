/* Escaping: runs of plain ASCII are copied at once, everything else octet by octet. */
#include "json/write.h"

#include "base/utf8.h"

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
