/* sluis backup: which of its subcommands. */
#include "cli/backup_priv.h"

int cli_backup(const struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct cli *cli, int argc, char **argv);
	} commands[] = { { "create", backup_create }, { "verify", backup_verify }, { "restore", backup_restore } };

	for (size_t i = 0; argc && i < COUNT_OF(commands); i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return commands[i].run(cli, argc - 1, argv + 1);
	cli_fail_in(cli, W_BK_USAGE);
	return 2;
}
