/* A clock of our own, people who mistype, and people who guess: exact delays, and who waits for whom. */
#include "auth/guess.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define START  (5 * HOUR)

static struct addr ip(const char *s)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse_ip(bytes_str(s), &a), OK);
	return a;
}

/* The nth of a stranger's many addresses, 10.0.0.0/8. */
static struct addr nth(uint32_t n)
{
	struct addr a = { .ip = { [10] = 0xff, [11] = 0xff, [12] = 10, [13] = (unsigned char)(n >> 16), [14] = (unsigned char)(n >> 8), [15] = (unsigned char)n } };

	return a;
}

static struct bytes account(const char *s)
{
	return bytes_str(s);
}

/* Asks, and fails where it may: the wait in seconds, 0 when it might. */
static uint32_t try_wrong(struct guess *g, const char *who, const struct addr *from, bool is_known, uint64_t now_ms, bool *is_alarm)
{
	enum guess_verdict v;
	uint32_t wait = 0;
	bool alarm = false;

	v = guess_ask(g, account(who), from, is_known, now_ms, &wait);
	assert_int_not_equal(v, GUESS_BUSY);
	if (v == GUESS_WAIT) {
		assert_true(wait >= 1);
		return wait;
	}
	guess_failed(g, account(who), from, is_known, now_ms, &alarm);
	if (is_alarm)
		*is_alarm = alarm;
	return 0;
}

static void test_delays(void **state)
{
	/* after this many failures in a row, so many seconds */
	static const uint32_t want[] = { 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900 };
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1");
	uint64_t now = START;
	uint32_t wait;

	(void)state;
	assert_non_null(g);
	for (size_t n = 0; n < COUNT_OF(want); n++) {
		bool is_alarm = false;
		if (want[n]) {
			assert_int_equal(guess_ask(g, account("eva"), &from, true, now, &wait), GUESS_WAIT);
			assert_int_equal(wait, want[n]);
			now += want[n] * SECOND - 1;
			assert_int_equal(guess_ask(g, account("eva"), &from, true, now, &wait), GUESS_WAIT);
			assert_int_equal(wait, 1);
			now++;
		}
		assert_int_equal(try_wrong(g, "eva", &from, true, now, &is_alarm), 0);
		assert_int_equal(is_alarm, n + 1 == 10);
	}
	/* as new: after success */
	now += 15 * MINUTE;
	assert_int_equal(guess_ask(g, account("EVA"), &from, true, now, &wait), GUESS_GO); /* in any case */
	guess_succeeded(g, account("Eva"), &from, now);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(try_wrong(g, "eva", &from, true, now, NULL), 0);
	assert_int_equal(try_wrong(g, "eva", &from, true, now, NULL), 1);
	guess_free(&g);
	assert_null(g);
}

static void test_forgotten(void **state)
{
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1");
	uint64_t now = START;

	(void)state;
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(try_wrong(g, "eva", &from, true, now, NULL), 0);
	now += HOUR - 1; /* one more within the hour goes on where it was */
	assert_int_equal(try_wrong(g, "eva", &from, true, now, NULL), 0);
	assert_int_equal(try_wrong(g, "eva", &from, true, now, NULL), 2);
	now += HOUR;
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(try_wrong(g, "eva", &from, true, now, NULL), 0);
	assert_int_equal(try_wrong(g, "eva", &from, true, now, NULL), 1);
	guess_free(&g);
}

/* Whoever waits and tries again nevertheless does not wait longer for it. */
static void test_impatient(void **state)
{
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1");

	(void)state;
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(try_wrong(g, "eva", &from, true, START, NULL), 0);
	for (uint64_t ms = 0; ms < SECOND; ms += 10)
		assert_int_equal(try_wrong(g, "eva", &from, true, START + ms, NULL), 1);
	assert_int_equal(try_wrong(g, "eva", &from, true, START + SECOND, NULL), 0);
	assert_int_equal(try_wrong(g, "eva", &from, true, START + SECOND, NULL), 2);
	guess_free(&g);
}

static void test_together(void **state)
{
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1");
	bool is_alarm;
	uint32_t wait;

	(void)state;
	for (unsigned n = 0; n < 4; n++) /* as many as would be let in one after the other */
		assert_int_equal(guess_ask(g, account("eva"), &from, true, START, &wait), GUESS_GO);
	assert_int_equal(guess_ask(g, account("eva"), &from, true, START, &wait), GUESS_WAIT);
	assert_int_equal(wait, 1);
	for (unsigned n = 0; n < 4; n++)
		guess_failed(g, account("eva"), &from, true, START + 200, &is_alarm);
	assert_int_equal(guess_ask(g, account("eva"), &from, true, START + 1200, &wait), GUESS_GO);
	assert_int_equal(guess_ask(g, account("eva"), &from, true, START + 1200, &wait), GUESS_WAIT); /* one at a time */
	/* whose end is never told: as if it had not been */
	assert_int_equal(guess_ask(g, account("eva"), &from, true, START + 1200 + 10 * SECOND, &wait), GUESS_GO);
	guess_free(&g);
}

static void test_source(void **state)
{
	static const struct { const char *why, *a, *b; bool is_same; } cases[] = {
		{ "an IPv4 address", "192.0.2.1", "192.0.2.1", true },
		{ "the next", "192.0.2.1", "192.0.2.2", false },
		{ "in one /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true },
		{ "in the next /64", "2001:db8:0:1::1", "2001:db8:0:2::1", false },
		{ "IPv4 is no IPv6 /64", "192.0.2.1", "::1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct guess *g = guess_new();
		struct addr a = ip(cases[i].a), b = ip(cases[i].b);
		char who[] = "user00";
		unsigned alarms = 0;
		uint32_t wait = 0;
		for (unsigned n = 0; n < 30; n++) {
			bool is_alarm;
			who[4] = (char)('0' + n / 10);
			who[5] = (char)('0' + n % 10);
			a.port = (uint16_t)n; /* does not matter */
			assert_int_equal(try_wrong(g, who, &a, false, START, &is_alarm), 0);
			alarms += is_alarm;
			assert_int_equal(is_alarm, n == 29);
		}
		assert_int_equal(alarms, 1);
		if (guess_ask(g, account("anna"), &b, false, START, &wait) != (cases[i].is_same ? GUESS_WAIT : GUESS_GO))
			fail_msg("%s", cases[i].why);
		assert_int_equal(wait, cases[i].is_same ? 20 : 0);
		assert_int_equal(guess_ask(g, account("anna"), &b, true, START, &wait), GUESS_GO); /* known there */
		guess_free(&g);
	}
}

/* One more every 20 s, and told of once until it is quiet again. */
static void test_source_refill(void **state)
{
	struct guess *g = guess_new();
	struct addr from = ip("198.51.100.7");
	uint64_t now = START;
	unsigned done = 0, alarms = 0;
	bool is_alarm;
	char who[8];

	(void)state;
	for (; now < START + HOUR; now += SECOND) {
		struct text t;
		text_init(&t, who, sizeof who - 1);
		text_fmt(&t, "u%u", done);
		who[t.len] = 0;
		is_alarm = false;
		if (try_wrong(g, who, &from, false, now, &is_alarm) == 0)
			done++;
		alarms += is_alarm;
	}
	/* the bucket, and its refills: the last at 3580 s */
	assert_in_range(done, 30 + 178, 30 + 180);
	assert_int_equal(alarms, 1);
	now += 10 * MINUTE; /* quiet */
	for (unsigned n = 0; n < 30; n++) {
		struct text t;
		text_init(&t, who, sizeof who - 1);
		text_fmt(&t, "v%u", n);
		who[t.len] = 0;
		assert_int_equal(try_wrong(g, who, &from, false, now, &is_alarm), 0);
		assert_int_equal(is_alarm, n == 29);
	}
	guess_free(&g);
}

/* Thousands of addresses guess at eva's account for a day, faster than the total allows: eva signs in from where she is known at once, each time. */
static void test_strangers(void **state)
{
	struct guess *g = guess_new();
	struct addr home = ip("203.0.113.9"), hotel = ip("198.51.100.99");
	uint32_t next = 0, guesses = 0, wait;
	bool is_alarm, is_told = false;

	(void)state;
	for (uint64_t now = START; now < START + 24 * HOUR; now += 5 * SECOND) {
		for (unsigned n = 0; n < 40; n++) { /* at others' accounts too, made up */
			struct addr from = nth(next++ % 60000);
			char who[16] = "eva";
			struct text t;
			if (n % 2) {
				text_init(&t, who, sizeof who - 1);
				text_fmt(&t, "x%u", next);
				who[t.len] = 0;
			}
			if (guess_ask(g, account(who), &from, false, now + n, &wait) != GUESS_GO)
				continue;
			guess_failed(g, account(who), &from, false, now + n, &is_alarm);
			is_told = is_told || (is_alarm && n % 2 == 0);
			guesses += n % 2 == 0;
		}
		if (now % (10 * MINUTE) != 0)
			continue;
		assert_int_equal(guess_ask(g, account("eva"), &home, true, now + SECOND, &wait), GUESS_GO);
		guess_failed(g, account("eva"), &home, true, now + SECOND, &is_alarm); /* mistyped */
		assert_int_equal(guess_ask(g, account("eva"), &home, true, now + 2 * SECOND, &wait), GUESS_GO);
		guess_succeeded(g, account("eva"), &home, now + 2 * SECOND);
	}
	assert_in_range(guesses, 2800, 100 + 24 * 120 + 1); /* 100, and one every 30 s */
	assert_true(is_told);
	/* from where she never was, she stands in line with the others: what there may be is gone at once */
	try_wrong(g, "eva", &hotel, false, START + 24 * HOUR, NULL);
	assert_int_equal(guess_ask(g, account("eva"), &hotel, false, START + 24 * HOUR, &wait), GUESS_WAIT);
	assert_in_range(wait, 1, 30);
	guess_free(&g);
}

/* More than the machine can check: those who are known still come in. */
static void test_total(void **state)
{
	struct guess *g = guess_new();
	struct addr home = ip("203.0.113.9");
	uint32_t wait, go = 0, next = 0;

	(void)state;
	for (unsigned n = 0; n < 500; n++) {
		struct addr from = nth(next++);
		char who[16];
		struct text t;
		text_init(&t, who, sizeof who - 1);
		text_fmt(&t, "x%u", n);
		who[t.len] = 0;
		go += guess_ask(g, account(who), &from, false, START, &wait) == GUESS_GO;
	}
	assert_int_equal(go, 100);
	assert_int_equal(guess_ask(g, account("eva"), &home, true, START, &wait), GUESS_GO);
	/* 50 a second from then on, and the known one's try is paid for first */
	go = 0;
	for (uint64_t ms = 0; ms < 10 * SECOND; ms++) {
		struct addr from = nth(next++);
		go += guess_ask(g, account("x"), &from, false, START + ms, &wait) == GUESS_GO;
		if (ms % SECOND == 0) {
			assert_int_equal(guess_ask(g, account("eva"), &home, true, START + ms, &wait), GUESS_GO);
			guess_succeeded(g, account("eva"), &home, START + ms);
		}
	}
	assert_in_range(go, 485, 500);
	guess_free(&g);
}

/* Somebody in eva's own office guesses at her account, and at all others, as fast as may be. */
static void test_office(void **state)
{
	struct guess *g = guess_new();
	struct addr office = ip("203.0.113.9"), home = ip("192.0.2.77");
	uint32_t wait, most = 0, guesses = 0;
	bool is_alarm;

	(void)state;
	for (uint64_t now = START; now < START + 12 * HOUR; now += SECOND) {
		struct text t;
		char who[16];
		text_init(&t, who, sizeof who - 1);
		text_fmt(&t, "x%u", (unsigned)(now / SECOND));
		who[t.len] = 0;
		if (guess_ask(g, account(who), &office, false, now, &wait) == GUESS_GO)
			guess_failed(g, account(who), &office, false, now, &is_alarm);
		if (guess_ask(g, account("eva"), &office, true, now, &wait) == GUESS_GO) {
			guess_failed(g, account("eva"), &office, true, now, &is_alarm);
			guesses++;
		}
		if (guess_ask(g, account("eva"), &office, true, now, &wait) == GUESS_WAIT && wait > most)
			most = wait;
		if (now % MINUTE == 0) { /* at home she notices nothing, nor does a colleague in the office */
			assert_int_equal(guess_ask(g, account("eva"), &home, true, now, &wait), GUESS_GO);
			guess_succeeded(g, account("eva"), &home, now);
			assert_int_equal(guess_ask(g, account("piet"), &office, true, now, &wait), GUESS_GO);
			guess_succeeded(g, account("piet"), &office, now);
		}
	}
	assert_int_equal(most, 900);
	assert_in_range(guesses, 13, 14 + 12 * 4);
	guess_free(&g);
}

static void test_unlock(void **state)
{
	struct guess *g = guess_new();
	struct addr a = ip("192.0.2.1"), b = ip("192.0.2.2"), c = ip("192.0.2.3");
	uint32_t wait;

	(void)state;
	for (unsigned n = 0; n < 10; n++) {
		assert_int_equal(try_wrong(g, "eva", &a, true, START + n * 40 * SECOND, NULL), 0);
		assert_int_equal(try_wrong(g, "piet", &a, true, START + n * 40 * SECOND, NULL), 0);
	}
	for (uint32_t n = 0; n < 100; n++) {
		struct addr from = nth(n);
		assert_int_equal(try_wrong(g, "eva", &from, false, START + 7 * MINUTE - 3 * SECOND + 20 * n, NULL), 0);
	}
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(try_wrong(g, "eva", &b, true, START + 7 * MINUTE, NULL), 0);
	assert_int_equal(guess_ask(g, account("eva"), &a, true, START + 7 * MINUTE, &wait), GUESS_WAIT);
	assert_int_equal(guess_ask(g, account("eva"), &b, true, START + 7 * MINUTE, &wait), GUESS_WAIT);
	assert_int_equal(guess_ask(g, account("eva"), &c, false, START + 7 * MINUTE, &wait), GUESS_WAIT);
	guess_unlock(g, account("EVA"));
	assert_int_equal(guess_ask(g, account("eva"), &a, true, START + 7 * MINUTE, &wait), GUESS_GO);
	assert_int_equal(guess_ask(g, account("eva"), &b, true, START + 7 * MINUTE, &wait), GUESS_GO);
	assert_int_equal(guess_ask(g, account("eva"), &c, false, START + 7 * MINUTE, &wait), GUESS_GO);
	assert_int_equal(guess_ask(g, account("piet"), &a, true, START + 7 * MINUTE, &wait), GUESS_WAIT); /* stays */
	guess_unlock(g, account("nobody"));
	guess_free(&g);
}

/* Several times more strangers than there are places: whoever has to wait is not pushed out before that has passed (whatever the key of the
 * hash makes of them), and the others still count. */
static void test_full(void **state)
{
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1");
	uint64_t now = START;
	uint32_t wait;
	bool is_alarm;

	(void)state;
	for (unsigned n = 0; n < 14; n++) /* told of failures alone: however fast they came */
		guess_failed(g, account("eva"), &from, true, now, &is_alarm);
	for (uint32_t n = 0; n < 600000; n++) {
		struct addr stranger = nth(n);
		char who[16];
		struct text t;
		text_init(&t, who, sizeof who - 1);
		text_fmt(&t, "x%u", n);
		who[t.len] = 0;
		guess_failed(g, account(who), &stranger, false, now, &is_alarm);
		assert_false(is_alarm);
		now += 20;
		if (n % 45000 == 44999) {
			assert_int_equal(guess_ask(g, account("eva"), &from, true, now, &wait), GUESS_GO);
			guess_failed(g, account("eva"), &from, true, now, &is_alarm);
			assert_int_equal(guess_ask(g, account("eva"), &from, true, now, &wait), GUESS_WAIT);
			assert_int_equal(wait, 900);
		}
	}
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(try_wrong(g, "anna", &from, true, now, NULL), 0);
	assert_int_equal(try_wrong(g, "anna", &from, true, now, NULL), 1);
	guess_free(&g);
}

/* Names of any length and octets are only what they are hashed to. */
static void test_names(void **state)
{
	static unsigned char longest[5000];
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1");
	uint32_t wait;
	bool is_alarm;

	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		guess_failed(g, bytes_of(longest, sizeof longest), &from, false, START, &is_alarm);
		guess_failed(g, BYTES(""), &from, false, START, &is_alarm);
	}
	assert_int_equal(guess_ask(g, bytes_of(longest, sizeof longest), &from, false, START, &wait), GUESS_WAIT);
	assert_int_equal(guess_ask(g, BYTES(""), &from, false, START, &wait), GUESS_WAIT);
	assert_int_equal(guess_ask(g, BYTES("eva"), &from, false, START, &wait), GUESS_GO);
	guess_free(&g);
}

/* A right password whose second factor is still to come is no failure that waits to be counted; and it forgets nothing either. */
static void test_right(void **state)
{
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1");
	uint32_t wait = 0;

	(void)state;
	assert_non_null(g);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(guess_ask(g, account("eva"), &from, true, START, &wait), GUESS_GO);
		guess_right(g, account("eva"), &from);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(try_wrong(g, "eva", &from, true, START, NULL), 0);
	assert_int_equal(try_wrong(g, "eva", &from, true, START, NULL), 1);
	assert_int_equal(guess_ask(g, account("eva"), &from, true, START + 2 * SECOND, &wait), GUESS_GO);
	guess_right(g, account("eva"), &from);
	assert_int_equal(try_wrong(g, "eva", &from, true, START + 2 * SECOND, NULL), 0);
	assert_int_equal(try_wrong(g, "eva", &from, true, START + 2 * SECOND, NULL), 2);
	guess_free(&g);
}

/* Work that is in vain: sixty, then one each second, however long it goes on; what was not in vain costs nothing, and no name waits for any of it. */
static void test_work(void **state)
{
	struct guess *g = guess_new();
	struct addr from = ip("192.0.2.1"), other = ip("192.0.2.2");
	uint64_t now = START;
	unsigned done = 0, alarms = 0;
	uint32_t wait = 0;
	bool is_alarm;

	(void)state;
	assert_non_null(g);
	for (unsigned n = 0; n < 500; n++, now += 20) { /* the total's pace */
		assert_int_equal(guess_work(g, "code", &from, now, &wait), GUESS_GO);
		guess_work_right(g, "code", &from);
	}
	for (unsigned n = 0; n < 40 * 50; n++, now += 20) {
		if (guess_work(g, "code", &from, now, &wait) == GUESS_WAIT) {
			assert_int_equal(wait, 1);
			continue;
		}
		guess_work_wrong(g, "code", &from, now, &is_alarm);
		done++;
		alarms += is_alarm;
	}
	assert_in_range(done, 60 + 38, 60 + 40);
	assert_int_equal(alarms, 1);
	assert_int_equal(guess_work(g, "code", &other, now, &wait), GUESS_GO);
	assert_int_equal(guess_work(g, "logout", &from, now, &wait), GUESS_GO);
	assert_int_equal(guess_ask(g, account("eva"), &from, false, now, &wait), GUESS_GO);
	guess_succeeded(g, account("eva"), &from, now);
	now += SECOND; /* and at once it is over */
	assert_int_equal(guess_work(g, "code", &from, now, &wait), GUESS_GO);
	now += MINUTE + SECOND;
	alarms = done = 0;
	for (unsigned n = 0; n < 500; n++) {
		done += guess_work_note(g, "state", &from, now, &is_alarm);
		alarms += is_alarm;
	}
	assert_int_equal(done, 60);
	assert_int_equal(alarms, 1);
	assert_int_equal(guess_work(g, "code", &from, now, &wait), GUESS_GO);
	/* as many as there may be in all */
	for (uint32_t n = 0; n < 200; n++) {
		struct addr stranger = nth(n);
		if (guess_work(g, "code", &stranger, now + MINUTE, &wait) == GUESS_BUSY) {
			assert_int_equal(n, 100);
			break;
		}
	}
	assert_int_equal(guess_work(g, "code", &other, now + MINUTE, &wait), GUESS_BUSY);
	guess_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_delays), cmocka_unit_test(test_right), cmocka_unit_test(test_forgotten), cmocka_unit_test(test_impatient),
		cmocka_unit_test(test_together), cmocka_unit_test(test_source), cmocka_unit_test(test_source_refill), cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_total), cmocka_unit_test(test_office), cmocka_unit_test(test_unlock), cmocka_unit_test(test_full), cmocka_unit_test(test_names), cmocka_unit_test(test_work) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
