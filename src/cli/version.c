/* sluis version. */
#include "cli/cli.h"

#include <stdio.h>

int cli_version(const struct cli *cli, int argc, char **argv)
{
	(void)cli;
	(void)argc;
	(void)argv;
	return printf("sluis %s\n", SLUIS_VERSION) < 0;
}
