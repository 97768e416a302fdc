/* POSTs the line. 2xx means taken; redirects are answers like any other, for a signed alert goes where it was told to go. */
#include "alert/deliver_priv.h"

#include "crypto/hmac.h"

#include <stdio.h>

static size_t drop(char *at, size_t size, size_t n, void *ctx)
{
	(void)at;
	(void)ctx;
	return size * n;
}

static bool add_field(struct dest *t, const char *field)
{
	struct curl_slist *list = curl_slist_append(t->list, field);

	if (list)
		t->list = list;
	return list != NULL;
}

/* t=UNIX,v1=HEX of HMAC-SHA256(secret, UNIX "." body): the time is signed, so that an old message cannot be sent again as a new one. */
static bool add_signature(struct dest *t, struct bytes body)
{
	unsigned char sum[SHA256_LEN], room[128];
	unsigned long long now = t->d->real_us / 1000000;
	struct text signed_text, field;
	bool ok;

	text_init_growing(&signed_text, ALERT_LINE_MAX + 64);
	text_fmt(&signed_text, "%llu.", now);
	text_add(&signed_text, body);
	ok = !signed_text.failed;
	if (ok)
		hmac_sha256(bytes_of(t->to.secret, t->to.secret_len), text_bytes(&signed_text), sum);
	text_fini(&signed_text);
	text_init(&field, room, sizeof(room));
	text_fmt(&field, "Sluis-Signature: t=%llu,v1=", now);
	hex_put(&field, bytes_of(sum, sizeof(sum)));
	text_byte(&field, 0);
	return ok && !field.failed && add_field(t, (const char *)room);
}

static bool set_up(struct dest *t, struct bytes body)
{
	char id[64];

	snprintf(id, sizeof(id), "Sluis-Alert-Id: %.*s", FMT(t->alerts[0].id));
	return add_field(t, "Content-Type: application/json") && add_field(t, "Expect:") && add_field(t, id) && (!t->to.secret_len || add_signature(t, body)) &&
		curl_easy_setopt(t->curl, CURLOPT_URL, t->to.url) == CURLE_OK && curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, t->list) == CURLE_OK &&
		curl_easy_setopt(t->curl, CURLOPT_POST, 1L) == CURLE_OK && curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK &&
		curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, (const char *)body.at) == CURLE_OK && curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK &&
		(!t->to.is_loopback || curl_easy_setopt(t->curl, CURLOPT_PROXY, "") == CURLE_OK) &&
		curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)TRY_MS) == CURLE_OK && curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
}

static void begin(struct dest *t)
{
	if (!dest_curl(t, t->to.is_loopback ? "http,https" : "https"))
		return;
	if (!set_up(t, dest_line(t)) || !dest_curl_start(t)) {
		dest_curl_stop(t);
		dest_failed(t, "no memory");
	}
}

static void done(struct dest *t, CURLcode code)
{
	long status = 0;
	char why[CURL_ERROR_SIZE];

	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	snprintf(why, sizeof(why), "%s", dest_curl_why(t, code));
	dest_curl_stop(t);
	if (code == CURLE_OK && status >= 200 && status < 300) {
		dest_taken(t);
		return;
	}
	if (code == CURLE_OK)
		snprintf(why, sizeof(why), "the server answered with status %ld%s", status, status >= 300 && status < 400 ? "; redirects are not followed: write the URL it leads to" : "");
	dest_failed(t, why);
}

const struct deliver_way *deliver_webhook_way(void)
{
	static const struct deliver_way way = { begin, NULL, done };

	return &way;
}
