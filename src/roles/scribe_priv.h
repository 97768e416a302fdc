/* The scribe's parts: what it hears and gathers (scribe.c), and how a batch comes on the disk (scribe_batch.c). One thread. */
#ifndef ROLES_SCRIBE_PRIV_H
#define ROLES_SCRIBE_PRIV_H

#include "base/arena.h"
#include "board/board.h"
#include "ledger/days.h"
#include "ledger/live.h"
#include "ledger/ring.h"
#include "ledger/store.h"
#include "roles/role.h"

#define PROCESS_MAX 40
#define REMOVALS_MAX 64

/* The scribe's end of a writer's ring. */
struct tap {
	struct tap *next;
	struct ledger_ring *ring;
	uint64_t tail; /* read so far; the ring is told when it is on disk */
	uint64_t id, owner, lost_told; /* id: of the ring */
	enum role_id role;
	uint16_t index;
	uint32_t generation;
	char process[PROCESS_MAX]; /* "worker/0/3" */
	bool is_dead;  /* its process is gone, what it wrote is still to be read */
	bool is_ended; /* all of it was read; the tap goes with the batch */
	struct bytes chunk; /* copied, not yet parsed */
	uint64_t head;	    /* of the ring, when the chunk was copied */
};

/* A record that waits for the batch. */
struct item {
	const char *process;
	uint64_t at_us;
	struct ledger_record r; /* texts in scribe.texts */
	struct bytes attachment;
	bool is_whole; /* its close came before it was written */
};

enum scribe_state {
	SCRIBE_IDLE,
	SCRIBE_ASKING,	/* the keeper, for its head */
	SCRIBE_SIGNING, /* a transaction is open; its signature is asked for */
	SCRIBE_SEALING, /* the day's signature is asked for */
};

/* A configuration that came into use. */
struct config_news {
	uint32_t generation, uid;
	char why[48];
	struct bytes bundle; /* mapped */
};

struct scribe {
	struct role_run *run;
	struct timer poll, patience;
	enum scribe_state state;
	struct channel *keeper, *asked; /* the newest generation's; the one whose head we know */
	bool is_stopped; /* the ledger cannot be continued; said once */
	uint64_t run_id;
	struct board_ledger *board;
	struct tap *taps;
	struct ledger_live *live;
	struct config_news news[8];
	size_t news_count;
	struct arena texts;
	struct item *items;
	size_t item_count, item_cap;
	uint64_t serial; /* of the batch that is being gathered: slots of live are serial << 24 | index + 1 */
	struct ledger_store *store;
	char day[LEDGER_DAY_LEN + 1]; /* of store */
	struct ledger_head head;
	uint64_t seq; /* newest record */
	uint64_t at_us, failing_since_us;
	uint64_t ended_us; /* when the process ended whose connections are being closed */
	unsigned char public_key[ED25519_PUBLIC_LEN];
	bool has_conf, is_retention_due, has_looked, wants_flush, has_all, said_end, is_failing;
	uint32_t keep_days;
	uint64_t keep_bytes;
	char removals[REMOVALS_MAX][LEDGER_FILE_MAX]; /* files whose removal is part of the batch */
	size_t removal_count;
	uint64_t older_size; /* octets of the day files but the one that is written */
};

/* scribe.c */
/* A record of the scribe's own: texts are copied. */
void scribe_note(struct scribe *s, const struct ledger_record *r);
void scribe_note_text(struct scribe *s, const char *outcome, const char *fmt, ...) PRINTF(3, 4);
/* Room for one more item, with process and time set. */
struct item *scribe_item(struct scribe *s, const char *process);
void scribe_copy_texts(struct scribe *s, struct ledger_record *r);
/* Everything that the writers have written until now joins the batch. Only after the files were looked at. */
void scribe_gather(struct scribe *s);
/* Takes the time: the ledger's never goes backwards. */
void scribe_tick(struct scribe *s);
/* The batch is on disk: forget it, tell the rings. */
void scribe_batch_done(struct scribe *s);

uint64_t scribe_owner(enum role_id role, uint32_t generation, uint16_t index);
struct tap *scribe_find_tap(struct scribe *s, uint64_t owner);
/* For ledger_live_each, ctx is the scribe: the process of this connection is gone. */
bool scribe_close_orphan(void *ctx, const struct ledger_record *r, uint64_t owner, uint64_t slot);

/* scribe_batch.c */
void scribe_advance(struct scribe *s); /* takes the batch one step on, as far as it can go now */
void scribe_flushed(struct scribe *s); /* tells the master that no more will be written, and ends */
void scribe_keeper_lost(struct scribe *s);
enum err scribe_on_head_is(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err scribe_on_signed(struct role_run *run, struct channel *from, struct ipc_msg *m);
enum err scribe_on_day_signed(struct role_run *run, struct channel *from, struct ipc_msg *m);

#endif
