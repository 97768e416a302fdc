/* Names of servers to addresses by DNS, asked again when their time to live is over, by c-ares and a loop.
 * /etc/resolv.conf and /etc/hosts are read by resolver_new and resolver_add; after these a confined process needs
 * nothing but internet sockets. What is done with the addresses is not decided here. One loop's thread. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "loop/loop.h"
#include "net/addr.h"

#define RESOLVE_FAMILY_MAX  32 /* addresses that are kept of each family; of more, the lowest */
#define RESOLVE_ADDRESS_MAX (2 * RESOLVE_FAMILY_MAX)

struct resolver;
struct resolve_name;

enum resolve_event {
	RESOLVE_CHANGED,   /* other addresses than before, at least one */
	RESOLVE_FAILED,    /* lookups fail, or fail for another reason than before; the last addresses stay */
	RESOLVE_RECOVERED, /* lookups work again and give the same addresses */
};

/* One name, in the caller's memory, which must stay where it is. Read what stands above the line. */
struct resolve_name {
	struct addr list[RESOLVE_ADDRESS_MAX]; /* port 0, in order: the same set is always the same list */
	size_t count;
	const char *error; /* why the last lookup failed; NULL: it did not, or there was none yet */
	bool is_fixed;     /* from /etc/hosts: never asked for */
	bool is_answered;  /* the first lookup has come to an end */
	char host[254];
	/* --- the resolver's own --- */
	struct resolver *resolver;
	struct resolve_half {
		struct resolve_name *name;
		struct addr list[RESOLVE_FAMILY_MAX];
		size_t count;
		uint64_t ttl_s;
		int status;
	} half[2]; /* IPv4, IPv6 */
	unsigned pending;
	uint64_t backoff_ms;
	struct timer timer;
	struct resolve_name *next; /* waits for its turn */
	struct resolve_name *all_next;
};

struct resolver_conf {
	struct loop *loop;
	const struct addr *servers; /* DNS servers; none: those of /etc/resolv.conf */
	size_t server_count;
	uint64_t ttl_least_ms, ttl_most_ms; /* a name is asked for again not sooner and not later than this */
	uint64_t retry_least_ms, retry_most_ms; /* after a failure; doubles */
	int timeout_ms, tries; /* of one question to one server; the time doubles with each round */
	/* Comes when something changed; may not add names or free the resolver. */
	void (*on_event)(struct resolve_name *n, enum resolve_event what);
};

/* Reads files. ERR_IO: the library refused, *why says what (a static text). */
enum err resolver_new(const struct resolver_conf *conf, struct resolver **out, const char **why) MUST_USE;
/* Adds a name before resolver_start; looks it up in /etc/hosts and, when it is there or is localhost (RFC 6761 6.3),
 * has its addresses for good. ERR_SYNTAX: longer than a name can be. */
enum err resolver_add(struct resolver *r, struct bytes host, struct resolve_name *n) MUST_USE;
/* Begins to ask; never waits. A few names at a time, so that thousands do not drown a DNS server. */
void resolver_start(struct resolver *r);
void resolver_free(struct resolver **r);

#endif
