/* A hunt's findings as OCSF Detection Findings (class 2004, schema 1.3), one JSON object a line, for a SIEM or a data lake. */
#ifndef HUNT_OCSF_H
#define HUNT_OCSF_H

#include "hunt/output.h"

#include <stdio.h>

struct hunt_ocsf;

/* Findings go to `to` as they come, which stays the caller's and must outlive *out; host and window are those of begin. now_us: the
 * time of a finding that has none of its own. ERR_MEMORY. */
enum err hunt_ocsf_open(FILE *to, uint64_t now_us, struct hunt_ocsf **out) MUST_USE;
struct hunt_output hunt_ocsf_output(struct hunt_ocsf *o);
/* ERR_IO: something could not be written. */
enum err hunt_ocsf_close(struct hunt_ocsf **o) MUST_USE;

#endif
