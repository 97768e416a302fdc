/* Signing in: name and password, a second factor, and setting one up. */
#include "gateway/page_priv.h"

#include "gateway/form.h"

#include <qrencode.h>
#include <stdlib.h>

/* Links, not forms: a form's answer that leads elsewhere is held against form-action. */
static void put_providers(struct text *t, const struct page *p)
{
	for (size_t i = 0; i < p->gateway->oidc_count; i++) {
		const struct conf_oidc *o = &p->gateway->oidc[i];

		text_lit(t, "<p class=\"after\"><a class=\"button quiet\" href=\"/oidc/");
		link_encode(t, o->name);
		if (p->next.len) {
			text_lit(t, "?next=");
			link_encode(t, p->next);
		}
		text_lit(t, "\">");
		put_with(t, p, PW_OIDC_SIGN_IN, o->label, BYTES(""));
		text_lit(t, "</a></p>\n");
	}
}

void page_sign_in(struct text *t, const struct page *p, struct bytes user)
{
	const struct page_head h = { .title = PW_SIGN_IN, .look = "narrow" };

	page_begin(t, p, &h);
	put_element(t, p, "p class=\"lead\"", PW_SIGN_IN_LEAD);
	put_form(t, p, "/sign-in", "stack");
	put_field(t, p, &(struct field){ .name = "user", .label = PW_USER, .type = "text", .value = user, .takes_focus = user.len == 0,
		.autocomplete = p->with_passkeys ? "username webauthn" : "username",
		.more = "autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"64\"" });
	put_field(t, p, &(struct field){ .name = "password", .label = PW_PASSWORD, .type = "password", .takes_focus = user.len > 0,
		.autocomplete = "current-password", .more = "maxlength=\"256\"" });
	put_button(t, p, PW_SIGN_IN, "main");
	text_lit(t, "</form>\n");
	if (p->with_passkeys)
		put_passkey(t, p, "passkey-sign-in", PW_PASSKEY_SIGN_IN, "/passkey/begin", "/passkey/sign-in", "");
	put_providers(t, p);
	page_end(t, p, &h);
}

static bool has_method(struct bytes methods, struct bytes one)
{
	while (methods.len) {
		size_t end = bytes_find_byte(methods, ' ');
		if (bytes_eq(bytes_cut(methods, 0, end), one))
			return true;
		methods = end == SIZE_MAX ? BYTES("") : bytes_cut(methods, end + 1, methods.len);
	}
	return false;
}

static void put_code(struct text *t, const struct page *p, enum page_word hint)
{
	put_field(t, p, &(struct field){ .name = "code", .label = PW_TOTP_CODE, .hint = hint, .type = "text", .takes_focus = true,
		.autocomplete = "one-time-code",
		.more = "inputmode=\"numeric\" maxlength=\"12\" spellcheck=\"false\" class=\"code\"" });
}

static void put_recovery_form(struct text *t, const struct page *p, const char *action, bool is_only)
{
	bool is_open = p->error.len && bytes_eq(p->wrong, BYTES("recovery"));

	if (!is_only) {
		text_fmt(t, "<details%s>\n<summary>", is_open ? " open" : "");
		put(t, p, PW_RECOVERY_USE);
		text_lit(t, "</summary>\n");
	}
	put_form(t, p, action, "stack");
	put_hidden(t, "method", BYTES("recovery"));
	put_field(t, p, &(struct field){ .name = "code", .id = "recovery", .label = PW_RECOVERY, .hint = PW_RECOVERY_HINT, .type = "text",
		.takes_focus = is_only, .autocomplete = "off",
		.more = "autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"40\"" });
	put_button(t, p, PW_CONFIRM, is_only ? "main" : "quiet");
	text_lit(t, "</form>\n");
	if (!is_only)
		text_lit(t, "</details>\n");
}

void page_second(struct text *t, const struct page *p, struct bytes methods, bool is_step_up)
{
	const struct page_head h = { .title = PW_SECOND, .look = "narrow" };
	const char *action = is_step_up ? "/step-up" : "/second";
	bool with_totp = has_method(methods, BYTES("totp")), with_recovery = has_method(methods, BYTES("recovery"));
	bool with_passkey = has_method(methods, BYTES("passkey"));

	page_begin(t, p, &h);
	put_element(t, p, "p class=\"lead\"", is_step_up ? PW_STEP_UP_LEAD : PW_SECOND_LEAD);
	if (with_passkey && p->with_passkeys)
		put_passkey(t, p, "passkey-second", PW_PASSKEY_SECOND, "/passkey/ask", "/passkey/prove", "");
	if (with_passkey && !with_totp)
		put_noscript(t, p, PW_PASSKEY_SCRIPT);
	if (with_totp) {
		put_form(t, p, action, "stack");
		put_hidden(t, "method", BYTES("totp"));
		put_code(t, p, PW_TOTP_HINT);
		put_button(t, p, PW_CONFIRM, "main");
		text_lit(t, "</form>\n");
	}
	if (with_recovery)
		put_recovery_form(t, p, action, !with_totp && !with_passkey);
	if (!with_totp && !with_recovery && !with_passkey)
		put_element(t, p, "p", PW_NO_METHOD);
	text_fmt(t, "<p class=\"after\"><a href=\"%s\">", is_step_up ? "/" : "/sign-in");
	put(t, p, is_step_up ? PW_TO_HOME : PW_OTHER_ACCOUNT);
	text_lit(t, "</a></p>\n");
	page_end(t, p, &h);
}

/* Dark on light in any scheme, with the four modules of quiet around it that ISO/IEC 18004 6.3.8 wants: cameras read no other. */
static void put_qr(struct text *t, const struct page *p, struct bytes uri)
{
	QRcode *q = uri.len && uri.len <= 1024 ? QRcode_encodeData((int)uri.len, uri.at, 0, QR_ECLEVEL_M) : NULL;

	if (!q) /* no memory, or too long: the key can be typed in */
		return;
	text_lit(t, "<svg class=\"qr\" role=\"img\" aria-label=\"");
	put(t, p, PW_TOTP_QR);
	text_fmt(t, "\" viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\">\n", q->width + 8, q->width + 8);
	text_lit(t, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<path fill=\"#000\" d=\"");
	for (int y = 0; y < q->width; y++) {
		for (int x = 0, run; x < q->width; x += run) {
			const unsigned char *row = q->data + (size_t)y * (size_t)q->width;
			for (run = 1; x + run < q->width && ((row[x + run] ^ row[x]) & 1) == 0; run++)
				;
			if (row[x] & 1)
				text_fmt(t, "M%d %dh%dv1h-%dz", x + 4, y + 4, run, run);
		}
	}
	text_lit(t, "\"/>\n</svg>\n");
	QRcode_free(q);
}

static void put_secret(struct text *t, const struct page *p, struct bytes secret)
{
	text_lit(t, "<p>");
	put(t, p, PW_TOTP_BY_HAND);
	text_lit(t, "<br>\n<code class=\"secret\">");
	for (size_t i = 0; i < secret.len; i += 4) {
		if (i)
			text_byte(t, ' ');
		text_html(t, bytes_cut(secret, i, i + 4));
	}
	text_lit(t, "</code></p>\n");
}

void page_totp_new(struct text *t, const struct page *p, struct bytes secret_base32, struct bytes uri, bool is_sign_in)
{
	const struct page_head h = { .title = PW_TOTP_NEW, .look = "narrow" };

	page_begin(t, p, &h);
	put_element(t, p, "p class=\"lead\"", is_sign_in ? PW_TOTP_NEW_FIRST : PW_TOTP_NEW_LEAD);
	text_lit(t, "<ol class=\"steps\">\n");
	put_element(t, p, "li", PW_TOTP_STEP_1);
	text_lit(t, "<li>");
	put(t, p, PW_TOTP_STEP_2);
	text_byte(t, '\n');
	put_qr(t, p, uri);
	put_secret(t, p, secret_base32);
	if (bytes_starts(uri, BYTES("otpauth://"))) {
		text_lit(t, "<p class=\"on-phone\"><a href=\"");
		text_html(t, uri);
		text_lit(t, "\">");
		put(t, p, PW_TOTP_OPEN);
		text_lit(t, "</a></p>\n");
	}
	text_lit(t, "</li>\n<li>");
	put(t, p, PW_TOTP_STEP_3);
	text_byte(t, '\n');
	put_form(t, p, "/totp", "stack");
	put_code(t, p, (enum page_word)0);
	put_button(t, p, PW_TOTP_READY, "main");
	text_lit(t, "</form>\n</li>\n</ol>\n");
	if (is_sign_in && p->with_passkeys)
		put_passkey(t, p, "passkey-new", PW_PASSKEY_INSTEAD, "/passkey/new", "/passkey/add", " data-codes=\"passkey-codes\"");
	text_fmt(t, "<p class=\"after\"><a href=\"%s\">", is_sign_in ? "/sign-in" : "/account");
	put(t, p, is_sign_in ? PW_OTHER_ACCOUNT : PW_BACK);
	text_lit(t, "</a></p>\n");
	if (is_sign_in && p->with_passkeys)
		put_passkey_codes(t, p);
	page_end(t, p, &h);
}

void page_recovery(struct text *t, const struct page *p, struct bytes codes)
{
	const struct page_head h = { .title = PW_CODES, .look = "narrow", .stays = true };

	page_begin(t, p, &h);
	put_element(t, p, "p class=\"lead\"", PW_CODES_LEAD);
	put_element(t, p, "p class=\"told plain\"", PW_CODES_ONCE);
	text_lit(t, "<ol class=\"codes\">\n");
	while (codes.len) {
		size_t end = bytes_find_byte(codes, ' ');
		struct bytes one = bytes_cut(codes, 0, end);
		codes = end == SIZE_MAX ? BYTES("") : bytes_cut(codes, end + 1, codes.len);
		if (one.len) {
			text_lit(t, "<li><code>");
			text_html(t, one);
			text_lit(t, "</code></li>\n");
		}
	}
	text_lit(t, "</ol>\n<p class=\"on-paper\">");
	text_html(t, p->gateway->title);
	if (p->facts) {
		text_lit(t, " · ");
		text_html(t, p->facts->user);
	}
	text_lit(t, " · ");
	put_time_on_paper(t, p, p->now_s);
	text_lit(t, "</p>\n<p><a class=\"button\" href=\"");
	text_html(t, p->next.len ? p->next : BYTES("/"));
	text_lit(t, "\">");
	put(t, p, PW_CODES_KEPT);
	text_lit(t, "</a></p>\n");
	page_end(t, p, &h);
}
