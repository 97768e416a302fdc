/* Frames and descriptors between processes, over SOCK_SEQPACKET socketpairs: one message, one packet. A
 * message is a u16 type and a body; each has a least and a most size, senders that may send it and a
 * handler, as a table. What the table does not allow stops its sender. */
#ifndef IPC_FRAME_H
#define IPC_FRAME_H

#include "base/bytes.h"
#include "base/text.h"

#define IPC_BODY_MAX 4096 /* larger things travel as a sealed memfd */
#define IPC_FDS_MAX  4

enum role_id { ROLE_MASTER, ROLE_WORKER, ROLE_KEEPER, ROLE_DIALER, ROLE_PROBER, ROLE_SCRIBE, ROLE_WATCHER, ROLE_IDENTITY, ROLE_HASHER, ROLE_DIRECTORY, ROLE_COUNT };
const char *role_name(enum role_id r);

/* Every message between processes. MSG(symbol, "name", least, most, fds, "from -> to: what it says"). */
enum msg_type {
	MSG_NONE,
#define MSG(sym, name, least, most, fds, doc) sym,
#include "ipc/messages.tbl"
#undef MSG
	MSG_COUNT
};

const char *ipc_msg_name(enum msg_type t);

struct ipc_msg {
	enum msg_type type;
	struct bytes body; /* a view into the receiver's buffer */
	int fds[IPC_FDS_MAX]; /* owned by the receiver of the message, who sets to -1 what it keeps */
	unsigned fd_count;
	bool fds_lost; /* this process was out of descriptors: some of fds are -1. The sender did nothing wrong */
};

/* ERR_AGAIN when the socket's buffer is full, ERR_CLOSED when the other side is gone. fds stay the caller's. */
enum err ipc_send(int sock, enum msg_type type, struct bytes body, const int *fds, unsigned fd_count) MUST_USE;
/* Reads one message into buf[IPC_BODY_MAX + 2]. When this process has no descriptor left, a message comes without those
 * that it brought, and fds_lost says so. ERR_AGAIN: none there. ERR_CLOSED: end. ERR_SYNTAX: not a
 * message by messages.tbl (type, size, number of descriptors; too long): the sender is to be stopped; all
 * descriptors it sent have been closed. */
enum err ipc_recv(int sock, unsigned char *buf, struct ipc_msg *out) MUST_USE;
void ipc_msg_close(struct ipc_msg *m); /* closes the descriptors that were not kept */
enum err ipc_pair(int out[2]) MUST_USE; /* non-blocking, close-on-exec */

/* Pure half of ipc_recv, for tests and fuzzing. */
enum err ipc_parse(struct bytes packet, unsigned fd_count, struct ipc_msg *out) MUST_USE;

#endif
