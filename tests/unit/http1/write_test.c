/* Heads as they go on: what is kept, dropped, replaced; and that framing is what was read. */
#include "http1/write.h"
#include "http/canon.h"
#include "http1/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ADDED "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n" \
	      "X-Forwarded-Port: 443\r\nX-Request-Id: id\r\n"

static const struct http1_limits limits = { .line_max = 512, .field_max = 512, .head_max = 2048, .fields_max = 32,
	.drop_ambiguous = true };

static const struct http1_edit set_b = { .name = LIT("B"), .value = LIT("new"), .replaces = true };
static const struct http1_edit remove_b = { .name = LIT("b"), .removes = true };
static const struct http1_edit split = { .name = LIT("B"), .value = LIT("x\r\nEvil: 1") };
static const struct http1_edit length = { .name = LIT("content-length"), .value = LIT("7"), .replaces = true };
static const struct http1_edit of_response = { .name = LIT("B"), .value = LIT("new"), .replaces = true, .on_response = true };

static const struct {
	const char *why;
	struct bytes in;
	const struct http1_edit *edits;
	bool is_trusted;
	struct bytes out;
} requests[] = {
	{ "Host comes first", LIT("GET /x HTTP/1.1\r\nB: 1\r\nHost: a\r\n\r\n"), NULL, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\nB: 1\r\n" ADDED "\r\n") },
	{ "the path that policies saw, the query as it came", LIT("GET /v/%2e%2e/x%7E?q=%2e HTTP/1.1\r\nHost: a\r\n\r\n"), NULL,
		false, LIT("GET /x~?q=%2e HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "absolute form becomes origin form", LIT("GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n"), NULL, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "the asterisk", LIT("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), NULL, false,
		LIT("OPTIONS * HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "hop-by-hop and named fields go", LIT("GET /x HTTP/1.1\r\nHost: a\r\nConnection: B, close\r\nB: 1\r\nTE: trailers\r\n"
		"Keep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: y\r\nTrailer: z\r\n\r\n"), NULL, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "ambiguous names go", LIT("GET /x HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nContent_Length: 5\r\n\r\n"), NULL, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "a stranger forwards nothing", LIT("GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\nx-forwarded-user: root\r\n"
		"Forwarded: for=1\r\nX-Real-IP: 1\r\nX-Request-Id: 9\r\n\r\n"), NULL, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "a trusted peer does", LIT("GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\nX-Forwarded-Proto: http\r\n"
		"Forwarded: for=1\r\n\r\n"), NULL, true,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\nForwarded: for=1\r\nX-Forwarded-For: 1, 192.0.2.1\r\n"
		"X-Forwarded-Host: a\r\nX-Forwarded-Port: 443\r\nX-Request-Id: id\r\n\r\n") },
	{ "a length", LIT("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\n"), NULL, false,
		LIT("POST /x HTTP/1.1\r\nHost: a\r\n" ADDED "Content-Length: 5\r\n\r\n") },
	{ "chunks, and an expectation", LIT("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTransfer-Encoding: Chunked\r\n\r\n"),
		NULL, false,
		LIT("POST /x HTTP/1.1\r\nHost: a\r\n" ADDED "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n") },
	{ "an upgrade", LIT("GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), NULL, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n") },
	{ "an upgrade past the policies is left out", LIT("GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade, HTTP2-Settings\r\n"
		"HTTP2-Settings: A\r\nUpgrade: h2c\r\n\r\n"), NULL, false, LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "a field set", LIT("GET /x HTTP/1.1\r\nHost: a\r\nb: 1\r\n\r\n"), &set_b, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "B: new\r\n\r\n") },
	{ "a field removed", LIT("GET /x HTTP/1.1\r\nHost: a\r\nB: 1\r\n\r\n"), &remove_b, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "a value with a line end is not written", LIT("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"), &split, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\n" ADDED "\r\n") },
	{ "framing is no field to set", LIT("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"), &length, false,
		LIT("POST /x HTTP/1.1\r\nHost: a\r\n" ADDED "Content-Length: 5\r\n\r\n") },
	{ "a change of the answer", LIT("GET /x HTTP/1.1\r\nHost: a\r\nB: 1\r\n\r\n"), &of_response, false,
		LIT("GET /x HTTP/1.1\r\nHost: a\r\nB: 1\r\n" ADDED "\r\n") },
};

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		static unsigned char mem[16384];
		unsigned char out[2048];
		const struct canon_rules rules = { .merge_slashes = true };
		struct http1_forward f = { .client = BYTES("192.0.2.1"), .request_id = BYTES("id"), .port = 443,
			.is_trusted = requests[i].is_trusted, .edits = requests[i].edits };
		struct http1_refusal refusal;
		struct http_request r;
		const char *why;
		size_t scanned = 0, used = 0;
		struct arena a;
		struct text t;

		arena_init(&a, mem, sizeof mem);
		text_init(&t, out, sizeof out);
		assert_int_equal(http1_parse_request(requests[i].in, &limits, &a, &scanned, &used, &r, &refusal), OK);
		assert_int_equal(canon_request(&r, &rules, BYTES("https"), &a, &why), OK);
		http1_write_request(&t, &r, &f);
		if (t.failed || !bytes_eq(text_bytes(&t), requests[i].out))
			fail_msg("%s:\n%.*s", requests[i].why, FMT(text_bytes(&t)));
	}
}

static const struct {
	const char *why;
	struct bytes in;
	struct http1_reply reply;
	struct bytes out;
} responses[] = {
	{ "a length", LIT("HTTP/1.0 200 Fine\r\nB: 1\r\nConnection: close, B\r\nA: 2\r\nContent-Length: 3\r\n\r\n"),
		{ .framing = HTTP_BODY_LENGTH, .length = 3, .client_minor = 1 },
		LIT("HTTP/1.1 200 Fine\r\nA: 2\r\nContent-Length: 3\r\n\r\n") },
	{ "chunks made here", LIT("HTTP/1.1 200\r\n\r\n"), { .framing = HTTP_BODY_CHUNKED, .client_minor = 1 },
		LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") },
	{ "an old client", LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
		{ .framing = HTTP_BODY_UNTIL_CLOSE, .closes = true }, LIT("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n") },
	{ "an old client that stays", LIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), { .framing = HTTP_BODY_LENGTH },
		LIT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n") },
	{ "304 may tell a length", LIT("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
		{ .framing = HTTP_BODY_NONE, .length = 9, .client_minor = 1 },
		LIT("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n") },
	{ "or none", LIT("HTTP/1.1 304 Not Modified\r\n\r\n"),
		{ .framing = HTTP_BODY_NONE, .length = UINT64_MAX, .client_minor = 1 }, LIT("HTTP/1.1 304 Not Modified\r\n\r\n") },
	{ "204 tells none", LIT("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
		{ .framing = HTTP_BODY_NONE, .client_minor = 1 }, LIT("HTTP/1.1 204 No Content\r\n\r\n") },
	{ "1xx", LIT("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"), { .framing = HTTP_BODY_NONE, .client_minor = 1, .closes = true },
		LIT("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") },
	{ "an upgrade", LIT("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
		{ .framing = HTTP_BODY_NONE, .client_minor = 1 },
		LIT("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n") },
	{ "a field set", LIT("HTTP/1.1 200 OK\r\nB: old\r\nContent-Length: 0\r\n\r\n"),
		{ .framing = HTTP_BODY_LENGTH, .client_minor = 1, .edits = &of_response },
		LIT("HTTP/1.1 200 OK\r\nB: new\r\nContent-Length: 0\r\n\r\n") },
};

static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(responses); i++) {
		static unsigned char mem[16384];
		unsigned char out[1024];
		struct http_response r;
		const char *why = "";
		size_t scanned = 0, used = 0;
		struct arena a;
		struct text t;

		arena_init(&a, mem, sizeof mem);
		text_init(&t, out, sizeof out);
		assert_int_equal(http1_parse_response(responses[i].in, &limits, &a, HTTP_GET, &scanned, &used, &r, &why), OK);
		http1_write_response(&t, &r, &responses[i].reply);
		if (t.failed || !bytes_eq(text_bytes(&t), responses[i].out))
			fail_msg("%s:\n%.*s", responses[i].why, FMT(text_bytes(&t)));
	}
}

static void test_last_chunks(void **state)
{
	static const struct http1_edit replaced = { .name = LIT("X-Role"), .value = LIT("guest"), .replaces = true };
	static const struct http1_edit removed = { .next = &replaced, .name = LIT("X-User"), .removes = true };
	static const struct { const char *why; struct bytes in, out; bool on_response; } cases[] = {
		{ "none", LIT(""), LIT("0\r\n\r\n"), false },
		{ "as they came, without white space", LIT("X-Sum:  1 \r\nETag: a\r\n"), LIT("0\r\nX-Sum: 1\r\nETag: a\r\n\r\n"), false },
		{ "framing", LIT("Content-Length: 5\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\nTE: x\r\n"), LIT("0\r\n\r\n"), false },
		{ "routing, identity, content", LIT("Host: b\r\nCookie: a\r\nAuthorization: b\r\nX-Forwarded-User: c\r\nContent-Type: d\r\n"),
			LIT("0\r\n\r\n"), false },
		{ "names of two readings", LIT("X_Sum: 1\r\nX.Sum: 1\r\n"), LIT("0\r\n\r\n"), false },
		{ "what a policy removes or replaces", LIT("x-user: 1\r\nX-ROLE: 2\r\nX-Sum: 3\r\n"), LIT("0\r\nX-Sum: 3\r\n\r\n"), false },
		{ "edits of the request are not the answer's", LIT("X-User: 1\r\n"), LIT("0\r\nX-User: 1\r\n\r\n"), true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		unsigned char out[512];
		struct text t;

		text_init(&t, out, sizeof out);
		http1_write_last_chunk(&t, cases[i].in, &removed, cases[i].on_response);
		if (t.failed || !bytes_eq(text_bytes(&t), cases[i].out))
			fail_msg("%s:\n%.*s", cases[i].why, FMT(text_bytes(&t)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests), cmocka_unit_test(test_responses),
		cmocka_unit_test(test_last_chunks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
