/* YARA rules as rules of a hunt, through libyara. Rules are compiled before the first byte of what is examined is read; a scan opens
 * nothing, starts no thread and needs no system call but those for memory and time. Not for logs' lines: rules look at a file's content. */
#ifndef HUNT_YARA_H
#define HUNT_YARA_H

#include "hunt/pack.h"

#define YARA_WINDOW  (16u << 20) /* of a file that is looked at at once */
#define YARA_OVERLAP (1u << 20)	 /* of one window and the next */
#define YARA_TIMEOUTS_MAX 64	 /* of one hunt */

struct hunt_yara;
/* NULL without memory. */
struct hunt_yara *hunt_yara_new(void) MUST_USE;
void hunt_yara_free(struct hunt_yara **y);
/* Adds a file's rules, all or none. Includes are off, and so are modules but those of `allowed` in yara.c, because they take apart formats
 * that strangers wrote. ERR_SYNTAX with error ("FILE:LINE: what"); ERR_MEMORY. */
enum err hunt_yara_add(struct hunt_yara *y, struct bytes text, const char *name, char error[DATA_ERROR_MAX]) MUST_USE;
/* Once, after the last file. timeout_s is of one scan. */
enum err hunt_yara_compile(struct hunt_yara *y, unsigned timeout_s, char error[DATA_ERROR_MAX]) MUST_USE;
size_t hunt_yara_count(const struct hunt_yara *y);
/* By index, as on_hit tells it. */
const struct hunt_rule *hunt_yara_rule(const struct hunt_yara *y, size_t index);

/* on_hit: index is of the rule; offset, len: of the first string that was found, in the file; len 0: the rule holds without one. */
struct hunt_yara_calls {
	void (*on_hit)(void *ctx, size_t index, uint64_t offset, size_t len);
	void (*on_slow)(void *ctx, size_t index); /* alone it takes longer than the timeout: it is not looked for any more */
	void *ctx;
};
/* Looks at one window. offset: of its beginning in the file; size: what filesize is to be. What takes too long is looked for again in
 * halves, until the rule is known that takes it. ERR_TIMEOUT (that has cost YARA_TIMEOUTS_MAX timeouts), ERR_LIMIT (a rule asks for more than
 * libyara can do), ERR_MEMORY: rules may have been missed. */
enum err hunt_yara_look(struct hunt_yara *y, struct bytes window, uint64_t offset, uint64_t size, const struct hunt_yara_calls *calls) MUST_USE;

#endif
