/* The connections that are open as far as the ledger knows: so that a close finds its open, a process that dies has its connections
 * closed, and each day's file repeats what began before it. */
#ifndef LEDGER_LIVE_H
#define LEDGER_LIVE_H

#include "ledger/record.h"

#define LEDGER_LIVE_MAX 2000000

struct ledger_live;
/* An owner is the process that will tell the end of a connection, as a number of the caller's. */
#define LEDGER_NOBODY UINT64_C(0)

/* most: how many may be open at a time (LEDGER_LIVE_MAX). */
struct ledger_live *ledger_live_new(size_t most);
void ledger_live_free(struct ledger_live **l);
size_t ledger_live_count(const struct ledger_live *l);

/* r opens. slot: the caller's own (where the open record waits), given back by close. ERR_ORDER: it is open already.
 * When `most` are open, the owner that has more than any other loses its newest for it: who floods the table harms itself alone.
 * ERR_LIMIT: that is this one. What was forgotten stays open for the ledger; its close is unknown here. */
enum err ledger_live_open(struct ledger_live *l, uint64_t owner, const struct ledger_record *r, uint64_t slot) MUST_USE;
/* r closes: *slot and *start_us are the open's. ERR_DENIED: it is another's (owner LEDGER_NOBODY: any). ERR_NOT_FOUND: it is not known. */
enum err ledger_live_close(struct ledger_live *l, uint64_t owner, const struct ledger_record *r, uint64_t *slot, uint64_t *start_us) MUST_USE;
/* Calls fn for each that is open (owner 0: all), an owner's newest first; fn opens and closes none itself, and answers true to have it taken out. r's texts live during the call. */
void ledger_live_each(struct ledger_live *l, uint64_t owner, bool (*fn)(void *ctx, const struct ledger_record *r, uint64_t of, uint64_t slot), void *ctx);

#endif
