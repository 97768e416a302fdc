/* identity's parts: the process (identity.c), what workers call (identity_calls.c and the tables below), sign-ins under way (identity_sign_in.c), factors
 * (identity_factors.c), apps' one-time codes (identity_apps.c), forms that wait for a sign-in (identity_kept.c), keys of devices (identity_device.c),
 * passwords through the hashers (identity_hash.c), tokens through the keeper (identity_token.c), directories of people (identity_directory.c,
 * identity_people.c), a store that several nodes share (identity_store.c), alerts (identity_alert.c), and what administrators ask (identity_admin.c). One thread. */
#ifndef ROLES_IDENTITY_PRIV_H
#define ROLES_IDENTITY_PRIV_H

#include "alert/appender.h"
#include "auth/call.h"
#include "auth/directory.h"
#include "auth/facts.h"
#include "auth/guess.h"
#include "auth/jws.h"
#include "auth/password.h"
#include "auth/sessions.h"
#include "auth/store.h"
#include "conf/conf.h"
#include "ledger/ring.h"
#include "roles/role.h"

#define FLOWS_MAX   4096
#define FLOWS_PASSKEY 3072 /* from here on those that begin with a passkey */
#define FLOW_S	    600 /* from the password to the second factor */
#define FLOW_TRIES  10	/* wrong codes; then it begins anew */
#define OIDC_FLOWS_MAX 4096 /* people who were sent to a provider: they push out nobody who has given a password */
#define CODES_MAX   4096
#define CODE_S	    60
#define KEPT_MAX    512 /* forms that wait for their sender to sign in */
#define KEPT_OF_SOURCE 32 /* an office has one address */
#define USER_SESSIONS_MAX 50 /* of the portal; who signs in once more loses the oldest, and nobody fills the table by himself */
#define JOBS_MAX    64	 /* passwords that wait for a hasher; more are AUTH_BUSY */
#define HASHERS_MAX 8
#define HASHERS_LOST 2 /* over one password: it is not given to a third */
#define TOKENS_MAX  256	 /* signatures on their way */
#define TOKEN_WAIT_S 15	 /* for a signature; then its place is another's */
#define TOKEN_S	    600	 /* how long a token for servers is good; workers ask again before */
#define DIRECTORIES_MAX 24 /* processes, of three generations */
#define DIRECTORY_JOBS_MAX 128
#define DIRECTORY_WAIT_MS 8000 /* for a process that asks; workers give up after 15 s */
#define FLOWS_ENDED_MAX 64
#define REFUSALS_MAX 512 /* that wait for their time */
#define REFUSAL_STEP_MS 500 /* a refusal tells nobody by its time who kept the password, or whether anybody did */
#define REFUSAL_STEP_MOST_MS 8000
#define REFUSAL_STEP_KEPT_MS 3600000 /* after the last hash that took longer: a busy hour must not slow all that come */
#define ARENA_SIZE  (256 * 1024)

/* Who is owed an answer. channel NULL: gone. */
struct asker {
	struct channel *channel;
	uint32_t request;
	enum auth_call_id call;
	bool is_admin;
	uint64_t asked_ms; /* when the question came */
	uint64_t ends_before; /* how often sign-ins under way had ended by then */
};

/* A sign-in whose first factor was right. */
struct flow {
	unsigned char hash[32]; /* of its token */
	uint64_t until_s;	/* 0: free */
	int64_t user;
	char name[STORE_USER_NAME_MAX + 1];
	char method[64];
	struct addr client;
	unsigned tries;
	unsigned char sid[STORE_SID_LEN]; /* of the provider's session, as in struct store_session */
	bool has_pending_totp, has_challenge, is_passkey; /* is_passkey: nobody is known yet */
	unsigned char mark[32]; /* of the user's password and factors when it began */
	unsigned char pending_totp[TOTP_SECRET_LEN], challenge[32];
};
struct code {
	unsigned char hash[32], nonce[32];
	uint64_t until_s; /* 0: free */
	uint32_t slot, generation; /* of the portal's session */
	char host[254];
	char *target; /* ours */
};

/* A form that waits. */
struct kept {
	unsigned char hash[32]; /* of the browser's nonce */
	uint64_t until_s;	/* 0: free */
	char host[254];
	struct addr client;
	char *target;	     /* ours */
	unsigned char *body; /* ours: FORM_BODY_MAX, of which len of all are there */
	size_t len, all;
};

struct identity;
struct flow_which;
/* Which sign-ins ended. */
struct flows_ended {
	int64_t user;	   /* 0: all */
	uint64_t before_s; /* 0: whenever they began */
	bool by_sid;
	unsigned char sid[STORE_SID_LEN];
};
/* A password on its way through a hasher. */
struct job {
	struct job *next;
	struct asker asker;
	bool is_making; /* a hash, else a verdict */
	unsigned hashers_lost; /* that ended over it */
	unsigned char password[PASSWORD_MOST];
	size_t password_len;
	char hash[PASSWORD_HASH_MAX]; /* to be held against; empty of one that is to be made */
	char hash_before[PASSWORD_HASH_MAX]; /* that what is made takes the place of */
	/* fits: the verdict. hash: what was made. failed: the hasher could not. */
	void (*done)(struct identity *id, struct job *j, bool failed, bool fits, struct bytes hash);
	/* what done needs */
	struct addr client;
	char name[PASSWORD_MOST + 1]; /* as typed, in lower case, cut */
	char agent[STORE_TEXT_MAX + 1];
	int64_t user; /* 0: nobody of that name */
	uint32_t slot, generation; /* of the session that asked */
	unsigned char next_password[PASSWORD_MOST];
	size_t next_len;
	bool is_known_source, must_change, is_again;
	struct json_t *admin;
};
struct hasher {
	struct channel *channel;
	struct job *job; /* what it works at */
	uint64_t since_ms;
};
struct token_job {
	struct asker asker;
	uint32_t slot, generation;
	uint64_t until_s; /* of the token; 0: free */
	uint32_t request; /* the keeper is asked with: another each time, for an answer may come late */
	struct text text; /* its first two parts */
};

enum directory_job_state { DIRECTORY_JOB_FREE, DIRECTORY_JOB_NEW, DIRECTORY_JOB_WAITS, DIRECTORY_JOB_ASKED };
/* A question on its way to a directory. */
struct directory_job {
	enum directory_job_state state;
	struct asker asker; /* channel NULL: nobody is owed an answer */
	uint32_t request;   /* another each time */
	enum directory_kind kind;
	bool is_lookup; /* waits behind people who sign in */
	bool is_verified; /* the passkey that waits for the answer verified its user */
	uint64_t since_ms;
	char provider[64];
	unsigned char body[DIRECTORY_BODY_MAX]; /* until it is sent */
	size_t body_len;
	/* Once, whatever came of it: DIRECTORY_DOWN where it could not be asked, or its process has ended. a looks into memory that goes with the return. */
	void (*done)(struct identity *id, struct directory_job *j, const struct directory_answer *a);
	/* what done needs */
	struct addr client;
	char name[PASSWORD_MOST + 1]; /* as typed, in lower case, cut */
	char agent[STORE_TEXT_MAX + 1];
	int64_t user; /* 0: nobody of that name */
	size_t next;  /* which provider to ask if this one knows nobody */
	char *target; /* where somebody goes on to; done frees it */
	unsigned char password[PASSWORD_MOST];
	size_t password_len;
};
struct refusal {
	struct asker asker;
	struct timer due; /* is_waiting until then */
	bool is_waiting;
	struct identity *id;
};
struct directory_process {
	struct channel *channel;
	struct directory_job *job; /* what it works at */
};

#define STORE_PASSWORD_MAX 1024
#define IDENTITY_ELSEWHERE "elsewhere" /* why a session ended: another node says so */

/* The way to a store that several nodes share (identity_store.c). */
enum link_state { LINK_DOWN, LINK_DIALING, LINK_CONNECTING, LINK_UP };
/* Sessions that have ended, and that the store may still have: ids. The first kept of them are in the file fd (-1: none). */
struct removals {
	int fd;
	char (*ids)[17];
	size_t count, cap, kept;
	bool is_torn; /* the file's last line is not whole */
};

struct link {
	bool is_shared; /* else the rest is not used */
	bool is_closed; /* lost for too long, or not there yet: nobody passes */
	enum link_state state;
	struct watch watch; /* a copy of the library's descriptor; -1: none */
	struct timer timer; /* the next attempt, or the end of this one */
	uint32_t dial, again_ms;
	uint16_t server; /* in its pool: the one that is used or tried */
	uint64_t since_s; /* connected, or lost, since then */
	uint64_t lost_ms; /* by a clock that nobody sets */
	uint64_t told_s, key_told_s;
	uint32_t round; /* of reading all sessions */
	uint64_t lookups_s, lookups_us; /* time spent on tokens that nobody knows, in that second */
	struct removals removals;
	uint64_t *ended; /* ENDED_SLOTS: ids, as numbers, of sessions that ended lately, each where its id says; later ones take the place of others */
	uint32_t seen_slot; /* where the next walk begins */
	bool has_flows_to_tell; /* sign-ins under way were ended while it was lost */
	int ca, ca_before; /* its authorities' certificates */
	unsigned char ca_hash[32];
	char ca_path[32], url[512];
	struct text password;
	unsigned char password_mem[STORE_PASSWORD_MAX];
};

struct identity {
	struct role_run *run;
	struct conf *conf; /* the one in use */
	uint32_t generation;
	struct store *store;
	struct link link;
	bool is_batch; /* between identity_batch_begin and _end */
	size_t batch_mark;
	struct sessions *sessions;
	struct guess *guess;
	struct board_sessions *board;
	const struct board_seen *seen;
	struct appender alerts;
	struct alert_group *alert_group;
	struct ledger_ring *records; /* NULL: there is no ledger */
	struct channel *keeper;	     /* of the newest generation; NULL: none now */
	bool has_key;
	unsigned char key[JWS_PUBLIC_LEN];
	char kid[JWS_KID_LEN + 1];
	struct timer second;
	uint64_t told_epoch; /* workers know of ends up to it */
	bool removal_failed; /* sessions have ended that may still be on disk */
	uint64_t seen_kept_s; /* the store knows of requests up to then */
	struct flow flows[FLOWS_MAX];
	struct flows_ended ended[FLOWS_ENDED_MAX]; /* the last, by turns; for sign-ins that are no flow yet: their password or code is still looked at */
	uint64_t ended_count;
	struct code codes[CODES_MAX];
	struct kept kept[KEPT_MAX];
	struct job jobs[JOBS_MAX], *free_jobs, *waiting, **waiting_last;
	struct hasher hashers[HASHERS_MAX];
	struct token_job tokens[TOKENS_MAX];
	uint32_t token_serial;
	struct directory_process directories[DIRECTORIES_MAX];
	struct directory_job directory_jobs[DIRECTORY_JOBS_MAX];
	uint32_t directory_serial;
	struct { uint64_t told_s, not_before_s; } providers[CONF_DIRECTORIES_MAX]; /* by place in conf: when it was logged that it is down; no lookups until */
	struct refusal refusals[REFUSALS_MAX];
	uint64_t refusal_step_ms, refusal_step_until_ms; /* until: then it is the first again */
	struct arena arena;   /* of one call */
	struct arena scratch; /* of one expression */
};

uint64_t identity_now_s(const struct identity *id);
struct identity *identity_self(void);
/* Around several changes of the store: one wait. end: not OK, and what ended in between is removed later. */
enum err identity_batch_begin(struct identity *id) MUST_USE;
enum err identity_batch_end(struct identity *id, enum err begun) MUST_USE;

/* identity_store.c: a store that several nodes share; of one node's own these do nothing */
void identity_store_init(struct identity *id);
enum err identity_store_open(struct identity *id) MUST_USE; /* either kind */
void identity_unreadable(void *ctx, const char *table, struct bytes row); /* identity_unreadable.c: for store_on_unreadable */
void identity_store_run(struct identity *id);
void identity_store_config(struct identity *id); /* another configuration is in use */
void identity_store_tick(struct identity *id);	 /* once a second */
void identity_store_turn(struct identity *id);	 /* at each turn's end: what other nodes did */
void identity_store_end(struct identity *id);
enum err identity_store_on_secret(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;
enum err identity_store_on_dialed(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;
void identity_store_fails(const struct identity *id, const char *what); /* logged, unless it is that the store is lost, which has its own event */
bool identity_store_is_lost(const struct identity *id);	  /* what is not known cannot be asked */
bool identity_store_is_closed(const struct identity *id); /* for longer than it may be */
/* Sessions for which match says yes are about to end: other nodes hear it first. */
void identity_store_tell_ends(struct identity *id, bool (*match)(void *ctx, const struct session *s), void *ctx);
/* Sessions of the user that this node has not heard of yet. */
enum err identity_store_remove_of(struct identity *id, int64_t user) MUST_USE;
void identity_store_ended(struct identity *id, const char *session); /* whatever the store still has of it: it is not learned again */
uint64_t identity_store_seen(void *ctx, const struct session *s); /* sessions_hooks.seen */
uint32_t identity_store_slack(const struct identity *id);
void identity_store_keep_seen(struct identity *id, bool all);
/* Sign-ins under way end at other nodes too; those that hear it now, or when the store is back. before_s is not told. */
void identity_store_tell_flows(struct identity *id, const struct flow_which *w);
/* Codes on their way to an app, which any node may be shown. False: it cannot be kept; there is none. */
bool identity_store_code(struct identity *id, const struct code *k, const struct session *s);
bool identity_store_code_take(struct identity *id, const unsigned char hash[32], struct code *out);
/* The session of a token, if it lives: known here, or only to the store yet. NULL: none, or it cannot be asked (identity_store_is_lost). */
struct session *identity_find(struct identity *id, struct bytes token);

/* identity_removals.c: what has ended and is still in a shared store */
enum err removals_open(struct removals *r) MUST_USE; /* with those of before */
void removals_add(struct removals *r, const char *session);
size_t removals_mark(const struct removals *r);
void removals_drop(struct removals *r, size_t mark); /* those since mark are removed */
void removals_keep(struct removals *r);		     /* on the disk, from here on */
void removals_done(struct removals *r);		     /* all are removed */
void removals_free(struct removals *r);

/* identity_calls.c */
void identity_call(struct identity *id, struct channel *from, const struct auth_call *c);
void identity_reply(struct identity *id, const struct asker *a, const struct auth_answer *answer);
void identity_reply_result(struct identity *id, const struct asker *a, enum auth_result r);
/* OK, a new token (may be empty) and the session's facts; extra is one more value, where it is not NULL. For an app with tokens, after the keeper has signed. */
void identity_reply_session(struct identity *id, const struct asker *a, struct session *s, struct bytes token, const struct bytes *extra);
/* Facts of s; views into id->arena. ERR_NOT_FOUND: its user is gone. */
enum err identity_facts(struct identity *id, const struct session *s, struct auth_facts *out) MUST_USE;
/* Whether who, from there, now, may what e says. NULL e: yes. What cannot be told is no. */
bool identity_holds(struct identity *id, const struct policy_expr *e, const struct auth_facts *who, const struct addr *client);
/* Whether e may hold: what cannot be told is yes. NULL e: no. For what is demanded of people. */
bool identity_demands(struct identity *id, const struct policy_expr *e, const struct auth_facts *who, const struct addr *client);
void identity_record(struct identity *id, enum ledger_kind kind, const struct addr *client, struct bytes user, const char *session, const char *outcome,
	struct bytes detail);
/* s has another token from here on, on disk too: answers with it. Where the store fails the session has ended. */
void identity_renew(struct identity *id, const struct asker *a, struct session *s, const struct bytes *extra);
struct session *identity_portal_session(struct identity *id, struct bytes token); /* NULL: none, or an app's */
/* All for which match says yes, with one wait for the disk. Workers see their end first and whatever the disk says; ERR_IO: it will be tried again. */
enum err identity_end_all(struct identity *id, bool (*match)(void *ctx, const struct session *s), void *ctx, const char *why, size_t *ended) MUST_USE;
enum err identity_end_user(struct identity *id, int64_t user, const char *why, size_t *ended) MUST_USE;
void identity_end_others(struct identity *id, struct session *s, const char *why); /* of the same user */
const struct session *identity_parent(struct identity *id, const struct session *s); /* itself, of a portal's */

/* identity_sign_in.c */
void call_sign_in(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_second(struct identity *id, const struct asker *a, const struct auth_call *c);
struct flow *flow_find(struct identity *id, struct bytes token);
struct flow *flow_new(struct identity *id, bool is_passkey, unsigned char token[AUTH_TOKEN_LEN]); /* takes the oldest's place where all are taken */
void flow_end(struct flow *f);
/* Whose the flow is, as that one is now. False: nobody is known yet, or is there; or it has ended now, for who began it is disabled, or has another password
 * or other factors since. */
bool flow_holds(struct identity *id, struct flow *f, struct store_user *u);
bool flow_must_enrol(const struct store_user *u); /* there is no second factor to be asked for */
/* Which sign-ins under way end; all of it must fit. Where nobody is known yet nothing does. */
struct flow_which {
	int64_t user;		  /* 0: any */
	uint64_t before_s;	  /* begun before; 0: whenever */
	const unsigned char *sid; /* STORE_SID_LEN; NULL: any */
};
void flows_end(struct identity *id, const struct flow_which *w);       /* here and at other nodes */
void flows_end_of_user(struct identity *id, int64_t user);	       /* likewise: sessions have ended, or the password or factors are others */
void flows_end_here(struct identity *id, const struct flow_which *w); /* another node has said so to all */
/* The first factor was right: a session, or what else is needed. */
void sign_in_go_on(struct identity *id, const struct asker *a, const struct store_user *u, const char *method, bool is_mfa, const struct addr *client,
	struct bytes agent);
/* What goes along with a sign-in: one more value of its answer, or NULL; and the provider's session that it came of. */
struct sign_in_from {
	const struct bytes *extra;
	unsigned char sid[STORE_SID_LEN];
};
void sign_in_go_on_from(struct identity *id, const struct asker *a, const struct store_user *u, const char *method, bool is_mfa, const struct addr *client,
	struct bytes agent, const struct sign_in_from *from);
/* The flow's last factor was right: it ends, and a session begins. extra as in identity_reply_session. */
void sign_in_finish(struct identity *id, const struct asker *a, const struct store_user *u, const char *method, struct flow *f, const struct addr *client,
	struct bytes agent, const struct bytes *extra);
/* A wrong factor: counted, kept, told to the ledger; answers AUTH_REFUSED. user 0: nobody of that name. */
void sign_in_wrong(struct identity *id, const struct asker *a, int64_t user, struct bytes name, const struct addr *client, const char *method);
/* The factor was right, and the user may not: kept, told to the ledger; answers AUTH_DENIED. */
void sign_in_denied(struct identity *id, const struct asker *a, const struct store_user *u, const struct addr *client, const char *method);
/* False: it has been answered (AUTH_WAIT, AUTH_BUSY). */
bool sign_in_may_try(struct identity *id, const struct asker *a, int64_t user, struct bytes name, const struct addr *client);
void sign_in_forget_asker(struct identity *id, const struct channel *c);
void sign_in_write_agent(char out[STORE_TEXT_MAX + 1], struct bytes agent);

/* identity_factors.c */
/* Takes a code of the method if it is right: on disk. False: it is not. */
bool factor_check(struct identity *id, const struct store_user *u, struct bytes method, struct bytes code);
/* The session has proved more: it gets another token, and so do workers' eyes. extra as in identity_renew. */
void session_stronger(struct identity *id, const struct asker *a, struct session *s, const char *method, const struct bytes *extra);
void call_totp_new(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_totp_check(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_totp_remove(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_recovery_new(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_step_up(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_password(struct identity *id, const struct asker *a, const struct auth_call *c);
/* New codes in place of all, as one text; not OK: the store fails. */
enum err recovery_renew(struct identity *id, int64_t user, struct text *codes) MUST_USE;

/* identity_apps.c */
void call_app_code(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_app_enter(struct identity *id, const struct asker *a, const struct auth_call *c);

/* Whether codes are made for that host: an app's, or one of a route that asks for a session. */
bool identity_has_apps_at(const struct identity *id, struct bytes host);

/* identity_kept.c */
void call_keep(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_kept(struct identity *id, const struct asker *a, const struct auth_call *c);
void kept_tick(struct identity *id);
void kept_end(struct kept *k);

/* identity_account.c */
void call_home(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_ends(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_favourite(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_used(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_account(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_session_end(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_sessions_end(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_language(struct identity *id, const struct asker *a, const struct auth_call *c);

/* identity_passkeys.c */
#define PASSKEY_NAME_OCTETS 12
/* What people's pages call a passkey: its id is long, and only has to be told apart. Hexadecimal digits of its beginning. */
void passkey_put_name(struct text *t, struct bytes id);
void call_passkey_new(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_passkey_add(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_passkey_remove(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_passkey_ask(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_passkey_begin(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_passkey_prove(struct identity *id, const struct asker *a, const struct auth_call *c);

/* identity_device.c */
/* What workers are told of the device's key; a challenge where there is to be one. */
void identity_device_facts(struct identity *id, struct session *s, struct auth_facts *f);
/* Another node has bound s to a key, or given it another short cookie: what was before counts for a moment, as here. */
void identity_device_elsewhere(struct identity *id, struct session *s, const struct store_session *before);
void call_device_register(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_device_refresh(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_device_missing(struct identity *id, const struct asker *a, const struct auth_call *c);

/* identity_hash.c */
struct job *job_new(struct identity *id, const struct asker *a, struct bytes password); /* NULL: too many wait, or the password is too long */
void job_start(struct identity *id, struct job *j); /* j is identity's from here on, until done has been called */
void hash_init(struct identity *id);
enum err hash_on_hashed(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;
void hash_peer(struct identity *id, struct channel *c);
void hash_peer_gone(struct identity *id, struct channel *c);
void hash_forget_asker(struct identity *id, const struct channel *c);

/* identity_token.c */
void token_peer(struct identity *id, struct channel *c);
void token_peer_gone(struct identity *id, struct channel *c);
void token_tick(struct identity *id); /* once a second: what the keeper has not answered */
void token_forget_asker(struct identity *id, const struct channel *c);
enum err token_on_public(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;
enum err token_on_signed(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;
/* Answers, later, with facts that have a token for the session's app. */
void token_start(struct identity *id, const struct asker *a, struct session *s, const struct auth_facts *facts, const struct conf_app *app);
void call_jwks(struct identity *id, const struct asker *a, const struct auth_call *c);

/* identity_alert.c */
struct identity_alert { const char *rule, *title, *note; enum hunt_class class; };
enum err identity_alert_start(struct identity *id) MUST_USE;
/* To the file of alerts, if there is one (detect:): the first at once, repeats of that rule and client as a sum. */
void identity_alert(struct identity *id, const struct identity_alert *a, const struct addr *client, struct bytes user);
void identity_alert_guessing(struct identity *id, const struct addr *client, struct bytes user); /* beside the event sign_in.alarm */
void identity_alert_tick(struct identity *id); /* about once a second */
void identity_alert_end(struct identity *id);

/* identity_directory.c */
/* A question to a provider; a: who is owed the answer, or NULL. Fill in done and what it needs, then start it: it is identity's from there on. NULL: too
 * many wait, or the arguments are too long. */
struct directory_job *directory_job_new(struct identity *id, const struct asker *a, enum directory_kind kind, struct bytes provider, const struct bytes *args,
	size_t n);
void directory_start(struct identity *id, struct directory_job *j);
enum err directory_on_answer(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;
void directory_peer(struct identity *id, struct channel *c);
void directory_peer_gone(struct identity *id, struct channel *c);
void directory_forget_asker(struct identity *id, const struct channel *c);
void directory_hand_out(struct identity *id); /* another configuration is in use: its processes get what waits */
void directory_tick(struct identity *id);     /* once a second */

/* identity_oidc.c */
void call_oidc_begin(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_oidc_end(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_oidc_logout(struct identity *id, const struct asker *a, const struct auth_call *c);
void call_oidc_out(struct identity *id, const struct asker *a, const struct auth_call *c);
void oidc_tick(struct identity *id); /* once a second */

/* identity_people.c: who comes from elsewhere */
#define ORIGIN_MAX (STORE_ORIGIN_MAX + 1)
bool people_origin(char out[ORIGIN_MAX], const char *kind, struct bytes provider); /* "ldap:corp"; false: too long */
/* Makes or renews the row of who a provider says is there: name, display, mail and groups. *u is as it is then (the arena's). ERR_DENIED: it is not
 * taken, and the log says why; ERR_IO: the store fails. */
enum err people_take(struct identity *id, const char *origin, const struct directory_person *who, struct store_user *u) MUST_USE;
/* A password goes to a directory: j is what sign-ins of local users would have. user 0: of nobody's row. */
void people_sign_in(struct identity *id, const struct asker *a, const struct auth_call *c, const char *name, const struct store_user *u);
/* A passkey alone was right: whoever comes from elsewhere has to be there still. A directory is asked; who comes from a provider that cannot be is sent
 * there (AUTH_MORE without a token; its name) unless the last sign-in by way of it is less than gateway.absolute ago. */
void people_passkey(struct identity *id, const struct asker *a, const struct store_user *u, bool is_verified, const struct addr *client, struct bytes agent);
bool people_is_of_directory(const struct store_user *u); /* ldap:, whatever the configuration says */
void people_tick(struct identity *id); /* once a second: who is to be looked up again */

/* identity_admin.c */
enum err identity_on_admin(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;

#endif
