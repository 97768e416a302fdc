/* What identity, or a process that asks directories, may send: parsed, and what is taken goes back into the same octets. */
#include "auth/directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char mem[1 << 17];
	struct directory_ask q;
	struct directory_answer a;
	struct text t;

	text_init(&t, mem, sizeof mem);
	if (directory_ask_parse(bytes_of(data, size), &q) == OK) {
		directory_ask_write(&t, &q);
		CHECK(!t.failed && bytes_eq(text_bytes(&t), bytes_of(data, size)));
	}
	t.len = 0;
	if (directory_answer_parse(bytes_of(data, size), &a) == OK) {
		directory_answer_write(&t, &a);
		CHECK(!t.failed && bytes_eq(text_bytes(&t), bytes_of(data, size)));
		for (int k = 0; k < DIRECTORY_KIND_COUNT; k++)
			(void)directory_answer_fits(&a, (enum directory_kind)k);
	}
	return 0;
}
