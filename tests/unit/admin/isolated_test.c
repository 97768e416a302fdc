/* state_dir/isolated.json: what is written is read again, what is damaged is an error and never an empty list. */
#include "admin/isolated.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static struct isolated_list l, again;
static char dir[64];

#define ONE(rest) "{\"format\":1,\"isolated\":[{\"kind\":\"client\",\"what\":\"192.0.2.1\"" rest "}]}"

static const struct {
	const char *why;
	struct bytes in;
	enum err want;
	size_t count;
} cases[] = {
	{ "none", LIT("{\"format\":1,\"isolated\":[]}"), OK, 0 },
	{ "one", LIT(ONE(",\"since_us\":1,\"uid\":0")), OK, 1 },
	{ "more than is known", LIT(ONE(",\"since_us\":1,\"uid\":0,\"colour\":\"red\"")), OK, 1 },
	{ "the same twice", LIT("{\"format\":1,\"isolated\":[{\"kind\":\"node\",\"what\":\"node\",\"since_us\":1,\"uid\":0},"
		"{\"kind\":\"node\",\"what\":\"node\",\"since_us\":1,\"uid\":0}]}"), OK, 1 },
	{ "empty", LIT(""), ERR_SYNTAX, 0 },
	{ "cut off", LIT("{\"format\":1,\"isolated\":["), ERR_SYNTAX, 0 },
	{ "another format", LIT("{\"format\":2,\"isolated\":[]}"), ERR_SYNTAX, 0 },
	{ "no list", LIT("{\"format\":1}"), ERR_SYNTAX, 0 },
	{ "an array", LIT("[]"), ERR_SYNTAX, 0 },
	{ "an entry that is none", LIT("{\"format\":1,\"isolated\":[1]}"), ERR_SYNTAX, 0 },
	{ "a kind that is none", LIT("{\"format\":1,\"isolated\":[{\"kind\":\"x\",\"what\":\"node\",\"since_us\":1,\"uid\":0}]}"), ERR_SYNTAX, 0 },
	{ "no time", LIT(ONE(",\"uid\":0")), ERR_SYNTAX, 0 },
	{ "no uid", LIT(ONE(",\"since_us\":1")), ERR_SYNTAX, 0 },
	{ "a negative time", LIT(ONE(",\"since_us\":-1,\"uid\":0")), ERR_SYNTAX, 0 },
	{ "a uid that is too large", LIT(ONE(",\"since_us\":1,\"uid\":4294967296")), ERR_SYNTAX, 0 },
	{ "until is text", LIT(ONE(",\"since_us\":1,\"uid\":0,\"until_us\":\"x\"")), ERR_SYNTAX, 0 },
	{ "a reason of two lines", LIT(ONE(",\"since_us\":1,\"uid\":0,\"reason\":\"a\\nb\"")), ERR_SYNTAX, 0 },
	{ "a key twice", LIT("{\"format\":1,\"format\":1,\"isolated\":[]}"), ERR_SYNTAX, 0 },
};

static void test_reading(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *why;
		enum err e = isolated_parse(cases[i].in, &l, &why);

		if (e != cases[i].want || (e == OK && l.count != cases[i].count) || (e != OK && !why))
			fail_msg("%s: %s", cases[i].why, err_name(e));
	}
}

static void fill(size_t count)
{
	l.count = count;
	for (size_t i = 0; i < count; i++) {
		char what[32];

		l.list[i] = (struct isolated){ .since_us = 1700000000000000 + i, .until_us = i % 2, .uid = (uid_t)i };
		snprintf(what, sizeof what, "10.0.%zu.%zu", i / 256, i % 256);
		snprintf(l.list[i].reason, sizeof l.list[i].reason, "\"%zu\" \\ caf\xc3\xa9", i);
		assert_int_equal(isolation_parse(ISOLATE_CLIENT, bytes_str(what), &l.list[i].entry), OK);
	}
}

static void test_all_of_them(void **state)
{
	const char *why;
	struct text t;

	(void)state;
	fill(ISOLATION_MAX);
	assert_int_equal(isolated_save(bytes_str(dir), &l), OK);
	assert_int_equal(isolated_load(bytes_str(dir), &again, &why), OK);
	assert_int_equal(again.count, ISOLATION_MAX);
	for (size_t i = 0; i < ISOLATION_MAX; i++) {
		assert_true(isolation_is_same(&l.list[i].entry, &again.list[i].entry));
		assert_true(l.list[i].since_us == again.list[i].since_us && l.list[i].until_us == again.list[i].until_us);
		assert_int_equal(l.list[i].uid, again.list[i].uid);
		assert_string_equal(l.list[i].reason, again.list[i].reason);
	}
	text_init_growing(&t, ISOLATED_FILE_MAX); /* one more than there may be */
	isolated_write(&l, &t);
	t.len -= 4;
	text_lit(&t, ",{\"kind\":\"node\",\"what\":\"node\",\"since_us\":1,\"uid\":0}]}");
	assert_int_equal(isolated_parse(text_bytes(&t), &again, &why), ERR_LIMIT);
	text_fini(&t);
}

static void test_files(void **state)
{
	char path[128];
	const char *why;
	struct stat st;

	(void)state;
	snprintf(path, sizeof path, "%s/" ISOLATED_FILE, dir);
	unlink(path);
	assert_int_equal(isolated_load(bytes_str(dir), &l, &why), OK); /* there was never one */
	assert_int_equal(l.count, 0);
	fill(2);
	assert_int_equal(isolated_save(bytes_str(dir), &l), OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(isolated_save(BYTES(""), &l), ERR_NOT_FOUND);
	assert_int_equal(isolated_save(BYTES("/nonexistent"), &l), ERR_IO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0); /* there, and not to be read */
	assert_int_equal(isolated_load(bytes_str(dir), &l, &why), ERR_IO);
	assert_int_equal(isolated_save(bytes_str(dir), &l), ERR_IO);
	assert_int_equal(rmdir(path), 0);
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/sluis-isolated-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir); /* nothing may be left behind in it */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_reading), cmocka_unit_test(test_all_of_them), cmocka_unit_test(test_files) };

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
