/* Second factors. What a code or a passkey was used for is on disk before the caller hears of it: after a crash it is not taken again. */
#include "auth/store_priv.h"

enum err store_totp_set(struct store *s, int64_t user, const unsigned char secret[TOTP_SECRET_LEN], uint64_t last_step)
{
	struct query q = store_ask(s, SQL_TOTP_SET);

	ask_int(&q, user);
	if (secret)
		ask_blob(&q, secret, TOTP_SECRET_LEN);
	else
		ask_null(&q);
	ask_u64(&q, secret ? last_step : 0);
	return store_change(&q, SQL_TOTP_SET);
}

enum err store_totp_used(struct store *s, int64_t user, uint64_t step)
{
	struct query q = store_ask(s, SQL_TOTP_USED);
	bool has_row = false;
	enum err e;

	ask_int(&q, user);
	ask_u64(&q, step);
	e = store_change(&q, SQL_TOTP_USED);
	if (e != ERR_NOT_FOUND)
		return e;
	q = store_ask(s, SQL_TOTP_HAS);
	ask_int(&q, user);
	e = store_next(&q, &has_row);
	if (e == OK)
		e = has_row ? ERR_ORDER : ERR_NOT_FOUND;
	return store_end(&q, e);
}

enum err store_recovery_set(struct store *s, int64_t user, const unsigned char hashes[][RECOVERY_HASH_LEN], size_t n)
{
	struct query q;
	enum err e;

	TRY(store_enter(s, true));
	q = store_ask(s, SQL_RECOVERY_CLEAR);
	ask_int(&q, user);
	e = store_run(&q);
	for (size_t i = 0; e == OK && i < n; i++) {
		q = store_ask(s, SQL_RECOVERY_ADD);
		ask_int(&q, user);
		ask_blob(&q, hashes[i], RECOVERY_HASH_LEN);
		e = store_run(&q);
	}
	return store_leave(s, e);
}

enum err store_recovery_use(struct store *s, int64_t user, const unsigned char hash[RECOVERY_HASH_LEN])
{
	struct query q = store_ask(s, SQL_RECOVERY_USE);

	ask_int(&q, user);
	ask_blob(&q, hash, RECOVERY_HASH_LEN);
	return store_change(&q, SQL_RECOVERY_USE);
}

/* --- passkeys --- */

enum err store_passkey_add(struct store *s, int64_t user, const struct store_passkey *p)
{
	struct query q;

	if (p->id.len == 0 || p->public_key.len == 0)
		return ERR_SYNTAX;
	if (p->id.len > STORE_PASSKEY_ID_MAX || p->public_key.len > STORE_PASSKEY_KEY_MAX)
		return ERR_LIMIT;
	TRY(store_text_check(p->name, STORE_TEXT_MAX));
	q = store_ask(s, SQL_PASSKEY_ADD);
	ask_blob(&q, p->id.at, p->id.len);
	ask_int(&q, user);
	ask_blob(&q, p->public_key.at, p->public_key.len);
	ask_text(&q, p->name);
	ask_u64(&q, p->sign_count);
	ask_int(&q, p->is_backed_up);
	ask_u64(&q, p->made_s);
	ask_u64(&q, p->used_s);
	return store_change(&q, SQL_PASSKEY_ADD);
}

/* Views into the row. */
static enum err read_passkey(struct query *q, struct store_passkey *p, int64_t *user)
{
	*user = row_int(q, 1);
	*p = (struct store_passkey){
		.id = row_blob(q, 0, 1, STORE_PASSKEY_ID_MAX),
		.public_key = row_blob(q, 2, 1, STORE_PASSKEY_KEY_MAX),
		.name = row_text(q, 3, STORE_TEXT_MAX),
		.sign_count = (uint32_t)row_u64(q, 4, UINT32_MAX),
		.is_backed_up = row_bool(q, 5),
		.made_s = row_u64(q, 6, INT64_MAX),
		.used_s = row_u64(q, 7, INT64_MAX),
	};
	return row_check(q, "passkey", *user);
}

enum err store_passkey_find(struct store *s, struct bytes id, struct arena *a, struct store_passkey *out, int64_t *user)
{
	struct query q = store_ask(s, SQL_PASSKEY_FIND);
	struct store_passkey p = { 0 };
	bool has_row = false;
	int64_t whose = 0;
	enum err e;

	ask_blob(&q, id.at, id.len);
	e = store_next(&q, &has_row);
	if (e == OK && !has_row)
		e = ERR_NOT_FOUND;
	if (e == OK)
		e = read_passkey(&q, &p, &whose);
	if (e == OK) {
		p.id = arena_copy(a, p.id);
		p.public_key = arena_copy(a, p.public_key);
		p.name = arena_copy(a, p.name);
		e = p.id.at && p.public_key.at && p.name.at ? OK : ERR_MEMORY;
	}
	if (e == OK) {
		*out = p;
		*user = whose;
	}
	return store_end(&q, e);
}

enum err store_passkey_used(struct store *s, struct bytes id, uint32_t sign_count, bool is_backed_up, uint64_t now_s)
{
	struct query q = store_ask(s, SQL_PASSKEY_USED);

	ask_blob(&q, id.at, id.len);
	ask_u64(&q, sign_count);
	ask_int(&q, is_backed_up);
	ask_u64(&q, now_s);
	return store_change(&q, SQL_PASSKEY_USED);
}

enum err store_passkey_remove(struct store *s, int64_t user, struct bytes id)
{
	struct query q = store_ask(s, SQL_PASSKEY_REMOVE);

	ask_int(&q, user);
	ask_blob(&q, id.at, id.len);
	return store_change(&q, SQL_PASSKEY_REMOVE);
}

enum err store_passkeys(struct store *s, int64_t user, bool (*one)(void *ctx, const struct store_passkey *p), void *ctx)
{
	struct query q = store_ask(s, SQL_PASSKEYS);
	struct store_passkey p;
	bool has_row = true;
	int64_t whose;
	enum err e;

	ask_int(&q, user);
	do {
		e = store_next(&q, &has_row);
		if (e == OK && has_row)
			e = read_passkey(&q, &p, &whose);
	} while (e == OK && has_row && one(ctx, &p));
	return store_end(&q, e);
}
