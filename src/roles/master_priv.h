/* The master's parts: generations of children (master_generation.c), single children (master_child.c), the ledger (master_ledger.c), who people
 * are (master_identity.c, master_identity_ask.c), what administrators ask (master_admin.c), certificates that end (master_certs.c), and start, signals and end (master.c). One thread. */
#ifndef ROLES_MASTER_PRIV_H
#define ROLES_MASTER_PRIV_H

#include "admin/isolated.h"
#include "admin/server.h"
#include "board/board.h"
#include "conf/bundle.h"
#include "ipc/frame.h"
#include "ledger/ring.h"
#include "loop/loop.h"

#include <sys/types.h>

struct master;
struct generation;

struct child {
	struct master *master;
	struct generation *gen; /* NULL: scribe, identity and hashers, which outlive them */
	uint32_t number; /* for the ledger, of those: the generation that it was made for; 0: the scribe */
	enum role_id role;
	uint16_t index;
	pid_t pid; /* 0: does not run */
	bool is_ready, is_ending; /* ending: not restarted */
	struct watch control;
	uint32_t backoff_ms;
	struct timer restart;
	uint64_t started_ms;
	bool is_ring_known; /* to the scribe */
	bool is_ring_spoiled; /* the scribe reads it no more: its successor gets another */
	int ring; /* of records for the ledger; -1: it writes none */
	struct ledger_ring *records;
	uint64_t ended_head; /* of records, behind the last word that a process of this child ended */
	int board; /* a worker's own */
	struct board_worker *counters;
	int requests; /* a worker's own: what it tells the watcher; -1: nobody watches */
	uint64_t folded[METRIC_COUNT]; /* what of them is part of the active generation's base already */
};

enum generation_state { GEN_STARTING, GEN_ACTIVE, GEN_DRAINING, GEN_ENDING };

struct generation {
	struct generation *next;
	struct master *master;
	uint32_t number;
	enum generation_state state;
	struct conf *conf;
	struct text text; /* the main file */
	struct text kept; /* the bundle that it was read from, which conf looks into; empty: read from the disk */
	int bundle;
	int *key_fds, *secret_fds, *listener_fds; /* by their numbers in conf; listener_fds are master->sockets' own */
	int admin_fd;		     /* the same for admin_address; -1: none */
	int master_board, health_board;
	struct board_master *board;
	struct board_health_board *health;
	struct child *children;
	size_t child_count;
	struct timer deadline;
	struct admin_conn *asker; /* is told how the start went; may be NULL */
	uid_t uid;
	const char *why;
	uint32_t confirm_s;
	bool is_config_told; /* to the scribe */
	char refused[600];   /* what its watcher said of why it does not start; "": nothing */
};

struct socket {
	struct socket *next;
	struct addr addr;
	int fd;
};

/* What an administrator asked of identity. */
struct identity_question {
	struct master *master;
	struct admin_conn *asker; /* NULL: none, or it went away */
	uint32_t request;
	struct timer late;
};

#define HASHERS_MOST 8 /* conf.gateway.hashers is 1 to this */

/* Outlives generations, from the first with a gateway to the last. */
struct master_identity {
	struct child process, hashers[HASHERS_MOST]; /* master NULL: there is none */
	int dir, key;		   /* the folder, and the file of the key for tokens; -1: not opened */
	int sessions, seen;	   /* boards; -1: not made yet */
	const struct board_sessions *board; /* sessions, read; NULL: not looked at yet */
	int nothing;		   /* what hashers get for a configuration */
	char state_dir[4096], user[32];
	uint32_t told; /* generation of the configuration that the process knows */
	bool is_over;  /* Sluis ends: it is not started again */
	struct timer late;
	struct identity_question questions[ADMIN_CONNS_MAX];
	uint32_t last_request;
};

struct master {
	struct loop *loop;
	const char *file; /* absolute */
	char base_dir[4096], program_dir[4096];
	const char *rules_dir;
	struct generation *generations; /* newest first */
	struct generation *active;
	bool has_served; /* a generation was active at some time */
	struct socket *sockets;
	uint32_t last_number;
	int limits_board, ticket_seed, access_log, alerts;
	uint64_t reloads, reload_failures, child_restarts;
	struct admin_server admin;
	struct watch signals;
	struct timer certs;
	int notify_fd; /* to the service manager; -1: there is none */
	bool is_stopping;
	/* reload --confirm: what to go back to, with the files it names and the keys as they were */
	struct timer confirm;
	struct text fallback; /* a bundle */
	int *fallback_keys;
	size_t fallback_key_count;
	bool has_fallback;
	struct master_identity identity;
	struct child scribe;
	int scribe_bundle;
	int ledger_dir, ledger_board; /* -1: there is no ledger */
	int ledger_key, ledger_head, ledger_public;
	struct board_ledger *ledger;
	struct ledger_ring *records; /* our own */
	int ring;
	char ledger_user[32];
	uint64_t run_id;
	struct generation *flushing; /* waits with its end until the ledger is on disk */
	struct timer second;
	struct rates *rates[2]; /* older, newer; master_rates.c */
};

/* master_child.c */
enum err child_start(struct child *c) MUST_USE;
void child_exited(struct child *c, int status); /* after waitpid */
void child_kill(struct child *c);
void child_restart_now(struct child *c); /* if it waits for that */
void child_end(struct child *c); /* closes its control channel: it exits by itself */
enum err child_send(struct child *c, enum msg_type type, struct bytes body, int fd) MUST_USE; /* fd -1: none */
enum err child_send_board(struct child *c, enum board_kind kind, unsigned index, int fd, bool writable) MUST_USE;
enum err child_send_setup(struct child *c, uint32_t generation, size_t workers, int bundle) MUST_USE;
/* One child after the other, also those that wait to be started again; NULL: no more. Begin with { 0 }. */
struct child_walk {
	struct generation *gen;
	size_t next;
	bool is_begun;
};
struct child *child_next(struct master *m, struct child_walk *w);

/* master_generation.c */
/* Where a configuration comes from: a text, whose files are on the disk; or a bundle, which holds the text and its
 * files. keys: descriptors of the private keys by number, or NULL: they are opened from the disk. All the caller's. */
struct origin {
	struct bytes text, bundle;
	const int *keys;
	size_t key_count;
};
/* Loads a configuration and starts its children. Not OK: nothing changed, and *errors (may be NULL) is an array of what is
 * wrong (the caller's reference). asker is answered when the generation is active or has failed. */
enum err generation_start(struct master *m, const struct origin *from, struct admin_conn *asker, uid_t uid, const char *why,
	uint32_t confirm_s, json_t **errors) MUST_USE;
void generation_child_ready(struct generation *g);
void generation_child_gone(struct generation *g, struct child *c); /* it is not restarted */
void generation_fail(struct generation *g, const char *what);
void generation_drain(struct generation *g);
void generation_kill(struct generation *g);
void generation_end_singles(struct generation *g); /* all its workers are gone */
/* A worker has ended: what it counted goes into the sums. */
void generation_counters_fold(struct generation *g, struct child *worker);
void generation_counters_catch_up(struct master *m); /* the same of workers that drain, as they go on */
enum err master_access_log(struct master *m, const struct conf *conf) MUST_USE; /* opens it anew, tells all workers */

/* The file of alerts, opened anew, given to the group PREFIX-monitor where we are root and it exists, and told to all watchers; conf without detect: closes it. */
enum err master_alerts(struct master *m, const struct conf *conf) MUST_USE;

/* master_ledger.c: all of it does nothing where ledger.mode is off */
/* Makes folder, key files, boards, and starts the scribe; conf is the first configuration. The errno of ERR_IO is told. */
enum err master_ledger_start(struct master *m, const struct generation *first) MUST_USE;
/* A ring for a child that is about to be started for the first time. */
enum err master_ledger_ring(struct child *c) MUST_USE;
enum err master_ledger_hand_over(struct child *scribe) MUST_USE; /* everything that a scribe needs */
enum err master_ledger_key(struct child *keeper) MUST_USE;
/* c is about to be started: the scribe knows its ring. Not OK: it must not start, for it could not be recorded. */
enum err master_ledger_begins(struct child *c) MUST_USE;
void master_ledger_ended(struct child *c); /* its process has ended, it may be started again */
void master_ledger_forget(struct child *c); /* it will not */
void master_ledger_config(struct master *m, struct generation *g); /* came into use */
/* kind: client, target, user, node; what of it; outcome: isolated, released. */
void master_ledger_isolation(struct master *m, const char *kind, struct bytes what, unsigned uid, const char *outcome,
	const char *why);
void master_ledger_command(struct master *m, const char *command, const char *what, unsigned uid, const char *outcome);
/* What people did and said. False: there is no ledger, or no room in the ring. */
bool master_ledger_note(struct master *m, const char *text, const char *detail, unsigned uid);
/* Asks the scribe to write what is left, then ends g's singles. False: there is nobody to ask. */
bool master_ledger_flush(struct generation *g);
void master_ledger_flush_on(struct master *m); /* who still wrote has ended */
void master_ledger_flushed(struct master *m); /* or it will not be */
void master_ledger_ready(struct master *m); /* the scribe runs */
bool master_ledger_is_ready(const struct master *m);

/* master_identity.c: all of it does nothing where no generation has a gateway */
void master_identity_init(struct master *m);
/* Before g's children are started: folder, key file, boards. Not OK: error says why. */
enum err master_identity_prepare(struct master *m, const struct generation *g, char *error, size_t size) MUST_USE;
enum err master_identity_start(struct master *m, const struct generation *g) MUST_USE;
enum err master_identity_hand_over(struct child *c) MUST_USE; /* what identity or a hasher needs */
enum err master_identity_hand_over_worker(struct child *worker) MUST_USE;
enum err master_identity_alerts(struct master *m) MUST_USE; /* the file of alerts, if there are both */
enum err master_identity_key(struct child *keeper) MUST_USE;
void master_identity_config(struct master *m, const struct generation *g); /* came into use */
void master_identity_ready(struct master *m); /* the process runs */
bool master_identity_is_ready(const struct generation *g);
json_t *master_identity_store(struct master *m); /* for `sluis status`: which store, and how it is; null without a gateway */
/* identity or a hasher has ended. False: it is to be started again. */
bool master_identity_exited(struct child *c, bool was_ready);
void master_identity_check(struct master *m); /* a generation is gone: ends them if it was the last that had a gateway */
/* Sluis ends, and no worker is left: ends them, if need be. True: they have ended. */
bool master_identity_is_over(struct master *m);

/* master_identity_ask.c */
/* NULL: answered later. The request's password is wiped. */
json_t *master_identity_ask(struct master *m, struct admin_conn *c, const json_t *request);
/* What of a request may stand in logs and the ledger: never a password. */
void master_identity_told(const json_t *request, char *out, size_t size);
enum err master_identity_answered(struct master *m, struct bytes body) MUST_USE; /* ERR_SYNTAX: no answer */
void master_identity_no_answer(struct master *m); /* the process has ended */
void master_identity_on_gone(struct master *m, struct admin_conn *c);

/* master_certs.c */
void master_certs_check(struct master *m); /* of the active generation, now and once a day */

/* master_admin.c */
void master_on_request(struct admin_server *s, struct admin_conn *c, json_t *request);
void master_on_gone(struct admin_server *s, struct admin_conn *c);
json_t *admin_error(const char *what);

/* master_isolation.c: what is isolated, over generations and restarts */
/* Before a configuration comes into use: the first time reads the list, later it moves along when state_dir is another.
 * Not OK: the configuration must not come into use; error says why. */
enum err master_isolation_use(struct master *m, struct bytes state_dir, char *error, size_t size) MUST_USE;
void master_isolation_activated(struct bytes state_dir);
int master_isolation_board(void); /* for workers and dialers */
void master_isolation_tick(struct master *m); /* once a second: what is over, what is still to be written */
void master_isolation_on_gone(struct admin_conn *c);
bool master_isolation_has(const struct conf_pool *p, const struct conf_server *s);
json_t *master_isolate(struct master *m, struct admin_conn *c, const json_t *request);
json_t *master_release(struct master *m, struct admin_conn *c, const json_t *request);
json_t *master_isolated(struct master *m, struct admin_conn *c, const json_t *request);

/* master_rates.c: per second, over the last ten or so */
void master_rates_sample(struct master *m); /* once a second */
double master_rate_requests(const struct master *m);
double master_rate_connections(const struct master *m);
double master_rate_server(const struct master *m, uint16_t server);

/* master_notify.c: sd_notify(3)'s protocol, which is one datagram. */
/* Connects to $NOTIFY_SOCKET, and takes it out of the environment: it is not the children's business. */
void master_notify_open(struct master *m);
/* Nobody listening is no error. */
void master_notify(struct master *m, const char *fmt, ...) PRINTF(2, 3);

/* master.c */
enum err master_confirm_begin(struct master *m, uint32_t seconds, const struct generation *fallback) MUST_USE;
void master_confirm_end(struct master *m);
void master_reopen(struct master *m);
void master_stop(struct master *m);
void master_went_out(struct master *m); /* a generation is gone; ends the loop when all are and it is stopping */

#endif
