/* The compiled form of an expression: a tree in the arena. */
#ifndef POLICY_POLICY_PRIV_H
#define POLICY_POLICY_PRIV_H

#include "policy/policy.h"

/* Longest text that a field of an expression can give: a head is no longer (conf/keys.tbl, limits.head). */
#define POLICY_TEXT_MOST 98304

enum policy_op { OP_OR, OP_AND, OP_NOT, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_CONTAINS, OP_MATCHES, OP_IN_STRINGS,
	OP_IN_ADDRESSES, OP_IN_INTS, OP_STARTS, OP_ENDS, OP_TAG, OP_BOOL, OP_FIELD, OP_STRING, OP_INT, OP_ADDRESS, OP_LEN,
	OP_LOWER, OP_UPPER, OP_TEXT_DECODE, OP_URL_DECODE, OP_CONCAT, OP_HEADER, OP_ANY_HEADER, OP_RESPONSE_HEADER,
	OP_RESPONSE_ANY_HEADER, OP_COOKIE, OP_ANY_COOKIE, OP_QUERY, OP_ANY_QUERY, OP_REMOVE_QUERY };

enum policy_field_id {
#define POLICY_FIELD(sym, name, type, doc) sym,
#include "policy/fields.tbl"
#undef POLICY_FIELD
	POLICY_FIELD_COUNT
};

struct policy_range { /* both ends belong to it; big-endian halves of an address */
	uint64_t first[2], last[2];
};

struct policy_regex {
	void *code, *match, *context, *stack; /* PCRE2's */
	size_t least; /* a shorter text cannot match */
	bool is_anchored; /* tried at one place only */
	bool is_compiled; /* to machine code */
	struct policy_regex *next; /* of the same expression */
};

struct policy_expr { /* what every evaluation reads comes first, in one cache line */
	uint8_t op, type, field; /* enum policy_op, policy_type, policy_field_id */
	bool is_any; /* a comparison that holds when one of several values does */
	bool no_case; /* the left side is lower(x), the right one a literal: compared without making a text */
	bool looks_at_response;
	uint16_t header; /* enum http_field_id of a header's name */
	uint32_t rare; /* contains: place of the literal's rarest octet */
	struct policy_expr *a, *b;
	size_t count; /* of the list */
	union {
		struct bytes string;
		int64_t number;
		struct addr address;
		const struct policy_range *ranges;
		const struct bytes *strings;
		const int64_t *numbers;
		struct policy_regex *regex; /* of matches */
	};
	struct bytes source; /* as written */
	struct policy_regex *regexes; /* of the root: all */
	struct bytes request_name; /* of the root: policy_request_name */
};

struct policy_field_info {
	const char *name, *doc;
	enum policy_type type;
};
extern const struct policy_field_info policy_fields[POLICY_FIELD_COUNT];

struct policy_function {
	const char *name;
	enum policy_op op;
	enum policy_type type;
	unsigned args, most_args;
	bool wants_name; /* its argument is a name in quotes */
};
extern const struct policy_function policy_functions[];
extern const size_t policy_function_count;
/* What to write instead of an unknown name, or NULL. */
const char *policy_nearest_name(struct bytes name);

/* Sorted, disjoint, in the arena; NULL when it is full. Sorts list in place. */
const struct policy_range *policy_ranges_make(const struct addr_prefix *list, size_t n, struct arena *arena, size_t *count);
bool policy_ranges_have(const struct policy_range *r, size_t n, const struct addr *a);
bool policy_strings_have(const struct bytes *sorted, size_t n, struct bytes s);
bool policy_ints_have(const int64_t *sorted, size_t n, int64_t i);
void policy_strings_sort(struct bytes *list, size_t n);
void policy_ints_sort(int64_t *list, size_t n);

/* NULL: *what says why, *at is the octet of the pattern, from 1 (0: no memory). */
struct policy_regex *policy_regex_make(struct bytes pattern, struct arena *arena, char *what, size_t what_size, size_t *at);
void policy_regex_fini(struct policy_regex *r);
enum policy_truth policy_regex_matches(const struct policy_regex *r, struct bytes s);
/* The answer of PCRE2 itself; 0 or more is a match. For tests. */
int policy_regex_run(const struct policy_regex *r, struct bytes s);

/* One evaluation. failed: a text could not be made. The rest: where the next value of any_... is looked for, and
 * whether there was none. */
struct policy_eval {
	const struct policy_input *in;
	bool failed, ended;
	size_t next_field;
	struct bytes cookies_left, query_left;
};
enum policy_truth policy_eval_bool(const struct policy_expr *e, struct policy_eval *v);
struct bytes policy_eval_string(const struct policy_expr *e, struct policy_eval *v);
/* One comparison, over all values of any_...; on POLICY_TRUE the cursor stands before the value that it is true for. */
enum policy_truth policy_eval_any(const struct policy_expr *e, struct policy_eval *v);

#endif
