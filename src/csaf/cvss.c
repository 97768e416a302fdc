/* The weights and formulas are those of the CVSS 2.0 guide (3.2) and of the CVSS 3.0 and 3.1 specifications (7, 8). */
#include "csaf/cvss.h"

#include <math.h>

/* Version 2: base, temporal, environmental. */
enum { V2_AV, V2_AC, V2_AU, V2_C, V2_I, V2_A, V2_E, V2_RL, V2_RC, V2_CDP, V2_TD, V2_CR, V2_IR, V2_AR, V2_COUNT };
enum { V3_AV, V3_AC, V3_PR, V3_UI, V3_S, V3_C, V3_I, V3_A, V3_E, V3_RL, V3_RC, V3_CR, V3_IR, V3_AR, V3_MAV, V3_MAC, V3_MPR, V3_MUI, V3_MS,
	V3_MC, V3_MI, V3_MA, V3_COUNT };

#define REQ_WORDS "LOW|MEDIUM|HIGH|NOT_DEFINED"
static const struct cvss_metric metrics2[V2_COUNT] = {
	[V2_AV] = { "AV", "accessVector", "L|A|N", "LOCAL|ADJACENT_NETWORK|NETWORK", true },
	[V2_AC] = { "AC", "accessComplexity", "H|M|L", "HIGH|MEDIUM|LOW", true },
	[V2_AU] = { "Au", "authentication", "M|S|N", "MULTIPLE|SINGLE|NONE", true },
	[V2_C] = { "C", "confidentialityImpact", "N|P|C", "NONE|PARTIAL|COMPLETE", true },
	[V2_I] = { "I", "integrityImpact", "N|P|C", "NONE|PARTIAL|COMPLETE", true },
	[V2_A] = { "A", "availabilityImpact", "N|P|C", "NONE|PARTIAL|COMPLETE", true },
	[V2_E] = { "E", "exploitability", "U|POC|F|H|ND", "UNPROVEN|PROOF_OF_CONCEPT|FUNCTIONAL|HIGH|NOT_DEFINED", false },
	[V2_RL] = { "RL", "remediationLevel", "OF|TF|W|U|ND", "OFFICIAL_FIX|TEMPORARY_FIX|WORKAROUND|UNAVAILABLE|NOT_DEFINED", false },
	[V2_RC] = { "RC", "reportConfidence", "UC|UR|C|ND", "UNCONFIRMED|UNCORROBORATED|CONFIRMED|NOT_DEFINED", false },
	[V2_CDP] = { "CDP", "collateralDamagePotential", "N|L|LM|MH|H|ND", "NONE|LOW|LOW_MEDIUM|MEDIUM_HIGH|HIGH|NOT_DEFINED", false },
	[V2_TD] = { "TD", "targetDistribution", "N|L|M|H|ND", "NONE|LOW|MEDIUM|HIGH|NOT_DEFINED", false },
	[V2_CR] = { "CR", "confidentialityRequirement", "L|M|H|ND", REQ_WORDS, false },
	[V2_IR] = { "IR", "integrityRequirement", "L|M|H|ND", REQ_WORDS, false },
	[V2_AR] = { "AR", "availabilityRequirement", "L|M|H|ND", REQ_WORDS, false },
};
#define AV3 "NETWORK|ADJACENT_NETWORK|LOCAL|PHYSICAL"
static const struct cvss_metric metrics3[V3_COUNT] = {
	[V3_AV] = { "AV", "attackVector", "N|A|L|P", AV3, true },
	[V3_AC] = { "AC", "attackComplexity", "L|H", "LOW|HIGH", true },
	[V3_PR] = { "PR", "privilegesRequired", "N|L|H", "NONE|LOW|HIGH", true },
	[V3_UI] = { "UI", "userInteraction", "N|R", "NONE|REQUIRED", true },
	[V3_S] = { "S", "scope", "U|C", "UNCHANGED|CHANGED", true },
	[V3_C] = { "C", "confidentialityImpact", "N|L|H", "NONE|LOW|HIGH", true },
	[V3_I] = { "I", "integrityImpact", "N|L|H", "NONE|LOW|HIGH", true },
	[V3_A] = { "A", "availabilityImpact", "N|L|H", "NONE|LOW|HIGH", true },
	[V3_E] = { "E", "exploitCodeMaturity", "U|P|F|H|X", "UNPROVEN|PROOF_OF_CONCEPT|FUNCTIONAL|HIGH|NOT_DEFINED", false },
	[V3_RL] = { "RL", "remediationLevel", "O|T|W|U|X", "OFFICIAL_FIX|TEMPORARY_FIX|WORKAROUND|UNAVAILABLE|NOT_DEFINED", false },
	[V3_RC] = { "RC", "reportConfidence", "U|R|C|X", "UNKNOWN|REASONABLE|CONFIRMED|NOT_DEFINED", false },
	[V3_CR] = { "CR", "confidentialityRequirement", "L|M|H|X", REQ_WORDS, false },
	[V3_IR] = { "IR", "integrityRequirement", "L|M|H|X", REQ_WORDS, false },
	[V3_AR] = { "AR", "availabilityRequirement", "L|M|H|X", REQ_WORDS, false },
	[V3_MAV] = { "MAV", "modifiedAttackVector", "N|A|L|P|X", AV3 "|NOT_DEFINED", false },
	[V3_MAC] = { "MAC", "modifiedAttackComplexity", "L|H|X", "LOW|HIGH|NOT_DEFINED", false },
	[V3_MPR] = { "MPR", "modifiedPrivilegesRequired", "N|L|H|X", "NONE|LOW|HIGH|NOT_DEFINED", false },
	[V3_MUI] = { "MUI", "modifiedUserInteraction", "N|R|X", "NONE|REQUIRED|NOT_DEFINED", false },
	[V3_MS] = { "MS", "modifiedScope", "U|C|X", "UNCHANGED|CHANGED|NOT_DEFINED", false },
	[V3_MC] = { "MC", "modifiedConfidentialityImpact", "N|L|H|X", "NONE|LOW|HIGH|NOT_DEFINED", false },
	[V3_MI] = { "MI", "modifiedIntegrityImpact", "N|L|H|X", "NONE|LOW|HIGH|NOT_DEFINED", false },
	[V3_MA] = { "MA", "modifiedAvailabilityImpact", "N|L|H|X", "NONE|LOW|HIGH|NOT_DEFINED", false },
};

size_t cvss_metric_count(enum cvss_kind kind)
{
	return kind == CVSS_2 ? V2_COUNT : V3_COUNT;
}

const struct cvss_metric *cvss_metric_at(enum cvss_kind kind, size_t i)
{
	CHECK(i < cvss_metric_count(kind));
	return kind == CVSS_2 ? &metrics2[i] : &metrics3[i];
}

bool cvss_word(const char *list, size_t n, struct bytes *out)
{
	struct bytes left = bytes_str(list);

	for (;; n--) {
		size_t bar = bytes_find_byte(left, '|');

		if (n == 0) {
			*out = bytes_cut(left, 0, bar);
			return true;
		}
		if (bar == SIZE_MAX)
			return false;
		left = bytes_cut(left, bar + 1, left.len);
	}
}

static enum err take_metric(struct cvss *v, struct bytes part)
{
	size_t colon = bytes_find_byte(part, ':');
	struct bytes name = bytes_cut(part, 0, colon), value = colon == SIZE_MAX ? BYTES("") : bytes_cut(part, colon + 1, part.len), word;

	for (size_t i = 0; colon != SIZE_MAX && i < cvss_metric_count(v->kind); i++) {
		const struct cvss_metric *m = cvss_metric_at(v->kind, i);

		if (!bytes_eq(name, bytes_str(m->letters)))
			continue;
		if (v->value[i] >= 0)
			return ERR_SYNTAX; /* twice */
		for (size_t k = 0; cvss_word(m->values, k, &word); k++)
			if (bytes_eq(word, value)) {
				v->value[i] = (signed char)k;
				return OK;
			}
	}
	return ERR_SYNTAX;
}

enum err cvss_parse(enum cvss_kind kind, const char *vector, struct cvss *out)
{
	static const struct bytes starts[] = { [CVSS_2] = LIT(""), [CVSS_30] = LIT("CVSS:3.0/"), [CVSS_31] = LIT("CVSS:3.1/") };
	struct cvss v = { .kind = kind };
	struct bytes left = bytes_str(vector);
	size_t slash;

	memset(v.value, -1, sizeof(v.value));
	if (!bytes_starts(left, starts[kind]))
		return ERR_SYNTAX;
	left = bytes_cut(left, starts[kind].len, left.len);
	do {
		slash = bytes_find_byte(left, '/');
		TRY(take_metric(&v, bytes_cut(left, 0, slash)));
		left = slash == SIZE_MAX ? BYTES("") : bytes_cut(left, slash + 1, left.len);
	} while (slash != SIZE_MAX);
	for (size_t i = 0; i < cvss_metric_count(kind); i++)
		if (cvss_metric_at(kind, i)->is_base && v.value[i] < 0)
			return ERR_SYNTAX;
	*out = v;
	return OK;
}

/* --- version 2 --- */

static double weight(const double *table, int value, int otherwise)
{
	return table[value < 0 ? otherwise : value];
}

static double tenth(double x)
{
	return round(x * 10 + 1e-9) / 10;
}

static const double v2_impact[] = { 0, 0.275, 0.660 };

static double v2_base(const struct cvss *v, double impact)
{
	static const double av[] = { 0.395, 0.646, 1.0 }, ac[] = { 0.35, 0.61, 0.71 }, au[] = { 0.45, 0.56, 0.704 };
	double exploitability = 20 * av[v->value[V2_AV]] * ac[v->value[V2_AC]] * au[v->value[V2_AU]];

	return tenth(((0.6 * impact) + (0.4 * exploitability) - 1.5) * (impact > 0 ? 1.176 : 0));
}

static double v2_temporal(const struct cvss *v, double base)
{
	static const double e[] = { 0.85, 0.9, 0.95, 1, 1 }, rl[] = { 0.87, 0.9, 0.95, 1, 1 }, rc[] = { 0.9, 0.95, 1, 1 };

	return tenth(base * weight(e, v->value[V2_E], 4) * weight(rl, v->value[V2_RL], 4) * weight(rc, v->value[V2_RC], 3));
}

static void compute2(const struct cvss *v, struct cvss_scores *out)
{
	static const double cdp[] = { 0, 0.1, 0.3, 0.4, 0.5, 0 }, td[] = { 0, 0.25, 0.75, 1, 1 }, need[] = { 0.5, 1, 1.51, 1 };
	double c = v2_impact[v->value[V2_C]], i = v2_impact[v->value[V2_I]], a = v2_impact[v->value[V2_A]];
	double impact = 10.41 * (1 - (1 - c) * (1 - i) * (1 - a)), adjusted, temporal;

	out->base = v2_base(v, impact);
	out->temporal = v2_temporal(v, out->base);
	adjusted = 10.41 * (1 - (1 - c * weight(need, v->value[V2_CR], 3)) * (1 - i * weight(need, v->value[V2_IR], 3)) *
		(1 - a * weight(need, v->value[V2_AR], 3)));
	temporal = v2_temporal(v, v2_base(v, fmin(10, adjusted)));
	out->environmental = tenth((temporal + (10 - temporal) * weight(cdp, v->value[V2_CDP], 5)) * weight(td, v->value[V2_TD], 4));
}

/* --- version 3 --- */

/* 3.0 rounds up plainly; 3.1 (appendix A) looks at five digits, so that the machine's arithmetic does not show. */
static double round_up(enum cvss_kind kind, double x)
{
	long n;

	if (kind == CVSS_30)
		return ceil(x * 10 - 1e-9) / 10;
	n = lround(x * 100000);
	return n % 10000 == 0 ? (double)n / 100000 : (double)(n / 10000 + 1) / 10;
}

static double exploitability3(int av, int ac, int pr, int ui, bool is_changed)
{
	static const double avs[] = { 0.85, 0.62, 0.55, 0.2 }, acs[] = { 0.77, 0.44 }, uis[] = { 0.85, 0.62 };
	static const double prs[2][3] = { { 0.85, 0.62, 0.27 }, { 0.85, 0.68, 0.5 } };

	return 8.22 * avs[av] * acs[ac] * prs[is_changed][pr] * uis[ui];
}

static const double v3_impact[] = { 0, 0.22, 0.56 };

static double temporal3(const struct cvss *v, double score)
{
	static const double e[] = { 0.91, 0.94, 0.97, 1, 1 }, rl[] = { 0.95, 0.96, 0.97, 1, 1 }, rc[] = { 0.92, 0.96, 1, 1 };

	return round_up(v->kind, score * weight(e, v->value[V3_E], 4) * weight(rl, v->value[V3_RL], 4) * weight(rc, v->value[V3_RC], 3));
}

/* The modified metric, or the base metric that it stands for. */
static int modified(const struct cvss *v, int m, int base)
{
	struct bytes word;
	int value = v->value[m];

	if (value < 0 || (cvss_word(metrics3[m].values, (size_t)value, &word) && bytes_eq(word, BYTES("X"))))
		return v->value[base];
	return value;
}

static double environmental3(const struct cvss *v)
{
	static const double need[] = { 0.5, 1, 1.5, 1 };
	bool is_changed = modified(v, V3_MS, V3_S) == 1;
	double c = v3_impact[modified(v, V3_MC, V3_C)] * weight(need, v->value[V3_CR], 3);
	double i = v3_impact[modified(v, V3_MI, V3_I)] * weight(need, v->value[V3_IR], 3);
	double a = v3_impact[modified(v, V3_MA, V3_A)] * weight(need, v->value[V3_AR], 3);
	double miss = fmin(1 - (1 - c) * (1 - i) * (1 - a), 0.915), impact, sum;

	if (!is_changed)
		impact = 6.42 * miss;
	else if (v->kind == CVSS_30)
		impact = 7.52 * (miss - 0.029) - 3.25 * pow(miss - 0.02, 15);
	else
		impact = 7.52 * (miss - 0.029) - 3.25 * pow(miss * 0.9731 - 0.02, 13);
	if (impact <= 0)
		return 0;
	sum = impact + exploitability3(modified(v, V3_MAV, V3_AV), modified(v, V3_MAC, V3_AC), modified(v, V3_MPR, V3_PR),
		modified(v, V3_MUI, V3_UI), is_changed);
	return temporal3(v, round_up(v->kind, fmin((is_changed ? 1.08 : 1) * sum, 10)));
}

static void compute3(const struct cvss *v, struct cvss_scores *out)
{
	bool is_changed = v->value[V3_S] == 1;
	double iss = 1 - (1 - v3_impact[v->value[V3_C]]) * (1 - v3_impact[v->value[V3_I]]) * (1 - v3_impact[v->value[V3_A]]);
	double impact = is_changed ? 7.52 * (iss - 0.029) - 3.25 * pow(iss - 0.02, 15) : 6.42 * iss;
	double sum = impact + exploitability3(v->value[V3_AV], v->value[V3_AC], v->value[V3_PR], v->value[V3_UI], is_changed);

	out->base = impact <= 0 ? 0 : round_up(v->kind, fmin((is_changed ? 1.08 : 1) * sum, 10));
	out->temporal = temporal3(v, out->base);
	out->environmental = environmental3(v);
}

void cvss_compute(const struct cvss *v, struct cvss_scores *out)
{
	if (v->kind == CVSS_2)
		compute2(v, out);
	else
		compute3(v, out);
}

const char *cvss_severity(double score)
{
	return score <= 0 ? "NONE" : score < 4 ? "LOW" : score < 7 ? "MEDIUM" : score < 9 ? "HIGH" : "CRITICAL";
}
