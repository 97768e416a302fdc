/* sluis confirm: one word to sluisd. */
#include "cli/cli.h"

int cli_confirm(const struct cli *cli, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return cli_fail(2, "usage: sluis confirm");
	return cli_ask_plain(cli, json_pack("{s:s}", "command", "confirm"));
}
