/* gateway.ldap: every mistake and the line that tells it, every default, and the pool that a directory's servers make. */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

/* Eight lines that are right but for what a case adds: its own begin at line 7, six spaces in. */
#define HEAD "listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [{chain: a.pem, key: a.key}]}}}\npools: {app: {servers: ['127.0.0.1:81']}}\n" \
	     "gateway:\n  portal: work.example.org\n  ldap:\n    corp:\n"
#define BASE "      base: dc=x\n"
#define LDAP HEAD "      servers: [a.example]\n      ca: a.pem\n" BASE

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
	{ "the least", LDAP, "" },
	{ "a list for a map", HEAD "      - a\n", "6:5: the directory 'corp' has no keys; write servers: and base: below it\n7:7: a map is expected here; write 'key: value' lines, indented\n" },
	{ "no servers", HEAD "      base: dc=x\n", "7:7: the directory 'corp' has no servers; write servers: [ldap1.example.org, ldap2.example.org:636]\n" },
	{ "nine servers", HEAD BASE "      servers: [a, b, c, d, e, f, g, h, i]\n", "8:16: the directory 'corp' has more than 8 servers; write servers: [ldap1.example.org, ldap2.example.org:636]\n" },
	{ "a server twice", HEAD BASE "      servers: [a, a]\n", "8:20: the server 'a' stands here twice; keep one of the two\n" },
	{ "no host", HEAD BASE "      servers: 'a b'\n", "8:16: 'a b' is not a host, with or without a port; write ldap.example.org, ldap.example.org:636 or 192.0.2.1:636\n" },
	{ "port 0", HEAD BASE "      servers: 'a:0'\n", "8:16: 'a:0' is not a host, with or without a port; write ldap.example.org, ldap.example.org:636 or 192.0.2.1:636\n" },
	{ "no TLS, elsewhere", HEAD BASE "      tls: off\n      servers: 192.0.2.1\n", "9:16: without TLS everybody on the way to '192.0.2.1' could read passwords: tls: off is for "
		"addresses of this machine (127.0.0.1); write tls: ldaps or tls: starttls\n" },
	{ "no TLS, a name", HEAD BASE "      tls: off\n      servers: localhost\n", "9:16: without TLS everybody on the way to 'localhost' could read passwords: tls: off is for "
		"addresses of this machine (127.0.0.1); write tls: ldaps or tls: starttls\n" },
	{ "no TLS, here", HEAD BASE "      tls: off\n      servers: ['127.0.0.1:3389', '[::1]:3389', 127.1.2.3, '::1']\n", "" },
	{ "authorities that are not there", HEAD BASE "      servers: a\n      ca: none.pem\n", "9:11: the file 'none.pem' cannot be read (not_found); paths are taken from the configuration file's folder\n" },
	{ "no base", HEAD "      servers: a\n", "7:7: the directory 'corp' has no base to search below; write base: ou=people,dc=example,dc=org\n" },
	{ "a DN without a password", LDAP "      bind_dn: cn=x\n", "10:16: 'bind_dn' and 'bind_password' belong together; write bind_password: FILE, or take bind_dn away to search as nobody\n" },
	{ "a password without a DN", LDAP "      bind_password: p\n", "7:7: 'bind_dn' and 'bind_password' belong together; write bind_dn: cn=sluis,ou=services,dc=example,dc=org\n" },
	{ "a filter for everybody", LDAP "      filter: (uid=eva)\n", "10:15: 'filter' does not say %u: it would find the same for everybody; write (uid=%u)\n" },
	{ "a filter that is none", LDAP "      filter: uid=%u\n", "10:15: 'filter' is not a filter: it is one pair of brackets, and each that opens is closed; write (&(objectClass=person)(uid=%u))\n" },
	{ "two filters", LDAP "      filter: (uid=%u)(a=b)\n", "10:15: 'filter' is not a filter: it is one pair of brackets, and each that opens is closed; write (&(objectClass=person)(uid=%u))\n" },
	{ "another letter", LDAP "      filter: (uid=%s)\n", "10:15: 'filter' has a % that stands for nothing; write %u where the name is to stand, \\25 for the sign itself\n" },
	{ "a DN where there is none", LDAP "      filter: (member=%d)\n", "10:15: 'filter' has a % that stands for nothing; write %u where the name is to stand, \\25 for the sign itself\n" },
	{ "groups both ways", LDAP "      groups_attribute: memberOf\n      group_base: ou=g\n", "10:25: groups are found by 'groups_attribute' or by a search below 'group_base', not by both; keep one of the two\n" },
	{ "a search without a base", LDAP "      group_filter: (member=%d)\n", "10:21: groups are searched for below 'group_base', which is not there; write group_base: ou=groups,dc=example,dc=org\n" },
	{ "a search by name", LDAP "      group_base: ou=g\n      group_filter: (memberUid=%u)\n", "" },
	{ "groups of everybody", LDAP "      group_base: ou=g\n      group_filter: (a=b)\n", "11:21: 'group_filter' does not say %d or %u: it would find the same for everybody; write (member=%d)\n" },
	{ "no attribute", LDAP "      subject: entry uuid\n", "10:16: 'entry uuid' is not the name of an attribute; letters, digits and -\n" },
	{ "a DN for a group's name", LDAP "      take_groups: ['cn=a,dc=x']\n", "10:21: 'cn=a,dc=x' is not the name of a group; write the name alone, without cn= and what follows\n" },
	{ "too quick", LDAP "      refresh: 500ms\n", "10:16: refresh must be from 1s to 24h\n" },
	{ "too slow", LDAP "      timeout: 11s\n", "10:16: timeout must be from 100ms to 10s\n" },
	{ "an unknown key", LDAP "      bind_pasword: p\n", "10:7: unknown key 'bind_pasword'; write 'bind_password'\n" },
	{ "its pool is nobody else's", LDAP "  apps: {wiki: {host: wiki.example.org, pool: ldap.corp}}\n", "10:47: there is no pool 'ldap.corp'; name it under pools:\n" },
	{ "nor a route's", LDAP "routes: [{pool: ldap.corp}]\n", "10:17: there is no pool 'ldap.corp'; name it under pools:\n" },
	{ "a pool of that name", "listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [{chain: a.pem, key: a.key}]}}}\npools: {ldap.corp: {servers: ['127.0.0.1:81']}}\n"
		"gateway: {portal: work.example.org, ldap: {corp: {servers: a, base: dc=x}}}\n",
		"3:60: the servers of 'corp' make a pool of the name 'ldap.corp', and there is one; call one of the two otherwise\n" },
	{ "a name that is none", "listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [{chain: a.pem, key: a.key}]}}}\n"
		"gateway: {portal: work.example.org, ldap: {Corp: {servers: a, base: dc=x}}}\n", "2:44: 'Corp' cannot be a directory's name, of at most 40 octets; letters a to z, digits and -\n" },
};

static void mistakes(void **state)
{
	(void)state;
	check_cases(cases, COUNT_OF(cases));
}

static void defaults(void **state)
{
	struct conf *c = load(HEAD BASE "      servers: [a.example, 'b.example:1636', 192.0.2.1, '2001:db8::1', '[2001:db8::2]:7']\n");
	const struct conf_ldap *d = conf_ldap_by_name(c, BYTES("corp"));
	const struct conf_pool *p;

	(void)state;
	assert_non_null(d);
	assert_null(conf_ldap_by_name(c, BYTES("cor")));
	assert_int_equal(c->gateway.directories, 2);
	assert_int_equal(d->tls, CONF_LDAPS);
	assert_bytes(d->ca_pem, "ALL");
	assert_bytes(d->filter, "(&(objectClass=person)(uid=%u))");
	assert_bytes(d->subject, "entryUUID");
	assert_bytes(d->user_name, "uid");
	assert_bytes(d->display, "cn");
	assert_bytes(d->mail, "mail");
	assert_bytes(d->groups_attribute, "memberOf");
	assert_int_equal(d->group_base.len + d->bind_dn.len, 0);
	assert_false(d->has_password || d->is_narrowed);
	assert_int_equal(d->refresh_s, 900);
	assert_int_equal(d->timeout_ms, 5000);
	assert_int_equal(c->pool_count, 2);
	assert_int_equal(d->pool, 1);
	p = &c->pools[1];
	assert_bytes(p->name, "ldap.corp");
	assert_true(p->of == CONF_POOL_DIRECTORY && p->check == CHECK_NONE && c->pools[0].of == CONF_POOL_APPS);
	assert_int_equal(p->connect_ms, 5000);
	assert_int_equal(p->server_count, 5);
	assert_int_equal(c->server_total, 6);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(p->servers[i].global, 1 + i);
	assert_true(p->servers[0].is_name && p->servers[0].port == 636);
	assert_bytes(p->servers[1].host, "b.example");
	assert_int_equal(p->servers[1].port, 1636);
	assert_true(!p->servers[2].is_name && p->servers[2].port == 636 && p->servers[2].address.port == 636);
	assert_bytes(p->servers[3].host, "2001:db8::1");
	assert_bytes(p->servers[4].host, "2001:db8::2");
	assert_int_equal(p->servers[4].address.port, 7);
	conf_free(&c);
}

static void everything(void **state)
{
	struct conf *c = load(HEAD "      servers: a.example\n      tls: starttls\n      ca: a.pem\n      bind_dn: cn=s\n      bind_password: p1\n" BASE
		"      subject: objectGUID\n      name: sAMAccountName\n      group_base: ou=g\n      take_groups: [staff, care]\n"
		"    lab: {servers: a.example, base: dc=y, bind_dn: cn=s, bind_password: p2, take_groups: []}\n");
	const struct conf_ldap *d = &c->gateway.ldap[0];

	(void)state;
	assert_int_equal(c->gateway.ldap_count, 2);
	assert_int_equal(d->tls, CONF_STARTTLS);
	assert_bytes(d->ca_pem, "PEM");
	assert_int_equal(c->pools[d->pool].servers[0].port, 389);
	assert_int_equal(d->groups_attribute.len, 0);
	assert_bytes(d->group_filter, "(member=%d)");
	assert_true(d->is_narrowed && d->take_count == 2 && d[1].is_narrowed && d[1].take_count == 0);
	assert_int_equal(c->secret_count, 2);
	assert_bytes(c->secrets[d[0].secret], "p1");
	assert_bytes(c->secrets[d[1].secret], "p2");
	assert_int_equal(c->secrets_at[0].line, 11);
	assert_bytes(c->pools[d[1].pool].name, "ldap.lab");
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(mistakes), cmocka_unit_test(defaults), cmocka_unit_test(everything) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
