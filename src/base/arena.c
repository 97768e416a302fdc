/* Bump allocation. All arithmetic compares before it adds, so that nothing can wrap. */
#include "base/arena.h"

#include <stdlib.h>

#define ARENA_BLOCK (64 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(ARENA_ALIGN) unsigned char mem[];
};

void arena_init(struct arena *a, void *mem, size_t size)
{
	*a = (struct arena){ .next = mem, .start = mem };
	a->end = a->next + size;
}

void arena_init_growing(struct arena *a, size_t limit)
{
	*a = (struct arena){ .left = limit };
}

void arena_fini(struct arena *a)
{
	struct arena_block *b = a->blocks;

	while (b) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
	*a = (struct arena){ 0 };
}

void arena_reset(struct arena *a)
{
	CHECK(a->blocks == NULL);
	a->next = a->start;
}

static bool arena_grow(struct arena *a, size_t need)
{
	size_t size = ARENA_BLOCK;
	struct arena_block *b;

	if (need > SIZE_MAX / 2 - sizeof *b)
		return false;
	if (need + ARENA_ALIGN > size)
		size = need + ARENA_ALIGN;
	if (size > a->left)
		return false;
	b = malloc(sizeof *b + size);
	if (!b)
		return false;
	b->next = a->blocks;
	b->size = size;
	a->blocks = b;
	a->left -= size;
	a->next = b->mem;
	a->end = b->mem + size;
	return true;
}

void *arena_alloc_raw(struct arena *a, size_t n)
{
	for (;;) {
		size_t room = (size_t)(a->end - a->next);
		size_t pad = (ARENA_ALIGN - (uintptr_t)a->next % ARENA_ALIGN) % ARENA_ALIGN;

		if (pad <= room && n <= room - pad && a->next) {
			unsigned char *p = a->next + pad;
			a->next += pad + n;
			return p;
		}
		if (a->left == 0 || !arena_grow(a, n))
			return NULL;
	}
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p = arena_alloc_raw(a, n);

	return p ? memset(p, 0, n) : NULL;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total))
		return NULL;
	return arena_alloc(a, total);
}

struct bytes arena_copy(struct arena *a, struct bytes in)
{
	unsigned char *p = in.len < SIZE_MAX ? arena_alloc_raw(a, in.len + 1) : NULL;

	if (!p)
		return bytes_of(NULL, 0);
	if (in.len)
		memcpy(p, in.at, in.len);
	p[in.len] = 0;
	return bytes_of(p, in.len);
}
