/* The real programs of all roles hear every message from every sender. What messages.tbl does not say of this pair
 * stops the sender: a peer loses its channel and is told on, a master that errs ends the process. */
#define _GNU_SOURCE
#include "roles/role.h"

#include "base/fd.h"
#include "board/board.h"
#include "conf/bundle.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
	const char *name, *who; /* who: "from -> to: ..." */
	size_t least, most;
	unsigned fds;
} messages[MSG_COUNT] = {
#define MSG(sym, name, least, most, fds, doc) [sym] = { name, doc, least, most, fds },
#include "ipc/messages.tbl"
#undef MSG
};

/* What a master may still say to a process that runs. */
static const enum msg_type while_running[] = { MSG_PEER, MSG_ACCESS_LOG, MSG_DRAIN, MSG_ERROR_LOG, MSG_RING, MSG_RING_END,
	MSG_LEDGER_CONFIG, MSG_LEDGER_FLUSH, MSG_ISOLATION, MSG_ALERTS, MSG_IDENTITY_CONFIG, MSG_IDENTITY_ADMIN, MSG_STORE_SECRET };

static const struct {
	enum role_id role;
	enum role_id peers[5];
	size_t peer_count;
} programs[] = {
	{ ROLE_WORKER, { ROLE_KEEPER, ROLE_DIALER, ROLE_IDENTITY }, 3 },
	{ ROLE_KEEPER, { ROLE_WORKER, ROLE_SCRIBE, ROLE_IDENTITY }, 3 },
	{ ROLE_DIALER, { ROLE_WORKER, ROLE_PROBER, ROLE_DIRECTORY, ROLE_IDENTITY }, 4 },
	{ ROLE_PROBER, { ROLE_DIALER }, 1 },
	{ ROLE_SCRIBE, { ROLE_KEEPER }, 1 },
	{ ROLE_WATCHER, { ROLE_MASTER }, 0 },
	{ ROLE_IDENTITY, { ROLE_WORKER, ROLE_KEEPER, ROLE_HASHER, ROLE_DIRECTORY, ROLE_DIALER }, 5 },
	{ ROLE_HASHER, { ROLE_IDENTITY }, 1 },
	{ ROLE_DIRECTORY, { ROLE_DIALER, ROLE_IDENTITY }, 2 },
};

struct child {
	enum role_id role;
	pid_t pid;
	int control, peers[ROLE_COUNT];
	char dir[40]; /* its own; empty: none */
};

static const char yaml[] =
	"listeners: {web: {address: '127.0.0.1:1'}}\npools: {app: {servers: ['127.0.0.1:1']}}\n";
static const char detect[] = "detect: {mode: 'on', alerts: alerts.jsonl, packs: [own.yaml]}\n";
static unsigned char heard_bytes[IPC_BODY_MAX + 2];

static bool names(struct bytes list, const char *role)
{
	return bytes_find(list, bytes_str(role)) != SIZE_MAX || bytes_find(list, BYTES("all")) != SIZE_MAX;
}

static bool is_said(enum msg_type t, enum role_id from, enum role_id to)
{
	struct bytes who = bytes_str(messages[t].who);
	size_t arrow = bytes_find(who, BYTES(" -> ")), end = bytes_find_byte(who, ':');

	assert_true(arrow != SIZE_MAX && end != SIZE_MAX && arrow < end);
	return names(bytes_cut(who, 0, arrow), role_name(from)) &&
	       names(bytes_cut(who, arrow + 4, end), role_name(to)) && from != to;
}

static bool is_late(enum msg_type t)
{
	for (size_t i = 0; i < COUNT_OF(while_running); i++)
		if (while_running[i] == t)
			return true;
	return false;
}

/* As a taken over process would: any type, any size, any number of descriptors. */
static void say_raw(int sock, unsigned type, const void *body, size_t len, int fd, unsigned fd_count)
{
	static unsigned char packet[IPC_BODY_MAX + 64];
	char control[CMSG_SPACE(4 * sizeof(int))] = { 0 };
	struct iovec iov = { packet, len + 2 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	memset(packet, 0, sizeof(packet));
	packet[0] = (unsigned char)type;
	if (body && len)
		memcpy(packet + 2, body, len);
	if (fd_count) {
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (unsigned i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_true(sendmsg(sock, &m, MSG_NOSIGNAL) > 0);
}

static void give(struct child *c, enum msg_type type, const void *body, size_t len, int fd)
{
	assert_int_equal(ipc_send(c->control, type, bytes_of(body, len), &fd, fd >= 0), OK);
	fd_close(&fd);
}

static enum err hear(int sock, struct ipc_msg *m)
{
	struct pollfd p = { sock, POLLIN, 0 };

	return poll(&p, 1, 20000) == 1 ? ipc_recv(sock, heard_bytes, m) : ERR_TIMEOUT;
}

static void give_board(struct child *c, enum board_kind kind)
{
	unsigned char body[3] = { (unsigned char)kind, 0, 0 };
	int fd;

	assert_int_equal(board_create(kind, &fd), OK);
	give(c, MSG_BOARD, body, sizeof(body), fd);
}

static void connect_peer(struct child *c, enum role_id peer)
{
	unsigned char body[3] = { (unsigned char)peer, 0, 0 };
	int pair[2];

	fd_close(&c->peers[peer]);
	assert_int_equal(ipc_pair(pair), OK);
	give(c, MSG_PEER, body, sizeof(body), pair[1]);
	c->peers[peer] = pair[0];
}

static void run_program(enum role_id role, int control)
{
	char path[4200], arg0[32], none[] = "";
	char *argv[] = { arg0, none, NULL };
	const char *build = getenv("SLUIS_BUILD");

	snprintf(path, sizeof(path), "%s/sluis-%s", build ? build : ".", role_name(role));
	snprintf(arg0, sizeof(arg0), "sluis-%s", role_name(role));
	if (dup2(control, ROLE_CONTROL_FD) < 0 || close_range(ROLE_CONTROL_FD + 1, ~0u, 0) < 0)
		_exit(126);
	execv(path, argv);
	_exit(127);
}

static void give_ledger_key(struct child *c)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = memfd_create("ledger", MFD_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(ipc_send(c->control, MSG_LEDGER_KEY, BYTES(""), fds, 3), OK);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static const char own_pack[] = "name: own\ntitle: Own\nentries:\n  - {id: own-x, title: X, kind: access, class: attempt, confidence: low, source: own,\n"
			       "     words: [own-x], match: {path: own-x}}\n";
static struct disk_source disk;

/* One small pack: reading all that are shipped takes longer than the rest of this test. */
static enum err get_file(struct conf_source *source, struct bytes path, struct arena *arena, struct bytes *out)
{
	(void)source;
	if (!bytes_eq(path, BYTES("own.yaml")))
		return disk.source.get(&disk.source, path, arena, out);
	*out = bytes_str(own_pack);
	return OK;
}

/* With the files that the configuration names, as the master makes it. */
static void give_setup(struct child *c)
{
	static const unsigned char setup[8] = { 1, 0, 0, 0, 0, 0, 1, 0 };
	struct conf_source files = { .get = get_file };
	struct bundle_writer w;
	struct conf *conf = NULL;
	struct conf_errors errors = { 0 };
	struct bytes text;
	char both[400];
	int fd;

	snprintf(both, sizeof(both), "%s%s", yaml, c->role == ROLE_WATCHER ? detect : "");
	text = bytes_str(both);
	disk_source_init(&disk, ".", "rules");
	bundle_writer_init(&w, &files, BYTES("sluis.yaml"), text);
	assert_int_equal(conf_load(BYTES("sluis.yaml"), text, &w.source, &conf, &errors), OK);
	conf_free(&conf);
	assert_int_equal(memfd_sealed("bundle", text_bytes(&w.out), &fd), OK);
	bundle_writer_fini(&w);
	give(c, MSG_SETUP, setup, sizeof(setup), fd);
}

static void begin(struct child *c, size_t program)
{
	static const unsigned char setup[8] = { 1, 0, 0, 0, 0, 0, 1, 0 }, seed[32];
	int control[2], fd;
	struct ipc_msg m;

	*c = (struct child){ .role = programs[program].role };
	for (size_t i = 0; i < ROLE_COUNT; i++)
		c->peers[i] = -1;
	assert_int_equal(ipc_pair(control), OK);
	c->control = control[0];
	c->pid = fork();
	if (c->pid == 0)
		run_program(c->role, control[1]);
	close(control[1]);
	give_setup(c);
	if (c->role == ROLE_WORKER)
		for (int kind = BOARD_MASTER; kind <= BOARD_ISOLATION; kind++)
			give_board(c, (enum board_kind)kind);
	if (c->role == ROLE_DIALER)
		give_board(c, BOARD_ISOLATION);
	if (c->role == ROLE_PROBER)
		give_board(c, BOARD_HEALTH);
	if (c->role == ROLE_SCRIBE) {
		char dir[] = "/tmp/messages_test.XXXXXX";

		assert_non_null(mkdtemp(dir));
		assert_int_equal(chmod(dir, 0777), 0); /* started by root it becomes nobody */
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_int_equal(rmdir(dir), 0); /* nothing is written: the keeper is not one */
		give(c, MSG_LEDGER_DIR, setup, sizeof(setup), fd);
		give_board(c, BOARD_LEDGER);
	}
	if (c->role == ROLE_IDENTITY) {
		snprintf(c->dir, sizeof(c->dir), "/tmp/messages_test.XXXXXX");
		assert_non_null(mkdtemp(c->dir));
		assert_int_equal(chmod(c->dir, 0777), 0);
		give(c, MSG_IDENTITY_DIR, "", 0, open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
		give_board(c, BOARD_SESSIONS);
		give_board(c, BOARD_SEEN);
	}
	if (c->role == ROLE_WATCHER) {
		give_board(c, BOARD_REQUESTS);
		give(c, MSG_ALERTS, "", 0, memfd_create("alerts", MFD_CLOEXEC));
	}
	if (c->role == ROLE_KEEPER) {
		give_ledger_key(c);
		assert_int_equal(memfd_sealed("seed", bytes_of(seed, sizeof(seed)), &fd), OK);
		give(c, MSG_TICKET_SEED, "", 0, fd);
	}
	for (size_t i = 0; i < programs[program].peer_count; i++)
		connect_peer(c, programs[program].peers[i]);
	give(c, MSG_START, "", 0, -1);
	assert_int_equal(hear(c->control, &m), OK);
	assert_int_equal(m.type, MSG_READY);
}

/* With the files in it, if it wrote any. */
static void remove_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (*e->d_name != '.')
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	closedir(d);
	assert_int_equal(rmdir(path), 0);
}

static int end(struct child *c)
{
	int status;

	fd_close(&c->control);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		fd_close(&c->peers[i]);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	if (*c->dir)
		remove_dir(c->dir);
	return status;
}

static void expect_told_on(struct child *c, enum role_id peer, const char *what)
{
	const unsigned char body[3] = { (unsigned char)peer, 0, 0 };
	struct ipc_msg m;
	enum err e;

	while ((e = hear(c->peers[peer], &m)) == OK) /* what it asked before */
		ipc_msg_close(&m);
	if (e != ERR_CLOSED)
		fail_msg("%s from %s: %s goes on listening", what, role_name(peer), role_name(c->role));
	if (hear(c->control, &m) != OK || m.type != MSG_VIOLATION ||
		memcmp(m.body.at, body, sizeof(body)) != 0)
		fail_msg("%s from %s: %s does not tell", what, role_name(peer), role_name(c->role));
	connect_peer(c, peer);
}

/* A sender that may say this type, but not in this size or with these descriptors. */
static unsigned wrong_forms(struct child *c, enum role_id peer, enum msg_type t)
{
	int sock = c->peers[peer];
	unsigned n = 2;

	say_raw(sock, t, NULL, messages[t].most + 1, 0, messages[t].fds);
	expect_told_on(c, peer, messages[t].name);
	say_raw(c->peers[peer], t, NULL, messages[t].least, 0, messages[t].fds + 1);
	expect_told_on(c, peer, messages[t].name);
	if (messages[t].least > 0) {
		say_raw(c->peers[peer], t, NULL, messages[t].least - 1, 0, messages[t].fds);
		expect_told_on(c, peer, messages[t].name);
		n++;
	}
	if (messages[t].fds > 0) {
		say_raw(c->peers[peer], t, NULL, messages[t].least, 0, 0);
		expect_told_on(c, peer, messages[t].name);
		n++;
	}
	return n;
}

static void peers_say_what_is_not_theirs(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t p = 0; p < COUNT_OF(programs); p++) {
		struct child c;

		begin(&c, p);
		for (size_t i = 0; i < programs[p].peer_count; i++) {
			enum role_id peer = programs[p].peers[i];

			for (unsigned t = MSG_NONE; t <= MSG_COUNT; t++) {
				if (t > MSG_NONE && t < MSG_COUNT &&
					is_said((enum msg_type)t, peer, c.role)) {
					tried += wrong_forms(&c, peer, (enum msg_type)t);
					continue;
				}
				say_raw(c.peers[peer], t, NULL, t < MSG_COUNT ? messages[t].least : 8, 0,
					t < MSG_COUNT ? messages[t].fds : 0);
				expect_told_on(&c, peer,
					t < MSG_COUNT && messages[t].name ? messages[t].name : "no type");
				tried++;
			}
		}
		if (end(&c) != 0)
			fail_msg("%s did not end well", role_name(programs[p].role));
	}
	assert_true(tried > 100);
}

static void a_master_out_of_turn_ends_the_process(void **state)
{
	(void)state;
	for (size_t p = 0; p < COUNT_OF(programs); p++)
		for (unsigned t = MSG_NONE + 1; t < MSG_COUNT; t++) {
			struct child c;
			struct ipc_msg m;
			int status;

			if (is_late((enum msg_type)t) &&
				is_said((enum msg_type)t, ROLE_MASTER, programs[p].role))
				continue;
			begin(&c, p);
			say_raw(c.control, t, NULL, messages[t].least, 0, messages[t].fds);
			if (hear(c.control, &m) != ERR_CLOSED)
				fail_msg("%s from the master: %s goes on", messages[t].name,
					role_name(c.role));
			status = end(&c);
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
				fail_msg("%s from the master: %s ended with %x", messages[t].name,
					role_name(c.role), (unsigned)status);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_say_what_is_not_theirs),
		cmocka_unit_test(a_master_out_of_turn_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
