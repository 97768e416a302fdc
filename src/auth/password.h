/* Passwords at rest: argon2id, RFC 9106, by libsodium. Slow and hungry by design (64 MiB, 2 passes: libsodium's "interactive"), so only
 * sluis-hasher calls password_hash and password_verify. */
#ifndef AUTH_PASSWORD_H
#define AUTH_PASSWORD_H

#include "base/bytes.h"

#define PASSWORD_LEAST	  12  /* characters, NIST SP 800-63B-4 3.1.1.2 asks for 15 where it is the only factor, 8 with another */
#define PASSWORD_MOST	  256 /* octets */
#define PASSWORD_HASH_MAX 128 /* with its end */

enum err password_init(void) MUST_USE; /* libsodium, once per process */
/* ERR_MEMORY when the 64 MiB are not there. */
enum err password_hash(struct bytes password, char out[PASSWORD_HASH_MAX]) MUST_USE;
/* hash: what password_hash made (or, of an import, any argon2id hash in PHC format within our limits: at most 256 MiB and 10 passes). An empty
 * hash is that of nobody: it takes as long, and never fits. ERR_SYNTAX: not such a hash. */
enum err password_verify(struct bytes hash, struct bytes password, bool *fits) MUST_USE;
bool password_hash_is_valid(struct bytes hash); /* by its form and its limits */
/* NULL: it may be used; else a short stable name of why not: "too_short", "too_long", "common", "name" (it contains the user's name),
 * "characters" (control characters, or not UTF-8). Length counts characters (UTF-8). Common ones: a list of at least 1,000. */
const char *password_refusal(struct bytes password, struct bytes user);

#endif
