/* sluis reload: the configuration file anew; answers when the new one is in use or was refused. */
#include "cli/cli.h"

#include <stdio.h>

int cli_reload(const struct cli *cli, int argc, char **argv)
{
	json_t *answer;

	(void)argv;
	if (argc)
		return cli_fail(2, "usage: sluis reload [--confirm SECONDS]");
	answer = cli_ask(cli, json_pack("{s:s,s:i}", "command", "reload", "confirm", cli->confirm));
	if (!answer)
		return 1;
	printf("generation %d is in use\n", (int)json_integer_value(json_object_get(answer, "generation")));
	if (cli->confirm && !json_integer_value(json_object_get(answer, "confirm")))
		printf("it does NOT go back by itself: there was none before it, or no memory to keep it (see the error log)\n");
	else if (cli->confirm)
		printf("it goes back in %d seconds unless you call: sluis confirm\n", cli->confirm);
	json_decref(answer);
	return 0;
}
