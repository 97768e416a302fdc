/* What was put into a line is what hunt reads of it, whatever a client sends: no field ends early, no line is two. */
#include "watch/webline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NOW UINT64_C(1779613953000000) /* 2026-05-24T09:12:33Z */

static struct addr client_of(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse_ip(bytes_str(text), &a), OK);
	return a;
}

static void unescape(struct bytes in, struct text *out)
{
	for (size_t i = 0; i < in.len; i++) {
		char hex[3] = { 0 };

		if (in.at[i] != '\\') {
			text_byte(out, in.at[i]);
			continue;
		}
		assert_true(in.len - i >= 4 && in.at[i + 1] == 'x');
		memcpy(hex, in.at + i + 2, 2);
		text_byte(out, (unsigned char)strtoul(hex, NULL, 16));
		i += 3;
	}
}

static void is_same(struct bytes got, struct bytes want)
{
	struct text t;

	text_init_growing(&t, 1 << 20);
	unescape(got, &t);
	if (!bytes_eq(text_bytes(&t), want))
		fail_msg("'%.*s' is not '%.*s'", FMT(got), FMT(want));
	text_fini(&t);
}

static void round_trip(const struct weblog *w, const char *client)
{
	struct webline line = { 0 };
	struct addr a = client_of(client);
	struct weblog got;
	struct text t;

	text_init_growing(&t, 1 << 20);
	webline_put(&line, &t, &a, w);
	assert_false(t.failed);
	assert_true(t.len && t.at[t.len - 1] == '\n');
	for (size_t i = 0; i + 1 < t.len; i++)
		assert_true(t.at[i] >= ' ' && t.at[i] != 127);
	assert_int_equal(weblog_parse(bytes_of(t.at, t.len - 1), &got), OK);
	assert_true(bytes_eq(got.client, bytes_str(client)));
	assert_true(got.at_us == w->at_us / 1000000 * 1000000);
	assert_true(got.status == (w->status >= 100 && w->status <= 999 ? w->status : 0) && got.size == w->size);
	assert_true(got.user.len == 0 && bytes_eq(got.protocol, w->protocol));
	is_same(got.method, w->method);
	is_same(got.target, w->target);
	is_same(got.referer, w->referer.len ? w->referer : BYTES("-"));
	is_same(got.user_agent, w->user_agent.len ? w->user_agent : BYTES("-"));
	text_fini(&t);
}

static struct weblog usual(void)
{
	return (struct weblog){ .at_us = NOW, .method = BYTES("GET"), .target = BYTES("/a"), .protocol = BYTES("HTTP/1.1"), .status = 200, .size = 12,
		.referer = BYTES("https://example.org/"), .user_agent = BYTES("curl/8.0") };
}

static void test_hostile_fields(void **state)
{
	static const struct bytes fields[] = { LIT(""), LIT("-"), LIT("\""), LIT("\\"), LIT("\\\""), LIT("\\x22"), LIT("a\nb"), LIT("\r\n198.51.100.9 - - [01/Jan/2026:00:00:00 +0000] \"GET /"),
		LIT("\" 200 1 \"-\" \"x"), LIT("a\0b"), LIT("\x7f\x80\xff\xc3\xa9"), LIT("\t\x1b[31m"), LIT("[24/May/2026:09:12:33 +0000] \"GET / HTTP/1.1\" 500 0"), LIT("a HTTP/1.0"), LIT("a b"), LIT(" "),
		LIT("%22%0a%5c") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		struct weblog w = usual();

		w.user_agent = fields[i];
		round_trip(&w, "192.0.2.1");
		w.referer = fields[i];
		round_trip(&w, "2001:db8::1");
		w = usual();
		w.target = fields[i];
		round_trip(&w, "192.0.2.1");
	}
	for (unsigned c = 0; c < 256; c++) {
		unsigned char one[3] = { 'a', (unsigned char)c, 'b' };
		struct weblog w = usual();

		w.target = w.referer = w.user_agent = bytes_of(one, sizeof(one));
		round_trip(&w, "192.0.2.1");
		if (c != ' ') {
			w.method = w.target;
			round_trip(&w, "192.0.2.1");
		}
	}
}

static void test_numbers_and_times(void **state)
{
	static const uint64_t times[] = { 0, NOW, NOW + 999999, UINT64_C(951782400000000) /* 2000-02-29 */, UINT64_C(4102444799000000) /* 2099-12-31T23:59:59Z */ };
	static const unsigned statuses[] = { 0, 1, 99, 100, 304, 999, 1000, 65535 };
	struct weblog w = usual();

	(void)state;
	for (size_t i = 0; i < COUNT_OF(statuses); i++) {
		w.status = statuses[i];
		w.size = i % 2 ? UINT64_MAX : 0;
		round_trip(&w, "192.0.2.1");
	}
	w = usual();
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		w.at_us = times[i];
		round_trip(&w, "192.0.2.1");
	}
}

/* The stamp is kept for a second: another second, also an earlier one, has its own. A time that no line can have is the first there is. */
static void test_stamps(void **state)
{
	static const uint64_t seconds[] = { 5, 5, 6, 5, 0, 1779613953, 0 };
	struct webline line = { 0 };
	struct addr a = client_of("192.0.2.1");
	struct weblog w = usual(), got;
	struct text t;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(seconds); i++) {
		text_init_growing(&t, 4096);
		w.at_us = seconds[i] * 1000000;
		webline_put(&line, &t, &a, &w);
		assert_int_equal(weblog_parse(text_bytes(&t), &got), OK);
		assert_true(got.at_us == w.at_us);
		text_fini(&t);
	}
	text_init_growing(&t, 4096);
	w.at_us = UINT64_MAX;
	webline_put(&line, &t, &a, &w);
	assert_int_equal(weblog_parse(text_bytes(&t), &got), OK);
	assert_true(got.at_us == 0);
	text_fini(&t);
}

/* What hunt decodes of the target is what it would decode of the octets as they were sent. */
static void test_decoded_alike(void **state)
{
	static const struct bytes targets[] = { LIT("/vpn/..%2f%76%70%6e%73/portal/a.xml?x=%25"), LIT("/a\"b"), LIT("/\x01\xff"), LIT("/%2522"), LIT("/a\x7f") };
	struct webline line = { 0 };
	struct addr a = client_of("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(targets); i++) {
		struct weblog w = usual(), got;
		struct text t, sent, logged;

		text_init_growing(&t, 4096);
		text_init_growing(&sent, 4096);
		text_init_growing(&logged, 4096);
		w.target = targets[i];
		webline_put(&line, &t, &a, &w);
		assert_int_equal(weblog_parse(text_bytes(&t), &got), OK);
		weblog_decode_all(w.target, &sent);
		weblog_decode_all(got.target, &logged);
		assert_true(bytes_eq(text_bytes(&sent), text_bytes(&logged)));
		text_fini(&t);
		text_fini(&sent);
		text_fini(&logged);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hostile_fields), cmocka_unit_test(test_numbers_and_times), cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_decoded_alike) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
