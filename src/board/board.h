/* Boards: shared memory with one writer each. A worker writes its counters on its own board; the prober
 * writes health; the master writes what administrators said. Readers may lag and never block. Plain
 * aligned words, relaxed atomics. Nothing in them is a secret, and no reader trusts a value to be in range. */
#ifndef BOARD_BOARD_H
#define BOARD_BOARD_H

#include "base/bytes.h"

#define BOARD_SERVERS_MAX 4096
#define BOARD_WORKERS_MAX 64

enum board_kind { BOARD_MASTER, BOARD_HEALTH, BOARD_WORKER, BOARD_LIMITS, BOARD_LEDGER, BOARD_RING, BOARD_ISOLATION, BOARD_REQUESTS,
	BOARD_SESSIONS, BOARD_SEEN };

/* Counters of a worker; the metric's name, type and help for docs and /metrics are in metrics.tbl. */
enum metric {
#define METRIC(sym, name, type, labels, help) sym,
#include "board/metrics.tbl"
#undef METRIC
	METRIC_COUNT
};

struct board_worker_server { /* one row per configured server */
	uint32_t active;	 /* requests under way */
	uint32_t connections;	 /* open, used or kept */
	uint32_t failures_in_row;
	uint32_t latency_us;	 /* moving average of time to first byte */
	uint64_t ejected_until_ms; /* CLOCK_MONOTONIC */
	uint64_t requests, failures, bytes_in, bytes_out;
	uint64_t status[6]; /* [1] for 1xx ... [5]; [0] none */
};
/* Client addresses and how many connections each has with this worker. Other workers read it to hold a limit over
 * all. As long as at most half of the slots are taken, chains are short; a client beyond that is not limited. */
#define BOARD_CLIENT_SLOTS (1u << 17)
struct board_client {
	uint64_t key;
	uint32_t count; /* 0: a free slot */
};
struct board_worker {
	uint64_t counters[METRIC_COUNT];
	uint64_t latency_buckets[16]; /* 1 ms * 2^i; the last is +Inf */
	uint64_t isolation_epoch;     /* of the list that this worker obeys, and has cut by */
	struct board_worker_server servers[BOARD_SERVERS_MAX];
	struct board_client clients[BOARD_CLIENT_SLOTS];
};
/* A short text. A reader that meets its writer at work tries again, and gets an empty text from one that died there. */
#define BOARD_TEXT_MAX 96
struct board_text {
	uint32_t turn, len; /* turn is odd while it is being written */
	uint64_t words[BOARD_TEXT_MAX / 8];
};
enum board_health { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };
struct board_health_server {
	uint32_t state;	       /* enum board_health */
	struct board_text why; /* the last check failed; empty: it passed */
	uint64_t since_ms;     /* CLOCK_MONOTONIC; slow start counts from here */
	uint64_t checks, failed;
};
struct board_health_board {
	struct board_health_server servers[BOARD_SERVERS_MAX];
};
enum board_admin { ADMIN_ENABLED, ADMIN_DRAIN, ADMIN_DISABLED };
struct board_master {
	uint64_t base[METRIC_COUNT]; /* counters of workers that have ended */
	uint32_t generation, old_generations;
	uint64_t reloads, reload_failures, child_restarts, config_time_us;
	uint32_t admin[BOARD_SERVERS_MAX]; /* enum board_admin */
};
/* Shared by all workers of all generations, written with compare-and-swap: rate limits (GCRA: a key and its
 * theoretical arrival time). A full set evicts its oldest. */
#define BOARD_LIMIT_SLOTS 65536
#define BOARD_LIMIT_WAYS  8
struct board_limits {
	unsigned char hash_key[16]; /* random, set before any worker runs: for keys that strangers choose, the same in all */
	struct {
		uint64_t key, arrival_us;
	} rate[BOARD_LIMIT_SLOTS];
};

/* How the ledger fares; the scribe writes it, workers, the dialer and the master read. It outlives generations. */
enum board_ledger_state { LEDGER_STARTS, LEDGER_WRITES, LEDGER_FAILS };
struct board_ledger {
	uint32_t state; /* enum board_ledger_state */
	struct board_text why; /* it fails */
	uint64_t batch, records, lost, written_us; /* newest batch; records on disk and lost since the start; when, since 1970 */
	uint64_t size, unread; /* octets of the day files; of the fullest ring, as the scribe last saw it */
};
/* BOARD_RING is a struct ledger_ring (ledger/ring.h): from one process to the scribe. BOARD_REQUESTS is a struct requests_ring
 * (board/requests.h): from a worker to the watcher, which both write. BOARD_SESSIONS and BOARD_SEEN: board/sessions.h. */

size_t board_size(enum board_kind k);
/* Creates (master) and maps; a reader's map is read-only. */
enum err board_create(enum board_kind k, int *fd) MUST_USE;
enum err board_map(enum board_kind k, int fd, bool writable, void **out) MUST_USE;
void board_text_write(struct board_text *t, struct bytes b); /* what is too long is cut */
/* Ends with NUL; what is not printable ASCII is '?', for the writer may be captured. */
void board_text_read(const struct board_text *t, char out[BOARD_TEXT_MAX + 1]);
/* Takes one token of the bucket named by key. True: allowed. */
bool board_rate_allow(struct board_limits *l, uint64_t key, uint32_t rate, uint32_t per_ms, uint32_t burst,
	uint64_t now_us);

/* One more connection of the client named by key. False: the table has no room for it, it is not counted. */
bool board_client_add(struct board_worker *own, uint64_t key);
/* One less of a client that board_client_add counted. */
void board_client_remove(struct board_worker *own, uint64_t key);
/* How many connections a worker (not ours to trust) says the client has. */
uint32_t board_client_count(const struct board_worker *b, uint64_t key);

static inline void board_add(uint64_t *c, uint64_t n)
{
	__atomic_store_n(c, __atomic_load_n(c, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED); /* one writer */
}

#endif
