/* What the files of this room share: reporting with a JSON pointer, walking, and the functions behind each test's number. */
#ifndef CSAF_CSAF_PRIV_H
#define CSAF_CSAF_PRIV_H

#include "csaf/csaf.h"

struct check {
	const json_t *doc;
	const struct csaf_lists *lists;
	struct csaf_findings *out;
	const char *test; /* which one runs */
	json_t *products; /* id -> name */
	json_t *groups;	  /* id -> array of product ids (borrowed strings inside) */
	size_t steps_left; /* members of groups that may still be gone through */
	bool is_stopped;   /* there were more, and that was reported */
};

/* Where in the document: a list from the inside out, on the stack of whoever walks. key NULL: index. */
struct at {
	const struct at *up;
	const char *key;
	size_t index;
};
#define AT(up, key)    (&(struct at){ (up), (key), 0 })
#define AT_I(up, i)    (&(struct at){ (up), NULL, (i) })

void report(struct check *c, const struct at *at, const char *fmt, ...) PRINTF(3, 4);

/* Members by path, NULL-safe. */
const json_t *get(const json_t *o, const char *key);
const char *text_at(const json_t *o, const char *key); /* NULL: not there or no text */
const json_t *get2(const json_t *o, const char *a, const char *b);

/* Each product (full_product_name_t) of the product tree. */
typedef void product_fn(struct check *c, const json_t *product, const struct at *at, void *ctx);
void each_product(struct check *c, product_fn *fn, void *ctx);
/* Each branch. */
void each_branch(struct check *c, product_fn *fn, void *ctx);
/* Whether so many members of a group may be gone through: a small document may name a large group again and again, and no time is
 * multiplied by that. False: it was reported, once, and whoever asked compares no more. */
bool may_step(struct check *c, size_t steps, const struct at *at) MUST_USE;

/* --- syntax.c: texts of one form --- */
bool is_version(const char *s);
bool is_integer_version(const char *s);
bool is_language(const char *s);
bool is_date_time(const char *s);
bool is_uri(const char *s);
bool is_cpe(const char *s);
bool is_purl_start(const char *s);
bool is_purl(const char *s);
bool is_cve(const char *s);
bool is_cwe(const char *s);
bool is_hash(const char *s);
bool is_trimmed(const char *s);   /* no white space at either end */
bool is_category(const char *s);  /* the same, nor - _ . */
/* Seconds since 1970 and nanoseconds of an RFC 3339 date-time. False: it is none. */
bool date_value(const char *s, int64_t *seconds, uint32_t *nanos);
int date_cmp(const char *a, const char *b);
bool has_pre_release(const char *version);
unsigned long version_major(const char *version);
/* How much of a semantic version counts: without build metadata, and without the pre-release part if is_draft. */
bool version_same(const char *a, const char *b, bool is_draft);

/* --- schema.c --- */
void check_schema(struct check *c);
/* The shapes of CVSS 2 and 3 (6.1.8). */
void check_cvss2_shape(struct check *c, const json_t *v, const struct at *at);
void check_cvss3_shape(struct check *c, const json_t *v, const struct at *at);

/* --- the tests --- */
#define TEST(number, symbol, title) void test_##symbol(struct check *c);
#include "csaf/tests.tbl"
#undef TEST

#endif
