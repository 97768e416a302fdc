/* The portal's host: which page, for whom, and what all pages have in common. Every POST comes from a page of ours (origin) and carries a token made from
 * the session's, or the sign-in's, own. */
#include "proxy/portal_priv.h"

#include "base/secret.h"
#include "crypto/base64.h"

#define FILE_KEEPS "Cache-Control: public, max-age=31536000, immutable\r\n" /* its path has the hash of what is in it */
#define CONF_KEEPS "Cache-Control: private, max-age=300\r\n"	     /* the configuration may change */

struct bytes portal_text(enum page_word w, const struct page *p)
{
	return bytes_str(page_word(p->lang, w));
}

struct bytes portal_text_with(struct exchange *x, const struct page *p, enum page_word w, uint64_t n)
{
	unsigned char number[24];
	char *mem = arena_alloc(&x->admit->arena, 400);
	struct text t, num;

	if (!mem)
		return portal_text(w, p);
	text_init(&num, number, sizeof number);
	text_u64(&num, n);
	text_init(&t, mem, 400);
	page_fill(&t, p->lang, w, text_bytes(&num), BYTES(""));
	return text_bytes(&t);
}

struct bytes portal_field(const struct exchange *x, const char *name)
{
	return form_get(&x->admit->form, name);
}

static struct bytes cookie_kept(struct exchange *x, const char *name)
{
	unsigned char *mem = arena_alloc(&x->admit->arena, AUTH_TOKEN_LEN);

	if (!mem || !cookie_token(x->req.fields, x->req.field_count, name, mem))
		return BYTES("");
	x->has_secret = true;
	return bytes_of(mem, AUTH_TOKEN_LEN);
}

struct bytes portal_flow(struct exchange *x)
{
	return cookie_kept(x, COOKIE_FLOW);
}

struct bytes portal_passkey_flow(struct exchange *x)
{
	return cookie_kept(x, COOKIE_PASSKEY);
}

struct bytes portal_oidc_flow(struct exchange *x)
{
	return cookie_kept(x, COOKIE_OIDC);
}

struct bytes portal_token(struct exchange *x)
{
	return cookie_kept(x, COOKIE_PORTAL);
}

struct bytes portal_agent(const struct exchange *x)
{
	const struct http_field *f = http_find_field_id(x->req.fields, x->req.field_count, HTTP_USER_AGENT);

	return f ? bytes_cut(f->value, 0, 200) : BYTES("");
}

struct bytes portal_csrf(struct exchange *x, struct bytes token)
{
	char *mem = token.len ? arena_alloc(&x->admit->arena, CSRF_LEN + 1) : NULL;

	if (!mem)
		return BYTES("");
	csrf_make(token, mem);
	return bytes_str(mem);
}

struct page portal_page(struct exchange *x)
{
	const struct http_field *f = x->req.fields;
	size_t n = x->req.field_count;
	struct bytes asked = portal_field(x, "lang"), chosen = bytes_eq(asked, BYTES("nl")) || bytes_eq(asked, BYTES("en")) ? asked : cookie_lang(f, n);
	struct page p = { .gateway = &x->engine->conf->gateway, .now_s = x->real_us / 1000000, .facts = x->session ? &x->session->facts : NULL,
		.next = link_local(portal_field(x, "next")), .with_passkeys = true, .wants_refresh = x->session };

	p.lang = page_lang_of(chosen.len ? chosen : x->session ? x->session->facts.language : BYTES(""), f, n);
	p.csrf = portal_csrf(x, x->session ? portal_token(x) : portal_flow(x));
	return p;
}

void portal_send(struct exchange *x, unsigned status)
{
	struct text *t = &x->admit->head;

	admit_device_offer(x);
	text_lit(t, "Content-Security-Policy: ");
	page_csp(t, &x->engine->conf->gateway);
	text_lit(t, "\r\nReferrer-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
		    "Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n");
	admit_reply(x, status, BYTES("text/html; charset=utf-8"));
}

void portal_message(struct exchange *x, unsigned status, enum page_word title, enum page_word text)
{
	struct page p = portal_page(x);

	page_message(&x->admit->page, &p, title, text, status);
	portal_send(x, status);
}

void portal_go(struct exchange *x, struct bytes to)
{
	admit_redirect(x, to.len ? to : BYTES("/"));
}

void portal_go_next(struct exchange *x)
{
	portal_go(x, link_local(portal_field(x, "next")));
}

void portal_set_flow(struct exchange *x, struct bytes token)
{
	admit_set_token(x, COOKIE_FLOW, token);
}

unsigned portal_status(const struct auth_answer *a)
{
	switch (a->result) {
	case AUTH_WAIT: return 429;
	case AUTH_BUSY: case AUTH_DOWN: return 503;
	case AUTH_REFUSED: case AUTH_NONE: return 401;
	case AUTH_DENIED: return 403;
	case AUTH_BAD: return 400;
	case AUTH_OK: case AUTH_MORE: case AUTH_ENROL: case AUTH_RESULT_COUNT: break;
	}
	return 200;
}

struct bytes portal_error(struct exchange *x, const struct page *p, const struct auth_answer *a, enum page_word refused)
{
	switch (a->result) {
	case AUTH_WAIT: return portal_text_with(x, p, PW_E_WAIT, a->wait_s);
	case AUTH_BUSY: return portal_text(PW_E_BUSY, p);
	case AUTH_DOWN: return portal_text(PW_E_DOWN, p);
	case AUTH_DENIED: return portal_text(PW_E_DENIED, p);
	case AUTH_NONE: return portal_text(PW_E_OVER, p);
	case AUTH_BAD: return portal_text(PW_E_FORM, p);
	case AUTH_REFUSED: case AUTH_OK: case AUTH_MORE: case AUTH_ENROL: case AUTH_RESULT_COUNT: break;
	}
	return portal_text(refused, p);
}

bool portal_failed(struct exchange *x, const struct auth_answer *a)
{
	if (a->result == AUTH_NONE) { /* the session has ended meanwhile */
		admit_forget(x);
		portal_go(x, BYTES("/sign-in"));
	} else if (a->result == AUTH_BUSY || a->result == AUTH_DOWN || a->result == AUTH_WAIT) {
		portal_message(x, portal_status(a), a->result == AUTH_WAIT ? PW_T_WAIT : PW_T_DOWN, a->result == AUTH_WAIT ? PW_M_WAIT : PW_M_DOWN);
	} else {
		return false;
	}
	return true;
}

/* --- files --- */

static void send_file(struct exchange *x, struct bytes type, struct bytes body, bool is_for_good)
{
	struct admit *a = x->admit;

	x->local_keeps = true;
	if (is_for_good)
		text_lit(&a->head, FILE_KEEPS);
	else
		text_lit(&a->head, CONF_KEEPS);
	/* A logo may be SVG, which is a document when it is opened by itself: it may do nothing then. Pages of
	 * apps and routes, which may be of another site, load style and logo from here. */
	text_lit(&a->head, "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; sandbox\r\nCross-Origin-Resource-Policy: cross-origin\r\n");
	text_add(&a->page, body);
	admit_reply(x, 200, type);
}

static void portal_file(struct exchange *x)
{
	const struct conf_gateway *g = &x->engine->conf->gateway;
	struct bytes path = x->req.path, icon = BYTES("/-/icon/");
	const struct page_file *f = page_file_find(path);
	const struct conf_app *app = bytes_starts(path, icon) ? conf_app_by_id(x->engine->conf, bytes_cut(path, icon.len, path.len)) : NULL;

	if (f) {
		send_file(x, f->type, f->body, true);
	} else if (bytes_eq(path, BYTES("/-/logo")) && g->logo.len) {
		send_file(x, g->logo_type, g->logo, false);
	} else if (app && app->icon.len) {
		send_file(x, app->icon_type, app->icon, false);
	} else if (bytes_eq(path, BYTES("/-/colour.css")) && g->colour.len) {
		unsigned char mem[2048];
		struct text t;

		text_init(&t, mem, sizeof mem);
		page_colour_css(&t, g->colour);
		send_file(x, BYTES("text/css; charset=utf-8"), text_bytes(&t), false);
	} else {
		portal_message(x, 404, PW_T_NOT_FOUND, PW_M_NOT_FOUND);
	}
}

static void jwks_told(struct exchange *x, const struct auth_answer *a)
{
	if (portal_failed(x, a))
		return;
	x->local_keeps = true;
	text_lit(&x->admit->head, "Cache-Control: public, max-age=300\r\n");
	text_add(&x->admit->page, a->value_count ? a->values[0] : BYTES("{\"keys\":[]}"));
	admit_reply(x, 200, BYTES("application/json"));
}

void portal_jwks(struct exchange *x)
{
	admit_ask(x, CALL_JWKS, false, BYTES(""), NULL, 0, jwks_told);
}

/* --- which page --- */

enum who { ANYBODY, SESSION, FLOW_OR_SESSION, SERVER }; /* SERVER: not a browser: what it sends says by itself whose it is */
static const struct {
	struct bytes path;
	bool is_post, is_prefix;
	enum who who; /* else to the sign-in */
	void (*answer)(struct exchange *x);
} paths[] = {
	{ LIT("/"), false, false, SESSION, portal_home },
	{ LIT("/sign-in"), false, false, ANYBODY, portal_sign_in_page },
	{ LIT("/sign-in"), true, false, ANYBODY, portal_sign_in },
	{ LIT("/second"), false, false, FLOW_OR_SESSION, portal_second_page },
	{ LIT("/second"), true, false, FLOW_OR_SESSION, portal_second },
	{ LIT("/step-up"), false, false, SESSION, portal_step_up_page },
	{ LIT("/step-up"), true, false, SESSION, portal_step_up },
	{ LIT("/totp"), false, false, FLOW_OR_SESSION, portal_totp_page },
	{ LIT("/totp"), true, false, FLOW_OR_SESSION, portal_totp },
	{ LIT("/totp/remove"), true, false, SESSION, portal_totp_remove },
	{ LIT("/recovery"), true, false, SESSION, portal_recovery },
	{ LIT("/sign-out"), true, false, SESSION, portal_sign_out },
	{ LIT("/signed-out"), false, false, ANYBODY, portal_signed_out },
	{ LIT("/enter"), false, false, SESSION, portal_enter },
	{ LIT("/go/"), false, true, SESSION, portal_go_app },
	{ LIT("/denied/"), false, true, SESSION, portal_denied },
	{ LIT("/favourite"), true, false, SESSION, portal_favourite },
	{ LIT("/still-there"), false, false, ANYBODY, portal_still_there },
	{ LIT("/stay"), true, false, SESSION, portal_stay },
	{ LIT("/account"), false, false, SESSION, portal_account_page },
	{ LIT("/password"), true, false, SESSION, portal_password },
	{ LIT("/session/end"), true, false, SESSION, portal_session_end },
	{ LIT("/sessions/end"), true, false, SESSION, portal_sessions_end },
	{ LIT("/language"), true, false, SESSION, portal_language },
	{ LIT("/passkey/begin"), true, false, ANYBODY, portal_passkey_begin },
	{ LIT("/passkey/ask"), true, false, FLOW_OR_SESSION, portal_passkey_ask },
	{ LIT("/passkey/new"), true, false, FLOW_OR_SESSION, portal_passkey_new },
	{ LIT("/passkey/sign-in"), true, false, ANYBODY, portal_passkey_sign_in },
	{ LIT("/passkey/prove"), true, false, FLOW_OR_SESSION, portal_passkey_prove },
	{ LIT("/passkey/add"), true, false, FLOW_OR_SESSION, portal_passkey_add },
	{ LIT("/passkey/remove"), true, false, SESSION, portal_passkey_remove },
	{ LIT("/oidc/"), false, true, ANYBODY, portal_oidc },
	{ LIT("/oidc/"), true, true, SERVER, portal_oidc_logout },
	{ LIT("/.well-known/jwks.json"), false, false, ANYBODY, portal_jwks },
	{ LIT("/-/"), false, true, ANYBODY, portal_file },
};

/* Where somebody who must sign in goes on afterwards: what was asked for, if it was only looked at. */
static void to_sign_in(struct exchange *x, bool is_post)
{
	unsigned char mem[4096 * 3];
	struct bytes here = x->req.target;
	struct text t;

	if (admit_device_nobody(x))
		return;
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "/sign-in");
	if (!is_post && x->req.path.len > 1 && link_local(here).len) {
		text_lit(&t, "?next=");
		link_encode(&t, here);
	}
	portal_go(x, t.failed ? BYTES("/sign-in") : text_bytes(&t));
}

static void call_path(struct exchange *x, size_t i)
{
	bool is_open = paths[i].who == ANYBODY || paths[i].who == SERVER, is_flow = !x->session && paths[i].who == FLOW_OR_SESSION && portal_flow(x).len;

	if (!is_open && !x->session && !is_flow) {
		to_sign_in(x, paths[i].is_post);
		return;
	}
	/* A password that an administrator chose: nothing else before there is another. */
	if (x->session && x->session->facts.must_change && paths[i].who == SESSION && paths[i].answer != portal_account_page &&
		paths[i].answer != portal_password && paths[i].answer != portal_sign_out && paths[i].answer != portal_language) {
		portal_go(x, BYTES("/account"));
		return;
	}
	paths[i].answer(x);
}

static size_t find_path(const struct exchange *x, bool is_post, bool *other_method)
{
	*other_method = false;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		if (!(paths[i].is_prefix ? bytes_starts(x->req.path, paths[i].path) : bytes_eq(x->req.path, paths[i].path)))
			continue;
		if (paths[i].is_post == is_post)
			return i;
		*other_method = true;
	}
	return SIZE_MAX;
}

static void formed(struct exchange *x)
{
	bool other;
	size_t i = find_path(x, true, &other);
	struct bytes token = x->session ? portal_token(x) : portal_flow(x), given = portal_field(x, "csrf");

	/* Before there is a token, the origin says it alone: there is nothing yet that could be forged. */
	if (paths[i].who != ANYBODY && paths[i].who != SERVER && !csrf_fits(token, given)) {
		if (x->lacks_device)
			x->refusal = "device-key";
		portal_message(x, 403, PW_T_BAD, PW_E_FORM);
		return;
	}
	call_path(x, i);
}

void portal_answer(struct exchange *x)
{
	bool is_post = x->req.method == HTTP_POST, other;
	size_t i = find_path(x, is_post, &other);
	struct admit *a = admit_of(x);

	if (!a)
		return;
	if (!is_post && x->req.method != HTTP_GET && x->req.method != HTTP_HEAD) {
		exchange_refuse(x, 405, "method");
		return;
	}
	if (is_post && i != SIZE_MAX) {
		if (paths[i].who != SERVER && !origin_is_ours(x->req.fields, x->req.field_count, x->engine->conf->gateway.origin)) {
			x->refusal = "origin";
			portal_message(x, 403, PW_T_BAD, PW_E_FORM);
			return;
		}
		admit_form(x, formed);
		return;
	}
	if (x->req.has_query && form_parse(x->req.raw_query, &a->arena, &a->form) != OK) {
		portal_message(x, 400, PW_T_BAD, PW_M_BAD);
		return;
	}
	if (i == SIZE_MAX) {
		portal_message(x, other ? 405 : 404, other ? PW_T_METHOD : PW_T_NOT_FOUND, other ? PW_M_METHOD : PW_M_NOT_FOUND);
		return;
	}
	call_path(x, i);
}
