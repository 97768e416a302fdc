/* How far logs were read, as a file of JSON that outlives the process. */
#ifndef WATCH_POSITIONS_H
#define WATCH_POSITIONS_H

#include "base/text.h"
#include "watch/follow.h"

#define POSITIONS_MAX	  256
#define POSITIONS_FILE_MAX (4u << 20)

struct position {
	char path[FOLLOW_PATH_MAX];
	struct follow_at at;
};
/* out: room for POSITIONS_MAX. ERR_SYNTAX: it is no such file; ERR_LIMIT: too many. */
enum err positions_parse(struct bytes text, struct position *out, size_t *count) MUST_USE;
/* Appends the whole file. */
void positions_put(struct text *t, const struct follow *logs, size_t count);
/* Written beside, synced and renamed in folder: after a crash the old or the new is there. ERR_IO: errno. */
enum err positions_write(int folder, const char *name, struct bytes text) MUST_USE;

#endif
