/* Names of errors, and the end of a process whose own assumption did not hold. */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *err_name(enum err e)
{
	switch (e) {
	case OK: return "ok";
	case ERR_SYNTAX: return "syntax";
	case ERR_LIMIT: return "limit";
	case ERR_MEMORY: return "memory";
	case ERR_AGAIN: return "again";
	case ERR_CLOSED: return "closed";
	case ERR_IO: return "io";
	case ERR_DENIED: return "denied";
	case ERR_NOT_FOUND: return "not_found";
	case ERR_TIMEOUT: return "timeout";
	case ERR_ORDER: return "order";
	case ERR_UNSUPPORTED: return "unsupported";
	case ERR_TLS: return "tls";
	}
	return "unknown";
}

void check_failed(const char *file, int line, const char *what)
{
	char buf[256];
	int n = snprintf(buf, sizeof buf, "event=check.failed file=%s line=%d check=\"%s\"\n", file, line, what);

	if (n > 0) {
		/* write, not stdio: this process may be in any state */
		ssize_t ignored = write(STDERR_FILENO, buf, (size_t)n < sizeof buf ? (size_t)n : sizeof buf - 1);
		(void)ignored;
	}
	abort();
}
