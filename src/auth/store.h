/* What identity keeps on disk: users, their factors, sessions (their tokens as hashes alone), who signed in from where. SQLite in one folder, which
 * only sluis-identity may open, or a PostgreSQL that several nodes share (auth/store_postgresql.h). All calls block on the disk, or one round trip; one thread.
 * Unless said otherwise: ERR_NOT_FOUND there is none, ERR_IO the store fails (store_error says why), ERR_MEMORY. Names of users are kept and compared
 * in lower case (ASCII letters); they are 1 to 64 of a-z 0-9 . _ - @ + and begin with a letter or digit. A text that is to be kept: ERR_LIMIT too
 * long, ERR_SYNTAX control characters, or a name that cannot be. A user that is not there: ERR_NOT_FOUND, also of what hangs on it. ERR_IO also when
 * the file has what Sluis did not write; but of a row of a user or a session that cannot be read ERR_SYNTAX for who asks for it, and lists leave it out.
 * A callback that is called for each (until false) sees views that end with its return; it may call others of
 * these functions, not the one that called it. */
#ifndef AUTH_STORE_H
#define AUTH_STORE_H

#include "auth/recovery.h"
#include "auth/totp.h"
#include "base/arena.h"
#include "net/addr.h"

#define STORE_USER_NAME_MAX 64
#define STORE_SID_LEN	    16
#define STORE_ORIGIN_MAX    64
#define STORE_SUBJECT_MAX   255
#define STORE_TEXT_MAX	    200 /* octets of a display name, mail, group, user agent, passkey's name */

struct store;
enum store_outcome { STORE_SIGNED_IN, STORE_WRONG, STORE_REFUSED }; /* of a sign-in */

struct store_user {
	int64_t id;
	struct bytes name, display, mail, language;
	struct bytes hash; /* empty: no password */
	struct bytes origin, subject; /* "ldap:NAME", "oidc:NAME", and who it is there; empty: a user of our own */
	struct bytes groups; /* each behind a '\n' but the first */
	bool is_disabled, must_change; /* must_change: an administrator chose the password */
	bool has_totp;
	unsigned char totp[TOTP_SECRET_LEN];
	uint64_t totp_last_step;
	uint32_t recovery_left;
	uint32_t passkeys;
	unsigned char handle[16]; /* random; WebAuthn's user handle */
	uint64_t made_s, last_s;  /* last sign-in; 0: never */
};
/* One session as it is kept. */
struct store_session {
	unsigned char hash[32]; /* SHA-256 of the token */
	char id[17];		/* public name: 16 hex digits */
	char parent[17];	/* id of the portal's session it belongs to, or empty */
	int64_t user;
	char host[254];	      /* an app's; empty: the portal's */
	char method[64], agent[STORE_TEXT_MAX + 1];
	struct addr client;
	uint64_t since_s, seen_s, until_s, proved_s;
	uint32_t idle_s;
	bool has_mfa, is_device_bound;
	unsigned char device_key[64], device_hash[32]; /* bound: x and y of the device's key; SHA-256 of the short cookie */
	uint64_t device_until_s;		       /* the short cookie's end */
	unsigned char sid[STORE_SID_LEN]; /* of the session at the provider that it was made at: a hash; zeros: of none */
};
struct store_passkey {
	struct bytes id, public_key; /* credential id; COSE_Key as it came */
	struct bytes name;
	uint32_t sign_count;
	bool is_backed_up;
	uint64_t made_s, used_s;
};

/* The next group of *left (at first store_user.groups), which moves behind it. False: none is left. */
bool store_group_next(struct bytes *left, struct bytes *group);

/* dir: a folder that is there and ours ("." will do: nothing above it is looked at). Makes what is missing; ERR_ORDER: written by a newer Sluis. Until
 * store_close no other process opens it so; a backup may read the file meanwhile. */
enum err store_open(const char *dir, struct store **out) MUST_USE;
void store_close(struct store **s);
/* one hears of each such row, as often as it is met: table "user" or "session", the row's id (printable, cut). It asks nothing of the store. */
void store_on_unreadable(struct store *s, void (*one)(void *ctx, const char *table, struct bytes row), void *ctx);
const char *store_error(const struct store *s); /* of the last ERR_IO, or row that cannot be read: where, what, what to do; NULL: of the last store_open that failed */

/* --- users; bytes of *out live in the arena --- */
bool store_name_is_valid(struct bytes name);
enum err store_user_find(struct store *s, struct bytes name, struct arena *a, struct store_user *out) MUST_USE;
enum err store_user_get(struct store *s, int64_t id, struct arena *a, struct store_user *out) MUST_USE;
/* As store_user_get, but where the store is another machine from memory, also while it is lost. Of *out only name, display, mail, language, groups,
 * is_disabled and must_change are filled in then. */
enum err store_user_known(struct store *s, int64_t id, struct arena *a, struct store_user *out) MUST_USE;
/* Likewise by name; asked from memory only where the database does not answer. */
enum err store_user_known_find(struct store *s, struct bytes name, struct arena *a, struct store_user *out) MUST_USE;
enum err store_user_by_handle(struct store *s, const unsigned char handle[16], struct arena *a, struct store_user *out) MUST_USE;
enum err store_user_by_subject(struct store *s, struct bytes origin, struct bytes subject, struct arena *a, struct store_user *out) MUST_USE;
/* One of that origin who has a session and was looked up before before_s, the longest ago first. ERR_NOT_FOUND: nobody. Whose row cannot be read is
 * noted as looked up, or would be the first for ever. */
enum err store_user_to_look(struct store *s, struct bytes origin, uint64_t before_s, struct arena *a, struct store_user *out) MUST_USE;
enum err store_user_looked(struct store *s, int64_t id, uint64_t now_s) MUST_USE; /* not waited for */
enum err store_user_looked_at(struct store *s, int64_t id, uint64_t *out) MUST_USE; /* 0: never, or to be looked up soon */
enum err store_user_rename(struct store *s, int64_t id, struct bytes name) MUST_USE; /* ERR_ORDER: there is one of that name */
/* name, display, mail, groups, hash, must_change, origin, subject of *u; its id and handle are made. ERR_ORDER: there is one of that name, or of that
 * origin and subject. */
enum err store_user_add(struct store *s, struct store_user *u, uint64_t now_s) MUST_USE;
enum err store_user_set(struct store *s, int64_t id, struct bytes display, struct bytes mail, struct bytes groups) MUST_USE;
enum err store_user_password(struct store *s, int64_t id, struct bytes hash, bool must_change) MUST_USE;
/* Another hash of the same password, where `from` is still the one that is there. ERR_NOT_FOUND: it is not. Not waited for. */
enum err store_user_rehash(struct store *s, int64_t id, struct bytes from, struct bytes to) MUST_USE;
enum err store_user_disable(struct store *s, int64_t id, bool is_disabled) MUST_USE;
enum err store_user_language(struct store *s, int64_t id, struct bytes language) MUST_USE;
enum err store_user_remove(struct store *s, int64_t id) MUST_USE; /* with all that hangs on it */
/* Users in order of their names, those after `after` (empty: from the first), at most `most`. */
enum err store_users(struct store *s, struct bytes after, size_t most, bool (*one)(void *ctx, const struct store_user *u), void *ctx) MUST_USE;
/* All who have a session; one may not say false. */
enum err store_users_in(struct store *s, bool (*one)(void *ctx, const struct store_user *u), void *ctx) MUST_USE;
enum err store_user_count(struct store *s, uint64_t *out) MUST_USE;

/* --- factors --- */
enum err store_totp_set(struct store *s, int64_t user, const unsigned char secret[TOTP_SECRET_LEN], uint64_t last_step) MUST_USE; /* NULL: removed */
/* A code of that step was taken: on disk before anybody is told so. ERR_ORDER: that step or a later one was taken already. */
enum err store_totp_used(struct store *s, int64_t user, uint64_t step) MUST_USE;
enum err store_recovery_set(struct store *s, int64_t user, const unsigned char hashes[][RECOVERY_HASH_LEN], size_t n) MUST_USE; /* in place of all */
/* Takes the code away if it is there: ERR_NOT_FOUND if not. */
enum err store_recovery_use(struct store *s, int64_t user, const unsigned char hash[RECOVERY_HASH_LEN]) MUST_USE;
enum err store_passkey_add(struct store *s, int64_t user, const struct store_passkey *p) MUST_USE; /* ERR_ORDER: that id is there */
enum err store_passkey_find(struct store *s, struct bytes id, struct arena *a, struct store_passkey *out, int64_t *user) MUST_USE;
enum err store_passkey_used(struct store *s, struct bytes id, uint32_t sign_count, bool is_backed_up, uint64_t now_s) MUST_USE;
enum err store_passkey_remove(struct store *s, int64_t user, struct bytes id) MUST_USE;
enum err store_passkeys(struct store *s, int64_t user, bool (*one)(void *ctx, const struct store_passkey *p), void *ctx) MUST_USE;

/* --- sessions ---
 * On disk when the call returns: that one ended, and that its token was replaced. Not waited for: that one began or was seen. */
enum err store_session_put(struct store *s, const struct store_session *x) MUST_USE; /* new, or in place of the one of that id */
/* The session is bound to a key from here on (is_new; on disk when the call returns), or has another short cookie: device_* of *x. */
enum err store_session_device(struct store *s, const struct store_session *x, bool is_new) MUST_USE;
/* Another token, and what goes with it. ERR_NOT_FOUND: it has ended (at another node). On disk when the call returns. */
enum err store_session_renew(struct store *s, const struct store_session *x) MUST_USE;
enum err store_session_remove(struct store *s, const char *id) MUST_USE; /* none there: OK */
enum err store_session_remove_of(struct store *s, int64_t user) MUST_USE; /* all of a user; none there: OK */
enum err store_session_seen(struct store *s, const char *id, uint64_t seen_s) MUST_USE; /* not there, or seen later already: ERR_NOT_FOUND */
enum err store_session_get(struct store *s, struct bytes id, struct store_session *out) MUST_USE;
enum err store_session_by_hash(struct store *s, const unsigned char hash[32], struct store_session *out) MUST_USE;
/* Portal sessions first. */
enum err store_sessions(struct store *s, bool (*one)(void *ctx, const struct store_session *x), void *ctx) MUST_USE;
/* Several changes as one: all or none, and one wait for the disk. Calls between begin and commit belong to it, and are on disk when
 * commit has said OK. An ERR_IO or ERR_MEMORY of one of them makes commit take all back and say ERR_IO; other answers do not. */
enum err store_begin(struct store *s) MUST_USE;
enum err store_commit(struct store *s) MUST_USE;

/* --- what a person did: not waited for --- */
enum err store_sign_in(struct store *s, int64_t user, const struct addr *client, struct bytes method, enum store_outcome outcome, uint64_t now_s) MUST_USE;
/* The latest, newest first; each user's last 50 are kept, for a year. */
enum err store_sign_ins(struct store *s, int64_t user, size_t most,
	bool (*one)(void *ctx, uint64_t when_s, const struct addr *client, struct bytes method, enum store_outcome outcome), void *ctx) MUST_USE;
/* Whether the user signed in from that source (IPv4 address, IPv6 /64) within the last 90 days. */
bool store_source_known(struct store *s, int64_t user, const struct addr *client, uint64_t now_s);
enum err store_favourite(struct store *s, int64_t user, struct bytes app, bool on) MUST_USE; /* at most 100: ERR_LIMIT */
enum err store_used(struct store *s, int64_t user, struct bytes app, uint64_t now_s) MUST_USE; /* the last 20 are kept */
enum err store_apps(struct store *s, int64_t user, bool (*one)(void *ctx, struct bytes app, bool is_favourite, uint64_t used_s), void *ctx) MUST_USE;

#endif
