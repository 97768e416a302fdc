/* What the files of sluis hunt share. */
#ifndef CLI_HUNT_PRIV_H
#define CLI_HUNT_PRIV_H

#include "cli/cli.h"
#include "hunt/ocsf.h"
#include "hunt/output.h"
#include "hunt/page.h"
#include "hunt/scan.h"
#include "hunt/source.h"
#include "hunt/stix.h"
#include "net/addr.h"

#define HUNT_PACKS_MAX 64
#define HUNT_RULES_MAX 32
#define HUNT_OWN_MAX   64

/* What is looked for, read and compiled. */
struct hunt_ready {
	struct hunt_layout *layout;
	struct hunt_rules *rules;
};
/* Beside the shipped packs; paths, NULL at the end. sigma and yara: files or folders. */
struct hunt_wanted {
	const char *packs[HUNT_PACKS_MAX + 1], *sigma[HUNT_RULES_MAX + 1], *yara[HUNT_RULES_MAX + 1];
	unsigned yara_timeout_s; /* of one scan */
	bool compiles_later; /* hunt_rules_compile_later */
};
/* The shipped layout and packs, and what is wanted. 0, or 2 and it was said what is wrong. */
int hunt_get_ready(const struct cli *cli, const struct hunt_wanted *w, struct hunt_ready *out);
/* Its part for Sigma and YARA, into rules that are not compiled yet. */
int hunt_read_rules(const struct cli *cli, const struct hunt_wanted *w, struct hunt_ready *r);
void hunt_ready_fini(struct hunt_ready *r);
/* Of the appliance that is examined; 0: not known. */
struct hunt_known {
	uint64_t from_us, to_us; /* since when it could be reached, and when it was last mitigated or updated */
	struct addr own[HUNT_OWN_MAX];
	size_t own_count;
};
/* What the inventory at path knows of it. 0, or 2 and it was said what is wrong. */
int hunt_know(const char *path, const char *appliance, struct hunt_known *out);
/* Runs every entry's tests through the engine itself. 0: all held; 1: not; told on stdout. */
int hunt_check_packs(const struct cli *cli, const struct hunt_ready *r);

/* Outputs; o->ctx is theirs. They write to `to`. */
struct hunt_output hunt_table_output(const struct cli *cli, FILE *to);
struct hunt_output hunt_json_output(FILE *to);
enum hunt_format { HUNT_FORMAT_TABLE, HUNT_FORMAT_JSON, HUNT_FORMAT_OCSF, HUNT_FORMAT_STIX, HUNT_FORMAT_HTML };
struct hunt_report_options {
	enum hunt_format format;
	const char *organisation; /* of STIX: who says it; NULL: not named */
	enum hunt_tlp tlp;
};
struct hunt_report {
	FILE *to;
	struct hunt_ocsf *ocsf;
	struct hunt_stix *stix;
	struct hunt_page *page;
	struct text text;
};
bool hunt_format_find(const char *name, enum hunt_format *out);
/* *out tells what is found; the report is whole after hunt_report_close, which says whether it could be written. */
enum err hunt_report_open(const struct cli *cli, const struct hunt_report_options *o, FILE *to, struct hunt_report *r, struct hunt_output *out) MUST_USE;
enum err hunt_report_close(struct hunt_report *r) MUST_USE;
/* hunt_source_read, and disk images too. */
enum err hunt_read_path(const char *path, struct hunt_layout *layout, const struct source_options *o, const struct hunt_sink *sink) MUST_USE;

/* Raw bytes so that a terminal shows them and does nothing: what is not printable ASCII as \xNN. At most `most` octets of b. */
void hunt_print_quoted(FILE *to, struct bytes b, size_t most);

#endif
