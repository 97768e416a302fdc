/* One writer and three readers on one board, under ThreadSanitizer: a reader has nothing but what a worker remembers, and is never told that a session
 * lives which has ended, nor that one has ended which lives. */
#include "auth/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <pthread.h>

#ifndef __SANITIZE_THREAD__
#if !defined(__has_feature) || !__has_feature(thread_sanitizer)
#error "to be compiled with -fsanitize=thread"
#endif
#endif

#define OPERATIONS 30000
#define MEMORIES   (2 * OPERATIONS)
#define READERS	   3
#define NOW	   UINT64_C(1800000000)

enum { LIVES, ENDING, ENDED };

/* What a worker remembers of one session. state is the truth, by the writer: it goes to ENDING before the call that ends it and to ENDED behind it. */
struct memory {
	uint32_t slot, generation;
	char id[17];
	int state;
};
static struct memory memories[MEMORIES];
static size_t memory_count;
static uint32_t memory_of_slot[BOARD_SESSION_SLOTS];
static struct board_sessions *board;
static struct board_seen *seen;
static bool is_done;
static uint64_t checks[READERS], lives_seen[READERS], ends_seen[READERS], wrong[READERS];

static uint32_t any(uint64_t *seed, uint32_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % below;
}

static void set_state(struct memory *m, int state)
{
	__atomic_store_n(&m->state, state, __ATOMIC_RELEASE);
}

/* --- readers --- */

static void look(unsigned reader, const struct memory *m, uint64_t now_s)
{
	int before = __atomic_load_n(&m->state, __ATOMIC_ACQUIRE);
	bool lives = board_session_lives(board, m->slot, m->generation);
	int after;

	after = __atomic_load_n(&m->state, __ATOMIC_ACQUIRE); /* not before: board_session_lives acquires */
	if ((before == ENDED && lives) || (after == LIVES && !lives))
		wrong[reader]++;
	if (lives)
		board_session_seen(seen, m->slot, now_s);
	checks[reader]++;
	lives_seen[reader] += lives;
	ends_seen[reader] += !lives;
}

static void *read_on(void *at)
{
	unsigned reader = (unsigned)(uintptr_t)at;
	uint64_t seed = reader + 1;

	while (!__atomic_load_n(&is_done, __ATOMIC_ACQUIRE)) {
		size_t n = __atomic_load_n(&memory_count, __ATOMIC_ACQUIRE);

		if (n == 0)
			continue;
		for (unsigned i = 0; i < 64; i++) {
			size_t back = any(&seed, 4) ? any(&seed, 200) : any(&seed, (uint32_t)n); /* mostly of late: those may live */

			look(reader, &memories[back < n ? n - 1 - back : n - 1], NOW + n);
		}
	}
	return NULL;
}

/* --- the writer --- */

static void remember(const struct session *s)
{
	struct memory *m = &memories[memory_count];

	assert_true(memory_count < MEMORIES);
	m->slot = s->slot;
	m->generation = s->generation;
	memcpy(m->id, s->kept.id, sizeof m->id);
	memory_of_slot[s->slot] = (uint32_t)memory_count;
	__atomic_store_n(&memory_count, memory_count + 1, __ATOMIC_RELEASE);
}

static struct memory *memory_of(const struct session *s)
{
	return &memories[memory_of_slot[s->slot]];
}

static void on_ended(void *ctx, const struct session *s, const char *why)
{
	struct memory *m = memory_of(s);

	(void)ctx, (void)why;
	assert_string_equal(m->id, s->kept.id);
	set_state(m, ENDED);
}

/* It and those of its apps. */
static bool note_ending(void *ctx, struct session *s)
{
	const struct session *which = ctx;

	if (s == which || (s->parent_generation && s->parent_slot == which->slot))
		set_state(memory_of(s), ENDING);
	return true;
}

/* Before a tick: all that may end in it. Who is seen meanwhile may live on, so they come back. */
static bool note_tick(void *ctx, struct session *s)
{
	(void)ctx;
	set_state(memory_of(s), ENDING);
	return true;
}

static bool note_ticked(void *ctx, struct session *s)
{
	(void)ctx;
	set_state(memory_of(s), LIVES);
	return true;
}

static void change(struct sessions *t, struct session *s, bool with_token)
{
	struct memory *m = memory_of(s);
	unsigned char token[AUTH_TOKEN_LEN];

	set_state(m, ENDING);
	if (with_token)
		sessions_rotate(t, s, token);
	else
		sessions_changed(t, s);
	set_state(m, ENDED);
	remember(s);
}

/* One that lives, mostly. */
static struct session *any_session(struct sessions *t, uint64_t *seed)
{
	struct session *s = NULL;

	for (unsigned i = 0; i < 20 && !s && memory_count; i++)
		s = sessions_at(t, memories[memory_count - 1 - any(seed, (uint32_t)(memory_count < 2000 ? memory_count : 2000))].slot);
	return s;
}

static void do_one(struct sessions *t, uint64_t *seed)
{
	struct session *s = any_session(t, seed);
	struct store_session x = { .user = 7, .since_s = NOW + memory_count, .seen_s = NOW + memory_count, .until_s = UINT64_MAX, .idle_s = 100 };
	unsigned char token[AUTH_TOKEN_LEN];
	uint32_t dice = any(seed, 100);

	if (dice < 1) {
		sessions_each(t, note_tick, NULL);
		sessions_tick(t, seen, NOW + memory_count);
		sessions_each(t, note_ticked, NULL);
	} else if (s && dice < 45) {
		sessions_each(t, note_ending, s);
		sessions_end(t, s, "sign-out");
	} else if (s && dice < 75) {
		change(t, s, dice < 60);
	} else if (sessions_add(t, &x, s && s->parent_generation == 0 ? s : NULL, token, &s) == OK) {
		remember(s);
	}
}

static void test_threads(void **state)
{
	static const struct sessions_hooks hooks = { .ended = on_ended };
	pthread_t threads[READERS];
	struct sessions *t = NULL;
	uint64_t seed = 5;

	(void)state;
	board = calloc(1, sizeof *board);
	seen = calloc(1, sizeof *seen);
	assert_true(board && seen);
	assert_int_equal(sessions_new(board, 400, &hooks, &t), OK);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < OPERATIONS; i++)
		do_one(t, &seed);
	__atomic_store_n(&is_done, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		print_message("reader %u: %llu looks, %llu alive, %llu ended\n", i, (unsigned long long)checks[i], (unsigned long long)lives_seen[i],
			(unsigned long long)ends_seen[i]);
		assert_int_equal(wrong[i], 0);
		assert_true(lives_seen[i] > 0 && ends_seen[i] > 0);
	}
	assert_true(memory_count > OPERATIONS / 4);
	for (size_t i = 0; i < memory_count; i++)
		assert_true(board_session_lives(board, memories[i].slot, memories[i].generation) == (memories[i].state == LIVES));
	sessions_free(&t);
	free(board);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
