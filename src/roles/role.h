/* What keeper, dialer, prober and worker have in common: start-up over the control channel, confinement,
 * and the table of messages that a role hears. Whoever sends something else is stopped.
 *
 * A role's main is one line: return role_main(&keeper, argc, argv). The master gives descriptor 3, then sends
 * MSG_SETUP, the rest of the hand-over, MSG_START; role_main calls the handlers of the table on the way, then
 * role->start, confines the process, role->run, MSG_READY, and runs the loop until role_exit or until the
 * control channel closes. One thread, everything here belongs to it. */
#ifndef ROLES_ROLE_H
#define ROLES_ROLE_H

#include "ipc/frame.h"
#include "loop/loop.h"

#define ROLE_CONTROL_FD 3

struct role_run;

/* This end of a channel to another process. role.c owns it and closes it; fd is watch.fd. */
struct channel {
	struct watch watch;
	enum role_id role; /* who is at the other end, as the master said */
	uint16_t index;
	struct role_run *run;
	struct channel *next;
	void *data; /* the role's own */
	bool is_closed, wants_write;
};

#define WHEN_SETUP   1u /* before MSG_START */
#define WHEN_RUNNING 2u
#define FROM(role)   (1u << (role))

struct call {
	enum msg_type type;
	unsigned from; /* FROM(ROLE_WORKER) | ... */
	unsigned when; /* WHEN_... */
	/* m->body's size and the number of descriptors are already what messages.tbl says. Set m->fds[i] to -1
	 * to keep a descriptor; the others are closed after the call. Anything but OK: the sender is stopped
	 * (the master: this process ends). */
	enum err (*handle)(struct role_run *run, struct channel *from, struct ipc_msg *m);
};

struct role {
	enum role_id id;
	const int *syscalls;	  /* jail/jail.h; jail_base is added */
	bool may_connect;	  /* TCP */
	unsigned files;		  /* RLIMIT_NOFILE wanted */
	const struct call *hears; /* ends with { 0 }; MSG_SETUP, MSG_PEER, MSG_START are role.c's */
	/* All may be NULL. */
	enum err (*start)(struct role_run *run); /* everything is there; last moment before the jail */
	enum err (*run)(struct role_run *run);	 /* confined; messages and sockets come from now on */
	enum err (*peer)(struct role_run *run, struct channel *c); /* a channel came (before or after start) */
	/* A channel is going: forget c and c->data after this call. A new one may come with the same index. */
	void (*peer_gone)(struct role_run *run, struct channel *c);
	void (*writable)(struct role_run *run, struct channel *c); /* after role_want_write(c, true) */
	void (*end)(struct role_run *run); /* the loop is over; the last that is done */
};

struct role_run {
	const struct role *role;
	struct loop *loop;
	uint32_t generation;
	uint16_t index;	  /* of this process within its role */
	uint16_t workers; /* how many workers there are */
	const char *writes; /* set before MSG_START: the folder for files (jail.h); NULL: none */
	struct bytes bundle; /* the configuration bundle, mapped read-only; see role_conf */
	struct channel *control, *channels; /* channels: peers only */
	void *data; /* the role's own */
	bool is_running;
	int exit_status;
};

int role_main(const struct role *r, int argc, char **argv);
/* Sends to c. ERR_AGAIN: its buffer is full, keep the message and role_want_write; ERR_CLOSED: it is going,
 * peer_gone will be called. */
enum err role_send(struct channel *c, enum msg_type type, struct bytes body, const int *fds, unsigned fd_count) MUST_USE;
/* Calls role->writable whenever c can take messages, until switched off. */
void role_want_write(struct channel *c, bool on);
/* The channel to a process, or NULL. */
struct channel *role_find_peer(struct role_run *run, enum role_id role, uint16_t index);
/* Closes c because what it sent was wrong, logs it, and tells the master, who stops the sender. For mistakes that a
 * role finds later than in its handler. */
void role_violation(struct channel *c, const char *what);
/* Ends the loop; the process exits with status. */
void role_exit(struct role_run *run, int status);

/* Loads the configuration from the bundle (roles/role_conf.c); for role->start. The snapshot lives as long as the process,
 * or until role_conf_again. */
struct conf;
enum err role_conf(struct role_run *run, struct conf **out) MUST_USE;
/* Loads another one, of the bundle bundle_fd (the caller's), in place of *conf, which is freed with all that looks into it. For who goes on over
 * generations. Not OK: *conf is as it was. */
enum err role_conf_again(struct role_run *run, int bundle_fd, struct conf **conf) MUST_USE;

/* MSG_SIGN to the keeper, and what comes back (roles/role_sign.c). ERR_AGAIN: there is no keeper (NULL), or it is busy. */
enum err role_sign(struct channel *keeper, uint32_t request, uint16_t key, uint16_t scheme, struct bytes digest) MUST_USE;
enum err role_on_signed(struct role_run *run, struct channel *from, struct ipc_msg *m) MUST_USE;

#endif
