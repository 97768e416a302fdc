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

static void test_text(void **state)
{
	static const struct { const char *why; struct bytes in; const char *out; } texts[] = {
		{ "short", LIT("text not found"), "text not found" },
		{ "empty", LIT(""), "" },
		{ "a terminal's commands", LIT("a\x1b[2J\n\xff"), "a?[2J??" },
		{ "NUL ends it", LIT("a\0b"), "a" },
	};
	struct board_text t = { 0 };
	char out[BOARD_TEXT_MAX + 1], full[BOARD_TEXT_MAX + 1];

	(void)state;
	board_text_read(&t, out);
	assert_string_equal(out, "");
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		board_text_write(&t, texts[i].in);
		board_text_read(&t, out);
		assert_string_equal(out, texts[i].out);
	}
	memset(full, 'x', sizeof full);
	board_text_write(&t, bytes_of(full, sizeof full)); /* one too long: cut */
	board_text_read(&t, out);
	assert_int_equal(strlen(out), BOARD_TEXT_MAX);
	t.len = UINT32_MAX; /* a lie */
	board_text_read(&t, out);
	assert_int_equal(strlen(out), BOARD_TEXT_MAX);
	t.turn |= 1; /* the writer died at it */
	board_text_read(&t, out);
	assert_string_equal(out, "");
	board_text_write(&t, BYTES("again"));
	board_text_read(&t, out);
	assert_string_equal(out, "again");
}

static void test_clients(void **state)
{
	struct board_worker *b = calloc(1, sizeof *b);
	const uint64_t near[] = { 7, 7 + BOARD_CLIENT_SLOTS, 7 + 2 * BOARD_CLIENT_SLOTS, 8, 9 }; /* one chain */

	(void)state;
	assert_non_null(b);
	for (size_t i = 0; i < COUNT_OF(near); i++)
		for (size_t n = 0; n <= i; n++)
			assert_true(board_client_add(b, near[i]));
	for (size_t i = 0; i < COUNT_OF(near); i++)
		assert_int_equal(board_client_count(b, near[i]), i + 1);
	board_client_remove(b, near[0]); /* the first of the chain: the others move up and are still found */
	assert_int_equal(board_client_count(b, near[0]), 0);
	for (size_t i = 1; i < COUNT_OF(near); i++)
		assert_int_equal(board_client_count(b, near[i]), i + 1);
	for (size_t i = 1; i < COUNT_OF(near); i++)
		for (size_t n = 0; n <= i; n++)
			board_client_remove(b, near[i]);
	for (size_t i = 0; i < BOARD_CLIENT_SLOTS; i++)
		assert_int_equal(b->clients[i].count, 0);
	for (size_t i = 0; i < BOARD_CLIENT_SLOTS; i++) /* a table that lies is walked for a while, not for ever */
		b->clients[i] = (struct board_client){ 1, 1 };
	assert_int_equal(board_client_count(b, 5), 0);
	assert_false(board_client_add(b, 5));
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rate), cmocka_unit_test(test_reader_cannot_write),
		cmocka_unit_test(test_text), cmocka_unit_test(test_clients) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
