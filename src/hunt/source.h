/* Gives a sink the files of what is to be examined: a folder (a mounted disk, an unpacked bundle), a single file, archives (tar, zip) and
 * compressed files (gz, xz, zst, bz2) in each other. This one source opens files: it reads only, follows no link but the path that it
 * was given, and has limits for what strangers packed. */
#ifndef HUNT_SOURCE_H
#define HUNT_SOURCE_H

#include "hunt/hunt.h"
#include "hunt/layout.h"

#define SOURCE_LAYERS_MAX  4		 /* a tar in a gz is two of them */
#define SOURCE_DEPTH_MAX   64		 /* folders in folders */
#define SOURCE_RATIO_MAX   250		 /* unpacked to packed, once more than SOURCE_RATIO_FROM was unpacked */
#define SOURCE_RATIO_FROM  (64u << 20)
#define SOURCE_UNPACKED_MAX (UINT64_C(256) << 30) /* of one path */
#define SOURCE_MEMBERS_MAX  4000000		  /* of one path */

struct source_options {
	bool one_file_system;	   /* folders of other file systems are passed over */
	uint64_t unpacked_max;	   /* 0: SOURCE_UNPACKED_MAX */
};
/* Reads path. What cannot be read goes to sink->problem, and the rest goes on. ERR_NOT_FOUND, ERR_IO (errno): path itself cannot be
 * opened; ERR_MEMORY. */
enum err hunt_source_read(const char *path, struct hunt_layout *layout, const struct source_options *o, const struct hunt_sink *sink) MUST_USE;

#endif
