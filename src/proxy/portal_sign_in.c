/* In and out: password, second factor, setting one up, step up, sign-out, and the way on to an app. */
#include "proxy/portal_priv.h"

#include "base/secret.h"
#include "crypto/base64.h"

/* --- in --- */

void portal_sign_in_page(struct exchange *x)
{
	struct page p = portal_page(x);
	struct bytes lang = portal_field(x, "lang");

	if (x->session) {
		portal_go_next(x);
		return;
	}
	if (bytes_eq(lang, BYTES("nl")) || bytes_eq(lang, BYTES("en"))) {
		text_lit(&x->admit->head, "Set-Cookie: ");
		cookie_lang_write(&x->admit->head, lang);
		text_lit(&x->admit->head, "\r\n");
	}
	page_sign_in(&x->admit->page, &p, BYTES(""));
	portal_send(x, 200);
}

/* To the page for what is needed besides; "next" goes along. */
static void go_on_to(struct exchange *x, struct bytes path)
{
	unsigned char mem[LINK_MAX * 3 + 64];
	struct bytes next = link_local(portal_field(x, "next"));
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_add(&t, path);
	if (next.len) {
		text_lit(&t, "?next=");
		link_encode(&t, next);
	}
	portal_go(x, text_bytes(&t));
}

/* OK, MORE and ENROL, wherever they come from. False: something else. */
static bool signed_in(struct exchange *x, const struct auth_answer *a)
{
	if (a->result == AUTH_OK && a->token.len) {
		admit_set_session(x, COOKIE_PORTAL, a);
		portal_set_flow(x, BYTES(""));
		if (a->value_count > 1 && a->values[1].len) { /* recovery codes: shown now or never */
			struct auth_facts facts;
			struct page p = portal_page(x);

			if (admit_facts(a, &facts))
				p.facts = &facts;
			p.csrf = portal_csrf(x, a->token);
			page_recovery(&x->admit->page, &p, a->values[1]);
			portal_send(x, 200);
			return true;
		}
		portal_go_next(x);
		return true;
	}
	if ((a->result == AUTH_MORE || a->result == AUTH_ENROL) && a->token.len) {
		portal_set_flow(x, a->token);
		go_on_to(x, a->result == AUTH_MORE ? BYTES("/second") : BYTES("/totp"));
		return true;
	}
	return false;
}

static void sign_in_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p;

	if (signed_in(x, a))
		return;
	p = portal_page(x);
	p.error = portal_error(x, &p, a, PW_E_REFUSED);
	x->refusal = a->result == AUTH_WAIT ? "sign-in-wait" : "sign-in-refused";
	page_sign_in(&x->admit->page, &p, bytes_cut(portal_field(x, "user"), 0, 64));
	portal_send(x, portal_status(a));
}

void portal_sign_in(struct exchange *x)
{
	struct bytes args[3] = { portal_field(x, "user"), portal_field(x, "password"), portal_agent(x) };
	struct page p = portal_page(x);

	if (x->session) { /* who wants another account signs out first: no session is left behind */
		portal_go_next(x);
		return;
	}
	if (args[0].len == 0 || args[1].len == 0) {
		p.error = portal_text(PW_E_EMPTY, &p);
		page_sign_in(&x->admit->page, &p, bytes_cut(args[0], 0, 64));
		portal_send(x, 400);
		return;
	}
	args[0] = bytes_cut(args[0], 0, 256); /* what is longer is wrong, and answered as such */
	args[1] = bytes_cut(args[1], 0, 1024);
	admit_ask(x, CALL_SIGN_IN, false, BYTES(""), args, 3, sign_in_told);
}

/* --- the second factor --- */

static bool is_recovery(const struct exchange *x)
{
	return bytes_eq(portal_field(x, "method"), BYTES("recovery"));
}

static enum page_word word_of_code(const struct exchange *x)
{
	return is_recovery(x) ? PW_E_RECOVERY : PW_E_CODE;
}

static void second_page(struct exchange *x, unsigned status, struct bytes error, struct bytes methods, bool is_step_up)
{
	struct page p = portal_page(x);

	p.error = error;
	if (error.len)
		p.wrong = is_recovery(x) ? BYTES("recovery") : BYTES("code");
	page_second(&x->admit->page, &p, methods, is_step_up);
	portal_send(x, status);
}

/* What identity offered is not kept here: all are shown, and identity says which is right. */
#define ALL_METHODS BYTES("totp passkey recovery")

void portal_second_page(struct exchange *x)
{
	if (x->session)
		portal_go_next(x);
	else
		second_page(x, 200, BYTES(""), ALL_METHODS, false);
}

static void second_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p;

	if (signed_in(x, a))
		return;
	if (a->result == AUTH_NONE) {
		p = portal_page(x);
		portal_set_flow(x, BYTES(""));
		p.error = portal_text(PW_E_OVER, &p);
		page_sign_in(&x->admit->page, &p, BYTES(""));
		portal_send(x, 401);
		return;
	}
	p = portal_page(x);
	second_page(x, portal_status(a), portal_error(x, &p, a, word_of_code(x)), ALL_METHODS, false);
}

void portal_second(struct exchange *x)
{
	const struct bytes args[3] = { bytes_cut(portal_field(x, "method"), 0, 32), bytes_cut(portal_field(x, "code"), 0, 64), portal_agent(x) };

	if (x->session)
		portal_go_next(x);
	else
		admit_ask(x, CALL_SECOND, true, portal_flow(x), args, 3, second_told);
}

/* Who has nothing yet to confirm with sets it up, and has proved it by that. */
static void step_up_page_told(struct exchange *x, const struct auth_answer *a)
{
	struct bytes lines = a->value_count ? a->values[0] : BYTES("");
	bool has_any = false;

	if (portal_failed(x, a))
		return;
	for (struct auth_line l; auth_line_next(&lines, &l);)
		has_any |= bytes_eq(l.fields[0], BYTES("passkey")) || (bytes_eq(l.fields[0], BYTES("totp")) && bytes_eq(l.fields[1], BYTES("1")));
	if (has_any)
		second_page(x, 200, BYTES(""), ALL_METHODS, true);
	else
		go_on_to(x, BYTES("/totp"));
}

void portal_step_up_page(struct exchange *x)
{
	if (x->session->facts.has_mfa)
		portal_go_next(x);
	else
		admit_ask(x, CALL_ACCOUNT, false, portal_token(x), NULL, 0, step_up_page_told);
}

static void step_up_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p;

	if (signed_in(x, a))
		return;
	if (a->result == AUTH_NONE) {
		(void)!portal_failed(x, a);
		return;
	}
	p = portal_page(x);
	second_page(x, portal_status(a), portal_error(x, &p, a, word_of_code(x)), ALL_METHODS, true);
}

void portal_step_up(struct exchange *x)
{
	const struct bytes args[2] = { bytes_cut(portal_field(x, "method"), 0, 32), bytes_cut(portal_field(x, "code"), 0, 64) };

	admit_ask(x, CALL_STEP_UP, false, portal_token(x), args, 2, step_up_told);
}

/* --- setting one up --- */

static void totp_page_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p = portal_page(x);

	if (portal_failed(x, a))
		return;
	if (a->result != AUTH_OK || a->value_count < 2) {
		portal_message(x, 403, PW_T_METHOD, PW_E_MFA_FIRST);
		return;
	}
	if (portal_field(x, "code").len) {
		p.error = portal_text(PW_E_CODE, &p);
		p.wrong = BYTES("code");
	}
	if (x->session && !p.next.len)
		p.next = BYTES("/account");
	page_totp_new(&x->admit->page, &p, a->values[0], a->values[1], !x->session);
	portal_send(x, p.error.len ? 401 : 200);
}

void portal_totp_page(struct exchange *x)
{
	admit_ask(x, CALL_TOTP_NEW, !x->session, x->session ? portal_token(x) : portal_flow(x), NULL, 0, totp_page_told);
}

static void totp_told(struct exchange *x, const struct auth_answer *a)
{
	if (signed_in(x, a))
		return;
	if (a->result == AUTH_REFUSED) { /* the same page again, with the same secret */
		portal_totp_page(x);
		return;
	}
	if (!portal_failed(x, a))
		portal_message(x, 403, PW_T_METHOD, PW_E_MFA_FIRST);
}

void portal_totp(struct exchange *x)
{
	const struct bytes args[2] = { bytes_cut(portal_field(x, "code"), 0, 64), portal_agent(x) };

	admit_ask(x, CALL_TOTP_CHECK, !x->session, x->session ? portal_token(x) : portal_flow(x), args, 2, totp_told);
}

/* --- out --- */

static void signed_out_told(struct exchange *x, const struct auth_answer *a)
{
	const struct conf_oidc *o;
	unsigned char mem[200];
	struct text t;

	if (a->result != AUTH_OK && a->result != AUTH_NONE) {
		portal_message(x, 503, PW_T_DOWN, PW_M_DOWN);
		return;
	}
	admit_set_token(x, COOKIE_PORTAL, BYTES(""));
	admit_set_token(x, COOKIE_DEVICE, BYTES(""));
	text_lit(&x->admit->head, "Clear-Site-Data: \"cache\", \"storage\"\r\n");
	/* A provider has a session of its own, which is not ours to end. */
	o = a->result == AUTH_OK && a->value_count ? conf_oidc_by_name(x->engine->conf, a->values[0]) : NULL;
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "/signed-out");
	if (o) {
		text_lit(&t, "?from=");
		link_encode(&t, o->name);
	}
	portal_go(x, text_bytes(&t));
}

void portal_sign_out(struct exchange *x)
{
	admit_ask(x, CALL_SIGN_OUT, false, portal_token(x), NULL, 0, signed_out_told);
}

void portal_signed_out(struct exchange *x)
{
	const struct conf_oidc *o = conf_oidc_by_name(x->engine->conf, portal_field(x, "from"));
	struct page p = portal_page(x);

	if (x->session) {
		portal_go(x, BYTES("/"));
		return;
	}
	if (o) {
		portal_oidc_out(x, o);
		return;
	}
	page_signed_out(&x->admit->page, &p, BYTES(""), BYTES(""));
	portal_send(x, 200);
}

/* --- on to an app --- */

static void code_told(struct exchange *x, const struct auth_answer *a)
{
	unsigned char mem[512];
	struct text t;

	if (portal_failed(x, a))
		return;
	if (a->result != AUTH_OK || a->value_count < 1) {
		x->refusal = "access-denied";
		portal_message(x, a->result == AUTH_DENIED ? 403 : 400, PW_T_BAD, PW_M_BAD);
		return;
	}
	text_init(&t, mem, sizeof mem);
	admit_origin(x, &t, portal_field(x, "host"));
	text_lit(&t, ADMIT_PREFIX "enter?code=");
	base64url_put(&t, a->values[0]);
	x->has_secret = true;
	admit_redirect(x, text_bytes(&t));
	secret_wipe(mem, sizeof mem);
}

/* Sent here by an app's host. The host is one of ours, or identity makes no code; what is gone on to is a path there. */
void portal_enter(struct exchange *x)
{
	unsigned char nonce[SHA256_LEN], mem[LINK_MAX * 3 + 64];
	struct bytes host = portal_field(x, "host"), to = portal_field(x, "to");
	const struct bytes args[3] = { host, bytes_of(nonce, sizeof nonce), to };
	const struct conf_app *app = conf_app_by_host(x->engine->conf, host);
	const struct policy_expr *rule;
	struct page p = portal_page(x);

	if (!link_is_host(host) || !link_is_target(to) || base64url_read(portal_field(x, "n"), nonce, sizeof nonce) != OK) {
		portal_message(x, 400, PW_T_BAD, PW_M_BAD);
		return;
	}
	rule = admit_kept_out(x, app ? app->allow : NULL); /* a route's own comes with its request */
	if (rule) {
		bool steps_up = admit_step_up_helps(x, rule, app ? app->allow : NULL, app ? app->allow_text : BYTES(""));

		p.next = link_local(x->req.target);
		page_denied(&x->admit->page, &p, app, host, admit_note_denied(x, rule, steps_up), steps_up);
		portal_send(x, 403);
		return;
	}
	/* The app's host may have seen another address (IPv6 there, IPv4 here), for which a second factor is demanded. */
	if (admit_lacks_factor(x, app) || (!x->session->facts.has_mfa && bytes_eq(portal_field(x, "mfa"), BYTES("1")))) {
		struct text t;

		text_init(&t, mem, sizeof mem);
		text_lit(&t, "/step-up?next=");
		link_encode(&t, x->req.target);
		portal_go(x, t.failed ? BYTES("/step-up") : text_bytes(&t));
		return;
	}
	if (!admit_device_fits(x, app))
		return;
	admit_ask(x, CALL_APP_CODE, false, portal_token(x), args, 3, code_told);
}
