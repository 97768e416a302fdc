/* Memory with one lifetime. A fixed arena takes from memory that its caller gave; a growing arena takes
 * blocks from the system up to a limit and is for start-up, snapshots and cli, not for the data path. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"

#define ARENA_ALIGN 16

struct arena_block;
struct arena {
	unsigned char *next, *end, *start;
	struct arena_block *blocks; /* growing arenas only */
	size_t left;		    /* how much a growing arena may still take from the system */
};

/* A fixed arena over mem, which the caller keeps until it no longer uses the arena. */
void arena_init(struct arena *a, void *mem, size_t size);
/* A growing arena: at most limit bytes in all. arena_fini gives all of it back. */
void arena_init_growing(struct arena *a, size_t limit);
void arena_fini(struct arena *a);
/* Forgets all that was taken from a fixed arena; the memory stays. */
void arena_reset(struct arena *a);
/* Returns n zeroed bytes that live as long as the arena, or NULL when its limit is reached. */
void *arena_alloc(struct arena *a, size_t n) MUST_USE;
/* The same without zeroing. */
void *arena_alloc_raw(struct arena *a, size_t n) MUST_USE;
/* n objects of size each; NULL on overflow or when the limit is reached. */
void *arena_array(struct arena *a, size_t n, size_t size) MUST_USE;
/* A copy of in, with a NUL behind it that is not counted; .at is NULL when the limit is reached. */
struct bytes arena_copy(struct arena *a, struct bytes in) MUST_USE;

#endif
