/* What strangers chose does not become part of the page's language. */
#include "window/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void texts_stay_texts(void **state)
{
	static const struct window_words w = { .lang = "en", .title = "T", .with = "W", .from_to = "F", .systems = "S", .timeline = "L", .graph = "G",
		.client = "C", .user = "U", .target = "D", .name = "N", .first = "1", .last = "2", .times = "3", .in = "4", .out = "5", .open = "o",
		.before = "b", .how = "h", .more = "m" };
	const struct window_row rows[] = { { .c = { .client = BYTES("<script>alert(1)</script>"), .target = BYTES("\"><img>"), .user = BYTES("a'b&c"),
		.name = BYTES("<b>"), .first_us = 5, .last_us = 9, .opened = 1 }, .hop = 1 } };
	const char *const notes[] = { "<i>", NULL };
	const struct window_view v = { .with = BYTES("<x>"), .from_us = 1, .to_us = 10, .rows = rows, .count = 1, .notes = notes, .words = &w };
	struct text t;

	(void)state;
	text_init_growing(&t, 1 << 20);
	window_page(&t, &v);
	assert_false(t.failed);
	for (size_t i = 0; i < 5; i++) {
		static const char *const never[] = { "<script", "<img", "<i>", "<x>", "<b>" };

		assert_true(bytes_find(text_bytes(&t), bytes_str(never[i])) == SIZE_MAX);
	}
	assert_true(bytes_find(text_bytes(&t), BYTES("&lt;script&gt;alert(1)")) != SIZE_MAX);
	assert_true(bytes_find(text_bytes(&t), BYTES("a&#39;b&amp;c")) != SIZE_MAX);
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(texts_stay_texts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
