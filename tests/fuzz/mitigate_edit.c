/* Any text as a configuration that is to get a rule set: it is left alone, or what comes out has the set, and everything of before. */
#include "cli/mitigate_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text once, twice;

	text_init_growing(&once, 1 << 20);
	text_init_growing(&twice, 1 << 20);
	if (mitigate_add_rules(bytes_of(data, size), "netscaler", &once) == EDIT_DONE) {
		CHECK(!once.failed && once.len > size);
		CHECK(bytes_find(text_bytes(&once), BYTES("netscaler")) != SIZE_MAX);
		CHECK(mitigate_add_rules(text_bytes(&once), "netscaler", &twice) == EDIT_THERE);
	}
	text_fini(&once);
	text_fini(&twice);
	return 0;
}
