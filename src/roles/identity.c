/* identity: knows who people are and which sessions live. It has no network: passwords are verified by the hashers, tokens for servers signed by
 * the keeper. It writes one folder. There is one, over all generations of the configuration. */
#include "roles/identity_priv.h"

#include "base/log.h"
#include "base/reader.h"
#include "board/board.h"
#include "jail/jail.h"

static struct identity identity;

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint8_t kind = reader_u8(&r);
	void *at;

	(void)run, (void)from;
	(void)reader_u16(&r);
	if (!reader_done(&r) || (kind != BOARD_SESSIONS && kind != BOARD_SEEN))
		return ERR_SYNTAX;
	TRY(board_map((enum board_kind)kind, m->fds[0], kind == BOARD_SESSIONS, &at));
	if (kind == BOARD_SESSIONS)
		identity.board = at;
	else
		identity.seen = at;
	return OK;
}

static enum err identity_start(struct role_run *run)
{
	identity.run = run;
	TRY(role_conf(run, &identity.conf));
	return identity.board && identity.seen ? OK : ERR_ORDER;
}

static const struct role role_identity = {
	.id = ROLE_IDENTITY,
	.syscalls = jail_identity,
	.files = 4096,
	.hears = (const struct call[]){
		{ MSG_BOARD, FROM(ROLE_MASTER), WHEN_SETUP, on_board },
		{ 0 },
	},
	.start = identity_start,
};

int main(int argc, char **argv)
{
	return role_main(&role_identity, argc, argv);
}
