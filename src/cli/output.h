/* A file that is there whole or not at all: written under another name in the same folder, put on disk, then named. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/cli.h"

#include <sys/types.h>

struct output {
	int fd;
	char path[4096], partial[4200];
};

/* Begins path with mode 0600. False: errno says why (EEXIST: it is there already, and replace is false). */
bool output_open(struct output *o, const char *path, bool replace) MUST_USE;
/* Gives it its name. False: errno says why, and the partial file is gone. */
bool output_commit(struct output *o, bool replace) MUST_USE;
/* Removes what was written so far; harmless after a commit. */
void output_drop(struct output *o);
/* Whether need bytes fit where path will be; *have: what is free there. */
bool output_has_room(const char *path, uint64_t need, uint64_t *have) MUST_USE;
/* mkdir -p of the folder that path is in, mode 0700 for what is new. False: errno. */
bool output_make_folder(const char *path) MUST_USE;

#endif
