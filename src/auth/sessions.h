/* All sessions that live, in memory, found by the hash of their token: portal sessions, and below each the sessions of apps that were entered
 * from it. What ends a session moves its slot's generation on (board/sessions.h), and that is all that workers need. No disk and no clock in here:
 * identity hands over times, and a hook is told what is to be written. One thread. */
#ifndef AUTH_SESSIONS_H
#define AUTH_SESSIONS_H

#include "auth/call.h"
#include "auth/store.h"
#include "board/sessions.h"

struct session {
	struct store_session kept; /* what the store has of it */
	uint32_t slot, generation;
	uint32_t parent_slot, parent_generation; /* of an app's session; generation 0: it is a portal's */
	/* of identity's, for this session: a secret that waits for its first code; a challenge that waits for its passkey */
	bool has_pending_totp, has_challenge;
	/* Of a key of the device: challenges that may be answered, the latest first; the short cookie before the one that is kept. */
	struct { unsigned char value[32]; uint64_t until_s; } device_challenges[2];
	unsigned char device_before[32];
	uint64_t device_before_until_s, device_grace_s, device_told_s;
	unsigned char pending_totp[TOTP_SECRET_LEN], challenge[32];
	uint64_t challenge_until_s;
	uint32_t round;	      /* identity's: when a shared store last named it */
	uint64_t seen_kept_s; /* likewise: not before this has such a store to know that it was seen */
};
struct sessions;
/* ended: before s goes; why: "sign-out", "revoked", "idle", "over", "replaced", ... Workers have been told already, and s has its last generation. It may
 * not add, end or rotate. Apps' sessions end before their portal's. */
struct sessions_hooks {
	void *ctx;
	void (*ended)(void *ctx, const struct session *s, const char *why);
	void (*moved)(void *ctx); /* of many that end at once: the board has all of them, and `ended` will be called for each. NULL: nobody asks */
	/* s seems idle. When another node saw it last, as far as is known; UINT64_MAX: that cannot be known now: it does not end, and nobody finds it meanwhile. NULL: there is
	 * no other node. */
	uint64_t (*seen)(void *ctx, const struct session *s);
	uint32_t slack_s; /* so much later does a session end for idleness than its limit says: what other nodes saw comes late */
};

/* board: all its live slots are moved on: sessions of an identity before this one are to be asked about again. most: the limit of sessions,
 * at most BOARD_SESSION_SLOTS. ERR_MEMORY. */
enum err sessions_new(struct board_sessions *board, uint32_t most, const struct sessions_hooks *hooks, struct sessions **out) MUST_USE;
void sessions_free(struct sessions **t);
uint32_t sessions_count(const struct sessions *t);

/* A new session with a new random token, of which only the hash stays. of: user, host, method, agent, client, times, idle_s, flags; hash and id are
 * made. parent: NULL for a portal's. ERR_LIMIT: there are as many as may be. */
enum err sessions_add(struct sessions *t, const struct store_session *of, const struct session *parent, unsigned char token[AUTH_TOKEN_LEN],
	struct session **out) MUST_USE;
/* One that the store kept, at start: portal sessions first. ERR_NOT_FOUND: its parent is not there. ERR_ORDER: there is one of that id
 * or hash. ERR_SYNTAX: what stands for an id is none. ERR_LIMIT. */
enum err sessions_restore(struct sessions *t, const struct store_session *of, struct session **out) MUST_USE;
/* s as the store has it now: another node changed it. Workers ask again if its token or its rights are others. ERR_ORDER: it is another user's, portal's
 * or host's than s, or its new token another session's; nothing has changed. */
enum err sessions_take(struct sessions *t, struct session *s, const struct store_session *now) MUST_USE;
/* The session of a token, if it lives at now_s. NULL: no. Constant in time over what is wrong with the token. */
struct session *sessions_find(struct sessions *t, struct bytes token, uint64_t now_s);
struct session *sessions_find_id(struct sessions *t, struct bytes id);
struct session *sessions_at(struct sessions *t, uint32_t slot); /* NULL: none lives there */
/* A new token for the same session, whose rights have changed: the old one finds nothing any more, and workers ask again. The sessions of its apps go on. */
void sessions_rotate(struct sessions *t, struct session *s, unsigned char token[AUTH_TOKEN_LEN]);
/* Workers are to ask again about it (its facts have changed, or the times in kept were changed by hand); the token stays. Of a portal's: its apps'
 * sessions are not touched. The board's epoch grows here and at a rotation too. */
void sessions_changed(struct sessions *t, struct session *s);
/* All of a user, those of apps too. False: there is none. */
bool sessions_user_changed(struct sessions *t, int64_t user);
void sessions_all_changed(struct sessions *t);
/* Likewise, but nothing that is under way is cut: something besides its rights is to be known. */
void sessions_news(struct sessions *t, struct session *s);
uint32_t sessions_news_of(const struct sessions *t, const struct session *s); /* the number that says so, for facts */
/* With those of its apps. s is gone. */
void sessions_end(struct sessions *t, struct session *s, const char *why);
/* All for which match says yes; how many ended, those of their apps counted too. */
size_t sessions_end_all(struct sessions *t, bool (*match)(void *ctx, const struct session *s), void *ctx, const char *why);
void sessions_each(struct sessions *t, bool (*one)(void *ctx, struct session *s), void *ctx); /* until false; one may not add or end */
/* The session that was entered from a portal's at that host. NULL: none. */
struct session *sessions_of_app(struct sessions *t, const struct session *portal, struct bytes host);
/* How many are bound to a key of the device: of the portal's that s is, or belongs to, and those of its apps. */
size_t sessions_bound(struct sessions *t, const struct session *s);
/* Of a user: portal sessions, latest first; how many there are. */
size_t sessions_of_user(struct sessions *t, int64_t user, struct session **out, size_t most);
/* Takes over when workers last saw each (a time in the future is now: workers are not trusted), and ends those that are over or were idle too long. An
 * app's request keeps its portal session from being idle. To be called about once a second. */
void sessions_tick(struct sessions *t, const struct board_seen *seen, uint64_t now_s);

#endif
