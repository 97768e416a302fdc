/* identity's parts: the process (identity.c), what workers call (identity_calls.c, identity_sign_in.c, identity_account.c, identity_apps.c), passwords
 * through the hashers (identity_hash.c), tokens through the keeper (identity_token.c), and what administrators ask (identity_admin.c). One thread. */
#ifndef ROLES_IDENTITY_PRIV_H
#define ROLES_IDENTITY_PRIV_H

#include "auth/call.h"
#include "auth/facts.h"
#include "auth/guess.h"
#include "auth/sessions.h"
#include "auth/store.h"
#include "conf/conf.h"
#include "ledger/ring.h"
#include "roles/role.h"

struct identity {
	struct role_run *run;
	struct conf *conf; /* the one in use */
	uint32_t generation;
	struct board_sessions *board;
	const struct board_seen *seen;
	struct ledger_ring *records; /* for the scribe; NULL: there is no ledger */
	char dir[64];		     /* the folder of users and sessions, as a path */
	struct channel *keeper; /* of the newest generation; NULL: none now */
	struct timer second;
};

#endif
