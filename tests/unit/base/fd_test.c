/* Memory files that hold what a file held, whatever becomes of it. */
#define _GNU_SOURCE
#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void copies_do_not_change(void **state)
{
	char path[] = "/tmp/sluis-fd-XXXXXX";
	int file = mkstemp(path), copy = -1;
	unsigned char mem[64];
	struct text t;

	(void)state;
	assert_true(file >= 0);
	unlink(path);
	assert_int_equal(write(file, "a secret", 8), 8);
	lseek(file, 0, SEEK_SET);
	assert_int_equal(memfd_of_file("test", file, 8, &copy), OK);
	assert_int_equal(pwrite(file, "b", 1, 0), 1);
	assert_int_equal(write(copy, "x", 1), -1); /* sealed */
	text_init(&t, mem, sizeof mem);
	assert_int_equal(fd_read_at_start(copy, &t), OK);
	assert_true(bytes_eq(text_bytes(&t), BYTES("a secret")));
	close(copy);
	lseek(file, 0, SEEK_SET);
	copy = -1;
	assert_int_equal(memfd_of_file("test", file, 7, &copy), ERR_LIMIT);
	assert_int_equal(copy, -1); /* written on success only */
	close(file);
	assert_int_equal(memfd_of_file("test", -1, 8, &copy), ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(copies_do_not_change) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
