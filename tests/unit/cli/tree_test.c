/* Files inside a folder: what links on an examined disk lead to, and that none leads out of it. */
#define _GNU_SOURCE
#include "cli/tree.h"
#include "base/fd.h"
#include "base/text.h"
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char base[64], root[80];

static void put(const char *path, const char *text)
{
	char full[200];

	snprintf(full, sizeof(full), "%s/%s", base, path);
	AUTO(fd_close) int fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, bytes_str(text)), OK);
}

static void folder(const char *path)
{
	char full[200];

	snprintf(full, sizeof(full), "%s/%s", base, path);
	assert_int_equal(mkdir(full, 0700), 0);
}

static void link_to(const char *target, const char *path)
{
	char full[200];

	snprintf(full, sizeof(full), "%s/root/%s", base, path);
	assert_int_equal(symlink(target, full), 0);
}

/* outside is beside the root; etc/file is in it, and so is a name with the same path as the one outside. */
static int set_up(void **state)
{
	(void)state;
	snprintf(base, sizeof(base), "/tmp/sluis-tree-XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(root, sizeof(root), "%s/root", base);
	folder("root");
	folder("root/etc");
	put("outside", "outside");
	put("root/etc/file", "inside");
	put("root/.hidden", "");
	link_to("/etc/file", "absolute");
	link_to("etc/file", "relative");
	link_to("../../../../../../outside", "up");
	link_to("/proc/self/exe", "magic");
	link_to("loop", "loop");
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "root/etc/file", "root/etc", "root/.hidden", "root/absolute", "root/relative", "root/up", "root/magic",
		"root/loop", "root", "outside", "" };
	char full[200];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(full, sizeof(full), "%s/%s", base, names[i]);
		assert_int_equal(remove(full), 0);
	}
	return 0;
}

static const struct {
	const char *why, *path;
	int flags, error; /* 0: it opens, and is the file inside */
} cases[] = {
	{ "a file", "/etc/file", 0, 0 },
	{ "its path from the root, without a slash", "etc/file", 0, 0 },
	{ "an absolute link leads to the disk's own file", "/absolute", 0, 0 },
	{ "a relative one", "/relative", 0, 0 },
	{ "above the root is the root", "/../../../etc/file", 0, 0 },
	{ "a link above the root stays in it", "/up", 0, ENOENT },
	{ "a path above the root", "/../outside", 0, ENOENT },
	{ "a link into /proc leads to the disk's own", "/magic", 0, ENOENT },
	{ "a link to itself", "/loop", 0, ELOOP },
	{ "no link when none is wanted", "/absolute", O_NOFOLLOW, ELOOP },
	{ "nothing", "/nothing", 0, ENOENT },
};

static void test_nothing_leads_out(void **state)
{
	struct tree t;

	(void)state;
	assert_true(tree_open(&t, root));
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		AUTO(fd_close) int fd = tree_file(&t, cases[i].path, cases[i].flags);
		int error = fd < 0 ? errno : 0;
		unsigned char mem[64];
		struct text text;

		if (error != cases[i].error)
			fail_msg("%s: %s", cases[i].why, strerror(error));
		if (error)
			continue;
		text_init(&text, mem, sizeof(mem));
		assert_int_equal(fd_read_all(fd, &text), OK);
		if (!bytes_eq(text_bytes(&text), BYTES("inside")))
			fail_msg("%s: another file", cases[i].why);
	}
	tree_close(&t);
}

static void test_where_a_path_is(void **state)
{
	char want[200], real[TREE_PATH_MAX];
	struct tree t;

	(void)state;
	assert_true(tree_open(&t, root));
	snprintf(want, sizeof(want), "%s/etc/file", root);
	assert_true(tree_real(&t, "/absolute", real));
	assert_string_equal(real, want);
	assert_false(tree_real(&t, "/up", real));
	tree_close(&t);
	assert_true(tree_open(&t, NULL));
	assert_true(tree_real(&t, want, real)); /* this machine's own */
	assert_string_equal(real, want);
	tree_close(&t);
	assert_false(tree_open(&t, "/nowhere/at/all"));
}

static void test_names(void **state)
{
	struct tree t;
	size_t count;
	char **names;

	(void)state;
	assert_true(tree_open(&t, root));
	names = tree_names(&t, "/", &count);
	assert_non_null(names);
	assert_int_equal(count, 7);
	assert_string_equal(names[0], ".hidden");
	assert_string_equal(names[6], "up");
	names_free(names, count);
	assert_null(tree_names(&t, "/nothing", &count));
	assert_int_equal(errno, ENOENT);
	tree_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_leads_out),
		cmocka_unit_test(test_where_a_path_is),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
