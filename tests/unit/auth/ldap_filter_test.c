/* What is typed stays a value, and of a group's DN the first value comes. */
#include "auth/ldap_filter.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_fill(void **state)
{
	static const struct { const char *why; struct bytes pattern, user, dn; enum err want; struct bytes filter; } cases[] = {
		{ "a name", LIT("(&(objectClass=person)(uid=%u))"), LIT("eva"), { NULL, 0 }, OK, LIT("(&(objectClass=person)(uid=eva))") },
		{ "everybody", LIT("(uid=%u)"), LIT("*"), { NULL, 0 }, OK, LIT("(uid=\\2a)") },
		{ "another filter", LIT("(uid=%u)"), LIT("eva)(uid=*"), { NULL, 0 }, OK, LIT("(uid=eva\\29\\28uid=\\2a)") },
		{ "an escape of its own", LIT("(uid=%u)"), LIT("\\2a"), { NULL, 0 }, OK, LIT("(uid=\\5c2a)") },
		{ "a NUL", LIT("(uid=%u)"), LIT("a\0b"), { NULL, 0 }, OK, LIT("(uid=a\\00b)") },
		{ "beyond ASCII", LIT("(uid=%u)"), LIT("\xc3\xab"), { NULL, 0 }, OK, LIT("(uid=\\c3\\ab)") },
		{ "a % in the name is not filled in", LIT("(uid=%u)"), LIT("%d"), LIT("cn=x"), OK, LIT("(uid=%d)") },
		{ "twice", LIT("(|(uid=%u)(mail=%u))"), LIT("e"), { NULL, 0 }, OK, LIT("(|(uid=e)(mail=e))") },
		{ "whoever it is", LIT("(uid=%u)"), { NULL, 0 }, { NULL, 0 }, OK, LIT("(uid=*)") },
		{ "a DN", LIT("(member=%d)"), LIT("e"), LIT("cn=a (b),dc=x"), OK, LIT("(member=cn=a \\28b\\29,dc=x)") },
		{ "no DN", LIT("(member=%d)"), LIT("e"), { NULL, 0 }, ERR_SYNTAX, LIT("") },
		{ "a % that is none", LIT("(a=%x)"), LIT("e"), LIT("d"), ERR_SYNTAX, LIT("") },
		{ "a % at the end", LIT("(a=b)%"), LIT("e"), LIT("d"), ERR_SYNTAX, LIT("") },
		{ "full", LIT("(uid=%u)"), LIT("****************************************************************"), { NULL, 0 }, ERR_LIMIT, LIT("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[100];
		struct text t;

		print_message("%s\n", cases[i].why);
		text_init(&t, mem, sizeof mem);
		assert_int_equal(ldap_filter_fill(&t, cases[i].pattern, cases[i].user, cases[i].dn), cases[i].want);
		if (cases[i].want == OK)
			assert_true(bytes_eq(text_bytes(&t), cases[i].filter));
	}
}

static void test_rdn(void **state)
{
	static const struct { const char *why; struct bytes dn; enum err want; struct bytes value; } cases[] = {
		{ "a group", LIT("cn=staff,ou=groups,dc=example,dc=org"), OK, LIT("staff") },
		{ "capitals and spaces", LIT("CN=Domain Admins,CN=Users,DC=corp"), OK, LIT("Domain Admins") },
		{ "an escaped comma", LIT("cn=a\\,b,dc=x"), OK, LIT("a,b") },
		{ "hexadecimal digits", LIT("cn=\\c3\\ABb,dc=x"), OK, LIT("\xc3\xab" "b") },
		{ "two values", LIT("cn=a+uid=b,dc=x"), OK, LIT("a") },
		{ "one part", LIT("cn=a"), OK, LIT("a") },
		{ "numbers", LIT("2.5.4.3=a"), OK, LIT("a") },
		{ "a space at the end", LIT("cn=a \\ ,dc=x"), OK, LIT("a  ") },
		{ "one that was not escaped", LIT("cn= a ,dc=x"), OK, LIT("a") },
		{ "an = in the value", LIT("cn=a=b,dc=x"), OK, LIT("a=b") },
		{ "BER", LIT("cn=#0401,dc=x"), ERR_SYNTAX, LIT("") },
		{ "no DN", LIT("staff"), ERR_SYNTAX, LIT("") },
		{ "no DN, with an =", LIT("a b=c"), ERR_SYNTAX, LIT("") },
		{ "no type", LIT("=a"), ERR_SYNTAX, LIT("") },
		{ "no value", LIT("cn=,dc=x"), ERR_SYNTAX, LIT("") },
		{ "spaces alone", LIT("cn=  ,dc=x"), ERR_SYNTAX, LIT("") },
		{ "half an escape", LIT("cn=a\\"), ERR_SYNTAX, LIT("") },
		{ "an escape that is none", LIT("cn=a\\zz"), ERR_SYNTAX, LIT("") },
		{ "quoted", LIT("cn=\"a\",dc=x"), ERR_SYNTAX, LIT("") },
		{ "nothing", LIT(""), ERR_SYNTAX, LIT("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char mem[100];
		struct text t;

		print_message("%s\n", cases[i].why);
		text_init(&t, mem, sizeof mem);
		assert_int_equal(ldap_rdn_value(cases[i].dn, &t), cases[i].want);
		if (cases[i].want == OK)
			assert_true(bytes_eq(text_bytes(&t), cases[i].value));
	}
}

static void test_hex(void **state)
{
	unsigned char mem[16], back[16];
	struct text t, b;

	(void)state;
	text_init(&t, mem, sizeof mem);
	text_init(&b, back, sizeof back);
	ldap_hex(&t, BYTES("\x00\xff\x1a"));
	assert_true(bytes_eq(text_bytes(&t), BYTES("00ff1a")));
	assert_int_equal(ldap_unhex(&b, text_bytes(&t)), OK);
	assert_true(bytes_eq(text_bytes(&b), BYTES("\x00\xff\x1a")));
	assert_int_equal(ldap_unhex(&b, BYTES("0")), ERR_SYNTAX);
	assert_int_equal(ldap_unhex(&b, BYTES("0g")), ERR_SYNTAX);
	assert_int_equal(ldap_unhex(&b, BYTES("")), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fill), cmocka_unit_test(test_rdn), cmocka_unit_test(test_hex) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
