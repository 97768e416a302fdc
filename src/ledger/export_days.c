/* SQLite, read only, a few thousand rows at a time. A damaged page is stepped over: the next record that can be read is looked for in
 * steps that double, then by halves. */
#include "ledger/export_days.h"

#include "ledger/export.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_US	       UINT64_C(86400000000)
#define FINDINGS_MOST  1000
#define HOLES_MOST     1000 /* damaged places of a file that are stepped over */
#define VALUE_MOST     65536 /* octets; no text of a record is longer than LEDGER_DETAIL_MAX */
#define CHUNK_ROWS     8192
#define CHUNK_OCTETS   (256u << 10)
#define LINES_MOST     (16u << 20) /* a chunk, and then one line of the worst texts */

struct export {
	const char *dir;
	const struct ledger_day *day; /* the file that is read */
	bool is_newest;
	const struct ledger_export *want;
	const struct ledger_export_hears *hears;
	struct ledger_export_report *report;
	sqlite3 *db;
	sqlite3_stmt *rows;
	struct text lines;
	uint64_t expect; /* the record that comes next, over all files; 0: not known */
	int64_t at, end; /* in this file: the next seq to ask for, the last that was there when it was opened */
	int64_t batch_end; /* the last that a batch of this file has; 0: not known */
	unsigned holes;
};

static void found(struct export *e, enum ledger_export_fault fault, uint64_t first, uint64_t last, const char *what)
{
	if (e->report->findings++ < FINDINGS_MOST)
		e->hears->on_finding(e->hears->ctx, &(struct ledger_export_finding){ fault, e->day->file, first, last, what });
}

static bool is_damage(int rc)
{
	rc &= 0xff;
	return rc == SQLITE_CORRUPT || rc == SQLITE_TOOBIG || rc == SQLITE_IOERR || rc == SQLITE_NOTADB;
}

/* The first column of the only row. */
static int ask(struct export *e, const char *sql, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(e->db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc;
}

/* --- rows --- */

static void tell_changed(struct export *e, const struct ledger_row *row, unsigned unfit)
{
	char what[400] = { 0 };
	struct text t;

	if (unfit & ~(1u << COL_MARK)) /* then the mark tells nothing more */
		unfit &= ~(1u << COL_MARK);
	text_init(&t, what, sizeof(what) - 1);
	for (unsigned c = 0; c < COL_COUNT; c++)
		if (unfit & 1u << c)
			text_fmt(&t, "%s%s", t.len ? ", " : "", ledger_column_name((enum ledger_column)c));
	found(e, EXPORT_CHANGED, (uint64_t)row->cells[COL_SEQ].n, (uint64_t)row->cells[COL_SEQ].n, what);
}

static bool is_wanted(const struct export *e, const struct ledger_row *row)
{
	const struct ledger_cell *at = &row->cells[COL_AT], *kind = &row->cells[COL_KIND];

	/* One without a time or a kind that can be read is in no selection, and told all the same. */
	if (e->want->from_us > 0 && (at->type != CELL_INT || at->n < 0 || (uint64_t)at->n < e->want->from_us))
		return false;
	if (e->want->to_us < UINT64_MAX && (at->type != CELL_INT || at->n < 0 || (uint64_t)at->n > e->want->to_us))
		return false;
	if (e->want->kinds == 0)
		return true;
	for (unsigned k = 0; k < LEDGER_KIND_COUNT; k++)
		if (bytes_eq(kind->text, bytes_str(ledger_kind_name((enum ledger_kind)k))))
			return e->want->kinds & 1u << k;
	return false;
}

static bool is_in_time(const struct export *e, const struct ledger_row *row)
{
	const struct ledger_cell *at = &row->cells[COL_AT];

	return at->type == CELL_INT && at->n >= 0 && (uint64_t)at->n >= e->want->from_us && (uint64_t)at->n <= e->want->to_us;
}

static void note_lost(struct export *e, const struct ledger_row *row)
{
	if (bytes_eq(row->cells[COL_KIND].text, BYTES("ledger")) && bytes_eq(row->cells[COL_OUTCOME].text, BYTES("lost")) &&
		row->cells[COL_REQUESTS].n > 0 && is_in_time(e, row))
		e->report->lost += (uint64_t)row->cells[COL_REQUESTS].n;
}

static void note_exported(struct export *e)
{
	e->report->records++;
	memcpy(e->report->last, e->day->day, sizeof(e->report->last));
	if (!e->report->first[0])
		memcpy(e->report->first, e->day->day, sizeof(e->report->first));
}

/* False: no row like this one can be followed by another. */
static bool take_row(struct export *e, const struct ledger_row *row)
{
	const struct ledger_cell *seq = &row->cells[COL_SEQ];
	size_t before = e->lines.len;
	unsigned unfit;

	if (seq->type != CELL_INT || seq->n < e->at)
		return false;
	if (e->expect && seq->n > 0 && (uint64_t)seq->n > e->expect)
		found(e, EXPORT_MISSING, e->expect, (uint64_t)seq->n - 1, "");
	if (seq->n > 0)
		e->expect = (uint64_t)seq->n + 1;
	unfit = ledger_export_line(&e->lines, row, bytes_str(e->day->day));
	if (unfit && (is_wanted(e, row) || unfit & (1u << COL_AT | 1u << COL_KIND)))
		tell_changed(e, row, unfit);
	note_lost(e, row);
	if (is_wanted(e, row))
		note_exported(e);
	else
		e->lines.len = before;
	e->at = seq->n < INT64_MAX ? seq->n + 1 : seq->n;
	return true;
}

/* --- a file --- */

/* Whether SQLite can go on from this record. */
static bool is_readable_from(struct export *e, int64_t seq)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(e->db, LEDGER_ROW_SQL " WHERE seq >= ?1 ORDER BY seq LIMIT 1", -1, &st, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, seq);
		rc = sqlite3_step(st);
	}
	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* The first record behind bad from which SQLite can go on; 0: there is none up to the end. */
static int64_t next_readable(struct export *e, int64_t bad)
{
	int64_t good = 0;

	for (int64_t step = 1; good == 0; step *= 2) {
		if (bad >= e->end)
			return 0;
		if (step > e->end - bad)
			step = e->end - bad;
		if (is_readable_from(e, bad + step))
			good = bad + step;
		else
			bad += step;
	}
	while (good - bad > 1) {
		int64_t middle = bad + (good - bad) / 2;

		if (is_readable_from(e, middle))
			good = middle;
		else
			bad = middle;
	}
	return good;
}

/* Steps over what is damaged from e->at on. False: nothing behind it can be read. */
static bool step_over(struct export *e)
{
	int64_t good;

	if (e->at < 1)
		e->at = e->expect && e->expect < INT64_MAX ? (int64_t)e->expect : 1;
	if (e->holes++ == HOLES_MOST)
		return false;
	good = next_readable(e, e->at);
	if (good == 0)
		return false;
	found(e, EXPORT_UNREAD, (uint64_t)e->at, (uint64_t)good - 1, "");
	e->at = good;
	e->expect = (uint64_t)good;
	return true;
}

/* Rows into lines until there is enough of them. SQLITE_DONE: that was the file. */
static int read_chunk(struct export *e)
{
	struct ledger_row row;
	int rc = SQLITE_ROW;

	sqlite3_bind_int64(e->rows, 1, e->at);
	sqlite3_bind_int64(e->rows, 2, e->end);
	for (unsigned n = 0; n < CHUNK_ROWS && e->lines.len < CHUNK_OCTETS; n++) {
		rc = sqlite3_step(e->rows);
		if (rc != SQLITE_ROW)
			break;
		ledger_row_read(e->rows, &row);
		if (!take_row(e, &row)) {
			rc = SQLITE_MISMATCH;
			break;
		}
		if (row.cells[COL_SEQ].n == e->end) {
			rc = SQLITE_DONE;
			break;
		}
	}
	sqlite3_reset(e->rows); /* ends the transaction: nothing keeps the writer's journal from becoming small again */
	return rc;
}

static enum err hand_over(struct export *e)
{
	struct bytes lines = text_bytes(&e->lines);

	CHECK(!e->lines.failed);
	e->lines.len = 0;
	return lines.len ? e->hears->on_lines(e->hears->ctx, lines) : OK;
}

static enum err read_rows(struct export *e)
{
	int rc;

	do {
		rc = read_chunk(e);
		TRY(hand_over(e));
		if (rc == SQLITE_ROW || rc == SQLITE_DONE || (is_damage(rc) && step_over(e)))
			continue;
		found(e, EXPORT_REST, e->expect, 0, rc == SQLITE_MISMATCH ? "records are not in order" : sqlite3_errstr(rc));
		e->expect = 0; /* what the next file begins with is not known to be missing */
		return OK;
	} while (rc != SQLITE_DONE);
	if (e->batch_end > 0 && e->expect && (uint64_t)e->batch_end >= e->expect) {
		found(e, EXPORT_MISSING, e->expect, (uint64_t)e->batch_end, "");
		e->expect = (uint64_t)e->batch_end + 1;
	}
	return OK;
}

/* It is not ours until it is verified: what its schema may do, and what a value may weigh, is limited. NULL: it is a ledger; one whose
 * day has only begun has no rows to ask for. */
static const char *open_file(struct export *e)
{
	int64_t n = 0;
	char path[4200];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", e->dir, e->day->file);
	if (sqlite3_open_v2(path, &e->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK)
		return e->db ? sqlite3_errmsg(e->db) : "no memory";
	sqlite3_busy_timeout(e->db, 5000);
	sqlite3_limit(e->db, SQLITE_LIMIT_LENGTH, VALUE_MOST);
	if (sqlite3_exec(e->db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON", NULL, NULL, NULL) != SQLITE_OK)
		return sqlite3_errmsg(e->db);
	if (e->is_newest && ledger_day_is_blank(e->db))
		return NULL;
	rc = ask(e, "SELECT 1 FROM sqlite_schema WHERE name='record' AND type='table' AND rootpage > 0", &n);
	if (rc != SQLITE_ROW)
		return rc == SQLITE_DONE ? "it has no table of records" : sqlite3_errmsg(e->db);
	rc = ask(e, "SELECT value = '1' FROM meta WHERE key='format'", &n);
	if (rc != SQLITE_ROW || n != 1)
		return rc == SQLITE_ROW ? "its format is not 1, which this program knows" : rc == SQLITE_DONE ? "it does not say its format" : sqlite3_errmsg(e->db);
	rc = sqlite3_prepare_v3(e->db, LEDGER_ROW_SQL " WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq", -1, SQLITE_PREPARE_PERSISTENT, &e->rows, NULL);
	return rc == SQLITE_OK ? NULL : sqlite3_errmsg(e->db);
}

/* Batches before records: what is written between the two questions is in the second alone. */
static void look_at_ends(struct export *e)
{
	int64_t first = 0;

	e->batch_end = 0;
	if (ask(e, "SELECT min(first) FROM batch", &first) == SQLITE_ROW && first > 0 && !e->expect)
		e->expect = (uint64_t)first;
	(void)ask(e, "SELECT max(last) FROM batch", &e->batch_end);
	if (ask(e, "SELECT max(seq) FROM record", &e->end) != SQLITE_ROW)
		e->end = e->batch_end > 0 ? e->batch_end : INT64_MAX;
}

static enum err read_file(struct export *e)
{
	const char *why = open_file(e);
	enum err err = OK;

	if (why) {
		found(e, EXPORT_FILE, 0, 0, why);
		e->expect = 0;
	} else {
		e->report->files++;
		e->at = INT64_MIN;
		e->holes = 0;
		if (e->rows) {
			look_at_ends(e);
			err = read_rows(e);
		}
	}
	sqlite3_finalize(e->rows);
	e->rows = NULL;
	sqlite3_close(e->db);
	e->db = NULL;
	return err;
}

/* --- the folder --- */

/* A record stands in the file of its day, or in a later one when the disk was full meanwhile. */
static bool begins_within(struct export *e)
{
	char path[4200];
	int64_t at = 0;
	bool is_before = true; /* what cannot be asked is read, and told then */

	snprintf(path, sizeof(path), "%s/%s", e->dir, e->day->file);
	if (sqlite3_open_v2(path, &e->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(e->db, 5000);
		sqlite3_limit(e->db, SQLITE_LIMIT_LENGTH, VALUE_MOST);
		(void)sqlite3_exec(e->db, "PRAGMA trusted_schema=OFF", NULL, NULL, NULL);
		if (ask(e, "SELECT at FROM record ORDER BY seq LIMIT 1", &at) == SQLITE_ROW)
			is_before = at >= 0 && (uint64_t)at <= e->want->to_us;
	}
	sqlite3_close(e->db);
	e->db = NULL;
	return is_before;
}

static void miss(const struct export *e, uint64_t begin_us, uint64_t end_us)
{
	char first[LEDGER_DAY_LEN + 1], last[LEDGER_DAY_LEN + 1];

	if (begin_us >= end_us)
		return;
	chain_day(begin_us, first);
	chain_day(end_us - DAY_US, last);
	e->hears->on_missing(e->hears->ctx, first, last);
}

/* Days of the time asked for of which there is no file: as far as it was named, else those between the files. */
static void tell_missing(const struct export *e, const struct ledger_day *days, size_t count)
{
	uint64_t next = e->want->from_us - e->want->from_us % DAY_US, end, day = 0;

	end = e->want->to_us < e->want->now_us ? e->want->to_us : e->want->now_us;
	for (size_t i = 0; i < count; i++) {
		if (chain_day_parse(bytes_str(days[i].day), &day) != OK || day < next)
			continue;
		if (day > end)
			break;
		if (next > 0)
			miss(e, next, day);
		next = day + DAY_US;
	}
	if ((e->want->from_us > 0 || e->want->to_us < UINT64_MAX) && next > 0 && next <= end)
		miss(e, next, end - end % DAY_US + DAY_US);
}

enum err ledger_export(const char *dir, const struct ledger_export *want, const struct ledger_export_hears *hears,
	struct ledger_export_report *report)
{
	struct export e = { .dir = dir, .want = want, .hears = hears, .report = report };
	struct ledger_day *days = NULL;
	size_t count = 0;
	enum err err;

	*report = (struct ledger_export_report){ 0 };
	TRY(ledger_days(dir, &days, &count));
	if (count == 0) {
		free(days);
		return ERR_NOT_FOUND;
	}
	text_init_growing(&e.lines, LINES_MOST);
	tell_missing(&e, days, count);
	err = OK;
	for (size_t i = 0; err == OK && i < count; i++) {
		uint64_t begin = 0;

		e.day = &days[i];
		e.is_newest = i + 1 == count;
		CHECK(chain_day_parse(bytes_str(days[i].day), &begin) == OK);
		if (begin + DAY_US <= want->from_us)
			continue;
		if (begin > want->to_us && !begins_within(&e))
			break;
		err = read_file(&e);
	}
	text_fini(&e.lines);
	free(days);
	return err;
}
