/* What the files of sluis hunt share. */
#ifndef CLI_HUNT_PRIV_H
#define CLI_HUNT_PRIV_H

#include "cli/cli.h"
#include "hunt/output.h"
#include "hunt/scan.h"

#define HUNT_PACKS_MAX 64

/* What is looked for, read and compiled. */
struct hunt_ready {
	struct hunt_layout *layout;
	struct hunt_rules *rules;
};
/* The shipped layout and packs, and those of `more` (paths, NULL at the end). 0, or 2 and it was said what is wrong. */
int hunt_get_ready(const struct cli *cli, const char *const *more, struct hunt_ready *out);
void hunt_ready_fini(struct hunt_ready *r);
/* Runs every entry's tests through the engine itself. 0: all held; 1: not; told on stdout. */
int hunt_check_packs(const struct cli *cli, const struct hunt_ready *r);

/* Outputs; o->ctx is theirs. They write to `to`. */
struct hunt_output hunt_table_output(const struct cli *cli, FILE *to);
struct hunt_output hunt_json_output(FILE *to);
/* Raw bytes so that a terminal shows them and does nothing: what is not printable ASCII as \xNN. At most `most` octets of b. */
void hunt_print_quoted(FILE *to, struct bytes b, size_t most);

#endif
