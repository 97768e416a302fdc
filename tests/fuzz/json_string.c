/* Any bytes as a JSON string: another reader takes it, gets the same text when it was UTF-8, and needs one line. */
#include "json/write.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *plain = json_stringn((const char *)data, size), *read; /* NULL: jansson finds it is no UTF-8 */
	struct text t;

	if (size > 16384) {
		json_decref(plain);
		return 0;
	}
	text_init_growing(&t, 1 << 20);
	json_put_string(&t, bytes_of(data, size));
	CHECK(!t.failed);
	for (size_t i = 0; i < t.len; i++)
		CHECK(t.at[i] >= 0x20 && t.at[i] != 0x7f);
	read = json_loadb((const char *)t.at, t.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	CHECK(json_is_string(read));
	if (plain)
		CHECK(bytes_eq(bytes_of(json_string_value(read), json_string_length(read)), bytes_of(data, size)));
	else
		CHECK(bytes_find(text_bytes(&t), BYTES("\\ufffd")) != SIZE_MAX);
	json_decref(read);
	json_decref(plain);
	text_fini(&t);
	return 0;
}
