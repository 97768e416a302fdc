/* What the files of the store share: statements with what is bound to them, rows that are held against what Sluis writes (one of another form is an
 * error that names it, for the database may have been damaged or touched), and the two engines that run them: SQLite in one folder
 * (store_sqlite.c), PostgreSQL for several nodes (store_postgresql.c). The SQL is the same (store_sql.tbl), but for each one's schema. */
#ifndef AUTH_STORE_PRIV_H
#define AUTH_STORE_PRIV_H

#include "auth/known.h"
#include "auth/store.h"

#define STORE_SCHEMA	 2	/* user_version of the file; the row of the table sluis */
#define STORE_WHY_MAX	 512
#define STORE_KEY_MAX	 4096 /* what an index of PostgreSQL takes is less */
#define STORE_GROUPS_MAX (64 * (STORE_TEXT_MAX + 1)) /* octets of AUTH_GROUPS_MAX groups */
#define STORE_PASSKEY_ID_MAX 1023 /* WebAuthn 2, 4: credential id */
#define STORE_PASSKEY_KEY_MAX 2048

#define STORE_VALUES_MAX 20 /* of a statement */

enum statement {
#define STATEMENT(sym, durable, sql) sym,
#define SHARED_STATEMENT(sym, sql) sym,
#include "auth/store_sql.tbl"
#undef STATEMENT
#undef SHARED_STATEMENT
	STATEMENT_COUNT
};
struct store_statement { bool is_durable, is_shared; const char *sql; }; /* is_shared: of PostgreSQL alone */
extern const struct store_statement store_statements[STATEMENT_COUNT];

enum store_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB };
struct store_value {
	enum store_type type;
	int64_t number;
	struct bytes bytes; /* of a text or a blob */
};

/* A statement on its way. Values are by reference: they must stay until store_run or store_end. */
struct query {
	struct store *s;
	enum statement n;
	struct store_value values[STORE_VALUES_MAX];
	int bound;
	bool is_wrong; /* the row is not one that Sluis writes */
	/* the engine's */
	void *rows;
	int row;
};

/* One call each, of a query the begun ones until `end`. */
struct store_engine {
	void (*close)(struct store *s);
	enum err (*begin)(struct store *s, bool is_durable);
	enum err (*commit)(struct store *s); /* not OK: it is taken back */
	void (*take_back)(struct store *s);
	enum err (*next)(struct query *q, bool *has_row);
	uint64_t (*changes)(struct query *q); /* rows that it changed; before `end` */
	void (*end)(struct query *q);
	struct store_value (*column)(struct query *q, int i); /* a view until the next row */
	/* One that changes rows, in the caller's transaction: runs at the latest before commit, which fails if it does. NULL: at once. */
	enum err (*later)(struct query *q);
	bool is_whole; /* a statement alone needs no transaction around it */
};

struct store {
	const struct store_engine *engine;
	void *data;			 /* the engine's */
	struct known *known;		 /* of a shared one; NULL: each question goes to the database */
	bool in_transaction, has_failed; /* the caller's; something in it has failed: it can only be taken back */
	void (*unreadable)(void *ctx, const char *table, struct bytes row); /* see store_on_unreadable */
	void *unreadable_ctx;
	char path[256], why[STORE_WHY_MAX];
};
/* Where the next page begins: behind the key of the last row, whatever that is, for a row that cannot be read may have any. */
struct cursor { unsigned char at[STORE_KEY_MAX]; size_t len; };

struct store *store_new(const struct store_engine *engine, const char *what) MUST_USE; /* NULL: no memory */
/* What store_open makes of it: *out is s, or s is closed and its why is kept for store_error(NULL). Gives e. */
enum err store_opened(struct store *s, enum err e, struct store **out) MUST_USE;
/* What is wrong with the database and what to do about it, for store_error. Gives e. */
enum err store_why(struct store *s, enum err e, const char *what, const char *instead) MUST_USE;
/* Around changes that belong together: a transaction of their own, or the caller's. leave gives e, or what went wrong at the end. */
enum err store_enter(struct store *s, bool is_durable) MUST_USE;
enum err store_leave(struct store *s, enum err e) MUST_USE;

struct query store_ask(struct store *s, enum statement n);
void ask_int(struct query *q, int64_t v);
void ask_u64(struct query *q, uint64_t v); /* integers of databases have a sign: what is larger is the largest */
void ask_text(struct query *q, struct bytes b);
void ask_blob(struct query *q, const void *at, size_t len);
void ask_null(struct query *q);
/* One that gives no row, to its end. */
enum err store_run(struct query *q) MUST_USE;
/* The same within store_enter and store_leave, as the table says. ERR_NOT_FOUND: it changed nothing. */
enum err store_change(struct query *q, enum statement n) MUST_USE;
/* Likewise, of which nobody needs to know whether it changed something: in the caller's transaction it may run with others, before the commit. */
enum err store_change_later(struct query *q, enum statement n) MUST_USE;
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
/* The same of users and sessions, which must not stand in the way of others: ERR_SYNTAX, and whoever listens has heard of it. id: the row's. */
enum err row_check_one(struct query *q, const char *table, struct bytes id) MUST_USE;
struct bytes row_key(struct query *q, int i); /* a text of any length, as it is */

void cursor_set(struct cursor *c, struct bytes key); /* one that is too long: it stays where it is */
struct bytes cursor_key(const struct cursor *c);
/* A whole page was read. ERR_IO: its last row is where it began, and the next page would be the same. */
enum err cursor_has_moved(struct store *s, const struct cursor *c, const struct cursor *before) MUST_USE;

/* ERR_LIMIT: longer than most octets; ERR_SYNTAX: control characters. */
enum err store_text_check(struct bytes b, size_t most) MUST_USE;

#endif
