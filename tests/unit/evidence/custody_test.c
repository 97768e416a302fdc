/* A custody log that was written is right; any byte of it that is changed, a line that is taken out, put in or moved is named
 * by its number. */
#include "evidence/custody.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const unsigned char archive[SHA256_LEN] = { 1, 2, 3 };
static struct ed25519_key *key;

static void add(struct text *log, const char *reason, bool is_signed)
{
	struct custody_entry e = { .time = BYTES("2026-11-24T12:00:00.000Z"), .action = BYTES("handed_over"), .by = BYTES("a \"b\""),
		.host = BYTES("h"), .to = BYTES("t\n"), .reason = bytes_str(reason) };

	memcpy(e.archive, archive, sizeof(archive));
	assert_int_equal(custody_add(log, &e, is_signed ? key : NULL), OK);
}

static void count(void *ctx, const struct custody_entry *e)
{
	size_t *n = ctx;

	assert_int_equal(e->n, ++*n);
}

static enum custody_fault check(struct bytes log, size_t *good, uint64_t *line)
{
	*good = 0;
	*line = 0;
	return custody_check(log, archive, count, good, line);
}

static void test_right(void **state)
{
	struct text log;
	uint64_t line;
	size_t good;

	(void)state;
	text_init_growing(&log, 1 << 16);
	add(&log, "first", true);
	add(&log, "not \xff UTF-8, and \",\"signature\":\"", false);
	add(&log, "third", true);
	assert_int_equal(check(text_bytes(&log), &good, &line), CUSTODY_OK);
	assert_int_equal(good, 3);
	text_fini(&log);
}

static void test_each_byte_counts(void **state)
{
	struct text log;
	uint64_t line;
	size_t good, first;

	(void)state;
	text_init_growing(&log, 1 << 16);
	add(&log, "first", true);
	first = log.len;
	add(&log, "second", true);
	for (size_t i = 0; i < log.len; i++) {
		log.at[i] ^= 1;
		assert_int_not_equal(check(text_bytes(&log), &good, &line), CUSTODY_OK);
		assert_int_equal(line, i < first ? 1 : 2);
		log.at[i] ^= 1;
	}
	text_fini(&log);
}

static void test_lines_moved(void **state)
{
	struct text log;
	uint64_t line;
	size_t good, at[4] = { 0 };

	(void)state;
	text_init_growing(&log, 1 << 16);
	for (size_t i = 1; i <= 3; i++) {
		add(&log, "same", true);
		at[i] = log.len;
	}
	assert_int_equal(check(bytes_cut(text_bytes(&log), at[1], at[3]), &good, &line), CUSTODY_NUMBER); /* without the first */
	assert_int_equal(line, 1);
	memmove(log.at + at[1], log.at + at[2], at[3] - at[2]); /* without the second */
	assert_int_equal(check(bytes_cut(text_bytes(&log), 0, at[1] + at[3] - at[2]), &good, &line), CUSTODY_NUMBER);
	assert_int_equal(line, 2);
	assert_int_equal(check(bytes_cut(text_bytes(&log), 0, at[1] - 1), &good, &line), CUSTODY_NOT_A_LINE);
	text_fini(&log);
}

static void test_another_archive_or_chain(void **state)
{
	unsigned char other[SHA256_LEN] = { 9 };
	struct text log, forged;
	uint64_t line;
	size_t good = 0;

	(void)state;
	text_init_growing(&log, 1 << 16);
	text_init_growing(&forged, 1 << 16);
	add(&log, "first", true);
	assert_int_equal(custody_check(text_bytes(&log), other, count, &good, &line), CUSTODY_ARCHIVE);
	add(&forged, "another first", true);
	add(&forged, "second", true);
	/* A second line that was written for another first one. */
	size_t first = bytes_find_byte(text_bytes(&forged), '\n') + 1;
	text_add(&log, bytes_cut(text_bytes(&forged), first, forged.len));
	assert_int_equal(check(text_bytes(&log), &good, &line), CUSTODY_PREV);
	assert_int_equal(line, 2);
	text_fini(&forged);
	text_fini(&log);
}

static void test_limits(void **state)
{
	static char long_reason[CUSTODY_FIELD_MAX + 2];
	struct custody_entry e = { .reason = bytes_of(long_reason, CUSTODY_FIELD_MAX + 1) };
	struct text log;

	(void)state;
	memset(long_reason, 'x', CUSTODY_FIELD_MAX + 1);
	text_init_growing(&log, 1 << 16);
	assert_int_equal(custody_add(&log, &e, key), ERR_LIMIT);
	e.reason = BYTES("");
	text_lit(&log, "cut off");
	assert_int_equal(custody_add(&log, &e, key), ERR_SYNTAX);
	text_fini(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_right), cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_lines_moved), cmocka_unit_test(test_another_archive_or_chain), cmocka_unit_test(test_limits) };

	key = ed25519_new();
	int status = cmocka_run_group_tests(tests, NULL, NULL);
	ed25519_free(&key);
	return status;
}
