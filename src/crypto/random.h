/* Random bytes from the kernel. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include <stddef.h>

/* Never fails: a kernel without random bytes ends the process. */
void random_bytes(void *out, size_t len);

#endif
