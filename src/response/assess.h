/* An appliance held against an advisory: what is known becomes facts, the advisory's table gives the verdict. Values in, values out:
 * no file, no clock, no words for people (cli/assess.c has those). */
#ifndef RESPONSE_ASSESS_H
#define RESPONSE_ASSESS_H

#include "response/decision.h"
#include "response/inventory.h"

enum { PART_FILE = 8 }; /* beside NSCONF_PART_...: the line in rc.netscaler */

/* All that is known of one appliance. Pointers are borrowed. */
struct assess_input {
	const struct inventory_appliance *appliance; /* NULL: only the files are known */
	const struct nsconf *conf;		     /* NULL: not given */
	bool has_rc;
	struct bytes rc;	 /* rc.netscaler */
	const struct ns_version *bundle_build; /* what a bundle tells is installed; NULL */
	unsigned findings;			 /* FINDINGS_... for this advisory */
	const struct inventory *inventory;	 /* for shared certificates; NULL */
};
/* What is missing: bits, told to people as questions. */
enum {
	MISSING_BUILD = 1,
	MISSING_EDITION = 2,
	MISSING_UPDATED = 4,
	MISSING_MITIGATION = 8,
	MISSING_MITIGATION_DATE = 16,
	MISSING_MITIGATION_BUILD = 32,
	MISSING_RC = 64,
	MISSING_CONF = 128,
	MISSING_EXPOSED = 256,
	MISSING_SESSIONS = 512,
	MISSING_LINE = 1024,
	MISSING_VERIFIED = 2048
};
struct assess_result {
	unsigned facts[FACT_COUNT];
	const struct decision_row *row;
	unsigned missing;
	bool has_build, has_build_then; /* build_then: that ran when it was mitigated */
	struct ns_version build, build_then;
	bool builds_differ; /* ns.conf was saved by another build than is installed */
	const struct decision_line *line; /* NULL: not known */
	uint64_t patched_us, mitigated_us; /* 0: not known */
	bool has_parts;			   /* ns.conf was looked at for the mitigation */
	unsigned parts, parts_wanted;
	struct bytes policy; /* the responder policy that was found */
};

/* ERR_SYNTAX with error: what the inventory says cannot be (an update before the fixed build was there): it is to be asked again. */
enum err assess(const struct decision *d, const struct assess_input *in, struct assess_result *out, char error[DATA_ERROR_MAX]) MUST_USE;
/* The parts of the mitigation that an ns.conf (and rc.netscaler, where has_rc) has; *wanted: all that there are. */
unsigned assess_parts(const struct decision *d, const struct assess_input *in, unsigned *wanted, struct bytes *policy);

#endif
