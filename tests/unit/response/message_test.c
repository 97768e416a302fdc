/* Mail messages: fields that nothing can break out of, subjects and bodies that any server carries. */
#include "response/message.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static enum err make(const char *to, const char *subject, const char *body, char *out, size_t size)
{
	const struct message m = { .from = "a@b.example", .to = to, .subject = bytes_str(subject), .date = "Mon, 01 Jan 2024 00:00:00 +0000", .id = "1@x", .language = "nl",
		.body = bytes_str(body) };
	struct text t;
	enum err e;

	text_init(&t, out, size - 1);
	e = message_write(&m, &t);
	out[t.len] = 0;
	return e;
}

static void test_plain(void **state)
{
	char out[2000];

	(void)state;
	assert_int_equal(make("c@d.example", "hello", "line\n.\nend", out, sizeof(out)), OK);
	assert_non_null(strstr(out, "\r\nTo: <c@d.example>\r\n"));
	assert_non_null(strstr(out, "\r\nSubject: hello\r\n"));
	assert_non_null(strstr(out, "\r\n\r\nline\r\n=2E\r\nend\r\n"));
}

static void test_other_letters_and_long_lines(void **state)
{
	char out[4000];
	char body[400];

	(void)state;
	memset(body, 'x', 300);
	memcpy(body + 300, " \xc3\xab", 4);
	assert_int_equal(make("c@d.example", "Zi\xc3\xabkenhuis", body, out, sizeof(out)), OK);
	assert_non_null(strstr(out, "Subject: =?UTF-8?Q?Zi=C3=ABkenhuis?=\r\n"));
	for (char *line = out, *end; (end = strstr(line, "\r\n")); line = end + 2) {
		assert_true(end - line <= 76 || strncmp(line, "Content-", 8) == 0);
		for (char *c = line; c < end; c++)
			assert_true((unsigned char)*c < 0x80);
	}
}

static void test_nothing_ends_a_field(void **state)
{
	char out[2000];

	(void)state;
	assert_int_equal(make("c@d.example\r\nBcc: x@y", "s", "b", out, sizeof(out)), ERR_SYNTAX);
	assert_int_equal(make("c@d.example", "s\r\nBcc: x@y", "b", out, sizeof(out)), ERR_SYNTAX);
	assert_int_equal(make("\xc3\xab@d.example", "s", "b", out, sizeof(out)), ERR_SYNTAX);
	assert_int_equal(make("c@d.example", "s", "a longer body than fits", out, 40), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_plain), cmocka_unit_test(test_other_letters_and_long_lines), cmocka_unit_test(test_nothing_ends_a_field) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
