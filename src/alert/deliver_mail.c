/* One mail for the whole batch. */
#include "alert/deliver_priv.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

static bool set_up(struct dest *t, const char *password)
{
	const struct smtp_to to = { .url = t->to.url, .from = t->to.from, .user = t->to.user[0] ? t->to.user : NULL, .password = password, .ca = t->to.ca[0] ? t->to.ca : NULL,
		.may_be_plain = t->to.is_loopback };

	t->list = curl_slist_append(NULL, t->to.to);
	t->sending.left = text_bytes(&t->out);
	return t->list && smtp_prepare(t->curl, &to, t->list, &t->sending) == OK && curl_easy_setopt(t->curl, CURLOPT_PROXY, "") == CURLE_OK &&
		curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)TRY_MS) == CURLE_OK && curl_easy_setopt(t->curl, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
		curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 0L) == CURLE_OK && dest_curl_start(t);
}

static void begin(struct dest *t)
{
	const struct alert_mail m = { t->to.from, t->to.to, t->d->host, t->to.language, t->d->real_us };
	char password[DELIVER_SECRET_MAX + 1];
	bool ok;

	if (!dest_curl(t, "smtp,smtps"))
		return;
	text_init_growing(&t->out, ALERT_MAIL_MAX);
	if (alert_put_mail(&t->out, t->alerts, t->count, &m) != OK) {
		dest_curl_stop(t);
		dest_failed(t, "the mail cannot be made");
		return;
	}
	memcpy(password, t->to.secret, t->to.secret_len);
	password[t->to.secret_len] = 0;
	ok = set_up(t, password);
	secret_wipe(password, sizeof(password));
	if (!ok) {
		dest_curl_stop(t);
		dest_failed(t, "no memory");
	}
}

static void done(struct dest *t, CURLcode code)
{
	char why[CURL_ERROR_SIZE + 40];
	long answer = 0;

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &answer);
	if (code != CURLE_OK && answer >= 400 && answer < 600)
		snprintf(why, sizeof(why), "the mail server answered with %ld (%s)", answer, dest_curl_why(t, code));
	else
		snprintf(why, sizeof(why), "%s", dest_curl_why(t, code));
	dest_curl_stop(t);
	if (code == CURLE_OK)
		dest_taken(t);
	else
		dest_failed(t, why);
}

const struct deliver_way *deliver_mail_way(void)
{
	static const struct deliver_way way = { begin, NULL, done };

	return &way;
}
