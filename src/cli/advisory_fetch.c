/* libcurl with everything but HTTPS turned off. Answers are asked for without compression, so that a size is a size. */
#include "cli/advisory_fetch.h"

#include <curl/curl.h>
#include <stdlib.h>

#define REDIRECTS_MAX	  5L
#define CONNECT_SECONDS	  15L
#define ANSWER_SECONDS	  120L
#define SLOW_SECONDS	  30L

struct fetcher {
	CURL *curl;
	struct text *out;
	bool is_too_large;
	char etag[256];
	char error[CURL_ERROR_SIZE];
};

struct fetcher *fetcher_new(const char *ca)
{
	struct fetcher *f = calloc(1, sizeof(*f));

	if (!f || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto failed;
	f->curl = curl_easy_init();
	if (!f->curl)
		goto failed;
	curl_easy_setopt(f->curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(f->curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
	curl_easy_setopt(f->curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(f->curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(f->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(f->curl, CURLOPT_TIMEOUT, ANSWER_SECONDS);
	curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_LIMIT, 100L);
	curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, SLOW_SECONDS);
	curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(f->curl, CURLOPT_USERAGENT, "sluis/" SLUIS_VERSION);
	curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, f->error);
	if (ca)
		curl_easy_setopt(f->curl, CURLOPT_CAINFO, ca);
	return f;
failed:
	fetcher_free(&f);
	return NULL;
}

void fetcher_free(struct fetcher **f)
{
	if (*f && (*f)->curl)
		curl_easy_cleanup((*f)->curl);
	free(*f);
	*f = NULL;
}

static size_t on_body(char *at, size_t size, size_t count, void *ctx)
{
	struct fetcher *f = ctx;

	text_add(f->out, bytes_of(at, size * count));
	f->is_too_large |= f->out->failed;
	return f->is_too_large ? 0 : size * count;
}

static size_t on_header(char *at, size_t size, size_t count, void *ctx)
{
	struct fetcher *f = ctx;
	struct bytes line = bytes_of(at, size * count);
	struct bytes value;

	if (line.len > 5 && bytes_eq_nocase(bytes_cut(line, 0, 5), BYTES("etag:"))) {
		value = bytes_trim(bytes_cut(line, 5, line.len));
		while (value.len && (value.at[value.len - 1] == '\r' || value.at[value.len - 1] == '\n'))
			value.len--;
		snprintf(f->etag, sizeof(f->etag), "%.*s", value.len < sizeof(f->etag) ? (int)value.len : 0, (const char *)value.at);
	}
	return size * count;
}

static CURLcode perform(struct fetcher *f, const char *url, size_t most, const char *etag)
{
	struct curl_slist *headers = NULL;
	char condition[300];
	CURLcode code;

	if (*etag) {
		snprintf(condition, sizeof(condition), "If-None-Match: %s", etag);
		headers = curl_slist_append(NULL, condition);
	}
	f->etag[0] = f->error[0] = 0;
	f->is_too_large = false;
	curl_easy_setopt(f->curl, CURLOPT_URL, url);
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(f->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)most);
	curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
	code = curl_easy_perform(f->curl);
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	return code;
}

enum fetched fetch(struct fetcher *f, const char *url, size_t most, struct text *out, char etag[256], char why[FETCH_WORDS_MAX])
{
	long status = 0;
	CURLcode code;

	f->out = out;
	code = perform(f, url, most, etag);
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (f->is_too_large || code == CURLE_FILESIZE_EXCEEDED) {
		snprintf(why, FETCH_WORDS_MAX, "larger than the %zu bytes that are read", most);
		return FETCHED_NOT;
	}
	if (code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_UNSUPPORTED_PROTOCOL) {
		snprintf(why, FETCH_WORDS_MAX, "redirected too often, or away from https");
		return FETCHED_NOT;
	}
	if (code != CURLE_OK) {
		snprintf(why, FETCH_WORDS_MAX, "%s", f->error[0] ? f->error : curl_easy_strerror(code));
		return FETCHED_BROKEN;
	}
	snprintf(etag, 256, "%s", f->etag);
	if (status == 304)
		return FETCHED_SAME;
	snprintf(why, FETCH_WORDS_MAX, "the server answered %ld", status);
	return status == 200 ? FETCHED : FETCHED_NOT;
}
