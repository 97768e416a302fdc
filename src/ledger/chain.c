/* Text, so that an examiner can make the same with printf and hash it with openssl. */
#include "ledger/chain.h"

#include "crypto/hash.h"

#define DAY_US UINT64_C(86400000000)

void chain_put_null(struct text *t)
{
	text_lit(t, "NULL");
}

void chain_put_int(struct text *t, int64_t n)
{
	if (n < 0)
		text_byte(t, '-');
	text_u64(t, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void chain_put_text(struct text *t, struct bytes b)
{
	size_t quote;

	text_byte(t, '\'');
	while ((quote = bytes_find_byte(b, '\'')) != SIZE_MAX) {
		text_add(t, bytes_cut(b, 0, quote + 1));
		text_byte(t, '\'');
		b = bytes_cut(b, quote + 1, b.len);
	}
	text_add(t, b);
	text_byte(t, '\'');
}

uint64_t chain_mark(struct bytes line)
{
	static const unsigned char key[16] = "sluis ledger 1";

	return siphash24(key, line) >> 1;
}

void chain_batch_hash(uint64_t batch, uint64_t first, uint64_t last, uint64_t at_us, const unsigned char prev[SHA256_LEN],
	const unsigned char records[SHA256_LEN], unsigned char out[SHA256_LEN])
{
	unsigned char mem[320];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_lit(&t, "sluis-ledger-batch-1\n");
	text_u64(&t, batch);
	text_byte(&t, ' ');
	text_u64(&t, first);
	text_byte(&t, ' ');
	text_u64(&t, last);
	text_byte(&t, ' ');
	text_u64(&t, at_us);
	text_byte(&t, '\n');
	hex_put(&t, bytes_of(prev, SHA256_LEN));
	text_byte(&t, '\n');
	hex_put(&t, bytes_of(records, SHA256_LEN));
	text_byte(&t, '\n');
	CHECK(!t.failed);
	sha256_of(text_bytes(&t), out);
}

void chain_batch_text(struct text *t, uint64_t batch, const unsigned char prev[SHA256_LEN], const unsigned char hash[SHA256_LEN])
{
	text_lit(t, "sluis-ledger-signature-1\n");
	text_u64(t, batch);
	text_byte(t, ' ');
	hex_put(t, bytes_of(prev, SHA256_LEN));
	text_byte(t, ' ');
	hex_put(t, bytes_of(hash, SHA256_LEN));
	text_byte(t, '\n');
}

void chain_day_text(struct text *t, struct bytes day, uint64_t batch, const unsigned char hash[SHA256_LEN])
{
	text_lit(t, "sluis-ledger-day-1\n");
	text_add(t, day);
	text_byte(t, ' ');
	text_u64(t, batch);
	text_byte(t, ' ');
	hex_put(t, bytes_of(hash, SHA256_LEN));
	text_byte(t, '\n');
}

void chain_head_text(struct text *t, const struct ledger_head *h)
{
	text_lit(t, "sluis-ledger-head-1\n");
	text_u64(t, h->batch);
	text_byte(t, ' ');
	hex_put(t, bytes_of(h->hash, SHA256_LEN));
	text_byte(t, '\n');
}

enum err chain_head_write(const struct ledger_head *h, const struct ed25519_key *key, struct text *out)
{
	unsigned char signature[ED25519_SIGNATURE_LEN];
	size_t at = out->len;

	chain_head_text(out, h);
	if (out->failed)
		return ERR_LIMIT;
	TRY(ed25519_sign(key, bytes_of(out->at + at, out->len - at), signature));
	hex_put(out, bytes_of(signature, sizeof(signature)));
	text_byte(out, '\n');
	while (!out->failed && out->len - at < LEDGER_HEAD_LEN)
		text_byte(out, ' ');
	return out->failed ? ERR_LIMIT : OK;
}

enum err chain_head_read(struct bytes file, const unsigned char public_key[ED25519_PUBLIC_LEN], struct ledger_head *out)
{
	const struct bytes title = BYTES("sluis-ledger-head-1\n");
	unsigned char signature[ED25519_SIGNATURE_LEN];
	struct ledger_head h;
	size_t space, line;
	struct bytes rest, end;

	if (file.len == 0)
		return ERR_NOT_FOUND;
	if (!bytes_starts(file, title))
		return ERR_SYNTAX;
	rest = bytes_cut(file, title.len, file.len);
	line = bytes_find_byte(rest, '\n');
	space = bytes_find_byte(rest, ' ');
	if (line == SIZE_MAX || space > line || bytes_u64(bytes_cut(rest, 0, space), &h.batch) != OK ||
		hex_read(bytes_cut(rest, space + 1, line), h.hash, SHA256_LEN) != OK)
		return ERR_SYNTAX;
	end = bytes_cut(rest, line + 1, rest.len);
	if (end.len < 2 * ED25519_SIGNATURE_LEN + 1 || end.at[2 * ED25519_SIGNATURE_LEN] != '\n' ||
		hex_read(bytes_cut(end, 0, 2 * ED25519_SIGNATURE_LEN), signature, sizeof(signature)) != OK)
		return ERR_SYNTAX;
	if (!ed25519_verify(public_key, bytes_cut(file, 0, title.len + line + 1), bytes_of(signature, sizeof(signature))))
		return ERR_DENIED;
	*out = h;
	return OK;
}

/* Days since 1970 to a date and back: the proleptic Gregorian calendar in eras of 400 years (146097 days). */
void chain_day(uint64_t real_us, char out[LEDGER_DAY_LEN + 1])
{
	uint64_t days = real_us / DAY_US + 719468, era = days / 146097, of_era = days % 146097;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100), m = (5 * of_year + 2) / 153;
	uint64_t day = of_year - (153 * m + 2) / 5 + 1, month = m < 10 ? m + 3 : m - 9;
	struct text t;

	year += era * 400 + (month <= 2);
	text_init(&t, out, LEDGER_DAY_LEN + 1);
	text_fmt(&t, "%04u-%02u-%02u", (unsigned)(year % 10000), (unsigned)month, (unsigned)day);
	out[LEDGER_DAY_LEN] = 0;
}

enum err chain_day_parse(struct bytes day, uint64_t *out)
{
	uint64_t y, m, d, of_year, era;
	char again[LEDGER_DAY_LEN + 1];
	uint64_t us;

	if (day.len != LEDGER_DAY_LEN || day.at[4] != '-' || day.at[7] != '-' || bytes_u64(bytes_cut(day, 0, 4), &y) != OK ||
		bytes_u64(bytes_cut(day, 5, 7), &m) != OK || bytes_u64(bytes_cut(day, 8, 10), &d) != OK || y < 1970 || m < 1 ||
		m > 12 || d < 1 || d > 31)
		return ERR_SYNTAX;
	y -= m <= 2;
	era = y / 400;
	of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
	us = (era * 146097 + (y % 400) * 365 + (y % 400) / 4 - (y % 400) / 100 + of_year - 719468) * DAY_US;
	chain_day(us, again);
	if (!bytes_eq(bytes_str(again), day)) /* the 30th of February */
		return ERR_SYNTAX;
	*out = us;
	return OK;
}
