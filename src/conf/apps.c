/* gateway.apps: what people reach from the portal, and how an app is found by its host or its id. */
#include "conf/load_priv.h"

#include <stdlib.h>

#define ID_MOST	  40 /* octets */
#define NAME_MOST 100
#define TEXT_MOST 400

static bool is_id(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!(id.at[i] >= 'a' && id.at[i] <= 'z') && !(id.at[i] >= '0' && id.at[i] <= '9') && id.at[i] != '-')
			return false;
	return id.len > 0 && id.len <= ID_MOST;
}

/* --- fields for servers --- */

/* Written by the proxy itself for each request, or about one connection (RFC 9110 7.6.1), or what sessions travel in. */
static bool is_own_field(struct bytes name)
{
	switch (http_field_id(name)) {
	case HTTP_HOST: case HTTP_CONNECTION: case HTTP_CONTENT_LENGTH: case HTTP_TRANSFER_ENCODING: case HTTP_EXPECT: case HTTP_UPGRADE: case HTTP_TE:
	case HTTP_TRAILER: case HTTP_KEEP_ALIVE: case HTTP_PROXY_CONNECTION: case HTTP_PROXY_AUTHENTICATE: case HTTP_PROXY_AUTHORIZATION:
	case HTTP_X_FORWARDED_FOR: case HTTP_X_FORWARDED_PROTO: case HTTP_X_FORWARDED_HOST: case HTTP_X_FORWARDED_PORT: case HTTP_FORWARDED:
	case HTTP_X_REQUEST_ID: case HTTP_COOKIE: case HTTP_SET_COOKIE:
		return true;
	default:
		return http_is_sluis_field(name);
	}
}

/* Servers behind CGI and the like take _ and - for the same, and with both a client could send what is not taken away. */
static bool is_field_name(struct bytes name)
{
	return http_is_token(name) && bytes_find_byte(name, '_') == SIZE_MAX && bytes_find_byte(name, '.') == SIZE_MAX;
}

static void read_fields(struct loader *l, const struct map *m, struct conf_app *app)
{
	yaml_node_pair_t *pairs;
	size_t n = conf_named(l, m, "fields", &pairs);
	struct conf_field *list = conf_array(l, n, sizeof *list);

	for (size_t i = 0; i < n; i++) {
		yaml_node_t *key = yaml_document_get_node(l->doc, pairs[i].key);
		struct conf_field *f = &list[i];

		f->name = arena_copy(l->arena, node_text(key));
		if (!is_field_name(f->name))
			conf_fail(l, &key->start_mark, "letters, digits and -", "'%.*s' is not the name of a field for servers", FMT(f->name));
		else if (is_own_field(f->name))
			conf_fail(l, &key->start_mark, "choose another name, as X-User", "the field '%.*s' is made by Sluis itself, or belongs to the connection", FMT(f->name));
		for (size_t k = 0; k < i; k++)
			if (!bytes_eq(list[k].name, f->name) && bytes_eq_nocase(list[k].name, f->name))
				conf_fail(l, &key->start_mark, "keep one of the two", "'%.*s' and '%.*s' are one field", FMT(list[k].name), FMT(f->name));
		f->value = conf_expr(l, yaml_document_get_node(l->doc, pairs[i].value), POLICY_STRING, false);
	}
	app->fields = list;
	app->field_count = n;
}

/* --- one app --- */

/* HOST or HOST:PORT. */
static struct bytes read_server_host(struct loader *l, const struct map *m)
{
	struct bytes v = map_plain(m, "server_host"); /* a copy, ours to change */
	size_t colon = bytes_find_byte(v, ':');
	yaml_mark_t at = map_mark(m, "server_host");
	unsigned char *low = (unsigned char *)(uintptr_t)v.at;
	uint64_t port = 1;
	bool is_good = v.len > 0 && v.len <= 259 && colon != 0;

	if (v.len == 0) /* not given, or told */
		return BYTES("");
	for (size_t i = 0; is_good && i < v.len && i < colon; i++) {
		low[i] = ascii_lower(low[i]);
		is_good = (v.at[i] >= 'a' && v.at[i] <= 'z') || (v.at[i] >= '0' && v.at[i] <= '9') || v.at[i] == '-' || v.at[i] == '_' || v.at[i] == '.';
	}
	if (is_good && (colon == SIZE_MAX || (bytes_u64(bytes_cut(v, colon + 1, v.len), &port) == OK && port > 0 && port <= 65535)))
		return v;
	conf_fail(l, &at, "write app.example.org or app.example.org:8080", "'%.*s' is not a host", FMT(v));
	return BYTES("");
}

static void read_app(struct loader *l, const struct map *m, struct conf_app *app)
{
	static const char when[] = "access is decided for the whole app";
	yaml_mark_t at = map_mark(m, "pool"), host_at = map_mark(m, "host");

	app->name = map_text(m, "name", NAME_MOST, true);
	if (app->name.len == 0)
		app->name = app->id;
	app->description = map_text(m, "description", TEXT_MOST, false);
	app->group = map_text(m, "group", NAME_MOST, true);
	app->help = map_text(m, "help", TEXT_MOST, false);
	app->host = map_host(m, "host");
	if (!map_node(m, "host"))
		conf_fail(l, &host_at, "write host: app.example.org", "the app '%.*s' has no host", FMT(app->id));
	else if (app->host.len && bytes_eq(app->host, l->conf->gateway.portal))
		conf_fail(l, &host_at, "give the app a host of its own", "'%.*s' is the host of the portal", FMT(app->host));
	if (map_string(m, "pool").len == 0)
		conf_fail(l, &at, "write pool: NAME", "the app '%.*s' has no pool", FMT(app->id));
	else
		app->pool = (uint16_t)conf_find_pool(l, map_string(m, "pool"), &at);
	app->allow = map_condition(m, "allow", when, &app->allow_text);
	app->mfa = map_condition(m, "mfa", when, &app->mfa_text);
	app->idle_s = map_node(m, "idle") ? map_s(m, "idle") : 0;
	app->device_binding = map_choice(m, "device_binding") ? (enum conf_binding)(map_choice(m, "device_binding") - 1) : l->conf->gateway.device_binding;
	read_fields(l, m, app);
	app->with_token = map_bool(m, "token");
	app->server_host = read_server_host(l, m);
	app->icon = map_image(m, "icon", CONF_ICON_MAX, &app->icon_type);
}

/* --- all of them --- */

/* Ties by place in the file, so that of two the later one is told. */
static int by_host(const void *x, const void *y)
{
	const struct conf_app *a = *(const struct conf_app *const *)x, *b = *(const struct conf_app *const *)y;
	int c = bytes_cmp(a->host, b->host);

	return c ? c : (a > b) - (a < b);
}

static int by_id(const void *x, const void *y)
{
	const struct conf_app *a = *(const struct conf_app *const *)x, *b = *(const struct conf_app *const *)y;
	int c = bytes_cmp(a->id, b->id);

	return c ? c : (a > b) - (a < b);
}

static void make_index(struct loader *l, const yaml_mark_t *hosts_at)
{
	struct conf_gateway *g = &l->conf->gateway;

	g->by_host = conf_array(l, g->app_count, sizeof(const struct conf_app *));
	g->by_id = conf_array(l, g->app_count, sizeof(const struct conf_app *));
	for (size_t i = 0; i < g->app_count; i++)
		g->by_host[i] = g->by_id[i] = &g->apps[i];
	qsort(g->by_host, g->app_count, sizeof(const struct conf_app *), by_host);
	qsort(g->by_id, g->app_count, sizeof(const struct conf_app *), by_id);
	for (size_t i = 1; i < g->app_count; i++) {
		const struct conf_app *a = g->by_host[i - 1], *b = g->by_host[i];
		if (b->host.len && bytes_eq(a->host, b->host))
			conf_fail(l, &hosts_at[b - g->apps], "give each app a host of its own", "'%.*s' is the host of the app '%.*s' already", FMT(b->host), FMT(a->id));
	}
}

void conf_read_apps(struct loader *l, const struct map *gateway)
{
	struct conf_gateway *g = &l->conf->gateway;
	yaml_node_pair_t *pairs;
	size_t n = conf_named(l, gateway, "apps", &pairs);
	yaml_mark_t *hosts_at;

	if (n > CONF_APPS_MAX) {
		conf_fail(l, &yaml_document_get_node(l->doc, pairs[CONF_APPS_MAX].key)->start_mark, NULL, "there are more than %d apps", CONF_APPS_MAX);
		n = CONF_APPS_MAX;
	}
	g->apps = conf_array(l, n, sizeof *g->apps);
	hosts_at = conf_array(l, n, sizeof *hosts_at);
	for (size_t i = 0; i < n; i++) {
		yaml_node_t *key = yaml_document_get_node(l->doc, pairs[i].key);
		struct map m = conf_map(l, yaml_document_get_node(l->doc, pairs[i].value), "app");
		struct conf_app *app = &g->apps[g->app_count++];

		app->id = arena_copy(l->arena, node_text(key));
		app->at = (struct conf_mark){ (unsigned)key->start_mark.line + 1, (unsigned)key->start_mark.column + 1 };
		if (!is_id(app->id))
			conf_fail(l, &key->start_mark, "a to z, 0 to 9 and -, at most 40", "'%.*s' is not an id for an app", FMT(app->id));
		if (m.node)
			read_app(l, &m, app);
		else if (yaml_document_get_node(l->doc, pairs[i].value)->type == YAML_SCALAR_NODE)
			conf_fail(l, &key->start_mark, "write host: and pool: below it", "the app '%.*s' has no keys", FMT(app->id));
		hosts_at[i] = m.node ? map_mark(&m, "host") : key->start_mark;
	}
	make_index(l, hosts_at);
}

/* The place of the only app that may be it: the last that is not behind. */
static size_t search(const struct conf_app *const *list, size_t n, struct bytes key, bool is_id_wanted)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (bytes_cmp(is_id_wanted ? list[middle]->id : list[middle]->host, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct policy_expr *conf_mfa_of(const struct conf_gateway *g, const struct conf_app *app)
{
	return app && app->mfa ? app->mfa : g->mfa;
}

const struct conf_app *conf_app_by_host(const struct conf *c, struct bytes host)
{
	const struct conf_gateway *g = &c->gateway;
	size_t i = search(g->by_host, g->app_count, host, false);

	return i < g->app_count && host.len && bytes_eq(g->by_host[i]->host, host) ? g->by_host[i] : NULL;
}

const struct conf_app *conf_app_by_id(const struct conf *c, struct bytes id)
{
	const struct conf_gateway *g = &c->gateway;
	size_t i = search(g->by_id, g->app_count, id, true);

	return i < g->app_count && bytes_eq(g->by_id[i]->id, id) ? g->by_id[i] : NULL;
}
