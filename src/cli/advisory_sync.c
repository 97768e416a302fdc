/* sluis advisory sync. */
#include "cli/advisory_priv.h"

int advisory_sync(const struct cli *cli, const struct advisory_place *place, int argc, char **argv)
{
	(void)place;
	(void)argc;
	(void)argv;
	return cli_fail_in(cli, W_ADV_USAGE) + 1;
}
