/* An open is closed by its owner, once. */
#include "ledger/live.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void who_may_close(void **state)
{
	struct ledger_live *l = ledger_live_new(LEDGER_LIVE_MAX);
	struct ledger_record r = { .kind = LEDGER_USE, .state = LEDGER_OPEN, .conn = 7, .start_us = 99, .user = BYTES("u") };
	uint64_t slot = 0, start = 0;

	(void)state;
	assert_int_equal(ledger_live_close(l, 1, &r, &slot, &start), ERR_NOT_FOUND);
	assert_int_equal(ledger_live_open(l, 1, &r, 5), OK);
	assert_int_equal(ledger_live_open(l, 2, &r, 6), ERR_ORDER); /* a number is taken as long as it is open */
	assert_int_equal(ledger_live_close(l, 2, &r, &slot, &start), ERR_DENIED);
	r.kind = LEDGER_IN; /* another kind, another thing */
	assert_int_equal(ledger_live_close(l, 1, &r, &slot, &start), ERR_NOT_FOUND);
	r.kind = LEDGER_USE;
	assert_int_equal(ledger_live_close(l, 1, &r, &slot, &start), OK);
	assert_int_equal(slot, 5);
	assert_int_equal(start, 99);
	assert_int_equal(ledger_live_count(l), 0);
	ledger_live_free(&l);
}

static bool take_all(void *ctx, const struct ledger_record *r, uint64_t owner, uint64_t slot)
{
	unsigned *n = ctx;

	(void)slot;
	assert_int_equal(owner, r->conn % 3 + 1);
	assert_true(bytes_eq(r->listener, BYTES("web")));
	++*n;
	return true;
}

static void one_owners_are_found_among_many(void **state)
{
	struct ledger_live *l = ledger_live_new(LEDGER_LIVE_MAX);
	unsigned n = 0;

	(void)state;
	for (uint64_t i = 1; i <= 30000; i++) {
		struct ledger_record r = { .kind = LEDGER_IN, .state = LEDGER_OPEN, .conn = i, .listener = BYTES("web") };

		assert_int_equal(ledger_live_open(l, i % 3 + 1, &r, i), OK);
	}
	ledger_live_each(l, 2, take_all, &n);
	assert_int_equal(n, 10000);
	assert_int_equal(ledger_live_count(l), 20000);
	ledger_live_each(l, LEDGER_NOBODY, take_all, &n);
	assert_int_equal(n, 30000);
	ledger_live_free(&l);
}

static enum err open_one(struct ledger_live *l, uint64_t owner, uint64_t conn)
{
	const struct ledger_record r = { .kind = LEDGER_USE, .state = LEDGER_OPEN, .conn = conn };

	return ledger_live_open(l, owner, &r, 0);
}

static enum err close_one(struct ledger_live *l, uint64_t owner, uint64_t conn)
{
	const struct ledger_record r = { .kind = LEDGER_USE, .state = LEDGER_CLOSE, .conn = conn };
	uint64_t slot, start;

	return ledger_live_close(l, owner, &r, &slot, &start);
}

/* A captured worker opened all that the scribe could remember, and the other workers' connections had no end any more. */
static void a_flood_harms_its_writer_alone(void **state)
{
	struct ledger_live *l = ledger_live_new(900);

	(void)state;
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(open_one(l, 1, i), OK);
	for (uint64_t i = 1; i <= 800; i++)
		assert_int_equal(open_one(l, 2, 10000 + i), OK);
	for (uint64_t i = 801; i <= 5000; i++)
		assert_int_equal(open_one(l, 2, 10000 + i), ERR_LIMIT);
	assert_int_equal(ledger_live_count(l), 900);
	/* each gets what the largest has too much, and no more */
	for (uint64_t i = 101; i <= 450; i++)
		assert_int_equal(open_one(l, 1, i), OK);
	assert_int_equal(open_one(l, 1, 451), ERR_LIMIT);
	for (uint64_t i = 1; i <= 300; i++)
		assert_int_equal(open_one(l, 3, 20000 + i), OK);
	assert_int_equal(open_one(l, 3, 20301), ERR_LIMIT);
	assert_int_equal(ledger_live_count(l), 900);
	assert_int_equal(close_one(l, 2, 10001), OK);		 /* its oldest stay, its newest went */
	assert_int_equal(close_one(l, 2, 10800), ERR_NOT_FOUND);
	assert_int_equal(open_one(l, 3, 20301), OK); /* what is free is anybody's */
	for (uint64_t i = 1; i <= 301; i++)
		assert_int_equal(close_one(l, 3, 20000 + i), OK);
	ledger_live_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(who_may_close), cmocka_unit_test(one_owners_are_found_among_many),
		cmocka_unit_test(a_flood_harms_its_writer_alone) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
