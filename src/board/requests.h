/* What a worker tells the watcher of each request that it has answered: a ring in shared memory, one per worker. Writing is a copy and one
 * store, no system call, and never waits: what finds no room is counted. Neither side trusts what the other wrote. */
#ifndef BOARD_REQUESTS_H
#define BOARD_REQUESTS_H

#include "base/bytes.h"
#include "base/err.h"

#define REQUESTS_BYTES	    (4u << 20) /* a power of two */
#define REQUEST_TARGET_MAX  32768      /* as long as a request line may be: nothing can be hidden behind a limit */
#define REQUEST_FIELD_MAX   2048       /* of a field; what is more is cut */
#define REQUEST_METHOD_MAX  64
#define REQUEST_WIRE_MAX    (48 + REQUEST_METHOD_MAX + REQUEST_TARGET_MAX + 3 * REQUEST_FIELD_MAX)

struct requests_ring {
	_Alignas(64) uint64_t head; /* the worker's: octets written since the beginning */
	uint64_t lost;		    /* the worker's: requests for which there was no room */
	_Alignas(64) uint64_t tail; /* the watcher's: octets taken */
	_Alignas(64) unsigned char bytes[REQUESTS_BYTES];
};
struct request_seen {
	uint64_t at_us; /* since 1970 */
	unsigned char client[16]; /* as in struct addr */
	uint16_t status;	  /* 0: it was not answered */
	uint64_t size;		  /* of the answer's body */
	bool is_http10;
	struct bytes method, target, host, referer, user_agent;
	struct bytes texts; /* requests_take: all five, one behind the other */
};

/* For the worker; without room the request is counted as lost, and false says so. */
bool requests_write(struct requests_ring *ring, const struct request_seen *r);
/* For the watcher, which keeps tail by itself: copies what is unread, whole records or not, at most max octets (at least REQUEST_WIRE_MAX),
 * to out. ERR_SYNTAX: the worker's numbers are not possible. */
enum err requests_read(const struct requests_ring *ring, uint64_t tail, unsigned char *out, size_t max, size_t *len) MUST_USE;
/* Takes the first record off *in. Views of *in. ERR_AGAIN: the rest of it has not been copied yet; ERR_SYNTAX: it is none. */
enum err requests_take(struct bytes *in, struct request_seen *out) MUST_USE;
/* For the watcher, where the worker's records make no sense: passes over all that is there. The new tail. */
uint64_t requests_skip(struct requests_ring *ring);
/* For the watcher: all up to tail was looked at. */
void requests_taken(struct requests_ring *ring, uint64_t tail);

#endif
