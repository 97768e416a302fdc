/* SQLite, read only. Connections of a window are those that were open at its beginning (opened and carried before it, less those that
 * had closed) and those that opened within it: exact, without looking for each one's end. */
#include "ledger/query.h"

#include "ledger/days.h"
#include "ledger/events.h"
#include "ledger/sum.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MEMORY_MOST (1u << 30)
#define DAY_US	    UINT64_C(86400000000)

struct query {
	sqlite3 *db;
	const struct ledger_filter *filter;
	const struct ledger_hears *hears;
	uint64_t from, to;
	struct contacts *before, *inside; /* what happened before the window on its first day; within it */
	bool is_first_day;
	uint64_t missing_at;	     /* the last day that has no file */
	size_t missing_run;	     /* how many up to it follow each other */
	bool is_missing_cut;
	struct ledger_answer *answer;
};

static struct bytes column(sqlite3_stmt *st, int i)
{
	const void *at = sqlite3_column_text(st, i);

	return bytes_of(at ? at : "", at ? (size_t)sqlite3_column_bytes(st, i) : 0);
}

static uint64_t number(sqlite3_stmt *st, int i)
{
	return (uint64_t)sqlite3_column_int64(st, i);
}

/* False at the end, and when the file cannot be read on: half an answer is none. */
static bool next_row(sqlite3_stmt *st, enum err *e)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		*e = rc == SQLITE_BUSY || rc == SQLITE_IOERR ? ERR_DENIED : ERR_SYNTAX;
	return rc == SQLITE_ROW;
}

/* An address that is a client and a target at once, of the same connection, is counted as a client. */
static const char *not_twice(const struct query *q, enum ledger_with with)
{
	return q->filter->with == WITH_ADDRESS && with == WITH_TARGET ? " AND client <> ?1" : "";
}

static bool is_in(const struct addr_prefix *network, struct bytes text)
{
	struct addr a;

	return (addr_parse_ip(text, &a) == OK || addr_parse(text, &a) == OK) && addr_in(&a, network);
}

bool ledger_is_in_network(const struct ledger_filter *f, struct bytes client, struct bytes target)
{
	return (f->with != WITH_TARGET_NETWORK && f->with >= WITH_NETWORK && is_in(&f->network, client)) ||
		(f->with != WITH_CLIENT_NETWORK && f->with >= WITH_NETWORK && is_in(&f->network, target));
}

/* The filter as SQL over columns client, target, name, user. ?1 is the value, ?2 and ?3 a range of texts that begin with it. */
static const char *condition(enum ledger_with with, struct bytes value)
{
	struct addr a;

	switch (with) {
	case WITH_NETWORK: /* texts have no order in which a network is a range: rows are looked at one by one, in add() */
	case WITH_CLIENT_NETWORK:
	case WITH_TARGET_NETWORK:
	case WITH_ALL: return "1";
	case WITH_CLIENT: return "client = ?1";
	case WITH_TARGET: /* one or the other: with OR, SQLite would read all of the segment */
		return addr_parse(value, &a) == OK ? "target = ?1" : "target >= ?2 AND target < ?3";
	case WITH_NAME: return "(name = ?1 OR (name >= ?2 AND name < ?3))";
	case WITH_USER: return "user = ?1";
	case WITH_ADDRESS: /* of records; segments are asked for clients, then for targets: each has its index */
		return "(client = ?1 OR (target >= ?2 AND target < ?3))";
	}
	return "";
}

static void bind_filter(sqlite3_stmt *st, enum ledger_with with, struct bytes value)
{
	char low[300], high[300];
	bool is_v6 = (with == WITH_TARGET || with == WITH_ADDRESS) && bytes_find_byte(value, ':') != SIZE_MAX && value.at[0] != '[';
	unsigned char end = with == WITH_NAME ? '/' : ':';

	if (value.len > 250 || with == WITH_ALL || with >= WITH_NETWORK)
		return;
	snprintf(low, sizeof(low), is_v6 ? "[%.*s]%c" : "%.*s%c", (int)value.len, (const char *)value.at, end);
	snprintf(high, sizeof(high), is_v6 ? "[%.*s]%c" : "%.*s%c", (int)value.len, (const char *)value.at, end + 1);
	sqlite3_bind_text(st, 1, (const char *)value.at, (int)value.len, SQLITE_TRANSIENT);
	if (sqlite3_bind_parameter_count(st) >= 3) {
		sqlite3_bind_text(st, 2, low, -1, SQLITE_TRANSIENT);
		sqlite3_bind_text(st, 3, high, -1, SQLITE_TRANSIENT);
	}
}

static enum err add(struct query *q, struct contact *c, bool is_before)
{
	if (q->filter->with >= WITH_NETWORK && !ledger_is_in_network(q->filter, c->client, c->target))
		return OK;
	if (!q->is_first_day) /* what is carried over was counted on the day before */
		c->carried = 0;
	return contacts_add(is_before ? q->before : q->inside, c);
}

/* Whole segments, before the window and within it. */
static enum err add_segments(struct query *q, enum ledger_with with)
{
	sqlite3_stmt *st = NULL;
	char sql[700];
	enum err e = OK;

	/* One seek per segment, in the primary key for clients, in contact_target for targets: without being told so, SQLite would read all. */
	snprintf(sql, sizeof(sql), "SELECT s.last_us, client, target, user, name, c.first_us, c.last_us, opened, closed, carried, bytes_in, bytes_out"
		" FROM segment s CROSS JOIN contact c %s ON c.segment = s.segment WHERE (s.last_us < ?4 OR (s.first_us >= ?4 AND s.last_us <= ?5)) AND %s%s",
		with == WITH_TARGET ? "INDEXED BY contact_target" : "", condition(with, q->filter->value), not_twice(q, with));
	if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) != SQLITE_OK)
		return ERR_SYNTAX;
	bind_filter(st, with, q->filter->value);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)q->from);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)q->to);
	while (e == OK && next_row(st, &e)) {
		struct contact c = { .client = column(st, 1), .target = column(st, 2), .user = column(st, 3), .name = column(st, 4),
			.first_us = number(st, 5), .last_us = number(st, 6), .opened = number(st, 7), .closed = number(st, 8),
			.carried = number(st, 9), .bytes_in = number(st, 10), .bytes_out = number(st, 11) };

		e = add(q, &c, number(st, 0) < q->from);
	}
	sqlite3_finalize(st);
	return e;
}

/* Records of the segments that an edge of the window cuts, and those that are in no segment yet. */
static enum err add_records(struct query *q, enum ledger_with with, uint64_t first, uint64_t last)
{
	sqlite3_stmt *st = NULL;
	char sql[500];
	enum err e = OK;

	snprintf(sql, sizeof(sql), "SELECT state, client, target, name, user, at, start, \"end\", bytes_in, bytes_out FROM record"
		" WHERE seq BETWEEN ?4 AND ?5 AND at <= ?6 AND kind = 'use' AND %s ORDER BY seq", condition(with, q->filter->value));
	if (sqlite3_prepare_v2(q->db, sql, -1, &st, NULL) != SQLITE_OK)
		return ERR_SYNTAX;
	bind_filter(st, with, q->filter->value);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)first);
	sqlite3_bind_int64(st, 5, (sqlite3_int64)last);
	sqlite3_bind_int64(st, 6, (sqlite3_int64)q->to);
	while (e == OK && next_row(st, &e)) {
		struct contact c;

		if (ledger_contact_of(&(struct ledger_use){ .state = column(st, 0), .client = column(st, 1), .target = column(st, 2),
			    .name = column(st, 3), .user = column(st, 4), .at_us = number(st, 5), .start_us = number(st, 6),
			    .end_us = number(st, 7), .bytes_in = number(st, 8), .bytes_out = number(st, 9) }, &c) == OK)
			e = add(q, &c, number(st, 5) < q->from);
	}
	sqlite3_finalize(st);
	return e;
}

static enum err add_edges(struct query *q, enum ledger_with with)
{
	sqlite3_stmt *st = NULL;
	uint64_t last = 0;
	enum err e = OK;

	if (sqlite3_prepare_v2(q->db, "SELECT first, last, first_us, last_us FROM segment ORDER BY segment", -1, &st, NULL) != SQLITE_OK)
		return ERR_SYNTAX;
	while (e == OK && next_row(st, &e)) {
		uint64_t begin = number(st, 2), end = number(st, 3);
		bool is_whole = end < q->from || (begin >= q->from && end <= q->to) || begin > q->to;

		last = number(st, 1);
		if (!is_whole)
			e = add_records(q, with, number(st, 0), last);
	}
	sqlite3_finalize(st);
	return e == OK ? add_records(q, with, last + 1, INT64_MAX) : e;
}

static void note_rest(struct query *q)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(q->db, "SELECT at FROM record ORDER BY seq DESC LIMIT 1", -1, &st, NULL) == SQLITE_OK &&
		sqlite3_step(st) == SQLITE_ROW && number(st, 0) > q->answer->newest_us)
		q->answer->newest_us = number(st, 0);
	sqlite3_finalize(st);
}

/* The ledger's own records have an index. */
static void note_lost(struct query *q)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(q->db, "SELECT coalesce(sum(requests), 0) FROM record WHERE kind='ledger' AND outcome='lost' AND at BETWEEN ?1 AND ?2", -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, (sqlite3_int64)q->from);
		sqlite3_bind_int64(st, 2, (sqlite3_int64)q->to);
		if (sqlite3_step(st) == SQLITE_ROW)
			q->answer->lost += number(st, 0);
	}
	sqlite3_finalize(st);
}

static enum err read_day(struct query *q, const char *path)
{
	bool is_both = q->filter->with == WITH_ADDRESS;
	enum err e = OK;

	if (sqlite3_open_v2(path, &q->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK)
		e = ERR_DENIED;
	sqlite3_busy_timeout(q->db, 5000);
	if (e == OK && sqlite3_exec(q->db, "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=1073741824; BEGIN", NULL, NULL, NULL) != SQLITE_OK)
		e = ERR_SYNTAX;
	if (e == OK && ledger_day_is_blank(q->db)) {
		sqlite3_close(q->db);
		q->db = NULL;
		q->answer->files++;
		return OK;
	}
	if (e == OK)
		e = add_segments(q, is_both ? WITH_CLIENT : q->filter->with);
	if (e == OK && is_both)
		e = add_segments(q, WITH_TARGET);
	if (e == OK)
		e = add_edges(q, q->filter->with);
	if (e == OK && q->hears)
		e = ledger_events_of_day(q->db, q->from, q->to, q->filter, q->hears);
	if (e == OK) {
		note_rest(q);
		note_lost(q);
		q->answer->files++;
	}
	sqlite3_close(q->db);
	q->db = NULL;
	return e;
}

/* Rows of the answer from what was before and what was within. */
static enum err combine(struct query *q, struct contacts *rows)
{
	enum err e = OK;

	for (size_t i = 0; e == OK && i < contacts_count(q->before); i++) {
		struct contact c = *contacts_at(q->before, i);
		uint64_t open = c.carried + c.opened;

		if (open <= c.closed)
			continue;
		c.carried = open - c.closed;
		c.opened = c.closed = c.bytes_in = c.bytes_out = 0;
		c.first_us = c.last_us = q->from;
		e = contacts_add(rows, &c);
	}
	for (size_t i = 0; e == OK && i < contacts_count(q->inside); i++) {
		struct contact c = *contacts_at(q->inside, i);

		if (c.first_us < q->from) /* it closed within, and opened before */
			c.first_us = q->from;
		if (c.last_us > q->to)
			c.last_us = q->to;
		e = contacts_add(rows, &c);
	}
	return e;
}

static enum err finish(struct query *q)
{
	struct ledger_answer *a = q->answer;
	struct contacts *raw = contacts_new(MEMORY_MOST);
	uint64_t end = a->newest_us && a->newest_us < q->to ? a->newest_us : q->to;
	enum err e = raw ? combine(q, raw) : ERR_MEMORY;
	size_t n;

	if (e == OK)
		contacts_sort(raw);
	n = raw ? contacts_count(raw) : 0;
	a->spans = e == OK ? calloc(n + 1, sizeof(*a->spans)) : NULL;
	a->rows = contacts_new(MEMORY_MOST);
	if (!a->spans || !a->rows)
		e = e == OK ? ERR_MEMORY : e;
	for (size_t i = 0; e == OK && i < n; i++) {
		struct contact c = *contacts_at(raw, i);

		a->spans[i].was_open = c.carried > 0;
		a->spans[i].is_open = c.carried + c.opened > c.closed;
		if (a->spans[i].is_open && end > c.last_us)
			c.last_us = end;
		c.opened += c.carried;
		if (c.opened == 0) /* its open was lost, its close is known */
			c.opened = c.closed;
		e = contacts_add(a->rows, &c);
	}
	contacts_free(&raw);
	return e;
}

/* A run of three days or more is told by its first and last: a window may begin years before the first ledger. */
static void note_missing(struct query *q, uint64_t at, const char *day)
{
	char *s = q->answer->missing;
	size_t n = strlen(s), most = sizeof(q->answer->missing);

	q->missing_run = at == q->missing_at + DAY_US ? q->missing_run + 1 : 1;
	q->missing_at = at;
	if (q->missing_run > 3 && !q->is_missing_cut) {
		memcpy(s + n - LEDGER_DAY_LEN, day, LEDGER_DAY_LEN);
	} else if (q->missing_run == 3 && !q->is_missing_cut) {
		n -= LEDGER_DAY_LEN + 2;
		snprintf(s + n, most - n, " .. %s", day);
	} else if (n + LEDGER_DAY_LEN + 10 < most && !q->is_missing_cut) {
		snprintf(s + n, most - n, "%s%s", n ? ", " : "", day);
	} else if (!q->is_missing_cut) {
		snprintf(s + n, most - n, " ...");
		q->is_missing_cut = true;
	}
}

enum err ledger_query(const char *dir, uint64_t from_us, uint64_t to_us, const struct ledger_filter *filter, const struct ledger_hears *hears,
	struct ledger_answer *out)
{
	struct query q = { .filter = filter, .hears = hears, .from = from_us, .to = to_us, .answer = out, .is_first_day = true };
	enum err e = OK;
	struct stat st;

	*out = (struct ledger_answer){ 0 };
	if (stat(dir, &st) < 0)
		return errno == EACCES ? ERR_DENIED : ERR_NOT_FOUND;
	q.before = contacts_new(MEMORY_MOST);
	q.inside = contacts_new(MEMORY_MOST);
	if (!q.before || !q.inside)
		e = ERR_MEMORY;
	for (uint64_t at = from_us - from_us % DAY_US; e == OK && at <= to_us; at += DAY_US) {
		char day[LEDGER_DAY_LEN + 1], file[LEDGER_FILE_MAX], path[4200];

		chain_day(at, day);
		ledger_day_file(day, file);
		snprintf(path, sizeof(path), "%s/%s", dir, file);
		if (stat(path, &st) < 0) {
			note_missing(&q, at, day);
		} else {
			e = read_day(&q, path);
			if (e == ERR_SYNTAX || e == ERR_DENIED)
				snprintf(out->missing, sizeof(out->missing), "%.500s", path);
			q.is_first_day = false;
		}
	}
	if (e == OK)
		e = finish(&q);
	contacts_free(&q.before);
	contacts_free(&q.inside);
	if (e != OK)
		ledger_answer_fini(out);
	return e;
}

void ledger_answer_fini(struct ledger_answer *a)
{
	contacts_free(&a->rows);
	free(a->spans);
	a->spans = NULL;
}
