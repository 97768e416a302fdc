/* What a worker would decide about one request, and why: the same parser, the same canonical form, the same
 * evaluation, the same order and the same memory. Nothing is sent, and rate limits are never used up. */
#ifndef CLI_POLICY_RUN_H
#define CLI_POLICY_RUN_H

#include "conf/tests.h"
#include "proxy/route.h"

#define RUN_MATCHES_MAX 64
#define RUN_REASONS_MAX 16

struct policy_match {
	const struct policy_rule *rule;
	bool is_unknown;
	struct policy_reason reasons[RUN_REASONS_MAX];
	size_t reason_count;
	struct bytes actions; /* "block 403; tag x" */
};
struct policy_outcome { /* views into the run's memory: until the next run */
	bool is_read; /* false: refused before any policy saw it, as decision says */
	struct bytes method, target, host;
	struct bytes path, server_path; /* canonical; and what the server gets, after rewrites */
	struct policy_match matches[RUN_MATCHES_MAX];
	size_t match_count;
	bool is_cut; /* more matched than are listed */
	struct bytes decision; /* "block 403", "pool app", "refused 400 encoded-slash" */
};
struct policy_runner {
	const struct conf *conf;
	const struct router *router; /* NULL for a rule set */
	struct arena exchange, scratch, notes;
	struct http_request req;
	struct http_response res;
	struct policy_input in;
	struct bytes tags[POLICY_TAGS_MAX];
	size_t pool;
	struct policy_outcome *out;
};

enum err policy_runner_init(struct policy_runner *r, const struct conf *conf, struct arena *arena) MUST_USE;
/* goes_on: what ends the evaluation is noted, and the others are tried all the same (tests of single policies). */
void policy_runner_run(struct policy_runner *r, const struct conf_request *request, bool goes_on, struct policy_outcome *out);

#endif
