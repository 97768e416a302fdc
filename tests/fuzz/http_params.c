/* Any name, query and cookies: what is found is what a plain reader that splits first and decodes then finds. The
 * input is the name, a newline, and the text in which it is looked for. */
#include "http/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct bytes next(struct bytes *left, unsigned char separator)
{
	size_t end = bytes_find_byte(*left, separator);
	struct bytes part = bytes_cut(*left, 0, end);

	*left = end == SIZE_MAX ? BYTES("") : bytes_cut(*left, end + 1, left->len);
	return part;
}

static void query(struct bytes name, struct bytes in)
{
	static unsigned char mem[1 << 20];
	struct bytes left = in, value, small_value;
	struct arena a, none;
	bool found;

	arena_init(&a, mem, sizeof mem);
	arena_init(&none, mem, 0);
	found = http_query_find(in, name, &a, &value);
	while (left.len) {
		struct bytes pair = next(&left, '&');
		bool is_empty = pair.len == 0;
		struct bytes key = next(&pair, '=');
		if (is_empty || !bytes_eq(http_percent_decode(key, true, &a), name))
			continue;
		CHECK(found && bytes_eq(value, http_percent_decode(pair, true, &a)));
		break;
	}
	/* No room hides a value, and never another's: it is the same view or nothing. */
	if (http_query_find(in, name, &none, &small_value))
		CHECK(found && bytes_eq(small_value, value));
}

static void decode(struct bytes in)
{
	static unsigned char mem[1 << 18];
	struct bytes out;
	struct arena a;

	arena_init(&a, mem, sizeof mem);
	out = http_percent_decode(in, false, &a);
	CHECK(out.at && out.len <= in.len);
	CHECK((bytes_find_byte(in, '%') != SIZE_MAX) || bytes_eq(in, out));
}

static void cookies(struct bytes name, struct bytes in)
{
	struct http_field f[] = { { .id = HTTP_HOST, .value = in }, { .id = HTTP_COOKIE, .value = in } };
	struct bytes value, again;

	CHECK(!http_cookie_find(f, 1, name, &value));
	if (!http_cookie_find(f, 2, name, &value))
		return;
	CHECK(value.len == 0 || (value.at >= in.at && value.at + value.len <= in.at + in.len));
	CHECK(bytes_find_byte(value, ';') == SIZE_MAX && bytes_find(in, name) != SIZE_MAX);
	f[0].id = HTTP_COOKIE; /* the same again in front changes nothing */
	CHECK(http_cookie_find(f, 2, name, &again) && bytes_eq(value, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size), name = next(&in, '\n');

	if (size > 16384)
		return 0;
	query(name, in);
	cookies(name, in);
	decode(in);
	return 0;
}
