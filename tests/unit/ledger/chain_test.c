/* Canonical lines, days, and the head that only its key can write. */
#include "ledger/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void texts_are_quoted_as_sqlite_does(void **state)
{
	static const struct { const char *why; struct bytes in, want; } cases[] = {
		{ "plain", LIT("web"), LIT("'web'") },
		{ "a quote is doubled", LIT("O'Neil"), LIT("'O''Neil'") },
		{ "quotes alone", LIT("''"), LIT("''''''") },
		{ "empty", LIT(""), LIT("''") },
	};
	unsigned char mem[64];
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		text_init(&t, mem, sizeof(mem));
		chain_put_text(&t, cases[i].in);
		if (!bytes_eq(text_bytes(&t), cases[i].want))
			fail_msg("%s", cases[i].why);
	}
	text_init(&t, mem, sizeof(mem));
	chain_put_int(&t, INT64_MIN);
	assert_true(bytes_eq(text_bytes(&t), BYTES("-9223372036854775808")));
}

static void days_go_there_and_back(void **state)
{
	static const struct { struct bytes in; bool is_day; uint64_t s; } cases[] = {
		{ LIT("1970-01-01"), true, 0 },		{ LIT("2000-02-29"), true, 951782400 },
		{ LIT("2020-01-09"), true, 1578528000 }, { LIT("2026-11-24"), true, 1795478400 },
		{ LIT("2023-02-29"), false, 0 },	{ LIT("2020-13-01"), false, 0 },
		{ LIT("2020-00-10"), false, 0 },	{ LIT("2020-1-009"), false, 0 },
		{ LIT("1969-12-31"), false, 0 },	{ LIT("2020-01-09 "), false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t us = 1;
		char again[LEDGER_DAY_LEN + 1];
		enum err e = chain_day_parse(cases[i].in, &us);

		if ((e == OK) != cases[i].is_day)
			fail_msg("%.*s", FMT(cases[i].in));
		if (e != OK)
			continue;
		assert_int_equal(us, cases[i].s * 1000000);
		chain_day(us + 86399999999, again);
		assert_true(bytes_eq(bytes_str(again), cases[i].in));
	}
}

static void a_head_is_its_keys(void **state)
{
	struct ed25519_key *key = ed25519_new(), *other = ed25519_new();
	struct ledger_head h = { .batch = 42, .hash = { 1, 2, 3 } }, got = { 0 };
	unsigned char mem[LEDGER_HEAD_LEN], pub[ED25519_PUBLIC_LEN], wrong[ED25519_PUBLIC_LEN];
	struct text t;

	(void)state;
	ed25519_public(key, pub);
	ed25519_public(other, wrong);
	text_init(&t, mem, sizeof(mem));
	assert_int_equal(chain_head_write(&h, key, &t), OK);
	assert_int_equal(t.len, LEDGER_HEAD_LEN);
	assert_int_equal(chain_head_read(text_bytes(&t), pub, &got), OK);
	assert_int_equal(got.batch, 42);
	assert_memory_equal(got.hash, h.hash, SHA256_LEN);
	assert_int_equal(chain_head_read(text_bytes(&t), wrong, &got), ERR_DENIED);
	assert_int_equal(chain_head_read(BYTES(""), pub, &got), ERR_NOT_FOUND);
	mem[22] ^= 1; /* the batch's number */
	assert_int_not_equal(chain_head_read(text_bytes(&t), pub, &got), OK);
	for (size_t i = 0; i < t.len - 100; i++) /* cut anywhere before its end */
		assert_int_not_equal(chain_head_read(bytes_cut(text_bytes(&t), 0, i), pub, &got), OK);
	ed25519_free(&key);
	ed25519_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_quoted_as_sqlite_does),
		cmocka_unit_test(days_go_there_and_back),
		cmocka_unit_test(a_head_is_its_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
