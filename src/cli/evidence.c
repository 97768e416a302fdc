/* sluis evidence: which of its subcommands. */
#include "cli/evidence_priv.h"

int cli_evidence(const struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct cli *cli, int argc, char **argv);
	} commands[] = { { "collect", evidence_collect }, { "verify", evidence_verify }, { "handover", evidence_handover } };

	for (size_t i = 0; argc && i < COUNT_OF(commands); i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(cli, argc - 1, argv + 1);
	cli_fail_in(cli, W_EV_USAGE);
	return 2;
}
