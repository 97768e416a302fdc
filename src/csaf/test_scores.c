/* Mandatory tests about scores and weaknesses: 6.1.7 to 6.1.11. */
#include "csaf/csaf_priv.h"
#include "csaf/cvss.h"

#include <math.h>

typedef void score_fn(struct check *c, const json_t *cvss, enum cvss_kind kind, const struct at *at);

/* Which version an object of cvss_v2 or cvss_v3 says that it is. */
static enum cvss_kind kind_of(const json_t *cvss, bool is_v2)
{
	const char *version = text_at(cvss, "version");

	return is_v2 ? CVSS_2 : version && strcmp(version, "3.0") == 0 ? CVSS_30 : CVSS_31;
}

static void each_score(struct check *c, score_fn *fn)
{
	json_t *vulnerability, *score;
	size_t i, k;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability)
		json_array_foreach (get(vulnerability, "scores"), k, score) {
			const struct at *at = AT_I(AT(AT_I(AT(NULL, "vulnerabilities"), i), "scores"), k);

			if (json_is_object(get(score, "cvss_v2")))
				fn(c, get(score, "cvss_v2"), CVSS_2, AT(at, "cvss_v2"));
			if (json_is_object(get(score, "cvss_v3")))
				fn(c, get(score, "cvss_v3"), kind_of(get(score, "cvss_v3"), false), AT(at, "cvss_v3"));
		}
}

/* --- 6.1.7 --- */

static void note_score(struct check *c, json_t *seen, const char *product, enum cvss_kind kind, const struct at *at)
{
	static const char *const names[] = { [CVSS_2] = "2.0", [CVSS_30] = "3.0", [CVSS_31] = "3.1" };
	unsigned bits = (unsigned)json_integer_value(json_object_get(seen, product));

	if (bits & (1u << kind))
		report(c, at, "'%.80s' has more than one score of CVSS %s", product, names[kind]);
	json_object_set_new(seen, product, json_integer((json_int_t)(bits | (1u << kind))));
}

void test_double_score(struct check *c)
{
	json_t *vulnerability, *score, *product;
	size_t i, k, n;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		json_t *seen = json_object();

		json_array_foreach (get(vulnerability, "scores"), k, score)
			json_array_foreach (get(score, "products"), n, product) {
				const struct at *at = AT_I(AT(AT_I(AT(AT_I(AT(NULL, "vulnerabilities"), i), "scores"), k), "products"), n);

				if (!json_is_string(product))
					continue;
				if (get(score, "cvss_v2"))
					note_score(c, seen, json_string_value(product), CVSS_2, at);
				if (get(score, "cvss_v3"))
					note_score(c, seen, json_string_value(product), kind_of(get(score, "cvss_v3"), false), at);
			}
		json_decref(seen);
	}
}

/* --- 6.1.8 to 6.1.10 --- */

static void check_shape(struct check *c, const json_t *cvss, enum cvss_kind kind, const struct at *at)
{
	if (kind == CVSS_2)
		check_cvss2_shape(c, cvss, at);
	else
		check_cvss3_shape(c, cvss, at);
}

void test_cvss_shape(struct check *c)
{
	each_score(c, check_shape);
}

static void check_number(struct check *c, const json_t *cvss, const char *key, double want, const struct at *at)
{
	const json_t *v = get(cvss, key);

	if (json_is_number(v) && fabs(json_number_value(v) - want) > 0.001)
		report(c, AT(at, key), "is %.1f; the vector gives %.1f", json_number_value(v), want);
}

static void check_severity(struct check *c, const json_t *cvss, const char *key, double score, const struct at *at)
{
	const char *said = text_at(cvss, key);

	if (said && strcmp(said, cvss_severity(score)) != 0)
		report(c, AT(at, key), "is %.20s; the score %.1f is %s", said, score, cvss_severity(score));
}

static void check_computation(struct check *c, const json_t *cvss, enum cvss_kind kind, const struct at *at)
{
	const char *vector = text_at(cvss, "vectorString");
	struct cvss_scores s;
	struct cvss v;

	if (!vector || cvss_parse(kind, vector, &v) != OK)
		return; /* 6.1.8 says so */
	cvss_compute(&v, &s);
	check_number(c, cvss, "baseScore", s.base, at);
	check_number(c, cvss, "temporalScore", s.temporal, at);
	check_number(c, cvss, "environmentalScore", s.environmental, at);
	if (kind == CVSS_2)
		return;
	check_severity(c, cvss, "baseSeverity", s.base, at);
	check_severity(c, cvss, "temporalSeverity", s.temporal, at);
	check_severity(c, cvss, "environmentalSeverity", s.environmental, at);
}

void test_cvss_computation(struct check *c)
{
	each_score(c, check_computation);
}

static void check_consistency(struct check *c, const json_t *cvss, enum cvss_kind kind, const struct at *at)
{
	const char *vector = text_at(cvss, "vectorString");
	struct bytes word;
	struct cvss v;

	if (!vector || cvss_parse(kind, vector, &v) != OK)
		return;
	for (size_t i = 0; i < cvss_metric_count(kind); i++) {
		const struct cvss_metric *m = cvss_metric_at(kind, i);
		const char *said = text_at(cvss, m->property);

		if (!said)
			continue;
		if (v.value[i] < 0 || !cvss_word(m->words, (size_t)v.value[i], &word))
			word = BYTES("NOT_DEFINED");
		if (!bytes_eq(word, bytes_str(said)))
			report(c, AT(at, m->property), "is %.40s; the vector says %.*s", said, FMT(word));
	}
}

void test_cvss_inconsistent(struct check *c)
{
	each_score(c, check_consistency);
}

/* --- 6.1.11 --- */

static void check_weakness(struct check *c, const json_t *cwe, const struct at *at)
{
	const char *id = text_at(cwe, "id"), *name = text_at(cwe, "name"), *known;

	if (!id || !name)
		return;
	known = c->lists && c->lists->weaknesses ? text_at(c->lists->weaknesses, id) : NULL;
	if (known && strcmp(known, name) != 0)
		report(c, AT(at, "name"), "%.12s is called '%.200s'", id, known);
	else if (!known && c->lists && c->lists->weaknesses && c->lists->is_complete)
		report(c, AT(at, "id"), "%.12s is no weakness of the CWE list", id);
	else if (!known)
		c->out->unchecked++;
}

void test_weakness(struct check *c)
{
	json_t *vulnerability;
	size_t i;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability)
		check_weakness(c, get(vulnerability, "cwe"), AT(AT_I(AT(NULL, "vulnerabilities"), i), "cwe"));
}
