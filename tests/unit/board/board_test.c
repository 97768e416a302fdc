/* A token bucket keeps its rate and its burst, and keys do not share. */
#include "board/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_rate(void **state)
{
	struct board_limits *l = calloc(1, sizeof *l);
	uint64_t now = 1000000;
	unsigned allowed = 0;

	(void)state;
	assert_non_null(l);
	for (int i = 0; i < 50; i++)
		allowed += board_rate_allow(l, 7, 10, 1000, 5, now);
	assert_int_equal(allowed, 5); /* the burst */
	assert_true(board_rate_allow(l, 8, 10, 1000, 5, now)); /* another key */
	allowed = 0;
	for (int i = 0; i < 1000; i++)
		allowed += board_rate_allow(l, 7, 10, 1000, 5, now += 10000); /* ten seconds */
	assert_in_range(allowed, 99, 101);
	for (uint64_t k = 100; k < 100 + BOARD_LIMIT_SLOTS * 2; k++)
		assert_true(board_rate_allow(l, k, 10, 1000, 5, now)); /* a full table evicts, it does not fail */
	free(l);
}

static void test_reader_cannot_write(void **state)
{
	void *w, *r;
	int fd;

	(void)state;
	assert_int_equal(board_create(BOARD_MASTER, &fd), OK);
	assert_int_equal(board_map(BOARD_MASTER, fd, true, &w), OK);
	assert_int_equal(board_map(BOARD_MASTER, fd, false, &r), OK);
	assert_int_equal(board_map(BOARD_WORKER, fd, false, &r), ERR_SYNTAX);
	((struct board_master *)w)->generation = 4;
	assert_int_equal(((struct board_master *)r)->generation, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rate), cmocka_unit_test(test_reader_cannot_write) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
