/* Octets in a ring of memory whose size is a power of two: copies that may go over its end. Who writes and reads where, and who is believed, is
 * its owner's to say. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/bytes.h"

#include <string.h>

static inline void ring_put(unsigned char *ring, size_t size, uint64_t at, const void *from, size_t len)
{
	size_t place = (size_t)(at & (size - 1)), first = size - place < len ? size - place : len;

	memcpy(ring + place, from, first);
	memcpy(ring, (const unsigned char *)from + first, len - first);
}

static inline void ring_get(const unsigned char *ring, size_t size, uint64_t at, unsigned char *to, size_t len)
{
	size_t place = (size_t)(at & (size - 1)), first = size - place < len ? size - place : len;

	memcpy(to, ring + place, first);
	memcpy(to + first, ring, len - first);
}

#endif
