/* What is known of one advisory (rules/verdicts/CVE-....yaml) and the table that decides about an appliance (rules/verdicts/tables):
 * fixed builds, dates, preconditions, the mitigation, and rows of conditions with a verdict. Data in, structures out; no file, no
 * clock; no advisory is known by name here. docs/assess.md describes both files. */
#ifndef RESPONSE_DECISION_H
#define RESPONSE_DECISION_H

#include "response/nsconf.h"
#include "response/said.h"

/* One of these about an appliance and an advisory; from the least to the most that must be done. */
enum verdict {
	VERDICT_NOT_AFFECTED,
	VERDICT_FIXED,
	VERDICT_LIMITED,
	VERDICT_CANNOT_TELL,
	VERDICT_ASSUME,
	VERDICT_EVIDENCE,
	VERDICT_COUNT
};
/* "not_affected", "fixed", "limited_likelihood", "cannot_tell", "assume_compromised", "evidence_of_compromise". */
const char *verdict_name(enum verdict v);

/* What rows ask. Each fact has one of its values; the words are those of the data files. */
enum fact { FACT_BUILD, FACT_PRECONDITION, FACT_PATCHED, FACT_MITIGATION, FACT_EFFECT, FACT_EXPOSED, FACT_SESSIONS, FACT_FINDINGS, FACT_COUNT };
enum { BUILD_UNKNOWN, BUILD_NOT_AFFECTED, BUILD_FIXED, BUILD_AFFECTED, BUILD_NO_FIX };
enum { PRECONDITION_UNKNOWN, PRECONDITION_MET, PRECONDITION_UNMET };
enum { PATCHED_UNKNOWN, PATCHED_NOT, PATCHED_BEFORE, PATCHED_AFTER }; /* before, or on and after, the day of the public exploit */
enum { MITIGATION_UNKNOWN, MITIGATION_NONE, MITIGATION_UNDATED, MITIGATION_BEFORE, MITIGATION_AFTER };
enum { EFFECT_UNKNOWN, EFFECT_EFFECTIVE, EFFECT_INEFFECTIVE, EFFECT_UNCERTAIN, EFFECT_INCOMPLETE };
enum { EXPOSED_UNKNOWN, EXPOSED_NEVER, EXPOSED_AFTER_FIX, EXPOSED_DURING };
enum { SESSIONS_UNKNOWN, SESSIONS_ENDED, SESSIONS_NOT_ENDED };
enum { FINDINGS_NOT_LOOKED, FINDINGS_NONE, FINDINGS_OTHER, FINDINGS_COMPROMISE };
const char *fact_name(enum fact f);
const char *fact_value_name(enum fact f, unsigned value);

struct decision_source {
	const char *id, *what, *url;
};
struct decision_row {
	const char *name;
	uint32_t when[FACT_COUNT]; /* bit n: value n fits; 0: all do */
	enum verdict verdict;
	struct said why;
	const struct said *advice;
	size_t advice_count;
	const char *const *sources; /* ids in the table's sources or the advisory's */
	size_t source_count;
};
struct decision_table {
	struct data *data;
	struct arena arena;
	const char *name;
	struct decision_row *rows;
	size_t row_count;
	struct decision_source *sources;
	size_t source_count;
};

struct decision_line {
	struct ns_line line;
	int state; /* BUILD_UNKNOWN: affected builds are named, and no fixed one is confirmed: of all others nothing is known. BUILD_FIXED: builds from fixed on are; BUILD_NO_FIX, BUILD_NOT_AFFECTED: the whole line */
	struct ns_version fixed;
	uint64_t released_us; /* of the fixed build: nobody has had it before; 0 without one */
	const struct ns_version *affected; /* with BUILD_UNKNOWN */
	size_t affected_count;
	struct said claimed; /* what is said, not confirmed, to be fixed, and by whom; with BUILD_UNKNOWN, may be empty */
	const char *source;
};
struct decision_builds { /* where the mitigation did not work, or perhaps not */
	bool is_uncertain;
	const struct ns_version *builds; /* these */
	size_t count;
	bool has_below;
	struct ns_version below; /* and those of its line below it, but not except */
	const struct ns_version *except;
	size_t except_count;
	const char *source;
};
struct decision_command {
	const char *text; /* as it is typed on the appliance */
	struct said what;
};
struct decision_mitigation {
	bool is_there;
	struct said what;
	const char *source;
	bool has_responder, has_file;
	struct nsconf_responder responder;
	const char *file_contains;
	const struct decision_builds *builds;
	size_t build_count;
	const struct decision_command *commands;
	size_t command_count;
};
struct decision {
	struct data *data;
	struct arena arena;
	const char *cve, *severity, *table_name;
	struct said title, exploit_note, precondition_what;
	uint64_t published_us, exploit_us;
	bool exploit_is_before_fix; /* abused before there was a fix: nobody could patch in time */
	struct decision_source *sources;
	size_t source_count;
	struct decision_line *lines;
	size_t line_count;
	const json_t *precondition; /* of ns.conf; NULL: there is none, all are affected */
	const json_t *roles_meet, *roles_open;
	struct decision_mitigation mitigation;
	const char *rules; /* the shipped rule set; NULL: none */
	struct said rules_note;
	const struct said *weigh; /* what a person must weigh */
	size_t weigh_count;
	struct decision_table *table; /* owned */
};

/* text: the file's; it may go away afterwards. ERR_SYNTAX with error "FILE:LINE: what, and what to write instead". Both ends with
 * their free, which takes NULL. */
enum err decision_table_read(struct bytes text, const char *name, struct decision_table **out, char error[DATA_ERROR_MAX]) MUST_USE;
void decision_table_free(struct decision_table **t);
/* table becomes the decision's on OK. Every source that a row names must be in one of the two. */
enum err decision_read(struct bytes text, const char *name, struct decision **out, char error[DATA_ERROR_MAX]) MUST_USE;
enum err decision_join(struct decision *d, struct decision_table **table, char error[DATA_ERROR_MAX]) MUST_USE;
void decision_free(struct decision **d);
const struct decision_source *decision_find_source(const struct decision *d, const char *id);
/* The first row that fits; NULL: none does. */
const struct decision_row *decision_find_row(const struct decision_table *t, const unsigned facts[FACT_COUNT]);
/* The line that the build is of; *is_ambiguous: the edition is a guess, and another edition of this release has builds of this
 * number. NULL: a line that the data does not know. */
const struct decision_line *decision_find_line(const struct decision *d, const struct ns_version *v, bool *is_ambiguous);
/* BUILD_... of a build. */
unsigned decision_build(const struct decision *d, const struct ns_version *v, bool *is_ambiguous);
/* EFFECT_EFFECTIVE, EFFECT_INEFFECTIVE or EFFECT_UNCERTAIN on this build. */
unsigned decision_effect(const struct decision *d, const struct ns_version *v);
/* Whether an ns.conf meets a condition of the data: PRECONDITION_MET or PRECONDITION_UNMET. */
bool decision_holds(const json_t *condition, const struct nsconf *c);

#endif
