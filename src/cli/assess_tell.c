/* Verdicts for people and for programs: never a verdict without its reasons, dates, sources and next steps. */
#define _GNU_SOURCE
#include "cli/assess_priv.h"

#include "base/clock.h"
#include "ledger/record.h"

#include <stdlib.h>

const char *assess_verdict_word(const struct cli *cli, enum verdict v)
{
	static const enum word words[VERDICT_COUNT] = { W_ASSESS_V_NOT_AFFECTED, W_ASSESS_V_FIXED, W_ASSESS_V_LIMITED, W_ASSESS_V_CANNOT_TELL,
		W_ASSESS_V_ASSUME, W_ASSESS_V_EVIDENCE };

	return cli_word(cli, words[v]);
}

const char *assess_name(const struct assess_job *j, const struct inventory_appliance *a)
{
	static char name[128];

	if (a)
		return a->name;
	if (!j->conf.host_name.len)
		return cli_word(j->cli, W_ASSESS_THIS);
	snprintf(name, sizeof(name), "%.*s", (int)(j->conf.host_name.len > 100 ? 100 : j->conf.host_name.len), (const char *)j->conf.host_name.at);
	for (char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
			*c = '?';
	return name;
}

static const char *day(uint64_t us, char out[25])
{
	clock_rfc3339(us, out);
	out[10] = 0;
	return out;
}

static const char *build_text(const struct ns_version *v, char out[48])
{
	struct text t;

	text_init(&t, out, 47);
	ns_version_write(v, &t);
	out[t.len] = 0;
	return out;
}

static void reason_build(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent)
{
	const struct assess_result *r = &v->result;
	char build[48], fixed[48] = "", when[25];

	if (!r->has_build)
		return;
	build_text(&r->build, build);
	fputs(indent, to);
	switch (r->facts[FACT_BUILD]) {
	case BUILD_AFFECTED:
	case BUILD_FIXED:
		if (r->line && r->line->state == BUILD_UNKNOWN) {
			cli_say(cli, to, W_ASSESS_BUILD_NAMED, build);
			break;
		}
		cli_say(cli, to, r->facts[FACT_BUILD] == BUILD_FIXED ? W_ASSESS_BUILD_FIXED : W_ASSESS_BUILD_AFFECTED, build,
			r->line ? build_text(&r->line->fixed, fixed) : "?", r->line ? day(r->line->released_us, when) : "?");
		break;
	case BUILD_NO_FIX: cli_say(cli, to, W_ASSESS_BUILD_NO_FIX, build); break;
	case BUILD_NOT_AFFECTED: cli_say(cli, to, W_ASSESS_BUILD_NOT_AFFECTED, build); break;
	default: cli_say(cli, to, W_ASSESS_BUILD_UNKNOWN, build); break;
	}
	if (r->line && r->line->state == BUILD_UNKNOWN && r->line->claimed.in[0])
		fprintf(to, "%s%s\n", indent, r->line->claimed.in[cli->lang]);
	if (r->builds_differ) {
		fputs(indent, to);
		cli_say(cli, to, W_ASSESS_BUILDS_DIFFER);
	}
}

static void reason_precondition(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent)
{
	static const enum word words[] = { W_ASSESS_PRE_UNKNOWN, W_ASSESS_PRE_MET, W_ASSESS_PRE_UNMET };

	if (!v->decision->precondition)
		return;
	fputs(indent, to);
	cli_say(cli, to, words[v->result.facts[FACT_PRECONDITION]], v->decision->precondition_what.in[cli->lang]);
}

static void reason_dates(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent)
{
	const struct inventory_appliance *a = v->appliance;
	char published[25], exploit[25], when[25];

	fputs(indent, to);
	cli_say(cli, to, W_ASSESS_DATES, day(v->decision->published_us, published), day(v->decision->exploit_us, exploit), v->decision->exploit_note.in[cli->lang]);
	if (v->result.patched_us) {
		fputs(indent, to);
		cli_say(cli, to, W_ASSESS_PATCHED, day(v->result.patched_us, when));
	}
	if (a && (a->never_exposed || a->exposed_us)) {
		fputs(indent, to);
		cli_say(cli, to, a->never_exposed ? W_ASSESS_EXPOSED_NEVER : W_ASSESS_EXPOSED, day(a->exposed_us, when));
	} else if (v->result.facts[FACT_EXPOSED] == EXPOSED_UNKNOWN) {
		fputs(indent, to);
		cli_say(cli, to, W_ASSESS_EXPOSED_UNKNOWN);
	}
}

static void reason_mitigation(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent)
{
	static const enum word effects[] = { W_ASSESS_E_UNKNOWN, W_ASSESS_E_EFFECTIVE, W_ASSESS_E_INEFFECTIVE, W_ASSESS_E_UNCERTAIN, W_ASSESS_E_INCOMPLETE };
	const struct assess_result *r = &v->result;
	unsigned fact = r->facts[FACT_MITIGATION];
	char when[25], build[48] = "?";

	if (!v->decision->mitigation.is_there)
		return;
	fputs(indent, to);
	if (fact == MITIGATION_NONE || fact == MITIGATION_UNKNOWN) {
		cli_say(cli, to, fact == MITIGATION_NONE ? W_ASSESS_M_NONE : W_ASSESS_M_UNKNOWN);
		return;
	}
	if (fact == MITIGATION_UNDATED)
		cli_say(cli, to, W_ASSESS_M_UNDATED);
	else
		cli_say(cli, to, fact == MITIGATION_BEFORE ? W_ASSESS_M_BEFORE : W_ASSESS_M_AFTER, day(r->mitigated_us, when));
	if (r->has_build_then)
		build_text(&r->build_then, build);
	fputs(indent, to);
	cli_say(cli, to, effects[r->facts[FACT_EFFECT]], build);
	if (r->has_parts) {
		fputs(indent, to);
		cli_say(cli, to, W_ASSESS_PARTS, __builtin_popcount(r->parts), __builtin_popcount(r->parts_wanted));
	}
}

void assess_reasons(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent)
{
	static const enum word sessions[] = { W_ASSESS_S_UNKNOWN, W_ASSESS_S_ENDED, W_ASSESS_S_NOT };
	static const enum word findings[] = { W_ASSESS_F_NOT, W_ASSESS_F_NONE, W_ASSESS_F_OTHER, W_ASSESS_F_COMPROMISE };

	reason_build(cli, v, to, indent);
	reason_precondition(cli, v, to, indent);
	reason_dates(cli, v, to, indent);
	reason_mitigation(cli, v, to, indent);
	if (v->result.patched_us) {
		fputs(indent, to);
		cli_say(cli, to, sessions[v->result.facts[FACT_SESSIONS]]);
	}
	fputs(indent, to);
	cli_say(cli, to, findings[v->result.facts[FACT_FINDINGS]]);
}

static const struct {
	unsigned bit;
	const char *code;
	enum word word;
} missing[] = { { MISSING_BUILD, "build", W_ASSESS_Q_BUILD }, { MISSING_EDITION, "edition", W_ASSESS_Q_EDITION }, { MISSING_LINE, "line", W_ASSESS_Q_LINE },
	{ MISSING_CONF, "ns_conf", W_ASSESS_Q_CONF }, { MISSING_UPDATED, "updates", W_ASSESS_Q_UPDATED }, { MISSING_EXPOSED, "exposed_since", W_ASSESS_Q_EXPOSED },
	{ MISSING_MITIGATION, "mitigations", W_ASSESS_Q_MITIGATION }, { MISSING_MITIGATION_DATE, "mitigations.on", W_ASSESS_Q_MITIGATION_DATE },
	{ MISSING_MITIGATION_BUILD, "mitigations.build", W_ASSESS_Q_MITIGATION_BUILD }, { MISSING_VERIFIED, "mitigations.verified", W_ASSESS_Q_VERIFIED },
	{ MISSING_RC, "rc.netscaler", W_ASSESS_Q_RC }, { MISSING_SESSIONS, "updates.sessions_ended", W_ASSESS_Q_SESSIONS } };

/* Who knows the verdict need not be asked what would not change it; what would is asked where nothing can be told. */
void assess_missing(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent)
{
	for (size_t i = 0; i < COUNT_OF(missing); i++)
		if (v->result.missing & missing[i].bit)
			fprintf(to, "%s%s\n", indent, cli_word(cli, missing[i].word));
}

static void tell_sources(const struct assess_verdict *v, FILE *to)
{
	const struct decision_row *row = v->result.row;
	const struct decision_source *vendor = &v->decision->sources[0];

	fprintf(to, "      %s: %s\n", vendor->what, vendor->url);
	for (size_t i = 0; i < row->source_count; i++) {
		const struct decision_source *s = decision_find_source(v->decision, row->sources[i]);

		if (s && s != vendor)
			fprintf(to, "      %s: %s\n", s->what, s->url);
	}
}

void assess_tell(const struct cli *cli, const struct assess_verdict *v, FILE *to)
{
	const struct decision_row *row = v->result.row;

	fprintf(to, "  %s (%s, CVSS %s)\n    %s: %s\n    %s\n", v->decision->cve, v->decision->title.in[cli->lang], v->decision->severity,
		cli_word(cli, W_ASSESS_VERDICT), assess_verdict_word(cli, row->verdict), row->why.in[cli->lang]);
	fprintf(to, "    %s:\n", cli_word(cli, W_ASSESS_REASONS));
	assess_reasons(cli, v, to, "      - ");
	if (row->verdict == VERDICT_CANNOT_TELL && v->result.missing) {
		fprintf(to, "    %s:\n", cli_word(cli, W_ASSESS_MISSING));
		assess_missing(cli, v, to, "      ? ");
	}
	fprintf(to, "    %s:\n", cli_word(cli, W_ASSESS_NEXT));
	for (size_t i = 0; i < row->advice_count; i++)
		fprintf(to, "      %zu. %s\n", i + 1, row->advice[i].in[cli->lang]);
	fprintf(to, "    %s:\n", cli_word(cli, W_ASSESS_SOURCES));
	tell_sources(v, to);
}

void assess_print(const struct assess_job *j)
{
	const struct inventory_appliance *last = NULL;
	bool is_first = true;

	printf("%-24s %-16s %s\n", cli_word(j->cli, W_ASSESS_COL_APPLIANCE), cli_word(j->cli, W_ASSESS_COL_ADVISORY), cli_word(j->cli, W_ASSESS_COL_VERDICT));
	for (size_t i = 0; i < j->verdict_count; i++)
		printf("%-24s %-16s %s\n", assess_name(j, j->verdicts[i].appliance), j->verdicts[i].decision->cve,
			assess_verdict_word(j->cli, j->verdicts[i].result.row->verdict));
	for (size_t i = 0; i < j->verdict_count; i++) {
		const struct assess_verdict *v = &j->verdicts[i];

		if (is_first || v->appliance != last) {
			printf("\n%s\n", assess_name(j, v->appliance));
			assess_weigh(j, v->appliance, stdout);
		}
		is_first = false;
		last = v->appliance;
		assess_tell(j->cli, v, stdout);
	}
	printf("\n%s\n", cli_word(j->cli, W_ASSESS_FOOT));
}

/* --- for programs: English, whatever the language asked for --- */

typedef void telling(const struct cli *cli, const struct assess_verdict *v, FILE *to, const char *indent);

static json_t *lines_json(const struct assess_job *j, const struct assess_verdict *v, telling *tell)
{
	struct cli english = *j->cli;
	json_t *list = json_array();
	char *text = NULL, *at, *line;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	CHECK(to);
	english.lang = LANG_EN;
	tell(&english, v, to, "");
	fclose(to);
	for (at = text; (line = strsep(&at, "\n"));)
		if (*line)
			json_array_append_new(list, json_string(line));
	free(text);
	return list;
}

static json_t *sources_json(const struct assess_verdict *v)
{
	const struct decision_row *row = v->result.row;
	json_t *list = json_array();

	for (size_t i = 0; i <= row->source_count; i++) {
		const struct decision_source *s = i ? decision_find_source(v->decision, row->sources[i - 1]) : &v->decision->sources[0];

		if (s && (!i || s != &v->decision->sources[0]))
			json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "id", s->id, "what", s->what, "url", s->url));
	}
	return list;
}

static void add_day(json_t *o, const char *key, uint64_t us)
{
	char when[25];

	if (us) {
		clock_rfc3339(us, when);
		json_object_set_new(o, key, json_string(when));
	}
}

static json_t *verdict_json(const struct assess_job *j, const struct assess_verdict *v)
{
	const struct decision_row *row = v->result.row;
	json_t *facts = json_object(), *dates = json_object(), *asked = json_array(), *next = json_array();
	char build[48];

	for (size_t f = 0; f < FACT_COUNT; f++)
		json_object_set_new(facts, fact_name((enum fact)f), json_string(fact_value_name((enum fact)f, v->result.facts[f])));
	add_day(dates, "published", v->decision->published_us);
	add_day(dates, "exploit_public", v->decision->exploit_us);
	add_day(dates, "updated", v->result.patched_us);
	add_day(dates, "mitigated", v->result.mitigated_us);
	add_day(dates, "exposed_since", v->appliance ? v->appliance->exposed_us : 0);
	for (size_t i = 0; i < COUNT_OF(missing); i++)
		if (v->result.missing & missing[i].bit)
			json_array_append_new(asked, json_string(missing[i].code));
	for (size_t i = 0; i < row->advice_count; i++)
		json_array_append_new(next, json_string(row->advice[i].in[0]));
	return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "advisory", v->decision->cve, "verdict", verdict_name(row->verdict), "row", row->name,
		"why", row->why.in[0], "build", v->result.has_build ? build_text(&v->result.build, build) : "", "facts", facts, "dates", dates, "reasons",
		lines_json(j, v, assess_reasons), "missing", asked, "next", next, "sources", sources_json(v));
}

void assess_print_json(const struct assess_job *j)
{
	json_t *all = json_array(), *list = NULL;
	const struct inventory_appliance *last = NULL;

	for (size_t i = 0; i < j->verdict_count; i++) {
		const struct assess_verdict *v = &j->verdicts[i];

		if (!list || v->appliance != last) {
			list = json_array();
			json_array_append_new(all, json_pack("{s:s,s:s,s:o,s:o}", "name", assess_name(j, v->appliance), "customer",
				v->appliance && v->appliance->customer ? v->appliance->customer->name : "", "weigh", assess_weigh_json(j, v->appliance), "advisories", list));
			last = v->appliance;
		}
		json_array_append_new(list, verdict_json(j, v));
	}
	all = json_pack("{s:o,s:i}", "appliances", all, "refused", (int)j->errors);
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
}
