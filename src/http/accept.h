/* What a client accepts, RFC 9110 12.5.1: how much it wants one media type, over all its Accept fields. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include "http/message.h"

struct http_accept {
	int q;		   /* in thousandths; 0: refused, -1: no range is about this type */
	unsigned specific; /* of the range that decided: 0 none, 1 any type, 2 "text/" and any, 3 the type itself */
	size_t at;	   /* its place among all ranges: clients write first what they want most */
};
/* type: "text/html", lower case. The most specific range decides, whatever its place. Parameters other than q are
 * read over: a client that names a version of a type is closer to that type than to another. A range that is
 * malformed is left out. */
struct http_accept http_accept_find(const struct http_field *f, size_t n, struct bytes type);

/* The same for a language ("nl") in Accept-Language, RFC 9110 12.5.4: "nl-BE" asks for it too, "*" for any. */
struct http_accept http_accept_language_find(const struct http_field *f, size_t n, struct bytes language);

#endif
