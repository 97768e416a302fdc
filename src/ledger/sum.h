/* What one record of kind "use" adds to the sums of its segment: the single place where that is decided, for whoever
 * writes segments, verifies them, or counts what is not summed yet. Plain values: no SQLite, no file, no clock. */
#ifndef LEDGER_SUM_H
#define LEDGER_SUM_H

#include "ledger/contacts.h"

struct ledger_use { /* the columns of a record that matter here (docs/ledger.md); NULL columns are empty or 0 */
	struct bytes state, client, target, name, user;
	uint64_t at_us, start_us, end_us, bytes_in, bytes_out;
};

/* out's texts are views into u. ERR_SYNTAX: a state that is none. */
enum err ledger_contact_of(const struct ledger_use *u, struct contact *out) MUST_USE;

#endif
