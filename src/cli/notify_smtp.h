/* Hands a message to a mail server, over TLS or not at all. */
#ifndef CLI_NOTIFY_SMTP_H
#define CLI_NOTIFY_SMTP_H

#include "cli/cli.h"

struct smtp_to {
	const char *url;	   /* smtps://host[:port], or smtp://host[:port], where STARTTLS is required */
	const char *from, *user;   /* user: NULL without signing in */
	const char *password_file; /* its first line */
	const char *ca;		   /* certificates to trust instead of the system's; NULL */
	struct text password;
};
/* The URL's kind and the password's file. 0, or the exit status after it said what is wrong. */
int smtp_check(const struct cli *cli, struct smtp_to *s);
/* 0, or 1 after it said why. */
int smtp_send(const struct cli *cli, const struct smtp_to *s, const char *to, struct bytes message);
void smtp_fini(struct smtp_to *s);

#endif
