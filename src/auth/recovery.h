/* Recovery codes: ten, each good once, for who has lost the other factors. 80 bits each, kept as SHA-256. */
#ifndef AUTH_RECOVERY_H
#define AUTH_RECOVERY_H

#include "base/text.h"

#define RECOVERY_COUNT	  10
#define RECOVERY_CODE_LEN 19 /* xxxx-xxxx-xxxx-xxxx, of a to z without i, l, o, u, and 2 to 9 and 0, 1 (Crockford's base32, lower case) */
#define RECOVERY_HASH_LEN 32

/* A new code, with its end, and its hash. */
void recovery_new(char code[RECOVERY_CODE_LEN + 1], unsigned char hash[RECOVERY_HASH_LEN]);
/* Of what a person typed: case, spaces and dashes do not matter; o is 0, i and l are 1. False: not such a code. */
bool recovery_hash(struct bytes typed, unsigned char hash[RECOVERY_HASH_LEN]) MUST_USE;

#endif
