/* Four states, four sums. */
#include "ledger/sum.h"

enum err ledger_contact_of(const struct ledger_use *u, struct contact *out)
{
	struct contact c = { .client = u->client, .target = u->target, .name = u->name, .user = u->user, .first_us = u->start_us };

	if (bytes_eq(u->state, BYTES("open"))) {
		c.opened = 1;
		c.last_us = u->start_us;
	} else if (bytes_eq(u->state, BYTES("carried"))) {
		c.carried = 1;
		c.last_us = u->at_us;
	} else if (bytes_eq(u->state, BYTES("close")) || bytes_eq(u->state, BYTES("whole"))) {
		c.opened = u->state.at[0] == 'w';
		c.closed = 1;
		c.last_us = u->end_us;
		c.bytes_in = u->bytes_in;
		c.bytes_out = u->bytes_out;
	} else {
		return ERR_SYNTAX;
	}
	*out = c;
	return OK;
}
