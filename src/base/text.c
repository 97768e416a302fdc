/* Writing bytes with one check at the end. */
#include "base/text.h"

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

void text_init(struct text *t, void *mem, size_t cap)
{
	*t = (struct text){ .at = mem, .cap = cap };
}

void text_init_growing(struct text *t, size_t limit)
{
	*t = (struct text){ .limit = limit };
}

void text_fini(struct text *t)
{
	if (t->limit && t->at) {
		secret_wipe(t->at, t->cap);
		free(t->at);
	}
	*t = (struct text){ 0 };
}

static bool text_grow(struct text *t, size_t more)
{
	size_t want = t->cap ? t->cap : 256;
	unsigned char *p;

	if (more > t->limit || t->len > t->limit - more)
		return false;
	while (want - t->len < more)
		want = want > t->limit / 2 ? t->limit : want * 2;
	p = malloc(want);
	if (!p)
		return false;
	if (t->at) { /* realloc would leave a copy behind where it moves */
		memcpy(p, t->at, t->len);
		secret_wipe(t->at, t->cap);
		free(t->at);
	}
	t->at = p;
	t->cap = want;
	return true;
}

void text_slow(struct text *t, const void *at, size_t len)
{
	if (t->failed)
		return;
	if (len > t->cap - t->len && (t->limit == 0 || !text_grow(t, len))) {
		t->failed = true;
		return;
	}
	if (len)
		memcpy(t->at + t->len, at, len);
	t->len += len;
}

void text_str(struct text *t, const char *s)
{
	text_add(t, bytes_str(s));
}

void text_html(struct text *t, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		switch (b.at[i]) {
		case '<': text_lit(t, "&lt;"); break;
		case '>': text_lit(t, "&gt;"); break;
		case '&': text_lit(t, "&amp;"); break;
		case '"': text_lit(t, "&quot;"); break;
		case '\'': text_lit(t, "&#39;"); break;
		default: text_byte(t, b.at[i]);
		}
}

void text_uri(struct text *t, struct bytes b)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = b.at[i], low = ascii_lower(c);
		if ((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~') { /* RFC 3986 2.3 */
			text_byte(t, c);
		} else {
			text_byte(t, '%');
			text_byte(t, (unsigned char)digits[c >> 4]);
			text_byte(t, (unsigned char)digits[c & 15]);
		}
	}
}

void text_u64(struct text *t, uint64_t n)
{
	unsigned char buf[20];
	size_t i = sizeof buf;

	do {
		buf[--i] = (unsigned char)('0' + n % 10);
		n /= 10;
	} while (n);
	text_add(t, bytes_of(buf + i, sizeof buf - i));
}

void text_hex(struct text *t, uint64_t n)
{
	unsigned char buf[16];
	size_t i = sizeof buf;

	do {
		buf[--i] = (unsigned char)"0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n);
	text_add(t, bytes_of(buf + i, sizeof buf - i));
}

void text_vfmt(struct text *t, const char *fmt, va_list ap)
{
	char small[512];
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof small, fmt, ap);
	if (n < 0) {
		t->failed = true;
	} else if ((size_t)n < sizeof small) {
		text_add(t, bytes_of(small, (size_t)n));
	} else {
		char *big = malloc((size_t)n + 1);
		if (!big) {
			t->failed = true;
		} else {
			vsnprintf(big, (size_t)n + 1, fmt, again);
			text_add(t, bytes_of(big, (size_t)n));
			free(big);
		}
	}
	va_end(again);
}

void text_fmt(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vfmt(t, fmt, ap);
	va_end(ap);
}

void text_put_u8(struct text *t, uint8_t n)
{
	text_byte(t, n);
}

void text_put_u16(struct text *t, uint16_t n)
{
	text_put_u8(t, (uint8_t)n);
	text_put_u8(t, (uint8_t)(n >> 8));
}

void text_put_bytes(struct text *t, struct bytes b)
{
	if (b.len > UINT16_MAX)
		t->failed = true;
	text_put_u16(t, (uint16_t)b.len);
	text_add(t, b);
}

void text_put_u32(struct text *t, uint32_t n)
{
	text_put_u16(t, (uint16_t)n);
	text_put_u16(t, (uint16_t)(n >> 16));
}

void text_put_u64(struct text *t, uint64_t n)
{
	text_put_u32(t, (uint32_t)n);
	text_put_u32(t, (uint32_t)(n >> 32));
}
