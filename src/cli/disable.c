/* sluis disable POOL/SERVER: what administrators say about a server holds until they say otherwise, over reloads too. */
#include "cli/cli.h"

int cli_disable(const struct cli *cli, int argc, char **argv)
{
	if (argc != 1)
		return cli_fail(2, "usage: sluis disable POOL/SERVER");
	return cli_ask_plain(cli, json_pack("{s:s,s:s}", "command", "disable", "server", argv[0]));
}
