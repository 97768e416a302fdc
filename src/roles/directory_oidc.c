/* How sign-in services are asked: metadata and keys are fetched and kept for a while, a code becomes a person, a logout token is verified. What is
 * fetched comes by libcurl over a connection that the dialer made: nothing here can open one, look up a name, or follow a redirect. */
#include "roles/directory_priv.h"

#include "auth/oidc.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/secret.h"
#include "net/url.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP_MS	    600000u /* metadata and keys */
#define AGAIN_MS    5000u   /* after a failure nothing is fetched for so long: who waits for one that hangs keeps others waiting */
#define UNKNOWN_MS  30000u  /* keys are fetched because of a token's unknown kid at most once in so long */
#define METADATA    "/.well-known/openid-configuration"
#define FORM_MAX    8192
#define USER_AGENT  "sluis/" SLUIS_VERSION

/* What is known of one provider. */
struct known {
	struct oidc_metadata metadata;
	struct oidc_keys keys;
	uint64_t metadata_until, keys_until, keys_fetched, failed_until; /* ms; 0: never */
	char why[400]; /* of the failure */
};
static struct known known[CONF_OIDC_MAX];
static CURLM *multi;

/* One question's. */
struct asked {
	struct directory *d;
	const struct conf_oidc *o;
	struct known *k;
	uint64_t end_ms;
	struct bytes why; /* the arena's */
};

/* --- fetching --- */

struct fetch {
	int fd;
	struct text body;
	bool is_too_long;
};

static size_t take_body(char *at, size_t size, size_t n, void *ctx)
{
	struct fetch *f = ctx;

	text_add(&f->body, bytes_of(at, size * n));
	f->is_too_long = f->body.failed;
	return f->body.failed ? 0 : size * n;
}

static curl_socket_t give_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch *f = ctx;
	int fd = f->fd;

	(void)purpose, (void)a;
	f->fd = -1; /* libcurl closes it */
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int is_connected(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	(void)ctx, (void)fd, (void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* libcurl before 8.0 does not remember that, and connects again. This takes the place of the C library's in this program, for libraries too: who is
 * connected is, and nobody else will be. */
int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof peer;

	(void)to, (void)len;
	return getpeername(fd, (struct sockaddr *)&peer, &n);
}

/* The server of the provider's pool that a URL is at. SIZE_MAX: it may not be there. */
static size_t server_of(const struct asked *a, const struct url *u)
{
	const struct conf_pool *p = &a->d->conf->pools[a->o->pool];

	for (size_t i = 0; i < p->server_count; i++)
		if (bytes_eq_nocase(p->servers[i].host, u->host) && p->servers[i].port == u->port)
			return i;
	return SIZE_MAX;
}

static bool set_connection(CURL *c, struct fetch *f, const struct asked *a, struct curl_slist *resolve, uint64_t left_ms)
{
	struct curl_blob ca = { .data = (void *)(uintptr_t)a->o->ca_pem.at, .len = a->o->ca_pem.len, .flags = CURL_BLOB_NOCOPY };

	return curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, give_socket) == CURLE_OK && curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, is_connected) == CURLE_OK && curl_easy_setopt(c, CURLOPT_RESOLVE, resolve) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)left_ms) == CURLE_OK && curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
		/* the system's own paths would be opened while we are confined */
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK && curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK && curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
}

static bool set_request(CURL *c, struct fetch *f, const char *url, bool is_http, struct curl_slist *fields, char *error)
{
	return curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, is_http ? "http" : "https") == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK && curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error) == CURLE_OK;
}

struct post { /* of the token endpoint */
	struct bytes form;
	const char *user, *password; /* NULL: not by HTTP Basic */
};

static bool set_post(CURL *c, const struct post *p)
{
	return curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)p->form.len) == CURLE_OK &&
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, (const char *)p->form.at) == CURLE_OK &&
		(!p->user || (curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK && curl_easy_setopt(c, CURLOPT_USERNAME, p->user) == CURLE_OK &&
				     curl_easy_setopt(c, CURLOPT_PASSWORD, p->password) == CURLE_OK));
}

static CURLcode run(CURL *c)
{
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int running = 1, left;
	CURLMsg *m;

	if (curl_multi_add_handle(multi, c) != CURLM_OK)
		return code;
	while (running && curl_multi_perform(multi, &running) == CURLM_OK && running)
		if (curl_multi_poll(multi, NULL, 0, 1000, NULL) != CURLM_OK)
			break;
	while ((m = curl_multi_info_read(multi, &left)))
		if (m->msg == CURLMSG_DONE && m->easy_handle == c)
			code = m->data.result;
	curl_multi_remove_handle(multi, c);
	return code;
}

/* f->fd is taken. *status: of HTTP. */
static enum err transfer(struct asked *a, struct fetch *f, const char *url, const struct url *u, const struct post *post, long *status)
{
	uint64_t now = directory_now_ms(), left_ms = a->end_ms > now ? a->end_ms - now : 1;
	bool is_v6 = bytes_find_byte(u->host, ':') != SIZE_MAX;
	struct curl_slist *resolve, *fields = curl_slist_append(NULL, "Accept: application/json");
	char name[400], error[CURL_ERROR_SIZE] = "";
	CURL *c = curl_easy_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;

	/* Any address will do: the connection stands. Without one libcurl would ask for the name. */
	snprintf(name, sizeof name, is_v6 ? "[%.*s]:%u:127.0.0.1" : "%.*s:%u:127.0.0.1", FMT(u->host), u->port);
	resolve = curl_slist_append(NULL, name);
	if (c && resolve && fields && set_connection(c, f, a, resolve, left_ms) && set_request(c, f, url, u->is_http, fields, error) && (!post || set_post(c, post)))
		code = run(c);
	if (code == CURLE_OK)
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
	else
		a->why = directory_text(a->d, "%.*s:%u: %s", FMT(u->host), u->port, f->is_too_long ? "the answer is longer than 256 KB" : error[0] ? error : curl_easy_strerror(code));
	curl_easy_cleanup(c);
	curl_slist_free_all(resolve);
	curl_slist_free_all(fields);
	fd_close(&f->fd);
	return code == CURLE_OK ? OK : ERR_IO;
}

/* The answer's body, the caller's to text_fini. Not OK: a->why says it. */
static enum err fetch(struct asked *a, struct bytes url, const struct post *post, struct text *body, long *status)
{
	struct fetch f = { .fd = -1 };
	char text[URL_MAX + 1];
	struct url u;
	size_t server;
	enum err e;

	if (url_read(url, &u) != OK)
		return ERR_SYNTAX;
	server = server_of(a, &u);
	if (server == SIZE_MAX) {
		a->why = directory_text(a->d, "its metadata leads to %.*s:%u, which is neither the issuer's host nor one of gateway.oidc.%.*s.hosts: add it there if it belongs to the provider",
			FMT(u.host), u.port, FMT(a->o->name));
		return ERR_DENIED;
	}
	e = directory_dial(a->d, a->o->pool, (uint16_t)server, a->end_ms, &f.fd, &a->why);
	if (e != OK)
		return e;
	memcpy(text, url.at, url.len);
	text[url.len] = 0;
	text_init_growing(&f.body, OIDC_BODY_MAX);
	e = transfer(a, &f, text, &u, post, status);
	if (e == OK)
		*body = f.body;
	else
		text_fini(&f.body);
	return e;
}

static enum err fetch_good(struct asked *a, struct bytes url, const char *what, struct text *body)
{
	long status = 0;

	TRY(fetch(a, url, NULL, body, &status));
	if (status == 200)
		return OK;
	a->why = directory_text(a->d, "its %s: HTTP status %ld%s", what, status, status >= 300 && status < 400 ? "; redirects are not followed" : "");
	text_fini(body);
	return ERR_IO;
}

/* --- what is known of a provider --- */

static enum err failed(struct asked *a, enum err e)
{
	a->k->failed_until = directory_now_ms() + AGAIN_MS;
	snprintf(a->k->why, sizeof a->k->why, "%.*s", FMT(a->why));
	return e;
}

static bool has_failed(struct asked *a)
{
	if (a->k->failed_until <= directory_now_ms())
		return false;
	a->why = bytes_str(a->k->why);
	return true;
}

static enum err need_metadata(struct asked *a)
{
	unsigned char mem[URL_MAX];
	struct oidc_metadata m;
	struct bytes issuer = a->o->issuer;
	const char *why = "";
	struct text url, body;
	enum err e;

	if (a->k->metadata_until > directory_now_ms())
		return OK;
	if (has_failed(a))
		return ERR_IO;
	if (issuer.len && issuer.at[issuer.len - 1] == '/') /* Discovery 4: without it, for what is put behind begins with one */
		issuer.len--;
	text_init(&url, mem, sizeof mem);
	text_add(&url, issuer);
	text_lit(&url, METADATA);
	e = fetch_good(a, text_bytes(&url), "metadata", &body);
	if (e != OK)
		return failed(a, e);
	e = oidc_metadata_read(text_bytes(&body), a->o->issuer, &m, &why);
	text_fini(&body);
	if (e != OK) {
		a->why = directory_text(a->d, "%s", why);
		return failed(a, e);
	}
	oidc_metadata_fini(&a->k->metadata);
	a->k->metadata = m;
	a->k->metadata_until = directory_now_ms() + KEEP_MS;
	return OK;
}

static enum err fetch_keys(struct asked *a)
{
	struct oidc_keys keys;
	const char *why = "";
	struct text body;
	enum err e;

	a->k->keys_fetched = directory_now_ms();
	e = fetch_good(a, a->k->metadata.keys, "keys", &body);
	if (e != OK)
		return e;
	e = oidc_keys_read(text_bytes(&body), &keys, &why);
	text_fini(&body);
	if (e != OK) {
		a->why = directory_text(a->d, "%s", why);
		return e;
	}
	oidc_keys_fini(&a->k->keys);
	a->k->keys = keys;
	a->k->keys_until = directory_now_ms() + KEEP_MS;
	return OK;
}

static enum err need_keys(struct asked *a)
{
	enum err e;

	if (a->k->keys_until > directory_now_ms())
		return OK;
	if (has_failed(a))
		return ERR_IO;
	e = fetch_keys(a);
	return e == OK ? OK : failed(a, e);
}

static struct oidc_want want(const struct asked *a, struct bytes nonce)
{
	const struct conf_oidc *o = a->o;
	struct oidc_want w = { .issuer = o->issuer, .client_id = o->client_id, .nonce = nonce, .name_claim = o->name_claim, .groups_claim = o->groups_claim,
		.mfa_values = o->mfa_values, .mfa_value_count = o->mfa_value_count, .now_s = clock_real_us() / 1000000 };

	for (size_t i = 0; i < o->algorithm_count; i++) {
		enum oidc_algorithm alg;

		if (oidc_algorithm_by_name(o->algorithms[i], &alg) == OK)
			w.algorithms |= OIDC_BIT(alg);
	}
	return w;
}

typedef enum err read_token(struct bytes token, const struct oidc_keys *keys, const struct oidc_want *w, struct oidc_token *out, const char **why);

/* A key that is not known may be new: then the keys are fetched once more, but strangers cannot have them fetched again and again. *is_down: it is
 * not the token that is wrong. */
static enum err verify(struct asked *a, read_token *read, struct bytes token, struct bytes nonce, struct oidc_token *out, bool *is_down)
{
	const struct oidc_want w = want(a, nonce);
	const char *why = "";
	enum err e;

	*is_down = true;
	TRY(need_keys(a));
	e = read(token, &a->k->keys, &w, out, &why);
	if (e == ERR_NOT_FOUND && a->k->keys_fetched + UNKNOWN_MS <= directory_now_ms()) {
		TRY(fetch_keys(a));
		e = read(token, &a->k->keys, &w, out, &why);
	}
	*is_down = false;
	if (e != OK)
		a->why = directory_text(a->d, "%s", why);
	return e;
}

/* --- answers --- */

static void where(struct asked *a, struct directory_answer *out)
{
	const struct oidc_metadata *m = &a->k->metadata;

	out->status = DIRECTORY_OK;
	out->values[0] = m->authorization;
	out->values[1] = m->end_session;
	out->values[2] = m->tells_issuer ? BYTES("1") : BYTES("");
	out->value_count = 3;
}

static bool is_taken(const struct conf_oidc *o, struct bytes group)
{
	for (size_t i = 0; i < o->take_count; i++)
		if (bytes_eq(o->take[i], group))
			return true;
	return !o->is_narrowed;
}

/* The token's root goes with this question: the answer looks into the arena. False: it has no room. */
static bool keep_person(struct asked *a, const struct directory_person *p, struct directory_answer *out)
{
	struct directory_person *to = &out->person;
	const struct bytes from[] = { p->subject, p->name, p->display, p->mail, p->sid };
	struct bytes *const into[] = { &to->subject, &to->name, &to->display, &to->mail, &to->sid };

	out->status = DIRECTORY_OK;
	out->has_person = true;
	to->has_mfa = p->has_mfa;
	for (size_t i = 0; i < COUNT_OF(from); i++) {
		*into[i] = arena_copy(&a->d->arena, from[i]);
		if (!into[i]->at)
			return false;
	}
	for (size_t i = 0; i < p->group_count; i++) {
		if (!is_taken(a->o, p->groups[i]))
			continue;
		to->groups[to->group_count] = arena_copy(&a->d->arena, p->groups[i]);
		if (!to->groups[to->group_count++].at)
			return false;
	}
	return true;
}

/* NULL where it does not fit. */
static const char *encoded(struct directory *d, struct bytes b)
{
	unsigned char *mem = arena_alloc(&d->arena, 3 * b.len + 1);
	struct text t;

	if (!mem)
		return NULL;
	text_init(&t, mem, 3 * b.len);
	oidc_basic_put(&t, b);
	mem[t.len] = 0;
	return t.failed ? NULL : (const char *)mem;
}

/* The code for an ID token, in body. *is_down: the code is not what is wrong. */
static enum err exchange(struct asked *a, const struct directory_ask *q, struct oidc_answer *out, bool *is_down)
{
	static const enum oidc_client_auth auths[] = { [CONF_OIDC_BASIC] = OIDC_AUTH_BASIC, [CONF_OIDC_POST] = OIDC_AUTH_POST, [CONF_OIDC_NONE] = OIDC_AUTH_NONE };
	struct oidc_exchange x = { .auth = auths[a->o->client_auth], .code = q->args[0], .verifier = q->args[1], .redirect_uri = q->args[3], .client_id = a->o->client_id };
	unsigned char mem[FORM_MAX];
	struct post post = { 0 };
	const char *why = "";
	struct text form, body;
	long status = 0;
	enum err e;

	*is_down = true;
	if (x.auth != OIDC_AUTH_NONE)
		x.secret = a->d->secrets[a->o->secret];
	text_init(&form, mem, sizeof mem);
	oidc_exchange_write(&form, &x);
	post.form = text_bytes(&form);
	if (x.auth == OIDC_AUTH_BASIC) {
		post.user = encoded(a->d, x.client_id);
		post.password = encoded(a->d, x.secret);
	}
	e = form.failed || (x.auth == OIDC_AUTH_BASIC && (!post.user || !post.password)) ? ERR_LIMIT : fetch(a, a->k->metadata.token, &post, &body, &status);
	secret_wipe(mem, sizeof mem);
	if (post.password)
		secret_wipe((void *)(uintptr_t)post.password, strlen(post.password));
	if (e != OK)
		return e;
	e = oidc_answer_read(text_bytes(&body), out, &why);
	secret_wipe(body.at, body.len);
	text_fini(&body);
	if (e == OK && status != 200) {
		oidc_answer_fini(out);
		e = ERR_IO;
		why = "another status than 200";
	}
	*is_down = e != ERR_DENIED || strcmp(why, "invalid_grant") != 0;
	if (e != OK)
		a->why = directory_text(a->d, "its token endpoint: HTTP status %ld: %s%s", status, why,
			e == ERR_DENIED && *is_down ? ": compare client_id, client_secret, client_auth and the redirect URI with what the provider has" : "");
	return e;
}

static void answer_code(struct asked *a, const struct directory_ask *q, struct directory_answer *out)
{
	struct oidc_answer answer;
	struct oidc_token token;
	bool is_down = true;
	enum err e = exchange(a, q, &answer, &is_down);

	if (e == OK) {
		e = verify(a, oidc_id_token_read, answer.id_token, q->args[2], &token, &is_down);
		oidc_answer_fini(&answer);
	}
	if (e != OK) {
		directory_refuse(out, is_down ? DIRECTORY_DOWN : DIRECTORY_WRONG, a->why);
		return;
	}
	if (!keep_person(a, &token.person, out))
		directory_refuse(out, DIRECTORY_WRONG, BYTES("the token has more than can be kept"));
	oidc_token_fini(&token);
}

static void answer_logout(struct asked *a, const struct directory_ask *q, struct directory_answer *out)
{
	struct oidc_token token;
	bool is_down;

	if (verify(a, oidc_logout_token_read, q->args[0], BYTES(""), &token, &is_down) != OK) {
		directory_refuse(out, is_down ? DIRECTORY_DOWN : DIRECTORY_WRONG, a->why);
		return;
	}
	out->values[0] = arena_copy(&a->d->arena, token.jti);
	out->values[1] = directory_text(a->d, "%llu", (unsigned long long)token.until_s);
	out->value_count = 2;
	if (!keep_person(a, &token.person, out) || !out->values[0].at)
		directory_refuse(out, DIRECTORY_WRONG, BYTES("the token has more than can be kept"));
	oidc_token_fini(&token);
}

void oidc_answer(struct directory *d, const struct conf_oidc *o, const struct directory_ask *q, uint64_t end_ms, struct directory_answer *out)
{
	struct asked a = { .d = d, .o = o, .k = &known[o - d->conf->gateway.oidc], .end_ms = end_ms, .why = BYTES("no room") };

	if (need_metadata(&a) != OK)
		directory_refuse(out, DIRECTORY_DOWN, a.why);
	else if (q->kind == DIRECTORY_WHERE)
		where(&a, out);
	else if (q->kind == DIRECTORY_CODE)
		answer_code(&a, q, out);
	else
		answer_logout(&a, q, out);
}

/* Libraries open files, and a pair of sockets, when they are first used: that is now. */
enum err oidc_start(struct directory *d)
{
	CURL *c;

	if (d->conf->gateway.oidc_count == 0)
		return OK;
	json_object_seed(0);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return ERR_MEMORY;
	multi = curl_multi_init();
	c = curl_easy_init();
	curl_easy_cleanup(c);
	return multi && c ? OK : ERR_MEMORY;
}
