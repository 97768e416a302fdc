/* docs/ledger.md: uses count; a use that is open counts as opened in the day in which it began, and as carried later. */
#include "ledger/sum.h"

bool ledger_sum(const struct ledger_sum_row *row, struct contact *out)
{
	struct contact c = { .client = row->client, .target = row->target, .name = row->name, .user = row->user,
		.first_us = row->start_us ? row->start_us : row->at_us, .last_us = row->at_us };

	if (!bytes_eq(row->kind, BYTES("use")))
		return false;
	if (bytes_eq(row->state, BYTES("open"))) {
		c.opened = 1;
		c.last_us = c.first_us;
	} else if (bytes_eq(row->state, BYTES("close")) || bytes_eq(row->state, BYTES("whole"))) {
		c.opened = bytes_eq(row->state, BYTES("whole"));
		c.closed = 1;
		if (row->end_us)
			c.last_us = row->end_us;
		c.bytes_in = row->bytes_in;
		c.bytes_out = row->bytes_out;
	} else if (bytes_eq(row->state, BYTES("carried"))) {
		c.carried = 1;
	} else {
		return false;
	}
	*out = c;
	return true;
}
