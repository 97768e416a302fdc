/* The account: one page, and what is changed from it. */
#include "proxy/portal_priv.h"

#include "auth/password.h"

/* What the page is to say goes through a second call: first the change, then the account as it is now. */
static void account_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p;

	if (portal_failed(x, a))
		return;
	if (a->result != AUTH_OK || a->value_count < 1) {
		portal_message(x, 503, PW_T_DOWN, PW_M_DOWN);
		return;
	}
	p = portal_page(x);
	p.note = x->admit->note;
	if (bytes_eq(portal_field(x, "done"), BYTES("password")))
		p.note = portal_text(PW_N_PASSWORD, &p);
	else if (bytes_eq(portal_field(x, "done"), BYTES("passkey")))
		p.note = portal_text(PW_N_PASSKEY, &p);
	p.error = x->admit->error;
	p.wrong = bytes_str(x->admit->wrong ? x->admit->wrong : "");
	if (p.error.len == 0 && p.note.len == 0 && x->session && x->session->facts.must_change)
		p.error = portal_text(PW_E_PASSWORD_MUST, &p);
	p.here = BYTES("/account");
	page_account(&x->admit->page, &p, a->values[0]);
	portal_send(x, p.error.len ? x->admit->status ? x->admit->status : 400 : 200);
}

static void show(struct exchange *x, struct bytes token)
{
	admit_ask(x, CALL_ACCOUNT, false, token, NULL, 0, account_told);
}

void portal_account_page(struct exchange *x)
{
	show(x, portal_token(x));
}

static void show_error(struct exchange *x, unsigned status, struct bytes error, const char *wrong)
{
	x->admit->error = error;
	x->admit->wrong = wrong;
	x->admit->status = (uint16_t)status;
	show(x, portal_token(x));
}

static void show_note(struct exchange *x, enum page_word note)
{
	struct page p = portal_page(x);

	x->admit->note = portal_text(note, &p);
	show(x, portal_token(x));
}

/* --- password --- */

static struct bytes why_bad(struct exchange *x, const struct page *p, struct bytes why)
{
	static const struct {
		struct bytes why;
		enum page_word word;
	} words[] = {
		{ LIT("common"), PW_E_PASSWORD_COMMON }, { LIT("name"), PW_E_PASSWORD_NAME }, { LIT("same"), PW_E_PASSWORD_SAME },
		{ LIT("characters"), PW_E_PASSWORD_COMMON }, { LIT("directory"), PW_PASSWORD_ELSEWHERE },
	};

	if (bytes_eq(why, BYTES("too_short")))
		return portal_text_with(x, p, PW_E_PASSWORD_SHORT, PASSWORD_LEAST);
	if (bytes_eq(why, BYTES("too_long")))
		return portal_text_with(x, p, PW_E_PASSWORD_LONG, PASSWORD_MOST);
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (bytes_eq(words[i].why, why))
			return portal_text(words[i].word, p);
	return portal_text(PW_E_FORM, p);
}

static void password_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p = portal_page(x);

	if (a->result == AUTH_OK) {
		admit_set_session(x, COOKIE_PORTAL, a);
		portal_go(x, BYTES("/account?done=password"));
		return;
	}
	if (a->result == AUTH_NONE) {
		(void)!portal_failed(x, a);
		return;
	}
	if (a->result == AUTH_BAD && a->value_count)
		show_error(x, 400, why_bad(x, &p, a->values[0]), "new");
	else
		show_error(x, portal_status(a), portal_error(x, &p, a, PW_E_PASSWORD_OLD), "old");
}

void portal_password(struct exchange *x)
{
	const struct bytes args[2] = { bytes_cut(portal_field(x, "old"), 0, 1024), bytes_cut(portal_field(x, "new"), 0, 1024) };
	struct page p = portal_page(x);

	if (args[0].len == 0 || args[1].len == 0)
		show_error(x, 400, portal_text(PW_E_EMPTY, &p), args[0].len == 0 ? "old" : "new");
	else if (!bytes_eq(portal_field(x, "new"), portal_field(x, "again")))
		show_error(x, 400, portal_text(PW_E_PASSWORD_AGAIN, &p), "again");
	else
		admit_ask(x, CALL_PASSWORD, false, portal_token(x), args, 2, password_told);
}

/* --- factors --- */

static void totp_removed(struct exchange *x, const struct auth_answer *a)
{
	struct page p = portal_page(x);

	if (portal_failed(x, a))
		return;
	if (a->result == AUTH_OK)
		show_note(x, PW_N_TOTP_REMOVED);
	else
		show_error(x, 403, portal_text(x->session->facts.has_mfa ? PW_E_MFA_KEPT : PW_E_MFA_FIRST, &p), NULL);
}

void portal_totp_remove(struct exchange *x)
{
	admit_ask(x, CALL_TOTP_REMOVE, false, portal_token(x), NULL, 0, totp_removed);
}

static void recovery_told(struct exchange *x, const struct auth_answer *a)
{
	struct page p = portal_page(x);

	if (portal_failed(x, a))
		return;
	if (a->result != AUTH_OK || a->value_count < 1) {
		show_error(x, 403, portal_text(PW_E_MFA_FIRST, &p), NULL);
		return;
	}
	p.next = BYTES("/account");
	page_recovery(&x->admit->page, &p, a->values[0]);
	portal_send(x, 200);
}

void portal_recovery(struct exchange *x)
{
	admit_ask(x, CALL_RECOVERY_NEW, false, portal_token(x), NULL, 0, recovery_told);
}

static void passkey_removed(struct exchange *x, const struct auth_answer *a)
{
	struct page p = portal_page(x);

	if (a->result != AUTH_NONE && portal_failed(x, a))
		return;
	if (a->result == AUTH_DENIED)
		show_error(x, 403, portal_text(x->session->facts.has_mfa ? PW_E_MFA_KEPT : PW_E_MFA_FIRST, &p), NULL);
	else
		show_note(x, PW_N_PASSKEY_REMOVED);
}

void portal_passkey_remove(struct exchange *x)
{
	const struct bytes id = bytes_cut(portal_field(x, "id"), 0, 64);

	admit_ask(x, CALL_PASSKEY_REMOVE, false, portal_token(x), &id, 1, passkey_removed);
}

/* --- sessions --- */

static void session_ended(struct exchange *x, const struct auth_answer *a)
{
	if (a->result == AUTH_OK || a->result == AUTH_NONE)
		show_note(x, PW_N_SESSION_END); /* it had ended already: the same to who asks */
	else
		(void)!portal_failed(x, a);
}

void portal_session_end(struct exchange *x)
{
	const struct bytes id = bytes_cut(portal_field(x, "id"), 0, 64);

	admit_ask(x, CALL_SESSION_END, false, portal_token(x), &id, 1, session_ended);
}

static void sessions_ended(struct exchange *x, const struct auth_answer *a)
{
	if (!portal_failed(x, a))
		show_note(x, PW_N_SESSIONS_END);
}

void portal_sessions_end(struct exchange *x)
{
	admit_ask(x, CALL_SESSIONS_END, false, portal_token(x), NULL, 0, sessions_ended);
}

/* --- language --- */

static void language_told(struct exchange *x, const struct auth_answer *a)
{
	if (portal_failed(x, a))
		return;
	text_lit(&x->admit->head, "Set-Cookie: ");
	cookie_lang_write(&x->admit->head, portal_field(x, "language"));
	text_lit(&x->admit->head, "\r\n");
	portal_go_next(x);
}

void portal_language(struct exchange *x)
{
	const struct bytes lang = portal_field(x, "language");

	if (bytes_eq(lang, BYTES("nl")) || bytes_eq(lang, BYTES("en")))
		admit_ask(x, CALL_LANGUAGE, false, portal_token(x), &lang, 1, language_told);
	else
		portal_message(x, 400, PW_T_BAD, PW_M_BAD);
}
