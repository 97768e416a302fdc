/* A request as a line of a web server's access log in the combined format, which hunt/weblog.h reads: so that indicators see live
 * requests as they see logs. */
#ifndef WATCH_WEBLINE_H
#define WATCH_WEBLINE_H

#include "base/text.h"
#include "hunt/weblog.h"
#include "net/addr.h"

struct webline {
	uint64_t second; /* whose digits are in stamp */
	char stamp[64];
};

/* Appends the line with its LF. Of w: at_us, method, target, protocol, status, size, referer, user_agent, all as they were sent; what
 * could end a field or a line is \xNN. */
void webline_put(struct webline *l, struct text *t, const struct addr *client, const struct weblog *w);

#endif
