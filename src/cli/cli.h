/* The command line: one file per subcommand, one line per subcommand in commands.tbl. A subcommand gets the words after
 * its name and answers with the exit status: 0 done, 1 it failed and said why on stderr, 2 wrongly called. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/text.h"
#include "cli/lang.h"

#include <jansson.h>
#include <stdio.h>

#define CLI_DEFAULT_SOCKET "/run/sluis/admin.sock"

struct cli {
	const char *config; /* -c FILE, or NULL */
	const char *socket; /* -s SOCKET, or NULL */
	const char *rules;  /* --rules DIR, or where the shipped ones are */
	char program_dir[4096];
	bool as_json; /* --json */
	enum lang lang; /* --lang, or as the environment says */
	int confirm;  /* --confirm SECONDS, or 0 */
};

int cli_main(int argc, char **argv);

#define COMMAND_AS(symbol, ...) int cli_##symbol(const struct cli *cli, int argc, char **argv);
#include "cli/commands.tbl"
#undef COMMAND_AS

/* A text of cli/words.tbl in the language asked for. */
const char *cli_word(const struct cli *cli, enum word w);
/* A text of cli/words.tbl with its arguments. */
void cli_say(const struct cli *cli, FILE *to, enum word w, ...);
/* The same on stderr with "sluis: " in front and a line feed behind; answers 1. */
int cli_fail_in(const struct cli *cli, enum word w, ...);
/* From here on this process can read files and write to what it has open, and no more. */
enum err cli_confine(void) MUST_USE;
/* The same, but root stays root, for files that only root may read. */
enum err cli_confine_reader(void) MUST_USE;
/* Says what is wrong on stderr; answers status. */
int cli_fail(int status, const char *fmt, ...) PRINTF(2, 3);
int cli_ledger_verify(const struct cli *cli, int argc, char **argv);
int cli_ledger_export(const struct cli *cli, int argc, char **argv);
/* Asks sluisd; takes request. NULL: it failed, or sluisd said no, and that was told. The answer is the caller's. */
json_t *cli_ask(const struct cli *cli, json_t *request) MUST_USE;
/* The same, but what sluisd said is the caller's to tell, a no as well. NULL: it failed, and that was told. */
json_t *cli_ask_any(const struct cli *cli, json_t *request) MUST_USE;
/* The same where nothing but yes or no is expected: the exit status. */
int cli_ask_plain(const struct cli *cli, json_t *request);

#endif
