/* What a person did: sign-ins, the sources that they came from, apps that they use and like. Nothing here is kept longer than it is of use. */
#include "auth/store_priv.h"

#define DAY_S		86400
#define SIGN_INS_KEPT	50
#define SIGN_IN_DAYS	365
#define SOURCE_DAYS	90
#define FAVOURITES_MAX	100
#define RECENT_KEPT	20
#define METHOD_MAX	63

static uint64_t days_before(uint64_t now_s, uint64_t days)
{
	return now_s > days * DAY_S ? now_s - days * DAY_S : 0;
}

/* Whom an address stands for: an IPv4 address, or an IPv6 network of 64 bits, which is the least that one customer gets. */
static struct bytes source_of(const struct addr *client)
{
	return bytes_of(client->ip, addr_is_v4(client) ? 16 : 8);
}

static enum err clear_old(struct store *s, enum statement n, uint64_t before_s)
{
	struct query q = store_ask(s, n);

	ask_u64(&q, before_s);
	return store_run(&q);
}

static enum err note_source(struct store *s, int64_t user, const struct addr *client, uint64_t now_s)
{
	struct bytes net = source_of(client);
	struct query q = store_ask(s, SQL_USER_LAST);

	ask_int(&q, user);
	ask_u64(&q, now_s);
	TRY(store_run(&q));
	q = store_ask(s, SQL_SOURCE_ADD);
	ask_int(&q, user);
	ask_blob(&q, net.at, net.len);
	ask_u64(&q, now_s);
	TRY(store_run(&q));
	return clear_old(s, SQL_SOURCE_OLD, days_before(now_s, SOURCE_DAYS));
}

static enum err note_sign_in(struct store *s, int64_t user, const struct addr *client, struct bytes method, enum store_outcome outcome, uint64_t now_s)
{
	struct query q = store_ask(s, SQL_SIGN_IN);

	ask_int(&q, user);
	ask_u64(&q, now_s);
	ask_blob(&q, client->ip, sizeof(client->ip));
	ask_text(&q, method);
	ask_int(&q, outcome);
	TRY(store_run(&q));
	TRY(clear_old(s, SQL_SIGN_IN_OLD, days_before(now_s, SIGN_IN_DAYS)));
	q = store_ask(s, SQL_SIGN_IN_MANY);
	ask_int(&q, user);
	ask_int(&q, SIGN_INS_KEPT);
	TRY(store_run(&q));
	return outcome == STORE_SIGNED_IN ? note_source(s, user, client, now_s) : OK;
}

enum err store_sign_in(struct store *s, int64_t user, const struct addr *client, struct bytes method, enum store_outcome outcome, uint64_t now_s)
{
	enum err e;

	TRY(store_text_check(method, METHOD_MAX));
	TRY(store_enter(s, false));
	e = note_sign_in(s, user, client, method, outcome, now_s);
	return store_leave(s, e);
}

enum err store_sign_ins(struct store *s, int64_t user, size_t most,
	bool (*one)(void *ctx, uint64_t when_s, const struct addr *client, struct bytes method, enum store_outcome outcome), void *ctx)
{
	struct query q = store_ask(s, SQL_SIGN_INS);
	bool has_row = true, goes_on = true;
	enum err e;

	ask_int(&q, user);
	ask_u64(&q, most);
	do {
		struct addr client = { 0 };
		uint64_t when, outcome;
		struct bytes method;

		e = store_next(&q, &has_row);
		if (e != OK || !has_row)
			break;
		when = row_u64(&q, 0, INT64_MAX);
		row_fixed(&q, 1, client.ip, sizeof(client.ip));
		method = row_text(&q, 2, METHOD_MAX);
		outcome = row_u64(&q, 3, STORE_REFUSED);
		e = row_check(&q, "sign_in", user);
		if (e == OK)
			goes_on = one(ctx, when, &client, method, (enum store_outcome)outcome);
	} while (e == OK && goes_on);
	return store_end(&q, e);
}

bool store_source_known(struct store *s, int64_t user, const struct addr *client, uint64_t now_s)
{
	struct query q = store_ask(s, SQL_SOURCE_KNOWN);
	struct bytes net = source_of(client);
	bool has_row = false;
	enum err e;

	ask_int(&q, user);
	ask_blob(&q, net.at, net.len);
	ask_u64(&q, days_before(now_s, SOURCE_DAYS));
	e = store_next(&q, &has_row);
	return store_end(&q, e) == OK && has_row;
}

/* --- apps --- */

static enum err app_check(struct bytes app)
{
	return app.len == 0 ? ERR_SYNTAX : store_text_check(app, STORE_TEXT_MAX);
}

static enum err run_of(struct store *s, enum statement n, int64_t user)
{
	struct query q = store_ask(s, n);

	ask_int(&q, user);
	return store_run(&q);
}

static enum err set_favourite(struct store *s, int64_t user, struct bytes app, bool on)
{
	struct query q = store_ask(s, SQL_FAVOURITES);
	bool has_row = false;
	uint64_t others;
	enum err e;

	ask_int(&q, user);
	ask_text(&q, app);
	e = store_next(&q, &has_row);
	others = e == OK && has_row ? row_u64(&q, 0, INT64_MAX) : 0;
	TRY(store_end(&q, e));
	if (on && others >= FAVOURITES_MAX)
		return ERR_LIMIT;
	q = store_ask(s, on ? SQL_FAVOURITE_ADD : SQL_FAVOURITE_REMOVE);
	ask_int(&q, user);
	ask_text(&q, app);
	TRY(store_run(&q));
	return run_of(s, SQL_APP_CLEAR, user);
}

enum err store_favourite(struct store *s, int64_t user, struct bytes app, bool on)
{
	enum err e;

	TRY(app_check(app));
	TRY(store_enter(s, false));
	e = set_favourite(s, user, app, on);
	return store_leave(s, e);
}

static enum err set_used(struct store *s, int64_t user, struct bytes app, uint64_t now_s)
{
	struct query q = store_ask(s, SQL_USED);

	ask_int(&q, user);
	ask_text(&q, app);
	ask_u64(&q, now_s);
	TRY(store_run(&q));
	q = store_ask(s, SQL_USED_MANY);
	ask_int(&q, user);
	ask_int(&q, RECENT_KEPT);
	TRY(store_run(&q));
	return run_of(s, SQL_APP_CLEAR, user);
}

enum err store_used(struct store *s, int64_t user, struct bytes app, uint64_t now_s)
{
	enum err e;

	TRY(app_check(app));
	TRY(store_enter(s, false));
	e = set_used(s, user, app, now_s);
	return store_leave(s, e);
}

enum err store_apps(struct store *s, int64_t user, bool (*one)(void *ctx, struct bytes app, bool is_favourite, uint64_t used_s), void *ctx)
{
	struct query q = store_ask(s, SQL_APPS);
	bool has_row = true, goes_on = true;
	enum err e;

	ask_int(&q, user);
	do {
		struct bytes app;
		bool is_favourite;
		uint64_t used;

		e = store_next(&q, &has_row);
		if (e != OK || !has_row)
			break;
		app = row_text(&q, 0, STORE_TEXT_MAX);
		is_favourite = row_bool(&q, 1);
		used = row_u64(&q, 2, INT64_MAX);
		e = row_check(&q, "app", user);
		if (e == OK)
			goes_on = one(ctx, app, is_favourite, used);
	} while (e == OK && goes_on);
	return store_end(&q, e);
}
