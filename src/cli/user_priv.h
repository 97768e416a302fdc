/* What the files of sluis user share. */
#ifndef CLI_USER_PRIV_H
#define CLI_USER_PRIV_H

#include "cli/options.h"
#include "cli/people.h"

/* Where a password comes from; none of these: the terminal. */
struct password_from {
	const char *file;
	bool is_stdin, is_none;
};
/* Takes a password that may be used for the user of that name, or says why not. is_none: out stays empty. 0, or the exit status. The caller wipes
 * and frees out. */
int password_take(const struct cli *cli, const struct password_from *from, const char *name, struct text *out) MUST_USE;

/* Options of a verb, and the name of a user that it is about. 0, or the exit status after saying what is wrong. */
int user_take(const struct cli *cli, const struct option *options, int argc, char **argv, char name[PEOPLE_NAME_MAX + 1]) MUST_USE;

int user_show(const struct cli *cli, int argc, char **argv);
int user_list(const struct cli *cli, int argc, char **argv);
int user_import(const struct cli *cli, int argc, char **argv);

/* Reads a list of users (user_table.c): {"errors": [text], "warnings": [text], "has_secrets": bool, "users": [{"line", "name", ...}]}, where each
 * user has what user.add takes. file is its name in errors. */
json_t *user_table(const struct cli *cli, const char *file, struct bytes content);

#endif
