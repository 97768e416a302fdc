/* Open addressing over SipHash: the texts come from strangers. */
#include "ledger/contacts.h"

#include "crypto/hash.h"
#include "crypto/random.h"

#include <stdlib.h>

#define SLOTS_LEAST 1024

struct contacts {
	struct arena texts;
	struct contact *rows;
	uint32_t *slots; /* number of a row + 1; 0: free */
	size_t count, cap, slot_count, limit;
	unsigned char key[16];
};

struct contacts *contacts_new(size_t limit)
{
	struct contacts *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->slots = calloc(SLOTS_LEAST, sizeof(*s->slots));
	if (!s->slots) {
		free(s);
		return NULL;
	}
	s->slot_count = SLOTS_LEAST;
	s->limit = limit;
	arena_init_growing(&s->texts, limit);
	random_bytes(s->key, sizeof(s->key));
	return s;
}

void contacts_free(struct contacts **s)
{
	if (!*s)
		return;
	arena_fini(&(*s)->texts);
	free((*s)->rows);
	free((*s)->slots);
	free(*s);
	*s = NULL;
}

void contacts_reset(struct contacts *s)
{
	arena_fini(&s->texts);
	arena_init_growing(&s->texts, s->limit);
	memset(s->slots, 0, s->slot_count * sizeof(*s->slots));
	s->count = 0;
}

static uint64_t hash_of(const struct contacts *s, const struct contact *c)
{
	uint64_t h[3] = { siphash24(s->key, c->client), siphash24(s->key, c->target),
		c->user.len ? siphash24(s->key, c->user) : 0 };

	return siphash24(s->key, bytes_of(h, sizeof(h)));
}

static bool is_same(const struct contact *a, const struct contact *b)
{
	return bytes_eq(a->client, b->client) && bytes_eq(a->target, b->target) && bytes_eq(a->user, b->user);
}

/* The slot where c is, or the free one where it belongs. */
static size_t find_slot(const struct contacts *s, const struct contact *c)
{
	size_t i = (size_t)hash_of(s, c) & (s->slot_count - 1);

	while (s->slots[i] && !is_same(&s->rows[s->slots[i] - 1], c))
		i = (i + 1) & (s->slot_count - 1);
	return i;
}

static enum err grow(struct contacts *s)
{
	size_t cap = s->cap ? 2 * s->cap : SLOTS_LEAST / 2;
	struct contact *rows;
	uint32_t *slots;

	if (s->count < s->cap)
		return OK;
	if (cap > s->limit / sizeof(*rows) || cap >= UINT32_MAX / 2)
		return ERR_LIMIT;
	rows = realloc(s->rows, cap * sizeof(*rows));
	if (!rows)
		return ERR_MEMORY;
	s->rows = rows;
	slots = calloc(2 * cap, sizeof(*slots));
	if (!slots)
		return ERR_MEMORY;
	free(s->slots);
	s->slots = slots;
	s->slot_count = 2 * cap;
	s->cap = cap;
	for (size_t i = 0; i < s->count; i++)
		s->slots[find_slot(s, &s->rows[i])] = (uint32_t)i + 1;
	return OK;
}

static enum err keep(struct contacts *s, struct bytes *b)
{
	if (b->len == 0) {
		*b = BYTES("");
		return OK;
	}
	*b = arena_copy(&s->texts, *b);
	return b->at ? OK : ERR_LIMIT;
}

static void merge(struct contact *to, const struct contact *c)
{
	if (c->first_us < to->first_us)
		to->first_us = c->first_us;
	if (c->last_us > to->last_us)
		to->last_us = c->last_us;
	to->opened += c->opened;
	to->closed += c->closed;
	to->carried += c->carried;
	to->bytes_in += c->bytes_in;
	to->bytes_out += c->bytes_out;
}

enum err contacts_add(struct contacts *s, const struct contact *c)
{
	struct contact row = *c;
	size_t slot;

	TRY(grow(s));
	slot = find_slot(s, c);
	if (s->slots[slot]) {
		struct contact *to = &s->rows[s->slots[slot] - 1];

		if (to->name.len == 0 && c->name.len) {
			TRY(keep(s, &row.name));
			to->name = row.name;
		}
		merge(to, c);
		return OK;
	}
	TRY(keep(s, &row.client));
	TRY(keep(s, &row.target));
	TRY(keep(s, &row.name));
	TRY(keep(s, &row.user));
	s->rows[s->count++] = row;
	s->slots[slot] = (uint32_t)s->count;
	return OK;
}

size_t contacts_count(const struct contacts *s)
{
	return s->count;
}

const struct contact *contacts_at(const struct contacts *s, size_t i)
{
	CHECK(i < s->count);
	return &s->rows[i];
}

static int by_key(const void *a, const void *b)
{
	const struct contact *x = a, *y = b;
	int c = bytes_cmp(x->client, y->client);

	if (!c)
		c = bytes_cmp(x->target, y->target);
	return c ? c : bytes_cmp(x->user, y->user);
}

void contacts_sort(struct contacts *s)
{
	if (s->count)
		qsort(s->rows, s->count, sizeof(*s->rows), by_key);
	memset(s->slots, 0, s->slot_count * sizeof(*s->slots));
	for (size_t i = 0; i < s->count; i++)
		s->slots[find_slot(s, &s->rows[i])] = (uint32_t)i + 1;
}
