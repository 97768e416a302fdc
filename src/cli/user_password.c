/* A password that an administrator gives: from the terminal, a file or standard input. It is judged here too, before anybody is asked, so that the
 * answer is at hand; identity judges it again. */
#define _GNU_SOURCE
#include "cli/user_priv.h"

#include "auth/password.h"
#include "base/fd.h"
#include "cli/tty.h"

#include <errno.h>

static void first_line(struct text *t)
{
	size_t end = bytes_find_byte(text_bytes(t), '\n'); /* an editor's line feed is no part of it */

	if (end != SIZE_MAX)
		t->len = end;
	if (t->len && t->at[t->len - 1] == '\r')
		t->len--;
}

int password_take(const struct cli *cli, const struct password_from *from, const char *name, struct text *out)
{
	const char *why;

	if ((from->file != NULL) + from->is_stdin + from->is_none > 1)
		return 1 + cli_fail_in(cli, W_USR_ONE_SOURCE);
	if (from->is_none)
		return 0;
	if (from->file && file_read(from->file, out) != OK)
		return cli_fail_in(cli, W_CANNOT_READ, from->file, strerror(errno));
	if (from->is_stdin && fd_read_all(0, out) != OK)
		return cli_fail_in(cli, W_CANNOT_READ, "-", strerror(errno));
	if (!from->file && !from->is_stdin && !tty_ask_secret(cli, W_USR_PASSWORD, W_USR_PASSWORD_AGAIN, W_USR_NO_TERMINAL, W_USR_NOT_THE_SAME, out))
		return 1;
	first_line(out);
	why = out->len > PASSWORD_MOST ? "too_long" : password_refusal(text_bytes(out), bytes_str(name));
	return why ? cli_fail_in(cli, W_USR_REFUSED, people_refusal(cli, why)) : 0;
}
