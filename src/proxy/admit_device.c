/* Sessions bound to a key of the device, at the edge: browsers are offered it, register and refresh below ADMIT_PREFIX "device/", and show the short cookie with
 * each request. Who shows a bound session without it has copied a cookie, and counts as nobody; the session itself goes on, for its browser has its key. */
#include "proxy/engine.h"

#include "auth/dbsc.h"
#include "base/secret.h"
#include "crypto/base64.h"
#include "gateway/page.h"
#include "json/write.h"

#define DEVICE_PREFIX	ADMIT_PREFIX "device/"
#define DEVICE_REGISTER DEVICE_PREFIX "register"
#define DEVICE_REFRESH	DEVICE_PREFIX "refresh"
#define WAIT_S		10 /* that a browser may take to register, before a page says that it does not */
#define TOLD_S		60
#define AGAIN_S		20 /* from its begin a session's browser is not offered it again: each time costs it one of few signatures */

bool admit_is_device_path(const struct exchange *x)
{
	return bytes_starts(x->req.path, BYTES(DEVICE_PREFIX));
}

static enum conf_binding binding_of(const struct exchange *x, const struct conf_app *app)
{
	return app ? app->device_binding : x->engine->conf->gateway.device_binding;
}

static bool is_from_elsewhere(const struct exchange *x)
{
	const struct http_field *site = http_find_field(x->req.fields, x->req.field_count, BYTES("Sec-Fetch-Site"));

	return site && bytes_eq(site->value, BYTES("cross-site"));
}

/* --- the offer --- */

static void put_offer(struct text *t, const struct auth_facts *f)
{
	text_lit(t, "(ES256);path=\"" DEVICE_REGISTER "\";challenge=\"");
	base64url_put(t, bytes_of(f->device_challenge, sizeof f->device_challenge));
	text_byte(t, '"');
}

static bool has_offer(const struct exchange *x, const struct auth_facts *f)
{
	return f->device_challenge_until_s > x->real_us / 1000000;
}

/* What another site's link led here registers without our cookies (SameSite), and would be in vain. */
static bool is_offered_again(const struct exchange *x)
{
	return x->real_us / 1000000 >= x->session->facts.begun_s + AGAIN_S && !is_from_elsewhere(x);
}

static void offer(struct exchange *x, const struct auth_facts *f)
{
	struct text *t = &x->admit->head;

	if (!has_offer(x, f))
		return;
	text_lit(t, "Secure-Session-Registration: ");
	put_offer(t, f);
	text_lit(t, "\r\n");
}

void admit_device_offer(struct exchange *x)
{
	if (x->session && is_offered_again(x))
		offer(x, &x->session->facts);
}

void admit_set_session(struct exchange *x, const char *cookie, const struct auth_answer *a)
{
	struct auth_facts f;

	admit_set_token(x, cookie, a->token);
	if (admit_facts(a, &f))
		offer(x, &f);
}

struct bytes admit_device_offer_value(struct exchange *x)
{
	const struct http_field *mode = http_find_field(x->req.fields, x->req.field_count, BYTES("Sec-Fetch-Mode"));
	struct text t;
	void *mem;

	if (!x->session || !has_offer(x, &x->session->facts) || !is_offered_again(x) || !mode || !bytes_eq(mode->value, BYTES("navigate")))
		return BYTES("");
	mem = arena_alloc_raw(&x->arena, 160);
	if (!mem)
		return BYTES("");
	text_init(&t, mem, 160);
	put_offer(&t, &x->session->facts);
	return t.failed ? BYTES("") : text_bytes(&t);
}

/* --- registering and refreshing --- */

/* The session's instructions for the browser ("JSON Session Instruction Format"). Our own paths are outside its scope: no refresh waits for another. */
static void put_instructions(struct exchange *x, struct bytes id)
{
	struct text *t = &x->admit->page;

	text_lit(t, "{\"session_identifier\":");
	json_put_string(t, id);
	text_lit(t, ",\"refresh_url\":\"" DEVICE_REFRESH "\",\"scope\":{\"origin\":\"");
	admit_origin(x, t, x->req.host);
	text_lit(t, "\",\"include_site\":false,\"scope_specification\":[{\"type\":\"exclude\",\"domain\":");
	json_put_string(t, x->req.host);
	text_lit(t, ",\"path\":\"" DEVICE_PREFIX "\"}]},\"credentials\":[{\"type\":\"cookie\",\"name\":\"" COOKIE_DEVICE
		"\",\"attributes\":\"Path=/; Secure; HttpOnly; SameSite=Lax\"}]}");
}

/* The session is over, or another one than the browser means: it forgets what it had of it. */
static void put_end(struct exchange *x, struct bytes id)
{
	struct text *t = &x->admit->page;

	text_lit(t, "{\"session_identifier\":");
	json_put_string(t, id);
	text_lit(t, ",\"continue\":false}");
}

static struct bytes field_string(const struct exchange *x, struct bytes name)
{
	const struct http_field *f = http_find_field(x->req.fields, x->req.field_count, name);

	return f ? dbsc_string(f->value) : BYTES("");
}

static struct bytes session_asked_for(const struct exchange *x)
{
	return bytes_cut(field_string(x, BYTES("Sec-Secure-Session-Id")), 0, 64);
}

static void reply_json(struct exchange *x)
{
	text_lit(&x->admit->head, "Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n");
	admit_reply(x, 200, BYTES("application/json"));
}

static void device_told(struct exchange *x, const struct auth_answer *a)
{
	bool is_refresh = bytes_eq(x->req.path, BYTES(DEVICE_REFRESH));
	struct text *head = &x->admit->head;
	uint64_t lasts_s;

	if (a->result == AUTH_OK && a->token.len && a->value_count > 1 && bytes_u64(a->values[1], &lasts_s) == OK && lasts_s <= UINT32_MAX) {
		text_lit(head, "Set-Cookie: ");
		cookie_write(head, COOKIE_DEVICE, a->token, (uint32_t)lasts_s);
		text_lit(head, "\r\n");
		put_instructions(x, a->values[0]);
		reply_json(x);
	} else if (a->result == AUTH_MORE && a->value_count > 0) {
		text_lit(head, "Secure-Session-Challenge: \"");
		base64url_put(head, a->values[0]);
		text_lit(head, "\";id=\"");
		text_add(head, session_asked_for(x)); /* identity found it to be the session's */
		text_lit(head, "\"\r\n");
		admit_reply(x, 403, BYTES("text/plain"));
	} else if (a->result == AUTH_NONE && is_refresh) {
		put_end(x, session_asked_for(x));
		reply_json(x);
	} else if (a->result == AUTH_NONE) {
		exchange_refuse(x, 401, "sign-in");
	} else {
		exchange_refuse(x, a->result == AUTH_DENIED ? 400 : 503, a->result == AUTH_DENIED ? "device-proof" : "identity");
	}
}

void admit_device_path(struct exchange *x)
{
	bool is_refresh = bytes_eq(x->req.path, BYTES(DEVICE_REFRESH));
	struct bytes proof = field_string(x, BYTES("Secure-Session-Response"));
	struct bytes args[3] = { x->req.host, is_refresh ? session_asked_for(x) : proof, proof };
	struct admit *a = admit_of(x);

	if (!a)
		return;
	if ((!is_refresh && !bytes_eq(x->req.path, BYTES(DEVICE_REGISTER))) || x->req.method != HTTP_POST) {
		exchange_refuse(x, 404, "no-route");
		return;
	}
	if (proof.len > DBSC_JWT_MAX || (!is_refresh && proof.len == 0)) {
		exchange_refuse(x, 400, "device-proof");
		return;
	}
	x->has_secret = x->client->had_secret = true;
	a->has_token = cookie_token(x->req.fields, x->req.field_count, admit_cookie(x), a->token);
	if (a->has_token) {
		admit_ask(x, is_refresh ? CALL_DEVICE_REFRESH : CALL_DEVICE_REGISTER, false, bytes_of(a->token, sizeof a->token), args, is_refresh ? 3 : 2, device_told);
	} else if (is_refresh) {
		put_end(x, session_asked_for(x));
		reply_json(x);
	} else {
		exchange_refuse(x, 401, "sign-in");
	}
}

/* --- each request --- */

static bool is_cookie(const unsigned char shown[SHA256_LEN], const unsigned char hash[SHA256_LEN], uint64_t until_s, uint64_t now_s)
{
	return secret_eq(bytes_of(shown, SHA256_LEN), bytes_of(hash, SHA256_LEN)) && until_s > now_s;
}

bool admit_device_shown(struct exchange *x)
{
	const struct auth_facts *f = &x->session->facts;
	unsigned char token[AUTH_TOKEN_LEN], hash[SHA256_LEN];
	uint64_t now_s = x->real_us / 1000000;
	bool is_shown;

	/* What a browser sent before it heard that its session is bound comes without. */
	if (!f->is_device_bound || f->device_grace_s > now_s)
		return true;
	if (!cookie_token(x->req.fields, x->req.field_count, COOKIE_DEVICE, token))
		return false;
	admit_hash(x, token, hash);
	secret_wipe(token, sizeof token);
	is_shown = is_cookie(hash, f->device_hash, f->device_until_s, now_s);
	is_shown |= is_cookie(hash, f->device_before, f->device_before_until_s, now_s);
	return is_shown;
}

static void missing_told(struct exchange *x, const struct auth_answer *a)
{
	(void)a; /* it was for administrators */
	exchange_go(x);
}

bool admit_device_lacking(struct exchange *x)
{
	struct admit_session *s = x->client->session;
	unsigned char token[AUTH_TOKEN_LEN];
	struct admit *a = admit_of(x);
	bool is_told = s->device_told_s && s->device_told_s + TOLD_S > x->real_us / 1000000;

	x->session = NULL;
	x->input.session = NULL;
	x->lacks_device = true;
	if (!a)
		return false;
	/* A cookie that is not the right one any more, after a power failure say, would keep the browser from getting another. */
	if (cookie_token(x->req.fields, x->req.field_count, COOKIE_DEVICE, token))
		admit_set_token(x, COOKIE_DEVICE, BYTES(""));
	if (is_told || !cookie_token(x->req.fields, x->req.field_count, admit_cookie(x), token))
		return true;
	s->device_told_s = x->real_us / 1000000;
	admit_ask(x, CALL_DEVICE_MISSING, false, bytes_of(token, sizeof token), &x->req.host, 1, missing_told);
	secret_wipe(token, sizeof token);
	return false;
}

/* --- pages --- */

static void device_page(struct exchange *x, const struct conf_app *app, bool is_waiting)
{
	const struct conf_gateway *g = &x->engine->conf->gateway;
	const struct http_field *f = x->req.fields;
	struct bytes chosen = cookie_lang(f, x->req.field_count);
	struct page p = { .gateway = g, .now_s = x->real_us / 1000000 };
	struct admit *a = admit_of(x);

	if (!a)
		return;
	p.lang = page_lang_of(chosen.len ? chosen : x->session ? x->session->facts.language : BYTES(""), f, x->req.field_count);
	x->refusal = "device-key";
	text_lit(&a->head, "Content-Security-Policy: ");
	page_csp_app(&a->head, g, false);
	text_lit(&a->head, "\r\nReferrer-Policy: same-origin\r\n");
	admit_device_offer(x);
	page_device(&a->page, &p, app ? app->name : x->req.host, is_waiting);
	admit_reply(x, 403, BYTES("text/html; charset=utf-8"));
}

bool admit_device_fits(struct exchange *x, const struct conf_app *app)
{
	const struct auth_facts *f = &x->session->facts;

	if (f->is_device_bound || binding_of(x, app) != CONF_BINDING_REQUIRE)
		return true;
	record_policy(x, 403, "device key needed");
	if (admit_is_navigation(x))
		device_page(x, app, f->device_challenge_until_s && x->real_us / 1000000 < f->begun_s + WAIT_S);
	else
		exchange_refuse(x, 403, "device-key");
	return false;
}

bool admit_device_nobody(struct exchange *x)
{
	if (!x->lacks_device)
		return false;
	x->refusal = "device-key";
	/* Browsers do not refresh for a link on another site's page: for one on ours they do, and this page goes to itself. */
	if (!is_from_elsewhere(x) || !admit_is_navigation(x))
		return false;
	device_page(x, x->app, true);
	return true;
}
