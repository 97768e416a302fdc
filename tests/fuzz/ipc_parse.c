/* Any packet with any number of descriptors: what is accepted is within its table row. The first byte is
 * the number of descriptors. */
#include "ipc/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ipc_msg m = { 0 };

	if (size == 0)
		return 0;
	if (ipc_parse(bytes_of(data + 1, size - 1), data[0] % 6, &m) == OK) {
		CHECK(m.type > MSG_NONE && m.type < MSG_COUNT);
		CHECK(m.body.len == size - 3 && m.body.len <= IPC_BODY_MAX);
		CHECK(data[0] % 6 <= IPC_FDS_MAX);
	}
	return 0;
}
