/* One block per user, in chains of a fixed table: users are as many as have sessions. */
#include "auth/known.h"

#include <stdlib.h>

#define BUCKETS 8192
#define TEXTS	5

struct person {
	struct person *next;
	int64_t id;
	uint32_t len[TEXTS];
	bool is_disabled, must_change;
	unsigned char texts[];
};
struct known {
	struct person *buckets[BUCKETS];
};

struct known *known_new(void)
{
	return calloc(1, sizeof(struct known));
}

void known_free(struct known **k)
{
	if (*k)
		known_clear(*k);
	free(*k);
	*k = NULL;
}

static struct person **find(struct known *k, int64_t id)
{
	struct person **at = &k->buckets[(uint64_t)id % BUCKETS];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

void known_forget(struct known *k, int64_t id)
{
	struct person **at = find(k, id), *p = *at;

	if (!p)
		return;
	*at = p->next;
	free(p);
}

void known_clear(struct known *k)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (k->buckets[i])
			known_forget(k, k->buckets[i]->id);
}

void known_put(struct known *k, const struct store_user *u)
{
	const struct bytes texts[TEXTS] = { u->name, u->display, u->mail, u->language, u->groups };
	size_t size = 0;
	struct person *p, **at;
	unsigned char *to;

	known_forget(k, u->id);
	for (size_t i = 0; i < TEXTS; i++)
		size += texts[i].len;
	p = malloc(sizeof(*p) + size);
	if (!p)
		return;
	*p = (struct person){ .id = u->id, .is_disabled = u->is_disabled, .must_change = u->must_change };
	to = p->texts;
	for (size_t i = 0; i < TEXTS; i++) {
		p->len[i] = (uint32_t)texts[i].len;
		if (texts[i].len)
			memcpy(to, texts[i].at, texts[i].len);
		to += texts[i].len;
	}
	at = find(k, u->id);
	p->next = *at;
	*at = p;
}

enum err known_get(const struct known *k, int64_t id, struct arena *a, struct store_user *out)
{
	const struct person *p = *find((struct known *)(uintptr_t)k, id);
	struct store_user u = { .id = id };
	struct bytes *const texts[TEXTS] = { &u.name, &u.display, &u.mail, &u.language, &u.groups };
	const unsigned char *from;

	if (!p)
		return ERR_NOT_FOUND;
	u.is_disabled = p->is_disabled;
	u.must_change = p->must_change;
	from = p->texts;
	for (size_t i = 0; i < TEXTS; i++) {
		*texts[i] = arena_copy(a, bytes_of(from, p->len[i]));
		if (!texts[i]->at)
			return ERR_MEMORY;
		from += p->len[i];
	}
	*out = u;
	return OK;
}

enum err known_find(const struct known *k, struct bytes name, int64_t *id)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct person *p = k->buckets[i]; p; p = p->next)
			if (bytes_eq(bytes_of(p->texts, p->len[0]), name)) {
				*id = p->id;
				return OK;
			}
	return ERR_NOT_FOUND;
}

static bool is_same(const struct person *a, const struct person *b)
{
	size_t size = 0;

	for (size_t i = 0; i < TEXTS; i++) {
		if (a->len[i] != b->len[i])
			return false;
		size += a->len[i];
	}
	return a->is_disabled == b->is_disabled && a->must_change == b->must_change && memcmp(a->texts, b->texts, size) == 0;
}

void known_changed(const struct known *before, const struct known *now, void (*one)(void *ctx, int64_t id), void *ctx)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct person *p = now->buckets[i]; p; p = p->next) {
			const struct person *was = *find((struct known *)(uintptr_t)before, p->id);

			if (was && !is_same(was, p))
				one(ctx, p->id);
		}
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct person *p = before->buckets[i]; p; p = p->next)
			if (!*find((struct known *)(uintptr_t)now, p->id))
				one(ctx, p->id);
}
