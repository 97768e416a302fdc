/* Where things are on the examined system, as data (rules/layout): what a bundle's or a disk's folders are called on the appliance, and
 * which logs there are, in which format. Bytes and values; no file is opened here. */
#ifndef HUNT_LAYOUT_H
#define HUNT_LAYOUT_H

#include "data/data.h"
#include "hunt/hunt.h"

#define LAYOUT_PATH_MAX 4096
#define LAYOUT_LOGS_MAX 16

enum layout_format { LAYOUT_WEB, LAYOUT_ERROR, LAYOUT_SYSLOG, LAYOUT_PLAIN };

struct layout_log {
	char name[32];	    /* "access" */
	char example[256];  /* a path that it has */
	enum layout_format format;
	bool is_needed;	    /* without it over the whole window nothing can be said */
	bool is_dated;	    /* it belongs to the coverage that is told */
};

struct hunt_layout;
/* From a file of rules/layout. */
enum err hunt_layout_read(struct bytes text, const char *name, struct hunt_layout **out, char error[DATA_ERROR_MAX]) MUST_USE;
void hunt_layout_free(struct hunt_layout **l);
/* The path on the examined system of what a source calls rel (no slash in front); dots and empty segments are taken out. is_single: it
 * was given by itself, so that its name is all that is known. False: longer than LAYOUT_PATH_MAX. */
bool hunt_layout_map(struct hunt_layout *l, const char *rel, bool is_single, char out[LAYOUT_PATH_MAX]) MUST_USE;
/* Which log a path (as mapped) is, without .gz and its like; -1: none. */
int hunt_layout_find_log(struct hunt_layout *l, const char *path);
size_t hunt_layout_logs(const struct hunt_layout *l);
const struct layout_log *hunt_layout_log(const struct hunt_layout *l, size_t i);
/* By name; -1: there is none. */
int hunt_layout_log_of(const struct hunt_layout *l, const char *name);

#endif
