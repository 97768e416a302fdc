/* sluis run FILE: becomes sluisd. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int cli_run(const struct cli *cli, int argc, char **argv)
{
	const char *file = argc == 1 ? argv[0] : argc == 0 ? cli->config : NULL;
	char path[4200];

	if (!file)
		return cli_fail(2, "usage: sluis run FILE");
	snprintf(path, sizeof(path), "%s/sluisd", cli->program_dir);
	execl(path, "sluisd", "-c", file, "--rules", cli->rules, (char *)NULL);
	return cli_fail(1, "%s: %s", path, strerror(errno));
}
