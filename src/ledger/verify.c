/* One pass over each file: batches and records side by side, in order. After a fault in a file the pass goes on with what the file
 * says of itself, so that one change does not make everything behind it look changed. */
#include "ledger/verify.h"

#include "base/fd.h"
#include "ledger/contacts.h"
#include "ledger/days.h"
#include "ledger/row.h"
#include "ledger/sum.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FINDINGS_MOST	 1000 /* told; the rest is counted */
#define SUMS_MEMORY	 (256u << 20)
#define LINE_MAX_OCTETS	 65536

struct verify {
	const char *dir, *file; /* file: the one that is read */
	sqlite3 *db;
	unsigned char key[ED25519_PUBLIC_LEN];
	struct sha256 *sha;
	void (*on_finding)(void *ctx, const struct ledger_finding *f);
	void *ctx;
	struct ledger_report *report;
	struct ledger_head chain; /* where the chain stands */
	uint64_t seq;		  /* newest record */
	bool has_begun;
	struct ledger_head anchor; /* the first batch that is there follows this one */
	bool is_anchored;	   /* a record says that what was before was removed */
	uint64_t gap_to;	   /* a record said that batches up to this one are missing */
	unsigned char line[LINE_MAX_OCTETS];
};

const char *ledger_fault_name(enum ledger_fault f)
{
	static const char *const names[] = { "file", "record-changed", "record-missing", "record-inserted", "batch-missing",
		"batch-changed", "signature", "day-missing", "seal", "sums", "attachment", "tail-cut", "head", "gap" };

	CHECK((size_t)f < COUNT_OF(names));
	return names[f];
}

PRINTF(5, 6) static void found(struct verify *v, enum ledger_fault fault, uint64_t batch, uint64_t seq, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	if (v->report->findings++ >= FINDINGS_MOST)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	v->on_finding(v->ctx, &(struct ledger_finding){ fault, v->file, batch, seq, what });
}

static struct bytes column(sqlite3_stmt *st, int i)
{
	const void *at = sqlite3_column_text(st, i);

	return bytes_of(at ? at : "", at ? (size_t)sqlite3_column_bytes(st, i) : 0);
}

static uint64_t number(sqlite3_stmt *st, int i)
{
	return (uint64_t)sqlite3_column_int64(st, i);
}

/* --- records --- */

struct records { /* the cursor over a file's records, in order */
	sqlite3_stmt *st;
	bool is_row;
};

static const char records_sql[] = LEDGER_ROW_SQL " ORDER BY seq";

static void next_record(struct records *r)
{
	r->is_row = sqlite3_step(r->st) == SQLITE_ROW;
}

static struct bytes canonical_line(struct verify *v, sqlite3_stmt *st)
{
	struct ledger_row row;
	struct text t;

	ledger_row_read(st, &row);
	text_init(&t, v->line, sizeof(v->line));
	ledger_row_line(&t, &row);
	return text_bytes(&t);
}

static void check_attachment(struct verify *v, sqlite3_stmt *record)
{
	sqlite3_stmt *st = NULL;
	unsigned char digest[SHA256_LEN], want[SHA256_LEN];
	uint64_t seq = number(record, COL_SEQ);

	if (sqlite3_prepare_v2(v->db, "SELECT content FROM attachment WHERE sha256=?1", -1, &st, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_text(st, 1, (const char *)column(record, COL_DETAIL).at, (int)column(record, COL_DETAIL).len, SQLITE_STATIC);
	if (sqlite3_step(st) != SQLITE_ROW) {
		found(v, FAULT_ATTACHMENT, 0, seq, "record %llu: its configuration is not in the file any more", (unsigned long long)seq);
	} else {
		const void *at = sqlite3_column_blob(st, 0);

		sha256_of(bytes_of(at ? at : "", (size_t)sqlite3_column_bytes(st, 0)), digest);
		if (hex_read(column(record, COL_DETAIL), want, sizeof(want)) != OK || memcmp(digest, want, sizeof(want)) != 0)
			found(v, FAULT_ATTACHMENT, 0, seq, "record %llu: its configuration was changed", (unsigned long long)seq);
	}
	sqlite3_finalize(st);
}

/* A record "removed" that names the batch before the first there is: the beginning was taken away by ledger.keep. */
static void look_for_anchor(struct verify *v, struct bytes detail)
{
	unsigned char mem[160];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_fmt(&t, "its last batch is %llu with hash ", (unsigned long long)v->anchor.batch);
	hex_put(&t, bytes_of(v->anchor.hash, SHA256_LEN));
	if (bytes_find(detail, text_bytes(&t)) != SIZE_MAX)
		v->is_anchored = true;
}

static void note_self(struct verify *v, sqlite3_stmt *st)
{
	struct bytes outcome = column(st, COL_OUTCOME), detail = column(st, COL_DETAIL);

	if (bytes_eq(outcome, BYTES("lost")))
		v->report->lost += number(st, COL_REQUESTS);
	else if (bytes_eq(outcome, BYTES("removed")))
		look_for_anchor(v, detail);
	else if (bytes_eq(outcome, BYTES("gap")))
		found(v, FAULT_GAP, number(st, COL_BATCH), number(st, COL_SEQ), "record %llu: %.*s", (unsigned long long)number(st, COL_SEQ), FMT(detail));
}

/* The record under the cursor. False: it is damaged, which was told. */
static bool check_record(struct verify *v, struct records *r)
{
	struct bytes line = canonical_line(v, r->st);
	uint64_t seq = number(r->st, COL_SEQ), at = number(r->st, COL_AT);
	bool fits = chain_mark(line) == number(r->st, COL_MARK);

	sha256_add(v->sha, line);
	if (!fits)
		found(v, FAULT_RECORD_CHANGED, number(r->st, COL_BATCH), seq, "record %llu was changed", (unsigned long long)seq);
	if (!v->report->first_us) {
		v->report->first_us = at;
		v->report->first_seq = seq;
	}
	v->report->last_us = at;
	v->report->last_seq = seq;
	v->report->records++;
	if (bytes_eq(column(r->st, COL_KIND), BYTES("config")))
		check_attachment(v, r->st);
	if (bytes_eq(column(r->st, COL_KIND), BYTES("ledger")))
		note_self(v, r->st);
	return fits;
}

/* --- batches --- */

struct batch {
	uint64_t batch, first, last, at;
	unsigned char prev[SHA256_LEN], records[SHA256_LEN], hash[SHA256_LEN], signature[ED25519_SIGNATURE_LEN];
};

static bool read_batch(sqlite3_stmt *st, struct batch *b)
{
	b->batch = number(st, 0);
	b->first = number(st, 1);
	b->last = number(st, 2);
	b->at = number(st, 3);
	return hex_read(column(st, 4), b->prev, SHA256_LEN) == OK && hex_read(column(st, 5), b->records, SHA256_LEN) == OK &&
		hex_read(column(st, 6), b->hash, SHA256_LEN) == OK && hex_read(column(st, 7), b->signature, ED25519_SIGNATURE_LEN) == OK;
}

/* Its place in the chain. */
static void check_place(struct verify *v, const struct batch *b)
{
	static const unsigned char zeros[SHA256_LEN];

	if (!v->has_begun) {
		v->has_begun = true;
		v->anchor.batch = b->batch - 1;
		memcpy(v->anchor.hash, b->prev, SHA256_LEN);
		v->is_anchored = b->batch == 1 && memcmp(b->prev, zeros, SHA256_LEN) == 0 && b->first == 1;
	} else if (b->batch != v->chain.batch + 1) {
		found(v, FAULT_BATCH_MISSING, v->chain.batch + 1, v->seq + 1, "batches %llu to %llu are missing, from record %llu on",
			(unsigned long long)v->chain.batch + 1, (unsigned long long)b->batch - 1, (unsigned long long)v->seq + 1);
	} else if (memcmp(b->prev, v->chain.hash, SHA256_LEN) != 0) {
		found(v, FAULT_BATCH_CHANGED, b->batch, b->first, "batch %llu (from record %llu) does not follow the batch before it",
			(unsigned long long)b->batch, (unsigned long long)b->first);
	} else if (b->first != v->seq + 1) {
		found(v, FAULT_RECORD_MISSING, b->batch, v->seq + 1, "batch %llu begins with record %llu and should with %llu",
			(unsigned long long)b->batch, (unsigned long long)b->first, (unsigned long long)v->seq + 1);
	}
}

/* The records of b. False: a damaged one was told. */
static bool check_records(struct verify *v, const struct batch *b, struct records *r)
{
	bool fits = true;

	sha256_begin(v->sha);
	for (uint64_t seq = b->first; seq <= b->last; seq++) {
		if (!r->is_row || number(r->st, COL_SEQ) > seq) {
			uint64_t next = r->is_row && number(r->st, COL_SEQ) <= b->last ? number(r->st, COL_SEQ) : b->last + 1;

			found(v, FAULT_RECORD_MISSING, b->batch, seq, "record %llu is missing%s", (unsigned long long)seq,
				next - seq > 1 ? ", and others behind it" : "");
			fits = false;
			seq = next - 1;
			continue;
		}
		if (number(r->st, COL_BATCH) != b->batch) {
			found(v, FAULT_RECORD_CHANGED, b->batch, seq, "record %llu was moved into batch %lld", (unsigned long long)seq,
				(long long)number(r->st, COL_BATCH));
			fits = false;
		}
		fits &= check_record(v, r);
		next_record(r);
	}
	return fits;
}

static void check_hashes(struct verify *v, const struct batch *b, bool records_fit)
{
	unsigned char records[SHA256_LEN], hash[SHA256_LEN], mem[CHAIN_TEXT_MAX];
	struct text t;

	sha256_end(v->sha, records);
	if (memcmp(records, b->records, SHA256_LEN) != 0 && records_fit)
		found(v, FAULT_RECORD_CHANGED, b->batch, b->first, "one of the records %llu to %llu was changed, and its mark made to fit",
			(unsigned long long)b->first, (unsigned long long)b->last);
	chain_batch_hash(b->batch, b->first, b->last, b->at, b->prev, b->records, hash);
	if (memcmp(hash, b->hash, SHA256_LEN) != 0)
		found(v, FAULT_BATCH_CHANGED, b->batch, b->first, "batch %llu (records %llu to %llu) was changed", (unsigned long long)b->batch,
			(unsigned long long)b->first, (unsigned long long)b->last);
	text_init(&t, mem, sizeof(mem));
	chain_batch_text(&t, b->batch, b->prev, b->hash);
	if (!ed25519_verify(v->key, text_bytes(&t), bytes_of(b->signature, ED25519_SIGNATURE_LEN)))
		found(v, FAULT_SIGNATURE, b->batch, b->first, "batch %llu (from record %llu) is not signed with the ledger's key",
			(unsigned long long)b->batch, (unsigned long long)b->first);
}

/* Rows that no batch covers stand before or behind those of b. */
static void skip_inserted(struct verify *v, struct records *r, uint64_t before)
{
	for (; r->is_row && number(r->st, COL_SEQ) < before; next_record(r))
		found(v, FAULT_RECORD_INSERTED, 0, number(r->st, COL_SEQ), "record %lld was inserted: no batch has it", (long long)number(r->st, COL_SEQ));
}

static enum err check_batches(struct verify *v)
{
	struct records r = { 0 };
	sqlite3_stmt *st = NULL;
	struct batch b;

	if (sqlite3_prepare_v2(v->db, records_sql, -1, &r.st, NULL) != SQLITE_OK ||
		sqlite3_prepare_v2(v->db, "SELECT batch, first, last, at, prev, records, hash, signature FROM batch ORDER BY batch", -1, &st, NULL) != SQLITE_OK) {
		found(v, FAULT_FILE, 0, 0, "it is not a ledger: %s", sqlite3_errmsg(v->db));
		sqlite3_finalize(r.st);
		return ERR_SYNTAX;
	}
	next_record(&r);
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (!read_batch(st, &b) || b.last < b.first || b.last - b.first > UINT32_MAX) {
			found(v, FAULT_BATCH_CHANGED, number(st, 0), number(st, 1), "batch %lld was changed", (long long)number(st, 0));
			continue;
		}
		check_place(v, &b);
		skip_inserted(v, &r, b.first);
		check_hashes(v, &b, check_records(v, &b, &r));
		v->chain.batch = b.batch;
		memcpy(v->chain.hash, b.hash, SHA256_LEN);
		v->seq = b.last;
		v->report->batches++;
	}
	skip_inserted(v, &r, UINT64_MAX);
	if (sqlite3_errcode(v->db) != SQLITE_OK && sqlite3_errcode(v->db) != SQLITE_DONE && sqlite3_errcode(v->db) != SQLITE_ROW)
		found(v, FAULT_FILE, 0, v->seq + 1, "behind record %llu it cannot be read: %s", (unsigned long long)v->seq, sqlite3_errmsg(v->db));
	sqlite3_finalize(st);
	sqlite3_finalize(r.st);
	return OK;
}

/* --- sums --- */

static bool is_same_row(sqlite3_stmt *st, const struct contact *c)
{
	return bytes_eq(column(st, 0), c->client) && bytes_eq(column(st, 1), c->target) && bytes_eq(column(st, 2), c->user) &&
		bytes_eq(column(st, 3), c->name) && number(st, 4) == c->first_us && number(st, 5) == c->last_us &&
		number(st, 6) == c->opened && number(st, 7) == c->closed && number(st, 8) == c->carried &&
		number(st, 9) == c->bytes_in && number(st, 10) == c->bytes_out;
}

static enum err sum_records(struct verify *v, uint64_t first, uint64_t last, struct contacts *sums)
{
	sqlite3_stmt *st = NULL;
	enum err e = OK;

	if (sqlite3_prepare_v2(v->db, "SELECT state, client, target, name, user, at, start, \"end\", bytes_in, bytes_out FROM record"
				      " WHERE seq BETWEEN ?1 AND ?2 AND kind='use' ORDER BY seq", -1, &st, NULL) != SQLITE_OK)
		return ERR_SYNTAX;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)first);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)last);
	while (e == OK && sqlite3_step(st) == SQLITE_ROW) {
		struct contact c;

		if (ledger_contact_of(&(struct ledger_use){ .state = column(st, 0), .client = column(st, 1), .target = column(st, 2),
			    .name = column(st, 3), .user = column(st, 4), .at_us = number(st, 5), .start_us = number(st, 6),
			    .end_us = number(st, 7), .bytes_in = number(st, 8), .bytes_out = number(st, 9) }, &c) == OK)
			e = contacts_add(sums, &c);
	}
	sqlite3_finalize(st);
	return e;
}

static void check_segment(struct verify *v, uint64_t segment, uint64_t first, uint64_t last, struct contacts *sums)
{
	sqlite3_stmt *st = NULL;
	size_t i = 0;
	bool fits = sum_records(v, first, last, sums) == OK &&
		sqlite3_prepare_v2(v->db, "SELECT client, target, user, name, first_us, last_us, opened, closed, carried, bytes_in, bytes_out"
					  " FROM contact WHERE segment=?1 ORDER BY client, target, user", -1, &st, NULL) == SQLITE_OK;

	contacts_sort(sums);
	if (st)
		sqlite3_bind_int64(st, 1, (sqlite3_int64)segment);
	for (; fits && sqlite3_step(st) == SQLITE_ROW; i++)
		fits = i < contacts_count(sums) && is_same_row(st, contacts_at(sums, i));
	if (!fits || i != contacts_count(sums))
		found(v, FAULT_SUMS, 0, first, "the sums of records %llu to %llu, which the window answers from, do not follow from them",
			(unsigned long long)first, (unsigned long long)last);
	sqlite3_finalize(st);
	contacts_reset(sums);
}

static void check_sums(struct verify *v)
{
	struct contacts *sums = contacts_new(SUMS_MEMORY);
	sqlite3_stmt *st = NULL;
	uint64_t next = 0;

	if (!sums || sqlite3_prepare_v2(v->db, "SELECT segment, first, last FROM segment ORDER BY segment", -1, &st, NULL) != SQLITE_OK) {
		contacts_free(&sums);
		return;
	}
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (next && number(st, 1) != next)
			found(v, FAULT_SUMS, 0, next, "no sums of the records from %llu on", (unsigned long long)next);
		check_segment(v, number(st, 0), number(st, 1), number(st, 2), sums);
		next = number(st, 2) + 1;
	}
	sqlite3_finalize(st);
	contacts_free(&sums);
}

/* --- the day --- */

static void check_seal(struct verify *v, bool is_newest)
{
	unsigned char mem[CHAIN_TEXT_MAX], hash[SHA256_LEN], signature[ED25519_SIGNATURE_LEN];
	struct bytes day = bytes_of(v->file, LEDGER_DAY_LEN);
	sqlite3_stmt *st = NULL;
	struct text t;

	if (sqlite3_prepare_v2(v->db, "SELECT day, batch, hash, signature FROM seal", -1, &st, NULL) != SQLITE_OK)
		return;
	if (sqlite3_step(st) != SQLITE_ROW) {
		if (!is_newest)
			found(v, FAULT_SEAL, v->chain.batch, v->seq, "the day is over and not sealed");
	} else {
		text_init(&t, mem, sizeof(mem));
		if (!bytes_eq(column(st, 0), day) || number(st, 1) != v->chain.batch || hex_read(column(st, 2), hash, sizeof(hash)) != OK ||
			memcmp(hash, v->chain.hash, sizeof(hash)) != 0)
			found(v, FAULT_SEAL, v->chain.batch, v->seq, "the day's seal is not for its last batch: batches at its end were changed or cut off");
		else if (chain_day_text(&t, day, v->chain.batch, hash), hex_read(column(st, 3), signature, sizeof(signature)) != OK ||
			!ed25519_verify(v->key, text_bytes(&t), bytes_of(signature, sizeof(signature))))
			found(v, FAULT_SEAL, v->chain.batch, v->seq, "the day's seal is not signed with the ledger's key");
	}
	sqlite3_finalize(st);
}

static void check_meta(struct verify *v)
{
	sqlite3_stmt *st = NULL;

	if (sqlite3_prepare_v2(v->db, "SELECT key, value FROM meta", -1, &st, NULL) != SQLITE_OK)
		return;
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (bytes_eq(column(st, 0), BYTES("day")) && !bytes_eq(column(st, 1), bytes_of(v->file, LEDGER_DAY_LEN)))
			found(v, FAULT_FILE, 0, 0, "it says that it is the file of %.*s", FMT(column(st, 1)));
		if (bytes_eq(column(st, 0), BYTES("format")) && !bytes_eq(column(st, 1), BYTES("1")))
			found(v, FAULT_FILE, 0, 0, "its format is %.*s; this program knows 1", FMT(column(st, 1)));
	}
	sqlite3_finalize(st);
}

static void check_day(struct verify *v, bool is_newest)
{
	check_meta(v);
	if (check_batches(v) == OK) {
		check_seal(v, is_newest);
		check_sums(v);
	}
}

static void check_file(struct verify *v, const char *name, bool is_newest)
{
	char path[4200];

	v->file = name;
	snprintf(path, sizeof(path), "%s/%s", v->dir, name);
	v->report->files++;
	if (sqlite3_open_v2(path, &v->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) != SQLITE_OK) {
		found(v, FAULT_FILE, 0, 0, "it cannot be opened: %s", sqlite3_errmsg(v->db));
	} else {
		sqlite3_busy_timeout(v->db, 5000);
		/* what the file's schema may do is limited: it is not ours until it is verified */
		sqlite3_exec(v->db, "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; BEGIN", NULL, NULL, NULL);
		check_day(v, is_newest);
	}
	sqlite3_close(v->db);
	v->db = NULL;
}

/* The newest day's file that has no tables: the scribe is about to write it. Where it was emptied, the head's batch is missing. */
static bool is_blank(struct verify *v, const char *name)
{
	char path[4200];
	bool yes;

	snprintf(path, sizeof(path), "%s/%s", v->dir, name);
	yes = sqlite3_open_v2(path, &v->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOFOLLOW, NULL) == SQLITE_OK;
	sqlite3_busy_timeout(v->db, 5000);
	yes = yes && ledger_day_is_blank(v->db);
	sqlite3_close(v->db);
	v->db = NULL;
	return yes;
}

/* --- the folder --- */

static enum err read_small(const char *dir, const char *name, struct text *out)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return file_read(path, out);
}

static enum err take_key(struct verify *v, const unsigned char *key)
{
	unsigned char mem[4096];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	if (key)
		memcpy(v->key, key, sizeof(v->key));
	else if (read_small(v->dir, "ledger.pub", &t) != OK || ed25519_public_load(text_bytes(&t), v->key) != OK)
		return ERR_DENIED;
	text_init(&t, v->report->public_key, sizeof(v->report->public_key) - 1);
	hex_put(&t, bytes_of(v->key, sizeof(v->key)));
	ed25519_fingerprint(v->key, v->report->fingerprint);
	return OK;
}

/* Read before the files, which may grow meanwhile. */
static enum err read_head(struct verify *v, struct ledger_head *head)
{
	unsigned char mem[4096];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	TRY(read_small(v->dir, "ledger.head", &t));
	return chain_head_read(text_bytes(&t), v->key, head);
}

static void check_head(struct verify *v, enum err had, const struct ledger_head *head)
{
	v->file = "ledger.head";
	if (had == ERR_SYNTAX || had == ERR_DENIED)
		found(v, FAULT_HEAD, 0, 0, "it is not signed with the ledger's key");
	else if (had != OK)
		found(v, FAULT_HEAD, 0, 0, "it is not there: whether the newest records were cut off cannot be told");
	else if (head->batch > v->chain.batch)
		found(v, FAULT_TAIL, v->chain.batch + 1, v->seq + 1, "the files end with batch %llu (record %llu), batch %llu was on disk: the newest records were cut off",
			(unsigned long long)v->chain.batch, (unsigned long long)v->seq, (unsigned long long)head->batch);
	else if (head->batch == v->chain.batch && memcmp(head->hash, v->chain.hash, SHA256_LEN) != 0)
		found(v, FAULT_HEAD, head->batch, 0, "the newest batch in the files is not the one that was written");
}

enum err ledger_verify(const char *dir, const unsigned char *key, void (*on_finding)(void *ctx, const struct ledger_finding *f), void *ctx,
	struct ledger_report *report)
{
	struct verify *v = calloc(1, sizeof(*v));
	struct ledger_day *files = NULL;
	struct ledger_head head = { 0 };
	size_t count = 0;
	enum err e, had = OK;

	CHECK(v);
	*report = (struct ledger_report){ 0 };
	v->dir = dir;
	v->file = "";
	v->on_finding = on_finding;
	v->ctx = ctx;
	v->report = report;
	v->sha = sha256_new();
	e = ledger_days(dir, &files, &count);
	if (e == OK && count == 0)
		e = ERR_NOT_FOUND;
	if (e == OK)
		e = take_key(v, key);
	if (e == OK)
		had = read_head(v, &head);
	if (e == OK && count && is_blank(v, files[count - 1].file))
		count--;
	for (size_t i = 0; e == OK && i < count; i++)
		check_file(v, files[i].file, i + 1 == count);
	v->file = count ? files[0].file : "";
	if (e == OK && v->has_begun && !v->is_anchored)
		found(v, FAULT_DAY_MISSING, v->anchor.batch, 0, "what came before batch %llu is not there, and no record says that it was removed",
			(unsigned long long)v->anchor.batch + 1);
	if (e == OK)
		check_head(v, had, &head);
	report->last = v->chain;
	sha256_free(&v->sha);
	free(files);
	free(v);
	return e;
}
