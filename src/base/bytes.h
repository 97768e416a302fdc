/* Bytes seen, never owned: a view of memory that somebody else keeps. Not NUL-terminated. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/err.h"

#include <string.h>

struct bytes {
	const unsigned char *at;
	size_t len;
};

/* For static tables and for expressions; s is a string literal. */
#define LIT(s)   { (const unsigned char *)("" s), sizeof(s) - 1 }
#define BYTES(s) ((struct bytes)LIT(s))
/* For printf's "%.*s". */
#define FMT(b) (int)((b).len > 4096 ? 4096 : (b).len), (const char *)(b).at

static inline struct bytes bytes_of(const void *at, size_t len)
{
	return (struct bytes){ at, len };
}

static inline struct bytes bytes_str(const char *s)
{
	return (struct bytes){ (const unsigned char *)s, s ? strlen(s) : 0 };
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* ASCII letters compare without case; all other octets as they are. */
bool bytes_eq_nocase(struct bytes a, struct bytes b);
bool bytes_starts(struct bytes a, struct bytes prefix);
bool bytes_ends(struct bytes a, struct bytes suffix);
/* Order of memcmp, the shorter first on a tie. */
int bytes_cmp(struct bytes a, struct bytes b);
/* The offset of the first occurrence, or SIZE_MAX. An empty needle is found at 0. */
size_t bytes_find(struct bytes hay, struct bytes needle);
static inline size_t bytes_find_byte(struct bytes hay, unsigned char c)
{
	const unsigned char *p = hay.len ? (const unsigned char *)memchr(hay.at, c, hay.len) : NULL;

	return p ? (size_t)(p - hay.at) : SIZE_MAX;
}
/* FNV-1a, going on from h (BYTES_HASH at first): against chance, not against who chooses the bytes; crypto/hash.h is for that. */
#define BYTES_HASH UINT64_C(14695981039346656037)
static inline uint64_t bytes_hash(uint64_t h, struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		h = (h ^ b.at[i]) * UINT64_C(1099511628211);
	return h;
}
/* The part from..to (clamped). */
static inline struct bytes bytes_cut(struct bytes b, size_t from, size_t to)
{
	if (to > b.len)
		to = b.len;
	if (from > to)
		from = to;
	return bytes_of(from ? b.at + from : b.at, to - from);
}
/* Without spaces and tabs on both ends. */
static inline struct bytes bytes_trim(struct bytes b)
{
	while (b.len && (b.at[0] == ' ' || b.at[0] == '\t'))
		b = bytes_of(b.at + 1, b.len - 1);
	while (b.len && (b.at[b.len - 1] == ' ' || b.at[b.len - 1] == '\t'))
		b.len--;
	return b;
}
/* How many octets must be put in, taken out or changed to make one of the other (Levenshtein); 99 when one has more than 63. */
unsigned bytes_distance(struct bytes a, struct bytes b);
/* Decimal digits only, no sign, nothing else; ERR_SYNTAX or ERR_LIMIT (over UINT64_MAX). */
enum err bytes_u64(struct bytes in, uint64_t *out) MUST_USE;

static inline unsigned char ascii_lower(unsigned char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

#endif
