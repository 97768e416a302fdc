/* From findings to alerts: the first of a kind is told at once, its repeats are counted and told as a sum, and a flood of one class is
 * held back without starving another. No file, no socket, no clock; one thread. docs/alerts.md tells what people see of it. */
#ifndef ALERT_GROUP_H
#define ALERT_GROUP_H

#include "hunt/hunt.h"

enum alert_kind {
	ALERT_FIRST,   /* a finding that was not told before */
	ALERT_AGAIN,   /* the sum of a group's repeats */
	ALERT_LIMITED, /* how many were held back */
	ALERT_KIND_COUNT
};

#define ALERT_ID_LEN	 32
#define ALERT_HELD_RULES 10   /* rules that a LIMITED names */
#define ALERT_GROUPS_MAX 4096 /* groups that are remembered */

struct alert_held {
	const char *rule;
	uint64_t count;
};

/* Holds during the call that tells it. Its texts are bounded: the excerpt to HUNT_EXCERPT_MAX, a URL to 2 KiB, all others to 1 KiB or less. */
struct alert {
	char id[ALERT_ID_LEN + 1]; /* 128 random bits, hexadecimal */
	enum alert_kind kind;
	uint64_t at_us;		  /* when the finding happened, UTC; 0: not known. Of AGAIN the last that is known; of LIMITED 0 */
	uint64_t first_us, last_us; /* of what is counted: when it happened, or where that is not known when it was seen */
	uint64_t count;		    /* FIRST: 1; AGAIN: repeats since the last telling; LIMITED: findings held back */
	const char *source;	    /* "front door", "log /var/log/httpaccess.log", "syslog 192.0.2.1 ns1"; LIMITED: "" */
	const struct hunt_finding *finding; /* of AGAIN: as it was first told; LIMITED: NULL */
	enum hunt_class class;
	const struct alert_held *held; /* LIMITED: up to ALERT_HELD_RULES rules, most first; count has also those of other rules */
	size_t held_count;
};

struct alert_group_options {
	uint64_t window_us;		     /* repeats within it are one AGAIN; not 0 */
	unsigned per_hour[HUNT_CLASS_COUNT]; /* FIRST and AGAIN told per class: that many at once, then spread over the hour; 0: no limit */
};

struct alert_group;

/* options are copied. tell is called from take, tick and flush. NULL: no memory. */
struct alert_group *alert_group_new(const struct alert_group_options *options, void (*tell)(void *ctx, const struct alert *a), void *ctx);
/* Tells nothing: flush first. */
void alert_group_free(struct alert_group **g);
/* A finding of `source`. Findings with is_own are no alerts. Without memory it is told all the same, ungrouped. now_us: since 1970, as
 * in all functions here; a clock that is set back makes windows longer, nothing else.
 * The key of a group is rule, source and client, or the file's path where there is no client. While repeats go on, each window's sum is
 * told at its end; after a window without any the group is forgotten, and the next is a FIRST again. With ALERT_GROUPS_MAX groups the
 * oldest ends early. What is over the limit is counted by rule, forms no group, and is told as one LIMITED when the class has room
 * again, at most once per window. */
void alert_group_take(struct alert_group *g, const struct hunt_finding *f, const char *source, uint64_t now_us);
/* Ends windows: tells AGAIN and LIMITED. To be called about once a second. */
void alert_group_tick(struct alert_group *g, uint64_t now_us);
/* The orderly end: tells all that is pending, over limits too, and forgets the groups. */
void alert_group_flush(struct alert_group *g, uint64_t now_us);

#endif
