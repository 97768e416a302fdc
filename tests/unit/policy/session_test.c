/* The fields of who has signed in: with a session and without, why they are what they are, and which expressions can do without a request. */
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_S UINT64_C(1578571200) /* Thursday 2020-01-09 12:00:00 UTC */

static unsigned char memory[1 << 20];

static const struct bytes groups[] = { LIT("staff"), LIT("Finance"), LIT("") };
static const struct policy_session eva = { .has_mfa = true, .method = LIT("password totp"), .user = LIT("eva"), .groups = groups,
	.group_count = COUNT_OF(groups), .since_s = NOW_S - 7200, .proved_s = NOW_S - 600 };

static enum err compile(const char *source, enum policy_type want, struct arena *arena, struct policy_expr **e, struct policy_error *error)
{
	static const struct bytes names[] = { LIT("Finance"), LIT("eva") };
	struct policy_set_def set = { .name = LIT("known"), .strings = names, .string_count = COUNT_OF(names) };

	arena_init(arena, memory, sizeof memory);
	TRY(policy_set_freeze(&set, arena));
	return policy_compile(bytes_str(source), want, true, &set, 1, arena, e, error);
}

/* No request: none of these needs one. */
static struct policy_input input(const struct policy_session *s, struct arena *arena)
{
	struct policy_input in = { .session = s, .real_us = NOW_S * 1000000 + 999999, .arena = arena };

	assert_int_equal(addr_parse_ip(BYTES("192.0.2.7"), &in.client), OK);
	return in;
}

static const struct { const char *why, *expr; bool with, without; } truths[] = {
	{ "somebody", "session.valid", true, false },
	{ "compared", "session.valid == false", false, true },
	{ "a second factor", "session.mfa", true, false },
	{ "no key of a device", "session.device_bound", false, false },
	{ "how", "session.method == \"password totp\"", true, false },
	{ "how, in part", "session.method contains \"totp\"", true, false },
	{ "nobody has no method", "session.method == \"\"", false, true },
	{ "ten minutes, whole seconds", "session.age == 600", true, false },
	{ "nobody's age is 0, so an upper bound alone lets nobody's pass", "session.age <= 600", true, true },
	{ "who", "user.name == \"eva\"", true, false },
	{ "not who", "user.name != \"eva\"", false, true },
	{ "who, of a list", "user.name in {\"piet\" \"eva\"}", true, false },
	{ "who, of a set", "user.name in $known", true, false },
	{ "who, by a pattern", "user.name matches \"^e.a$\"", true, false },
	{ "the first group", "user.groups == \"staff\"", true, false },
	{ "another group", "user.groups == \"Finance\"", true, false },
	{ "letters have case", "user.groups == \"finance\"", false, false },
	{ "and can be made to have none", "lower(user.groups) == \"finance\"", true, false },
	{ "a list", "user.groups in {\"board\" \"Finance\"}", true, false },
	{ "a set", "user.groups in $known", true, false },
	{ "a part", "user.groups contains \"inan\"", true, false },
	{ "a pattern", "user.groups matches \"^st\"", true, false },
	{ "a beginning", "starts_with(user.groups, \"Fin\")", true, false },
	{ "each by itself, not joined", "user.groups matches \"staff.+\"", false, false },
	{ "a length", "len(user.groups) == 7", true, false },
	{ "not in a group", "not (user.groups == \"guests\")", true, true },
	{ "an empty group is a group, and nobody has none", "user.groups == \"\"", true, false },
	{ "two comparisons are about two groups", "user.groups == \"staff\" and user.groups == \"Finance\"", true, false },
	{ "with what else is known of a sign-in", "client.ip in {192.0.2.0/24} and time.hour == 12 and session.mfa", true, false },
};

static void test_truths(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(truths); i++) {
		struct policy_error error;
		struct policy_expr *e;
		struct policy_input in;
		struct arena arena;

		if (compile(truths[i].expr, POLICY_BOOL, &arena, &e, &error) != OK)
			fail_msg("%s: %u:%u %s", truths[i].expr, error.line, error.column, error.what);
		assert_false(policy_needs_request(e));
		for (int with = 0; with < 2; with++) {
			bool want = with ? truths[i].with : truths[i].without;
			in = input(with ? &eva : NULL, &arena);
			if (policy_truth(e, &in) != (want ? POLICY_TRUE : POLICY_FALSE)) {
				print_error("%s: %s, session %d: not %d\n", truths[i].why, truths[i].expr, with, want);
				wrong++;
			}
		}
		policy_expr_fini(e);
	}
	assert_int_equal(wrong, 0);
}

/* A clock that was set back, and a session whose fields were never filled. */
static void test_edges(void **state)
{
	struct policy_session later = { .proved_s = NOW_S + 100 };
	struct policy_error error;
	struct policy_expr *e;
	struct policy_input in;
	struct arena arena;

	(void)state;
	assert_int_equal(compile("session.age == 0 and user.name == \"\" and session.method matches \"^$\" and not (user.groups matches \"\")",
		POLICY_BOOL, &arena, &e, &error), OK);
	in = input(&later, &arena);
	assert_int_equal(policy_truth(e, &in), POLICY_TRUE);
	policy_expr_fini(e);
	assert_int_equal(compile("concat(user.name, \" \", session.method)", POLICY_STRING, &arena, &e, &error), OK);
	in = input(&eva, &arena);
	assert_true(bytes_eq(policy_string(e, &in), BYTES("eva password totp")));
	in = input(NULL, &arena);
	assert_true(bytes_eq(policy_string(e, &in), BYTES(" ")));
	policy_expr_fini(e);
	assert_int_equal(compile("session.age", POLICY_STRING, &arena, &e, &error), OK);
	in = input(&eva, &arena);
	assert_true(bytes_eq(policy_string(e, &in), BYTES("600")));
	policy_expr_fini(e);
}

static const struct { const char *expr; enum policy_type want; unsigned column; const char *what; } errors[] = {
	{ "user.groups != \"a\"", POLICY_BOOL, 1, "user.groups != would hold as soon as one value differs; write not (user.groups == ...)" },
	{ "\"a\" == user.groups", POLICY_BOOL, 8, "user.groups stands on the left side of a comparison only; write the other side here" },
	{ "concat(user.groups, any_header(\"A\")) == \"ab\"", POLICY_BOOL, 1, "one user.groups per comparison; write two comparisons" },
	{ "user.groups", POLICY_STRING, 1,
		"user.groups gives several values, and one is wanted; write user.name, or use the groups in a condition" },
	{ "user.groups", POLICY_BOOL, 1, "this is a string, and a condition is wanted; compare it, as == \"...\" or contains \"...\"" },
	{ "user.group == \"a\"", POLICY_BOOL, 1, "unknown name user.group; did you mean user.groups?" },
	{ "session.age == \"1h\"", POLICY_BOOL, 16, "the left side is a number, and this is a string; write numbers without quotes" },
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct policy_error error;
		struct policy_expr *e;
		struct arena arena;

		assert_int_equal(compile(errors[i].expr, errors[i].want, &arena, &e, &error), ERR_SYNTAX);
		assert_string_equal(error.what, errors[i].what);
		assert_int_equal(error.column, errors[i].column);
	}
}

static const struct { const char *why, *expr, *name; } needs[] = {
	{ "a constant", "true", "" },
	{ "all that is known without one", "session.valid and user.groups == \"a\" and client.ip in {10.0.0.0/8} and time.weekday < 6", "" },
	{ "functions of these", "lower(concat(user.name, session.method)) contains \"a\" and len(user.name) > 1", "" },
	{ "a field of it", "session.valid and http.path == \"/\"", "http.path" },
	{ "the first of two", "lower(http.host) == \"a\" or header(\"A\") == \"\"", "http.host" },
	{ "a function over it", "any_query(\"a\") == \"1\"", "any_query" },
	{ "a tag is set for a request", "tag(\"a\")", "tag" },
	{ "its connection", "peer.ip == 192.0.2.1", "peer.ip" },
	{ "its listener", "listener == \"web\"", "listener" },
	{ "its answer", "response.status == 200", "response.status" },
	{ "deep inside, where it decides nothing", "true or not (false and (tls))", "tls" },
};

static void test_needs_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(needs); i++) {
		struct policy_error error;
		struct policy_expr *e;
		struct arena arena;

		assert_int_equal(compile(needs[i].expr, POLICY_BOOL, &arena, &e, &error), OK);
		if (!bytes_eq(policy_request_name(e), bytes_str(needs[i].name)))
			fail_msg("%s: '%.*s'", needs[i].why, FMT(policy_request_name(e)));
		assert_int_equal(policy_needs_request(e), needs[i].name[0] != 0);
		policy_expr_fini(e);
	}
}

static void test_explain(void **state)
{
	static const struct { const char *expr, *source, *left, *value; enum policy_truth truth; } cases[] = {
		{ "user.groups == \"board\" or user.groups == \"Finance\"", "user.groups == \"Finance\"", "user.groups", "Finance", POLICY_TRUE },
		{ "session.valid and user.groups == \"board\"", "user.groups == \"board\"", "", "", POLICY_FALSE },
		{ "session.valid and session.device_bound", "session.device_bound", "", "", POLICY_FALSE },
		{ "session.age < 300", "session.age < 300", "session.age", "600", POLICY_FALSE },
		{ "not (user.name == \"eva\")", "user.name == \"eva\"", "user.name", "eva", POLICY_TRUE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct policy_reason reason;
		struct policy_error error;
		struct policy_expr *e;
		struct policy_input in;
		struct arena arena;

		assert_int_equal(compile(cases[i].expr, POLICY_BOOL, &arena, &e, &error), OK);
		in = input(&eva, &arena);
		assert_int_equal(policy_explain(e, &in, &reason, 1), 1);
		assert_true(bytes_eq(reason.source, bytes_str(cases[i].source)));
		assert_true(bytes_eq(reason.left, bytes_str(cases[i].left)));
		assert_true(bytes_eq(reason.value, bytes_str(cases[i].value)));
		assert_int_equal(reason.truth, cases[i].truth);
		policy_expr_fini(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_truths), cmocka_unit_test(test_edges), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_needs_request), cmocka_unit_test(test_explain) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
