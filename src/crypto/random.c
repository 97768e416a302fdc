/* getrandom, until all is there. */
#include "crypto/random.h"
#include "base/err.h"

#include <errno.h>
#include <sys/random.h>

void random_bytes(void *out, size_t len)
{
	unsigned char *p = out;

	while (len) {
		ssize_t n = getrandom(p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		CHECK(n > 0);
		p += n;
		len -= (size_t)n;
	}
}
