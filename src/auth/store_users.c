/* Users. */
#include "auth/store_priv.h"

#include "auth/facts.h"
#include "auth/password.h"
#include "crypto/random.h"

#define PAGE 2000

_Static_assert(STORE_GROUPS_MAX == AUTH_GROUPS_MAX * (STORE_TEXT_MAX + 1), "all groups of a user");

bool store_group_next(struct bytes *left, struct bytes *group)
{
	size_t end = bytes_find_byte(*left, '\n');

	if (left->len == 0)
		return false;
	*group = bytes_cut(*left, 0, end);
	*left = end == SIZE_MAX ? BYTES("") : bytes_cut(*left, end + 1, left->len);
	return true;
}

bool store_name_is_valid(struct bytes name)
{
	if (name.len == 0 || name.len > STORE_USER_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = ascii_lower(name.at[i]);
		bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!is_word && (i == 0 || !memchr("._-@+", c, 5)))
			return false;
	}
	return true;
}

/* As names are kept. False: no such name can be. */
static bool lower_name(struct bytes name, unsigned char out[STORE_USER_NAME_MAX], struct bytes *lower)
{
	if (!store_name_is_valid(name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		out[i] = ascii_lower(name.at[i]);
	*lower = bytes_of(out, name.len);
	return true;
}

static enum err groups_check(struct bytes groups)
{
	size_t n = 0;

	if (groups.len == 0)
		return OK;
	for (;;) {
		size_t end = bytes_find_byte(groups, '\n');
		struct bytes one = bytes_cut(groups, 0, end);

		if (one.len == 0)
			return ERR_SYNTAX;
		TRY(store_text_check(one, STORE_TEXT_MAX));
		if (++n > AUTH_GROUPS_MAX)
			return ERR_LIMIT;
		if (end == SIZE_MAX)
			return OK;
		groups = bytes_cut(groups, end + 1, groups.len);
	}
}

/* --- finding --- */

static enum err check_user(struct query *q, int64_t id)
{
	unsigned char mem[24];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	if (id < 0)
		text_byte(&t, '-');
	text_u64(&t, id < 0 ? 0 - (uint64_t)id : (uint64_t)id);
	return row_check_one(q, "user", text_bytes(&t));
}

/* Views into the row. */
static enum err read_user(struct query *q, struct store_user *u)
{
	*u = (struct store_user){
		.id = row_int(q, 0),
		.name = row_text(q, 1, STORE_USER_NAME_MAX),
		.display = row_text(q, 2, STORE_TEXT_MAX),
		.mail = row_text(q, 3, STORE_TEXT_MAX),
		.language = row_text(q, 4, STORE_TEXT_MAX),
		.groups = row_text(q, 5, STORE_GROUPS_MAX),
		.hash = row_text(q, 6, PASSWORD_HASH_MAX - 1),
		.is_disabled = row_bool(q, 7),
		.must_change = row_bool(q, 8),
		.has_totp = !row_is_null(q, 9),
		.totp_last_step = row_u64(q, 10, INT64_MAX),
		.made_s = row_u64(q, 12, INT64_MAX),
		.last_s = row_u64(q, 13, INT64_MAX),
		.recovery_left = (uint32_t)row_u64(q, 14, UINT32_MAX),
		.passkeys = (uint32_t)row_u64(q, 15, UINT32_MAX),
		.origin = row_text(q, 16, STORE_ORIGIN_MAX),
		.subject = row_text(q, 17, STORE_SUBJECT_MAX),
	};
	if (u->has_totp)
		row_fixed(q, 9, u->totp, sizeof(u->totp));
	row_fixed(q, 11, u->handle, sizeof(u->handle));
	q->is_wrong |= (u->origin.len == 0) != (u->subject.len == 0) || !store_name_is_valid(u->name) || groups_check(u->groups) != OK;
	return check_user(q, u->id);
}

static enum err copy_user(const struct store_user *u, struct arena *a, struct store_user *out)
{
	struct store_user c = *u;
	struct bytes *const texts[] = { &c.name, &c.display, &c.mail, &c.language, &c.groups, &c.hash, &c.origin, &c.subject };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		*texts[i] = arena_copy(a, *texts[i]);
		if (!texts[i]->at)
			return ERR_MEMORY;
	}
	*out = c;
	return OK;
}

/* id: also of a row that cannot be read. */
static enum err find_one_id(struct query *q, struct arena *a, struct store_user *out, int64_t *id)
{
	struct store_user u;
	bool has_row = false;
	enum err e = store_next(q, &has_row);

	if (e == OK && !has_row)
		e = ERR_NOT_FOUND;
	if (e == OK) {
		*id = row_int(q, 0);
		e = read_user(q, &u);
	}
	if (e == OK)
		e = copy_user(&u, a, out);
	return store_end(q, e);
}

static enum err find_one(struct query *q, struct arena *a, struct store_user *out)
{
	int64_t id;

	return find_one_id(q, a, out, &id);
}

enum err store_user_find(struct store *s, struct bytes name, struct arena *a, struct store_user *out)
{
	unsigned char mem[STORE_USER_NAME_MAX];
	struct query q;

	if (!lower_name(name, mem, &name))
		return ERR_NOT_FOUND;
	q = store_ask(s, SQL_USER_BY_NAME);
	ask_text(&q, name);
	return find_one(&q, a, out);
}

enum err store_user_get(struct store *s, int64_t id, struct arena *a, struct store_user *out)
{
	struct query q = store_ask(s, SQL_USER_BY_ID);

	ask_int(&q, id);
	return find_one(&q, a, out);
}

enum err store_user_known(struct store *s, int64_t id, struct arena *a, struct store_user *out)
{
	enum err e = s->known ? known_get(s->known, id, a, out) : ERR_NOT_FOUND;

	if (e != ERR_NOT_FOUND)
		return e;
	TRY(store_user_get(s, id, a, out));
	if (s->known)
		known_put(s->known, out);
	return OK;
}

enum err store_user_known_find(struct store *s, struct bytes name, struct arena *a, struct store_user *out)
{
	unsigned char mem[STORE_USER_NAME_MAX];
	enum err e = store_user_find(s, name, a, out);
	int64_t id;

	if (e != ERR_IO || !s->known || !lower_name(name, mem, &name) || known_find(s->known, name, &id) != OK)
		return e;
	return known_get(s->known, id, a, out);
}

enum err store_user_by_handle(struct store *s, const unsigned char handle[16], struct arena *a, struct store_user *out)
{
	struct query q = store_ask(s, SQL_USER_BY_HANDLE);

	ask_blob(&q, handle, 16);
	return find_one(&q, a, out);
}

enum err store_user_by_subject(struct store *s, struct bytes origin, struct bytes subject, struct arena *a, struct store_user *out)
{
	struct query q = store_ask(s, SQL_USER_BY_SUBJECT);

	ask_text(&q, origin);
	ask_text(&q, subject);
	return find_one(&q, a, out);
}

enum err store_user_to_look(struct store *s, struct bytes origin, uint64_t before_s, struct arena *a, struct store_user *out)
{
	int64_t id;

	for (;;) {
		struct query q = store_ask(s, SQL_USER_TO_LOOK);
		enum err e;

		ask_text(&q, origin);
		ask_u64(&q, before_s);
		e = find_one_id(&q, a, out, &id);
		if (e != ERR_SYNTAX)
			return e;
		TRY(store_user_looked(s, id, before_s));
	}
}

struct page {
	int64_t last; /* the last row's id */
	struct cursor name;
	size_t rows, given; /* read in this page; given to one in all */
	bool is_over;	    /* one said so */
};

/* Who cannot be read is left out, and is a row all the same: a page is full or not by its rows. */
static enum err each(struct query *q, bool (*one)(void *ctx, const struct store_user *u), void *ctx, struct page *p)
{
	struct store_user u;
	bool has_row = true;
	enum err e;

	p->rows = 0;
	do {
		e = store_next(q, &has_row);
		if (e != OK || !has_row)
			break;
		p->rows++;
		p->last = row_int(q, 0);
		cursor_set(&p->name, row_key(q, 1));
		e = read_user(q, &u);
		if (e == OK) {
			p->given++;
			p->is_over = !one(ctx, &u);
		} else if (e == ERR_SYNTAX) {
			e = OK;
		}
	} while (e == OK && !p->is_over);
	return store_end(q, e);
}

enum err store_users(struct store *s, struct bytes after, size_t most, bool (*one)(void *ctx, const struct store_user *u), void *ctx)
{
	struct page p = { .given = 0 };
	struct cursor from;
	size_t asked;

	p.name.len = after.len < STORE_USER_NAME_MAX ? after.len : STORE_USER_NAME_MAX;
	for (size_t i = 0; i < p.name.len; i++)
		p.name.at[i] = ascii_lower(after.at[i]);
	do {
		struct query q = store_ask(s, SQL_USERS);

		from = p.name;
		asked = most - p.given;
		ask_text(&q, cursor_key(&from));
		ask_u64(&q, asked);
		TRY(each(&q, one, ctx, &p));
		if (p.is_over || p.rows < asked || p.given == most)
			return OK;
	} while (cursor_has_moved(s, &p.name, &from) == OK);
	return ERR_IO;
}

enum err store_users_in(struct store *s, bool (*one)(void *ctx, const struct store_user *u), void *ctx)
{
	struct page p = { .last = 0 };

	do {
		struct query q = store_ask(s, SQL_USERS_IN);

		ask_int(&q, p.last);
		ask_int(&q, PAGE);
		TRY(each(&q, one, ctx, &p));
	} while (!p.is_over && p.rows == PAGE);
	return OK;
}

enum err store_user_count(struct store *s, uint64_t *out)
{
	struct query q = store_ask(s, SQL_USER_COUNT);
	bool has_row = false;
	enum err e = store_next(&q, &has_row);

	CHECK(has_row || e != OK);
	if (e == OK)
		*out = row_u64(&q, 0, INT64_MAX);
	return store_end(&q, e);
}

/* --- changing --- */

static enum err texts_check(struct bytes display, struct bytes mail, struct bytes groups)
{
	TRY(store_text_check(display, STORE_TEXT_MAX));
	TRY(store_text_check(mail, STORE_TEXT_MAX));
	return groups_check(groups);
}

enum err store_user_add(struct store *s, struct store_user *u, uint64_t now_s)
{
	unsigned char mem[STORE_USER_NAME_MAX], handle[sizeof(u->handle)];
	bool has_row = false;
	struct bytes name;
	struct query q;
	enum err e;

	if (!lower_name(u->name, mem, &name))
		return ERR_SYNTAX;
	TRY(texts_check(u->display, u->mail, u->groups));
	TRY(store_text_check(u->hash, PASSWORD_HASH_MAX - 1));
	TRY(store_text_check(u->origin, STORE_ORIGIN_MAX));
	TRY(store_text_check(u->subject, STORE_SUBJECT_MAX));
	if ((u->origin.len == 0) != (u->subject.len == 0))
		return ERR_SYNTAX;
	random_bytes(handle, sizeof(handle));
	q = store_ask(s, SQL_USER_ADD);
	ask_text(&q, name);
	ask_text(&q, u->display);
	ask_text(&q, u->mail);
	ask_text(&q, u->groups);
	ask_text(&q, u->hash);
	ask_int(&q, u->must_change);
	ask_blob(&q, handle, sizeof(handle));
	ask_u64(&q, now_s);
	ask_text(&q, u->origin);
	ask_text(&q, u->subject);
	TRY(store_change(&q, SQL_USER_ADD));
	q = store_ask(s, SQL_USER_OF_HANDLE);
	ask_blob(&q, handle, sizeof(handle));
	e = store_next(&q, &has_row);
	u->id = e == OK && has_row ? row_int(&q, 0) : 0;
	TRY(store_end(&q, e == OK && !has_row ? ERR_IO : e));
	u->made_s = now_s;
	memcpy(u->handle, handle, sizeof(handle));
	return OK;
}

/* What was known of that user is not true any more, whatever comes of it. */
static enum err change(struct query *q, enum statement n, int64_t id)
{
	if (q->s->known)
		known_forget(q->s->known, id);
	return store_change(q, n);
}

enum err store_user_set(struct store *s, int64_t id, struct bytes display, struct bytes mail, struct bytes groups)
{
	struct query q;

	TRY(texts_check(display, mail, groups));
	q = store_ask(s, SQL_USER_SET);
	ask_int(&q, id);
	ask_text(&q, display);
	ask_text(&q, mail);
	ask_text(&q, groups);
	return change(&q, SQL_USER_SET, id);
}

enum err store_user_rename(struct store *s, int64_t id, struct bytes name)
{
	unsigned char mem[STORE_USER_NAME_MAX];
	struct query q;

	if (!lower_name(name, mem, &name))
		return ERR_SYNTAX;
	q = store_ask(s, SQL_USER_RENAME);
	ask_int(&q, id);
	ask_text(&q, name);
	return change(&q, SQL_USER_RENAME, id);
}

enum err store_user_looked_at(struct store *s, int64_t id, uint64_t *out)
{
	struct query q = store_ask(s, SQL_USER_LOOKED_AT);
	bool has_row = false;
	uint64_t looked = 0;
	enum err e;

	ask_int(&q, id);
	e = store_next(&q, &has_row);
	if (e == OK && has_row) {
		looked = row_u64(&q, 0, INT64_MAX);
		e = row_check(&q, "user", id);
	}
	TRY(store_end(&q, e));
	if (!has_row)
		return ERR_NOT_FOUND;
	*out = looked;
	return OK;
}

enum err store_user_looked(struct store *s, int64_t id, uint64_t now_s)
{
	struct query q = store_ask(s, SQL_USER_LOOKED);

	ask_int(&q, id);
	ask_u64(&q, now_s);
	return store_change(&q, SQL_USER_LOOKED);
}

enum err store_user_password(struct store *s, int64_t id, struct bytes hash, bool must_change)
{
	struct query q;

	TRY(store_text_check(hash, PASSWORD_HASH_MAX - 1));
	q = store_ask(s, SQL_USER_PASSWORD);
	ask_int(&q, id);
	ask_text(&q, hash);
	ask_int(&q, must_change);
	return change(&q, SQL_USER_PASSWORD, id);
}

enum err store_user_rehash(struct store *s, int64_t id, struct bytes from, struct bytes to)
{
	struct query q;

	TRY(store_text_check(from, PASSWORD_HASH_MAX - 1));
	TRY(store_text_check(to, PASSWORD_HASH_MAX - 1));
	q = store_ask(s, SQL_USER_REHASH);
	ask_int(&q, id);
	ask_text(&q, from);
	ask_text(&q, to);
	return store_change(&q, SQL_USER_REHASH);
}

enum err store_user_disable(struct store *s, int64_t id, bool is_disabled)
{
	struct query q = store_ask(s, SQL_USER_DISABLE);

	ask_int(&q, id);
	ask_int(&q, is_disabled);
	return change(&q, SQL_USER_DISABLE, id);
}

enum err store_user_language(struct store *s, int64_t id, struct bytes language)
{
	struct query q;

	TRY(store_text_check(language, STORE_TEXT_MAX));
	q = store_ask(s, SQL_USER_LANGUAGE);
	ask_int(&q, id);
	ask_text(&q, language);
	return change(&q, SQL_USER_LANGUAGE, id);
}

enum err store_user_remove(struct store *s, int64_t id)
{
	struct query q = store_ask(s, SQL_USER_REMOVE);

	ask_int(&q, id);
	return change(&q, SQL_USER_REMOVE, id);
}
