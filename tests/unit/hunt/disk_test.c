/* Disk images that makefs builds: UFS2 and UFS1, alone and in a partition, with what an appliance's shell adds, cut off, and no image. */
#define _GNU_SOURCE
#include "hunt/disk.h"

#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define BIG 300000

static char dir[] = "/tmp/sluis-disk-XXXXXX";

struct seen {
	char paths[4000], problems[2000];
	unsigned char big[BIG];
	size_t big_len, files;
	bool is_big, has_mode, has_link;
	enum err e;
};

static bool on_file(void *ctx, const struct hunt_file *f)
{
	struct seen *s = ctx;
	size_t n = strlen(s->paths);

	s->files++;
	snprintf(s->paths + n, sizeof(s->paths) - n, "%s\n", f->path);
	s->is_big = strcmp(f->path, "/netscaler/$big") == 0;
	if (strcmp(f->path, "/var/log/bash.log") == 0)
		s->has_mode = f->has_owner && f->mode == 04751 && f->mtime_s == 1578571200 && f->size == 6;
	if (f->kind == HUNT_SYMLINK)
		s->has_link = strcmp(f->target, "var/log/bash.log") == 0;
	return f->kind == HUNT_REGULAR;
}

static void on_bytes(void *ctx, struct bytes b, uint64_t offset)
{
	struct seen *s = ctx;

	if (!s->is_big)
		return;
	assert_true(offset == s->big_len && b.len <= BIG - s->big_len);
	memcpy(s->big + s->big_len, b.at, b.len);
	s->big_len += b.len;
}

static void on_end(void *ctx, enum err e)
{
	struct seen *s = ctx;

	s->e = s->e == OK ? e : s->e;
}

static void on_problem(void *ctx, const char *where, const char *what)
{
	struct seen *s = ctx;
	size_t n = strlen(s->problems);

	snprintf(s->problems + n, sizeof(s->problems) - n, "%s: %s\n", where, what);
}

static void run(const char *fmt, const char *arg)
{
	char command[1000];
	int n = snprintf(command, sizeof(command), "cd %s && ", dir);

	snprintf(command + n, sizeof(command) - (size_t)n, "%s%s", fmt, arg);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static enum err look(const char *image, const struct hunt_disk_options *options, struct seen **out)
{
	const struct hunt_sink sink = { calloc(1, sizeof(struct seen)), on_file, on_bytes, on_end, on_problem, NULL };
	char path[300];
	enum err e;

	snprintf(path, sizeof(path), "%s/%s", dir, image);
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && sink.ctx);
	e = hunt_disk_read(fd, image, options ? options : &hunt_disk_defaults, &sink);
	*out = sink.ctx;
	return e;
}

static void check_whole(const struct seen *s)
{
	static const char *const paths[] = { "/var\n", "/var/log\n", "/var/log/bash.log\n", "/netscaler/$big\n", "/link\n" };
	struct bytes all = bytes_str(s->paths);
	bool same = s->big_len == BIG;

	for (size_t i = 0; i < COUNT_OF(paths); i++)
		if (bytes_find(all, bytes_str(paths[i])) == SIZE_MAX)
			fail_msg("%s is not in %s", paths[i], s->paths);
	for (size_t i = 0; same && i < BIG; i++)
		same = s->big[i] == (unsigned char)(i * 7 + i / 251);
	assert_true(same && s->has_mode && s->has_link && s->e == OK);
}

/* With blocks of 64 KB the superblock of makefs' UFS2 (which it writes at 8 KB) is copied to where FreeBSD has it, at 64 KB. */
static int make_images(void **state)
{
	unsigned char *big = malloc(BIG);
	char path[300];
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	run("mkdir -p tree/var/log tree/netscaler && echo hello > tree/var/log/bash.log && chmod 4751 tree/var/log/bash.log && ln -s var/log/bash.log tree/link",
		" && TZ=UTC touch -d '2020-01-09 12:00' tree/var/log/bash.log");
	for (size_t i = 0; i < BIG; i++)
		big[i] = (unsigned char)(i * 7 + i / 251);
	snprintf(path, sizeof(path), "%s/tree/netscaler/$big", dir);
	f = fopen(path, "w");
	assert_true(f && fwrite(big, 1, BIG, f) == BIG && fclose(f) == 0);
	free(big);
	run("PATH=$PATH:/usr/sbin; makefs -t ffs -o version=2,bsize=65536,fsize=8192 -s 4m ufs2 tree >/dev/null && makefs -t ffs -o version=1 -s 2m ufs1 tree >/dev/null", "");
	run("printf ' Done\\n' > added && cat ufs2 >> added && printf ' Done\\n' >> added && head -c 1000000 ufs2 > cut && head -c 100000 /dev/zero > zeros", "");
	/* A DOS label: one slice of type a5 at sector 64, which holds 8192 sectors. */
	run("head -c 446 /dev/zero > disk && printf '\\0\\0\\0\\0\\245\\0\\0\\0\\100\\0\\0\\0\\0\\040\\0\\0' >> disk && head -c 48 /dev/zero >> disk && printf '\\125\\252' >> disk",
		" && head -c 32256 /dev/zero >> disk && cat ufs2 >> disk");
	/* The same, last mounted on /var: fs_fsmnt of its superblock. */
	run("cp ufs2 mounted && printf '/flash\\0' | dd of=mounted bs=1 seek=65748 conv=notrunc 2>/dev/null", "");
	return 0;
}

static int remove_images(void **state)
{
	(void)state;
	run("rm -rf ", dir);
	return 0;
}

static void test_whole_images(void **state)
{
	static const char *const images[] = { "ufs2", "ufs1", "disk", "added" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(images); i++) {
		struct seen *s;

		assert_int_equal(look(images[i], NULL, &s), OK);
		check_whole(s);
		if (i < 3)
			assert_string_equal(s->problems, "");
		else
			assert_true(strstr(s->problems, "added: repaired: 6 octets in front") && strstr(s->problems, "added: repaired: 6 octets behind"));
		free(s);
	}
}

static void test_paths_begin_where_it_was_mounted(void **state)
{
	struct seen *s;

	(void)state;
	assert_int_equal(look("mounted", NULL, &s), OK);
	assert_non_null(strstr(s->paths, "/flash/var/log/bash.log\n"));
	free(s);
}

static void test_what_is_no_image(void **state)
{
	struct seen *s;

	(void)state;
	assert_int_equal(look("zeros", NULL, &s), ERR_UNSUPPORTED);
	assert_int_equal(s->files, 0);
	free(s);
}

static void test_limits(void **state)
{
	struct hunt_disk_options few = hunt_disk_defaults, small = hunt_disk_defaults;
	struct seen *s;

	(void)state;
	few.files_most = 2;
	assert_int_equal(look("ufs2", &few, &s), ERR_LIMIT);
	assert_true(s->files == 2 && strstr(s->problems, "more files"));
	free(s);
	small.file_most = 100000;
	assert_int_equal(look("ufs2", &small, &s), OK);
	assert_true(s->e == ERR_LIMIT && s->big_len <= 100000 && strstr(s->problems, "ufs2!netscaler/$big: larger"));
	free(s);
}

static void test_a_cut_image_gives_what_it_has(void **state)
{
	struct seen *s;

	(void)state;
	(void)!look("cut", NULL, &s); /* the library may refuse or read what is there; it must end, and not in silence */
	assert_true(s->files > 0);
	free(s);
}

static void test_is(void **state)
{
	static const struct {
		const char *image;
		bool want;
	} cases[] = { { "ufs2", true }, { "ufs1", true }, { "disk", true }, { "added", true }, { "zeros", false }, { "tree/var/log/bash.log", false } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char path[300];
		unsigned char begin[70000];
		ssize_t n;

		snprintf(path, sizeof(path), "%s/%s", dir, cases[i].image);
		AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
		n = read(fd, begin, sizeof(begin));
		assert_true(n > 0);
		if (hunt_disk_is(bytes_of(begin, (size_t)n)) != cases[i].want)
			fail_msg("%s", cases[i].image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_images),
		cmocka_unit_test(test_paths_begin_where_it_was_mounted),
		cmocka_unit_test(test_what_is_no_image),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_a_cut_image_gives_what_it_has),
		cmocka_unit_test(test_is),
	};

	return cmocka_run_group_tests(tests, make_images, remove_images);
}
