/* routes: which requests go to which pool. What belongs to the portal or to an app is no route's: it would never be used, or go around the
 * sign-in. */
#include "conf/load_priv.h"

static struct bytes read_host(struct loader *l, const yaml_node_t *n)
{
	struct bytes h = arena_copy(l->arena, node_text(n));
	unsigned char *low = (unsigned char *)(uintptr_t)h.at;
	const struct conf_app *app;

	for (size_t b = 0; b < h.len; b++)
		low[b] = ascii_lower(low[b]);
	if (h.len == 0 || h.len > 253 || (h.at[0] == '*' && (h.len < 3 || h.at[1] != '.')))
		conf_fail(l, &n->start_mark, "write www.example.org or *.example.org", "'%.*s' is not a host", FMT(h));
	else if (l->conf->gateway.portal.len && bytes_eq(h, l->conf->gateway.portal))
		conf_fail(l, &n->start_mark, "take this host out of the route", "'%.*s' is the host of the portal (gateway:), so this route would never be used", FMT(h));
	else if ((app = conf_app_by_host(l->conf, h)) != NULL)
		conf_fail(l, &n->start_mark, "take this host out of the route; the app has a pool of its own",
			"'%.*s' is the host of the app '%.*s', and a route for it would go around the sign-in", FMT(h), FMT(app->id));
	return h;
}

static void read_session(struct loader *l, const struct map *m, struct conf_route *r)
{
	yaml_mark_t at = map_mark(m, "require");

	r->needs_session = map_choice(m, "require") == 1;
	r->allow = map_condition(m, "allow", NULL, &r->allow_text);
	if (r->needs_session && !l->conf->gateway.is_on)
		conf_fail(l, &at, "write gateway: {portal: work.example.org}", "the route needs a session, and there is no gateway to sign in at");
	else if (r->needs_session && r->host_count == 0)
		conf_fail(l, &at, "write host: www.example.org or *.example.org", "the route needs a session, and a session is for a host: the route has none");
	at = map_mark(m, "allow");
	if (!r->needs_session && map_node(m, "allow"))
		conf_fail(l, &at, "write require: session beside it, or use if", "'allow' says who of those who have signed in may, and this route asks nobody to");
}

static void read_route(struct loader *l, yaml_node_t *n, struct conf_route *r)
{
	struct map m = conf_map(l, n, "route");
	yaml_node_t **hosts, *when = map_node(&m, "if");
	yaml_mark_t at = map_mark(&m, "pool"), path_at = map_mark(&m, "path");
	struct bytes *list;

	r->host_count = map_items(&m, "host", &hosts);
	r->hosts = list = conf_array(l, r->host_count, sizeof *list);
	for (size_t k = 0; k < r->host_count; k++)
		list[k] = read_host(l, hosts[k]);
	r->path = map_string(&m, "path");
	if (r->path.len && (r->path.at[0] != '/' || r->path.len > 1024))
		conf_fail(l, &path_at, "write path: /prefix", "a path starts with / and has at most 1024 octets");
	r->when = when ? conf_expr(l, when, POLICY_BOOL, false) : NULL;
	if (map_string(&m, "pool").len == 0)
		conf_fail(l, &at, "write pool: NAME", "the route has no pool");
	else
		r->pool = (uint16_t)conf_find_pool(l, map_string(&m, "pool"), &at);
	read_session(l, &m, r);
}

void conf_read_routes(struct loader *l, const struct map *top)
{
	struct conf *c = l->conf;
	yaml_node_t **items;
	size_t n = map_items(top, "routes", &items), own = 0;

	c->routes = conf_array(l, n + 1, sizeof *c->routes);
	for (size_t i = 0; i < n; i++)
		read_route(l, items[i], &c->routes[i]);
	c->route_count = n;
	for (size_t i = 0; i < c->pool_count; i++)
		own += c->pools[i].of == CONF_POOL_APPS; /* those come behind */
	/* One pool and no route: all goes there. Not what is behind the gateway: by a name that is no app's anybody would reach an app's server. */
	if (n == 0 && own == 1 && c->gateway.app_count == 0)
		c->route_count = 1;
}
