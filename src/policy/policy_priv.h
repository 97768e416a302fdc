/* The compiled form of an expression: a tree in the arena. */
#ifndef POLICY_POLICY_PRIV_H
#define POLICY_POLICY_PRIV_H

#include "policy/policy.h"

enum policy_op { OP_OR, OP_AND, OP_NOT, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_CONTAINS, OP_MATCHES, OP_IN_STRINGS,
	OP_IN_ADDRESSES, OP_IN_INTS, OP_FIELD, OP_STRING, OP_INT, OP_BOOL, OP_ADDRESS, OP_STARTS, OP_ENDS, OP_LOWER, OP_UPPER,
	OP_LEN, OP_HEADER, OP_RESPONSE_HEADER, OP_COOKIE, OP_QUERY, OP_TAG, OP_TEXT_DECODE, OP_CONCAT };

enum policy_field_id {
#define POLICY_FIELD(sym, name, type, doc) sym,
#include "policy/fields.tbl"
#undef POLICY_FIELD
	POLICY_FIELD_COUNT
};

struct policy_expr {
	enum policy_op op;
	enum policy_type type;
	struct policy_expr *a, *b;
	enum policy_field_id field;
	bool looks_at_response;
	struct bytes string;
	int64_t number;
	struct addr address;
	const struct addr_prefix *prefixes;
	const struct bytes *strings;
	const int64_t *numbers;
	size_t count;
	void *regex, *match; /* pcre2_code and pcre2_match_data */
	struct policy_expr *next_regex;
};

struct policy_field_info {
	const char *name, *doc;
	enum policy_type type;
};
extern const struct policy_field_info policy_fields[POLICY_FIELD_COUNT];
struct bytes policy_eval_string(const struct policy_expr *e, const struct policy_input *in);

#endif
