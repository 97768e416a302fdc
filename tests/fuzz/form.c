/* A form, a Cookie field, an origin and a link, all of the same octets: what is taken holds what its header promises. */
#include "base/utf8.h"
#include "gateway/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_link(struct bytes in)
{
	static unsigned char mem[3 * LINK_MAX + 8], plain[3 * LINK_MAX + 8];
	struct bytes to = link_local(in);
	struct arena arena;
	struct form back;
	struct text t;

	if (to.len == 0)
		return;
	CHECK(to.at == in.at && to.len == in.len && to.len <= LINK_MAX && to.at[0] == '/' && !bytes_starts(to, BYTES("//")));
	text_init(&t, mem, sizeof mem);
	text_lit(&t, "to=");
	link_encode(&t, to); /* and it comes back as it was */
	arena_init(&arena, plain, sizeof plain);
	CHECK(!t.failed && form_parse(text_bytes(&t), &arena, &back) == OK && back.count == 1 && bytes_eq(form_get(&back, "to"), to));
}

/* A pair of a form that is to be sent again: a field of a page may hold it. */
static void check_pair(void *ctx, struct bytes name, struct bytes value)
{
	++*(size_t *)ctx;
	CHECK(utf8_is_valid(name) && utf8_is_valid(value) && bytes_find_byte(name, 0) == SIZE_MAX && bytes_find_byte(value, 0) == SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[2 * FORM_BODY_MAX];
	const struct bytes in = bytes_of(data, size), origin = BYTES("https://work.example.org");
	struct http_field f[2] = { { .name = LIT("cookie"), .value = in, .id = HTTP_COOKIE }, { .name = LIT("origin"), .value = in } };
	unsigned char token[AUTH_TOKEN_LEN], written[256];
	struct arena arena;
	struct form form;
	struct text t;
	size_t pairs;

	arena_init(&arena, mem, sizeof mem);
	if (form_parse(in, &arena, &form) == OK) {
		CHECK(form.count <= FORM_FIELDS_MAX);
		for (size_t i = 0; i < form.count; i++) {
			CHECK(form.fields[i].name.len && bytes_find_byte(form.fields[i].value, 0) == SIZE_MAX);
			check_link(form.fields[i].value);
		}
	}
	pairs = 0;
	arena_init(&arena, mem, sizeof mem);
	if (form_each(in, &arena, check_pair, &pairs))
		CHECK(pairs <= FORM_PAIRS_MAX && pairs <= in.len);
	if (cookie_token(f, 2, COOKIE_PORTAL, token)) {
		text_init(&t, written, sizeof written);
		cookie_write(&t, COOKIE_PORTAL, bytes_of(token, sizeof token), 0);
		CHECK(bytes_find(in, bytes_cut(text_bytes(&t), 0, bytes_find_byte(text_bytes(&t), ';'))) != SIZE_MAX);
	}
	CHECK(cookie_lang(f, 2).len == 0 || cookie_lang(f, 2).len == 2);
	CHECK(origin_is_ours(f, 2, origin) == bytes_eq(in, origin));
	(void)cookie_is_ours(in);
	check_link(in);
	return 0;
}
