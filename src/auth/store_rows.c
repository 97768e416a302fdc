/* Statements with their values, and rows with their columns. */
#include "auth/store_priv.h"

#include <errno.h>
#include <stdio.h>

struct query store_ask(struct store *s, enum statement n)
{
	/* A call from within a callback of itself would move the rows on under it. */
	CHECK(!sqlite3_stmt_busy(s->statements[n]));
	return (struct query){ .s = s, .st = s->statements[n], .rc = SQLITE_OK };
}

static void bound(struct query *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void ask_int(struct query *q, int64_t v)
{
	bound(q, sqlite3_bind_int64(q->st, ++q->bound, v));
}

void ask_u64(struct query *q, uint64_t v)
{
	ask_int(q, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void ask_text(struct query *q, struct bytes b)
{
	bound(q, sqlite3_bind_text64(q->st, ++q->bound, b.len ? (const char *)b.at : "", b.len, SQLITE_STATIC, SQLITE_UTF8));
}

void ask_blob(struct query *q, const void *at, size_t len)
{
	bound(q, sqlite3_bind_blob64(q->st, ++q->bound, len ? at : "", len, SQLITE_STATIC));
}

void ask_null(struct query *q)
{
	bound(q, sqlite3_bind_null(q->st, ++q->bound));
}

enum err store_next(struct query *q, bool *has_row)
{
	int rc;

	errno = 0; /* store_of reads it */
	rc = q->rc == SQLITE_OK ? sqlite3_step(q->st) : q->rc;
	*has_row = rc == SQLITE_ROW;
	q->is_wrong = false;
	return store_of(q->s, rc);
}

enum err store_end(struct query *q, enum err e)
{
	sqlite3_reset(q->st);
	sqlite3_clear_bindings(q->st); /* what they pointed at is the caller's */
	return e;
}

enum err store_run(struct query *q)
{
	bool has_row = false;
	enum err e = store_next(q, &has_row);

	CHECK(!has_row);
	return store_end(q, e);
}

/* --- columns --- */

int64_t row_int(struct query *q, int i)
{
	q->is_wrong |= sqlite3_column_type(q->st, i) != SQLITE_INTEGER;
	return sqlite3_column_int64(q->st, i);
}

uint64_t row_u64(struct query *q, int i, uint64_t most)
{
	int64_t v = row_int(q, i);

	q->is_wrong |= v < 0 || (uint64_t)v > most;
	return v < 0 ? 0 : (uint64_t)v;
}

bool row_bool(struct query *q, int i)
{
	return row_u64(q, i, 1) == 1;
}

bool row_is_null(struct query *q, int i)
{
	return sqlite3_column_type(q->st, i) == SQLITE_NULL;
}

static struct bytes column(struct query *q, int i, int type, size_t least, size_t most)
{
	const void *at;
	size_t len;

	if (sqlite3_column_type(q->st, i) != type) {
		q->is_wrong = true;
		return bytes_of("", 0);
	}
	at = type == SQLITE_TEXT ? (const void *)sqlite3_column_text(q->st, i) : sqlite3_column_blob(q->st, i);
	len = (size_t)sqlite3_column_bytes(q->st, i);
	if ((!at && len) || len < least || len > most) {
		q->is_wrong = true;
		return bytes_of("", 0);
	}
	return bytes_of(at ? at : "", len);
}

struct bytes row_text(struct query *q, int i, size_t most)
{
	struct bytes b = column(q, i, SQLITE_TEXT, 0, most);

	q->is_wrong |= bytes_find_byte(b, 0) != SIZE_MAX;
	return b;
}

struct bytes row_blob(struct query *q, int i, size_t least, size_t most)
{
	return column(q, i, SQLITE_BLOB, least, most);
}

void row_fixed(struct query *q, int i, void *out, size_t len)
{
	struct bytes b = column(q, i, SQLITE_BLOB, len, len);

	if (b.len == len)
		memcpy(out, b.at, len);
}

void row_string(struct query *q, int i, char *out, size_t size)
{
	struct bytes b = row_text(q, i, size - 1);

	memcpy(out, b.at, b.len);
	out[b.len] = 0;
}

enum err row_check(struct query *q, const char *table, int64_t user)
{
	char what[STORE_WHY_MAX / 2];

	if (!q->is_wrong)
		return OK;
	snprintf(what, sizeof(what), "table %s has a row (user %lld) that Sluis did not write", table, (long long)user);
	return store_why(q->s, ERR_IO, what, "put a backup in its place, or remove the row");
}

enum err store_text_check(struct bytes b, size_t most)
{
	if (b.len > most)
		return ERR_LIMIT;
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] < ' ' || b.at[i] == 0x7f)
			return ERR_SYNTAX;
	return OK;
}
