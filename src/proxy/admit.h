/* Who asks: sessions at the edge. What is known of a session lives as long as the connection that showed its token, and is wiped with it; the token itself
 * is wiped with its request. admit.c asks identity and decides about hosts of apps; admit_app.c is what servers and browsers get to see of an app behind
 * the gateway; portal.c and portal_*.c answer for the portal's host. */
#ifndef PROXY_ADMIT_H
#define PROXY_ADMIT_H

#include "auth/call.h"
#include "auth/facts.h"
#include "conf/conf.h"
#include "crypto/sha256.h"
#include "gateway/form.h"
#include "policy/policy.h"

#define ADMIT_ASKS_MAX 1024 /* asked of identity and not answered, per worker */
#define ADMIT_ASK_MS   15000 /* passwords wait for their turn */
#define ADMIT_PREFIX   "/.sluis/" /* of an app's host: the gateway's own paths there */

struct engine;
struct exchange;
struct client;

/* What identity said of a session. One malloc; the texts are behind it. */
struct admit_session {
	unsigned char hash[SHA256_LEN]; /* of its token */
	struct bytes host; /* that identity was asked about: a connection may carry requests to others */
	struct auth_facts facts;
	uint64_t device_told_s; /* identity heard that it came without the device's key; 0: not yet */
	struct policy_session policy;
	size_t size;
	unsigned char mem[];
};

/* One request to the portal, or to an app's gateway paths: its form, and what is waited for. Wiped when the exchange ends. */
struct admit {
	struct arena arena;
	struct form form;
	unsigned char token[AUTH_TOKEN_LEN]; /* that the call was made with */
	bool has_token;
	/* Called with identity's answer, whose views end with the call; NULL: gone, or in time none came. */
	void (*then)(struct exchange *x, const struct auth_answer *a);
	void (*formed)(struct exchange *x); /* the form, or any body, is read */
	bool is_raw; /* it is not parsed */
	unsigned char kept_nonce[AUTH_TOKEN_LEN]; /* admit_form.c */
	size_t kept_len; /* of body, that identity has; on the way back: how long it is */
	struct bytes kept_target;
	uint32_t ask; /* + 1; 0: nothing is asked */
	struct text head, page; /* lines of the answer's head; its body */
	struct bytes note, error; /* what the page after the next call says */
	const char *wrong;
	uint16_t status;
	unsigned char body[FORM_BODY_MAX];
	size_t body_len;
	unsigned char mem[48 * 1024]; /* the arena's */
};

/* --- admit.c --- */
/* Before policies: who asks. False: it waits for identity, or has been answered. */
bool admit_begin(struct exchange *x) MUST_USE;
/* After policies: hosts of the portal and of apps, which no route may take. False: answered, or waiting. True: x->pool may be set. */
bool admit_decide(struct exchange *x) MUST_USE;
/* A route that asks for a session. False: answered. */
bool admit_route(struct exchange *x, const struct conf_route *r) MUST_USE;
bool admit_pump(struct exchange *x) MUST_USE; /* more of a form; false: x may be gone */
void admit_on_time(struct exchange *x);	      /* what was waited for did not come */
void admit_end(struct exchange *x);	      /* the exchange ends: what it asked is forgotten, and what was secret wiped */
void admit_client_end(struct client *c);
void admit_seen(struct exchange *x); /* the session is in use */
/* Whether e holds for who asks; what cannot be told does not. */
bool admit_holds(struct exchange *x, const struct policy_expr *e);
bool admit_demands(struct exchange *x, const struct policy_expr *e); /* what cannot be told does */
/* Who may go on to an app, or (NULL) to a route: the rule that keeps who asks out, gateway.allow first and then own (the app's or the route's; NULL:
 * everybody). NULL: none does. It is the same at every look: at the portal's list, for its codes, and with each request. */
const struct policy_expr *admit_kept_out(struct exchange *x, const struct policy_expr *own);
bool admit_lacks_factor(struct exchange *x, const struct conf_app *app); /* a second factor is demanded there, and not given */
bool admit_step_up_helps(const struct exchange *x, const struct policy_expr *rule, const struct policy_expr *own, struct bytes own_text); /* rule: that kept out */
/* The part of e that is not true, as written; in x's arena. */
struct bytes admit_why(struct exchange *x, const struct policy_expr *e, bool wanted);
struct admit *admit_of(struct exchange *x); /* makes it once; NULL: no memory, and x was answered */
/* Asks identity; then is called later, or x is answered. */
void admit_ask(struct exchange *x, enum auth_call_id call, bool is_flow, struct bytes token, const struct bytes *args, size_t n,
	void (*then)(struct exchange *x, const struct auth_answer *a));
/* Reads the request's form, then goes on. */
void admit_form(struct exchange *x, void (*formed)(struct exchange *x));
/* The same without a look at it: a body of at most FORM_BODY_MAX octets, of which the length is known, to x->admit->body. */
void admit_read_body(struct exchange *x, void (*done)(struct exchange *x));
/* The session changed by an answer (OK, with a new token): Set-Cookie, and what the connection knew is forgotten. */
void admit_set_token(struct exchange *x, const char *cookie, struct bytes token);
void admit_forget(struct exchange *x);
/* The request's target as logs and the ledger may have it: without a one-time code. */
struct bytes admit_shown_target(const struct exchange *x);
/* Answers with what is in x->admit->page and head. */
void admit_reply(struct exchange *x, unsigned status, struct bytes type);
void admit_redirect(struct exchange *x, struct bytes to);
/* Facts out of an answer's first value. False: identity sent none. */
bool admit_facts(const struct auth_answer *a, struct auth_facts *out);
/* "https://HOST[:PORT]" as browsers see it. */
void admit_origin(const struct exchange *x, struct text *t, struct bytes host);

/* Of a token that was shown: with each request, so without fetching the algorithm each time. */
void admit_hash(struct exchange *x, const unsigned char token[AUTH_TOKEN_LEN], unsigned char hash[SHA256_LEN]);
const char *admit_cookie(const struct exchange *x); /* the session's, at this host */

/* --- admit_device.c --- */
bool admit_is_device_path(const struct exchange *x); /* answered whatever session there is */
void admit_device_path(struct exchange *x);
/* The session changed by an answer, as admit_set_token; and its browser may bind it to a key. */
void admit_set_session(struct exchange *x, const char *cookie, const struct auth_answer *a);
/* The browser has not bound x->session to a key, and may: once more a line of the answer's head; or that line's value, in x's arena. */
void admit_device_offer(struct exchange *x);
struct bytes admit_device_offer_value(struct exchange *x);
/* Whether x->session is not bound, or the request has its short cookie. */
bool admit_device_shown(struct exchange *x) MUST_USE;
/* It has not: nobody has signed in. False: it waits, or was answered. */
bool admit_device_lacking(struct exchange *x) MUST_USE;
/* Whether x->session is bound where the app (NULL: a route) demands it. False: answered. */
bool admit_device_fits(struct exchange *x, const struct conf_app *app) MUST_USE;
/* Before somebody is sent to sign in: notes it where the key alone is missing. True: answered with a page that tries again. */
bool admit_device_nobody(struct exchange *x) MUST_USE;

/* --- admit_app.c --- */
/* Nobody has signed in who may go on to this host: to the portal and back, or 401 where that is of no use. */
void admit_to_sign_in(struct exchange *x);
void admit_go_to_sign_in(struct exchange *x, struct bytes target); /* a page of this host: then back to target */
/* Whether it is somebody at a page, and not a script that would take the portal's page for its answer; and whether a page is asked for, and nothing sent. */
bool admit_wants_page(const struct exchange *x);
bool admit_is_navigation(const struct exchange *x);
void admit_put_target(const struct exchange *x, struct text *t); /* at most LINK_MAX octets; what is longer, or leads elsewhere, is "/" */
struct page admit_page(struct exchange *x); /* the frame of a page of an app's host */
void admit_app_path(struct exchange *x); /* ADMIT_PREFIX... */
/* What the app's server gets: no cookie of ours, no identity fields of the client's, ours instead. False: answered. */
bool admit_plain(struct exchange *x) MUST_USE; /* where nobody has to sign in: nothing of ours goes there. False: no room */
bool admit_app_request(struct exchange *x, const struct conf_app *app) MUST_USE;
/* What the browser gets of the server's answer: no cookies for other hosts, redirects by the app's public name. False: no room. */
bool admit_app_response(struct exchange *x) MUST_USE;
bool admit_plain_response(struct exchange *x) MUST_USE; /* where nobody has to sign in: no cookies by names of ours. False: no room */
/* app NULL: a route. The rule is allow; a page says which part of it, or a 403 for scripts. */
void admit_denied(struct exchange *x, const struct conf_app *app, const struct policy_expr *allow, bool step_up_helps);
/* For log and ledger: which part of allow let nobody in. Gives it. */
struct bytes admit_note_denied(struct exchange *x, const struct policy_expr *allow, bool step_up_helps);

/* --- admit_form.c --- */
/* A form of a page of this host, which its server may not get now: kept until its sender has signed in. False: it is no such form, and nothing was done. */
bool admit_keep_form(struct exchange *x) MUST_USE;
bool admit_is_form_path(struct bytes path);
void admit_form_page(struct exchange *x); /* to send it again */

/* --- portal.c --- */
void portal_answer(struct exchange *x);

#endif
