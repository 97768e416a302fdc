/* Each fact by itself; the table alone combines them. What is not known stays unknown, and is asked for. */
#include "response/assess.h"

#include "base/clock.h"

static void find_build(const struct decision *d, const struct assess_input *in, struct assess_result *r)
{
	const struct inventory_appliance *a = in->appliance;
	bool is_ambiguous = false;
	int order = 0;

	if (a && a->is_wanop && a->has_build) /* files from it tell the build of the NetScaler within */
		r->build = a->build;
	else if (a && a->is_wanop) {
		r->missing |= MISSING_BUILD;
		return;
	} else if (in->bundle_build)
		r->build = *in->bundle_build;
	else if (in->conf && in->conf->has_version)
		r->build = in->conf->version;
	else if (a && a->has_build)
		r->build = a->build;
	else {
		r->missing |= MISSING_BUILD;
		return;
	}
	r->has_build = true;
	if (in->bundle_build && in->conf && in->conf->has_version)
		r->builds_differ = ns_version_compare(in->bundle_build, &in->conf->version, &order) != OK || order != 0;
	if (a && a->has_edition && !r->build.has_edition) {
		r->build.line.edition = a->edition;
		r->build.has_edition = true;
	}
	r->line = decision_find_line(d, &r->build, &is_ambiguous);
	r->facts[FACT_BUILD] = decision_build(d, &r->build, &is_ambiguous);
	if (r->facts[FACT_BUILD] == BUILD_UNKNOWN)
		r->missing |= is_ambiguous ? MISSING_EDITION : MISSING_LINE;
}

static bool has_role(const json_t *roles, const json_t *list)
{
	const json_t *r, *l;
	size_t i, k;

	json_array_foreach (roles, i, r)
		json_array_foreach (list, k, l)
			if (strcmp(json_string_value(r), json_string_value(l)) == 0)
				return true;
	return false;
}

static void find_precondition(const struct decision *d, const struct assess_input *in, struct assess_result *r)
{
	const json_t *roles = in->appliance ? in->appliance->roles : NULL;
	unsigned *fact = &r->facts[FACT_PRECONDITION];

	if (!d->precondition) {
		*fact = PRECONDITION_MET;
	} else if (in->conf) {
		/* Half of a configuration says what is there, and not what is not. */
		*fact = decision_holds(d->precondition, in->conf) ? PRECONDITION_MET : in->conf->damaged ? PRECONDITION_UNKNOWN : PRECONDITION_UNMET;
	} else if (has_role(roles, d->roles_meet)) {
		*fact = PRECONDITION_MET;
	} else if (json_array_size(roles) && !has_role(roles, d->roles_open)) {
		*fact = PRECONDITION_UNMET;
	}
	if (*fact == PRECONDITION_UNKNOWN)
		r->missing |= MISSING_CONF;
}

static bool is_fixed(const struct decision *d, const struct ns_version *v)
{
	bool is_ambiguous;
	unsigned build = decision_build(d, v, &is_ambiguous);

	return build == BUILD_FIXED || build == BUILD_NOT_AFFECTED;
}

/* The first update to a fixed build, after which none went back. */
static const struct inventory_update *fixing_update(const struct decision *d, const struct inventory_appliance *a)
{
	const struct inventory_update *found = NULL;

	for (size_t i = 0; a && i < a->update_count; i++) {
		if (!is_fixed(d, &a->updates[i].to))
			found = NULL;
		else if (!found)
			found = &a->updates[i];
	}
	return found;
}

static void write_day(uint64_t us, char out[11])
{
	char when[25];

	clock_rfc3339(us, when);
	memcpy(out, when, 10);
	out[10] = 0;
}

static enum err refuse_impossible(const struct decision *d, const struct assess_input *in, const struct inventory_update *u, char error[DATA_ERROR_MAX])
{
	const struct inventory_appliance *a = in->appliance;
	bool is_ambiguous;
	const struct decision_line *l = decision_find_line(d, &u->to, &is_ambiguous);
	char said[11], released[11], build[48];
	struct text t;

	if (!l || !l->released_us || u->on_us >= l->released_us)
		return OK;
	write_day(u->on_us, said);
	write_day(l->released_us, released);
	text_init(&t, build, sizeof(build) - 1);
	ns_version_write(&l->fixed, &t);
	build[t.len] = 0;
	return data_fail(in->inventory->data, a->node, error,
		"%.60s: an update to a build with the fix of %s on %s cannot be: the first one (%s) came on %s; ask again when it was updated, and to which build",
		a->name, d->cve, said, build, released);
}

static enum err find_patched(const struct decision *d, const struct assess_input *in, struct assess_result *r, char error[DATA_ERROR_MAX])
{
	const struct inventory_update *u = fixing_update(d, in->appliance);
	unsigned build = r->facts[FACT_BUILD];

	if (u) {
		if (in->inventory)
			TRY(refuse_impossible(d, in, u, error));
		r->patched_us = u->on_us;
		r->facts[FACT_SESSIONS] = u->sessions_not_ended || (u->sessions_ended_us && u->sessions_ended_us < u->on_us) ? SESSIONS_NOT_ENDED :
			u->sessions_ended_us ? SESSIONS_ENDED : SESSIONS_UNKNOWN;
	}
	if (build == BUILD_AFFECTED || build == BUILD_NO_FIX)
		r->facts[FACT_PATCHED] = PATCHED_NOT;
	else if (build == BUILD_FIXED && u)
		r->facts[FACT_PATCHED] = u->on_us < d->exploit_us ? PATCHED_BEFORE : PATCHED_AFTER;
	/* Nobody had the fix before it was there. */
	else if (build == BUILD_FIXED && r->line && r->line->released_us >= d->exploit_us && r->line->released_us)
		r->facts[FACT_PATCHED] = PATCHED_AFTER;
	if (build == BUILD_FIXED && !u)
		r->missing |= MISSING_UPDATED;
	if (r->facts[FACT_SESSIONS] == SESSIONS_UNKNOWN)
		r->missing |= MISSING_SESSIONS;
	return OK;
}

static void find_exposed(const struct decision *d, const struct assess_input *in, struct assess_result *r)
{
	const struct inventory_appliance *a = in->appliance;
	unsigned *fact = &r->facts[FACT_EXPOSED];

	if (a && a->never_exposed)
		*fact = EXPOSED_NEVER;
	else if (a && a->has_first_build && is_fixed(d, &a->first_build) && (!a->update_count || fixing_update(d, a) == &a->updates[0]))
		*fact = EXPOSED_AFTER_FIX;
	else if (a && a->exposed_us && r->patched_us && a->exposed_us >= r->patched_us)
		*fact = EXPOSED_AFTER_FIX;
	else if (a && a->exposed_us)
		*fact = EXPOSED_DURING;
	else
		r->missing |= MISSING_EXPOSED;
}

unsigned assess_parts(const struct decision *d, const struct assess_input *in, unsigned *wanted, struct bytes *policy)
{
	const struct decision_mitigation *m = &d->mitigation;
	unsigned parts = 0;

	*policy = bytes_of(NULL, 0);
	*wanted = (m->has_responder ? NSCONF_PART_RULE | NSCONF_PART_ANSWER | NSCONF_PART_BOUND : 0u) | (m->has_file ? PART_FILE : 0u);
	if (m->has_responder && in->conf)
		parts = nsconf_responder_parts(in->conf, &m->responder, policy);
	if (m->has_file && in->has_rc && nsconf_script_has(in->rc, m->file_contains))
		parts |= PART_FILE;
	return parts;
}

static const struct inventory_mitigation *mitigation_of(const struct decision *d, const struct inventory_appliance *a)
{
	for (size_t i = 0; a && i < a->mitigation_count; i++)
		if (strcmp(a->mitigations[i].advisory, d->cve) == 0)
			return &a->mitigations[i];
	return NULL;
}

/* The build that ran when it was mitigated: said, or before the first update after that, or after the last one before it, or the
 * one that still runs without the fix. */
static bool build_then(const struct assess_input *in, const struct inventory_mitigation *m, const struct assess_result *r, struct ns_version *out)
{
	const struct inventory_appliance *a = in->appliance;

	if (m && m->has_build) {
		*out = m->build;
		return true;
	}
	for (size_t i = 0; m && m->on_us && i < a->update_count; i++) {
		if (a->updates[i].on_us < m->on_us)
			continue;
		if (!a->updates[i].has_from && i == 0)
			return false;
		*out = a->updates[i].has_from ? a->updates[i].from : a->updates[i - 1].to;
		return true;
	}
	*out = r->build;
	return r->has_build && r->facts[FACT_PATCHED] == PATCHED_NOT;
}

static void find_effect(const struct decision *d, const struct assess_input *in, const struct inventory_mitigation *m, struct assess_result *r)
{
	unsigned gone = r->parts_wanted & ~r->parts, *fact = &r->facts[FACT_EFFECT];

	r->has_build_then = build_then(in, m, r, &r->build_then);
	if (r->has_parts && gone & ~(unsigned)PART_FILE && r->facts[FACT_BUILD] != BUILD_FIXED) {
		*fact = EFFECT_INCOMPLETE; /* after the update it may have been taken away */
	} else if (r->has_parts && gone & PART_FILE && in->has_rc && r->facts[FACT_BUILD] != BUILD_FIXED) {
		*fact = EFFECT_INCOMPLETE;
	} else if (!r->has_build_then) {
		r->missing |= MISSING_MITIGATION_BUILD;
	} else if (decision_effect(d, &r->build_then) != EFFECT_EFFECTIVE) {
		*fact = decision_effect(d, &r->build_then);
	} else if (r->has_parts && gone == 0) {
		*fact = EFFECT_EFFECTIVE;
	} else if (m && *m->verified) {
		*fact = EFFECT_EFFECTIVE;
	} else {
		r->missing |= r->has_parts && gone == PART_FILE ? MISSING_RC : MISSING_VERIFIED;
	}
}

static void find_mitigation(const struct decision *d, const struct assess_input *in, struct assess_result *r)
{
	const struct inventory_mitigation *m = mitigation_of(d, in->appliance);
	unsigned *fact = &r->facts[FACT_MITIGATION];

	if (!d->mitigation.is_there || (m && m->is_never)) {
		*fact = MITIGATION_NONE;
		return;
	}
	r->has_parts = in->conf && d->mitigation.has_responder;
	r->parts = assess_parts(d, in, &r->parts_wanted, &r->policy);
	if (m && m->on_us) {
		r->mitigated_us = m->on_us;
		*fact = m->on_us < d->exploit_us ? MITIGATION_BEFORE : MITIGATION_AFTER;
	} else if (m || (r->has_parts && r->parts & NSCONF_PART_RULE)) {
		*fact = MITIGATION_UNDATED;
		r->missing |= MISSING_MITIGATION_DATE;
	} else if (r->has_parts && !in->conf->damaged && r->facts[FACT_PATCHED] == PATCHED_NOT) {
		*fact = MITIGATION_NONE; /* the configuration that still runs has none */
		return;
	} else {
		r->missing |= MISSING_MITIGATION;
		return;
	}
	find_effect(d, in, m, r);
}

enum err assess(const struct decision *d, const struct assess_input *in, struct assess_result *out, char error[DATA_ERROR_MAX])
{
	memset(out, 0, sizeof(*out));
	error[0] = 0;
	out->facts[FACT_FINDINGS] = in->findings;
	find_build(d, in, out);
	find_precondition(d, in, out);
	TRY(find_patched(d, in, out, error));
	find_exposed(d, in, out);
	find_mitigation(d, in, out);
	out->row = decision_find_row(d->table, out->facts);
	CHECK(out->row); /* the last row holds for everything: decision_table_read */
	return OK;
}
