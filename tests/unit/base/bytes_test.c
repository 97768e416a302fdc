/* Counting digits from outside, and searching. */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *why;
	struct bytes in;
	enum err want;
	uint64_t value;
} numbers[] = {
	{ "the largest", LIT("18446744073709551615"), OK, UINT64_MAX },
	{ "one more", LIT("18446744073709551616"), ERR_LIMIT, 0 },
	{ "a sign", LIT("+5"), ERR_SYNTAX, 0 },
	{ "a list of equals", LIT("5, 5"), ERR_SYNTAX, 0 },
	{ "nothing", LIT(""), ERR_SYNTAX, 0 },
	{ "leading zeros are digits", LIT("0005"), OK, 5 },
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		uint64_t n = 0;
		enum err e = bytes_u64(numbers[i].in, &n);
		if (e != numbers[i].want || (e == OK && n != numbers[i].value))
			fail_msg("%s", numbers[i].why);
	}
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(bytes_find(BYTES("/vpn/../vpns/"), BYTES("/vpns/")), 7);
	assert_true(bytes_find(BYTES("abc"), BYTES("abcd")) == SIZE_MAX);
	assert_int_equal(bytes_find(BYTES(""), BYTES("")), 0);
	assert_true(bytes_eq_nocase(BYTES("HoSt"), BYTES("hOsT")));
	assert_false(bytes_eq_nocase(BYTES("@"), BYTES("`"))); /* differ in 0x20 and are no letters */
	assert_true(bytes_eq(bytes_trim(BYTES(" \t a b \t")), BYTES("a b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers), cmocka_unit_test(test_find) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
