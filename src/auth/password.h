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
/* hash: what password_hash made (or, of an import, any argon2id hash in PHC format within our limits: at most 256 MiB, 10 passes, 16 lanes). An
 * empty hash is that of nobody: it takes as long, and never fits. ERR_SYNTAX: not such a hash. ERR_MEMORY: as above, and no wrong password. */
enum err password_verify(struct bytes hash, struct bytes password, bool *fits) MUST_USE;
bool password_hash_is_valid(struct bytes hash); /* by its form and its limits */
bool password_hash_is_ours(struct bytes hash);	/* of the cost of those that password_hash makes: others take another time */
/* NULL: it may be used; else a short stable name of why not: "too_short", "too_long", "common", "name" (it contains the user's name),
 * "characters" (control characters, or not UTF-8). Length counts characters (UTF-8). The name: all of it, and each part before the '@' that dots
 * and the like set off, of 4 octets and more, in any case. Common: not by a list but by what it is made of (NIST SP 800-63B-4 3.1.1.2): everyday
 * words in Dutch and English, also spelt with digits; rows of the keyboard and of the alphabet; years; something once more. Refused is what such
 * pieces and what is between them make too cheap to guess (38 bits), and one such word with any digits and signs around it. */
const char *password_refusal(struct bytes password, struct bytes user);

#endif
