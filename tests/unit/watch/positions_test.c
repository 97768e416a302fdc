/* Positions as a file: what was put is what is read, what is no such file is refused, and a crash leaves the old or the new. */
#define _GNU_SOURCE
#include "watch/positions.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct position out[POSITIONS_MAX];

static struct follow log_at(const char *path, uint64_t n)
{
	struct follow f;
	const struct follow_at at = { .device = n, .inode = n + 1, .offset = INT64_MAX - 5, .line = n + 3, .head_hash = UINT64_MAX - n, .head_len = FOLLOW_HEAD_MAX, .is_known = true };

	assert_int_equal(follow_init(&f, path, &at, false), OK);
	return f;
}

static void test_round_trip(void **state)
{
	static const char *const paths[] = { "/var/log/httpaccess.log", "/a \"b\"\\c\n\xc3\xa9", "/" };
	struct follow logs[4];
	struct text t;
	size_t count = 9;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++)
		logs[i] = log_at(paths[i], i ? UINT64_MAX - 10 + i : 0);
	logs[3] = logs[0];
	logs[3].at.is_known = false; /* never read: it has none */
	text_init_growing(&t, POSITIONS_FILE_MAX);
	positions_put(&t, logs, 4);
	assert_int_equal(positions_parse(text_bytes(&t), out, &count), OK);
	assert_int_equal(count, COUNT_OF(paths));
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(out[i].path, paths[i]);
		assert_memory_equal(&out[i].at, &logs[i].at, sizeof(out[i].at));
	}
	t.len = 0;
	positions_put(&t, NULL, 0);
	assert_int_equal(positions_parse(text_bytes(&t), out, &count), OK);
	assert_int_equal(count, 0);
	text_fini(&t);
}

#define NUMBERS "\"device\":\"1\",\"inode\":\"2\",\"offset\":\"3\",\"line\":\"4\",\"head_len\":\"3\",\"head_hash\":\"5\""

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		enum err want;
	} cases[] = {
		{ "", ERR_SYNTAX }, { "{", ERR_SYNTAX }, { "[]", ERR_SYNTAX }, { "{}", ERR_SYNTAX }, { "{\"logs\":{}}", ERR_SYNTAX }, { "{\"logs\":[1]}", ERR_SYNTAX },
		{ "{\"logs\":[]}", OK }, { "{\"logs\":[]} x", ERR_SYNTAX }, { "{\"logs\":[],\"logs\":[]}", ERR_SYNTAX },
		{ "{\"logs\":[{\"path\":\"/a\"," NUMBERS "}]}", OK },
		{ "{\"logs\":[{\"path\":\"a\"," NUMBERS "}]}", ERR_SYNTAX },
		{ "{\"logs\":[{" NUMBERS "}]}", ERR_SYNTAX },
		{ "{\"logs\":[{\"path\":\"/a\",\"device\":\"1\"}]}", ERR_SYNTAX },
		{ "{\"logs\":[{\"path\":\"/a\",\"device\":1,\"inode\":\"2\",\"offset\":\"3\",\"line\":\"4\",\"head_len\":\"3\",\"head_hash\":\"5\"}]}", ERR_SYNTAX },
		{ "{\"logs\":[{\"path\":\"/a\",\"device\":\"-1\",\"inode\":\"2\",\"offset\":\"3\",\"line\":\"4\",\"head_len\":\"3\",\"head_hash\":\"5\"}]}", ERR_SYNTAX },
		/* more of a beginning than was read, or than is kept */
		{ "{\"logs\":[{\"path\":\"/a\",\"device\":\"1\",\"inode\":\"2\",\"offset\":\"3\",\"line\":\"4\",\"head_len\":\"4\",\"head_hash\":\"5\"}]}", ERR_SYNTAX },
		{ "{\"logs\":[{\"path\":\"/a\",\"device\":\"1\",\"inode\":\"2\",\"offset\":\"999\",\"line\":\"4\",\"head_len\":\"257\",\"head_hash\":\"5\"}]}", ERR_SYNTAX },
		/* no place in a file */
		{ "{\"logs\":[{\"path\":\"/a\",\"device\":\"1\",\"inode\":\"2\",\"offset\":\"9223372036854775808\",\"line\":\"4\",\"head_len\":\"3\",\"head_hash\":\"5\"}]}", ERR_SYNTAX },
		{ "{\"logs\":[{\"path\":\"/a\",\"device\":\"1\",\"inode\":\"2\",\"offset\":\"18446744073709551616\",\"line\":\"4\",\"head_len\":\"3\",\"head_hash\":\"5\"}]}", ERR_SYNTAX },
	};
	size_t count;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].text);
		assert_int_equal(positions_parse(bytes_str(cases[i].text), out, &count), cases[i].want);
	}
}

static void test_how_many(void **state)
{
	struct text t;
	size_t count;

	(void)state;
	for (size_t n = POSITIONS_MAX; n <= POSITIONS_MAX + 1; n++) {
		text_init_growing(&t, POSITIONS_FILE_MAX);
		text_lit(&t, "{\"logs\":[");
		for (size_t i = 0; i < n; i++)
			text_fmt(&t, "%s{\"path\":\"/%zu\"," NUMBERS "}", i ? "," : "", i);
		text_lit(&t, "]}");
		assert_int_equal(positions_parse(text_bytes(&t), out, &count), n > POSITIONS_MAX ? ERR_LIMIT : OK);
		assert_int_equal(count, n > POSITIONS_MAX ? 0 : n);
		text_fini(&t);
	}
	/* a path that is too long for a path */
	text_init_growing(&t, POSITIONS_FILE_MAX);
	text_lit(&t, "{\"logs\":[{\"path\":\"/");
	for (size_t i = 0; i < FOLLOW_PATH_MAX; i++)
		text_byte(&t, 'a');
	text_lit(&t, "\"," NUMBERS "}]}");
	assert_int_equal(positions_parse(text_bytes(&t), out, &count), ERR_SYNTAX);
	text_fini(&t);
}

static void is_file(int folder, const char *want)
{
	char mem[100];
	int fd = openat(folder, "p.json", O_RDONLY);
	ssize_t n = read(fd, mem, sizeof(mem));

	close(fd);
	assert_true(n == (ssize_t)strlen(want));
	assert_memory_equal(mem, want, (size_t)n);
}

static void test_written(void **state)
{
	char dir[] = "/tmp/sluis-positions-XXXXXX";
	struct stat st;
	int folder, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	folder = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(folder >= 0);
	assert_int_equal(positions_write(folder, "p.json", BYTES("one, which is longer")), OK);
	is_file(folder, "one, which is longer");
	fd = openat(folder, "p.json.new", O_WRONLY | O_CREAT, 0600); /* of a crash */
	assert_int_equal(fd_write_all(fd, BYTES("half of something that is much longer than what comes next")), OK);
	close(fd);
	assert_int_equal(positions_write(folder, "p.json", BYTES("two")), OK);
	is_file(folder, "two");
	assert_true(fstatat(folder, "p.json.new", &st, 0) < 0);
	assert_true(fstatat(folder, "p.json", &st, 0) == 0 && (st.st_mode & 0777) == 0600);
	/* what cannot be written leaves the old one */
	assert_int_equal(mkdirat(folder, "p.json.new", 0700), 0);
	assert_int_equal(positions_write(folder, "p.json", BYTES("three")), ERR_IO);
	is_file(folder, "two");
	assert_int_equal(unlinkat(folder, "p.json.new", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(folder, "p.json", 0), 0);
	close(folder);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused), cmocka_unit_test(test_how_many), cmocka_unit_test(test_written) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
