/* What the files of sluis access share: the question, and the answer. */
#ifndef CLI_ACCESS_PRIV_H
#define CLI_ACCESS_PRIV_H

#include "cli/people.h"
#include "cli/site.h"

#include "auth/facts.h"

#define ACCESS_REASONS_MAX 16
#define ACCESS_HELPS_MAX   12

enum access_mfa { ACCESS_AS_IT_GOES, ACCESS_WITH, ACCESS_WITHOUT }; /* as it goes: where sign-in demands one, it is given */

struct access_who {
	char name[PEOPLE_NAME_MAX + 1];
	struct bytes groups[AUTH_GROUPS_MAX];
	size_t group_count;
	bool is_known; /* identity was asked; else the rest is not filled */
	bool is_disabled, has_password, has_totp, has_passkey, must_change;
};
struct access_question {
	const struct conf *conf;
	struct access_who who;
	struct addr from;
	bool has_from;
	enum access_mfa mfa;
	uint64_t at_us;
};

enum access_verdict { ACCESS_READY, ACCESS_STEP_UP, ACCESS_NO };
enum access_rule_name { RULE_PORTAL_ALLOW, RULE_PORTAL_MFA, RULE_APP_ALLOW, RULE_APP_MFA, ACCESS_RULES };
enum access_help_kind { HELP_MFA, HELP_GROUP, HELP_PLACE, HELP_TIME, HELP_ENABLE, HELP_PASSWORD };

struct access_rule {
	struct bytes text; /* as written; empty: there is none, so it allows, or demands nothing */
	enum policy_truth truth;
	struct policy_reason reasons[ACCESS_REASONS_MAX];
	size_t reason_count;
};
/* One thing that alone would make a rule hold that does not. */
struct access_help {
	enum access_help_kind kind;
	enum access_rule_name rule;
	struct bytes value; /* a group; a network, or its set ("$office"); else empty */
	uint64_t at_us;	    /* HELP_TIME: the first full hour that would do */
};
struct access_answer {
	const struct conf_app *app;
	enum access_verdict verdict;
	bool has_mfa; /* of the session that was judged */
	bool enrols;  /* a second factor is demanded, and the user has none: sets one up on the way */
	struct access_rule rules[ACCESS_RULES];
	struct access_help helps[ACCESS_HELPS_MAX];
	size_t help_count;
};

/* Judges as a worker and identity would. What *out points to lives in a, which is emptied first and holds twice
 * POLICY_SCRATCH_SIZE. False: an expression that counts looks at the client's address, and none was given; *rule says which. */
bool access_judge(const struct access_question *q, const struct conf_app *app, struct arena *a, struct access_answer *out,
	enum access_rule_name *rule) MUST_USE;

/* As it stands in the configuration: "gateway.allow", ... */
const char *access_rule_name(enum access_rule_name r);
/* In words or as JSON. */
void access_tell(const struct cli *cli, const struct access_question *q, const struct access_answer *a);
json_t *access_json(const struct access_question *q, const struct access_answer *a);
/* The comparison that decides against it, as written; empty when none does. */
struct bytes access_because(const struct access_answer *a);
const char *access_verdict_name(enum access_verdict v);

#endif
