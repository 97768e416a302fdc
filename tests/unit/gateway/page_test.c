/* What pages say and what they never do: escaping, languages, lists that are too long, colours, times. How they look and whether everybody can use
 * them is held by tests/scenario/test_pages.py. */
#define _DEFAULT_SOURCE
#include "../../browser/sample.h"

#include "crypto/sha256.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <time.h>

static unsigned char mem[PAGE_MAX];
static struct text t;
static struct sample s;

static void begin(bool is_evil)
{
	text_init(&t, mem, sizeof mem);
	sample_init(&s, is_evil);
}

static bool has(struct bytes html, const char *what)
{
	return bytes_find(html, bytes_str(what)) != SIZE_MAX;
}

static struct page signed_in(void)
{
	return (struct page){ .gateway = &s.gateway, .lang = PAGE_EN, .now_s = SAMPLE_NOW, .facts = &s.facts, .csrf = BYTES("csrf") };
}

static void check_every(void *ctx, const char *name, enum page_lang lang, struct bytes html, bool is_on_app)
{
	static const char *const never[] = { "<script>", "<img src=y>", "style=\"", "<style", "onload=\"", "javascript:", "%s", "%u", "href=\"\"" };
	size_t *count = ctx;

	print_message("%s\n", name);
	for (size_t i = 0; i < COUNT_OF(never); i++)
		assert_false(has(html, never[i]));
	assert_true(has(html, lang == PAGE_NL ? "<html lang=\"nl\">" : "<html lang=\"en\">"));
	assert_true(has(html, "<main id=\"main\"") && has(html, "<h1>") && bytes_ends(html, BYTES("</html>\n")));
	assert_int_equal(has(html, "\"https://work.example.org/"), is_on_app);
	++*count;
}

static void test_every_page(void **state)
{
	size_t count = 0;

	(void)state;
	begin(false);
	sample_each(&s, check_every, &count);
	begin(true);
	sample_each(&s, check_every, &count);
	assert_true(count >= 100);
}

static void test_errors(void **state)
{
	struct page p;

	(void)state;
	begin(false);
	p = (struct page){ .gateway = &s.gateway, .lang = PAGE_NL, .next = BYTES("/go/wiki?a=1&b=2"), .csrf = BYTES("c<"), .error = BYTES("Klopt niet <b>"),
		.wrong = BYTES("password") };
	page_sign_in(&t, &p, BYTES("eva\""));
	assert_true(has(text_bytes(&t), "<title>Fout: Aanmelden – Example hospital</title>"));
	assert_true(has(text_bytes(&t), "role=\"alert\"") && has(text_bytes(&t), "<p id=\"error\">Klopt niet &lt;b&gt;</p>"));
	assert_true(has(text_bytes(&t), "aria-invalid=\"true\" aria-describedby=\"error\" autofocus"));
	assert_true(has(text_bytes(&t), "value=\"eva&quot;\""));
	assert_true(has(text_bytes(&t), "name=\"csrf\" value=\"c&lt;\"") && has(text_bytes(&t), "name=\"next\" value=\"/go/wiki?a=1&amp;b=2\""));
	assert_true(has(text_bytes(&t), "href=\"?lang=en&amp;next=%2Fgo%2Fwiki%3Fa%3D1%26b%3D2\""));
	assert_false(has(text_bytes(&t), "passkey-sign-in"));
}

/* More apps than a page holds: it says how many are missing, and is a whole page. */
static void test_many_apps(void **state)
{
	static struct conf_app apps[1000];
	static struct page_app tiles[1000];
	static char names[1000][8];
	static unsigned char large[4000];
	struct page p;

	(void)state;
	begin(false);
	memset(large, '<', sizeof large);
	for (size_t i = 0; i < COUNT_OF(apps); i++) {
		snprintf(names[i], sizeof names[i], "app%zu", i);
		apps[i] = (struct conf_app){ .id = bytes_str(names[i]), .name = bytes_str(names[i]), .description = bytes_of(large, sizeof large),
			.group = bytes_cut(bytes_str(names[i]), 0, 4), .help = bytes_of(large, sizeof large) };
		tiles[i] = (struct page_app){ .app = &apps[i], .state = PAGE_APP_DENIED, .why = bytes_of(large, sizeof large), .is_favourite = i % 2, .used_s = i };
	}
	p = signed_in();
	page_home(&t, &p, tiles, COUNT_OF(apps), BYTES(""));
	assert_false(t.failed);
	assert_true(has(text_bytes(&t), " more apps. Search to find them."));
	assert_true(bytes_ends(text_bytes(&t), BYTES("</html>\n")));
	t.len = 0;
	page_home(&t, &p, tiles, COUNT_OF(apps), BYTES("APP77"));
	assert_true(has(text_bytes(&t), "11 apps fit your search.") && has(text_bytes(&t), ">app777</span>") && !has(text_bytes(&t), ">app78</span>"));
}

static void test_home(void **state)
{
	struct page p;

	(void)state;
	begin(false);
	p = signed_in();
	p.wants_refresh = true;
	page_home(&t, &p, s.tiles, SAMPLE_APPS, BYTES(""));
	assert_true(has(text_bytes(&t), "content=\"1680; url=/still-there\"")); /* 30 minutes without use, and two to say so */
	assert_true(has(text_bytes(&t), "Signed in with password and authenticator app."));
	assert_true(has(text_bytes(&t), "href=\"/go/rooster\"") && !has(text_bytes(&t), "href=\"/go/beeld\""));
	assert_true(has(text_bytes(&t), "aria-label=\"Remove Rota from favourites\"") && has(text_bytes(&t), "the radiology desk, telephone 5678"));
	s.facts.idle_s = 100;
	t.len = 0;
	page_home(&t, &p, s.tiles, SAMPLE_APPS, BYTES("  X-RAY ct "));
	assert_true(has(text_bytes(&t), "content=\"50; url=/still-there\"") && has(text_bytes(&t), "1 app fits your search."));
	s.facts.idle_s = 0;
	s.facts.until_s = SAMPLE_NOW + 600;
	t.len = 0;
	page_home(&t, &p, s.tiles, SAMPLE_APPS, BYTES(""));
	assert_true(has(text_bytes(&t), "content=\"480; url=/still-there\""));
}

/* The warning led on to the home, which is a use of the session; and no page but the home had one. */
static void test_warning(void **state)
{
	struct page p;

	(void)state;
	begin(false);
	p = signed_in();
	page_still_there(&t, &p, SAMPLE_NOW + 120, SAMPLE_NOW + 180);
	assert_true(has(text_bytes(&t), "<meta http-equiv=\"refresh\" content=\"181\">")); /* to itself, when it is gone */
	t.len = 0;
	p.wants_refresh = true;
	p.here = BYTES("/denied/a?b=c&d");
	page_account(&t, &p, BYTES(""));
	assert_true(has(text_bytes(&t), "content=\"1680; url=/still-there?next=%2Fdenied%2Fa%3Fb%3Dc%26d\">") ||
		    has(text_bytes(&t), "content=\"1680; url=/still-there?next=/denied/a%3Fb%3Dc%26d\">"));
	t.len = 0;
	page_recovery(&t, &p, BYTES("abcd-1234"));
	assert_false(has(text_bytes(&t), "http-equiv")); /* they are shown once */
	t.len = 0;
	p.facts = NULL;
	page_ended(&t, &p);
	assert_true(has(text_bytes(&t), "href=\"/sign-in\"") && !has(text_bytes(&t), "http-equiv"));
}

static void test_times(void **state)
{
	static const struct { const char *why; uint64_t at; const char *want; } cases[] = {
		{ "the same day",	      SAMPLE_NOW - 3600,    "Laatst gebruikt: <time datetime=\"2026-09-21T13:13:20Z\">vandaag, 15:13</time>" },
		{ "the day before",	      SAMPLE_NOW - 86400,   "<time datetime=\"2026-09-20T14:13:20Z\">gisteren, 16:13</time>" },
		{ "another day in UTC alone", UINT64_C(1789942800), "<time datetime=\"2026-09-20T22:20:00Z\">vandaag, 00:20</time>" },
		{ "long ago, in winter",      UINT64_C(1768471200), "<time datetime=\"2026-01-15T10:00:00Z\">15 januari 2026, 11:00</time>" },
		{ "never",		      0,		    "Laatst gebruikt: nooit" },
		{ "beyond all calendars",     UINT64_C(999999999999999), "januari 10000, 00:59" },
	};

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char lines[100];
		struct page p;
		begin(false);
		p = signed_in();
		p.lang = PAGE_NL;
		snprintf(lines, sizeof lines, "passkey\tid\tname\t1\t%llu\n", (unsigned long long)cases[i].at);
		page_account(&t, &p, bytes_str(lines));
		print_message("%s\n", cases[i].why);
		assert_true(has(text_bytes(&t), cases[i].want));
		assert_false(t.failed);
	}
}

static void test_language(void **state)
{
	static const struct { const char *why, *chosen, *accept; enum page_lang want; } cases[] = {
		{ "nothing said",		"",   NULL,		    PAGE_EN },
		{ "the browser's",		"",   "nl-NL,nl;q=0.9,en;q=0.5", PAGE_NL },
		{ "the choice goes first",	"en", "nl",		    PAGE_EN },
		{ "the choice, the other way",	"nl", "en",		    PAGE_NL },
		{ "English before Dutch",	"",   "en,nl;q=0.8",	    PAGE_EN },
		{ "a language that we have not", "", "de",		    PAGE_EN },
		{ "that, and then Dutch",	"",   "de,nl;q=0.5",	    PAGE_NL },
		{ "any",			"",   "*",		    PAGE_EN },
		{ "a choice that is none",	"xx", "nl",		    PAGE_NL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct http_field f = { .name = BYTES("accept-language"), .value = bytes_str(cases[i].accept), .id = HTTP_ACCEPT_LANGUAGE };
		print_message("%s\n", cases[i].why);
		assert_int_equal(page_lang_of(bytes_str(cases[i].chosen), &f, cases[i].accept ? 1 : 0), cases[i].want);
	}
}

static void test_csp(void **state)
{
	(void)state;
	begin(false);
	s.gateway.app_count = 1;
	page_csp(&t, &s.gateway);
	assert_true(bytes_eq(text_bytes(&t), BYTES("default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
		"form-action 'self' https://app.work.example.org; base-uri 'none'; frame-ancestors 'none'")));
	s.gateway.port = 8443;
	t.len = 0;
	page_csp(&t, &s.gateway);
	assert_true(has(text_bytes(&t), "form-action 'self' https://app.work.example.org:8443;"));
}

static void test_colour(void **state)
{
	static const struct { const char *why; struct bytes in; const char *want[3]; } cases[] = {
		{ "dark enough for white words", LIT("#0a5c36"), { "--accent:#0a5c36", "--on-accent:#ffffff", "--link:#0a5c36" } },
		{ "yellow: black words on it, and links of a darker one", LIT("#ffdd00"), { "--accent:#ffdd00", "--on-accent:#000000", "--link:#" } },
		{ "capitals", LIT("#0A5C36"), { "--accent:#0a5c36", "", "" } },
	};
	static const struct bytes none[] = { LIT(""), LIT("green"), LIT("#fff"), LIT("#0a5c3g"), LIT("#0a5c36;}"), LIT("0a5c366") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		begin(false);
		page_colour_css(&t, cases[i].in);
		print_message("%s\n", cases[i].why);
		for (size_t k = 0; k < 3; k++)
			assert_true(has(text_bytes(&t), cases[i].want[k]));
	}
	assert_false(has(text_bytes(&t), "--link:#ffdd00;")); /* of the dark half it may be */
	for (size_t i = 0; i < COUNT_OF(none); i++) {
		begin(false);
		page_colour_css(&t, none[i]);
		assert_int_equal(t.len, 0);
	}
}

static void test_files(void **state)
{
	const char *path = page_file_path("portal.css");
	const struct page_file *f;
	unsigned char sum[SHA256_LEN], hex[64];
	struct text h;

	(void)state;
	assert_non_null(path);
	f = page_file_find(bytes_str(path));
	assert_non_null(f);
	assert_true(bytes_eq(f->type, BYTES("text/css; charset=utf-8")));
	assert_in_range(f->body.len, 1000, 12 * 1024);
	text_init(&h, hex, sizeof hex);
	sha256_of(f->body, sum);
	hex_put(&h, bytes_of(sum, 8));
	assert_true(has(bytes_str(path), "/-/portal.") && bytes_find(bytes_str(path), text_bytes(&h)) != SIZE_MAX);
	assert_null(page_file_find(BYTES("/-/portal.css")));
	assert_null(page_file_find(BYTES("")));
	assert_null(page_file_path("none.css"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_page), cmocka_unit_test(test_errors), cmocka_unit_test(test_many_apps),
		cmocka_unit_test(test_home), cmocka_unit_test(test_warning), cmocka_unit_test(test_times), cmocka_unit_test(test_language), cmocka_unit_test(test_csp),
		cmocka_unit_test(test_colour), cmocka_unit_test(test_files) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
