/* A record of the ledger as one line of JSON with the names of the Elastic Common Schema, as the access log has them (docs/ledger.md,
 * Export). Any row becomes a line; what is no value of its column is left out and named in the line. No clock, no file. */
#ifndef LEDGER_EXPORT_H
#define LEDGER_EXPORT_H

#include "ledger/record.h"
#include "ledger/row.h"

/* Appends the line with its line feed; day: of the file it is in. Answers a bit (1u << enum ledger_column) for each column that
 * holds what the ledger never writes, and that of COL_MARK when the row does not fit its mark: 0 is a record as it should be. */
unsigned ledger_export_line(struct text *t, const struct ledger_row *row, struct bytes day);

#endif
