/* Finds an appliance's ns.log files, rotated and compressed ones too, and reads them from the oldest to the newest in
 * constant memory. What could not be read is said for each file, and is not an error. */
#ifndef NSLOG_FILES_H
#define NSLOG_FILES_H

#include "nslog/nslog.h"

/* Files of one folder; each stays open, so that a rotation between the passes harms nothing. */
#define NSLOG_FILES_MOST 256
#define NSLOG_BYTES_MOST (64ULL << 30)

struct nslog_file {
	char *name; /* the path as it was opened */
	uint64_t mtime_us;
	bool gzip;
	bool truncated; /* gzip that ends too early or is damaged; what came before is read */
	bool trailing;  /* something that is no gzip follows the last member */
	bool limited; /* the limit of bytes was reached in this file or before it; the rest of it is not read */
	bool duplicate;             /* "ns.log.3" beside "ns.log.3.gz" with the same lines: not read again */
	int error;                  /* errno: it could not be opened or read (to its end) */
	struct nslog_report report; /* .dates after nslog_files_open, the rest after nslog_files_read */
};

struct nslog_files;
/* path: one file of any name, or a folder, of which ns.log, ns.log.N, ns.log.N.gz and other ns.log* are taken. Surveys
 * all of them. most_bytes: how much may be decompressed in all, spent from the newest file to the oldest; 0:
 * NSLOG_BYTES_MOST. ERR_NOT_FOUND: no such path, or no such files in it. ERR_LIMIT: over NSLOG_FILES_MOST. ERR_IO: see
 * errno. */
enum err nslog_files_open(const char *path, const struct nslog_options *o, uint64_t most_bytes,
	struct nslog_files **out) MUST_USE;
void nslog_files_free(struct nslog_files **f);
/* In order of time. on may be NULL: only the reports are wanted. */
void nslog_files_read(struct nslog_files *f, nslog_on_event *on, void *arg);
size_t nslog_files_count(const struct nslog_files *f);
const struct nslog_file *nslog_files_at(const struct nslog_files *f, size_t i); /* oldest first */
/* The sum over all files that were read. */
struct nslog_report nslog_files_report(const struct nslog_files *f);

#endif
