/* /dev/tty, not standard input: a list may be piped in while a question is asked. */
#include "cli/tty.h"

#include "base/secret.h"

#include <stdio.h>
#include <termios.h>

static bool read_silently(const struct cli *cli, FILE *tty, enum word prompt, struct text *out)
{
	struct termios before, silent;
	char line[1024];
	bool ok;

	if (tcgetattr(fileno(tty), &before) < 0)
		return false;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fileno(tty), TCSAFLUSH, &silent); /* before it is asked: who types at once is not shown, nor forgotten */
	cli_say(cli, tty, prompt);
	fflush(tty);
	ok = fgets(line, sizeof(line), tty) != NULL;
	tcsetattr(fileno(tty), TCSAFLUSH, &before);
	fputc('\n', tty);
	if (ok)
		text_add(out, bytes_of(line, strcspn(line, "\r\n")));
	secret_wipe(line, sizeof(line));
	return ok;
}

bool tty_ask_secret(const struct cli *cli, enum word prompt, enum word again, enum word no_terminal, enum word not_the_same, struct text *out)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	size_t from = out->len;
	char mem[1024];
	struct text second;
	bool ok;

	if (!tty)
		return cli_fail_in(cli, no_terminal) == 0;
	text_init(&second, mem, sizeof(mem));
	ok = read_silently(cli, tty, prompt, out) && (again == WORD_COUNT || read_silently(cli, tty, again, &second));
	if (ok && again != WORD_COUNT && !bytes_eq(bytes_cut(text_bytes(out), from, out->len), text_bytes(&second)))
		ok = cli_fail_in(cli, not_the_same) == 0;
	secret_wipe(mem, sizeof(mem));
	fclose(tty);
	return ok;
}

bool tty_confirm(const struct cli *cli, enum word prompt, const char *wanted)
{
	FILE *tty = fopen("/dev/tty", "r+e");
	char line[256] = "";
	bool ok;

	if (!tty)
		return cli_fail_in(cli, W_TTY_YES) == 0;
	cli_say(cli, tty, prompt, wanted);
	fflush(tty);
	ok = fgets(line, sizeof(line), tty) != NULL;
	line[strcspn(line, "\r\n")] = 0;
	fclose(tty);
	return (ok && strcmp(line, wanted) == 0) || cli_fail_in(cli, W_TTY_NOTHING) == 0;
}
