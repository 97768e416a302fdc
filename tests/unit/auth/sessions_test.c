/* Sessions: what each function says, and 200,000 random operations beside a model that is a plain list: what every token finds, and that what a worker
 * remembers of a slot is alive exactly while its session is. */
#include "auth/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW UINT64_C(1800000000)

static struct board_sessions *board;
static struct board_seen *seen;
static char ended_ids[64][17], ended_why[16];
static size_t ended_count;

static void on_ended(void *ctx, const struct session *s, const char *why)
{
	(void)ctx;
	memcpy(ended_ids[ended_count % 64], s->kept.id, 17);
	ended_count++;
	snprintf(ended_why, sizeof ended_why, "%s", why);
	assert_false(board_session_lives(board, s->slot, s->generation)); /* workers know before any disk does */
}

static const struct sessions_hooks hooks = { .ended = on_ended };

static int set_up(void **state)
{
	(void)state;
	board = calloc(1, sizeof *board);
	seen = calloc(1, sizeof *seen);
	ended_count = 0;
	return board && seen ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	free(board);
	free(seen);
	return 0;
}

static struct sessions *make(uint32_t most)
{
	struct sessions *t = NULL;

	assert_int_equal(sessions_new(board, most, &hooks, &t), OK);
	return t;
}

static struct store_session of_user(int64_t user, const char *host, uint64_t since_s, uint32_t idle_s)
{
	struct store_session x = { .user = user, .since_s = since_s, .seen_s = since_s, .until_s = since_s + 36000, .idle_s = idle_s };

	snprintf(x.host, sizeof x.host, "%s", host);
	return x;
}

static struct session *add(struct sessions *t, int64_t user, const struct session *parent, unsigned char token[AUTH_TOKEN_LEN])
{
	struct store_session x = of_user(user, parent ? "wiki.example.org" : "", NOW, 600);
	struct session *s = NULL;

	assert_int_equal(sessions_add(t, &x, parent, token, &s), OK);
	return s;
}

static struct session *find(struct sessions *t, const unsigned char token[AUTH_TOKEN_LEN])
{
	return sessions_find(t, bytes_of(token, AUTH_TOKEN_LEN), NOW);
}

static void test_ways_to_a_session(void **state)
{
	unsigned char portal[32], app[32], none[32] = { 0 };
	struct sessions *t = make(10);
	struct session *p = add(t, 7, NULL, portal), *a = add(t, 7, p, app);

	(void)state;
	assert_int_equal(sessions_count(t), 2);
	assert_ptr_equal(find(t, portal), p);
	assert_ptr_equal(find(t, app), a);
	assert_null(find(t, none));
	assert_null(sessions_find(t, bytes_of(portal, 31), NOW)); /* short */
	assert_null(sessions_find(t, bytes_of(NULL, 0), NOW));
	assert_ptr_equal(sessions_find_id(t, bytes_str(a->kept.id)), a);
	assert_null(sessions_find_id(t, BYTES("0123456789abcdef")));
	assert_null(sessions_find_id(t, BYTES("")));
	assert_null(sessions_find_id(t, bytes_of(a->kept.id, 15)));
	assert_ptr_equal(sessions_at(t, p->slot), p);
	assert_null(sessions_at(t, 5));
	assert_null(sessions_at(t, UINT32_MAX));
	assert_string_equal(a->kept.parent, p->kept.id);
	assert_string_equal(p->kept.parent, "");
	assert_int_equal(a->parent_slot, p->slot);
	assert_int_equal(a->parent_generation, p->generation);
	assert_true(board_session_lives(board, p->slot, p->generation) && board_session_lives(board, a->slot, a->generation));
	assert_memory_not_equal(p->kept.hash, portal, 32); /* the token itself is nowhere */
	sessions_free(&t);
	assert_null(t);
	sessions_free(&t);
}

static void test_upper_case_id(void **state)
{
	struct sessions *t = make(2);
	struct store_session x = of_user(1, "", NOW, 0);
	struct session *s;

	(void)state;
	memcpy(x.id, "00000000deadbeef", 17);
	assert_int_equal(sessions_restore(t, &x, &s), OK);
	assert_ptr_equal(sessions_find_id(t, BYTES("00000000deadbeef")), s);
	assert_null(sessions_find_id(t, BYTES("00000000DEADBEEF")));
	sessions_free(&t);
}

static void test_rotation(void **state)
{
	unsigned char old[32], new[32], app[32];
	struct sessions *t = make(10);
	struct session *p = add(t, 7, NULL, old), *a = add(t, 7, p, app);
	uint32_t generation = p->generation;
	uint64_t epoch = board->epoch;

	(void)state;
	sessions_rotate(t, p, new);
	assert_null(find(t, old));
	assert_ptr_equal(find(t, new), p);
	assert_ptr_equal(find(t, app), a); /* goes on */
	assert_int_equal(a->parent_generation, p->generation);
	assert_false(board_session_lives(board, p->slot, generation));
	assert_true(board_session_lives(board, p->slot, p->generation) && board_session_lives(board, a->slot, a->generation));
	assert_true(board->epoch > epoch);
	generation = p->generation;
	sessions_changed(t, p);
	assert_false(board_session_lives(board, p->slot, generation));
	assert_ptr_equal(find(t, new), p);
	assert_int_equal(a->parent_generation, p->generation);
	assert_int_equal(ended_count, 0);
	sessions_free(&t);
}

/* News are heard of, and cut nothing: the session's life on the board is the same. */
static void test_news(void **state)
{
	struct sessions *t = make(10);
	unsigned char token[AUTH_TOKEN_LEN], app_token[AUTH_TOKEN_LEN], other[AUTH_TOKEN_LEN];
	struct session *p = add(t, 1, NULL, token), *a = add(t, 1, p, app_token), *b = add(t, 2, NULL, other);
	uint32_t generation = p->generation, news = sessions_news_of(t, p), news_of_app = sessions_news_of(t, a);
	uint64_t epoch = board->epoch;

	(void)state;
	assert_false(board_session_is_news(board, p->slot, news));
	sessions_news(t, p);
	assert_true(board_session_is_news(board, p->slot, news));
	assert_false(board_session_is_news(board, p->slot, sessions_news_of(t, p)));
	assert_false(board_session_is_news(board, a->slot, news_of_app));
	assert_true(board_session_is_news(board, BOARD_SESSION_SLOTS, 0));
	assert_true(p->generation == generation && board_session_lives(board, p->slot, generation) && board->epoch == epoch);
	assert_ptr_equal(find(t, token), p);
	assert_int_equal(sessions_bound(t, p), 0);
	a->kept.is_device_bound = b->kept.is_device_bound = true;
	assert_true(sessions_bound(t, p) == 1 && sessions_bound(t, a) == 1 && sessions_bound(t, b) == 1);
	p->kept.is_device_bound = true;
	assert_true(sessions_bound(t, p) == 2 && sessions_bound(t, a) == 2);
	sessions_free(&t);
}

static void test_end(void **state)
{
	unsigned char token[32], app[3][32], other[32];
	struct sessions *t = make(10);
	struct session *p = add(t, 7, NULL, token), *a[3], *o = add(t, 8, NULL, other);
	uint32_t slot = p->slot, generation = p->generation;
	uint64_t epoch = board->epoch;
	char id[17];

	(void)state;
	memcpy(id, p->kept.id, 17);
	for (int i = 0; i < 3; i++)
		a[i] = add(t, 7, p, app[i]);
	sessions_end(t, a[1], "sign-out"); /* an app alone */
	assert_int_equal(ended_count, 1);
	assert_null(find(t, app[1]));
	assert_ptr_equal(find(t, token), p);
	sessions_end(t, p, "revoked");
	assert_int_equal(ended_count, 4);
	assert_string_equal(ended_ids[3], id); /* its apps before it */
	assert_string_equal(ended_why, "revoked");
	assert_int_equal(board->epoch, epoch + 4);
	assert_null(find(t, token));
	assert_null(find(t, app[0]));
	assert_ptr_equal(find(t, other), o);
	assert_int_equal(sessions_count(t), 1);
	assert_false(board_session_lives(board, slot, generation));
	assert_null(sessions_at(t, slot));
	sessions_free(&t);
}

static bool is_of_7(void *ctx, const struct session *s)
{
	(void)ctx;
	return s->kept.user == 7;
}

static bool count_one(void *ctx, struct session *s)
{
	(void)s;
	return ++*(size_t *)ctx < 2;
}

static void test_end_all_and_each(void **state)
{
	struct sessions *t = make(10);
	unsigned char token[32];
	struct session *p = add(t, 7, NULL, token);
	size_t n = 0;

	(void)state;
	add(t, 8, NULL, token);
	add(t, 7, p, token);
	add(t, 7, NULL, token);
	sessions_each(t, count_one, &n);
	assert_int_equal(n, 2); /* until false */
	assert_int_equal(sessions_end_all(t, is_of_7, NULL, "revoked"), 3);
	assert_int_equal(sessions_end_all(t, is_of_7, NULL, "revoked"), 0);
	assert_int_equal(sessions_count(t), 1);
	sessions_free(&t);
}

struct fleet { struct { uint32_t slot, generation; } of[3]; unsigned moved, ended; };

static void on_moved(void *ctx)
{
	struct fleet *f = ctx;

	assert_int_equal(f->ended, 0);
	for (size_t i = 0; i < COUNT_OF(f->of); i++)
		assert_false(board_session_lives(board, f->of[i].slot, f->of[i].generation));
	f->moved++;
}

static void on_ended_of_fleet(void *ctx, const struct session *s, const char *why)
{
	(void)s, (void)why;
	((struct fleet *)ctx)->ended++;
}

/* Workers see the end of all before the disk is asked about the first. */
static void test_end_all_is_seen_first(void **state)
{
	struct fleet f = { .moved = 0 };
	const struct sessions_hooks own = { .ctx = &f, .ended = on_ended_of_fleet, .moved = on_moved };
	struct session *s[3];
	unsigned char token[32];
	struct sessions *t = NULL;

	(void)state;
	assert_int_equal(sessions_new(board, 10, &own, &t), OK);
	s[0] = add(t, 7, NULL, token);
	s[1] = add(t, 7, s[0], token);
	s[2] = add(t, 7, NULL, token);
	for (size_t i = 0; i < COUNT_OF(s); i++) {
		f.of[i].slot = s[i]->slot;
		f.of[i].generation = s[i]->generation;
	}
	assert_int_equal(sessions_end_all(t, is_of_7, NULL, "revoked"), 3);
	assert_int_equal(f.moved, 1);
	assert_int_equal(f.ended, 3);
	sessions_free(&t);
}

static void test_of_user(void **state)
{
	static const uint64_t since[] = { 5, 9, 1, 7, 9, 3 };
	struct sessions *t = make(20);
	struct session *out[3] = { 0 }, *s = NULL;
	unsigned char token[32];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(since); i++) {
		struct store_session x = of_user(7, "", since[i], 0), y = of_user(7 + 65536, "", since[i], 0); /* in the same bucket */

		assert_int_equal(sessions_add(t, &x, NULL, token, &s), OK);
		add(t, 7, s, token); /* of an app: not told */
		assert_int_equal(sessions_add(t, &y, NULL, token, &s), OK);
	}
	assert_int_equal(sessions_of_user(t, 7, out, 3), 6);
	assert_true(out[0]->kept.since_s == 9 && out[1]->kept.since_s == 9 && out[2]->kept.since_s == 7);
	assert_true(out[0]->kept.user == 7 && out[0] != out[1]);
	assert_int_equal(sessions_of_user(t, 7, NULL, 0), 6);
	assert_int_equal(sessions_of_user(t, 9, out, 3), 0);
	sessions_free(&t);
}

static void test_of_app(void **state)
{
	struct sessions *t = make(16);
	struct store_session p = of_user(7, "", NOW, 0), wiki = of_user(7, "wiki.example.org", NOW, 0), mail = of_user(7, "mail.example.org", NOW, 0);
	struct session *portal, *other, *w, *m, *o;
	unsigned char token[AUTH_TOKEN_LEN];

	(void)state;
	assert_int_equal(sessions_add(t, &p, NULL, token, &portal), OK);
	assert_int_equal(sessions_add(t, &p, NULL, token, &other), OK);
	assert_null(sessions_of_app(t, portal, BYTES("wiki.example.org")));
	assert_int_equal(sessions_add(t, &wiki, portal, token, &w), OK);
	assert_int_equal(sessions_add(t, &mail, portal, token, &m), OK);
	assert_int_equal(sessions_add(t, &wiki, other, token, &o), OK);
	assert_ptr_equal(sessions_of_app(t, portal, BYTES("wiki.example.org")), w);
	assert_ptr_equal(sessions_of_app(t, portal, BYTES("mail.example.org")), m);
	assert_ptr_equal(sessions_of_app(t, other, BYTES("wiki.example.org")), o);
	assert_null(sessions_of_app(t, other, BYTES("mail.example.org")));
	sessions_end(t, w, "replaced");
	assert_null(sessions_of_app(t, portal, BYTES("wiki.example.org")));
	sessions_free(&t);
}

static void test_limit_and_rest(void **state)
{
	struct sessions *t = make(2);
	struct store_session x = of_user(1, "", NOW, 0);
	unsigned char token[32];
	struct session *a = add(t, 1, NULL, token), *b = add(t, 1, NULL, token), *c;
	uint32_t slot = a->slot;

	(void)state;
	assert_int_equal(sessions_add(t, &x, NULL, token, &c), ERR_LIMIT);
	sessions_end(t, a, "over");
	c = add(t, 1, NULL, token);
	assert_int_not_equal(c->slot, slot); /* what was freed rests */
	sessions_end(t, b, "over");
	for (uint32_t i = 0; i < 3000; i++) {
		b = add(t, 1, NULL, token);
		sessions_end(t, b, "over");
		assert_true(b->slot < 2048); /* and is taken again, so that memory does not grow */
	}
	sessions_free(&t);
}

/* A new identity on the same board: nothing of before lives, and no pair comes again. */
static void test_new_identity(void **state)
{
	struct sessions *t = make(5);
	unsigned char token[32];
	struct session *s = add(t, 1, NULL, token);
	uint32_t slot = s->slot, generation = s->generation;
	struct store_session kept = s->kept;

	(void)state;
	sessions_free(&t);
	assert_true(board_session_lives(board, slot, generation)); /* it died without a word */
	t = make(5);
	assert_false(board_session_lives(board, slot, generation));
	assert_int_equal(sessions_restore(t, &kept, &s), OK);
	assert_ptr_equal(find(t, token), s);
	assert_int_equal(s->slot, slot);
	assert_int_not_equal(s->generation, generation);
	assert_true(board_session_lives(board, s->slot, s->generation));
	sessions_free(&t);
}

static void test_restore(void **state)
{
	static const struct { const char *why, *id, *parent; unsigned char hash; int64_t user; enum err want; } rows[] = {
		{ "a portal's", "1111111111111111", "", 1, 7, OK },
		{ "an app's", "2222222222222222", "1111111111111111", 2, 7, OK },
		{ "its parent is not there", "3333333333333333", "9999999999999999", 3, 7, ERR_NOT_FOUND },
		{ "its parent is an app's", "3333333333333333", "2222222222222222", 3, 7, ERR_NOT_FOUND },
		{ "its parent is another user's", "3333333333333333", "1111111111111111", 3, 8, ERR_NOT_FOUND },
		{ "the same id", "1111111111111111", "", 3, 7, ERR_ORDER },
		{ "the same token", "3333333333333333", "", 1, 7, ERR_ORDER },
		{ "no id", "", "", 3, 7, ERR_SYNTAX },
		{ "no hexadecimal id", "333333333333333g", "", 3, 7, ERR_SYNTAX },
		{ "an id in upper case", "333333333333333A", "", 3, 7, ERR_SYNTAX },
		{ "another", "3333333333333333", "", 3, 7, OK },
		{ "one too many", "4444444444444444", "", 4, 7, ERR_LIMIT },
	};
	struct sessions *t = make(3);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct store_session x = of_user(rows[i].user, "", NOW, 0);
		struct session *s = NULL;
		enum err got;

		memcpy(x.id, rows[i].id, strlen(rows[i].id) + 1);
		memcpy(x.parent, rows[i].parent, strlen(rows[i].parent) + 1);
		x.hash[5] = rows[i].hash;
		got = sessions_restore(t, &x, &s);
		if (got != rows[i].want)
			fail_msg("%s: %s", rows[i].why, err_name(got));
	}
	sessions_free(&t);
}

/* One session each: made at NOW, idle after 600 s, over after 36000. */
static void test_seen(void **state)
{
	static const struct { const char *why; uint64_t seen_s, tick_s, want_seen; const char *ends; } rows[] = {
		{ "never seen, not yet idle", 0, NOW + 599, NOW, NULL },
		{ "never seen, idle", 0, NOW + 600, 0, "idle" },
		{ "seen in time", NOW + 599, NOW + 1000, NOW + 599, NULL },
		{ "seen, and then idle", NOW + 599, NOW + 1199, 0, "idle" },
		{ "a time before it began", NOW - 100, NOW + 5, NOW, NULL },
		{ "the future is now", NOW + 5000, NOW + 10, NOW + 10, NULL },
		{ "a word of all bits", UINT32_MAX, NOW + 10, NOW + 10, NULL },
		{ "over, though seen", NOW + 36000, NOW + 36000, 0, "over" },
		{ "seen behind 2^32", UINT64_C(0x100000000) + 7, NOW + 10, NOW, NULL },
		{ "the clock went back", 0, NOW - 5000, NOW, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sessions *t = make(3);
		unsigned char token[32];
		struct session *s = add(t, 1, NULL, token);

		memset(seen, 0, sizeof *seen);
		ended_count = 0;
		if (rows[i].seen_s)
			board_session_seen(seen, s->slot, rows[i].seen_s);
		sessions_tick(t, seen, rows[i].tick_s);
		if (ended_count != (rows[i].ends ? 1 : 0) || (rows[i].ends && strcmp(rows[i].ends, ended_why) != 0))
			fail_msg("%s: %s", rows[i].why, ended_count ? ended_why : "lives");
		if (!rows[i].ends && s->kept.seen_s != rows[i].want_seen)
			fail_msg("%s: seen %llu", rows[i].why, (unsigned long long)s->kept.seen_s);
		sessions_free(&t);
	}
}

/* Behind 2^32 seconds (in 2106) the board's words begin again. */
static void test_seen_in_2106(void **state)
{
	uint64_t turn = UINT64_C(1) << 32;
	struct store_session x = of_user(1, "", turn - 100, 600);
	struct sessions *t = make(3);
	unsigned char token[32];
	struct session *s = NULL;

	(void)state;
	assert_int_equal(sessions_add(t, &x, NULL, token, &s), OK);
	board_session_seen(seen, s->slot, turn - 5);
	sessions_tick(t, seen, turn + 5);
	assert_true(s->kept.seen_s == turn - 5);
	board_session_seen(seen, s->slot, turn + 7);
	sessions_tick(t, seen, turn + 8);
	assert_true(s->kept.seen_s == turn + 7);
	board_session_seen(seen, s->slot, turn + 50); /* ahead */
	sessions_tick(t, seen, turn + 9);
	assert_true(s->kept.seen_s == turn + 9);
	s->kept.until_s = turn + 20; /* by hand */
	sessions_changed(t, s);
	sessions_tick(t, seen, turn + 20);
	assert_int_equal(sessions_count(t), 0);
	sessions_free(&t);
}

/* A word in the future keeps its session once, not for ever; a word that stood there before the session does nothing for it. */
static void test_seen_lies(void **state)
{
	struct sessions *t = make(3);
	unsigned char token[32];
	struct session *s = add(t, 1, NULL, token);
	struct store_session kept;

	(void)state;
	board_session_seen(seen, s->slot, NOW + 100000);
	sessions_tick(t, seen, NOW + 1);
	sessions_tick(t, seen, NOW + 300);
	assert_true(s->kept.seen_s == NOW + 1);
	kept = s->kept;
	sessions_tick(t, seen, NOW + 601);
	assert_int_equal(ended_count, 1);
	sessions_free(&t);
	t = make(3);
	assert_int_equal(sessions_restore(t, &kept, &s), OK);
	sessions_tick(t, seen, NOW + 400);
	assert_true(s->kept.seen_s == NOW + 1);
	board_session_seen(seen, s->slot, NOW + 401);
	sessions_tick(t, seen, NOW + 402);
	assert_true(s->kept.seen_s == NOW + 401);
	sessions_free(&t);
}

static void test_app_keeps_portal(void **state)
{
	struct sessions *t = make(5);
	unsigned char portal[32], app[32];
	struct session *p = add(t, 1, NULL, portal), *a = add(t, 1, p, app);

	(void)state;
	board_session_seen(seen, a->slot, NOW + 590);
	sessions_tick(t, seen, NOW + 1100);
	assert_true(p->kept.seen_s == NOW + 590 && sessions_count(t) == 2);
	board_session_seen(seen, p->slot, NOW + 1100); /* but a portal's keeps no app's */
	sessions_tick(t, seen, NOW + 1190);
	assert_int_equal(sessions_count(t), 1);
	assert_ptr_equal(sessions_at(t, p->slot), p);
	sessions_free(&t);
}

/* Between two ticks too nothing is found that is over, nor an app's whose portal's is. */
static void test_find_looks_at_the_time(void **state)
{
	struct sessions *t = make(5);
	struct store_session x = of_user(1, "wiki.example.org", NOW, 0);
	unsigned char portal[32], app[32];
	struct session *p = add(t, 1, NULL, portal), *a = NULL;

	(void)state;
	assert_int_equal(sessions_add(t, &x, p, app, &a), OK);
	assert_ptr_equal(sessions_find(t, bytes_of(portal, 32), NOW + 599), p);
	assert_null(sessions_find(t, bytes_of(portal, 32), NOW + 600));
	assert_ptr_equal(sessions_find(t, bytes_of(app, 32), NOW + 599), a);
	assert_null(sessions_find(t, bytes_of(app, 32), NOW + 600)); /* it has no idle time of its own */
	sessions_free(&t);
}

static void test_memory(void **state)
{
	struct sessions *t = make(BOARD_SESSION_SLOTS);
	struct store_session x = of_user(1, "", NOW, 600);
	unsigned char token[32];
	struct session *s = NULL;

	(void)state;
	for (uint32_t i = 0; i < BOARD_SESSION_SLOTS; i++)
		assert_int_equal(sessions_add(t, &x, NULL, token, &s), OK);
	assert_int_equal(sessions_add(t, &x, NULL, token, &s), ERR_LIMIT);
	assert_int_equal(sessions_count(t), BOARD_SESSION_SLOTS);
	sessions_tick(t, seen, NOW + 600);
	assert_int_equal(sessions_count(t), 0);
	assert_int_equal(ended_count, BOARD_SESSION_SLOTS);
	print_message("%zu octets each\n", sizeof(struct session));
	sessions_free(&t);
}

/* --- beside a model --- */

#define MODEL_MOST 64
#define PAST_MOST  4096
struct model_session {
	bool lives;
	unsigned char token[32];
	char id[17], parent[17];
	int64_t user;
	char host[32];
	uint64_t since, seen, until;
	uint32_t idle, slot, generation;
};
static struct model_session model[MODEL_MOST];
static struct { uint32_t slot, generation; } past[PAST_MOST]; /* what workers remember of what is gone */
static struct { unsigned char token[32]; } past_tokens[PAST_MOST];
static size_t past_count, past_token_count, model_ended;
static uint64_t seed = 42, now;

static uint32_t any(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % below;
}

static void model_forget(struct model_session *m)
{
	past[past_count % PAST_MOST].slot = m->slot;
	past[past_count++ % PAST_MOST].generation = m->generation;
}

static void model_forget_token(struct model_session *m)
{
	memcpy(past_tokens[past_token_count++ % PAST_MOST].token, m->token, 32);
}

static void model_end(struct model_session *m)
{
	if (!m->lives)
		return;
	m->lives = false;
	model_ended++;
	model_forget(m);
	model_forget_token(m);
	if (!m->parent[0])
		for (size_t i = 0; i < MODEL_MOST; i++)
			if (model[i].lives && strcmp(model[i].parent, m->id) == 0)
				model_end(&model[i]);
}

static size_t model_count(void)
{
	size_t n = 0;

	for (size_t i = 0; i < MODEL_MOST; i++)
		n += model[i].lives;
	return n;
}

static struct model_session *model_any(bool of_portal)
{
	for (int i = 0; i < 200; i++) {
		struct model_session *m = &model[any(MODEL_MOST)];

		if (m->lives && (!of_portal || !m->parent[0]))
			return m;
	}
	return NULL;
}

static struct model_session *model_of_id(const char *id)
{
	for (size_t i = 0; i < MODEL_MOST; i++)
		if (model[i].lives && strcmp(model[i].id, id) == 0)
			return &model[i];
	return NULL;
}

static bool model_is_over(const struct model_session *m)
{
	return now >= m->until || (m->idle && now >= m->seen + m->idle);
}

/* What a token finds, by the list alone. */
static bool model_finds(const struct model_session *m)
{
	const struct model_session *p = m->parent[0] ? model_of_id(m->parent) : NULL;

	return m->lives && !model_is_over(m) && (!p || !model_is_over(p));
}

static void do_add(struct sessions *t, struct model_session *parent)
{
	struct store_session x = { .user = parent ? parent->user : (int64_t)any(10), .since_s = now, .seen_s = now,
		.until_s = now + 1 + any(2000), .idle_s = any(3) ? 1 + any(300) : 0 };
	struct session *p = parent ? sessions_find_id(t, bytes_str(parent->id)) : NULL, *s = NULL;
	struct model_session m = { .lives = true };
	enum err e;

	if (parent)
		snprintf(x.host, sizeof x.host, "app%u.example.org", any(5));
	assert_true(!parent || p);
	e = sessions_add(t, &x, p, m.token, &s);
	if (model_count() == MODEL_MOST - 4) {
		assert_int_equal(e, ERR_LIMIT);
		return;
	}
	assert_int_equal(e, OK);
	m.user = x.user;
	m.since = m.seen = now;
	m.until = x.until_s;
	m.idle = x.idle_s;
	snprintf(m.host, sizeof m.host, "%.31s", x.host);
	snprintf(m.id, sizeof m.id, "%s", s->kept.id);
	snprintf(m.parent, sizeof m.parent, "%s", parent ? parent->id : "");
	m.slot = s->slot;
	m.generation = s->generation;
	for (size_t i = 0; i < MODEL_MOST; i++)
		if (!model[i].lives) {
			model[i] = m;
			return;
		}
	fail();
}

struct revoke { int kind; int64_t user; const char *host; uint64_t before; };

static bool revoked(void *ctx, const struct session *s)
{
	const struct revoke *r = ctx;

	return r->kind == 0 ? s->kept.user == r->user : r->kind == 1 ? strcmp(s->kept.host, r->host) == 0 : s->kept.since_s < r->before;
}

static void do_revoke(struct sessions *t)
{
	static const char *const hosts[] = { "app0.example.org", "app3.example.org" };
	struct revoke r = { (int)any(3), (int64_t)any(10), hosts[any(2)], now - any(400) };
	size_t before = model_ended;
	bool hit[MODEL_MOST];

	for (size_t i = 0; i < MODEL_MOST; i++)
		hit[i] = model[i].lives && (r.kind == 0 ? model[i].user == r.user : r.kind == 1 ? strcmp(model[i].host, r.host) == 0 : model[i].since < r.before);
	for (size_t i = 0; i < MODEL_MOST; i++)
		if (hit[i])
			model_end(&model[i]);
	assert_int_equal(sessions_end_all(t, revoked, &r, "revoked"), model_ended - before);
}

static void do_tick(struct sessions *t)
{
	static uint64_t ahead; /* no word in the future comes twice: the second would say nothing new */
	uint64_t word[MODEL_MOST] = { 0 };

	for (unsigned i = any(20); i > 0; i--) {
		struct model_session *m = model_any(false);

		if (!m)
			break;
		word[m - model] = any(10) ? now - any(5) : now + 100000 + ahead++;
		board_session_seen(seen, m->slot, word[m - model]); /* the last one stays */
	}
	now += any(30);
	for (size_t i = 0; i < MODEL_MOST; i++) {
		uint64_t when = word[i] > now ? now : word[i];
		struct model_session *p = model[i].parent[0] ? model_of_id(model[i].parent) : NULL;

		if (word[i] && model[i].seen < when)
			model[i].seen = when;
		if (word[i] && p && p->seen < when)
			p->seen = when;
	}
	for (size_t i = 0; i < MODEL_MOST; i++)
		if (model[i].lives && model_is_over(&model[i]))
			model_end(&model[i]);
	sessions_tick(t, seen, now);
}

static void do_one(struct sessions *t)
{
	struct model_session *m = model_any(false);
	struct session *s = m ? sessions_find_id(t, bytes_str(m->id)) : NULL;
	uint32_t dice = any(100);

	assert_true(!m || s);
	if (dice < 35 || !m) {
		do_add(t, NULL);
	} else if (dice < 65) {
		struct model_session *p = model_any(true);

		if (p)
			do_add(t, p);
	} else if (dice < 75) {
		model_forget(m);
		model_forget_token(m);
		sessions_rotate(t, s, m->token);
		m->generation = s->generation;
	} else if (dice < 80) {
		model_forget(m);
		sessions_changed(t, s);
		m->generation = s->generation;
	} else if (dice < 90) {
		model_end(m);
		sessions_end(t, s, "sign-out");
	} else if (dice < 92) {
		do_revoke(t);
	} else {
		do_tick(t);
	}
}

static void compare_users(struct sessions *t)
{
	for (int64_t user = 0; user < 10; user++) {
		struct session *out[MODEL_MOST];
		size_t want = 0, n = sessions_of_user(t, user, out, MODEL_MOST);

		for (size_t i = 0; i < MODEL_MOST; i++)
			want += model[i].lives && model[i].user == user && !model[i].parent[0];
		assert_int_equal(n, want);
		for (size_t i = 0; i < n; i++) {
			const struct model_session *m = model_of_id(out[i]->kept.id);

			assert_true(m && m->user == user && !m->parent[0]);
			assert_true(i == 0 || (out[i] != out[i - 1] && out[i]->kept.since_s <= out[i - 1]->kept.since_s));
		}
	}
}

static void compare(struct sessions *t, bool all)
{
	if (all)
		compare_users(t);
	size_t step = all ? 1 : 4 + any(MODEL_MOST), past_step = all ? 1 : 1 + any(PAST_MOST / 4);

	assert_int_equal(sessions_count(t), model_count());
	assert_int_equal(ended_count, model_ended);
	for (size_t i = 0; i < MODEL_MOST; i += 1) {
		const struct model_session *m = &model[i];
		const struct session *s;

		assert_true(board_session_lives(board, m->slot, m->generation) == m->lives);
		if (!all && i % step)
			continue;
		s = sessions_find(t, bytes_of(m->token, 32), now);
		assert_true(!!s == model_finds(m));
		if (!s)
			continue;
		assert_true(s->kept.user == m->user && s->kept.since_s == m->since && s->slot == m->slot && s->generation == m->generation);
		assert_string_equal(s->kept.id, m->id);
		assert_string_equal(s->kept.host, m->host);
		if (m->parent[0])
			assert_true(board_session_lives(board, s->parent_slot, s->parent_generation));
	}
	for (size_t i = 0; i < past_count && i < PAST_MOST; i += past_step)
		assert_false(board_session_lives(board, past[i].slot, past[i].generation));
	for (size_t i = any(512); i < past_token_count && i < PAST_MOST; i += all ? 128 : 2048)
		assert_null(sessions_find(t, bytes_of(past_tokens[i].token, 32), now));
}

static void test_model(void **state)
{
	struct sessions *t = make(MODEL_MOST - 4);
	size_t limits = 0;

	(void)state;
	now = NOW;
	for (unsigned i = 0; i < 200000; i++) {
		do_one(t);
		limits += model_count() == MODEL_MOST - 4;
		compare(t, i % 512 == 0);
	}
	compare(t, true);
	assert_true(limits > 1000 && model_ended > 20000 && past_count > PAST_MOST); /* the dice went everywhere */
	sessions_free(&t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_ways_to_a_session), T(test_upper_case_id), T(test_rotation), T(test_news), T(test_end), T(test_end_all_and_each),
		T(test_end_all_is_seen_first),
		T(test_of_user), T(test_of_app), T(test_limit_and_rest), T(test_new_identity), T(test_restore), T(test_seen), T(test_seen_in_2106), T(test_seen_lies),
		T(test_app_keeps_portal), T(test_find_looks_at_the_time), T(test_memory), T(test_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
