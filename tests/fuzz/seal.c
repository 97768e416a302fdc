/* Any bytes as a sealed text: its parameters never cost more than is allowed, and what was not sealed does not open. */
#include "evidence/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct text out;

	/* Dear parameters are right, and too slow for a fuzzer. */
	if (bytes_find(bytes_cut(in, 0, 40), BYTES("scrypt 1024 1 1\n")) == SIZE_MAX && bytes_find(in, BYTES("scrypt ")) == 15 &&
		size > 120)
		return 0;
	text_init_growing(&out, 1 << 20);
	if (seal_open(in, BYTES("passphrase"), &out) != OK)
		CHECK(out.len == 0);
	text_fini(&out);
	return 0;
}
