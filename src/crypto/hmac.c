/* libcrypto's one call; it takes the key's length as an int. */
#include "crypto/hmac.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void hmac_sha256(struct bytes key, struct bytes what, unsigned char out[SHA256_LEN])
{
	unsigned len = SHA256_LEN;

	CHECK(key.len <= INT_MAX);
	CHECK(HMAC(EVP_sha256(), key.len ? (const void *)key.at : (const void *)"", (int)key.len, what.at, what.len, out, &len) && len == SHA256_LEN);
}
