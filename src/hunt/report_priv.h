/* What the report formats share: names that the same finding has in every run, and quoting. */
#ifndef HUNT_REPORT_PRIV_H
#define HUNT_REPORT_PRIV_H

#include "base/text.h"
#include "hunt/hunt.h"
#include "json/write.h"

#define HUNT_UUID_LEN 36

/* RFC 9562 5.5: the same name gives the same id. */
void hunt_uuid5(const unsigned char space[16], struct bytes name, char out[HUNT_UUID_LEN + 1]);
/* Of a finding: rule, file, line, offset and what was found. kind keeps objects of one finding apart. */
void hunt_finding_uuid(const struct hunt_finding *f, const char *kind, char out[HUNT_UUID_LEN + 1]);
static inline void hunt_put_str(struct text *t, const char *s)
{
	json_put_string(t, bytes_str(s ? s : ""));
}

#endif
