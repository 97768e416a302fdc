/* head only grows, tail follows; their difference is what is unread. The writer publishes head after the bytes. */
#include "ledger/ring.h"

#include "base/ring.h"

/* False: with r, more than most would be unread. */
static bool write_up_to(struct ledger_ring *ring, const struct ledger_record *r, size_t most)
{
	__attribute__((uninitialized)) unsigned char mem[LEDGER_WIRE_MAX]; /* clearing it would cost more than the record */
	uint64_t head, used;
	struct text t;

	text_init(&t, mem, sizeof(mem));
	ledger_record_put(&t, r);
	head = ring->head;
	used = head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	if (t.failed || used > most || t.len > most - used)
		return false;
	ring_put(ring->bytes, LEDGER_RING_BYTES, head, mem, t.len);
	__atomic_store_n(&ring->head, head + t.len, __ATOMIC_RELEASE);
	return true;
}

bool ledger_ring_write(struct ledger_ring *ring, const struct ledger_record *r)
{
	if (!ring || write_up_to(ring, r, LEDGER_RING_BYTES - LEDGER_RING_RESERVE))
		return true;
	__atomic_store_n(&ring->lost, ring->lost + 1, __ATOMIC_RELAXED);
	return false;
}

bool ledger_ring_end(struct ledger_ring *ring, uint64_t real_us)
{
	const struct ledger_record r = { .kind = LEDGER_SELF, .outcome = BYTES("ended"), .end_us = real_us };

	return write_up_to(ring, &r, LEDGER_RING_BYTES);
}

void ledger_ring_spoil(struct ledger_ring *ring)
{
	uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

	__atomic_store_n(&ring->head, tail + 4 * (uint64_t)LEDGER_RING_BYTES, __ATOMIC_RELEASE);
}

bool ledger_ring_is_full(const struct ledger_ring *ring)
{
	return ring && __atomic_load_n(&ring->head, __ATOMIC_RELAXED) - __atomic_load_n(&ring->tail, __ATOMIC_RELAXED) >
		LEDGER_RING_BYTES / 2;
}

enum err ledger_ring_read(const struct ledger_ring *ring, uint64_t tail, unsigned char *out, size_t max, size_t *len)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	size_t n;

	if (head - tail > LEDGER_RING_BYTES)
		return ERR_SYNTAX;
	n = head - tail < max ? (size_t)(head - tail) : max;
	ring_get(ring->bytes, LEDGER_RING_BYTES, tail, out, n);
	*len = n;
	return OK;
}

void ledger_ring_taken(struct ledger_ring *ring, uint64_t *tail, size_t len)
{
	*tail += len;
	__atomic_store_n(&ring->tail, *tail, __ATOMIC_RELEASE);
}
