/* sluis ledger: the words behind it. */
#include "cli/cli.h"

#include <string.h>

int cli_ledger(const struct cli *cli, int argc, char **argv)
{
	if (argc >= 1 && strcmp(argv[0], "verify") == 0)
		return cli_ledger_verify(cli, argc - 1, argv + 1);
	return cli_fail(2, "usage: sluis ledger verify [DIR] [--key FILE]");
}
