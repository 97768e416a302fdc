/* What a captured process may leave in its ring: the reader takes whole records or says no, its texts are inside the input and come out
 * clean, and a record that was taken is the same when it is written and taken again. */
#include "ledger/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_clean(struct bytes in)
{
	unsigned char mem[3 * LEDGER_DETAIL_MAX];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	ledger_text_clean(&t, in);
	CHECK(!t.failed && t.len <= in.len);
	for (size_t i = 0; i < t.len; i++)
		CHECK(t.at[i] >= ' ' && t.at[i] != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = { .left = bytes_of(data, size) };
	struct ledger_record rec, again;

	while (r.left.len && ledger_record_take(&r, &rec) == OK) {
		unsigned char mem[LEDGER_WIRE_MAX];
		struct reader second;
		struct text t;

		check_clean(rec.user);
		check_clean(rec.detail);
		text_init(&t, mem, sizeof(mem));
		ledger_record_put(&t, &rec);
		CHECK(!t.failed);
		second = (struct reader){ .left = text_bytes(&t) };
		CHECK(ledger_record_take(&second, &again) == OK && reader_done(&second));
		CHECK(again.kind == rec.kind && again.state == rec.state && again.conn == rec.conn && bytes_eq(again.name, rec.name) &&
			bytes_eq(again.detail, rec.detail) && again.bytes_out == rec.bytes_out);
	}
	return 0;
}
