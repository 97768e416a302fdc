/* One hash table over (host, path prefix): a request is looked up once per prefix of its path that ends at a
 * segment, longest first, for its exact host, then each wildcard that fits, then no host. A bit set of the
 * prefix lengths in use skips most of these. */
#include "proxy/route.h"

#include <stdlib.h>

#define PATH_MAX_LEN 1024 /* longer prefixes cannot be configured (conf's limit on a route's path) */

struct route_entry { /* all routes of one (host, path), in the file's order */
	struct bytes host, path;
	uint64_t hash;
	const struct conf_route **routes;
	size_t count;
	bool is_used;
};

struct router {
	struct route_entry *slots;
	size_t mask;
	bool has_wildcards;
	uint64_t lengths[PATH_MAX_LEN / 64 + 1]; /* path prefix lengths in use */
};

static uint64_t route_hash(struct bytes host, struct bytes path)
{
	uint64_t h = 0xcbf29ce484222325u; /* keys are the administrator's: no flooding to fear */

	for (size_t i = 0; i < host.len; i++)
		h = (h ^ host.at[i]) * 0x100000001b3u;
	h = (h ^ 0xff) * 0x100000001b3u;
	for (size_t i = 0; i < path.len; i++)
		h = (h ^ path.at[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static struct route_entry *router_slot(const struct router *r, struct bytes host, struct bytes path)
{
	uint64_t h = route_hash(host, path);

	for (size_t i = h & r->mask;; i = (i + 1) & r->mask) {
		struct route_entry *e = &r->slots[i];
		if (!e->is_used || (e->hash == h && bytes_eq(e->host, host) && bytes_eq(e->path, path)))
			return e;
	}
}

static struct bytes route_path(struct bytes p)
{
	while (p.len && p.at[p.len - 1] == '/')
		p.len--;
	return p;
}

static enum err router_add(struct router *r, struct arena *a, struct bytes host, const struct conf_route *route)
{
	struct bytes path = route_path(route->path);
	struct route_entry *e = router_slot(r, host, path);
	const struct conf_route **more;

	if (path.len > PATH_MAX_LEN)
		return ERR_LIMIT;
	more = arena_array(a, e->count + 1, sizeof *more);
	if (!more)
		return ERR_MEMORY;
	if (e->count)
		memcpy(more, e->routes, e->count * sizeof *more);
	more[e->count] = route;
	*e = (struct route_entry){ host, path, route_hash(host, path), more, e->count + 1, true };
	r->lengths[path.len / 64] |= 1ULL << (path.len % 64);
	if (host.len && host.at[0] == '*')
		r->has_wildcards = true;
	return OK;
}

enum err router_new(const struct conf *c, struct arena *a, struct router **out)
{
	struct router *r = arena_alloc(a, sizeof *r);
	size_t n = 0, slots = 16;

	if (!r)
		return ERR_MEMORY;
	for (size_t i = 0; i < c->route_count; i++)
		n += c->routes[i].host_count ? c->routes[i].host_count : 1;
	while (slots < n * 2)
		slots *= 2;
	r->mask = slots - 1;
	r->slots = arena_array(a, slots, sizeof *r->slots);
	if (!r->slots)
		return ERR_MEMORY;
	for (size_t i = 0; i < c->route_count; i++) {
		const struct conf_route *route = &c->routes[i];
		if (route->host_count == 0)
			TRY(router_add(r, a, BYTES(""), route));
		for (size_t h = 0; h < route->host_count; h++)
			TRY(router_add(r, a, route->hosts[h], route));
	}
	*out = r;
	return OK;
}

static const struct conf_route *router_find_in(const struct router *r, struct bytes host, struct bytes path,
	const struct policy_input *in)
{
	size_t len = path.len > PATH_MAX_LEN ? PATH_MAX_LEN : path.len;

	for (;; len--) {
		bool at_segment = len == 0 || len == path.len || path.at[len] == '/';
		if (at_segment && r->lengths[len / 64] >> (len % 64) & 1) {
			const struct route_entry *e = router_slot(r, host, bytes_cut(path, 0, len));
			for (size_t i = 0; e->is_used && i < e->count; i++)
				if (!e->routes[i]->when || policy_is_true(e->routes[i]->when, in))
					return e->routes[i];
		}
		if (len == 0)
			return NULL;
	}
}

const struct conf_route *router_find_route(const struct router *r, struct bytes host, struct bytes path, const struct policy_input *in)
{
	unsigned char star[256];
	const struct conf_route *route = NULL;

	if (host.len)
		route = router_find_in(r, host, path, in);
	for (size_t dot = 0; !route && r->has_wildcards && host.len < sizeof star; ) {
		size_t next = bytes_find_byte(bytes_cut(host, dot, host.len), '.');
		if (next == SIZE_MAX)
			break;
		dot += next;
		star[0] = '*';
		memcpy(star + 1, host.at + dot, host.len - dot);
		route = router_find_in(r, bytes_of(star, host.len - dot + 1), path, in);
		dot++;
	}
	return route ? route : router_find_in(r, BYTES(""), path, in);
}

size_t router_find(const struct router *r, struct bytes host, struct bytes path, const struct policy_input *in)
{
	const struct conf_route *route = router_find_route(r, host, path, in);

	return route ? route->pool : SIZE_MAX;
}
