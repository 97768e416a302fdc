/* A form that somebody sends to an app when the session has ended, or has no second factor yet: identity keeps it for a moment, the person signs in, and a
 * page on the app's host has it again, to be sent with one press. It is not sent by itself: the person may be another one, and sees what it is about. */
#include "proxy/engine.h"

#include "base/secret.h"
#include "crypto/base64.h"
#include "crypto/random.h"
#include "gateway/page.h"

#define FIRST_PART 1500 /* octets that go with a target into one message */
#define PART	   3500
#define FORM_PATH  ADMIT_PREFIX "form"

/* --- to identity --- */

/* From a page of this very host, by a person, of a size and kind that can be written into a page again. */
static bool is_keepable(const struct exchange *x)
{
	const struct http_field *type = http_find_field_id(x->req.fields, x->req.field_count, HTTP_CONTENT_TYPE);
	unsigned char mem[512];
	struct text own;

	text_init(&own, mem, sizeof mem);
	admit_origin(x, &own, x->req.host);
	return x->engine->conf->gateway.keep_forms_s && x->req.method == HTTP_POST && admit_wants_page(x) && type &&
	       bytes_starts(type->value, BYTES("application/x-www-form-urlencoded")) && x->req.framing == HTTP_BODY_LENGTH && x->req.length > 0 &&
	       x->req.length <= FORM_BODY_MAX && x->up_left == x->req.length && !x->req.expects_continue &&
	       !own.failed && origin_is_ours(x->req.fields, x->req.field_count, text_bytes(&own));
}

static void keep_part(struct exchange *x);

static void part_kept(struct exchange *x, const struct auth_answer *a)
{
	struct admit *own = x->admit;

	if (a->result != AUTH_OK) {
		exchange_refuse(x, 401, "sign-in"); /* no worse than without this */
	} else if (own->kept_len < own->body_len) {
		keep_part(x);
	} else {
		text_lit(&own->head, "Set-Cookie: ");
		cookie_write(&own->head, COOKIE_FORM, bytes_of(own->kept_nonce, sizeof own->kept_nonce), x->engine->conf->gateway.keep_forms_s);
		text_lit(&own->head, "\r\n");
		admit_go_to_sign_in(x, BYTES(FORM_PATH));
	}
}

static void keep_part(struct exchange *x)
{
	struct admit *own = x->admit;
	bool is_first = own->kept_len == 0;
	unsigned char hash[SHA256_LEN], number[24], whole[24], mem[LINK_MAX];
	size_t from = own->kept_len;
	struct text offset, all, target;

	sha256_of(bytes_of(own->kept_nonce, sizeof own->kept_nonce), hash);
	text_init(&offset, number, sizeof number);
	text_u64(&offset, from);
	text_init(&all, whole, sizeof whole);
	text_u64(&all, own->body_len);
	text_init(&target, mem, sizeof mem);
	admit_put_target(x, &target);
	own->kept_len += is_first ? FIRST_PART : PART;
	if (own->kept_len > own->body_len)
		own->kept_len = own->body_len;
	admit_ask(x, CALL_KEEP, false, BYTES(""), (const struct bytes[]){ x->req.host, bytes_of(hash, sizeof hash), text_bytes(&all), text_bytes(&offset),
		is_first ? text_bytes(&target) : BYTES(""), bytes_cut(bytes_of(own->body, own->body_len), from, own->kept_len) }, 6, part_kept);
}

static void form_read(struct exchange *x)
{
	struct admit *own = x->admit;

	if (!form_each(bytes_of(own->body, own->body_len), &own->arena, NULL, NULL)) {
		exchange_refuse(x, 401, "sign-in");
		return;
	}
	if (!cookie_token(x->req.fields, x->req.field_count, COOKIE_FORM, own->kept_nonce)) /* one place for each browser */
		random_bytes(own->kept_nonce, sizeof own->kept_nonce);
	keep_part(x);
}

bool admit_keep_form(struct exchange *x)
{
	if (!is_keepable(x))
		return false;
	admit_read_body(x, form_read);
	return true;
}

/* --- and back --- */

static void ask_part(struct exchange *x);

static void part_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p = admit_page(x);
	struct admit *own = x->admit;
	uint64_t all = 0;
	bool is_first = own->body_len == 0;

	if (a->result == AUTH_DOWN) {
		exchange_refuse(x, 503, "identity");
		return;
	}
	/* Another form may have taken its place between two parts: all tells, for kept_len is that of the first. */
	if (a->result == AUTH_OK && a->value_count == 3 && bytes_u64(a->values[0], &all) == OK && all > own->body_len && all <= sizeof own->body &&
		(is_first || all == own->kept_len) && a->values[2].len > 0 && a->values[2].len <= all - own->body_len) {
		own->kept_len = (size_t)all;
		memcpy(own->body + own->body_len, a->values[2].at, a->values[2].len);
		own->body_len += a->values[2].len;
		if (is_first)
			own->kept_target = arena_copy(&own->arena, a->values[1]);
		if (own->body_len < all) {
			ask_part(x);
			return;
		}
	} else {
		own->body_len = 0;
	}
	text_lit(&own->head, "Content-Security-Policy: ");
	page_csp_app(&own->head, p.gateway, true);
	text_lit(&own->head, "\r\nReferrer-Policy: same-origin\r\n");
	page_form_kept(&own->page, &p, x->req.host, own->body_len && link_is_target(own->kept_target) ? own->kept_target : BYTES(""),
		bytes_of(own->body, own->body_len), &own->arena);
	admit_reply(x, own->body_len ? 200 : 404, BYTES("text/html; charset=utf-8"));
}

static void ask_part(struct exchange *x)
{
	struct admit *own = x->admit;
	unsigned char number[24], token[AUTH_TOKEN_LEN];
	struct text offset;

	if (!cookie_token(x->req.fields, x->req.field_count, COOKIE_APP, token)) {
		exchange_refuse(x, 401, "sign-in");
		return;
	}
	text_init(&offset, number, sizeof number);
	text_u64(&offset, own->body_len);
	admit_ask(x, CALL_KEPT, false, bytes_of(token, sizeof token), (const struct bytes[]){ bytes_of(own->kept_nonce, sizeof own->kept_nonce),
		text_bytes(&offset) }, 2, part_told);
	secret_wipe(token, sizeof token);
}

bool admit_is_form_path(struct bytes path)
{
	return bytes_eq(path, BYTES(FORM_PATH));
}

void admit_form_page(struct exchange *x)
{
	struct admit *own = admit_of(x);

	if (!own)
		return;
	if (!x->session) {
		admit_to_sign_in(x);
		return;
	}
	x->has_secret = true;
	if (cookie_token(x->req.fields, x->req.field_count, COOKIE_FORM, own->kept_nonce))
		ask_part(x);
	else
		part_told(x, &(const struct auth_answer){ .result = AUTH_NONE });
}
