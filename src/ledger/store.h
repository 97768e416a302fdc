/* One day's file of the ledger, for its one writer. A batch is a transaction: begun, filled, hashed, signed by whoever holds the
 * key, committed; or taken back whole. Files are SQLite's, in WAL mode until they are sealed. No clock inside. */
#ifndef LEDGER_STORE_H
#define LEDGER_STORE_H

#include "ledger/chain.h"
#include "ledger/record.h"

#define LEDGER_SEGMENT_RECORDS 65536

struct ledger_store;

/* Opens or makes the file, which begins after head (of the whole ledger) at seq first. *why: SQLite's words when it
 * fails. ERR_SYNTAX: the file is not a ledger. ERR_IO: the disk. */
enum err ledger_store_open(const char *path, struct bytes day, const unsigned char public_key[ED25519_PUBLIC_LEN],
	struct ledger_store **out, const char **why) MUST_USE;
/* Of a file that is there, for ledger_store_states and ledger_store_position alone: it is not changed. */
enum err ledger_store_read(const char *path, struct ledger_store **out) MUST_USE;
/* Closes; what is not committed is gone. */
void ledger_store_close(struct ledger_store **s);
/* Of a file that is not open. One whose making was cut off has no batch. */
struct ledger_last {
	struct ledger_head head; /* the newest batch; batch 0: it has none */
	uint64_t seq, at_us;	 /* the newest record, and when it was recorded */
	bool is_sealed;
};
enum err ledger_store_peek(const char *path, struct ledger_last *out) MUST_USE;

/* The file's newest batch (batch 0: it has none) and newest record (0: none). */
void ledger_store_last(const struct ledger_store *s, struct ledger_head *head, uint64_t *seq);
bool ledger_store_is_sealed(const struct ledger_store *s);

/* seq: of the first record. When it or anything up to the commit fails, ledger_store_rollback is to be called; a commit does it. */
enum err ledger_store_begin(struct ledger_store *s, uint64_t batch, uint64_t seq) MUST_USE;
enum err ledger_store_add(struct ledger_store *s, uint64_t at_us, struct bytes process, const struct ledger_record *r) MUST_USE;
/* Keeps content under its SHA-256, which goes into hex as 64 digits. */
enum err ledger_store_attach(struct ledger_store *s, struct bytes content, char hex[2 * SHA256_LEN + 1]) MUST_USE;
/* How far a writer's ring was taken with this batch: a scribe that is started again goes on there. Not evidence. */
enum err ledger_store_position_set(struct ledger_store *s, struct bytes process, uint64_t ring, uint64_t taken) MUST_USE;
enum err ledger_store_position(struct ledger_store *s, struct bytes process, uint64_t ring, uint64_t *taken) MUST_USE;
/* The batch is full: its hash. */
void ledger_store_digest(struct ledger_store *s, const unsigned char prev[SHA256_LEN], uint64_t at_us, unsigned char hash[SHA256_LEN]);
enum err ledger_store_commit(struct ledger_store *s, const unsigned char signature[ED25519_SIGNATURE_LEN]) MUST_USE;
void ledger_store_rollback(struct ledger_store *s);
/* The day is over: no batch comes any more. The file becomes one without companions. */
enum err ledger_store_seal(struct ledger_store *s, const struct ledger_head *head, const unsigned char signature[ED25519_SIGNATURE_LEN]) MUST_USE;
const char *ledger_store_error(const struct ledger_store *s);

/* Calls fn for each batch after `after`, in order, until it says other than OK. */
enum err ledger_store_batches(struct ledger_store *s, uint64_t after,
	enum err (*fn)(void *ctx, uint64_t batch, const unsigned char prev[SHA256_LEN], const unsigned char hash[SHA256_LEN],
		const unsigned char signature[ED25519_SIGNATURE_LEN]), void *ctx) MUST_USE;
/* Calls fn for each record with a state (in, use, out), in order. Texts live until the next call. */
enum err ledger_store_states(struct ledger_store *s, void (*fn)(void *ctx, const struct ledger_record *r, struct bytes process), void *ctx) MUST_USE;

#endif
