/* Constant-time comparison and wiping. */
#define _DEFAULT_SOURCE
#include "base/secret.h"

#include <string.h>

bool secret_eq(struct bytes a, struct bytes b)
{
	unsigned char diff = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		diff |= (unsigned char)(a.at[i] ^ b.at[i]);
	return diff == 0;
}

void secret_wipe(void *at, size_t len)
{
	explicit_bzero(at, len);
}
