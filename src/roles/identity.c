/* identity: knows who people are and which sessions live. It has no network: passwords are verified by the hashers, tokens for servers signed by
 * the keeper, and a store that several nodes share is reached over a connection that the dialer made. It writes one folder. There is one, over all
 * generations of the configuration. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/reader.h"
#include "base/secret.h"
#include "board/board.h"
#include "jail/jail.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEN_KEPT_S 60 /* a crash costs an idle session's owner so much at most */

static struct identity identity;
static unsigned char arena_memory[ARENA_SIZE], scratch_memory[POLICY_SCRATCH_SIZE];

struct identity *identity_self(void)
{
	return &identity;
}

uint64_t identity_now_s(const struct identity *id)
{
	return loop_real_us(id->run->loop) / 1000000;
}

/* --- sessions that end: the store, the ledger, and the workers --- */

static void session_ended(void *ctx, const struct session *s, const char *why)
{
	struct identity *id = ctx;
	bool is_elsewhere = strcmp(why, IDENTITY_ELSEWHERE) == 0, is_own = strcmp(why, "sign-out") == 0 || is_elsewhere;
	struct store_user u;
	bool is_removed = is_elsewhere || store_session_remove(id->store, s->kept.id) == OK;

	if (!is_removed && !id->link.is_shared) {
		id->removal_failed = true;
		identity_store_fails(id, "session_remove");
	}
	identity_store_ended(id, s->kept.id);
	if (id->link.is_shared && !is_elsewhere && (!is_removed || id->is_batch)) /* of a batch only its commit says that it is removed */
		removals_add(&id->link.removals, s->kept.id);
	if (s->kept.host[0] || strcmp(why, "replaced") == 0)
		return; /* of an app: its portal's says it */
	arena_reset(&id->scratch);
	identity_record(id, is_own || strcmp(why, "idle") == 0 || strcmp(why, "over") == 0 ? LEDGER_SIGN_OUT : LEDGER_REVOKED, &s->kept.client,
		store_user_known(id->store, s->kept.user, &id->scratch, &u) == OK ? u.name : BYTES("?"), s->kept.id, why, BYTES(""));
}

/* Workers cut what is live of sessions that have ended; what is not live they see on the board. */
static void tell_workers(void *ctx)
{
	struct identity *id = ctx;

	if (id->told_epoch == id->board->epoch)
		return;
	id->told_epoch = id->board->epoch;
	for (struct channel *c = id->run->channels; c; c = c->next)
		if (c->role == ROLE_WORKER && role_send(c, MSG_SESSIONS_ENDED, BYTES(""), NULL, 0) == ERR_AGAIN)
			id->told_epoch = id->board->epoch - 1; /* its buffer is full: again next turn */
}

static bool remove_ended(void *ctx, const struct store_session *x)
{
	struct identity *id = ctx;

	if (!sessions_find_id(id->sessions, bytes_str(x->id)) && store_session_remove(id->store, x->id) != OK)
		id->removal_failed = true;
	return !id->removal_failed;
}

/* Those that ended while the disk failed: a restart would bring them back. */
static void remove_again(struct identity *id)
{
	if (!id->removal_failed)
		return;
	id->removal_failed = false;
	if (store_sessions(id->store, remove_ended, id) != OK)
		id->removal_failed = true;
}

static bool keep_one_seen(void *ctx, struct session *s)
{
	struct identity *id = ctx;

	/* One that ended meanwhile is not there; an error of the disk is told by the commit. */
	if (s->kept.seen_s >= id->seen_kept_s && store_session_seen(id->store, s->kept.id, s->kept.seen_s) == ERR_MEMORY)
		return false;
	return true;
}

enum err identity_batch_begin(struct identity *id)
{
	enum err e = store_begin(id->store);

	id->is_batch = e == OK;
	id->batch_mark = removals_mark(&id->link.removals);
	return e;
}

enum err identity_batch_end(struct identity *id, enum err begun)
{
	enum err e = begun == OK ? store_commit(id->store) : begun;

	id->is_batch = false;
	if (e == OK)
		removals_drop(&id->link.removals, id->batch_mark);
	else if (id->link.is_shared)
		removals_keep(&id->link.removals); /* before anybody is told that it has ended */
	else
		id->removal_failed = true; /* tried again until the disk takes it; what ended may have been taken back with the rest */
	return e;
}

/* Ends what is over, and from time to time, or now, has the store know when each was last in use: after a restart one that was would seem idle. */
static void tick(struct identity *id, bool now)
{
	uint64_t now_s = identity_now_s(id);
	/* Many may be over at once, after a night: one wait for the disk. And of a shared store it tells, each second, whether the other end is still there. */
	enum err begun = identity_batch_begin(id);

	sessions_tick(id->sessions, id->seen, now_s);
	if (!id->link.is_shared && (now || now_s >= id->seen_kept_s + SEEN_KEPT_S)) {
		sessions_each(id->sessions, keep_one_seen, id);
		id->seen_kept_s = now_s;
	}
	remove_again(id);
	if (identity_batch_end(id, begun) != OK)
		identity_store_fails(id, "sessions_tick");
	identity_store_keep_seen(id, now);
}

static void on_second(struct timer *t)
{
	struct identity *id = CONTAINER_OF(t, struct identity, second);

	tick(id, false);
	identity_store_tick(id);
	token_tick(id);
	kept_tick(id);
	identity_alert_tick(id);
	directory_tick(id);
	oidc_tick(id);
	people_tick(id);
	for (size_t i = 0; i < FLOWS_MAX; i++)
		if (id->flows[i].until_s && id->flows[i].until_s <= identity_now_s(id))
			flow_end(&id->flows[i]);
	for (size_t i = 0; i < CODES_MAX; i++)
		if (id->codes[i].until_s && id->codes[i].until_s <= identity_now_s(id)) {
			free(id->codes[i].target);
			secret_wipe(&id->codes[i], sizeof id->codes[i]);
		}
	loop_timer_set(id->run->loop, t, 1000, on_second);
}

/* --- what this process hears --- */

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint8_t kind = reader_u8(&r);
	void *at;

	(void)run, (void)from;
	(void)reader_u16(&r);
	if (!reader_done(&r) || (kind != BOARD_SESSIONS && kind != BOARD_SEEN && kind != BOARD_RING))
		return ERR_SYNTAX;
	TRY(board_map((enum board_kind)kind, m->fds[0], kind != BOARD_SEEN, &at));
	if (kind == BOARD_SESSIONS)
		identity.board = at;
	else if (kind == BOARD_SEEN)
		identity.seen = at;
	else
		identity.records = at;
	return OK;
}

/* Our working folder from here on: SQLite wants names, and those above it are not ours to look at. */
static enum err on_dir(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)from;
	if (m->fds_lost || fchdir(m->fds[0]) < 0)
		return ERR_IO;
	run->writes = ".";
	return OK;
}

static enum err on_alerts(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)run, (void)from;
	if (!m->fds_lost) /* the file before is better than none */
		appender_take(&identity.alerts, &m->fds[0]);
	return OK;
}

/* The master has read the same bytes, so a mistake in them is ours. */
static enum err on_config(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t generation = reader_u32(&r);

	(void)from;
	if (!reader_done(&r) || m->fds_lost)
		return ERR_SYNTAX;
	TRY(role_conf_again(run, m->fds[0], &identity.conf));
	identity.generation = generation;
	identity_store_config(&identity);
	directory_hand_out(&identity);
	return identity_alert_start(&identity);
}

static enum err on_ask(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct auth_call c;

	(void)run;
	TRY(auth_call_parse(m->body, &c));
	identity_call(&identity, from, &c);
	return OK;
}

static enum err identity_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c->role == ROLE_HASHER)
		hash_peer(&identity, c);
	else if (c->role == ROLE_KEEPER)
		token_peer(&identity, c);
	else if (c->role == ROLE_DIRECTORY)
		directory_peer(&identity, c);
	else if (c->role != ROLE_WORKER && c->role != ROLE_DIALER)
		return ERR_DENIED;
	return OK;
}

static void identity_peer_gone(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c->role == ROLE_HASHER)
		hash_peer_gone(&identity, c);
	if (c->role == ROLE_KEEPER)
		token_peer_gone(&identity, c);
	if (c->role == ROLE_DIRECTORY)
		directory_peer_gone(&identity, c);
	hash_forget_asker(&identity, c);
	directory_forget_asker(&identity, c);
	sign_in_forget_asker(&identity, c);
	token_forget_asker(&identity, c);
}

static bool restore(void *ctx, const struct store_session *x)
{
	struct identity *id = ctx;
	struct session *s;
	enum err e = sessions_restore(id->sessions, x, &s);

	if (e != OK)
		LOG(EV_IDENTITY_STORE, KV_STR("what", "session_restore"), KV_STR("id", x->id), KV_STR("why", err_name(e)));
	return true;
}

static enum err identity_start(struct role_run *run)
{
	struct sessions_hooks hooks = { .ctx = &identity, .ended = session_ended, .moved = tell_workers };
	struct identity *id = &identity;
	enum err e;

	id->run = run;
	id->generation = run->generation;
	run->data = id;
	umask(077);
	json_object_seed(0); /* it reads a file */
	policy_regex_interpret(); /* configurations are read while we are confined */
	TRY(role_conf(run, &id->conf));
	if (!id->board || !id->seen || !run->writes)
		return ERR_ORDER;
	arena_init(&id->arena, arena_memory, sizeof arena_memory);
	arena_init(&id->scratch, scratch_memory, sizeof scratch_memory);
	id->guess = guess_new();
	if (!id->guess)
		return ERR_MEMORY;
	hooks.slack_s = identity_store_slack(id);
	hooks.seen = hooks.slack_s ? identity_store_seen : NULL;
	/* Without a gateway we serve nobody; the master does not start us then. */
	TRY(sessions_new(id->board, id->conf->gateway.is_on ? id->conf->gateway.sessions_max : 1, &hooks, &id->sessions));
	e = identity_store_open(id);
	if (e != OK) {
		LOG(EV_IDENTITY_STORE, KV_STR("what", "open"), KV_STR("why", e == ERR_ORDER ? "it was written by a newer Sluis" : store_error(NULL)));
		return e;
	}
	store_on_unreadable(id->store, identity_unreadable, id);
	TRY(identity_alert_start(id));
	hash_init(id);
	if (id->link.is_shared)
		return OK; /* they are read when it is there */
	e = store_sessions(id->store, restore, id);
	if (e != OK)
		identity_store_fails(id, "sessions");
	return e;
}

static void turn_end(void *ctx)
{
	identity_store_turn(ctx);
	tell_workers(ctx);
}

static enum err identity_run(struct role_run *run)
{
	loop_at_turn_end(run->loop, turn_end, &identity);
	__atomic_store_n(&identity.board->state, 1, __ATOMIC_RELEASE);
	identity.seen_kept_s = identity_now_s(&identity);
	identity_store_run(&identity);
	on_second(&identity.second);
	return OK;
}

static void identity_end(struct role_run *run)
{
	(void)run;
	if (identity.board)
		__atomic_store_n(&identity.board->state, 0, __ATOMIC_RELEASE);
	if (identity.sessions && identity.seen && identity.store)
		tick(&identity, true);
	identity_alert_end(&identity);
	identity_store_end(&identity);
	store_close(&identity.store);
}

static const struct role role_identity = {
	.id = ROLE_IDENTITY,
	.syscalls = jail_identity,
	.files = 4096,
	.hears = (const struct call[]){
		/* message              from               when                        handler */
		{ MSG_IDENTITY_DIR,     FROM(ROLE_MASTER), WHEN_SETUP,                 on_dir },
		{ MSG_BOARD,            FROM(ROLE_MASTER), WHEN_SETUP,                 on_board },
		{ MSG_STORE_SECRET,     FROM(ROLE_MASTER), WHEN_SETUP | WHEN_RUNNING,  identity_store_on_secret },
		{ MSG_ALERTS,           FROM(ROLE_MASTER), WHEN_SETUP | WHEN_RUNNING,  on_alerts },
		{ MSG_IDENTITY_CONFIG,  FROM(ROLE_MASTER), WHEN_RUNNING,               on_config },
		{ MSG_IDENTITY_ADMIN,   FROM(ROLE_MASTER), WHEN_RUNNING,               identity_on_admin },
		{ MSG_IDENTITY_ASK,     FROM(ROLE_WORKER), WHEN_RUNNING,               on_ask },
		{ MSG_DIALED,           FROM(ROLE_DIALER), WHEN_RUNNING,               identity_store_on_dialed },
		{ MSG_DIAL_FAILED,      FROM(ROLE_DIALER), WHEN_RUNNING,               identity_store_on_dialed },
		{ MSG_HASHED,           FROM(ROLE_HASHER), WHEN_RUNNING,               hash_on_hashed },
		{ MSG_DIRECTORY_ANSWER, FROM(ROLE_DIRECTORY), WHEN_RUNNING,            directory_on_answer },
		{ MSG_TOKEN_PUBLIC_IS,  FROM(ROLE_KEEPER), WHEN_RUNNING,               token_on_public },
		{ MSG_TOKEN_SIGNED,     FROM(ROLE_KEEPER), WHEN_RUNNING,               token_on_signed },
		{ 0 },
	},
	.start = identity_start,
	.run = identity_run,
	.peer = identity_peer,
	.peer_gone = identity_peer_gone,
	.end = identity_end,
};

int main(int argc, char **argv)
{
	appender_init(&identity.alerts);
	identity_store_init(&identity);
	return role_main(&role_identity, argc, argv);
}
