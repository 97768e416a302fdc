/* Wrong configurations and the exact lines that tell it; a full good one; and the example that is shipped. */
#include "base/fd.h"
#include "board/board.h"
#include "conf/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

/* Two lines that are right, so that a case shows its own mistake alone, from line 3 on. */
#define HEAD "listeners: {web: {address: '127.0.0.1:80'}}\npools: {app: {servers: ['127.0.0.1:81']}}\n"

static enum err some_files(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s;
	(void)arena;
	if (bytes_ends(path, BYTES(".pem")) || bytes_ends(path, BYTES(".ocsp")))
		*out = BYTES("PEM");
	else if (bytes_eq(path, BYTES("office.txt")))
		*out = BYTES("# office\n192.0.2.0/24\r\n\n  2001:db8::1 # one\n");
	else if (bytes_eq(path, BYTES("bad.txt")))
		*out = BYTES("192.0.2.0/24\nhouse\n");
	else if (bytes_eq(path, BYTES("rules:broken")))
		*out = BYTES("name: broken\nrules:\n  - name: one\n    if: http.pth == 'a'\n    then: {block: 403}\n");
	else
		return ERR_NOT_FOUND;
	return OK;
}

static const struct { const char *why, *text, *lines; } cases[] = {
	{ "nothing at all", "", "1:1: there is no listener; write listeners: {web: {address: 0.0.0.0:80}}\n" },
	{ "not a map", "- a\n",
		"1:1: a map is expected here; write 'key: value' lines, indented\n"
		"1:1: there is no listener; write listeners: {web: {address: 0.0.0.0:80}}\n" },
	{ "not YAML", "a: [1\n", "2:1: this is not YAML: did not find expected ',' or ']'\n" },
	{ "an alias", HEAD "user: &a x\ncontact: *a\n", "4:10: aliases are not allowed; write the value again\n" },
	{ "two documents", HEAD "---\n" HEAD, "3:1: a second document begins here; keep one\n" },
	{ "too deep", "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "1:35: nested too deeply\n" },
	{ "a typing error in a key", HEAD "worker: 1\n", "3:1: unknown key 'worker'; write 'workers'\n" },
	{ "a key that is like no other", HEAD "zzzzzzzz: 1\n",
		"3:1: unknown key 'zzzzzzzz'; see docs/configuration.md for the keys of this section\n" },
	{ "a key twice", HEAD "workers: 1\nworkers: 2\n", "4:1: key 'workers' stands here twice; keep one of the two\n" },
	{ "a word for a number", HEAD "workers: many\n", "3:10: 'many' is not a number; write a whole number\n" },
	{ "a number that is too large", HEAD "workers: 65\n", "3:10: workers must be from 0 to 64\n" },
	{ "a number that would wrap", HEAD "workers: 18446744073709551616\n",
		"3:10: '18446744073709551616' is not a number; write a whole number\n" },
	{ "an empty limit is not no limit", HEAD "limits: {body: }\n",
		"3:16: '' is not a size; write a size, like 16k, 10m or 1g\n" },
	{ "a size that would wrap", HEAD "limits: {body: 99999999999999999g}\n",
		"3:16: '99999999999999999g' is not a size; write a size, like 16k, 10m or 1g\n" },
	{ "a time without a unit", HEAD "limits: {idle_time: 10}\n",
		"3:21: '10' is not a time; write a time with its unit, like 500ms, 10s, 5m, 1h or 365d\n" },
	{ "a time that would wrap", HEAD "limits: {idle_time: 50d}\n", "3:21: '50d' is too long; the longest is 49d\n" },
	{ "DNS servers", HEAD "resolvers: [192.0.2.53, '127.0.0.1:5353', '2001:db8::53', '[::1]:53']\n", "" },
	{ "one DNS server", HEAD "resolvers: 192.0.2.53\n", "" },
	{ "a DNS server by its name", HEAD "resolvers: [192.0.2.53, dns.example.org]\n",
		"3:25: 'dns.example.org' is not the address of a DNS server; write 192.0.2.53, 127.0.0.1:5353, 2001:db8::53 or "
		"\"[2001:db8::53]:5353\"\n" },
	{ "a DNS server with port 0", HEAD "resolvers: ['192.0.2.53:0']\n",
		"3:13: '192.0.2.53:0' is not the address of a DNS server; write 192.0.2.53, 127.0.0.1:5353, 2001:db8::53 or "
		"\"[2001:db8::53]:5353\"\n" },
	{ "a map for a text", HEAD "user: {a: b}\n", "3:7: 'user' is a single value\n" },
	{ "nearly a known word", HEAD "canonical: {parameters: kep}\n",
		"3:25: 'kep' is not known for 'parameters'; write 'keep'\n" },
	{ "no known word", HEAD "canonical: {parameters: whatever}\n",
		"3:25: 'whatever' is not known for 'parameters'; write refuse or keep\n" },
	{ "neither true nor false", HEAD "canonical: {merge_slashes: yes}\n",
		"3:28: 'yes' is neither true nor false; write true or false\n" },
	{ "a listener without a port", "listeners: {web: {address: 127.0.0.1}}\n",
		"1:28: '127.0.0.1' is not an address with a port; write address: 0.0.0.0:443 or [::]:443\n" },
	{ "two listeners, one address", "listeners:\n  a: {address: '127.0.0.1:80'}\n  b: {address: '127.0.0.1:80'}\n",
		"3:16: the address is already used by the listener 'a'\n" },
	{ "two listeners, one name", "listeners:\n  a: {address: '127.0.0.1:80'}\n  a: {address: '127.0.0.1:81'}\n",
		"3:3: 'a' stands here twice; give each its own name\n" },
	{ "TLS without a certificate", "listeners: {web: {address: '[::]:443', tls: {min_version: 1.3}}}\n",
		"1:45: TLS needs a certificate; write certificates: [{chain: FILE, key: FILE}]\n" },
	{ "a chain that is not there", "listeners: {web: {address: '[::]:443', tls: {certificates: [{chain: x, key: k}]}}}\n",
		"1:69: the file 'x' cannot be read (not_found); paths are taken from the configuration file's folder\n" },
	{ "clients' certificates, and nobody to trust",
		"listeners: {web: {address: '[::]:443', tls: {certificates: [{chain: a.pem, key: k}], client_certificates: {mode: optional}}}}\n",
		"1:107: client certificates need authorities to trust; write ca: FILE\n" },
	{ "empty sets are no mistake", HEAD "sets: {}\nroutes: [{pool: app}]\n", "" },
	{ "a prefix with host bits", HEAD "sets: {a: {addresses: [10.0.0.1/8]}}\n",
		"3:24: '10.0.0.1/8' is not an address or prefix; write 192.0.2.1 or 192.0.2.0/24, with no bits set behind the prefix\n" },
	{ "a set's file with a word", HEAD "sets: {a: {file: bad.txt}}\n",
		"2:1: 'house' is not an address or prefix; write 192.0.2.1 or 192.0.2.0/24, with no bits set behind the prefix\n" },
	{ "a set of nothing would never hold", HEAD "sets: {a: {}}\n",
		"3:11: the set has no values; write addresses: [...], strings: [...] or file: NAME\n" },
	{ "a set of two sources, one of them unread", HEAD "sets: {a: {addresses: [10.0.0.0/8], strings: [b]}}\n",
		"3:11: the set has several sources; keep one of addresses, strings and file\n" },
	{ "a set's name with a space", HEAD "sets: {a b: {strings: [b]}}\n",
		"3:8: 'a b' is not a name for a set; letters, digits, - and _\n" },
	{ "a type of no file", HEAD "sets: {a: {type: strings, addresses: [10.0.0.0/8]}}\n",
		"3:18: 'type' says what a file holds, and there is no file; leave it out\n" },
	{ "more tags than a request has room for", HEAD "policies: [{name: a, then: [{tag: a}, {tag: b}, {tag: c}, {tag: d}, {tag: a},\n"
		"{tag: e}, {tag: f}, {tag: g}, {tag: h}, {tag: i}, {tag: j}, {tag: k}, {tag: l}, {tag: m}, {tag: n}, {tag: o},\n"
		"{tag: p}, {tag: q}]}]\n", "5:17: there are more than 16 different tags; use one of the others again\n" },
	{ "sets that are no map", HEAD "sets: 3\n", "3:7: 'sets' is a map of names; write NAME: and its keys below it\n" },
	{ "a set twice", HEAD "sets: {a: {strings: [x]}, a: {strings: [y]}}\n",
		"3:27: 'a' stands here twice; give each its own name\n" },
	{ "a pool's name, mistyped", HEAD "routes: [{pool: ap}]\n", "3:17: there is no pool 'ap'; write 'app'\n" },
	{ "a route without a pool", HEAD "routes: [{path: /a}]\n", "3:10: the route has no pool; write pool: NAME\n" },
	{ "a path that is none", HEAD "routes: [{path: a, pool: app}]\n",
		"3:17: a path starts with / and has at most 1024 octets; write path: /prefix\n" },
	{ "a star in the middle", HEAD "routes: [{host: '*a.b', pool: app}]\n",
		"3:17: '*a.b' is not a host; write www.example.org or *.example.org\n" },
	{ "a plain expression", HEAD "routes: [{if: true and http.pth, pool: app}]\n",
		"3:24: in the expression: unknown name http.pth; did you mean http.path?\n" },
	{ "single quotes, one doubled", HEAD "routes: [{if: 'http.path == \"''\" and http.pth', pool: app}]\n",
		"3:38: in the expression: unknown name http.pth; did you mean http.path?\n" },
	{ "double quotes, escapes", HEAD "routes: [{if: \"http.path == \\\"\\u00e9\\\" and http.pth\", pool: app}]\n",
		"3:44: in the expression: unknown name http.pth; did you mean http.path?\n" },
	{ "letters of several octets in front and inside", HEAD "routes: [{path: /\xc3\xa9, if: 'http.path == \"\xe2\x82\xac\" and http.pth', pool: app}]\n",
		"3:47: in the expression: unknown name http.pth; did you mean http.path?\n" },
	{ "a block, its second line", HEAD "policies:\n- name: a\n  if: |\n    true and\n    not http.pth\n  then: block\n",
		"7:9: in the expression: unknown name http.pth; did you mean http.path?\n" },
	{ "a set that is not there", HEAD "sets: {here: {addresses: [10.0.0.0/8]}}\nroutes: [{if: client.ip in $there, pool: app}]\n",
		"4:28: in the expression: there is no set $there; name it under sets:\n" },
	{ "a policy without name and action", HEAD "policies: [{if: 'true'}]\n",
		"3:12: the policy has no name; write name: short-name\n"
		"3:12: the policy has no action ('then'); write then: {block: 403}\n" },
	{ "an action, mistyped", HEAD "policies: [{name: a, then: blok}]\n", "3:28: unknown action 'blok'; write 'block'\n" },
	{ "an action without its value", HEAD "policies: [{name: a, then: redirect}]\n", "3:28: 'redirect' needs a value\n" },
	{ "a block with a good status", HEAD "policies: [{name: a, then: {block: 200}}]\n",
		"3:36: a number from 400 to 599 is expected here\n" },
	{ "a redirect that is none", HEAD "policies: [{name: a, then: {redirect: {to: http.path, status: 304}}}]\n",
		"3:63: 304 is not a redirect; write 301, 302, 303, 307 or 308\n" },
	{ "a field of the framing", HEAD "policies: [{name: a, then: {remove_field: Content-Length}}]\n",
		"3:43: the field 'Content-Length' belongs to the connection and cannot be changed\n" },
	{ "a field name with a line end", HEAD "policies: [{name: a, then: {remove_field: \"a\\r\\nb\"}}]\n",
		"3:43: a field name is expected here; letters, digits and -\n" },
	{ "a content type with a line end",
		HEAD "policies: [{name: a, then: {respond: {status: 200, content_type: \"a\\r\\nb: c\"}}}]\n",
		"3:66: this is not a content type\n" },
	{ "a block on a response", HEAD "policies: [{name: a, on: response, then: {block: 403}}]\n",
		"3:43: 'block' cannot be done on a response; use set_field, add_field or remove_field\n" },
	{ "a rate limit without a rate", HEAD "policies: [{name: a, then: {rate_limit: {per: 1s}}}]\n",
		"3:41: 'rate' is missing here; write {rate: 10, per: 1s}\n" },
	{ "a shipped set that is not", HEAD "rules: [../etc/passwd, nothing]\n",
		"3:9: there is no rule set '../etc/passwd'; shipped: netscaler\n"
		"3:24: there is no rule set 'nothing'; shipped: netscaler\n" },
};

/* Pools have mistakes of their own; each begins at line 2. */
static const struct { const char *why, *pool, *lines; } pool_cases[] = {
	{ "no servers", "{balance: round_robin}", "2:14: the pool 'app' has no servers; write servers: [10.0.0.1:8080]\n" },
	{ "a hash of nothing", "{balance: hash, servers: ['a:1']}",
		"2:39: balance: hash needs an expression in 'hash'; write hash: client.ip\n" },
	{ "a server without a port", "{servers: [a]}",
		"2:25: 'a' is not an address or name with a port; write 10.0.0.1:8080, [2001:db8::1]:8080 or name.example.org:8080\n" },
	{ "a name with a space", "{servers: ['a b:80']}",
		"2:25: 'a b:80' is not an address or name with a port; write 10.0.0.1:8080, [2001:db8::1]:8080 or name.example.org:8080\n" },
	{ "a server twice", "{servers: ['a:1', 'a:1']}",
		"2:32: the server 'a:1' stands in this pool twice; give one of them a name of its own\n" },
	{ "a range that runs down", "{servers: ['a:1'], check: {http: /, status: 299-200}}",
		"2:58: '299-200' is not a status; write 200 or 200-399\n" },
	{ "a check's path", "{servers: ['a:1'], check: {http: health}}", "2:47: the path of a check starts with /; write http: /path\n" },
	{ "a second request behind the path of a check", "{servers: ['a:1'], check: {http: \"/ HTTP/1.1\\r\\n\\r\\n\"}}",
		"2:47: 'http' has control characters or line ends\n" },
	{ "a cookie that sets another", "{servers: ['a:1'], sticky: 'a=b; c'}",
		"2:41: 'a=b; c' is not the name of a cookie; letters, digits and -\n" },
	{ "more than all", "{servers: ['a:1'], eject: {max_percent: 101}}", "2:54: max_percent must be from 0 to 100\n" },
};

/* False, and both texts on standard error, when the lines differ: all cases are shown in one run. */
static bool lines_are(const char *why, struct bytes text, const char *want)
{
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *conf = NULL;
	struct text got;
	bool same = false;
	enum err e = conf_load(BYTES("t.yaml"), text, &source, &conf, &errors);

	text_init_growing(&got, 1 << 16);
	for (size_t i = 0; i < errors.count; i++) {
		const struct conf_error *f = &errors.list[i];
		text_fmt(&got, "%u:%u: %.*s%s%.*s\n", f->line, f->column, FMT(f->what), f->hint.len ? "; " : "", FMT(f->hint));
	}
	text_byte(&got, 0);
	if (strcmp((const char *)got.at, want) != 0)
		fprintf(stderr, "%s\nwanted:\n%sgot:\n%s", why, want, (const char *)got.at);
	else
		same = e == (*want ? ERR_SYNTAX : OK);
	text_fini(&got);
	conf_free(&conf);
	assert_null(conf);
	return same;
}

static void mistakes(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		wrong += !lines_are(cases[i].why, bytes_str(cases[i].text), cases[i].lines);
	for (size_t i = 0; i < COUNT_OF(pool_cases); i++) {
		struct text t;
		text_init_growing(&t, 1 << 16);
		text_fmt(&t, "listeners: {web: {address: '127.0.0.1:80'}}\npools: {app: %s}\n", pool_cases[i].pool);
		wrong += !lines_are(pool_cases[i].why, text_bytes(&t), pool_cases[i].lines);
		text_fini(&t);
	}
	assert_int_equal(wrong, 0);
}

/* The boards hold so many servers; one more must not get a number. */
static void too_many_servers(void **state)
{
	char line[] = "2:24: there are more than 4096 servers\n";
	struct text t;

	(void)state;
	assert_int_equal(BOARD_SERVERS_MAX, 4096);
	text_init_growing(&t, 1 << 20);
	text_lit(&t, "listeners: {web: {address: '127.0.0.1:80'}}\npools: {app: {servers: [");
	for (unsigned i = 0; i < BOARD_SERVERS_MAX + 1; i++)
		text_fmt(&t, "%s'a:%u'", i ? "," : "", i + 1);
	text_lit(&t, "]}}\n");
	assert_true(lines_are("one too many", text_bytes(&t), line));
	text_fini(&t);
}

static void mistakes_in_a_shipped_set(void **state)
{
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *conf = NULL;

	(void)state;
	assert_int_equal(conf_load(BYTES("t.yaml"), BYTES(HEAD "rules: [broken]\nworker: 1\n"), &source, &conf, &errors), ERR_SYNTAX);
	assert_int_equal(errors.count, 2);
	assert_true(bytes_eq(errors.list[0].file, BYTES("t.yaml")));
	assert_int_equal(errors.list[0].line, 4);
	assert_true(bytes_eq(errors.list[1].file, BYTES("rules:broken")));
	assert_int_equal(errors.list[1].line, 4);
	assert_int_equal(errors.list[1].column, 9);
	conf_free(&conf);
}

static const char full[] =
	"workers: 2\nuser: sluis\nadmin: {listen: 127.0.0.1:9180}\n"
	"limits: {body: 16m, header_time: 500ms, ambiguous_fields: refuse}\ncanonical: {encoded_slash: keep}\n"
	"sets: {office: {file: office.txt}, words: {strings: [a, b]}}\n"
	"listeners:\n  web:\n    address: '[::1]:443'\n    trusted_peers: [10.0.0.0/8]\n    tls:\n"
	"      certificates: [{chain: a.pem, key: a.key, ocsp: a.ocsp}, {chain: b.pem, key: b.key}, {chain: c.pem, key: a.key}]\n"
	"      min_version: 1.3\n      hsts: 365d\n      client_certificates: {mode: optional, ca: ca.pem}\n"
	"pools:\n  app:\n    balance: hash\n    hash: header(\"x\")\n"
	"    servers: ['127.0.0.1:81', {address: 'app.example:82', name: two, weight: 3, backup: true}]\n"
	"    check: {http: /health, status: 200}\n    tls: {ca: ca.pem, chain: d.pem, key: d.key}\n"
	"  other: {servers: '[2001:db8::1]:83', check: {interval: 1s}}\n"
	"routes: [{host: [WWW.example.org, '*.example.org'], path: /a, if: client.ip in $office, pool: other}]\n"
	"policies:\n- {name: one, then: [{tag: t}, {rate_limit: {key: client.ip, rate: 10, per: 1m}}, block]}\n";

static void everything(void **state)
{
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *c = NULL;
	const struct conf_tls *tls;

	(void)state;
	assert_true(lines_are("all of it", bytes_str(full), ""));
	assert_int_equal(conf_load(BYTES("t.yaml"), bytes_str(full), &source, &c, &errors), OK);
	assert_int_equal(c->workers, 2);
	assert_int_equal(c->admin_address.port, 9180);
	assert_int_equal(c->limits.body_max, 16 << 20);
	assert_int_equal(c->limits.header_ms, 500);
	assert_int_equal(c->limits.http.head_max, 65536);
	assert_false(c->limits.http.drop_ambiguous);
	assert_int_equal(c->limits.connections, 20000);
	assert_int_equal(c->canon.encoded_slash, CANON_KEEP);
	assert_int_equal(c->canon.parameters, CANON_REFUSE);
	assert_int_equal(c->set_count, 2);
	assert_int_equal(c->sets[0].prefix_count, 2);
	assert_int_equal(c->sets[1].string_count, 2);
	tls = &c->listeners[0].tls;
	assert_int_equal(tls->cert_count, 3);
	assert_int_equal(c->key_count, 3); /* one key for two chains, and the pool's */
	assert_int_equal(tls->certs[2].key, tls->certs[0].key);
	assert_true(bytes_eq(c->keys[tls->certs[0].key], BYTES("a.key")));
	assert_int_equal(tls->min_version, 0x0304);
	assert_int_equal(tls->hsts_s, 365 * 86400);
	assert_int_equal(tls->client_certs, CLIENT_CERTS_OPTIONAL);
	assert_int_equal(c->server_total, 3);
	assert_non_null(c->pools[0].hash_key);
	assert_true(c->pools[0].servers[1].is_name && c->pools[0].servers[1].is_backup);
	assert_true(bytes_eq(c->pools[0].servers[1].host, BYTES("app.example")));
	assert_int_equal(c->pools[0].servers[1].weight, 3);
	assert_int_equal(c->pools[0].check, CHECK_HTTP);
	assert_int_equal(c->pools[0].check_status_most, 200);
	assert_true(c->pools[0].tls.verify && c->pools[0].tls.has_client_cert);
	assert_int_equal(c->pools[1].servers[0].global, 2);
	assert_int_equal(c->pools[1].servers[0].port, 83);
	assert_int_equal(c->pools[1].check, CHECK_TCP);
	assert_int_equal(c->route_count, 1);
	assert_int_equal(c->routes[0].pool, 1);
	assert_true(bytes_eq(c->routes[0].hosts[0], BYTES("www.example.org")));
	assert_int_equal(c->rule_count, 1);
	assert_int_equal(c->rules[0].action_count, 3);
	assert_int_equal(c->rules[0].actions[1].per_ms, 60000);
	assert_int_equal(c->rules[0].actions[1].status, 429);
	assert_int_equal(c->rules[0].actions[2].kind, ACT_BLOCK);
	conf_free(&c);
}

/* Pools, checks and rules of the file that people start from. */
static void the_example(void **state)
{
	struct disk_source disk;
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *c = NULL;
	struct text text, without;
	size_t at;

	(void)state;
	text_init_growing(&text, 1 << 20);
	assert_int_equal(file_read("packaging/sluis.yaml", &text), OK);
	/* The shipped rules lie on the disk, the certificate does not. */
	disk_source_init(&disk, "packaging", "rules");
	assert_int_equal(conf_load(BYTES("sluis.yaml"), text_bytes(&text), &disk.source, &c, &errors), ERR_SYNTAX);
	assert_int_equal(errors.count, 1);
	assert_true(bytes_starts(errors.list[0].what, BYTES("the file 'site.pem' cannot be read")));
	assert_true(c->rule_count > 3);
	conf_free(&c);
	at = bytes_find(text_bytes(&text), BYTES("rules: [netscaler]"));
	assert_true(at != SIZE_MAX);
	text_init_growing(&without, 1 << 20);
	text_add(&without, bytes_cut(text_bytes(&text), 0, at));
	text_byte(&without, '#');
	text_add(&without, bytes_cut(text_bytes(&text), at, text.len));
	assert_int_equal(conf_load(BYTES("sluis.yaml"), text_bytes(&without), &source, &c, &errors), OK);
	assert_int_equal(errors.count, 0);
	assert_int_equal(c->rule_count, 3);
	conf_free(&c);
	text_fini(&without);
	text_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(mistakes), cmocka_unit_test(too_many_servers),
		cmocka_unit_test(mistakes_in_a_shipped_set), cmocka_unit_test(everything), cmocka_unit_test(the_example) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
