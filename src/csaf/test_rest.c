/* Mandatory tests about vulnerabilities and the document's profile: 6.1.23, 6.1.24, 6.1.26, 6.1.27.x, 6.1.29, 6.1.32, 6.1.33. */
#include "csaf/csaf_priv.h"

#define VULNERABILITY(i) AT_I(AT(NULL, "vulnerabilities"), (i))

enum profile { INCIDENT = 1, INFORMATION = 2, ADVISORY = 4, VEX = 8 };

/* Which of the profiles the document says that it is. */
static bool is_of(const struct check *c, unsigned profiles)
{
	static const struct {
		const char *category;
		enum profile profile;
	} known[] = { { "csaf_security_incident_response", INCIDENT }, { "csaf_informational_advisory", INFORMATION },
		{ "csaf_security_advisory", ADVISORY }, { "csaf_vex", VEX } };
	const char *category = text_at(get(c->doc, "document"), "category");

	for (size_t i = 0; category && i < COUNT_OF(known); i++)
		if (strcmp(category, known[i].category) == 0)
			return (known[i].profile & profiles) != 0;
	return false;
}

/* --- 6.1.23, 6.1.24 --- */

void test_double_cve(struct check *c)
{
	json_t *seen = json_object(), *vulnerability;
	size_t i;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		const char *cve = text_at(vulnerability, "cve");

		if (!cve)
			continue;
		if (json_object_get(seen, cve))
			report(c, AT(VULNERABILITY(i), "cve"), "%.40s has an item already", cve);
		json_object_set_new(seen, cve, json_true());
	}
	json_decref(seen);
}

void test_double_involvement(struct check *c)
{
	json_t *vulnerability, *item;
	char key[128];
	size_t i, k;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		json_t *seen = json_object();

		json_array_foreach (get(vulnerability, "involvements"), k, item) {
			const char *party = text_at(item, "party"), *date = text_at(item, "date");
			int64_t seconds = 0;
			uint32_t nanos = 0;
			bool has_date = date && date_value(date, &seconds, &nanos);

			snprintf(key, sizeof(key), "%.60s %d %lld.%u", party ? party : "", has_date, (long long)seconds, nanos);
			if (party && json_object_get(seen, key))
				report(c, AT_I(AT(VULNERABILITY(i), "involvements"), k), "%.40s is there already with %s", party, date ? date : "no date");
			json_object_set_new(seen, key, json_true());
		}
		json_decref(seen);
	}
}

/* --- 6.1.26 --- */

void test_category_name(struct check *c)
{
	static const char *const reserved[] = { "securityincidentresponse", "informationaladvisory", "securityadvisory", "vex" };
	const char *category = text_at(get(c->doc, "document"), "category");
	char plain[64];
	size_t n = 0;

	if (!category || is_of(c, INCIDENT | INFORMATION | ADVISORY | VEX))
		return;
	for (const char *p = category; *p; p++) {
		if (strchr("-_ \t\r\n\v\f", *p))
			continue;
		if (n == sizeof(plain) - 1)
			return; /* longer than any of them */
		plain[n++] = (char)ascii_lower((unsigned char)*p);
	}
	plain[n] = 0;
	for (size_t i = 0; i < COUNT_OF(reserved); i++)
		if (strcmp(plain, reserved[i]) == 0 || (strncmp(plain, "csaf", 4) == 0 && strcmp(plain + 4, reserved[i]) == 0))
			report(c, AT(AT(NULL, "document"), "category"), "'%.60s' is nearly the name of a profile; write exactly that (csaf_...), or something else", category);
}

/* --- 6.1.27 --- */

static bool has_category(const json_t *list, const char *words)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *category = text_at(item, "category");
		const char *at = category && *category ? strstr(words, category) : NULL;

		if (at && (at[strlen(category)] == ' ' || !at[strlen(category)]) && (at == words || at[-1] == ' '))
			return true;
	}
	return false;
}

void test_profile_notes(struct check *c)
{
	if (is_of(c, INCIDENT | INFORMATION) && !has_category(get2(c->doc, "document", "notes"), "description details general summary"))
		report(c, AT(AT(NULL, "document"), "notes"), "this profile needs a note with category description, details, general or summary");
}

void test_profile_references(struct check *c)
{
	json_t *item;
	size_t i;

	if (!is_of(c, INCIDENT | INFORMATION))
		return;
	json_array_foreach (get2(c->doc, "document", "references"), i, item)
		if (json_is_object(item) && (!text_at(item, "category") || strcmp(text_at(item, "category"), "external") == 0))
			return; /* external is what a reference is when it does not say */
	report(c, AT(AT(NULL, "document"), "references"), "this profile needs a reference with category external");
}

void test_profile_no_vulnerabilities(struct check *c)
{
	if (is_of(c, INFORMATION) && get(c->doc, "vulnerabilities"))
		report(c, AT(NULL, "vulnerabilities"), "this profile is for what is no vulnerability");
}

static void needs_member(struct check *c, unsigned profiles, const char *key)
{
	if (is_of(c, profiles) && !get(c->doc, key))
		report(c, AT(NULL, key), "is missing; this profile needs it");
}

void test_profile_product_tree(struct check *c)
{
	needs_member(c, ADVISORY | VEX, "product_tree");
}

void test_profile_vulnerabilities(struct check *c)
{
	needs_member(c, ADVISORY | VEX, "vulnerabilities");
}

/* Each vulnerability has one of the members (words with spaces between), of the object under key or, without one, its own. */
static void each_needs(struct check *c, unsigned profiles, const char *key, const char *const *members)
{
	json_t *vulnerability;
	size_t i;

	if (!is_of(c, profiles))
		return;
	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		const json_t *o = key ? get(vulnerability, key) : vulnerability;
		const char *const *m = members;

		while (*m && !get(o, *m))
			m++;
		if (!*m)
			report(c, key ? AT(VULNERABILITY(i), key) : VULNERABILITY(i), "has no %s%s; this profile needs it", members[0],
				members[1] ? " nor another that says the same" : "");
	}
}

void test_profile_vulnerability_notes(struct check *c)
{
	each_needs(c, ADVISORY | VEX, NULL, (const char *const[]){ "notes", NULL });
}

void test_profile_product_status(struct check *c)
{
	each_needs(c, ADVISORY, NULL, (const char *const[]){ "product_status", NULL });
}

void test_profile_vex_status(struct check *c)
{
	each_needs(c, VEX, "product_status", (const char *const[]){ "fixed", "known_affected", "known_not_affected", "under_investigation", NULL });
}

void test_profile_vulnerability_id(struct check *c)
{
	each_needs(c, VEX, NULL, (const char *const[]){ "cve", "ids", NULL });
}

static void add_texts(json_t *set, const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_is_string(item))
			json_object_set_new(set, json_string_value(item), json_true());
}

/* Adds each product that an item of the list (remediations, threats, flags) speaks of, by id or by group. False: may_step. */
static bool add_spoken_of(struct check *c, json_t *set, const json_t *list, const char *category, const struct at *at)
{
	json_t *item, *group, *seen = json_object();
	bool may = true;
	size_t i, k;

	json_array_foreach (list, i, item) {
		const char *said = text_at(item, "category");

		if (category && (!said || strcmp(said, category) != 0))
			continue;
		add_texts(set, get(item, "product_ids"));
		json_array_foreach (get(item, "group_ids"), k, group) {
			const json_t *members = json_is_string(group) ? json_object_get(c->groups, json_string_value(group)) : NULL;

			if (!members || json_object_get(seen, json_string_value(group)))
				continue;
			json_object_set_new(seen, json_string_value(group), json_true());
			may = may && may_step(c, json_array_size(members), at);
			if (may)
				add_texts(set, members);
		}
	}
	json_decref(seen);
	return may;
}

static void each_is_in(struct check *c, const json_t *set, const json_t *ids, const struct at *at, const char *before, const char *after)
{
	json_t *item;
	size_t i;

	json_array_foreach (ids, i, item)
		if (json_is_string(item) && !json_object_get(set, json_string_value(item)))
			report(c, AT_I(at, i), "%s '%.80s' %s", before, json_string_value(item), after);
}

void test_profile_impact(struct check *c)
{
	json_t *vulnerability;
	size_t i;

	if (!is_of(c, VEX))
		return;
	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		const struct at *at = AT(AT(VULNERABILITY(i), "product_status"), "known_not_affected");
		const json_t *ids = get2(vulnerability, "product_status", "known_not_affected");
		json_t *set = json_object();

		if (json_array_size(ids) && add_spoken_of(c, set, get(vulnerability, "flags"), NULL, at) &&
			add_spoken_of(c, set, get(vulnerability, "threats"), "impact", at))
			each_is_in(c, set, ids, at, "why", "is not affected is missing: a flag, or a threat with category impact");
		json_decref(set);
	}
}

void test_profile_action(struct check *c)
{
	json_t *vulnerability;
	size_t i;

	if (!is_of(c, VEX))
		return;
	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		const struct at *at = AT(AT(VULNERABILITY(i), "product_status"), "known_affected");
		const json_t *ids = get2(vulnerability, "product_status", "known_affected");
		json_t *set = json_object();

		if (json_array_size(ids) && add_spoken_of(c, set, get(vulnerability, "remediations"), NULL, at))
			each_is_in(c, set, ids, at, "what to do about", "is missing: a remediation");
		json_decref(set);
	}
}

/* --- 6.1.29, 6.1.32, 6.1.33 --- */

static void items_name_products(struct check *c, const char *list)
{
	json_t *vulnerability, *item;
	size_t i, k;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability)
		json_array_foreach (get(vulnerability, list), k, item)
			if (json_is_object(item) && !get(item, "product_ids") && !get(item, "group_ids"))
				report(c, AT_I(AT(VULNERABILITY(i), list), k), "says for no product: product_ids or group_ids is missing");
}

void test_remediation_products(struct check *c)
{
	items_name_products(c, "remediations");
}

void test_flag_products(struct check *c)
{
	items_name_products(c, "flags");
}

/* seen: product id -> the flag (its place, from 1) that named it. */
static void flag_product(struct check *c, json_t *seen, const char *id, size_t flag, const struct at *at)
{
	size_t before = (size_t)json_integer_value(json_object_get(seen, id));

	if (before && before != flag + 1)
		report(c, at, "'%.80s' has another flag already (number %zu)", id, before - 1);
	json_object_set_new(seen, id, json_integer((json_int_t)flag + 1));
}

static void flag_products(struct check *c, json_t *seen, const json_t *list, size_t flag, const struct at *at)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_is_string(item))
			flag_product(c, seen, json_string_value(item), flag, at);
}

void test_double_flags(struct check *c)
{
	json_t *vulnerability, *flag, *group;
	size_t i, k, n;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		json_t *seen = json_object();

		json_array_foreach (get(vulnerability, "flags"), k, flag) {
			const struct at *at = AT_I(AT(VULNERABILITY(i), "flags"), k);

			flag_products(c, seen, get(flag, "product_ids"), k, at);
			json_array_foreach (get(flag, "group_ids"), n, group) {
				const json_t *members = json_is_string(group) ? json_object_get(c->groups, json_string_value(group)) : NULL;

				if (members && may_step(c, json_array_size(members), at))
					flag_products(c, seen, members, k, at);
			}
		}
		json_decref(seen);
	}
}
