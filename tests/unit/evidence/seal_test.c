/* What is sealed opens with its passphrase and with no other; a changed or missing byte anywhere keeps it shut; parameters
 * that would cost too much are refused before they cost anything. */
#include "evidence/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct seal_cost cheap = { 1024, 1, 1 };

static void test_round_trip(void **state)
{
	struct text sealed, out;

	(void)state;
	text_init_growing(&sealed, 4096);
	text_init_growing(&out, 4096);
	assert_int_equal(seal(BYTES("a private key"), BYTES("passphrase"), cheap, &sealed), OK);
	assert_int_equal(bytes_find(text_bytes(&sealed), BYTES("private")), SIZE_MAX);
	assert_int_equal(seal_open(text_bytes(&sealed), BYTES("passphrase"), &out), OK);
	assert_true(bytes_eq(text_bytes(&out), BYTES("a private key")));
	out.len = 0;
	assert_int_equal(seal_open(text_bytes(&sealed), BYTES("Passphrase"), &out), ERR_DENIED);
	assert_int_equal(seal_open(text_bytes(&sealed), BYTES(""), &out), ERR_DENIED);
	assert_int_equal(out.len, 0);
	text_fini(&out);
	text_fini(&sealed);
}

static void test_each_byte_counts(void **state)
{
	struct text sealed, out;

	(void)state;
	text_init_growing(&sealed, 4096);
	text_init_growing(&out, 4096);
	assert_int_equal(seal(BYTES("secret"), BYTES("passphrase"), cheap, &sealed), OK);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.at[i] ^= 1;
		assert_int_not_equal(seal_open(text_bytes(&sealed), BYTES("passphrase"), &out), OK);
		sealed.at[i] ^= 1;
		assert_int_not_equal(seal_open(bytes_of(sealed.at, i), BYTES("passphrase"), &out), OK);
	}
	assert_int_equal(out.len, 0);
	assert_int_equal(seal_open(text_bytes(&sealed), BYTES("passphrase"), &out), OK);
	text_fini(&out);
	text_fini(&sealed);
}

static void test_parameters(void **state)
{
#define REST "\n00112233445566778899aabbccddeeff\n00112233445566778899aabb\n0123456789abcdef0123456789abcdef"
	static const struct {
		const char *why;
		struct bytes in;
		enum err want;
	} cases[] = {
		{ "right, but not ours", LIT("sluis-sealed-1\nscrypt 1024 1 1" REST), ERR_DENIED },
		{ "another format", LIT("sluis-sealed-2\nscrypt 1024 1 1" REST), ERR_SYNTAX },
		{ "another function", LIT("sluis-sealed-1\nargon2 1024 1 1" REST), ERR_SYNTAX },
		{ "too much memory", LIT("sluis-sealed-1\nscrypt 2097152 8 1" REST), ERR_LIMIT },
		{ "r too large", LIT("sluis-sealed-1\nscrypt 1024 17 1" REST), ERR_LIMIT },
		{ "p too large", LIT("sluis-sealed-1\nscrypt 1024 1 5" REST), ERR_LIMIT },
		{ "no power of two", LIT("sluis-sealed-1\nscrypt 1025 1 1" REST), ERR_LIMIT },
		{ "too cheap", LIT("sluis-sealed-1\nscrypt 512 1 1" REST), ERR_LIMIT },
		{ "zero", LIT("sluis-sealed-1\nscrypt 0 0 0" REST), ERR_LIMIT },
		{ "wraps", LIT("sluis-sealed-1\nscrypt 18446744073709551616 1 1" REST), ERR_LIMIT },
		{ "one too many", LIT("sluis-sealed-1\nscrypt 1024 1 1 1" REST), ERR_SYNTAX },
		{ "one too few", LIT("sluis-sealed-1\nscrypt 1024 1" REST), ERR_SYNTAX },
		{ "empty", LIT(""), ERR_SYNTAX },
	};
	struct text out;

	(void)state;
	text_init_growing(&out, 4096);
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (seal_open(cases[i].in, BYTES("passphrase"), &out) != cases[i].want)
			fail_msg("%s", cases[i].why);
	assert_int_equal(seal(BYTES("x"), BYTES("p"), (struct seal_cost){ 1 << 21, 8, 1 }, &out), ERR_LIMIT);
	text_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_each_byte_counts),
		cmocka_unit_test(test_parameters) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
