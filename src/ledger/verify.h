/* Whether a ledger is what was written: every record, batch, signature, day, sum and attachment of a folder (docs/ledger.md). Reads
 * only; the files may come from anybody. */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include "ledger/chain.h"

enum ledger_fault {
	FAULT_FILE,	  /* is no ledger, or SQLite cannot read it */
	FAULT_RECORD_CHANGED,
	FAULT_RECORD_MISSING,
	FAULT_RECORD_INSERTED,
	FAULT_BATCH_MISSING,
	FAULT_BATCH_CHANGED,
	FAULT_SIGNATURE,
	FAULT_DAY_MISSING,
	FAULT_SEAL,
	FAULT_SUMS,	  /* what the window answers from does not follow from the records */
	FAULT_ATTACHMENT,
	FAULT_TAIL,	  /* cut off: the keeper's head is newer than the files */
	FAULT_HEAD,
	FAULT_GAP,	  /* the ledger itself recorded that it had lost something */
};
const char *ledger_fault_name(enum ledger_fault f);

struct ledger_finding {
	enum ledger_fault fault;
	const char *file; /* its name, or "" */
	uint64_t batch, seq; /* 0: not said */
	const char *what; /* in English, with numbers */
};
struct ledger_report {
	uint64_t files, batches, records, lost; /* lost: recorded by the ledger itself */
	uint64_t first_us, last_us, first_seq, last_seq;
	uint64_t findings;
	struct ledger_head last; /* the newest batch in the files */
	char public_key[2 * ED25519_PUBLIC_LEN + 1], fingerprint[ED25519_PRINT_MAX]; /* the key that all was held against */
};

/* key: 32 octets that are trusted, or NULL: the folder's ledger.pub, which says less (who can change all files can change
 * that too). ledger.head is read if it is there. on_finding is called for each, in order; the first names the first. OK:
 * all was looked at (report->findings says with what result). ERR_NOT_FOUND: no ledger there; ERR_DENIED: no permission or no key. */
enum err ledger_verify(const char *dir, const unsigned char *key, void (*on_finding)(void *ctx, const struct ledger_finding *f), void *ctx,
	struct ledger_report *report) MUST_USE;

#endif
