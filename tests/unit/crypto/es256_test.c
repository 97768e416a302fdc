/* ES256: keys go out and come back, signatures are two numbers of fixed length that the public half verifies, and nothing else does. */
#include "crypto/es256.h"

#include "crypto/ed25519.h"
#include "crypto/sha256.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void a_key_comes_back_from_its_file(void **state)
{
	unsigned char mem[ES256_PEM_MAX], a[ES256_PUBLIC_LEN], b[ES256_PUBLIC_LEN];
	struct es256_key *k = es256_new(), *again = NULL;
	struct text pem;

	(void)state;
	assert_non_null(k);
	text_init(&pem, mem, sizeof(mem));
	assert_int_equal(es256_write(k, &pem), OK);
	assert_int_equal(es256_load(text_bytes(&pem), &again), OK);
	assert_int_equal(es256_public(k, a), OK);
	assert_int_equal(es256_public(again, b), OK);
	assert_memory_equal(a, b, sizeof(a));
	es256_free(&k);
	es256_free(&again);
	assert_null(k);
}

static void what_is_no_such_key_is_refused(void **state)
{
	unsigned char mem[ED25519_PEM_MAX];
	struct ed25519_key *other = ed25519_new();
	struct es256_key *out = NULL;
	struct text pem;

	(void)state;
	text_init(&pem, mem, sizeof(mem));
	assert_int_equal(ed25519_write(other, &pem), OK);
	ed25519_free(&other);
	const struct { const char *why; struct bytes pem; enum err want; } cases[] = {
		{ "nothing", BYTES(""), ERR_SYNTAX },
		{ "no PEM", BYTES("key"), ERR_SYNTAX },
		{ "PEM of nothing", BYTES("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"), ERR_SYNTAX },
		{ "another kind of key", text_bytes(&pem), ERR_UNSUPPORTED },
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		if (es256_load(cases[i].pem, &out) != cases[i].want)
			fail_msg("%s", cases[i].why);
		assert_null(out);
	}
}

static void a_signature_fits_its_digest_and_key_alone(void **state)
{
	unsigned char digest[SHA256_LEN], other[SHA256_LEN], sig[ES256_SIGNATURE_LEN], mine[ES256_PUBLIC_LEN], none[ES256_PUBLIC_LEN] = { 1 };
	struct es256_key *k = es256_new();

	(void)state;
	sha256_of(BYTES("header.payload"), digest);
	sha256_of(BYTES("header.payloae"), other);
	assert_int_equal(es256_public(k, mine), OK);
	for (unsigned i = 0; i < 600; i++) { /* every 256th number begins with a zero: its length is fixed all the same */
		assert_int_equal(es256_sign(k, digest, sig), OK);
		assert_true(es256_verify(mine, digest, bytes_of(sig, sizeof(sig))));
	}
	assert_false(es256_verify(mine, other, bytes_of(sig, sizeof(sig))));
	assert_false(es256_verify(mine, digest, bytes_of(sig, sizeof(sig) - 1)));
	assert_false(es256_verify(mine, digest, BYTES("")));
	assert_false(es256_verify(none, digest, bytes_of(sig, sizeof(sig)))); /* no point of the curve */
	sig[40] ^= 1;
	assert_false(es256_verify(mine, digest, bytes_of(sig, sizeof(sig))));
	es256_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_key_comes_back_from_its_file), cmocka_unit_test(what_is_no_such_key_is_refused),
		cmocka_unit_test(a_signature_fits_its_digest_and_key_alone) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
