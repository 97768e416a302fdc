/* What a worker, or identity, may send: parsed, and what is taken goes back into the same octets. */
#include "auth/call.h"
#include "auth/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[1 << 16];
	struct auth_call c;
	struct auth_answer a;
	struct auth_facts f;
	struct auth_line l;
	struct bytes lines = bytes_of(data, size);
	struct text t;

	text_init(&t, mem, sizeof mem);
	if (auth_call_parse(bytes_of(data, size), &c) == OK) {
		auth_call_write(&t, &c);
		CHECK(!t.failed && t.len == size);
	}
	t.len = 0;
	if (auth_answer_parse(bytes_of(data, size), &a) == OK) {
		auth_answer_write(&t, &a);
		CHECK(!t.failed && bytes_eq(text_bytes(&t), bytes_of(data, size)));
	}
	t.len = 0;
	if (auth_facts_parse(bytes_of(data, size), &f) == OK) {
		auth_facts_write(&t, &f);
		CHECK(!t.failed && bytes_eq(text_bytes(&t), bytes_of(data, size)));
	}
	while (auth_line_next(&lines, &l))
		CHECK(l.count >= 1 && l.count <= AUTH_FIELDS_MAX);
	return 0;
}
