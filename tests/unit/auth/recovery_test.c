/* A code as people type it, and what is none. */
#include "auth/recovery.h"
#include "crypto/sha256.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <ctype.h>

static void test_new(void **state)
{
	char first[RECOVERY_CODE_LEN + 1] = "";
	unsigned seen[256] = { 0 }, kinds = 0;

	(void)state;
	for (unsigned n = 0; n < 500; n++) {
		char code[RECOVERY_CODE_LEN + 1], typed[64];
		unsigned char hash[RECOVERY_HASH_LEN], again[RECOVERY_HASH_LEN];
		size_t len = 0;
		recovery_new(code, hash);
		assert_int_equal(strlen(code), RECOVERY_CODE_LEN);
		for (size_t i = 0; i < RECOVERY_CODE_LEN; i++) {
			if (i % 5 == 4)
				assert_int_equal(code[i], '-');
			else
				seen[(unsigned char)code[i]]++;
		}
		assert_string_not_equal(code, first);
		memcpy(first, code, sizeof first);
		assert_true(recovery_hash(bytes_str(code), again));
		assert_memory_equal(hash, again, sizeof hash);
		for (size_t i = 0; i < RECOVERY_CODE_LEN; i++) { /* in capitals, o for 0 and l for 1, a space where the dash was */
			int c = code[i] == '0' ? 'o' : code[i] == '1' ? 'L' : toupper((unsigned char)code[i]);
			typed[len++] = (char)(c == '-' ? ' ' : c);
		}
		memset(again, 0, sizeof again);
		assert_true(recovery_hash(bytes_of(typed, len), again));
		assert_memory_equal(hash, again, sizeof hash);
		code[7] = code[7] == 'x' ? 'y' : 'x';
		assert_true(recovery_hash(bytes_str(code), again));
		assert_memory_not_equal(hash, again, sizeof hash);
	}
	for (unsigned c = 0; c < 256; c++)
		kinds += seen[c] > 0;
	assert_int_equal(kinds, 32);
	assert_int_equal(seen['i'] + seen['l'] + seen['o'] + seen['u'], 0);
}

static void test_typed(void **state)
{
	/* 0123456789abcdef without dashes is the octets 00 44 32 14 c7 42 54 b6 35 cf */
	static const unsigned char bits[] = { 0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf };
	static const struct { const char *why, *typed; bool want; } cases[] = {
		{ "as shown", "0123-4567-89ab-cdef", true },
		{ "without dashes", "0123456789abcdef", true },
		{ "capitals", "0123-4567-89AB-CDEF", true },
		{ "spaces", " 0123 4567 89ab cdef ", true },
		{ "pasted with a tab", "0123-4567-89ab-cdef\t", true },
		{ "o for 0, i for 1", "oi23-4567-89ab-cdef", true },
		{ "O for 0, l for 1", "Ol23-4567-89ab-cdef", true },
		{ "I and L in capitals", "0I23-4567-89ab-cdef", true },
		{ "dashes elsewhere", "01-2345-6789a--bcdef-", true },
		{ "one short", "0123-4567-89ab-cde", false },
		{ "one more", "0123-4567-89ab-cdef0", false },
		{ "u", "0123-4567-89ab-cdeu", false },
		{ "another sign", "0123_4567_89ab_cdef", false },
		{ "nothing", "", false },
		{ "dashes", "---", false },
		{ "beyond ASCII", "0123-4567-89ab-cd\xc3\xa9", false },
	};
	unsigned char want[RECOVERY_HASH_LEN], got[RECOVERY_HASH_LEN];

	(void)state;
	sha256_of(bytes_of(bits, sizeof bits), want);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		memset(got, 0, sizeof got);
		if (recovery_hash(bytes_str(cases[i].typed), got) != cases[i].want)
			fail_msg("%s", cases[i].why);
		if (cases[i].want && memcmp(want, got, sizeof got) != 0)
			fail_msg("%s: another hash", cases[i].why);
	}
	assert_false(recovery_hash(bytes_of("0123-4567-89ab-cd\0f", 19), got));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_new), cmocka_unit_test(test_typed) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
