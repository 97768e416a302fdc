/* Options of subcommands. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli/cli.h"

/* Options of one subcommand: pairs of name and where the value goes; a name without value has a bool. Ends with an empty
 * name. What is no option goes to *rest, at most one. False: wrongly called, and that was said. */
struct option {
	const char *name;
	const char **value;
	bool *flag;
};
bool options_take(const struct cli *cli, const struct option *options, int argc, char **argv, const char **rest) MUST_USE;

#endif
