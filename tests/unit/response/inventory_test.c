/* Inventories: what they become, and what is refused with the line and the words to write instead. */
#include "response/inventory.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_whole(void **state)
{
	static const char *const text = "customers:\n  - {name: H, contact: ict@h.example, language: nl}\nappliances:\n  - name: gw\n    customer: H\n    edition: fips\n"
		"    exposed_since: 2020-01-01\n    roles: [gateway]\n    addresses: [192.0.2.1, '2001:db8::1']\n    updates:\n      - {on: 2023-07-20, from: 13.1-37.100, to: 13.1-37.159}\n"
		"    mitigations: [{advisory: CVE-1, on: never}]\n    certificates: [{name: '*.h.example', also_on: [mail]}]\n    users: 40\n";
	char error[DATA_ERROR_MAX];
	struct inventory *inv = NULL;
	const struct inventory_appliance *a;

	(void)state;
	assert_int_equal(inventory_read(bytes_str(text), "i", &inv, error), OK);
	a = &inv->appliances[0];
	assert_string_equal(a->customer->contact, "ict@h.example");
	assert_true(a->has_build && a->build.line.edition == NS_FIPS && a->build.sub == 159);
	assert_true(a->mitigations[0].is_never && a->certificates[0].is_wildcard);
	assert_int_equal(a->users, 40);
	inventory_free(&inv);
	assert_null(inv);
}

static void test_refused(void **state)
{
#define A "appliances:\n  - name: a\n    "
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", "i:1: 'appliances' is missing" },
		{ "appliance: []\n", "i:1: 'appliance' is not a key here; did you mean appliances?" },
		{ A "build: newest\n", "i:3: 'build' is no build: 'newest'; write 13.1-49.13" },
		{ A "edition: gold\n", "i:3: 'edition' is standard, fips or ndcpp, not 'gold'" },
		{ A "edition: fips\n    build: 13.1-NDcPP 37.1\n", "i:4: 'build' is of the edition ndcpp, and the appliance's edition is fips" },
		{ A "product: bigip\n", "i:3: 'product' is netscaler or sd-wan-wanop, not 'bigip'" },
		{ A "customer: X\n", "i:3: no customer is called 'X'" },
		{ A "addresses: [192.0.2.300]\n", "i:3: '192.0.2.300' is no address" },
		{ A "exposed_since: yesterday\n", "i:3: 'exposed_since' is no moment: 'yesterday'" },
		{ A "exposed_since: -2h\n", "i:3: 'exposed_since' is no moment" },
		{ A "updates: [{on: 2020-01-25, from: 13.0-47.24, to: 13.0-47.22}]\n", "i:3: an update goes to a newer build" },
		{ A "updates: [{on: 2021-01-25, to: 13.0-47.24}, {on: 2020-01-25, to: 13.0-58.1}]\n", "i:3: updates stand in order" },
		{ A "build: 13.0-1.1\n    updates: [{on: 2020-01-25, to: 13.0-47.24}]\n", "i:2: 'build' is not the build of the last update" },
		{ A "mitigations: [{advisory: C, on: 2020-01-01}, {advisory: C, on: never}]\n", "i:3: there is a mitigation of C already" },
		{ A "name: a\n", "i:3:5: this key is there twice" },
		{ "appliances: [{name: a}, {name: a}]\n", "i:1: the appliance 'a' is there twice" },
		{ "customers: [{name: a}, {name: a}]\nappliances: []\n", "i:1: the customer 'a' is there twice" },
		{ "customers: [{name: a, contact: 'x@y, z@w'}]\nappliances: []\n", "i:1: 'contact' is one mail address" },
		{ "customers: [{name: \"a\\nb\"}]\nappliances: []\n", "i:1: 'name' is one line of text" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char error[DATA_ERROR_MAX] = "";
		struct inventory *inv = NULL;

		assert_int_equal(inventory_read(bytes_str(cases[i].text), "i", &inv, error), ERR_SYNTAX);
		assert_null(inv);
		if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: '%s', not '%s'", cases[i].text, error, cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
