/* Reading what somebody wrote as a destination, and saying what to write instead. */
#include "alert/deliver.h"

#include "alert/deliver_priv.h"
#include "alert/smtp.h"
#include "base/secret.h"
#include "net/addr.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const struct scheme {
	const char *name;
	enum deliver_kind kind;
	const char *port, *example;
} schemes[] = {
	{ "syslog+udp", DELIVER_SYSLOG_UDP, "514", "syslog+udp://HOST:514" },
	{ "syslog+tcp", DELIVER_SYSLOG_TCP, "601", "syslog+tcp://HOST:601" },
	{ "syslog+tls", DELIVER_SYSLOG_TLS, "6514", "syslog+tls://HOST:6514" },
	{ "https", DELIVER_WEBHOOK, "443", "https://HOST/PATH" },
	{ "http", DELIVER_WEBHOOK, "80", "http://127.0.0.1:PORT/PATH" },
	{ "smtps", DELIVER_MAIL, "465", "smtps://HOST:465" },
	{ "smtp", DELIVER_MAIL, "25", "smtp://HOST:25" },
};
#define WRITE "write file:/PATH, syslog+udp://HOST, syslog+tcp://HOST, syslog+tls://HOST, https://HOST/PATH, smtps://HOST or smtp://HOST"

static enum err fail(char error[DELIVER_ERROR_MAX], const char *fmt, ...) PRINTF(2, 3);
static enum err fail(char error[DELIVER_ERROR_MAX], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, DELIVER_ERROR_MAX, fmt, ap);
	va_end(ap);
	return ERR_SYNTAX;
}

static bool is_loopback(const char *host)
{
	static const unsigned char v6[16] = { [15] = 1 };
	struct bytes b = bytes_str(host);
	struct addr a;

	if (b.len > 2 && b.at[0] == '[')
		b = bytes_cut(b, 1, b.len - 1);
	if (addr_parse_ip(b, &a) != OK)
		return false;
	return addr_is_v4(&a) ? a.ip[12] == 127 : memcmp(a.ip, v6, sizeof(v6)) == 0;
}

static enum err parse_file(const char *path, struct deliver_to *to, char error[DELIVER_ERROR_MAX])
{
	if (path[0] == '/' && path[1] == '/')
		path += 2;
	if (path[0] != '/' || !path[1])
		return fail(error, "destination %s: 'file:%.200s' is no path from the root: write file:/PATH", to->name, path);
	snprintf(to->url, sizeof(to->url), "%s", path);
	to->kind = DELIVER_FILE;
	return OK;
}

/* One part of a URL that was parsed; "" where it is not there. */
static void part(CURLU *u, CURLUPart what, char *out, size_t size)
{
	char *s = NULL;

	out[0] = 0;
	if (curl_url_get(u, what, &s, 0) == CURLUE_OK && s)
		snprintf(out, size, "%s", s);
	curl_free(s);
}

static enum err check_parts(CURLU *u, const struct scheme *s, struct deliver_to *to, char error[DELIVER_ERROR_MAX])
{
	char host[256], user[8], path[8], query[8];

	part(u, CURLUPART_HOST, host, sizeof(host));
	part(u, CURLUPART_USER, user, sizeof(user));
	part(u, CURLUPART_PATH, path, sizeof(path));
	part(u, CURLUPART_QUERY, query, sizeof(query));
	if (!host[0])
		return fail(error, "destination %s: '%.200s' names no host: write %s", to->name, to->url, s->example);
	if (user[0])
		return fail(error, "destination %s: no user or password in a URL, which is shown in messages: write %s, and the user and the file with the password beside it", to->name, s->example);
	if (s->kind != DELIVER_WEBHOOK && (query[0] || (path[0] && strcmp(path, "/") != 0)))
		return fail(error, "destination %s: '%.200s' has a path, which means nothing here: write %s", to->name, to->url, s->example);
	to->is_loopback = is_loopback(host);
	if (strcmp(s->name, "http") == 0 && !to->is_loopback)
		return fail(error, "destination %s: '%.200s' would send alerts unencrypted: write https://; http:// is for an address of this machine only (127.0.0.1, [::1])", to->name, to->url);
	return OK;
}

enum err deliver_to_parse(const char *name, const char *url, struct deliver_to *out, char error[DELIVER_ERROR_MAX])
{
	struct deliver_to to = { .facility = ALERT_FACILITY_DEFAULT, .mail_gap_s = 60 };
	const char *colon = strstr(url, "://");
	const struct scheme *s = NULL;
	CURLU *u;
	enum err e;

	if (!journal_is_name(name))
		return fail(error, "destination '%.80s': a name has letters, digits, '-', '_' and '.', at most %u", name, JOURNAL_NAME_MAX);
	snprintf(to.name, sizeof(to.name), "%s", name);
	if (strlen(url) > DELIVER_URL_MAX)
		return fail(error, "destination %s: its URL is longer than %u octets", name, DELIVER_URL_MAX);
	memcpy(to.url, url, strlen(url) + 1);
	if (bytes_starts(bytes_str(url), BYTES("file:"))) {
		TRY(parse_file(url + 5, &to, error));
		*out = to;
		return OK;
	}
	for (size_t i = 0; colon && i < COUNT_OF(schemes); i++)
		if (bytes_eq_nocase(bytes_of(url, (size_t)(colon - url)), bytes_str(schemes[i].name)))
			s = &schemes[i];
	if (!s)
		return fail(error, "destination %s: '%.200s' is no destination: " WRITE, name, url);
	to.kind = s->kind;
	u = curl_url();
	CHECK(u);
	if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		e = fail(error, "destination %s: '%.200s' is no URL: write %s", name, url, s->example);
	else
		e = check_parts(u, s, &to, error);
	curl_url_cleanup(u);
	if (e == OK)
		*out = to;
	return e;
}

bool deliver_to_connect_url(const struct deliver_to *to, const char *scheme, char *out, size_t size)
{
	char host[256], port[8];
	CURLU *u = curl_url();
	bool ok;

	CHECK(u);
	ok = curl_url_set(u, CURLUPART_URL, to->url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;
	part(u, CURLUPART_HOST, host, sizeof(host));
	part(u, CURLUPART_PORT, port, sizeof(port));
	curl_url_cleanup(u);
	for (size_t i = 0; i < COUNT_OF(schemes) && !port[0]; i++)
		if (schemes[i].kind == to->kind)
			snprintf(port, sizeof(port), "%s", schemes[i].port);
	return ok && snprintf(out, size, "%s://%s:%s/", scheme, host, port) < (int)size;
}

static bool has_nul(struct bytes b)
{
	return bytes_find_byte(b, 0) != SIZE_MAX;
}

enum err deliver_to_check(const struct deliver_to *to, char error[DELIVER_ERROR_MAX])
{
	if (to->ca[0] && access(to->ca, R_OK) != 0)
		return fail(error, "destination %s: the certificates in %s cannot be read: %s", to->name, to->ca, strerror(errno));
	if (to->facility > 23)
		return fail(error, "destination %s: there is no syslog facility %u: auth, authpriv, daemon, user, local0 to local7", to->name, to->facility);
	if (to->kind != DELIVER_MAIL)
		return OK;
	if (!smtp_is_address(to->from))
		return fail(error, "destination %s: '%s' (from) is no mail address", to->name, to->from);
	if (!smtp_is_address(to->to))
		return fail(error, "destination %s: '%s' (to) is no mail address; for more people make more destinations, or a list at the mail server", to->name, to->to);
	if (to->user[0] && !to->secret_len)
		return fail(error, "destination %s: user '%s' has no password: name the file that has it", to->name, to->user);
	if (has_nul(bytes_of(to->secret, to->secret_len)))
		return fail(error, "destination %s: its password has a NUL octet", to->name);
	return OK;
}

void deliver_to_fini(struct deliver_to *to)
{
	secret_wipe(to->secret, sizeof(to->secret));
	to->secret_len = 0;
}
