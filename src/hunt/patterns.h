/* Many expressions in one Vectorscan database: one pass over the data says which of them are in it. Expressions are written as for
 * PCRE, without what needs backtracking (no look-around, no back references), so that no input can make a scan slow. */
#ifndef HUNT_PATTERNS_H
#define HUNT_PATTERNS_H

#include "base/bytes.h"
#include "base/err.h"

#define PATTERNS_ERROR_MAX 300
#define PATTERNS_TEXT_MAX  4096 /* of one expression */

struct patterns;
enum patterns_mode {
	PATTERNS_FIELD, /* ^ and $ are the text's ends; each expression is told at most once per scan */
	PATTERNS_LINES, /* over many lines at once: ^ and $ are lines' ends, . never a line feed; every match is told */
	PATTERNS_STREAM /* the same over pieces of a file (patterns_stream_*) */
};

/* NULL without memory. */
struct patterns *patterns_new(enum patterns_mode mode) MUST_USE;
void patterns_free(struct patterns **p);
/* Upper and lower case are the same unless has_case. is_plain: the text itself, not an expression. The same expression twice is kept
 * once. *id: what a scan will tell. ERR_SYNTAX, ERR_LIMIT (too long), with error; ERR_MEMORY. */
enum err patterns_add(struct patterns *p, struct bytes expression, bool has_case, bool is_plain, unsigned *id, char error[PATTERNS_ERROR_MAX]) MUST_USE;
size_t patterns_count(const struct patterns *p);
/* After the last one was added; a set without any is well. ERR_SYNTAX with error. */
enum err patterns_compile(struct patterns *p, char error[PATTERNS_ERROR_MAX]) MUST_USE;
/* In its place: at the first scan. Each expression was looked at when it was added; what all together are too much for is told by
 * patterns_why, "" if nothing, and nothing is found then. */
void patterns_compile_later(struct patterns *p);
const char *patterns_why(const struct patterns *p);

/* end: the offset behind the match. Answer false to end the scan. */
typedef bool patterns_on_match(void *ctx, unsigned id, uint64_t end);
/* PATTERNS_FIELD and PATTERNS_LINES; matches come in the order of their ends. One scan at a time per set, none from inside on_match
 * of the same set. */
void patterns_scan(struct patterns *p, struct bytes in, patterns_on_match *on, void *ctx);
/* PATTERNS_STREAM; offsets count from patterns_stream_begin. One stream at a time. */
enum err patterns_stream_begin(struct patterns *p) MUST_USE;
void patterns_stream_feed(struct patterns *p, struct bytes in, patterns_on_match *on, void *ctx);
void patterns_stream_end(struct patterns *p, patterns_on_match *on, void *ctx);

#endif
