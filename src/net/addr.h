/* Internet addresses, ports and prefixes, as numbers and as text. No name lookups here. */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include "base/bytes.h"
#include "base/text.h"

#include <sys/socket.h>

struct addr { /* IPv4 is kept as ::ffff:a.b.c.d, so that one compare serves both */
	unsigned char ip[16];
	uint16_t port;
};
struct addr_prefix {
	unsigned char ip[16];
	uint8_t bits; /* 0 to 128; of an IPv4 prefix 96 more than written */
};

enum err addr_parse_ip(struct bytes in, struct addr *out) MUST_USE;	/* "192.0.2.1", "2001:db8::1" */
enum err addr_parse(struct bytes in, struct addr *out) MUST_USE;	/* with ":port"; IPv6 in brackets */
enum err addr_parse_prefix(struct bytes in, struct addr_prefix *out) MUST_USE; /* "10.0.0.0/8"; a host alone is /32, /128; ERR_SYNTAX when host bits are set */
bool addr_in(const struct addr *a, const struct addr_prefix *p);
bool addr_is_v4(const struct addr *a);
void addr_write_ip(const struct addr *a, struct text *t);
void addr_write(const struct addr *a, struct text *t); /* "192.0.2.1:80", "[2001:db8::1]:80" */
enum err addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out) MUST_USE;
/* v4-mapped addresses become AF_INET. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);

#endif
