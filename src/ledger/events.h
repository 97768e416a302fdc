/* What a window tells besides connections: sign-ins and their ends, revocations, refused requests, isolations, of the client or user that
 * the filter names. An isolation is told to whom it touches: of a prefix to its clients, of the node to all. */
#ifndef LEDGER_EVENTS_H
#define LEDGER_EVENTS_H

#include "ledger/query.h"

#include <sqlite3.h>

/* Of one day file, in order of time. A filter for everything has none: that is sluis ledger export. ERR_SYNTAX: the file cannot be read on. */
enum err ledger_events_of_day(sqlite3 *db, uint64_t from_us, uint64_t to_us,
	const struct ledger_filter *filter, const struct ledger_hears *hears) MUST_USE;

#endif
