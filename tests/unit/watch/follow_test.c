/* Logs that grow and rotate in every way that is in use: each line comes once, with its number, and what cannot be had is told. */
#define _GNU_SOURCE
#include "watch/follow.h"

#include "base/fd.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
	char dir[64], log[100];
	struct follow f;
	struct follow_sink sink;
	struct text got;      /* "line@offset:text|" of each */
	char problems[2000];
	uint64_t now_ms;
	unsigned char *mem;
	int seconds; /* of the last file's change: each later than the one before */
};

static void on_lines(void *ctx, struct follow *f, struct bytes lines, uint64_t line, uint64_t offset)
{
	struct world *w = ctx;

	(void)f;
	while (lines.len) {
		size_t n = bytes_find_byte(lines, '\n');
		struct bytes one = bytes_cut(lines, 0, n);

		if (one.len > 100)
			text_fmt(&w->got, "%u@%u:[%zu]%s", (unsigned)line, (unsigned)offset, one.len, n == SIZE_MAX ? "..|" : "|");
		else
			text_fmt(&w->got, "%u@%u:%.*s%s", (unsigned)line, (unsigned)offset, FMT(one), n == SIZE_MAX ? "..|" : "|");
		line++;
		n = n == SIZE_MAX ? lines.len : n + 1;
		offset += n;
		lines = bytes_cut(lines, n, lines.len);
	}
}

static void on_problem(void *ctx, struct follow *f, const char *what)
{
	struct world *w = ctx;

	(void)f;
	snprintf(w->problems + strlen(w->problems), sizeof(w->problems) - strlen(w->problems), "%s|", what);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w || !(w->mem = malloc(1 << 20)))
		return -1;
	snprintf(w->dir, sizeof(w->dir), "/tmp/sluis-follow-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->log, sizeof(w->log), "%s/log", w->dir);
	w->sink = (struct follow_sink){ w, on_lines, on_problem };
	w->now_ms = 1000;
	w->f.fd = -1;
	text_init_growing(&w->got, 1 << 20);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;

	follow_fini(&w->f);
	text_fini(&w->got);
	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w->mem);
	free(w);
	return 0;
}

/* Times of change are set, for rotations of a test are nearer to each other than the file system's clock can tell. */
static void put(struct world *w, const char *name, int flags, const char *text)
{
	char path[200];
	struct timespec times[2];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes_str(text)), OK);
	times[0] = times[1] = (struct timespec){ .tv_sec = 1779613953 + w->seconds++ };
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static void add(struct world *w, const char *text)
{
	put(w, "log", O_APPEND, text);
}

static void move(struct world *w, const char *from, const char *to)
{
	char a[200], b[200];

	snprintf(a, sizeof(a), "%s/%s", w->dir, from);
	snprintf(b, sizeof(b), "%s/%s", w->dir, to);
	assert_int_equal(rename(a, b), 0);
}

static void drop(struct world *w, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	assert_int_equal(unlink(path), 0);
}

static void begin(struct world *w, const struct follow_at *at, bool from_start)
{
	follow_fini(&w->f);
	assert_int_equal(follow_init(&w->f, w->log, at, from_start), OK);
}

/* As another process would: all that is kept is the position. */
static void restart(struct world *w)
{
	struct follow_at at = w->f.at;

	begin(w, &at, false);
}

static void step(struct world *w)
{
	for (unsigned i = 0; follow_step(&w->f, w->mem, FOLLOW_LINE_MAX, w->now_ms, &w->sink); i++)
		assert_true(i < 10000);
	w->now_ms += 200;
}

/* Until there is nothing more to wait for, of however many files. */
static void steps(struct world *w)
{
	unsigned quiet = 0;
	struct stat st;
	bool is_there;

	for (unsigned i = 0; quiet < 3; i++) {
		step(w);
		is_there = stat(w->log, &st) == 0 && S_ISREG(st.st_mode);
		quiet = follow_is_at_end(&w->f) && (w->f.fd >= 0) == is_there ? quiet + 1 : 0;
		assert_true(i < 100 * FOLLOW_GRACE_MS / 200);
	}
}

static void expect(struct world *w, const char *got, const char *problems)
{
	if (!bytes_eq(text_bytes(&w->got), bytes_str(got)))
		fail_msg("'%.*s' and not '%s'", FMT(text_bytes(&w->got)), got);
	if (*problems ? !strstr(w->problems, problems) : *w->problems)
		fail_msg("problems '%s' and not '%s'", w->problems, problems);
	w->got.len = 0;
	w->problems[0] = 0;
}

static void test_grows(void **state)
{
	struct world *w = *state;

	add(w, "old 1\nold 2\n");
	begin(w, NULL, false);
	step(w);
	expect(w, "", ""); /* what stands in it already is passed over */
	add(w, "new\n");
	step(w);
	step(w);
	expect(w, "1@12:new|", "");
	add(w, "half");
	step(w);
	expect(w, "", "");
	add(w, " whole\n\nand ");
	step(w);
	expect(w, "2@16:half whole|3@27:|", "");
	add(w, "so\n");
	restart(w);
	step(w);
	expect(w, "4@28:and so|", "");
	begin(w, NULL, true);
	step(w);
	expect(w, "1@0:old 1|2@6:old 2|3@12:new|4@16:half whole|5@27:|6@28:and so|", "");
}

static void test_not_there_yet(void **state)
{
	struct world *w = *state;

	begin(w, NULL, false);
	step(w);
	step(w);
	expect(w, "", "it cannot be read: No such file or directory; it is tried again|");
	assert_true(follow_is_at_end(&w->f));
	step(w);
	expect(w, "", ""); /* told once */
	add(w, "first\n");
	step(w);
	expect(w, "1@0:first|", "");
}

static void test_renamed(void **state)
{
	struct world *w = *state;

	begin(w, NULL, true);
	add(w, "a\nb\n");
	step(w);
	move(w, "log", "log.0");
	put(w, "log.0", O_APPEND, "c\n"); /* whoever writes does not know yet */
	step(w);
	add(w, "d\n");
	step(w);
	assert_false(follow_is_at_end(&w->f));
	put(w, "log.0", O_APPEND, "e\nlast without its end");
	step(w);
	steps(w);
	expect(w, "1@0:a|2@2:b|3@4:c|4@6:e|5@8:last without its end..|1@0:d|", "");
	move(w, "log", "log.00"); /* and there is none for a while */
	steps(w);
	add(w, "f\n");
	steps(w);
	expect(w, "1@0:f|", "it cannot be read");
}

/* The next file has come and gone while the one before was waited for. */
static void test_renamed_twice(void **state)
{
	struct world *w = *state;

	begin(w, NULL, true);
	add(w, "a\n");
	step(w);
	move(w, "log", "log.0");
	step(w);
	add(w, "b\n");
	move(w, "log.0", "log.1");
	move(w, "log", "log.0");
	put(w, "log.0.gz", 0, "packed\n");
	put(w, "log.bak", 0, "somebody's\n");
	put(w, "logs", 0, "another\n");
	add(w, "c\n");
	steps(w);
	expect(w, "1@0:a|1@0:b|1@0:c|", "");
}

static void test_copied_and_emptied(void **state)
{
	struct world *w = *state;

	begin(w, NULL, true);
	add(w, "a\nb\n");
	step(w);
	assert_int_equal(truncate(w->log, 0), 0);
	step(w);
	add(w, "c\n");
	step(w);
	expect(w, "1@0:a|2@2:b|1@0:c|", "");
	assert_int_equal(truncate(w->log, 0), 0); /* and filled beyond what it was before the next look */
	add(w, "other\nand more\n");
	step(w);
	expect(w, "1@0:other|2@6:and more|", "");
}

#define LONG "a line that is long enough to be this log's alone: 2026-05-24T09:12:33.000001Z 192.0.2.1 GET /index.html HTTP/1.1 200 1234 example.org\n"

/* What was written between the last look and the copying stands in the copy alone. */
static void test_rest_in_the_copy(void **state)
{
	struct world *w = *state;

	begin(w, NULL, true);
	add(w, LONG);
	step(w);
	w->got.len = 0;
	put(w, "log.1", 0, LONG "b\n");
	assert_int_equal(truncate(w->log, 0), 0);
	add(w, "c\n");
	steps(w);
	expect(w, "2@135:b|1@0:c|", "");
	restart(w);
	steps(w);
	expect(w, "", "");
	/* the same while nobody followed */
	assert_int_equal(truncate(w->log, 0), 0);
	add(w, LONG "d\n");
	steps(w);
	w->got.len = 0;
	put(w, "log.2", 0, LONG "d\ne\n");
	assert_int_equal(truncate(w->log, 0), 0);
	add(w, "f\n");
	restart(w);
	steps(w);
	expect(w, "3@137:e|1@0:f|", "");
}

static void test_removed_and_made_again(void **state)
{
	struct world *w = *state;

	begin(w, NULL, true);
	add(w, "a\n");
	step(w);
	for (unsigned i = 0; i < 3; i++) { /* the system may give it the same inode */
		drop(w, "log");
		add(w, "b\nc\n");
		steps(w);
		drop(w, "log");
		steps(w);
		add(w, "longer than before\n");
		steps(w);
	}
	expect(w, "1@0:a|1@0:b|2@2:c|1@0:longer than before|1@0:b|2@2:c|1@0:longer than before|1@0:b|2@2:c|1@0:longer than before|", "it cannot be read");
}

static void test_rotated_while_nobody_followed(void **state)
{
	struct world *w = *state;

	begin(w, NULL, true);
	add(w, "a\nb\n");
	step(w);
	w->got.len = 0;
	follow_fini(&w->f);
	add(w, "c\n");
	move(w, "log", "log.1");
	add(w, "d\n");
	move(w, "log", "log.0"); /* twice */
	add(w, "e\n");
	restart(w);
	steps(w);
	expect(w, "3@4:c|1@0:d|1@0:e|", "");
	/* the old one is packed: that is told, and the new one is read as a whole */
	follow_fini(&w->f);
	add(w, "lost\n");
	move(w, "log", "log.2.gz");
	put(w, "log.2.gz", O_TRUNC, "packed");
	add(w, "f\n");
	restart(w);
	steps(w);
	expect(w, "1@0:f|", "what came behind line 1 of it was not seen");
	/* the same, and the new one is not there yet */
	follow_fini(&w->f);
	drop(w, "log");
	restart(w);
	steps(w);
	add(w, "g\n");
	steps(w);
	expect(w, "1@0:g|", "it cannot be read");
}

/* Between the old file and the new: nothing of the new one is passed over by who starts there. */
static void test_restart_between_two(void **state)
{
	struct world *w = *state;

	begin(w, NULL, true);
	add(w, "a\n");
	step(w);
	move(w, "log", "log.0");
	steps(w);
	w->problems[0] = 0;
	follow_fini(&w->f);
	add(w, "b\n");
	restart(w);
	steps(w);
	expect(w, "1@0:a|1@0:b|", "");
	/* a log that was empty when it was last looked at */
	move(w, "log", "log.1");
	add(w, "");
	steps(w);
	follow_fini(&w->f);
	add(w, "c\n");
	move(w, "log", "log.2");
	add(w, "d\n");
	restart(w);
	steps(w);
	expect(w, "1@0:c|1@0:d|", "");
}

static void test_long_lines(void **state)
{
	struct world *w = *state;
	char *text = malloc(200000);

	assert_non_null(text);
	memset(text, 'x', 199999);
	text[199999] = 0;
	begin(w, NULL, true);
	add(w, "a\n");
	add(w, text + 199999 - FOLLOW_LINE_MAX + 1); /* one octet short of it, and its end */
	add(w, "\n");
	add(w, text + 199999 - 2 * FOLLOW_LINE_MAX - 10);
	step(w);
	expect(w, "1@0:a|2@2:[65535]|3@65538:[65536]..|3@131074:[65536]..|", "");
	add(w, "\nb\n");
	step(w);
	expect(w, "3@196610:xxxxxxxxxx|4@196621:b|", "");
	/* larger pieces: the same */
	begin(w, NULL, true);
	while (follow_step(&w->f, w->mem, 1 << 20, w->now_ms, &w->sink))
		;
	expect(w, "1@0:a|2@2:[65535]|3@65538:[131082]|4@196621:b|", "");
	free(text);
}

static void test_what_is_no_file(void **state)
{
	struct world *w = *state;
	char *path = calloc(1, FOLLOW_PATH_MAX + 1);

	assert_int_equal(mkdir(w->log, 0700), 0);
	begin(w, NULL, false);
	steps(w);
	expect(w, "", "it cannot be read");
	assert_int_equal(rmdir(w->log), 0);
	assert_int_equal(mkfifo(w->log, 0600), 0);
	steps(w);
	expect(w, "", ""); /* nobody waits for a writer */
	assert_non_null(path);
	memset(path, 'a', FOLLOW_PATH_MAX);
	path[0] = '/';
	assert_int_equal(follow_init(&w->f, path, NULL, false), ERR_LIMIT);
	free(path);
}

/* Written, rotated in all ways, looked at and restarted in any order, by a seed: each line comes once. */
static void test_any_order(void **state)
{
	struct world *w = *state;
	unsigned seed = 1;

	for (unsigned round = 0; round < 40; round++) {
		unsigned n = 0;

		begin(w, NULL, true);
		add(w, "");
		step(w);
		for (unsigned i = 0; i < 60; i++) {
			char line[64];

			seed = seed * 1103515245 + 12345;
			switch (seed >> 16 & 7) {
			case 0:
				snprintf(line, sizeof(line), "log.2026%05u", (unsigned)w->seconds);
				move(w, "log", line);
				add(w, "");
				break;
			case 1: restart(w); break;
			case 2:
			case 3:
			case 4: step(w); break;
			default:
				snprintf(line, sizeof(line), "%u.%u\n", round, n++);
				add(w, line);
			}
		}
		steps(w);
		for (unsigned k = 0; k < n; k++) {
			char line[64];
			size_t at, again;

			snprintf(line, sizeof(line), ":%u.%u|", round, k);
			at = bytes_find(text_bytes(&w->got), bytes_str(line));
			if (at == SIZE_MAX)
				fail_msg("round %u: line %u never came: %.*s", round, k, FMT(text_bytes(&w->got)));
			again = bytes_find(bytes_cut(text_bytes(&w->got), at + 1, w->got.len), bytes_str(line));
			if (again != SIZE_MAX)
				fail_msg("round %u: line %u came twice: %.*s", round, k, FMT(text_bytes(&w->got)));
		}
		assert_string_equal(w->problems, "");
		w->got.len = 0;
		follow_fini(&w->f);
		nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		assert_int_equal(mkdir(w->dir, 0700), 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_grows), TEST(test_not_there_yet), TEST(test_renamed), TEST(test_renamed_twice), TEST(test_copied_and_emptied),
		TEST(test_rest_in_the_copy), TEST(test_removed_and_made_again), TEST(test_rotated_while_nobody_followed), TEST(test_restart_between_two), TEST(test_long_lines),
		TEST(test_what_is_no_file), TEST(test_any_order) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
