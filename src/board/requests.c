/* A record: length u16 (of all of it), at u64, client 16, status u16, size u64, HTTP/1.0 u8, then method u8, target u16, host u16,
 * referer u16, user agent u16 as lengths, then their octets. Little-endian, as this machine's memory: both sides are on it. */
#include "board/requests.h"

#include "base/ring.h"

#define FIXED 46

static void put(struct requests_ring *ring, uint64_t *at, const void *from, size_t len)
{
	ring_put(ring->bytes, REQUESTS_BYTES, *at, from, len);
	*at += len;
}

static struct bytes at_most(struct bytes b, size_t most)
{
	return bytes_cut(b, 0, most);
}

bool requests_write(struct requests_ring *ring, const struct request_seen *r)
{
	const struct bytes texts[] = { at_most(r->method, REQUEST_METHOD_MAX), at_most(r->target, REQUEST_TARGET_MAX),
		at_most(r->host, REQUEST_FIELD_MAX), at_most(r->referer, REQUEST_FIELD_MAX), at_most(r->user_agent, REQUEST_FIELD_MAX) };
	uint64_t head = ring->head, used = head - __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	unsigned char fixed[FIXED];
	uint16_t lengths[5], total = FIXED;

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		lengths[i] = (uint16_t)texts[i].len;
		total = (uint16_t)(total + lengths[i]);
	}
	if (used > REQUESTS_BYTES || total > REQUESTS_BYTES - used) {
		__atomic_store_n(&ring->lost, ring->lost + 1, __ATOMIC_RELAXED);
		return false;
	}
	memcpy(fixed, &total, 2);
	memcpy(fixed + 2, &r->at_us, 8);
	memcpy(fixed + 10, r->client, 16);
	memcpy(fixed + 26, &r->status, 2);
	memcpy(fixed + 28, &r->size, 8);
	fixed[36] = r->is_http10;
	fixed[37] = (unsigned char)lengths[0];
	memcpy(fixed + 38, lengths + 1, 8);
	put(ring, &head, fixed, sizeof(fixed));
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (texts[i].len)
			put(ring, &head, texts[i].at, texts[i].len);
	__atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
	return true;
}

enum err requests_read(const struct requests_ring *ring, uint64_t tail, unsigned char *out, size_t max, size_t *len)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	size_t n;

	if (head - tail > REQUESTS_BYTES)
		return ERR_SYNTAX;
	n = head - tail < max ? (size_t)(head - tail) : max;
	ring_get(ring->bytes, REQUESTS_BYTES, tail, out, n);
	*len = n;
	return OK;
}

enum err requests_take(struct bytes *in, struct request_seen *out)
{
	struct bytes *const texts[] = { &out->method, &out->target, &out->host, &out->referer, &out->user_agent };
	uint16_t total, lengths[5];
	size_t at = FIXED;

	if (in->len < 2)
		return ERR_AGAIN;
	memcpy(&total, in->at, 2);
	if (total < FIXED || total > REQUEST_WIRE_MAX)
		return ERR_SYNTAX;
	if (in->len < total)
		return ERR_AGAIN;
	memcpy(&out->at_us, in->at + 2, 8);
	memcpy(out->client, in->at + 10, 16);
	memcpy(&out->status, in->at + 26, 2);
	memcpy(&out->size, in->at + 28, 8);
	out->is_http10 = in->at[36] != 0;
	lengths[0] = in->at[37];
	memcpy(lengths + 1, in->at + 38, 8);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		if (lengths[i] > total - at)
			return ERR_SYNTAX;
		*texts[i] = bytes_of(in->at + at, lengths[i]);
		at += lengths[i];
	}
	if (at != total)
		return ERR_SYNTAX;
	out->texts = bytes_of(in->at + FIXED, total - FIXED);
	*in = bytes_cut(*in, total, in->len);
	return OK;
}

void requests_taken(struct requests_ring *ring, uint64_t tail)
{
	__atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
}

uint64_t requests_skip(struct requests_ring *ring)
{
	uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

	requests_taken(ring, head);
	return head;
}
