/* The portal's pages, by path: portal.c has the table and what all have in common; portal_sign_in.c how people get in and out; portal_home.c their apps;
 * portal_account.c what they see and change of themselves; portal_passkey.c what web/passkey.js asks;
 * portal_oidc.c sign-in at another service. Each function answers, or waits and answers later. */
#ifndef PROXY_PORTAL_PRIV_H
#define PROXY_PORTAL_PRIV_H

#include "gateway/page.h"
#include "proxy/engine.h"

/* The page's frame for this request: language, facts, form token, where to go on. */
struct page portal_page(struct exchange *x);
struct bytes portal_text(enum page_word w, const struct page *p);
/* The same with one number or text in it; in x->admit's arena. */
struct bytes portal_text_with(struct exchange *x, const struct page *p, enum page_word w, uint64_t n);
void portal_send(struct exchange *x, unsigned status); /* x->admit->page */
void portal_message(struct exchange *x, unsigned status, enum page_word title, enum page_word text);
void portal_go(struct exchange *x, struct bytes to); /* a path of ours; empty: home */
void portal_go_next(struct exchange *x);	     /* form or query "next" */
struct bytes portal_field(const struct exchange *x, const char *name); /* of the form, or the query of a GET */
/* The token that this browser's sign-in under way, or session, has. Empty: none. */
struct bytes portal_flow(struct exchange *x);
struct bytes portal_token(struct exchange *x);
struct bytes portal_oidc_flow(struct exchange *x); /* of one that goes on at a provider */
struct bytes portal_passkey_flow(struct exchange *x); /* of a sign-in that began with a passkey */
/* What forms carry that go with that token. Empty: no token, or no room. */
struct bytes portal_csrf(struct exchange *x, struct bytes token);
struct bytes portal_agent(const struct exchange *x);
/* The sentence for what identity said, for a page to show. */
struct bytes portal_error(struct exchange *x, const struct page *p, const struct auth_answer *a, enum page_word refused);
unsigned portal_status(const struct auth_answer *a);
/* A page that lasts: identity could not be asked, or the session is gone. True: answered. */
bool portal_failed(struct exchange *x, const struct auth_answer *a);
void portal_set_flow(struct exchange *x, struct bytes token);

/* portal_oidc.c */
void portal_oidc(struct exchange *x);
void portal_oidc_logout(struct exchange *x);
void portal_oidc_out(struct exchange *x, const struct conf_oidc *o); /* the page for who has signed out, with the way out there */

void portal_sign_in_page(struct exchange *x);
void portal_sign_in(struct exchange *x);
void portal_second_page(struct exchange *x);
void portal_second(struct exchange *x);
void portal_step_up_page(struct exchange *x);
void portal_step_up(struct exchange *x);
void portal_totp_page(struct exchange *x);
void portal_totp(struct exchange *x);
void portal_sign_out(struct exchange *x);
void portal_signed_out(struct exchange *x);
void portal_enter(struct exchange *x);

void portal_home(struct exchange *x);
void portal_go_app(struct exchange *x);
void portal_denied(struct exchange *x);
void portal_favourite(struct exchange *x);
void portal_still_there(struct exchange *x);
void portal_stay(struct exchange *x);

void portal_account_page(struct exchange *x);
void portal_password(struct exchange *x);
void portal_totp_remove(struct exchange *x);
void portal_recovery(struct exchange *x);
void portal_session_end(struct exchange *x);
void portal_sessions_end(struct exchange *x);
void portal_language(struct exchange *x);
void portal_passkey_remove(struct exchange *x);
/* The account's page with a sentence on it. */
void portal_account_with(struct exchange *x, enum page_word note, struct bytes error, const char *wrong);

void portal_passkey_begin(struct exchange *x);
void portal_passkey_ask(struct exchange *x);
void portal_passkey_new(struct exchange *x);
void portal_passkey_sign_in(struct exchange *x);
void portal_passkey_prove(struct exchange *x);
void portal_passkey_add(struct exchange *x);

void portal_jwks(struct exchange *x);

#endif
