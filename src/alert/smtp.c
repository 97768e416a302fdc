/* What libcurl may do is narrowed here: no other scheme, TLS 1.2 at least, names checked. */
#include "alert/smtp.h"

#include <stdio.h>
#include <string.h>

#define SEND_S 60L

bool smtp_is_url(const char *url)
{
	return bytes_starts(bytes_str(url), BYTES("smtps://")) || bytes_starts(bytes_str(url), BYTES("smtp://"));
}

bool smtp_is_address(const char *address)
{
	const char *at = strchr(address, '@');

	for (const char *c = address; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return at && at != address && at[1] && !strpbrk(address, "<>,;");
}

static size_t give(char *to, size_t size, size_t n, void *ctx)
{
	struct smtp_sending *s = ctx;
	size_t most = size * n, len = s->left.len < most ? s->left.len : most;

	if (len)
		memcpy(to, s->left.at, len);
	s->left = bytes_cut(s->left, len, s->left.len);
	return len;
}

enum err smtp_prepare(CURL *c, const struct smtp_to *s, struct curl_slist *recipients, struct smtp_sending *sending)
{
	long tls = s->may_be_plain ? (long)CURLUSESSL_TRY : (long)CURLUSESSL_ALL;
	bool ok = curl_easy_setopt(c, CURLOPT_URL, s->url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_USE_SSL, tls) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_MAIL_FROM, s->from) == CURLE_OK && curl_easy_setopt(c, CURLOPT_MAIL_RCPT, recipients) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_READFUNCTION, give) == CURLE_OK && curl_easy_setopt(c, CURLOPT_READDATA, sending) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_TIMEOUT, SEND_S) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;

	if (ok && s->ca)
		ok = curl_easy_setopt(c, CURLOPT_CAINFO, s->ca) == CURLE_OK;
	if (ok && s->user && s->password)
		ok = curl_easy_setopt(c, CURLOPT_USERNAME, s->user) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PASSWORD, s->password) == CURLE_OK;
	return ok ? OK : ERR_MEMORY;
}

enum err smtp_send(const struct smtp_to *s, const char *recipient, struct bytes message, char why[CURL_ERROR_SIZE])
{
	struct smtp_sending sending = { message };
	struct curl_slist *list = curl_slist_append(NULL, recipient);
	CURL *c = curl_easy_init();
	CURLcode code = CURLE_FAILED_INIT;

	CHECK(c && list);
	why[0] = 0;
	if (curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why) == CURLE_OK && smtp_prepare(c, s, list, &sending) == OK)
		code = curl_easy_perform(c);
	curl_easy_cleanup(c);
	curl_slist_free_all(list);
	if (code != CURLE_OK && !why[0])
		snprintf(why, CURL_ERROR_SIZE, "%s", curl_easy_strerror(code));
	return code == CURLE_OK ? OK : ERR_IO;
}
