/* An ns.conf read: quotes, lines that go on, damage; what it names; and the parts of a responder policy. */
#include "response/nsconf.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void test_words(void **state)
{
	static const struct {
		const char *why, *in, *last; /* the last command's last word */
		size_t commands, words;
		unsigned damaged;
	} cases[] = {
		{ "plain", "add lb vserver a HTTP\n", "HTTP", 1, 5, 0 },
		{ "no end of line", "add lb vserver a HTTP", "HTTP", 1, 5, 0 },
		{ "carriage returns", "add lb vserver a HTTP\r\n", "HTTP", 1, 5, 0 },
		{ "a comment", "#NS13.0 Build 47.24\n# Last modified\nset ns hostName x\n", "x", 1, 4, 0 },
		{ "quotes with blanks", "set ns hostName \"a b\"\n", "a b", 1, 4, 0 },
		{ "escapes", "set ns hostName \"a \\\"b\\\" \\\\\"\n", "a \"b\" \\", 1, 4, 0 },
		{ "an empty word", "set ns hostName \"\"\n", "", 1, 4, 0 },
		{ "a quote over lines", "add responder htmlpage \"a\nb\"\nset ns hostName z\n", "z", 2, 4, 0 },
		{ "a line that goes on", "set ns \\\nhostName z\n", "z", 1, 4, 0 },
		{ "q-quotes", "set ns hostName q{a \"b\" c}\n", "a \"b\" c", 1, 4, 0 },
		{ "q-quotes of another kind", "set ns hostName q/a b/\n", "a b", 1, 4, 0 },
		{ "a word that begins with q", "set ns hostName queue\n", "queue", 1, 4, 0 },
		{ "a quote without an end costs its line", "set ns hostName \"a b\nset ns hostName z\n", "z", 2, 4, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct nsconf c;
		const struct nsconf_command *last;

		if (nsconf_read(bytes_str(cases[i].in), &c) != OK || c.count != cases[i].commands || c.damaged != cases[i].damaged)
			fail_msg("%s: %zu commands, %u damaged", cases[i].why, c.count, c.damaged);
		last = &c.commands[c.count - 1];
		if (last->count != cases[i].words || !bytes_eq(last->words[last->count - 1], bytes_str(cases[i].last)))
			fail_msg("%s: %zu words, the last '%.*s'", cases[i].why, last->count, FMT(last->words[last->count - 1]));
		nsconf_fini(&c);
	}
}

static void test_other_files_are_refused(void **state)
{
	static const char *const texts[] = { "", "\n\n", "hello world\nthis is a letter\n", "\x7f" "ELF\x01\x02" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct nsconf c;

		assert_int_equal(nsconf_read(bytes_str(texts[i]), &c), ERR_SYNTAX);
		nsconf_fini(&c);
	}
}

struct told {
	char text[2000];
	size_t len;
};

static void on_thing(void *ctx, enum nsconf_kind kind, struct bytes name, const char *detail, unsigned line)
{
	struct told *t = ctx;

	t->len += (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "%d %.*s (%s) %u\n", (int)kind, FMT(name), detail, line);
}

static void test_things_without_their_secrets(void **state)
{
	static const char text[] = "#NS13.0 Build 47.24\nset ns config -IPAddress 192.0.2.10 -netmask 255.255.255.0\nadd ns ip 192.0.2.11 255.255.255.0 -type VIP\n"
		"add vpn vserver gw SSL 192.0.2.11 443\nadd ssl certKey wild -cert wild.pem -key wild.key -passcrypt \"SECRET1\"\n"
		"add system user oper SECRET2 -encrypted\nadd authentication ldapAction ad -serverIP 10.0.0.1 -ldapBindDnPassword SECRET3 -encrypted\n"
		"set ns rpcNode 192.0.2.10 -password SECRET4 -encrypted\nadd snmp community SECRET5 ALL\nadd lb vserver web HTTP 192.0.2.12 80\n";
	struct told t = { .len = 0 };
	struct nsconf c;

	(void)state;
	assert_int_equal(nsconf_read(bytes_str(text), &c), OK);
	assert_true(c.has_version);
	nsconf_each(&c, on_thing, &t);
	nsconf_fini(&c);
	assert_string_equal(t.text, "0 192.0.2.10 (NSIP) 2\n0 192.0.2.11 (VIP) 3\n1 gw (vpn SSL 192.0.2.11 443) 4\n2 wild (wild.pem, wild.key) 5\n"
		"4 wild (ssl certKey, -passcrypt) 5\n3 oper (system) 6\n4 oper (system user, password) 6\n4 ad (authentication ldapAction, -ldapBindDnPassword) 7\n"
		"4 192.0.2.10 (ns rpcNode, -password) 8\n4 (community) (snmp community) 9\n1 web (lb HTTP 192.0.2.12 80) 10\n");
	assert_null(strstr(t.text, "SECRET"));
}

#define ACTION "add responder action a403 respondwith \"\\\"HTTP/1.1 403 Forbidden\\r\\n\\r\\n\\\"\"\n"
#define POLICY "add responder policy p \"HTTP.REQ.URL.DECODE_USING_TEXT_MODE.CONTAINS(\\\"/vpns/\\\") && (!CLIENT.SSLVPN.IS_SSLVPN || HTTP.REQ.URL.DECODE_USING_TEXT_MODE.CONTAINS(\\\"/../\\\"))\" a403\n"
#define BOUND  "bind responder global p 1 END -type REQ_OVERRIDE\n"

static void test_responder(void **state)
{
	static const char *const all[] = { "DECODE_USING_TEXT_MODE", "CONTAINS(\"/vpns/\")", NULL };
	static const char *const any[] = { "CONTAINS(\"/../\")", "IS_SSLVPN", NULL };
	static const char *const answers[] = { " 403 ", " 404 ", NULL };
	static const struct nsconf_responder want = { all, any, answers };
	static const struct {
		const char *why, *in;
		unsigned parts;
	} cases[] = {
		{ "whole", ACTION POLICY BOUND, 7 },
		{ "in any order", BOUND POLICY ACTION, 7 },
		{ "not bound", ACTION POLICY, 3 },
		{ "another one is bound", ACTION POLICY "bind responder global q 1 END\n", 3 },
		{ "bound to a virtual server only", ACTION POLICY "bind vpn vserver v -policy p -priority 1\n", 3 },
		{ "bound without a priority", ACTION POLICY "bind responder global p\n", 3 },
		{ "the action lets it pass", "add responder action a403 noop\n" POLICY BOUND, 5 },
		{ "the action answers 200", "add responder action a403 respondwith \"\\\"HTTP/1.1 200 OK\\r\\n\\\"\"\n" POLICY BOUND, 5 },
		{ "the rule is about something else", ACTION "add responder policy p \"HTTP.REQ.URL.CONTAINS(\\\"/vpns/\\\")\" a403\n" BOUND, 0 },
		{ "small letters", ACTION "add responder policy p \"http.req.url.decode_using_text_mode.contains(\\\"/vpns/\\\") && !client.sslvpn.is_sslvpn\" a403\n" BOUND, 7 },
		{ "none", "set ns hostName x\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct nsconf c;
		struct bytes name;
		unsigned parts;

		assert_int_equal(nsconf_read(bytes_str(cases[i].in), &c), OK);
		parts = nsconf_responder_parts(&c, &want, &name);
		if (parts != cases[i].parts)
			fail_msg("%s: %u, not %u", cases[i].why, parts, cases[i].parts);
		nsconf_fini(&c);
	}
}

static void test_script(void **state)
{
	(void)state;
	assert_true(nsconf_script_has(BYTES("nsapimgr_wr.sh -ys skip_systemaccess_policyeval=0\n"), "skip_systemaccess_policyeval=0"));
	assert_true(nsconf_script_has(BYTES("#!/bin/sh\nnsapimgr_wr.sh -ys skip_systemaccess_policyeval=0"), "skip_systemaccess_policyeval=0"));
	assert_false(nsconf_script_has(BYTES("# nsapimgr_wr.sh -ys skip_systemaccess_policyeval=0\n"), "skip_systemaccess_policyeval=0"));
	assert_false(nsconf_script_has(BYTES("nsapimgr_wr.sh -ys skip_systemaccess_policyeval=1\n"), "skip_systemaccess_policyeval=0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_other_files_are_refused), cmocka_unit_test(test_things_without_their_secrets),
		cmocka_unit_test(test_responder), cmocka_unit_test(test_script) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
