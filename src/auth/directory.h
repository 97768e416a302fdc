/* What identity asks of a process that reaches out to directories of people (LDAP) and to other sign-in services (OpenID Connect), and what it answers: the
 * bodies of MSG_DIRECTORY_ASK and MSG_DIRECTORY_ANSWER. One question, one answer; the request's number joins them. Both sides hold what comes against
 * the table of kinds: neither trusts the other's lengths. All of it fits into one message of at most DIRECTORY_BODY_MAX octets. */
#ifndef AUTH_DIRECTORY_H
#define AUTH_DIRECTORY_H

#include "base/text.h"

#define DIRECTORY_BODY_MAX   4096 /* IPC_BODY_MAX; a person with more than fits is refused, and the log says that take_groups narrows it */
#define DIRECTORY_ASK_LEAST  6
#define DIRECTORY_ANSWER_LEAST 7
#define DIRECTORY_ARGS_MAX   4
#define DIRECTORY_GROUPS_MAX 64 /* AUTH_GROUPS_MAX: with more the person is refused, not cut */

enum directory_kind {
	DIRECTORY_PASSWORD, /* name, password -> person. LDAP: search, then bind */
	DIRECTORY_LOOKUP,   /* subject -> person as it is now; NONE: gone, or not enabled any more */
	DIRECTORY_WHERE,    /* -> values: authorization endpoint, end-session endpoint (may be empty), issuer says that answers have iss ("1" or "") */
	DIRECTORY_CODE,	    /* code, PKCE verifier, nonce, redirect URI -> person, from a verified ID token */
	DIRECTORY_LOGOUT,   /* logout token -> person with subject, sid (one may be empty); values: jti, exp in seconds */
	DIRECTORY_KIND_COUNT
};
struct directory_ask {
	uint32_t request;
	enum directory_kind kind;
	struct bytes provider; /* its name in the configuration: gateway.ldap.NAME or gateway.oidc.NAME */
	struct bytes args[DIRECTORY_ARGS_MAX];
	size_t arg_count; /* as the kind says */
};
enum directory_status {
	DIRECTORY_OK,
	DIRECTORY_NONE,	 /* nobody of that name, or subject */
	DIRECTORY_WRONG, /* the password is not the person's, or the code, token or its signature is not good: why says what */
	DIRECTORY_DOWN,	 /* no server answers, or none as it should: why says what */
	DIRECTORY_STATUS_COUNT
};
struct directory_person {
	struct bytes subject; /* what stays the same when names change: entryUUID or DN; sub */
	struct bytes name, display, mail; /* name: as it came; identity makes it its own or refuses it */
	struct bytes groups[DIRECTORY_GROUPS_MAX];
	size_t group_count;
	struct bytes sid; /* the provider's session; empty: it told none */
	bool has_mfa;	  /* by what the configuration takes for a second factor (oidc: mfa_values) */
};
struct directory_answer {
	uint32_t request;
	enum directory_status status;
	struct bytes why; /* for the log: what, where, what to do */
	bool has_person;
	struct directory_person person;
	struct bytes values[3];
	size_t value_count;
};

void directory_ask_write(struct text *t, const struct directory_ask *a); /* t failed: too long */
enum err directory_ask_parse(struct bytes body, struct directory_ask *out) MUST_USE; /* views; ERR_SYNTAX: stop the sender */
void directory_answer_write(struct text *t, const struct directory_answer *a);
enum err directory_answer_parse(struct bytes body, struct directory_answer *out) MUST_USE;
/* Whether a is what a question of that kind may be answered with: ERR_SYNTAX else, for who asked. why is cut at 255 octets. */
bool directory_answer_fits(const struct directory_answer *a, enum directory_kind kind);

#endif
