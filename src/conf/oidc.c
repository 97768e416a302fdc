/* gateway.oidc: services that people sign in at by OpenID Connect. */
#include "conf/load_priv.h"
#include "net/url.h"

#define HOSTS_MOST  8
#define VALUES_MOST 16
#define TEXT_MOST   200
#define LABEL_MOST  60
#define SCOPES_MOST 400

/* As in a server's place of the configuration: HOST:PORT, brackets around IPv6. */
static struct bytes host_and_port(struct loader *l, const struct url *u)
{
	bool is_v6 = bytes_find_byte(u->host, ':') != SIZE_MAX;
	unsigned char mem[300];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_str(&t, is_v6 ? "[" : "");
	for (size_t i = 0; i < u->host.len; i++)
		text_byte(&t, ascii_lower(u->host.at[i]));
	text_fmt(&t, is_v6 ? "]:%u" : ":%u", u->port);
	return arena_copy(l->arena, text_bytes(&t));
}

static void read_issuer(struct loader *l, const struct map *m, struct conf_oidc *o, struct conf_server *s)
{
	yaml_mark_t at = map_mark(m, "issuer");
	struct url u;

	o->issuer = map_text(m, "issuer", URL_MAX - 64, true); /* its metadata's path stands behind it */
	if (o->issuer.len == 0)
		conf_fail(l, &at, "write issuer: https://id.example.org", "the provider '%.*s' has no issuer", FMT(o->name));
	else if (url_read(o->issuer, &u) != OK || bytes_find_byte(o->issuer, '?') != SIZE_MAX || !conf_parse_host(l, host_and_port(l, &u), u.port, s))
		conf_fail(l, &at, "write https://id.example.org, with the path that the provider names; http is for addresses of this machine (127.0.0.1)",
			"'%.*s' is not an issuer", FMT(o->issuer));
}

static void read_hosts(struct loader *l, const struct map *m, struct conf_oidc *o)
{
	yaml_mark_t at = map_mark(m, "issuer");
	struct conf_server *servers;
	yaml_node_t **items;
	size_t n = map_items(m, "hosts", &items);

	if (n > HOSTS_MOST) {
		conf_fail(l, &items[HOSTS_MOST]->start_mark, NULL, "there are more than %d hosts", HOSTS_MOST);
		n = HOSTS_MOST;
	}
	servers = conf_array(l, n + 1, sizeof *servers);
	read_issuer(l, m, o, &servers[0]);
	for (size_t i = 0; i < n; i++)
		if (!conf_parse_host(l, node_text(items[i]), 443, &servers[i + 1]))
			conf_fail(l, &items[i]->start_mark, "write keys.example.org or keys.example.org:8443", "'%.*s' is not a host, with or without a port", FMT(node_text(items[i])));
	o->pool = conf_add_pool(l, CONF_POOL_DIRECTORY, "oidc", o->name, servers, n + 1, o->timeout_ms, &at);
}

static void read_client(struct loader *l, const struct map *m, struct conf_oidc *o)
{
	yaml_mark_t at = map_mark(m, "client_id");
	bool has_secret = map_string(m, "client_secret").len > 0;

	o->client_id = map_text(m, "client_id", TEXT_MOST, true);
	if (o->client_id.len == 0)
		conf_fail(l, &at, "write client_id: sluis, as it is registered at the provider", "the provider '%.*s' has no client_id", FMT(o->name));
	o->client_auth = (enum conf_oidc_auth)map_choice(m, "client_auth");
	at = map_mark(m, "client_secret");
	if (has_secret == (o->client_auth == CONF_OIDC_NONE))
		conf_fail(l, &at, has_secret ? "take client_secret or client_auth away" : "write client_secret: FILE, or client_auth: none where the provider knows us as a public client",
			has_secret ? "'client_auth: none' has no secret" : "the provider '%.*s' has no client_secret", FMT(o->name));
	if (has_secret)
		o->secret = conf_add_secret(l, m, "client_secret");
}

/* A list of words without spaces; its default where the file has none. */
static struct bytes *read_words(struct loader *l, const struct map *m, const char *key, const struct bytes *instead, size_t instead_count, size_t *count)
{
	yaml_node_t **items;
	size_t n = map_items(m, key, &items);
	struct bytes *words;

	if (!map_node(m, key)) {
		words = conf_array(l, instead_count, sizeof *words);
		memcpy(words, instead, instead_count * sizeof *words);
		*count = instead_count;
		return words;
	}
	if (n > VALUES_MOST) {
		conf_fail(l, &items[VALUES_MOST]->start_mark, NULL, "'%s' has more than %d values", key, VALUES_MOST);
		n = VALUES_MOST;
	}
	words = conf_array(l, n, sizeof *words);
	for (size_t i = 0; i < n; i++) {
		words[i] = arena_copy(l->arena, node_text(items[i]));
		for (size_t k = 0; k < words[i].len; k++)
			if (words[i].at[k] <= ' ' || words[i].at[k] > 126 || words[i].at[k] == '"' || words[i].at[k] == '\\')
				words[i].len = TEXT_MOST + 1;
		if (words[i].len == 0 || words[i].len > TEXT_MOST)
			conf_fail(l, &items[i]->start_mark, "one word each, without spaces", "'%s' has something that is no word", key);
	}
	*count = n;
	return words;
}

static void read_scopes(struct loader *l, const struct map *m, struct conf_oidc *o)
{
	static const struct bytes instead[] = { LIT("openid"), LIT("profile"), LIT("email") };
	yaml_mark_t at = map_mark(m, "scopes");
	unsigned char mem[SCOPES_MOST];
	bool has_openid = false;
	struct bytes *words;
	struct text t;
	size_t n;

	words = read_words(l, m, "scopes", instead, COUNT_OF(instead), &n);
	text_init(&t, mem, sizeof mem);
	for (size_t i = 0; i < n; i++) {
		if (i)
			text_byte(&t, ' ');
		text_add(&t, words[i]);
		has_openid |= bytes_eq(words[i], BYTES("openid"));
	}
	if (!has_openid || t.failed)
		conf_fail(l, &at, "write scopes: [openid, profile, email]", t.failed ? "'scopes' are more than %d octets" : "'scopes' has no openid: there would be no ID token", SCOPES_MOST);
	o->scope = arena_copy(l->arena, text_bytes(&t));
}

/* The names are those of RFC 7518 that sluis-directory knows (auth/oidc.c). */
static void read_algorithms(struct loader *l, const struct map *m, struct conf_oidc *o)
{
	static const struct bytes instead[] = { LIT("RS256"), LIT("PS256"), LIT("ES256"), LIT("EdDSA") };
	static const struct bytes known[] = { LIT("RS256"), LIT("RS384"), LIT("RS512"), LIT("PS256"), LIT("PS384"), LIT("PS512"), LIT("ES256"), LIT("ES384"), LIT("EdDSA") };
	yaml_mark_t at = map_mark(m, "allow_algorithms");

	o->algorithms = read_words(l, m, "allow_algorithms", instead, COUNT_OF(instead), &o->algorithm_count);
	if (o->algorithm_count == 0)
		conf_fail(l, &at, "write allow_algorithms: [RS256]", "'allow_algorithms' is empty: no token could be right");
	for (size_t i = 0; i < o->algorithm_count; i++) {
		bool is_known = false;

		for (size_t k = 0; k < COUNT_OF(known); k++)
			is_known |= bytes_eq(o->algorithms[i], known[k]);
		if (!is_known)
			conf_fail(l, &at, "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA can be", "'%.*s' cannot be allowed", FMT(o->algorithms[i]));
	}
}

static void read_provider(struct loader *l, const struct map *m, struct conf_oidc *o)
{
	/* Which values count is each provider's own: this one alone means in RFC 8176 what it says. */
	static const struct bytes mfa[] = { LIT("mfa") };
	yaml_mark_t at = map_mark(m, "name_claim");

	o->timeout_ms = map_ms(m, "timeout");
	read_hosts(l, m, o);
	read_client(l, m, o);
	read_scopes(l, m, o);
	read_algorithms(l, m, o);
	o->groups_claim = map_text(m, "groups_claim", TEXT_MOST, true);
	o->is_narrowed = conf_read_take_groups(l, m, &o->take, &o->take_count);
	o->name_claim = map_text(m, "name_claim", TEXT_MOST, true);
	if (o->name_claim.len == 0)
		conf_fail(l, &at, "write name_claim: preferred_username", "'name_claim' is empty: nobody would have a name");
	o->mfa_values = read_words(l, m, "mfa_values", mfa, COUNT_OF(mfa), &o->mfa_value_count);
	o->ca_pem = map_file(m, "ca");
	o->label = map_text(m, "label", LABEL_MOST, true);
	if (o->label.len == 0)
		o->label = o->name;
}

void conf_read_oidc(struct loader *l, const struct map *gateway)
{
	struct conf_gateway *g = &l->conf->gateway;
	yaml_node_pair_t *pairs;
	size_t n = conf_named(l, gateway, "oidc", &pairs);

	if (n > CONF_OIDC_MAX) {
		conf_fail(l, &yaml_document_get_node(l->doc, pairs[CONF_OIDC_MAX].key)->start_mark, NULL, "there are more than %d providers", CONF_OIDC_MAX);
		n = CONF_OIDC_MAX;
	}
	g->oidc = conf_array(l, n, sizeof *g->oidc);
	for (size_t i = 0; i < n; i++) {
		yaml_node_t *key = yaml_document_get_node(l->doc, pairs[i].key), *value = yaml_document_get_node(l->doc, pairs[i].value);
		struct conf_oidc *o = &g->oidc[g->oidc_count];
		struct map m = conf_map(l, value, "oidc");

		o->name = arena_copy(l->arena, node_text(key));
		if (!conf_is_provider_name(o->name)) {
			conf_fail(l, &key->start_mark, "letters a to z, digits and -, at most 40", "'%.*s' cannot be a provider's name", FMT(o->name));
			continue;
		}
		if (!m.node) {
			conf_fail(l, &key->start_mark, "write issuer: and client_id: below it", "the provider '%.*s' has no keys", FMT(o->name));
			continue;
		}
		g->oidc_count++;
		read_provider(l, &m, o);
	}
}

const struct conf_oidc *conf_oidc_by_name(const struct conf *c, struct bytes name)
{
	for (size_t i = 0; i < c->gateway.oidc_count; i++)
		if (bytes_eq(c->gateway.oidc[i].name, name))
			return &c->gateway.oidc[i];
	return NULL;
}
