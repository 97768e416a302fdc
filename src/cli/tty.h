/* Questions to whoever sits at the terminal; standard input and output may be something else meanwhile. */
#ifndef CLI_TTY_H
#define CLI_TTY_H

#include "cli/cli.h"

/* Asks without echo, and once more when again is a word (WORD_COUNT: no). Appends to out; no_terminal and not_the_same are what is said when there
 * is none, or when the two differ. The caller wipes out. False: that was said. */
bool tty_ask_secret(const struct cli *cli, enum word prompt, enum word again, enum word no_terminal, enum word not_the_same,
	struct text *out) MUST_USE;
/* Asks with the prompt, which takes one %s, and compares what was typed with wanted. False: it is not that, or there is no terminal; said. */
bool tty_confirm(const struct cli *cli, enum word prompt, const char *wanted) MUST_USE;

#endif
