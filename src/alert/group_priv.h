/* Copies of findings that outlive the scan: all their texts in one piece of memory, each cut to a bound. */
#ifndef ALERT_GROUP_PRIV_H
#define ALERT_GROUP_PRIV_H

#include "alert/group.h"
#include "base/text.h"

#define KEPT_TEXT_MAX 1024 /* of a text; less for most, see group_kept.c */
#define KEY_MAX	      (3 * KEPT_TEXT_MAX + 2)
#define HELD_MAX      64 /* rules counted apart per class */

struct kept {
	struct hunt_finding finding; /* its texts are in memory */
	char *memory;
};

/* ERR_MEMORY: *k is as it was. */
enum err kept_copy(struct kept *k, const struct hunt_finding *f) MUST_USE;
/* Without a copy: what strangers chose is cut, the rest is as it is. */
struct hunt_finding kept_bounded(const struct hunt_finding *f);
void kept_fini(struct kept *k);
/* A copy of at most KEPT_TEXT_MAX octets; NULL: no memory. */
char *kept_text(const char *s);
/* Whether `copy` is what is kept of s; what is kept of a client. */
bool kept_is(const char *copy, const char *s);
struct bytes kept_cut(struct bytes client);

#endif
