/* Mail by libcurl, narrowed: no scheme but smtp and smtps, TLS 1.2 at least with names checked, plain text only where the caller says so. */
#ifndef ALERT_SMTP_H
#define ALERT_SMTP_H

#include "base/text.h"

#include <curl/curl.h>

struct smtp_to {
	const char *url; /* smtps://HOST[:PORT], smtp://HOST[:PORT] */
	const char *from;
	const char *user, *password; /* NULL: does not sign in */
	const char *ca;		     /* NULL: the system's authorities */
	bool may_be_plain;	     /* without STARTTLS where the server has none: for loopback only */
};
/* What is left to send; the caller's, lives as long as the transfer. */
struct smtp_sending {
	struct bytes left;
};

bool smtp_is_url(const char *url);
/* One @, and nothing that would end a mail command's argument. */
bool smtp_is_address(const char *address);
/* Sets up a fresh handle; the list of recipients is the caller's to free after the transfer. ERR_MEMORY: libcurl refused. */
enum err smtp_prepare(CURL *c, const struct smtp_to *s, struct curl_slist *recipients, struct smtp_sending *sending) MUST_USE;
/* Sends and waits, at most 60 s. ERR_IO with why. */
enum err smtp_send(const struct smtp_to *s, const char *recipient, struct bytes message, char why[CURL_ERROR_SIZE]) MUST_USE;

#endif
