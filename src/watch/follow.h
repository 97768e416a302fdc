/* A log that grows, followed over its rotations: renamed and made anew, or copied and emptied. Whole lines come out, with their place. One
 * thread; files are opened to read only. */
#ifndef WATCH_FOLLOW_H
#define WATCH_FOLLOW_H

#include "base/bytes.h"
#include "base/err.h"

#define FOLLOW_PATH_MAX	 4096
#define FOLLOW_LINE_MAX	 65536 /* a line that is longer comes in parts of this size */
#define FOLLOW_HEAD_MAX	 256
#define FOLLOW_GRACE_MS	 2000 /* for so long a file that was renamed is still read: its writer may not know yet */

/* How far a log was read: of which file, and what it begins with, so that another file in its place is known as one. */
struct follow_at {
	uint64_t device, inode, offset, line; /* line: lines before offset */
	uint64_t head_hash;
	uint32_t head_len;
	bool is_known; /* false: it was never read */
};
/* A file that was left: it is not read again, even if somebody writes to it later. */
struct follow_left {
	uint64_t device, inode, head_hash;
	uint32_t head_len;
};
#define FOLLOW_LEFT_MAX 8
struct follow {
	char path[FOLLOW_PATH_MAX];
	struct follow_at at;
	int fd;
	bool from_start;   /* where nothing is known of it: else what stands in it already is passed over */
	bool is_missing;   /* it was told that it is not there */
	bool is_failing;   /* it was told that it cannot be read */
	struct follow_left left[FOLLOW_LEFT_MAX];
	unsigned left_next;
	uint64_t quiet_ms; /* since when a file that was renamed has had nothing new; 0: it was not renamed */
};

struct follow_sink {
	void *ctx;
	/* Whole lines, each with its LF but perhaps the last of a file that has ended. line: number of the first, from 1. */
	void (*lines)(void *ctx, struct follow *f, struct bytes lines, uint64_t line, uint64_t offset);
	/* what: for people; what is known to have been there and was passed over is told here. */
	void (*problem)(void *ctx, struct follow *f, const char *what);
};

/* path: absolute. at: NULL, or where to go on. ERR_LIMIT: the path is too long. */
enum err follow_init(struct follow *f, const char *path, const struct follow_at *at, bool from_start) MUST_USE;
void follow_fini(struct follow *f);
/* Reads what is new, at most `most` octets (at least FOLLOW_LINE_MAX) into mem. True: there is more now. f->at is behind the last line
 * that was told. */
bool follow_step(struct follow *f, unsigned char *mem, size_t most, uint64_t now_ms, const struct follow_sink *sink);
/* After a step: it read to the end of the file that has the log's name now (or there is none), and no other is waited for. */
bool follow_is_at_end(const struct follow *f);

#endif
