/* Table 3-7 of the Unicode Standard: only the second octet's range depends on the first. */
#include "base/utf8.h"

size_t utf8_len(struct bytes b)
{
	unsigned char c = b.len ? b.at[0] : 0xff;
	size_t n = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;

	if (n == 0 || b.len < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((b.at[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && b.at[1] < 0xa0) || (c == 0xed && b.at[1] > 0x9f) || (c == 0xf0 && b.at[1] < 0x90) || (c == 0xf4 && b.at[1] > 0x8f))
		return 0;
	return n;
}

bool utf8_is_valid(struct bytes b)
{
	while (b.len) {
		size_t n = utf8_len(b);
		if (n == 0)
			return false;
		b = bytes_cut(b, n, b.len);
	}
	return true;
}
