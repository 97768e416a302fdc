/* custody.jsonl: who had the evidence, when and why. One JSON object a line; each holds the SHA-256 of the line before and
 * of the archive up to the first custody member, and is signed, so that no line can be changed, taken out or put in
 * between. Only that the last lines were cut off does not show from the log alone. */
#ifndef EVIDENCE_CUSTODY_H
#define EVIDENCE_CUSTODY_H

#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#define CUSTODY_NAME	  "custody.jsonl"
#define CUSTODY_MAX	  (1u << 20) /* of a whole log */
#define CUSTODY_LINE_MAX  8192
#define CUSTODY_FIELD_MAX 1000 /* of by, host, to, reason, in octets */

struct custody_entry {
	uint64_t n;
	/* action: "collected", "verified", "handed_over", "received" */
	struct bytes time, action, by, host, to, reason;
	unsigned char archive[SHA256_LEN], prev[SHA256_LEN];
	bool is_signed;
	unsigned char signer[ED25519_PUBLIC_LEN]; /* when is_signed */
};

/* Appends a line to log, which holds the lines before it: n and prev come from there, not from e. key may be NULL: the
 * line is not signed. ERR_LIMIT: a field or the log is too long; ERR_SYNTAX: log is not a log. */
enum err custody_add(struct text *log, const struct custody_entry *e, const struct ed25519_key *key) MUST_USE;

enum custody_fault { CUSTODY_OK, CUSTODY_NOT_A_LINE, CUSTODY_NUMBER, CUSTODY_PREV, CUSTODY_ARCHIVE, CUSTODY_SIGNATURE };
/* Reads a log and calls each for every line that is right (its views hold during the call). What is wrong with the first
 * line that is not, and its number from 1 in *line. archive: what each line must say. */
enum custody_fault custody_check(struct bytes log, const unsigned char archive[SHA256_LEN],
	void (*each)(void *ctx, const struct custody_entry *e), void *ctx, uint64_t *line);

#endif
