/* identity: knows who people are and which sessions live. It has no network: passwords are verified by the hashers, tokens for servers signed by
 * the keeper. It writes one folder. There is one, over all generations of the configuration. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/reader.h"
#include "board/board.h"
#include "jail/jail.h"
#include "policy/policy.h"

#include <stdio.h>
#include <sys/stat.h>

static struct identity identity;

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

/* By its descriptor, for nobody but root may look into the folders above it. */
static enum err on_dir(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	(void)from;
	if (m->fds_lost || *identity.dir)
		return ERR_ORDER;
	snprintf(identity.dir, sizeof(identity.dir), "/proc/self/fd/%d", m->fds[0]);
	m->fds[0] = -1;
	run->writes = identity.dir;
	return OK;
}

/* Expressions are made anew in the jail, so they are interpreted from the start: policy_regex_interpret. */
static enum err on_config(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t generation = reader_u32(&r);

	(void)from;
	if (!reader_done(&r) || m->fds_lost)
		return ERR_SYNTAX;
	TRY(role_conf_again(run, m->fds[0], &identity.conf));
	identity.generation = generation;
	return OK;
}

static enum err on_admin(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	unsigned char mem[200];
	struct text t;

	(void)run;
	text_init(&t, mem, sizeof(mem));
	text_put_u32(&t, reader_u32(&r));
	text_lit(&t, "{\"ok\":false,\"error\":\"identity has no such action\"}");
	return role_send(from, MSG_IDENTITY_ADMIN_IS, text_bytes(&t), NULL, 0);
}

static enum err identity_start(struct role_run *run)
{
	identity.run = run;
	identity.generation = run->generation;
	if (!identity.board || !identity.seen || !run->writes)
		return ERR_ORDER;
	umask(077);
	policy_regex_interpret();
	return role_conf(run, &identity.conf);
}

/* index is the keeper's generation: the newest signs */
static enum err identity_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	if (c->role == ROLE_KEEPER && (!identity.keeper || (uint16_t)(c->index - identity.keeper->index) < 0x8000))
		identity.keeper = c;
	return c->role == ROLE_WORKER || c->role == ROLE_KEEPER || c->role == ROLE_HASHER ? OK : ERR_DENIED;
}

static void identity_peer_gone(struct role_run *run, struct channel *c)
{
	if (identity.keeper != c)
		return;
	identity.keeper = NULL;
	for (struct channel *o = run->channels; o; o = o->next)
		if (o != c && o->role == ROLE_KEEPER && (!identity.keeper || (uint16_t)(o->index - identity.keeper->index) < 0x8000))
			identity.keeper = o;
}

static const struct role role_identity = {
	.id = ROLE_IDENTITY,
	.syscalls = jail_identity,
	.files = 4096,
	.hears = (const struct call[]){
		/* message              from               when          handler */
		{ MSG_BOARD,           FROM(ROLE_MASTER), WHEN_SETUP,   on_board },
		{ MSG_IDENTITY_DIR,    FROM(ROLE_MASTER), WHEN_SETUP,   on_dir },
		{ MSG_IDENTITY_CONFIG, FROM(ROLE_MASTER), WHEN_RUNNING, on_config },
		{ MSG_IDENTITY_ADMIN,  FROM(ROLE_MASTER), WHEN_RUNNING, on_admin },
		{ 0 },
	},
	.start = identity_start,
	.peer = identity_peer,
	.peer_gone = identity_peer_gone,
};

int main(int argc, char **argv)
{
	return role_main(&role_identity, argc, argv);
}
