/* SipHash-2-4 (Aumasson, Bernstein 2012) for tables over what strangers choose. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/bytes.h"

uint64_t siphash24(const unsigned char key[16], struct bytes in);

#endif
