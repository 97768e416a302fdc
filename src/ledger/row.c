/* A cell's type is asked first: SQLite converts in place what it is asked for as text. */
#include "ledger/row.h"

#include "ledger/chain.h"

#include <sqlite3.h>

const char *ledger_column_name(enum ledger_column c)
{
	static const char *const names[COL_COUNT] = { "seq", "at", "kind", "state", "process", "conn", "client", "client_port", "listener",
		"session", "user", "target", "name", "start", "end", "requests", "bytes_in", "bytes_out", "outcome", "detail", "batch", "mark" };

	CHECK(c < COL_COUNT);
	return names[c];
}

void ledger_row_read(sqlite3_stmt *st, struct ledger_row *out)
{
	for (int i = 0; i < COL_COUNT; i++) {
		struct ledger_cell *cell = &out->cells[i];
		const void *at;

		*cell = (struct ledger_cell){ CELL_OTHER, 0, BYTES("") };
		switch (sqlite3_column_type(st, i)) {
		case SQLITE_NULL: cell->type = CELL_NULL; break;
		case SQLITE_INTEGER:
			cell->type = CELL_INT;
			cell->n = sqlite3_column_int64(st, i);
			break;
		case SQLITE_TEXT:
			at = sqlite3_column_text(st, i);
			cell->type = CELL_TEXT;
			cell->text = at ? bytes_of(at, (size_t)sqlite3_column_bytes(st, i)) : BYTES("");
			break;
		default: break;
		}
	}
}

void ledger_row_line(struct text *t, const struct ledger_row *row)
{
	for (int i = 0; i < COL_CANONICAL; i++) {
		if (i)
			text_byte(t, '|');
		switch (row->cells[i].type) {
		case CELL_NULL: chain_put_null(t); break;
		case CELL_INT: chain_put_int(t, row->cells[i].n); break;
		case CELL_TEXT: chain_put_text(t, row->cells[i].text); break;
		case CELL_OTHER: text_lit(t, "?"); break;
		}
	}
	text_byte(t, '\n');
}
