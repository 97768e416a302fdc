/* sluis ledger: the words behind it. */
#include "cli/cli.h"

#include <string.h>

int cli_ledger(const struct cli *cli, int argc, char **argv)
{
	if (argc >= 1 && strcmp(argv[0], "verify") == 0)
		return cli_ledger_verify(cli, argc - 1, argv + 1);
	if (argc >= 1 && strcmp(argv[0], "export") == 0)
		return cli_ledger_export(cli, argc - 1, argv + 1);
	cli_fail_in(cli, W_LEDGER_USAGE);
	return 2;
}
