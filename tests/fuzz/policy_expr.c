/* Any text as an expression, as a condition and as a value: it compiles or tells a place inside it, evaluates on a
 * fixed request, with a session and without, in much room and in little, and its explanation stays within its bound
 * and agrees. One that says it needs no request does without. */
#include "policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void evaluate(const struct policy_expr *e, struct policy_input *in)
{
	static unsigned char scratch_memory[POLICY_SCRATCH_SIZE], notes_memory[1 << 20], little[64];
	struct policy_reason reasons[4];
	struct arena scratch, notes, small;
	enum policy_truth t;
	size_t n;

	arena_init(&scratch, scratch_memory, sizeof scratch_memory);
	arena_init(&notes, notes_memory, sizeof notes_memory);
	arena_init(&small, little, sizeof little);
	in->arena = &scratch;
	in->arena_is_scratch = true;
	t = policy_truth(e, in);
	policy_input_index(in); /* what it spares changes nothing */
	CHECK(policy_truth(e, in) == t);
	in->arena = &small;
	CHECK(policy_truth(e, in) == t || policy_truth(e, in) == POLICY_UNKNOWN || t == POLICY_UNKNOWN);
	in->arena = &notes;
	in->arena_is_scratch = false;
	n = policy_explain(e, in, reasons, COUNT_OF(reasons));
	CHECK(n >= 1 && n <= COUNT_OF(reasons));
	for (size_t i = 0; i < n; i++)
		CHECK(reasons[i].source.len > 0);
}

static void without_request(const struct policy_expr *e, const struct policy_input *in)
{
	struct policy_input bare = { .session = in->session, .client = in->client, .real_us = in->real_us };
	static unsigned char memory[POLICY_SCRATCH_SIZE], notes_memory[1 << 20];
	struct policy_input full = *in;
	struct policy_reason reasons[4];
	struct arena scratch, notes;

	CHECK(!policy_needs_response(e));
	arena_init(&scratch, memory, sizeof memory);
	arena_init(&notes, notes_memory, sizeof notes_memory);
	bare.arena = full.arena = &scratch;
	bare.arena_is_scratch = full.arena_is_scratch = true;
	CHECK(policy_truth(e, &bare) == policy_truth(e, &full));
	bare.arena = &notes;
	bare.arena_is_scratch = false;
	CHECK(policy_explain(e, &bare, reasons, COUNT_OF(reasons)) >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char memory[1 << 20], value_memory[1 << 16];
	struct http_field fields[] = { { .name = BYTES("Cookie"), .value = BYTES("a=b"), .id = HTTP_COOKIE },
		{ .name = BYTES("X-A"), .value = BYTES("One") }, { .name = BYTES("x-a"), .value = BYTES("two") },
		{ .name = BYTES("Cookie"), .value = BYTES("a=c; d"), .id = HTTP_COOKIE },
		{ .name = BYTES("User-Agent"), .value = BYTES("Mozilla/5.0"), .id = HTTP_USER_AGENT } };
	struct http_request req = { .method_text = BYTES("GET"), .target = BYTES("/a?b=c&b=%64"), .raw_path = BYTES("/a"),
		.raw_query = BYTES("b=c&b=%64"), .path = BYTES("/a"), .host = BYTES("h"), .scheme = BYTES("http"), .fields = fields,
		.field_count = COUNT_OF(fields) };
	struct http_response res = { .status = 200, .fields = fields, .field_count = 2 };
	static const struct bytes groups[] = { LIT("staff"), LIT("Finance") };
	struct policy_session session = { .has_mfa = true, .method = BYTES("password totp"), .user = BYTES("eva"), .groups = groups,
		.group_count = COUNT_OF(groups), .since_s = 1000, .proved_s = 1500 };
	struct policy_input in = { .req = &req, .res = &res, .session = &session, .real_us = 2000000000 };
	struct policy_error error;
	struct policy_expr *e;
	struct arena arena, values;

	if (size > 4096)
		return 0;
	arena_init(&arena, memory, sizeof memory);
	if (policy_compile(bytes_of(data, size), POLICY_BOOL, true, NULL, 0, &arena, &e, &error) == OK) {
		struct policy_input without = in;
		without.session = NULL;
		evaluate(e, &without);
		evaluate(e, &in);
		if (!policy_needs_request(e))
			without_request(e, &in);
		policy_expr_fini(e);
	} else {
		CHECK(error.line >= 1 && error.column >= 1 && error.what[0]);
	}
	arena_init(&arena, memory, sizeof memory);
	arena_init(&values, value_memory, sizeof value_memory);
	in.arena = &values;
	in.arena_is_scratch = false;
	if (policy_compile(bytes_of(data, size), POLICY_STRING, true, NULL, 0, &arena, &e, &error) == OK) {
		struct bytes v = policy_string(e, &in);
		CHECK(v.at || v.len == 0);
		policy_expr_fini(e);
	}
	return 0;
}
