/* A hash table of wire records, and a list of each owner's. Connections are named by their writer, so a captured one chooses the
 * keys: SipHash; and it can open as many as it likes: when the table is full, who has the most makes room for the others. */
#include "ledger/live.h"

#include "crypto/hash.h"
#include "crypto/random.h"

#include <stdlib.h>

#define SLOTS_LEAST 4096

struct owner {
	struct owner *next;
	uint64_t id;
	size_t count;
	struct entry *newest;
};

struct entry {
	struct entry *next; /* in its slot */
	struct entry *newer, *older; /* of its owner's */
	struct owner *owner;
	uint64_t conn, start_us, slot;
	uint8_t kind;
	uint16_t len;
	unsigned char wire[];
};

struct ledger_live {
	struct entry **slots;
	struct owner *owners; /* some tens: the workers; the one last asked for stands first */
	size_t slot_count, count, most;
	unsigned char key[16];
};

struct ledger_live *ledger_live_new(size_t most)
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
	l->most = most;
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
	for (struct owner *o = l ? l->owners : NULL, *next; o; o = next) {
		next = o->next;
		free(o);
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

/* --- owners --- */

static struct owner *find_owner(struct ledger_live *l, uint64_t id)
{
	for (struct owner **at = &l->owners, *o; (o = *at); at = &o->next)
		if (o->id == id) {
			*at = o->next;
			o->next = l->owners;
			return l->owners = o;
		}
	return NULL;
}

static struct owner *find_or_make_owner(struct ledger_live *l, uint64_t id)
{
	struct owner *o = find_owner(l, id);

	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	*o = (struct owner){ .next = l->owners, .id = id };
	return l->owners = o;
}

/* A process's connections were all closed, perhaps because it is gone. */
static void drop_idle_owners(struct ledger_live *l)
{
	for (struct owner **at = &l->owners, *o; (o = *at);) {
		if (o->count) {
			at = &o->next;
			continue;
		}
		*at = o->next;
		free(o);
	}
}

static struct owner *largest_owner(struct ledger_live *l)
{
	struct owner *largest = l->owners;

	for (struct owner *o = l->owners; o; o = o->next)
		if (o->count > largest->count)
			largest = o;
	return largest;
}

/* --- entries --- */

static size_t slot_of(const struct ledger_live *l, uint8_t kind, uint64_t conn)
{
	uint64_t name[2] = { kind, conn };

	return (size_t)siphash24(l->key, bytes_of(name, sizeof(name))) & (l->slot_count - 1);
}

/* Where the pointer to the entry is, or where one would go. */
static struct entry **find(struct ledger_live *l, uint8_t kind, uint64_t conn)
{
	struct entry **at = &l->slots[slot_of(l, kind, conn)];

	while (*at && !((*at)->kind == kind && (*at)->conn == conn))
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

/* at: where the pointer to it is. */
static void drop(struct ledger_live *l, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	if (e->newer)
		e->newer->older = e->older;
	else
		e->owner->newest = e->older;
	if (e->older)
		e->older->newer = e->newer;
	e->owner->count--;
	l->count--;
	free(e);
}

/* Room for one of o's. False: o itself has the most. */
static bool make_room(struct ledger_live *l, const struct owner *o)
{
	struct owner *largest = largest_owner(l);

	if (l->count < l->most)
		return true;
	if (largest->count <= o->count)
		return false;
	drop(l, find(l, largest->newest->kind, largest->newest->conn)); /* who floods, does so with the newest */
	return true;
}

enum err ledger_live_open(struct ledger_live *l, uint64_t owner, const struct ledger_record *r, uint64_t slot)
{
	unsigned char mem[LEDGER_WIRE_MAX];
	struct ledger_record open = *r;
	struct entry **at, *e;
	struct owner *o;
	struct text t;

	if (*find(l, (uint8_t)r->kind, r->conn))
		return ERR_ORDER;
	o = find_or_make_owner(l, owner);
	if (!o || !make_room(l, o))
		return ERR_LIMIT;
	if (l->count >= l->slot_count)
		grow(l);
	open.detail = BYTES("");
	text_init(&t, mem, sizeof(mem));
	ledger_record_put(&t, &open);
	e = malloc(sizeof(*e) + t.len);
	if (!e)
		return ERR_LIMIT;
	*e = (struct entry){ .owner = o, .older = o->newest, .conn = r->conn, .start_us = r->start_us, .slot = slot,
		.kind = (uint8_t)r->kind, .len = (uint16_t)t.len };
	memcpy(e->wire, mem, t.len);
	at = find(l, e->kind, e->conn); /* the table may have changed */
	*at = e;
	if (o->newest)
		o->newest->newer = e;
	o->newest = e;
	o->count++;
	l->count++;
	return OK;
}

enum err ledger_live_close(struct ledger_live *l, uint64_t owner, const struct ledger_record *r, uint64_t *slot, uint64_t *start_us)
{
	struct entry **at = find(l, (uint8_t)r->kind, r->conn), *e = *at;

	if (!e)
		return ERR_NOT_FOUND;
	if (owner && e->owner->id != owner)
		return ERR_DENIED;
	*slot = e->slot;
	*start_us = e->start_us;
	drop(l, at);
	return OK;
}

static void each_of(struct ledger_live *l, struct owner *o, bool (*fn)(void *ctx, const struct ledger_record *r, uint64_t of, uint64_t slot), void *ctx)
{
	for (struct entry *e = o->newest, *older; e; e = older) {
		struct reader r = { .left = bytes_of(e->wire, e->len) };
		struct ledger_record rec;

		older = e->older;
		CHECK(ledger_record_take(&r, &rec) == OK); /* our own */
		if (fn(ctx, &rec, o->id, e->slot))
			drop(l, find(l, e->kind, e->conn));
	}
}

void ledger_live_each(struct ledger_live *l, uint64_t owner, bool (*fn)(void *ctx, const struct ledger_record *r, uint64_t of, uint64_t slot), void *ctx)
{
	struct owner *one = owner ? find_owner(l, owner) : NULL;

	if (one)
		each_of(l, one, fn, ctx);
	for (struct owner *o = owner ? NULL : l->owners; o; o = o->next)
		each_of(l, o, fn, ctx);
	drop_idle_owners(l);
}
