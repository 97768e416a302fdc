/* The history keeps what was in use, once, and gives it back byte for byte. */
#define _GNU_SOURCE
#include "admin/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void remove_tree(const char *dir)
{
	char path[256];

	for (unsigned i = 1; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/history/%u.yaml", dir, i);
		unlink(path);
		snprintf(path, sizeof(path), "%s/history/%u.bundle", dir, i);
		unlink(path);
		snprintf(path, sizeof(path), "%s/history/%u.json", dir, i);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/history", dir);
	assert_int_equal(rmdir(path), 0); /* nothing else was left */
	assert_int_equal(rmdir(dir), 0);
}

static void keeps_and_gives_back(void **state)
{
	char dir[] = "/tmp/sluis-history-XXXXXX";
	struct text text;
	json_t *list;
	uint32_t n = 0;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(history_list(bytes_str(dir), &list), OK); /* none yet */
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	assert_int_equal(history_save(bytes_str(dir), BYTES("one"), BYTES("files"), 0, 7, "start", &n), OK);
	assert_int_equal(n, 1);
	assert_int_equal(history_save(bytes_str(dir), BYTES("two\n\0"), BYTES("files"), 1000000, 7, "reload", &n), OK);
	assert_int_equal(n, 2);
	assert_int_equal(history_save(bytes_str(dir), BYTES("two\n\0"), BYTES("files"), 2000000, 8, "reload", &n), OK);
	assert_int_equal(n, 2); /* the same again is no new entry */
	assert_int_equal(history_save(bytes_str(dir), BYTES("two\n\0"), BYTES("other files"), 3000000, 8, "reload", &n), OK);
	assert_int_equal(n, 3); /* the same text with another certificate beside it is */
	text_init_growing(&text, 100);
	assert_int_equal(history_read_bundle(bytes_str(dir), 2, &text), OK);
	assert_true(bytes_eq(text_bytes(&text), BYTES("files")));
	text_fini(&text);
	assert_int_equal(history_list(bytes_str(dir), &list), OK);
	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "number")), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 2), "uid")), 7);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "time")), "1970-01-01T00:00:01.000Z");
	json_decref(list);
	text_init_growing(&text, 100);
	assert_int_equal(history_read(bytes_str(dir), 2, &text), OK);
	assert_true(bytes_eq(text_bytes(&text), BYTES("two\n\0")));
	text_fini(&text);
	text_init_growing(&text, 100);
	assert_int_equal(history_read(bytes_str(dir), 4, &text), ERR_NOT_FOUND);
	text_fini(&text);
	remove_tree(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keeps_and_gives_back) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
