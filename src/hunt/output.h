/* How a hunt is told: one set of calls, implemented by the table and JSON lines of sluis hunt and by each report format. Who
 * implements it writes to what its ctx holds; nothing here opens a file. */
#ifndef HUNT_OUTPUT_H
#define HUNT_OUTPUT_H

#include "hunt/hunt.h"

/* begin comes once, with what is known at that moment (window, host, packs, version); finding and problem as they come, in the order
 * in which the input was read; end once, with everything. None of the pointers is NULL. Texts hold during the call; those that came from
 * what was examined are raw bytes. */
struct hunt_output {
	void (*begin)(void *ctx, const struct hunt_summary *s);
	void (*finding)(void *ctx, const struct hunt_finding *f);
	void (*problem)(void *ctx, const char *where, const char *what);
	void (*end)(void *ctx, const struct hunt_summary *s);
	void *ctx;
};

#endif
