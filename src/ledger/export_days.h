/* The records of a folder of day files as lines (ledger/export.h), in order. The files may come from anybody, may be damaged, and may
 * grow meanwhile: what cannot be read is told and the rest exported. Memory does not grow with the files. */
#ifndef LEDGER_EXPORT_DAYS_H
#define LEDGER_EXPORT_DAYS_H

#include "ledger/days.h"
#include "ledger/record.h"

struct ledger_export {
	uint64_t from_us, to_us; /* of records that are wanted, both included; 0 and UINT64_MAX: all */
	unsigned kinds;		 /* 1u << enum ledger_kind; 0: all */
	uint64_t now_us;	 /* days after it are not missed */
};

enum ledger_export_fault {
	EXPORT_FILE,	/* it is no ledger, or cannot be opened: nothing of it was exported. what: why */
	EXPORT_REST,	/* from record first on nothing of the file could be read. what: why */
	EXPORT_UNREAD,	/* records first to last are damaged and were not exported */
	EXPORT_MISSING, /* records first to last are not there */
	EXPORT_CHANGED, /* record first was exported and is not what was written. what: the columns that tell */
};
struct ledger_export_finding {
	enum ledger_export_fault fault;
	const char *file;
	uint64_t first, last;
	const char *what; /* in English, or "" */
};

struct ledger_export_report {
	uint64_t files, records, lost, findings; /* lost: records that the ledger itself says it lost, in the time asked for */
	char first[LEDGER_DAY_LEN + 1], last[LEDGER_DAY_LEN + 1]; /* days of the files that records came from; empty: none */
};

struct ledger_export_hears {
	enum err (*on_lines)(void *ctx, struct bytes lines); /* whole lines; not OK ends all */
	void (*on_finding)(void *ctx, const struct ledger_export_finding *f); /* the first 1000; the rest is counted */
	void (*on_missing)(void *ctx, const char *first_day, const char *last_day); /* days without a file */
	void *ctx;
};

/* OK: all was looked at; report->findings says with what result. ERR_NOT_FOUND: there is no ledger; ERR_DENIED: no permission.
 * Otherwise what on_lines said. No transaction is open while on_lines runs: whoever is slow holds up no writer. */
enum err ledger_export(const char *dir, const struct ledger_export *want, const struct ledger_export_hears *hears,
	struct ledger_export_report *report) MUST_USE;

#endif
