/* Any octets as what a worker wrote: records or none, nothing is read beyond them, and each as a line of an access log is one line, of which
 * hunt reads the same fields back. */
#include "board/requests.h"
#include "watch/webline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int digit(unsigned char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* in: with \xNN for what could end a field, and nothing else behind a backslash. */
static void is_same(struct bytes in, struct bytes want, struct bytes if_empty)
{
	size_t at = 0;

	if (want.len == 0)
		want = if_empty;
	for (size_t i = 0; i < in.len; i++, at++) {
		unsigned char c = in.at[i];

		if (c == '\\') {
			CHECK(in.len - i >= 4 && in.at[i + 1] == 'x');
			c = (unsigned char)(digit(in.at[i + 2]) * 16 + digit(in.at[i + 3]));
			i += 3;
		}
		CHECK(at < want.len && want.at[at] == c);
	}
	CHECK(at == want.len);
}

static void as_line(const struct request_seen *r)
{
	const struct weblog w = { .at_us = r->at_us, .method = r->method, .target = r->target, .status = r->status, .size = r->size, .referer = r->referer,
		.user_agent = r->user_agent, .protocol = r->is_http10 ? BYTES("HTTP/1.0") : BYTES("HTTP/1.1") };
	static unsigned char mem[4 * REQUEST_WIRE_MAX + 512];
	struct webline line = { 0 };
	struct addr client = { 0 };
	struct weblog got;
	struct text t;

	memcpy(client.ip, r->client, sizeof(client.ip));
	text_init(&t, mem, sizeof(mem));
	webline_put(&line, &t, &client, &w);
	CHECK(!t.failed && bytes_find_byte(text_bytes(&t), '\n') == t.len - 1);
	CHECK(weblog_parse(bytes_of(t.at, t.len - 1), &got) == OK);
	CHECK(got.size == w.size && got.status == (w.status >= 100 && w.status <= 999 ? w.status : 0));
	is_same(got.referer, w.referer, BYTES("-"));
	is_same(got.user_agent, w.user_agent, BYTES("-"));
	if (bytes_find_byte(w.method, ' ') != SIZE_MAX) /* no method that the front door lets in */
		return;
	is_same(got.method, w.method, BYTES(""));
	is_same(got.target, w.target, BYTES(""));
	CHECK(bytes_eq(got.protocol, w.protocol));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct request_seen r;
	size_t left = in.len;

	while (requests_take(&in, &r) == OK) {
		CHECK(in.len < left);
		CHECK(r.method.len + r.target.len + r.host.len + r.referer.len + r.user_agent.len == r.texts.len);
		left = in.len;
		as_line(&r);
	}
	CHECK(in.len == left); /* what is no record is not taken */
	return 0;
}
