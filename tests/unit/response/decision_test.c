/* Verdict files: which builds are affected, editions that only a question can tell apart, conditions over an ns.conf, rows in order,
 * and what is refused. The shipped files' own rows are tested through the command line (tests/scenario/test_assess.py). */
#include "response/assess.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define SAID "{en: x, nl: y}"
#define HEAD "cve: CVE-1\ntitle: " SAID "\nseverity: '1'\npublished: 2020-01-01\nexploit_public: 2020-01-09\nexploit_note: " SAID "\ntable: t\n" \
	     "sources: [{id: v, what: w, url: 'https://a.example/'}]\nrules_note: " SAID "\nweigh: []\n"
#define LINES "lines:\n  - {line: '13.1', fixed: 13.1-49.13, released: 2020-01-20, source: v}\n  - {line: 13.1-FIPS, fixed: 13.1-FIPS 37.159, released: 2020-01-20, source: v}\n" \
	      "  - {line: '12.1', state: no_fix, source: v}\n  - {line: '9.3', state: not_affected, source: v}\n"
#define ROW(name, when, verdict) "  - {name: " name ", when: {" when "}, verdict: " verdict ", why: " SAID ", advice: [" SAID "], sources: [v]}\n"
#define TABLE "table: t\nsources: []\nrows:\n" ROW("fixed", "build: [fixed], exposed: [after_fix]", "fixed") ROW("bad", "build: [affected, no_fix]", "assume_compromised") ROW("last", "", "cannot_tell")

static struct decision *load(const char *text, const char *table)
{
	char error[DATA_ERROR_MAX] = "";
	struct decision_table *t = NULL;
	struct decision *d = NULL;

	if (decision_read(bytes_str(text), "d", &d, error) != OK || decision_table_read(bytes_str(table), "t", &t, error) != OK || decision_join(d, &t, error) != OK)
		fail_msg("%s", error);
	return d;
}

static void test_builds(void **state)
{
	static const struct {
		const char *build;
		unsigned want;
		bool is_ambiguous;
	} cases[] = {
		{ "13.1-49.12", BUILD_AFFECTED, false }, { "13.1-49.13", BUILD_FIXED, false }, { "13.1-51.1", BUILD_FIXED, false },
		{ "13.1-FIPS 37.158", BUILD_AFFECTED, false }, { "13.1-FIPS 37.159", BUILD_FIXED, false },
		{ "13.1-37.158", BUILD_AFFECTED, false }, /* affected as either */
		{ "13.1-37.159", BUILD_UNKNOWN, true },	  /* fixed as FIPS alone */
		{ "12.1-65.1", BUILD_NO_FIX, false }, { "9.3-1.1", BUILD_NOT_AFFECTED, false }, { "14.1-1.1", BUILD_UNKNOWN, false },
		{ "13.1-NDcPP 37.159", BUILD_UNKNOWN, false },
	};
	struct decision *d = load(HEAD LINES, TABLE);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ns_version v;
		bool is_ambiguous;
		unsigned build;

		assert_int_equal(ns_version_parse(bytes_str(cases[i].build), &v), OK);
		build = decision_build(d, &v, &is_ambiguous);
		if (build != cases[i].want || is_ambiguous != cases[i].is_ambiguous)
			fail_msg("%s: %u, %d", cases[i].build, build, is_ambiguous);
	}
	decision_free(&d);
	assert_null(d);
}

static void test_conditions(void **state)
{
	static const char conf[] = "add lb vserver v SSL 192.0.2.1 443\nadd server s 2001:db8::1\n";
	static const struct {
		const char *condition;
		bool want;
	} cases[] = {
		{ "{command: add lb vserver}", true }, { "{command: add vpn vserver}", false }, { "{command: add lb vserver, words: [HTTP, ssl]}", true },
		{ "{command: add lb vserver, words: [HTTP]}", false }, { "{command: add server, ipv6: true}", true }, { "{command: add lb vserver, ipv6: true}", false },
		{ "{all: [{command: add lb vserver}, {command: add server}]}", true }, { "{all: [{command: add lb vserver}, {command: add vpn vserver}]}", false },
		{ "{any: [{command: add vpn vserver}, {command: add server, contains: [DB8]}]}", true }, { "{any: [{command: add cr vserver}]}", false },
	};
	struct nsconf c;

	(void)state;
	assert_int_equal(nsconf_read(bytes_str(conf), &c), OK);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char text[2000];
		struct decision *d;

		snprintf(text, sizeof(text), HEAD LINES "precondition: {what: " SAID ", source: v, ns_conf: %s}\n", cases[i].condition);
		d = load(text, TABLE);
		if (decision_holds(d->precondition, &c) != cases[i].want)
			fail_msg("%s", cases[i].condition);
		decision_free(&d);
	}
	nsconf_fini(&c);
}

static void test_rows_in_order(void **state)
{
	struct decision *d = load(HEAD LINES, TABLE);
	unsigned facts[FACT_COUNT] = { 0 };

	(void)state;
	assert_string_equal(decision_find_row(d->table, facts)->name, "last");
	facts[FACT_BUILD] = BUILD_NO_FIX;
	assert_string_equal(decision_find_row(d->table, facts)->name, "bad");
	facts[FACT_BUILD] = BUILD_FIXED;
	assert_string_equal(decision_find_row(d->table, facts)->name, "last");
	facts[FACT_EXPOSED] = EXPOSED_AFTER_FIX;
	assert_string_equal(decision_find_row(d->table, facts)->name, "fixed");
	decision_free(&d);
}

static void test_refused(void **state)
{
	static const struct {
		bool is_table;
		const char *text, *error;
	} cases[] = {
		{ true, "table: t\nsources: []\nrows:\n" ROW("a", "build: [fixed]", "fixed"), "t:4: the last row must hold for everything" },
		{ true, "table: t\nsources: []\nrows:\n" ROW("a", "build: [mended]", "fixed"), "t:4: 'build' may be: unknown not_affected fixed affected no_fix" },
		{ true, "table: t\nsources: []\nrows:\n" ROW("a", "", "safe"), "t:4: 'verdict' is 'safe'; it may be: not_affected" },
		{ true, "table: t\nsources: []\nrows: [{name: a, when: {}, verdict: fixed, why: " SAID ", advice: [], sources: [v]}]\n", "t:3: a row needs at least one advice" },
		{ false, HEAD "lines: [{line: '13.1', fixed: 13.0-1.1, released: 2020-01-01, source: v}]\n", "d:11: the fixed build 13.0-1.1 is not of line 13.1" },
		{ false, HEAD "lines: [{line: '13.1', fixed: 13.1-1.1, source: v}]\n", "d:11: 'released' is missing" },
		{ false, HEAD "lines: [{line: '13.1', state: no_fix}]\n", "d:11: 'source' is missing" },
		{ false, HEAD LINES "precondition: {what: " SAID ", source: v, ns_conf: {any: []}}\n", "d:16: any: and all: stand alone" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char error[DATA_ERROR_MAX] = "";
		struct decision_table *t = NULL;
		struct decision *d = NULL;
		enum err e = cases[i].is_table ? decision_table_read(bytes_str(cases[i].text), "t", &t, error) : decision_read(bytes_str(cases[i].text), "d", &d, error);

		assert_int_equal(e, ERR_SYNTAX);
		if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("'%s', not '%s'", error, cases[i].error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_builds), cmocka_unit_test(test_conditions), cmocka_unit_test(test_rows_in_order), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
