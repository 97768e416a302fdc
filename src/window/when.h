/* Moments as people write them. The clock is the caller's. */
#ifndef WINDOW_WHEN_H
#define WINDOW_WHEN_H

#include "base/bytes.h"

/* "now", "-90m", "-2h", "-7d", "2020-01-09", "2020-01-09 12:00", "2020-01-09T12:00:00Z", "...+01:00"; without a zone it is UTC.
 * A date alone is its first moment, with is_end its last. Microseconds since 1970. ERR_SYNTAX: none of these; ERR_LIMIT: before 1970. */
enum err when_parse(struct bytes in, uint64_t now_us, bool is_end, uint64_t *out) MUST_USE;

#endif
