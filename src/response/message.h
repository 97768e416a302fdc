/* A mail message of plain text (RFC 5322, 2045, 2047) that any server may carry: seven bits, short lines. No socket, no clock. */
#ifndef RESPONSE_MESSAGE_H
#define RESPONSE_MESSAGE_H

#include "base/text.h"

struct message {
	const char *from, *to; /* bare addresses; to may be "" */
	struct bytes subject;  /* UTF-8, one line */
	const char *date, *id; /* as RFC 5322 3.6.1 and 3.6.4 have them, the id without its brackets */
	const char *language;  /* "nl" */
	struct bytes body;     /* UTF-8, lines end with a line feed */
};
/* ERR_SYNTAX: a line end or a control octet where a field's text is. ERR_LIMIT: out ran full. */
enum err message_write(const struct message *m, struct text *out) MUST_USE;

#endif
