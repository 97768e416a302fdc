/* The portal's pages, as HTML that works without scripts: what they show comes in, bytes go out. Words are in gateway/words.tbl (English, Dutch);
 * the style is web/portal.css, built in. Everything that is not of ours is escaped. No page has inline script or style; the only script is
 * web/passkey.js, on pages where a passkey can be used or made. */
#ifndef GATEWAY_PAGE_H
#define GATEWAY_PAGE_H

#include "auth/call.h"
#include "auth/facts.h"
#include "base/text.h"
#include "conf/conf.h"

enum page_lang { PAGE_EN, PAGE_NL, PAGE_LANG_COUNT };
enum page_word {
#define WORD(sym, en, nl) sym,
#include "gateway/words.tbl"
#undef WORD
	PAGE_WORD_COUNT
};
const char *page_word(enum page_lang l, enum page_word w);
/* The same with what its "%s" and "%u" stand for, in order: for error and note of struct page. Nothing is escaped. */
void page_fill(struct text *t, enum page_lang l, enum page_word w, struct bytes first, struct bytes second);
/* The cookie's choice, the user's, else Accept-Language; English where none fits. */
enum page_lang page_lang_of(struct bytes chosen, const struct http_field *f, size_t n);

#define PAGE_MAX (96 * 1024) /* octets of a page */
/* default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; form-action FORM; base-uri 'none'; frame-ancestors 'none'
 * form_hosts: apps that a form's answer may lead on to (a redirect after a POST is held against form-action in Chromium), from the configuration. */
void page_csp(struct text *t, const struct conf_gateway *g);
/* Of page_app_over, page_form_kept and others that are shown on an app's host: style and pictures are the portal's. has_form: it may be sent to the app, which
 * may lead on to anywhere with its answer. */
void page_csp_app(struct text *t, const struct conf_gateway *g, bool has_form);
/* /-/colour.css: --accent of the configured colour ("#0a5c36"), and beside it colours made of it that can be read whatever it is: at least 4.5:1
 * (WCAG 2.2, 1.4.3) for words on it, and for links in light and in dark. Nothing is appended for what is no such colour. */
void page_colour_css(struct text *t, struct bytes colour);

struct page {
	const struct conf_gateway *gateway;
	enum page_lang lang;
	uint64_t now_s;
	const struct auth_facts *facts; /* NULL: nobody is signed in */
	struct bytes csrf;  /* for forms */
	struct bytes next;  /* where to go on, already held against link_local; hidden field "next"; empty: home */
	struct bytes error; /* one sentence for this page, from page_word; empty: none. role=alert; the page's title begins with "Error: " */
	struct bytes wrong; /* the name of the field that the error is about ("password", "code", "new", ...; "recovery" is the recovery code's): it is
			     * marked, told the error by, and has the focus. Empty: none, as where something is down */
	struct bytes note;  /* likewise of what was done; role=status */
	bool with_passkeys; /* the browser may be asked for one */
	bool wants_refresh; /* <meta http-equiv=refresh> to /still-there two minutes (or half, if shorter) before the session would be idle too long,
			     * or is over: what somebody typed and left for so long could not be sent any more soon. Not from page_recovery, which is shown once */
	struct bytes here;  /* where who stays comes back to from there: a local path, no form's; empty: home */
};
/* Each appends a whole page. t->failed: it was too long. Forms post to the paths named here; every form has a hidden "csrf", and "next" where it is not empty. */
void page_sign_in(struct text *t, const struct page *p, struct bytes user); /* POST /sign-in: user, password. Links: /oidc/NAME.
	 * Script: passkey alone */
void page_second(struct text *t, const struct page *p, struct bytes methods, bool is_step_up); /* POST /second or /step-up: method=totp|recovery, code; each
	 * offered method has a form of its own. "methods": as in calls.tbl, "totp recovery passkey" */
void page_totp_new(struct text *t, const struct page *p, struct bytes secret_base32, struct bytes uri, bool is_sign_in); /* QR code as SVG; secret to type in, in
	 * groups of four; POST /totp: code. is_sign_in: it has to be set up first */
void page_recovery(struct text *t, const struct page *p, struct bytes codes); /* the codes, once; how to keep them; link on to next or home */
struct page_app {
	const struct conf_app *app;
	enum { PAGE_APP_READY, PAGE_APP_STEP_UP, PAGE_APP_DENIED } state;
	struct bytes why; /* denied: the expression's part that decides, as written */
	bool is_favourite;
	uint64_t used_s; /* 0: not lately */
};
void page_home(struct text *t, const struct page *p, const struct page_app *apps, size_t count, struct bytes search); /* greeting, how the session is
	 * protected and when it ends; search (GET /?q=); favourites, recent, all by group; a tile links to /go/APP; POST /favourite: app, on */
void page_account(struct text *t, const struct page *p, struct bytes lines); /* lines of CALL_ACCOUNT. POST /password: old, new, again; GET /totp; POST /totp/remove;
	 * POST /recovery; POST /session/end: id; POST /sessions/end; POST /language: language; passkeys: script; POST /passkey/remove: id */
void page_denied(struct text *t, const struct page *p, const struct conf_app *app, struct bytes host, struct bytes why, bool step_up_helps); /* which rule,
	 * what would help (step up, another account, whom to call). Without p->csrf it is a page of the host itself, which no form can be sent from: all
	 * links lead to the portal, and its policy is page_csp_app's */
void page_still_there(struct text *t, const struct page *p, uint64_t ends_s, uint64_t gone_s); /* POST /stay, POST /sign-out; refreshes to itself when it
	* must have ended. gone_s: not before ends_s, which is what people are told */
void page_ended(struct text *t, const struct page *p); /* nobody was still there */
/* url: where somebody who came from a provider, which people know as label, can sign out there too. Empty: no such place. */
void page_signed_out(struct text *t, const struct page *p, struct bytes label, struct bytes url);
void page_message(struct text *t, const struct page *p, enum page_word title, enum page_word text, unsigned status); /* any other: 404, 400, 429, 503 */
/* Of an app's host, or the portal's: the session must be bound to a key of the device for that app. is_waiting: its browser may be about to; the page goes to
 * itself again. Else which browsers can. Its policy is page_csp_app's. */
void page_device(struct text *t, const struct page *p, struct bytes app, bool is_waiting);
/* A page of an app's host, where there is no style to fetch from: the sign-in's way could not be gone on with (its code is over). All links lead to the
 * portal; /go/APP begins anew. Only gateway and lang of *p are looked at. Its policy is page_csp_app's. */
void page_app_over(struct text *t, const struct page *p, const struct conf_app *app);
/* Another such page: a form that was sent when nobody was signed in, to be sent again to its target. body: what form_each takes. target empty: it is not
 * there any more, or was made in another browser. */
void page_form_kept(struct text *t, const struct page *p, struct bytes host, struct bytes target, struct bytes body, struct arena *a);

/* What web/passkey.js finds on these pages, which have it only with p->with_passkeys. Buttons are hidden until it shows them, and are
 *   passkey-sign-in  on page_sign_in: a passkey alone; its field "user" has autocomplete "username webauthn"
 *   passkey-second   on page_second, where methods has passkey
 *   passkey-new      on page_account, with data-name: the id of the field with the new passkey's name; and on page_totp_new with is_sign_in.
 *                    data-codes: the id of the hidden part of the page that shows the first recovery codes (in its <pre>; its <a> leads on)
 * Each has data-options, where to POST for options (/passkey/begin, /passkey/ask, /passkey/new), and data-result, where to POST what came of it as
 * JSON (/passkey/prove, /passkey/add); data-csrf; data-next: where to go on, a local path; data-status: the id of an element with role=status,
 * for data-error (it failed) or data-cancelled (the person did not go on): the script has no words of its own. */

/* Static files of the portal: style, script, icons, logo, by path with a hash of their content ("/-/portal.HASH.css"). NULL: there is none. */
struct page_file { const char *path, *name; struct bytes type, body; };
const struct page_file *page_file_find(struct bytes path);
/* The path of a file of web/ ("portal.css"). NULL: it is not built in. */
const char *page_file_path(const char *name);

#endif
