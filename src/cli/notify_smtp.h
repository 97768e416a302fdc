/* The options of sluis notify --send, and handing a message to a mail server over TLS or not at all. */
#ifndef CLI_NOTIFY_SMTP_H
#define CLI_NOTIFY_SMTP_H

#include "alert/smtp.h"
#include "cli/cli.h"

struct notify_smtp {
	struct smtp_to to;
	const char *password_file; /* its first line */
	struct text password;
};
/* The URL's kind and the password's file. 0, or the exit status after it said what is wrong. */
int notify_smtp_check(const struct cli *cli, struct notify_smtp *s);
/* 0, or 1 after it said why. */
int notify_smtp_send(const struct cli *cli, const struct notify_smtp *s, const char *to, struct bytes message);
void notify_smtp_fini(struct notify_smtp *s);

#endif
