/* Connections per client address: an open hash table with one writer and readers who may see it in the middle of a
 * change; a limit over all workers is then off by one for a moment, which is no harm. */
#include "board/board.h"

#define CLIENT_PROBES 128 /* also what a reader walks through a table that lies */

static uint32_t slot_of(uint64_t key)
{
	return (uint32_t)key & (BOARD_CLIENT_SLOTS - 1);
}

static uint32_t count_at(const struct board_client *c)
{
	return __atomic_load_n(&c->count, __ATOMIC_RELAXED);
}

/* The slot that holds key, or the free one where it belongs; BOARD_CLIENT_SLOTS when neither is near. */
static uint32_t find(const struct board_worker *b, uint64_t key)
{
	uint32_t at = slot_of(key);

	for (unsigned n = 0; n < CLIENT_PROBES; n++, at = (at + 1) & (BOARD_CLIENT_SLOTS - 1))
		if (count_at(&b->clients[at]) == 0 || __atomic_load_n(&b->clients[at].key, __ATOMIC_RELAXED) == key)
			return at;
	return BOARD_CLIENT_SLOTS;
}

bool board_client_add(struct board_worker *own, uint64_t key)
{
	uint32_t at = find(own, key);

	if (at == BOARD_CLIENT_SLOTS)
		return false;
	__atomic_store_n(&own->clients[at].key, key, __ATOMIC_RELAXED);
	__atomic_store_n(&own->clients[at].count, own->clients[at].count + 1, __ATOMIC_RELAXED);
	return true;
}

/* Linear probing without tombstones: what follows a hole moves up. */
void board_client_remove(struct board_worker *own, uint64_t key)
{
	uint32_t hole = find(own, key), at;

	CHECK(hole < BOARD_CLIENT_SLOTS && own->clients[hole].count > 0);
	__atomic_store_n(&own->clients[hole].count, own->clients[hole].count - 1, __ATOMIC_RELAXED);
	if (own->clients[hole].count)
		return;
	for (at = (hole + 1) & (BOARD_CLIENT_SLOTS - 1); own->clients[at].count; at = (at + 1) & (BOARD_CLIENT_SLOTS - 1)) {
		uint32_t home = slot_of(own->clients[at].key);
		if (((at - home) & (BOARD_CLIENT_SLOTS - 1)) < ((at - hole) & (BOARD_CLIENT_SLOTS - 1)))
			continue; /* its home lies behind the hole */
		__atomic_store_n(&own->clients[hole].key, own->clients[at].key, __ATOMIC_RELAXED);
		__atomic_store_n(&own->clients[hole].count, own->clients[at].count, __ATOMIC_RELAXED);
		__atomic_store_n(&own->clients[at].count, 0, __ATOMIC_RELAXED);
		hole = at;
	}
}

uint32_t board_client_count(const struct board_worker *b, uint64_t key)
{
	uint32_t at = find(b, key);

	return at == BOARD_CLIENT_SLOTS ? 0 : count_at(&b->clients[at]);
}
