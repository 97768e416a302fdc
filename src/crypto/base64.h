/* base64url without padding, RFC 4648 5: how tokens, challenges and JSON Web Tokens are written. */
#ifndef CRYPTO_BASE64_H
#define CRYPTO_BASE64_H

#include "base/text.h"

#define BASE64_LEN(n) (((n) * 4 + 2) / 3) /* octets as characters */

void base64url_put(struct text *t, struct bytes b);
/* Exactly len octets. ERR_SYNTAX: another length, another alphabet, padding, or bits that are not zero behind the last octet: each value
 * has one spelling. Out is written on success only. */
enum err base64url_read(struct bytes in, unsigned char *out, size_t len) MUST_USE;
/* Of any length up to cap; *len is how many. ERR_LIMIT: it would be more. */
enum err base64url_read_any(struct bytes in, unsigned char *out, size_t cap, size_t *len) MUST_USE;

#endif
