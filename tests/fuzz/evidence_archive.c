/* Any bytes as an evidence bundle: it is checked to its end without harm. What is found good stays good when a line is added
 * to its custody log, as handover does it, and every finding is told. */
#include "evidence/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t told, lines;

static void on_fault(void *ctx, enum evidence_fault f, struct bytes name)
{
	(void)ctx;
	CHECK(f < EVIDENCE_FAULTS && (name.len == 0 || tar_name_is_safe(name)));
	told++;
}

static void on_entry(void *ctx, const struct custody_entry *e)
{
	(void)ctx;
	CHECK(e->n == ++lines);
}

static bool check(struct bytes in, struct evidence_check *c)
{
	struct tar_reader *r = NULL;
	bool good;

	*c = (struct evidence_check){ .fault = on_fault, .entry = on_entry, .limits = { .bytes = 1 << 20, .members = 200 } };
	told = lines = 0;
	CHECK(tar_reader_open_bytes(in, &c->limits, &r) == OK);
	good = evidence_check(c, r);
	tar_reader_free(&r);
	CHECK(good == (told == 0) && c->faults == told && c->entries == lines && c->end <= in.len);
	return good || (told == 1 && !c->has_signer); /* only unsigned */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct custody_entry e = { .time = BYTES("now"), .action = BYTES("handed_over"), .by = BYTES("a"), .host = BYTES("b"),
		.to = BYTES("c"), .reason = BYTES("d") };
	struct tar_writer *w = NULL;
	struct evidence_check c, again;
	struct text longer;

	if (check(bytes_of(data, size), &c) && c.entries) {
		memcpy(e.archive, c.archive, SHA256_LEN);
		text_init_growing(&longer, 4u << 20);
		text_add(&longer, bytes_of(data, (size_t)c.end));
		CHECK(custody_add(&c.log, &e, NULL) == OK && tar_writer_open_text(&longer, &w) == OK);
		CHECK(tar_writer_member(w, CUSTODY_NAME, text_bytes(&c.log), 0) == OK && tar_writer_close(w) == OK);
		tar_writer_free(&w);
		size_t before = c.entries, faults = c.faults;
		check(text_bytes(&longer), &again);
		CHECK(again.entries == before + 1 && again.faults == faults);
		evidence_check_fini(&again);
		text_fini(&longer);
	}
	evidence_check_fini(&c);
	return 0;
}
