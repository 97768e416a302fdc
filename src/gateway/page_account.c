/* What somebody can see and change of their account. What identity knows comes as lines (CALL_ACCOUNT), each kind of them in a section. */
#include "gateway/page_priv.h"

#include "auth/password.h"

static bool is_kind(const struct auth_line *l, struct bytes kind)
{
	return bytes_eq(l->fields[0], kind);
}

/* The next line of that kind. */
static bool next_of(struct bytes *lines, struct bytes kind, struct auth_line *out)
{
	while (auth_line_next(lines, out)) {
		if (is_kind(out, kind))
			return true;
	}
	return false;
}

static struct bytes value_of(struct bytes lines, struct bytes kind, size_t field)
{
	struct auth_line l;

	return next_of(&lines, kind, &l) ? l.fields[field] : BYTES("");
}

static uint64_t seconds(struct bytes b)
{
	uint64_t n;

	return bytes_u64(b, &n) == OK ? n : 0;
}

static void put_pair(struct text *t, const struct page *p, enum page_word name, struct bytes value)
{
	if (!value.len)
		return;
	put_element(t, p, "dt", name);
	text_lit(t, "<dd>");
	text_html(t, value);
	text_lit(t, "</dd>\n");
}

static void put_about(struct text *t, const struct page *p, struct bytes lines)
{
	struct auth_line l;

	text_lit(t, "<section class=\"card\">\n");
	put_element(t, p, "h2", PW_ABOUT_YOU);
	text_lit(t, "<dl>\n");
	if (next_of(&lines, BYTES("user"), &l)) {
		put_pair(t, p, PW_USER, l.fields[1]);
		put_pair(t, p, PW_NAME, l.fields[2]);
		put_pair(t, p, PW_MAIL, l.fields[3]);
	} else {
		put_pair(t, p, PW_USER, p->facts->user);
	}
	text_lit(t, "</dl>\n");
	put_form(t, p, "/language", "inline");
	text_lit(t, "<div class=\"field\">\n<label for=\"language\">");
	put(t, p, PW_LANGUAGE_YOURS);
	text_fmt(t, "</label>\n<select id=\"language\" name=\"language\">\n<option value=\"en\" lang=\"en\"%s>English</option>\n",
		p->lang == PAGE_EN ? " selected" : "");
	text_fmt(t, "<option value=\"nl\" lang=\"nl\"%s>Nederlands</option>\n</select>\n</div>\n", p->lang == PAGE_NL ? " selected" : "");
	put_button(t, p, PW_SAVE, "quiet");
	text_lit(t, "</form>\n</section>\n");
}

static void put_password(struct text *t, const struct page *p)
{
	static const struct field fields[] = {
		{ .name = "old", .label = PW_PASSWORD_OLD, .type = "password", .autocomplete = "current-password", .more = "maxlength=\"256\"" },
		{ .name = "new", .label = PW_PASSWORD_TO, .type = "password", .autocomplete = "new-password", .more = "maxlength=\"256\"" },
		{ .name = "again", .label = PW_PASSWORD_AGAIN, .type = "password", .autocomplete = "new-password", .more = "maxlength=\"256\"" },
	};
	char least[12];

	text_lit(t, "<section class=\"card\">\n");
	put_element(t, p, "h2", PW_PASSWORD_NEW);
	put_form(t, p, "/password", "stack");
	/* Password managers want to know whose it is. */
	text_lit(t, "<input type=\"text\" class=\"unseen\" autocomplete=\"username\" readonly tabindex=\"-1\" aria-hidden=\"true\" value=\"");
	text_html(t, p->facts->user);
	text_lit(t, "\">\n");
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		struct field f = fields[i];
		struct text n;
		if (i == 1) {
			text_init(&n, least, sizeof least);
			text_u64(&n, PASSWORD_LEAST);
			f.hint = PW_PASSWORD_HINT;
			f.hint_number = text_bytes(&n);
		}
		put_field(t, p, &f);
	}
	put_button(t, p, PW_PASSWORD_CHANGE, "main");
	text_lit(t, "</form>\n</section>\n");
}

static void put_password_elsewhere(struct text *t, const struct page *p)
{
	text_lit(t, "<section class=\"card\">\n");
	put_element(t, p, "h2", PW_PASSWORD);
	put_element(t, p, "p", PW_PASSWORD_ELSEWHERE);
	text_lit(t, "</section>\n");
}

static void put_action(struct text *t, const struct page *p, const char *action, enum page_word w, const char *look)
{
	put_form(t, p, action, "inline");
	put_button(t, p, w, look);
	text_lit(t, "</form>\n");
}

static void put_totp(struct text *t, const struct page *p, struct bytes lines)
{
	bool is_on = bytes_eq(value_of(lines, BYTES("totp"), 1), BYTES("1"));
	struct bytes left = value_of(lines, BYTES("recovery"), 1);

	text_lit(t, "<section class=\"card\">\n");
	put_element(t, p, "h2", PW_TOTP);
	put_element(t, p, "p", is_on ? PW_TOTP_ON : PW_TOTP_OFF);
	text_lit(t, "<div class=\"row\"><a class=\"button quiet\" href=\"/totp\">");
	put(t, p, is_on ? PW_TOTP_REPLACE : PW_TOTP_NEW);
	text_lit(t, "</a>\n");
	if (is_on)
		put_action(t, p, "/totp/remove", PW_TOTP_REMOVE, "danger");
	text_lit(t, "</div>\n</section>\n<section class=\"card\">\n");
	put_element(t, p, "h2", PW_CODES);
	put_element(t, p, "p", PW_CODES_LEAD);
	text_lit(t, "<p>");
	put_with(t, p, PW_CODES_LEFT, left.len ? left : BYTES("0"), BYTES(""));
	text_lit(t, "</p>\n");
	if (seconds(left))
		put_element(t, p, "p", PW_CODES_NEW_HINT);
	put_action(t, p, "/recovery", PW_CODES_NEW, "quiet");
	text_lit(t, "</section>\n");
}

static void put_when(struct text *t, const struct page *p, enum page_word w, struct bytes at)
{
	text_lit(t, "<span>");
	put(t, p, w);
	text_byte(t, ' ');
	if (seconds(at))
		put_time(t, p, seconds(at));
	else
		put(t, p, PW_NEVER);
	text_lit(t, "</span>\n");
}

static void put_passkey_row(struct text *t, const struct page *p, const struct auth_line *l)
{
	struct bytes name = l->fields[2].len ? l->fields[2] : bytes_str(page_word(p->lang, PW_PASSKEY));

	text_lit(t, "<li><div><strong>");
	text_html(t, name);
	text_lit(t, "</strong>\n<div class=\"facts\">");
	put_when(t, p, PW_MADE, l->fields[3]);
	put_when(t, p, PW_USED, l->fields[4]);
	text_lit(t, "</div></div>\n");
	put_form(t, p, "/passkey/remove", "inline");
	put_hidden(t, "id", l->fields[1]);
	text_lit(t, "<button class=\"danger\" aria-label=\"");
	put_with(t, p, PW_REMOVE_WHAT, name, BYTES(""));
	text_lit(t, "\">");
	put(t, p, PW_REMOVE);
	text_lit(t, "</button>\n</form></li>\n");
}

static void put_passkeys(struct text *t, const struct page *p, struct bytes lines)
{
	struct auth_line l;
	struct page done = *p;
	size_t count = 0;

	text_lit(t, "<section class=\"card\">\n");
	put_element(t, p, "h2", PW_PASSKEYS);
	put_element(t, p, "p", PW_PASSKEYS_LEAD);
	while (next_of(&lines, BYTES("passkey"), &l) && page_has_room(t)) {
		if (!count++)
			text_lit(t, "<ul class=\"rows\">\n");
		put_passkey_row(t, p, &l);
	}
	if (count)
		text_lit(t, "</ul>\n");
	else
		put_element(t, p, "p", PW_PASSKEY_NONE);
	if (p->with_passkeys) {
		text_lit(t, "<div class=\"field\">\n<label for=\"passkey-name\">");
		put(t, p, PW_PASSKEY_NAME);
		text_lit(t, "</label>\n<p class=\"hint\" id=\"passkey-name-hint\">");
		put(t, p, PW_PASSKEY_NAME_HINT);
		text_lit(t, "</p>\n<input id=\"passkey-name\" type=\"text\" autocomplete=\"off\" maxlength=\"60\" "
			"aria-describedby=\"passkey-name-hint\">\n</div>\n");
		done.next = BYTES("/account?done=passkey");
		put_passkey(t, &done, "passkey-new", PW_PASSKEY_ADD, "/passkey/new", "/passkey/add",
			" data-name=\"passkey-name\" data-codes=\"passkey-codes\"");
		put_noscript(t, p, PW_PASSKEY_SCRIPT);
	}
	text_lit(t, "</section>\n");
}

static void put_session_row(struct text *t, const struct page *p, const struct auth_line *l, bool is_this)
{
	unsigned char mem[128];
	struct text device;

	text_init(&device, mem, sizeof mem);
	device_write(&device, p->lang, l->fields[4]);
	text_lit(t, "<li><div><strong>");
	text_html(t, text_bytes(&device));
	text_lit(t, "</strong>\n");
	if (is_this)
		put_element(t, p, "span class=\"badge\"", PW_SESSION_THIS);
	text_lit(t, "<div class=\"facts\"><span>");
	put(t, p, PW_FROM);
	text_byte(t, ' ');
	text_html(t, l->fields[3]);
	text_lit(t, "</span>\n<span>");
	put(t, p, PW_WITH);
	text_byte(t, ' ');
	put_method(t, p, l->fields[8]);
	text_lit(t, "</span>\n");
	put_when(t, p, PW_SINCE, l->fields[5]);
	put_when(t, p, PW_SEEN, l->fields[6]);
	put_when(t, p, PW_UNTIL, l->fields[7]);
	text_lit(t, "</div></div>\n");
	if (!is_this) {
		put_form(t, p, "/session/end", "inline");
		put_hidden(t, "id", l->fields[1]);
		text_lit(t, "<button class=\"quiet\" aria-label=\"");
		put_with(t, p, PW_SESSION_END_WHICH, text_bytes(&device), l->fields[3]);
		text_lit(t, "\">");
		put(t, p, PW_SESSION_END);
		text_lit(t, "</button>\n</form>");
	}
	text_lit(t, "</li>\n");
}

static void put_sessions(struct text *t, const struct page *p, struct bytes lines)
{
	struct auth_line l;
	size_t others = 0;

	text_lit(t, "<section class=\"card\">\n");
	put_element(t, p, "h2", PW_SESSIONS);
	text_lit(t, "<ul class=\"rows\">\n");
	while (next_of(&lines, BYTES("session"), &l) && page_has_room(t)) {
		bool is_this = bytes_eq(l.fields[2], BYTES("1"));
		others += !is_this;
		put_session_row(t, p, &l, is_this);
	}
	text_lit(t, "</ul>\n");
	if (others)
		put_action(t, p, "/sessions/end", PW_SESSIONS_END, "danger");
	text_lit(t, "</section>\n");
}

static void put_sign_ins(struct text *t, const struct page *p, struct bytes lines)
{
	struct auth_line l;
	bool is_open = false;

	while (next_of(&lines, BYTES("sign-in"), &l) && page_has_room(t)) {
		bool is_good = bytes_eq(l.fields[4], BYTES("signed in"));
		if (!is_open) {
			text_lit(t, "<section class=\"card\">\n");
			put_element(t, p, "h2", PW_SIGN_INS);
			put_element(t, p, "p", PW_SIGN_INS_HINT);
			text_lit(t, "<ul class=\"rows\">\n");
			is_open = true;
		}
		text_fmt(t, "<li class=\"%s\"><div><strong>", is_good ? "is-good" : "is-bad");
		put(t, p, is_good ? PW_SIGNED_IN : bytes_eq(l.fields[4], BYTES("wrong")) ? PW_SIGN_IN_WRONG : PW_SIGN_IN_REFUSED);
		text_lit(t, "</strong>\n<div class=\"facts\"><span>");
		put_time(t, p, seconds(l.fields[1]));
		text_lit(t, "</span>\n<span>");
		put(t, p, PW_FROM);
		text_byte(t, ' ');
		text_html(t, l.fields[2]);
		text_lit(t, "</span>\n<span>");
		put(t, p, PW_WITH);
		text_byte(t, ' ');
		put_method(t, p, l.fields[3]);
		text_lit(t, "</span>\n</div></div></li>\n");
	}
	if (is_open)
		text_lit(t, "</ul>\n</section>\n");
}

void page_account(struct text *t, const struct page *of, struct bytes lines)
{
	const struct page_head h = { .title = PW_ACCOUNT, .look = "middle" };
	struct page here = *of, *p = &here;

	CHECK(p->facts);
	p->next = BYTES("/account"); /* whatever is changed here */
	page_begin(t, p, &h);
	put_about(t, p, lines);
	put_passkeys(t, p, lines);
	put_totp(t, p, lines);
	if (value_of(lines, BYTES("user"), 4).len)
		put_password_elsewhere(t, p);
	else
		put_password(t, p);
	put_sessions(t, p, lines);
	put_sign_ins(t, p, lines);
	if (p->with_passkeys)
		put_passkey_codes(t, p);
	page_end(t, p, &h);
}
