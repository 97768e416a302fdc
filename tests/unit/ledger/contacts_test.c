/* Sums by client, target and user, and a limit that holds. */
#include "ledger/contacts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct contact row(const char *client, const char *target, uint64_t at)
{
	return (struct contact){ .client = bytes_str(client), .target = bytes_str(target), .first_us = at, .last_us = at + 5, .opened = 1,
		.bytes_in = 10 };
}

static void same_ones_are_one(void **state)
{
	struct contacts *s = contacts_new(1 << 20);
	struct contact a = row("10.0.0.1", "10.1.0.1:80", 100), b = row("10.0.0.1", "10.1.0.1:80", 50), c = row("10.0.0.1", "10.1.0.2:80", 7);

	(void)state;
	a.user = BYTES("x");
	assert_int_equal(contacts_add(s, &b), OK);
	b.first_us = 20;
	b.name = BYTES("app/one");
	assert_int_equal(contacts_add(s, &b), OK);
	assert_int_equal(contacts_add(s, &a), OK); /* another user */
	assert_int_equal(contacts_add(s, &c), OK);
	contacts_sort(s);
	assert_int_equal(contacts_count(s), 3);
	assert_int_equal(contacts_at(s, 0)->opened, 2);
	assert_int_equal(contacts_at(s, 0)->first_us, 20);
	assert_int_equal(contacts_at(s, 0)->bytes_in, 20);
	assert_true(bytes_eq(contacts_at(s, 0)->name, BYTES("app/one")));
	assert_int_equal(contacts_add(s, &c), OK); /* also found after sorting */
	assert_int_equal(contacts_count(s), 3);
	contacts_free(&s);
	assert_null(s);
}

static void many_and_the_limit(void **state)
{
	struct contacts *s = contacts_new(1 << 20);
	enum err e = OK;
	size_t n = 0;

	(void)state;
	for (; e == OK && n < 1000000; n++) {
		char name[32];
		struct contact c = row(name, "10.1.0.1:80", n);

		snprintf(name, sizeof(name), "client %zu", n);
		c.client = bytes_str(name);
		e = contacts_add(s, &c);
	}
	assert_int_equal(e, ERR_LIMIT);
	assert_true(contacts_count(s) > 1000 && contacts_count(s) < 1000000);
	contacts_reset(s);
	assert_int_equal(contacts_count(s), 0);
	contacts_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(same_ones_are_one), cmocka_unit_test(many_and_the_limit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
