/* Builds of an appliance in all the spellings in which they are met, and their order. */
#include "response/version.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_spellings(void **state)
{
	static const struct {
		const char *why, *in, *out; /* out NULL: refused */
	} cases[] = {
		{ "as people write it", "13.1-49.13", "13.1-49.13" },
		{ "as the appliance says it", "NS13.0: Build 47.24.nc", "13.0-47.24" },
		{ "with a date behind", "NetScaler NS13.1: Build 49.13.nc, Date: Jul 10 2023", "13.1-49.13" },
		{ "the first line of ns.conf", "#NS12.1 Build 51.19", "12.1-51.19" },
		{ "that line with its end", "#NS12.1 Build 51.19\r\n", "12.1-51.19" },
		{ "a kernel's name", "ns-13.1-30.52", "13.1-30.52" },
		{ "a kernel's name with its quote", "ns-13.1-30.52\"", "13.1-30.52" },
		{ "FIPS", "13.1-FIPS 37.159", "13.1-FIPS 37.159" },
		{ "FIPS with dashes", "13.1-FIPS-37.159", "13.1-FIPS 37.159" },
		{ "small letters", "12.1-ndcpp 55.297", "12.1-NDcPP 55.297" },
		{ "nothing", "", NULL },
		{ "a release without a build", "13.1", NULL },
		{ "a third number", "13.1-49.13.7", NULL },
		{ "a number too long", "13.1-49.12345", NULL },
		{ "no number", "13.x-49.13", NULL },
		{ "words", "newest", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ns_version v;
		char mem[64];
		struct text t;
		enum err e = ns_version_parse(bytes_str(cases[i].in), &v);

		if (e != (cases[i].out ? OK : ERR_SYNTAX))
			fail_msg("%s: '%s' gives %s", cases[i].why, cases[i].in, err_name(e));
		if (!cases[i].out)
			continue;
		text_init(&t, mem, sizeof(mem) - 1);
		ns_version_write(&v, &t);
		mem[t.len] = 0;
		assert_string_equal(mem, cases[i].out);
	}
}

static void test_order(void **state)
{
	static const struct {
		const char *a, *b;
		int want; /* 9: not of one line */
	} cases[] = {
		{ "13.0-47.22", "13.0-47.24", -1 }, { "13.0-47.24", "13.0-47.24", 0 }, { "13.0-58.1", "13.0-47.24", 1 },
		{ "13.0-9.99", "13.0-10.1", -1 }, { "13.0-47.9", "13.0-47.10", -1 }, { "13.1-37.159", "13.1-FIPS 37.159", 9 },
		{ "12.1-FIPS 55.297", "12.1-NDcPP 55.297", 9 }, { "12.1-55.18", "13.0-47.24", 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ns_version a, b;
		int order = 9;
		enum err e;

		assert_int_equal(ns_version_parse(bytes_str(cases[i].a), &a), OK);
		assert_int_equal(ns_version_parse(bytes_str(cases[i].b), &b), OK);
		e = ns_version_compare(&a, &b, &order);
		assert_int_equal(e, cases[i].want == 9 ? ERR_UNSUPPORTED : OK);
		assert_int_equal(order, cases[i].want);
	}
}

static void test_lines(void **state)
{
	struct ns_line l;

	(void)state;
	assert_int_equal(ns_line_parse(BYTES("13.1-FIPS"), &l), OK);
	assert_int_equal(l.edition, NS_FIPS);
	assert_int_equal(ns_line_parse(BYTES("10.5"), &l), OK);
	assert_int_equal(l.edition, NS_STANDARD);
	assert_int_equal(ns_line_parse(BYTES("13.1-49.13"), &l), ERR_SYNTAX);
	assert_int_equal(ns_line_parse(BYTES("13"), &l), ERR_SYNTAX);
}

static void test_wanop(void **state)
{
	static const char *const good[] = { "10.2.6", "10.2.6b", "11.0.3" }, *const bad[] = { "", "10.2", "10.2.6bb", "10.2-6.1", "10.2.6.1", "10.2.6-" };
	struct ns_version v;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		char mem[32] = "";
		struct text t;

		assert_int_equal(ns_wanop_parse(bytes_str(good[i]), &v), OK);
		text_init(&t, mem, sizeof(mem) - 1);
		ns_version_write(&v, &t);
		assert_string_equal(mem, good[i]);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(ns_wanop_parse(bytes_str(bad[i]), &v), ERR_SYNTAX);
	assert_int_equal(ns_version_parse(BYTES("10.2-WANOP 6.1"), &v), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_spellings), cmocka_unit_test(test_order), cmocka_unit_test(test_lines), cmocka_unit_test(test_wanop) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
