/* The wire form: u16 length of the rest, u8 kind, u8 state, u16 which fields; then those fields in this order. */
#include "ledger/record.h"

#include "base/utf8.h"

enum {
	HAS_CONN = 1, HAS_START = 2, HAS_END = 4, HAS_CLIENT = 8, HAS_TARGET = 16, HAS_OWNER = 32, HAS_LISTENER = 64,
	HAS_SESSION = 128, HAS_USER = 256, HAS_NAME = 512, HAS_OUTCOME = 1024, HAS_DETAIL = 2048, HAS_COUNTS = 4096,
	HAS_ALL = 8191,
};

const char *ledger_kind_name(enum ledger_kind k)
{
	static const char *const names[LEDGER_KIND_COUNT] = {
#define KIND(sym, name, doc) [sym] = name,
#include "ledger/kinds.tbl"
#undef KIND
	};

	CHECK(k < LEDGER_KIND_COUNT);
	return names[k];
}

const char *ledger_state_name(enum ledger_state s)
{
	static const char *const names[LEDGER_STATE_COUNT] = { "", "open", "close", "whole", "carried" };

	CHECK(s < LEDGER_STATE_COUNT);
	return names[s];
}

static void put_text(struct text *t, struct bytes b)
{
	b = bytes_cut(b, 0, LEDGER_TEXT_MAX);
	text_put_u8(t, (uint8_t)b.len);
	text_add(t, b);
}

static void put_addr(struct text *t, const struct addr *a)
{
	text_add(t, bytes_of(a->ip, sizeof(a->ip)));
	text_put_u16(t, a->port);
}

static unsigned fields_of(const struct ledger_record *r)
{
	return (r->conn ? HAS_CONN : 0u) | (r->start_us ? HAS_START : 0u) | (r->end_us ? HAS_END : 0u) |
		(ledger_has_address(&r->client) ? HAS_CLIENT : 0u) | (ledger_has_address(&r->target) ? HAS_TARGET : 0u) |
		(r->owner ? HAS_OWNER : 0u) | (r->listener.len ? HAS_LISTENER : 0u) | (r->session.len ? HAS_SESSION : 0u) |
		(r->user.len ? HAS_USER : 0u) | (r->name.len ? HAS_NAME : 0u) | (r->outcome.len ? HAS_OUTCOME : 0u) |
		(r->detail.len ? HAS_DETAIL : 0u) | (r->has_counts ? HAS_COUNTS : 0u);
}

void ledger_record_put(struct text *t, const struct ledger_record *r)
{
	unsigned has = fields_of(r);
	struct bytes detail = bytes_cut(r->detail, 0, LEDGER_DETAIL_MAX);
	const struct bytes *texts[] = { &r->listener, &r->session, &r->user, &r->name, &r->outcome };
	size_t at = t->len, len;

	text_put_u16(t, 0);
	text_put_u8(t, (uint8_t)r->kind);
	text_put_u8(t, (uint8_t)r->state);
	text_put_u16(t, (uint16_t)has);
	if (has & HAS_CONN)
		text_put_u64(t, r->conn);
	if (has & HAS_START)
		text_put_u64(t, r->start_us);
	if (has & HAS_END)
		text_put_u64(t, r->end_us);
	if (has & HAS_CLIENT)
		put_addr(t, &r->client);
	if (has & HAS_TARGET)
		put_addr(t, &r->target);
	if (has & HAS_OWNER)
		text_put_u16(t, r->owner);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (texts[i]->len)
			put_text(t, *texts[i]);
	if (detail.len)
		text_put_bytes(t, detail);
	if (has & HAS_COUNTS) {
		text_put_u64(t, r->requests);
		text_put_u64(t, r->bytes_in);
		text_put_u64(t, r->bytes_out);
	}
	if (t->failed)
		return;
	len = t->len - at - 2;
	t->at[at] = (unsigned char)(len & 0xff);
	t->at[at + 1] = (unsigned char)(len >> 8);
}

static void take_addr(struct reader *r, struct addr *a)
{
	struct bytes ip = reader_take(r, sizeof(a->ip));

	if (ip.len == sizeof(a->ip))
		memcpy(a->ip, ip.at, sizeof(a->ip));
	a->port = reader_u16(r);
}

static void take_fields(struct reader *r, unsigned has, struct ledger_record *out)
{
	struct bytes *const texts[] = { &out->listener, &out->session, &out->user, &out->name, &out->outcome };

	if (has & HAS_CONN)
		out->conn = reader_u64(r);
	if (has & HAS_START)
		out->start_us = reader_u64(r);
	if (has & HAS_END)
		out->end_us = reader_u64(r);
	if (has & HAS_CLIENT)
		take_addr(r, &out->client);
	if (has & HAS_TARGET)
		take_addr(r, &out->target);
	if (has & HAS_OWNER)
		out->owner = reader_u16(r);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (has & (HAS_LISTENER << i))
			*texts[i] = reader_take(r, reader_u8(r));
	if (has & HAS_DETAIL)
		out->detail = reader_bytes(r);
	if (has & HAS_COUNTS) {
		out->has_counts = true;
		out->requests = reader_u64(r);
		out->bytes_in = reader_u64(r);
		out->bytes_out = reader_u64(r);
	}
}

/* SQLite's integers have a sign, and a time or count that needs its last bit is no time or count. */
static bool are_numbers_small(const struct ledger_record *r)
{
	return ((r->conn | r->start_us | r->end_us | r->requests | r->bytes_in | r->bytes_out) >> 63) == 0;
}

enum err ledger_record_take(struct reader *from, struct ledger_record *out)
{
	struct bytes all = reader_bytes(from);
	struct reader r = { .left = all };
	struct ledger_record rec = { 0 };
	unsigned kind = reader_u8(&r), state = reader_u8(&r), has = reader_u16(&r);

	if (from->failed || kind >= LEDGER_KIND_COUNT || state >= LEDGER_STATE_COUNT || has & ~(unsigned)HAS_ALL)
		return ERR_SYNTAX;
	rec.kind = (enum ledger_kind)kind;
	rec.state = (enum ledger_state)state;
	take_fields(&r, has, &rec);
	if (!reader_done(&r) || !are_numbers_small(&rec) || rec.detail.len > LEDGER_DETAIL_MAX)
		return ERR_SYNTAX;
	*out = rec;
	return OK;
}

void ledger_text_clean(struct text *t, struct bytes in)
{
	while (in.len) {
		bool is_control = in.at[0] < ' ' || in.at[0] == 127 || (in.at[0] == 0xc2 && in.len > 1 && in.at[1] < 0xa0); /* C0, DEL, C1 */
		size_t n = is_control ? 0 : utf8_len(in);

		if (n)
			text_add(t, bytes_cut(in, 0, n));
		else
			text_byte(t, '?');
		in = bytes_cut(in, n ? n : 1, in.len);
	}
}
