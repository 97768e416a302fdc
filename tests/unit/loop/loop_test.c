/* The loop against the system's own epoll: who is told of events, and who no longer. */
#include "loop/loop.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned events_seen;
static struct loop *loop;

static void count_event(struct watch *w, uint32_t events)
{
	(void)w, (void)events;
	events_seen++;
}

static void stop(struct timer *t)
{
	(void)t;
	loop_stop(loop);
}

static void run_for(unsigned ms)
{
	struct timer t = { 0 };

	loop_timer_set(loop, &t, ms, stop);
	loop_run(loop);
}

/* A connection came from another process, which has not closed its copy yet; ours is closed, and its owner's
 * memory freed. A worker died of the event that came then. */
static void a_copy_elsewhere_wakes_nobody(void **state)
{
	int pair[2], copy;
	struct watch *w = calloc(1, sizeof *w);

	(void)state;
	events_seen = 0;
	loop = loop_new();
	assert_non_null(loop);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	copy = dup(pair[0]);
	*w = (struct watch){ .fd = pair[0], .on_event = count_event };
	assert_int_equal(loop_add(loop, w, EPOLLIN | EPOLLET), OK);
	assert_int_equal(write(pair[1], "x", 1), 1);
	run_for(1);
	assert_int_equal(events_seen, 1);
	loop_remove(loop, w, false);
	close(pair[0]);
	free(w);
	assert_int_equal(write(pair[1], "y", 1), 1);
	run_for(20);
	assert_int_equal(events_seen, 1);
	close(copy);
	close(pair[1]);
	loop_free(&loop);
}

static struct watch both[2];
static int sockets[2][2];

static void remove_the_other(struct watch *w, uint32_t events)
{
	struct watch *other = w == &both[0] ? &both[1] : &both[0];

	count_event(w, events);
	loop_remove(loop, other, false);
}

static void an_event_of_this_turn_reaches_nobody_who_left(void **state)
{
	(void)state;
	events_seen = 0;
	loop = loop_new();
	assert_non_null(loop);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i]), 0);
		both[i] = (struct watch){ .fd = sockets[i][0], .on_event = remove_the_other };
		assert_int_equal(loop_add(loop, &both[i], EPOLLIN | EPOLLET), OK);
		assert_int_equal(write(sockets[i][1], "x", 1), 1);
	}
	run_for(20);
	assert_int_equal(events_seen, 1);
	for (size_t i = 0; i < 2; i++) {
		loop_remove(loop, &both[i], false);
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
	loop_free(&loop);
}

static unsigned fired[3];

static void count_0(struct timer *t)
{
	(void)t;
	fired[0]++;
}

static void count_1(struct timer *t)
{
	(void)t;
	fired[1]++;
}

static void timers_come_once_and_in_time(void **state)
{
	struct timer soon = { 0 }, late = { 0 }, never = { 0 };

	(void)state;
	loop = loop_new();
	assert_non_null(loop);
	loop_timer_set(loop, &soon, 1, count_0);
	loop_timer_set(loop, &late, 3600000, count_1);
	loop_timer_set(loop, &never, 2, count_1);
	loop_timer_clear(loop, &never);
	run_for(40);
	assert_int_equal(fired[0], 1);
	assert_int_equal(fired[1], 0);
	assert_false(timer_is_set(&soon));
	assert_true(timer_is_set(&late));
	loop_timer_set(loop, &late, 1, count_1); /* earlier than it was */
	run_for(40);
	assert_int_equal(fired[1], 1);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_elsewhere_wakes_nobody),
		cmocka_unit_test(an_event_of_this_turn_reaches_nobody_who_left),
		cmocka_unit_test(timers_come_once_and_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
