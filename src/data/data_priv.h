/* What data/ keeps of one file. */
#ifndef DATA_PRIV_H
#define DATA_PRIV_H

#include "data/data.h"

struct mark {
	const json_t *node;
	unsigned line;
};
struct data {
	char *name;
	json_t *root;
	struct mark *marks; /* sorted by node */
	size_t mark_count, mark_cap;
};

#endif
