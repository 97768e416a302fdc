/* Any text as a time: what is taken lies after 1970, and a text that ends within a day ends after it begins. */
#include "window/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t begin = 0, end = 0, now = UINT64_C(1795539996303251);
	struct bytes in = bytes_of(data, size);
	enum err e = when_parse(in, now, false, &begin);

	CHECK(when_parse(in, now, true, &end) == e);
	if (e == OK)
		CHECK(begin <= end && end - begin < UINT64_C(86400000000));
	return 0;
}
