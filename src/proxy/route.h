/* Content switching: which route a request takes, and so to which pool it goes. The most specific host wins (exact, then the longest
 * wildcard, then none), in it the longest path prefix by whole segments, then the order of the file. */
#ifndef PROXY_ROUTE_H
#define PROXY_ROUTE_H

#include "conf/conf.h"

struct router;
enum err router_new(const struct conf *c, struct arena *a, struct router **out) MUST_USE;
/* The route that holds, which lives as long as conf; NULL when none does. No allocation; cost depends on the number of path
 * segments, not on the number of routes. */
const struct conf_route *router_find_route(const struct router *r, struct bytes host, struct bytes path, const struct policy_input *in);
/* Its pool's index, or SIZE_MAX. */
size_t router_find(const struct router *r, struct bytes host, struct bytes path, const struct policy_input *in);

#endif
