/* Hashes fit their passwords and no others, those beyond limits cost nothing, and what is easily guessed is refused. */
#include "auth/password.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* argon2 "salt from elsewhere" -id -t 3 -k 8192 -p 4 -l 32 -e, of the reference program */
#define IMPORTED "$argon2id$v=19$m=8192,t=3,p=4$c2FsdCBmcm9tIGVsc2V3aGVyZQ$GYMZ84MSAJPIGCSheJn83TF7byNK/QNI2QWn8Cu8r3Y"
#define SALT "c29tZXNhbHRzb21lc2FsdA"
#define TAG  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void test_round(void **state)
{
	struct bytes right = BYTES("een lange zin, in de regen");
	char hash[PASSWORD_HASH_MAX], other[PASSWORD_HASH_MAX];
	bool fits;

	(void)state;
	assert_int_equal(password_hash(right, hash), OK);
	assert_int_equal(password_hash(right, other), OK);
	assert_string_not_equal(hash, other); /* each has a salt of its own */
	assert_true(password_hash_is_valid(bytes_str(hash)) && password_hash_is_ours(bytes_str(hash)));
	assert_int_equal(strncmp(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31), 0);
	assert_int_equal(password_verify(bytes_str(hash), right, &fits), OK);
	assert_true(fits);
	assert_int_equal(password_verify(bytes_str(hash), BYTES("een lange zin, in de regeN"), &fits), OK);
	assert_false(fits);
	assert_int_equal(password_verify(bytes_str(hash), BYTES(""), &fits), OK);
	assert_false(fits);
	assert_int_equal(password_verify(BYTES(""), right, &fits), OK); /* nobody's */
	assert_false(fits);
	assert_int_equal(password_verify(BYTES(""), BYTES(""), &fits), OK);
	assert_false(fits);
}

/* Of another program, with other parameters: four lanes, a longer salt. */
static void test_import(void **state)
{
	bool fits;

	(void)state;
	assert_int_equal(password_verify(BYTES(IMPORTED), BYTES("a password from elsewhere"), &fits), OK);
	assert_true(fits);
	assert_int_equal(password_verify(BYTES(IMPORTED), BYTES("a password from here"), &fits), OK);
	assert_false(fits);
}

/* Which hashes are made anew once their password is known. */
static void test_cost(void **state)
{
	static const struct { const char *why; struct bytes in; bool want; } cases[] = {
		{ "ours", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT "$" TAG), true }, { "less memory", LIT("$argon2id$v=19$m=65535,t=2,p=1$" SALT "$" TAG), false },
		{ "more passes", LIT("$argon2id$v=19$m=65536,t=3,p=1$" SALT "$" TAG), false }, { "more lanes", LIT("$argon2id$v=19$m=65536,t=2,p=4$" SALT "$" TAG), false },
		{ "no hash", LIT(""), false }, { "another function", LIT("$argon2i$v=19$m=65536,t=2,p=1$" SALT "$" TAG), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (password_hash_is_ours(cases[i].in) != cases[i].want)
			fail_msg("%s", cases[i].why);
}

static void test_form(void **state)
{
	static const struct { const char *why; struct bytes in; bool want; } cases[] = {
		{ "libsodium's", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT "$" TAG), true },
		{ "the most that is taken", LIT("$argon2id$v=19$m=262144,t=10,p=16$" SALT "$" TAG), true },
		{ "lanes", LIT("$argon2id$v=19$m=65536,t=3,p=4$" SALT "$" TAG), true },
		{ "a KiB more", LIT("$argon2id$v=19$m=262145,t=2,p=1$" SALT "$" TAG), false },
		{ "a pass more", LIT("$argon2id$v=19$m=65536,t=11,p=1$" SALT "$" TAG), false },
		{ "a lane more", LIT("$argon2id$v=19$m=65536,t=2,p=17$" SALT "$" TAG), false },
		{ "less memory than its lanes need", LIT("$argon2id$v=19$m=31,t=2,p=4$" SALT "$" TAG), false },
		{ "just enough", LIT("$argon2id$v=19$m=32,t=2,p=4$" SALT "$" TAG), true },
		{ "no pass", LIT("$argon2id$v=19$m=65536,t=0,p=1$" SALT "$" TAG), false },
		{ "a leading zero", LIT("$argon2id$v=19$m=065536,t=2,p=1$" SALT "$" TAG), false },
		{ "a sign", LIT("$argon2id$v=19$m=+65536,t=2,p=1$" SALT "$" TAG), false },
		{ "a number that wraps", LIT("$argon2id$v=19$m=18446744073709617152,t=2,p=1$" SALT "$" TAG), false },
		{ "argon2i", LIT("$argon2i$v=19$m=65536,t=2,p=1$" SALT "$" TAG), false },
		{ "an older version", LIT("$argon2id$v=16$m=65536,t=2,p=1$" SALT "$" TAG), false },
		{ "no version", LIT("$argon2id$m=65536,t=2,p=1$" SALT "$" TAG), false },
		{ "another order", LIT("$argon2id$v=19$t=2,m=65536,p=1$" SALT "$" TAG), false },
		{ "more fields", LIT("$argon2id$v=19$m=65536,t=2,p=1,keyid=YQ$" SALT "$" TAG), false },
		{ "no salt", LIT("$argon2id$v=19$m=65536,t=2,p=1$$" TAG), false },
		{ "a short salt", LIT("$argon2id$v=19$m=65536,t=2,p=1$c29tZXM$" TAG), false },
		{ "no tag", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT "$"), false },
		{ "no tag at all", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT), false },
		{ "padding", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT "==$" TAG), false },
		{ "the URL's alphabet", LIT("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2Fs_A$" TAG), false },
		{ "bits left over", LIT("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdB$" TAG), false },
		{ "something behind", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT "$" TAG "\n"), false },
		{ "a zero inside", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT "\0$" TAG), false },
		{ "longer than any of ours", LIT("$argon2id$v=19$m=65536,t=2,p=1$" SALT SALT SALT "$" TAG), false },
		{ "nothing", LIT(""), false },
		{ "a password", LIT("welkom"), false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		bool fits;
		if (password_hash_is_valid(cases[i].in) != cases[i].want)
			fail_msg("%s", cases[i].why);
		if (!cases[i].want && cases[i].in.len && password_verify(cases[i].in, BYTES("x"), &fits) != ERR_SYNTAX)
			fail_msg("%s: verified", cases[i].why);
	}
}

/* In a child, for the limit stays. */
static void test_no_memory(void **state)
{
	char hash[PASSWORD_HASH_MAX];
	bool fits = true;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(password_hash(BYTES("een lange zin"), hash), OK);
	pid = fork();
	if (pid == 0) {
		struct rlimit most = { 0 };
		unsigned long pages = 0;
		FILE *f = fopen("/proc/self/statm", "re");
		if (!f || fscanf(f, "%lu", &pages) != 1)
			_exit(2);
		most.rlim_cur = most.rlim_max = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (16 << 20);
		if (setrlimit(RLIMIT_AS, &most) != 0)
			_exit(3);
		_exit(password_hash(BYTES("een lange zin"), hash) == ERR_MEMORY && password_verify(bytes_str(hash), BYTES("een lange zin"), &fits) == ERR_MEMORY && fits ?
			0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_refusal(void **state)
{
	static const struct { const char *why; struct bytes password, user; const char *want; } cases[] = {
		{ "a sentence", LIT("het regent pijpenstelen vandaag"), LIT("eva"), NULL },
		{ "four words", LIT("lantaarn korenveld zuster ketel"), LIT("eva"), NULL },
		{ "a password manager's", LIT("xK7vQm2TnRw9"), LIT("eva"), NULL },
		{ "with signs alone", LIT("#$9(2^@7~&1)=,"), LIT("eva"), NULL },
		{ "a little word between signs", LIT("83!;is#9@2$4%7"), LIT("eva"), NULL },
		{ "twelve characters", LIT("ketelmuziekj"), LIT("eva"), NULL },
		{ "characters are counted, not octets", LIT("\xc3\xa9\xc3\xa8\xc3\xab\xc3\xaf\xc3\xb6\xc3\xbc\xc3\xa1\xc3\xb3\xc3\xad\xc3\xba\xc3\xbd"), LIT("eva"), "too_short" },
		{ "one more of them", LIT("\xc3\xa9\xc3\xa8\xc3\xab\xc3\xaf\xc3\xb6\xc3\xbc\xc3\xa1\xc3\xb3\xc3\xad\xc3\xba\xc3\xbd\xc3\xbf"), LIT("eva"), NULL },
		{ "eleven", LIT("ketelmuziek"), LIT("eva"), "too_short" },
		{ "nothing", LIT(""), LIT("eva"), "too_short" },
		{ "a tab", LIT("ketelmuziek\tzuster"), LIT("eva"), "characters" },
		{ "a zero", LIT("ketelmuziek\0zuster"), LIT("eva"), "characters" },
		{ "a control character of C1", LIT("ketelmuziek\xc2\x85zuster"), LIT("eva"), "characters" },
		{ "Latin-1", LIT("ketelmuziek\xe9zuster"), LIT("eva"), "characters" },
		{ "a surrogate", LIT("ketelmuziek\xed\xa0\x80zuster"), LIT("eva"), "characters" },
		{ "cut off", LIT("ketelmuziekzuster\xe2\x82"), LIT("eva"), "characters" },
		{ "the name", LIT("lantaarnANNABkorenveld"), LIT("annab"), "name" },
		{ "a part of the name", LIT("lantaarnJansenkorenveld"), LIT("piet.jansen@example.org"), "name" },
		{ "a short name may be in it", LIT("lantaarnevakorenveld"), LIT("eva"), NULL },
		{ "a short part too", LIT("lantaarnvankorenveld"), LIT("piet.van.dam"), NULL },
		{ "the domain is not the name", LIT("lantaarnexamplekorenveld"), LIT("eva@example.org"), NULL },
		{ "nobody's", LIT("lantaarnkorenveld"), LIT(""), NULL },
		{ "a word and a year", LIT("Welkom2026!!"), LIT("eva"), "common" },
		{ "a word and many digits", LIT("welkom8391752046"), LIT("eva"), "common" },
		{ "digits before", LIT("2026!password"), LIT("eva"), "common" },
		{ "letters as digits", LIT("p4$$w0rd2026"), LIT("eva"), "common" },
		{ "at its end too", LIT("!!!!w3lc0m3!!!!"), LIT("eva"), "common" },
		{ "two words and a year", LIT("WelkomThuis-2026"), LIT("eva"), "common" },
		{ "a season, twice", LIT("Zomer2026Winter2026"), LIT("eva"), "common" },
		{ "a city and its year", LIT("Rotterdam010!"), LIT("eva"), "common" },
		{ "rows", LIT("qwertyuiopasdfghjkl"), LIT("eva"), "common" },
		{ "columns", LIT("1qaz2wsx3edc4rfv"), LIT("eva"), "common" },
		{ "backwards", LIT("poiuytrewq0987654321"), LIT("eva"), "common" },
		{ "digits", LIT("123456789012"), LIT("eva"), "common" },
		{ "the alphabet", LIT("abcdefghijklmnop"), LIT("eva"), "common" },
		{ "one letter", LIT("aaaaaaaaaaaaaaaa"), LIT("eva"), "common" },
		{ "three times", LIT("klapklapklapklap"), LIT("eva"), "common" },
		{ "two letters", LIT("xoxoxooxxoxo"), LIT("eva"), "common" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const char *got = password_refusal(cases[i].password, cases[i].user);
		if ((got == NULL) != (cases[i].want == NULL) || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("%s: %s", cases[i].why, got ? got : "taken");
	}
}

static void test_long(void **state)
{
	unsigned char mem[PASSWORD_MOST + 1];

	(void)state;
	for (size_t i = 0; i < sizeof mem; i++)
		mem[i] = (unsigned char)('a' + i * i * 7 % 23);
	assert_string_equal(password_refusal(bytes_of(mem, PASSWORD_MOST + 1), BYTES("eva")), "too_long");
	assert_null(password_refusal(bytes_of(mem, PASSWORD_MOST), BYTES("eva")));
	memset(mem, 'a', PASSWORD_MOST);
	assert_string_equal(password_refusal(bytes_of(mem, PASSWORD_MOST), BYTES("eva")), "common");
}

/* What people make of a rule that asks for capitals, digits and signs. */
static void test_many(void **state)
{
	static const char *const words[] = { "Welkom", "Password", "P@ssword", "W@chtwoord", "Wachtwoord", "Zomer", "Winter", "Lente", "Herfst", "Januari", "Oktober",
		"Amsterdam", "Rotterdam", "Utrecht", "Eindhoven", "Feyenoord", "Sluis", "Admin", "G3heim", "Qwerty" };
	static const char *const ends[] = { "!", "!!", "#1", "01", "123", "?", "@", "$$" };
	unsigned count = 0;

	(void)state;
	for (size_t w = 0; w < COUNT_OF(words); w++)
		for (unsigned year = 1980; year < 2040; year++)
			for (size_t e = 0; e < COUNT_OF(ends); e++) {
				char all[64];
				int n = snprintf(all, sizeof all, "%s%u%s", words[w], year, ends[e]);
				const char *got;
				if (n < PASSWORD_LEAST)
					continue;
				got = password_refusal(bytes_str(all), BYTES("eva"));
				if (!got || strcmp(got, "common") != 0)
					fail_msg("%s is taken", all);
				count++;
			}
	assert_true(count >= 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round), cmocka_unit_test(test_import), cmocka_unit_test(test_cost), cmocka_unit_test(test_form), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_refusal), cmocka_unit_test(test_long), cmocka_unit_test(test_many) };

	if (password_init() != OK)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
