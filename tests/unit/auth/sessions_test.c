/* Sessions: what each function says, and 200,000 random operations beside a model that is a plain list: what every token finds, and that what a worker
 * remembers of a slot is alive exactly while its session is. */
#include "auth/sessions.h"

#include "crypto/sha256.h"

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

/* --- what another node did --- */

/* The row of s as the store has it behind a rotation at another node. */
static struct store_session rotated(const struct session *s, unsigned char token[AUTH_TOKEN_LEN], unsigned char n)
{
	struct store_session x = s->kept;

	memset(token, n, AUTH_TOKEN_LEN);
	sha256_of(bytes_of(token, AUTH_TOKEN_LEN), x.hash);
	return x;
}

static void test_take_rotated(void **state)
{
	unsigned char old[32], app[32], new[32], new_app[32], wrong[32];
	struct sessions *t = make(10);
	struct session *p = add(t, 7, NULL, old), *a = add(t, 7, p, app);
	uint32_t generation = p->generation, of_app = a->generation;
	uint64_t epoch = board->epoch;
	struct store_session x = rotated(p, new, 1);

	(void)state;
	x.has_mfa = true;
	assert_int_equal(sessions_take(t, p, &x), OK);
	assert_null(find(t, old));
	assert_ptr_equal(find(t, new), p);
	assert_true(p->kept.has_mfa);
	assert_ptr_equal(find(t, app), a); /* goes on */
	assert_false(board_session_lives(board, p->slot, generation));
	assert_true(board_session_lives(board, p->slot, p->generation) && board_session_lives(board, a->slot, of_app));
	assert_int_equal(a->parent_generation, p->generation);
	assert_true(board->epoch > epoch && ended_count == 0 && sessions_count(t) == 2);
	x = rotated(a, new_app, 2);
	assert_int_equal(sessions_take(t, a, &x), OK);
	assert_null(find(t, app));
	assert_ptr_equal(find(t, new_app), a);
	assert_ptr_equal(find(t, new), p);
	assert_false(board_session_lives(board, a->slot, of_app));
	generation = a->generation;
	assert_int_equal(sessions_take(t, a, &x), OK); /* the same again, as when two news of it come */
	assert_int_equal(a->generation, generation);
	sessions_rotate(t, p, wrong); /* and it can be rotated here, and end */
	assert_null(find(t, new));
	assert_ptr_equal(find(t, wrong), p);
	sessions_end(t, p, "sign-out");
	assert_null(find(t, wrong));
	assert_null(find(t, new_app));
	sessions_free(&t);
}

enum change { C_HASH, C_UNTIL, C_PROVED, C_IDLE, C_MFA, C_BOUND, C_METHOD, C_DEVICE_KEY, C_DEVICE_HASH, C_DEVICE_UNTIL, C_AGENT, C_NOTHING };

static void change(struct store_session *x, enum change what)
{
	switch (what) {
	case C_HASH: x->hash[0] ^= 1; break;
	case C_UNTIL: x->until_s++; break;
	case C_PROVED: x->proved_s++; break;
	case C_IDLE: x->idle_s++; break;
	case C_MFA: x->has_mfa = !x->has_mfa; break;
	case C_BOUND: x->is_device_bound = !x->is_device_bound; break;
	case C_METHOD: snprintf(x->method, sizeof x->method, "password+totp"); break;
	case C_DEVICE_KEY: memset(x->device_key, 1, sizeof x->device_key); break;
	case C_DEVICE_HASH: memset(x->device_hash, 2, sizeof x->device_hash); break;
	case C_DEVICE_UNTIL: x->device_until_s += 600; break;
	case C_AGENT: snprintf(x->agent, sizeof x->agent, "another browser"); break;
	case C_NOTHING: break;
	}
}

/* Rights make workers ask again. The short cookie of a device changes every few minutes, and nobody is to be cut for that. */
static void test_take_moves_on_what_counts(void **state)
{
	static const struct { const char *why; enum change what; bool moves; } rows[] = {
		{ "nothing", C_NOTHING, false }, { "the token", C_HASH, true }, { "the end", C_UNTIL, true }, { "the last proof", C_PROVED, true },
		{ "the idle time", C_IDLE, true }, { "a second factor", C_MFA, true }, { "bound to a device", C_BOUND, true }, { "the method", C_METHOD, true },
		{ "the device's key", C_DEVICE_KEY, false }, { "the short cookie", C_DEVICE_HASH, false }, { "its end", C_DEVICE_UNTIL, false },
		{ "the browser's name", C_AGENT, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct sessions *t = make(10);
		unsigned char token[32];
		struct session *p = add(t, 7, NULL, token), *a = add(t, 7, p, token), *s[2] = { p, a };

		for (size_t k = 0; k < 2; k++) {
			struct store_session x = s[k]->kept;
			uint32_t generation = s[k]->generation, other = s[1 - k]->generation;
			uint64_t epoch = board->epoch;

			change(&x, rows[i].what);
			assert_int_equal(sessions_take(t, s[k], &x), OK);
			if ((s[k]->generation != generation) != rows[i].moves || (board->epoch != epoch) != rows[i].moves)
				fail_msg("%s: of %s", rows[i].why, k ? "an app" : "a portal");
			assert_true(s[1 - k]->generation == other && a->parent_generation == p->generation);
			assert_true(board_session_lives(board, s[k]->slot, s[k]->generation));
			assert_memory_equal(&s[k]->kept, &x, sizeof x);
		}
		sessions_free(&t);
	}
}

/* Of when it was seen the later counts, and no worker is told. */
static void test_take_seen(void **state)
{
	struct sessions *t = make(3);
	unsigned char token[32];
	struct session *s = add(t, 7, NULL, token);
	uint32_t generation = s->generation;
	struct store_session x = s->kept;

	(void)state;
	x.seen_s = NOW + 500;
	assert_int_equal(sessions_take(t, s, &x), OK);
	assert_true(s->kept.seen_s == NOW + 500);
	sessions_tick(t, seen, NOW + 1099);
	assert_int_equal(sessions_count(t), 1);
	x.seen_s = NOW + 100;
	assert_int_equal(sessions_take(t, s, &x), OK);
	assert_true(s->kept.seen_s == NOW + 500 && s->generation == generation);
	x.idle_s = 60; /* a shorter limit counts at once, though it was not to be looked at before */
	assert_int_equal(sessions_take(t, s, &x), OK);
	sessions_tick(t, seen, NOW + 559);
	assert_int_equal(sessions_count(t), 1);
	sessions_tick(t, seen, NOW + 560);
	assert_int_equal(sessions_count(t), 0);
	assert_string_equal(ended_why, "idle");
	s = add(t, 7, NULL, token);
	x = s->kept;
	x.idle_s = 0;
	x.until_s = NOW + 40000; /* and a longer one */
	assert_int_equal(sessions_take(t, s, &x), OK);
	sessions_tick(t, seen, NOW + 39999);
	assert_int_equal(sessions_count(t), 1);
	sessions_tick(t, seen, NOW + 40000);
	assert_int_equal(sessions_count(t), 0);
	assert_string_equal(ended_why, "over");
	sessions_free(&t);
}

/* Who a session is of does not change: a row that says so is refused as a whole, its new token too. */
static void test_take_refuses(void **state)
{
	static const char *const why[] = { "another user", "another portal's", "a portal's no more", "an app's all at once", "another host", "another id", "the token of its portal's",
		"the token of somebody else's" };
	unsigned char of_p[32], of_a[32], of_o[32], new[32];
	struct sessions *t = make(10);
	struct session *p = add(t, 7, NULL, of_p), *a = add(t, 7, p, of_a), *o = add(t, 7, NULL, of_o);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(why); i++) {
		struct session *s = i == 3 ? o : a;
		struct store_session x = rotated(s, new, 9);
		struct session before = *s;
		uint64_t epoch = board->epoch;

		x.until_s++;
		x.seen_s++;
		switch (i) {
		case 0: x.user = 8; break;
		case 1: memcpy(x.parent, o->kept.id, sizeof x.parent); break;
		case 2: x.parent[0] = 0; break;
		case 3: memcpy(x.parent, p->kept.id, sizeof x.parent); break;
		case 4: snprintf(x.host, sizeof x.host, "mail.example.org"); break;
		case 5: memcpy(x.id, "0123456789abcdef", sizeof x.id); break;
		case 6: memcpy(x.hash, p->kept.hash, sizeof x.hash); break;
		case 7: memcpy(x.hash, o->kept.hash, sizeof x.hash); break;
		}
		if (sessions_take(t, s, &x) != ERR_ORDER)
			fail_msg("%s", why[i]);
		if (memcmp(&before, s, sizeof before) != 0 || board->epoch != epoch)
			fail_msg("%s: it has changed", why[i]);
		assert_true(find(t, of_p) == p && find(t, of_a) == a && find(t, of_o) == o && !find(t, new));
		assert_true(board_session_lives(board, p->slot, p->generation) && board_session_lives(board, a->slot, a->generation) && board_session_lives(board, o->slot, o->generation));
	}
	sessions_tick(t, seen, NOW + 600); /* the later end and time were not taken over */
	assert_int_equal(sessions_count(t), 0);
	sessions_free(&t);
}

static void test_user_changed(void **state)
{
	struct sessions *t = make(20);
	unsigned char token[32];
	struct session *p = add(t, 7, NULL, token), *a = add(t, 7, p, token), *b = add(t, 7, p, token), *q = add(t, 7, NULL, token), *gone = add(t, 7, NULL, token),
		*same_bucket = add(t, 7 + 65536, NULL, token), *other = add(t, 8, NULL, token), *others_app = add(t, 8, other, token);
	struct session *his[] = { p, a, b, q }, *not_his[] = { same_bucket, other, others_app };
	uint32_t before[COUNT_OF(his)], stays[COUNT_OF(not_his)], slot = gone->slot, of_gone;
	uint64_t epoch;

	(void)state;
	sessions_end(t, gone, "sign-out");
	of_gone = board->generation[slot];
	for (size_t i = 0; i < COUNT_OF(his); i++)
		before[i] = his[i]->generation;
	for (size_t i = 0; i < COUNT_OF(not_his); i++)
		stays[i] = not_his[i]->generation;
	epoch = board->epoch;
	assert_false(sessions_user_changed(t, 9));
	assert_false(sessions_user_changed(t, 9 + 65536));
	assert_false(sessions_user_changed(t, 7 + 2 * 65536)); /* in a bucket where others are */
	assert_int_equal(board->epoch, epoch);
	assert_true(sessions_user_changed(t, 7));
	assert_true(board->epoch > epoch);
	for (size_t i = 0; i < COUNT_OF(his); i++) {
		assert_false(board_session_lives(board, his[i]->slot, before[i]));
		assert_true(board_session_lives(board, his[i]->slot, his[i]->generation));
	}
	for (size_t i = 0; i < COUNT_OF(not_his); i++)
		assert_true(not_his[i]->generation == stays[i] && board_session_lives(board, not_his[i]->slot, stays[i]));
	assert_true(a->parent_generation == p->generation && b->parent_generation == p->generation && others_app->parent_generation == other->generation);
	assert_int_equal(board->generation[slot], of_gone);
	assert_true(sessions_count(t) == 7 && ended_count == 1);
	sessions_end(t, p, "sign-out"); /* lists and board agree still */
	assert_int_equal(sessions_count(t), 4);
	assert_true(sessions_user_changed(t, 7));
	sessions_end(t, q, "sign-out");
	assert_false(sessions_user_changed(t, 7));
	sessions_free(&t);
}

static void test_all_changed(void **state)
{
	struct sessions *t = make(20);
	unsigned char token[6][32];
	struct session *s[6] = { add(t, 7, NULL, token[0]), add(t, 8, NULL, token[1]) };
	uint32_t before[6], slot;
	uint64_t epoch = board->epoch;

	(void)state;
	s[2] = add(t, 7, s[0], token[2]);
	s[3] = add(t, 7, s[0], token[3]);
	s[4] = add(t, 8, s[1], token[4]);
	s[5] = add(t, 9, NULL, token[5]);
	slot = s[5]->slot;
	sessions_end(t, s[5], "over");
	for (size_t i = 0; i < 5; i++)
		before[i] = s[i]->generation;
	before[5] = board->generation[slot];
	sessions_all_changed(t);
	assert_true(board->epoch > epoch);
	for (size_t i = 0; i < 5; i++) {
		assert_false(board_session_lives(board, s[i]->slot, before[i]));
		assert_true(board_session_lives(board, s[i]->slot, s[i]->generation));
		assert_ptr_equal(find(t, token[i]), s[i]); /* nobody is signed out */
		if (i >= 2)
			assert_int_equal(s[i]->parent_generation, s[i == 4]->generation);
	}
	assert_int_equal(board->generation[slot], before[5]); /* where nobody lives nobody comes to life */
	assert_int_equal(ended_count, 1);
	sessions_free(&t);
	t = make(1);
	sessions_all_changed(t); /* of none */
	sessions_free(&t);
}

#define IDLE  600u
#define SLACK 60u

/* What other nodes saw: of the portal's and of an app's. */
struct elsewhere { uint64_t portal_s, app_s; unsigned asked; };

static uint64_t seen_elsewhere(void *ctx, const struct session *s)
{
	struct elsewhere *e = ctx;

	e->asked++;
	return s->kept.host[0] ? e->app_s : e->portal_s;
}

static void on_ended_of_elsewhere(void *ctx, const struct session *s, const char *why)
{
	(void)ctx;
	on_ended(NULL, s, why);
}

static struct sessions *make_shared(struct elsewhere *e)
{
	const struct sessions_hooks own = { .ctx = e, .ended = on_ended_of_elsewhere, .seen = seen_elsewhere, .slack_s = SLACK };
	struct sessions *t = NULL;

	ended_count = 0;
	assert_int_equal(sessions_new(board, 10, &own, &t), OK);
	return t;
}

/* Made at NOW, idle after 600 s and 60 of slack. want_s: when it was seen, as far as is known then. */
static void test_seen_elsewhere(void **state)
{
	static const struct { const char *why; uint64_t elsewhere_s, at_s; const char *ends; uint64_t want_s; unsigned asked; } rows[] = {
		{ "idle by its limit alone", 0, NOW + IDLE, NULL, NOW, 0 },
		{ "one second before", 0, NOW + IDLE + SLACK - 1, NULL, NOW, 0 },
		{ "nobody saw it", 0, NOW + IDLE + SLACK, "idle", 0, 1 },
		{ "another node saw it", NOW + 300, NOW + IDLE + SLACK, NULL, NOW + 300, 1 },
		{ "one second later than we did", NOW + 1, NOW + IDLE + SLACK, NULL, NOW + 1, 1 },
		{ "when we did", NOW, NOW + IDLE + SLACK, "idle", 0, 1 },
		{ "before we did", NOW - 300, NOW + IDLE + SLACK, "idle", 0, 1 },
		{ "later, but long ago too", NOW + 300, NOW + 300 + IDLE + SLACK, "idle", 0, 1 },
		{ "just not so long ago", NOW + 300, NOW + 300 + IDLE + SLACK - 1, NULL, NOW + 300, 1 },
		{ "its clock is ahead", NOW + 5000, NOW + IDLE + SLACK, NULL, NOW + IDLE + SLACK, 1 },
		{ "as far ahead as can be", UINT64_MAX - 1, NOW + IDLE + SLACK, NULL, NOW + IDLE + SLACK, 1 },
		{ "it is not known", UINT64_MAX, NOW + IDLE + SLACK, NULL, NOW, 1 },
		{ "not known for hours", UINT64_MAX, NOW + 35999, NULL, NOW, 1 },
		{ "over, and not known", UINT64_MAX, NOW + 36000, "over", 0, 0 },
		{ "over, and seen", NOW + 35999, NOW + 36000, "over", 0, 0 },
		{ "the clock went back", 0, NOW - 5000, NULL, NOW, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		for (int by_find = 0; by_find < 2; by_find++) {
			struct elsewhere e = { .portal_s = rows[i].elsewhere_s };
			struct sessions *t = make_shared(&e);
			unsigned char token[32];
			struct session *s = add(t, 1, NULL, token);
			bool lives;

			if (by_find) {
				lives = sessions_find(t, bytes_of(token, 32), rows[i].at_s) == s;
				assert_int_equal(ended_count, 0); /* that is for the tick */
			} else {
				sessions_tick(t, seen, rows[i].at_s);
				lives = ended_count == 0;
				if (!lives && (!rows[i].ends || strcmp(ended_why, rows[i].ends) != 0))
					fail_msg("%s: %s", rows[i].why, ended_why);
			}
			if (lives != !rows[i].ends || (lives && s->kept.seen_s != rows[i].want_s) || e.asked != rows[i].asked)
				fail_msg("%s: by %s it %s, seen at NOW + %lld, asked %u times", rows[i].why, by_find ? "find" : "tick", lives ? "lives" : "does not",
					lives ? (long long)(s->kept.seen_s - NOW) : 0, e.asked);
			sessions_free(&t);
		}
}

/* It moves on with each answer; while there is none it waits, and the first that comes decides. */
static void test_seen_elsewhere_goes_on(void **state)
{
	struct elsewhere e = { .portal_s = UINT64_MAX };
	struct sessions *t = make_shared(&e);
	unsigned char token[32];
	struct session *s = add(t, 1, NULL, token);

	(void)state;
	for (uint64_t at = NOW; at < NOW + 3000; at++)
		sessions_tick(t, seen, at);
	assert_true(ended_count == 0 && s->kept.seen_s == NOW);
	e = (struct elsewhere){ .portal_s = NOW + 2900 };
	sessions_tick(t, seen, NOW + 3000);
	assert_true(ended_count == 0 && s->kept.seen_s == NOW + 2900 && e.asked == 1);
	for (uint64_t at = NOW + 3001; at < NOW + 2900 + IDLE + SLACK; at++)
		sessions_tick(t, seen, at);
	assert_true(ended_count == 0 && e.asked == 1); /* nor is the other asked all the while */
	board_session_seen(seen, s->slot, NOW + 3500); /* and here it is seen as ever */
	sessions_tick(t, seen, NOW + 2900 + IDLE + SLACK);
	assert_true(ended_count == 0 && s->kept.seen_s == NOW + 3500 && e.asked == 1);
	e.portal_s = 0;
	sessions_tick(t, seen, NOW + 3500 + IDLE + SLACK - 1);
	assert_int_equal(ended_count, 0);
	sessions_tick(t, seen, NOW + 3500 + IDLE + SLACK);
	assert_int_equal(ended_count, 1);
	assert_string_equal(ended_why, "idle");
	sessions_free(&t);
}

/* With slack, and nobody to ask. */
static void test_slack_alone(void **state)
{
	const struct sessions_hooks own = { .ended = on_ended, .slack_s = SLACK };
	struct store_session x = of_user(1, "", NOW, UINT32_MAX);
	struct sessions *t = NULL;
	unsigned char token[32], other[32];
	struct session *s;

	(void)state;
	assert_int_equal(sessions_new(board, 10, &own, &t), OK);
	s = add(t, 1, NULL, token);
	x.until_s = UINT64_MAX;
	assert_int_equal(sessions_add(t, &x, NULL, other, &s), OK);
	sessions_tick(t, seen, NOW + IDLE + SLACK - 1);
	assert_int_equal(ended_count, 0);
	assert_non_null(sessions_find(t, bytes_of(token, 32), NOW + IDLE + SLACK - 1));
	assert_null(sessions_find(t, bytes_of(token, 32), NOW + IDLE + SLACK));
	sessions_tick(t, seen, NOW + IDLE + SLACK);
	assert_int_equal(ended_count, 1);
	sessions_tick(t, seen, NOW + UINT32_MAX + SLACK - 1); /* the sum of both is no small number */
	assert_non_null(sessions_find(t, bytes_of(other, 32), NOW + UINT32_MAX + SLACK - 1));
	assert_int_equal(ended_count, 1);
	sessions_tick(t, seen, NOW + UINT32_MAX + SLACK);
	assert_int_equal(ended_count, 2);
	sessions_free(&t);
}

/* A portal's and an app's, by every way: what find() finds at a time is what tick() leaves at that time. */
static void test_find_and_tick_agree(void **state)
{
	static const uint64_t elsewhere[] = { 0, NOW - 5, NOW, NOW + 1, NOW + 59, NOW + 300, NOW + 659, NOW + 660, NOW + 1000, UINT64_MAX - 1, UINT64_MAX };
	static const uint64_t at[] = { NOW, NOW + 599, NOW + 600, NOW + 659, NOW + 660, NOW + 661, NOW + 719, NOW + 959, NOW + 960, NOW + 1320, NOW + 35999, NOW + 36000 };
	struct elsewhere e;
	struct sessions *t = make_shared(&e);
	unsigned lived = 0, died = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(elsewhere) * COUNT_OF(elsewhere) * COUNT_OF(at); i++) {
		uint64_t when = at[i / COUNT_OF(elsewhere) / COUNT_OF(elsewhere)];
		bool finds[3][2]; /* found; left by the tick; found first, then left */

		e = (struct elsewhere){ .portal_s = elsewhere[i % COUNT_OF(elsewhere)], .app_s = elsewhere[i / COUNT_OF(elsewhere) % COUNT_OF(elsewhere)] };
		for (int way = 0; way < 3; way++) {
			unsigned char portal[32], app[32];
			struct session *p = add(t, 1, NULL, portal), *a = add(t, 1, p, app);
			uint32_t slots[2] = { p->slot, a->slot };

			if (way != 1) {
				finds[way][0] = sessions_find(t, bytes_of(portal, 32), when) == p;
				finds[way][1] = sessions_find(t, bytes_of(app, 32), when) == a;
			}
			if (way != 0) {
				sessions_tick(t, seen, when);
				for (int k = 0; k < 2; k++)
					finds[way][k] = sessions_at(t, slots[k]) != NULL;
			}
			if (sessions_at(t, slots[0]))
				sessions_end(t, p, "sign-out");
			assert_int_equal(sessions_count(t), 0);
		}
		for (int k = 0; k < 2; k++) {
			if (finds[0][k] != finds[1][k] || finds[0][k] != finds[2][k])
				fail_msg("%s at NOW + %llu, elsewhere seen at NOW + %lld and NOW + %lld: found %d, left %d, found and left %d", k ? "an app's" : "a portal's",
					(unsigned long long)(when - NOW), (long long)(e.portal_s - NOW), (long long)(e.app_s - NOW), finds[0][k], finds[1][k], finds[2][k]);
			lived += finds[0][k];
			died += !finds[0][k];
		}
	}
	sessions_free(&t);
	assert_true(lived > 500 && died > 500);
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
		T(test_app_keeps_portal), T(test_find_looks_at_the_time), T(test_take_rotated), T(test_take_moves_on_what_counts), T(test_take_seen), T(test_take_refuses), T(test_user_changed),
		T(test_all_changed), T(test_seen_elsewhere), T(test_seen_elsewhere_goes_on), T(test_slack_alone), T(test_find_and_tick_agree), T(test_memory), T(test_model) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
