/* What manifest_add writes manifest_next reads, and other lines are refused. */
#include "evidence/manifest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void test_round_trip(void **state)
{
	unsigned char mem[512], sum[SHA256_LEN];
	struct manifest_line line;
	struct bytes left;
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	sha256_of(BYTES(""), sum);
	manifest_add(&t, BYTES("a file"), sum);
	manifest_add(&t, BYTES("folder/b"), sum);
	left = text_bytes(&t);
	assert_true(bytes_starts(left, BYTES(SUM "  a file\n")));
	assert_int_equal(manifest_next(&left, &line), OK);
	assert_true(bytes_eq(line.name, BYTES("a file")));
	assert_memory_equal(line.sum, sum, sizeof(sum));
	assert_int_equal(manifest_next(&left, &line), OK);
	assert_true(bytes_eq(line.name, BYTES("folder/b")));
	assert_int_equal(manifest_next(&left, &line), ERR_CLOSED);
}

static void test_refused_lines(void **state)
{
	static const struct {
		const char *why;
		struct bytes in;
	} cases[] = {
		{ "no line feed", LIT(SUM "  a") },
		{ "no name", LIT(SUM "  \n") },
		{ "one space", LIT(SUM " a\n") },
		{ "text mode", LIT(SUM " *a\n") },
		{ "a digit short", LIT("3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ab\n") },
		{ "no digits", LIT("zzb0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n") },
		{ "an absolute name", LIT(SUM "  /a\n") },
		{ "a name that climbs", LIT(SUM "  ../a\n") },
		{ "escaped by sha256sum", LIT("\\" SUM "  a\n") },
	};
	struct manifest_line line;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes left = cases[i].in;

		if (manifest_next(&left, &line) != ERR_SYNTAX)
			fail_msg("%s", cases[i].why);
	}
}

static void test_signed_text(void **state)
{
	unsigned char mem[256];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof(mem));
	manifest_signed_text(MANIFEST_EVIDENCE, BYTES(""), &t);
	assert_true(bytes_eq(text_bytes(&t), BYTES("sluis-evidence-1\n" SUM "\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_refused_lines),
		cmocka_unit_test(test_signed_text) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
