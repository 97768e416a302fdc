/* JSON strings written safely: the escapes of RFC 8259 7, and bytes that are no UTF-8 as U+FFFD, so that a
 * log line stays valid JSON whatever a peer sent. */
#ifndef JSON_WRITE_H
#define JSON_WRITE_H

#include "base/text.h"

/* With the quotes around. (jansson has a json_string: two functions of one name would be one in a program with both.) */
void json_put_string(struct text *t, struct bytes b);

#endif
