/* libcurl speaks SMTP; what it may do is narrowed here: no other scheme, no plain text, TLS 1.2 at least, names checked. */
#include "cli/notify_smtp.h"

#include "base/fd.h"
#include "base/secret.h"

#include <curl/curl.h>
#include <errno.h>

#define SEND_S 60L

struct sending {
	struct bytes left;
};

static size_t give(char *to, size_t size, size_t n, void *ctx)
{
	struct sending *s = ctx;
	size_t most = size * n, len = s->left.len < most ? s->left.len : most;

	if (len)
		memcpy(to, s->left.at, len);
	s->left = bytes_cut(s->left, len, s->left.len);
	return len;
}

int smtp_check(const struct cli *cli, struct smtp_to *s)
{
	size_t n;

	if (!bytes_starts(bytes_str(s->url), BYTES("smtps://")) && !bytes_starts(bytes_str(s->url), BYTES("smtp://")))
		return 1 + cli_fail_in(cli, W_NOTIFY_URL, s->url);
	if (!strchr(s->from, '@') || strpbrk(s->from, " <>\r\n,;"))
		return 1 + cli_fail_in(cli, W_NOTIFY_FROM, s->from);
	if (s->user && !s->password_file)
		return 1 + cli_fail_in(cli, W_NOTIFY_PASSWORD);
	if (!s->password_file)
		return 0;
	text_init_growing(&s->password, 4096);
	if (file_read(s->password_file, &s->password) != OK)
		return 1 + cli_fail_in(cli, W_ASSESS_UNREAD, s->password_file, strerror(errno));
	n = bytes_find_byte(text_bytes(&s->password), '\n');
	if (n != SIZE_MAX)
		s->password.len = n;
	text_byte(&s->password, 0);
	return 0;
}

static bool set_up(CURL *c, const struct smtp_to *s, struct curl_slist *to, struct sending *sending)
{
	bool ok = curl_easy_setopt(c, CURLOPT_URL, s->url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_SMTP | CURLPROTO_SMTPS)) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_MAIL_FROM, s->from) == CURLE_OK && curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_READFUNCTION, give) == CURLE_OK && curl_easy_setopt(c, CURLOPT_READDATA, sending) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_TIMEOUT, SEND_S) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;

	if (ok && s->ca)
		ok = curl_easy_setopt(c, CURLOPT_CAINFO, s->ca) == CURLE_OK;
	if (ok && s->user)
		ok = curl_easy_setopt(c, CURLOPT_USERNAME, s->user) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PASSWORD, (const char *)s->password.at) == CURLE_OK;
	return ok;
}

int smtp_send(const struct cli *cli, const struct smtp_to *s, const char *to, struct bytes message)
{
	char why[CURL_ERROR_SIZE] = "";
	struct sending sending = { message };
	struct curl_slist *list = curl_slist_append(NULL, to);
	CURL *c = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;

	CHECK(c && list);
	if (curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why) == CURLE_OK && set_up(c, s, list, &sending))
		code = curl_easy_perform(c);
	curl_easy_cleanup(c);
	curl_slist_free_all(list);
	return code == CURLE_OK ? 0 : cli_fail_in(cli, W_NOTIFY_NOT_SENT, to, s->url, why[0] ? why : curl_easy_strerror(code));
}

void smtp_fini(struct smtp_to *s)
{
	if (s->password.at)
		secret_wipe(s->password.at, s->password.cap);
	text_fini(&s->password);
}
