/* What goes in comes out in order, over the end of the ring too; no room is counted; numbers that cannot be are refused. */
#include "ledger/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void all_comes_out(void **state)
{
	struct ledger_ring *ring = calloc(1, sizeof(*ring));
	unsigned char *mem = malloc(LEDGER_RING_BYTES);
	uint64_t tail = 0, wrote = 0, read = 0;
	char detail[1500];

	(void)state;
	memset(detail, 'x', sizeof(detail));
	while (wrote < 20000) {
		struct reader r;
		size_t len = 0;

		for (int i = 0; i < 100; i++)
			assert_true(ledger_ring_write(ring, &(struct ledger_record){ .kind = LEDGER_POLICY, .conn = ++wrote,
				.detail = bytes_of(detail, sizeof(detail)) }));
		assert_int_equal(ledger_ring_read(ring, tail, mem, LEDGER_RING_BYTES, &len), OK);
		r = (struct reader){ .left = bytes_of(mem, len) };
		while (r.left.len) {
			struct ledger_record rec;

			assert_int_equal(ledger_record_take(&r, &rec), OK);
			assert_int_equal(rec.conn, ++read);
			assert_int_equal(rec.detail.len, sizeof(detail));
		}
		ledger_ring_taken(ring, &tail, len);
	}
	assert_true(tail > 6u * LEDGER_RING_BYTES && wrote == read && ring->lost == 0);
	free(mem);
	free(ring);
}

static void no_room_is_counted(void **state)
{
	struct ledger_ring *ring = calloc(1, sizeof(*ring));
	const struct ledger_record r = { .kind = LEDGER_IN, .state = LEDGER_OPEN, .conn = 1 };
	unsigned char byte;
	uint64_t n = 0;
	size_t len;

	(void)state;
	assert_false(ledger_ring_is_full(ring));
	while (ledger_ring_write(ring, &r))
		n++;
	assert_true(n > 1000 && ledger_ring_is_full(ring) && ring->lost == 1);
	assert_false(ledger_ring_write(ring, &r));
	assert_int_equal(ring->lost, 2);
	assert_int_equal(ledger_ring_read(ring, 0, &byte, 1, &len), OK);
	assert_int_equal(len, 1);
	ring->head = 2 * LEDGER_RING_BYTES; /* a captured writer */
	assert_int_equal(ledger_ring_read(ring, 0, &byte, 1, &len), ERR_SYNTAX);
	assert_int_equal(ledger_ring_read(ring, 3 * (uint64_t)LEDGER_RING_BYTES, &byte, 1, &len), ERR_SYNTAX);
	assert_true(ledger_ring_write(NULL, &r)); /* there is no ledger */
	free(ring);
}

/* The word that a process ended was lost when its ring was full: its connections stayed open for the ledger. */
static void a_full_ring_has_room_for_its_end(void **state)
{
	struct ledger_ring *ring = calloc(1, sizeof(*ring));
	unsigned char *mem = malloc(LEDGER_RING_BYTES);
	const struct ledger_record r = { .kind = LEDGER_IN, .state = LEDGER_OPEN, .conn = 1 };
	struct ledger_record rec = { 0 };
	struct reader all;
	unsigned ends = 0;
	size_t len;

	(void)state;
	while (ledger_ring_write(ring, &r))
		continue;
	while (ledger_ring_end(ring, 77))
		ends++;
	assert_true(ends > 100); /* of processes that die one after the other while nothing is read */
	assert_int_equal(ring->lost, 1);
	assert_false(ledger_ring_write(ring, &r));
	assert_int_equal(ledger_ring_read(ring, 0, mem, LEDGER_RING_BYTES, &len), OK);
	for (all = (struct reader){ .left = bytes_of(mem, len) }; all.left.len;)
		assert_int_equal(ledger_record_take(&all, &rec), OK);
	assert_int_equal(rec.kind, LEDGER_SELF);
	assert_int_equal(rec.end_us, 77);
	assert_true(bytes_eq(rec.outcome, BYTES("ended")));
	ledger_ring_spoil(ring);
	assert_int_equal(ledger_ring_read(ring, 0, mem, LEDGER_RING_BYTES, &len), ERR_SYNTAX);
	free(mem);
	free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(all_comes_out), cmocka_unit_test(no_room_is_counted),
		cmocka_unit_test(a_full_ring_has_room_for_its_end) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
