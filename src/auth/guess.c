/* Four tables of fixed size: account and source together, sources, accounts, and work. A place is found by a keyed hash, so that nobody can aim at another's;
 * eight places share a hash, and the one that tells least makes room: whose wait, or else last try, is past the longest. The buckets are kept as one number,
 * the time at which they are full again (the virtual scheduling form of a leaky bucket). */
#include "auth/guess.h"

#include "crypto/hash.h"
#include "crypto/random.h"

#include <stdlib.h>

#define WAYS	       8
#define PAIR_SETS      (1u << 14) /* 131072 places, 5 MiB */
#define SINGLE_SETS    (1u << 12) /* 32768 places each, 1.25 MiB */
#define NAME_SEEN      256	  /* octets of a name that count */

#define FREE_FAILURES  3
#define PAIR_FORGET_MS 3600000u
#define PAIR_ALARM     10
#define WAIT_MOST_MS   900000u
#define PENDING_MS     10000u /* a try whose end nobody told is no longer under way */
#define ACCOUNT_ALARM  100

struct place {
	uint64_t key; /* 0: free */
	uint64_t account; /* of pairs: what guess_unlock looks for */
	uint64_t at_ms;	  /* the last try that counted */
	uint64_t full_ms; /* of buckets: when all of it is there again. Of pairs: no try before */
	uint32_t failures; /* of pairs: in a row; of buckets: since it was last quiet */
	uint16_t pending; /* of pairs: tries under way */
	bool is_alarmed;
};
struct table {
	struct place *places;
	size_t sets;
};
struct limit {
	uint64_t burst, every_ms;
};
struct guess {
	unsigned char key[16];
	struct table pairs, sources, accounts, works;
	uint64_t total_us; /* of the total's bucket, as full_ms; microseconds, for a try is 20 ms of it */
};

static const struct limit source_limit = { 30, 20000 }, account_limit = { 100, 30000 }, work_limit = { 60, 1000 };
/* Sources that an account knows may go on where others have used up all: guesses in masses do not keep its owner out. */
#define TOTAL_EVERY_US UINT64_C(20000)
#define TOTAL_BURST    100
#define KNOWN_BURST    150

static bool table_init(struct table *t, size_t sets)
{
	t->sets = sets;
	t->places = calloc(sets * WAYS, sizeof(struct place));
	return t->places != NULL;
}

struct guess *guess_new(void)
{
	struct guess *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	random_bytes(g->key, sizeof g->key);
	if (!table_init(&g->pairs, PAIR_SETS) || !table_init(&g->sources, SINGLE_SETS) || !table_init(&g->accounts, SINGLE_SETS) ||
		!table_init(&g->works, SINGLE_SETS))
		guess_free(&g);
	return g;
}

void guess_free(struct guess **g)
{
	if (!*g)
		return;
	free((*g)->pairs.places);
	free((*g)->sources.places);
	free((*g)->accounts.places);
	free((*g)->works.places);
	free(*g);
	*g = NULL;
}

struct keys {
	uint64_t pair, source, account;
};

static struct keys keys_of(const struct guess *g, struct bytes account, const struct addr *source)
{
	unsigned char name[1 + NAME_SEEN], from[1 + 16 + 8] = { 's' };
	size_t n = account.len < NAME_SEEN ? account.len : NAME_SEEN;
	struct keys k = { 0 };

	name[0] = 'a';
	for (size_t i = 0; i < n; i++)
		name[1 + i] = ascii_lower(account.at[i]);
	k.account = siphash24(g->key, bytes_of(name, 1 + n)) | 1; /* never 0 */
	if (!source)
		return k;
	memcpy(from + 1, source->ip, addr_is_v4(source) ? 16 : 8);
	k.source = siphash24(g->key, bytes_of(from, 17)) | 1;
	from[0] = 'p';
	memcpy(from + 17, &k.account, sizeof k.account);
	k.pair = siphash24(g->key, bytes_of(from, sizeof from)) | 1;
	return k;
}

static struct place *set_of(const struct table *t, uint64_t key)
{
	return t->places + (key >> 32 & (t->sets - 1)) * WAYS;
}

static struct place *find(const struct table *t, uint64_t key)
{
	struct place *set = set_of(t, key);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* A wait that still runs is not forgotten for the sake of strangers who try once: to push it out takes as many that wait longer. */
static uint64_t worth(const struct place *p)
{
	return p->full_ms > p->at_ms ? p->full_ms : p->at_ms;
}

static struct place *find_or_add(const struct table *t, uint64_t key, uint64_t now_ms)
{
	struct place *p = find(t, key), *set = set_of(t, key);

	if (p)
		return p;
	p = set;
	for (size_t i = 0; i < WAYS && p->key; i++)
		if (!set[i].key || worth(&set[i]) < worth(p))
			p = &set[i];
	*p = (struct place){ .key = key, .at_ms = now_ms };
	return p;
}

static uint64_t after(uint64_t later, uint64_t earlier)
{
	return later > earlier ? later - earlier : 0;
}

/* How long until the bucket has one. */
static uint64_t bucket_wait(const struct place *p, const struct limit *l, uint64_t now_ms)
{
	return p ? after(p->full_ms, now_ms + (l->burst - 1) * l->every_ms) : 0;
}

/* Takes one, also where none is left: tries that were under way together are paid for afterwards, in bounds. True: that was the last one. */
static bool bucket_take(struct place *p, const struct limit *l, uint64_t now_ms)
{
	uint64_t most = now_ms + l->burst * l->every_ms + WAIT_MOST_MS - l->every_ms;

	if (p->full_ms <= now_ms) {
		p->full_ms = now_ms;
		p->failures = 0;
		p->is_alarmed = false;
	}
	p->at_ms = now_ms;
	p->failures++;
	p->full_ms += l->every_ms;
	if (p->full_ms > most)
		p->full_ms = most;
	return bucket_wait(p, l, now_ms) > 0;
}

static uint64_t pair_delay(uint32_t failures)
{
	uint64_t ms;

	if (failures <= FREE_FAILURES)
		return 0;
	if (failures - FREE_FAILURES > 10)
		return WAIT_MOST_MS;
	ms = UINT64_C(1000) << (failures - FREE_FAILURES - 1);
	return ms < WAIT_MOST_MS ? ms : WAIT_MOST_MS;
}

/* A pair that was quiet for long is as new. */
static void refresh(struct place *p, uint64_t now_ms)
{
	if (after(now_ms, p->at_ms) >= PAIR_FORGET_MS) {
		p->failures = 0;
		p->full_ms = 0;
	}
	if (after(now_ms, p->at_ms) >= PENDING_MS)
		p->pending = 0;
}

/* Those under way may all fail, and may not be more than those that would have been let in one after the other. */
static uint64_t pair_wait(const struct place *p, uint64_t now_ms)
{
	uint64_t wait;

	if (!p)
		return 0;
	wait = after(p->full_ms, now_ms);
	if (p->pending && p->failures + p->pending > FREE_FAILURES && wait < 1000)
		wait = 1000;
	return wait;
}

static bool total_take(struct guess *g, bool is_known, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000;

	if (after(g->total_us, now_us) > ((is_known ? KNOWN_BURST : TOTAL_BURST) - 1) * TOTAL_EVERY_US)
		return false;
	g->total_us = (g->total_us > now_us ? g->total_us : now_us) + TOTAL_EVERY_US;
	return true;
}

enum guess_verdict guess_ask(struct guess *g, struct bytes account, const struct addr *source, bool is_known, uint64_t now_ms, uint32_t *wait_s)
{
	struct keys k = keys_of(g, account, source);
	struct place *pair = find(&g->pairs, k.pair);
	uint64_t wait, other;

	if (pair)
		refresh(pair, now_ms);
	wait = pair_wait(pair, now_ms);
	if (!is_known) {
		other = bucket_wait(find(&g->sources, k.source), &source_limit, now_ms);
		wait = other > wait ? other : wait;
		other = bucket_wait(find(&g->accounts, k.account), &account_limit, now_ms);
		wait = other > wait ? other : wait;
	}
	if (wait) {
		*wait_s = (uint32_t)((wait + 999) / 1000);
		return GUESS_WAIT;
	}
	if (!total_take(g, is_known, now_ms))
		return GUESS_BUSY;
	if (!pair)
		pair = find_or_add(&g->pairs, k.pair, now_ms);
	pair->account = k.account;
	pair->at_ms = now_ms;
	if (pair->pending < UINT16_MAX)
		pair->pending++;
	return GUESS_GO;
}

void guess_failed(struct guess *g, struct bytes account, const struct addr *source, bool is_known, uint64_t now_ms, bool *is_alarm)
{
	struct keys k = keys_of(g, account, source);
	struct place *pair = find_or_add(&g->pairs, k.pair, now_ms), *from = find_or_add(&g->sources, k.source, now_ms);

	*is_alarm = false;
	refresh(pair, now_ms);
	if (pair->pending)
		pair->pending--;
	if (pair->failures < UINT32_MAX)
		pair->failures++;
	pair->account = k.account;
	pair->at_ms = now_ms;
	pair->full_ms = now_ms + pair_delay(pair->failures);
	if (pair->failures == PAIR_ALARM)
		*is_alarm = true;
	if (bucket_take(from, &source_limit, now_ms) && !from->is_alarmed) {
		from->is_alarmed = true;
		*is_alarm = true;
	}
	if (!is_known) {
		struct place *of = find_or_add(&g->accounts, k.account, now_ms);
		bucket_take(of, &account_limit, now_ms);
		if (of->failures == ACCOUNT_ALARM)
			*is_alarm = true;
	}
}

void guess_right(struct guess *g, struct bytes account, const struct addr *source)
{
	struct place *pair = find(&g->pairs, keys_of(g, account, source).pair);

	if (pair && pair->pending)
		pair->pending--;
}

void guess_succeeded(struct guess *g, struct bytes account, const struct addr *source, uint64_t now_ms)
{
	struct place *pair = find(&g->pairs, keys_of(g, account, source).pair);

	(void)now_ms;
	if (pair)
		*pair = (struct place){ 0 };
}

/* Never more than there is: whoever comes next waits for one second at most. */
static bool work_take(struct guess *g, uint64_t key, uint64_t now_ms)
{
	if (bucket_wait(find(&g->works, key), &work_limit, now_ms))
		return false;
	(void)bucket_take(find_or_add(&g->works, key, now_ms), &work_limit, now_ms);
	return true;
}

static uint64_t work_key(const struct guess *g, const char *what, const struct addr *source)
{
	return keys_of(g, bytes_str(what), source).pair;
}

enum guess_verdict guess_work(struct guess *g, const char *what, const struct addr *source, uint64_t now_ms, uint32_t *wait_s)
{
	uint64_t key = work_key(g, what, source);

	if (bucket_wait(find(&g->works, key), &work_limit, now_ms)) {
		*wait_s = 1;
		return GUESS_WAIT;
	}
	if (!total_take(g, false, now_ms))
		return GUESS_BUSY;
	(void)work_take(g, key, now_ms);
	return GUESS_GO;
}

void guess_work_right(struct guess *g, const char *what, const struct addr *source)
{
	struct place *p = find(&g->works, work_key(g, what, source));

	if (p && p->full_ms >= work_limit.every_ms)
		p->full_ms -= work_limit.every_ms;
}

static bool is_used_up(struct place *p, uint64_t now_ms)
{
	if (!p || p->is_alarmed || !bucket_wait(p, &work_limit, now_ms))
		return false;
	p->is_alarmed = true;
	return true;
}

void guess_work_wrong(struct guess *g, const char *what, const struct addr *source, uint64_t now_ms, bool *is_alarm)
{
	*is_alarm = is_used_up(find(&g->works, work_key(g, what, source)), now_ms);
}

bool guess_work_note(struct guess *g, const char *what, const struct addr *source, uint64_t now_ms, bool *is_alarm)
{
	uint64_t key = work_key(g, what, source);
	bool is_noted = work_take(g, key, now_ms);

	*is_alarm = is_used_up(find(&g->works, key), now_ms);
	return is_noted;
}

void guess_unlock(struct guess *g, struct bytes account)
{
	uint64_t key = keys_of(g, account, NULL).account;
	struct place *of = find(&g->accounts, key);

	if (of)
		*of = (struct place){ 0 };
	for (size_t i = 0; i < g->pairs.sets * WAYS; i++)
		if (g->pairs.places[i].account == key)
			g->pairs.places[i] = (struct place){ 0 };
}
