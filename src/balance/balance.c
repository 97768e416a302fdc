/* The algorithms. A server's effective weight grows from a tenth to the whole during slow start. */
#include "balance/balance.h"

#include <stdlib.h>

#define POINTS_PER_UNIT 64
#define POINTS_MAX	65536
#define RETRY_RESERVE	10000 /* thousandths: ten retries before the budget counts */
#define RETRY_MOST	100000

struct balance_ring {
	struct ring_point {
		uint64_t at;
		uint32_t server;
	} *points;
	size_t count;
};

static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdu;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

static int point_cmp(const void *a, const void *b)
{
	const struct ring_point *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at ? 1 : x->server < y->server ? -1 : x->server > y->server;
}

enum err balance_pool_init(struct balance_pool *p, struct arena *a, const struct bytes *names)
{
	struct balance_ring *r;
	size_t total = 0, n = 0;

	if (p->algorithm != BAL_HASH)
		return OK;
	for (size_t i = 0; i < p->count; i++)
		total += (size_t)p->servers[i].weight * POINTS_PER_UNIT;
	if (total > POINTS_MAX)
		total = POINTS_MAX;
	r = arena_alloc(a, sizeof *r);
	if (r)
		r->points = arena_array(a, total + p->count * POINTS_PER_UNIT, sizeof *r->points);
	if (!r || !r->points)
		return ERR_MEMORY;
	for (size_t i = 0; i < p->count; i++) {
		uint64_t h = 0xcbf29ce484222325u;
		size_t points = (size_t)p->servers[i].weight * POINTS_PER_UNIT;
		/* By name, so that a server's place does not depend on its neighbours in the file. */
		for (size_t k = 0; k < names[i].len; k++)
			h = (h ^ names[i].at[k]) * 0x100000001b3u;
		if (points > POINTS_MAX / p->count)
			points = POINTS_MAX / p->count;
		for (size_t k = 0; k < points; k++)
			r->points[n++] = (struct ring_point){ mix(h + k * 0x9e3779b97f4a7c15u), (uint32_t)i };
	}
	r->count = n;
	qsort(r->points, n, sizeof *r->points, point_cmp);
	p->ring = r;
	return OK;
}

static bool is_full(const struct balance_server *s)
{
	return s->max_active && s->active >= s->max_active;
}

/* in thousandths of the weight's unit */
static uint64_t effective_weight(const struct balance_pool *p, const struct balance_server *s, uint64_t now_ms)
{
	uint64_t age = now_ms > s->up_since_ms ? now_ms - s->up_since_ms : 0, w = (uint64_t)s->weight * 1000;

	if (p->slow_start_ms && s->up_since_ms && age < p->slow_start_ms) {
		uint64_t part = age * 1000 / p->slow_start_ms;
		w = w * (part < 100 ? 100 : part) / 1000;
	}
	return w ? w : 0;
}

struct candidates {
	bool backups;	/* only backups are left */
	bool ignore_ejected;
	bool ignore_tried;
};

static bool fits(const struct balance_pool *p, const struct balance_choice *c, const struct candidates *k, size_t i)
{
	const struct balance_server *s = &p->servers[i];

	return s->is_up && !s->is_draining && s->weight && s->is_backup == k->backups &&
		(k->ignore_ejected || !s->is_ejected) && (k->ignore_tried || !c->tried || !c->tried[i]);
}

static size_t count_fitting(const struct balance_pool *p, const struct balance_choice *c, const struct candidates *k)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += fits(p, c, k, i);
	return n;
}

/* Ejection holds only while enough are left: over the percentage, or with none left, all are in again. */
static void apply_floor(struct balance_pool *p)
{
	size_t up = 0, out = 0;

	for (size_t i = 0; i < p->count; i++) {
		up += p->servers[i].is_up && !p->servers[i].is_backup;
		out += p->servers[i].is_up && !p->servers[i].is_backup && p->servers[i].is_ejected;
	}
	for (size_t i = 0; i < p->count && out && (out * 100 > up * p->eject_max_percent || out >= up); i++)
		if (p->servers[i].is_up && !p->servers[i].is_backup && p->servers[i].is_ejected) {
			p->servers[i].is_ejected = false;
			out--;
		}
}

/* Smooth weighted round robin: each gains its weight, the richest is taken and pays the total. */
static size_t round_robin(struct balance_pool *p, const struct balance_choice *c, const struct candidates *k)
{
	size_t best = BALANCE_NONE;
	int64_t total = 0;

	for (size_t i = 0; i < p->count; i++) {
		struct balance_server *s = &p->servers[i];
		int64_t w;
		if (!fits(p, c, k, i) || is_full(s))
			continue;
		w = (int64_t)(effective_weight(p, s, c->now_ms) / 10);
		w = w ? w : 1;
		total += w;
		s->current += (int32_t)w;
		if (best == BALANCE_NONE || s->current > p->servers[best].current)
			best = i;
	}
	if (best != BALANCE_NONE)
		p->servers[best].current -= (int32_t)total;
	return best;
}

static size_t least_requests(struct balance_pool *p, const struct balance_choice *c, const struct candidates *k)
{
	size_t best = BALANCE_NONE, start = p->count ? (size_t)(c->random % p->count) : 0;
	uint64_t best_load = 0;

	for (size_t n = 0; n < p->count; n++) {
		size_t i = (start + n) % p->count; /* ties are broken by chance */
		uint64_t load, w = effective_weight(p, &p->servers[i], c->now_ms);
		if (!fits(p, c, k, i) || is_full(&p->servers[i]))
			continue;
		load = ((uint64_t)p->servers[i].active + 1) * 1000000 / (w ? w : 1);
		if (best == BALANCE_NONE || load < best_load) {
			best = i;
			best_load = load;
		}
	}
	return best;
}

static size_t nth_fitting(const struct balance_pool *p, const struct balance_choice *c, const struct candidates *k, size_t n)
{
	for (size_t i = 0; i < p->count; i++)
		if (fits(p, c, k, i) && !is_full(&p->servers[i]) && n-- == 0)
			return i;
	return BALANCE_NONE;
}

static uint64_t cost(const struct balance_pool *p, size_t i, uint64_t now_ms)
{
	const struct balance_server *s = &p->servers[i];
	uint64_t w = effective_weight(p, s, now_ms);

	/* Without an answer yet the latency counts as 1 ms: a new server is tried, not flooded. */
	return ((uint64_t)s->active + 1) * (s->latency_us ? s->latency_us : 1000) * 1000 / (w ? w : 1);
}

static size_t two_choices(struct balance_pool *p, const struct balance_choice *c, const struct candidates *k)
{
	size_t n = 0, a, b;

	for (size_t i = 0; i < p->count; i++)
		n += fits(p, c, k, i) && !is_full(&p->servers[i]);
	if (n < 2)
		return nth_fitting(p, c, k, 0);
	a = (size_t)((c->random & 0xffffffff) % n);
	b = (size_t)((c->random >> 32) % (n - 1));
	b += b >= a;
	a = nth_fitting(p, c, k, a);
	b = nth_fitting(p, c, k, b);
	return cost(p, b, c->now_ms) < cost(p, a, c->now_ms) ? b : a;
}

static size_t by_hash(struct balance_pool *p, const struct balance_choice *c, const struct candidates *k)
{
	const struct balance_ring *r = p->ring;
	uint64_t at = mix(c->hash);
	size_t low = 0, high = r->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (r->points[mid].at < at)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t n = 0; n < r->count; n++) {
		size_t i = r->points[(low + n) % r->count].server;
		if (fits(p, c, k, i) && !is_full(&p->servers[i]))
			return i;
	}
	return BALANCE_NONE;
}

static size_t choose_among(struct balance_pool *p, const struct balance_choice *c, const struct candidates *k)
{
	switch (p->algorithm) {
	case BAL_ROUND_ROBIN: return round_robin(p, c, k);
	case BAL_LEAST_REQUESTS: return least_requests(p, c, k);
	case BAL_TWO_CHOICES: return two_choices(p, c, k);
	case BAL_HASH: return by_hash(p, c, k);
	}
	return BALANCE_NONE;
}

size_t balance_choose(struct balance_pool *p, const struct balance_choice *c, bool *full)
{
	/* In this order: healthy servers, backups, then those that were tried, whatever is left. */
	static const struct candidates order[] = { { .backups = false }, { .backups = true },
		{ .backups = false, .ignore_tried = true }, { .backups = true, .ignore_tried = true },
		{ .backups = false, .ignore_tried = true, .ignore_ejected = true } };

	*full = false;
	if (c->sticky < p->count && p->servers[c->sticky].is_up && !(c->tried && c->tried[c->sticky])) {
		*full = is_full(&p->servers[c->sticky]);
		if (!*full)
			return c->sticky;
	}
	apply_floor(p);
	for (size_t i = 0; i < COUNT_OF(order); i++) {
		size_t s;
		if (count_fitting(p, c, &order[i]) == 0)
			continue;
		s = choose_among(p, c, &order[i]);
		*full = s == BALANCE_NONE;
		if (s != BALANCE_NONE)
			return s;
		if (order[i].backups == false)
			return BALANCE_NONE; /* up and full: wait; backups are for servers that are gone */
	}
	return BALANCE_NONE;
}

void retry_budget_request(struct retry_budget *b)
{
	b->tokens += (int64_t)b->percent * 10;
	if (b->tokens > RETRY_MOST)
		b->tokens = RETRY_MOST;
}

bool retry_budget_take(struct retry_budget *b)
{
	if (b->percent == 0 || b->tokens + RETRY_RESERVE < 1000)
		return false;
	b->tokens -= 1000;
	return true;
}

uint32_t latency_average(uint32_t old_us, uint32_t new_us)
{
	return old_us ? (uint32_t)(((uint64_t)old_us * 3 + new_us) / 4) : new_us;
}

bool health_note(struct health *h, bool passed)
{
	uint32_t need = passed ? h->rise : h->fall;

	if (!h->is_known) { /* the first check decides at once */
		h->is_known = true;
		h->is_up = passed;
		h->run = 0;
		return true;
	}
	if (passed == h->is_up) {
		h->run = 0;
		return false;
	}
	if (++h->run < (need ? need : 1))
		return false;
	h->is_up = passed;
	h->run = 0;
	return true;
}
