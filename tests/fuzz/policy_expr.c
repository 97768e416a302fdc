/* Any text as an expression: it compiles or tells a place inside it, and evaluates on a fixed request. */
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char memory[1 << 20];
	struct http_field fields[] = { { .name = BYTES("Cookie"), .value = BYTES("a=b") } };
	struct http_request req = { .method_text = BYTES("GET"), .target = BYTES("/a?b=c"), .raw_path = BYTES("/a"),
		.raw_query = BYTES("b=c"), .path = BYTES("/a"), .host = BYTES("h"), .scheme = BYTES("http"), .fields = fields,
		.field_count = 1 };
	struct policy_error error;
	struct policy_expr *e;
	struct arena arena;

	if (size > 4096)
		return 0;
	arena_init(&arena, memory, sizeof memory);
	if (policy_compile(bytes_of(data, size), POLICY_BOOL, true, NULL, 0, &arena, &e, &error) == OK) {
		struct policy_input in = { .req = &req, .arena = &arena };
		policy_is_true(e, &in);
		policy_expr_fini(e);
	} else {
		CHECK(error.line >= 1 && error.column >= 1 && error.what[0]);
	}
	return 0;
}
