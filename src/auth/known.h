/* Users as they were last read, in memory: where the store is another machine, who somebody is does not take a round trip with each question, and is
 * known while the store is lost. Of a user: id, name, display, mail, language, groups, and whether he is disabled or has to change his password. */
#ifndef AUTH_KNOWN_H
#define AUTH_KNOWN_H

#include "auth/store.h"

struct known;
struct known *known_new(void); /* NULL: no memory */
void known_free(struct known **k);
void known_put(struct known *k, const struct store_user *u); /* in place of what is there; without memory it is not known */
/* ERR_NOT_FOUND: not known; ERR_MEMORY: the arena is full. */
enum err known_get(const struct known *k, int64_t id, struct arena *a, struct store_user *out) MUST_USE;
/* The id of who has that name, in lower case. ERR_NOT_FOUND. */
enum err known_find(const struct known *k, struct bytes name, int64_t *id) MUST_USE;
void known_forget(struct known *k, int64_t id);
void known_clear(struct known *k);
/* Of whom something is another now, and who is not known any more. */
void known_changed(const struct known *before, const struct known *now, void (*one)(void *ctx, int64_t id), void *ctx);

#endif
