/* Data files in YAML (inventories, indicator packs, verdicts, plans) as trees of jansson values that know their lines. All scalars
 * are strings: a version 13.10, a date or "no" stays what was written. What two readers could read differently is refused: a key
 * twice, anchors, aliases, tags, several documents. */
#ifndef DATA_DATA_H
#define DATA_DATA_H

#include "base/bytes.h"
#include "base/err.h"

#include <jansson.h>
#include <stdarg.h>

#define DATA_FILE_MAX  (8u << 20)
#define DATA_DEPTH_MAX 32
#define DATA_ERROR_MAX 400

struct data;

/* text: one YAML document. name: of the file, for errors; copied. ERR_SYNTAX with error filled ("FILE:LINE:COLUMN: what is wrong"),
 * ERR_LIMIT (too large or too deep, with error), ERR_MEMORY. */
enum err data_read(struct bytes text, const char *name, struct data **out, char error[DATA_ERROR_MAX]) MUST_USE;
/* The same of one document among several in a file: text is the part between two lines "---", lines_before how many lines of the file
 * stand before it, so that errors name the file's own lines. */
enum err data_read_part(struct bytes text, const char *name, size_t lines_before, struct data **out, char error[DATA_ERROR_MAX]) MUST_USE;
void data_free(struct data **d);
/* Borrowed: lives as long as d. Never NULL; an empty file is an empty object. */
const json_t *data_root(const struct data *d);
const char *data_name(const struct data *d);
/* Where a value (not a copy) begins; 1 when it is not of this file. */
unsigned data_line(const struct data *d, const json_t *node);
/* Writes "FILE:LINE: " and the words; returns ERR_SYNTAX. */
enum err data_fail(const struct data *d, const json_t *at, char error[DATA_ERROR_MAX], const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* --- taking values; each answers ERR_SYNTAX with the error's words --- */

/* object is a map, and has no keys but those of `keys` ("name source build"); a key that is nearly one is named. */
enum err data_keys(const struct data *d, const json_t *object, const char *keys, char error[DATA_ERROR_MAX]) MUST_USE;
/* The text under key: NULL in *out when it is not there and not needed. */
enum err data_text(const struct data *d, const json_t *object, const char *key, bool needed, const char **out, char error[DATA_ERROR_MAX]) MUST_USE;
/* The list under key; a single text is not a list. *out NULL when it is not there and not needed. */
enum err data_list(const struct data *d, const json_t *object, const char *key, bool needed, const json_t **out, char error[DATA_ERROR_MAX]) MUST_USE;
/* true, false. *out keeps its value when the key is not there. */
enum err data_bool(const struct data *d, const json_t *object, const char *key, bool *out, char error[DATA_ERROR_MAX]) MUST_USE;
/* A decimal number of at most `most`. *out keeps its value when the key is not there. */
enum err data_number(const struct data *d, const json_t *object, const char *key, uint64_t most, uint64_t *out, char error[DATA_ERROR_MAX]) MUST_USE;
/* "NAME: what is wrong" for a text that is none of the words of `words`; *out is its place in them. */
enum err data_choice(const struct data *d, const json_t *object, const char *key, bool needed, const char *words, unsigned *out, char error[DATA_ERROR_MAX]) MUST_USE;

#endif
