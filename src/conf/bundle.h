/* The bundle: the main file and every file it names, as one sealed memory file that the master makes and
 * every other process reads its configuration from, so that none of them opens a file. Private keys are
 * never part of it. */
#ifndef CONF_BUNDLE_H
#define CONF_BUNDLE_H

#include "conf/conf.h"

#define BUNDLE_MOST (256u << 20)

/* Writes: collects what source hands out. */
struct bundle_writer {
	struct conf_source source; /* give this to conf_load; it asks from, and keeps a copy */
	struct conf_source *from;
	struct text out;
};
void bundle_writer_init(struct bundle_writer *w, struct conf_source *from, struct bytes file, struct bytes text);
void bundle_writer_fini(struct bundle_writer *w);
/* Reads: a source over the bytes of a bundle. */
struct bundle_reader {
	struct conf_source source;
	struct bytes all, file, text; /* file and text: the main one */
};
enum err bundle_reader_init(struct bundle_reader *r, struct bytes all) MUST_USE;
/* A source over the disk; relative paths are taken from the main file's folder, "rules:NAME" from rules_dir. */
struct disk_source {
	struct conf_source source;
	const char *base_dir, *rules_dir;
};
void disk_source_init(struct disk_source *s, const char *base_dir, const char *rules_dir);

#endif
