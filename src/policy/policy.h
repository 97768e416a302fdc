/* The rule language: expressions over a request, compiled once, evaluated without allocation, and the
 * actions that rules take. docs/policy.md is the reference. No socket, no clock, no file. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "http/message.h"
#include "net/addr.h"

enum policy_type { POLICY_BOOL, POLICY_INT, POLICY_STRING, POLICY_ADDRESS };

/* Named sets that expressions refer to as $name. Filled by its owner, then frozen, then compiled against. */
struct policy_range;
struct policy_set_def {
	struct bytes name;
	bool is_addresses; /* else strings */
	const struct addr_prefix *prefixes;
	size_t prefix_count;
	const struct bytes *strings;
	size_t string_count;
	/* Made by policy_set_freeze: disjoint ranges in order; strings are in order. */
	const struct policy_range *ranges;
	size_t range_count;
	bool is_sorted;
};
/* Makes a set fast to look up, whatever its size. What it makes lives as long as the arena; ERR_MEMORY. */
enum err policy_set_freeze(struct policy_set_def *s, struct arena *arena) MUST_USE;

#define POLICY_TAGS_MAX 16 /* different ones in a configuration: none is lost */

/* Who asks, where somebody has signed in. */
struct policy_session {
	bool has_mfa, is_device_bound;
	struct bytes method, user; /* "password totp", ... */
	const struct bytes *groups;
	size_t group_count;
	uint64_t since_s, proved_s; /* signed in; last proved who they are; since 1970 */
};

/* What an expression looks at. res is NULL while deciding on a request. */
struct policy_input {
	const struct http_request *req; /* NULL: only for expressions that policy_needs_request is false for */
	const struct http_response *res;
	struct addr client, peer; /* client: after trusted X-Forwarded-For; peer: of the connection */
	struct bytes listener;	  /* its name */
	bool is_tls;
	struct bytes tls_version, tls_sni, tls_cipher; /* "1.3", ... ; empty without TLS */
	struct bytes tls_client_subject; /* of a verified client certificate, RFC 4514; else empty */
	uint64_t real_us; /* wall clock of the request */
	const struct policy_session *session; /* NULL: nobody has signed in */
	const struct bytes *tags; /* set by earlier rules */
	size_t tag_count;
	/* Made by policy_input_index: names that are among the request's fields, once or more. */
	bool is_indexed;
	uint64_t ids, ids_again, others;
	struct arena *arena; /* for values that must be made (lower, text_decode, ...) */
	/* The arena is emptied before each comparison, so that no request can fill it up and have a later rule look
	 * at nothing. Values that policy_string made are gone then too. */
	bool arena_is_scratch;
};
/* Room for every comparison of every expression that policy_compile takes: it refuses what would need more. */
#define POLICY_SCRATCH_SIZE (1u << 20)
/* Notes which fields the request has, so that looking for those it has not costs nothing. To be called when req is
 * set; it must not change afterwards. */
void policy_input_index(struct policy_input *in);

struct policy_error { /* where an expression is wrong; column counts bytes from 1 */
	unsigned line, column;
	char what[256]; /* "unknown field http.pth; did you mean http.path?" */
};

struct policy_expr; /* compiled; lives as long as the arena it was compiled into, and the PCRE2 code with it */

enum err policy_compile(struct bytes source, enum policy_type want, bool response_fields_allowed,
	const struct policy_set_def *sets, size_t set_count, struct arena *arena, struct policy_expr **out,
	struct policy_error *error) MUST_USE;
/* Frees what lives outside the arena (regular expressions). */
void policy_expr_fini(struct policy_expr *e);

/* Unknown: a regular expression ran into its bounds, or the arena is full. and, or, not treat it as what may be
 * either, so "not" does not make it true. Who decides about access treats it as a refusal. */
enum policy_truth { POLICY_FALSE, POLICY_TRUE, POLICY_UNKNOWN };
enum policy_truth policy_truth(const struct policy_expr *e, const struct policy_input *in);
/* Where nothing depends on it but the choice among equals: unknown is not true. */
bool policy_is_true(const struct policy_expr *e, const struct policy_input *in);
/* Any type as bytes (addresses and integers as text): for keys, redirects and field values. .at is NULL when the
 * arena is full: the value is not known then, and must not be taken for an empty one. */
struct bytes policy_string(const struct policy_expr *e, const struct policy_input *in);
bool policy_needs_response(const struct policy_expr *e);
/* Whether it looks at the request: at anything but session.*, user.*, client.ip and time.*. One that does not may be evaluated
 * with .req NULL. */
bool policy_needs_request(const struct policy_expr *e);
/* What of the request it looks at first, as written ("http.path", "header"); empty when it does not. */
struct bytes policy_request_name(const struct policy_expr *e);

enum policy_action_kind { ACT_ALLOW, ACT_BLOCK, ACT_REDIRECT, ACT_RESPOND, ACT_REWRITE_PATH, ACT_SET_FIELD, ACT_ADD_FIELD,
	ACT_REMOVE_FIELD, ACT_POOL, ACT_TAG, ACT_RATE_LIMIT };

struct policy_action {
	enum policy_action_kind kind;
	uint16_t status;	   /* block, redirect, respond; rate limit's answer (429) */
	struct bytes name;	   /* field name, pool name, tag */
	uint16_t pool;		   /* ACT_POOL: index, resolved by conf */
	struct policy_expr *value; /* location, path, field value, body; rate limit's key */
	struct bytes content_type; /* respond */
	uint32_t rate, per_ms, burst; /* rate limit: rate per per_ms */
	uint16_t limit_id;	   /* rate limit: its number in the configuration */
};

struct policy_rule {
	struct bytes name;
	struct bytes set; /* "netscaler" for a shipped set, else empty */
	struct policy_expr *when; /* NULL: always */
	const struct policy_action *actions;
	size_t action_count;
	bool on_response; /* looks at the answer: fields can be changed, and no more */
};

/* Finds the first rule at or after *next whose expression holds, and moves *next behind it; NULL when none.
 * The proxy applies its actions and goes on, unless an action ends the evaluation. *is_unknown: it cannot be told
 * whether this rule holds; the request is to be refused, whatever the rule would do. */
const struct policy_rule *policy_match(const struct policy_rule *rules, size_t count, size_t *next,
	const struct policy_input *in, bool *is_unknown);

/* Why an expression is what it is: the comparisons that decide it, in its order. An or that holds is decided by its
 * first operand that holds, an and that does not by its first that does not. */
struct policy_reason {
	struct bytes source; /* the comparison as written */
	enum policy_truth truth;
	struct bytes left;  /* its left side as written; empty when there is none (tag("x"), tls) */
	struct bytes value; /* and what that is, from in->arena, which must not be scratch */
};
/* How many reasons were written; never more than most. */
size_t policy_explain(const struct policy_expr *e, const struct policy_input *in, struct policy_reason *out, size_t most);

/* From now on regular expressions of this process are interpreted: for who compiles them in a jail, where no memory becomes code. */
void policy_regex_interpret(void);

#endif
