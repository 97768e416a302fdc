/* SQLite under a batch. Canonical lines are hashed as rows go in; sums of a segment are written with the batch that follows
 * its last record, so that a batch that is taken back changes no sum. */
#include "ledger/store.h"

#include "ledger/contacts.h"
#include "ledger/days.h"
#include "ledger/sum.h"
#include "ledger/vfs.h"

#include <sqlite3.h>
#include <stdlib.h>

#define SUMS_MEMORY (2048ull << 20) /* never reached: a segment's, and every connection that can be carried (LEDGER_LIVE_MAX) */
#define CACHE_KB "-8192"

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS record(seq INTEGER PRIMARY KEY, batch INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL,"
	" state TEXT, process TEXT, conn INTEGER, client TEXT, client_port INTEGER, listener TEXT, session TEXT, user TEXT,"
	" target TEXT, name TEXT, start INTEGER, \"end\" INTEGER, requests INTEGER, bytes_in INTEGER, bytes_out INTEGER,"
	" outcome TEXT, detail TEXT, mark INTEGER);"
	"CREATE TABLE IF NOT EXISTS batch(batch INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL,"
	" prev TEXT NOT NULL, records TEXT NOT NULL, hash TEXT NOT NULL, signature TEXT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS attachment(sha256 TEXT PRIMARY KEY, content BLOB NOT NULL);"
	"CREATE TABLE IF NOT EXISTS segment(segment INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,"
	" first_us INTEGER NOT NULL, last_us INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS contact(segment INTEGER, client TEXT, target TEXT, user TEXT, name TEXT, first_us INTEGER,"
	" last_us INTEGER, opened INTEGER, closed INTEGER, carried INTEGER, bytes_in INTEGER, bytes_out INTEGER,"
	" PRIMARY KEY(segment, client, target, user)) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS contact_target ON contact(segment, target, name, first_us, last_us, opened, closed, carried, bytes_in,"
	" bytes_out);" /* all that a question about a target needs: no way to the rows */
	"CREATE INDEX IF NOT EXISTS record_self ON record(at) WHERE kind='ledger';"
	"CREATE TABLE IF NOT EXISTS position(process TEXT PRIMARY KEY, ring INTEGER NOT NULL, taken INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS seal(day TEXT PRIMARY KEY, batch INTEGER NOT NULL, hash TEXT NOT NULL, signature TEXT NOT NULL);"
	"CREATE VIEW IF NOT EXISTS record_text AS SELECT seq, batch, strftime('%Y-%m-%dT%H:%M:%S', at/1000000, 'unixepoch') || "
	"printf('.%06dZ', at%1000000) AS time, kind, state, client, listener, user, target, name, requests, bytes_in, bytes_out, outcome,"
	" detail FROM record;";

/* A sum that waits for its batch to be on disk. */
struct pending {
	uint64_t at;
	struct ledger_record r;
	size_t client, target, name, user; /* lengths; the texts follow each other in texts */
};

struct ledger_store {
	sqlite3 *db;
	sqlite3_stmt *insert, *insert_batch, *insert_contact, *insert_attachment, *insert_position;
	struct sha256 *sha;
	struct contacts *sums; /* of the segment that is being filled */
	uint64_t segment, segment_first, segment_first_us, segment_last_us; /* segment_first 0: nothing in it yet */
	struct ledger_head head;
	uint64_t last_seq, last_at_us;
	bool is_sealed, in_batch, wrote_segment;
	struct { uint64_t batch, first, next, at; unsigned char prev[SHA256_LEN], records[SHA256_LEN], hash[SHA256_LEN]; } now;
	struct pending *pending;
	size_t pending_count, pending_cap;
	struct text texts;
	unsigned char line[8192];
};

static enum err of_sqlite(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW: return OK;
	case SQLITE_NOMEM: return ERR_MEMORY;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT: return ERR_SYNTAX;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return ERR_AGAIN;
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN: return ERR_DENIED;
	default: return ERR_IO;
	}
}

static enum err run(struct ledger_store *s, const char *sql)
{
	return of_sqlite(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

static enum err prepare(struct ledger_store *s, const char *sql, sqlite3_stmt **out)
{
	return of_sqlite(sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL));
}

/* The end of a statement that gave rows, and whether it ended well: a file that cannot be read on is no short file. */
static enum err finish(sqlite3_stmt *st, enum err e)
{
	int rc = sqlite3_finalize(st);

	return e == OK ? of_sqlite(rc) : e;
}

/* Runs a statement that gives no row. */
static enum err step(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? OK : rc == SQLITE_ROW ? OK : of_sqlite(rc);
}

const char *ledger_store_error(const struct ledger_store *s)
{
	return sqlite3_errmsg(s->db);
}

static struct bytes column(sqlite3_stmt *st, int i)
{
	const void *at = sqlite3_column_text(st, i);

	return bytes_of(at ? at : "", (size_t)sqlite3_column_bytes(st, i));
}

static void set_text(sqlite3_stmt *st, int i, struct bytes b)
{
	sqlite3_bind_text(st, i, b.len ? (const char *)b.at : "", (int)b.len, SQLITE_STATIC);
}

static enum err meta_set(struct ledger_store *s, const char *key, struct bytes value)
{
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "INSERT OR IGNORE INTO meta VALUES(?1, ?2)", &st);

	if (e == OK) {
		set_text(st, 1, bytes_str(key));
		set_text(st, 2, value);
		e = step(st);
	}
	sqlite3_finalize(st);
	return e;
}

static enum err meta_check(struct ledger_store *s, const char *key, struct bytes want)
{
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "SELECT value FROM meta WHERE key=?1", &st);

	if (e == OK) {
		set_text(st, 1, bytes_str(key));
		e = sqlite3_step(st) == SQLITE_ROW && bytes_eq(column(st, 0), want) ? OK : ERR_SYNTAX;
	}
	sqlite3_finalize(st);
	return e;
}

/* All but connections. Of a day that began without it (another version wrote it) it would take as long as all its records take to read. */
static const char event_index[] = "CREATE INDEX record_event ON record(at) WHERE state IS NULL;";

static enum err set_up(struct ledger_store *s, struct bytes day, const unsigned char public_key[ED25519_PUBLIC_LEN])
{
	unsigned char mem[2 * ED25519_PUBLIC_LEN];
	struct text key;
	bool is_new;

	text_init(&key, mem, sizeof(mem));
	hex_put(&key, bytes_of(public_key, ED25519_PUBLIC_LEN));
	TRY(run(s, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=" CACHE_KB
		   "; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;"));
	TRY(run(s, "BEGIN IMMEDIATE"));
	is_new = ledger_day_is_blank(s->db);
	TRY(run(s, schema));
	if (is_new)
		TRY(run(s, event_index));
	TRY(meta_set(s, "format", BYTES("1")));
	TRY(meta_set(s, "day", day));
	TRY(meta_set(s, "public_key", text_bytes(&key)));
	TRY(meta_check(s, "format", BYTES("1")));
	TRY(meta_check(s, "day", day));
	return run(s, "COMMIT");
}

static enum err prepare_all(struct ledger_store *s)
{
	TRY(prepare(s, "INSERT INTO record VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)", &s->insert));
	TRY(prepare(s, "INSERT INTO batch VALUES(?1,?2,?3,?4,?5,?6,?7,?8)", &s->insert_batch));
	TRY(prepare(s, "INSERT INTO contact VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)", &s->insert_contact));
	TRY(prepare(s, "INSERT OR REPLACE INTO position VALUES(?1,?2,?3)", &s->insert_position));
	return prepare(s, "INSERT OR IGNORE INTO attachment VALUES(?1,?2)", &s->insert_attachment);
}

/* --- what the file holds already --- */

static enum err read_last(struct ledger_store *s)
{
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "SELECT batch, last, hash, at FROM batch ORDER BY batch DESC LIMIT 1", &st);

	if (e == OK && sqlite3_step(st) == SQLITE_ROW) {
		s->head.batch = (uint64_t)sqlite3_column_int64(st, 0);
		s->last_seq = (uint64_t)sqlite3_column_int64(st, 1);
		s->last_at_us = (uint64_t)sqlite3_column_int64(st, 3);
		e = hex_read(column(st, 2), s->head.hash, SHA256_LEN);
	}
	sqlite3_finalize(st);
	if (e == OK)
		e = prepare(s, "SELECT coalesce(max(segment), 0), coalesce(max(last), 0) FROM segment", &st);
	if (e == OK && sqlite3_step(st) == SQLITE_ROW)
		s->segment = (uint64_t)sqlite3_column_int64(st, 0) + 1;
	sqlite3_finalize(st);
	if (e == OK)
		e = prepare(s, "SELECT 1 FROM seal", &st);
	s->is_sealed = e == OK && sqlite3_step(st) == SQLITE_ROW;
	sqlite3_finalize(st);
	return e;
}

static void note_segment(struct ledger_store *s, uint64_t seq, uint64_t at)
{
	if (!s->segment_first) {
		s->segment_first = seq;
		s->segment_first_us = at;
	}
	s->segment_last_us = at;
}

/* The sums of the records behind the last segment. */
static enum err read_sums(struct ledger_store *s)
{
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "SELECT seq, at, kind, state, client, target, name, user, start, \"end\", bytes_in, bytes_out FROM record"
				" WHERE seq > (SELECT coalesce(max(last), 0) FROM segment) ORDER BY seq", &st);

	while (e == OK && sqlite3_step(st) == SQLITE_ROW) {
		struct contact c;

		note_segment(s, (uint64_t)sqlite3_column_int64(st, 0), (uint64_t)sqlite3_column_int64(st, 1));
		if (bytes_eq(column(st, 2), BYTES("use")) &&
			ledger_contact_of(&(struct ledger_use){ .state = column(st, 3), .client = column(st, 4),
			    .target = column(st, 5), .name = column(st, 6), .user = column(st, 7),
			    .at_us = (uint64_t)sqlite3_column_int64(st, 1), .start_us = (uint64_t)sqlite3_column_int64(st, 8),
			    .end_us = (uint64_t)sqlite3_column_int64(st, 9), .bytes_in = (uint64_t)sqlite3_column_int64(st, 10),
			    .bytes_out = (uint64_t)sqlite3_column_int64(st, 11) }, &c) == OK)
			e = contacts_add(s->sums, &c);
	}
	return finish(st, e);
}

enum err ledger_store_read(const char *path, struct ledger_store **out)
{
	struct ledger_store *s = calloc(1, sizeof(*s));
	enum err e;

	if (!s)
		return ERR_MEMORY;
	e = of_sqlite(sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, ledger_vfs()));
	if (e != OK) {
		ledger_store_close(&s);
		return e;
	}
	sqlite3_busy_timeout(s->db, 200); /* a reader that ends may hold it for a moment */
	*out = s;
	return OK;
}

enum err ledger_store_peek(const char *path, struct ledger_last *out)
{
	struct ledger_store *s = NULL;
	enum err e;

	TRY(ledger_store_read(path, &s));
	e = ledger_day_is_blank(s->db) ? OK : read_last(s);
	if (e == OK)
		*out = (struct ledger_last){ .head = s->head, .seq = s->last_seq, .at_us = s->last_at_us, .is_sealed = s->is_sealed };
	ledger_store_close(&s);
	return e;
}

enum err ledger_store_open(const char *path, struct bytes day, const unsigned char public_key[ED25519_PUBLIC_LEN],
	struct ledger_store **out, const char **why)
{
	static char words[256];
	struct ledger_store *s = calloc(1, sizeof(*s));
	enum err e;

	if (!s)
		return ERR_MEMORY;
	s->sha = sha256_new();
	s->sums = contacts_new(SUMS_MEMORY);
	text_init_growing(&s->texts, SUMS_MEMORY);
	e = s->sums ? of_sqlite(sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, ledger_vfs())) :
		      ERR_MEMORY;
	if (e == OK) {
		sqlite3_extended_result_codes(s->db, 1);
		sqlite3_busy_timeout(s->db, 200);
		e = set_up(s, day, public_key);
	}
	if (e == OK)
		e = prepare_all(s);
	if (e == OK)
		e = read_last(s);
	if (e == OK)
		e = read_sums(s);
	if (e != OK) {
		struct text t;

		text_init(&t, words, sizeof(words) - 1);
		text_add(&t, bytes_cut(bytes_str(s->db ? sqlite3_errmsg(s->db) : "no memory"), 0, sizeof(words) - 1));
		words[t.len] = 0;
		*why = words;
		ledger_store_close(&s);
		return e;
	}
	*out = s;
	return OK;
}

void ledger_store_close(struct ledger_store **at)
{
	struct ledger_store *s = *at;

	if (!s)
		return;
	sqlite3_finalize(s->insert);
	sqlite3_finalize(s->insert_batch);
	sqlite3_finalize(s->insert_contact);
	sqlite3_finalize(s->insert_attachment);
	sqlite3_finalize(s->insert_position);
	sqlite3_close(s->db);
	sha256_free(&s->sha);
	contacts_free(&s->sums);
	text_fini(&s->texts);
	free(s->pending);
	free(s);
	*at = NULL;
}

void ledger_store_last(const struct ledger_store *s, struct ledger_head *head, uint64_t *seq)
{
	*head = s->head;
	*seq = s->last_seq;
}

bool ledger_store_is_sealed(const struct ledger_store *s)
{
	return s->is_sealed;
}

/* --- a batch --- */

/* The segment that is full, with the sums of its records. */
static enum err write_segment(struct ledger_store *s, uint64_t last)
{
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "INSERT INTO segment VALUES(?1,?2,?3,?4,?5)", &st);

	if (e == OK) {
		sqlite3_bind_int64(st, 1, (sqlite3_int64)s->segment);
		sqlite3_bind_int64(st, 2, (sqlite3_int64)s->segment_first);
		sqlite3_bind_int64(st, 3, (sqlite3_int64)last);
		sqlite3_bind_int64(st, 4, (sqlite3_int64)s->segment_first_us);
		sqlite3_bind_int64(st, 5, (sqlite3_int64)s->segment_last_us);
		e = step(st);
	}
	sqlite3_finalize(st);
	contacts_sort(s->sums);
	for (size_t i = 0; e == OK && i < contacts_count(s->sums); i++) {
		const struct contact *c = contacts_at(s->sums, i);
		const uint64_t n[] = { c->first_us, c->last_us, c->opened, c->closed, c->carried, c->bytes_in, c->bytes_out };

		st = s->insert_contact;
		sqlite3_bind_int64(st, 1, (sqlite3_int64)s->segment);
		set_text(st, 2, c->client);
		set_text(st, 3, c->target);
		set_text(st, 4, c->user);
		set_text(st, 5, c->name);
		for (int k = 0; k < (int)COUNT_OF(n); k++)
			sqlite3_bind_int64(st, 6 + k, (sqlite3_int64)n[k]);
		e = step(st);
	}
	return e;
}

static bool is_segment_full(const struct ledger_store *s)
{
	return s->segment_first && s->last_seq - s->segment_first + 1 >= LEDGER_SEGMENT_RECORDS;
}

static void segment_next(struct ledger_store *s)
{
	contacts_reset(s->sums);
	s->segment++;
	s->segment_first = 0;
}

enum err ledger_store_begin(struct ledger_store *s, uint64_t batch, uint64_t seq)
{
	CHECK(!s->in_batch && !s->is_sealed);
	TRY(run(s, "BEGIN IMMEDIATE"));
	s->in_batch = true;
	s->wrote_segment = is_segment_full(s);
	if (s->wrote_segment)
		TRY(write_segment(s, s->last_seq));
	s->now.batch = batch;
	s->now.first = s->now.next = seq;
	s->pending_count = 0;
	s->texts.len = 0;
	sha256_begin(s->sha);
	return OK;
}

void ledger_store_rollback(struct ledger_store *s)
{
	if (!sqlite3_get_autocommit(s->db)) /* after some errors SQLite has done it already; why is still its last error then */
		(void)!run(s, "ROLLBACK");
	s->in_batch = false;
}

static void put_int(struct ledger_store *s, struct text *line, int i, uint64_t n, bool is_there)
{
	if (i > 1)
		text_byte(line, '|');
	if (is_there) {
		chain_put_int(line, (int64_t)n);
		sqlite3_bind_int64(s->insert, i < 2 ? i : i + 1, (sqlite3_int64)n);
	} else {
		chain_put_null(line);
		sqlite3_bind_null(s->insert, i + 1);
	}
}

/* An empty text is NULL. at must live until the row is stepped. */
static void put_text(struct ledger_store *s, struct text *line, int i, struct bytes b)
{
	text_byte(line, '|');
	if (b.len) {
		chain_put_text(line, b);
		set_text(s->insert, i + 1, b);
	} else {
		chain_put_null(line);
		sqlite3_bind_null(s->insert, i + 1);
	}
}

struct row_texts { /* of one record, clean */
	struct bytes client, target, listener, session, user, name, outcome, detail;
};

static struct bytes clean(struct text *t, struct bytes in)
{
	size_t at = t->len;

	ledger_text_clean(t, in);
	return t->failed ? BYTES("") : bytes_of(t->at + at, t->len - at);
}

static struct row_texts clean_texts(struct text *t, const struct ledger_record *r)
{
	struct row_texts x = { 0 };
	size_t at = t->len;

	if (ledger_has_address(&r->client))
		addr_write_ip(&r->client, t);
	x.client = bytes_of(t->at + at, t->len - at);
	at = t->len;
	if (ledger_has_address(&r->target))
		addr_write(&r->target, t);
	x.target = bytes_of(t->at + at, t->len - at);
	x.listener = clean(t, r->listener);
	x.session = clean(t, r->session);
	x.user = clean(t, r->user);
	x.name = clean(t, r->name);
	x.outcome = clean(t, r->outcome);
	x.detail = clean(t, r->detail);
	return x;
}

/* The canonical line and the row are made in one go, so that they cannot differ. Columns are numbered as in the line. */
static void put_row(struct ledger_store *s, struct text *line, uint64_t seq, uint64_t at_us, struct bytes process,
	const struct ledger_record *r, const struct row_texts *x)
{
	put_int(s, line, 1, seq, true);
	sqlite3_bind_int64(s->insert, 2, (sqlite3_int64)s->now.batch);
	put_int(s, line, 2, at_us, true);
	put_text(s, line, 3, bytes_str(ledger_kind_name(r->kind)));
	put_text(s, line, 4, bytes_str(ledger_state_name(r->state)));
	put_text(s, line, 5, process);
	put_int(s, line, 6, r->conn, r->conn != 0);
	put_text(s, line, 7, x->client);
	put_int(s, line, 8, r->client.port, r->client.port != 0);
	put_text(s, line, 9, x->listener);
	put_text(s, line, 10, x->session);
	put_text(s, line, 11, x->user);
	put_text(s, line, 12, x->target);
	put_text(s, line, 13, x->name);
	put_int(s, line, 14, r->start_us, r->start_us != 0);
	put_int(s, line, 15, r->end_us, r->end_us != 0);
	put_int(s, line, 16, r->requests, r->has_counts);
	put_int(s, line, 17, r->bytes_in, r->has_counts);
	put_int(s, line, 18, r->bytes_out, r->has_counts);
	put_text(s, line, 19, x->outcome);
	put_text(s, line, 20, x->detail);
	text_byte(line, '\n');
}

/* What the record will add to the sums, kept until the batch is on disk. */
static enum err keep_pending(struct ledger_store *s, uint64_t at, const struct ledger_record *r, const struct row_texts *x)
{
	struct pending *p;

	if (s->pending_count == s->pending_cap) {
		size_t cap = s->pending_cap ? 2 * s->pending_cap : 4096;

		p = realloc(s->pending, cap * sizeof(*p));
		if (!p)
			return ERR_MEMORY;
		s->pending = p;
		s->pending_cap = cap;
	}
	p = &s->pending[s->pending_count++];
	*p = (struct pending){ .at = at, .r = *r };
	if (r->kind != LEDGER_USE)
		return OK;
	p->client = x->client.len;
	p->target = x->target.len;
	p->name = x->name.len;
	p->user = x->user.len;
	text_add(&s->texts, x->client);
	text_add(&s->texts, x->target);
	text_add(&s->texts, x->name);
	text_add(&s->texts, x->user);
	return s->texts.failed ? ERR_LIMIT : OK;
}

enum err ledger_store_add(struct ledger_store *s, uint64_t at_us, struct bytes process, const struct ledger_record *r)
{
	unsigned char mem[4096];
	struct row_texts x;
	struct text t, line;

	CHECK(s->in_batch);
	text_init(&t, mem, sizeof(mem));
	text_init(&line, s->line, sizeof(s->line));
	x = clean_texts(&t, r);
	put_row(s, &line, s->now.next, at_us, process, r, &x);
	CHECK(!t.failed && !line.failed); /* a record is smaller (LEDGER_WIRE_MAX), quotes doubled */
	sqlite3_bind_int64(s->insert, 22, (sqlite3_int64)chain_mark(text_bytes(&line)));
	TRY(step(s->insert));
	sha256_add(s->sha, text_bytes(&line));
	TRY(keep_pending(s, at_us, r, &x));
	s->now.next++;
	return OK;
}

enum err ledger_store_attach(struct ledger_store *s, struct bytes content, char hex[2 * SHA256_LEN + 1])
{
	unsigned char digest[SHA256_LEN];
	struct text t;

	sha256_of(content, digest);
	text_init(&t, hex, 2 * SHA256_LEN);
	hex_put(&t, bytes_of(digest, sizeof(digest)));
	hex[2 * SHA256_LEN] = 0;
	set_text(s->insert_attachment, 1, text_bytes(&t));
	sqlite3_bind_blob64(s->insert_attachment, 2, content.at, content.len, SQLITE_STATIC);
	return step(s->insert_attachment);
}

enum err ledger_store_position_set(struct ledger_store *s, struct bytes process, uint64_t ring, uint64_t taken)
{
	set_text(s->insert_position, 1, process);
	sqlite3_bind_int64(s->insert_position, 2, (sqlite3_int64)ring);
	sqlite3_bind_int64(s->insert_position, 3, (sqlite3_int64)taken);
	return step(s->insert_position);
}

void ledger_store_digest(struct ledger_store *s, const unsigned char prev[SHA256_LEN], uint64_t at_us, unsigned char hash[SHA256_LEN])
{
	CHECK(s->in_batch && s->now.next > s->now.first);
	sha256_end(s->sha, s->now.records);
	memcpy(s->now.prev, prev, SHA256_LEN);
	s->now.at = at_us;
	chain_batch_hash(s->now.batch, s->now.first, s->now.next - 1, at_us, prev, s->now.records, s->now.hash);
	memcpy(hash, s->now.hash, SHA256_LEN);
}

static void bind_hex(sqlite3_stmt *st, int i, const unsigned char *at, size_t len)
{
	unsigned char mem[2 * ED25519_SIGNATURE_LEN];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	hex_put(&t, bytes_of(at, len));
	sqlite3_bind_text(st, i, (const char *)t.at, (int)t.len, SQLITE_TRANSIENT);
}

/* The batch is on disk: its records count in the sums of the segment that is being filled. Without memory the process ends, and
 * the next reads the sums from the file. */
static void sum_pending(struct ledger_store *s)
{
	size_t at = 0;

	for (size_t i = 0; i < s->pending_count; i++) {
		const struct pending *p = &s->pending[i];
		struct bytes all = text_bytes(&s->texts);
		struct ledger_use row = { .state = bytes_str(ledger_state_name(p->r.state)), .at_us = p->at, .start_us = p->r.start_us,
			.end_us = p->r.end_us, .bytes_in = p->r.bytes_in, .bytes_out = p->r.bytes_out };
		struct contact c;

		row.client = bytes_cut(all, at, at + p->client);
		at += p->client;
		row.target = bytes_cut(all, at, at + p->target);
		at += p->target;
		row.name = bytes_cut(all, at, at + p->name);
		at += p->name;
		row.user = bytes_cut(all, at, at + p->user);
		at += p->user;
		note_segment(s, s->now.first + i, p->at);
		if (p->r.kind == LEDGER_USE && ledger_contact_of(&row, &c) == OK)
			CHECK(contacts_add(s->sums, &c) == OK);
	}
}

enum err ledger_store_commit(struct ledger_store *s, const unsigned char signature[ED25519_SIGNATURE_LEN])
{
	sqlite3_stmt *st = s->insert_batch;
	enum err e;

	CHECK(s->in_batch);
	sqlite3_bind_int64(st, 1, (sqlite3_int64)s->now.batch);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)s->now.first);
	sqlite3_bind_int64(st, 3, (sqlite3_int64)s->now.next - 1);
	sqlite3_bind_int64(st, 4, (sqlite3_int64)s->now.at);
	bind_hex(st, 5, s->now.prev, SHA256_LEN);
	bind_hex(st, 6, s->now.records, SHA256_LEN);
	bind_hex(st, 7, s->now.hash, SHA256_LEN);
	bind_hex(st, 8, signature, ED25519_SIGNATURE_LEN);
	e = step(st);
	if (e == OK)
		e = run(s, "COMMIT");
	if (e != OK) {
		ledger_store_rollback(s);
		return e;
	}
	s->in_batch = false;
	if (s->wrote_segment)
		segment_next(s);
	s->head.batch = s->now.batch;
	memcpy(s->head.hash, s->now.hash, SHA256_LEN);
	s->last_seq = s->now.next - 1;
	sum_pending(s);
	return OK;
}

enum err ledger_store_seal(struct ledger_store *s, const struct ledger_head *head, const unsigned char signature[ED25519_SIGNATURE_LEN])
{
	sqlite3_stmt *st = NULL;
	enum err e = run(s, "BEGIN IMMEDIATE");

	if (e == OK && s->segment_first)
		e = write_segment(s, s->last_seq);
	if (e == OK)
		e = prepare(s, "INSERT INTO seal SELECT value, ?1, ?2, ?3 FROM meta WHERE key='day'", &st);
	if (e == OK) {
		sqlite3_bind_int64(st, 1, (sqlite3_int64)head->batch);
		bind_hex(st, 2, head->hash, SHA256_LEN);
		bind_hex(st, 3, signature, ED25519_SIGNATURE_LEN);
		e = step(st);
	}
	sqlite3_finalize(st);
	if (e == OK)
		e = run(s, "COMMIT");
	if (e != OK) {
		ledger_store_rollback(s);
		return e;
	}
	s->is_sealed = true;
	segment_next(s);
	(void)!run(s, "PRAGMA journal_mode=DELETE"); /* a reader may hold it: then the WAL stays, which is no harm */
	return OK;
}

/* --- reading back, for the writer's own start --- */

enum err ledger_store_batches(struct ledger_store *s, uint64_t after,
	enum err (*fn)(void *ctx, uint64_t batch, const unsigned char prev[SHA256_LEN], const unsigned char hash[SHA256_LEN],
		const unsigned char signature[ED25519_SIGNATURE_LEN]), void *ctx)
{
	unsigned char prev[SHA256_LEN], hash[SHA256_LEN], signature[ED25519_SIGNATURE_LEN];
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "SELECT batch, prev, hash, signature FROM batch WHERE batch > ?1 ORDER BY batch", &st);

	if (e == OK)
		sqlite3_bind_int64(st, 1, (sqlite3_int64)after);
	while (e == OK && sqlite3_step(st) == SQLITE_ROW) {
		if (hex_read(column(st, 1), prev, sizeof(prev)) != OK || hex_read(column(st, 2), hash, sizeof(hash)) != OK ||
			hex_read(column(st, 3), signature, sizeof(signature)) != OK)
			e = ERR_SYNTAX;
		else
			e = fn(ctx, (uint64_t)sqlite3_column_int64(st, 0), prev, hash, signature);
	}
	return finish(st, e);
}

static bool find_name(struct bytes name, const char *(*of)(unsigned), unsigned count, unsigned *out)
{
	for (unsigned i = 0; i < count; i++)
		if (bytes_eq(bytes_str(of(i)), name)) {
			*out = i;
			return true;
		}
	return false;
}

static const char *kind_of(unsigned i)
{
	return ledger_kind_name((enum ledger_kind)i);
}

static const char *state_of(unsigned i)
{
	return ledger_state_name((enum ledger_state)i);
}

enum err ledger_store_states(struct ledger_store *s, void (*fn)(void *ctx, const struct ledger_record *r, struct bytes process), void *ctx)
{
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "SELECT kind, state, process, conn, client, client_port, target, listener, session, user, name, start, detail"
				" FROM record WHERE kind IN ('in', 'use', 'out') ORDER BY seq", &st);

	while (e == OK && sqlite3_step(st) == SQLITE_ROW) {
		struct ledger_record r = { 0 };
		unsigned kind, state;

		if (!find_name(column(st, 0), kind_of, LEDGER_KIND_COUNT, &kind) ||
			!find_name(column(st, 1), state_of, LEDGER_STATE_COUNT, &state))
			continue; /* verify tells */
		r.kind = (enum ledger_kind)kind;
		r.state = (enum ledger_state)state;
		r.conn = (uint64_t)sqlite3_column_int64(st, 3);
		(void)!addr_parse_ip(column(st, 4), &r.client);
		r.client.port = (uint16_t)sqlite3_column_int(st, 5);
		(void)!addr_parse(column(st, 6), &r.target);
		r.listener = column(st, 7);
		r.session = column(st, 8);
		r.user = column(st, 9);
		r.name = column(st, 10);
		r.start_us = (uint64_t)sqlite3_column_int64(st, 11);
		r.detail = column(st, 12);
		fn(ctx, &r, column(st, 2));
	}
	return finish(st, e);
}

enum err ledger_store_position(struct ledger_store *s, struct bytes process, uint64_t ring, uint64_t *taken)
{
	sqlite3_stmt *st = NULL;
	enum err e = prepare(s, "SELECT taken FROM position WHERE process=?1 AND ring=?2", &st);

	if (e == OK) {
		set_text(st, 1, process);
		sqlite3_bind_int64(st, 2, (sqlite3_int64)ring);
		if (sqlite3_step(st) == SQLITE_ROW)
			*taken = (uint64_t)sqlite3_column_int64(st, 0);
		else
			e = ERR_NOT_FOUND;
	}
	sqlite3_finalize(st);
	return e;
}
