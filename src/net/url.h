/* URLs of other services: strict, for what is fetched or shown to a browser must be what it looks like. */
#ifndef NET_URL_H
#define NET_URL_H

#include "base/bytes.h"

#define URL_MAX 1024 /* octets */

struct url {
	bool is_http;	   /* else https */
	struct bytes host; /* as written; of IPv6 without its brackets */
	uint16_t port;
	struct bytes rest; /* path and query; may be empty */
};
/* "https://HOST[:PORT][/PATH][?QUERY]": no user, no fragment, printable ASCII, at most URL_MAX octets. http is taken where the host is a loopback
 * address (127.0.0.0/8, ::1). ERR_SYNTAX. */
enum err url_read(struct bytes url, struct url *out) MUST_USE;

#endif
