/* Looks for the packs' indicators in files that a source gives, tells each finding at once (of logs without a year: at the end of the
 * file), and sums up what the logs cover. No file is opened here and no clock is asked. */
#ifndef HUNT_SCAN_H
#define HUNT_SCAN_H

#include "hunt/output.h"
#include "hunt/pack.h"
#include "net/addr.h"

#define SCAN_LINE_MAX	   65536 /* what is longer is looked at in parts of this size */
#define SCAN_REASONS_MAX   64

struct hunt_scan;
/* All of it stays the caller's and must outlive the scan. out may be NULL in tests of nothing but the verdict. NULL without memory. */
struct hunt_scan *hunt_scan_new(struct hunt_rules *rules, struct hunt_layout *layout, const struct hunt_output *out) MUST_USE;
void hunt_scan_free(struct hunt_scan **s);
/* What a source gives its files to; progress is NULL. Lives as long as s. */
struct hunt_sink hunt_scan_sink(struct hunt_scan *s);
/* Halves of pairs are told by themselves too, for the packs' own tests. */
void hunt_scan_tell_parts(struct hunt_scan *s);
/* The examined system's own addresses: what they asked for is tagged as own, but for signs of a compromise, since an intruder on it asks
 * from there too. The list stays the caller's and must outlive the scan. */
void hunt_scan_own(struct hunt_scan *s, const struct addr *own, size_t count);
/* Sums up. Fills verdict, counts, files, coverage and reasons; exposed_from_us and exposed_to_us must be set. Its lists live as long as
 * s. */
void hunt_scan_sum_up(struct hunt_scan *s, struct hunt_summary *sum);

#endif
