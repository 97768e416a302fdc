/* Indicators over lines as they come: from the front door, from logs that grow, from syslog. What is found goes to the groups that make
 * alerts of it. No file is opened here and no clock is asked. */
#ifndef WATCH_LIVE_H
#define WATCH_LIVE_H

#include "alert/group.h"
#include "hunt/scan.h"

struct live;
/* All of it stays the caller's and must outlive the result. on_problem may be NULL. NULL: no memory. */
struct live *live_new(struct hunt_rules *rules, struct hunt_layout *layout, struct alert_group *group,
	void (*on_problem)(void *ctx, const char *where, const char *what), void *ctx);
void live_free(struct live **l);

struct live_lines {
	const char *path;   /* as the examined system calls the log; what it is called decides what it is, or else its first line */
	const char *where;  /* for findings; "": they have no place (a request of the front door) */
	const char *source; /* for alerts */
	struct bytes lines; /* whole lines */
	uint64_t line, offset; /* of the first */
	uint64_t now_us; /* when they came: tells the year of logs that have none */
};
void live_take(struct live *l, const struct live_lines *in);
/* The path by which a log of the layout is known ("access", "notice"); NULL: there is none of that name. */
const char *live_path_of(struct hunt_layout *layout, const char *log);

#endif
