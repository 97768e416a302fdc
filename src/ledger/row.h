/* One row of the table record as it stands in a file, whoever wrote it: for verify and export. Whether it is what the ledger would
 * write is theirs to judge. */
#ifndef LEDGER_ROW_H
#define LEDGER_ROW_H

#include "base/text.h"

/* The first 20 are those of the canonical line, in its order. */
enum ledger_column {
	COL_SEQ, COL_AT, COL_KIND, COL_STATE, COL_PROCESS, COL_CONN, COL_CLIENT, COL_CLIENT_PORT, COL_LISTENER, COL_SESSION, COL_USER,
	COL_TARGET, COL_NAME, COL_START, COL_END, COL_REQUESTS, COL_IN, COL_OUT, COL_OUTCOME, COL_DETAIL, COL_CANONICAL,
	COL_BATCH = COL_CANONICAL, COL_MARK, COL_COUNT
};
#define LEDGER_ROW_SQL \
	"SELECT seq, at, kind, state, process, conn, client, client_port, listener, session, user, target, name, start, \"end\"," \
	" requests, bytes_in, bytes_out, outcome, detail, batch, mark FROM record"

enum ledger_cell_type { CELL_NULL, CELL_INT, CELL_TEXT, CELL_OTHER };
struct ledger_cell {
	enum ledger_cell_type type;
	int64_t n;
	struct bytes text;
};
struct ledger_row {
	struct ledger_cell cells[COL_COUNT];
};

struct sqlite3_stmt;
/* The row that a statement of LEDGER_ROW_SQL stands on. Texts live until its next step. */
void ledger_row_read(struct sqlite3_stmt *st, struct ledger_row *out);
/* The canonical line, as SQLite's quote() would write it; a type that the ledger never writes gives a line that fits nothing. */
void ledger_row_line(struct text *t, const struct ledger_row *row);
const char *ledger_column_name(enum ledger_column c);

#endif
