/* Reads a NetScaler's ns.conf as commands and their words, and answers questions about them: which commands are there, which
 * certificates, addresses, users, and where secrets stand (never the secret). Unknown commands are fine. Bytes in, no file, no clock. */
#ifndef RESPONSE_NSCONF_H
#define RESPONSE_NSCONF_H

#include "base/arena.h"
#include "response/version.h"

#define NSCONF_BYTES_MAX    (64u << 20)
#define NSCONF_COMMANDS_MAX 400000u
#define NSCONF_WORDS_MAX    512u /* of one command; more are passed over, and told */
#define NSCONF_QUOTE_MAX    65536u /* a quote that does not end within so many bytes was never meant to begin */

struct nsconf_command {
	const struct bytes *words; /* without their quotes */
	size_t count;
	unsigned line; /* from 1 */
};

struct nsconf {
	struct arena arena;
	struct nsconf_command *commands;
	size_t count;
	bool has_version;
	struct ns_version version;
	struct bytes host_name; /* empty: not said */
	unsigned damaged, damaged_line; /* lines that are no commands (a quote without an end, too many words), and the first of them */
};

/* in must outlive out, which the caller ends with nsconf_fini in any case. ERR_SYNTAX: no line in it is a command of an appliance.
 * ERR_LIMIT: larger than the limits above; ERR_MEMORY. */
enum err nsconf_read(struct bytes in, struct nsconf *out) MUST_USE;
void nsconf_fini(struct nsconf *c);

/* Whether c begins with these words ("add vpn vserver"); letters compare without case. */
bool nsconf_is(const struct nsconf_command *c, const char *begin);
/* The word behind "-name", or an empty view. */
struct bytes nsconf_option(const struct nsconf_command *c, const char *name);
/* The word at place n from 0, or an empty view. */
struct bytes nsconf_word(const struct nsconf_command *c, size_t n);

enum nsconf_kind {
	NSCONF_ADDRESS,	    /* name: the address; detail: NSIP, SNIP, VIP */
	NSCONF_VSERVER,	    /* name; detail: "vpn SSL 192.0.2.1:443" */
	NSCONF_CERTIFICATE, /* name of the certKey; detail: its files */
	NSCONF_USER,	    /* name; detail: "system", "aaa" */
	NSCONF_SECRET	    /* name: of what has it; detail: "ldapAction -ldapBindDnPassword"; the secret itself is never told */
};
typedef void nsconf_on_thing(void *ctx, enum nsconf_kind kind, struct bytes name, const char *detail, unsigned line);
void nsconf_each(const struct nsconf *c, nsconf_on_thing *on, void *ctx);

/* What a responder policy that shuts a hole must be; texts compare without case and blanks. */
struct nsconf_responder {
	const char *const *rule_all, *const *rule_any; /* parts of the rule: all of these, and one of those; then NULL */
	const char *const *answers;		       /* one of these is in what the action answers; then NULL */
};
enum { NSCONF_PART_RULE = 1, NSCONF_PART_ANSWER = 2, NSCONF_PART_BOUND = 4 };
/* The parts of the policy that has most of them. *name: that policy's, or empty. */
unsigned nsconf_responder_parts(const struct nsconf *c, const struct nsconf_responder *want, struct bytes *name);
/* hay has needle; both without blanks, without case. */
bool nsconf_contains(struct bytes hay, const char *needle);
/* A line of a shell script that is no comment has needle. */
bool nsconf_script_has(struct bytes script, const char *needle);

#endif
