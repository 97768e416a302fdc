/* The configurations that were in use: state_dir/history/N.yaml, N.bundle with the files it named as they were then
 * (conf/bundle.h; private keys are not in it), and N.json with the time, who asked and why.
 * Numbers only grow; files are written whole or not at all. */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include "base/text.h"

#include <jansson.h>

#define HISTORY_TEXT_MAX (16u << 20)
#define HISTORY_KEPT	 200 /* older ones are removed */

/* Keeps text as the newest entry, unless the newest has the same text and files. *number: its number in both cases. */
enum err history_save(struct bytes state_dir, struct bytes text, struct bytes bundle, uint64_t real_us, unsigned uid, const char *why,
	uint32_t *number) MUST_USE;
/* An array of objects {number, time, uid, why}, newest first; the caller's reference. */
enum err history_list(struct bytes state_dir, json_t **out) MUST_USE;
/* Appends the text, the bundle of entry number. */
enum err history_read_bundle(struct bytes state_dir, uint32_t number, struct text *out) MUST_USE;
enum err history_read(struct bytes state_dir, uint32_t number, struct text *out) MUST_USE;

#endif
