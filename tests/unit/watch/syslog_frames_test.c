/* Streams, cut at every place: the same messages come out, and what is no frame ends the connection with a reason. */
#include "watch/syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct told {
	unsigned char mem[65536];
	struct text text;
	size_t longest;
};

static void on_message(void *ctx, struct bytes message)
{
	struct told *t = ctx;

	assert_true(message.len > 0);
	if (message.len > t->longest)
		t->longest = message.len;
	text_byte(&t->text, '(');
	text_add(&t->text, message);
	text_byte(&t->text, ')');
}

/* Fed in two pieces. */
static enum err feed(struct syslog_frames *f, struct told *t, struct bytes in, size_t cut)
{
	enum err e;

	text_init(&t->text, t->mem, sizeof(t->mem));
	t->longest = 0;
	syslog_frames_init(f);
	e = syslog_frames_feed(f, bytes_cut(in, 0, cut), on_message, t);
	if (e == OK)
		e = syslog_frames_feed(f, bytes_cut(in, cut, in.len), on_message, t);
	return e == OK ? syslog_frames_end(f, on_message, t) : e;
}

static void test_streams(void **state)
{
	static const struct {
		const char *in, *told;
		enum err want;
	} cases[] = {
		{ "", "", OK },
		{ "5 <1>ab4 <1>c", "(<1>ab)(<1>c)", OK },
		{ "6 <1>a\nb4 <1>c", "(<1>a\nb)(<1>c)", OK },
		{ "<1>a\n<1>b\r\n\n<1>c", "(<1>a)(<1>b)(<1>c)", OK },
		{ "<1>a 5 x\n", "(<1>a 5 x)", OK },
		{ "5 <1>ab\n4 <1>c", "(<1>ab)", ERR_SYNTAX }, /* a line feed between counted frames */
		{ "5 <1>ab04 <1>c", "(<1>ab)", ERR_SYNTAX },
		{ "5x<1>ab", "", ERR_SYNTAX },
		{ "05 <1>ab", "", ERR_SYNTAX },
		{ " <1>a\n", "", ERR_SYNTAX },
		{ "GET / HTTP/1.1\r\n\r\n", "", ERR_SYNTAX },
		{ "\x16\x03\x01", "", ERR_SYNTAX },
		{ "12345678 <1>ab", "", ERR_LIMIT },
		{ "5 <1>a", "", ERR_SYNTAX },
		{ "5", "", ERR_SYNTAX },
	};
	struct syslog_frames *f = malloc(sizeof(*f));
	struct told *t = malloc(sizeof(*t));

	(void)state;
	assert_true(f && t);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct bytes in = bytes_str(cases[i].in);

		for (size_t cut = 0; cut <= in.len; cut++) {
			assert_int_equal(feed(f, t, in, cut), cases[i].want);
			assert_true(bytes_eq(text_bytes(&t->text), bytes_str(cases[i].told)));
			assert_true((f->reason != NULL) == (cases[i].want != OK));
			if (f->reason)
				assert_int_equal(syslog_frames_feed(f, BYTES("<1>more\n"), on_message, t), ERR_SYNTAX);
		}
	}
	free(f);
	free(t);
}

static void test_long_messages(void **state)
{
	struct syslog_frames *f = malloc(sizeof(*f));
	struct told *t = malloc(sizeof(*t));
	size_t longest = SYSLOG_MESSAGE_MAX + 1000;
	unsigned char *in = malloc(longest + 64);

	(void)state;
	assert_true(f && t && in);
	for (int counted = 0; counted < 2; counted++) {
		for (size_t len = SYSLOG_MESSAGE_MAX - 1; len <= longest; len += len < SYSLOG_MESSAGE_MAX + 2 ? 1 : 997) {
			size_t over = len > SYSLOG_MESSAGE_MAX ? len - SYSLOG_MESSAGE_MAX : 0;
			struct text x;

			text_init(&x, in, longest + 64);
			if (counted) {
				text_u64(&x, len);
				text_byte(&x, ' ');
			}
			text_lit(&x, "<1>");
			for (size_t i = 3; i < len; i++)
				text_byte(&x, 'x');
			if (counted)
				text_lit(&x, "4 <2>y");
			else
				text_lit(&x, "\n<2>y\n");
			assert_false(x.failed);
			assert_int_equal(feed(f, t, text_bytes(&x), 5000), OK);
			assert_int_equal(t->longest, len - over);
			assert_int_equal(f->messages, 2);
			assert_int_equal(f->cut, over > 0);
			assert_int_equal(f->passed_over, over);
			assert_true(bytes_ends(text_bytes(&t->text), BYTES("(<2>y)")));
		}
	}
	free(in);
	free(f);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_streams), cmocka_unit_test(test_long_messages) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
