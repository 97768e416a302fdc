/* Every page of the portal with something on it: what the unit test, the browser test and people look at. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "gateway/page.h"

#include <stdio.h>

#define SAMPLE_NOW UINT64_C(1790000000) /* 2026-09-21, 14:13:20 UTC */
#define EVIL	   "<script>alert(1)</script>\"' onload=x <img src=y> &amp; \xe2\x80\xae"
#define SAMPLE_APPS 11

struct sample {
	struct conf_gateway gateway;
	struct conf_app apps[SAMPLE_APPS];
	struct page_app tiles[SAMPLE_APPS];
	struct auth_facts facts;
	struct bytes lines, why, user, display, uri, search, error, note;
};

static const struct { const char *id, *name, *description, *group; unsigned state; bool is_favourite; uint64_t used_ago_s; } sample_apps[SAMPLE_APPS] = {
	{ "ecd", "Patient records", "Files of patients, medication and letters", "Care", PAGE_APP_STEP_UP, true, 3600 },
	{ "rooster", "Rota", "Who works when; swap a shift", "Care", PAGE_APP_READY, true, 600 },
	{ "lab", "Laboratory results", "Results of blood tests and cultures, also those that are still to come, with the reference values of the laboratory", "Care",
		PAGE_APP_READY, false, 0 },
	{ "beeld", "Imaging", "X-ray, CT and MRI", "Care", PAGE_APP_DENIED, false, 0 },
	{ "wiki", "Wiki", "Protocols and agreements", "Knowledge", PAGE_APP_READY, false, 90000 },
	{ "leren", "Learning", "", "Knowledge", PAGE_APP_READY, false, 0 },
	{ "mail", "Mail", "Mail and agenda", "Office", PAGE_APP_READY, true, 60 },
	{ "hr", "Human resources", "Leave, hours and payslips", "Office", PAGE_APP_STEP_UP, false, 400000 },
	{ "geld", "Arbeidsongeschiktheidsverzekeringsadministratie", "A long word, as there are", "Office", PAGE_APP_DENIED, false, 0 },
	{ "vergader", "Meetings", "Video meetings in the browser", "", PAGE_APP_READY, false, 0 },
	{ "gebouw", "Building", "Report what is broken", "", PAGE_APP_READY, false, 0 },
};

static const struct bytes sample_lines = LIT("user\teva\tEva de Wit\teva@example.org\ntotp\t1\nrecovery\t8\n"
	"passkey\tAQIDBA\tLaptop at home\t1780000000\t1789990000\npasskey\tBQYHCA\tSecurity key\t1785000000\t0\n"
	"session\t0123456789abcdef\t1\t192.0.2.17\tMozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\t1789996400\t1790000000\t1790025200\tpassword totp\n"
	"session\t1123456789abcdef\t0\t2001:db8:1234:5678:9abc:def0:1234:5678\tMozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
	"Version/18.0 Mobile/15E148 Safari/604.1\t1789900000\t1789996400\t1790020000\tpasskey\n"
	"session\t2123456789abcdef\t0\t198.51.100.4\tcurl/8.5\t1789990000\t1789990100\t1790010000\tpassword\n"
	"sign-in\t1789996400\t192.0.2.17\tpassword totp\tsigned in\nsign-in\t1789900000\t203.0.113.9\tpassword\twrong\n"
	"sign-in\t1789800000\t203.0.113.9\tpassword\tdenied\n");
static const struct bytes sample_evil_lines = LIT("user\t" EVIL "\t" EVIL "\t" EVIL "\ntotp\t" EVIL "\nrecovery\t" EVIL "\npasskey\t" EVIL "\t" EVIL "\t" EVIL "\t" EVIL "\n"
	"session\t" EVIL "\t0\t" EVIL "\t" EVIL "\t" EVIL "\t1\t99999999999999\t" EVIL "\nsign-in\t" EVIL "\t" EVIL "\t" EVIL "\t" EVIL "\n");

static inline void sample_init(struct sample *s, bool is_evil)
{
	const struct bytes evil = BYTES(EVIL);

	*s = (struct sample){ .lines = is_evil ? sample_evil_lines : sample_lines, .user = BYTES("eva"), .display = BYTES("Eva de Wit"),
		.why = BYTES("\"radiology\" in session.groups and session.device_bound"), .search = BYTES("re"),
		.uri = BYTES("otpauth://totp/Example%20hospital:eva?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example%20hospital") };
	s->gateway = (struct conf_gateway){ .is_on = true, .portal = BYTES("work.example.org"), .port = 443, .origin = BYTES("https://work.example.org"),
		.title = BYTES("Example hospital"), .support = { BYTES("Service desk, telephone 1234 (inside) or 088 123 4567"), BYTES("Servicedesk, telefoon 1234 (intern) of 088 123 4567") },
		.support_hours = { BYTES("Day and night"), BYTES("Dag en nacht") },
		.notice = { BYTES("This portal is for people who work at Example hospital. Use is logged."),
			BYTES("Dit portaal is voor wie bij Example hospital werkt. Gebruik wordt vastgelegd.") }, .idle_s = 1800, .apps = s->apps,
		.app_count = SAMPLE_APPS };
	s->facts = (struct auth_facts){ .since_s = SAMPLE_NOW - 3600, .until_s = SAMPLE_NOW + 25200, .idle_s = 1800, .has_mfa = true,
		.method = BYTES("password totp") };
	for (size_t i = 0; i < SAMPLE_APPS; i++) {
		s->apps[i] = (struct conf_app){ .id = bytes_str(sample_apps[i].id), .name = bytes_str(sample_apps[i].name),
			.description = bytes_str(sample_apps[i].description), .group = bytes_str(sample_apps[i].group), .host = BYTES("app.work.example.org") };
		s->tiles[i] = (struct page_app){ .app = &s->apps[i], .is_favourite = sample_apps[i].is_favourite,
			.used_s = sample_apps[i].used_ago_s ? SAMPLE_NOW - sample_apps[i].used_ago_s : 0 };
		memcpy(&s->tiles[i].state, &sample_apps[i].state, sizeof s->tiles[i].state);
		if (s->tiles[i].state == PAGE_APP_DENIED)
			s->tiles[i].why = s->why;
		if (is_evil)
			s->apps[i].id = s->apps[i].name = s->apps[i].description = s->apps[i].group = s->apps[i].help = s->tiles[i].why = evil;
	}
	s->apps[3].help = BYTES("the radiology desk, telephone 5678");
	s->apps[0].icon = is_evil ? BYTES("") : BYTES("x"); /* any: the picture itself is served by others */
	if (is_evil) {
		s->user = s->display = s->why = s->uri = s->search = s->facts.method = s->facts.mail = evil;
		s->gateway.title = evil;
		s->gateway.support = s->gateway.support_hours = s->gateway.notice = (struct conf_words){ evil, evil };
		s->error = s->note = evil;
	}
	s->facts.user = s->user;
	s->facts.display = s->display;
}

struct sample_run {
	struct sample *s;
	struct page p;
	enum page_lang lang;
	void (*one)(void *ctx, const char *name, enum page_lang lang, struct bytes html, bool is_on_app);
	void *ctx;
	struct text t;
};

static inline void sample_done(struct sample_run *r, const char *name, bool is_on_app)
{
	CHECK(!r->t.failed);
	r->one(r->ctx, name, r->lang, text_bytes(&r->t), is_on_app);
	r->t.len = 0;
	r->p.error = r->s->error;
	r->p.note = r->s->note;
	r->p.wrong = BYTES("");
}

static inline void sample_say(struct sample_run *r, enum page_word w, const char *wrong)
{
	static unsigned char mem[512];
	struct text t;

	text_init(&t, mem, sizeof mem);
	page_fill(&t, r->lang, w, BYTES("12"), BYTES(""));
	r->p.error = text_bytes(&t);
	r->p.wrong = bytes_str(wrong);
}

static inline void sample_form(struct sample_run *r)
{
	static unsigned char mem[48 * 1024];
	struct arena arena;

	arena_init(&arena, mem, sizeof mem);
	r->p.facts = &r->s->facts;
	page_form_kept(&r->t, &r->p, BYTES("care.work.example.org"), BYTES("/record?id=7&tab=2"), BYTES("note=Slept+well%2C+%3Cb%3E&again=1&again=2"), &arena);
	sample_done(r, "form-kept", true);
	r->p.facts = &r->s->facts;
	page_form_kept(&r->t, &r->p, BYTES("care.work.example.org"), BYTES(""), BYTES(""), &arena);
	sample_done(r, "form-gone", true);
	r->p.facts = NULL;
}

static inline void sample_signing_in(struct sample_run *r)
{
	page_sign_in(&r->t, &r->p, BYTES(""));
	sample_done(r, "sign-in", false);
	sample_say(r, PW_E_REFUSED, "password");
	page_sign_in(&r->t, &r->p, r->s->user);
	sample_done(r, "sign-in-wrong", false);
	sample_say(r, PW_E_WAIT, "");
	page_sign_in(&r->t, &r->p, BYTES(""));
	sample_done(r, "sign-in-wait", false);
	page_second(&r->t, &r->p, BYTES("totp recovery passkey"), false);
	sample_done(r, "second", false);
	sample_say(r, PW_E_RECOVERY, "recovery");
	page_second(&r->t, &r->p, BYTES("totp recovery"), false);
	sample_done(r, "second-wrong", false);
	page_second(&r->t, &r->p, BYTES("recovery passkey"), false);
	sample_done(r, "second-passkey", false);
	page_second(&r->t, &r->p, BYTES("recovery"), false);
	sample_done(r, "second-recovery", false);
	page_second(&r->t, &r->p, BYTES(""), false);
	sample_done(r, "second-none", false);
	page_totp_new(&r->t, &r->p, BYTES("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"), r->s->uri, true);
	sample_done(r, "totp-first", false);
	page_signed_out(&r->t, &r->p, BYTES("Example Ltd account"), BYTES("https://id.example.org/out?client_id=sluis"));
	sample_done(r, "signed-out", false);
	page_ended(&r->t, &r->p);
	sample_done(r, "ended", false);
	page_message(&r->t, &r->p, PW_T_NOT_FOUND, PW_M_NOT_FOUND, 404);
	sample_done(r, "not-found", false);
	page_message(&r->t, &r->p, PW_T_DOWN, PW_M_DOWN, 503);
	sample_done(r, "down", false);
	page_app_over(&r->t, &r->p, &r->s->apps[1]);
	sample_done(r, "app-over", true);
	sample_form(r);
	page_device(&r->t, &r->p, r->s->apps[1].name, false);
	sample_done(r, "device", true);
}

static inline void sample_signed_in(struct sample_run *r)
{
	struct sample *s = r->s;
	struct bytes csrf;

	r->p.facts = &s->facts;
	r->p.wants_refresh = true;
	page_home(&r->t, &r->p, s->tiles, SAMPLE_APPS, BYTES(""));
	sample_done(r, "home", false);
	page_home(&r->t, &r->p, s->tiles, SAMPLE_APPS, s->search);
	sample_done(r, "home-search", false);
	page_home(&r->t, &r->p, s->tiles, SAMPLE_APPS, BYTES("zzz"));
	sample_done(r, "home-search-none", false);
	page_home(&r->t, &r->p, s->tiles, 0, BYTES(""));
	sample_done(r, "home-empty", false);
	page_account(&r->t, &r->p, s->lines);
	sample_done(r, "account", false);
	r->p.note = s->note.len ? s->note : bytes_str(page_word(r->lang, PW_N_PASSKEY));
	page_account(&r->t, &r->p, BYTES("user\tpiet\t\t\ntotp\t0\nrecovery\t0\n"));
	sample_done(r, "account-new", false);
	sample_say(r, PW_E_PASSWORD_SHORT, "new");
	page_account(&r->t, &r->p, s->lines);
	sample_done(r, "account-wrong", false);
	page_second(&r->t, &r->p, BYTES("totp recovery passkey"), true);
	sample_done(r, "step-up", false);
	sample_say(r, PW_E_CODE, "code");
	page_totp_new(&r->t, &r->p, BYTES("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"), s->uri, false);
	sample_done(r, "totp-wrong", false);
	page_recovery(&r->t, &r->p, BYTES("abcd-1234-efgh-5678 bcde-2345-fghj-6789 cdef-3456-ghjk-7890 defg-4567-hjkm-8901 efgh-5678-jkmn-9012 "
		"fghj-6789-kmnp-0123 ghjk-7890-mnpq-1234 hjkm-8901-npqr-2345 jkmn-9012-pqrs-3456 kmnp-0123-qrst-4567"));
	sample_done(r, "recovery", false);
	page_denied(&r->t, &r->p, &s->apps[3], BYTES("beeld.work.example.org"), s->why, true);
	sample_done(r, "denied", false);
	csrf = r->p.csrf;
	r->p.csrf = BYTES("");
	page_denied(&r->t, &r->p, NULL, s->user, s->why, true);
	sample_done(r, "denied-host", true);
	r->p.csrf = csrf;
	page_still_there(&r->t, &r->p, SAMPLE_NOW + 120, SAMPLE_NOW + 180);
	sample_done(r, "still-there", false);
}

static inline void sample_each(struct sample *s, void (*one)(void *ctx, const char *name, enum page_lang lang, struct bytes html, bool is_on_app), void *ctx)
{
	static unsigned char mem[PAGE_MAX];

	for (int l = 0; l < PAGE_LANG_COUNT; l++) {
		struct sample_run r = { .s = s, .lang = l ? PAGE_NL : PAGE_EN, .one = one, .ctx = ctx };
		text_init(&r.t, mem, sizeof mem);
		r.p = (struct page){ .gateway = &s->gateway, .lang = r.lang, .now_s = SAMPLE_NOW, .csrf = BYTES("AbCdEfGhIjKlMnOpQrStUv"), .next = BYTES("/go/wiki?a=1&b=%22"),
			.with_passkeys = true, .error = s->error, .note = s->note };
		sample_signing_in(&r);
		sample_signed_in(&r);
	}
}

#endif
