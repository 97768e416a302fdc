/* gateway:, its apps, and routes that need a session: every mistake and the exact lines that tell it, every default, and how apps are found. */
#include "board/sessions.h"
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

/* Three lines that are right; a case's own begin at line 4. */
#define TLS  "tls: {certificates: [{chain: a.pem, key: a.key}]}"
#define HEAD "listeners: {web: {address: '127.0.0.1:443', " TLS "}}\npools: {app: {servers: ['127.0.0.1:81']}}\ncontact: Desk\n"
#define APP  HEAD "gateway:\n  portal: work.example.org\n  apps:\n    wiki:\n      host: wiki.example.org\n      pool: app\n" /* 9 lines */
#define ROUTE HEAD "gateway: {portal: work.example.org, apps: {wiki: {host: wiki.example.org, pool: app}}}\n" /* 4 lines */

#define PNG "\x89PNG\r\n\x1a\n...."
static unsigned char large[CONF_LOGO_MAX + 1];

static const struct { const char *name; struct bytes content; } files[] = {
	{ "a.pem", LIT("PEM") },
	{ "logo.png", LIT(PNG) },
	{ "logo.svg", LIT("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- by us -->\n<!DOCTYPE svg>\n<!-- and us -->\n<svg xmlns=\"x\"></svg>") },
	{ "plain.svg", LIT("<svg>x</svg>") },
	{ "script.svg", LIT("<svg><g><SCRIPT>1</SCRIPT></g></svg>") },
	{ "prefixed.svg", LIT("<svg xmlns:s=\"x\"><s:script>1</s:script></svg>") },
	{ "page.svg", LIT("<html><svg></svg></html>") },
	{ "svgs.svg", LIT("<svgs/>") },
	{ "open.svg", LIT("<!-- <svg>") },
	{ "entity.svg", LIT("<!DOCTYPE svg [<!ENTITY a \"b\">]><svg></svg>") },
	{ "empty.png", LIT("") },
	{ "large.png", { large, sizeof large } },
	{ "largest.png", { large, sizeof large - 1 } },
	{ "icon.png", { large, CONF_ICON_MAX } },
	{ "large-icon.png", { large, CONF_ICON_MAX + 1 } },
};

static enum err some_files(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s;
	(void)arena;
	for (size_t i = 0; i < COUNT_OF(files); i++)
		if (bytes_eq(path, bytes_str(files[i].name))) {
			*out = files[i].content;
			return OK;
		}
	return ERR_NOT_FOUND;
}

_Static_assert(BOARD_SESSION_SLOTS == 262144, "the most of gateway.sessions in keys.tbl");

static int setup(void **state)
{
	(void)state;
	memcpy(large, PNG, sizeof PNG - 1);
	return 0;
}

struct mistake { const char *why, *text, *lines; };

static const struct mistake gateway_cases[] = {
	{ "the least", HEAD "gateway: {portal: work.example.org}\n", "" },
	{ "no portal", HEAD "gateway: {title: a}\n", "4:10: the gateway has no host for its portal; write portal: work.example.org\n" },
	{ "an address", HEAD "gateway: {portal: 192.0.2.1}\n",
		"4:19: '192.0.2.1' is not the name of a host; write www.example.org: no address, no port, no wildcard\n" },
	{ "a port", HEAD "gateway: {portal: 'a.example:443'}\n",
		"4:19: 'a.example:443' is not the name of a host; write www.example.org: no address, no port, no wildcard\n" },
	{ "a wildcard", HEAD "gateway: {portal: '*.example.org'}\n",
		"4:19: '*.example.org' is not the name of a host; write www.example.org: no address, no port, no wildcard\n" },
	{ "an empty label", HEAD "gateway: {portal: a..example}\n",
		"4:19: 'a..example' is not the name of a host; write www.example.org: no address, no port, no wildcard\n" },
	{ "a label that ends with -", HEAD "gateway: {portal: a-.example}\n",
		"4:19: 'a-.example' is not the name of a host; write www.example.org: no address, no port, no wildcard\n" },
	{ "a label of 64", HEAD "gateway: {portal: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b}\n",
		"4:19: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b' is not the name of a host; write www.example.org: no "
		"address, no port, no wildcard\n" },
	{ "nothing", HEAD "gateway: {portal: ''}\n",
		"4:19: '' is not the name of a host; write www.example.org: no address, no port, no wildcard\n" },
	{ "no TLS", "listeners: {web: {address: '127.0.0.1:80'}}\npools: {app: {servers: ['a:1']}}\ngateway: {portal: a.example}\n",
		"3:19: no listener has TLS, and browsers keep the portal's cookies for TLS alone: nobody could sign in; write tls: {certificates: "
		"[{chain: FILE, key: FILE}]} below a listener\n" },
	{ "a port that is none", HEAD "gateway: {portal: a.example, port: 65536}\n", "4:36: port must be from 0 to 65535\n" },
	{ "an unknown key", HEAD "gateway: {portal: a.example, apss: {}}\n", "4:30: unknown key 'apss'; write 'apps'\n" },
	{ "a title of two lines", HEAD "gateway: {portal: a.example, title: \"a\\nb\"}\n", "4:37: 'title' has control characters or line ends\n" },
	{ "a language that is not there", HEAD "gateway: {portal: a.example, notice: {fr: x}}\n",
		"4:39: unknown key 'fr'; write 'en'\n" },
	{ "a list of notices", HEAD "gateway: {portal: a.example, notice: [x]}\n",
		"4:38: a map is expected here; write 'key: value' lines, indented\n" },
	{ "a colour without quotes is a comment", HEAD "gateway:\n  portal: a.example\n  colour: #0a5c36\n",
		"6:10: '' is not a colour; write \"#0a5c36\", with the quotes\n" },
	{ "a colour's name", HEAD "gateway: {portal: a.example, colour: green}\n", "4:38: 'green' is not a colour; write \"#0a5c36\", with the quotes\n" },
	{ "a digit that is none", HEAD "gateway: {portal: a.example, colour: '#0a5c3g'}\n",
		"4:38: '#0a5c3g' is not a colour; write \"#0a5c36\", with the quotes\n" },
	{ "a short colour", HEAD "gateway: {portal: a.example, colour: '#0a5'}\n", "4:38: '#0a5' is not a colour; write \"#0a5c36\", with the quotes\n" },
	{ "a grey that is just too light", HEAD "gateway: {portal: a.example, colour: '#777777'}\n",
		"4:38: white text on #777777 has a contrast of 4.47:1, and it takes 4.5:1 to be read by all; choose a darker one\n" },
	{ "and one that is not", HEAD "gateway: {portal: a.example, colour: '#767676'}\n", "" },
	{ "white", HEAD "gateway: {portal: a.example, colour: '#FFFFFF'}\n",
		"4:38: white text on #FFFFFF has a contrast of 1.00:1, and it takes 4.5:1 to be read by all; choose a darker one\n" },
	{ "red looks darker than it is", HEAD "gateway: {portal: a.example, colour: '#ff0000'}\n",
		"4:38: white text on #ff0000 has a contrast of 3.99:1, and it takes 4.5:1 to be read by all; choose a darker one\n" },
	{ "idle, too short", HEAD "gateway: {portal: a.example, idle: 59s}\n", "4:36: idle must be from 1m to 24h\n" },
	{ "idle, too long", HEAD "gateway: {portal: a.example, idle: 25h}\n", "4:36: idle must be from 1m to 24h\n" },
	{ "idle, its ends", HEAD "gateway: {portal: a.example, idle: 1m, absolute: 30d}\n", "" },
	{ "never is no answer", HEAD "gateway: {portal: a.example, idle: 0s}\n", "4:36: idle must be from 1m to 24h\n" },
	{ "idle without a unit", HEAD "gateway: {portal: a.example, idle: 30}\n",
		"4:36: '30' is not a time; write a time with its unit, like 500ms, 10s, 5m, 1h or 365d\n" },
	{ "absolute, too short", HEAD "gateway: {portal: a.example, absolute: 4m}\n", "4:40: absolute must be from 5m to 30d\n" },
	{ "absolute, too long", HEAD "gateway: {portal: a.example, absolute: 31d}\n", "4:40: absolute must be from 5m to 30d\n" },
	{ "a binding that is none", HEAD "gateway: {portal: a.example, device_binding: always}\n",
		"4:46: 'always' is not known for 'device_binding'; write off, prefer or require\n" },
	{ "no sessions", HEAD "gateway: {portal: a.example, sessions: 0}\n", "4:40: sessions must be from 1 to 262144\n" },
	{ "more than the board holds", HEAD "gateway: {portal: a.example, sessions: 262145}\n", "4:40: sessions must be from 1 to 262144\n" },
	{ "nobody to verify passwords", HEAD "gateway: {portal: a.example, hashers: 0}\n", "4:39: hashers must be from 1 to 8\n" },
	{ "an expression over a request", HEAD "gateway: {portal: a.example, allow: 'session.valid and http.path == \"/\"'}\n",
		"4:56: 'allow' says http.path, which is not known when people sign in; use policies: for single paths\n" },
	{ "likewise, a function", HEAD "gateway: {portal: a.example, mfa: header(\"A\") == \"\"}\n",
		"4:35: 'mfa' says header, which is not known when people sign in; use policies: for single paths\n" },
	{ "likewise, in a block", HEAD "gateway:\n  portal: a.example\n  allow: |\n    session.valid and\n      tls\n",
		"8:7: 'allow' says tls, which is not known when people sign in; use policies: for single paths\n" },
	{ "an expression that is none", HEAD "gateway: {portal: a.example, allow: user.nam}\n",
		"4:37: in the expression: unknown name user.nam; did you mean user.name?\n" },
	{ "an empty one lets nobody in by mistake", HEAD "gateway:\n  portal: a.example\n  allow:\n",
		"6:9: in the expression: the expression ends too early; a field, a value or ( is missing\n" },
	{ "a list for an expression", HEAD "gateway: {portal: a.example, allow: [a]}\n", "4:37: an expression is expected here\n" },
	{ "a set", HEAD "sets: {in: {addresses: [10.0.0.0/8]}}\ngateway: {portal: a.example, mfa: not (client.ip in $in)}\n", "" },
	{ "apps that are no map", HEAD "gateway: {portal: a.example, apps: [a]}\n", "4:36: 'apps' is a map of names; write NAME: and its keys below it\n" },
};

static const struct mistake picture_cases[] = {
	{ "PNG", HEAD "gateway: {portal: a.example, logo: logo.png}\n", "" },
	{ "SVG, with all that may stand before it", HEAD "gateway: {portal: a.example, logo: logo.svg}\n", "" },
	{ "SVG", HEAD "gateway: {portal: a.example, logo: plain.svg}\n", "" },
	{ "as large as may be", HEAD "gateway: {portal: a.example, logo: largest.png}\n", "" },
	{ "larger", HEAD "gateway: {portal: a.example, logo: large.png}\n",
		"4:36: the file 'large.png' has 65537 octets, and a picture here may have 65536; choose a smaller one\n" },
	{ "none", HEAD "gateway: {portal: a.example, logo: none.png}\n",
		"4:36: the file 'none.png' cannot be read (not_found); paths are taken from the configuration file's folder\n" },
	{ "empty", HEAD "gateway: {portal: a.example, logo: empty.png}\n", "4:36: the file 'empty.png' is neither an SVG nor a PNG picture; choose one\n" },
	{ "by content, not by name", HEAD "gateway: {portal: a.example, logo: a.pem}\n", "4:36: the file 'a.pem' is neither an SVG nor a PNG picture; choose one\n" },
	{ "a page", HEAD "gateway: {portal: a.example, logo: page.svg}\n", "4:36: the file 'page.svg' is neither an SVG nor a PNG picture; choose one\n" },
	{ "another element", HEAD "gateway: {portal: a.example, logo: svgs.svg}\n", "4:36: the file 'svgs.svg' is neither an SVG nor a PNG picture; choose one\n" },
	{ "a comment without an end", HEAD "gateway: {portal: a.example, logo: open.svg}\n",
		"4:36: the file 'open.svg' is neither an SVG nor a PNG picture; choose one\n" },
	{ "entities could hide what is in it", HEAD "gateway: {portal: a.example, logo: entity.svg}\n",
		"4:36: the file 'entity.svg' is neither an SVG nor a PNG picture; choose one\n" },
	{ "a script", HEAD "gateway: {portal: a.example, logo: script.svg}\n", "4:36: the picture 'script.svg' has a script in it; save it without\n" },
	{ "a script with a prefix", HEAD "gateway: {portal: a.example, logo: prefixed.svg}\n",
		"4:36: the picture 'prefixed.svg' has a script in it; save it without\n" },
	{ "an icon, as large as may be", APP "      icon: icon.png\n", "" },
	{ "an icon, larger", APP "      icon: large-icon.png\n",
		"10:13: the file 'large-icon.png' has 32769 octets, and a picture here may have 32768; choose a smaller one\n" },
};

static const struct mistake app_cases[] = {
	{ "the least", APP, "" },
	{ "no host", HEAD "gateway: {portal: a.example, apps: {wiki: {pool: app}}}\n", "4:43: the app 'wiki' has no host; write host: app.example.org\n" },
	{ "no pool", HEAD "gateway: {portal: a.example, apps: {wiki: {host: b.example}}}\n", "4:43: the app 'wiki' has no pool; write pool: NAME\n" },
	{ "a pool, mistyped", HEAD "gateway: {portal: a.example, apps: {wiki: {host: b.example, pool: ap}}}\n", "4:67: there is no pool 'ap'; write 'app'\n" },
	{ "nothing at all", HEAD "gateway: {portal: a.example, apps: {wiki: }}\n", "4:37: the app 'wiki' has no keys; write host: and pool: below it\n" },
	{ "a text", HEAD "gateway: {portal: a.example, apps: {wiki: [a]}}\n", "4:43: a map is expected here; write 'key: value' lines, indented\n" },
	{ "an id with a capital", HEAD "gateway: {portal: a.example, apps: {Wiki: {host: b.example, pool: app}}}\n",
		"4:37: 'Wiki' is not an id for an app; a to z, 0 to 9 and -, at most 40\n" },
	{ "an id of 41", HEAD "gateway: {portal: a.example, apps: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {host: b.example, pool: app}}}\n",
		"4:37: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' is not an id for an app; a to z, 0 to 9 and -, at most 40\n" },
	{ "an id twice", APP "    wiki: {host: c.example, pool: app}\n", "10:5: 'wiki' stands here twice; give each its own name\n" },
	{ "the portal's host", HEAD "gateway: {portal: a.example, apps: {wiki: {host: A.example, pool: app}}}\n",
		"4:50: 'a.example' is the host of the portal; give the app a host of its own\n" },
	{ "a wildcard", HEAD "gateway: {portal: a.example, apps: {wiki: {host: '*.example', pool: app}}}\n",
		"4:50: '*.example' is not the name of a host; write www.example.org: no address, no port, no wildcard\n" },
	{ "a host twice: the later is told", APP "    also: {host: Wiki.example.org, pool: app}\n",
		"10:18: 'wiki.example.org' is the host of the app 'wiki' already; give each app a host of its own\n" },
	{ "allow over a request", APP "      allow: http.path == \"/\"\n",
		"10:14: 'allow' says http.path, which is not known when access is decided for the whole app; use policies: for single paths\n" },
	{ "mfa over a request", APP "      mfa: session.mfa and tag(\"a\")\n",
		"10:28: 'mfa' says tag, which is not known when access is decided for the whole app; use policies: for single paths\n" },
	{ "groups where one value is wanted", APP "      fields: {X-Groups: user.groups}\n",
		"10:26: in the expression: user.groups gives several values, and one is wanted; write user.name, or use the groups in a condition\n" },
	{ "idle, too long", APP "      idle: 25h\n", "10:13: idle must be from 1m to 24h\n" },
	{ "fields that are no map", APP "      fields: [a]\n", "10:15: 'fields' is a map of names; write NAME: and its keys below it\n" },
	{ "a field with a space", APP "      fields: {X User: user.name}\n", "10:16: 'X User' is not the name of a field for servers; letters, digits and -\n" },
	{ "a field that CGI takes for another", APP "      fields: {X_User: user.name}\n",
		"10:16: 'X_User' is not the name of a field for servers; letters, digits and -\n" },
	{ "Host", APP "      fields: {host: user.name}\n",
		"10:16: the field 'host' is made by Sluis itself, or belongs to the connection; choose another name, as X-User\n" },
	{ "one of the proxy's", APP "      fields: {X-Forwarded-For: user.name}\n",
		"10:16: the field 'X-Forwarded-For' is made by Sluis itself, or belongs to the connection; choose another name, as X-User\n" },
	{ "one of the connection", APP "      fields: {Keep-Alive: user.name}\n",
		"10:16: the field 'Keep-Alive' is made by Sluis itself, or belongs to the connection; choose another name, as X-User\n" },
	{ "cookies", APP "      fields: {Cookie: user.name}\n",
		"10:16: the field 'Cookie' is made by Sluis itself, or belongs to the connection; choose another name, as X-User\n" },
	{ "the token", APP "      fields: {sluis-token: user.name}\n",
		"10:16: the field 'sluis-token' is made by Sluis itself, or belongs to the connection; choose another name, as X-User\n" },
	{ "one field twice, by its letters' case", APP "      fields: {X-User: user.name, x-user: user.name}\n",
		"10:35: 'X-User' and 'x-user' are one field; keep one of the two\n" },
	{ "a condition for a value", APP "      fields: {X-User: session.valid}\n",
		"10:24: in the expression: this is true or false, and a value is wanted; write a field, or a text in double quotes\n" },
	{ "neither true nor false", APP "      token: yes\n", "10:14: 'yes' is neither true nor false; write true or false\n" },
	{ "a server's host with a path", APP "      server_host: a/b\n", "10:20: 'a/b' is not a host; write app.example.org or app.example.org:8080\n" },
	{ "a server's host with a port that is none", APP "      server_host: a:0\n", "10:20: 'a:0' is not a host; write app.example.org or app.example.org:8080\n" },
	{ "a server's host that is a port", APP "      server_host: ':80'\n", "10:20: ':80' is not a host; write app.example.org or app.example.org:8080\n" },
	{ "a second head", APP "      server_host: \"a\\r\\nb\"\n", "10:20: 'server_host' has control characters or line ends\n" },
};

static const struct mistake route_cases[] = {
	{ "with a session", ROUTE "routes: [{host: b.example, require: session, allow: 'user.groups == \"a\" and http.path == \"/\"', pool: app}]\n", "" },
	{ "a wildcard with a session, the portal and the app below it", ROUTE "routes: [{host: '*.example.org', require: session, pool: app}]\n", "" },
	{ "without", ROUTE "routes: [{host: b.example, require: none, pool: app}]\n", "" },
	{ "a word that is none", ROUTE "routes: [{host: b.example, require: sesion, pool: app}]\n", "5:37: 'sesion' is not known for 'require'; write 'session'\n" },
	{ "without a host", ROUTE "routes: [{require: session, pool: app}]\n",
		"5:20: the route needs a session, and a session is for a host: the route has none; write host: www.example.org or *.example.org\n" },
	{ "without a gateway", HEAD "routes: [{host: b.example, require: session, pool: app}]\n",
		"4:37: the route needs a session, and there is no gateway to sign in at; write gateway: {portal: work.example.org}\n" },
	{ "whom, and no session", ROUTE "routes: [{host: b.example, allow: session.mfa, pool: app}]\n",
		"5:35: 'allow' says who of those who have signed in may, and this route asks nobody to; write require: session beside it, or use if\n" },
	{ "an answer is not there yet", ROUTE "routes: [{host: b.example, require: session, allow: response.status == 1, pool: app}]\n",
		"5:53: in the expression: response.status is known only in policies with on: response\n" },
	{ "the portal's host", ROUTE "routes: [{host: [b.example, WORK.example.org], pool: app}]\n",
		"5:29: 'work.example.org' is the host of the portal (gateway:), so this route would never be used; take this host out of the route\n" },
	{ "an app's host", ROUTE "routes: [{host: wiki.example.org, path: /open, pool: app}]\n",
		"5:17: 'wiki.example.org' is the host of the app 'wiki', and a route for it would go around the sign-in; take this host out of the "
		"route; the app has a pool of its own\n" },
};

/* False, and both texts on standard error, when the lines differ: all cases are shown in one run. */
static bool lines_are(const struct mistake *m)
{
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *conf = NULL;
	struct text got;
	bool same = false;
	enum err e = conf_load(BYTES("t.yaml"), bytes_str(m->text), &source, &conf, &errors);

	text_init_growing(&got, 1 << 16);
	for (size_t i = 0; i < errors.count; i++) {
		const struct conf_error *f = &errors.list[i];
		text_fmt(&got, "%u:%u: %.*s%s%.*s\n", f->line, f->column, FMT(f->what), f->hint.len ? "; " : "", FMT(f->hint));
	}
	text_byte(&got, 0);
	if (strcmp((const char *)got.at, m->lines) != 0)
		fprintf(stderr, "%s\nwanted:\n%sgot:\n%s", m->why, m->lines, (const char *)got.at);
	else
		same = e == (*m->lines ? ERR_SYNTAX : OK);
	text_fini(&got);
	conf_free(&conf);
	return same;
}

static void mistakes(void **state)
{
	static const struct { const struct mistake *list; size_t count; } tables[] = { { gateway_cases, COUNT_OF(gateway_cases) },
		{ picture_cases, COUNT_OF(picture_cases) }, { app_cases, COUNT_OF(app_cases) }, { route_cases, COUNT_OF(route_cases) } };
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(tables); i++)
		for (size_t k = 0; k < tables[i].count; k++)
			wrong += !lines_are(&tables[i].list[k]);
	assert_int_equal(wrong, 0);
}

/* One octet more than there is room for, for each text. */
static void long_texts(void **state)
{
	static const struct { const char *key; unsigned most; bool of_app; } cases[] = { { "title", 100, false }, { "support", 400, false }, { "support_hours", 400, false }, { "notice", 4000, false },
		{ "name", 100, true }, { "description", 400, true }, { "group", 100, true }, { "help", 400, true } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (unsigned more = 0; more < 2; more++) {
			static char text[8192], lines[256], value[4002];
			struct mistake m = { cases[i].key, text, lines };

			memset(value, 'x', sizeof value);
			value[cases[i].most + more] = 0;
			snprintf(text, sizeof text, "%s%s%s: %s\n", cases[i].of_app ? APP : HEAD "gateway:\n  portal: a.example\n", cases[i].of_app ? "      " : "  ", cases[i].key, value);
			lines[0] = 0;
			if (more)
				snprintf(lines, sizeof lines, "%u:%zu: '%s' has %u octets, and there is room for %u; shorten it\n", cases[i].of_app ? 10 : 6,
					(cases[i].of_app ? 6 : 2) + strlen(cases[i].key) + 3, cases[i].key, cases[i].most + 1, cases[i].most);
			assert_true(lines_are(&m));
		}
}

static struct conf *load(struct bytes text)
{
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *c = NULL;

	if (conf_load(BYTES("t.yaml"), text, &source, &c, &errors) != OK)
		fail_msg("%u:%u: %.*s", errors.list[0].line, errors.list[0].column, FMT(errors.list[0].what));
	return c;
}

#define assert_bytes(got, want) assert_true(bytes_eq((got), BYTES(want)))

static void defaults(void **state)
{
	struct conf *c = load(BYTES(APP));
	const struct conf_gateway *g = &c->gateway;

	(void)state;
	assert_true(g->is_on);
	assert_bytes(g->portal, "work.example.org");
	assert_int_equal(g->port, 443);
	assert_bytes(g->origin, "https://work.example.org");
	assert_bytes(g->title, "work.example.org");
	assert_bytes(g->support.en, "Desk");
	assert_bytes(g->support.nl, "Desk");
	assert_int_equal(g->support_hours.en.len + g->notice.en.len + g->notice.nl.len + g->logo.len + g->logo_type.len + g->colour.len, 0);
	assert_int_equal(g->idle_s, 1800);
	assert_int_equal(g->absolute_s, 36000);
	assert_int_equal(g->sessions_max, 100000);
	assert_int_equal(g->hashers, 1);
	assert_non_null(g->allow);
	assert_non_null(g->mfa);
	assert_bytes(g->allow_text, "true");
	assert_bytes(g->mfa_text, "true");
	assert_int_equal(g->device_binding, CONF_BINDING_OFF);
	assert_int_equal(g->apps[0].device_binding, CONF_BINDING_OFF);
	assert_int_equal(g->at.line, 5);
	assert_int_equal(g->app_count, 1);
	assert_bytes(g->apps[0].id, "wiki");
	assert_bytes(g->apps[0].name, "wiki");
	assert_bytes(g->apps[0].host, "wiki.example.org");
	assert_int_equal(g->apps[0].pool, 0);
	assert_null(g->apps[0].allow);
	assert_null(g->apps[0].mfa);
	assert_int_equal(g->apps[0].description.len + g->apps[0].group.len + g->apps[0].allow_text.len + g->apps[0].mfa_text.len, 0);
	assert_int_equal(g->apps[0].server_host.len + g->apps[0].icon.len + g->apps[0].icon_type.len + g->apps[0].help.len, 0);
	assert_int_equal(g->apps[0].idle_s + g->apps[0].field_count, 0);
	assert_false(g->apps[0].with_token);
	assert_int_equal(g->apps[0].at.line, 7);
	assert_int_equal(g->apps[0].at.column, 5);
	conf_free(&c);
	c = load(BYTES(HEAD));
	assert_false(c->gateway.is_on);
	assert_null(conf_app_by_host(c, BYTES("wiki.example.org")));
	assert_null(conf_app_by_id(c, BYTES("wiki")));
	conf_free(&c);
}

static const char full[] =
	"listeners:\n  plain: {address: '127.0.0.1:80', redirect_to_https: 443}\n  web: {address: '127.0.0.1:8443', " TLS "}\n  more: {address: '127.0.0.1:9443', " TLS "}\n"
	"pools: {one: {servers: ['127.0.0.1:81']}, two: {servers: ['127.0.0.1:82']}}\ncontact: Desk\n"
	"gateway:\n  portal: Work.Example.org\n  title: Work\n  support: Anna\n  support_hours: {en: 8 to 18, nl: 8 tot 18}\n  notice: {nl: Hallo}\n  logo: logo.svg\n  colour: '#0A5c36'\n"
	"  idle: 15m\n  absolute: 12h\n  sessions: 5000\n  hashers: 2\n  device_binding: prefer\n  allow: user.groups == \"staff\"\n  mfa: |\n    not (client.ip in {10.0.0.0/8})\n"
	"  apps:\n    wiki:\n      name: Wiki\n      description: How we work\n      group: Daily\n      host: Wiki.example.org\n      pool: two\n"
	"      allow: user.name matches \"^e\"\n      mfa: 'true'\n      idle: 10m\n      device_binding: require\n      fields: {X-User: user.name, X-From: client.ip, X-Path: http.path}\n"
	"      token: true\n      server_host: Wiki.internal:8080\n      icon: logo.png\n      help: Ask Piet\n"
	"    abc: {host: abc.example.org, pool: one}\n"
	"routes:\n- {host: '*.dev.example.org', require: session, allow: user.groups == \"dev\", pool: one}\n- {pool: two}\n";

static void everything(void **state)
{
	struct conf *c = load(bytes_str(full));
	const struct conf_gateway *g = &c->gateway;
	const struct conf_app *a = &g->apps[0];

	(void)state;
	assert_bytes(g->origin, "https://work.example.org:8443");
	assert_int_equal(g->port, 8443);
	assert_bytes(g->title, "Work");
	assert_bytes(g->support.en, "Anna");
	assert_bytes(g->support_hours.en, "8 to 18");
	assert_bytes(g->support_hours.nl, "8 tot 18");
	assert_bytes(g->notice.en, "Hallo"); /* better than none */
	assert_bytes(g->notice.nl, "Hallo");
	assert_bytes(g->logo_type, "image/svg+xml");
	assert_true(g->logo.len > 0);
	assert_bytes(g->colour, "#0A5c36");
	assert_int_equal(g->idle_s, 900);
	assert_int_equal(g->absolute_s, 43200);
	assert_int_equal(g->sessions_max, 5000);
	assert_int_equal(g->hashers, 2);
	assert_bytes(g->allow_text, "user.groups == \"staff\"");
	assert_bytes(g->mfa_text, "not (client.ip in {10.0.0.0/8})");
	assert_int_equal(g->app_count, 2); /* in the file's order */
	assert_bytes(a->name, "Wiki");
	assert_bytes(a->description, "How we work");
	assert_bytes(a->group, "Daily");
	assert_bytes(a->host, "wiki.example.org");
	assert_int_equal(a->pool, 1);
	assert_non_null(a->allow);
	assert_bytes(a->allow_text, "user.name matches \"^e\"");
	assert_non_null(a->mfa);
	assert_int_equal(a->idle_s, 600);
	assert_int_equal(g->device_binding, CONF_BINDING_PREFER);
	assert_int_equal(a->device_binding, CONF_BINDING_REQUIRE);
	assert_int_equal(g->apps[1].device_binding, CONF_BINDING_PREFER); /* the gateway's */
	assert_int_equal(a->field_count, 3);
	assert_bytes(a->fields[1].name, "X-From");
	assert_true(a->with_token);
	assert_bytes(a->server_host, "wiki.internal:8080");
	assert_bytes(a->icon_type, "image/png");
	assert_bytes(a->help, "Ask Piet");
	assert_ptr_equal(conf_app_by_id(c, BYTES("abc")), &g->apps[1]);
	assert_true(c->routes[0].needs_session);
	assert_bytes(c->routes[0].allow_text, "user.groups == \"dev\"");
	assert_true(policy_needs_request(a->fields[2].value));
	assert_false(c->routes[1].needs_session);
	assert_null(c->routes[1].allow);
	conf_free(&c);
}

/* A single pool without routes gets all: not what is behind the gateway, and never a directory's. */
static void no_route_past_the_gateway(void **state)
{
	static const char ldap[] = "gateway: {portal: a.example, ldap: {corp: {servers: ['127.0.0.1:389'], tls: 'off', base: 'dc=example'}}}\n";
	struct conf *c = load(BYTES(HEAD "gateway: {portal: a.example}\n"));
	char text[600];

	(void)state;
	assert_int_equal(c->route_count, 1);
	conf_free(&c);
	c = load(BYTES(APP));
	assert_int_equal(c->route_count, 0);
	conf_free(&c);
	snprintf(text, sizeof text, "%s%s", HEAD, ldap);
	c = load(bytes_str(text));
	assert_int_equal(c->route_count, 1);
	assert_int_equal(c->routes[0].pool, 0);
	conf_free(&c);
	snprintf(text, sizeof text, "listeners: {web: {address: '127.0.0.1:443', %s}}\n%s", TLS, ldap);
	c = load(bytes_str(text));
	assert_int_equal(c->route_count, 0);
	conf_free(&c);
}

/* The port that browsers see may be another than the listener's. */
static void ports(void **state)
{
	struct conf *c = load(BYTES(HEAD "gateway: {portal: a.example, port: 4443}\n"));

	(void)state;
	assert_bytes(c->gateway.origin, "https://a.example:4443");
	conf_free(&c);
	c = load(BYTES("listeners: {web: {address: '127.0.0.1:8443', " TLS "}}\npools: {app: {servers: ['a:1']}}\ngateway: {portal: a.example, port: 443}\n"));
	assert_bytes(c->gateway.origin, "https://a.example");
	conf_free(&c);
}

/* As many apps as there may be, in no order; and one more. */
static void many_apps(void **state)
{
	struct conf_source source = { .get = some_files };
	struct conf_errors errors;
	struct conf *c = NULL;
	struct text t;

	(void)state;
	text_init_growing(&t, 1 << 20);
	text_lit(&t, HEAD "gateway:\n  portal: work.example.org\n  apps:\n");
	for (unsigned i = 0; i < CONF_APPS_MAX; i++)
		text_fmt(&t, "    a%u: {host: h%u.example.org, pool: app}\n", i * 7 % CONF_APPS_MAX, i * 3 % CONF_APPS_MAX);
	c = load(text_bytes(&t));
	for (unsigned i = 0; i < CONF_APPS_MAX; i++) {
		unsigned char mem[64];
		struct text name;

		text_init(&name, mem, sizeof mem);
		text_fmt(&name, "a%u", i * 7 % CONF_APPS_MAX);
		assert_ptr_equal(conf_app_by_id(c, text_bytes(&name)), &c->gateway.apps[i]);
		text_init(&name, mem, sizeof mem);
		text_fmt(&name, "h%u.example.org", i * 3 % CONF_APPS_MAX);
		assert_ptr_equal(conf_app_by_host(c, text_bytes(&name)), &c->gateway.apps[i]);
		text_byte(&name, 'x');
		assert_null(conf_app_by_host(c, text_bytes(&name)));
	}
	assert_null(conf_app_by_host(c, BYTES("")));
	assert_null(conf_app_by_host(c, BYTES("zzz")));
	assert_null(conf_app_by_host(c, BYTES("work.example.org")));
	assert_null(conf_app_by_id(c, BYTES("")));
	conf_free(&c);
	text_lit(&t, "    more: {host: more.example.org, pool: app}\n");
	assert_int_equal(conf_load(BYTES("t.yaml"), text_bytes(&t), &source, &c, &errors), ERR_SYNTAX);
	assert_int_equal(errors.count, 1);
	assert_int_equal(errors.list[0].line, 7 + CONF_APPS_MAX);
	assert_bytes(errors.list[0].what, "there are more than 1000 apps");
	conf_free(&c);
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(mistakes), cmocka_unit_test(long_texts), cmocka_unit_test(defaults), cmocka_unit_test(everything),
		cmocka_unit_test(ports), cmocka_unit_test(no_route_past_the_gateway), cmocka_unit_test(many_apps) };

	return cmocka_run_group_tests(tests, setup, NULL);
}
