/* Linear probing. Taking one out moves those behind it up, so that there are no graves and a search ends at the first free place. */
#include "auth/slot_index.h"

#include <stdlib.h>

enum err slot_index_init(struct slot_index *x, uint32_t most)
{
	uint32_t size = 16;

	CHECK(most > 0 && most <= 1u << 30);
	while (size / 2 < most)
		size *= 2;
	x->at = calloc(size, sizeof(*x->at)); /* pages that are not touched cost nothing */
	x->mask = size - 1;
	return x->at ? OK : ERR_MEMORY;
}

void slot_index_fini(struct slot_index *x)
{
	free(x->at);
	x->at = NULL;
}

static uint32_t bits_of(uint64_t key)
{
	return (uint32_t)(key ^ key >> 32);
}

void slot_index_put(struct slot_index *x, uint64_t key, uint32_t slot)
{
	uint32_t i = bits_of(key) & x->mask;

	while (x->at[i].slot)
		i = (i + 1) & x->mask;
	x->at[i] = (struct slot_entry){ bits_of(key), slot + 1 };
}

void slot_index_take(struct slot_index *x, uint64_t key, uint32_t slot)
{
	uint32_t hole = bits_of(key) & x->mask;

	while (x->at[hole].slot != slot + 1) {
		CHECK(x->at[hole].slot);
		hole = (hole + 1) & x->mask;
	}
	for (uint32_t i = (hole + 1) & x->mask; x->at[i].slot; i = (i + 1) & x->mask) {
		uint32_t home = x->at[i].bits & x->mask;

		if (((i - home) & x->mask) < ((i - hole) & x->mask))
			continue; /* it stands between the hole and its home: moving it would put it before its home */
		x->at[hole] = x->at[i];
		hole = i;
	}
	x->at[hole] = (struct slot_entry){ 0 };
}

uint32_t slot_index_find(const struct slot_index *x, uint64_t key, bool (*is)(void *ctx, uint32_t slot), void *ctx)
{
	uint32_t bits = bits_of(key);

	for (uint32_t i = bits & x->mask; x->at[i].slot; i = (i + 1) & x->mask)
		if (x->at[i].bits == bits && is(ctx, x->at[i].slot - 1))
			return x->at[i].slot - 1;
	return SLOT_INDEX_NONE;
}
