/* What one record means for the question who was connected with what. */
#ifndef LEDGER_SUM_H
#define LEDGER_SUM_H

#include "ledger/contacts.h"

struct ledger_sum_row {
	struct bytes kind, state, client, target, name, user;
	uint64_t at_us, start_us, end_us, bytes_in, bytes_out;
};

/* The contact that a record makes; false: none, it is not a use of a server. Texts are views into row's. */
bool ledger_sum(const struct ledger_sum_row *row, struct contact *out);

#endif
