/* CVSS 2.0, 3.0 and 3.1 (FIRST): vectors taken apart and scores computed from them, with the standards' own rounding. */
#ifndef CSAF_CVSS_H
#define CSAF_CVSS_H

#include "base/bytes.h"

#define CVSS_METRICS_MAX 22

enum cvss_kind { CVSS_2, CVSS_30, CVSS_31 };

struct cvss {
	enum cvss_kind kind;
	signed char value[CVSS_METRICS_MAX]; /* of each metric which value; -1: not given */
};

struct cvss_scores {
	double base, temporal, environmental; /* each as if the metrics below it were not defined where they are not */
};

/* One metric: the vector's letters, the JSON property, its values (the vector's letters and the JSON words, in one order). */
struct cvss_metric {
	const char *letters, *property;
	const char *values;	 /* "N|L|H" */
	const char *words;	 /* "NONE|LOW|HIGH" */
	bool is_base;
};
size_t cvss_metric_count(enum cvss_kind kind);
const struct cvss_metric *cvss_metric_at(enum cvss_kind kind, size_t i);

/* ERR_SYNTAX: no vector of this kind, a metric twice, or one of the base metrics is missing. */
enum err cvss_parse(enum cvss_kind kind, const char *vector, struct cvss *out) MUST_USE;
void cvss_compute(const struct cvss *v, struct cvss_scores *out);
/* "NONE", "LOW", "MEDIUM", "HIGH", "CRITICAL" (version 3). */
const char *cvss_severity(double score);
/* Word number n of a list with bars; false: there is none. */
bool cvss_word(const char *list, size_t n, struct bytes *out);

#endif
