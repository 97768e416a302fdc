/* Chunk framing: what is read, what is refused, and that cuts make no difference. */
#include "http1/chunk.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct {
	struct bytes in;
	enum err want;
	struct bytes body;
} cases[] = {
	{ LIT("5\r\nhello\r\n0\r\n\r\n"), OK, LIT("hello") },
	{ LIT("5;a=b\r\nhello\r\n00\r\nX: y\r\n\r\n"), OK, LIT("hello") },
	{ LIT("1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n"), OK, LIT("a0123456789") },
	{ LIT("5 \r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT(" 5\r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("0x5\r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("+5\r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("1_0\r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("5\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("5;a\nb\r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("5\r\nhelloX\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("5\r\nhello\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("10000000000000000\r\n"), ERR_LIMIT, LIT("") },
	{ LIT("ffffffffffffffff\r\n"), ERR_LIMIT, LIT("") },
	{ LIT("0\r\n folded\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("0\r\nX: y\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("0\r\nno colon\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("0\r\nX : y\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("0\r\n: y\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("0\r\nX\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("0\r\nX: a:b \xff\r\nY:\r\n\r\n"), OK, LIT("") },
	{ LIT("0\r\nX: y\rZ: 1\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("5;a=\"b\"\r\nhello\r\n0;q\r\n\r\n"), OK, LIT("hello") },
	{ LIT("5;a\rb\r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("-5\r\nhello\r\n0\r\n\r\n"), ERR_SYNTAX, LIT("") },
	{ LIT("5\r\nhel"), ERR_AGAIN, LIT("hel") },
};

static enum err read_all(struct bytes in, size_t step, struct text *body, size_t *at)
{
	struct chunk_reader c = { 0 };
	enum err e = ERR_AGAIN;
	size_t there = 0;

	*at = 0;
	while (e == ERR_AGAIN) {
		struct bytes data;
		size_t used;
		e = chunk_read(&c, bytes_cut(in, *at, there), &used, &data, NULL);
		*at += used;
		text_add(body, data);
		if (used == 0 && there == in.len)
			break;
		if (used == 0)
			there = in.len - there < step ? in.len : there + step;
	}
	return e;
}

static void test_chunks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		for (size_t step = 1; step < 40; step++) {
			unsigned char mem[64];
			struct text body;
			size_t at;
			enum err e;
			text_init(&body, mem, sizeof mem);
			e = read_all(cases[i].in, step, &body, &at);
			if (e != cases[i].want || (e == OK && at != cases[i].in.len) ||
				(e != ERR_SYNTAX && e != ERR_LIMIT && !bytes_eq(text_bytes(&body), cases[i].body)))
				fail_msg("%.*s by %zu: %s", FMT(cases[i].in), step, err_name(e));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_chunks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
