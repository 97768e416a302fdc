/* The file, its schema and its transactions. One process writes it; a backup reads it meanwhile (WAL). What decides about access is on disk before a call returns: users, factors, the end of a session, a token that is replaced.
 * What may be lost with the last moments before a power failure only costs its owner a sign-in: that a session began or was seen, the last sign-ins,
 * favourites, the language. Such changes do not wait for the disk, and are there at once after a crash of the process. */
#include "auth/store.h"

#include "auth/store_priv.h"
#include "base/fd.h"
#include "ledger/vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_TRIES   20
#define LOCK_WAIT_US 10000

static const struct { bool is_durable; const char *sql; } statements[] = {
#define STATEMENT(sym, durable, sql) { durable, sql },
#include "auth/store_sql.tbl"
#undef STATEMENT
};

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

static char open_why[STORE_WHY_MAX]; /* of the last store_open that failed */

/* --- errors --- */

enum err store_why(struct store *s, enum err e, const char *what, const char *instead)
{
	snprintf(s->why, sizeof(s->why), "%s: %s: %s", s->path, what, instead);
	return e;
}

const char *store_error(const struct store *s)
{
	return s ? s->why : open_why;
}

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

enum err store_of(struct store *s, int rc)
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
	system = (rc & 0xff) == SQLITE_IOERR ? errno : sqlite3_system_errno(s->db); /* a commit that fails does not leave it with SQLite */
	snprintf(what, sizeof(what), "%s%s%s%s", sqlite3_errmsg(s->db), system ? " (" : "", system ? strerror(system) : "", system ? ")" : "");
	return store_why(s, ERR_IO, what, instead_of(rc, system));
}

/* --- transactions --- */

static enum err run(struct store *s, const char *sql)
{
	errno = 0;
	return store_of(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

static enum err run_one(struct store *s, enum statement n)
{
	struct query q = store_ask(s, n);

	return store_run(&q);
}

static enum err begin(struct store *s, bool is_durable)
{
	if (s->is_full != is_durable) {
		TRY(run(s, is_durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
		s->is_full = is_durable;
	}
	return run_one(s, SQL_BEGIN);
}

/* What went wrong stays to be told, not that SQLite has taken it back by itself already. */
static void take_back(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

static enum err commit(struct store *s)
{
	enum err e = run_one(s, SQL_COMMIT);

	if (e != OK)
		take_back(s);
	return e;
}

enum err store_enter(struct store *s, bool is_durable)
{
	if (!s->in_transaction)
		return begin(s, is_durable);
	return s->has_failed ? ERR_IO : OK;
}

enum err store_leave(struct store *s, enum err e)
{
	if (s->in_transaction) {
		s->has_failed |= e == ERR_IO || e == ERR_MEMORY;
		return e;
	}
	if (e == OK)
		return commit(s);
	take_back(s);
	return e;
}

/* Always durable: whoever puts several changes together waits once, and may have any among them. */
enum err store_begin(struct store *s)
{
	CHECK(!s->in_transaction);
	TRY(begin(s, true));
	s->in_transaction = true;
	s->has_failed = false;
	return OK;
}

enum err store_commit(struct store *s)
{
	CHECK(s->in_transaction);
	s->in_transaction = false;
	if (!s->has_failed)
		return commit(s);
	take_back(s);
	return ERR_IO;
}

enum err store_change(struct query *q, enum statement n)
{
	struct store *s = q->s;
	enum err e = store_enter(s, statements[n].is_durable);

	if (e != OK)
		return store_end(q, e);
	e = store_run(q);
	if (e == OK && sqlite3_changes(s->db) == 0)
		e = ERR_NOT_FOUND;
	return store_leave(s, e);
}

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
	rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
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
	return store_of(s, rc);
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
	bool is_wal = false;
	int64_t has_keys = 0, version;

	/* DEFENSIVE: SQL cannot write to the schema's own tables. cell_size_check: a damaged page is an error, not a wrong row. */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
	TRY(run(s, "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
		   "PRAGMA secure_delete=ON; PRAGMA cache_size=-8192; PRAGMA foreign_keys=ON;"));
	TRY(look_at_version(s, &version));
	TRY(pragma(s, "PRAGMA journal_mode=WAL", NULL, &is_wal));
	TRY(pragma(s, "PRAGMA foreign_keys", &has_keys, NULL));
	if (!is_wal || !has_keys)
		return store_why(s, ERR_IO, "SQLite has no write-ahead log or no foreign keys", "install the SQLite of the distribution");
	TRY(run(s, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=16777216;")); /* the log shrinks again after a large change */
	s->is_full = true;
	TRY(bring_up(s, version));
	for (int i = 0; i < STATEMENT_COUNT; i++)
		TRY(store_of(s, sqlite3_prepare_v3(s->db, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL)));
	return OK;
}

static enum err open_file(struct store *s, const char *dir)
{
	struct text path;

	text_init(&path, s->path, sizeof(s->path) - 1);
	text_str(&path, dir);
	text_lit(&path, "/" STORE_FILE);
	if (path.failed)
		return store_why(s, ERR_IO, "the path is too long", "choose a shorter state_dir");
	TRY(make_file(s));
	s->folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; s->folder >= 0 && flock(s->folder, LOCK_EX | LOCK_NB) < 0; i++) { /* the one before us may be ending */
		if (i == LOCK_TRIES)
			return store_why(s, ERR_IO, "it is locked", "another process has it open and must end first");
		usleep(LOCK_WAIT_US);
	}
	TRY(store_of(s, sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, ledger_vfs())));
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, 200); /* the one before us may be ending */
	return set_up(s);
}

enum err store_open(const char *dir, struct store **out)
{
	struct store *s = calloc(1, sizeof(*s));
	enum err e;

	snprintf(open_why, sizeof(open_why), "%s: out of memory", dir);
	if (!s)
		return ERR_MEMORY;
	s->folder = -1;
	e = open_file(s, dir);
	if (e != OK) {
		memcpy(open_why, s->why, sizeof(open_why));
		store_close(&s);
		return e;
	}
	*out = s;
	return OK;
}

void store_close(struct store **at)
{
	struct store *s = *at;

	if (!s)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	fd_close(&s->folder);
	free(s);
	*at = NULL;
}
