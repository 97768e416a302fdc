/* gateway.ldap: directories that people sign in from. What every provider outside has in common is here too: a name, a pool of its own that no
 * route can name, and secrets, which are files that only sluis-directory is given. */
#include "conf/load_priv.h"
#include "board/board.h"

#include <stdio.h>

#define ID_MOST	     40 /* octets */
#define GROUP_MOST   200
#define SERVERS_MOST 8
#define TEXT_MOST    500
#define WORD_MOST    100
#define LDAPS_PORT   636
#define LDAP_PORT    389

bool conf_is_provider_name(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!(id.at[i] >= 'a' && id.at[i] <= 'z') && !(id.at[i] >= '0' && id.at[i] <= '9') && id.at[i] != '-')
			return false;
	return id.len > 0 && id.len <= ID_MOST;
}

uint16_t conf_add_secret(struct loader *l, const struct map *m, const char *key)
{
	struct conf *c = l->conf;
	struct bytes *list = conf_array(l, c->secret_count + 1, sizeof *list);
	struct conf_mark *at = conf_array(l, c->secret_count + 1, sizeof *at);

	if (c->secret_count) {
		memcpy(list, c->secrets, c->secret_count * sizeof *list);
		memcpy(at, c->secrets_at, c->secret_count * sizeof *at);
	}
	list[c->secret_count] = map_string(m, key);
	at[c->secret_count] = map_place(m, key);
	c->secrets = list;
	c->secrets_at = at;
	return (uint16_t)c->secret_count++;
}

uint16_t conf_add_pool(struct loader *l, enum conf_pool_of of, const char *kind, struct bytes name, struct conf_server *servers, size_t n, uint32_t connect_ms, const yaml_mark_t *at)
{
	struct conf *c = l->conf;
	struct conf_pool *pools = conf_array(l, c->pool_count + 1, sizeof *pools), *p = &pools[c->pool_count];
	unsigned char mem[64];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_str(&t, kind);
	text_byte(&t, '.');
	text_add(&t, bytes_cut(name, 0, ID_MOST));
	for (size_t i = 0; i < c->pool_count; i++)
		if (bytes_eq(c->pools[i].name, text_bytes(&t)))
			conf_fail(l, at, "call one of the two otherwise", "the servers of '%.*s' make a pool of the name '%.*s', and there is one", FMT(name), FMT(text_bytes(&t)));
	if (n > BOARD_SERVERS_MAX - c->server_total || c->pool_count == BOARD_SERVERS_MAX) { /* the boards have room for no more */
		conf_fail(l, at, NULL, "there are more than %d servers", BOARD_SERVERS_MAX);
		return 0;
	}
	if (c->pool_count)
		memcpy(pools, c->pools, c->pool_count * sizeof *pools);
	*p = (struct conf_pool){ .name = arena_copy(l->arena, text_bytes(&t)), .of = of, .servers = servers, .server_count = n,
		.connect_ms = connect_ms };
	for (size_t i = 0; i < n; i++)
		servers[i].global = (uint16_t)c->server_total++;
	c->pools = pools;
	return (uint16_t)c->pool_count++;
}

/* HOST, HOST:PORT, an IPv6 address in brackets with a port, or without both. */
bool conf_parse_host(struct loader *l, struct bytes text, uint16_t port, struct conf_server *s)
{
	size_t colon = bytes_find_byte(text, ':');
	uint64_t n = port;

	*s = (struct conf_server){ .name = arena_copy(l->arena, text), .weight = 1 };
	if (addr_parse(text, &s->address) == OK) {
		s->port = s->address.port;
		s->host = s->name;
		while (s->host.len && s->host.at[s->host.len - 1] != ':')
			s->host.len--;
		s->host.len -= s->host.len > 0;
		if (s->host.len > 2 && s->host.at[0] == '[')
			s->host = bytes_cut(s->host, 1, s->host.len - 1);
		s->host = arena_copy(l->arena, s->host);
		return s->port != 0;
	}
	if (text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']') { /* as in URLs */
		s->host = arena_copy(l->arena, bytes_cut(text, 1, text.len - 1));
		if (addr_parse_ip(s->host, &s->address) != OK || addr_is_v4(&s->address))
			return false;
		s->address.port = s->port = port;
		return true;
	}
	s->is_name = addr_parse_ip(text, &s->address) != OK;
	s->address.port = s->port = port;
	s->host = s->is_name ? arena_copy(l->arena, bytes_cut(s->name, 0, colon)) : s->name;
	if (!s->is_name)
		return true;
	if (!conf_is_host(s->host) || (colon != SIZE_MAX && (bytes_u64(bytes_cut(text, colon + 1, text.len), &n) != OK || n == 0 || n > 65535)))
		return false;
	s->port = (uint16_t)n;
	return true;
}

bool conf_is_loopback(const struct conf_server *s)
{
	static const struct addr_prefix v4 = { .ip = { [10] = 0xff, [11] = 0xff, [12] = 127 }, .bits = 104 }, v6 = { .ip = { [15] = 1 }, .bits = 128 };

	return !s->is_name && (addr_in(&s->address, &v4) || addr_in(&s->address, &v6));
}

static void read_servers(struct loader *l, const struct map *m, struct conf_ldap *d)
{
	yaml_mark_t at = map_mark(m, "servers");
	struct conf_server *servers;
	yaml_node_t **items;
	size_t n = map_items(m, "servers", &items);

	if (n == 0 || n > SERVERS_MOST) {
		conf_fail(l, &at, "write servers: [ldap1.example.org, ldap2.example.org:636]", "the directory '%.*s' has %s", FMT(d->name),
			n ? "more than 8 servers" : "no servers");
		return;
	}
	servers = conf_array(l, n, sizeof *servers);
	for (size_t i = 0; i < n; i++) {
		if (!conf_parse_host(l, node_text(items[i]), d->tls == CONF_LDAPS ? LDAPS_PORT : LDAP_PORT, &servers[i]))
			conf_fail(l, &items[i]->start_mark, "write ldap.example.org, ldap.example.org:636 or 192.0.2.1:636",
				"'%.*s' is not a host, with or without a port", FMT(node_text(items[i])));
		else if (d->tls == CONF_LDAP_PLAIN && !conf_is_loopback(&servers[i]))
			conf_fail(l, &items[i]->start_mark, "write tls: ldaps or tls: starttls",
				"without TLS everybody on the way to '%.*s' could read passwords: tls: off is for addresses of this machine (127.0.0.1)", FMT(node_text(items[i])));
		for (size_t k = 0; k < i; k++)
			if (bytes_eq(servers[k].name, servers[i].name))
				conf_fail(l, &items[i]->start_mark, "keep one of the two", "the server '%.*s' stands here twice", FMT(servers[i].name));
	}
	d->pool = conf_add_pool(l, CONF_POOL_DIRECTORY, "ldap", d->name, servers, n, d->timeout_ms, &at);
}

/* RFC 4515's outer form, and what is filled in: letters are those that may stand behind %. The rest is for the directory to say. */
static struct bytes read_filter(struct loader *l, const struct map *m, const char *key, const char *letters, bool is_needed)
{
	struct bytes v = map_text(m, key, TEXT_MOST, true);
	yaml_mark_t at = map_mark(m, key);
	size_t depth = 0, filled = 0;
	bool is_good = v.len > 2 && v.at[0] == '(';

	for (size_t i = 0; i < v.len && is_good; i++) {
		depth += v.at[i] == '(';
		if (v.at[i] == ')')
			is_good = depth-- > 0 && (depth > 0 || i + 1 == v.len);
		if (v.at[i] == '%') {
			if (i + 1 == v.len || !v.at[i + 1] || !strchr(letters, v.at[i + 1])) {
				conf_fail(l, &at, letters[1] ? "write %d where the DN is to stand, %u where the name is, \\25 for the sign itself" :
					"write %u where the name is to stand, \\25 for the sign itself", "'%s' has a %% that stands for nothing", key);
				return BYTES("");
			}
			filled++;
		}
	}
	if (v.len && (!is_good || depth))
		conf_fail(l, &at, "write (&(objectClass=person)(uid=%u))", "'%s' is not a filter: it is one pair of brackets, and each that opens is closed", key);
	else if (filled == 0 && is_needed)
		conf_fail(l, &at, letters[1] ? "write (member=%d)" : "write (uid=%u)", "'%s' does not say %s: it would find the same for everybody", key, letters[1] ? "%d or %u" : "%u");
	return v;
}

/* The name of an attribute: RFC 4512 2.5, without options. */
static struct bytes read_attribute(struct loader *l, const struct map *m, const char *key)
{
	struct bytes v = map_string(m, key);
	yaml_mark_t at = map_mark(m, key);

	for (size_t i = 0; i < v.len; i++) {
		unsigned char c = ascii_lower(v.at[i]);

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (i && (c == '-' || c == '.')))
			continue;
		conf_fail(l, &at, "letters, digits and -", "'%.*s' is not the name of an attribute", FMT(v));
		return BYTES("");
	}
	if (v.len > WORD_MOST || (v.len == 0 && map_node(m, key)))
		conf_fail(l, &at, NULL, "'%s' is the name of an attribute, of at most %d octets", key, WORD_MOST);
	return v;
}

bool conf_read_take_groups(struct loader *l, const struct map *m, const struct bytes **take, size_t *count)
{
	yaml_node_t **items;
	size_t n = map_items(m, "take_groups", &items);
	struct bytes *list = conf_array(l, n, sizeof *list);

	for (size_t i = 0; i < n; i++) {
		list[i] = arena_copy(l->arena, node_text(items[i]));
		if (list[i].len == 0 || list[i].len > GROUP_MOST || bytes_find_byte(list[i], ',') != SIZE_MAX)
			conf_fail(l, &items[i]->start_mark, "write the name alone, without cn= and what follows",
				"'%.*s' is not the name of a group", FMT(list[i]));
	}
	*take = list;
	*count = n;
	return map_node(m, "take_groups") != NULL;
}

static void read_groups(struct loader *l, const struct map *m, struct conf_ldap *d)
{
	yaml_mark_t at = map_mark(m, "groups_attribute");

	d->group_base = map_text(m, "group_base", TEXT_MOST, true);
	d->groups_attribute = read_attribute(l, m, "groups_attribute");
	d->group_filter = read_filter(l, m, "group_filter", "du", true);
	d->group_name = read_attribute(l, m, "group_name");
	if (d->group_base.len && map_node(m, "groups_attribute"))
		conf_fail(l, &at, "keep one of the two", "groups are found by 'groups_attribute' or by a search below 'group_base', not by both");
	if (d->group_base.len)
		d->groups_attribute = BYTES("");
	if (!d->group_base.len && (map_node(m, "group_filter") || map_node(m, "group_name"))) {
		at = map_mark(m, map_node(m, "group_filter") ? "group_filter" : "group_name");
		conf_fail(l, &at, "write group_base: ou=groups,dc=example,dc=org", "groups are searched for below 'group_base', which is not there");
	}
	d->is_narrowed = conf_read_take_groups(l, m, &d->take, &d->take_count);
}

static void read_bind(struct loader *l, const struct map *m, struct conf_ldap *d)
{
	yaml_mark_t at = map_mark(m, "bind_dn");

	d->bind_dn = map_text(m, "bind_dn", TEXT_MOST, true);
	d->has_password = map_string(m, "bind_password").len > 0;
	if ((d->bind_dn.len > 0) != d->has_password) /* RFC 4513 5.1.2: a DN without a password binds as nobody, and many servers say yes to it */
		conf_fail(l, &at, d->has_password ? "write bind_dn: cn=sluis,ou=services,dc=example,dc=org" : "write bind_password: FILE, or take bind_dn away to search as nobody",
			"'bind_dn' and 'bind_password' belong together");
	if (d->has_password)
		d->secret = conf_add_secret(l, m, "bind_password");
}

static void read_ldap(struct loader *l, const struct map *m, struct conf_ldap *d)
{
	yaml_mark_t at = map_mark(m, "base");

	d->at = (struct conf_mark){ (unsigned)at.line + 1, (unsigned)at.column + 1 };
	d->tls = (enum conf_ldap_tls)map_choice(m, "tls");
	d->timeout_ms = map_ms(m, "timeout");
	d->refresh_s = map_s(m, "refresh");
	read_servers(l, m, d);
	if (d->tls != CONF_LDAP_PLAIN)
		d->ca_pem = map_file(m, "ca");
	read_bind(l, m, d);
	d->base = map_text(m, "base", TEXT_MOST, true);
	if (d->base.len == 0)
		conf_fail(l, &at, "write base: ou=people,dc=example,dc=org", "the directory '%.*s' has no base to search below", FMT(d->name));
	d->filter = read_filter(l, m, "filter", "u", true);
	d->subject = read_attribute(l, m, "subject");
	d->user_name = read_attribute(l, m, "name");
	d->display = read_attribute(l, m, "display");
	d->mail = read_attribute(l, m, "mail");
	read_groups(l, m, d);
}

void conf_read_directories(struct loader *l, const struct map *gateway)
{
	struct conf_gateway *g = &l->conf->gateway;
	yaml_node_pair_t *pairs;
	size_t n = conf_named(l, gateway, "ldap", &pairs);

	g->directories = (uint32_t)map_number(gateway, "directories");
	if (n > CONF_DIRECTORIES_MAX) {
		conf_fail(l, &yaml_document_get_node(l->doc, pairs[CONF_DIRECTORIES_MAX].key)->start_mark, NULL, "there are more than %d directories", CONF_DIRECTORIES_MAX);
		n = CONF_DIRECTORIES_MAX;
	}
	g->ldap = conf_array(l, n, sizeof *g->ldap);
	for (size_t i = 0; i < n; i++) {
		yaml_node_t *key = yaml_document_get_node(l->doc, pairs[i].key), *value = yaml_document_get_node(l->doc, pairs[i].value);
		struct conf_ldap *d = &g->ldap[g->ldap_count];
		struct map m = conf_map(l, value, "ldap");

		d->name = arena_copy(l->arena, node_text(key));
		if (!conf_is_provider_name(d->name)) {
			conf_fail(l, &key->start_mark, "letters a to z, digits and -", "'%.*s' cannot be a directory's name, of at most %d octets", FMT(d->name), ID_MOST);
			continue;
		}
		if (!m.node) {
			conf_fail(l, &key->start_mark, "write servers: and base: below it", "the directory '%.*s' has no keys", FMT(d->name));
			continue;
		}
		g->ldap_count++;
		read_ldap(l, &m, d);
	}
}

const struct conf_ldap *conf_ldap_by_name(const struct conf *c, struct bytes name)
{
	for (size_t i = 0; i < c->gateway.ldap_count; i++)
		if (bytes_eq(c->gateway.ldap[i].name, name))
			return &c->gateway.ldap[i];
	return NULL;
}
