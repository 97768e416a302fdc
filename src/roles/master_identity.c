/* What the master does for the gateway: identity's folder, the file of the key for tokens, the boards of sessions, and the processes identity and
 * hashers, which go on while configurations come and go. It reads no key and no user. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "base/fd.h"
#include "base/log.h"
#include "board/sessions.h"
#include "jail/jail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_MS 3000

void master_identity_init(struct master *m)
{
	struct master_identity *id = &m->identity;

	*id = (struct master_identity){ .dir = -1, .key = -1, .sessions = -1, .seen = -1, .nothing = -1 };
}

static bool has_gateway(const struct generation *g)
{
	return g->conf && g->conf->gateway.is_on;
}

/* Whose configuration identity works with: the one in use, or one that may come into use, or one whose workers have not finished. */
static const struct generation *working_with(const struct master *m)
{
	if (m->active && has_gateway(m->active))
		return m->active;
	for (const struct generation *g = m->generations; g; g = g->next)
		if (g->state < GEN_ENDING && has_gateway(g))
			return g;
	return NULL;
}

static bool is_wanted(const struct master *m)
{
	return !m->identity.is_over && working_with(m);
}

/* --- folder and key file --- */

/* Closed to others, whoever made it. Where that is so already it may be another user's, for whom we cannot change it. */
static enum err close_to_others(int fd, mode_t mode)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ERR_IO;
	return (st.st_mode & 077) == 0 || fchmod(fd, mode) == 0 ? OK : ERR_IO;
}

/* Again where the file was taken away or another put in its place: keepers to come shall read what is there. */
static enum err open_key(struct master_identity *id)
{
	char path[4200];
	struct stat st;

	if (id->key >= 0 && fstat(id->key, &st) == 0 && st.st_nlink > 0)
		return OK;
	fd_close(&id->key);
	snprintf(path, sizeof(path), "%s/tokens.key", id->state_dir);
	id->key = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	/* A power loss must not take a name when what is in the file is known to others already. */
	return id->key < 0 || close_to_others(id->key, 0600) != OK ? ERR_IO : folder_sync(id->state_dir);
}

/* The folder is identity's; the key file, which the keeper fills, is reached through descriptors. */
static enum err open_folder(struct master_identity *id)
{
	char path[4200];
	unsigned uid, gid;

	if (mkdir(id->state_dir, 0700) < 0 && errno != EEXIST)
		return ERR_IO;
	snprintf(path, sizeof(path), "%s/identity", id->state_dir);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return ERR_IO;
	id->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (id->dir < 0 || close_to_others(id->dir, 0700) != OK)
		return ERR_IO;
	if (geteuid() != 0)
		return OK;
	if (jail_user(id->user, "identity", &uid, &gid) != OK) {
		errno = ENOENT;
		return ERR_NOT_FOUND;
	}
	return fchown(id->dir, uid, gid) < 0 ? ERR_IO : OK;
}

static void close_files(struct master_identity *id)
{
	fd_close(&id->dir);
	fd_close(&id->key);
}

static enum err make_boards(struct master_identity *id)
{
	if (id->sessions < 0)
		TRY(board_create(BOARD_SESSIONS, &id->sessions));
	if (id->seen < 0)
		TRY(board_create(BOARD_SEEN, &id->seen));
	return id->nothing < 0 ? memfd_sealed("sluis-nothing", BYTES("\n"), &id->nothing) : OK;
}

enum err master_identity_prepare(struct master *m, const struct generation *g, char *error, size_t size)
{
	struct master_identity *id = &m->identity;
	struct bytes dir = g->conf->state_dir;

	if (!has_gateway(g))
		return OK;
	if (dir.len == 0 || dir.len >= sizeof(id->state_dir)) {
		snprintf(error, size, "gateway: needs state_dir: users and sessions are kept in a folder below it");
		return ERR_NOT_FOUND;
	}
	if (id->dir >= 0 && !bytes_eq(dir, bytes_str(id->state_dir))) {
		if (is_wanted(m) || id->process.pid > 0) {
			snprintf(error, size, "state_dir cannot be another while the gateway runs, for users and sessions are kept below it "
					      "(%s/identity): restart sluisd", id->state_dir);
			return ERR_ORDER;
		}
		close_files(id);
	}
	if (id->process.master && working_with(m) && working_with(m)->conf->gateway.store.is_shared != g->conf->gateway.store.is_shared) {
		snprintf(error, size, "gateway.store cannot come or go while the gateway runs, for who is signed in is known to the one that is in use: restart sluisd");
		return ERR_ORDER;
	}
	if (id->dir < 0) {
		snprintf(id->state_dir, sizeof(id->state_dir), "%.*s", FMT(dir));
		snprintf(id->user, sizeof(id->user), "%.*s", FMT(g->conf->user));
		if (open_folder(id) != OK) {
			snprintf(error, size, "gateway: cannot set up the folder identity below %s: %s", id->state_dir, strerror(errno));
			close_files(id);
			return ERR_IO;
		}
	}
	if (open_key(id) != OK) {
		snprintf(error, size, "gateway: cannot set up tokens.key below %s: %s", id->state_dir, strerror(errno));
		return ERR_IO;
	}
	if (make_boards(id) != OK) {
		snprintf(error, size, "gateway: no shared memory for sessions: %s", strerror(errno));
		return ERR_MEMORY;
	}
	return OK;
}

/* --- the processes --- */

static enum err make(struct master *m, struct child *c, enum role_id role, size_t index, const struct generation *g)
{
	*c = (struct child){ .master = m, .role = role, .index = (uint16_t)index, .number = g->number, .control = { .fd = -1 }, .board = -1,
		.ring = -1, .requests = -1 };
	if (role == ROLE_IDENTITY)
		TRY(master_ledger_ring(c));
	return child_start(c);
}

static void forget(struct child *c)
{
	loop_timer_clear(c->master->loop, &c->restart);
	master_ledger_forget(c);
	*c = (struct child){ .control = { .fd = -1 }, .board = -1, .ring = -1, .requests = -1 };
}

/* It ends with its channel; if it waits to be started again, it is over now. */
static void end(struct child *c)
{
	if (!c->master)
		return;
	if (c->pid == 0)
		forget(c);
	else if (!c->is_ending)
		child_end(c);
}

/* As many hashers as the configuration says. */
static enum err set_hashers(struct master *m, const struct generation *g)
{
	size_t wanted = g->conf->gateway.hashers;

	wanted = wanted < 1 ? 1 : wanted > HASHERS_MOST ? HASHERS_MOST : wanted;
	for (size_t i = 0; i < HASHERS_MOST; i++) {
		struct child *c = &m->identity.hashers[i];

		if (i >= wanted)
			end(c);
		else if (!c->master) /* one that is just ending comes back here */
			TRY(make(m, c, ROLE_HASHER, i, g));
	}
	return OK;
}

/* Where the system has no room for a process at the moment. */
static void start_later(struct master *m)
{
	struct master_identity *id = &m->identity;

	LOG(EV_SYSTEM, KV_STR("call", "fork"), KV_ERRNO());
	if (id->process.master)
		child_restart_now(&id->process);
	for (size_t i = 0; i < HASHERS_MOST; i++)
		if (id->hashers[i].master)
			child_restart_now(&id->hashers[i]);
}

enum err master_identity_start(struct master *m, const struct generation *g)
{
	if (!has_gateway(g) || m->identity.is_over)
		return OK;
	if (m->identity.process.master) /* runs, or will run again; hashers are as many as the configuration in use says */
		return OK;
	TRY(make(m, &m->identity.process, ROLE_IDENTITY, 0, g));
	return set_hashers(m, g);
}

/* Those that were asked to end; others may have been started in their places meanwhile. */
static void end_late(struct timer *t)
{
	struct master *m = CONTAINER_OF(t, struct master, identity.late);

	if (m->identity.process.is_ending)
		child_kill(&m->identity.process);
	for (size_t i = 0; i < HASHERS_MOST; i++)
		if (m->identity.hashers[i].is_ending)
			child_kill(&m->identity.hashers[i]);
}

static bool is_anybody_there(const struct master_identity *id)
{
	bool is = id->process.master;

	for (size_t i = 0; i < HASHERS_MOST; i++)
		is |= id->hashers[i].master != NULL;
	return is;
}

static void end_all(struct master *m)
{
	struct master_identity *id = &m->identity;

	master_identity_no_answer(m);
	end(&id->process);
	for (size_t i = 0; i < HASHERS_MOST; i++)
		end(&id->hashers[i]);
	if (is_anybody_there(id))
		loop_timer_set(m->loop, &id->late, END_MS, end_late);
	else
		close_files(id);
}

void master_identity_check(struct master *m)
{
	if (!is_wanted(m) && is_anybody_there(&m->identity))
		end_all(m);
}

bool master_identity_is_over(struct master *m)
{
	if (!m->identity.is_over) {
		m->identity.is_over = true;
		end_all(m);
	}
	return !is_anybody_there(&m->identity);
}

/* A configuration that starts with them is not to wait for what may never come. */
static void fail_who_waits(struct master *m, const struct child *c)
{
	char what[100];

	snprintf(what, sizeof(what), "its %s ended before it was ready; the error log tells why", role_name(c->role));
	for (struct generation *g = m->generations; g; g = g->next)
		if (g->state == GEN_STARTING && g->number == c->number) {
			generation_fail(g, what);
			return; /* g may be gone */
		}
}

/* They were asked to end, and by now a configuration may have come that wants them. */
static void ended(struct master *m, struct child *c)
{
	struct master_identity *id = &m->identity;
	const struct generation *g = working_with(m);

	forget(c);
	if (is_wanted(m)) {
		if ((!id->process.master && make(m, &id->process, ROLE_IDENTITY, 0, g) != OK) || set_hashers(m, g) != OK)
			start_later(m);
		return;
	}
	if (is_anybody_there(id))
		return;
	loop_timer_clear(m->loop, &id->late);
	close_files(id);
	master_ledger_flush_on(m);
	master_went_out(m);
}

bool master_identity_exited(struct child *c, bool was_ready)
{
	struct master *m = c->master;

	if (c->role == ROLE_IDENTITY)
		master_identity_no_answer(m);
	if (!was_ready && !c->is_ending)
		fail_who_waits(m, c);
	if (!c->master) /* that took it away */
		return true;
	if (!c->is_ending && is_wanted(m))
		return false;
	ended(m, c);
	return true;
}

/* --- what they are given --- */

/* The password for the store, as the directory's are given: a copy of its file that the kernel made. */
static enum err send_secret(struct child *c, const struct generation *g)
{
	const struct conf_store *s = &g->conf->gateway.store;

	if (!s->has_password)
		return OK;
	lseek(g->secret_fds[s->secret], 0, SEEK_SET);
	return child_send(c, MSG_STORE_SECRET, BYTES(""), g->secret_fds[s->secret]);
}

enum err master_identity_hand_over(struct child *c)
{
	struct master_identity *id = &c->master->identity;
	const struct generation *g = working_with(c->master);
	size_t workers = 0;

	if (c->role == ROLE_HASHER)
		return child_send_setup(c, c->number, 0, id->nothing);
	if (!g)
		return ERR_ORDER; /* it is ending */
	for (size_t i = 0; i < g->child_count; i++)
		workers += g->children[i].role == ROLE_WORKER;
	TRY(child_send_setup(c, g->number, workers, g->bundle));
	id->told = g->number;
	TRY(send_secret(c, g));
	TRY(child_send(c, MSG_IDENTITY_DIR, BYTES(""), id->dir));
	TRY(child_send_board(c, BOARD_SESSIONS, 0, id->sessions, true));
	TRY(child_send_board(c, BOARD_SEEN, 0, id->seen, false));
	return master_identity_alerts(c->master);
}

enum err master_identity_alerts(struct master *m)
{
	struct child *c = &m->identity.process;

	return c->master && c->control.fd >= 0 && m->alerts >= 0 ? child_send(c, MSG_ALERTS, BYTES(""), m->alerts) : OK;
}

enum err master_identity_hand_over_worker(struct child *worker)
{
	struct master_identity *id = &worker->master->identity;

	if (!has_gateway(worker->gen))
		return OK;
	TRY(child_send_board(worker, BOARD_SESSIONS, 0, id->sessions, false));
	return child_send_board(worker, BOARD_SEEN, 0, id->seen, true);
}

enum err master_identity_key(struct child *keeper)
{
	return has_gateway(keeper->gen) ? child_send(keeper, MSG_TOKEN_KEY, BYTES(""), keeper->master->identity.key) : OK;
}

static void tell(struct master *m, const struct generation *g)
{
	unsigned char mem[4];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, g->number);
	if (send_secret(&m->identity.process, g) == OK && child_send(&m->identity.process, MSG_IDENTITY_CONFIG, text_bytes(&t), g->bundle) == OK)
		m->identity.told = g->number;
}

void master_identity_config(struct master *m, const struct generation *g)
{
	if (!has_gateway(g))
		return;
	if (m->identity.process.is_ready && !m->identity.process.is_ending)
		tell(m, g);
	if (set_hashers(m, g) != OK)
		start_later(m);
}

/* One that was started before the configuration came into use. */
void master_identity_ready(struct master *m)
{
	if (m->active && has_gateway(m->active) && m->identity.told != m->active->number)
		tell(m, m->active);
}

bool master_identity_is_ready(const struct generation *g)
{
	const struct master_identity *id = &g->master->identity;
	bool is_one = false;

	for (size_t i = 0; i < HASHERS_MOST; i++)
		is_one |= id->hashers[i].is_ready;
	return !has_gateway(g) || (id->process.is_ready && is_one);
}

json_t *master_identity_store(struct master *m)
{
	static const char *const states[] = { [BOARD_STORE_CONNECTED] = "connected", [BOARD_STORE_LOST] = "lost", [BOARD_STORE_CLOSED] = "closed" };
	struct master_identity *id = &m->identity;
	const struct conf *c = m->active->conf;
	const struct conf_pool *p;
	uint32_t state, server;
	struct bytes name;
	void *at;

	if (!has_gateway(m->active))
		return json_null();
	if (!c->gateway.store.is_shared)
		return json_pack("{s:s}", "kind", "file");
	if (!id->board && board_map(BOARD_SESSIONS, id->sessions, false, &at) == OK)
		id->board = at;
	state = id->board ? __atomic_load_n(&id->board->store_state, __ATOMIC_ACQUIRE) : BOARD_STORE_LOST;
	server = id->board ? __atomic_load_n(&id->board->store_server, __ATOMIC_RELAXED) : 0;
	p = &c->pools[c->gateway.store.pool];
	name = p->servers[server < p->server_count ? server : 0].name;
	return json_pack("{s:s,s:o,s:s,s:I}", "kind", "postgresql", "server", json_stringn((const char *)name.at, name.len), "state",
		state < COUNT_OF(states) && states[state] ? states[state] : "lost", "since",
		(json_int_t)(id->board ? __atomic_load_n(&id->board->store_since_s, __ATOMIC_RELAXED) : 0));
}
