/* Heads that are read, and the long list of those that two readers could read differently. */
#include "http1/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct http1_limits limits = { .line_max = 128, .field_max = 128, .head_max = 1024, .fields_max = 8 };
#define H "Host: a\r\n"

static const struct {
	struct bytes in;
	unsigned status; /* 0: it is read */
	const char *why;
} requests[] = {
	{ LIT("GET / HTTP/1.1\r\n" H "\r\n"), 0, NULL },
	{ LIT("\r\nGET / HTTP/1.1\r\n" H "\r\n"), 0, NULL },
	{ LIT("GET / HTTP/1.0\r\n\r\n"), 0, NULL },
	{ LIT("OPTIONS * HTTP/1.1\r\n" H "\r\n"), 0, NULL },
	{ LIT("GET http://a/b?c HTTP/1.1\r\n" H "\r\n"), 0, NULL },
	{ LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"), 0, NULL },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, "length-and-coding" },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"), 400, "length-repeated" },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 5, 5\r\n\r\n"), 400, "length-malformed" },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n"), 400, "length-malformed" },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 0x5\r\n\r\n"), 400, "length-malformed" },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n"), 400, "length-malformed" },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n"), 400, "length-malformed" },
	{ LIT("POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n"), 400, "length-malformed" },
	{ LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n"), 400, "transfer-coding" },
	{ LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, identity\r\n\r\n"), 400, "transfer-coding" },
	{ LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n"), 400, "transfer-coding" },
	{ LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: \vchunked\r\n\r\n"), 400, "control-character" },
	{ LIT("POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, "transfer-coding" },
	{ LIT("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"), 400, "coding-in-http-1.0" },
	{ LIT("GET / HTTP/1.1\n" H "\r\n"), 400, "bare-lf" },
	{ LIT("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400, "bare-lf" },
	{ LIT("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), 400, "bare-cr" },
	{ LIT("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"), 400, "nul" },
	{ LIT("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400, "space-before-colon" },
	{ LIT("GET / HTTP/1.1\r\nHost\t: a\r\n\r\n"), 400, "space-before-colon" },
	{ LIT("GET / HTTP/1.1\r\n" H " folded\r\n\r\n"), 400, "obs-fold" },
	{ LIT("GET / HTTP/1.1\r\n" H "\tfolded: b\r\n\r\n"), 400, "obs-fold" },
	{ LIT("GET / HTTP/1.1\r\n" H ": empty\r\n\r\n"), 400, "field-name" },
	{ LIT("GET / HTTP/1.1\r\n" H "no colon\r\n\r\n"), 400, "space-before-colon" },
	{ LIT("GET / HTTP/1.1\r\n" H "na\xc3me: x\r\n\r\n"), 400, "field-name" },
	{ LIT("GET / HTTP/1.1\r\n" H "a_b: x\r\n\r\n"), 400, "field-name-ambiguous" },
	{ LIT("GET / HTTP/1.1\r\n\r\n"), 400, "host-missing" },
	{ LIT("GET / HTTP/1.1\r\nX: y\r\n\r\n"), 400, "host-missing" },
	{ LIT("GET / HTTP/1.1\r\n" H H "\r\n"), 400, "host-repeated" },
	{ LIT("GET  / HTTP/1.1\r\n" H "\r\n"), 400, "request-line" },
	{ LIT("GET\t/ HTTP/1.1\r\n" H "\r\n"), 400, "method" },
	{ LIT("GET / HTTP/1.1 \r\n" H "\r\n"), 400, "request-line" },
	{ LIT("GET / \r\n" H "\r\n"), 400, "request-line" },
	{ LIT("GET /\r\n\r\n"), 400, "request-line" },
	{ LIT("get / HTTP/1.1\r\n" H "\r\n"), 400, "method" },
	{ LIT("GET / HTTP/0.9\r\n" H "\r\n"), 505, "version" },
	{ LIT("GET / HTTP/2.0\r\n" H "\r\n"), 505, "version" },
	{ LIT("GET / HTTP/1.10\r\n" H "\r\n"), 400, "request-line" },
	{ LIT("GET / http/1.1\r\n" H "\r\n"), 400, "request-line" },
	{ LIT("GET a HTTP/1.1\r\n" H "\r\n"), 400, "target-form" },
	{ LIT("GET * HTTP/1.1\r\n" H "\r\n"), 400, "target-form" },
	{ LIT("GET ftp://a/ HTTP/1.1\r\n" H "\r\n"), 400, "target-form" },
	{ LIT("GET /\xff HTTP/1.1\r\n" H "\r\n"), 400, "target-character" },
	{ LIT("GET /# HTTP/1.1\r\n" H "\r\n"), 400, "target-character" },
	{ LIT("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"), 400, "request-line" },
	{ LIT("GET / HTTP/1.1\r\n" H "Connection: Content-Length\r\nContent-Length: 3\r\n\r\n"), 400, "connection-names-essential" },
	{ LIT("GET / HTTP/1.1\r\n" H "Expect: tea\r\n\r\n"), 417, "expectation" },
	{ LIT("GET / HTTP/1.1\r\n" H "1: 1\r\n2: 1\r\n3: 1\r\n4: 1\r\n5: 1\r\n6: 1\r\n7: 1\r\n8: 1\r\n\r\n"), 431, "too-many-fields" },
};

static enum err parse(struct bytes in, size_t *scanned, struct http_request *r, struct http1_refusal *why, size_t *used)
{
	static unsigned char mem[8192];
	struct arena a;

	arena_init(&a, mem, sizeof mem);
	return http1_parse_request(in, &limits, &a, scanned, used, r, why);
}

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		struct http1_refusal why = { 0 };
		struct http_request r;
		size_t scanned = 0, used = 0;
		enum err e = parse(requests[i].in, &scanned, &r, &why, &used);

		if (requests[i].status == 0 ? e != OK || used != requests[i].in.len
					    : e == OK || e == ERR_AGAIN || why.status != requests[i].status ||
				strcmp(why.reason, requests[i].why) != 0)
			fail_msg("%.*s -> %s %u %s", FMT(requests[i].in), err_name(e), why.status, why.reason ? why.reason : "");
	}
}

/* However the bytes are cut, what is read is the same: nothing is taken early, nothing is refused late. */
static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		struct bytes in = requests[i].in;
		size_t scanned = 0;
		for (size_t cut = 1; cut <= in.len; cut++) {
			struct http1_refusal why = { 0 };
			struct http_request r;
			size_t used = 0;
			enum err e = parse(bytes_cut(in, 0, cut), &scanned, &r, &why, &used);
			if (e == ERR_AGAIN && cut < in.len)
				continue;
			if (requests[i].status == 0 ? e != OK || cut != in.len
						    : e == OK || e == ERR_AGAIN || why.status != requests[i].status)
				fail_msg("cut %zu of %.*s -> %s", cut, FMT(in), err_name(e));
			break;
		}
	}
}

static void test_limits(void **state)
{
	unsigned char big[2048];
	struct http1_refusal why = { 0 };
	struct http_request r;
	size_t scanned = 0, used;

	(void)state;
	memset(big, 'a', sizeof big);
	memcpy(big, "GET /", 5);
	assert_int_equal(parse(bytes_of(big, sizeof big), &scanned, &r, &why, &used), ERR_LIMIT);
	assert_int_equal(why.status, 414);
	memcpy(big, "GET / HTTP/1.1\r\nX:", 18);
	scanned = 0;
	assert_int_equal(parse(bytes_of(big, sizeof big), &scanned, &r, &why, &used), ERR_LIMIT);
	assert_int_equal(why.status, 431);
}

static const struct {
	struct bytes in;
	enum http_method method;
	enum err want;
	enum http_framing framing;
} responses[] = {
	{ LIT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_NONE },
	{ LIT("HTTP/1.1 100 Continue\r\n\r\n"), HTTP_POST, OK, HTTP_BODY_NONE },
	{ LIT("HTTP/1.1 100 Continue\r\nContent-Length: 9\r\n\r\n"), HTTP_POST, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 101 Up\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_NONE },
	{ LIT("HTTP/1.1 101 Up\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 3"), HTTP_GET, ERR_AGAIN, 0 },
	{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_LENGTH },
	{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), HTTP_HEAD, OK, HTTP_BODY_NONE },
	{ LIT("HTTP/1.1 204 No Content\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_NONE },
	{ LIT("HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_NONE },
	{ LIT("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_CHUNKED },
	{ LIT("HTTP/1.0 200 OK\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_UNTIL_CLOSE },
	{ LIT("HTTP/1.1 200\r\n\r\n"), HTTP_GET, OK, HTTP_BODY_UNTIL_CLOSE },
	{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 20 OK\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/2 200 OK\r\n\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("HTTP/1.1 200 OK\n\n"), HTTP_GET, ERR_SYNTAX, 0 },
	{ LIT("SSH-2.0-server\r\n"), HTTP_GET, ERR_SYNTAX, 0 },
};

static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(responses); i++) {
		static unsigned char mem[8192];
		struct http_response r;
		const char *why = "";
		size_t scanned = 0, used = 0;
		struct arena a;
		enum err e;

		arena_init(&a, mem, sizeof mem);
		e = http1_parse_response(responses[i].in, &limits, &a, responses[i].method, &scanned, &used, &r, &why);
		if (e != responses[i].want || (e == OK && r.framing != responses[i].framing))
			fail_msg("%.*s -> %s %s", FMT(responses[i].in), err_name(e), why);
	}
}

static const struct {
	const char *why;
	struct bytes in, upgrade;
} upgrades[] = {
	{ "a WebSocket", LIT("GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), LIT("websocket") },
	{ "not named by Connection", LIT("GET / HTTP/1.1\r\n" H "Upgrade: websocket\r\n\r\n"), LIT("") },
	{ "HTTP/1.0 has none", LIT("GET / HTTP/1.0\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), LIT("") },
	{ "a tunnel past the policies", LIT("GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), LIT("") },
	{ "the same, second", LIT("GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket, H2C\r\n\r\n"), LIT("") },
	{ "another HTTP", LIT("GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n\r\n"), LIT("") },
};

static void test_upgrades(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(upgrades); i++) {
		struct http1_refusal why = { 0 };
		struct http_request r;
		size_t scanned = 0, used = 0;

		if (parse(upgrades[i].in, &scanned, &r, &why, &used) != OK || !bytes_eq(r.upgrade, upgrades[i].upgrade))
			fail_msg("%s", upgrades[i].why);
	}
}

/* What follows a head belongs to the next request, also after "Connection: close" and "Upgrade". */
static void test_pipelined(void **state)
{
	static const struct bytes heads[] = { LIT("GET / HTTP/1.1\r\n" H "\r\n"),
		LIT("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n"),
		LIT("GET / HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
		LIT("GET / HTTP/1.0\r\n\r\n") };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(heads); i++) {
		unsigned char both[256];
		struct http1_refusal why = { 0 };
		struct http_request r;
		size_t scanned = 0, used = 0;

		memcpy(both, heads[i].at, heads[i].len);
		memcpy(both + heads[i].len, "GET /\0next\nX", 12);
		assert_int_equal(parse(bytes_of(both, heads[i].len + 12), &scanned, &r, &why, &used), OK);
		assert_int_equal(used, heads[i].len);
		assert_int_equal(r.keep_alive, i == 0 || i == 2);
	}
}

static void test_body_on_get(void **state)
{
	struct http1_refusal why = { 0 };
	struct http_request r;
	size_t scanned = 0, used = 0;

	(void)state;
	assert_int_equal(parse(BYTES("GET / HTTP/1.1\r\n" H "Content-Length: 5 \r\n\r\nhello"), &scanned, &r, &why, &used), OK);
	assert_int_equal(r.framing, HTTP_BODY_LENGTH);
	assert_int_equal(r.length, 5);
	scanned = 0;
	assert_int_equal(parse(BYTES("HEAD / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n"), &scanned, &r, &why, &used), OK);
	assert_int_equal(r.framing, HTTP_BODY_CHUNKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_upgrades), cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_body_on_get), cmocka_unit_test(test_requests), cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_responses) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
