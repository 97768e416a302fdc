/* What the configuration says of listeners and destinations, understood: for sluis monitor, and for sluis check. */
#include "cli/monitor_priv.h"

#include <stdio.h>
#include <string.h>

static const enum hunt_class least_of[] = { HUNT_TRACE, HUNT_ATTEMPT, HUNT_PROBE, HUNT_COMPROMISE };

static bool take_prefix(struct bytes *b, const char *prefix)
{
	if (!bytes_starts(*b, bytes_str(prefix)))
		return false;
	*b = bytes_cut(*b, strlen(prefix), b->len);
	return true;
}

enum err monitor_listen_parse(const char *url, struct monitor_listen *out)
{
	struct bytes rest = bytes_str(url);

	*out = (struct monitor_listen){ .fd = -1, .url = url };
	if (take_prefix(&rest, "udp://"))
		out->transport = MONITOR_UDP;
	else if (take_prefix(&rest, "tcp://"))
		out->transport = MONITOR_TCP;
	else if (take_prefix(&rest, "tls://"))
		out->transport = MONITOR_TLS;
	else
		return ERR_SYNTAX;
	return addr_parse(rest, &out->address);
}

/* Letters, digits, - _ and . of what was written, so that it names a file. */
static void make_name(struct bytes from, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < from.len && n + 1 < size && n < JOURNAL_NAME_MAX; i++) {
		unsigned char c = from.at[i];
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && n);

		if (is_plain)
			to[n++] = (char)c;
		else if (n && to[n - 1] != '-')
			to[n++] = '-';
	}
	to[n] = 0;
}

/* What stands behind a webhook's host is often its secret, and a name is shown and is a file's: of that a sum, so that two hooks of one host
 * have two names. */
static void name_of_url(struct bytes url, char *to, size_t size)
{
	size_t host = bytes_find(url, BYTES("://")), path;
	char text[JOURNAL_NAME_MAX - 8];

	path = host == SIZE_MAX ? SIZE_MAX : bytes_find_byte(bytes_cut(url, host + 3, url.len), '/');
	if (!bytes_starts(url, BYTES("http")) || path == SIZE_MAX || host + 3 + path + 1 >= url.len) {
		make_name(url, to, size);
		return;
	}
	make_name(bytes_cut(url, 0, host + 3 + path), text, sizeof(text));
	snprintf(to, size, "%s-%08x", text, (unsigned)(bytes_hash(BYTES_HASH, url) & UINT32_MAX));
}

static void copy(struct bytes from, char *to, size_t size)
{
	snprintf(to, size, "%.*s", FMT(from));
}

void monitor_path(const char *config, struct bytes name, char *out, size_t size)
{
	const char *slash = strrchr(config, '/');

	if (name.len == 0 || name.at[0] == '/' || !slash)
		snprintf(out, size, "%.*s", FMT(name));
	else
		snprintf(out, size, "%.*s/%.*s", (int)(slash - config), config, FMT(name));
}

enum err monitor_to_parse(struct bytes name, struct bytes url, struct deliver_to *out, char error[DELIVER_ERROR_MAX])
{
	char url_text[DELIVER_URL_MAX + 2];
	char own[JOURNAL_NAME_MAX + 1];

	if (bytes_eq(name, url))
		name_of_url(url, own, sizeof(own));
	else
		make_name(name, own, sizeof(own));
	copy(url, url_text, sizeof(url_text));
	return deliver_to_parse(own, url_text, out, error);
}

enum err monitor_to_fill(const char *config, const struct conf_alert_to *a, struct deliver_to *out, char error[DELIVER_ERROR_MAX])
{
	TRY(monitor_to_parse(a->name, a->to, out, error));
	copy(a->from, out->from, sizeof(out->from));
	copy(a->recipient, out->to, sizeof(out->to));
	copy(a->user, out->user, sizeof(out->user));
	monitor_path(config, a->ca, out->ca, sizeof(out->ca));
	out->least = least_of[a->least < COUNT_OF(least_of) ? a->least : 0];
	out->language = a->in_dutch ? ALERT_NL : ALERT_EN;
	return OK;
}
