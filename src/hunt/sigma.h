/* Sigma rules about web servers (the Sigma specification 2.0, github.com/SigmaHQ/sigma-specification), as rules of a hunt: each becomes a
 * struct hunt_rule of class attempt, for it says what was asked for and not whether it worked. docs/hunt.md says what is understood;
 * everything else is refused, so that no rule looks as if it were searched for. Bytes in; no file is opened here. */
#ifndef HUNT_SIGMA_H
#define HUNT_SIGMA_H

#include "hunt/pack.h"

#define SIGMA_DOCUMENTS_MAX 1000 /* of one file */

struct hunt_sigma_counts {
	size_t rules, refused, other; /* other: about other logs than a web server's */
};
/* error: "FILE:LINE: what, and what is supported"; holds during the call. */
typedef void hunt_sigma_on_refused(void *ctx, const char *error);

/* Adds a file's rules, one per YAML document, and adds to counts. A rule that is refused is told and leaves nothing behind; the others of
 * the file go on. ERR_MEMORY only. */
enum err hunt_sigma_add(struct hunt_rules *r, const struct hunt_layout *l, struct bytes text, const char *name, hunt_sigma_on_refused *on_refused,
	void *ctx, struct hunt_sigma_counts *counts) MUST_USE;

#endif
