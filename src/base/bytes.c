/* Comparing, searching and counting over views of bytes. */
#define _GNU_SOURCE
#include "base/bytes.h"

bool bytes_eq_nocase(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.at[i]) != ascii_lower(b.at[i]))
			return false;
	return true;
}

bool bytes_starts(struct bytes a, struct bytes prefix)
{
	return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.at, prefix.at, prefix.len) == 0);
}

bool bytes_ends(struct bytes a, struct bytes suffix)
{
	return a.len >= suffix.len &&
		(suffix.len == 0 || memcmp(a.at + (a.len - suffix.len), suffix.at, suffix.len) == 0);
}

int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int d = n ? memcmp(a.at, b.at, n) : 0;

	if (d != 0)
		return d;
	return a.len < b.len ? -1 : a.len > b.len;
}

size_t bytes_find(struct bytes hay, struct bytes needle)
{
	const unsigned char *p;

	if (needle.len == 0)
		return 0;
	if (hay.len < needle.len)
		return SIZE_MAX;
	p = memmem(hay.at, hay.len, needle.at, needle.len);
	return p ? (size_t)(p - hay.at) : SIZE_MAX;
}

enum err bytes_u64(struct bytes in, uint64_t *out)
{
	uint64_t n = 0;

	if (in.len == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < in.len; i++) {
		unsigned digit = in.at[i] - (unsigned)'0';
		if (digit > 9)
			return ERR_SYNTAX;
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n))
			return ERR_LIMIT;
	}
	*out = n;
	return OK;
}

unsigned bytes_distance(struct bytes a, struct bytes b)
{
	unsigned row[65];

	if (a.len > 63 || b.len > 63)
		return 99;
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned up = row[j], cost = diagonal + (a.at[i - 1] != b.at[j - 1]);
			row[j] = up + 1 < cost ? up + 1 : cost;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diagonal = up;
		}
	}
	return row[b.len];
}
