/* gateway.store: every mistake and the line that tells it, every default, and the pool that its servers make. */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

/* Four lines that are right but for what a case adds: its own begin at line 5, two spaces in. A value of store stands at column 10. */
#define LISTENERS "listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [{chain: a.pem, key: a.key}]}}}\n"
#define GATEWAY	  "gateway:\n  portal: work.example.org\n"
#define HEAD	  LISTENERS "pools: {app: {servers: ['127.0.0.1:81']}}\n" GATEWAY
#define EXAMPLE	  "; write postgresql://sluis@db.example.org/sluis\n"
#define HOSTS	  "; write db.example.org, db.example.org:5432, 192.0.2.1 or [2001:db8::1]:5432\n"
#define NO_USER	  "5:10: 'store' names no user, or one that is none (a to z, 0 to 9, _, - and .)" EXAMPLE
#define NO_BASE	  "5:10: 'store' names no database, or one that is none (a to z, 0 to 9, _, - and .)" EXAMPLE
#define NO_URL	  "5:10: 'store' is the URL of a PostgreSQL; without it users and sessions are kept below state_dir" EXAMPLE
#define SECRET	  "5:10: a password does not stand in the configuration, which is kept and shown; write store_password: FILE, and postgresql://USER@HOST/DATABASE\n"
#define QUERY(q)  "5:10: '" q "' is nothing that 'store' takes; write ?sslmode=verify-full, or nothing, which is the same; keys of their own say the rest: store_ca, store_password\n"
#define PLAIN(h)  "5:10: without TLS everybody on the way to '" h "' could read sessions: sslmode=disable is for addresses of this machine (127.0.0.1); take ?sslmode=disable away\n"
#define TEN	  "abcdefghij"
#define SIXTY	  TEN TEN TEN TEN TEN TEN

static enum err some_files(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s, (void)arena;
	if (!bytes_eq(path, BYTES("a.pem")) && !bytes_eq(path, BYTES("/etc/ssl/certs/ca-certificates.crt")))
		return ERR_NOT_FOUND; /* a password is never asked for: it is no part of the bundle */
	*out = path.at[0] == '/' ? BYTES("ALL") : BYTES("PEM");
	return OK;
}

#include "cases.h"

static const struct conf_case cases[] = {
	{ "the least", HEAD "  store: postgresql://sluis@db.example.org/sluis\n", "" },
	{ "the short scheme", HEAD "  store: postgres://sluis@db.example.org/sluis\n", "" },
	{ "all of it", HEAD "  store: postgresql://s_1-a.b@a.example,b.example:6432,192.0.2.1,[2001:db8::1]:5432/d_1-a.b?sslmode=verify-full\n  store_password: p\n  store_ca: a.pem\n  store_grace: 0s\n", "" },
	{ "a name of 63", HEAD "  store: postgresql://" SIXTY "abc@a/" SIXTY "abc\n", "" },
	{ "eight servers", HEAD "  store: postgresql://sluis@a,b,c,d,e,f,g,h/sluis\n", "" },
	/* not a URL of that kind */
	{ "empty", HEAD "  store: ''\n", NO_URL },
	{ "an unknown scheme", HEAD "  store: mysql://sluis@db.example.org/sluis\n", NO_URL },
	{ "a scheme in upper case", HEAD "  store: POSTGRESQL://sluis@db.example.org/sluis\n", NO_URL },
	{ "a scheme without its slashes", HEAD "  store: postgresql:sluis@db.example.org/sluis\n", NO_URL },
	{ "a file", HEAD "  store: /var/lib/sluis/store.db\n", NO_URL },
	{ "as libpq writes it too", HEAD "  store: host=db.example.org user=sluis dbname=sluis\n", NO_URL },
	/* its parameters */
	{ "an unknown parameter", HEAD "  store: postgresql://sluis@db.example.org/sluis?connect_timeout=3\n", QUERY("connect_timeout=3") },
	{ "a parameter too many", HEAD "  store: postgresql://sluis@127.0.0.1/sluis?sslmode=disable&application_name=x\n", QUERY("sslmode=disable&application_name=x") },
	{ "TLS without a look at the name", HEAD "  store: postgresql://sluis@db.example.org/sluis?sslmode=require\n", QUERY("sslmode=require") },
	{ "a parameter that names a file", HEAD "  store: postgresql://sluis@db.example.org/sluis?sslrootcert=a.pem\n", QUERY("sslrootcert=a.pem") },
	{ "a question mark alone", HEAD "  store: postgresql://sluis@db.example.org/sluis?\n", QUERY("") },
	{ "a piece", HEAD "  store: 'postgresql://sluis@db.example.org/sluis#x'\n", NO_BASE },
	/* who */
	{ "no user", HEAD "  store: postgresql://db.example.org/sluis\n", NO_USER },
	{ "an empty user", HEAD "  store: postgresql://@db.example.org/sluis\n", NO_USER },
	{ "a user that is none", HEAD "  store: postgresql://sl%20uis@db.example.org/sluis\n", NO_USER },
	{ "a name of 64", HEAD "  store: postgresql://" SIXTY "abcd@a/sluis\n", NO_USER },
	{ "a password", HEAD "  store: postgresql://sluis:geheim@db.example.org/sluis\n", SECRET },
	{ "a password with a @", HEAD "  store: postgresql://sluis:ge@heim@db.example.org/sluis\n", SECRET },
	{ "an empty password", HEAD "  store: postgresql://sluis:@db.example.org/sluis\n", SECRET },
	/* what */
	{ "no database", HEAD "  store: postgresql://sluis@db.example.org\n", NO_BASE },
	{ "an empty database", HEAD "  store: postgresql://sluis@db.example.org/\n", NO_BASE },
	{ "a database and more", HEAD "  store: postgresql://sluis@db.example.org/sluis/x\n", NO_BASE },
	{ "a database of 64", HEAD "  store: postgresql://sluis@a/" SIXTY "abcd\n", NO_BASE },
	/* where */
	{ "no server", HEAD "  store: postgresql://sluis@/sluis\n", "5:10: 'store' names no server" EXAMPLE },
	{ "a comma alone", HEAD "  store: postgresql://sluis@,/sluis\n", "5:10: '' is not a host, with or without a port" HOSTS },
	{ "a comma too many", HEAD "  store: postgresql://sluis@a,,b/sluis\n", "5:10: '' is not a host, with or without a port" HOSTS },
	{ "no host", HEAD "  store: 'postgresql://sluis@a b/sluis'\n", "5:10: 'a b' is not a host, with or without a port" HOSTS },
	{ "port 0", HEAD "  store: postgresql://sluis@a:0/sluis\n", "5:10: 'a:0' is not a host, with or without a port" HOSTS },
	{ "a port too high", HEAD "  store: postgresql://sluis@a:65536/sluis\n", "5:10: 'a:65536' is not a host, with or without a port" HOSTS },
	{ "a port of letters", HEAD "  store: postgresql://sluis@a:psql/sluis\n", "5:10: 'a:psql' is not a host, with or without a port" HOSTS },
	{ "a server twice", HEAD "  store: postgresql://sluis@a,b,a/sluis\n", "5:10: the server 'a' stands here twice; keep one of the two\n" },
	{ "nine servers", HEAD "  store: postgresql://sluis@a,b,c,d,e,f,g,h,i/sluis\n", "5:10: 'store' names more than 8 servers\n" },
	/* without TLS */
	{ "no TLS, here", HEAD "  store: postgresql://sluis@127.0.0.1,127.1.2.3:5433,[::1]:5434,::1/sluis?sslmode=disable\n", "" },
	{ "no TLS, elsewhere", HEAD "  store: postgresql://sluis@192.0.2.1/sluis?sslmode=disable\n", PLAIN("192.0.2.1") },
	{ "no TLS, elsewhere too", HEAD "  store: postgresql://sluis@127.0.0.1,192.0.2.1/sluis?sslmode=disable\n", PLAIN("192.0.2.1") },
	{ "IPv6 as in a URL", HEAD "  store: postgresql://sluis@[2001:db8::1],[::1]/sluis\n", "" },
	{ "brackets around no IPv6", HEAD "  store: postgresql://sluis@[192.0.2.1]/sluis\n", "5:10: '[192.0.2.1]' is not a host, with or without a port" HOSTS },
	{ "no TLS, elsewhere by IPv6", HEAD "  store: postgresql://sluis@[2001:db8::1]:5432/sluis?sslmode=disable\n", PLAIN("[2001:db8::1]:5432") },
	{ "no TLS, a name", HEAD "  store: postgresql://sluis@localhost/sluis?sslmode=disable\n", PLAIN("localhost") },
	{ "no TLS needs no authorities", HEAD "  store: postgresql://sluis@127.0.0.1/sluis?sslmode=disable\n  store_ca: none.pem\n", "" },
	/* the keys beside it */
	{ "authorities that are not there", HEAD "  store: postgresql://sluis@a/sluis\n  store_ca: none.pem\n", "6:13: the file 'none.pem' cannot be read (not_found); paths are taken from the configuration file's folder\n" },
	{ "a password without a store", HEAD "  store_password: p\n", "5:19: 'store_password' is of a 'store', which is not there" EXAMPLE },
	{ "authorities without a store", HEAD "  store_ca: a.pem\n", "5:13: 'store_ca' is of a 'store', which is not there" EXAMPLE },
	{ "a grace without a store", HEAD "  store_grace: 1m\n", "5:16: 'store_grace' is of a 'store', which is not there" EXAMPLE },
	{ "all of them without a store", HEAD "  store_grace: 1m\n  store_ca: a.pem\n  store_password: p\n", "5:16: 'store_grace' is of a 'store', which is not there" EXAMPLE
		"6:13: 'store_ca' is of a 'store', which is not there" EXAMPLE "7:19: 'store_password' is of a 'store', which is not there" EXAMPLE },
	{ "a grace too long", HEAD "  store: postgresql://sluis@a/sluis\n  store_grace: 25h\n", "6:16: store_grace must be from 0s to 24h\n" },
	{ "an unknown key", HEAD "  store: postgresql://sluis@a/sluis\n  store_pasword: p\n", "6:3: unknown key 'store_pasword'; write 'store_password'\n" },
	/* its pool */
	{ "its pool is no app's", HEAD "  store: postgresql://sluis@a/sluis\n  apps: {wiki: {host: wiki.example.org, pool: store.postgresql}}\n", "6:47: there is no pool 'store.postgresql'; name it under pools:\n" },
	{ "nor a route's", HEAD "  store: postgresql://sluis@a/sluis\nroutes: [{pool: store.postgresql}]\n", "6:17: there is no pool 'store.postgresql'; name it under pools:\n" },
	{ "nor a policy's", HEAD "  store: postgresql://sluis@a/sluis\npolicies: [{name: x, then: [{pool: store.postgresql}]}]\n", "6:36: there is no pool 'store.postgresql'; name it under pools:\n" },
	{ "a pool of that name", LISTENERS "pools: {store.postgresql: {servers: ['127.0.0.1:81']}}\n" GATEWAY "  store: postgresql://sluis@a/sluis\n",
		"5:10: the servers of 'postgresql' make a pool of the name 'store.postgresql', and there is one; call one of the two otherwise\n" },
};

static void mistakes(void **state)
{
	(void)state;
	check_cases(cases, COUNT_OF(cases));
}

static void none(void **state)
{
	struct conf *c = load(HEAD);

	(void)state;
	assert_false(c->gateway.store.is_shared);
	assert_int_equal(c->pool_count, 1);
	conf_free(&c);
}

static void defaults(void **state)
{
	struct conf *c = load(HEAD "  store: postgresql://sluis@a.example,b.example:6432,192.0.2.1,192.0.2.2:7,2001:db8::1,[2001:db8::2]:8/kept\n");
	static const struct { const char *host; bool is_name; uint16_t port; } want[] = { { "a.example", true, 5432 }, { "b.example", true, 6432 },
		{ "192.0.2.1", false, 5432 }, { "192.0.2.2", false, 7 }, { "2001:db8::1", false, 5432 }, { "2001:db8::2", false, 8 } };
	const struct conf_store *s = &c->gateway.store;
	const struct conf_pool *p;

	(void)state;
	assert_true(s->is_shared && s->has_tls && !s->has_password);
	assert_bytes(s->url, "postgresql://sluis@a.example,b.example:6432,192.0.2.1,192.0.2.2:7,2001:db8::1,[2001:db8::2]:8/kept");
	assert_bytes(s->user, "sluis");
	assert_bytes(s->database, "kept");
	assert_bytes(s->ca_pem, "ALL");
	assert_int_equal(s->grace_s, 600);
	assert_int_equal(c->secret_count, 0);
	assert_int_equal(c->pool_count, 2);
	assert_int_equal(s->pool, 1);
	p = &c->pools[1];
	assert_bytes(p->name, "store.postgresql");
	assert_true(p->of == CONF_POOL_STORE && p->check == CHECK_NONE && c->pools[0].of == CONF_POOL_APPS);
	assert_true(p->connect_ms > 0);
	assert_false(p->tls.is_on); /* libpq does that */
	assert_int_equal(p->server_count, COUNT_OF(want));
	assert_int_equal(c->server_total, 1 + COUNT_OF(want));
	for (size_t i = 0; i < COUNT_OF(want); i++) {
		const struct conf_server *x = &p->servers[i];

		assert_int_equal(x->global, 1 + i);
		assert_true(bytes_eq(x->host, bytes_str(want[i].host)) && x->is_name == want[i].is_name);
		assert_int_equal(x->port, want[i].port);
		assert_int_equal(x->is_name ? want[i].port : x->address.port, want[i].port);
	}
	conf_free(&c);
}

/* Its secret stands behind those of directories and providers, and each is found by its own index. */
static void everything(void **state)
{
	struct conf *c = load(HEAD "  store: postgres://kluis@[::1]:5433/kept?sslmode=verify-full\n  store_password: p1\n  store_ca: a.pem\n  store_grace: 0s\n"
		"  ldap: {corp: {servers: a.example, base: dc=x, bind_dn: cn=s, bind_password: p2}}\n"
		"  oidc: {id: {issuer: 'https://id.example.org', client_id: me, client_secret: p3}}\n");
	const struct conf_gateway *g = &c->gateway;
	const struct conf_store *s = &g->store;

	(void)state;
	assert_true(s->is_shared && s->has_tls && s->has_password);
	assert_bytes(s->ca_pem, "PEM");
	assert_int_equal(s->grace_s, 0);
	assert_int_equal(c->secret_count, 3);
	assert_bytes(c->secrets[s->secret], "p1");
	assert_int_equal(c->secrets_at[s->secret].line, 6);
	assert_true(g->ldap[0].secret != s->secret && g->oidc[0].secret != s->secret);
	assert_bytes(c->secrets[g->ldap[0].secret], "p2");
	assert_bytes(c->secrets[g->oidc[0].secret], "p3");
	assert_int_equal(c->pool_count, 4);
	assert_true(s->pool != g->ldap[0].pool && s->pool != g->oidc[0].pool);
	assert_bytes(c->pools[s->pool].name, "store.postgresql");
	assert_true(c->pools[s->pool].of == CONF_POOL_STORE && c->pools[g->ldap[0].pool].of == CONF_POOL_DIRECTORY);
	assert_bytes(c->pools[s->pool].servers[0].host, "::1");
	conf_free(&c);
	c = load(HEAD "  store: postgresql://sluis@127.0.0.1/sluis?sslmode=disable\n  store_password: p\n");
	assert_true(c->gateway.store.is_shared && !c->gateway.store.has_tls && c->gateway.store.has_password);
	assert_int_equal(c->gateway.store.ca_pem.len, 0);
	assert_int_equal(c->gateway.store.secret, 0);
	assert_int_equal(c->pools[c->gateway.store.pool].servers[0].port, 5432);
	conf_free(&c);
}

/* One pool and no route: all goes there. The store's servers are neither that pool nor a second one. */
static void no_default_route(void **state)
{
	struct conf *c = load(HEAD "  store: postgresql://sluis@a.example/sluis\n");

	(void)state;
	assert_int_equal(c->route_count, 1);
	assert_int_equal(c->routes[0].pool, 0);
	assert_int_not_equal(c->routes[0].pool, c->gateway.store.pool);
	conf_free(&c);
	c = load(LISTENERS GATEWAY "  store: postgresql://sluis@a.example/sluis\n");
	assert_int_equal(c->pool_count, 1);
	assert_true(c->pools[0].of == CONF_POOL_STORE);
	assert_int_equal(c->route_count, 0);
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(mistakes), cmocka_unit_test(none), cmocka_unit_test(defaults), cmocka_unit_test(everything),
		cmocka_unit_test(no_default_route) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
