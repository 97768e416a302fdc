/* Heads of CBOR items, RFC 8949 3, held against CTAP2's canonical form. */
#include "auth/cbor.h"

enum { INFO_U8 = 24, INFO_U16, INFO_U32, INFO_U64, FALSE = 20, NULL_VALUE = 22 };

static uint64_t big_endian(struct reader *r, size_t n)
{
	struct bytes b = reader_take(r, n);
	uint64_t v = 0;

	for (size_t i = 0; i < b.len; i++)
		v = v << 8 | b.at[i];
	return v;
}

/* The number within or behind the first octet; each has one spelling. */
static uint64_t argument(struct reader *r, unsigned info)
{
	static const uint64_t least[] = { INFO_U8, UINT64_C(1) << 8, UINT64_C(1) << 16, UINT64_C(1) << 32 };
	uint64_t n;

	if (info < INFO_U8)
		return info;
	if (info > INFO_U64) { /* reserved, or of indefinite length */
		r->failed = true;
		return 0;
	}
	n = big_endian(r, (size_t)1 << (info - INFO_U8));
	if (n < least[info - INFO_U8])
		r->failed = true;
	return n;
}

/* false, true, null, and floating point numbers, whose width says nothing about their value here. */
static uint64_t simple(struct reader *r, unsigned info)
{
	if (info >= FALSE && info <= NULL_VALUE)
		return info;
	if (info >= INFO_U16 && info <= INFO_U64)
		return big_endian(r, (size_t)1 << (info - INFO_U8));
	r->failed = true;
	return 0;
}

struct cbor_item cbor_next(struct reader *r)
{
	const struct cbor_item none = { .kind = CBOR_SIMPLE };
	unsigned first = reader_u8(r), major = first >> 5;
	struct cbor_item item = { .kind = (enum cbor_kind)major };

	if (major == 6) /* a tag */
		r->failed = true;
	item.n = major == CBOR_SIMPLE ? simple(r, first & 31) : argument(r, first & 31);
	if (item.n > r->left.len && major >= CBOR_BYTES && major <= CBOR_MAP)
		r->failed = true; /* each item is an octet at least, so no loop runs longer than its input */
	if (!r->failed && (major == CBOR_BYTES || major == CBOR_TEXT))
		item.string = reader_take(r, (size_t)item.n);
	return r->failed ? none : item;
}

void cbor_skip(struct reader *r, unsigned depth)
{
	struct cbor_item item = cbor_next(r);
	struct bytes last = { 0 };

	if (item.kind != CBOR_ARRAY && item.kind != CBOR_MAP)
		return;
	if (depth == 0)
		r->failed = true;
	for (uint64_t i = 0; i < item.n && !r->failed; i++) {
		if (item.kind == CBOR_MAP)
			cbor_key(r, &last);
		cbor_skip(r, depth - 1);
	}
}

static struct cbor_item one_of(struct reader *r, enum cbor_kind kind)
{
	struct cbor_item item = cbor_next(r);

	if (item.kind != kind) {
		r->failed = true;
		item = (struct cbor_item){ .kind = CBOR_SIMPLE };
	}
	return item;
}

uint64_t cbor_map(struct reader *r)
{
	return one_of(r, CBOR_MAP).n;
}

struct bytes cbor_bytes(struct reader *r)
{
	return one_of(r, CBOR_BYTES).string;
}

struct bytes cbor_text(struct reader *r)
{
	return one_of(r, CBOR_TEXT).string;
}

int64_t cbor_int(struct reader *r)
{
	struct cbor_item item = cbor_next(r);

	if ((item.kind != CBOR_UINT && item.kind != CBOR_NEGATIVE) || item.n > INT32_MAX) {
		r->failed = true;
		return 0;
	}
	return item.kind == CBOR_UINT ? (int64_t)item.n : -1 - (int64_t)item.n;
}

/* CTAP 2.0 section 6: by major type, then the shorter, then octet by octet. */
static bool is_behind(struct bytes key, struct bytes last)
{
	if (last.len == 0)
		return true;
	if (key.at[0] >> 5 != last.at[0] >> 5)
		return key.at[0] >> 5 > last.at[0] >> 5;
	return key.len != last.len ? key.len > last.len : bytes_cmp(key, last) > 0;
}

struct cbor_item cbor_key(struct reader *r, struct bytes *last)
{
	struct bytes from = r->left, key;
	struct cbor_item item = cbor_next(r);

	key = bytes_cut(from, 0, from.len - r->left.len);
	if (item.kind > CBOR_TEXT || r->failed || !is_behind(key, *last)) {
		r->failed = true;
		return (struct cbor_item){ .kind = CBOR_SIMPLE };
	}
	*last = key;
	return item;
}
