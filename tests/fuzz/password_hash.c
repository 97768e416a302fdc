/* A password's hash as an import or a damaged store may have it: its form alone, nothing is computed. What is taken is in limits. */
#include "auth/password.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes hash = bytes_of(data, size);

	if (password_hash_is_valid(hash)) {
		CHECK(size < PASSWORD_HASH_MAX && bytes_starts(hash, BYTES("$argon2id$v=19$m=")));
		CHECK(bytes_find_byte(hash, 0) == SIZE_MAX && !password_hash_is_valid(bytes_cut(hash, 1, size)));
	}
	return 0;
}
