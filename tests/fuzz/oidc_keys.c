/* What a provider may have as its keys. */
#include "auth/oidc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why = NULL;
	struct oidc_keys k;

	if (oidc_keys_read(bytes_of(data, size), &k, &why) != OK) {
		CHECK(why && k.count == 0 && !k.root);
		return 0;
	}
	CHECK(k.count && k.count <= OIDC_KEYS_MAX);
	for (size_t i = 0; i < k.count; i++)
		CHECK(k.keys[i].key && k.keys[i].algorithms && k.keys[i].algorithms < OIDC_BIT(OIDC_ALGORITHM_COUNT));
	oidc_keys_fini(&k);
	return 0;
}
