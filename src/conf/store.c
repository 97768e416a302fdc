/* gateway.store: where users and sessions are kept. Without it in a file of this node's own. */
#include "conf/load_priv.h"

#define SERVERS_MOST 8
#define NAME_MOST    63 /* PostgreSQL's names */
#define PORT	     5432
#define CONNECT_MS   3000

static const char example[] = "write postgresql://sluis@db.example.org/sluis";

/* Names that need no quoting anywhere. */
static bool is_name(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		unsigned char c = ascii_lower(b.at[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
			return false;
	}
	return b.len > 0 && b.len <= NAME_MOST;
}

static void read_servers(struct loader *l, struct bytes hosts, struct conf_store *s, const yaml_mark_t *at)
{
	struct conf_server servers[SERVERS_MOST], *kept;
	size_t n = 0;

	while (hosts.len) {
		size_t comma = bytes_find_byte(hosts, ',');
		struct bytes one = bytes_cut(hosts, 0, comma);

		hosts = comma == SIZE_MAX ? BYTES("") : bytes_cut(hosts, comma + 1, hosts.len);
		if (n == SERVERS_MOST) {
			conf_fail(l, at, NULL, "'store' names more than %d servers", SERVERS_MOST);
			return;
		}
		if (one.len == 0 || !conf_parse_host(l, one, PORT, &servers[n])) {
			conf_fail(l, at, "write db.example.org, db.example.org:5432, 192.0.2.1 or [2001:db8::1]:5432", "'%.*s' is not a host, with or without a port", FMT(one));
			return;
		}
		if (!s->has_tls && !conf_is_loopback(&servers[n]))
			conf_fail(l, at, "take ?sslmode=disable away", "without TLS everybody on the way to '%.*s' could read sessions: sslmode=disable is for addresses of this "
				"machine (127.0.0.1)", FMT(one));
		for (size_t i = 0; i < n; i++)
			if (bytes_eq(servers[i].name, servers[n].name))
				conf_fail(l, at, "keep one of the two", "the server '%.*s' stands here twice", FMT(one));
		n++;
	}
	if (n == 0) {
		conf_fail(l, at, example, "'store' names no server");
		return;
	}
	kept = conf_array(l, n, sizeof *kept);
	memcpy(kept, servers, n * sizeof *kept);
	s->pool = conf_add_pool(l, CONF_POOL_STORE, "store", BYTES("postgresql"), kept, n, CONNECT_MS, at);
}

/* postgresql://USER@HOST[:PORT][,...]/DATABASE[?sslmode=verify-full|disable] */
static void read_url(struct loader *l, struct bytes url, struct conf_store *s, const yaml_mark_t *at)
{
	size_t scheme = bytes_starts(url, BYTES("postgresql://")) ? 13 : bytes_starts(url, BYTES("postgres://")) ? 11 : 0, end;
	struct bytes rest = bytes_cut(url, scheme, url.len), query;

	if (!scheme) {
		conf_fail(l, at, example, "'store' is the URL of a PostgreSQL; without it users and sessions are kept below state_dir");
		return;
	}
	end = bytes_find_byte(rest, '?');
	query = end == SIZE_MAX ? BYTES("") : bytes_cut(rest, end + 1, rest.len);
	rest = bytes_cut(rest, 0, end);
	s->has_tls = !bytes_eq(query, BYTES("sslmode=disable"));
	if (end != SIZE_MAX && s->has_tls && !bytes_eq(query, BYTES("sslmode=verify-full")))
		conf_fail(l, at, "write ?sslmode=verify-full, or nothing, which is the same; keys of their own say the rest: store_ca, store_password",
			"'%.*s' is nothing that 'store' takes", FMT(query));
	end = bytes_find_byte(rest, '@');
	if (end == SIZE_MAX || !is_name(bytes_cut(rest, 0, end))) {
		bool has_password = end != SIZE_MAX && bytes_find_byte(bytes_cut(rest, 0, end), ':') != SIZE_MAX;

		conf_fail(l, at, has_password ? "write store_password: FILE, and postgresql://USER@HOST/DATABASE" : example,
			has_password ? "a password does not stand in the configuration, which is kept and shown" : "'store' names no user, or one that is none (a to z, 0 to 9, _, - and .)");
		return;
	}
	s->user = arena_copy(l->arena, bytes_cut(rest, 0, end));
	rest = bytes_cut(rest, end + 1, rest.len);
	end = bytes_find_byte(rest, '/');
	if (end == SIZE_MAX || !is_name(bytes_cut(rest, end + 1, rest.len))) {
		conf_fail(l, at, example, "'store' names no database, or one that is none (a to z, 0 to 9, _, - and .)");
		return;
	}
	s->database = arena_copy(l->arena, bytes_cut(rest, end + 1, rest.len));
	s->url = arena_copy(l->arena, url);
	read_servers(l, bytes_cut(rest, 0, end), s, at);
}

void conf_read_store(struct loader *l, const struct map *gateway)
{
	static const char *const others[] = { "store_password", "store_ca", "store_grace" };
	struct conf_store *s = &l->conf->gateway.store;
	yaml_mark_t at = map_mark(gateway, "store");

	if (!map_node(gateway, "store")) {
		for (size_t i = 0; i < COUNT_OF(others); i++)
			if (map_node(gateway, others[i])) {
				at = map_mark(gateway, others[i]);
				conf_fail(l, &at, example, "'%s' is of a 'store', which is not there", others[i]);
			}
		return;
	}
	s->is_shared = true;
	read_url(l, map_string(gateway, "store"), s, &at);
	s->grace_s = map_s(gateway, "store_grace");
	if (s->has_tls)
		s->ca_pem = map_file(gateway, "store_ca");
	s->has_password = map_string(gateway, "store_password").len > 0;
	if (s->has_password)
		s->secret = conf_add_secret(l, gateway, "store_password");
}
