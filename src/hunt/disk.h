/* Raw disk images as a source of a hunt: a whole disk with partitions (DOS, GPT, BSD labels, also one in the other) or one file system, of
 * the kinds that The Sleuth Kit reads, FFS and UFS2 among them. Nothing is mounted and nothing is written. */
#ifndef HUNT_DISK_H
#define HUNT_DISK_H

#include "hunt/hunt.h"
#include "hunt/layout.h"

struct hunt_disk_options {
	bool with_deleted;   /* entries of files that were deleted too, as far as they can be read */
	uint64_t file_most;  /* octets given of one file; what is more is a problem, and told */
	uint64_t files_most; /* files of the whole image */
	uint64_t bytes_most; /* of all files together: sparse files and loops make more than the image has */
	struct hunt_layout *layout; /* packed files and archives by their names are unpacked, with the limits of hunt/source.h, and this says where
				     * members belong; NULL: all content is given as it is on the disk */
};
/* 4 GB, 10 million files, 4 TB. */
extern const struct hunt_disk_options hunt_disk_defaults;

/* fd: the image, open for reading, a regular file or a block device; the caller's. name: as the examiner finds it, for `where` and for
 * problems. A file's path begins with where its file system was last mounted, when the file system says so. What an appliance's shell added at both ends of an image is left out, and
 * told as a problem. ERR_UNSUPPORTED: no file system was found in it; ERR_IO: it cannot be read; ERR_LIMIT: a limit ended it. */
enum err hunt_disk_read(int fd, const char *name, const struct hunt_disk_options *options, const struct hunt_sink *sink) MUST_USE;
/* Whether the first octets of a file look like a disk or a file system that this reads. len: at least 70000 of them, where there are so many. */
bool hunt_disk_is(struct bytes begin);

#endif
