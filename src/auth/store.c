/* Transactions and errors, whatever the engine. What decides about access is on disk before a call returns: users, factors, the end of a session, a
 * token that is replaced. What may be lost with the last moments before a power failure only costs its owner a sign-in: that a session began or was seen, the last sign-ins,
 * favourites, the language. Such changes do not wait for the disk, and are there at once after a crash of the process. */
#include "auth/store.h"

#include "auth/store_priv.h"

#include <stdio.h>
#include <stdlib.h>

const struct store_statement store_statements[STATEMENT_COUNT] = {
#define STATEMENT(sym, durable, text) { .is_durable = durable, .sql = text },
#define SHARED_STATEMENT(sym, text) { .is_shared = true, .sql = text },
#include "auth/store_sql.tbl"
#undef STATEMENT
#undef SHARED_STATEMENT
};

static char open_why[STORE_WHY_MAX]; /* of the last store_open that failed */

enum err store_why(struct store *s, enum err e, const char *what, const char *instead)
{
	snprintf(s->why, sizeof(s->why), "%s: %s: %s", s->path, what, instead);
	return e;
}

const char *store_error(const struct store *s)
{
	return s ? s->why : open_why;
}

void store_on_unreadable(struct store *s, void (*one)(void *ctx, const char *table, struct bytes row), void *ctx)
{
	s->unreadable = one;
	s->unreadable_ctx = ctx;
}

/* --- opening and closing --- */

struct store *store_new(const struct store_engine *engine, const char *what)
{
	struct store *s = calloc(1, sizeof(*s));

	snprintf(open_why, sizeof(open_why), "%s: out of memory", what);
	if (s)
		s->engine = engine;
	return s;
}

enum err store_opened(struct store *s, enum err e, struct store **out)
{
	if (e == OK) {
		*out = s;
		return OK;
	}
	if (s && s->why[0])
		memcpy(open_why, s->why, sizeof(open_why));
	store_close(&s);
	return e;
}

void store_close(struct store **at)
{
	struct store *s = *at;

	if (!s)
		return;
	s->engine->close(s);
	free(s);
	*at = NULL;
}

/* --- transactions --- */

enum err store_enter(struct store *s, bool is_durable)
{
	if (!s->in_transaction)
		return s->engine->begin(s, is_durable);
	return s->has_failed ? ERR_IO : OK;
}

enum err store_leave(struct store *s, enum err e)
{
	if (s->in_transaction) {
		s->has_failed |= e == ERR_IO || e == ERR_MEMORY;
		return e;
	}
	if (e == OK)
		return s->engine->commit(s);
	s->engine->take_back(s);
	return e;
}

/* Always durable: whoever puts several changes together waits once, and may have any among them. */
enum err store_begin(struct store *s)
{
	CHECK(!s->in_transaction);
	TRY(s->engine->begin(s, true));
	s->in_transaction = true;
	s->has_failed = false;
	return OK;
}

enum err store_commit(struct store *s)
{
	CHECK(s->in_transaction);
	s->in_transaction = false;
	if (!s->has_failed)
		return s->engine->commit(s);
	s->engine->take_back(s);
	return ERR_IO;
}

/* To its end, and how much it changed. */
static enum err run_change(struct query *q)
{
	bool has_row = false;
	enum err e = store_next(q, &has_row);

	CHECK(!has_row);
	if (e == OK && q->s->engine->changes(q) == 0)
		e = ERR_NOT_FOUND;
	return store_end(q, e);
}

enum err store_change(struct query *q, enum statement n)
{
	struct store *s = q->s;
	enum err e;

	if (s->engine->is_whole && !s->in_transaction)
		return run_change(q);
	e = store_enter(s, store_statements[n].is_durable);
	if (e != OK)
		return store_end(q, e);
	return store_leave(s, run_change(q));
}

enum err store_change_later(struct query *q, enum statement n)
{
	struct store *s = q->s;

	if (!s->in_transaction || !s->engine->later)
		return store_change(q, n);
	return store_leave(s, store_end(q, s->has_failed ? ERR_IO : s->engine->later(q)));
}
