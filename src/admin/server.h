/* The administrators' socket: a unix socket of mode 0600; one JSON object in a line is the request, one JSON
 * object in a line is the answer, then the connection closes. This room carries them; what they mean is for
 * the master and the cli. */
#ifndef ADMIN_SERVER_H
#define ADMIN_SERVER_H

#include "base/text.h"
#include "loop/loop.h"

#include <jansson.h>
#include <sys/types.h>

#define ADMIN_REQUEST_MAX 4096
#define ADMIN_ANSWER_MAX  (4u << 20)
#define ADMIN_CONNS_MAX	  16
#define ADMIN_TIMEOUT_MS  5000 /* for a request to come, and for an answer to be taken */

struct admin_server;
struct admin_conn {
	struct watch watch;
	struct timer timer;
	struct admin_server *server; /* NULL: free */
	uid_t uid;		     /* who is at the other end, as the kernel says */
	bool is_asked;		     /* the request came; the answer is owed */
	unsigned char in[ADMIN_REQUEST_MAX];
	size_t in_len, sent;
	struct text out;
};
struct admin_server {
	struct watch watch;
	struct loop *loop;
	void *ctx;
	/* Owes admin_answer(c), now or later. request is borrowed. */
	void (*on_request)(struct admin_server *s, struct admin_conn *c, json_t *request);
	/* The asker went away before its answer: forget c. */
	void (*on_gone)(struct admin_server *s, struct admin_conn *c);
	struct admin_conn conns[ADMIN_CONNS_MAX];
	char path[108];
};

/* Listens at path. ERR_ORDER: another process answers there; ERR_LIMIT: the path is too long; ERR_IO: errno says. */
enum err admin_open(struct admin_server *s, struct loop *loop, struct bytes path) MUST_USE;
/* Closes everything and removes the socket. */
void admin_close(struct admin_server *s);
/* Takes answer's reference. */
void admin_answer(struct admin_conn *c, json_t *answer);

/* The client's side, for the cli: blocks. The answer is the caller's reference. */
enum err admin_call(const char *path, const json_t *request, unsigned timeout_s, json_t **answer) MUST_USE;

#endif
