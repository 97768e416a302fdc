/* Both families are asked for at the same time, as two lookups: one DNS server in front of which IPv6 questions
 * vanish must not hold up the addresses that the other family has. */
#include "net/resolve.h"

#include <ares.h>
#include <stdlib.h>

#define NAMES_AT_A_TIME 64
#define COLLECT_MAX     256  /* addresses of one answer that are looked at */
#define EDNS_SIZE       1232 /* fits into one packet on any path, so that few answers need TCP */

struct resolver_socket { /* one of c-ares' */
	struct watch watch;
	struct resolver *resolver;
	struct resolver_socket *next;
};
struct resolver {
	struct resolver_conf conf;
	ares_channel dns, hosts;
	struct timer timer; /* c-ares' next time-out */
	struct resolver_socket *sockets;
	struct resolve_name *names_first, *names_last; /* that wait for their turn */
	struct resolve_name *all;
	unsigned asking;
	bool is_asking, is_ending;
};

static const int families[2] = { AF_INET, AF_INET6 };

static void on_due(struct timer *t);

static void rearm(struct resolver *r)
{
	struct timeval tv;

	if (ares_timeout(r->dns, NULL, &tv))
		loop_timer_set(r->conf.loop, &r->timer,
			(uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1, on_due);
	else
		loop_timer_clear(r->conf.loop, &r->timer);
}

static void on_due(struct timer *t)
{
	struct resolver *r = CONTAINER_OF(t, struct resolver, timer);

	ares_process_fd(r->dns, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(r);
}

static void on_socket(struct watch *w, uint32_t events)
{
	struct resolver *r = CONTAINER_OF(w, struct resolver_socket, watch)->resolver;
	int fd = w->fd; /* the watch may be gone after this */

	ares_process_fd(r->dns, events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
		events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	rearm(r);
}

static void on_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = ctx;
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	struct resolver_socket **at = &r->sockets, *s;

	while (*at && (*at)->watch.fd != fd)
		at = &(*at)->next;
	s = *at;
	if (!events) {
		if (!s)
			return;
		loop_remove(r->conf.loop, &s->watch, true);
		*at = s->next;
		free(s);
		return;
	}
	if (s) {
		/* What cannot be watched is like a packet that was lost: c-ares' time-out ends it. */
		(void)!loop_change(r->conf.loop, &s->watch, events);
		return;
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return;
	*s = (struct resolver_socket){
		.watch = { .fd = fd, .on_event = on_socket }, .resolver = r, .next = r->sockets
	};
	r->sockets = s;
	(void)!loop_add(r->conf.loop, &s->watch, events);
}

static int addr_order(const void *a, const void *b)
{
	return memcmp(((const struct addr *)a)->ip, ((const struct addr *)b)->ip, 16);
}

/* The set of an answer, in order: a DNS server that turns its list round has changed nothing. */
static void half_take(struct resolve_half *h, const struct ares_addrinfo *ai)
{
	struct addr all[COLLECT_MAX];
	size_t n = 0, kept = 0;
	int ttl = INT32_MAX;

	for (const struct ares_addrinfo_node *a = ai->nodes; a && n < COLLECT_MAX; a = a->ai_next) {
		if (addr_from_sockaddr(a->ai_addr, (socklen_t)a->ai_addrlen, &all[n]) != OK)
			continue;
		all[n++].port = 0;
		ttl = a->ai_ttl < ttl ? a->ai_ttl : ttl;
	}
	for (const struct ares_addrinfo_cname *c = ai->cnames; c; c = c->next)
		ttl = c->ttl < ttl ? c->ttl : ttl;
	qsort(all, n, sizeof *all, addr_order);
	for (size_t i = 0; i < n && kept < RESOLVE_FAMILY_MAX; i++)
		if (i == 0 || addr_order(&all[i], &all[i - 1]) != 0)
			h->list[kept++] = all[i];
	h->count = kept;
	h->ttl_s = ttl > 0 ? (uint64_t)ttl : 0; /* RFC 2181 8: a negative one is 0 */
}

/* What an answer comes to. One without addresses leaves the last ones where they are. */
static int take(struct resolve_half *h, int status, struct ares_addrinfo *ai)
{
	if (status == ARES_SUCCESS && (!ai || !ai->nodes))
		status = ARES_ENODATA;
	if (status == ARES_SUCCESS)
		half_take(h, ai);
	if (ai)
		ares_freeaddrinfo(ai);
	return status;
}

/* True when the list of both families is another than before. An empty one is never put in place. */
static bool name_put(struct resolve_name *n)
{
	struct addr list[RESOLVE_ADDRESS_MAX];
	size_t count = 0;

	for (int f = 0; f < 2; f++)
		for (size_t i = 0; i < n->half[f].count; i++)
			list[count++] = n->half[f].list[i];
	if (count == 0 || (count == n->count && memcmp(list, n->list, count * sizeof *list) == 0))
		return false;
	memcpy(n->list, list, count * sizeof *list);
	n->count = count;
	return true;
}

static void ask_next(struct resolver *r);

static void name_queue(struct resolve_name *n)
{
	struct resolver *r = n->resolver;

	n->next = NULL;
	if (r->names_last)
		r->names_last->next = n;
	else
		r->names_first = n;
	r->names_last = n;
}

static void name_due(struct timer *t)
{
	struct resolve_name *n = CONTAINER_OF(t, struct resolve_name, timer);

	name_queue(n);
	ask_next(n->resolver);
	rearm(n->resolver);
}

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static bool has_addresses(const struct resolve_half *h)
{
	return h->status == ARES_SUCCESS && h->count > 0;
}

/* No address of this family, said by a server that knows. */
static bool has_none(const struct resolve_half *h)
{
	return h->status == ARES_ENODATA || h->status == ARES_ENOTFOUND;
}

/* c-ares says of a server that refused or failed that it could not be contacted. */
static const char *failure(int status)
{
	switch (status) {
	case ARES_ENOTFOUND: return "there is no such name";
	case ARES_ENODATA: return "the name has no address";
	case ARES_ETIMEOUT: return "the DNS servers are silent";
	case ARES_ECONNREFUSED:
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_ENOTIMP: return "no DNS server could tell: they refused, failed, or cannot be reached";
	case ARES_EFORMERR:
	case ARES_EBADRESP: return "the DNS server's answer is malformed";
	default: return ares_strerror(status);
	}
}

static void round_failed(struct resolve_name *n)
{
	const struct resolver_conf *c = &n->resolver->conf;
	const struct resolve_half *h = &n->half[n->half[0].status == ARES_ENODATA];
	const char *error = failure(h->status);
	bool is_news = !n->error || strcmp(n->error, error) != 0;

	n->error = error;
	n->backoff_ms = clamp(n->backoff_ms * 2, c->retry_least_ms, c->retry_most_ms);
	loop_timer_set(c->loop, &n->timer, n->backoff_ms, name_due);
	if (is_news)
		c->on_event(n, RESOLVE_FAILED);
}

static void round_ended(struct resolve_name *n)
{
	const struct resolver_conf *c = &n->resolver->conf;
	bool had_failed = n->error != NULL;
	uint64_t ttl_s = UINT64_MAX;

	n->resolver->asking--;
	n->is_answered = true;
	if (!has_addresses(&n->half[0]) && !has_addresses(&n->half[1])) {
		round_failed(n);
		return;
	}
	for (int f = 0; f < 2; f++) {
		if (has_none(&n->half[f]))
			n->half[f].count = 0;
		else if (has_addresses(&n->half[f]) && n->half[f].ttl_s < ttl_s)
			ttl_s = n->half[f].ttl_s;
	}
	n->error = NULL;
	n->backoff_ms = 0;
	loop_timer_set(c->loop, &n->timer, clamp(ttl_s * 1000, c->ttl_least_ms, c->ttl_most_ms), name_due);
	if (name_put(n))
		c->on_event(n, RESOLVE_CHANGED);
	else if (had_failed)
		c->on_event(n, RESOLVE_RECOVERED);
}

static void on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct resolve_half *h = ctx;
	struct resolve_name *n = h->name;
	struct resolver *r = n->resolver;

	(void)timeouts;
	h->status = take(h, status, ai);
	if (r->is_ending)
		return;
	/* Addresses are of use before the other family's lookup ends. */
	if (has_addresses(h) && name_put(n)) {
		n->error = NULL;
		r->conf.on_event(n, RESOLVE_CHANGED);
	}
	if (--n->pending == 0) {
		round_ended(n);
		ask_next(r);
	}
}

static void ask_next(struct resolver *r)
{
	if (r->is_asking) /* a lookup that fails at once comes back here from below */
		return;
	r->is_asking = true;
	while (r->names_first && r->asking < NAMES_AT_A_TIME) {
		struct resolve_name *n = r->names_first;

		r->names_first = n->next;
		if (!n->next)
			r->names_last = NULL;
		r->asking++;
		n->pending = 2;
		for (int f = 0; f < 2; f++) {
			struct ares_addrinfo_hints hints = { .ai_flags = ARES_AI_NOSORT,
				.ai_family = families[f],
				.ai_socktype = SOCK_STREAM };
			ares_getaddrinfo(r->dns, n->host, NULL, &hints, on_answer, &n->half[f]);
		}
	}
	r->is_asking = false;
}

static void on_host(void *ctx, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct resolve_half *h = ctx;

	(void)timeouts;
	h->status = take(h, status, ai);
}

/* RFC 6761 6.3: nobody is asked for these. */
static bool is_localhost(struct bytes host)
{
	if (host.len && host.at[host.len - 1] == '.')
		host.len--;
	return bytes_eq_nocase(host, BYTES("localhost")) ||
	       (host.len > 10 &&
		       bytes_eq_nocase(bytes_cut(host, host.len - 10, host.len), BYTES(".localhost")));
}

static void put_localhost(struct resolve_name *n)
{
	CHECK(addr_parse_ip(BYTES("127.0.0.1"), &n->half[0].list[0]) == OK);
	CHECK(addr_parse_ip(BYTES("::1"), &n->half[1].list[0]) == OK);
	n->half[0].count = n->half[1].count = 1;
	name_put(n);
}

enum err resolver_add(struct resolver *r, struct bytes host, struct resolve_name *n)
{
	if (host.len == 0 || host.len >= sizeof n->host || bytes_find_byte(host, 0) != SIZE_MAX)
		return ERR_SYNTAX;
	*n = (struct resolve_name){ .resolver = r };
	memcpy(n->host, host.at, host.len);
	n->half[0].name = n->half[1].name = n;
	if (is_localhost(host))
		put_localhost(n);
	for (int f = 0; !n->count && f < 2; f++) {
		struct ares_addrinfo_hints hints = {
			.ai_flags = ARES_AI_NOSORT, .ai_family = families[f], .ai_socktype = SOCK_STREAM
		};
		ares_getaddrinfo(
			r->hosts, n->host, NULL, &hints, on_host, &n->half[f]); /* a file: answers at once */
	}
	name_put(n);
	n->is_fixed = n->is_answered = n->count > 0;
	n->all_next = r->all;
	r->all = n;
	if (!n->is_fixed)
		name_queue(n);
	return OK;
}

void resolver_start(struct resolver *r)
{
	ask_next(r);
	rearm(r);
}

static int set_servers(struct resolver *r)
{
	size_t n = r->conf.server_count;
	struct ares_addr_port_node *list = calloc(n, sizeof *list);
	int status;

	if (!list)
		return ARES_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct addr *a = &r->conf.servers[i];

		list[i].next = i + 1 < n ? &list[i + 1] : NULL;
		list[i].family = addr_is_v4(a) ? AF_INET : AF_INET6;
		if (addr_is_v4(a))
			memcpy(&list[i].addr.addr4, a->ip + 12, 4);
		else
			memcpy(&list[i].addr.addr6, a->ip, 16);
		list[i].udp_port = list[i].tcp_port = a->port;
	}
	status = ares_set_servers_ports(r->dns, list);
	free(list);
	return status;
}

enum err resolver_new(const struct resolver_conf *conf, struct resolver **out, const char **why)
{
	struct resolver *r = calloc(1, sizeof *r);
	char bind[] = "b", file[] = "f";
	struct ares_options dns = { .flags = ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
		.timeout = conf->timeout_ms,
		.tries = conf->tries,
		.lookups = bind,
		.ednspsz = EDNS_SIZE,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = r };
	struct ares_options hosts = { .flags = ARES_FLAG_NOALIASES, .lookups = file };
	int status;

	if (!r)
		return ERR_MEMORY;
	r->conf = *conf;
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS)
		status = ares_init_options(&r->dns, &dns,
			ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
				ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);
	if (status == ARES_SUCCESS)
		status = ares_init_options(&r->hosts, &hosts, ARES_OPT_FLAGS | ARES_OPT_LOOKUPS);
	if (status == ARES_SUCCESS && conf->server_count)
		status = set_servers(r);
	if (status != ARES_SUCCESS) {
		*why = ares_strerror(status);
		resolver_free(&r);
		return ERR_IO;
	}
	*out = r;
	return OK;
}

void resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	r->is_ending = true;
	loop_timer_clear(r->conf.loop, &r->timer);
	for (struct resolve_name *n = r->all; n; n = n->all_next)
		loop_timer_clear(r->conf.loop, &n->timer);
	if (r->dns)
		ares_destroy(r->dns);
	if (r->hosts)
		ares_destroy(r->hosts);
	ares_library_cleanup();
	free(r);
}
