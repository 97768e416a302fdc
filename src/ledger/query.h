/* The window's question, asked of a folder of day files: which clients and targets were connected between two moments, when first and
 * last, how often, how many bytes. Whole segments are answered from their sums, the two at the edges and the newest from records. */
#ifndef LEDGER_QUERY_H
#define LEDGER_QUERY_H

#include "ledger/contacts.h"
#include "net/addr.h"

enum ledger_with {
	WITH_ALL, WITH_ADDRESS, WITH_CLIENT, WITH_TARGET, WITH_NAME, WITH_USER,
	WITH_NETWORK, WITH_CLIENT_NETWORK, WITH_TARGET_NETWORK, /* by network, not by value */
};
struct ledger_filter {
	enum ledger_with with;
	/* An address ("10.0.0.11", client or target with any port), address:port (targets), POOL or POOL/SERVER, a user. */
	struct bytes value;
	struct addr_prefix network;
};
/* Whether a client or target ("10.0.0.11", "10.0.0.11:8080") is in the network that is asked for, on the side that is. False
 * without a network. */
bool ledger_is_in_network(const struct ledger_filter *f, struct bytes client, struct bytes target);

/* What a row of the answer is, beside its struct contact: contact.opened is how many connections there were in the window, those
 * included that were open at its beginning; bytes are of connections that ended in it. */
struct ledger_span {
	bool was_open;	/* at the beginning: first_us is the window's */
	bool is_open;	/* at the end, as far as it is recorded */
};

struct ledger_answer {
	struct contacts *rows;	   /* sorted; the caller's to free */
	struct ledger_span *spans; /* of each row; free() */
	uint64_t lost;		   /* records that are known to be missing in the window */
	uint64_t newest_us;	   /* of the files that were read */
	unsigned files;
	char missing[512]; /* days of the window of which there is no file, "2026-11-14, 2026-11-20 .. 2026-11-22"; a day without any record has none */
};

/* What was not a connection, but a sign-in, its end, a revocation, a refused request or an isolation; texts hold during the call. */
struct ledger_event {
	uint64_t seq, at_us;
	struct bytes kind, user, client, session, name, outcome, detail;
};
struct ledger_hears {
	void (*on_event)(void *arg, const struct ledger_event *e); /* in order of time */
	void *arg;
};

/* ERR_NOT_FOUND: there is no ledger. ERR_LIMIT: more rows than memory (1 GB). ERR_SYNTAX: a file is no ledger; its name is in missing.
 * hears may be NULL; it hears only of whom the filter names (ledger/events.h), and nothing with WITH_ALL. */
enum err ledger_query(const char *dir, uint64_t from_us, uint64_t to_us, const struct ledger_filter *filter, const struct ledger_hears *hears,
	struct ledger_answer *out) MUST_USE;
void ledger_answer_fini(struct ledger_answer *a);

#endif
