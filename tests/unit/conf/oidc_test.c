/* gateway.oidc: mistakes and the line that tells each, defaults, and the pool that a provider's hosts make. */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>

#define HEAD "listeners: {web: {address: '127.0.0.1:443', tls: {certificates: [{chain: a.pem, key: a.key}]}}}\npools: {app: {servers: ['127.0.0.1:81']}}\n" \
	     "gateway:\n  portal: work.example.org\n  oidc:\n    id:\n"
#define OIDC HEAD "      issuer: https://id.example.org/x\n      client_id: me\n      client_secret: s\n"

static enum err some_files(struct conf_source *s, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)s, (void)arena;
	if (!bytes_eq(path, BYTES("a.pem")) && !bytes_eq(path, BYTES("/etc/ssl/certs/ca-certificates.crt")))
		return ERR_NOT_FOUND; /* a secret is never asked for: it is no part of the bundle */
	*out = BYTES("PEM");
	return OK;
}

static const struct { const char *why, *text, *says; } cases[] = {
	{ "the least", OIDC, NULL },
	{ "a public client", HEAD "      issuer: https://id.example.org\n      client_id: me\n      client_auth: none\n", NULL },
	{ "at this machine", HEAD "      issuer: http://127.0.0.1:8080/x\n      client_id: me\n      client_auth: none\n", NULL },
	{ "no issuer", HEAD "      client_id: me\n      client_secret: s\n", "has no issuer" },
	{ "plain elsewhere", HEAD "      issuer: http://id.example.org\n      client_id: me\n      client_secret: s\n", "is not an issuer" },
	{ "a query", HEAD "      issuer: https://id.example.org?x\n      client_id: me\n      client_secret: s\n", "is not an issuer" },
	{ "no client_id", HEAD "      issuer: https://id.example.org\n      client_secret: s\n", "has no client_id" },
	{ "no secret", HEAD "      issuer: https://id.example.org\n      client_id: me\n", "has no client_secret" },
	{ "a secret too many", OIDC "      client_auth: none\n", "has no secret" },
	{ "no openid", OIDC "      scopes: [profile]\n", "has no openid" },
	{ "none", OIDC "      allow_algorithms: [none]\n", "'none' cannot be allowed" },
	{ "a shared key", OIDC "      allow_algorithms: [HS256]\n", "'HS256' cannot be allowed" },
	{ "no algorithm", OIDC "      allow_algorithms: []\n", "is empty" },
	{ "a group that can be nobody's", OIDC "      take_groups: ['staff,care']\n", "is not the name of a group" },
	{ "a URL for a host", OIDC "      hosts: ['https://x.example']\n", "is not a host" },
	{ "an unknown key", OIDC "      client_sekret: s\n", "unknown key" },
	{ "its pool is nobody else's", OIDC "  apps: {wiki: {host: wiki.example.org, pool: oidc.id}}\n", "there is no pool 'oidc.id'" },
};

static void mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct conf_source source = { .get = some_files };
		struct conf_errors errors;
		struct conf *c = NULL;
		enum err e = conf_load(BYTES("t.yaml"), bytes_str(cases[i].text), &source, &c, &errors);
		bool is_told = false;

		for (size_t k = 0; k < errors.count; k++)
			is_told |= cases[i].says && bytes_find(errors.list[k].what, bytes_str(cases[i].says)) != SIZE_MAX;
		if ((e == OK) != !cases[i].says || is_told != !!cases[i].says)
			fail_msg("%s: %s", cases[i].why, err_name(e));
		conf_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
