/* Which sessions are alive, as a board (board/board.h): identity writes, workers read. A session has a slot, and a slot a generation, which grows
 * with each session that it holds; so a worker that remembers slot and generation sees with one load that the session has ended, and never takes
 * another session in the same slot for it. BOARD_SEEN is
 * written by all workers, plain words with relaxed stores: when one last saw a request of the session in a slot; identity reads it. */
#ifndef BOARD_SESSIONS_H
#define BOARD_SESSIONS_H

#include "board/board.h"

#define BOARD_SESSION_SLOTS (1u << 18)

enum board_store { BOARD_STORE_OWN /* of this node */, BOARD_STORE_CONNECTED, BOARD_STORE_LOST /* who is known passes */, BOARD_STORE_CLOSED /* nobody does */ };
struct board_sessions {
	uint64_t epoch;				   /* grows with each session that ends */
	uint32_t state;				   /* 1: identity can answer; 0: it cannot (the store fails, or it starts) */
	/* Of a store that several nodes share: enum board_store, since when, and which of its pool's servers; for `sluis status`. */
	uint32_t store_state, store_server;
	uint64_t store_since_s;
	uint32_t generation[BOARD_SESSION_SLOTS]; /* odd: a session lives there; even: none */
	uint32_t news[BOARD_SESSION_SLOTS];	   /* grows when something else is to be known of it: asked for again, and nothing is cut */
};
struct board_seen {
	uint32_t seen_s[BOARD_SESSION_SLOTS]; /* unix seconds, modulo 2^32; 0: never */
};

static inline bool board_session_lives(const struct board_sessions *b, uint32_t slot, uint32_t generation)
{
	return slot < BOARD_SESSION_SLOTS && (generation & 1) &&
	       __atomic_load_n(&b->generation[slot], __ATOMIC_ACQUIRE) == generation;
}
/* Whether what is known of the session is the latest: read before identity is asked, or told by it with its facts. */
static inline bool board_session_is_news(const struct board_sessions *b, uint32_t slot, uint32_t news)
{
	return slot >= BOARD_SESSION_SLOTS || __atomic_load_n(&b->news[slot], __ATOMIC_ACQUIRE) != news;
}
static inline void board_session_seen(struct board_seen *b, uint32_t slot, uint64_t now_s)
{
	if (slot < BOARD_SESSION_SLOTS && __atomic_load_n(&b->seen_s[slot], __ATOMIC_RELAXED) != (uint32_t)now_s)
		__atomic_store_n(&b->seen_s[slot], (uint32_t)now_s, __ATOMIC_RELAXED);
}

#endif
