/* RFC 3986 as far as services of ours need it: scheme, authority, and the rest as it came. What browsers and libraries read in different ways is refused. */
#include "net/url.h"

#include "net/addr.h"

#include <string.h>

static bool is_printable(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] <= ' ' || b.at[i] > 126 || strchr("\"<>\\^`{|}", b.at[i]))
			return false;
	return true;
}

static bool is_host(struct bytes host)
{
	if (host.len == 0 || host.len > 253)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		unsigned char c = ascii_lower(host.at[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.')
			return false;
	}
	return true;
}

static bool is_loopback(struct bytes host)
{
	static const unsigned char v4[13] = { [10] = 255, [11] = 255, [12] = 127 }, v6[16] = { [15] = 1 };
	struct addr a;

	return addr_parse_ip(host, &a) == OK && (memcmp(a.ip, v4, sizeof v4) == 0 || memcmp(a.ip, v6, sizeof v6) == 0);
}

/* In front of the first '/' or '?' is HOST, HOST:PORT or [ADDRESS]:PORT. */
static enum err read_authority(struct bytes in, struct url *u)
{
	size_t colon;
	uint64_t port;

	if (in.len && in.at[0] == '[') {
		size_t end = bytes_find_byte(in, ']');
		struct addr a;

		if (end == SIZE_MAX)
			return ERR_SYNTAX;
		u->host = bytes_cut(in, 1, end);
		if (bytes_find_byte(u->host, ':') == SIZE_MAX || addr_parse_ip(u->host, &a) != OK)
			return ERR_SYNTAX;
		in = bytes_cut(in, end + 1, in.len);
		colon = in.len ? 0 : SIZE_MAX;
		if (in.len && in.at[0] != ':')
			return ERR_SYNTAX;
	} else {
		colon = bytes_find_byte(in, ':');
		u->host = bytes_cut(in, 0, colon);
		if (!is_host(u->host))
			return ERR_SYNTAX;
	}
	if (colon == SIZE_MAX)
		return OK;
	TRY(bytes_u64(bytes_cut(in, colon + 1, in.len), &port));
	if (port == 0 || port > 65535)
		return ERR_SYNTAX;
	u->port = (uint16_t)port;
	return OK;
}

enum err url_read(struct bytes url, struct url *out)
{
	static const struct bytes https = LIT("https://"), http = LIT("http://");
	struct url u = { .is_http = bytes_starts(url, http) };
	size_t end = 0;

	u.port = u.is_http ? 80 : 443;
	if (url.len > URL_MAX || !is_printable(url) || bytes_find_byte(url, '#') != SIZE_MAX || (!u.is_http && !bytes_starts(url, https)))
		return ERR_SYNTAX;
	url = bytes_cut(url, u.is_http ? http.len : https.len, url.len);
	while (end < url.len && url.at[end] != '/' && url.at[end] != '?')
		end++;
	if (read_authority(bytes_cut(url, 0, end), &u) != OK)
		return ERR_SYNTAX;
	u.rest = bytes_cut(url, end, url.len);
	if (u.is_http && (!is_loopback(u.host))) /* a name may lead anywhere */
		return ERR_SYNTAX;
	*out = u;
	return OK;
}
