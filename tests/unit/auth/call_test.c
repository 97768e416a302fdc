/* Calls and answers come back as they went; what the table does not allow does not come. */
#include "auth/call.h"
#include "auth/facts.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static unsigned char token[AUTH_TOKEN_LEN] = { 1, 2, 3 };

static void test_call(void **state)
{
	struct auth_call in = { .request = 7, .id = CALL_SECOND, .token_is_flow = true, .token = bytes_of(token, sizeof token),
		.args = { LIT("totp"), LIT("123456"), LIT("") }, .arg_count = 3, .client = { .ip = { 9, 8 } } }, out;
	unsigned char mem[4096];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	auth_call_write(&t, &in);
	assert_false(t.failed);
	assert_int_equal(auth_call_parse(text_bytes(&t), &out), OK);
	assert_int_equal(out.request, 7);
	assert_int_equal(out.id, CALL_SECOND);
	assert_true(out.token_is_flow && bytes_eq(out.token, in.token));
	assert_true(bytes_eq(out.args[1], BYTES("123456")));
	assert_memory_equal(out.client.ip, in.client.ip, 16);
	for (size_t n = 0; n < t.len; n++)
		assert_int_equal(auth_call_parse(bytes_of(mem, n), &out), ERR_SYNTAX);
	mem[5] = 1; /* the token of a session, where one of a flow is wanted */
	assert_int_equal(auth_call_parse(text_bytes(&t), &out), ERR_SYNTAX);
	mem[5] = 3;
	mem[4] = CALL_COUNT;
	assert_int_equal(auth_call_parse(text_bytes(&t), &out), ERR_SYNTAX);
	mem[4] = CALL_STEP_UP; /* which takes two arguments */
	mem[5] = 1;
	assert_int_equal(auth_call_parse(text_bytes(&t), &out), ERR_SYNTAX);
}

static void test_least(void **state)
{
	struct auth_call in = { .id = CALL_JWKS }, out;
	unsigned char mem[128];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	auth_call_write(&t, &in);
	assert_int_equal(t.len, AUTH_CALL_LEAST);
	assert_int_equal(auth_call_parse(text_bytes(&t), &out), OK);
}

static void test_answer(void **state)
{
	struct auth_answer in = { .request = 9, .result = AUTH_MORE, .wait_s = 5, .token_is_flow = true, .token = bytes_of(token, sizeof token),
		.values = { LIT("a"), LIT("") }, .value_count = 2 }, out;
	unsigned char mem[4096];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	auth_answer_write(&t, &in);
	assert_int_equal(auth_answer_parse(text_bytes(&t), &out), OK);
	assert_int_equal(out.result, AUTH_MORE);
	assert_int_equal(out.wait_s, 5);
	assert_int_equal(out.value_count, 2);
	assert_true(bytes_eq(out.token, in.token));
	for (size_t n = 0; n < t.len; n++)
		assert_int_equal(auth_answer_parse(bytes_of(mem, n), &out), ERR_SYNTAX);
	mem[4] = AUTH_RESULT_COUNT;
	assert_int_equal(auth_answer_parse(text_bytes(&t), &out), ERR_SYNTAX);
}

static void test_facts(void **state)
{
	struct auth_facts in = { .slot = 3, .generation = 5, .since_s = 1, .until_s = 2, .idle_s = 60, .has_mfa = true, .id = "0123456789abcdef",
		.news = 9, .device_until_s = 10, .device_before_until_s = 11, .device_grace_s = 12, .device_challenge_until_s = 13, .begun_s = 14,
		.device_hash = { 1 }, .device_before = { 2 }, .device_challenge = { [31] = 3 },
		.user = LIT("eva"), .method = LIT("password"), .groups = { LIT("staff"), LIT("care") }, .group_count = 2 }, out;
	unsigned char mem[AUTH_FACTS_MAX];
	struct text t;

	(void)state;
	text_init(&t, mem, sizeof mem);
	auth_facts_write(&t, &in);
	assert_int_equal(auth_facts_parse(text_bytes(&t), &out), OK);
	assert_string_equal(out.id, in.id);
	assert_true(out.has_mfa && !out.is_device_bound && bytes_eq(out.groups[1], BYTES("care")));
	assert_true(out.news == 9 && out.device_until_s == 10 && out.device_before_until_s == 11 && out.device_grace_s == 12);
	assert_true(out.device_challenge_until_s == 13 && out.begun_s == 14);
	assert_true(out.device_hash[0] == 1 && out.device_before[0] == 2 && out.device_challenge[31] == 3);
	for (size_t n = 0; n < t.len; n++)
		assert_int_not_equal(auth_facts_parse(bytes_of(mem, n), &out), OK);
}

static void test_lines(void **state)
{
	struct bytes lines = BYTES("user\teva\tEva\t\ntotp\t1\n");
	struct auth_line l;

	(void)state;
	assert_true(auth_line_next(&lines, &l));
	assert_int_equal(l.count, 4);
	assert_true(bytes_eq(l.fields[2], BYTES("Eva")) && l.fields[3].len == 0);
	assert_true(auth_line_next(&lines, &l));
	assert_true(bytes_eq(l.fields[0], BYTES("totp")) && l.fields[5].len == 0);
	assert_false(auth_line_next(&lines, &l));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_call), cmocka_unit_test(test_least), cmocka_unit_test(test_answer),
		cmocka_unit_test(test_facts), cmocka_unit_test(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
