/* Of both engines, SQLite and PostgreSQL. What identity keeps: what is written is there after the file was closed and opened, limits hold, and what is wrong with the disk or in the file is an
 * error that says so. */
#define _GNU_SOURCE
#include "auth/store.h"

#include "postgresql.h"

#include "auth/store_nodes.h"
#include "base/clock.h"
#include "jail/jail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW   UINT64_C(1800000000)
#define DAY_S 86400

static char dir[64], file[80];
static struct store *store;
static struct arena arena;
static bool is_shared; /* in PostgreSQL */

static void reopen(void)
{
	store_close(&store);
	if (is_shared ? store_open_postgresql(BYTES("postgresql://test"), &store) != OK : store_open(dir, &store) != OK)
		fail_msg("%s", store_error(NULL));
	if (is_shared && postgresql_connect(store) != OK)
		fail_msg("%s", store_error(store));
}

/* A store that has nothing yet. */
static int set_up_shared(void **state)
{
	char command[600];

	(void)state;
	is_shared = true;
	snprintf(command, sizeof command, "%s/psql -q -X -h 127.0.0.1 -p %u -U sluis postgres -c 'DROP SCHEMA public CASCADE' -c 'CREATE SCHEMA public' >/dev/null 2>&1",
		server.bin, server.at.port);
	for (int i = 0; system(command) != 0; i++) {
		if (i == 50)
			return -1;
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	arena_init_growing(&arena, 16 << 20);
	reopen();
	return 0;
}

static int tear_down_shared(void **state)
{
	(void)state;
	store_close(&store);
	arena_fini(&arena);
	is_shared = false;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/store_test.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(file, sizeof file, "%s/identity.db", dir);
	arena_init_growing(&arena, 16 << 20);
	return store_open(dir, &store) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "identity.db", "identity.db-wal", "identity.db-journal", "elsewhere" };
	char path[128];

	(void)state;
	store_close(&store);
	arena_fini(&arena);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
		rmdir(path);
	}
	return rmdir(dir);
}

static int64_t add(const char *name)
{
	struct store_user u = { .name = bytes_str(name), .display = BYTES("Eva de Vries"), .mail = BYTES("eva@example.org"),
		.groups = BYTES("staff\ncare"), .hash = BYTES("$argon2id$x") };

	assert_int_equal(store_user_add(store, &u, NOW), OK);
	return u.id;
}

static struct store_user get(int64_t id)
{
	struct store_user u;

	assert_int_equal(store_user_get(store, id, &arena, &u), OK);
	return u;
}

/* By another hand, while the store is closed. */
static void by_hand(const char *sql)
{
	char *why = NULL;
	sqlite3 *db;

	store_close(&store);
	if (is_shared) {
		char command[2000];

		snprintf(command, sizeof command, "%s/psql -q -X -v ON_ERROR_STOP=1 -h 127.0.0.1 -p %u -U sluis postgres >/dev/null <<'END'\n%s\nEND\n", server.bin,
			server.at.port, sql);
		if (system(command) != 0)
			fail_msg("%s", sql);
		return;
	}
	assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

static void put_user(struct store_user *u, struct bytes name, struct bytes origin, struct bytes subject, enum err want)
{
	*u = (struct store_user){ .name = name, .origin = origin, .subject = subject };
	assert_int_equal(store_user_add(store, u, NOW), want);
}

static void test_origins(void **state)
{
	struct store_user eva, ours, other, got;

	(void)state;
	put_user(&eva, BYTES("eva"), BYTES("ldap:corp"), BYTES("s-1"), OK);
	put_user(&ours, BYTES("ours"), BYTES(""), BYTES(""), OK);
	put_user(&other, BYTES("bob"), BYTES("ldap:corp"), BYTES("s-1"), ERR_ORDER);
	put_user(&other, BYTES("bob"), BYTES("ldap:corp"), BYTES(""), ERR_SYNTAX);
	put_user(&other, BYTES("bob"), BYTES("ldap:lab"), BYTES("s-1"), OK);
	reopen();
	assert_int_equal(store_user_by_subject(store, BYTES("ldap:corp"), BYTES("s-1"), &arena, &got), OK);
	assert_int_equal(got.id, eva.id);
	assert_true(bytes_eq(got.origin, BYTES("ldap:corp")) && bytes_eq(got.subject, BYTES("s-1")));
	assert_int_equal(store_user_by_subject(store, BYTES("ldap:corp"), BYTES("s-2"), &arena, &got), ERR_NOT_FOUND);
	assert_int_equal(store_user_by_subject(store, BYTES(""), BYTES(""), &arena, &got), ERR_NOT_FOUND);
	assert_int_equal(store_user_rename(store, eva.id, BYTES("OURS")), ERR_ORDER);
	assert_int_equal(store_user_rename(store, eva.id, BYTES("a b")), ERR_SYNTAX);
	assert_int_equal(store_user_rename(store, eva.id, BYTES("Ada")), OK);
	assert_int_equal(store_user_find(store, BYTES("ada"), &arena, &got), OK);
	assert_int_equal(store_user_find(store, BYTES("eva"), &arena, &got), ERR_NOT_FOUND);
}

/* Only who has a session is looked up, the longest ago first. */
static void test_who_is_to_be_looked_up(void **state)
{
	struct store_user eva, bob, got;
	struct store_session x = { .id = "0123456789abcdef", .since_s = NOW, .until_s = NOW + 9, .idle_s = 9 };

	(void)state;
	put_user(&eva, BYTES("eva"), BYTES("ldap:corp"), BYTES("s-1"), OK);
	put_user(&bob, BYTES("bob"), BYTES("ldap:corp"), BYTES("s-2"), OK);
	assert_int_equal(store_user_to_look(store, BYTES("ldap:corp"), NOW, &arena, &got), ERR_NOT_FOUND);
	x.user = eva.id;
	assert_int_equal(store_session_put(store, &x), OK);
	x.id[0] = '1';
	x.hash[0] = 1;
	x.user = bob.id;
	assert_int_equal(store_session_put(store, &x), OK);
	assert_int_equal(store_user_looked(store, eva.id, NOW), OK);
	assert_int_equal(store_user_to_look(store, BYTES("ldap:corp"), NOW + 1, &arena, &got), OK);
	assert_int_equal(got.id, bob.id);
	assert_int_equal(store_user_looked(store, bob.id, NOW + 5), OK);
	assert_int_equal(store_user_to_look(store, BYTES("ldap:corp"), NOW + 1, &arena, &got), OK);
	assert_int_equal(got.id, eva.id);
	assert_int_equal(store_user_to_look(store, BYTES("ldap:corp"), NOW, &arena, &got), ERR_NOT_FOUND);
	assert_int_equal(store_user_to_look(store, BYTES("ldap:lab"), NOW + 9, &arena, &got), ERR_NOT_FOUND);
}

/* As version 1 left it: what hangs on a user is still there. */
#define AS_VERSION_1 "DROP INDEX user_subject; ALTER TABLE user DROP COLUMN origin; ALTER TABLE user DROP COLUMN subject;" \
	"ALTER TABLE user DROP COLUMN looked; ALTER TABLE session DROP COLUMN device_key; ALTER TABLE session DROP COLUMN device_hash;" \
	"ALTER TABLE session DROP COLUMN device_until; ALTER TABLE session DROP COLUMN sid; PRAGMA user_version=1"

static void test_an_old_file(void **state)
{
	unsigned char secret[TOTP_SECRET_LEN] = { 7 };
	struct store_user u, got;

	(void)state;
	put_user(&u, BYTES("eva"), BYTES(""), BYTES(""), OK);
	assert_int_equal(store_totp_set(store, u.id, secret, 3), OK);
	by_hand(AS_VERSION_1);
	reopen();
	assert_int_equal(store_user_find(store, BYTES("eva"), &arena, &got), OK);
	assert_true(got.has_totp && got.totp_last_step == 3 && got.origin.len == 0 && got.subject.len == 0);
	put_user(&u, BYTES("bob"), BYTES("ldap:corp"), BYTES("s-1"), OK);
	put_user(&u, BYTES("carl"), BYTES("ldap:corp"), BYTES("s-1"), ERR_ORDER);
	reopen();
	assert_int_equal(store_user_by_subject(store, BYTES("ldap:corp"), BYTES("s-1"), &arena, &got), OK);
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse_ip(bytes_str(text), &a), OK);
	return a;
}

/* --- users --- */

static void test_names(void **state)
{
	static const struct { const char *why; struct bytes name; bool want; } rows[] = {
		{ "a name", LIT("eva"), true },
		{ "all that may be", LIT("e.v_a-1@example+x"), true },
		{ "upper case is lower case", LIT("Eva"), true },
		{ "a digit first", LIT("7eva"), true },
		{ "nothing", LIT(""), false },
		{ "a sign first", LIT(".eva"), false },
		{ "a space", LIT("eva p"), false },
		{ "an end within", LIT("eva\0x"), false },
		{ "beyond ASCII", LIT("ev\xc3\xa1"), false },
		{ "a quote", LIT("eva'"), false },
		{ "64", LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), true },
		{ "65", LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct store_user u = { .name = rows[i].name }, out;
		enum err e = store_user_add(store, &u, NOW);

		if (store_name_is_valid(rows[i].name) != rows[i].want || (e == OK || e == ERR_ORDER) != rows[i].want)
			fail_msg("%s: %s", rows[i].why, err_name(e));
		assert_int_equal(store_user_find(store, rows[i].name, &arena, &out), rows[i].want ? OK : ERR_NOT_FOUND);
	}
}

static void test_user(void **state)
{
	int64_t id = add("Eva"), other = add("piet");
	struct store_user u = { .name = BYTES("EVA") }, again;
	uint64_t n;

	(void)state;
	assert_int_equal(store_user_add(store, &u, NOW), ERR_ORDER); /* two of one name */
	assert_int_equal(store_user_find(store, BYTES("eVA"), &arena, &u), OK);
	reopen();
	assert_int_equal(store_user_find(store, BYTES("eva"), &arena, &again), OK);
	assert_int_equal(again.id, id);
	assert_true(bytes_eq(again.name, BYTES("eva")) && bytes_eq(again.display, BYTES("Eva de Vries")) && bytes_eq(again.mail, BYTES("eva@example.org")));
	assert_true(bytes_eq(again.groups, BYTES("staff\ncare")) && bytes_eq(again.hash, BYTES("$argon2id$x")) && again.language.len == 0);
	assert_true(again.made_s == NOW && again.last_s == 0 && !again.is_disabled && !again.must_change && !again.has_totp);
	assert_memory_equal(again.handle, u.handle, 16);
	assert_memory_not_equal(again.handle, get(other).handle, 16);
	assert_int_equal(store_user_by_handle(store, u.handle, &arena, &again), OK);
	assert_int_equal(again.id, id);
	u.handle[3] ^= 1;
	assert_int_equal(store_user_by_handle(store, u.handle, &arena, &again), ERR_NOT_FOUND);
	assert_int_equal(store_user_get(store, 999, &arena, &again), ERR_NOT_FOUND);
	assert_int_equal(store_user_count(store, &n), OK);
	assert_int_equal(n, 2);
}

static void test_user_changes(void **state)
{
	int64_t id = add("eva");
	struct store_user u;

	(void)state;
	assert_int_equal(store_user_set(store, id, BYTES("E"), BYTES(""), BYTES("")), OK);
	assert_int_equal(store_user_password(store, id, BYTES("h2"), true), OK);
	assert_int_equal(store_user_disable(store, id, true), OK);
	assert_int_equal(store_user_language(store, id, BYTES("nl")), OK);
	reopen();
	u = get(id);
	assert_true(bytes_eq(u.display, BYTES("E")) && u.mail.len == 0 && u.groups.len == 0 && bytes_eq(u.hash, BYTES("h2")));
	assert_true(u.must_change && u.is_disabled && bytes_eq(u.language, BYTES("nl")));
	assert_int_equal(store_user_rehash(store, id, BYTES("h1"), BYTES("h3")), ERR_NOT_FOUND); /* another password meanwhile */
	assert_true(bytes_eq(get(id).hash, BYTES("h2")));
	assert_int_equal(store_user_rehash(store, id, BYTES("h2"), BYTES("h3")), OK);
	u = get(id);
	assert_true(bytes_eq(u.hash, BYTES("h3")) && u.must_change);
	assert_int_equal(store_user_password(store, id, BYTES(""), false), OK);
	assert_int_equal(store_user_disable(store, id, false), OK);
	u = get(id);
	assert_true(u.hash.len == 0 && !u.must_change && !u.is_disabled);
	assert_int_equal(store_user_set(store, 99, BYTES(""), BYTES(""), BYTES("")), ERR_NOT_FOUND);
	assert_int_equal(store_user_password(store, 99, BYTES(""), false), ERR_NOT_FOUND);
	assert_int_equal(store_user_disable(store, 99, true), ERR_NOT_FOUND);
	assert_int_equal(store_user_language(store, 99, BYTES("en")), ERR_NOT_FOUND);
	assert_int_equal(store_user_remove(store, 99), ERR_NOT_FOUND);
}

static void test_texts(void **state)
{
	static unsigned char many[65 * 2], wide[STORE_TEXT_MAX + 1];
	const struct { const char *why; struct bytes display, groups; enum err want; } rows[] = {
		{ "SQL", LIT("'; DROP TABLE user; --"), LIT("x'y"), OK },
		{ "UTF-8", LIT("Zo\xc3\xab"), LIT("zorg & welzijn"), OK },
		{ "as long as may be", bytes_of(wide, STORE_TEXT_MAX), bytes_of(wide, STORE_TEXT_MAX), OK },
		{ "too long", bytes_of(wide, STORE_TEXT_MAX + 1), LIT(""), ERR_LIMIT },
		{ "too long a group", LIT(""), bytes_of(wide, STORE_TEXT_MAX + 1), ERR_LIMIT },
		{ "64 groups", LIT(""), bytes_of(many, 127), OK },
		{ "65 groups", LIT(""), bytes_of(many, 129), ERR_LIMIT },
		{ "a tab", LIT("a\tb"), LIT(""), ERR_SYNTAX },
		{ "an end within", LIT("a\0b"), LIT(""), ERR_SYNTAX },
		{ "a tab in a group", LIT(""), LIT("a\tb"), ERR_SYNTAX },
		{ "a group without a name", LIT(""), LIT("a\n\nb"), ERR_SYNTAX },
		{ "the last one without", LIT(""), LIT("a\n"), ERR_SYNTAX },
	};
	int64_t id = add("eva");

	(void)state;
	memset(wide, 'w', sizeof wide);
	for (size_t i = 0; i < sizeof many; i++)
		many[i] = i % 2 ? '\n' : 'g';
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum err e = store_user_set(store, id, rows[i].display, BYTES(""), rows[i].groups);

		if (e != rows[i].want)
			fail_msg("%s: %s", rows[i].why, err_name(e));
		if (e == OK)
			assert_true(bytes_eq(get(id).display, rows[i].display) && bytes_eq(get(id).groups, rows[i].groups));
	}
}

static bool note_name(void *ctx, const struct store_user *u)
{
	struct text *t = ctx;

	text_add(t, u->name);
	text_byte(t, ' ');
	return t->len < 40;
}

static void test_list(void **state)
{
	static const struct { struct bytes after; size_t most; const char *want; } rows[] = {
		{ LIT(""), 100, "anna eva piet wim " }, { LIT("EVA"), 100, "piet wim " }, { LIT("b"), 1, "eva " }, { LIT("wim"), 5, "" },
		{ LIT(""), SIZE_MAX, "anna eva piet wim " }, { LIT(""), 0, "" },
	};

	(void)state;
	add("piet"), add("Eva"), add("wim"), add("anna");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		unsigned char mem[64];
		struct text t;

		text_init(&t, mem, sizeof mem);
		assert_int_equal(store_users(store, rows[i].after, rows[i].most, note_name, &t), OK);
		if (!bytes_eq(text_bytes(&t), bytes_str(rows[i].want)))
			fail_msg("after %.*s: %.*s", FMT(rows[i].after), FMT(text_bytes(&t)));
	}
}

/* --- factors --- */

static void test_totp(void **state)
{
	static const unsigned char secret[TOTP_SECRET_LEN] = { 1, 2, 3 };
	int64_t id = add("eva");
	struct store_user u;

	(void)state;
	assert_int_equal(store_totp_used(store, id, 5), ERR_NOT_FOUND); /* it has none */
	assert_int_equal(store_totp_set(store, id, secret, 100), OK);
	assert_int_equal(store_totp_used(store, id, 100), ERR_ORDER); /* the code that set it up */
	assert_int_equal(store_totp_used(store, id, 101), OK);
	assert_int_equal(store_totp_used(store, id, 101), ERR_ORDER); /* twice */
	assert_int_equal(store_totp_used(store, id, 99), ERR_ORDER);
	reopen();
	assert_int_equal(store_totp_used(store, id, 101), ERR_ORDER);
	u = get(id);
	assert_true(u.has_totp && u.totp_last_step == 101);
	assert_memory_equal(u.totp, secret, sizeof secret);
	assert_int_equal(store_totp_set(store, id, NULL, 0), OK);
	assert_false(get(id).has_totp);
	assert_int_equal(store_totp_set(store, 99, secret, 0), ERR_NOT_FOUND);
	assert_int_equal(store_totp_used(store, 99, 1), ERR_NOT_FOUND);
}

/* What a call said is done is there, though the process is killed before it can say anything to SQLite. */
static void test_killed(void **state)
{
	static const unsigned char secret[TOTP_SECRET_LEN] = { 1 }, hash[1][RECOVERY_HASH_LEN] = { { 7 } };
	int64_t id = add("eva");
	pid_t child;
	int status;

	(void)state;
	store_close(&store);
	child = fork();
	if (child == 0) {
		if (store_open(dir, &store) != OK || store_totp_set(store, id, secret, 7) != OK || store_totp_used(store, id, 8) != OK ||
			store_recovery_set(store, id, hash, 1) != OK || store_recovery_use(store, id, hash[0]) != OK ||
			store_user_language(store, id, BYTES("nl")) != OK)
			_exit(4);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	reopen();
	assert_int_equal(store_totp_used(store, id, 8), ERR_ORDER);
	assert_int_equal(store_recovery_use(store, id, hash[0]), ERR_NOT_FOUND);
	assert_true(bytes_eq(get(id).language, BYTES("nl")));
}

static void test_recovery(void **state)
{
	static const unsigned char first[2][RECOVERY_HASH_LEN] = { { 1 }, { 2 } }, second[3][RECOVERY_HASH_LEN] = { { 3 }, { 4 }, { 5 } };
	static const unsigned char twice[2][RECOVERY_HASH_LEN] = { { 9 }, { 9 } };
	int64_t id = add("eva"), other = add("piet");

	(void)state;
	assert_int_equal(store_recovery_set(store, id, first, 2), OK);
	assert_int_equal(store_recovery_use(store, other, first[0]), ERR_NOT_FOUND); /* another's */
	assert_int_equal(store_recovery_use(store, id, first[0]), OK);
	assert_int_equal(store_recovery_use(store, id, first[0]), ERR_NOT_FOUND);
	assert_int_equal(get(id).recovery_left, 1);
	assert_int_equal(store_recovery_set(store, id, second, 3), OK);
	reopen();
	assert_int_equal(get(id).recovery_left, 3);
	assert_int_equal(store_recovery_use(store, id, first[1]), ERR_NOT_FOUND);
	assert_int_equal(store_recovery_set(store, id, twice, 2), ERR_ORDER);
	assert_int_equal(get(id).recovery_left, 3); /* all or none */
	assert_int_equal(store_recovery_set(store, 99, first, 2), ERR_NOT_FOUND);
	assert_int_equal(store_recovery_set(store, id, NULL, 0), OK);
	assert_int_equal(get(id).recovery_left, 0);
}

static bool count_passkey(void *ctx, const struct store_passkey *p)
{
	assert_true(p->id.len > 0);
	++*(int *)ctx;
	return true;
}

static void test_passkeys(void **state)
{
	static unsigned char long_id[1024];
	struct store_passkey p = { .id = BYTES("\0\1id"), .public_key = BYTES("\xa5key"), .name = BYTES("phone"), .sign_count = 3, .made_s = NOW }, out;
	int64_t id = add("eva"), other = add("piet"), user;
	int n = 0;

	(void)state;
	assert_int_equal(store_passkey_add(store, id, &p), OK);
	assert_int_equal(store_passkey_add(store, other, &p), ERR_ORDER);
	assert_int_equal(store_passkey_used(store, p.id, UINT32_MAX, true, NOW + 5), OK);
	reopen();
	assert_int_equal(store_passkey_find(store, p.id, &arena, &out, &user), OK);
	assert_true(user == id && bytes_eq(out.id, p.id) && bytes_eq(out.public_key, p.public_key) && bytes_eq(out.name, p.name));
	assert_true(out.sign_count == UINT32_MAX && out.is_backed_up && out.made_s == NOW && out.used_s == NOW + 5);
	assert_int_equal(get(id).passkeys, 1);
	p.id = BYTES("two");
	assert_int_equal(store_passkey_add(store, id, &p), OK);
	assert_int_equal(store_passkeys(store, id, count_passkey, &n), OK);
	assert_int_equal(n, 2);
	assert_int_equal(store_passkey_remove(store, other, p.id), ERR_NOT_FOUND); /* another's */
	assert_int_equal(store_passkey_remove(store, id, p.id), OK);
	assert_int_equal(store_passkey_find(store, p.id, &arena, &out, &user), ERR_NOT_FOUND);
	assert_int_equal(store_passkey_used(store, p.id, 1, false, NOW), ERR_NOT_FOUND);
	assert_int_equal(store_passkey_add(store, 99, &p), ERR_NOT_FOUND);
	p.id = bytes_of(long_id, 1024);
	assert_int_equal(store_passkey_add(store, id, &p), ERR_LIMIT);
	p.id = bytes_of(long_id, 0);
	assert_int_equal(store_passkey_add(store, id, &p), ERR_SYNTAX);
}

/* --- sessions --- */

static struct store_session session(int64_t user, unsigned n, const char *parent)
{
	struct store_session x = { .user = user, .since_s = NOW, .seen_s = NOW + 1, .until_s = UINT64_MAX, .proved_s = NOW + 2, .idle_s = UINT32_MAX,
		.has_mfa = true, .client = address("192.0.2.7") };

	memcpy(x.hash, &n, sizeof n);
	snprintf(x.id, sizeof x.id, "%016llx", (unsigned long long)(n * UINT64_C(0x9e3779b97f4a7c15))); /* in no order */
	snprintf(x.parent, sizeof x.parent, "%s", parent);
	snprintf(x.host, sizeof x.host, "%s", parent[0] ? "wiki.example.org" : "");
	snprintf(x.method, sizeof x.method, "password totp");
	snprintf(x.agent, sizeof x.agent, "Browser 1.0");
	return x;
}

struct found { unsigned n, apps, portals_behind_apps; struct store_session last; unsigned most; };

static bool note_session(void *ctx, const struct store_session *x)
{
	struct found *f = ctx;

	f->n++;
	f->apps += x->parent[0] != 0;
	f->portals_behind_apps += x->parent[0] == 0 && f->apps;
	f->last = *x;
	return !f->most || f->n < f->most;
}

static struct found sessions(unsigned most)
{
	struct found f = { .most = most };

	assert_int_equal(store_sessions(store, note_session, &f), OK);
	return f;
}

static void test_sessions(void **state)
{
	int64_t id = add("eva");
	struct store_session p = session(id, 1, ""), a = session(id, 2, p.id), x;
	struct found f;

	(void)state;
	assert_int_equal(store_session_put(store, &p), OK);
	assert_int_equal(store_session_put(store, &a), OK);
	reopen();
	f = sessions(0);
	assert_true(f.n == 2 && f.apps == 1 && f.portals_behind_apps == 0);
	a.until_s = INT64_MAX; /* the end of SQLite's numbers */
	assert_string_equal(f.last.id, a.id);
	assert_string_equal(f.last.parent, p.id);
	assert_string_equal(f.last.host, "wiki.example.org");
	assert_string_equal(f.last.method, "password totp");
	assert_string_equal(f.last.agent, "Browser 1.0");
	assert_memory_equal(f.last.hash, a.hash, 32);
	assert_memory_equal(f.last.client.ip, a.client.ip, 16);
	assert_true(f.last.user == id && f.last.since_s == a.since_s && f.last.seen_s == a.seen_s && f.last.until_s == a.until_s);
	assert_true(f.last.proved_s == a.proved_s && f.last.idle_s == a.idle_s && f.last.has_mfa && !f.last.is_device_bound);
	a.hash[0] = 99; /* another token, and a factor less */
	a.has_mfa = false;
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(store_session_seen(store, a.id, NOW + 77), OK);
	assert_int_equal(store_session_seen(store, "none", NOW), ERR_NOT_FOUND);
	f = sessions(0);
	assert_true(f.n == 2 && f.last.hash[0] == 99 && !f.last.has_mfa && f.last.seen_s == NOW + 77);
	assert_int_equal(sessions(1).n, 1); /* until false */
	assert_int_equal(store_session_remove(store, a.id), OK);
	assert_int_equal(store_session_remove(store, a.id), OK); /* none there */
	assert_int_equal(sessions(0).n, 1);
	x = session(99, 5, "");
	assert_int_equal(store_session_put(store, &x), ERR_NOT_FOUND); /* no such user */
}

static void bind_key(struct store_session *x, unsigned char with)
{
	memset(x->device_key, with, sizeof x->device_key);
	memset(x->device_hash, with + 1, sizeof x->device_hash);
	x->device_until_s = NOW + with;
}

/* A key of the device outlives a restart, and another token of the session; its short cookie may change, but not that of a session without a key. */
static void test_device(void **state)
{
	int64_t id = add("eva");
	struct store_session p = session(id, 1, "");
	struct found f;

	(void)state;
	assert_int_equal(store_session_put(store, &p), OK);
	bind_key(&p, 5);
	assert_int_equal(store_session_device(store, &p, false), ERR_NOT_FOUND);
	assert_int_equal(store_session_device(store, &p, true), OK);
	p.is_device_bound = true;
	p.hash[0] = 77;
	assert_int_equal(store_session_put(store, &p), OK);
	reopen();
	f = sessions(0);
	assert_true(f.n == 1 && f.last.is_device_bound && f.last.hash[0] == 77 && f.last.device_until_s == NOW + 5);
	assert_memory_equal(f.last.device_key, p.device_key, sizeof p.device_key);
	assert_memory_equal(f.last.device_hash, p.device_hash, sizeof p.device_hash);
	bind_key(&p, 9);
	assert_int_equal(store_session_device(store, &p, false), OK);
	reopen();
	f = sessions(0);
	assert_true(f.last.device_hash[0] == 10 && f.last.device_until_s == NOW + 9 && f.last.device_key[0] == 5);
	assert_int_equal(store_session_device(store, &(struct store_session){ .id = "none" }, true), ERR_NOT_FOUND);
}

/* A file of the version before: what is in it stays, and sessions can be bound. */
static void test_version_before(void **state)
{
	int64_t id = add("eva");
	struct store_session p = session(id, 1, "");
	struct found f;

	(void)state;
	assert_int_equal(store_session_put(store, &p), OK);
	by_hand(AS_VERSION_1);
	reopen();
	f = sessions(0);
	assert_true(f.n == 1 && !f.last.is_device_bound);
	assert_string_equal(f.last.id, p.id);
	bind_key(&p, 5);
	assert_int_equal(store_session_device(store, &p, true), OK);
	reopen();
	f = sessions(0);
	assert_true(f.last.is_device_bound && f.last.device_key[0] == 5);
}

static void test_transaction(void **state)
{
	int64_t id = add("eva");
	struct store_session a = session(id, 1, ""), b = session(id, 2, ""), nobody = session(99, 3, "");

	(void)state;
	assert_int_equal(store_begin(store), OK);
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(store_user_language(store, id, BYTES("nl")), OK);
	assert_int_equal(sessions(0).n, 1);
	reopen(); /* closed in the middle */
	assert_int_equal(sessions(0).n, 0);
	assert_int_equal(get(id).language.len, 0);
	assert_int_equal(store_begin(store), OK);
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(store_session_put(store, &nobody), ERR_NOT_FOUND); /* an answer, no failure: the others stay */
	assert_int_equal(store_session_put(store, &b), OK);
	assert_int_equal(store_commit(store), OK);
	reopen();
	assert_int_equal(sessions(0).n, 2);
}

static void test_many_sessions(void **state)
{
	int64_t id = add("eva");
	uint64_t start = clock_mono_us(), put, read;

	(void)state;
	assert_int_equal(store_begin(store), OK);
	for (unsigned i = 0; i < 100000; i++) {
		struct store_session x = session(id, i, i % 4 ? "0000000000000000" : "");

		assert_int_equal(store_session_put(store, &x), OK);
	}
	assert_int_equal(store_commit(store), OK);
	put = clock_mono_us() - start;
	reopen();
	start = clock_mono_us();
	assert_int_equal(sessions(0).n, 100000);
	assert_int_equal(sessions(0).apps, 75000);
	read = (clock_mono_us() - start) / 2;
	print_message("100,000 sessions: put in %llu ms, read in %llu ms\n", (unsigned long long)put / 1000, (unsigned long long)read / 1000);
}

static void test_remove_user(void **state)
{
	static const unsigned char hash[1][RECOVERY_HASH_LEN] = { { 1 } };
	struct store_passkey p = { .id = BYTES("id"), .public_key = BYTES("key") };
	int64_t id = add("eva"), user;
	struct store_session x = session(id, 1, "");
	struct addr client = address("192.0.2.1");

	(void)state;
	assert_int_equal(store_recovery_set(store, id, hash, 1), OK);
	assert_int_equal(store_passkey_add(store, id, &p), OK);
	assert_int_equal(store_session_put(store, &x), OK);
	assert_int_equal(store_sign_in(store, id, &client, BYTES("password"), STORE_SIGNED_IN, NOW), OK);
	assert_int_equal(store_favourite(store, id, BYTES("wiki"), true), OK);
	assert_int_equal(store_user_remove(store, id), OK);
	assert_int_equal(sessions(0).n, 0);
	assert_int_equal(store_passkey_find(store, p.id, &arena, &p, &user), ERR_NOT_FOUND);
	assert_false(store_source_known(store, id, &client, NOW));
	assert_int_not_equal(add("eva"), id); /* an id is never somebody else's */
}

/* --- what a person did --- */

struct sign_ins { size_t n; uint64_t first, last; enum store_outcome outcome; unsigned char client[16]; bool is_sorted; };

static bool note_sign_in(void *ctx, uint64_t when_s, const struct addr *client, struct bytes method, enum store_outcome outcome)
{
	struct sign_ins *f = ctx;

	assert_true(bytes_eq(method, BYTES("password")));
	if (f->n++ == 0) {
		f->first = when_s;
		f->outcome = outcome;
		memcpy(f->client, client->ip, 16);
	} else {
		assert_true(when_s <= f->last);
	}
	f->last = when_s;
	return true;
}

static void test_sign_ins(void **state)
{
	int64_t id = add("eva"), other = add("piet");
	struct addr client = address("2001:db8::7");
	struct sign_ins f = { 0 };

	(void)state;
	assert_int_equal(store_sign_in(store, other, &client, BYTES("password"), STORE_REFUSED, NOW), OK);
	for (unsigned i = 0; i < 60; i++)
		assert_int_equal(store_sign_in(store, id, &client, BYTES("password"), i % 2 ? STORE_WRONG : STORE_SIGNED_IN, NOW + i), OK);
	reopen();
	assert_int_equal(store_sign_ins(store, id, 1000, note_sign_in, &f), OK);
	assert_int_equal(f.n, 50);
	assert_true(f.first == NOW + 59 && f.last == NOW + 10 && f.outcome == STORE_WRONG);
	assert_memory_equal(f.client, client.ip, 16);
	assert_true(get(id).last_s == NOW + 58); /* the last that went well */
	f.n = 0;
	assert_int_equal(store_sign_ins(store, id, 3, note_sign_in, &f), OK);
	assert_int_equal(f.n, 3);
	assert_int_equal(store_sign_in(store, 99, &client, BYTES("password"), STORE_WRONG, NOW), ERR_NOT_FOUND);
	assert_int_equal(store_sign_in(store, id, &client, BYTES("pass\tword"), STORE_WRONG, NOW), ERR_SYNTAX);
	/* a year later those of before are gone, another's too */
	assert_int_equal(store_sign_in(store, id, &client, BYTES("password"), STORE_WRONG, NOW + 60 + UINT64_C(366) * DAY_S), OK);
	f.n = 0;
	assert_int_equal(store_sign_ins(store, id, 1000, note_sign_in, &f), OK);
	assert_int_equal(f.n, 1);
	f.n = 0;
	assert_int_equal(store_sign_ins(store, other, 1000, note_sign_in, &f), OK);
	assert_int_equal(f.n, 0);
}

static void test_sources(void **state)
{
	static const struct { const char *why, *client; uint64_t later_s; bool want; } rows[] = {
		{ "the same", "192.0.2.1", 0, true },
		{ "its neighbour", "192.0.2.2", 0, false },
		{ "the same network", "2001:db8:1:2:ffff::9", 0, true },
		{ "the next network", "2001:db8:1:3::1", 0, false },
		{ "a wrong sign-in makes no source known", "198.51.100.1", 0, false },
		{ "90 days later", "192.0.2.1", UINT64_C(90) * DAY_S, true },
		{ "a second more", "192.0.2.1", UINT64_C(90) * DAY_S + 1, false },
	};
	struct addr v4 = address("192.0.2.1"), v6 = address("2001:db8:1:2::1"), wrong = address("198.51.100.1");
	int64_t id = add("eva"), other = add("piet");

	(void)state;
	assert_int_equal(store_sign_in(store, id, &v4, BYTES("password"), STORE_SIGNED_IN, NOW), OK);
	assert_int_equal(store_sign_in(store, id, &v6, BYTES("password"), STORE_SIGNED_IN, NOW), OK);
	for (unsigned i = 0; i < 60; i++) /* and pushes none out */
		assert_int_equal(store_sign_in(store, id, &wrong, BYTES("password"), STORE_WRONG, NOW), OK);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct addr a = address(rows[i].client);

		if (store_source_known(store, id, &a, NOW + rows[i].later_s) != rows[i].want)
			fail_msg("%s", rows[i].why);
		assert_false(store_source_known(store, other, &a, NOW));
	}
}

struct apps { size_t n, favourites, recent; char first[16], last[16]; uint64_t first_s; };

static bool note_app(void *ctx, struct bytes app, bool is_favourite, uint64_t used_s)
{
	struct apps *f = ctx;

	if (f->n++ == 0) {
		snprintf(f->first, sizeof f->first, "%.*s", FMT(app));
		f->first_s = used_s;
	}
	snprintf(f->last, sizeof f->last, "%.*s", FMT(app));
	f->favourites += is_favourite;
	f->recent += used_s != 0;
	return true;
}

static struct apps apps(int64_t id)
{
	struct apps f = { 0 };

	assert_int_equal(store_apps(store, id, note_app, &f), OK);
	return f;
}

static struct bytes numbered(char *mem, size_t size, unsigned n)
{
	return bytes_of(mem, (size_t)snprintf(mem, size, "app%03u", n));
}

static void test_favourites(void **state)
{
	int64_t id = add("eva");
	char mem[16];

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(store_favourite(store, id, numbered(mem, sizeof mem, i), true), OK);
	assert_int_equal(store_favourite(store, id, BYTES("one more"), true), ERR_LIMIT);
	assert_int_equal(store_favourite(store, id, BYTES("app007"), true), OK); /* it is one */
	reopen();
	assert_true(apps(id).n == 100 && apps(id).favourites == 100 && apps(id).recent == 0);
	assert_int_equal(store_favourite(store, id, BYTES("app007"), false), OK);
	assert_int_equal(store_favourite(store, id, BYTES("never seen"), false), OK);
	assert_int_equal(apps(id).n, 99);
	assert_int_equal(store_favourite(store, id, BYTES("one more"), true), OK);
	assert_int_equal(store_favourite(store, 99, BYTES("app"), true), ERR_NOT_FOUND);
	assert_int_equal(store_favourite(store, id, BYTES(""), true), ERR_SYNTAX);
	assert_int_equal(store_favourite(store, id, BYTES("a\nb"), true), ERR_SYNTAX);
}

static void test_recent(void **state)
{
	int64_t id = add("eva");
	char mem[16];
	struct apps f;

	(void)state;
	assert_int_equal(store_favourite(store, id, BYTES("app003"), true), OK);
	for (unsigned i = 0; i < 30; i++) /* all in one second: the order is that of the calls */
		assert_int_equal(store_used(store, id, numbered(mem, sizeof mem, i), NOW), OK);
	assert_int_equal(store_used(store, id, BYTES("app015"), NOW - 50), OK); /* the clock went back */
	reopen();
	f = apps(id);
	assert_true(f.n == 21 && f.recent == 20 && f.favourites == 1);
	assert_string_equal(f.first, "app015");
	assert_true(f.first_s == NOW - 50);
	assert_string_equal(f.last, "app003"); /* a favourite stays, without its time */
	assert_int_equal(store_favourite(store, id, BYTES("app003"), false), OK);
	assert_int_equal(apps(id).n, 20);
	assert_int_equal(store_used(store, 99, BYTES("app"), NOW), ERR_NOT_FOUND);
}

/* --- what is wrong with the file --- */

static enum err do_find(int64_t id)
{
	struct store_user u;

	(void)id;
	return store_user_find(store, BYTES("eva"), &arena, &u);
}

static enum err do_users(int64_t id)
{
	unsigned char mem[64];
	struct text t;

	(void)id;
	text_init(&t, mem, sizeof mem);
	TRY(store_users(store, BYTES(""), 10, note_name, &t));
	return t.len ? OK : ERR_SYNTAX; /* left out */
}

static enum err do_passkey(int64_t id)
{
	struct store_passkey p;

	return store_passkey_find(store, BYTES("id"), &arena, &p, &id);
}

static enum err do_sessions(int64_t id)
{
	struct found f = { 0 };

	(void)id;
	return store_sessions(store, note_session, &f);
}

static enum err do_left_out(int64_t id)
{
	struct found f = { 0 };

	(void)id;
	TRY(store_sessions(store, note_session, &f));
	return f.n ? OK : ERR_SYNTAX;
}

static enum err do_sign_ins(int64_t id)
{
	struct sign_ins f = { 0 };

	return store_sign_ins(store, id, 10, note_sign_in, &f);
}

static enum err do_apps(int64_t id)
{
	struct apps f = { 0 };

	return store_apps(store, id, note_app, &f);
}

static void test_wrong_rows(void **state)
{
	static const struct { const char *sql; enum err (*call)(int64_t id); const char *says; } rows[] = {
		{ "UPDATE user SET handle = x'0102'", do_find, "table user" },
		{ "UPDATE user SET totp = x'01'", do_find, "table user" },
		{ "UPDATE user SET totp_last = -1", do_find, "table user" },
		{ "UPDATE user SET hash = printf('%.*c', 4000, 'x')", do_find, "table user" },
		{ "UPDATE user SET groups = 'a' || char(10)", do_find, "table user" },
		{ "UPDATE user SET display = printf('%.*c', 201, 'x')", do_users, "table user" },
		{ "UPDATE user SET display = 'a' || char(0) || 'b'", do_users, "table user" },
		{ "UPDATE user SET name = 'e v a'", do_users, "table user" },
		{ "UPDATE user SET disabled = 2", do_users, "table user" },
		{ "UPDATE passkey SET count = 4294967296", do_passkey, "table passkey" },
		{ "UPDATE passkey SET key = x''", do_passkey, "table passkey" },
		{ "UPDATE session SET hash = x'00'", do_left_out, "table session" },
		{ "UPDATE session SET hash = randomblob(33)", do_left_out, "table session" },
		{ "UPDATE session SET id = 'too long to be one'", do_left_out, "table session" },
		{ "UPDATE session SET agent = printf('%.*c', 201, 'x')", do_left_out, "table session" },
		{ "UPDATE session SET client = x'7f000001'", do_left_out, "table session" },
		{ "UPDATE session SET port = 65536", do_left_out, "table session" },
		{ "UPDATE sign_in SET outcome = 3", do_sign_ins, "table sign_in" },
		{ "UPDATE app SET app = printf('%.*c', 201, 'x')", do_apps, "table app" },
	};
	struct store_passkey p = { .id = BYTES("id"), .public_key = BYTES("key") };
	struct addr client = address("192.0.2.1");
	int64_t id = add("eva");
	struct store_session x = session(id, 1, "");

	(void)state;
	assert_int_equal(store_passkey_add(store, id, &p), OK);
	assert_int_equal(store_session_put(store, &x), OK);
	assert_int_equal(store_sign_in(store, id, &client, BYTES("password"), STORE_WRONG, NOW), OK);
	assert_int_equal(store_used(store, id, BYTES("app"), NOW), OK);
	by_hand("CREATE TABLE keep_user AS SELECT * FROM user; CREATE TABLE keep_passkey AS SELECT * FROM passkey;"
		"CREATE TABLE keep_session AS SELECT * FROM session; CREATE TABLE keep_app AS SELECT * FROM app;");
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		enum err e;

		by_hand(rows[i].sql);
		reopen();
		e = rows[i].call(id);
		if (e != (strstr(rows[i].says, "user") || strstr(rows[i].says, "session") ? ERR_SYNTAX : ERR_IO) || !strstr(store_error(store), rows[i].says) || !strstr(store_error(store), file))
			fail_msg("%s: %s: %s", rows[i].sql, err_name(e), store_error(store));
		by_hand("REPLACE INTO user SELECT * FROM keep_user; DELETE FROM passkey; INSERT INTO passkey SELECT * FROM keep_passkey;"
			"DELETE FROM session; INSERT INTO session SELECT * FROM keep_session; DELETE FROM app; INSERT INTO app SELECT * FROM keep_app;");
	}
	reopen();
	assert_int_equal(do_find(id), OK);
}

struct told { unsigned n; char table[16], row[65]; };

static void note_unreadable(void *ctx, const char *table, struct bytes row)
{
	struct told *t = ctx;

	t->n++;
	snprintf(t->table, sizeof t->table, "%s", table);
	snprintf(t->row, sizeof t->row, "%.*s", FMT(row));
}

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50

/* One user and one session are as no Sluis wrote them: who asks for them does not get them, and all others are there. */
static void test_rows_that_cannot_be_read(void **state)
{
	static const struct { const char *sql, *row; bool is_session; } rows[] = {
		{ "UPDATE \"user\" SET totp = handle WHERE name = 'eva'", NULL, false },
		{ "UPDATE \"user\" SET totp_last = -1 WHERE name = 'eva'", NULL, false },
		{ "UPDATE \"user\" SET disabled = 2 WHERE name = 'eva'", NULL, false },
		{ "UPDATE \"user\" SET display = '" X250 "' WHERE name = 'eva'", NULL, false },
		{ "UPDATE \"user\" SET name = 'eva de vries' WHERE name = 'eva'", NULL, false },
		{ "UPDATE \"user\" SET name = 'eva" X250 "' WHERE name = 'eva'", NULL, false },
		{ "UPDATE \"user\" SET origin = 'ldap:corp' WHERE name = 'eva'", NULL, false },
		{ "UPDATE session SET hash = client WHERE host = '' AND \"user\" = 2", NULL, true },
		{ "UPDATE session SET port = 65536 WHERE \"user\" = 2", NULL, true },
		{ "UPDATE session SET agent = '" X250 "' WHERE \"user\" = 2", NULL, true },
		{ "UPDATE session SET bound = 1 WHERE \"user\" = 2", NULL, true }, /* without a key */
		{ "UPDATE session SET seen = -1 WHERE \"user\" = 2", NULL, true },
		{ "UPDATE session SET id = 'too long to be one' WHERE \"user\" = 2", "too long to be one", true },
		{ "UPDATE session SET id = '" X250 "' WHERE \"user\" = 2", X50 "xxxxxxxxxxxxxx", true },
	};
	int64_t before = add("anna"), id = add("eva"), after = add("wim");
	struct store_session x = session(id, 1, ""), a = session(before, 2, ""), b = session(after, 3, ""), got;
	unsigned char mem[64];
	struct store_user u;
	struct text t;

	(void)state;
	assert_true(before == 1 && id == 2 && after == 3);
	assert_int_equal(store_session_put(store, &x), OK);
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(store_session_put(store, &b), OK);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *row = rows[i].row ? rows[i].row : rows[i].is_session ? x.id : "2";
		struct told told = { .n = 0 };
		struct found f;

		by_hand(rows[i].sql);
		reopen();
		store_on_unreadable(store, note_unreadable, &told);
		f = sessions(0);
		text_init(&t, mem, sizeof mem);
		assert_int_equal(store_users_in(store, note_name, &t), OK);
		if (f.n != (rows[i].is_session ? 2u : 3u) || !bytes_eq(text_bytes(&t), rows[i].is_session ? BYTES("anna eva wim ") : BYTES("anna wim ")) || told.n != 1 ||
			strcmp(told.table, rows[i].is_session ? "session" : "user") != 0 || strcmp(told.row, row) != 0)
			fail_msg("%s: %u sessions, users %.*s, %u told, %s %s", rows[i].sql, f.n, FMT(text_bytes(&t)), told.n, told.table, told.row);
		if (rows[i].is_session) {
			if (!rows[i].row)
				assert_int_equal(store_session_get(store, bytes_str(x.id), &got), ERR_SYNTAX);
			assert_true(store_session_by_hash(store, x.hash, &got) != OK);
		} else {
			assert_int_equal(store_user_get(store, id, &arena, &u), ERR_SYNTAX);
			assert_int_equal(store_user_known(store, id, &arena, &u), ERR_SYNTAX);
			assert_true(store_user_find(store, BYTES("eva"), &arena, &u) != OK);
			for (size_t most = 1; most < 4; most++) { /* a page is as long as it was asked for */
				text_init(&t, mem, sizeof mem);
				assert_int_equal(store_users(store, BYTES(""), most, note_name, &t), OK);
				assert_true(bytes_eq(text_bytes(&t), most == 1 ? BYTES("anna ") : BYTES("anna wim ")));
			}
			assert_non_null(strstr(store_error(store), "table user has a row (id 2)"));
		}
		assert_int_equal(store_user_get(store, after, &arena, &u), OK);
		assert_int_equal(store_session_by_hash(store, b.hash, &got), OK);
		by_hand("UPDATE \"user\" SET totp = NULL, totp_last = 0, disabled = 0, display = 'Eva', name = 'eva', origin = '' WHERE id = 2;"
			"DELETE FROM session WHERE \"user\" = 2;");
		reopen();
		assert_int_equal(store_session_put(store, &x), OK);
		assert_int_equal(store_user_find(store, BYTES("eva"), &arena, &u), OK); /* put right */
	}
}

/* More than a page of them, and the others behind. */
static void test_many_rows_that_cannot_be_read(void **state)
{
	int64_t id = add("eva");
	struct told told = { .n = 0 };

	(void)state;
	assert_int_equal(store_begin(store), OK);
	for (unsigned i = 0; i < 4500; i++) {
		struct store_session x = session(id, i, "");

		x.client.port = i % 9 != 0;
		assert_int_equal(store_session_put(store, &x), OK);
	}
	assert_int_equal(store_commit(store), OK);
	by_hand("UPDATE session SET port = -1 WHERE port = 1");
	reopen();
	store_on_unreadable(store, note_unreadable, &told);
	assert_int_equal(sessions(0).n, 500);
	assert_int_equal(told.n, 4000);
}

static void test_nobody_is_looked_up_behind_one_who_cannot_be_read(void **state)
{
	struct store_user eva, bob, got;
	struct store_session x;

	(void)state;
	put_user(&eva, BYTES("eva"), BYTES("ldap:corp"), BYTES("s-1"), OK);
	put_user(&bob, BYTES("bob"), BYTES("ldap:corp"), BYTES("s-2"), OK);
	x = session(eva.id, 1, "");
	assert_int_equal(store_session_put(store, &x), OK);
	x = session(bob.id, 2, "");
	assert_int_equal(store_session_put(store, &x), OK);
	assert_int_equal(store_user_looked(store, bob.id, 7), OK);
	by_hand("UPDATE \"user\" SET disabled = 2 WHERE name = 'eva'");
	reopen();
	assert_int_equal(store_user_to_look(store, BYTES("ldap:corp"), NOW, &arena, &got), OK);
	assert_int_equal(got.id, bob.id);
	assert_int_equal(store_user_looked(store, bob.id, NOW), OK);
	assert_int_equal(store_user_to_look(store, BYTES("ldap:corp"), NOW, &arena, &got), ERR_NOT_FOUND);
}

static void write_file(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, what, strlen(what)), (ssize_t)strlen(what));
	close(fd);
}

static void is_refused(const char *why, const char *where, enum err want, const char *says)
{
	struct store *s = NULL;
	enum err e = store_open(where, &s);

	if (e != want || !strstr(store_error(NULL), says) || s)
		fail_msg("%s: %s: %s", why, err_name(e), store_error(NULL));
}

static void test_wrong_files(void **state)
{
	char elsewhere[128], deep[400];

	(void)state;
	is_refused("another has it", dir, ERR_IO, "another process has it open");
	by_hand("PRAGMA user_version=3");
	is_refused("a newer one", dir, ERR_ORDER, "newer Sluis");
	by_hand("PRAGMA user_version=0");
	is_refused("not ours", dir, ERR_IO, "did not write");
	unlink(file);
	write_file(file, "this is no database, but a text that is longer than the header of a database is, which has a hundred octets, no more");
	is_refused("no database", dir, ERR_IO, "put a backup in its place");
	unlink(file);
	mkdir(file, 0700);
	is_refused("a folder", dir, ERR_IO, file);
	rmdir(file);
	snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", dir);
	write_file(elsewhere, "");
	assert_int_equal(symlink(elsewhere, file), 0);
	is_refused("a link", dir, ERR_IO, "cannot be opened");
	unlink(file);
	is_refused("no folder", "/nonexistent/folder", ERR_IO, "/nonexistent/folder/identity.db: cannot be opened (No such file");
	memset(deep, 'd', sizeof deep - 1);
	deep[sizeof deep - 1] = 0;
	is_refused("a long path", deep, ERR_IO, "too long");
	reopen();
}

/* A page of the file overwritten: whatever it hits, an error at most. */
static void test_damage(void **state)
{
	unsigned char junk[512];
	struct store_session x;
	unsigned errors = 0;
	struct stat st;
	int64_t id = add("eva");
	int fd;

	(void)state;
	assert_int_equal(store_begin(store), OK);
	for (unsigned i = 0; i < 500; i++) {
		x = session(id, i, "");
		assert_int_equal(store_session_put(store, &x), OK);
	}
	assert_int_equal(store_commit(store), OK);
	store_close(&store);
	assert_int_equal(stat(file, &st), 0);
	fd = open(file, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	memset(junk, 0xa7, sizeof junk);
	for (off_t at = 8192; at < st.st_size; at += 4096) { /* behind the schema */
		unsigned char before[sizeof junk];
		enum err e;

		assert_int_equal(pread(fd, before, sizeof before, at), sizeof before);
		assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
		e = store_open(dir, &store);
		if (e == OK)
			e = do_sessions(id);
		errors += e != OK;
		if (e != OK && e != ERR_IO && e != ERR_NOT_FOUND)
			fail_msg("%s", err_name(e));
		store_close(&store);
		assert_int_equal(pwrite(fd, before, sizeof before, at), sizeof before);
	}
	close(fd);
	assert_true(errors > 10);
	reopen();
}

static void test_modes(void **state)
{
	static const char *const names[] = { "identity.db", "identity.db-wal" };
	mode_t old = umask(0);

	(void)state;
	store_close(&store);
	unlink(file);
	reopen();
	add("eva");
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char path[128];
		struct stat st;

		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	store_close(&store);
	assert_int_equal(chmod(file, 0644), 0); /* somebody meant well */
	reopen();
	assert_int_equal(umask(old), 0);
	{
		struct stat st;

		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
}

/* In a process of its own: 0 when it went as it should. */
static void in_child(int (*body)(void))
{
	pid_t child;
	int status;

	store_close(&store);
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(body());
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("ended at step %d (%x)", WEXITSTATUS(status), (unsigned)status);
	reopen();
}

static int without_room(void)
{
	struct rlimit small = { 400000, RLIM_INFINITY }, large = { RLIM_INFINITY, RLIM_INFINITY };
	struct store_user u = { .name = BYTES("anna") };
	struct store *s = NULL;
	struct store_session x;
	enum err e = OK;

	signal(SIGXFSZ, SIG_IGN);
	if (store_open(dir, &s) != OK || setrlimit(RLIMIT_FSIZE, &small) < 0)
		return 1;
	for (unsigned i = 0; i < 5000 && e == OK; i++) {
		x = session(1, i, "");
		e = store_session_put(s, &x);
	}
	if (e != ERR_IO || !strstr(store_error(s), "make room"))
		return 2;
	if (store_user_add(s, &u, NOW) != ERR_IO)
		return 3;
	if (store_begin(s) != OK)
		return 4;
	if (store_user_add(s, &u, NOW) == OK && store_commit(s) == OK)
		return 5; /* told that it is there */
	if (setrlimit(RLIMIT_FSIZE, &large) < 0)
		return 6;
	return 0; /* without a word to SQLite, as a crash */
}

static int with_room_again(void)
{
	struct rlimit small = { 400000, RLIM_INFINITY }, large = { RLIM_INFINITY, RLIM_INFINITY };
	struct store_user u = { .name = BYTES("anna") };
	struct store *s = NULL;
	struct store_session x;
	unsigned done = 0;
	struct found f = { 0 };

	signal(SIGXFSZ, SIG_IGN);
	if (store_open(dir, &s) != OK || setrlimit(RLIMIT_FSIZE, &small) < 0)
		return 11;
	if (store_begin(s) != OK)
		return 12;
	for (unsigned i = 0; i < 15000; i++) { /* more than the cache holds, so that it is written before the end */
		x = session(1, 10000 + i, "");
		memset(x.agent, 'a', sizeof x.agent - 1);
		memset(x.host, 'h', sizeof x.host - 1);
		if (store_session_put(s, &x) == OK)
			done++;
	}
	if (done == 15000 || store_commit(s) != ERR_IO || !strstr(store_error(s), "make room"))
		return 13;
	if (setrlimit(RLIMIT_FSIZE, &large) < 0 || store_user_add(s, &u, NOW) != OK) /* no need to open it again */
		return 14;
	if (store_sessions(s, note_session, &f) != OK || f.n >= 5000)
		return 15; /* none of them: all or none */
	store_close(&s);
	return 0;
}

static void test_full_disk(void **state)
{
	struct store_user u;

	(void)state;
	assert_int_equal(add("eva"), 1);
	in_child(without_room);
	assert_int_equal(store_user_find(store, BYTES("anna"), &arena, &u), ERR_NOT_FOUND);
	in_child(with_room_again);
	assert_int_equal(store_user_find(store, BYTES("anna"), &arena, &u), OK);
}

/* As somebody who may read the folder alone. */
static int read_only(void)
{
	struct store *s = NULL;

	if (geteuid() == 0 && (chown(dir, 65534, 65534) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
		return 1;
	if (store_open(dir, &s) != ERR_IO || s || !strstr(store_error(NULL), "must belong to the user of sluis-identity"))
		return 2;
	return 0;
}

static void test_read_only(void **state)
{
	(void)state;
	add("eva");
	store_close(&store);
	assert_int_equal(chmod(dir, 0555), 0);
	assert_int_equal(chmod(file, 0444), 0);
	/* for root nothing is read-only: the child gives its rights away; else the modes are enough */
	{
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(read_only());
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(chmod(dir, 0700), 0);
		assert_int_equal(status, 0);
	}
	assert_true(geteuid() != 0 || chown(dir, 0, 0) == 0);
	reopen();
}

/* With the powers of sluis-identity and no more: it stands in its folder and calls it ".". */
static int in_jail(void)
{
	static const int *const lists[] = { jail_identity, NULL };
	const struct jail j = { .user_prefix = "", .role = "identity", .syscalls = lists, .writes = ".", .keeps_parent = true, .files = 64 };
	struct store_user u = { .name = BYTES("eva") };
	unsigned char mem[512];
	struct text report;
	struct store *s = NULL;

	text_init(&report, mem, sizeof mem);
	if (chdir(dir) < 0 || jail_leave_root(&j, &report) != OK || jail_apply(&j, &report) != OK)
		return 1;
	for (int turn = 0; turn < 2; turn++) {
		if (store_open(".", &s) != OK)
			return fprintf(stderr, "%s\n", store_error(NULL)), 2;
		if (turn == 0 && store_user_add(s, &u, NOW) != OK)
			return 3;
		if (store_begin(s) != OK)
			return 4;
		for (unsigned i = 0; i < 10000; i++) { /* the log grows, is taken into the file and shrinks */
			struct store_session x = session(u.id, i, "");

			if (store_session_put(s, &x) != OK)
				return fprintf(stderr, "%s\n", store_error(s)), 5;
		}
		if (store_commit(s) != OK || store_user_disable(s, u.id, true) != OK)
			return 6;
		store_close(&s);
	}
	return 0;
}

static void test_jail(void **state)
{
	unsigned uid = getuid(), gid = getgid();

	(void)state;
	store_close(&store);
	unlink(file);
	if (geteuid() == 0) {
		assert_int_equal(jail_user("", "identity", &uid, &gid), OK);
		assert_int_equal(chown(dir, uid, gid), 0);
	}
	in_child(in_jail);
	assert_int_equal(sessions(0).n, 10000);
	assert_true(get(1).is_disabled);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* --- of PostgreSQL alone --- */

struct heard {
	unsigned sessions, ended, users, flows;
	char id[17];
	int64_t user;
};

static void hear(void *ctx, enum store_news_kind kind, struct bytes id, int64_t user)
{
	struct heard *h = ctx;

	h->sessions += kind == STORE_NEWS_SESSION;
	h->ended += kind == STORE_NEWS_ENDED;
	h->users += kind == STORE_NEWS_USER;
	h->flows += kind == STORE_NEWS_FLOWS;
	if (kind == STORE_NEWS_USER)
		h->user = user;
	else
		snprintf(h->id, sizeof h->id, "%.*s", FMT(id));
}

/* Until so much of it has come. */
static struct heard heard_by(struct store *s, unsigned n)
{
	struct heard h = { 0 };

	for (int i = 0; h.sessions + h.ended + h.users + h.flows < n && i < 500; i++) {
		struct pollfd at = { store_fd(s), POLLIN, 0 };

		assert_int_equal(store_news(s, hear, &h), OK);
		if (h.sessions + h.ended + h.users + h.flows < n)
			poll(&at, 1, 10);
	}
	return h;
}

static struct store *second(void)
{
	struct store *other;

	assert_int_equal(store_open_postgresql(BYTES("postgresql://other"), &other), OK);
	assert_int_equal(postgresql_connect(other), OK);
	return other;
}

static void test_news(void **state)
{
	int64_t id = add("eva");
	struct store *other = second();
	struct store_session a = session(id, 1, ""), b, found;
	struct heard h;

	(void)state;
	assert_int_equal(store_session_put(store, &a), OK);
	h = heard_by(other, 1);
	assert_int_equal(h.sessions, 1);
	assert_string_equal(h.id, a.id);
	assert_int_equal(store_session_get(other, bytes_str(a.id), &found), OK);
	assert_memory_equal(found.hash, a.hash, sizeof a.hash);
	assert_int_equal(store_session_by_hash(other, a.hash, &found), OK);
	assert_string_equal(found.id, a.id);
	assert_int_equal(store_session_seen(store, a.id, NOW + 5000), OK); /* no news */
	assert_int_equal(store_session_seen(store, a.id, NOW + 4000), ERR_NOT_FOUND); /* of a node that knew less */
	a.hash[0] ^= 1;
	assert_int_equal(store_session_renew(store, &a), OK);
	assert_int_equal(heard_by(other, 1).sessions, 1);
	assert_int_equal(store_session_by_hash(other, a.hash, &found), OK);
	b = session(id, 2, a.id);
	assert_int_equal(store_session_put(store, &b), OK);
	assert_int_equal(heard_by(other, 1).sessions, 1);
	assert_int_equal(store_user_set(store, id, BYTES("Eva"), BYTES(""), BYTES("staff")), OK);
	h = heard_by(other, 1);
	assert_true(h.users == 1 && h.user == id);
	assert_int_equal(store_session_remove(store, a.id), OK); /* with that of its app */
	assert_int_equal(heard_by(other, 2).ended, 2);
	assert_int_equal(store_session_renew(store, &a), ERR_NOT_FOUND); /* what has ended does not come back by a new token, nor by an app */
	assert_int_equal(store_session_put(store, &b), ERR_NOT_FOUND);
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(heard_by(other, 1).sessions, 1);
	assert_int_equal(store_session_remove_of(store, id), OK);
	assert_int_equal(heard_by(other, 1).ended, 1);
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(heard_by(other, 1).sessions, 1);
	assert_int_equal(store_user_remove(store, id), OK); /* takes its sessions with it */
	assert_int_equal(heard_by(other, 1).ended, 1);
	memset(&h, 0, sizeof h);
	assert_int_equal(store_news(store, hear, &h), OK);
	assert_int_equal(h.sessions + h.ended + h.users, 0); /* of what it did itself nobody needs to be told */
	store_close(&other);
}

/* Removed in one transaction, many at a time; one that is taken back is heard of by nobody. */
static void test_many_end(void **state)
{
	int64_t id = add("eva");
	struct store *other = second();
	struct heard h;
	uint64_t start;

	(void)state;
	assert_int_equal(store_begin(store), OK);
	for (unsigned i = 0; i < 3000; i++) {
		struct store_session x = session(id, i, "");

		assert_int_equal(store_session_put(store, &x), OK);
	}
	assert_int_equal(store_commit(store), OK);
	assert_int_equal(heard_by(other, 3000).sessions, 3000);
	start = clock_mono_us();
	assert_int_equal(store_begin(store), OK);
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(store_session_remove(store, session(id, i, "").id), OK);
	assert_int_equal(store_commit(store), OK);
	assert_int_equal(heard_by(other, 3000).ended, 3000);
	print_message("3,000 sessions end, and another node has heard of each: %llu ms\n", (unsigned long long)(clock_mono_us() - start) / 1000);
	assert_int_equal(sessions(0).n, 0);
	assert_int_equal(store_begin(store), OK);
	assert_int_equal(store_tell_ended(store, BYTES("00000000000000aa 00000000000000bb")), OK);
	assert_int_equal(store_commit(store), OK);
	h = heard_by(other, 2);
	assert_int_equal(h.ended, 2);
	assert_string_equal(h.id, "00000000000000bb");
	store_close(&other);
}

static void test_flows_end(void **state)
{
	struct store *other = second();
	struct heard h;

	(void)state;
	assert_int_equal(store_begin(store), OK);
	assert_int_equal(store_tell_flows(store, BYTES("12")), OK);
	assert_int_equal(store_tell_flows(store, BYTES("00000000000000000000000000000000000000000000000000000000000000000")), ERR_LIMIT);
	assert_int_equal(store_commit(store), OK);
	h = heard_by(other, 1);
	assert_int_equal(h.flows, 1);
	assert_string_equal(h.id, "12");
	store_close(&other);
}

static void test_lost(void **state)
{
	int64_t id = add("eva");
	struct store_session a = session(id, 1, "");
	struct store_user u;

	(void)state;
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(store_begin(store), OK);
	assert_int_equal(store_session_remove(store, a.id), OK);
	shutdown(store_fd(store), SHUT_RDWR);
	assert_int_equal(store_commit(store), ERR_IO);
	assert_false(store_is_connected(store));
	assert_int_equal(store_fd(store), -1);
	assert_non_null(strstr(store_error(store), "postgresql://test: "));
	assert_int_equal(store_user_get(store, id, &arena, &u), ERR_IO);
	assert_int_equal(store_begin(store), ERR_IO);
	assert_int_equal(store_session_seen(store, a.id, NOW + 10000), ERR_IO);
	assert_int_equal(postgresql_connect(store), OK);
	assert_int_equal(sessions(0).n, 1); /* the end was taken back with its transaction: identity tries again */
}

static bool take_key(void *ctx, const unsigned char key[64])
{
	unsigned *sum = ctx;

	*sum = *sum * 10 + key[0];
	return true;
}

static void test_nodes(void **state)
{
	int64_t id = add("eva");
	struct store *other = second();
	struct store_session a = session(id, 1, "");
	struct store_code c = { .hash = { 1 }, .nonce = { 2 }, .host = "wiki.test", .target = BYTES("/a?b"), .until_s = NOW + 60 }, got;
	unsigned char key[64] = { 1 };
	unsigned sum = 0;

	(void)state;
	memcpy(c.session, a.id, sizeof c.session);
	assert_int_equal(store_code_put(store, &c, NOW), ERR_NOT_FOUND);
	assert_int_equal(store_session_put(store, &a), OK);
	assert_int_equal(store_code_put(store, &c, NOW), OK);
	assert_int_equal(store_code_take(other, c.hash, &arena, &got), OK);
	assert_true(bytes_eq(got.target, c.target) && got.nonce[0] == 2 && got.until_s == c.until_s);
	assert_string_equal(got.session, a.id);
	assert_string_equal(got.host, "wiki.test");
	assert_int_equal(store_code_take(store, c.hash, &arena, &got), ERR_NOT_FOUND);
	assert_int_equal(store_key_put(store, key, NOW - 100), OK);
	key[0] = 2;
	assert_int_equal(store_key_put(other, key, NOW), OK);
	assert_int_equal(store_keys(store, NOW - 1000, take_key, &sum), OK);
	assert_int_equal(sum, 21);
	sum = 0;
	assert_int_equal(store_keys(store, NOW - 50, take_key, &sum), OK);
	assert_int_equal(sum, 2);
	store_close(&other);
}

struct changed { unsigned n; int64_t user; };

static void note_changed(void *ctx, int64_t user)
{
	struct changed *c = ctx;

	c->n++;
	c->user = user;
}

/* Who was known, and whose row cannot be read any more, is another: what was answered about him holds no longer. */
static void test_who_is_known_no_more(void **state)
{
	int64_t eva = add("eva"), wim = add("wim");
	struct store_session x = session(eva, 1, ""), y = session(wim, 2, "");
	struct store *kept;
	struct changed c = { .n = 0 };
	struct store_user u;

	(void)state;
	assert_int_equal(store_session_put(store, &x), OK);
	assert_int_equal(store_session_put(store, &y), OK);
	assert_int_equal(store_know_all(store, note_changed, &c), OK);
	assert_int_equal(c.n, 0);
	kept = second();
	assert_int_equal(store_know_all(kept, note_changed, &c), OK);
	by_hand("UPDATE \"user\" SET totp_last = -1 WHERE name = 'eva'");
	assert_int_equal(store_user_known(kept, eva, &arena, &u), OK); /* it has not been told */
	assert_int_equal(store_know_all(kept, note_changed, &c), OK);
	assert_true(c.n == 1 && c.user == eva);
	assert_int_equal(store_user_known(kept, eva, &arena, &u), ERR_SYNTAX);
	assert_int_equal(store_user_known(kept, wim, &arena, &u), OK);
	store_close(&kept);
}

/* Octets that are no UTF-8, as some browser may call itself. */
static void test_no_utf8(void **state)
{
	int64_t id = add("eva");
	struct store_session a = session(id, 1, "");

	(void)state;
	memcpy(a.agent, "Fox \xff\xc3.", 8);
	assert_int_equal(store_session_put(store, &a), ERR_SYNTAX); /* identity has made it clean */
	assert_int_equal(sessions(0).n, 0);
}

#define S(name) cmocka_unit_test_setup_teardown(name, set_up_shared, tear_down_shared)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_origins), T(test_who_is_to_be_looked_up), T(test_an_old_file), T(test_names), T(test_user), T(test_user_changes),
		T(test_texts), T(test_list), T(test_totp), T(test_killed), T(test_recovery), T(test_passkeys), T(test_sessions), T(test_device),
		T(test_version_before), T(test_transaction), T(test_many_sessions),
		T(test_remove_user), T(test_sign_ins), T(test_sources), T(test_favourites), T(test_recent), T(test_wrong_rows), T(test_wrong_files),
		T(test_rows_that_cannot_be_read), T(test_many_rows_that_cannot_be_read), T(test_nobody_is_looked_up_behind_one_who_cannot_be_read),
		T(test_damage),
		T(test_modes), T(test_full_disk), T(test_read_only), T(test_jail) };

	const struct CMUnitTest shared[] = { S(test_origins), S(test_who_is_to_be_looked_up), S(test_names), S(test_user), S(test_user_changes), S(test_texts),
		S(test_list), S(test_totp), S(test_recovery), S(test_passkeys), S(test_sessions), S(test_device), S(test_transaction), S(test_remove_user),
		S(test_sign_ins), S(test_sources), S(test_favourites), S(test_recent), S(test_news), S(test_many_end), S(test_flows_end), S(test_lost), S(test_nodes), S(test_no_utf8),
		S(test_rows_that_cannot_be_read), S(test_many_rows_that_cannot_be_read), S(test_nobody_is_looked_up_behind_one_who_cannot_be_read),
		S(test_who_is_known_no_more) };
	int failed = cmocka_run_group_tests_name("sqlite", tests, NULL, NULL);

	if (!postgresql_start()) {
		postgresql_end();
		return 1;
	}
	failed += cmocka_run_group_tests_name("postgresql", shared, NULL, NULL);
	postgresql_end();
	return failed;
}
