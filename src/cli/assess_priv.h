/* What assess, notify and mitigate share: the shipped verdict files, what was given, and the verdicts that follow. */
#ifndef CLI_ASSESS_PRIV_H
#define CLI_ASSESS_PRIV_H

#include "cli/cli.h"
#include "response/assess.h"
#include "response/bundle.h"

struct assess_given {
	const char *inventory, *bundle, *ns_conf, *advisory, *appliance, *findings, *vex, *ns_log;
};
/* One hunt's findings, per advisory: which was looked for, and the worst. */
struct assess_findings {
	bool is_there;
	json_t *compromised; /* object: advisory, or "" for findings that name none, to how many */
	json_int_t compromises, others;
};
struct assess_verdict {
	const struct inventory_appliance *appliance; /* NULL: only files were given */
	const struct decision *decision;
	struct assess_result result;
};
struct assess_job {
	const struct cli *cli;
	struct assess_given given;
	struct decision **decisions;
	size_t decision_count;
	struct inventory *inventory; /* NULL */
	const struct inventory_appliance *target; /* that the files are of; NULL: they are not, or none was given */
	struct bundle bundle;
	struct text conf_text;
	struct nsconf conf;
	bool has_conf, has_bundle, has_bundle_build;
	struct ns_version bundle_build;
	struct assess_findings findings;
	struct assess_verdict *verdicts; /* by appliance, then advisory */
	size_t verdict_count;
	unsigned errors; /* appliances of which the inventory says what cannot be; told */
};

/* Each says what is wrong; 0 or the exit status. */
int assess_load_decisions(struct assess_job *j, const char *advisory);
int assess_load_inventory(struct assess_job *j);
int assess_load_files(struct assess_job *j);
int assess_run(struct assess_job *j);
void assess_fini(struct assess_job *j);

/* The verdict's words, for people. */
const char *assess_verdict_word(const struct cli *cli, enum verdict v);
/* One line each, in the language of cli: what the verdict rests on, what is missing. */
void assess_reasons(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent);
void assess_missing(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent);
/* Why, reasons, what is missing, next steps, sources. */
void assess_tell(const struct cli *cli, const struct assess_verdict *v, FILE *to);
void assess_print(const struct assess_job *j);
void assess_print_json(const struct assess_job *j);
/* What hangs on the appliance; for people, or as JSON. */
void assess_weigh(const struct assess_job *j, const struct inventory_appliance *a, FILE *to);
json_t *assess_weigh_json(const struct assess_job *j, const struct inventory_appliance *a);
/* A CSAF 2.0 document of category csaf_vex. The caller's reference. */
json_t *assess_vex(const struct assess_job *j, uint64_t now_us);
const char *assess_name(const struct assess_job *j, const struct inventory_appliance *a);

#endif
