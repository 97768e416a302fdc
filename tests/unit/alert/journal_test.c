/* The journal: whole lines only, whatever crashes; positions that last; nothing removed that somebody still needs. */
#define _GNU_SOURCE
#include "alert/journal.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	snprintf(p->path, sizeof(p->path), "/tmp/sluis-journal-XXXXXX");
	assert_non_null(mkdtemp(p->path));
	assert_int_equal(journal_folder(p->path, &p->fd), OK);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	DIR *d = opendir(p->path);
	const struct dirent *e;

	while (d && (e = readdir(d)))
		unlinkat(p->fd, e->d_name, 0);
	closedir(d);
	close(p->fd);
	assert_int_equal(rmdir(p->path), 0);
	free(p);
	return 0;
}

static struct journal *open_journal(const struct place *p, size_t most, uint64_t *torn)
{
	const struct journal_options o = { most, 0 };
	struct journal *j = NULL;

	assert_int_equal(journal_open(p->fd, &o, &j, torn), OK);
	return j;
}

static void append(struct journal *j, const char *lines)
{
	assert_int_equal(journal_append(j, bytes_str(lines)), OK);
	assert_int_equal(journal_sync(j), OK);
}

static void raw(const struct place *p, const char *name, const char *text)
{
	int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_APPEND, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void expect(struct journal_reader *r, const char *line, struct journal_at *after)
{
	struct bytes b;

	assert_int_equal(journal_read(r, 1000, &b, after), OK);
	assert_true(bytes_eq(b, bytes_str(line)));
}

static void expect_none(struct journal_reader *r)
{
	struct journal_at after;
	struct bytes b;

	assert_int_equal(journal_read(r, 1000, &b, &after), ERR_AGAIN);
}

static void test_lines_and_segments(void **state)
{
	const struct place *p = *state;
	struct journal_at begin, at, end;
	uint64_t torn = 9;
	struct journal *j;
	struct journal_reader *r;
	struct journal *other = NULL;
	const struct journal_options o = { 0 };

	assert_int_equal(journal_begin(p->fd, &begin), OK);
	r = journal_reader_new(p->fd, begin);
	expect_none(r); /* an empty folder */
	j = open_journal(p, 10, &torn);
	assert_int_equal(torn, 0);
	assert_int_equal(journal_open(p->fd, &o, &other, &torn), ERR_DENIED);
	assert_int_equal(journal_append(j, BYTES("no end")), ERR_SYNTAX);
	append(j, "one\n");
	append(j, "two\n");
	expect(r, "one\n", &at);
	append(j, "three\n"); /* a second segment */
	append(j, "longer than a segment\n");
	expect(r, "two\n", &at);
	assert_int_equal(at.segment, 1);
	expect(r, "three\n", &at);
	assert_int_equal(at.segment, 2);
	assert_int_equal(at.offset, 6);
	expect(r, "longer than a segment\n", &at);
	expect_none(r);
	assert_int_equal(journal_end(p->fd, &end), OK);
	assert_int_equal(end.segment, at.segment);
	assert_int_equal(end.offset, at.offset);
	append(j, "last\n");
	expect(r, "last\n", &at);
	journal_seek(r, (struct journal_at){ 2, 0 });
	expect(r, "three\n", &at);
	journal_reader_free(&r);
	journal_close(&j);
	assert_int_equal(journal_open(p->fd, &o, &other, &torn), OK);
	journal_close(&other);
}

static void test_torn_line_is_cut(void **state)
{
	const struct place *p = *state;
	struct journal_at at;
	uint64_t torn = 0;
	struct journal *j = open_journal(p, 0, &torn);
	struct journal_reader *r = journal_reader_new(p->fd, (struct journal_at){ 1, 0 });

	append(j, "one\n");
	journal_close(&j);
	raw(p, "00000001.jsonl", "half a li");
	expect(r, "one\n", &at);
	expect_none(r); /* not while it is there */
	j = open_journal(p, 0, &torn);
	assert_int_equal(torn, 9);
	append(j, "two\n");
	expect(r, "two\n", &at);
	expect_none(r);
	journal_reader_free(&r);
	journal_close(&j);
}

static void test_half_a_line_is_waited_for(void **state)
{
	const struct place *p = *state;
	struct journal_at at;
	struct journal_reader *r = journal_reader_new(p->fd, (struct journal_at){ 1, 0 });

	raw(p, "00000001.jsonl", "ab");
	expect_none(r);
	raw(p, "00000001.jsonl", "cd\nef");
	expect(r, "abcd\n", &at);
	expect_none(r);
	raw(p, "00000001.jsonl", "\n");
	expect(r, "ef\n", &at);
	journal_reader_free(&r);
}

static void test_long_lines_are_passed_over(void **state)
{
	const struct place *p = *state;
	struct journal_reader *r = journal_reader_new(p->fd, (struct journal_at){ 1, 0 });
	struct journal_at at;
	struct bytes b;
	char *big = malloc(200001);

	assert_non_null(big);
	memset(big, 'x', 200000);
	big[200000] = 0;
	raw(p, "00000001.jsonl", "a\n");
	raw(p, "00000001.jsonl", big);
	expect(r, "a\n", &at);
	expect_none(r);
	raw(p, "00000001.jsonl", "\nb\n");
	assert_int_equal(journal_read(r, 1000, &b, &at), ERR_LIMIT);
	assert_int_equal(at.offset, 200003);
	expect(r, "b\n", &at);
	journal_reader_free(&r);
	free(big);
}

static void test_positions(void **state)
{
	const struct place *p = *state;
	struct journal_at at = { 3, 70 }, got = { 0, 0 };

	assert_int_equal(journal_position_read(p->fd, "mail", &got), ERR_NOT_FOUND);
	assert_int_equal(journal_position_write(p->fd, "mail", at), OK);
	assert_int_equal(journal_position_read(p->fd, "mail", &got), OK);
	assert_int_equal(got.segment, 3);
	assert_int_equal(got.offset, 70);
	raw(p, "mail.pos", "x");
	assert_int_equal(journal_position_read(p->fd, "mail", &got), ERR_SYNTAX);
	assert_true(journal_is_name("a-B_1.x"));
	assert_false(journal_is_name(""));
	assert_false(journal_is_name(".x"));
	assert_false(journal_is_name("a/b"));
}

static void test_a_position_that_does_not_fit(void **state)
{
	const struct place *p = *state;
	struct journal_at at;
	struct journal_reader *r;

	raw(p, "00000002.jsonl", "one\ntwo\n");
	r = journal_reader_new(p->fd, (struct journal_at){ 1, 500 }); /* removed meanwhile */
	expect(r, "one\n", &at);
	journal_seek(r, (struct journal_at){ 2, 2 }); /* inside a line */
	expect(r, "two\n", &at);
	journal_seek(r, (struct journal_at){ 2, 500 }); /* behind the end: lost with the power */
	expect_none(r);
	raw(p, "00000002.jsonl", "three\n");
	expect(r, "three\n", &at);
	journal_reader_free(&r);
}

static void test_trim(void **state)
{
	static const char *const names[] = { "a", "b" };
	const struct place *p = *state;
	const uint64_t old_us = 1000u * (uint64_t)1000000, now_us = old_us + 31u * 86400u * (uint64_t)1000000;
	const struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
	struct journal_at first;
	uint64_t torn;
	struct journal *j = open_journal(p, 4, &torn);
	size_t removed = 9;

	append(j, "one\n");
	append(j, "two\n");
	append(j, "thr\n");
	append(j, "fou\n");
	assert_int_equal(utimensat(p->fd, "00000001.jsonl", times, 0), 0);
	assert_int_equal(utimensat(p->fd, "00000002.jsonl", times, 0), 0);
	assert_int_equal(journal_position_write(p->fd, "a", (struct journal_at){ 4, 0 }), OK);
	assert_int_equal(journal_trim(j, names, 2, now_us, &removed), OK);
	assert_int_equal(removed, 0); /* b has nothing yet */
	assert_int_equal(journal_position_write(p->fd, "b", (struct journal_at){ 2, 4 }), OK);
	assert_int_equal(journal_trim(j, names, 2, old_us + 1000000, &removed), OK);
	assert_int_equal(removed, 0); /* not old */
	assert_int_equal(journal_trim(j, names, 2, now_us, &removed), OK);
	assert_int_equal(removed, 1); /* b is still in the second */
	assert_int_equal(journal_trim(j, names, 1, now_us, &removed), OK);
	assert_int_equal(removed, 1); /* b is no destination any more; the third is new */
	assert_int_equal(journal_begin(p->fd, &first), OK);
	assert_int_equal(first.segment, 3);
	journal_close(&j);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_lines_and_segments),
		CASE(test_torn_line_is_cut),
		CASE(test_half_a_line_is_waited_for),
		CASE(test_long_lines_are_passed_over),
		CASE(test_positions),
		CASE(test_a_position_that_does_not_fit),
		CASE(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
