/* What a worker knows of a session that it asked about: enough to decide about access, to fill in fields for servers, and to see in shared
 * memory that the session has ended (board/sessions.h). No token, and nothing of other sessions. */
#ifndef AUTH_FACTS_H
#define AUTH_FACTS_H

#include "base/text.h"

#define AUTH_FACTS_MAX	2304 /* octets, without the JSON Web Token */
#define AUTH_GROUPS_MAX 64   /* of one user */
#define AUTH_ID_LEN	16   /* characters of a session's public name, which is no secret */

struct auth_facts {
	uint32_t slot, generation;  /* on the board */
	uint64_t since_s, until_s;  /* signed in; ends at the latest; since 1970 */
	uint64_t proved_s;	    /* the last password, code or passkey */
	uint32_t idle_s;	    /* ends after so long without a request; 0: no such limit */
	bool has_mfa, is_device_bound;
	bool must_change; /* an administrator chose the password: nothing else before another one is set */
	uint32_t news; /* on the board: another number there, and these facts are old */
	/* Of the key of the device (auth/dbsc.h). A bound session: SHA-256 of the short cookie, and of the one before, each with its end; until
	 * device_grace_s requests come without. One that may still be bound: the challenge for that, and its end. Else zeros. */
	unsigned char device_hash[32], device_before[32], device_challenge[32];
	uint64_t device_until_s, device_before_until_s, device_grace_s, device_challenge_until_s;
	uint64_t begun_s; /* this session, which may be an app's */
	char id[AUTH_ID_LEN + 1];
	struct bytes method;  /* "password", "password totp", "passkey", ... */
	struct bytes user;    /* its name, as in the portal */
	struct bytes display, mail, language; /* may be empty */
	struct bytes groups[AUTH_GROUPS_MAX];
	size_t group_count;
	struct bytes jwt;	/* for servers, RFC 7519; empty for the portal */
	uint64_t jwt_until_s; /* ask again before */
};

void auth_facts_write(struct text *t, const struct auth_facts *f);
/* Views into b. ERR_SYNTAX, ERR_LIMIT. */
enum err auth_facts_parse(struct bytes b, struct auth_facts *out) MUST_USE;

#endif
