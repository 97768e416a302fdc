/* Query parameters and cookies by name. */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include "http/message.h"

/* The first cookie of that name over all Cookie fields; its value without surrounding quotes. */
bool http_cookie_find(const struct http_field *f, size_t n, struct bytes name, struct bytes *value);
/* The first parameter of that name (compared after decoding), its value decoded once ("+" is a space): a
 * view where nothing is encoded, else from the arena. False when there is none, or the value does not fit. */
bool http_query_find(struct bytes raw_query, struct bytes name, struct arena *arena, struct bytes *value);
/* The next of that name in *left (at first the raw query), which moves behind it. value->at is NULL when the arena
 * is full. */
bool http_query_next(struct bytes *left, struct bytes name, struct arena *arena, struct bytes *value);
/* The next cookie of that name; *field (at first 0) and *left (at first empty) say where the search goes on. */
bool http_cookie_next(const struct http_field *f, size_t n, struct bytes name, size_t *field, struct bytes *left,
	struct bytes *value);
/* The query as it is, without the parameters of that name. .at is NULL when the arena is full. */
struct bytes http_query_without(struct bytes raw_query, struct bytes name, struct arena *arena);
/* Percent-decoding of a whole text; malformed escapes stay as they are. .at is NULL when the arena is full. */
struct bytes http_percent_decode(struct bytes in, bool plus_is_space, struct arena *arena);

#endif
