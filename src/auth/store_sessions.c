/* Sessions as they outlive a restart. That one began or was seen does not wait for the disk: a power failure costs its owner a sign-in at most. That one
 * ended, or that its token was replaced, does: else the failure would bring back what was revoked. */
#include "auth/store_priv.h"

#define PAGE 2000
#define HASH_LEN sizeof(((struct store_session *)0)->hash)

/* Whether the store has that session with another token. */
static enum err is_rotated(struct store *s, const struct store_session *x, bool *out)
{
	struct query q = store_ask(s, SQL_SESSION_HASH);
	unsigned char hash[HASH_LEN] = { 0 };
	bool has_row = false;
	enum err e;

	ask_text(&q, bytes_str(x->id));
	e = store_next(&q, &has_row);
	*out = false;
	if (e == OK && has_row) {
		row_fixed(&q, 0, hash, sizeof(hash));
		*out = memcmp(hash, x->hash, sizeof(hash)) != 0;
	}
	return store_end(&q, e);
}

static void ask_session(struct query *q, const struct store_session *x)
{
	ask_text(q, bytes_str(x->id));
	ask_text(q, bytes_str(x->parent));
	ask_int(q, x->user);
	ask_blob(q, x->hash, sizeof(x->hash));
	ask_text(q, bytes_str(x->host));
	ask_text(q, bytes_str(x->method));
	ask_text(q, bytes_str(x->agent));
	ask_blob(q, x->client.ip, sizeof(x->client.ip));
	ask_u64(q, x->client.port);
	ask_u64(q, x->since_s);
	ask_u64(q, x->seen_s);
	ask_u64(q, x->until_s);
	ask_u64(q, x->proved_s);
	ask_u64(q, x->idle_s);
	ask_int(q, x->has_mfa);
	ask_int(q, x->is_device_bound);
	ask_blob(q, x->sid, sizeof(x->sid));
}

enum err store_session_put(struct store *s, const struct store_session *x)
{
	bool is_durable = true;
	struct query q;
	enum err e;

	CHECK(memchr(x->id, 0, sizeof(x->id)) && memchr(x->parent, 0, sizeof(x->parent)) && memchr(x->host, 0, sizeof(x->host)) &&
	      memchr(x->method, 0, sizeof(x->method)) && memchr(x->agent, 0, sizeof(x->agent)));
	if (!s->in_transaction)
		TRY(is_rotated(s, x, &is_durable));
	TRY(store_enter(s, is_durable));
	q = store_ask(s, SQL_SESSION_PUT);
	ask_session(&q, x);
	e = store_run(&q);
	return store_leave(s, e);
}

enum err store_session_renew(struct store *s, const struct store_session *x)
{
	struct query q = store_ask(s, SQL_SESSION_RENEW);

	ask_text(&q, bytes_str(x->id));
	ask_blob(&q, x->hash, sizeof(x->hash));
	ask_text(&q, bytes_str(x->method));
	ask_u64(&q, x->proved_s);
	ask_u64(&q, x->until_s);
	ask_u64(&q, x->idle_s);
	ask_int(&q, x->has_mfa);
	return store_change(&q, SQL_SESSION_RENEW);
}

static enum err none_is_well(enum err e)
{
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err store_session_remove(struct store *s, const char *id)
{
	struct query q = store_ask(s, SQL_SESSION_REMOVE);

	ask_text(&q, bytes_str(id));
	return none_is_well(store_change_later(&q, SQL_SESSION_REMOVE));
}

enum err store_session_remove_of(struct store *s, int64_t user)
{
	struct query q = store_ask(s, SQL_SESSION_REMOVE_OF);

	ask_int(&q, user);
	return none_is_well(store_change(&q, SQL_SESSION_REMOVE_OF));
}

enum err store_session_seen(struct store *s, const char *id, uint64_t seen_s)
{
	struct query q = store_ask(s, SQL_SESSION_SEEN);

	ask_text(&q, bytes_str(id));
	ask_u64(&q, seen_s);
	return store_change_later(&q, SQL_SESSION_SEEN);
}

enum err store_session_device(struct store *s, const struct store_session *x, bool is_new)
{
	enum statement n = is_new ? SQL_SESSION_BIND : SQL_SESSION_DEVICE;
	struct query q = store_ask(s, n);

	ask_text(&q, bytes_str(x->id));
	ask_blob(&q, x->device_hash, sizeof(x->device_hash));
	ask_u64(&q, x->device_until_s);
	if (is_new)
		ask_blob(&q, x->device_key, sizeof(x->device_key));
	return store_change(&q, n);
}

static enum err read_session(struct query *q, struct store_session *x)
{
	*x = (struct store_session){
		.user = row_int(q, 2),
		.client.port = (uint16_t)row_u64(q, 8, UINT16_MAX),
		.since_s = row_u64(q, 9, INT64_MAX),
		.seen_s = row_u64(q, 10, INT64_MAX),
		.until_s = row_u64(q, 11, INT64_MAX),
		.proved_s = row_u64(q, 12, INT64_MAX),
		.idle_s = (uint32_t)row_u64(q, 13, UINT32_MAX),
		.has_mfa = row_bool(q, 14),
		.is_device_bound = row_bool(q, 15),
	};
	row_string(q, 0, x->id, sizeof(x->id));
	row_string(q, 1, x->parent, sizeof(x->parent));
	row_fixed(q, 3, x->hash, sizeof(x->hash));
	row_string(q, 4, x->host, sizeof(x->host));
	row_string(q, 5, x->method, sizeof(x->method));
	row_string(q, 6, x->agent, sizeof(x->agent));
	row_fixed(q, 7, x->client.ip, sizeof(x->client.ip));
	if (x->is_device_bound) { /* without a key it is no session that Sluis wrote */
		row_fixed(q, 17, x->device_key, sizeof(x->device_key));
		row_fixed(q, 18, x->device_hash, sizeof(x->device_hash));
		x->device_until_s = row_u64(q, 19, INT64_MAX);
	}
	row_fixed(q, 16, x->sid, sizeof(x->sid));
	return row_check_one(q, "session", row_key(q, 0));
}

/* The next PAGE of them, behind the id in from. One that cannot be read is left out, and is a row all the same: a page is full or not by its rows. */
static enum err each_of_page(struct store *s, enum statement n, const struct cursor *from, struct cursor *to, size_t *rows,
	bool (*one)(void *ctx, const struct store_session *x), void *ctx, bool *goes_on)
{
	struct query q = store_ask(s, n);
	struct store_session x;
	bool has_row = true;
	enum err e;

	ask_text(&q, cursor_key(from));
	ask_int(&q, PAGE);
	do {
		e = store_next(&q, &has_row);
		if (e != OK || !has_row)
			break;
		++*rows;
		cursor_set(to, row_key(&q, 0));
		e = read_session(&q, &x);
		if (e == OK)
			*goes_on = one(ctx, &x);
		else if (e == ERR_SYNTAX)
			e = OK;
	} while (e == OK && *goes_on);
	return store_end(&q, e);
}

/* No answer of a database on another machine is longer than its time limit bears. */
static enum err each(struct store *s, enum statement n, bool (*one)(void *ctx, const struct store_session *x), void *ctx, bool *goes_on)
{
	struct cursor at = { .len = 0 }, from;
	size_t rows;

	do {
		from = at;
		rows = 0;
		TRY(each_of_page(s, n, &from, &at, &rows, one, ctx, goes_on));
		if (!*goes_on || rows < PAGE)
			return OK;
	} while (cursor_has_moved(s, &at, &from) == OK);
	return ERR_IO;
}

enum err store_sessions(struct store *s, bool (*one)(void *ctx, const struct store_session *x), void *ctx)
{
	bool goes_on = true;

	TRY(each(s, SQL_SESSIONS_PORTAL, one, ctx, &goes_on));
	return goes_on ? each(s, SQL_SESSIONS_APP, one, ctx, &goes_on) : OK;
}

static enum err find_one(struct query *q, struct store_session *out)
{
	bool has_row = false;
	enum err e = store_next(q, &has_row);

	if (e == OK)
		e = has_row ? read_session(q, out) : ERR_NOT_FOUND;
	return store_end(q, e);
}

enum err store_session_get(struct store *s, struct bytes id, struct store_session *out)
{
	struct query q = store_ask(s, SQL_SESSION_BY_ID);

	ask_text(&q, id);
	return find_one(&q, out);
}

enum err store_session_by_hash(struct store *s, const unsigned char hash[HASH_LEN], struct store_session *out)
{
	struct query q = store_ask(s, SQL_SESSION_BY_HASH);

	ask_blob(&q, hash, HASH_LEN);
	return find_one(&q, out);
}
