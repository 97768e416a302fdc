/* Timers over days of a clock that the test turns: each comes in time, whichever slot of the wheel it passes. */
#include "loop/loop.c" /* for the clock and the wheel themselves */

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define TIMERS 4096

struct watched {
	struct timer timer;
	uint64_t want_ms;
};
static struct watched timers[TIMERS];
static struct loop *l;
static unsigned fired, late;

static void on_due(struct timer *t)
{
	struct watched *w = CONTAINER_OF(t, struct watched, timer);
	uint64_t now = loop_now_ms(l);

	fired++;
	late += now < w->want_ms || now > w->want_ms + 2 * TICK_MS;
}

static void turn_to(uint64_t ms)
{
	for (; loop_now_ms(l) < ms; l->now_us += TICK_MS * 1000)
		timers_run(l);
	timers_run(l);
}

static void set(struct watched *w, uint64_t in_ms)
{
	w->want_ms = loop_now_ms(l) + in_ms;
	loop_timer_set(l, &w->timer, in_ms, on_due);
}

static int setup(void **state)
{
	(void)state;
	memset(timers, 0, sizeof timers);
	fired = late = 0;
	l = loop_new();
	return l ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	loop_free(&l);
	return 0;
}

/* Once, a timer that was due in the last slot before its wheel's turn was put back where it had been taken from, and
 * came one round of the next wheel late: two minutes, or hours. */
static void every_distance_comes_in_time(void **state)
{
	static const struct {
		const char *why;
		uint64_t least_ms, step_ms;
	} spans[] = {
		{ "one wheel", 1, 1 },
		{ "two wheels", 2000, 8 },
		{ "around two minutes", 120000, 8 },
		{ "many turns", 3000, 131 },
		{ "three wheels", 130000, 509 },
		{ "beyond", 8000000, 1021 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(spans); i++) {
		uint64_t most = spans[i].least_ms + TIMERS * spans[i].step_ms;

		fired = 0;
		for (size_t k = 0; k < TIMERS; k++)
			set(&timers[k], spans[i].least_ms + k * spans[i].step_ms);
		turn_to(loop_now_ms(l) + most + 100);
		if (fired != TIMERS || late)
			fail_msg("%s: %u of %u came, %u of them late", spans[i].why, fired, TIMERS, late);
		assert_int_equal(l->timers, 0);
	}
}

static void moved_timers_come_once(void **state)
{
	uint64_t start;

	(void)state;
	start = loop_now_ms(l);
	for (size_t k = 0; k < TIMERS; k++)
		set(&timers[k], 100 + k * 3);
	turn_to(start + 50);
	for (size_t k = 0; k < TIMERS; k++) /* later, earlier, not at all */
		if (k % 3 == 0)
			set(&timers[k], 5000 + k * 5);
		else if (k % 3 == 1)
			set(&timers[k], 10 + k);
		else
			loop_timer_clear(l, &timers[k].timer);
	turn_to(start + 100000);
	assert_int_equal(fired, TIMERS - TIMERS / 3);
	assert_int_equal(late, 0);
	assert_int_equal(l->timers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_distance_comes_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(moved_timers_come_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
