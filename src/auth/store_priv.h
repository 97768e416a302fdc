/* What the files of the store share: the database, its statements with what is bound to them, and rows that are held against what Sluis writes:
 * a row of another form is an error that names it, for the file may have been damaged or touched. */
#ifndef AUTH_STORE_PRIV_H
#define AUTH_STORE_PRIV_H

#include "auth/store.h"

#include <sqlite3.h>

#define STORE_SCHEMA	 2	/* user_version of the file */
#define STORE_FILE	 "identity.db"
#define STORE_WHY_MAX	 512
#define STORE_GROUPS_MAX (64 * (STORE_TEXT_MAX + 1)) /* octets of AUTH_GROUPS_MAX groups */
#define STORE_PASSKEY_ID_MAX 1023 /* WebAuthn 2, 4: credential id */
#define STORE_PASSKEY_KEY_MAX 2048

enum statement {
#define STATEMENT(sym, durable, sql) sym,
#include "auth/store_sql.tbl"
#undef STATEMENT
	STATEMENT_COUNT
};

struct store {
	sqlite3 *db;
	int folder; /* locked: one process writes */
	sqlite3_stmt *statements[STATEMENT_COUNT];
	bool in_transaction, has_failed; /* the caller's; something in it has failed: it can only be taken back */
	bool is_full;			 /* synchronous: a commit waits for the disk */
	char path[256], why[STORE_WHY_MAX];
};

/* A statement on its way. Values are bound one after the other, by reference: they must stay until store_run or store_end. */
struct query {
	struct store *s;
	sqlite3_stmt *st;
	int bound, rc;
	bool is_wrong; /* the row is not one that Sluis writes */
};

/* Of what SQLite answered; what fails is put into words for store_error. ERR_NOT_FOUND: a user that is not there; ERR_ORDER: there is one. */
enum err store_of(struct store *s, int rc) MUST_USE;
/* What is wrong with the file and what to do about it, for store_error. Gives e. */
enum err store_why(struct store *s, enum err e, const char *what, const char *instead) MUST_USE;
/* Around changes that belong together: a transaction of their own, or the caller's. leave gives e, or what went wrong at the end. */
enum err store_enter(struct store *s, bool is_durable) MUST_USE;
enum err store_leave(struct store *s, enum err e) MUST_USE;

struct query store_ask(struct store *s, enum statement n);
void ask_int(struct query *q, int64_t v);
void ask_u64(struct query *q, uint64_t v); /* SQLite's integers have a sign: what is larger is the largest */
void ask_text(struct query *q, struct bytes b);
void ask_blob(struct query *q, const void *at, size_t len);
void ask_null(struct query *q);
/* One that gives no row, to its end. */
enum err store_run(struct query *q) MUST_USE;
/* The same within store_enter and store_leave, as the table says. ERR_NOT_FOUND: it changed nothing. */
enum err store_change(struct query *q, enum statement n) MUST_USE;
/* The next row. */
enum err store_next(struct query *q, bool *has_row) MUST_USE;
/* Done with it, however far it went. Gives e. */
enum err store_end(struct query *q, enum err e) MUST_USE;

int64_t row_int(struct query *q, int i);
uint64_t row_u64(struct query *q, int i, uint64_t most);
bool row_bool(struct query *q, int i);
bool row_is_null(struct query *q, int i);
struct bytes row_text(struct query *q, int i, size_t most); /* until the next row */
struct bytes row_blob(struct query *q, int i, size_t least, size_t most);
void row_fixed(struct query *q, int i, void *out, size_t len); /* a blob of so many octets */
void row_string(struct query *q, int i, char *out, size_t size); /* with its end */
/* OK, or ERR_IO when one of the above did not fit. */
enum err row_check(struct query *q, const char *table, int64_t user) MUST_USE;

/* ERR_LIMIT: longer than most octets; ERR_SYNTAX: control characters. */
enum err store_text_check(struct bytes b, size_t most) MUST_USE;

#endif
