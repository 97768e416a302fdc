/* Signing in at another service: off to it, back from it, and what it says itself when a session there has ended. Codes, states and tokens are not shown
 * again, neither on a page nor in a log. */
#include "proxy/portal_priv.h"

#include "auth/oidc.h"

#define PREFIX	   BYTES("/oidc/")
#define CALLBACK   BYTES("/callback")
#define LOGOUT     BYTES("/logout")
#define LOGOUT_MAX 3500

/* The provider that /oidc/NAME..., with that end, is about. NULL: it is not, or there is none. */
static const struct conf_oidc *provider_of(const struct exchange *x, struct bytes end)
{
	struct bytes name = bytes_cut(x->req.path, PREFIX.len, x->req.path.len);

	if (!bytes_ends(name, end))
		return NULL;
	return conf_oidc_by_name(x->engine->conf, bytes_cut(name, 0, name.len - end.len));
}

static void down(struct exchange *x)
{
	x->refusal = "oidc-down";
	portal_message(x, 503, PW_T_DOWN, PW_M_OIDC_DOWN);
}

/* --- there --- */

static void begun(struct exchange *x, const struct auth_answer *a)
{
	if (a->result != AUTH_OK || a->token.len == 0 || a->value_count < 1) {
		down(x);
		return;
	}
	admit_set_token(x, COOKIE_OIDC, a->token);
	admit_redirect(x, a->values[0]);
}

static void begin(struct exchange *x, const struct conf_oidc *o)
{
	const struct bytes args[2] = { o->name, link_local(portal_field(x, "next")) };

	if (x->session) { /* who wants another account signs out first */
		portal_go_next(x);
		return;
	}
	if (x->req.method == HTTP_HEAD) { /* a look, not a sign-in */
		portal_message(x, 200, PW_SIGN_IN, PW_SIGN_IN_LEAD);
		return;
	}
	admit_ask(x, CALL_OIDC_BEGIN, false, BYTES(""), args, 2, begun);
}

/* --- back --- */

static struct bytes last_value(const struct auth_answer *a)
{
	return a->value_count ? link_local(a->values[a->value_count - 1]) : BYTES("");
}

static void on_to(struct exchange *x, const char *path, struct bytes target)
{
	unsigned char mem[LINK_MAX * 3 + 64];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_str(&t, path);
	if (target.len) {
		text_lit(&t, "?next=");
		link_encode(&t, target);
	}
	portal_go(x, text_bytes(&t));
}

static void ended(struct exchange *x, const struct auth_answer *a)
{
	admit_set_token(x, COOKIE_OIDC, BYTES(""));
	switch (a->result) {
	case AUTH_OK:
		if (a->token.len == 0)
			break;
		admit_set_token(x, COOKIE_PORTAL, a->token);
		portal_set_flow(x, BYTES(""));
		portal_go(x, last_value(a));
		return;
	case AUTH_MORE:
	case AUTH_ENROL:
		portal_set_flow(x, a->token);
		on_to(x, a->result == AUTH_MORE ? "/second" : "/totp", last_value(a));
		return;
	case AUTH_NONE:
		x->refusal = "oidc-over";
		portal_message(x, 400, PW_T_OIDC, PW_M_OIDC_OVER);
		return;
	case AUTH_DENIED:
		x->refusal = "sign-in-refused";
		portal_message(x, 403, PW_T_OIDC, PW_M_OIDC_DENIED);
		return;
	case AUTH_REFUSED:
	case AUTH_BAD:
		x->refusal = "sign-in-refused";
		portal_message(x, 401, PW_T_OIDC, PW_M_OIDC_REFUSED);
		return;
	case AUTH_WAIT:
		x->refusal = "sign-in-wait";
		portal_message(x, 429, PW_T_WAIT, PW_M_WAIT);
		return;
	case AUTH_BUSY: case AUTH_DOWN: case AUTH_RESULT_COUNT: break;
	}
	down(x);
}

static void end(struct exchange *x, const struct conf_oidc *o)
{
	const struct bytes args[5] = { o->name, portal_field(x, "code"), portal_field(x, "state"), portal_field(x, "iss"), portal_agent(x) };
	struct bytes flow = portal_oidc_flow(x);

	x->has_secret = true;
	if (x->session) {
		portal_go(x, BYTES("/"));
	} else if (portal_field(x, "error").len || flow.len == 0) { /* its words are anybody's: they are not shown */
		bool is_over = portal_field(x, "error").len == 0;

		admit_set_token(x, COOKIE_OIDC, BYTES(""));
		x->refusal = is_over ? "oidc-over" : "oidc-error";
		portal_message(x, 400, PW_T_OIDC, is_over ? PW_M_OIDC_OVER : PW_M_OIDC_REFUSED);
	} else if (args[1].len == 0 || args[1].len > OIDC_CODE_MAX || args[2].len == 0 || args[2].len > 200 || args[3].len > 1024) {
		x->refusal = "oidc-malformed";
		portal_message(x, 400, PW_T_BAD, PW_M_BAD);
	} else {
		admit_ask(x, CALL_OIDC_END, true, flow, args, 5, ended);
	}
}

void portal_oidc(struct exchange *x)
{
	const struct conf_oidc *there = provider_of(x, BYTES("")), *back = provider_of(x, CALLBACK);

	if (there)
		begin(x, there);
	else if (back)
		end(x, back);
	else
		portal_message(x, 404, PW_T_NOT_FOUND, PW_M_NOT_FOUND);
}

/* --- the provider itself --- */

/* Back-Channel Logout 2.8. */
static void answer_provider(struct exchange *x, unsigned status)
{
	if (status != 200)
		x->refusal = "oidc-logout";
	text_str(&x->admit->page, status == 200 ? "" : "{\"error\":\"invalid_request\"}\n");
	admit_reply(x, status, BYTES("application/json"));
}

static void logged_out(struct exchange *x, const struct auth_answer *a)
{
	answer_provider(x, a->result == AUTH_OK ? 200 : a->result == AUTH_BUSY || a->result == AUTH_DOWN ? 503 : a->result == AUTH_WAIT ? 429 : 400);
}

void portal_oidc_logout(struct exchange *x)
{
	const struct conf_oidc *o = provider_of(x, LOGOUT);
	const struct bytes args[2] = { o ? o->name : BYTES(""), portal_field(x, "logout_token") };

	x->has_secret = true;
	if (!o || args[1].len == 0 || args[1].len > LOGOUT_MAX)
		answer_provider(x, o ? 400 : 404);
	else
		admit_ask(x, CALL_OIDC_LOGOUT, false, BYTES(""), args, 2, logged_out);
}

/* --- out there too --- */

static void out_told(struct exchange *x, const struct auth_answer *a)
{
	const struct conf_oidc *o = conf_oidc_by_name(x->engine->conf, portal_field(x, "from"));
	struct page p = portal_page(x);
	bool has_way = a->result == AUTH_OK && a->value_count > 0 && o;

	page_signed_out(&x->admit->page, &p, has_way ? o->label : BYTES(""), has_way ? a->values[0] : BYTES(""));
	portal_send(x, 200);
}

void portal_oidc_out(struct exchange *x, const struct conf_oidc *o)
{
	admit_ask(x, CALL_OIDC_OUT, false, BYTES(""), &o->name, 1, out_told);
}
