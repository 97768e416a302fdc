/* Any bytes as a request head: cut anywhere, the answer is the same; and what would be written onward reads
 * as the same request again. */
#include "http/canon.h"
#include "http1/parse.h"
#include "http1/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits limits = { .line_max = 4096, .field_max = 4096, .head_max = 16384, .fields_max = 64,
	.drop_ambiguous = true };
static unsigned char mem[3][65536];

static enum err parse(struct bytes in, int which, size_t *scanned, size_t *used, struct http_request *r)
{
	struct http1_refusal why = { 0 };
	struct arena a;
	enum err e;

	arena_init(&a, mem[which], sizeof mem[which]);
	e = http1_parse_request(in, &limits, &a, scanned, used, r, &why);
	if (e == ERR_SYNTAX || e == ERR_LIMIT)
		CHECK(why.status >= 400 && why.reason && why.reason[0]);
	return e;
}

static void write_and_read(struct http_request *r)
{
	static unsigned char out[131072], room[65536];
	const struct canon_rules rules = { .merge_slashes = true };
	struct http1_forward f = { .client = BYTES("192.0.2.1"), .request_id = BYTES("1"), .port = 80 };
	const struct http1_limits wide = { .line_max = 16384, .field_max = 16384, .head_max = sizeof out, .fields_max = 128 };
	struct http1_refusal refusal = { 0 };
	struct http_request again;
	size_t scanned = 0, used = 0;
	const char *why = NULL;
	struct arena a;
	struct text t;

	arena_init(&a, room, sizeof room);
	if (r->method == HTTP_CONNECT || canon_request(r, &rules, BYTES("http"), &a, &why) != OK)
		return;
	text_init(&t, out, sizeof out);
	http1_write_request(&t, r, &f);
	CHECK(!t.failed);
	arena_init(&a, mem[2], sizeof mem[2]);
	CHECK(http1_parse_request(text_bytes(&t), &wide, &a, &scanned, &used, &again, &refusal) == OK);
	CHECK(used == t.len && again.method == r->method && again.framing == r->framing && again.length == r->length);
	CHECK(bytes_eq(again.raw_query, r->raw_query) && again.has_query == r->has_query);
	CHECK(r->form == HTTP_FORM_ASTERISK || bytes_eq(again.raw_path, r->wire_path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request whole = { 0 }, part = { 0 };
	size_t cut, scanned = 0, used = 0, part_used = 0, none = 0;
	struct bytes in;
	enum err e, first;

	if (size < 2)
		return 0;
	in = bytes_of(data + 2, size - 2);
	cut = (data[0] | (size_t)data[1] << 8) % (in.len + 1);
	e = parse(in, 0, &none, &used, &whole);
	first = parse(bytes_cut(in, 0, cut), 1, &scanned, &part_used, &part);
	if (first == ERR_AGAIN)
		first = parse(in, 1, &scanned, &part_used, &part);
	else if (first != OK)
		CHECK(e != OK && e != ERR_AGAIN);
	CHECK((first == OK) == (e == OK));
	if (e == OK) {
		CHECK(used <= in.len && used == part_used && whole.field_count == part.field_count);
		CHECK(whole.framing == part.framing && whole.length == part.length && whole.keep_alive == part.keep_alive);
		CHECK(whole.minor == 0 || http_find_field_id(whole.fields, whole.field_count, HTTP_HOST));
		write_and_read(&whole);
	}
	return 0;
}
