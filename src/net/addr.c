/* Addresses by inet_pton after a check of their form, so that no reader takes what another would not. */
#include "net/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const unsigned char v4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

enum err addr_parse_ip(struct bytes in, struct addr *out)
{
	char text[INET6_ADDRSTRLEN];
	struct addr a = { 0 };

	if (in.len == 0 || in.len >= sizeof text || bytes_find_byte(in, 0) != SIZE_MAX)
		return ERR_SYNTAX;
	memcpy(text, in.at, in.len);
	text[in.len] = 0;
	if (bytes_find_byte(in, ':') != SIZE_MAX) {
		if (inet_pton(AF_INET6, text, a.ip) != 1)
			return ERR_SYNTAX;
	} else {
		memcpy(a.ip, v4_mapped, sizeof v4_mapped);
		if (inet_pton(AF_INET, text, a.ip + 12) != 1)
			return ERR_SYNTAX;
	}
	*out = a;
	return OK;
}

enum err addr_parse(struct bytes in, struct addr *out)
{
	struct bytes host, port;
	struct addr a;
	uint64_t n;

	if (in.len && in.at[0] == '[') {
		size_t end = bytes_find_byte(in, ']');
		if (end == SIZE_MAX || end + 1 >= in.len || in.at[end + 1] != ':')
			return ERR_SYNTAX;
		host = bytes_cut(in, 1, end);
		port = bytes_cut(in, end + 2, in.len);
		if (bytes_find_byte(host, ':') == SIZE_MAX)
			return ERR_SYNTAX;
	} else {
		size_t colon = bytes_find_byte(in, ':');
		if (colon == SIZE_MAX)
			return ERR_SYNTAX;
		host = bytes_cut(in, 0, colon);
		port = bytes_cut(in, colon + 1, in.len);
	}
	TRY(addr_parse_ip(host, &a));
	TRY(bytes_u64(port, &n));
	if (n == 0 || n > 65535)
		return ERR_LIMIT;
	a.port = (uint16_t)n;
	*out = a;
	return OK;
}

static unsigned char prefix_mask(unsigned bits, unsigned byte)
{
	unsigned in_byte = bits > byte * 8 ? bits - byte * 8 : 0;

	return (unsigned char)(in_byte >= 8 ? 0xff : 0xff00 >> in_byte);
}

enum err addr_parse_prefix(struct bytes in, struct addr_prefix *out)
{
	size_t slash = bytes_find_byte(in, '/');
	struct addr_prefix p = { .bits = 128 };
	struct addr a;
	uint64_t n;

	TRY(addr_parse_ip(bytes_cut(in, 0, slash), &a));
	if (slash != SIZE_MAX) {
		TRY(bytes_u64(bytes_cut(in, slash + 1, in.len), &n));
		if (n > (addr_is_v4(&a) && bytes_find_byte(in, ':') == SIZE_MAX ? 32u : 128u))
			return ERR_LIMIT;
		p.bits = (uint8_t)(bytes_find_byte(in, ':') == SIZE_MAX ? n + 96 : n);
	}
	memcpy(p.ip, a.ip, sizeof p.ip);
	for (unsigned i = 0; i < 16; i++)
		if (p.ip[i] & (unsigned char)~prefix_mask(p.bits, i))
			return ERR_SYNTAX;
	*out = p;
	return OK;
}

bool addr_in(const struct addr *a, const struct addr_prefix *p)
{
	unsigned whole = p->bits / 8;

	if (memcmp(a->ip, p->ip, whole) != 0)
		return false;
	return p->bits % 8 == 0 || (a->ip[whole] & prefix_mask(p->bits, whole)) == p->ip[whole];
}

bool addr_is_v4(const struct addr *a)
{
	return memcmp(a->ip, v4_mapped, sizeof v4_mapped) == 0;
}

void addr_write_ip(const struct addr *a, struct text *t)
{
	char text[INET6_ADDRSTRLEN];

	if (addr_is_v4(a)) {
		for (int i = 12; i < 16; i++) {
			if (i > 12)
				text_byte(t, '.');
			text_u64(t, a->ip[i]);
		}
		return;
	}
	CHECK(inet_ntop(AF_INET6, a->ip, text, sizeof text) != NULL);
	text_str(t, text);
}

void addr_write(const struct addr *a, struct text *t)
{
	bool is_v4 = addr_is_v4(a);

	if (!is_v4)
		text_byte(t, '[');
	addr_write_ip(a, t);
	if (!is_v4)
		text_byte(t, ']');
	text_byte(t, ':');
	text_u64(t, a->port);
}

enum err addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
	struct addr a = { 0 };

	if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
		memcpy(a.ip, v4_mapped, sizeof v4_mapped);
		memcpy(a.ip + 12, &in->sin_addr, 4);
		a.port = ntohs(in->sin_port);
	} else if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)sa;
		memcpy(a.ip, &in->sin6_addr, 16);
		a.port = ntohs(in->sin6_port);
	} else {
		return ERR_UNSUPPORTED;
	}
	*out = a;
	return OK;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (addr_is_v4(a)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, a->ip + 12, 4);
		in->sin_port = htons(a->port);
		return sizeof *in;
	}
	struct sockaddr_in6 *in = (struct sockaddr_in6 *)out;
	in->sin6_family = AF_INET6;
	memcpy(&in->sin6_addr, a->ip, 16);
	in->sin6_port = htons(a->port);
	return sizeof *in;
}
