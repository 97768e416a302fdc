/* The one canonical form of a request: path decoded once, dot segments removed, host in lower case.
 * docs/canonical.md has the table of what is made canonical and what is refused. */
#ifndef HTTP_CANON_H
#define HTTP_CANON_H

#include "http/message.h"

enum canon_choice { CANON_REFUSE, CANON_KEEP };
struct canon_rules {
	/* An encoded slash (%2f, %5c), a ';' in a segment: refused, or kept as an encoded octet of its segment. */
	enum canon_choice encoded_slash, parameters;
	bool merge_slashes; /* "//" becomes "/"; otherwise it is refused */
};

/* Fills path, wire_path, host, authority, port of r from target, Host and form. default_scheme is the
 * connection's. A caller that knows where the request was sent to puts that address into r->authority first: it
 * stands in where HTTP/1.0 names no host (RFC 9112 3.3). why gets a short stable name ("encoded-slash", "above-root", "overlong-utf8") on
 * ERR_SYNTAX (answer 400). ERR_MEMORY: arena full. Dot segments are resolved, also encoded ones; a path
 * that leads above the root is refused; a path that after decoding still holds "%2e", "%2f", "%5c" or "%00"
 * (doubly encoded) is refused. */
enum err canon_request(struct http_request *r, const struct canon_rules *rules, struct bytes default_scheme,
	struct arena *arena, const char **why) MUST_USE;
/* The path alone, for tools and tests. */
enum err canon_path(struct bytes raw, const struct canon_rules *rules, struct arena *arena, struct bytes *path,
	struct bytes *wire, const char **why) MUST_USE;

#endif
