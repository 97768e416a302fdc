/* Options that all subcommands share, the table of subcommands, help. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/fd.h"

#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct {
	const char *name, *args, *help;
	int (*run)(const struct cli *cli, int argc, char **argv);
} commands[] = {
	{ "check", "FILE", "say what is wrong with a configuration: file:line:column: what; hint", cli_check },
	{ "run", "FILE", "start Sluis in the foreground with this configuration", cli_run },
	{ "reload", "[--confirm SECONDS]", "take the configuration file anew; with --confirm it goes back by itself", cli_reload },
	{ "confirm", "", "keep the configuration that waits to be confirmed", cli_confirm },
	{ "status", "[--json]", "pools, servers, processes, counters", cli_status },
	{ "drain", "POOL/SERVER", "no new clients for this server; those bound to it stay", cli_drain },
	{ "enable", "POOL/SERVER", "use this server again", cli_enable },
	{ "disable", "POOL/SERVER", "no requests for this server at all", cli_disable },
	{ "reopen", "", "open the log files anew, after they were moved", cli_reopen },
	{ "config", "history | diff N [M] | rollback N", "configurations that were in use; go back to one", cli_config },
	{ "policy", "test FILE [REQUESTS] [--json]", "what policies decide about requests written in a file, and why", cli_policy },
	{ "version", "", "print the version", cli_version },
};

static void usage(FILE *to)
{
	fprintf(to, "usage: sluis [-c FILE] [-s SOCKET] COMMAND ...\n\n");
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		fprintf(to, "  %-8s %-34s %s\n", commands[i].name, commands[i].args, commands[i].help);
	fprintf(to, "\n  -c, --config FILE    the configuration; its admin_socket is where sluisd is asked\n"
		    "  -s, --socket SOCKET  ask sluisd there (else $SLUIS_SOCKET, else %s)\n"
		    "      --rules DIR      where shipped rules are\n",
		CLI_DEFAULT_SOCKET);
}

int cli_fail(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("sluis: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static void find_program_dir(struct cli *cli)
{
	static char rules[4200];
	char self[4000];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return;
	self[n] = 0;
	snprintf(cli->program_dir, sizeof(cli->program_dir), "%s", dirname(self));
	snprintf(rules, sizeof(rules), "%s/../rules", cli->program_dir);
	if (access(rules, R_OK) < 0)
		snprintf(rules, sizeof(rules), "%s/../share/sluis/rules", cli->program_dir);
	cli->rules = rules;
}

/* Takes the shared options out of argv, wherever they stand. Negative: wrongly called. */
static int take_options(struct cli *cli, int argc, char **argv)
{
	int kept = 0;

	for (int i = 0; i < argc; i++) {
		struct bytes a = bytes_str(argv[i]);
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		uint64_t n;

		if (bytes_eq(a, BYTES("--json"))) {
			cli->as_json = true;
			continue;
		}
		if (bytes_eq(a, BYTES("-c")) || bytes_eq(a, BYTES("--config")))
			cli->config = value;
		else if (bytes_eq(a, BYTES("-s")) || bytes_eq(a, BYTES("--socket")))
			cli->socket = value;
		else if (bytes_eq(a, BYTES("--rules")))
			cli->rules = value;
		else if (bytes_eq(a, BYTES("--confirm"))) {
			if (!value || bytes_u64(bytes_str(value), &n) != OK || n == 0 || n > 86400)
				return cli_fail(-1, "--confirm wants a number of seconds, 1 to 86400");
			cli->confirm = (int)n;
		} else {
			argv[kept++] = argv[i];
			continue;
		}
		if (!value)
			return cli_fail(-1, "%s wants a value", argv[i]);
		i++;
	}
	return kept;
}

int cli_main(int argc, char **argv)
{
	struct cli cli = { 0 };

	find_program_dir(&cli);
	argc = take_options(&cli, argc, argv);
	if (argc < 0)
		return 2;
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	if (strcmp(argv[1], "--version") == 0)
		return cli_version(&cli, 0, NULL);
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(&cli, argc - 2, argv + 2);
	return cli_fail(2, "there is no command '%s'; sluis --help lists them", argv[1]);
}
