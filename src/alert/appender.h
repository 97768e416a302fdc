/* Alerts as lines at the end of a file that somebody else reads (sluis monitor). What the disk does not take waits in memory and is tried again; whoever
 * makes alerts waits for nothing. The descriptor is opened by others, and may be replaced (a log that is rotated). */
#ifndef ALERT_APPENDER_H
#define ALERT_APPENDER_H

#include "alert/alert.h"

struct appender {
	int fd;		 /* -1: none yet */
	struct text out; /* lines that wait */
	bool is_failing;
	char host[256]; /* this machine's name, for observer.hostname */
};

void appender_init(struct appender *a); /* also asks for the machine's name */
void appender_take(struct appender *a, int *fd); /* the file from here on; *fd is -1 then */
/* ERR_LIMIT: too many wait, and this one is lost. */
enum err appender_put(struct appender *a, const struct alert *of, uint64_t now_us) MUST_USE;
/* ERR_IO: the file begins to refuse them (errno); said once until it takes some again. */
enum err appender_write(struct appender *a) MUST_USE;

#endif
