/* Statements with their values, and rows with their columns. */
#include "auth/store_priv.h"

#include <stdio.h>

struct query store_ask(struct store *s, enum statement n)
{
	return (struct query){ .s = s, .n = n };
}

static struct store_value *more(struct query *q, enum store_type type)
{
	CHECK(q->bound < STORE_VALUES_MAX);
	q->values[q->bound].type = type;
	return &q->values[q->bound++];
}

void ask_int(struct query *q, int64_t v)
{
	more(q, STORE_INT)->number = v;
}

void ask_u64(struct query *q, uint64_t v)
{
	ask_int(q, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

void ask_text(struct query *q, struct bytes b)
{
	more(q, STORE_TEXT)->bytes = b;
}

void ask_blob(struct query *q, const void *at, size_t len)
{
	more(q, STORE_BLOB)->bytes = bytes_of(at, len);
}

void ask_null(struct query *q)
{
	(void)more(q, STORE_NULL);
}

enum err store_next(struct query *q, bool *has_row)
{
	*has_row = false;
	q->is_wrong = false;
	return q->s->engine->next(q, has_row);
}

enum err store_end(struct query *q, enum err e)
{
	q->s->engine->end(q);
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
	struct store_value v = q->s->engine->column(q, i);

	q->is_wrong |= v.type != STORE_INT;
	return v.type == STORE_INT ? v.number : 0;
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
	return q->s->engine->column(q, i).type == STORE_NULL;
}

static struct bytes column(struct query *q, int i, enum store_type type, size_t least, size_t most)
{
	struct store_value v = q->s->engine->column(q, i);

	if (v.type != type || v.bytes.len < least || v.bytes.len > most) {
		q->is_wrong = true;
		return bytes_of("", 0);
	}
	return v.bytes;
}

struct bytes row_text(struct query *q, int i, size_t most)
{
	struct bytes b = column(q, i, STORE_TEXT, 0, most);

	q->is_wrong |= bytes_find_byte(b, 0) != SIZE_MAX;
	return b;
}

struct bytes row_blob(struct query *q, int i, size_t least, size_t most)
{
	return column(q, i, STORE_BLOB, least, most);
}

void row_fixed(struct query *q, int i, void *out, size_t len)
{
	struct bytes b = column(q, i, STORE_BLOB, len, len);

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

enum err row_check_one(struct query *q, const char *table, struct bytes id)
{
	unsigned char row[64];
	char what[STORE_WHY_MAX / 2];
	size_t len = id.len < sizeof(row) ? id.len : sizeof(row);

	if (!q->is_wrong)
		return OK;
	for (size_t i = 0; i < len; i++)
		row[i] = id.at[i] < ' ' || id.at[i] > '~' ? '?' : id.at[i];
	id = bytes_of(row, len);
	snprintf(what, sizeof(what), "table %s has a row (id %.*s) that Sluis did not write", table, FMT(id));
	if (q->s->unreadable)
		q->s->unreadable(q->s->unreadable_ctx, table, id);
	return store_why(q->s, ERR_SYNTAX, what, "put the row right, or remove it");
}

struct bytes row_key(struct query *q, int i)
{
	struct store_value v = q->s->engine->column(q, i);

	return v.type == STORE_TEXT ? v.bytes : bytes_of("", 0);
}

void cursor_set(struct cursor *c, struct bytes key)
{
	if (key.len > sizeof(c->at))
		return;
	memcpy(c->at, key.at, key.len);
	c->len = key.len;
}

struct bytes cursor_key(const struct cursor *c)
{
	return bytes_of(c->at, c->len);
}

enum err cursor_has_moved(struct store *s, const struct cursor *c, const struct cursor *before)
{
	if (!bytes_eq(cursor_key(c), cursor_key(before)))
		return OK;
	return store_why(s, ERR_IO, "there are too many rows that Sluis did not write", "remove them, or put a backup in its place");
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
