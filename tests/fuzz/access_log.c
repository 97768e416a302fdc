/* Any request with any answer: its line in the access log is one line, is JSON, and has each name once. The bytes are
 * a request's head; what does not parse is logged as what could not be read. */
#include "proxy/engine.h"
#include "http/canon.h"
#include "http1/parse.h"

#include <fcntl.h>
#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(struct bytes line, const struct exchange *x)
{
	json_t *j = json_loadb((const char *)line.at, line.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

	CHECK(json_is_object(j) && bytes_find_byte(line, '\n') == line.len - 1);
	CHECK(json_integer_value(json_object_get(j, "http.response.status_code")) == x->status);
	CHECK(json_is_string(json_object_get(j, "@timestamp")) && json_is_string(json_object_get(j, "source.ip")));
	json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http1_limits limits = { .line_max = 4096, .field_max = 4096, .head_max = 16384, .fields_max = 64 };
	static const struct canon_rules rules = { .merge_slashes = true };
	static unsigned char mem[65536], out[262144];
	static struct board_worker board;
	static struct conf_listener conf;
	static const struct conf all;
	static struct engine g = { .conf = &all };
	static struct exchange x;
	static struct client c;
	struct listener l = { .engine = &g, .conf = &conf };
	struct http1_refusal refusal = { 0 };
	size_t scanned = 0, used = 0;
	const char *why = NULL;
	struct bytes words;

	if (size > 16384)
		return 0;
	if (!g.loop) {
		g.loop = loop_new();
		g.access_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		g.board = &board;
	}
	conf.name = BYTES("web");
	c = (struct client){ .engine = &g, .listener = &l, .peer = { .ip = { 0x20, 1 }, .port = 4711 } };
	x = (struct exchange){ .engine = &g, .client = &c, .status = 200, .real_us = 1, .id = "0123", .refusal = "policy" };
	arena_init(&x.arena, mem, sizeof mem);
	if (http1_parse_request(bytes_of(data, size), &limits, &x.arena, &scanned, &used, &x.req, &refusal) == OK) {
		(void)!canon_request(&x.req, &rules, BYTES("http"), &x.arena, &why);
	} else {
		/* Raw bytes in every place of a text, as if a parser had let them through. */
		words = bytes_of(data, size);
		x.req = (struct http_request){ .method_text = words, .target = words, .path = words, .host = words, .minor = 1 };
		x.status = 400;
	}
	text_init(&g.access_out, out, sizeof out);
	access_log_write(&x);
	CHECK(g.access_out.len > 0);
	check_line(text_bytes(&g.access_out), &x);
	return 0;
}
