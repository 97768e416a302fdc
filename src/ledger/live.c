/* A hash table of wire records. Connections are named by their writer, so a captured one chooses the keys: SipHash. */
#include "ledger/live.h"

#include "crypto/hash.h"
#include "crypto/random.h"

#include <stdlib.h>

#define SLOTS_LEAST 4096

struct entry {
	struct entry *next;
	uint64_t owner;
	uint64_t conn, start_us, slot;
	uint8_t kind;
	uint16_t len;
	unsigned char wire[];
};

struct ledger_live {
	struct entry **slots;
	size_t slot_count, count;
	unsigned char key[16];
};

struct ledger_live *ledger_live_new(void)
{
	struct ledger_live *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->slots = calloc(SLOTS_LEAST, sizeof(*l->slots));
	if (!l->slots) {
		free(l);
		return NULL;
	}
	l->slot_count = SLOTS_LEAST;
	random_bytes(l->key, sizeof(l->key));
	return l;
}

void ledger_live_free(struct ledger_live **at)
{
	struct ledger_live *l = *at;

	for (size_t i = 0; l && i < l->slot_count; i++)
		for (struct entry *e = l->slots[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	if (l)
		free(l->slots);
	free(l);
	*at = NULL;
}

size_t ledger_live_count(const struct ledger_live *l)
{
	return l->count;
}

static size_t slot_of(const struct ledger_live *l, uint8_t kind, uint64_t conn)
{
	uint64_t name[2] = { kind, conn };

	return (size_t)siphash24(l->key, bytes_of(name, sizeof(name))) & (l->slot_count - 1);
}

/* Where the pointer to the entry is, or where one would go. */
static struct entry **find(struct ledger_live *l, const struct ledger_record *r)
{
	struct entry **at = &l->slots[slot_of(l, (uint8_t)r->kind, r->conn)];

	while (*at && !((*at)->kind == r->kind && (*at)->conn == r->conn))
		at = &(*at)->next;
	return at;
}

static void grow(struct ledger_live *l)
{
	size_t old = l->slot_count;
	struct entry **slots = calloc(2 * old, sizeof(*slots)), **before = l->slots;

	if (!slots)
		return; /* longer chains, no harm */
	l->slots = slots;
	l->slot_count = 2 * old;
	for (size_t i = 0; i < old; i++)
		for (struct entry *e = before[i], *next; e; e = next) {
			size_t to = slot_of(l, e->kind, e->conn);

			next = e->next;
			e->next = slots[to];
			slots[to] = e;
		}
	free(before);
}

enum err ledger_live_open(struct ledger_live *l, uint64_t owner, const struct ledger_record *r, uint64_t slot)
{
	unsigned char mem[LEDGER_WIRE_MAX];
	struct ledger_record open = *r;
	struct entry **at, *e;
	struct text t;

	if (l->count >= LEDGER_LIVE_MAX)
		return ERR_LIMIT;
	if (l->count >= l->slot_count)
		grow(l);
	at = find(l, r);
	if (*at)
		return ERR_ORDER;
	open.detail = BYTES("");
	text_init(&t, mem, sizeof(mem));
	ledger_record_put(&t, &open);
	e = malloc(sizeof(*e) + t.len);
	if (!e)
		return ERR_LIMIT;
	*e = (struct entry){ .owner = owner, .conn = r->conn, .start_us = r->start_us, .slot = slot, .kind = (uint8_t)r->kind,
		.len = (uint16_t)t.len };
	memcpy(e->wire, mem, t.len);
	*at = e;
	l->count++;
	return OK;
}

enum err ledger_live_close(struct ledger_live *l, uint64_t owner, const struct ledger_record *r, uint64_t *slot, uint64_t *start_us)
{
	struct entry **at = find(l, r), *e = *at;

	if (!e)
		return ERR_NOT_FOUND;
	if (owner && e->owner != owner)
		return ERR_DENIED;
	*slot = e->slot;
	*start_us = e->start_us;
	*at = e->next;
	free(e);
	l->count--;
	return OK;
}

void ledger_live_each(struct ledger_live *l, uint64_t owner, bool (*fn)(void *ctx, const struct ledger_record *r, uint64_t of, uint64_t slot), void *ctx)
{
	for (size_t i = 0; i < l->slot_count; i++)
		for (struct entry **at = &l->slots[i], *e; (e = *at);) {
			struct reader r = { .left = bytes_of(e->wire, e->len) };
			struct ledger_record rec;

			CHECK(ledger_record_take(&r, &rec) == OK); /* our own */
			if ((owner && e->owner != owner) || !fn(ctx, &rec, e->owner, e->slot)) {
				at = &e->next;
				continue;
			}
			*at = e->next;
			free(e);
			l->count--;
		}
}
