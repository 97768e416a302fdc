/* Verdicts over answers, whole and in every pair of parts: the same, and with a reason that helps. */
#include "balance/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define ANY     100, 599

static const struct {
	const char *why;
	struct bytes in;
	uint16_t least, most;
	struct bytes text;
	enum err want;
	const char *said;
} cases[] = {
	{ "a status in the range", LIT(OK_HEAD "\r\n"), 200, 399, LIT(""), OK, "" },
	{ "the last of the range", LIT("HTTP/1.1 399 X\r\n\r\n"), 200, 399, LIT(""), OK, "" },
	{ "one over", LIT("HTTP/1.1 400 X\r\n\r\n"), 200, 399, LIT(""), ERR_DENIED,
		"status 400, wanted 200-399" },
	{ "another than the one", LIT("HTTP/1.1 500 X\r\n\r\n"), 204, 204, LIT(""), ERR_DENIED,
		"status 500, wanted 204" },
	{ "an interim answer first", LIT("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK_HEAD "\r\n"),
		200, 200, LIT(""), OK, "" },
	{ "many of them",
		LIT("HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\n" OK_HEAD "\r\n"), 200,
		200, LIT(""), OK, "" },
	{ "text in a body with a length", LIT(OK_HEAD "Content-Length: 9\r\n\r\nall ready"), ANY,
		LIT("ready"), OK, "" },
	{ "text until the end", LIT(OK_HEAD "\r\nall ready"), ANY, LIT("ready"), OK, "" },
	{ "text in one chunk", LIT(CHUNKED "5\r\nready\r\n0\r\n\r\n"), ANY, LIT("ready"), OK, "" },
	{ "text over chunks", LIT(CHUNKED "2\r\nre\r\n1\r\na\r\n2;x=y\r\ndy\r\n0\r\n\r\n"), ANY, LIT("ready"),
		OK, "" },
	{ "one letter", LIT(CHUNKED "2\r\nab\r\n0\r\n\r\n"), ANY, LIT("b"), OK, "" },
	{ "text in a field is none", LIT(OK_HEAD "X: ready\r\nContent-Length: 2\r\n\r\nno"), ANY,
		LIT("ready"), ERR_NOT_FOUND, "text not found" },
	{ "text in the framing is none", LIT(CHUNKED "5;ready\r\nstale\r\n0\r\nready: x\r\n\r\n"), ANY,
		LIT("ready"), ERR_NOT_FOUND, "text not found" },
	{ "text behind the body is none", LIT(OK_HEAD "Content-Length: 2\r\n\r\nnoready"), ANY, LIT("ready"),
		ERR_NOT_FOUND, "text not found" },
	{ "an empty body", LIT(OK_HEAD "Content-Length: 0\r\n\r\n"), ANY, LIT("ready"), ERR_NOT_FOUND,
		"text not found" },
	{ "no body", LIT("HTTP/1.1 204 No Content\r\n\r\n"), ANY, LIT("ready"), ERR_NOT_FOUND,
		"text not found" },
	{ "the status comes before the text", LIT("HTTP/1.1 503 X\r\nContent-Length: 5\r\n\r\nready"), 200,
		399, LIT("ready"), ERR_DENIED, "status 503, wanted 200-399" },
	{ "a chunk without a size", LIT(CHUNKED "x\r\n"), ANY, LIT("ready"), ERR_SYNTAX,
		"a chunked body with an error" },
	{ "another protocol", LIT("SSH-2.0-x\r\n\r\n"), ANY, LIT(""), ERR_SYNTAX, NULL },
	{ "two lengths", LIT(OK_HEAD "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"), ANY, LIT(""),
		ERR_SYNTAX, NULL },
	{ "nothing at all", LIT(""), ANY, LIT(""), ERR_CLOSED, "closed without an answer" },
	{ "half a head", LIT("HTTP/1.1 200"), ANY, LIT(""), ERR_CLOSED, "closed inside the answer" },
	{ "half a body", LIT(OK_HEAD "Content-Length: 9\r\n\r\nall"), ANY, LIT("ready"), ERR_CLOSED,
		"closed inside the answer" },
	{ "half a chunk", LIT(CHUNKED "5\r\nrea"), ANY, LIT("ready"), ERR_CLOSED,
		"closed inside the answer" },
	{ "the end without the text", LIT(OK_HEAD "\r\nall"), ANY, LIT("ready"), ERR_NOT_FOUND,
		"text not found" },
};

static struct check_answer *answer;

static enum err verdict(const struct check_want *want, struct bytes in, size_t cut)
{
	enum err e;

	check_init(answer, want);
	e = check_feed(answer, bytes_cut(in, 0, cut));
	if (e == ERR_AGAIN)
		e = check_feed(answer, bytes_cut(in, cut, in.len));
	return e == ERR_AGAIN ? check_end(answer) : e;
}

static void verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct check_want want = { cases[i].least, cases[i].most, cases[i].text };

		for (size_t cut = 0; cut <= cases[i].in.len; cut++) {
			enum err e = verdict(&want, cases[i].in, cut);

			if (e != cases[i].want)
				fail_msg("%s, cut at %zu: %s", cases[i].why, cut, err_name(e));
			if (cases[i].said && strcmp(answer->why, cases[i].said) != 0)
				fail_msg("%s, cut at %zu: %s", cases[i].why, cut, answer->why);
			if (e != OK && answer->why[0] == 0)
				fail_msg("%s: no reason", cases[i].why);
		}
	}
}

/* A body of n octets, then the text, all in one length, fed in parts. */
static enum err behind(size_t n, size_t part)
{
	struct check_want want = { 200, 200, BYTES("ready") };
	size_t total = n + 5;
	unsigned char *body = malloc(total);
	enum err e = ERR_AGAIN;

	assert_non_null(body);
	memset(body, 'r', n);
	memcpy(body + n, "ready", 5);
	check_init(answer, &want);
	assert_int_equal(check_feed(answer, BYTES(OK_HEAD "\r\n")), ERR_AGAIN);
	for (size_t at = 0; at < total && e == ERR_AGAIN; at += part)
		e = check_feed(answer, bytes_cut(bytes_of(body, total), at, at + part));
	free(body);
	return e;
}

static void a_long_body(void **state)
{
	static const size_t parts[] = { 1, 7, 4095, 4096, 4097, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		assert_int_equal(behind(0, parts[i]), OK);
		assert_int_equal(behind(CHECK_BODY_MAX - 5, parts[i]), OK);
		assert_int_equal(behind(CHECK_BODY_MAX - 4, parts[i]), ERR_LIMIT);
		assert_string_equal(answer->why, "text not found in the first 256 KB");
	}
}

static void the_longest_text(void **state)
{
	static unsigned char text[CHECK_TEXT_MAX], in[3 * CHECK_TEXT_MAX + 64];
	struct check_want want = { 200, 200, bytes_of(text, sizeof text) };
	struct text t;

	(void)state;
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = 'b';
	text_init(&t, in, sizeof in);
	text_lit(&t, OK_HEAD "\r\n");
	for (size_t i = 0; i < CHECK_TEXT_MAX; i++)
		text_byte(&t, 'a'); /* one a too many: the search has to fall back */
	text_add(&t, want.text);
	assert_false(t.failed);
	for (size_t cut = 0; cut <= t.len; cut += 97)
		assert_int_equal(verdict(&want, text_bytes(&t), cut), OK);
}

static void a_head_without_an_end(void **state)
{
	static unsigned char in[CHECK_HEAD_MAX + 1];
	struct check_want want = { ANY, BYTES("") };

	(void)state;
	memset(in, 'a', sizeof in);
	memcpy(in, "HTTP/1.1 200 OK\r\nX: ", 20);
	for (size_t at = 1000; at + 5 < sizeof in; at += 1000)
		memcpy(in + at, "\r\nX: ", 5);
	assert_int_equal(verdict(&want, bytes_of(in, sizeof in), 5), ERR_LIMIT);
	assert_string_not_equal(answer->why, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(verdicts), cmocka_unit_test(a_long_body),
		cmocka_unit_test(the_longest_text), cmocka_unit_test(a_head_without_an_end) };

	answer = malloc(sizeof *answer);
	return answer ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
