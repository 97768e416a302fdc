/* Questions to directories and their answers come back as they went; what is not by the table of kinds does not come. */
#include "auth/directory.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static void test_ask(void **state)
{
	static const struct { enum directory_kind kind; size_t args; } kinds[] = { { DIRECTORY_PASSWORD, 2 }, { DIRECTORY_LOOKUP, 1 }, { DIRECTORY_WHERE, 0 },
		{ DIRECTORY_CODE, 4 }, { DIRECTORY_LOGOUT, 1 } };

	(void)state;
	_Static_assert(COUNT_OF(kinds) == DIRECTORY_KIND_COUNT, "all kinds");
	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		struct directory_ask in = { .request = 7, .kind = kinds[k].kind, .provider = BYTES("corp"), .args = { LIT("eva"), LIT("a b"), LIT(""), LIT("d") },
			.arg_count = kinds[k].args }, out;
		unsigned char mem[DIRECTORY_BODY_MAX];
		struct text t;

		text_init(&t, mem, sizeof mem);
		directory_ask_write(&t, &in);
		assert_false(t.failed);
		assert_int_equal(directory_ask_parse(text_bytes(&t), &out), OK);
		assert_int_equal(out.request, 7);
		assert_int_equal(out.kind, in.kind);
		assert_true(bytes_eq(out.provider, in.provider));
		assert_int_equal(out.arg_count, in.arg_count);
		for (size_t i = 0; i < in.arg_count; i++)
			assert_true(bytes_eq(out.args[i], in.args[i]));
		for (size_t n = 0; n < t.len; n++)
			assert_int_equal(directory_ask_parse(bytes_of(mem, n), &out), ERR_SYNTAX);
		mem[t.len] = 0;
		assert_int_equal(directory_ask_parse(bytes_of(mem, t.len + 1), &out), ERR_SYNTAX);
		mem[4] = DIRECTORY_KIND_COUNT;
		assert_int_equal(directory_ask_parse(text_bytes(&t), &out), ERR_SYNTAX);
	}
}

static void test_nameless(void **state)
{
	static const unsigned char body[] = { 1, 0, 0, 0, DIRECTORY_WHERE, 0 };
	struct directory_ask out;

	(void)state;
	assert_int_equal(sizeof body, DIRECTORY_ASK_LEAST);
	assert_int_equal(directory_ask_parse(bytes_of(body, sizeof body), &out), ERR_SYNTAX);
}

static void test_too_long(void **state)
{
	static unsigned char much[DIRECTORY_BODY_MAX], mem[DIRECTORY_BODY_MAX];
	struct directory_ask in = { .kind = DIRECTORY_LOOKUP, .provider = BYTES("corp"), .args = { { much, sizeof much } }, .arg_count = 1 };
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	directory_ask_write(&t, &in);
	assert_true(t.failed);
}

static void test_answer(void **state)
{
	struct directory_answer in = { .request = 9, .status = DIRECTORY_OK, .why = BYTES("so"), .has_person = true,
		.person = { .subject = BYTES("s-1"), .name = BYTES("eva"), .display = BYTES("Eva"), .mail = BYTES("e@x"), .groups = { LIT("staff"), LIT("care") },
			.group_count = 2, .sid = BYTES("z"), .has_mfa = true },
		.values = { LIT("jti"), LIT("12") }, .value_count = 2 }, out;
	unsigned char mem[DIRECTORY_BODY_MAX];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	directory_answer_write(&t, &in);
	assert_false(t.failed);
	assert_int_equal(directory_answer_parse(text_bytes(&t), &out), OK);
	assert_int_equal(out.request, 9);
	assert_true(out.has_person && out.person.has_mfa && out.value_count == 2 && out.person.group_count == 2);
	assert_true(bytes_eq(out.why, in.why) && bytes_eq(out.person.subject, BYTES("s-1")) && bytes_eq(out.person.sid, BYTES("z")));
	assert_true(bytes_eq(out.person.groups[1], BYTES("care")) && bytes_eq(out.values[1], BYTES("12")));
	for (size_t n = 0; n < t.len; n++)
		assert_int_equal(directory_answer_parse(bytes_of(mem, n), &out), ERR_SYNTAX);
	assert_true(directory_answer_fits(&in, DIRECTORY_LOGOUT));
	assert_false(directory_answer_fits(&in, DIRECTORY_PASSWORD));
	assert_false(directory_answer_fits(&in, DIRECTORY_WHERE));
	mem[4] = DIRECTORY_WRONG; /* which knows nobody */
	assert_int_equal(directory_answer_parse(text_bytes(&t), &out), ERR_SYNTAX);
	mem[4] = DIRECTORY_STATUS_COUNT;
	assert_int_equal(directory_answer_parse(text_bytes(&t), &out), ERR_SYNTAX);
}

static void test_answers_without_a_person(void **state)
{
	static const struct { const char *why; unsigned char body[8]; size_t len; enum err want; } cases[] = {
		{ "the least", { 1, 0, 0, 0, DIRECTORY_DOWN, 0, 0 }, DIRECTORY_ANSWER_LEAST, OK },
		{ "two factors of nobody", { 1, 0, 0, 0, DIRECTORY_OK, 2, 0 }, 7, ERR_SYNTAX },
		{ "four values", { 1, 0, 0, 0, DIRECTORY_OK, 16, 0 }, 7, ERR_SYNTAX },
		{ "values of what was not found", { 1, 0, 0, 0, DIRECTORY_NONE, 4, 0, 0 }, 8, ERR_SYNTAX },
		{ "something behind", { 1, 0, 0, 0, DIRECTORY_OK, 0, 0, 0 }, 8, ERR_SYNTAX },
	};
	struct directory_answer out;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		print_message("%s\n", cases[i].why);
		assert_int_equal(directory_answer_parse(bytes_of(cases[i].body, cases[i].len), &out), cases[i].want);
	}
}

static void test_groups(void **state)
{
	struct directory_answer in = { .status = DIRECTORY_OK, .has_person = true, .person = { .subject = BYTES("s"), .group_count = DIRECTORY_GROUPS_MAX } }, out;
	unsigned char mem[DIRECTORY_BODY_MAX];
	size_t at = 7 + 2 + 1 + 2 + 2 + 2 + 2; /* the count of groups */
	struct text t;

	(void)state;
	for (size_t i = 0; i < DIRECTORY_GROUPS_MAX; i++)
		in.person.groups[i] = BYTES("g");
	text_init(&t, mem, sizeof mem);
	directory_answer_write(&t, &in);
	assert_int_equal(directory_answer_parse(text_bytes(&t), &out), OK);
	assert_int_equal(mem[at], DIRECTORY_GROUPS_MAX);
	mem[at]++;
	text_put_u16(&t, 0);
	assert_int_equal(directory_answer_parse(text_bytes(&t), &out), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ask), cmocka_unit_test(test_nameless), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_answer), cmocka_unit_test(test_answers_without_a_person), cmocka_unit_test(test_groups) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
