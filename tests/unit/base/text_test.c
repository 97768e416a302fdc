/* A text and a reader that ran out stay failed and harmless; an arena never hands out more than it has. */
#include "base/arena.h"
#include "base/reader.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_full_text_stays_failed(void **state)
{
	unsigned char mem[4];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "abc");
	text_lit(&t, "de");
	text_lit(&t, "f");
	assert_true(t.failed);
	assert_int_equal(t.len, 3);
}

static void test_message_both_ways(void **state)
{
	unsigned char mem[64];
	struct text t;
	struct reader r;

	(void)state;
	text_init(&t, mem, sizeof mem);
	text_put_u16(&t, 0xbeef);
	text_put_u64(&t, 1ULL << 63);
	text_lit(&t, "xy");
	r = (struct reader){ .left = text_bytes(&t) };
	assert_int_equal(reader_u16(&r), 0xbeef);
	assert_true(reader_u64(&r) == 1ULL << 63);
	assert_true(bytes_eq(reader_take(&r, 2), BYTES("xy")));
	assert_true(reader_done(&r));
	assert_int_equal(reader_u8(&r), 0);
	assert_false(reader_done(&r));
}

/* Octets behind their length: as they were, cut short, and longer than a length can say. */
static void test_bytes_both_ways(void **state)
{
	static unsigned char mem[70000], large[UINT16_MAX + 1];
	struct reader r;
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	text_put_bytes(&t, BYTES("one"));
	text_put_bytes(&t, BYTES(""));
	text_put_bytes(&t, bytes_of(large, UINT16_MAX));
	assert_false(t.failed);
	r = (struct reader){ .left = text_bytes(&t) };
	assert_true(bytes_eq(reader_bytes(&r), BYTES("one")));
	assert_int_equal(reader_bytes(&r).len, 0);
	assert_int_equal(reader_bytes(&r).len, UINT16_MAX);
	assert_true(reader_done(&r));
	r = (struct reader){ .left = bytes_cut(text_bytes(&t), 0, 4) };
	assert_int_equal(reader_bytes(&r).len, 0);
	assert_true(r.failed);
	text_init(&t, mem, sizeof mem);
	text_put_bytes(&t, bytes_of(large, sizeof large));
	assert_true(t.failed);
}

static void test_arena_limits(void **state)
{
	unsigned char mem[128];
	struct arena a;

	(void)state;
	arena_init(&a, mem, sizeof mem);
	assert_non_null(arena_alloc(&a, 64));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_array(&a, SIZE_MAX / 2, 4));
	assert_null(arena_alloc(&a, 129));
	arena_init_growing(&a, 1 << 20);
	assert_non_null(arena_alloc(&a, 1 << 18));
	assert_non_null(arena_alloc(&a, 1 << 18));
	assert_null(arena_alloc(&a, 1 << 20));
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_full_text_stays_failed),
		cmocka_unit_test(test_message_both_ways), cmocka_unit_test(test_bytes_both_ways), cmocka_unit_test(test_arena_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
