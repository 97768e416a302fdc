/* Any bytes as a response head: the first byte says to which method, the next two where it is cut. */
#include "http1/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits limits = { .line_max = 4096, .field_max = 4096, .head_max = 16384, .fields_max = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[2][65536];
	struct http_response r[2] = { 0 };
	size_t scanned[2] = { 0 }, used[2] = { 0 }, cut;
	enum http_method method;
	const char *why = NULL;
	struct arena a[2];
	struct bytes in;
	enum err e[2];

	if (size < 3)
		return 0;
	method = data[0] & 1 ? HTTP_HEAD : HTTP_GET;
	in = bytes_of(data + 3, size - 3);
	cut = (data[1] | (size_t)data[2] << 8) % (in.len + 1);
	for (int i = 0; i < 2; i++)
		arena_init(&a[i], mem[i], sizeof mem[i]);
	e[0] = http1_parse_response(in, &limits, &a[0], method, &scanned[0], &used[0], &r[0], &why);
	e[1] = http1_parse_response(bytes_cut(in, 0, cut), &limits, &a[1], method, &scanned[1], &used[1], &r[1], &why);
	if (e[1] == ERR_AGAIN) {
		arena_reset(&a[1]);
		e[1] = http1_parse_response(in, &limits, &a[1], method, &scanned[1], &used[1], &r[1], &why);
	}
	CHECK((e[0] == OK) == (e[1] == OK));
	if (e[0] != OK)
		return 0;
	CHECK(used[0] == used[1] && used[0] <= in.len && r[0].framing == r[1].framing && r[0].length == r[1].length);
	CHECK(r[0].status >= 100 && r[0].status <= 999);
	if (method == HTTP_HEAD || r[0].status < 200 || r[0].status == 204 || r[0].status == 304)
		CHECK(r[0].framing == HTTP_BODY_NONE);
	if (r[0].framing == HTTP_BODY_UNTIL_CLOSE)
		CHECK(!r[0].keep_alive);
	return 0;
}
