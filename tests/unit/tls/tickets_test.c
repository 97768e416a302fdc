/* Keys of session tickets: what is taken; what they do is in handshake_test.c. */
#include "certs.h"

static const struct { const char *why; size_t len; enum err want; } cases[] = {
	{ "none", 0, ERR_SYNTAX },	 { "one", 88, OK },	       { "three", 264, OK },
	{ "a part", 87, ERR_SYNTAX },	 { "a part more", 89, ERR_SYNTAX }, { "four", 352, ERR_SYNTAX },
};

static void test_set(void **state)
{
	unsigned char mem[352] = { 1 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].why);
		assert_int_equal(tls_tickets_set(bytes_of(mem, cases[i].len)), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_set) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
