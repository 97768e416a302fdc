/* Groups lie in a table by the hash of their key (the key of the hash is random: clients choose what goes in) and in one list, the oldest
 * window first. All windows are equally long, so the list is also the order in which they end. */
#include "alert/group.h"

#include "alert/group_priv.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS	 4096
#define HOUR_US	 3600000000u
#define TOKEN_US 1000000u /* tokens are counted in millionths */

struct group {
	struct group *same, *older, *newer; /* of one slot; of the list */
	uint64_t hash, began_us;
	uint64_t count, first_us, last_us, at_us; /* of repeats that were not told */
	char *source;
	struct kept kept;
};

/* What one class may still tell, and what it held back. */
struct bucket {
	uint64_t tokens, filled_us;
	uint64_t held, first_us, last_us, told_us;
	uint64_t other; /* of held: rules that found no place */
	struct alert_held rules[HELD_MAX];
	size_t rule_count;
};

struct alert_group {
	struct alert_group_options options;
	void (*tell)(void *ctx, const struct alert *a);
	void *ctx;
	unsigned char hash_key[16];
	struct group *slots[SLOTS], *oldest, *newest;
	size_t count;
	struct bucket buckets[HUNT_CLASS_COUNT];
};

struct alert_group *alert_group_new(const struct alert_group_options *options, void (*tell)(void *ctx, const struct alert *a), void *ctx)
{
	struct alert_group *g = calloc(1, sizeof(*g));

	CHECK(options->window_us && tell);
	if (!g)
		return NULL;
	g->options = *options;
	g->tell = tell;
	g->ctx = ctx;
	random_bytes(g->hash_key, sizeof(g->hash_key));
	return g;
}

static void free_group(struct group *p)
{
	kept_fini(&p->kept);
	free(p->source);
	free(p);
}

static void forget_held(struct bucket *b)
{
	for (size_t i = 0; i < b->rule_count; i++)
		free((char *)(uintptr_t)b->rules[i].rule);
	b->rule_count = 0;
	b->held = b->other = b->first_us = b->last_us = 0;
}

void alert_group_free(struct alert_group **gp)
{
	struct alert_group *g = *gp;

	if (!g)
		return;
	for (struct group *p = g->oldest, *next; p; p = next) {
		next = p->newer;
		free_group(p);
	}
	for (unsigned i = 0; i < HUNT_CLASS_COUNT; i++)
		forget_held(&g->buckets[i]);
	free(g);
	*gp = NULL;
}

/* --- limits --- */

/* The time that was too short for a part of a token stays to be counted: in a flood the calls are microseconds apart. */
static void fill(struct alert_group *g, enum hunt_class c, uint64_t now_us)
{
	struct bucket *b = &g->buckets[c];
	uint64_t rate = g->options.per_hour[c], most = rate * TOKEN_US, gain;

	if (!b->filled_us || (now_us > b->filled_us && now_us - b->filled_us >= HOUR_US)) {
		b->tokens = most;
		b->filled_us = now_us;
	}
	if (now_us < b->filled_us)
		b->filled_us = now_us;
	gain = (now_us - b->filled_us) * rate / (HOUR_US / TOKEN_US);
	b->filled_us += gain * (HOUR_US / TOKEN_US) / rate;
	b->tokens = b->tokens + gain < most ? b->tokens + gain : most;
}

static bool has_room(struct alert_group *g, enum hunt_class c, uint64_t now_us)
{
	if (!g->options.per_hour[c])
		return true;
	fill(g, c, now_us);
	return g->buckets[c].tokens >= TOKEN_US;
}

static bool take_room(struct alert_group *g, enum hunt_class c, uint64_t now_us)
{
	if (!has_room(g, c, now_us))
		return false;
	if (g->options.per_hour[c])
		g->buckets[c].tokens -= TOKEN_US;
	return true;
}

/* By rule, as long as there is place for rules: they are few in any pack, and a text that does not fit is still counted. */
static void hold(struct bucket *b, const char *rule, uint64_t count, uint64_t first_us, uint64_t last_us)
{
	size_t i = 0;

	b->held += count;
	if (!b->first_us || first_us < b->first_us)
		b->first_us = first_us;
	if (last_us > b->last_us)
		b->last_us = last_us;
	while (i < b->rule_count && strcmp(b->rules[i].rule, rule) != 0)
		i++;
	if (i < b->rule_count) {
		b->rules[i].count += count;
		return;
	}
	if (i < HELD_MAX && (b->rules[i].rule = kept_text(rule))) {
		b->rules[i].count = count;
		b->rule_count++;
		return;
	}
	b->other += count;
}

/* --- telling --- */

static void tell(struct alert_group *g, struct alert *a)
{
	unsigned char id[ALERT_ID_LEN / 2];

	random_bytes(id, sizeof(id));
	for (size_t i = 0; i < sizeof(id); i++) {
		a->id[2 * i] = "0123456789abcdef"[id[i] >> 4];
		a->id[2 * i + 1] = "0123456789abcdef"[id[i] & 15];
	}
	g->tell(g->ctx, a);
}

static int by_count(const void *a, const void *b)
{
	uint64_t x = ((const struct alert_held *)a)->count, y = ((const struct alert_held *)b)->count;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void tell_held(struct alert_group *g, enum hunt_class c, uint64_t now_us)
{
	struct bucket *b = &g->buckets[c];
	struct alert a = { .kind = ALERT_LIMITED, .first_us = b->first_us, .last_us = b->last_us, .count = b->held, .source = "", .class = c, .held = b->rules };

	if (!b->held)
		return;
	qsort(b->rules, b->rule_count, sizeof(b->rules[0]), by_count);
	a.held_count = b->rule_count < ALERT_HELD_RULES ? b->rule_count : ALERT_HELD_RULES;
	tell(g, &a);
	forget_held(b);
	b->told_us = now_us;
}

/* The sum of what came since the last telling; nothing when nothing came. at_end: over limits too. */
static void tell_sum(struct alert_group *g, struct group *p, bool at_end, uint64_t now_us)
{
	const struct hunt_finding *f = &p->kept.finding;
	struct alert a = { .kind = ALERT_AGAIN, .at_us = p->at_us, .first_us = p->first_us, .last_us = p->last_us, .count = p->count, .source = p->source, .finding = f, .class = f->class };

	if (!p->count)
		return;
	if (at_end || take_room(g, f->class, now_us))
		tell(g, &a);
	else
		hold(&g->buckets[f->class], f->rule, p->count, p->first_us, p->last_us);
	p->count = p->first_us = p->last_us = p->at_us = 0;
}

/* --- groups --- */

static uint64_t hash_of(const struct alert_group *g, const struct hunt_finding *f, const char *source)
{
	unsigned char room[KEY_MAX];
	struct text t;

	text_init(&t, room, sizeof(room)); /* what does not fit is told apart by the compare */
	text_str(&t, f->rule);
	text_byte(&t, 0);
	text_str(&t, source);
	text_byte(&t, 0);
	text_add(&t, f->client.len ? kept_cut(f->client) : bytes_str(f->path));
	return siphash24(g->hash_key, text_bytes(&t));
}

static bool is_of(const struct group *p, const struct hunt_finding *f, const char *source)
{
	const struct hunt_finding *k = &p->kept.finding;

	if (!kept_is(k->rule, f->rule) || !kept_is(p->source, source) || !bytes_eq(k->client, kept_cut(f->client)))
		return false;
	return k->client.len || kept_is(k->path, f->path);
}

static struct group *find_group(struct alert_group *g, uint64_t hash, const struct hunt_finding *f, const char *source)
{
	struct group *p = g->slots[hash % SLOTS];

	while (p && (p->hash != hash || !is_of(p, f, source)))
		p = p->same;
	return p;
}

static void leave_list(struct alert_group *g, struct group *p)
{
	*(p->older ? &p->older->newer : &g->oldest) = p->newer;
	*(p->newer ? &p->newer->older : &g->newest) = p->older;
	p->older = p->newer = NULL;
}

static void join_list(struct alert_group *g, struct group *p, uint64_t now_us)
{
	p->began_us = now_us;
	p->older = g->newest;
	*(g->newest ? &g->newest->newer : &g->oldest) = p;
	g->newest = p;
}

static void forget(struct alert_group *g, struct group *p)
{
	struct group **at = &g->slots[p->hash % SLOTS];

	while (*at != p)
		at = &(*at)->same;
	*at = p->same;
	leave_list(g, p);
	g->count--;
	free_group(p);
}

/* NULL: no memory; the finding is told without being remembered. */
static struct group *remember(struct alert_group *g, uint64_t hash, const struct hunt_finding *f, const char *source, uint64_t now_us)
{
	struct group *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->source = kept_text(source);
	if (!p->source || kept_copy(&p->kept, f) != OK) {
		free_group(p);
		return NULL;
	}
	p->hash = hash;
	p->same = g->slots[hash % SLOTS];
	g->slots[hash % SLOTS] = p;
	join_list(g, p, now_us);
	g->count++;
	return p;
}

static void tell_first(struct alert_group *g, const struct hunt_finding *f, const char *source, uint64_t seen_us)
{
	struct alert a = { .kind = ALERT_FIRST, .at_us = f->at_us, .first_us = seen_us, .last_us = seen_us, .count = 1, .source = source, .finding = f, .class = f->class };

	tell(g, &a);
}

void alert_group_take(struct alert_group *g, const struct hunt_finding *f, const char *source, uint64_t now_us)
{
	uint64_t seen_us = f->at_us ? f->at_us : now_us, hash;
	struct group *p;

	CHECK(f->class < HUNT_CLASS_COUNT);
	if (f->is_own)
		return;
	hash = hash_of(g, f, source);
	p = find_group(g, hash, f, source);
	if (p) {
		p->count++;
		p->first_us = p->first_us && p->first_us < seen_us ? p->first_us : seen_us;
		p->last_us = p->last_us > seen_us ? p->last_us : seen_us;
		p->at_us = f->at_us > p->at_us ? f->at_us : p->at_us;
		return;
	}
	if (!take_room(g, f->class, now_us)) {
		hold(&g->buckets[f->class], f->rule, 1, seen_us, seen_us);
		return;
	}
	if (g->count == ALERT_GROUPS_MAX) {
		tell_sum(g, g->oldest, false, now_us);
		forget(g, g->oldest);
	}
	p = remember(g, hash, f, source, now_us);
	if (p) {
		tell_first(g, &p->kept.finding, p->source, seen_us);
	} else {
		const struct hunt_finding bounded = kept_bounded(f);

		tell_first(g, &bounded, source, seen_us);
	}
}

void alert_group_tick(struct alert_group *g, uint64_t now_us)
{
	while (g->oldest && now_us > g->oldest->began_us && now_us - g->oldest->began_us >= g->options.window_us) {
		struct group *p = g->oldest;

		if (!p->count) {
			forget(g, p);
			continue;
		}
		tell_sum(g, p, false, now_us);
		leave_list(g, p);
		join_list(g, p, now_us);
	}
	for (unsigned c = 0; c < HUNT_CLASS_COUNT; c++) {
		struct bucket *b = &g->buckets[c];
		bool is_time = !b->told_us || (now_us > b->told_us && now_us - b->told_us >= g->options.window_us);

		if (b->held && is_time && has_room(g, (enum hunt_class)c, now_us))
			tell_held(g, (enum hunt_class)c, now_us);
	}
}

void alert_group_flush(struct alert_group *g, uint64_t now_us)
{
	while (g->oldest) {
		tell_sum(g, g->oldest, true, now_us);
		forget(g, g->oldest);
	}
	for (unsigned c = 0; c < HUNT_CLASS_COUNT; c++)
		tell_held(g, (enum hunt_class)c, now_us);
}
