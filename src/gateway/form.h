/* What a browser sends to a page of the portal: its form, its cookies, and where the form was made. Strict: a field or cookie that comes twice is
 * a refusal, not a choice. Bytes in, values out. */
#ifndef GATEWAY_FORM_H
#define GATEWAY_FORM_H

#include "auth/call.h"
#include "http/message.h"

#define FORM_FIELDS_MAX 24
#define FORM_BODY_MAX	(16 * 1024) /* octets of a form's body */
#define LINK_MAX	2000

struct form {
	struct { struct bytes name, value; } fields[FORM_FIELDS_MAX];
	size_t count;
};
/* application/x-www-form-urlencoded (or a raw query), decoded once; views into body where nothing is encoded, else from the arena. ERR_SYNTAX: malformed
 * escapes, a name that is empty or comes twice, NUL or control characters other than tab and line ends in a value, any in a name; ERR_LIMIT: too many
 * fields or too long; ERR_MEMORY: arena. */
enum err form_parse(struct bytes body, struct arena *arena, struct form *out) MUST_USE;
struct bytes form_get(const struct form *f, const char *name); /* empty: none */

/* Another site's form, which is not ours to judge: each of its pairs in order, decoded, names that come twice too. False: malformed escapes, no
 * UTF-8, NUL, more than FORM_PAIRS_MAX pairs, more octets on a page than FORM_PAGE_MAX when each has become a field there, or no room in
 * the arena. one NULL: only this is asked. */
#define FORM_PAIRS_MAX 400
#define FORM_PAGE_MAX  (72 * 1024)
bool form_each(struct bytes body, struct arena *arena, void (*one)(void *ctx, struct bytes name, struct bytes value), void *ctx);

#define COOKIE_PORTAL "__Host-sluis-portal" /* RFC 6265bis: host only, Secure, Path=/ */
#define COOKIE_APP    "__Host-sluis-app"
#define COOKIE_FLOW   "__Host-sluis-flow"  /* a sign-in under way */
#define COOKIE_ENTER  "__Host-sluis-enter" /* the nonce that an app's one-time code is bound to */
#define COOKIE_PASSKEY "__Host-sluis-passkey" /* a sign-in that begins with a passkey: beside the one above, in another tab */
#define COOKIE_FORM   "__Host-sluis-form"  /* the nonce that a form which waits for its sender is bound to */
#define COOKIE_DEVICE "__Host-sluis-device" /* the short one of a session that is bound to a key of the device */
#define COOKIE_OIDC   "__Host-sluis-oidc" /* a sign-in that goes on at a provider: binds its answer to this browser */
#define COOKIE_LANG   "__Host-sluis-lang"
/* The 32 octets of a cookie of ours. False: it is not there, twice there (another host's may have been put beside it), or not 43 characters of base64url. */
bool cookie_token(const struct http_field *f, size_t n, const char *name, unsigned char out[AUTH_TOKEN_LEN]) MUST_USE;
/* "NAME=VALUE; Path=/; Secure; HttpOnly; SameSite=Lax[; Max-Age=...]". token: AUTH_TOKEN_LEN octets, written as base64url, or empty: the cookie is
 * taken away. max_age 0: until the browser ends. */
void cookie_write(struct text *t, const char *name, struct bytes token, uint32_t max_age_s);
/* The value of COOKIE_LANG, "en" or "nl"; empty: none of both, or it is there twice. And the cookie that remembers it for a year. */
struct bytes cookie_lang(const struct http_field *f, size_t n);
void cookie_lang_write(struct text *t, struct bytes lang);
/* Whether a name is one of ours: such are never passed to servers, nor taken from them. Case does not matter: a browser that holds names that begin
 * with "__Host-" against their rules does so in any case. White space around the name is read over, as browsers do. */
bool cookie_is_ours(struct bytes name);

/* Made from the session's (or flow's) token, not the other way round: SHA-256 of a label and it, 22 characters. */
#define CSRF_LEN 22
void csrf_make(struct bytes token, char out[CSRF_LEN + 1]);
bool csrf_fits(struct bytes token, struct bytes given) MUST_USE; /* constant time; nothing fits an empty token */
/* Whether a POST came from a page of ours: Sec-Fetch-Site (same-origin, none is refused), and Origin where it is there; one of both must be. origin:
 * "https://work.example.org[:port]". A page with "Referrer-Policy: no-referrer" makes browsers send "Origin: null", which is refused: pages with forms
 * need same-origin there. */
bool origin_is_ours(const struct http_field *f, size_t n, struct bytes origin) MUST_USE;

/* Where a person goes on after signing in: a path of the portal itself. The empty one where it is not one: it begins with one '/', no other one
 * stands right behind a '/' before the query, no backslash, white space or control characters, nothing above 126, at most 2,000 octets. */
struct bytes link_local(struct bytes to);
/* A name as apps and routes have it, in lower case: what a wildcard matches may still hold a '/', '@' or ':', and lead elsewhere. */
bool link_is_host(struct bytes host) MUST_USE;
/* A path and query on an app's host: one '/' in front, no white space or control characters, no backslash in the path. */
bool link_is_target(struct bytes to) MUST_USE;
/* Percent-encoded as one parameter's value. */
void link_encode(struct text *t, struct bytes b);

#endif
