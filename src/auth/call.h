/* What a worker asks of identity, and what identity answers: the bodies of MSG_IDENTITY_ASK and MSG_IDENTITY_ANSWER. One call, one answer,
 * in any order; the request's number joins them. Both sides hold what comes against auth/calls.tbl: neither trusts the other's lengths. */
#ifndef AUTH_CALL_H
#define AUTH_CALL_H

#include "base/text.h"
#include "net/addr.h"

#define AUTH_TOKEN_LEN	32 /* 256 bits, RFC-less: sessions, flows, one-time codes */
#define AUTH_ARGS_MAX	6
#define AUTH_VALUES_MAX 6
#define AUTH_CALL_LEAST 55  /* octets of a call without arguments */
#define AUTH_ANSWER_LEAST 11

enum auth_token_kind { TOKEN_NONE, TOKEN_FLOW, TOKEN_PORTAL, TOKEN_APP, TOKEN_ANY, TOKEN_FLOW_OR_PORTAL };

enum auth_call_id {
#define CALL(sym, name, token, least, most, doc) sym,
#include "auth/calls.tbl"
#undef CALL
	CALL_COUNT
};
const char *auth_call_name(enum auth_call_id c);

enum auth_result {
	AUTH_OK,
	AUTH_NONE,    /* no such session, flow or code, or not any more */
	AUTH_REFUSED, /* wrong name, password or code: which one is not told */
	AUTH_WAIT,    /* too many wrong ones: wait_s seconds */
	AUTH_BUSY,    /* more are signing in than can be: try again in a moment */
	AUTH_MORE,    /* a second factor is needed */
	AUTH_ENROL,   /* a second factor is to be set up first */
	AUTH_DENIED,  /* policy says no */
	AUTH_BAD,     /* an argument is not acceptable; the first value says why */
	AUTH_DOWN,    /* the store cannot be read or written */
	AUTH_RESULT_COUNT
};

struct auth_call {
	uint32_t request;
	enum auth_call_id id;
	struct addr client;	 /* port 0 */
	bool token_is_flow;	 /* of token: from the cookie of a sign-in under way */
	struct bytes token;	 /* AUTH_TOKEN_LEN, or empty */
	struct bytes args[AUTH_ARGS_MAX];
	size_t arg_count;
};
struct auth_answer {
	uint32_t request;
	enum auth_result result;
	uint32_t wait_s;
	bool token_is_flow;
	struct bytes token; /* a new one for the browser: AUTH_TOKEN_LEN, or empty */
	struct bytes values[AUTH_VALUES_MAX];
	size_t value_count;
};

/* Appends the body. What the table does not allow is a mistake of ours (CHECK). t failed: an argument is too long for a message. */
void auth_call_write(struct text *t, const struct auth_call *c);
/* Views into body. ERR_SYNTAX: not a call by the table; the sender is to be stopped. */
enum err auth_call_parse(struct bytes body, struct auth_call *out) MUST_USE;
void auth_answer_write(struct text *t, const struct auth_answer *a);
enum err auth_answer_parse(struct bytes body, struct auth_answer *out) MUST_USE;

/* Fields of a line, by tabs; empty beyond the last. Moves *lines behind the line. False: no line is left. */
#define AUTH_FIELDS_MAX 10
struct auth_line {
	struct bytes fields[AUTH_FIELDS_MAX];
	size_t count;
};
bool auth_line_next(struct bytes *lines, struct auth_line *out);

#endif
