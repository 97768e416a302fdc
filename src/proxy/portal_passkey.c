/* What web/passkey.js asks: options for the browser, and what the passkey answered. Forms in, small JSON out. */
#include "proxy/portal_priv.h"

#include "auth/webauthn.h"
#include "crypto/base64.h"
#include "json/write.h"

#define TIMEOUT_MS 120000

static void send_json(struct exchange *x, unsigned status)
{
	text_lit(&x->admit->head, "Referrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n");
	admit_reply(x, status, BYTES("application/json"));
}

static void send_error(struct exchange *x, const struct auth_answer *a)
{
	struct text *t = &x->admit->page;
	struct page p = portal_page(x);

	x->refusal = "passkey";
	text_lit(t, "{\"ok\":false,\"error\":");
	json_put_string(t, a->result == AUTH_BAD ? portal_text(PW_PASSKEY_FAILED, &p) : portal_error(x, &p, a, PW_PASSKEY_FAILED));
	if (a->result == AUTH_BAD && a->value_count) {
		text_lit(t, ",\"why\":");
		json_put_string(t, a->values[0]);
	}
	text_byte(t, '}');
	send_json(x, a->result == AUTH_OK ? 503 : portal_status(a));
}

static void put_base64(struct text *t, struct bytes b)
{
	text_byte(t, '"');
	base64url_put(t, b);
	text_byte(t, '"');
}

/* Ids divided by spaces, as a list of strings. They are base64url already. */
static void put_ids(struct text *t, struct bytes ids)
{
	bool is_first = true;

	text_byte(t, '[');
	while (ids.len) {
		size_t end = bytes_find_byte(ids, ' ');

		if (!is_first)
			text_byte(t, ',');
		is_first = false;
		json_put_string(t, bytes_cut(ids, 0, end));
		ids = end == SIZE_MAX ? BYTES("") : bytes_cut(ids, end + 1, ids.len);
	}
	text_byte(t, ']');
}

static void put_get_options(struct exchange *x, struct bytes challenge, struct bytes ids, bool must_verify)
{
	struct text *t = &x->admit->page;

	text_lit(t, "{\"challenge\":");
	put_base64(t, challenge);
	text_lit(t, ",\"rpId\":");
	json_put_string(t, x->engine->conf->gateway.portal);
	text_lit(t, ",\"allow\":");
	put_ids(t, ids);
	text_fmt(t, ",\"userVerification\":\"%s\",\"timeout\":%d}", must_verify ? "required" : "preferred", TIMEOUT_MS);
	send_json(x, 200);
}

static void begin_told(struct exchange *x, const struct auth_answer *a)
{
	if (a->result != AUTH_OK || a->value_count < 1) {
		send_error(x, a);
		return;
	}
	admit_set_token(x, COOKIE_PASSKEY, a->token);
	put_get_options(x, a->values[0], BYTES(""), true);
}

void portal_passkey_begin(struct exchange *x)
{
	admit_ask(x, CALL_PASSKEY_BEGIN, false, BYTES(""), NULL, 0, begin_told);
}

static void ask_told(struct exchange *x, const struct auth_answer *a)
{
	if (a->result != AUTH_OK || a->value_count < 2)
		send_error(x, a);
	else
		put_get_options(x, a->values[0], a->values[1], false);
}

void portal_passkey_ask(struct exchange *x)
{
	admit_ask(x, CALL_PASSKEY_ASK, !x->session, x->session ? portal_token(x) : portal_flow(x), NULL, 0, ask_told);
}

static void new_told(struct exchange *x, const struct auth_answer *a)
{
	const struct conf_gateway *g = &x->engine->conf->gateway;
	struct text *t = &x->admit->page;
	struct bytes name = x->session ? x->session->facts.user : g->title, display = name;

	if (a->result != AUTH_OK || a->value_count < 3) {
		send_error(x, a);
		return;
	}
	if (x->session && x->session->facts.display.len)
		display = x->session->facts.display;
	text_lit(t, "{\"challenge\":");
	put_base64(t, a->values[0]);
	text_lit(t, ",\"rp\":{\"id\":");
	json_put_string(t, g->portal);
	text_lit(t, ",\"name\":");
	json_put_string(t, g->title);
	text_lit(t, "},\"user\":{\"id\":");
	put_base64(t, a->values[1]);
	text_lit(t, ",\"name\":");
	json_put_string(t, name);
	text_lit(t, ",\"displayName\":");
	json_put_string(t, display);
	text_lit(t, "},\"exclude\":");
	put_ids(t, a->values[2]);
	text_fmt(t, ",\"userVerification\":\"required\",\"timeout\":%d}", TIMEOUT_MS);
	send_json(x, 200);
}

void portal_passkey_new(struct exchange *x)
{
	admit_ask(x, CALL_PASSKEY_NEW, !x->session, x->session ? portal_token(x) : portal_flow(x), NULL, 0, new_told);
}

/* --- what came of it --- */

static void put_next(struct exchange *x)
{
	struct bytes next = link_local(portal_field(x, "next"));

	text_lit(&x->admit->page, "{\"ok\":true,\"next\":");
	json_put_string(&x->admit->page, next.len ? next : BYTES("/"));
}

static void to_provider(struct exchange *x, struct bytes name, struct bytes next)
{
	unsigned char mem[LINK_MAX * 3 + 128];
	struct text t;

	text_init(&t, mem, sizeof mem);
	text_lit(&t, "/oidc/");
	link_encode(&t, name);
	if (next.len) {
		text_lit(&t, "?next=");
		link_encode(&t, next);
	}
	text_lit(&x->admit->page, "{\"ok\":true,\"next\":");
	json_put_string(&x->admit->page, t.failed ? BYTES("/sign-in") : text_bytes(&t));
	text_byte(&x->admit->page, '}');
	send_json(x, 200);
}

static void done_told(struct exchange *x, const struct auth_answer *a)
{
	struct text *t = &x->admit->page;

	if (a->result == AUTH_OK && a->token.len) {
		admit_set_session(x, COOKIE_PORTAL, a);
		portal_set_flow(x, BYTES(""));
		put_next(x);
		if (a->value_count > 1 && a->values[1].len) { /* shown now or never */
			text_lit(t, ",\"codes\":");
			json_put_string(t, a->values[1]);
			text_lit(t, ",\"csrf\":");
			json_put_string(t, portal_csrf(x, a->token));
		}
		text_byte(t, '}');
		send_json(x, 200);
	} else if (a->result == AUTH_MORE && a->token.len == 0 && a->value_count) { /* who is told by a provider is told there */
		to_provider(x, a->values[0], link_local(portal_field(x, "next")));
	} else if ((a->result == AUTH_MORE || a->result == AUTH_ENROL) && a->token.len) {
		portal_set_flow(x, a->token);
		text_str(t, a->result == AUTH_MORE ? "{\"ok\":true,\"next\":\"/second\"}" : "{\"ok\":true,\"next\":\"/totp\"}");
		send_json(x, 200);
	} else {
		send_error(x, a);
	}
}

/* A field in base64url; .at NULL: it is not, or is too long. */
static struct bytes decoded(struct exchange *x, const char *name, size_t most)
{
	struct bytes in = portal_field(x, name);
	unsigned char *mem = arena_alloc(&x->admit->arena, most);
	size_t len = 0;

	return mem && base64url_read_any(in, mem, most, &len) == OK ? bytes_of(mem, len) : bytes_of(NULL, 0);
}

static void prove(struct exchange *x, bool is_flow, struct bytes token)
{
	struct bytes args[6] = { decoded(x, "id", WEBAUTHN_ID_MAX), decoded(x, "clientData", 1500), decoded(x, "authenticatorData", 600),
		decoded(x, "signature", 600), decoded(x, "userHandle", 64), portal_agent(x) };

	for (size_t i = 0; i < 5; i++)
		if (!args[i].at) {
			send_error(x, &(struct auth_answer){ .result = AUTH_BAD });
			return;
		}
	if (token.len == 0)
		send_error(x, &(struct auth_answer){ .result = AUTH_NONE });
	else
		admit_ask(x, CALL_PASSKEY_PROVE, is_flow, token, args, 6, done_told);
}

/* A passkey alone: what it answers was asked by portal_passkey_begin, of this browser. */
void portal_passkey_sign_in(struct exchange *x)
{
	if (x->session) { /* who wants another account signs out first: no session is left behind */
		put_next(x);
		text_byte(&x->admit->page, '}');
		send_json(x, 200);
		return;
	}
	prove(x, true, portal_passkey_flow(x));
}

void portal_passkey_prove(struct exchange *x)
{
	prove(x, !x->session, x->session ? portal_token(x) : portal_flow(x));
}

void portal_passkey_add(struct exchange *x)
{
	struct bytes args[4] = { decoded(x, "clientData", 1500), decoded(x, "attestation", 2200), bytes_cut(portal_field(x, "name"), 0, 60), portal_agent(x) };

	if (!args[0].at || !args[1].at)
		send_error(x, &(struct auth_answer){ .result = AUTH_BAD });
	else
		admit_ask(x, CALL_PASSKEY_ADD, !x->session, x->session ? portal_token(x) : portal_flow(x), args, 4, done_told);
}
