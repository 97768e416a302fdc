/* Reading with one check at the end. */
#include "base/reader.h"

struct bytes reader_take(struct reader *r, size_t n)
{
	struct bytes out = { 0 };

	if (r->failed || n > r->left.len) {
		r->failed = true;
		return out;
	}
	out = bytes_of(r->left.at, n);
	r->left = bytes_cut(r->left, n, r->left.len);
	return out;
}

struct bytes reader_rest(struct reader *r)
{
	return reader_take(r, r->left.len);
}

static uint64_t reader_le(struct reader *r, size_t n)
{
	struct bytes b = reader_take(r, n);
	uint64_t v = 0;

	for (size_t i = b.len; i > 0; i--)
		v = v << 8 | b.at[i - 1];
	return v;
}

uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)reader_le(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
	return (uint16_t)reader_le(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
	return (uint32_t)reader_le(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
	return reader_le(r, 8);
}

struct bytes reader_bytes(struct reader *r)
{
	return reader_take(r, reader_u16(r));
}

bool reader_done(const struct reader *r)
{
	return !r->failed && r->left.len == 0;
}
