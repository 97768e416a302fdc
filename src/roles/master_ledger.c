/* What the master does for the ledger: its folder and key files, rings for all that write records, the scribe, and its own
 * records: commands and configurations. It reads none of the keys and writes none of the files. */
#define _GNU_SOURCE
#include "roles/master_priv.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "crypto/random.h"
#include "jail/jail.h"
#include "roles/role.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLUSH_MS 10000 /* scribe and keeper may have to be started first */

static bool is_on(const struct master *m)
{
	return m->ledger_board >= 0;
}

/* A file that the keeper fills: kept open, so that it need not open anything. */
static enum err open_key_file(const char *dir, const char *name, mode_t mode, int *out)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	*out = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, mode);
	return *out < 0 ? ERR_IO : OK;
}

static enum err open_files(struct master *m, const char *state_dir)
{
	char dir[4160];
	unsigned uid, gid;
	mode_t old;
	enum err e;

	snprintf(dir, sizeof(dir), "%s", state_dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return ERR_IO;
	snprintf(dir, sizeof(dir), "%s/ledger", state_dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return ERR_IO;
	m->ledger_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (m->ledger_dir < 0)
		return ERR_IO;
	old = umask(077);
	e = open_key_file(state_dir, "ledger.key", 0600, &m->ledger_key);
	if (e == OK)
		e = open_key_file(dir, "ledger.head", 0600, &m->ledger_head);
	if (e == OK)
		e = open_key_file(dir, "ledger.pub", 0600, &m->ledger_public);
	umask(old);
	TRY(e);
	/* A power loss must not take the name of ledger.key, or of the folder, when batches are on disk already. */
	if (fsync(m->ledger_dir) < 0 || folder_sync(state_dir) != OK)
		return ERR_IO;
	if (geteuid() == 0) { /* the folder is the scribe's; the key files are reached through descriptors */
		if (jail_user(m->ledger_user, "scribe", &uid, &gid) != OK)
			return ERR_NOT_FOUND;
		if (fchown(m->ledger_dir, uid, gid) < 0)
			return ERR_IO;
	}
	return OK;
}

static enum err make_ring(int *fd, struct ledger_ring **ring)
{
	void *at;

	TRY(board_create(BOARD_RING, fd));
	TRY(board_map(BOARD_RING, *fd, true, &at));
	*ring = at;
	random_bytes(&(*ring)->id, sizeof((*ring)->id));
	(*ring)->id &= INT64_MAX; /* SQLite's integers have a sign */
	return OK;
}

enum err master_ledger_start(struct master *m, const struct generation *first)
{
	const struct conf *conf = first->conf;
	char state_dir[4096];
	void *at;

	if (conf->ledger.mode == CONF_LEDGER_OFF || conf->state_dir.len == 0)
		return OK;
	snprintf(state_dir, sizeof(state_dir), "%.*s", FMT(conf->state_dir));
	snprintf(m->ledger_user, sizeof(m->ledger_user), "%.*s", FMT(conf->user));
	TRY(open_files(m, state_dir));
	TRY(board_create(BOARD_LEDGER, &m->ledger_board));
	TRY(board_map(BOARD_LEDGER, m->ledger_board, false, &at));
	m->ledger = at;
	TRY(make_ring(&m->ring, &m->records));
	random_bytes(&m->run_id, sizeof(m->run_id));
	m->scribe = (struct child){ .master = m, .role = ROLE_SCRIBE, .control = { .fd = -1 }, .board = -1, .ring = -1, .requests = -1 };
	m->scribe_bundle = fcntl(first->bundle, F_DUPFD_CLOEXEC, 0);
	return m->scribe_bundle < 0 ? ERR_IO : child_start(&m->scribe);
}

enum err master_ledger_ring(struct child *c)
{
	return is_on(c->master) ? make_ring(&c->ring, &c->records) : OK;
}

static enum err send_ring(struct child *scribe, enum msg_type type, enum role_id role, uint16_t index, uint32_t generation, int fd)
{
	unsigned char mem[7];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_put_u8(&t, (uint8_t)role);
	text_put_u16(&t, index);
	text_put_u32(&t, generation);
	return child_send(scribe, type, text_bytes(&t), fd);
}

static uint32_t number_of(const struct child *c)
{
	return c->gen ? c->gen->number : c->number;
}

/* A child's ring goes to the scribe when the child is first started, and to each scribe that comes later. */
static enum err send_ring_of(struct child *scribe, const struct child *c)
{
	return c->ring < 0 ? OK : send_ring(scribe, MSG_RING, c->role, c->index, number_of(c), c->ring);
}

static enum err send_config(struct child *scribe, const struct generation *g, bool is_in_use)
{
	unsigned char mem[120];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, g->number);
	text_put_u32(&t, g->uid);
	text_put_u32(&t, g->conf->ledger.keep_s / 86400);
	text_put_u64(&t, g->conf->ledger.keep_bytes);
	text_put_u8(&t, is_in_use);
	text_add(&t, bytes_cut(bytes_str(g->why ? g->why : ""), 0, 60));
	while (t.len < 21)
		text_byte(&t, ' ');
	return child_send(scribe, MSG_LEDGER_CONFIG, text_bytes(&t), g->bundle);
}

enum err master_ledger_hand_over(struct child *scribe)
{
	struct master *m = scribe->master;
	unsigned char mem[8], board[3] = { BOARD_LEDGER, 0, 0 };
	struct child_walk w = { 0 };
	struct child *c;
	struct text t;

	TRY(child_send_setup(scribe, 0, 0, m->scribe_bundle));
	text_init(&t, mem, sizeof(mem));
	text_put_u64(&t, m->run_id);
	TRY(child_send(scribe, MSG_LEDGER_DIR, text_bytes(&t), m->ledger_dir));
	TRY(child_send(scribe, MSG_BOARD, bytes_of(board, sizeof(board)), m->ledger_board));
	TRY(send_ring(scribe, MSG_RING, ROLE_MASTER, 0, 0, m->ring));
	while ((c = child_next(m, &w)))
		if (c->is_ring_known)
			TRY(send_ring_of(scribe, c));
	return OK;
}

enum err master_ledger_key(struct child *keeper)
{
	struct master *m = keeper->master;
	const int fds[3] = { m->ledger_key, m->ledger_head, m->ledger_public };

	return is_on(m) ? ipc_send(keeper->control.fd, MSG_LEDGER_KEY, BYTES(""), fds, 3) : OK;
}

/* Before c can write its first record. */
enum err master_ledger_begins(struct child *c)
{
	struct master *m = c->master;

	if (c->is_ring_spoiled) {
		if (c->records)
			munmap(c->records, board_size(BOARD_RING));
		c->records = NULL;
		fd_close(&c->ring);
		TRY(make_ring(&c->ring, &c->records));
		c->is_ring_known = c->is_ring_spoiled = false;
	}
	if (c->ring < 0 || c->is_ring_known)
		return OK;
	c->is_ring_known = true;
	if (m->scribe.pid > 0 && m->scribe.control.fd >= 0)
		(void)!send_ring_of(&m->scribe, c);
	return OK;
}

void master_ledger_ended(struct child *c)
{
	if (c->ring < 0 || c->is_ring_spoiled)
		return;
	/* It writes no more, so for this once the ring is ours: the scribe reads it behind the last of the child's own. */
	if (!ledger_ring_end(c->records, clock_real_us()) && c->records->head != c->ended_head)
		ledger_ring_spoil(c->records); /* only a captured process writes into the reserve: its connections are closed so */
	c->ended_head = c->records->head;
}

void master_ledger_forget(struct child *c)
{
	struct master *m = c->master;

	if (c->ring < 0)
		return;
	if (c->is_ring_known && m->scribe.pid > 0 && m->scribe.control.fd >= 0)
		(void)!send_ring(&m->scribe, MSG_RING_END, c->role, c->index, number_of(c), -1);
	if (c->records)
		munmap(c->records, board_size(BOARD_RING));
	fd_close(&c->ring);
}

void master_ledger_config(struct master *m, struct generation *g)
{
	if (is_on(m) && m->scribe.is_ready && send_config(&m->scribe, g, !g->is_config_told) == OK)
		g->is_config_told = true;
}

/* When nobody writes into the rings any more. */
static void ask_for_flush(struct master *m)
{
	if (!m->scribe.is_ready || m->scribe.is_ending || !master_identity_is_over(m))
		return;
	if (child_send(&m->scribe, MSG_LEDGER_FLUSH, BYTES(""), -1) == OK)
		m->scribe.is_ending = true;
}

/* A scribe that came later than the configuration, or than Sluis' end began. */
void master_ledger_ready(struct master *m)
{
	if (m->active)
		master_ledger_config(m, m->active);
	if (m->flushing)
		ask_for_flush(m);
}

void master_ledger_command(struct master *m, const char *command, const char *what, unsigned uid, const char *outcome)
{
	char text[300], user[24];
	struct ledger_record r = { .kind = LEDGER_COMMAND, .outcome = bytes_str(outcome) };

	snprintf(text, sizeof(text), "%s%s%s", command, *what ? " " : "", what);
	snprintf(user, sizeof(user), "uid %u", uid);
	r.name = bytes_str(text);
	r.user = bytes_str(user);
	(void)ledger_ring_write(m->records, &r);
}

bool master_ledger_note(struct master *m, const char *text, const char *detail, unsigned uid)
{
	char user[24];

	snprintf(user, sizeof(user), "uid %u", uid);
	return is_on(m) && ledger_ring_write(m->records, &(struct ledger_record){ .kind = LEDGER_COMMAND, .name = bytes_str(text),
		.user = bytes_str(user), .outcome = BYTES("noted"), .detail = bytes_str(detail) });
}

void master_ledger_isolation(struct master *m, const char *kind, struct bytes what, unsigned uid, const char *outcome,
	const char *why)
{
	char mem[LEDGER_TEXT_MAX], user[24];
	struct text name;

	text_init(&name, mem, sizeof(mem));
	text_str(&name, kind);
	text_byte(&name, ' ');
	text_add(&name, bytes_cut(what, 0, LEDGER_TEXT_MAX - 16));
	snprintf(user, sizeof(user), "uid %u", uid);
	(void)ledger_ring_write(m->records, &(struct ledger_record){ .kind = LEDGER_ISOLATION, .name = text_bytes(&name),
		.user = bytes_str(user), .outcome = bytes_str(outcome), .detail = bytes_str(why) });
}

bool master_ledger_is_ready(const struct master *m)
{
	return !is_on(m) || m->scribe.is_ready;
}

/* The disk, or the scribe, does not answer: Sluis ends all the same. */
static void flush_late(struct timer *t)
{
	struct generation *g = CONTAINER_OF(t, struct generation, deadline);

	LOG(EV_LEDGER_FAILS, KV_STR("what", "the last records could not be written in time"));
	master_ledger_flushed(g->master);
}

/* Of another that is not ending yet, whose workers write: it will flush when they are gone. */
static bool is_last(const struct generation *g)
{
	for (const struct generation *o = g->master->generations; o; o = o->next)
		if (o != g && o->state < GEN_ENDING)
			return false;
	return true;
}

bool master_ledger_flush(struct generation *g)
{
	struct master *m = g->master;

	if (m->flushing == g)
		return true;
	if (!m->is_stopping || m->flushing || !is_on(m) || !is_last(g))
		return false;
	m->flushing = g;
	loop_timer_set(m->loop, &g->deadline, FLUSH_MS, flush_late);
	/* Who died just now is needed once more: what is in the rings is lost with us. */
	child_restart_now(&m->scribe);
	for (size_t i = 0; i < g->child_count; i++)
		if (g->children[i].role == ROLE_KEEPER)
			child_restart_now(&g->children[i]);
	ask_for_flush(m);
	return true;
}

void master_ledger_flush_on(struct master *m)
{
	if (m->flushing)
		ask_for_flush(m);
}

void master_ledger_flushed(struct master *m)
{
	struct generation *g = m->flushing;

	m->flushing = NULL;
	if (g)
		generation_end_singles(g);
}
