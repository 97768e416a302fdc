/* What is hashed and signed in the ledger, as docs/ledger.md defines it: canonical lines of records, the text of a batch,
 * the texts of signatures, the head. Shared by who writes (store), who signs (the keeper) and who checks (verify). */
#ifndef LEDGER_CHAIN_H
#define LEDGER_CHAIN_H

#include "base/text.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#define LEDGER_DAY_LEN	10 /* "2026-11-24" */
#define LEDGER_HEAD_LEN 256 /* octets of the head file, always the same */

struct ledger_head { /* the newest batch that is on disk; batch 0 and zeros: there is none yet */
	uint64_t batch;
	unsigned char hash[SHA256_LEN];
};

/* The pieces of a canonical line: literals as SQLite's quote() writes them, | between, a line feed at the end. */
void chain_put_null(struct text *t);
void chain_put_int(struct text *t, int64_t n);
void chain_put_text(struct text *t, struct bytes b);

/* Of a record's line: helps to name the record that was changed. Not secret and not signed. 63 bits. */
uint64_t chain_mark(struct bytes line);

/* The hash of a batch over its text. */
void chain_batch_hash(uint64_t batch, uint64_t first, uint64_t last, uint64_t at_us, const unsigned char prev[SHA256_LEN],
	const unsigned char records[SHA256_LEN], unsigned char out[SHA256_LEN]);
/* The texts that are signed. */
void chain_batch_text(struct text *t, uint64_t batch, const unsigned char prev[SHA256_LEN], const unsigned char hash[SHA256_LEN]);
void chain_day_text(struct text *t, struct bytes day, uint64_t batch, const unsigned char hash[SHA256_LEN]);
void chain_head_text(struct text *t, const struct ledger_head *h);
#define CHAIN_TEXT_MAX 256

/* The head file: its text, the signature in hexadecimal, a line feed, spaces to LEDGER_HEAD_LEN. */
enum err chain_head_write(const struct ledger_head *h, const struct ed25519_key *key, struct text *out) MUST_USE;
/* ERR_SYNTAX: not a head. ERR_DENIED: the signature is not public_key's. An empty file is no head: ERR_NOT_FOUND. */
enum err chain_head_read(struct bytes file, const unsigned char public_key[ED25519_PUBLIC_LEN], struct ledger_head *out) MUST_USE;

/* The UTC day of a time, as 10 octets and a NUL. */
void chain_day(uint64_t real_us, char out[LEDGER_DAY_LEN + 1]);
/* "2026-11-24" as the microseconds of its beginning. */
enum err chain_day_parse(struct bytes day, uint64_t *out) MUST_USE;

#endif
