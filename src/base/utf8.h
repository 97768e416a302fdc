/* UTF-8, RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

/* Octets of the character that b begins with: 1 to 4; 0: it begins with none, or is empty. */
size_t utf8_len(struct bytes b);
bool utf8_is_valid(struct bytes b);

#endif
