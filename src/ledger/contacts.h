/* Who was connected with what, summed up: one row per client, target and user over a stretch of time. The ledger's
 * segments, the window's answer and what is read from an appliance's logs are sets of such rows. No clock, no file. */
#ifndef LEDGER_CONTACTS_H
#define LEDGER_CONTACTS_H

#include "base/arena.h"

struct contact {
	/* client: an address. target: address:port ("10.0.0.11:8080", "[2001:db8::1]:443"). name: what the configuration
	 * calls the target ("app/web1"), or empty. user: or empty. All live as long as the set. */
	struct bytes client, target, name, user;
	uint64_t first_us, last_us; /* of what is known: the earliest beginning, the latest sign of it; since 1970 */
	uint64_t opened, closed;    /* connections that began, that ended in this stretch */
	uint64_t carried;	    /* that were open at its beginning, where that is recorded (docs/ledger.md) */
	uint64_t bytes_in, bytes_out; /* from the client to the target, and back; of connections that ended */
};

struct contacts;
/* NULL without memory. limit: bytes that all rows and texts may take; beyond it contacts_add says ERR_LIMIT. */
struct contacts *contacts_new(size_t limit);
void contacts_free(struct contacts **s);
/* Forgets all rows, keeps the memory. */
void contacts_reset(struct contacts *s);
/* Adds c to the row with the same client, target and user, or makes one (texts are copied): times widen, numbers add. */
enum err contacts_add(struct contacts *s, const struct contact *c) MUST_USE;
size_t contacts_count(const struct contacts *s);
/* Rows in the order in which they came first; contacts_sort: by client, target, user. */
const struct contact *contacts_at(const struct contacts *s, size_t i);
void contacts_sort(struct contacts *s);

#endif
