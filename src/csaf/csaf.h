/* CSAF 2.0 documents (OASIS Common Security Advisory Framework): read, held against the standard's structure and its mandatory tests
 * 6.1.1 to 6.1.33, and summarised. Bytes and values only: no file, no clock, no network. */
#ifndef CSAF_CSAF_H
#define CSAF_CSAF_H

#include "base/bytes.h"
#include "base/text.h"

#include <jansson.h>

#define CSAF_DOCUMENT_MAX (16u << 20)
#define CSAF_FINDINGS_MAX 200 /* what is found beyond these is counted only */
#define CSAF_DEPTH_MAX	  64
#define CSAF_VERSION_MAX  255 /* octets of a version */
#define CSAF_GROUP_STEPS_MAX 2000000u /* members of groups, each time that a group is referred to */
#define CSAF_POINTER_MAX  256
#define CSAF_WORDS_MAX	  400

/* What is wrong: test is "schema" or a number such as "6.1.27.4"; pointer is a JSON Pointer (RFC 6901) into the document. */
struct csaf_finding {
	const char *test;
	char pointer[CSAF_POINTER_MAX];
	char words[CSAF_WORDS_MAX];
};

struct csaf_findings {
	struct csaf_finding *list; /* at most CSAF_FINDINGS_MAX of them */
	size_t count;		   /* all, those that did not fit too */
	size_t unchecked;	   /* names of weaknesses or languages that the lists given do not have */
};

/* Lists that two tests need: borrowed, may be NULL (then what they would tell is counted as unchecked). */
struct csaf_lists {
	const json_t *weaknesses; /* {"CWE-22": "its name", ...}, of csaf_weaknesses() */
	bool is_complete;	  /* an id that is not in it does not exist */
	const json_t *languages;  /* {"nl": "", "nld": "", ...}: primary language subtags, of csaf_languages() */
};

struct csaf_test {
	const char *number, *title;
};

/* The mandatory tests, in the standard's order. */
size_t csaf_test_count(void);
struct csaf_test csaf_test_at(size_t i);

/* One JSON document, strictly (no key twice, nothing behind it). ERR_SYNTAX or ERR_LIMIT with the words in error; the caller owns *out. */
enum err csaf_parse(struct bytes in, json_t **out, char error[CSAF_WORDS_MAX]) MUST_USE;
/* All that is wrong with doc. Tests that the structure makes senseless say nothing. The caller calls csaf_findings_fini. */
void csaf_validate(const json_t *doc, const struct csaf_lists *lists, struct csaf_findings *out);
void csaf_findings_fini(struct csaf_findings *f);

/* "CWE-ID name" per line; lines that begin with # are comments. ERR_SYNTAX: a line is something else. *out is the caller's. */
enum err csaf_weaknesses(struct bytes text, json_t **out) MUST_USE;
/* One subtag per line, likewise. */
enum err csaf_languages(struct bytes text, json_t **out) MUST_USE;

/* Views into doc, which is valid; "" where the document does not say. */
struct csaf_summary {
	const char *id, *version, *title, *date, *status, *publisher, *namespace, *tlp;
	char severity[48]; /* "9.8 CRITICAL", or the aggregate severity */
	double score;	   /* 0: none */
};
void csaf_summarise(const json_t *doc, struct csaf_summary *out);
/* {id: name} of all products; the caller's. */
json_t *csaf_product_names(const json_t *doc);
/* Versions of documents: 1 < 2, 1.0.0-1 < 1.0.0 < 1.2.0; build metadata does not count. What is no version comes first. */
int csaf_version_cmp(const char *a, const char *b);
/* The file's name that the standard (5.1) makes of an id: lower case, all but [a-z0-9+-] becomes _, ".json". ERR_LIMIT: too long; ERR_SYNTAX: empty. */
enum err csaf_file_name(const char *id, char out[256]) MUST_USE;

#endif
