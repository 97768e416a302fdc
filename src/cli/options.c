/* The same words for the same mistake, whatever the subcommand. */
#include "cli/options.h"

#include <string.h>

static const struct option *find_option(const struct option *options, const char *name)
{
	for (const struct option *o = options; o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

bool options_take(const struct cli *cli, const struct option *options, int argc, char **argv, const char **rest)
{
	for (int i = 0; i < argc; i++) {
		const struct option *o = find_option(options, argv[i]);

		if (o && o->flag) {
			*o->flag = true;
		} else if (o && i + 1 < argc) {
			*o->value = argv[++i];
		} else if (o) {
			cli_fail_in(cli, W_WANTS_VALUE, argv[i]);
			return false;
		} else if (argv[i][0] == '-' || !rest || *rest) {
			cli_fail_in(cli, W_NOT_UNDERSTOOD, argv[i]);
			return false;
		} else {
			*rest = argv[i];
		}
	}
	return true;
}
