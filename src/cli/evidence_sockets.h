/* The machine's sockets and who holds them, as JSON. */
#ifndef CLI_EVIDENCE_SOCKETS_H
#define CLI_EVIDENCE_SOCKETS_H

#include "cli/evidence_priv.h"

struct owner {
	uint64_t inode;
	long pid;
};
struct owners { /* sorted by inode */
	struct owner *at;
	size_t count, cap, unreadable;
};
void owners_read(struct owners *o);
void owners_fini(struct owners *o);

/* An array of rows; what cannot be read is noted in c. */
json_t *evidence_sockets(struct collect *c);

#endif
