/* A text of a data file in both languages: {en: ..., nl: ...}. */
#ifndef RESPONSE_SAID_H
#define RESPONSE_SAID_H

#include "data/data.h"

struct said {
	const char *in[2]; /* English, Dutch: the order of cli/lang.h */
};
/* The texts live as long as d. */
enum err said_read(const struct data *d, const json_t *object, const char *key, struct said *out, char error[DATA_ERROR_MAX]) MUST_USE;
/* A moment: 2020-01-09 or 2020-01-09T12:00:00Z; *out keeps its value when the key is not there and not needed. */
enum err moment_read(const struct data *d, const json_t *object, const char *key, bool needed, uint64_t *out, char error[DATA_ERROR_MAX]) MUST_USE;

#endif
