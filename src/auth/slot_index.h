/* A table from 64 bits that nobody outside chose (a piece of a hash, a random id) to a slot: open addressing, made once for as many as there may be,
 * so that nothing in it can fail. Two slots may stand under the same bits: whoever looks says which one is meant. */
#ifndef AUTH_SLOT_INDEX_H
#define AUTH_SLOT_INDEX_H

#include "base/err.h"

#define SLOT_INDEX_NONE UINT32_MAX

struct slot_entry {
	uint32_t bits, slot; /* slot + 1; 0: free */
};
struct slot_index {
	struct slot_entry *at;
	uint32_t mask;
};

/* For at most `most` slots (1 to 2^30): at most half of it is ever taken. */
enum err slot_index_init(struct slot_index *x, uint32_t most) MUST_USE;
void slot_index_fini(struct slot_index *x);
void slot_index_put(struct slot_index *x, uint64_t key, uint32_t slot);
/* It must be there (CHECK). */
void slot_index_take(struct slot_index *x, uint64_t key, uint32_t slot);
/* The first slot under these bits for which is says yes, or SLOT_INDEX_NONE. */
uint32_t slot_index_find(const struct slot_index *x, uint64_t key, bool (*is)(void *ctx, uint32_t slot), void *ctx);

#endif
