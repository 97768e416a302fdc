/* A hunt as one STIX 2.1 bundle, to share with a CSIRT: who says it (identity), what was looked for (indicator), what was seen
 * (observed-data with file, address, URL), that it was seen (sighting), and a report over all. TLP marks every object. Ids are the same
 * in every run over the same evidence. */
#ifndef HUNT_STIX_H
#define HUNT_STIX_H

#include "hunt/output.h"

#include <stdio.h>

enum hunt_tlp { HUNT_TLP_CLEAR, HUNT_TLP_GREEN, HUNT_TLP_AMBER, HUNT_TLP_RED };

struct hunt_stix;

/* to stays the caller's and must outlive *out. organisation: who says it; copied. now_us: when the report is made. Findings that are
 * somebody's own (is_own) are left out: a bundle is for others. At most HUNT_STIX_MAX findings; the report says how many more there were. */
#define HUNT_STIX_MAX 20000
enum err hunt_stix_open(FILE *to, const char *organisation, enum hunt_tlp tlp, uint64_t now_us, struct hunt_stix **out) MUST_USE;
struct hunt_output hunt_stix_output(struct hunt_stix *s);
/* ERR_IO: something could not be written. */
enum err hunt_stix_close(struct hunt_stix **s) MUST_USE;

#endif
