/* Shared memory boards and the rate limit table over them. */
#define _GNU_SOURCE
#include "board/board.h"

#include "board/isolation.h"
#include "board/requests.h"
#include "board/sessions.h"
#include "ledger/ring.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

size_t board_size(enum board_kind k)
{
	switch (k) {
	case BOARD_MASTER: return sizeof(struct board_master);
	case BOARD_HEALTH: return sizeof(struct board_health_board);
	case BOARD_WORKER: return sizeof(struct board_worker);
	case BOARD_LIMITS: return sizeof(struct board_limits);
	case BOARD_LEDGER: return sizeof(struct board_ledger);
	case BOARD_RING: return sizeof(struct ledger_ring);
	case BOARD_ISOLATION: return sizeof(struct board_isolation);
	case BOARD_REQUESTS: return sizeof(struct requests_ring);
	case BOARD_SESSIONS: return sizeof(struct board_sessions);
	case BOARD_SEEN: return sizeof(struct board_seen);
	}
	return 0;
}

enum err board_create(enum board_kind k, int *out)
{
	int fd = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return ERR_IO;
	/* Never smaller or larger: a reader's map cannot be pulled from under it. */
	if (ftruncate(fd, (off_t)board_size(k)) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
		close(fd);
		return ERR_IO;
	}
	*out = fd;
	return OK;
}

enum err board_map(enum board_kind k, int fd, bool writable, void **out)
{
	struct stat st;
	void *m;

	if (fstat(fd, &st) < 0)
		return ERR_IO;
	if ((size_t)st.st_size != board_size(k))
		return ERR_SYNTAX;
	m = mmap(NULL, board_size(k), writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return ERR_IO;
	*out = m;
	return OK;
}

void board_text_write(struct board_text *t, struct bytes b)
{
	uint32_t turn = __atomic_load_n(&t->turn, __ATOMIC_RELAXED) | 1; /* odd already: its writer died at it */
	size_t len = b.len < BOARD_TEXT_MAX ? b.len : BOARD_TEXT_MAX;

	__atomic_store_n(&t->turn, turn, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	for (size_t i = 0; i < COUNT_OF(t->words); i++) {
		struct bytes part = bytes_cut(b, i * 8, i * 8 + 8);
		uint64_t word = 0;

		if (part.len)
			memcpy(&word, part.at, part.len);
		__atomic_store_n(&t->words[i], word, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&t->len, (uint32_t)len, __ATOMIC_RELAXED);
	__atomic_store_n(&t->turn, turn + 1, __ATOMIC_RELEASE);
}

void board_text_read(const struct board_text *t, char out[BOARD_TEXT_MAX + 1])
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		uint32_t turn = __atomic_load_n(&t->turn, __ATOMIC_ACQUIRE);
		uint32_t len = __atomic_load_n(&t->len, __ATOMIC_RELAXED);

		for (size_t i = 0; i < COUNT_OF(t->words); i++) {
			uint64_t word = __atomic_load_n(&t->words[i], __ATOMIC_RELAXED);
			memcpy(out + i * 8, &word, 8);
		}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (turn & 1 || turn != __atomic_load_n(&t->turn, __ATOMIC_RELAXED))
			continue;
		out[len < BOARD_TEXT_MAX ? len : BOARD_TEXT_MAX] = 0;
		for (char *c = out; *c; c++)
			if (*c < 0x20 || *c > 0x7e)
				*c = '?';
		return;
	}
	out[0] = 0;
}

/* GCRA: each bucket is its theoretical arrival time. A slot is taken by its key; when all ways of a set are
 * taken, the one whose time lies furthest back (it has the most tokens, so it forgets least) gives way. */
bool board_rate_allow(struct board_limits *l, uint64_t key, uint32_t rate, uint32_t per_ms, uint32_t burst,
	uint64_t now_us)
{
	uint64_t step = rate && (uint64_t)per_ms * 1000 / rate ? (uint64_t)per_ms * 1000 / rate : 1, tolerance = step * (burst ? burst : 1);
	size_t set = key % (BOARD_LIMIT_SLOTS / BOARD_LIMIT_WAYS) * BOARD_LIMIT_WAYS, slot = set;
	uint64_t oldest = UINT64_MAX;

	if (rate == 0)
		return false;
	for (size_t i = set; i < set + BOARD_LIMIT_WAYS; i++) {
		uint64_t k = __atomic_load_n(&l->rate[i].key, __ATOMIC_RELAXED);
		uint64_t at = __atomic_load_n(&l->rate[i].arrival_us, __ATOMIC_RELAXED);
		if (k == key) {
			slot = i;
			oldest = 0;
			break;
		}
		if (at < oldest) {
			oldest = at;
			slot = i;
		}
	}
	if (oldest != 0 || __atomic_load_n(&l->rate[slot].key, __ATOMIC_RELAXED) != key) {
		__atomic_store_n(&l->rate[slot].arrival_us, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&l->rate[slot].key, key, __ATOMIC_RELAXED);
	}
	for (;;) {
		uint64_t at = __atomic_load_n(&l->rate[slot].arrival_us, __ATOMIC_RELAXED);
		uint64_t from = at > now_us ? at : now_us;
		if (from - now_us + step > tolerance)
			return false;
		if (__atomic_compare_exchange_n(&l->rate[slot].arrival_us, &at, from + step, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED))
			return true;
	}
}
