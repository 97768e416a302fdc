/* Choice of a server: algorithms, weights, slow start, stickiness, ejection, retry budget. An engine: it is
 * told the time, the servers' states and a random number, and answers with an index. */
#ifndef BALANCE_BALANCE_H
#define BALANCE_BALANCE_H

#include "base/arena.h"

/* What the caller knows of a server now; filled from boards before a choice. */
struct balance_server {
	uint16_t weight;	 /* 0: never, except by stickiness */
	bool is_backup, is_up, is_draining, is_ejected; /* draining: only sticky requests */
	uint32_t active, max_active; /* over all workers; max 0: none */
	uint32_t latency_us;
	uint64_t up_since_ms;
	int32_t current; /* round robin's own state, kept between calls */
};
enum balance_algorithm { BAL_ROUND_ROBIN, BAL_LEAST_REQUESTS, BAL_TWO_CHOICES, BAL_HASH };

struct balance_pool {
	enum balance_algorithm algorithm;
	struct balance_server *servers;
	size_t count;
	uint32_t slow_start_ms;
	uint32_t eject_max_percent; /* at least one stays in, whatever this says */
	struct balance_ring *ring;  /* consistent hash; made by balance_pool_init */
};

#define BALANCE_NONE SIZE_MAX
/* names: per server, for the hash ring. ERR_MEMORY. */
enum err balance_pool_init(struct balance_pool *p, struct arena *a, const struct bytes *names) MUST_USE;
struct balance_choice {
	uint64_t now_ms, random, hash; /* hash: of the key, for BAL_HASH */
	size_t sticky;	 /* index the cookie names, or BALANCE_NONE */
	const bool *tried; /* per server, or NULL: do not choose these again */
};
/* An index, or BALANCE_NONE: *is_full tells whether servers are up but at their connection limit (then queue),
 * else none is available (503). Ejected servers count as out only while the floor holds; backups only when no
 * other is left. */
size_t balance_choose(struct balance_pool *p, const struct balance_choice *c, bool *is_full);

/* Retry budget: at most percent of requests (plus a small reserve) may be retries; a token bucket. */
struct retry_budget {
	uint32_t percent;
	int64_t tokens; /* thousandths */
};
void retry_budget_request(struct retry_budget *b);
bool retry_budget_take(struct retry_budget *b) MUST_USE;
/* Exponential moving average with a quarter's weight for the new value. */
uint32_t latency_average(uint32_t old_us, uint32_t new_us);

/* Health by checks in a row. Returns true when the state changed. */
struct health {
	uint32_t rise, fall, run;
	bool is_up, is_known;
};
bool health_note(struct health *h, bool passed);

#endif
