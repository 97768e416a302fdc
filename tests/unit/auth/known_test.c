/* Users as they were last read: what is put is got, whoever else stands in the same bucket, and what is forgotten is not there. */
#include "auth/known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define BUCKETS 8192 /* of known.c: ids that far apart share one */

static unsigned char arena_mem[8192];
static struct arena arena;

static int set_up(void **state)
{
	*state = known_new();
	arena_init(&arena, arena_mem, sizeof arena_mem);
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	struct known *k = *state;

	known_free(&k);
	return k ? -1 : 0;
}

static struct store_user user(int64_t id, const char *name, const char *groups)
{
	return (struct store_user){ .id = id, .name = bytes_str(name), .display = BYTES("Eva de Boer"), .mail = BYTES("eva@example.org"), .language = BYTES("nl"),
		.groups = bytes_str(groups) };
}

static void put(struct known *k, int64_t id, const char *name)
{
	struct store_user u = user(id, name, "staff\ncare");

	known_put(k, &u);
}

static struct store_user get(const struct known *k, int64_t id)
{
	struct store_user u = { .id = 0 };

	arena_reset(&arena);
	assert_int_equal(known_get(k, id, &arena, &u), OK);
	return u;
}

static bool is_known(const struct known *k, int64_t id)
{
	struct store_user u;

	arena_reset(&arena);
	return known_get(k, id, &arena, &u) == OK;
}

/* The id, or -1. */
static int64_t find(const struct known *k, const char *name)
{
	int64_t id = -1;
	enum err e = known_find(k, bytes_str(name), &id);

	assert_true(e == OK || (e == ERR_NOT_FOUND && id == -1));
	return id;
}

#define assert_bytes(got, want) assert_true(bytes_eq((got), BYTES(want)))

static void test_what_is_put_is_got(void **state)
{
	struct known *k = *state;
	char name[] = "eva", groups[] = "staff\ncare";
	struct store_user in = user(7, name, groups), u;

	assert_int_equal(known_get(k, 7, &arena, &u), ERR_NOT_FOUND);
	assert_true(find(k, "eva") == -1);
	in.is_disabled = true;
	known_put(k, &in);
	memset(name, 'x', 3); /* it is a copy */
	memset(groups, 'x', 5);
	u = get(k, 7);
	assert_true(u.id == 7 && u.is_disabled && !u.must_change);
	assert_bytes(u.name, "eva");
	assert_bytes(u.display, "Eva de Boer");
	assert_bytes(u.mail, "eva@example.org");
	assert_bytes(u.language, "nl");
	assert_bytes(u.groups, "staff\ncare");
	assert_true(find(k, "eva") == 7);
}

/* Nothing that a sign-in is decided by: neither a hash, nor a factor. */
static void test_nothing_else_is_kept(void **state)
{
	struct known *k = *state;
	struct store_user in = user(7, "eva", ""), u;

	in.hash = BYTES("$argon2id$");
	in.origin = BYTES("ldap:corp");
	in.subject = BYTES("x");
	in.has_totp = true;
	in.passkeys = in.recovery_left = 3;
	memset(in.totp, 0xaa, sizeof in.totp);
	known_put(k, &in);
	u = get(k, 7);
	assert_int_equal(u.hash.len + u.origin.len + u.subject.len, 0);
	assert_false(u.has_totp);
	assert_int_equal(u.passkeys + u.recovery_left, 0);
	for (size_t i = 0; i < sizeof u.totp; i++)
		assert_int_equal(u.totp[i], 0);
}

static void test_put_again(void **state)
{
	struct known *k = *state;
	struct store_user in = user(7, "eva", "staff\ncare"), u;

	known_put(k, &in);
	in = user(7, "eva.de.boer", "board"); /* another name, fewer groups */
	in.must_change = true;
	known_put(k, &in);
	u = get(k, 7);
	assert_true(u.must_change && !u.is_disabled);
	assert_bytes(u.groups, "board");
	assert_true(find(k, "eva.de.boer") == 7);
	assert_true(find(k, "eva") == -1); /* the old name is nobody's */
	put(k, 8, "eva");
	assert_true(find(k, "eva") == 8);
	known_forget(k, 7);
	assert_false(is_known(k, 7)); /* there was one of it, not two */
	assert_true(find(k, "eva.de.boer") == -1 && find(k, "eva") == 8);
}

static void test_names(void **state)
{
	struct known *k = *state;

	put(k, 7, "eva");
	assert_true(find(k, "ev") == -1 && find(k, "evas") == -1 && find(k, "") == -1);
	assert_true(find(k, "EVA") == -1); /* whoever asks has made it lower case */
	put(k, 8, "piet");
	assert_true(find(k, "piet") == 8 && find(k, "eva") == 7);
}

static void test_all_empty(void **state)
{
	struct known *k = *state;
	struct store_user in = { .id = 9 }, u;

	known_put(k, &in);
	u = get(k, 9);
	assert_true(u.id == 9 && u.name.len + u.display.len + u.mail.len + u.language.len + u.groups.len == 0);
}

/* Whoever shares a bucket: first, middle and last of it can go, and the others stay. */
static void test_the_same_bucket(void **state)
{
	static const int64_t ids[] = { 5, 5 + BUCKETS, 5 + 2 * BUCKETS };
	struct known *k = *state;

	for (size_t gone = 0; gone < COUNT_OF(ids); gone++) {
		known_clear(k);
		for (size_t i = 0; i < COUNT_OF(ids); i++) {
			char name[8];

			snprintf(name, sizeof name, "u%zu", i);
			put(k, ids[i], name);
		}
		known_forget(k, ids[gone]);
		known_forget(k, ids[gone]); /* and again: nothing */
		known_forget(k, 5 + 3 * BUCKETS); /* never there */
		for (size_t i = 0; i < COUNT_OF(ids); i++) {
			char name[8];

			snprintf(name, sizeof name, "u%zu", i);
			assert_true(is_known(k, ids[i]) == (i != gone));
			assert_true(find(k, name) == (i == gone ? -1 : ids[i]));
			if (i != gone)
				assert_true(get(k, ids[i]).id == ids[i]);
		}
	}
}

/* What a store could say that counts otherwise than we do. */
static void test_odd_ids(void **state)
{
	static const int64_t ids[] = { 0, 1, -1, INT64_MAX, INT64_MIN };
	struct known *k = *state;

	for (size_t i = 0; i < COUNT_OF(ids); i++)
		put(k, ids[i], "eva");
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		assert_true(get(k, ids[i]).id == ids[i]);
		known_forget(k, ids[i]);
		assert_false(is_known(k, ids[i]));
	}
}

/* As much as there may be of each text, and an arena that has no room for all of it: nothing is written. */
static void test_an_arena_that_is_full(void **state)
{
	static char display[STORE_TEXT_MAX], groups[64 * (STORE_TEXT_MAX + 1)];
	struct known *k = *state;
	struct store_user in = user(7, "eva", ""), out = { .id = 42 };
	unsigned char mem[2 * STORE_TEXT_MAX];
	struct arena small;

	memset(display, 'd', sizeof display);
	memset(groups, 'g', sizeof groups);
	in.display = bytes_of(display, sizeof display);
	in.groups = bytes_of(groups, sizeof groups);
	known_put(k, &in);
	for (size_t size = 0; size <= sizeof mem; size += 25) {
		arena_init(&small, mem, size);
		assert_int_equal(known_get(k, 7, &small, &out), ERR_MEMORY);
		assert_true(out.id == 42 && out.name.at == NULL);
	}
	arena_init_growing(&small, 1 << 20);
	assert_int_equal(known_get(k, 7, &small, &out), OK);
	assert_true(bytes_eq(out.groups, in.groups) && bytes_eq(out.display, in.display));
	arena_fini(&small);
}

static void test_clear(void **state)
{
	struct known *k = *state;

	for (int64_t i = 0; i < 3 * BUCKETS; i++) {
		char name[16];

		snprintf(name, sizeof name, "u%lld", (long long)i);
		put(k, i, name);
	}
	assert_true(find(k, "u24575") == 24575 && get(k, 12345).id == 12345);
	known_clear(k);
	assert_true(find(k, "u24575") == -1);
	for (int64_t i = 0; i < 3 * BUCKETS; i++)
		assert_false(is_known(k, i));
	put(k, 1, "eva"); /* it can be used again; what it has goes with it */
	assert_true(find(k, "eva") == 1);
}

static void test_the_end(void **state)
{
	struct known *k = known_new();

	(void)state;
	assert_non_null(k);
	put(k, 1, "eva");
	known_free(&k);
	assert_null(k);
	known_free(&k);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_what_is_put_is_got), T(test_nothing_else_is_kept), T(test_put_again), T(test_names), T(test_all_empty),
		T(test_the_same_bucket), T(test_odd_ids), T(test_an_arena_that_is_full), T(test_clear), T(test_the_end) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
