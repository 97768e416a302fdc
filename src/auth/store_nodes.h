/* What nodes that share a PostgreSQL have in common besides users and sessions. Errors as in auth/store.h. */
#ifndef AUTH_STORE_NODES_H
#define AUTH_STORE_NODES_H

#include "auth/store.h"

#define STORE_TARGET_MAX 8192

/* A code that opens an app for a portal's session; good once. */
struct store_code {
	unsigned char hash[32], nonce[32]; /* SHA-256 of the code and of the browser's nonce */
	char session[17], host[254];
	struct bytes target;
	uint64_t until_s;
};

#define STORE_ENDED_MOST 400 /* ids in one news */
#define STORE_TELL_MOST	 64

/* Other nodes end these sessions (ids, a space between each two) before they are removed: of a hundred thousand the removal takes seconds. Within
 * store_begin and store_commit, which are over before the removal begins. */
enum err store_tell_ended(struct store *s, struct bytes ids) MUST_USE;
/* Other nodes end sign-ins under way; which (no spaces, at most STORE_TELL_MOST octets) is theirs to read. Within store_begin and store_commit. */
enum err store_tell_flows(struct store *s, struct bytes which) MUST_USE;
/* ERR_NOT_FOUND: there is no such session. */
enum err store_code_put(struct store *s, const struct store_code *c, uint64_t now_s) MUST_USE;
/* One node gets it, and then it is gone. Its end is the caller's to look at. */
enum err store_code_take(struct store *s, const unsigned char hash[32], struct arena *a, struct store_code *out) MUST_USE;
/* A key (x and y, P-256) is this node's, now. */
enum err store_key_put(struct store *s, const unsigned char key[64], uint64_t now_s) MUST_USE;
/* All that were put since then, the latest first, until false. */
enum err store_keys(struct store *s, uint64_t since_s, bool (*one)(void *ctx, const unsigned char key[64]), void *ctx) MUST_USE;

#endif
