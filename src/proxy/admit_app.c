/* Hosts of apps: the way to the portal and back, what the app's server learns of who asks, and what of its answer reaches the browser. */
#include "proxy/engine.h"

#include "base/secret.h"
#include "crypto/base64.h"
#include "crypto/random.h"
#include "gateway/page.h"
#include "http/accept.h"

/* --- edits --- */

static bool push_edit(struct exchange *x, struct http1_edit of)
{
	struct http1_edit *e = arena_alloc(&x->arena, sizeof *e), *last = x->edits;

	if (!e || (!of.removes && !of.value.at && of.value.len))
		return false;
	*e = of;
	if (!last) {
		x->edits = e;
		return true;
	}
	while (last->next)
		last = (struct http1_edit *)(uintptr_t)last->next;
	last->next = e;
	return true;
}

static bool set_field(struct exchange *x, struct bytes name, struct bytes value)
{
	return push_edit(x, (struct http1_edit){ .name = name, .value = value, .replaces = value.len > 0, .removes = value.len == 0 });
}

/* --- to the portal --- */

static bool is_reading(const struct exchange *x)
{
	return x->req.method == HTTP_GET || x->req.method == HTTP_HEAD;
}

bool admit_wants_page(const struct exchange *x)
{
	const struct http_field *mode = http_find_field(x->req.fields, x->req.field_count, BYTES("Sec-Fetch-Mode"));

	if (x->req.upgrade.len)
		return false;
	if (mode)
		return bytes_eq(mode->value, BYTES("navigate"));
	return !http_find_field_id(x->req.fields, x->req.field_count, HTTP_ACCEPT) ||
	       http_accept_find(x->req.fields, x->req.field_count, BYTES("text/html")).q > 0;
}

bool admit_is_navigation(const struct exchange *x)
{
	return is_reading(x) && admit_wants_page(x);
}

void admit_put_target(const struct exchange *x, struct text *t)
{
	unsigned char mem[LINK_MAX];
	struct text to;

	text_init(&to, mem, sizeof mem);
	text_add(&to, x->req.wire_path);
	if (x->req.has_query) {
		text_byte(&to, '?');
		text_add(&to, x->req.raw_query);
	}
	/* What is too long begins at the front page. */
	text_add(t, to.failed || bytes_starts(text_bytes(&to), BYTES("//")) ? BYTES("/") : text_bytes(&to));
}

void admit_to_sign_in(struct exchange *x)
{
	unsigned char mem[LINK_MAX];
	struct text target;

	if (admit_device_nobody(x) || admit_keep_form(x))
		return;
	if (!admit_is_navigation(x)) {
		if (x->lacks_device && x->admit->head.len) { /* it takes a short cookie away that is none */
			text_lit(&x->admit->head, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n");
			x->local_head = text_bytes(&x->admit->head);
		}
		exchange_refuse(x, 401, x->lacks_device ? "device-key" : "sign-in");
		return;
	}
	text_init(&target, mem, sizeof mem);
	admit_put_target(x, &target);
	admit_go_to_sign_in(x, text_bytes(&target));
}

/* The browser that goes to the portal now is the only one that may come back with the code made there. */
static void begin_enter(struct exchange *x, unsigned char hash[SHA256_LEN])
{
	unsigned char nonce[AUTH_TOKEN_LEN];
	struct admit *a = x->admit;

	/* One nonce for all tabs that are on their way. */
	if (!cookie_token(x->req.fields, x->req.field_count, COOKIE_ENTER, nonce))
		random_bytes(nonce, sizeof nonce);
	sha256_of(bytes_of(nonce, sizeof nonce), hash);
	text_lit(&a->head, "Set-Cookie: ");
	cookie_write(&a->head, COOKIE_ENTER, bytes_of(nonce, sizeof nonce), 600);
	text_lit(&a->head, "\r\n");
	secret_wipe(nonce, sizeof nonce);
}

/* The path at the portal that leads to target of this host. */
static void put_enter(const struct exchange *x, struct text *to, struct bytes target, const unsigned char hash[SHA256_LEN])
{
	text_lit(to, "/enter?host=");
	link_encode(to, x->req.host);
	text_lit(to, "&to=");
	link_encode(to, target);
	text_lit(to, "&n=");
	base64url_put(to, bytes_of(hash, SHA256_LEN));
	if (x->lacks_factor)
		text_lit(to, "&mfa=1");
}

void admit_go_to_sign_in(struct exchange *x, struct bytes target)
{
	unsigned char hash[SHA256_LEN], mem[LINK_MAX * 3 + 1024];
	struct text to;

	if (!admit_of(x))
		return;
	begin_enter(x, hash);
	text_init(&to, mem, sizeof mem);
	admit_origin(x, &to, x->engine->conf->gateway.portal);
	put_enter(x, &to, target, hash);
	admit_redirect(x, to.failed ? BYTES("/") : text_bytes(&to));
}

/* --- and back --- */

/* The way from the portal ended here: a page that begins it anew. */
static void refuse_entry(struct exchange *x, const char *reason)
{
	const struct conf_app *app = conf_app_by_host(x->engine->conf, x->req.host);
	struct page p = admit_page(x);
	struct admit *a = app ? admit_of(x) : NULL;

	if (!a) {
		if (!app)
			exchange_refuse(x, 403, reason);
		return;
	}
	x->refusal = reason;
	text_lit(&a->head, "Content-Security-Policy: ");
	page_csp_app(&a->head, p.gateway, false);
	text_lit(&a->head, "\r\nReferrer-Policy: no-referrer\r\n");
	page_app_over(&a->page, &p, app);
	admit_reply(x, 403, BYTES("text/html; charset=utf-8"));
}

static void entered(struct exchange *x, const struct auth_answer *a)
{
	struct bytes to;

	if (a->result == AUTH_NONE && x->session) { /* another tab was faster: the app is open already */
		admit_redirect(x, BYTES("/"));
		return;
	}
	if (a->result == AUTH_NONE) {
		refuse_entry(x, "enter-code");
		return;
	}
	if (a->result != AUTH_OK || a->value_count < 2) {
		exchange_refuse(x, 503, "identity");
		return;
	}
	to = arena_copy(&x->admit->arena, a->values[1]);
	admit_set_session(x, COOKIE_APP, a);
	admit_set_token(x, COOKIE_DEVICE, BYTES("")); /* of a session before */
	admit_set_token(x, COOKIE_ENTER, BYTES(""));
	admit_redirect(x, link_is_target(to) ? to : BYTES("/"));
}

void admit_app_path(struct exchange *x)
{
	unsigned char code[AUTH_TOKEN_LEN], nonce[AUTH_TOKEN_LEN];
	struct bytes args[3] = { x->req.host, bytes_of(code, sizeof code), bytes_of(nonce, sizeof nonce) };
	struct admit *a = admit_of(x);

	if (!a)
		return;
	if (admit_is_form_path(x->req.path) && is_reading(x)) {
		admit_form_page(x);
		return;
	}
	if (!bytes_eq(x->req.path, BYTES(ADMIT_PREFIX "enter")) || x->req.method != HTTP_GET) {
		exchange_refuse(x, 404, "no-route");
		return;
	}
	x->has_secret = true;
	if (form_parse(x->req.raw_query, &a->arena, &a->form) != OK || base64url_read(form_get(&a->form, "code"), code, sizeof code) != OK) {
		exchange_refuse(x, 400, "enter-code");
		return;
	}
	if (!cookie_token(x->req.fields, x->req.field_count, COOKIE_ENTER, nonce)) { /* made for another browser, or so long ago that it was forgotten */
		if (x->session)
			admit_redirect(x, BYTES("/"));
		else
			refuse_entry(x, "enter-browser");
		return;
	}
	admit_ask(x, CALL_APP_ENTER, false, BYTES(""), args, 3, entered);
	secret_wipe(code, sizeof code);
	secret_wipe(nonce, sizeof nonce);
}

/* --- who may --- */

struct page admit_page(struct exchange *x)
{
	const struct http_field *f = x->req.fields;
	size_t n = x->req.field_count;
	struct bytes chosen = cookie_lang(f, n);

	return (struct page){ .gateway = &x->engine->conf->gateway, .now_s = x->real_us / 1000000, .facts = x->session ? &x->session->facts : NULL,
		.lang = page_lang_of(chosen.len ? chosen : x->session ? x->session->facts.language : BYTES(""), f, n) };
}

struct bytes admit_note_denied(struct exchange *x, const struct policy_expr *allow, bool step_up_helps)
{
	x->denied_by = admit_why(x, allow, false);
	x->refusal = step_up_helps ? "access-step-up" : "access-denied";
	record_policy(x, 403, "access denied");
	return x->denied_by;
}

/* Shown by the host that was asked: the portal may see the browser come from another address, find nothing wrong, and send it back. */
static void show_denied(struct exchange *x, const struct conf_app *app, struct bytes why, bool step_up_helps)
{
	unsigned char hash[SHA256_LEN], mem[LINK_MAX], target_mem[LINK_MAX];
	struct page p = admit_page(x);
	struct admit *a = x->admit;
	struct text next, target;

	if (step_up_helps) {
		begin_enter(x, hash);
		text_init(&target, target_mem, sizeof target_mem);
		admit_put_target(x, &target);
		text_init(&next, mem, sizeof mem);
		put_enter(x, &next, text_bytes(&target), hash);
		if (next.failed) { /* too long for the portal to go on to: there is the front page */
			text_init(&next, mem, sizeof mem);
			put_enter(x, &next, BYTES("/"), hash);
		}
		p.next = text_bytes(&next);
	}
	text_lit(&a->head, "Content-Security-Policy: ");
	page_csp_app(&a->head, p.gateway, false);
	text_lit(&a->head, "\r\nReferrer-Policy: no-referrer\r\n");
	page_denied(&a->page, &p, app, x->req.host, why, step_up_helps);
	admit_reply(x, 403, BYTES("text/html; charset=utf-8"));
}

/* Scripts get a plain 403. */
void admit_denied(struct exchange *x, const struct conf_app *app, const struct policy_expr *allow, bool step_up_helps)
{
	struct bytes why = admit_note_denied(x, allow, step_up_helps);

	if (!admit_is_navigation(x))
		exchange_refuse(x, 403, x->refusal);
	else if (admit_of(x))
		show_denied(x, app, why, step_up_helps);
}

static bool may(struct exchange *x, const struct conf_app *app)
{
	const struct policy_expr *rule;

	if (x->session->facts.must_change) {
		admit_to_sign_in(x); /* the portal asks for the new password first */
		return false;
	}
	rule = app ? admit_kept_out(x, app->allow) : NULL; /* a route's has been looked at */
	if (rule) {
		admit_denied(x, app, rule, admit_step_up_helps(x, rule, app->allow, app->allow_text));
		return false;
	}
	if (admit_lacks_factor(x, app)) {
		x->lacks_factor = true;
		admit_to_sign_in(x); /* by way of the step up */
		return false;
	}
	return true;
}

/* Sites under one domain count as one for cookies: another app's page could have the browser send this one's. A WebSocket is opened by a GET that no
 * rule of browsers keeps within its origin, and it is not sure to carry Sec-Fetch-Site: there, and from browsers without that field, Origin tells
 * (RFC 6455 10.2). Who sends neither is no browser. */
static bool is_from_sibling(const struct exchange *x)
{
	const struct http_field *site = http_find_field(x->req.fields, x->req.field_count, BYTES("Sec-Fetch-Site"));
	const struct http_field *origin = http_find_field(x->req.fields, x->req.field_count, BYTES("Origin"));
	unsigned char mem[512];
	struct text own;

	if ((is_reading(x) || x->req.method == HTTP_OPTIONS) && !x->req.upgrade.len)
		return false;
	if (site && (bytes_eq(site->value, BYTES("same-site")) || bytes_eq(site->value, BYTES("cross-site"))))
		return true;
	if (!origin || (site && !x->req.upgrade.len))
		return false;
	text_init(&own, mem, sizeof mem);
	admit_origin(x, &own, x->req.host);
	return own.failed || !bytes_eq_nocase(origin->value, text_bytes(&own));
}

/* --- what the server gets --- */

/* All cookies but ours, as one field (RFC 6265 5.4). .at NULL: no room. */
static struct bytes without_ours(struct exchange *x)
{
	size_t size = 0;
	struct text t;
	void *mem;

	for (size_t i = 0; i < x->req.field_count; i++)
		if (x->req.fields[i].id == HTTP_COOKIE)
			size += x->req.fields[i].value.len + 2;
	mem = arena_alloc_raw(&x->arena, size + 1);
	if (!mem)
		return bytes_of(NULL, 0);
	text_init(&t, mem, size + 1);
	for (size_t i = 0; i < x->req.field_count; i++) {
		struct bytes left = x->req.fields[i].value;

		while (x->req.fields[i].id == HTTP_COOKIE && left.len) {
			size_t end = bytes_find_byte(left, ';');
			struct bytes one = bytes_trim(bytes_cut(left, 0, end)), name = bytes_cut(one, 0, bytes_find_byte(one, '='));

			left = end == SIZE_MAX ? BYTES("") : bytes_cut(left, end + 1, left.len);
			if (one.len == 0 || cookie_is_ours(name))
				continue;
			if (t.len)
				text_lit(&t, "; ");
			text_add(&t, one);
		}
	}
	return bytes_of(mem, t.failed ? 0 : t.len);
}

static struct bytes joined_groups(struct exchange *x)
{
	const struct auth_facts *f = &x->session->facts;
	size_t size = 1;
	struct text t;
	void *mem;

	for (size_t i = 0; i < f->group_count; i++)
		size += f->groups[i].len + 1;
	mem = arena_alloc_raw(&x->arena, size);
	if (!mem)
		return bytes_of(NULL, 0);
	text_init(&t, mem, size);
	for (size_t i = 0; i < f->group_count; i++) {
		if (i)
			text_byte(&t, ',');
		text_add(&t, f->groups[i]);
	}
	return bytes_of(mem, t.len);
}

/* What a client calls by one of our names never passes, whatever the app is told. */
static bool remove_own_fields(struct exchange *x)
{
	for (size_t i = 0; i < x->req.field_count; i++)
		if (http_is_sluis_field(x->req.fields[i].name) && !push_edit(x, (struct http1_edit){ .name = x->req.fields[i].name, .removes = true }))
			return false;
	return true;
}

static bool put_identity(struct exchange *x, const struct conf_app *app)
{
	const struct auth_facts *f = &x->session->facts;
	struct bytes cookies = without_ours(x), groups = joined_groups(x);

	if (!cookies.at || !groups.at || !remove_own_fields(x))
		return false;
	if (!set_field(x, BYTES("Cookie"), cookies) || !set_field(x, BYTES("Sluis-User"), f->user) || !set_field(x, BYTES("Sluis-Groups"), groups) ||
		!set_field(x, BYTES("Sluis-Session"), bytes_str(f->id)) || !set_field(x, BYTES("Sluis-Token"), f->jwt))
		return false;
	for (size_t i = 0; app && i < app->field_count; i++) {
		struct bytes v = exchange_string(x, app->fields[i].value);

		if (!v.at || !set_field(x, app->fields[i].name, v))
			return false;
	}
	return !app || !app->server_host.len || set_field(x, BYTES("Host"), app->server_host);
}

/* Beside a path that asks for a session there may be others that do not, and a policy may choose a pool for any host: what is ours does not go to their
 * servers either. */
bool admit_plain(struct exchange *x)
{
	for (size_t i = 0; i < x->req.field_count; i++)
		if (x->req.fields[i].id == HTTP_COOKIE && bytes_find(x->req.fields[i].value, BYTES("__Host-")) != SIZE_MAX) {
			struct bytes cookies = without_ours(x);

			if (!cookies.at || !set_field(x, BYTES("Cookie"), cookies))
				return false;
			break;
		}
	return remove_own_fields(x);
}

bool admit_app_request(struct exchange *x, const struct conf_app *app)
{
	if (!x->session) {
		admit_to_sign_in(x);
		return false;
	}
	if (!admit_device_fits(x, app) || !may(x, app))
		return false;
	if (is_from_sibling(x)) {
		exchange_refuse(x, 403, "cross-site");
		return false;
	}
	if (!put_identity(x, app)) {
		exchange_refuse(x, 431, "head-too-large");
		return false;
	}
	x->is_behind = true;
	if (app) {
		x->pool_index = app->pool;
		x->pool = &x->engine->pools[app->pool];
	}
	return true;
}

/* --- what the browser gets --- */

/* A cookie without a name is sent back as its value alone, and "=__Host-sluis-app=..." would come back as a cookie of ours (RFC 6265bis 5.7). */
static bool names_ours(struct bytes pair)
{
	pair = bytes_trim(pair);
	while (pair.len && pair.at[0] == '=')
		pair = bytes_trim(bytes_cut(pair, 1, pair.len));
	return cookie_is_ours(bytes_cut(pair, 0, bytes_find_byte(pair, '=')));
}

static bool sets_ours(struct bytes value)
{
	return names_ours(bytes_cut(value, 0, bytes_find_byte(value, ';')));
}

/* A cookie for this host alone: without Domain, another app or the portal would be sent it. .at NULL: no room. */
static struct bytes host_cookie(struct exchange *x, struct bytes value)
{
	struct bytes left = value;
	struct text t;
	void *mem = arena_alloc_raw(&x->arena, value.len + 1);

	if (!mem)
		return bytes_of(NULL, 0);
	text_init(&t, mem, value.len + 1);
	for (bool is_first = true; is_first || left.len; is_first = false) {
		size_t end = bytes_find_byte(left, ';');
		struct bytes one = bytes_cut(left, 0, end), key = bytes_trim(bytes_cut(one, 0, bytes_find_byte(one, '=')));

		left = end == SIZE_MAX ? BYTES("") : bytes_cut(left, end + 1, left.len);
		if (!is_first && bytes_eq_nocase(key, BYTES("domain")))
			continue;
		if (!is_first)
			text_byte(&t, ';');
		text_add(&t, one);
	}
	return bytes_of(mem, t.len);
}

/* None by a name of ours. is_app: and all others for this host alone. */
static bool edit_cookies(struct exchange *x, bool is_app)
{
	bool any = false;

	for (size_t i = 0; i < x->res.field_count; i++)
		any = any || (x->res.fields[i].id == HTTP_SET_COOKIE && (is_app || sets_ours(x->res.fields[i].value)));
	if (!any)
		return true;
	if (!push_edit(x, (struct http1_edit){ .name = BYTES("Set-Cookie"), .removes = true, .on_response = true }))
		return false;
	for (size_t i = 0; i < x->res.field_count; i++) {
		struct bytes v = x->res.fields[i].value;

		if (x->res.fields[i].id != HTTP_SET_COOKIE || sets_ours(v))
			continue;
		if (is_app)
			v = host_cookie(x, v);
		if (!v.at || (v.len && !push_edit(x, (struct http1_edit){ .name = BYTES("Set-Cookie"), .value = v, .on_response = true })))
			return false;
	}
	return true;
}

/* authority: of a redirect. own: the app's server_host; without a port it is any port of that host, for servers name the one that they listen on. With
 * one, another port may be another service. */
static bool is_authority(struct bytes authority, struct bytes own, uint64_t usual_port)
{
	size_t colon = bytes_find_byte(authority, ':'), own_colon = bytes_find_byte(own, ':');
	struct bytes digits = colon == SIZE_MAX ? BYTES("") : bytes_cut(authority, colon + 1, authority.len);
	uint64_t port = usual_port, own_port = 0;

	if (!bytes_eq_nocase(bytes_cut(authority, 0, colon), bytes_cut(own, 0, own_colon)) || (digits.len && bytes_u64(digits, &port) != OK))
		return false;
	return own_colon == SIZE_MAX || (bytes_u64(bytes_cut(own, own_colon + 1, own.len), &own_port) == OK && port == own_port);
}

static bool starts_nocase(struct bytes v, struct bytes with)
{
	return bytes_eq_nocase(bytes_cut(v, 0, with.len), with);
}

/* A redirect by the name that the server takes itself for. */
static bool own_location(struct exchange *x)
{
	const struct http_field *f = http_find_field_id(x->res.fields, x->res.field_count, HTTP_LOCATION);
	struct bytes v = f ? f->value : BYTES(""), rest;
	bool is_http = starts_nocase(v, BYTES("http://"));
	size_t skip = starts_nocase(v, BYTES("https://")) ? 8 : is_http ? 7 : bytes_starts(v, BYTES("//")) ? 2 : 0, end = 0;
	struct text t;
	void *mem;

	if (!x->app || !x->app->server_host.len || !skip)
		return true;
	rest = bytes_cut(v, skip, v.len);
	while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?' && rest.at[end] != '#')
		end++;
	if (!is_authority(bytes_cut(rest, 0, end), x->app->server_host, is_http ? 80 : 443))
		return true;
	mem = arena_alloc_raw(&x->arena, v.len + x->app->host.len + 32);
	if (!mem)
		return false;
	text_init(&t, mem, v.len + x->app->host.len + 32);
	admit_origin(x, &t, x->app->host);
	text_add(&t, bytes_cut(rest, end, rest.len));
	return push_edit(x, (struct http1_edit){ .name = BYTES("Location"), .value = text_bytes(&t), .replaces = true, .on_response = true });
}

/* Sessions of that kind on this host are ours alone: an app's could take the place of one, for their names are one list for all hosts of a domain. */
static bool own_device(struct exchange *x)
{
	const struct bytes names[] = { BYTES("Secure-Session-Registration"), BYTES("Secure-Session-Challenge") };
	struct bytes offer = admit_device_offer_value(x);

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (http_find_field(x->res.fields, x->res.field_count, names[i]) &&
			!push_edit(x, (struct http1_edit){ .name = names[i], .removes = true, .on_response = true }))
			return false;
	return !offer.len || push_edit(x, (struct http1_edit){ .name = names[0], .value = offer, .on_response = true });
}

bool admit_app_response(struct exchange *x)
{
	/* Nothing behind a sign-in is for caches that others share; and "cookies" there would be those of the portal as well. */
	if (!http_find_field(x->res.fields, x->res.field_count, BYTES("Cache-Control")) &&
		!push_edit(x, (struct http1_edit){ .name = BYTES("Cache-Control"), .value = BYTES("private"), .on_response = true }))
		return false;
	if (http_find_field(x->res.fields, x->res.field_count, BYTES("Clear-Site-Data")) &&
		!push_edit(x, (struct http1_edit){ .name = BYTES("Clear-Site-Data"), .removes = true, .on_response = true }))
		return false;
	return edit_cookies(x, true) && own_location(x) && own_device(x);
}

bool admit_plain_response(struct exchange *x)
{
	return edit_cookies(x, false);
}
