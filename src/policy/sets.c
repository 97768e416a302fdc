/* Sets, frozen for binary search: addresses as disjoint ranges, texts and numbers in order. */
#include "policy/policy_priv.h"

#include <stdlib.h>

static uint64_t half_of(const unsigned char *ip)
{
	uint64_t n;

	memcpy(&n, ip, sizeof n);
	return __builtin_bswap64(n);
}

static int halves_cmp(const uint64_t a[2], const uint64_t b[2])
{
	if (a[0] != b[0])
		return a[0] < b[0] ? -1 : 1;
	return a[1] < b[1] ? -1 : a[1] > b[1];
}

static int range_cmp(const void *a, const void *b)
{
	return halves_cmp(((const struct policy_range *)a)->first, ((const struct policy_range *)b)->first);
}

static struct policy_range range_of(const struct addr_prefix *p)
{
	struct policy_range r = { .first = { half_of(p->ip), half_of(p->ip + 8) } };
	uint64_t high = p->bits >= 64 ? 0 : UINT64_MAX >> p->bits;
	uint64_t low = p->bits <= 64 ? UINT64_MAX : p->bits >= 128 ? 0 : UINT64_MAX >> (p->bits - 64);

	r.last[0] = r.first[0] | high;
	r.last[1] = r.first[1] | low;
	return r;
}

/* b begins inside a, or right behind it. */
static bool touches(const struct policy_range *a, const struct policy_range *b)
{
	uint64_t behind[2] = { a->last[0] + (a->last[1] == UINT64_MAX), a->last[1] + 1 };

	if (a->last[0] == UINT64_MAX && a->last[1] == UINT64_MAX)
		return true;
	return halves_cmp(b->first, behind) <= 0;
}

const struct policy_range *policy_ranges_make(const struct addr_prefix *list, size_t n, struct arena *arena, size_t *count)
{
	struct policy_range *r = arena_array(arena, n + 1, sizeof *r);
	size_t kept = 0;

	if (!r)
		return NULL;
	for (size_t i = 0; i < n; i++)
		r[i] = range_of(&list[i]);
	qsort(r, n, sizeof *r, range_cmp);
	for (size_t i = 0; i < n; i++) {
		if (kept && touches(&r[kept - 1], &r[i])) {
			if (halves_cmp(r[i].last, r[kept - 1].last) > 0)
				memcpy(r[kept - 1].last, r[i].last, sizeof r[i].last);
		} else {
			r[kept++] = r[i];
		}
	}
	*count = kept;
	return r;
}

bool policy_ranges_have(const struct policy_range *r, size_t n, const struct addr *a)
{
	const uint64_t key[2] = { half_of(a->ip), half_of(a->ip + 8) };
	size_t low = 0, high = n; /* the first range that begins behind key is in low..high */

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (halves_cmp(r[middle].first, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && halves_cmp(key, r[low - 1].last) <= 0;
}

static int string_cmp(const void *a, const void *b)
{
	return bytes_cmp(*(const struct bytes *)a, *(const struct bytes *)b);
}

static int int_cmp(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

void policy_strings_sort(struct bytes *list, size_t n)
{
	qsort(list, n, sizeof *list, string_cmp);
}

void policy_ints_sort(int64_t *list, size_t n)
{
	qsort(list, n, sizeof *list, int_cmp);
}

bool policy_strings_have(const struct bytes *sorted, size_t n, struct bytes s)
{
	return n && bsearch(&s, sorted, n, sizeof *sorted, string_cmp) != NULL;
}

bool policy_ints_have(const int64_t *sorted, size_t n, int64_t i)
{
	return n && bsearch(&i, sorted, n, sizeof *sorted, int_cmp) != NULL;
}

enum err policy_set_freeze(struct policy_set_def *s, struct arena *arena)
{
	struct bytes *sorted;

	if (s->is_addresses) {
		s->ranges = policy_ranges_make(s->prefixes, s->prefix_count, arena, &s->range_count);
		return s->ranges ? OK : ERR_MEMORY;
	}
	sorted = arena_array(arena, s->string_count + 1, sizeof *sorted);
	if (!sorted)
		return ERR_MEMORY;
	if (s->string_count)
		memcpy(sorted, s->strings, s->string_count * sizeof *sorted);
	policy_strings_sort(sorted, s->string_count);
	s->strings = sorted;
	s->is_sorted = true;
	return OK;
}
