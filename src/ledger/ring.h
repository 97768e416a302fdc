/* A ring of records in shared memory between one writer (worker, dialer, prober, master) and the scribe: writing is a copy
 * and one store, no system call; what was written outlives its writer. The scribe trusts nothing that it reads there. */
#ifndef LEDGER_RING_H
#define LEDGER_RING_H

#include "ledger/record.h"

#define LEDGER_RING_BYTES   (4u << 20) /* a power of two */
#define LEDGER_RING_RESERVE 4096u /* of them the writer leaves free: for the master's word that the writer ended */

struct ledger_ring {
	_Alignas(64) uint64_t head; /* the writer's: octets written since the beginning */
	uint64_t lost;		    /* the writer's: records for which there was no room */
	uint64_t id;		    /* the master's: another for each ring, 63 bits */
	_Alignas(64) uint64_t tail; /* the scribe's: octets taken */
	uint64_t lost_told;	    /* the scribe's: of lost, what stands in the ledger; for a scribe that comes after this one */
	_Alignas(64) unsigned char bytes[LEDGER_RING_BYTES];
};

/* For the writer. Without room the record is counted as lost; false says so. ring may be NULL: there is no ledger. */
bool ledger_ring_write(struct ledger_ring *ring, const struct ledger_record *r);
/* For the master, when the writer's process is gone and before another writes here: the record that says so, with its time. It has
 * room in a ring that the writer filled. False: the reserve is used up. */
bool ledger_ring_end(struct ledger_ring *ring, uint64_t real_us);
/* For the master: from now on the scribe finds that the writer's numbers are not possible. */
void ledger_ring_spoil(struct ledger_ring *ring);
/* More than half is unread: what must be recorded should wait. */
bool ledger_ring_is_full(const struct ledger_ring *ring);
/* For the scribe, which keeps tail by itself (the ring's own is told to the writer, and for a scribe that comes after this
 * one): copies what is unread, at most max octets, whole records or not, to out. It is taken with ledger_ring_taken.
 * ERR_SYNTAX: the writer's numbers are not possible. */
enum err ledger_ring_read(const struct ledger_ring *ring, uint64_t tail, unsigned char *out, size_t max, size_t *len) MUST_USE;
void ledger_ring_taken(struct ledger_ring *ring, uint64_t *tail, size_t len);

#endif
