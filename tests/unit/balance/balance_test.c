/* Where requests go: shares by weight, who is left out, when to wait, and what a hash keeps. */
#include "balance/balance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define N 4

static struct balance_server servers[N];
static struct balance_pool pool;
static unsigned hits[N];
static unsigned char mem[1 << 20];
static struct arena arena;
static const struct bytes names[N] = { LIT("a"), LIT("b"), LIT("c"), LIT("d") };
static uint64_t seed;

static uint64_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed ^ seed >> 31;
}

static int setup(void **state)
{
	(void)state;
	memset(servers, 0, sizeof servers);
	memset(hits, 0, sizeof hits);
	seed = 42;
	for (size_t i = 0; i < N; i++)
		servers[i] = (struct balance_server){ .weight = 1, .is_up = true };
	pool = (struct balance_pool){ .servers = servers, .count = N, .eject_max_percent = 50 };
	arena_init(&arena, mem, sizeof mem);
	return 0;
}

static size_t choose(uint64_t hash, bool *full)
{
	struct balance_choice c = { .now_ms = 1000000, .random = next_random(), .hash = hash, .sticky = BALANCE_NONE };

	return balance_choose(&pool, &c, full);
}

static void spread(enum balance_algorithm a, unsigned n)
{
	bool full;

	pool.algorithm = a;
	assert_int_equal(balance_pool_init(&pool, &arena, names), OK);
	for (unsigned i = 0; i < n; i++) {
		size_t s = choose(next_random(), &full);
		assert_true(s < N);
		hits[s]++;
	}
}

static void test_round_robin_weights(void **state)
{
	(void)state;
	servers[0].weight = 5;
	servers[3].weight = 0;
	spread(BAL_ROUND_ROBIN, 700);
	assert_int_equal(hits[0], 500);
	assert_int_equal(hits[1], 100);
	assert_int_equal(hits[2], 100);
	assert_int_equal(hits[3], 0);
}

static void test_down_ejected_backup(void **state)
{
	bool full;

	(void)state;
	servers[0].is_up = false;
	servers[1].is_ejected = true;
	servers[3].is_backup = true;
	spread(BAL_ROUND_ROBIN, 10);
	assert_int_equal(hits[2], 10);
	servers[2].is_ejected = servers[1].is_ejected = true; /* all out: the floor lets them in again */
	memset(hits, 0, sizeof hits);
	spread(BAL_ROUND_ROBIN, 10);
	assert_int_equal(hits[1] + hits[2], 10);
	servers[1].is_up = servers[2].is_up = false;
	assert_int_equal(choose(0, &full), 3); /* the backup */
	servers[3].is_up = false;
	assert_true(choose(0, &full) == BALANCE_NONE);
	assert_false(full);
}

static void test_full_waits(void **state)
{
	bool full;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		servers[i].max_active = 2;
		servers[i].active = 2;
	}
	for (int a = BAL_ROUND_ROBIN; a <= BAL_TWO_CHOICES; a++) {
		pool.algorithm = (enum balance_algorithm)a;
		assert_true(choose(0, &full) == BALANCE_NONE);
		assert_true(full);
	}
	servers[2].active = 1;
	assert_int_equal(choose(0, &full), 2);
}

static void test_least_requests(void **state)
{
	bool full;

	(void)state;
	pool.algorithm = BAL_LEAST_REQUESTS;
	servers[0].active = 3;
	servers[1].active = 1;
	servers[2].active = 2;
	servers[3].active = 5;
	assert_int_equal(choose(0, &full), 1);
	servers[3].weight = 10; /* 6/10 < 2/1 */
	assert_int_equal(choose(0, &full), 3);
}

static void test_two_choices_avoids_the_slow(void **state)
{
	(void)state;
	for (size_t i = 0; i < N; i++)
		servers[i].latency_us = 1000;
	servers[0].latency_us = 100000;
	spread(BAL_TWO_CHOICES, 4000);
	assert_int_equal(hits[0], 0); /* the other one always wins */
	for (size_t i = 1; i < N; i++)
		assert_in_range(hits[i], 1150, 1520);
}

static void test_hash_moves_little(void **state)
{
	size_t before[1000], moved = 0;
	bool full;

	(void)state;
	pool.algorithm = BAL_HASH;
	assert_int_equal(balance_pool_init(&pool, &arena, names), OK);
	for (size_t i = 0; i < 1000; i++)
		hits[before[i] = choose(i, &full)]++;
	for (size_t i = 0; i < N; i++)
		assert_in_range(hits[i], 150, 350);
	servers[1].is_up = false;
	for (size_t i = 0; i < 1000; i++)
		moved += choose(i, &full) != before[i];
	assert_int_equal(moved, hits[1]); /* only what was there */
}

static void test_sticky_and_drain(void **state)
{
	struct balance_choice c = { .now_ms = 1, .random = 1, .sticky = 2 };
	bool full;

	(void)state;
	servers[2].is_draining = true;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(balance_choose(&pool, &c, &full), 2);
		assert_int_not_equal(choose(0, &full), 2);
	}
	servers[2].is_up = false;
	assert_int_not_equal(balance_choose(&pool, &c, &full), 2);
}

static void test_slow_start(void **state)
{
	(void)state;
	pool.slow_start_ms = 10000;
	servers[0].up_since_ms = 1000000 - 5000; /* half way */
	spread(BAL_ROUND_ROBIN, 700);
	assert_in_range(hits[0], 95, 105);
}

static void test_retry_budget(void **state)
{
	struct retry_budget b = { .percent = 20 };
	unsigned n = 0;

	(void)state;
	while (retry_budget_take(&b))
		n++;
	assert_int_equal(n, 10); /* the reserve */
	for (int i = 0; i < 100; i++)
		retry_budget_request(&b);
	for (n = 0; retry_budget_take(&b); n++)
		;
	assert_int_equal(n, 20);
}

static void test_health(void **state)
{
	struct health h = { .rise = 2, .fall = 3 };

	(void)state;
	assert_true(health_note(&h, true) && h.is_up);
	assert_false(health_note(&h, false));
	assert_false(health_note(&h, false));
	assert_false(health_note(&h, true)); /* the run is broken */
	assert_false(health_note(&h, false));
	assert_false(health_note(&h, false));
	assert_true(health_note(&h, false) && !h.is_up);
	assert_false(health_note(&h, true));
	assert_true(health_note(&h, true) && h.is_up);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_round_robin_weights, setup),
		cmocka_unit_test_setup(test_down_ejected_backup, setup), cmocka_unit_test_setup(test_full_waits, setup),
		cmocka_unit_test_setup(test_least_requests, setup),
		cmocka_unit_test_setup(test_two_choices_avoids_the_slow, setup),
		cmocka_unit_test_setup(test_hash_moves_little, setup), cmocka_unit_test_setup(test_sticky_and_drain, setup),
		cmocka_unit_test_setup(test_slow_start, setup), cmocka_unit_test(test_retry_budget),
		cmocka_unit_test(test_health) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
