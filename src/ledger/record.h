/* One record of the ledger, and its form between processes: a length, then the fields that are there. A parser takes
 * what a captured process may have sent and gives a record whose texts are clean. */
#ifndef LEDGER_RECORD_H
#define LEDGER_RECORD_H

#include "base/reader.h"
#include "base/text.h"
#include "net/addr.h"

#define LEDGER_TEXT_MAX	  255
#define LEDGER_DETAIL_MAX 2048
#define LEDGER_WIRE_MAX	  4000 /* of one record, its length included */

enum ledger_kind {
#define KIND(sym, name, doc) sym,
#include "ledger/kinds.tbl"
#undef KIND
	LEDGER_KIND_COUNT
};
enum ledger_state { LEDGER_NONE, LEDGER_OPEN, LEDGER_CLOSE, LEDGER_WHOLE, LEDGER_CARRIED, LEDGER_STATE_COUNT };

const char *ledger_kind_name(enum ledger_kind k);
const char *ledger_state_name(enum ledger_state s); /* "" for LEDGER_NONE */

struct ledger_record {
	enum ledger_kind kind;
	enum ledger_state state;
	uint64_t conn;		    /* 0: none */
	uint64_t start_us, end_us;  /* since 1970; 0: not said */
	struct addr client, target; /* port 0 and address ::  (all zero): none */
	uint16_t owner;		    /* of an out: index of the worker that it was made for */
	struct bytes listener, session, user, name, outcome, detail;
	bool has_counts;
	uint64_t requests, bytes_in, bytes_out;
};

/* Appends r. Texts that are too long are cut. */
void ledger_record_put(struct text *t, const struct ledger_record *r);
/* Takes the next record from r; its texts are views. ERR_SYNTAX: not a record; the rest is not to be read. */
enum err ledger_record_take(struct reader *r, struct ledger_record *out) MUST_USE;
/* Appends what is printable UTF-8 of in; anything else becomes '?'. What a text in the ledger may be. */
void ledger_text_clean(struct text *t, struct bytes in);

static inline bool ledger_has_address(const struct addr *a)
{
	static const unsigned char none[16];

	return a->port != 0 || memcmp(a->ip, none, sizeof(none)) != 0;
}

#endif
