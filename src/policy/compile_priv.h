/* The state of one compilation, shared by scanner and parser. */
#ifndef POLICY_COMPILE_PRIV_H
#define POLICY_COMPILE_PRIV_H

#include "policy/policy_priv.h"

enum token { T_END, T_WORD, T_STRING, T_INT, T_ADDRESS, T_OPEN, T_CLOSE, T_LBRACE, T_RBRACE, T_COMMA, T_SET, T_EQ, T_NE, T_LT,
	T_LE, T_GT, T_GE, T_AND, T_OR, T_NOT, T_BAD };

struct compiler {
	struct bytes in;
	size_t at, start;	/* behind the current token, its start */
	size_t end;		/* behind the token before it */
	enum token token;
	struct bytes text;	/* of the token */
	int64_t number;
	struct addr_prefix prefix;
	bool is_prefix;		/* the address had a length */
	unsigned depth;
	bool response_ok, looks_at_response;
	struct bytes request_name; /* the first of a field or function that looks at the request */
	const struct policy_set_def *sets;
	size_t set_count;
	struct arena *arena;
	struct policy_error *error;
	bool failed;
	struct policy_regex *regexes;
};

/* Notes the first mistake, at the octet at; answers NULL. */
PRINTF(3, 4) struct policy_expr *compile_fail(struct compiler *c, size_t at, const char *fmt, ...);
/* Moves to the next token. */
void compile_next(struct compiler *c);
/* Where the list that begins at the current { ends. */
size_t compile_list_end(const struct compiler *c);

#endif
