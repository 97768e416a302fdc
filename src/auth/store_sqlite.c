/* The engine for one node: a SQLite file in a folder that only sluis-identity may open. One process writes it; a backup reads it meanwhile (WAL). */
#include "auth/store_priv.h"
#include "base/fd.h"
#include "ledger/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_FILE   "identity.db"
#define LOCK_TRIES   20
#define LOCK_WAIT_US 10000

struct sqlite {
	sqlite3 *db;
	int folder; /* locked: one process writes */
	sqlite3_stmt *statements[STATEMENT_COUNT];
	bool is_full; /* synchronous: a commit waits for the disk */
};

static struct sqlite *sqlite_of(const struct store *s)
{
	return s->data;
}

#define NO_SID	     "x'00000000000000000000000000000000'" /* STORE_SID_LEN octets */
#define ORIGIN_INDEX "CREATE UNIQUE INDEX user_subject ON user(origin, subject) WHERE origin <> '';"
static const char schema[] =
	"CREATE TABLE user(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, display TEXT NOT NULL, mail TEXT NOT NULL,"
	" language TEXT NOT NULL DEFAULT '', groups TEXT NOT NULL, hash TEXT NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,"
	" must_change INTEGER NOT NULL, totp BLOB, totp_last INTEGER NOT NULL DEFAULT 0, handle BLOB NOT NULL UNIQUE, made INTEGER NOT NULL,"
	" last INTEGER NOT NULL DEFAULT 0, origin TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL DEFAULT '', looked INTEGER NOT NULL DEFAULT 0) STRICT;" ORIGIN_INDEX
	"CREATE TABLE recovery(user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE, hash BLOB NOT NULL, PRIMARY KEY(user, hash)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE passkey(id BLOB NOT NULL PRIMARY KEY, user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE, key BLOB NOT NULL,"
	" name TEXT NOT NULL, count INTEGER NOT NULL, backed_up INTEGER NOT NULL, made INTEGER NOT NULL, used INTEGER NOT NULL) STRICT;"
	"CREATE INDEX passkey_user ON passkey(user);"
	"CREATE TABLE session(id TEXT NOT NULL PRIMARY KEY, parent TEXT NOT NULL, user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE,"
	" hash BLOB NOT NULL, host TEXT NOT NULL, method TEXT NOT NULL, agent TEXT NOT NULL, client BLOB NOT NULL, port INTEGER NOT NULL,"
	" since INTEGER NOT NULL, seen INTEGER NOT NULL, until INTEGER NOT NULL, proved INTEGER NOT NULL, idle INTEGER NOT NULL,"
	" mfa INTEGER NOT NULL, bound INTEGER NOT NULL, sid BLOB NOT NULL DEFAULT " NO_SID ", device_key BLOB, device_hash BLOB,"
	" device_until INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX session_user ON session(user);"
	"CREATE TABLE sign_in(id INTEGER PRIMARY KEY AUTOINCREMENT, user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE, at INTEGER NOT NULL,"
	" client BLOB NOT NULL, method TEXT NOT NULL, outcome INTEGER NOT NULL) STRICT;"
	"CREATE INDEX sign_in_user ON sign_in(user, id);"
	"CREATE INDEX sign_in_at ON sign_in(at);"
	"CREATE TABLE source(user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE, net BLOB NOT NULL, at INTEGER NOT NULL,"
	" PRIMARY KEY(user, net)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX source_at ON source(at);"
	"CREATE TABLE app(user INTEGER NOT NULL REFERENCES user ON DELETE CASCADE, app TEXT NOT NULL, favourite INTEGER NOT NULL,"
	" used INTEGER NOT NULL, turn INTEGER NOT NULL, PRIMARY KEY(user, app)) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=2;";

/* From each version to the next: all of it in one transaction, at the first start of a Sluis that needs it. */
static const char *const upgrades[] = {
	[1] = "ALTER TABLE user ADD COLUMN origin TEXT NOT NULL DEFAULT ''; ALTER TABLE user ADD COLUMN subject TEXT NOT NULL DEFAULT '';"
	      "ALTER TABLE user ADD COLUMN looked INTEGER NOT NULL DEFAULT 0;" ORIGIN_INDEX "ALTER TABLE session ADD COLUMN sid BLOB NOT NULL DEFAULT " NO_SID ";"
	      "ALTER TABLE session ADD COLUMN device_key BLOB; ALTER TABLE session ADD COLUMN device_hash BLOB;"
	      "ALTER TABLE session ADD COLUMN device_until INTEGER NOT NULL DEFAULT 0; PRAGMA user_version=2;",
};

_Static_assert(STORE_SCHEMA == 2 && STORE_SCHEMA == COUNT_OF(upgrades), "the schema's last line, and the last upgrade");

/* --- errors --- */

static const char *instead_of(int rc, int system)
{
	switch (rc & 0xff) {
	case SQLITE_FULL: return "make room on its file system";
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH: return "its folder and the files in it must belong to the user of sluis-identity, who writes them";
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return "another process has it open and must end first";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return "it is damaged; put a backup in its place";
	default:
		return system == ENOSPC || system == EDQUOT || system == EFBIG ? "make room on its file system" :
										 "look at its file system and its disk";
	}
}

/* What fails is put into words for store_error. ERR_NOT_FOUND: a user that is not there; ERR_ORDER: there is one. */
static enum err answer_of(struct store *s, int rc)
{
	char what[STORE_WHY_MAX / 2];
	int system;

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW: return OK;
	case SQLITE_NOMEM: return store_why(s, ERR_MEMORY, "out of memory", "give the machine more");
	default: break;
	}
	if (rc == SQLITE_CONSTRAINT_FOREIGNKEY)
		return ERR_NOT_FOUND;
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return ERR_ORDER;
	system = (rc & 0xff) == SQLITE_IOERR ? errno : sqlite3_system_errno(sqlite_of(s)->db); /* a commit that fails does not leave it with SQLite */
	snprintf(what, sizeof(what), "%s%s%s%s", sqlite3_errmsg(sqlite_of(s)->db), system ? " (" : "", system ? strerror(system) : "", system ? ")" : "");
	return store_why(s, ERR_IO, what, instead_of(rc, system));
}

/* --- transactions --- */

static enum err run(struct store *s, const char *sql)
{
	errno = 0;
	return answer_of(s, sqlite3_exec(sqlite_of(s)->db, sql, NULL, NULL, NULL));
}

static enum err sqlite_begin(struct store *s, bool is_durable)
{
	struct sqlite *l = sqlite_of(s);

	if (l->is_full != is_durable) {
		TRY(run(s, is_durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
		l->is_full = is_durable;
	}
	return run(s, "BEGIN IMMEDIATE");
}

/* What went wrong stays to be told, not that SQLite has taken it back by itself already. */
static void sqlite_take_back(struct store *s)
{
	if (!sqlite3_get_autocommit(sqlite_of(s)->db))
		sqlite3_exec(sqlite_of(s)->db, "ROLLBACK", NULL, NULL, NULL);
}

static enum err sqlite_commit(struct store *s)
{
	enum err e = run(s, "COMMIT");

	if (e != OK)
		sqlite_take_back(s);
	return e;
}

/* --- statements --- */

static int bind_value(sqlite3_stmt *st, int i, const struct store_value *v)
{
	switch (v->type) {
	case STORE_INT: return sqlite3_bind_int64(st, i, v->number);
	case STORE_TEXT: return sqlite3_bind_text64(st, i, v->bytes.len ? (const char *)v->bytes.at : "", v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
	case STORE_BLOB: return sqlite3_bind_blob64(st, i, v->bytes.len ? v->bytes.at : (const void *)"", v->bytes.len, SQLITE_STATIC);
	default: return sqlite3_bind_null(st, i);
	}
}

static enum err sqlite_next(struct query *q, bool *has_row)
{
	sqlite3_stmt *st = q->rows;
	int rc = SQLITE_OK;

	if (!st) {
		q->rows = st = sqlite_of(q->s)->statements[q->n];
		/* A call from within a callback of itself would move the rows on under it. */
		CHECK(st && !sqlite3_stmt_busy(st));
		for (int i = 0; i < q->bound && rc == SQLITE_OK; i++)
			rc = bind_value(st, i + 1, &q->values[i]);
	}
	errno = 0; /* answer_of reads it */
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	*has_row = rc == SQLITE_ROW;
	return answer_of(q->s, rc);
}

static uint64_t sqlite_changes(struct query *q)
{
	return (uint64_t)sqlite3_changes64(sqlite_of(q->s)->db);
}

static void sqlite_done(struct query *q)
{
	if (!q->rows)
		return;
	sqlite3_reset(q->rows);
	sqlite3_clear_bindings(q->rows); /* what they pointed at is the caller's */
	q->rows = NULL;
}

static struct store_value sqlite_column(struct query *q, int i)
{
	sqlite3_stmt *st = q->rows;
	struct store_value v = { .type = STORE_NULL };
	const void *at = NULL;

	switch (sqlite3_column_type(st, i)) {
	case SQLITE_INTEGER: return (struct store_value){ .type = STORE_INT, .number = sqlite3_column_int64(st, i) };
	case SQLITE_TEXT:
		v.type = STORE_TEXT;
		at = sqlite3_column_text(st, i);
		break;
	case SQLITE_BLOB:
		v.type = STORE_BLOB;
		at = sqlite3_column_blob(st, i);
		break;
	default: return v;
	}
	v.bytes = bytes_of(at ? at : "", (size_t)sqlite3_column_bytes(st, i));
	if (!at && v.bytes.len) /* no memory */
		v.type = STORE_NULL;
	return v;
}

static void sqlite_close(struct store *s)
{
	struct sqlite *l = sqlite_of(s);

	if (!l)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(l->statements[i]);
	sqlite3_close(l->db);
	fd_close(&l->folder);
	free(l);
}

static const struct store_engine engine = { .close = sqlite_close, .begin = sqlite_begin, .commit = sqlite_commit, .take_back = sqlite_take_back,
	.next = sqlite_next, .changes = sqlite_changes, .end = sqlite_done, .column = sqlite_column };

/* --- the file --- */

/* Made before SQLite sees it, so that it is nobody else's to read, not even for a moment. The files beside it get the same mode from SQLite. */
static enum err make_file(struct store *s)
{
	struct stat st;
	const char *step = "cannot be opened";
	AUTO(fd_close) int fd = open(s->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char what[STORE_WHY_MAX / 2];

	if (fd >= 0) {
		step = "its mode cannot be made 0600";
		if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
			return store_why(s, ERR_IO, "is no file", "take it away");
		if (fstat(fd, &st) == 0 && ((st.st_mode & 0777) == 0600 || fchmod(fd, 0600) == 0))
			return OK;
	}
	snprintf(what, sizeof(what), "%s (%s)", step, strerror(errno));
	return store_why(s, ERR_IO, what, errno == ENOSPC || errno == EDQUOT ? "make room on its file system" : instead_of(SQLITE_CANTOPEN, 0));
}

/* The one number or word that a pragma answers. */
static enum err pragma(struct store *s, const char *sql, int64_t *number, bool *is_wal)
{
	sqlite3_stmt *st = NULL;
	const unsigned char *word;
	int rc;

	errno = 0;
	rc = sqlite3_prepare_v2(sqlite_of(s)->db, sql, -1, &st, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && number)
		*number = sqlite3_column_int64(st, 0);
	word = rc == SQLITE_ROW ? sqlite3_column_text(st, 0) : NULL;
	if (is_wal)
		*is_wal = word && bytes_eq(bytes_str((const char *)word), BYTES("wal"));
	if (rc == SQLITE_ROW)
		rc = sqlite3_step(st);
	sqlite3_finalize(st);
	return answer_of(s, rc);
}

/* Before anything is written: is it ours, and of a time that we know? */
static enum err look_at_version(struct store *s, int64_t *out)
{
	int64_t version = 0, tables = 0;

	TRY(pragma(s, "PRAGMA user_version", &version, NULL));
	TRY(pragma(s, "SELECT count(*) FROM sqlite_schema", &tables, NULL));
	if (version > STORE_SCHEMA)
		return store_why(s, ERR_ORDER, "was written by a newer Sluis", "install that one, or put a backup of before in its place");
	if (version < 0 || (version == 0 && tables != 0))
		return store_why(s, ERR_IO, "is a database that Sluis did not write", "take it away");
	*out = version;
	return OK;
}

/* Makes the tables, or brings those of before to where they are now. An old file is written too: that it can be is known now. */
static enum err bring_up(struct store *s, int64_t version)
{
	TRY(run(s, "BEGIN IMMEDIATE"));
	if (version == 0)
		TRY(run(s, schema));
	for (int64_t v = version; v > 0 && v < STORE_SCHEMA; v++)
		TRY(run(s, upgrades[v]));
	if (version == STORE_SCHEMA)
		TRY(run(s, "PRAGMA user_version=2"));
	return run(s, "COMMIT");
}

static enum err set_up(struct store *s)
{
	struct sqlite *l = sqlite_of(s);
	bool is_wal = false;
	int64_t has_keys = 0, version;

	/* DEFENSIVE: SQL cannot write to the schema's own tables. cell_size_check: a damaged page is an error, not a wrong row. */
	sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	sqlite3_db_config(l->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	sqlite3_db_config(l->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
	TRY(run(s, "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
		   "PRAGMA secure_delete=ON; PRAGMA cache_size=-8192; PRAGMA foreign_keys=ON;"));
	TRY(look_at_version(s, &version));
	TRY(pragma(s, "PRAGMA journal_mode=WAL", NULL, &is_wal));
	TRY(pragma(s, "PRAGMA foreign_keys", &has_keys, NULL));
	if (!is_wal || !has_keys)
		return store_why(s, ERR_IO, "SQLite has no write-ahead log or no foreign keys", "install the SQLite of the distribution");
	TRY(run(s, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=16777216;")); /* the log shrinks again after a large change */
	l->is_full = true;
	TRY(bring_up(s, version));
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (!store_statements[i].is_shared)
			TRY(answer_of(s, sqlite3_prepare_v3(l->db, store_statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &l->statements[i], NULL)));
	return OK;
}

static enum err open_file(struct store *s, const char *dir)
{
	struct sqlite *l = sqlite_of(s);
	struct text path;

	text_init(&path, s->path, sizeof(s->path) - 1);
	text_str(&path, dir);
	text_lit(&path, "/" STORE_FILE);
	if (path.failed)
		return store_why(s, ERR_IO, "the path is too long", "choose a shorter state_dir");
	TRY(make_file(s));
	l->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; l->folder >= 0 && flock(l->folder, LOCK_EX | LOCK_NB) < 0; i++) { /* the one before us may be ending */
		if (i == LOCK_TRIES)
			return store_why(s, ERR_IO, "it is locked", "another process has it open and must end first");
		usleep(LOCK_WAIT_US);
	}
	TRY(answer_of(s, sqlite3_open_v2(s->path, &l->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, ledger_vfs())));
	sqlite3_extended_result_codes(l->db, 1);
	sqlite3_busy_timeout(l->db, 200); /* the one before us may be ending */
	return set_up(s);
}

enum err store_open(const char *dir, struct store **out)
{
	struct store *s = store_new(&engine, dir);
	struct sqlite *l = calloc(1, sizeof(*l));
	enum err e = ERR_MEMORY;

	if (s)
		s->data = l;
	if (l)
		l->folder = -1;
	if (s && l) {
		e = open_file(s, dir);
	} else {
		free(l);
		if (s)
			s->data = NULL;
	}
	return store_opened(s, e, out);
}
