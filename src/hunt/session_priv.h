/* Sessions of the appliance's gateway (ns.log), and the addresses that each was used from. A session that was read out of memory
 * (CVE-2023-4966, CVE-2025-5777) shows as one that goes on from somewhere else. */
#ifndef HUNT_SESSION_PRIV_H
#define HUNT_SESSION_PRIV_H

#include "hunt/pack.h"

struct hunt_scan;
struct sessions;

/* NULL without memory. */
struct sessions *sessions_new(void) MUST_USE;
void sessions_free(struct sessions **s);
/* A log's first block: how its dates are to be read. */
void sessions_file(struct hunt_scan *s, struct bytes block);
/* A line of it, against the rules of kind session. */
void sessions_line(struct hunt_scan *s, struct bytes line, uint64_t number, uint64_t offset);

#endif
