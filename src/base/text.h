/* Bytes being written into memory of a fixed size, or (cli, start-up) into memory that grows up to a
 * limit. A text that ran full stays failed and harmless: many steps, one check of .failed at the end. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/bytes.h"

#include <stdarg.h>

struct text {
	unsigned char *at;
	size_t len, cap;
	size_t limit; /* growing texts: at most this; 0 for fixed ones */
	bool failed;
};

void text_init(struct text *t, void *mem, size_t cap);
/* A text that grows on the heap; text_fini frees it. Neither leaves what it held in memory that was given back: it may be a token. */
void text_init_growing(struct text *t, size_t limit);
void text_fini(struct text *t);

void text_slow(struct text *t, const void *at, size_t len); /* text_add's rare half */
static inline void text_add(struct text *t, struct bytes b)
{
	if (LIKELY(b.len <= t->cap - t->len && !t->failed)) {
		if (b.len)
			memcpy(t->at + t->len, b.at, b.len);
		t->len += b.len;
	} else {
		text_slow(t, b.at, b.len);
	}
}
static inline void text_byte(struct text *t, unsigned char c)
{
	if (LIKELY(t->len < t->cap && !t->failed))
		t->at[t->len++] = c;
	else
		text_slow(t, &c, 1);
}
#define text_lit(t, s) text_add((t), BYTES(s))
void text_str(struct text *t, const char *s);
/* With the five characters that mean something in HTML (and in its attributes) escaped. */
void text_html(struct text *t, struct bytes b);
/* Percent-encoded: all but the unreserved of RFC 3986 2.3. */
void text_uri(struct text *t, struct bytes b);
void text_u64(struct text *t, uint64_t n);
void text_hex(struct text *t, uint64_t n); /* lower case, no leading zeros */
void text_fmt(struct text *t, const char *fmt, ...) PRINTF(2, 3);
void text_vfmt(struct text *t, const char *fmt, va_list ap) PRINTF(2, 0);
/* Integers of messages between processes: little-endian, fixed width. */
void text_put_u8(struct text *t, uint8_t n);
void text_put_u16(struct text *t, uint16_t n);
void text_put_bytes(struct text *t, struct bytes b); /* their length as u16 in front; t fails where that is too long */
void text_put_u32(struct text *t, uint32_t n);
void text_put_u64(struct text *t, uint64_t n);

static inline struct bytes text_bytes(const struct text *t)
{
	return bytes_of(t->at, t->len);
}

#endif
