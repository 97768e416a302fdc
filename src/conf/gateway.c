/* gateway: the portal itself. Its apps are in apps.c. */
#include "conf/load_priv.h"

#define TITLE_MOST   100 /* octets */
#define SUPPORT_MOST 400
#define NOTICE_MOST  4000
#define HTTPS_PORT   443

/* Sessions travel in cookies that browsers send over TLS alone, so without TLS nobody could sign in. */
static const struct conf_listener *tls_listener(const struct conf *c)
{
	for (size_t i = 0; i < c->listener_count; i++)
		if (c->listeners[i].tls.is_on)
			return &c->listeners[i];
	return NULL;
}

static void read_origin(struct loader *l, const struct map *m, struct conf_gateway *g)
{
	const struct conf_listener *tls = tls_listener(l->conf);
	yaml_mark_t at = map_mark(m, "portal");
	unsigned char mem[300];
	struct text t;

	g->portal = map_host(m, "portal");
	g->port = (uint16_t)map_number(m, "port");
	if (!map_node(m, "portal"))
		conf_fail(l, &at, "write portal: work.example.org", "the gateway has no host for its portal");
	if (!tls)
		conf_fail(l, &at, "write tls: {certificates: [{chain: FILE, key: FILE}]} below a listener",
			"no listener has TLS, and browsers keep the portal's cookies for TLS alone: nobody could sign in");
	if (g->port == 0 && tls)
		g->port = tls->address.port;
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "https://");
	text_add(&t, g->portal);
	if (g->port != HTTPS_PORT)
		text_fmt(&t, ":%u", g->port);
	CHECK(!t.failed); /* a host has at most 253 octets */
	g->origin = arena_copy(l->arena, text_bytes(&t));
}

static struct conf_words read_words(struct loader *l, const struct map *m, const char *key, size_t most)
{
	yaml_node_t *n = map_node(m, key);
	struct conf_words w = { 0 };

	if (n && n->type == YAML_SCALAR_NODE) {
		w.en = w.nl = map_text(m, key, most, false);
	} else if (n) {
		struct map words = conf_map(l, n, key);
		w.en = map_text(&words, "en", most, false);
		w.nl = map_text(&words, "nl", most, false);
		if (w.en.len == 0)
			w.en = w.nl;
		if (w.nl.len == 0)
			w.nl = w.en;
	}
	return w;
}

void conf_read_gateway(struct loader *l, const struct map *top)
{
	struct map m = map_map(top, "gateway", "gateway");
	struct conf_gateway *g = &l->conf->gateway;

	if (!m.node)
		return;
	g->is_on = true;
	g->at = (struct conf_mark){ (unsigned)m.node->start_mark.line + 1, (unsigned)m.node->start_mark.column + 1 };
	read_origin(l, &m, g);
	g->title = map_text(&m, "title", TITLE_MOST, true);
	if (g->title.len == 0)
		g->title = g->portal;
	g->support = map_node(&m, "support") ? read_words(l, &m, "support", SUPPORT_MOST) : (struct conf_words){ l->conf->contact, l->conf->contact };
	g->support_hours = read_words(l, &m, "support_hours", SUPPORT_MOST);
	g->notice = read_words(l, &m, "notice", NOTICE_MOST);
	g->logo = map_image(&m, "logo", CONF_LOGO_MAX, &g->logo_type);
	g->colour = map_colour(&m, "colour");
	g->idle_s = map_s(&m, "idle");
	g->absolute_s = map_s(&m, "absolute");
	g->keep_forms_s = map_s(&m, "keep_forms");
	g->sessions_max = (uint32_t)map_number(&m, "sessions");
	g->hashers = (uint32_t)map_number(&m, "hashers");
	g->allow = map_condition(&m, "allow", "people sign in", &g->allow_text);
	g->mfa = map_condition(&m, "mfa", "people sign in", &g->mfa_text);
	g->device_binding = (enum conf_binding)map_choice(&m, "device_binding");
	conf_read_apps(l, &m);
	conf_read_directories(l, &m);
	conf_read_oidc(l, &m);
	conf_read_store(l, &m);
}

static void expr_free(struct policy_expr *e)
{
	if (e)
		policy_expr_fini(e);
}

void conf_free_gateway(struct conf_gateway *g)
{
	expr_free(g->allow);
	expr_free(g->mfa);
	for (size_t i = 0; i < g->app_count; i++) {
		expr_free(g->apps[i].allow);
		expr_free(g->apps[i].mfa);
		for (size_t k = 0; k < g->apps[i].field_count; k++)
			expr_free(g->apps[i].fields[k].value);
	}
}
