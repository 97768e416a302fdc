/* Tables for people: each column as wide as what stands in it, counted in characters. */
#ifndef CLI_COLUMNS_H
#define CLI_COLUMNS_H

#include "base/bytes.h"

#include <stdio.h>

#define COLUMNS_MAX 12

struct columns {
	size_t count; /* of columns, at most COLUMNS_MAX */
	char **cells;
	size_t used, cap;
};

/* head: the columns' names with '|' between. */
void columns_init(struct columns *c, const char *head);
/* Without such a row. */
void columns_init_bare(struct columns *c, size_t count);
/* The next cell, row by row; cut after most characters (0: never). Nothing of it steers a terminal. */
void columns_add(struct columns *c, struct bytes cell, size_t most);
/* Prints it and frees it. */
void columns_print(struct columns *c, FILE *to);

#endif
