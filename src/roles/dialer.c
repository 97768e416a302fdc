/* dialer: the only process that opens connections, and only to configured servers. A worker or the prober
 * names a pool and a server by number and gets a connected descriptor.
 * Names are looked up before the process confines itself. */
#include "roles/role.h"
#include "base/log.h"
#include "base/reader.h"
#include "base/text.h"
#include "conf/conf.h"
#include "jail/jail.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DIALS_PER_CHANNEL 256
#define ADDRESSES_MAX	  16

struct target { /* of one server, by its global number */
	struct addr list[ADDRESSES_MAX];
	size_t count, next;
};
struct dial {
	struct watch watch;
	struct timer timer;
	struct channel *channel;
	struct dial *next, **prev;
	uint32_t request;
	uint16_t pool, server;
	size_t tries, first; /* addresses tried so far; which came first */
	bool is_decided; /* the answer waits for room in the channel */
	enum err why;
	int error;
	struct addr to;
};
struct peer { /* channel->data */
	struct dial *dials;
	unsigned count;
};

static struct conf *conf;
static struct target *targets;
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
	unsigned char mem[32];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_put_u32(&t, d->request);
	text_put_u8(&t, (uint8_t)d->why);
	text_put_u32(&t, (uint32_t)d->error);
	if (d->why != OK)
		return role_send(d->channel, MSG_DIAL_FAILED, text_bytes(&t), NULL, 0);
	text_add(&t, bytes_of(d->to.ip, sizeof d->to.ip));
	text_put_u16(&t, d->to.port);
	return role_send(d->channel, MSG_DIALED, text_bytes(&t), &d->watch.fd, 1);
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
	if (send_answer(d) == ERR_AGAIN)
		role_want_write(d->channel, true);
	else
		dial_free(d); /* sent, or the other side is gone */
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
		if (send_answer(d) == ERR_AGAIN)
			return;
		dial_free(d);
	}
	role_want_write(c, false);
}

static void dial_next(struct dial *d, int error);

/* A connection to a free port of this machine can meet itself (simultaneous open): that is no server. */
static bool is_own_end(int fd)
{
	struct sockaddr_storage here = { 0 }, there = { 0 };
	socklen_t a = sizeof here, b = sizeof there;

	return getsockname(fd, (struct sockaddr *)&here, &a) == 0 && getpeername(fd, (struct sockaddr *)&there, &b) == 0 &&
		a == b && memcmp(&here, &there, a) == 0;
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

/* One address that is silent must not use up the time of all. */
static void on_time(struct timer *t)
{
	dial_next(CONTAINER_OF(t, struct dial, timer), ETIMEDOUT);
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

/* The next of the server's addresses; the answer when there is none left. */
static void dial_next(struct dial *d, int error)
{
	struct target *t = &targets[conf->pools[d->pool].servers[d->server].global];

	while (d->tries < t->count) {
		if (d->watch.fd >= 0) {
			loop_remove(loop, &d->watch, true);
			close(d->watch.fd);
			d->watch.fd = -1;
		}
		d->to = t->list[(d->first + d->tries++) % t->count];
		error = dial_connect(d);
		if (error == 0) {
			loop_timer_set(loop, &d->timer, conf->pools[d->pool].connect_ms / t->count, on_time);
			return;
		}
	}
	if (d->watch.fd >= 0) {
		loop_remove(loop, &d->watch, true);
		close(d->watch.fd);
		d->watch.fd = -1;
	}
	answer(d, t->count == 0 ? ERR_NOT_FOUND : error == ETIMEDOUT ? ERR_TIMEOUT : ERR_IO, error);
}

static void refuse_more(struct channel *c, uint32_t request)
{
	struct dial d = { .channel = c, .request = request, .why = ERR_LIMIT, .error = EAGAIN };

	if (send_answer(&d) != OK)
		LOG(EV_INTERNAL, KV_STR("what", "too many requests to the dialer at a time"));
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
	if (p->count >= DIALS_PER_CHANNEL) {
		refuse_more(from, request);
		return OK;
	}
	d = calloc(1, sizeof *d);
	if (!d)
		return ERR_MEMORY;
	*d = (struct dial){ .channel = from, .request = request, .pool = pool, .server = server, .watch.fd = -1 };
	d->next = p->dials;
	d->prev = &p->dials;
	if (d->next)
		d->next->prev = &d->next;
	p->dials = d;
	p->count++;
	d->first = targets[conf->pools[pool].servers[server].global].next++;
	dial_next(d, 0);
	return OK;
}

static enum err dialer_peer(struct role_run *run, struct channel *c)
{
	(void)run;
	c->data = calloc(1, sizeof(struct peer));
	return c->data ? OK : ERR_MEMORY;
}

static void dialer_peer_gone(struct role_run *run, struct channel *c)
{
	struct peer *p = c->data;

	(void)run;
	while (p && p->dials)
		dial_free(p->dials);
	free(p);
	c->data = NULL;
}

static void look_up(const struct conf_server *s, struct target *t)
{
	char name[256], port[8];
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC }, *list = NULL;

	snprintf(name, sizeof name, "%.*s", FMT(s->host));
	snprintf(port, sizeof port, "%u", s->port);
	if (getaddrinfo(name, port, &hints, &list) != 0) {
		LOG(EV_NAME_UNKNOWN, KV_BYTES("name", s->host));
		return;
	}
	for (struct addrinfo *a = list; a && t->count < ADDRESSES_MAX; a = a->ai_next)
		if (addr_from_sockaddr(a->ai_addr, a->ai_addrlen, &t->list[t->count]) == OK)
			t->count++;
	freeaddrinfo(list);
}

static enum err dialer_start(struct role_run *run)
{
	loop = run->loop;
	TRY(role_conf(run, &conf));
	targets = calloc(conf->server_total + 1, sizeof *targets);
	if (!targets)
		return ERR_MEMORY;
	for (size_t p = 0; p < conf->pool_count; p++)
		for (size_t s = 0; s < conf->pools[p].server_count; s++) {
			const struct conf_server *server = &conf->pools[p].servers[s];
			struct target *t = &targets[server->global];
			if (server->is_name) {
				look_up(server, t);
			} else {
				t->list[0] = server->address;
				t->count = 1;
			}
		}
	return OK;
}

static const struct role role_dialer = {
	.id = ROLE_DIALER,
	.syscalls = jail_dialer,
	.may_connect = true,
	.files = 65536,
	.hears = (const struct call[]){
		/* message   from                                   when          handler */
		{ MSG_DIAL,  FROM(ROLE_WORKER) | FROM(ROLE_PROBER), WHEN_RUNNING, on_dial },
		{ 0 },
	},
	.start = dialer_start,
	.peer = dialer_peer,
	.peer_gone = dialer_peer_gone,
	.writable = dialer_writable,
};

int main(int argc, char **argv)
{
	return role_main(&role_dialer, argc, argv);
}
