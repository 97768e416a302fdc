/* Addresses and prefixes: one reading each way, host bits and stray characters refused. */
#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	const char *why;
	struct bytes in;
	enum err want;
	struct bytes text;
} cases[] = {
	{ "IPv4", LIT("192.0.2.1:80"), OK, LIT("192.0.2.1:80") },
	{ "IPv6", LIT("[2001:DB8:0::1]:443"), OK, LIT("[2001:db8::1]:443") },
	{ "no port", LIT("192.0.2.1"), ERR_SYNTAX, LIT("") },
	{ "port zero", LIT("192.0.2.1:0"), ERR_LIMIT, LIT("") },
	{ "port too large", LIT("192.0.2.1:65536"), ERR_LIMIT, LIT("") },
	{ "octal-looking octet", LIT("010.0.0.1:80"), ERR_SYNTAX, LIT("") },
	{ "IPv6 without brackets", LIT("::1:80"), ERR_SYNTAX, LIT("") },
	{ "a name", LIT("localhost:80"), ERR_SYNTAX, LIT("") },
	{ "space behind", LIT("192.0.2.1:80 "), ERR_SYNTAX, LIT("") },
};

static void test_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[64];
		struct addr a;
		struct text t;
		if (addr_parse(cases[i].in, &a) != cases[i].want)
			fail_msg("%s", cases[i].why);
		if (cases[i].want != OK)
			continue;
		text_init(&t, mem, sizeof mem);
		addr_write(&a, &t);
		if (!bytes_eq(text_bytes(&t), cases[i].text))
			fail_msg("%s: %.*s", cases[i].why, FMT(text_bytes(&t)));
	}
}

static void test_prefixes(void **state)
{
	struct addr_prefix p;
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse_prefix(BYTES("10.0.0.0/8"), &p), OK);
	assert_int_equal(addr_parse_ip(BYTES("10.255.0.1"), &a), OK);
	assert_true(addr_in(&a, &p));
	assert_int_equal(addr_parse_ip(BYTES("11.0.0.1"), &a), OK);
	assert_false(addr_in(&a, &p));
	assert_int_equal(addr_parse_prefix(BYTES("10.1.0.0/8"), &p), ERR_SYNTAX); /* host bits */
	assert_int_equal(addr_parse_prefix(BYTES("10.0.0.0/33"), &p), ERR_LIMIT);
	assert_int_equal(addr_parse_prefix(BYTES("0.0.0.0/0"), &p), OK);
	assert_true(addr_in(&a, &p));
	assert_int_equal(addr_parse_ip(BYTES("2001:db8::1"), &a), OK);
	assert_false(addr_in(&a, &p)); /* all of IPv4 is not IPv6 */
	assert_int_equal(addr_parse_prefix(BYTES("2001:db8::/33"), &p), OK);
	assert_true(addr_in(&a, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_addresses), cmocka_unit_test(test_prefixes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
