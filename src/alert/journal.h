/* Alerts on the disk until every destination has them: a folder with segments NNNNNNNN.jsonl, appended by one writer and read by any
 * number of readers, in other processes too, and a file NAME.pos per destination that tells what it has. No clock. All functions take the
 * folder as a descriptor, which stays the caller's and must live as long. */
#ifndef ALERT_JOURNAL_H
#define ALERT_JOURNAL_H

#include "base/text.h"

#define JOURNAL_SEGMENT_MOST (16u << 20) /* octets of a segment; a line is never divided */
#define JOURNAL_NAME_MAX     64		 /* octets of a destination's name: a-z A-Z 0-9 - _ . , not first a dot */

struct journal_at {
	uint64_t segment, offset; /* of a line's beginning */
};

/* Makes the folder (0750, its parent must be there) if needed, and opens it. ERR_IO: errno. */
enum err journal_folder(const char *path, int *fd) MUST_USE;

/* --- the writer --- */

struct journal;
struct journal_options {
	size_t segment_most; /* 0: JOURNAL_SEGMENT_MOST */
	uint64_t keep_us;    /* how long trim keeps what all have; 0: 30 days */
};
/* Opens the last segment, or makes the first. A torn last line (a crash while it was written) is cut off; *torn has its octets, 0 none.
 * ERR_DENIED: another writer has it (a lock on the file "lock"); ERR_IO: errno; ERR_MEMORY. */
enum err journal_open(int folder, const struct journal_options *options, struct journal **out, uint64_t *torn) MUST_USE;
void journal_close(struct journal **j);
/* One or more whole lines, each with its LF; ERR_SYNTAX otherwise. ERR_IO (errno): nothing of them is in the journal. They are on the
 * disk only after journal_sync. */
enum err journal_append(struct journal *j, struct bytes lines) MUST_USE;
enum err journal_sync(struct journal *j) MUST_USE;
/* Removes segments that all of these destinations have passed and that were last written before now_us - keep. A destination without a
 * position keeps everything. Never the segment that is written. *removed: how many; may be NULL. */
enum err journal_trim(struct journal *j, const char *const *names, size_t count, uint64_t now_us, size_t *removed) MUST_USE;

/* --- readers --- */

/* Where the first line is, and where the next to be written will be. OK for an empty folder too. */
enum err journal_begin(int folder, struct journal_at *out) MUST_USE;
enum err journal_end(int folder, struct journal_at *out) MUST_USE;

struct journal_reader;
/* A position whose segment was removed means the oldest that is there; one inside a line the next line. NULL: no memory. */
struct journal_reader *journal_reader_new(int folder, struct journal_at from);
void journal_reader_free(struct journal_reader **r);
/* The next whole line, with its LF: a view that holds until the next call. *after: the position behind it. ERR_AGAIN: no more for now;
 * ERR_LIMIT: a line over `most`, which was passed over (*after is set); ERR_IO: errno. */
enum err journal_read(struct journal_reader *r, size_t most, struct bytes *line, struct journal_at *after) MUST_USE;
/* Goes back (or on) to a position that journal_read gave. */
void journal_seek(struct journal_reader *r, struct journal_at to);

/* ERR_NOT_FOUND: there is none; ERR_SYNTAX: the file is no position. */
enum err journal_position_read(int folder, const char *name, struct journal_at *out) MUST_USE;
/* Written beside, synced and renamed: after a crash the old or the new one is there. */
enum err journal_position_write(int folder, const char *name, struct journal_at at) MUST_USE;
bool journal_is_name(const char *name);
/* Whether any destination, also one of the past, has a position here. */
enum err journal_has_positions(int folder, bool *out) MUST_USE;

#endif
