/* The proxy of one worker: what its connections share, and the objects of the data path. One thread owns
 * all of it. roles/worker.c builds it from what the master hands over; tests build it from socketpairs. */
#ifndef PROXY_ENGINE_H
#define PROXY_ENGINE_H

#include "balance/balance.h"
#include "board/board.h"
#include "board/isolation.h"
#include "board/sessions.h"
#include "conf/conf.h"
#include "http/params.h"
#include "ledger/ring.h"
#include "http1/chunk.h"
#include "http1/write.h"
#include "proxy/admit.h"
#include "proxy/io.h"
#include "proxy/route.h"

#define DIALS_MAX	256		/* asked of the dialer and not answered */
#define EXCHANGE_ARENA	(24 * 1024)
#define REQUEST_ID_LEN	24

struct client;
struct exchange;
struct upstream;

struct listener {
	struct watch watch; /* the shared listening socket */
	struct engine *engine;
	const struct conf_listener *conf; /* NULL: the administrator's listener */
	struct tls_server *tls;
	bool is_open; /* watched, but for pauses */
};

struct pool {
	const struct conf_pool *conf;
	struct balance_pool balance;
	struct retry_budget budget;
	struct tls_client *tls;
	struct upstream **kept; /* per server: open and unused, latest first */
	uint32_t *kept_count;
	struct bytes *addresses; /* per server: what its name stands for, 16 each; empty: the dialer said nothing */
	struct exchange *queue_first, **queue_last; /* waiting for a free connection */
	uint32_t queued;
	bool *isolated; /* per server: an administrator said so */
	size_t isolated_count;
};

struct engine {
	struct loop *loop;
	const struct conf *conf;
	struct router *router;
	struct arena arena; /* of the engine's life */
	struct arena scratch; /* of one condition */
	struct buf_pool bufs;
	struct listener *listeners;
	size_t listener_count;
	struct pool *pools;
	struct client *clients;	      /* all of them */
	uint32_t client_count;
	uint32_t files_for_clients; /* descriptors from this number on are for servers, or clients would shut them out */
	struct client *later;
	struct timer later_timer, second;
	struct timer queue_timer; /* set while a pool's queue has somebody */
	struct timer accept_timer; /* set while out of descriptors: until when nothing is accepted */
	struct exchange *free_exchanges;
	unsigned free_exchange_count;
	struct { struct exchange *x; uint32_t serial; bool in_use; uint16_t pool, server; } dials[DIALS_MAX];
	uint32_t dial_count;
	/* Sends MSG_DIAL; set by the role. ERR_AGAIN: no dialer now. */
	enum err (*dial)(struct engine *g, uint32_t request, uint16_t pool, uint16_t server);
	/* Sends MSG_IDENTITY_ASK; set by the role. ERR_AGAIN: identity cannot be asked now. */
	enum err (*ask)(struct engine *g, struct bytes call);
	struct { struct exchange *x; uint32_t serial; } asks[ADMIT_ASKS_MAX];
	uint32_t ask_serial;
	struct sha256 *sha; /* for tokens: fetched once; NULL: there is no gateway */
	bool sessions_news; /* some have ended: connections are to be cut at the turn's end */
	void *role; /* the role's own */
	int access_fd; /* -1: no log */
	struct text access_out;
	uint64_t access_lost_logged_ms, access_lost;
	struct board_worker *board;		/* our own */
	struct board_worker *others[BOARD_WORKERS_MAX]; /* all workers', our own included, or NULL */
	struct ledger_ring *records; /* for the scribe; NULL: there is no ledger */
	const struct board_ledger *ledger;
	struct requests_ring *seen; /* for the watcher; NULL: nobody watches */
	const struct board_sessions *sessions; /* NULL: there is no gateway */
	struct board_seen *sessions_seen;
	uint64_t conn_next; /* number of the next connection or use in the ledger */
	const struct board_health_board *health;
	const struct board_master *admin;
	struct board_limits *limits;
	const struct board_isolation *isolation;
	struct isolation_list isolated; /* our copy of it */
	bool isolation_news;		/* it is new: connections are to be cut at the turn's end */
	struct client *cuts;		/* those to be cut */
	unsigned char hash_key[16]; /* limits' own: for SipHash over what strangers choose */
	uint64_t random;
	uint64_t id_prefix, id_next; /* request ids */
	bool is_draining;
	uint64_t draining_until_ms;
	void (*on_drained)(struct engine *g);
	char date[30];
	uint64_t date_s;
	uint16_t worker_count, index;
};

enum err engine_init(struct engine *g, struct loop *loop, const struct conf *conf, struct tls_signer *signer,
	char *error, size_t error_size) MUST_USE;
void engine_fini(struct engine *g);
/* Takes over a listening socket. listener: conf's index, or CONF_ADMIN_LISTENER. */
enum err engine_listen(struct engine *g, uint16_t listener, int fd) MUST_USE;
/* The dialer's answers. fd is taken over; -1 when it failed. */
void engine_dialed(struct engine *g, uint32_t request, int fd, const unsigned char ip[16], uint64_t conn);
void engine_dial_denied(struct engine *g, uint32_t request); /* because the server is isolated */
/* A server's name stands for these addresses now (16 octets each; copied). Connections to others are closed: unused
 * ones at once, the others after their answer. ERR_SYNTAX: no such server, or not addresses. ERR_MEMORY. */
enum err engine_addresses(struct engine *g, uint16_t pool, uint16_t server, struct bytes list) MUST_USE;
void engine_dial_lost(struct engine *g); /* the dialer is gone: all that waits fails */
void engine_dial_back(struct engine *g); /* there is a dialer again: those in the queues go on */
void engine_drain(struct engine *g, uint32_t limit_ms);
/* Out of descriptors or memory: connections wait in the listening queue for a while, where other workers may take them;
 * a level-triggered descriptor would only be told of over and over. */
void engine_accept_pause(struct engine *g);
uint64_t engine_random(struct engine *g);

/* --- sessions (admit.c) --- */
enum err engine_identity_answer(struct engine *g, struct bytes body) MUST_USE;
void engine_identity_lost(struct engine *g); /* identity is gone: all that waits for it is answered */
void engine_sessions_ended(struct engine *g); /* some have: at the turn's end what is live of them is cut */
void engine_sessions_cut(struct engine *g);

/* --- what is isolated (isolate.c) --- */
void engine_isolation_read(struct engine *g);
/* Where connections and requests begin: one load and one compare as long as nothing has changed. */
static inline void engine_isolation_look(struct engine *g)
{
	if (UNLIKELY(board_isolation_is_news(g->isolation, &g->isolated)))
		engine_isolation_read(g);
}
void engine_isolation_mark(struct engine *g); /* which servers it is about, after addresses have changed */
void engine_isolation_cut(struct engine *g);  /* at the turn's end, when nobody is in the middle of anything */
/* ip: where the connection leads, or NULL. */
bool pool_is_isolated(const struct engine *g, const struct pool *p, uint16_t server, const unsigned char *ip);

/* --- a client's connection --- */
enum client_state { CLIENT_HANDSHAKE, CLIENT_IDLE, CLIENT_HEAD, CLIENT_EXCHANGE, CLIENT_TUNNEL, CLIENT_LINGER };
struct client {
	struct io io;
	struct client *next, **prev;
	struct engine *engine;
	struct listener *listener;
	enum client_state state;
	struct addr peer;
	uint64_t accepted_ms;
	uint32_t requests;
	uint64_t count_key; /* of the peer's address */
	bool is_counted;    /* on our board */
	struct timer timer;
	struct buf in;
	size_t scanned;
	struct exchange *x;
	struct tls_facts tls;
	uint64_t conn;	 /* in the ledger */
	struct use *uses; /* servers that it has used, latest first */
	uint64_t bytes_in, bytes_out; /* of its exchanges */
	uint16_t use_count;
	const char *why_ended; /* for the ledger; NULL: as usual */
	bool closes; /* after this answer */
	struct client *later_next, **later_prev; /* on engine's list of those to run at the turn's end */
	struct client *cut_next, **cut_prev;	 /* on engine's list of those to be cut */
	struct admit_session *session; /* of the last token that it showed; NULL: none */
	bool had_secret; /* a token or a password came over it: what it was read into is wiped */
};
void client_accept(struct listener *l);
/* Tries everything that may go on now. May free c. */
void client_run(struct client *c);
void client_close(struct client *c);
void client_run_later(struct engine *g);
void client_exchange_done(struct client *c); /* the answer was sent whole */
void client_reset(struct client *c, const char *why); /* cuts both sides, with what is still in the kernel. Frees c. why: literal, for log and ledger */
void client_to_cut(struct client *c);
void client_not_cut(struct client *c);

/* One client connection's use of one server, from the first request on: what the ledger's question is about. */
struct use {
	struct use *next;
	uint64_t conn, start_us, requests, bytes_in, bytes_out;
	const struct conf_pool *pool;
	struct addr client;
	unsigned char ip[16]; /* of the server */
	uint16_t server;
};

/* --- one request and its answer --- */
enum exchange_phase { X_NEW, X_ASKING, X_FORM, X_QUEUED, X_DIALING, X_RELAY };
struct exchange {
	struct exchange *next_free;
	struct exchange *queue_next, **queue_prev;
	struct client *client;
	struct engine *engine;
	enum exchange_phase phase;
	struct arena arena;
	struct http_request req;
	struct policy_input input;
	struct http_response res;
	struct pool *pool;
	uint16_t pool_index;
	uint16_t server;
	struct upstream *up;
	struct timer timer;	/* queue, dial, answer, total */
	uint64_t started_us, real_us, sent_us, total_until_ms, try_until_ms;
	struct buf up_in; /* from the client, behind what came with the head */
	struct buf up_out, out; /* towards the server, towards the client */
	struct chunk_reader up_chunks, down_chunks;
	struct text up_trailers, down_trailers; /* in the arena, once there is a chunked body */
	uint64_t up_left, down_left; /* of bodies with a length */
	uint64_t body_in, body_out;  /* for the log */
	struct use *use; /* of the server that it went to last */
	uint16_t status;
	uint8_t tries;
	bool up_broken;	      /* the server takes no more; its answer may still come */
	bool is_tunnel, client_ended, server_ended; /* of an upgraded connection */
	bool up_done;	      /* the request was taken whole from the client */
	bool up_any_body;     /* some of its body was taken: cannot be sent again */
	bool head_written;    /* of the answer, to the client's buffer */
	bool any_answer;      /* bytes came from the server */
	bool down_done;	      /* the answer is in the client's buffer whole */
	bool sent_continue;
	bool peer_is_trusted;
	bool is_local;	      /* answered by us */
	bool re_chunk;	      /* the answer goes out chunked */
	bool sticky_set;      /* a cookie is to be set */
	bool tried_fresh;     /* a kept connection failed once without an answer */
	bool is_counted;      /* active was raised on the board */
	bool is_isolated;     /* that is why we answer: it gets the page of its own */
	bool was_denied;      /* the dialer refused a server because it is isolated */
	uint32_t dial_slot;   /* + 1; 0: none */
	bool *tried;	      /* per server of the pool */
	const struct policy_rule *rule; /* the last that took part, for the log */
	const char *refusal;  /* why we answered ourselves, for the log */
	const char *tls_error; /* of the last handshake with a server that failed */
	struct http1_edit *edits; /* by policies, for request and answer */
	struct bytes tags[POLICY_TAGS_MAX];
	size_t tag_count;
	char id[REQUEST_ID_LEN + 1];
	const struct admit_session *session; /* who asks; NULL: nobody has signed in. The client's own */
	const struct conf_app *app;	     /* whose host it is for */
	struct admit *admit;		     /* where the gateway answers */
	bool lacks_device;		     /* its session is bound to a key of the device, and the proof of that is missing */
	bool lacks_factor;		     /* it goes to the portal for a second factor, wherever the portal sees it come from */
	bool has_secret;		     /* a token of ours was shown: what held it is wiped */
	bool is_behind;			     /* the gateway let it in: its answer is looked at too */
	struct bytes denied_by;		     /* the part of allow that did not hold, as written */
	struct bytes local_head;	     /* of an answer by the gateway: whole lines in place of the usual ones; empty: none */
	bool local_keeps;		     /* it may be kept by caches: local_head says for how long */
};
struct exchange *exchange_new(struct client *c);
void exchange_free(struct exchange *x);
/* Decides and starts: the head in x->req is canonical. */
void exchange_start(struct exchange *x);
/* Moves bytes as far as they go. False: x and its client are gone. */
bool exchange_pump(struct exchange *x) MUST_USE;
void exchange_upstream_ready(struct exchange *x, struct upstream *u);
void exchange_upstream_failed(struct exchange *x, enum err e); /* dial failed or connection broke */
/* Answers by ourselves. why: a short stable name for the log. */
void exchange_refuse(struct exchange *x, unsigned status, const char *why);
/* Because of an isolation: 403 about who asks, 503 about what was asked for. */
void exchange_refuse_isolated(struct exchange *x, unsigned status);
bool exchange_is_isolated(const struct exchange *x); /* its client, its user, or this whole node */
/* Its server is isolated: another one if that is safe, else it is answered or cut. May free x. */
void exchange_leave_server(struct exchange *x);
void exchange_reply(struct exchange *x, unsigned status, struct bytes content_type, struct bytes location,
	struct bytes body);
void exchange_id(struct exchange *x); /* makes x->id once */
void exchange_write_local(struct exchange *x, struct text *t, unsigned status, struct bytes type, struct bytes location,
	struct bytes body);
/* An expression's value, which lives as long as the request. */
struct bytes exchange_string(struct exchange *x, const struct policy_expr *e);
void exchange_fill_input(struct exchange *x); /* what expressions look at */
bool exchange_decide(struct exchange *x); /* policies and routes; false: it has been answered, or waits */
void exchange_go(struct exchange *x); /* who asks is known: decides, and goes on to a server */
/* False: what the policies make of the answer cannot be told, or has no room; it must not go on. */
bool exchange_decide_response(struct exchange *x);
enum err exchange_write_request(struct exchange *x) MUST_USE;
enum err exchange_write_response(struct exchange *x) MUST_USE;

/* --- connections to servers --- */
struct upstream {
	struct io io;
	struct engine *engine;
	struct pool *pool;
	uint16_t server;
	unsigned char ip[16]; /* where it leads */
	uint64_t conn;	      /* in the ledger */
	uint64_t bytes_in, bytes_out; /* of bodies, towards the server and back */
	struct exchange *x; /* NULL while kept */
	struct upstream *next, **prev;
	struct timer timer;
	struct buf in;
	size_t scanned;
	uint32_t requests;
	bool had_secret;       /* its exchange has one: the answer may repeat it, or be for one person alone */
	const char *why_ended; /* for the ledger; NULL: as usual */
};
/* Finds a server and a connection, or waits, or answers 502, 503, 504. */
void upstream_get(struct exchange *x);
/* Gives the connection back; keep: it may serve again. */
/* Arms x's timer: this long at most, and not longer than the try and the whole request may take. */
void exchange_timer(struct exchange *x, uint32_t ms);
void exchange_queue_timer(struct exchange *x);
void exchange_wait(struct exchange *x, uint32_t ms); /* for identity, or a form: then admit_on_time */
void upstream_done(struct upstream *u, bool keep);
void upstream_close(struct upstream *u);
void upstream_reset(struct upstream *u, const char *why); /* before it is closed: with all that is still on its way */
void upstream_uncount(struct exchange *x);
/* x waits no more: it leaves the queue, and what it asked of the dialer comes all the same and is kept for others. */
void upstream_stop_waiting(struct exchange *x);
void upstream_note_failure(struct engine *g, struct pool *p, uint16_t server);
void upstream_note_answer(struct exchange *x);
struct board_worker_server *server_row(struct engine *g, const struct pool *p, uint16_t server);

/* --- records for the ledger (proxy/record.c) --- */
/* Strict, and the ledger cannot be written: nobody new. */
bool record_refuses(const struct engine *g);
void record_client_open(struct client *c);
void record_client_close(struct client *c);
void record_uses_end(struct client *c);
void record_use(struct exchange *x); /* x->up is there: the first time a use begins */
void record_exchange_end(struct exchange *x); /* its bytes count */
void record_upstream_done(struct upstream *u);
void record_upstream_close(struct upstream *u);
void record_policy(struct exchange *x, unsigned status, const char *why);

/* --- records --- */
void access_log_write(struct exchange *x);
void access_log_flush(struct engine *g);
void metrics_answer(struct exchange *x); /* /metrics and /health */
void metrics_write(struct engine *g, struct text *out);

#endif
