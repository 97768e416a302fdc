/* sluis status: a table for people, --json for programs. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static void print_servers(const json_t *pools)
{
	printf("\n%-32s %-24s %-8s %-9s %8s %8s %12s %8s %10s\n", "POOL/SERVER", "ADDRESS", "HEALTH", "ADMIN", "ACTIVE", "CONNS",
		"REQUESTS", "PER S", "FAILURES");
	for (size_t i = 0; i < json_array_size(pools); i++) {
		const json_t *pool = json_array_get(pools, i), *servers = json_object_get(pool, "servers");

		for (size_t j = 0; j < json_array_size(servers); j++) {
			const json_t *s = json_array_get(servers, j);
			char name[128], address[128];

			snprintf(name, sizeof(name), "%s/%s", word(pool, "name"), word(s, "name"));
			snprintf(address, sizeof(address), "%s:%lld", word(s, "host"), number(s, "port"));
			printf("%-32s %-24s %-8s %-9s %8lld %8lld %12lld %8.1f %10lld\n", name, address, word(s, "health"),
				word(s, "admin"), number(s, "active"), number(s, "connections"), number(s, "requests"),
				json_real_value(json_object_get(s, "request_rate")), number(s, "failures"));
			if (*word(s, "check_error") && *word(s, "check_error") != '-')
				printf("    last check: %s\n", word(s, "check_error"));
		}
	}
}

static void print_processes(const json_t *list)
{
	printf("\n%-12s %8s %10s  %s\n", "PROCESS", "PID", "GENERATION", "STATE");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);
		char name[64];

		snprintf(name, sizeof(name), "%s.%lld", word(p, "role"), number(p, "index"));
		printf("%-12s %8lld %10lld  %s\n", name, number(p, "pid"), number(p, "generation"),
			json_is_true(json_object_get(p, "ready")) ? "ready" : "not ready");
	}
}

static void print_ledger(const json_t *l)
{
	const char *why = word(l, "why");

	if (strcmp(word(l, "state"), "off") == 0) {
		printf("ledger: off\n");
		return;
	}
	printf("ledger: %s%s%s, %lld records since the start, %lld lost; batch %lld was written %s\n", word(l, "state"), *why && *why != '-' ? ": " : "",
		*why != '-' ? why : "", number(l, "records"), number(l, "lost"), number(l, "batch"), word(l, "written"));
}

static void print_detect(const json_t *d)
{
	if (strcmp(word(d, "mode"), "on") != 0)
		printf("detect: off\n");
	else
		printf("detect: alerts go to %s; %lld requests were looked at, %lld lost\n", word(d, "alerts"), number(d, "requests"), number(d, "lost"));
}

static void print_store(const json_t *s)
{
	time_t since = (time_t)json_integer_value(json_object_get(s, "since"));
	char when[40] = "the start";
	struct tm tm;

	if (!json_is_object(s))
		return;
	if (strcmp(word(s, "kind"), "postgresql") != 0) {
		printf("store: users and sessions are kept in a file of this node\n");
		return;
	}
	if (since && gmtime_r(&since, &tm))
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("store: PostgreSQL at %s, %s since %s%s\n", word(s, "server"), word(s, "state"), when,
		strcmp(word(s, "state"), "lost") == 0 ? ": who is signed in goes on for gateway.store_grace, nobody can sign in" :
		strcmp(word(s, "state"), "closed") == 0 ? ": NOBODY PASSES until it is back" : "");
}

static void print_counters(json_t *counters)
{
	const char *key;
	json_t *value;

	putchar('\n');
	json_object_foreach(counters, key, value)
		printf("%-40s %lld\n", key, (long long)json_integer_value(value));
}

int cli_status(const struct cli *cli, int argc, char **argv)
{
	json_t *a;

	(void)argv;
	if (argc)
		return cli_fail(2, "usage: sluis status [--json]");
	a = cli_ask(cli, json_pack("{s:s}", "command", "status"));
	if (!a)
		return 1;
	if (cli->as_json) {
		json_dumpf(a, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		printf("sluis %s, %s, generation %lld, %lld old, %lld reloads, %lld refused, %lld restarts%s\n",
			word(a, "version"), word(a, "file"), number(a, "generation"), number(a, "old_generations"),
			number(a, "reloads"), number(a, "reload_failures"), number(a, "child_restarts"),
			json_is_true(json_object_get(a, "confirm_pending")) ? ", WAITS FOR sluis confirm" : "");
		printf("%.1f requests and %.1f new connections per second\n", json_real_value(json_object_get(a, "request_rate")),
			json_real_value(json_object_get(a, "connection_rate")));
		print_ledger(json_object_get(a, "ledger"));
		print_detect(json_object_get(a, "detect"));
		print_store(json_object_get(a, "store"));
		print_servers(json_object_get(a, "pools"));
		print_processes(json_object_get(a, "processes"));
		print_counters(json_object_get(a, "counters"));
	}
	json_decref(a);
	return 0;
}
