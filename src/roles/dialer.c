/* dialer: the only process that opens connections, and only to configured servers that are not isolated. A worker,
 * the prober or a directory names a pool and a server by number and gets a connected descriptor. It asks DNS for the names of
 * servers, again and again, and tells the workers when addresses have changed. */
#include "roles/role.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/text.h"
#include "board/board.h"
#include "board/isolation.h"
#include "conf/conf.h"
#include "crypto/random.h"
#include "jail/jail.h"
#include "ledger/ring.h"
#include "net/resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DIALS_PER_CHANNEL 1024
#define TTL_LEAST_MS      1000u
#define TTL_MOST_MS       3600000u
#define RETRY_MOST_MS     60000u
#define DNS_TIMEOUT_MS    1000 /* doubles with each of the tries */
#define DNS_TRIES         3
#define CHECKS_TOLD_MS    3600000u

struct target { /* of one server, by its global number */
	struct addr address;
	struct resolve_name *name; /* NULL: address is it */
	uint16_t pool, server;
	size_t next; /* which address comes first at the next dial */
	uint64_t checks_told_ms; /* when the ledger last heard that the prober is connected with it; 0: never */
};
struct dial {
	struct watch watch;
	struct timer timer;
	struct channel *channel;
	struct dial *next, **prev;
	uint32_t request;
	struct target *target;
	uint64_t end_ms;     /* the time of the pool is over */
	size_t tries, first; /* addresses tried so far; which came first */
	bool is_waiting;     /* for the first lookup of the name */
	bool is_decided;     /* the answer waits for room in the channel */
	enum err why;
	int error;
	struct addr to;
	uint64_t conn; /* in the ledger */
};
struct peer { /* channel->data */
	struct dial *dials;
	unsigned count;
	bool *news; /* of a worker, by server: its addresses are still to be told. NULL: not a worker */
	bool has_news;
};

static struct role_run *self;
static struct resolver *resolver;
static struct resolve_name *names;
static size_t name_count;
static struct conf *conf;
static struct ledger_ring *records; /* for the scribe; NULL: there is no ledger */
static const struct board_ledger *ledger;
static uint64_t conn_next; /* number of the next connection in the ledger */
static struct target *targets;
static const struct board_isolation *isolation;
static struct isolation_list isolated;
static struct loop *loop;

static void dial_free(struct dial *d)
{
	struct peer *p = d->channel->data;

	loop_timer_clear(loop, &d->timer);
	if (d->watch.fd >= 0) {
		loop_remove(loop, &d->watch, true);
		close(d->watch.fd);
	}
	*d->prev = d->next;
	if (d->next)
		d->next->prev = d->prev;
	p->count--;
	free(d);
}

static enum err send_answer(struct dial *d)
{
	unsigned char mem[40];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_put_u32(&t, d->request);
	text_put_u8(&t, (uint8_t)d->why);
	text_put_u32(&t, (uint32_t)d->error);
	if (d->why != OK)
		return role_send(d->channel, MSG_DIAL_FAILED, text_bytes(&t), NULL, 0);
	text_add(&t, bytes_of(d->to.ip, sizeof d->to.ip));
	text_put_u16(&t, d->to.port);
	text_put_u64(&t, d->conn);
	return role_send(d->channel, MSG_DIALED, text_bytes(&t), &d->watch.fd, 1);
}

static struct bytes name_of(const struct target *t, char out[LEDGER_TEXT_MAX])
{
	struct text name;

	text_init(&name, out, LEDGER_TEXT_MAX);
	text_add(&name, bytes_cut(conf->pools[t->pool].name, 0, 120));
	text_byte(&name, '/');
	text_add(&name, bytes_cut(conf->pools[t->pool].servers[t->server].name, 0, 130));
	return text_bytes(&name);
}

/* Before the descriptor is handed over: what a captured worker was connected with is known, whatever it tells later. The
 * prober's checks come by the second; that it is connected with a server is told once an hour. */
static void record_open(struct dial *d)
{
	char name[LEDGER_TEXT_MAX];
	struct ledger_record r = { .kind = LEDGER_OUT, .target = d->to, .name = name_of(d->target, name),
		.start_us = loop_real_us(loop) };

	if (d->channel->role == ROLE_WORKER) {
		d->conn = conn_next++;
		r.state = LEDGER_OPEN;
		r.conn = d->conn;
		r.owner = d->channel->index;
	} else if (d->channel->role == ROLE_DIRECTORY || d->channel->role == ROLE_IDENTITY) {
		r.outcome = d->channel->role == ROLE_IDENTITY ? BYTES("store") : BYTES("directory");
	} else {
		uint64_t now = loop_now_ms(loop);

		if (d->target->checks_told_ms && now - d->target->checks_told_ms < CHECKS_TOLD_MS)
			return;
		d->target->checks_told_ms = now;
		r.outcome = BYTES("health checks");
	}
	(void)ledger_ring_write(records, &r);
}

/* The worker is gone, or the server was isolated, before it had the descriptor. */
static void record_unused(struct dial *d)
{
	if (d->conn)
		(void)ledger_ring_write(records, &(struct ledger_record){ .kind = LEDGER_OUT, .state = LEDGER_CLOSE, .conn = d->conn,
			.owner = d->channel->index, .target = d->to, .end_us = loop_real_us(loop), .has_counts = true,
			.outcome = BYTES("not handed over") });
	d->conn = 0;
}

static bool is_refused(const struct dial *d)
{
	return conf->ledger.mode == CONF_LEDGER_STRICT && records && d->channel->role != ROLE_PROBER &&
		(__atomic_load_n(&ledger->state, __ATOMIC_RELAXED) != LEDGER_WRITES || ledger_ring_is_full(records));
}

/* Every request gets its answer: one that does not fit waits until the channel takes messages again. */
static void answer(struct dial *d, enum err why, int error)
{
	d->is_decided = true;
	d->why = why;
	d->error = error;
	loop_timer_clear(loop, &d->timer);
	if (d->watch.fd >= 0)
		loop_remove(loop, &d->watch, false);
	if (why == OK)
		record_open(d);
	switch (send_answer(d)) {
	case ERR_AGAIN: role_want_write(d->channel, true); break;
	case OK: dial_free(d); break;
	default: /* the other side is gone */
		record_unused(d);
		dial_free(d);
	}
}

/* The addresses of a server whose name has others now: the worker lets go of connections to those that are gone. */
static enum err tell_addresses(struct channel *c, const struct target *t)
{
	unsigned char mem[4 + 16 * RESOLVE_ADDRESS_MAX];
	struct text body;

	text_init(&body, mem, sizeof mem);
	text_put_u16(&body, t->pool);
	text_put_u16(&body, t->server);
	for (size_t i = 0; i < t->name->count; i++)
		text_add(&body, bytes_of(t->name->list[i].ip, sizeof t->name->list[i].ip));
	return role_send(c, MSG_ADDRESSES, text_bytes(&body), NULL, 0);
}

/* False: the channel is full, the rest waits for dialer_writable. */
static bool tell_news(struct channel *c)
{
	struct peer *p = c->data;

	for (size_t i = 0; p->news && p->has_news && i < conf->server_total; i++) {
		if (!p->news[i])
			continue;
		if (tell_addresses(c, &targets[i]) == ERR_AGAIN) {
			role_want_write(c, true);
			return false;
		}
		p->news[i] = false;
	}
	p->has_news = false;
	return true;
}

/* To a worker that may hold connections which a dialer before this one made, to addresses that are gone. */
static void tell_all(struct channel *c)
{
	struct peer *p = c->data;

	for (size_t i = 0; p->news && i < conf->server_total; i++)
		p->has_news |= p->news[i] = targets[i].name && targets[i].name->count;
	tell_news(c);
}

static void dialer_writable(struct role_run *run, struct channel *c)
{
	struct peer *p = c->data;
	struct dial *next;

	(void)run;
	for (struct dial *d = p->dials; d; d = next) {
		next = d->next;
		if (!d->is_decided)
			continue;
		switch (send_answer(d)) {
		case ERR_AGAIN: return;
		case OK: break;
		default: record_unused(d);
		}
		dial_free(d);
	}
	if (tell_news(c))
		role_want_write(c, false);
}

static void dial_next(struct dial *d, int error);

/* Per dial, so that nobody gets through between a change and the message that tells of it. */
static void isolation_look(void)
{
	if (board_isolation_is_news(isolation, &isolated))
		(void)board_isolation_read(isolation, &isolated); /* false: the next dial looks again */
}

static bool is_denied(const struct target *t)
{
	const struct conf_pool *p = &conf->pools[t->pool];

	return isolated.count && isolation_has_server(&isolated, p->name, p->servers[t->server].name);
}

/* A connection to a free port of this machine can meet itself (simultaneous open): that is no server. */
static bool is_own_end(int fd)
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	socklen_t a = sizeof here, b = sizeof there;

	return getsockname(fd, (struct sockaddr *)&here, &a) == 0 &&
	       getpeername(fd, (struct sockaddr *)&there, &b) == 0 && a == b && memcmp(&here, &there, a) == 0;
}

static void on_event(struct watch *w, uint32_t events)
{
	struct dial *d = CONTAINER_OF(w, struct dial, watch);
	int error = 0;
	socklen_t len = sizeof error;

	(void)events;
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		dial_next(d, error);
	else if (is_own_end(w->fd))
		dial_next(d, ECONNREFUSED);
	else
		answer(d, OK, 0);
}

static void on_time(struct timer *t)
{
	struct dial *d = CONTAINER_OF(t, struct dial, timer);

	d->is_waiting = false;
	dial_next(d, ETIMEDOUT);
}

static int dial_connect(struct dial *d)
{
	static const int on = 1;
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&d->to, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	d->watch = (struct watch){ .fd = fd, .on_event = on_event };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS)
		return errno;
	return loop_add(loop, &d->watch, EPOLLOUT) == OK ? 0 : EIO;
}

static void dial_close(struct dial *d)
{
	if (d->watch.fd < 0)
		return;
	loop_remove(loop, &d->watch, true);
	close(d->watch.fd);
	d->watch.fd = -1;
}

/* The next of the server's addresses; the answer when there is none left. One address that is silent must not use
 * up the time of all: each gets its share of what is left. */
static void dial_next(struct dial *d, int error)
{
	struct target *t = d->target;
	size_t count = t->name ? t->name->count : 1, denied = 0;
	uint64_t now = loop_now_ms(loop), left = d->end_ms > now ? d->end_ms - now : 0;

	dial_close(d);
	if (left == 0)
		error = ETIMEDOUT;
	while (left && d->tries < count) {
		d->to = t->name ? t->name->list[(d->first + d->tries) % count] : t->address;
		d->to.port = conf->pools[t->pool].servers[t->server].port;
		d->tries++;
		if (isolation_has_target(&isolated, &d->to)) {
			denied++;
			continue;
		}
		error = dial_connect(d);
		if (error == 0) {
			loop_timer_set(loop, &d->timer, left / (count - d->tries + 1), on_time);
			return;
		}
		dial_close(d);
	}
	answer(d, count == 0 ? ERR_NOT_FOUND : denied && !error ? ERR_DENIED : error == ETIMEDOUT ? ERR_TIMEOUT : ERR_IO, error);
}

/* Right after the start a name may have no answer yet: wait for it, as long as a connection may take. */
static void dial_begin(struct dial *d)
{
	const struct resolve_name *n = d->target->name;
	uint32_t connect_ms = conf->pools[d->target->pool].connect_ms;

	d->end_ms = loop_now_ms(loop) + connect_ms;
	if (n && n->count == 0 && !n->is_answered) {
		d->is_waiting = true;
		loop_timer_set(loop, &d->timer, connect_ms, on_time);
		return;
	}
	dial_next(d, 0);
}

static void wake_waiting(const struct resolve_name *n)
{
	struct dial *next;

	for (struct channel *c = self->channels; c; c = c->next) {
		struct peer *p = c->data;

		for (struct dial *d = p ? p->dials : NULL; d; d = next) {
			next = d->next;
			if (!d->is_waiting || d->target->name != n)
				continue;
			d->is_waiting = false;
			dial_next(d, 0);
		}
	}
}

/* A peer of ours never reaches the limit by more than it has answers to read. */
static enum err refuse_more(struct channel *c, uint32_t request)
{
	struct dial d = { .channel = c, .request = request, .why = ERR_LIMIT, .error = EAGAIN };
	enum err e = send_answer(&d);

	return e == ERR_AGAIN ? ERR_LIMIT : OK; /* it asks and does not listen: it is stopped */
}

static enum err on_dial(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct reader r = { .left = m->body };
	uint32_t request = reader_u32(&r);
	uint16_t pool = reader_u16(&r), server = reader_u16(&r);
	struct peer *p = from->data;
	struct dial *d;

	(void)run;
	if (!reader_done(&r) || pool >= conf->pool_count || server >= conf->pools[pool].server_count)
		return ERR_DENIED; /* only configured servers: anything else is not a worker of ours */
	if (conf->pools[pool].of != (from->role == ROLE_DIRECTORY ? CONF_POOL_DIRECTORY : from->role == ROLE_IDENTITY ? CONF_POOL_STORE : CONF_POOL_APPS))
		return ERR_DENIED; /* who speaks with browsers or checks servers has no way to directories or to the store, and who asks those none to apps */
	if (p->count >= DIALS_PER_CHANNEL)
		return refuse_more(from, request);
	d = calloc(1, sizeof *d);
	if (!d)
		return ERR_MEMORY;
	*d = (struct dial){ .channel = from,
		.request = request,
		.watch.fd = -1,
		.target = &targets[conf->pools[pool].servers[server].global] };
	d->next = p->dials;
	d->prev = &p->dials;
	if (d->next)
		d->next->prev = &d->next;
	p->dials = d;
	p->count++;
	d->first = d->target->next++;
	isolation_look();
	if (is_denied(d->target))
		answer(d, ERR_DENIED, EACCES);
	else if (is_refused(d))
		answer(d, ERR_DENIED, 0);
	else
		dial_begin(d);
	return OK;
}

static enum err on_board(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	uint8_t kind = m->body.at[0];
	void *at;

	(void)run, (void)from;
	if (kind != BOARD_LEDGER && kind != BOARD_RING && kind != BOARD_ISOLATION)
		return ERR_SYNTAX;
	TRY(board_map((enum board_kind)kind, m->fds[0], kind == BOARD_RING, &at));
	if (kind == BOARD_RING)
		records = at;
	else if (kind == BOARD_LEDGER)
		ledger = at;
	else
		isolation = at;
	return OK;
}

/* A connection that is ready but not yet fetched is taken back, one that is being made is given up. */
static void dial_recheck(struct dial *d)
{
	bool has_left = d->is_waiting || (d->is_decided && d->why != OK);

	if (!is_denied(d->target) && (has_left || !isolation_has_target(&isolated, &d->to)))
		return;
	d->is_waiting = false;
	dial_close(d);
	record_unused(d);
	if (d->is_decided) {
		d->why = ERR_DENIED;
		d->error = EACCES;
	} else {
		answer(d, ERR_DENIED, EACCES);
	}
}

static enum err on_isolation(struct role_run *run, struct channel *from, struct ipc_msg *m)
{
	struct dial *next;

	(void)from, (void)m;
	if (!run->is_running)
		return OK;
	isolation_look();
	for (struct channel *c = run->channels; c; c = c->next) {
		struct peer *p = c->data;

		for (struct dial *d = p ? p->dials : NULL; d; d = next) {
			next = d->next;
			dial_recheck(d);
		}
	}
	return OK;
}

static enum err dialer_peer(struct role_run *run, struct channel *c)
{
	struct peer *p = calloc(1, sizeof *p);

	c->data = p;
	if (!p)
		return ERR_MEMORY;
	if (c->role != ROLE_WORKER)
		return OK;
	p->news = calloc(BOARD_SERVERS_MAX, sizeof *p->news);
	if (!p->news)
		return ERR_MEMORY;
	if (run->is_running)
		tell_all(c);
	return OK;
}

static void dialer_peer_gone(struct role_run *run, struct channel *c)
{
	struct peer *p = c->data;

	(void)run;
	while (p && p->dials) {
		record_unused(p->dials);
		dial_free(p->dials);
	}
	if (p)
		free(p->news);
	free(p);
	c->data = NULL;
}

static void log_addresses(const struct resolve_name *n)
{
	unsigned char mem[1024];
	struct text t;

	text_init(&t, mem, sizeof mem);
	for (size_t i = 0; i < n->count && t.len < 900; i++) {
		if (i)
			text_byte(&t, ' ');
		addr_write_ip(&n->list[i], &t);
	}
	LOG(EV_NAME_ADDRESSES, KV_STR("name", n->host), KV_UINT("count", n->count),
		KV_BYTES("addresses", text_bytes(&t)));
}

static void on_name(struct resolve_name *n, enum resolve_event what)
{
	switch (what) {
	case RESOLVE_RECOVERED:
	case RESOLVE_CHANGED: log_addresses(n); break;
	case RESOLVE_FAILED:
		if (n->count)
			LOG(EV_NAME_STALE, KV_STR("name", n->host), KV_STR("why", n->error));
		else
			LOG(EV_NAME_UNKNOWN, KV_STR("name", n->host), KV_STR("why", n->error));
		break;
	}
	wake_waiting(n);
	if (what != RESOLVE_CHANGED)
		return;
	for (struct channel *c = self->channels; c; c = c->next) {
		struct peer *p = c->data;

		for (size_t i = 0; p && p->news && i < conf->server_total; i++)
			if (targets[i].name == n)
				p->news[i] = p->has_news = true;
		if (p)
			tell_news(c);
	}
}

static struct resolve_name *find_name(struct bytes host)
{
	for (size_t i = 0; i < name_count; i++)
		if (bytes_eq_nocase(bytes_str(names[i].host), host))
			return &names[i];
	return NULL;
}

static enum err target_init(struct target *t, const struct conf_server *s)
{
	if (!s->is_name) {
		t->address = s->address;
		return OK;
	}
	t->name = find_name(s->host);
	if (t->name)
		return OK;
	t->name = &names[name_count];
	TRY(resolver_add(resolver, s->host, t->name));
	name_count++;
	if (t->name->is_fixed)
		log_addresses(t->name);
	return OK;
}

static enum err dialer_start(struct role_run *run)
{
	struct resolver_conf rc = { .loop = run->loop,
		.ttl_least_ms = TTL_LEAST_MS,
		.ttl_most_ms = TTL_MOST_MS,
		.retry_least_ms = TTL_LEAST_MS,
		.retry_most_ms = RETRY_MOST_MS,
		.timeout_ms = DNS_TIMEOUT_MS,
		.tries = DNS_TRIES,
		.on_event = on_name };
	const char *why = "";

	self = run;
	loop = run->loop;
	if (!isolation || (records && !ledger))
		return ERR_ORDER;
	random_bytes(&conn_next, sizeof conn_next);
	conn_next = (conn_next >> 1 & ~UINT64_C(0xffffffff)) + 1; /* 31 random bits, so that processes differ */
	(void)board_isolation_read(isolation, &isolated);
	TRY(role_conf(run, &conf));
	targets = calloc(conf->server_total + 1, sizeof *targets);
	names = calloc(conf->server_total + 1, sizeof *names);
	if (!targets || !names)
		return ERR_MEMORY;
	rc.servers = conf->resolvers;
	rc.server_count = conf->resolver_count;
	if (resolver_new(&rc, &resolver, &why) != OK) {
		LOG(EV_SYSTEM, KV_STR("call", "start DNS lookups"), KV_STR("error", why));
		return ERR_IO;
	}
	for (size_t p = 0; p < conf->pool_count; p++)
		for (size_t s = 0; s < conf->pools[p].server_count; s++) {
			struct target *t = &targets[conf->pools[p].servers[s].global];

			*t = (struct target){ .pool = (uint16_t)p, .server = (uint16_t)s };
			TRY(target_init(t, &conf->pools[p].servers[s]));
		}
	return OK;
}

static enum err dialer_run(struct role_run *run)
{
	for (struct channel *c = run->channels; c; c = c->next)
		tell_all(c);
	resolver_start(resolver);
	return OK;
}

static const struct role role_dialer = {
	.id = ROLE_DIALER,
	.syscalls = jail_dialer,
	.may_connect = true,
	.files = 65536,
	.hears =
		(const struct call[]){
			/* message   from                                   when          handler */
			{ MSG_DIAL, FROM(ROLE_WORKER) | FROM(ROLE_PROBER) | FROM(ROLE_DIRECTORY) | FROM(ROLE_IDENTITY), WHEN_RUNNING, on_dial },
			{ MSG_BOARD, FROM(ROLE_MASTER), WHEN_SETUP, on_board },
			{ MSG_ISOLATION, FROM(ROLE_MASTER), WHEN_SETUP | WHEN_RUNNING, on_isolation },
			{ 0 },
		},
	.start = dialer_start,
	.run = dialer_run,
	.peer = dialer_peer,
	.peer_gone = dialer_peer_gone,
	.writable = dialer_writable,
};

int main(int argc, char **argv)
{
	return role_main(&role_dialer, argc, argv);
}
