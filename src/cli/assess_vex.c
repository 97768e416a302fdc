/* The verdicts as a CSAF 2.0 document, profile 5 (VEX): one product per appliance and build, one vulnerability per advisory. */
#define _GNU_SOURCE
#include "cli/assess_priv.h"

#include "base/clock.h"

/* known_affected is the only status that may follow from a vulnerable build; what nobody knows is under investigation. */
static const char *status_of(const struct assess_verdict *v)
{
	switch (v->result.row->verdict) {
	case VERDICT_NOT_AFFECTED: return "known_not_affected";
	case VERDICT_FIXED: return "fixed";
	case VERDICT_CANNOT_TELL: return "under_investigation";
	case VERDICT_LIMITED:
	case VERDICT_ASSUME:
	case VERDICT_EVIDENCE:
	case VERDICT_COUNT: break;
	}
	return v->result.facts[FACT_BUILD] == BUILD_FIXED ? "fixed" : v->result.facts[FACT_BUILD] == BUILD_UNKNOWN ? "under_investigation" : "known_affected";
}

static void product_id(const struct assess_job *j, const struct assess_verdict *v, char out[32])
{
	size_t n = 0;

	for (size_t i = 0; j->inventory && i < j->inventory->appliance_count; i++)
		if (&j->inventory->appliances[i] == v->appliance)
			n = i;
	snprintf(out, 32, "appliance-%zu", n + 1);
}

static void build_of(const struct assess_verdict *v, char out[48])
{
	struct text t;

	text_init(&t, out, 47);
	if (v->result.has_build)
		ns_version_write(&v->result.build, &t);
	else
		text_lit(&t, "unknown");
	out[t.len] = 0;
}

static json_t *names(const struct assess_job *j)
{
	json_t *list = json_array();
	const struct inventory_appliance *last = NULL;
	char id[32], build[48], name[300];

	for (size_t i = 0; i < j->verdict_count; i++) {
		const struct assess_verdict *v = &j->verdicts[i];

		if (i && v->appliance == last)
			continue;
		last = v->appliance;
		product_id(j, v, id);
		build_of(v, build);
		snprintf(name, sizeof(name), "%.200s: %s %s", assess_name(j, v->appliance), v->appliance && v->appliance->is_wanop ? "SD-WAN WANOP" : "NetScaler", build);
		json_array_append_new(list, json_pack("{s:s,s:s,s:{s:s,s:s}}", "category", "product_version", "name", name, "product", "product_id", id, "name", name));
	}
	return list;
}

static void append(json_t *o, const char *key, json_t *item)
{
	json_t *list = json_object_get(o, key);

	if (!list)
		json_object_set_new(o, key, list = json_array());
	json_array_append_new(list, item);
}

static json_t *remediation(const struct assess_verdict *v, const char *id)
{
	const struct decision_row *row = v->result.row;
	bool has_fix = v->result.facts[FACT_BUILD] == BUILD_AFFECTED && v->result.line && v->result.line->state == BUILD_FIXED;
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	json_t *o;

	CHECK(to);
	for (size_t i = 0; i < row->advice_count; i++)
		fprintf(to, "%s%zu. %s", i ? "\n" : "", i + 1, row->advice[i].in[0]);
	fclose(to);
	o = json_pack("{s:s,s:s,s:[s]}", "category", has_fix ? "vendor_fix" : v->result.facts[FACT_BUILD] == BUILD_NO_FIX ? "no_fix_planned" : "mitigation", "details", text,
		"product_ids", id);
	free(text);
	return o;
}

static void add_product(const struct assess_job *j, const struct assess_verdict *v, json_t *vulnerability, json_t *status)
{
	const char *s = status_of(v);
	char id[32], details[600];

	product_id(j, v, id);
	append(status, s, json_string(id));
	/* 4.5: not affected wants an impact statement; affected wants an action. */
	snprintf(details, sizeof(details), "%s: %.400s", verdict_name(v->result.row->verdict), v->result.row->why.in[0]);
	append(vulnerability, "threats", json_pack("{s:s,s:s,s:[s]}", "category", "impact", "details", details, "product_ids", id));
	if (strcmp(s, "known_affected") == 0)
		append(vulnerability, "remediations", remediation(v, id));
}

static json_t *vulnerability(const struct assess_job *j, const struct decision *d)
{
	json_t *status = json_object(), *o = json_pack("{s:s,s:s}", "cve", d->cve, "title", d->title.in[0]), *references = json_array();
	size_t n = 0;

	for (size_t i = 0; i < j->verdict_count; i++)
		if (j->verdicts[i].decision == d) {
			add_product(j, &j->verdicts[i], o, status);
			n++;
		}
	for (size_t i = 0; i < d->source_count; i++)
		json_array_append_new(references, json_pack("{s:s,s:s,s:s}", "category", "external", "summary", d->sources[i].what, "url", d->sources[i].url));
	json_object_set_new(o, "product_status", status);
	json_object_set_new(o, "references", references);
	json_object_set_new(o, "notes", json_pack("[{s:s,s:s}]", "category", "description", "text", d->exploit_note.in[0]));
	if (n == 0) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

json_t *assess_vex(const struct assess_job *j, uint64_t now_us)
{
	json_t *list = json_array(), *document;
	char now[25], id[64];

	clock_rfc3339(now_us, now);
	snprintf(id, sizeof(id), "sluis-assess-%llu", (unsigned long long)(now_us / 1000000));
	for (size_t i = 0; i < j->decision_count; i++) {
		json_t *o = vulnerability(j, j->decisions[i]);

		if (o)
			json_array_append_new(list, o);
	}
	document = json_pack("{s:s,s:s,s:s,s:{s:s,s:s,s:s},s:{s:{s:s}},s:{s:s,s:s,s:s,s:s,s:s,s:{s:{s:s,s:s},s:s},s:[{s:s,s:s,s:s}]}}", "category", "csaf_vex",
		"csaf_version", "2.0", "title", "What advisories mean for the appliances of one inventory", "publisher", "category", "user", "name",
		"Owner of the inventory", "namespace", "https://sluis.invalid/assess", "distribution", "tlp", "label", "AMBER", "tracking", "id", id, "status", "final",
		"version", "1", "initial_release_date", now, "current_release_date", now, "generator", "engine", "name", "sluis assess", "version", SLUIS_VERSION,
		"date", now, "revision_history", "number", "1", "date", now, "summary", "Made from the inventory");
	CHECK(document);
	return json_pack("{s:o,s:{s:[{s:s,s:s,s:[{s:s,s:s,s:o}]}]},s:o}", "document", document, "product_tree", "branches", "category", "vendor", "name", "Citrix",
		"branches", "category", "product_name", "name", "NetScaler ADC, NetScaler Gateway and SD-WAN WANOP", "branches", names(j), "vulnerabilities", list);
}
