/* The structure of a CSAF 2.0 document (section 3 of the standard): which members there are, which are needed, what they hold. The
 * standard's own schema file is not part of Sluis; these tables say the same. */
#include "csaf/shape.h"

#include "csaf/cvss.h"

static const struct shape any_text = { .type = SHAPE_TEXT };
static const struct shape uri = { .type = SHAPE_TEXT, .form = is_uri, .form_name = "a URI such as https://example.com/" };
static const struct shape date = { .type = SHAPE_TEXT, .form = is_date_time, .form_name = "a date and time such as 2020-01-09T12:00:00Z" };
static const struct shape version = { .type = SHAPE_TEXT, .form = is_version, .form_name = "a version such as 3 or 1.2.0" };
static const struct shape language = { .type = SHAPE_TEXT, .form = is_language, .form_name = "a language tag such as en or nl-NL" };

#define LIST_OF(symbol, of, n, unique) \
	static const struct shape symbol = { .type = SHAPE_LIST, .item = &(of), .least = (n), .is_unique = (unique) }
#define WORDS(symbol, list) static const struct shape symbol = { .type = SHAPE_TEXT, .words = list }
#define OBJECT(symbol, n, ...)                                                                                    \
	static const struct shape_member symbol##_members[] = { __VA_ARGS__, { NULL, NULL, false } };             \
	static const struct shape symbol = { .type = SHAPE_OBJECT, .members = symbol##_members, .least = (n) }
#define NEEDED(name, of) { name, &(of), true }
#define MAY(name, of)	 { name, &(of), false }

LIST_OF(texts, any_text, 1, false);
LIST_OF(texts_once, any_text, 1, true);
LIST_OF(two_texts_once, any_text, 2, true);
LIST_OF(uris, uri, 1, false);

/* --- of several places --- */
OBJECT(acknowledgment, 1, MAY("names", texts), MAY("organization", any_text), MAY("summary", any_text), MAY("urls", uris));
LIST_OF(acknowledgments, acknowledgment, 1, false);

WORDS(note_category, "description|details|faq|general|legal_disclaimer|other|summary");
OBJECT(note, 0, MAY("audience", any_text), NEEDED("category", note_category), NEEDED("text", any_text), MAY("title", any_text));
LIST_OF(notes, note, 1, false);

WORDS(reference_category, "external|self");
OBJECT(reference, 0, MAY("category", reference_category), NEEDED("summary", any_text), NEEDED("url", uri));
LIST_OF(references, reference, 1, false);

/* --- document --- */
static const struct shape document_category = { .type = SHAPE_TEXT, .form = is_category,
	.form_name = "a category: a text without white space, - _ or . at its ends" };
static const struct shape tracking_id = { .type = SHAPE_TEXT, .form = is_trimmed, .form_name = "an id: a text without white space at its ends" };
OBJECT(aggregate_severity, 0, MAY("namespace", uri), NEEDED("text", any_text));
WORDS(csaf_version, "2.0");
WORDS(tlp_label, "AMBER|GREEN|RED|WHITE");
OBJECT(tlp, 0, NEEDED("label", tlp_label), MAY("url", uri));
OBJECT(distribution, 1, MAY("text", any_text), MAY("tlp", tlp));
WORDS(publisher_category, "coordinator|discoverer|other|translator|user|vendor");
OBJECT(publisher, 0, NEEDED("category", publisher_category), MAY("contact_details", any_text), MAY("issuing_authority", any_text),
	NEEDED("name", any_text), NEEDED("namespace", uri));
OBJECT(engine, 0, NEEDED("name", any_text), MAY("version", any_text));
OBJECT(generator, 0, MAY("date", date), NEEDED("engine", engine));
OBJECT(revision, 0, NEEDED("date", date), MAY("legacy_version", any_text), NEEDED("number", version), NEEDED("summary", any_text));
LIST_OF(revision_history, revision, 1, false);
WORDS(tracking_status, "draft|final|interim");
OBJECT(tracking, 0, MAY("aliases", texts_once), NEEDED("current_release_date", date), MAY("generator", generator), NEEDED("id", tracking_id),
	NEEDED("initial_release_date", date), NEEDED("revision_history", revision_history), NEEDED("status", tracking_status),
	NEEDED("version", version));
OBJECT(document, 0, MAY("acknowledgments", acknowledgments), MAY("aggregate_severity", aggregate_severity),
	NEEDED("category", document_category), NEEDED("csaf_version", csaf_version), MAY("distribution", distribution), MAY("lang", language),
	MAY("notes", notes), NEEDED("publisher", publisher), MAY("references", references), MAY("source_lang", language),
	NEEDED("title", any_text), NEEDED("tracking", tracking));

/* --- product tree --- */
static const struct shape cpe = { .type = SHAPE_TEXT, .form = is_cpe, .form_name = "a CPE name (cpe:2.3:... or cpe:/...)" };
static const struct shape purl = { .type = SHAPE_TEXT, .form = is_purl_start, .form_name = "a package URL such as pkg:deb/debian/curl@7.88" };
static const struct shape hash = { .type = SHAPE_TEXT, .form = is_hash, .form_name = "a hash: at least 32 hexadecimal digits" };
OBJECT(file_hash, 0, NEEDED("algorithm", any_text), NEEDED("value", hash));
LIST_OF(file_hashes, file_hash, 1, false);
OBJECT(hashed_file, 0, NEEDED("file_hashes", file_hashes), NEEDED("filename", any_text));
LIST_OF(hashes, hashed_file, 1, false);
OBJECT(generic_uri, 0, NEEDED("namespace", uri), NEEDED("uri", uri));
LIST_OF(generic_uris, generic_uri, 1, false);
OBJECT(helper, 1, MAY("cpe", cpe), MAY("hashes", hashes), MAY("model_numbers", texts_once), MAY("purl", purl), MAY("sbom_urls", uris),
	MAY("serial_numbers", texts_once), MAY("skus", texts), MAY("x_generic_uris", generic_uris));
OBJECT(product, 0, NEEDED("name", any_text), NEEDED("product_id", any_text), MAY("product_identification_helper", helper));
LIST_OF(products, product, 1, false);
WORDS(branch_category, "architecture|host_name|language|legacy|patch_level|product_family|product_name|product_version|product_version_range|"
	"service_pack|specification|vendor");
static const struct shape branches;
static const struct shape_member branch_members[] = { MAY("branches", branches), NEEDED("category", branch_category), NEEDED("name", any_text),
	MAY("product", product), { NULL, NULL, false } };
static const struct shape branch = { .type = SHAPE_OBJECT, .members = branch_members, .least = 3, .most = 3 };
static const struct shape branches = { .type = SHAPE_LIST, .item = &branch, .least = 1 };
OBJECT(group, 0, NEEDED("group_id", any_text), NEEDED("product_ids", two_texts_once), MAY("summary", any_text));
LIST_OF(groups, group, 1, false);
WORDS(relationship_category, "default_component_of|external_component_of|installed_on|installed_with|optional_component_of");
OBJECT(relationship, 0, NEEDED("category", relationship_category), NEEDED("full_product_name", product), NEEDED("product_reference", any_text),
	NEEDED("relates_to_product_reference", any_text));
LIST_OF(relationships, relationship, 1, false);
OBJECT(product_tree, 1, MAY("branches", branches), MAY("full_product_names", products), MAY("product_groups", groups),
	MAY("relationships", relationships));

/* --- vulnerabilities --- */
static const struct shape cve = { .type = SHAPE_TEXT, .form = is_cve, .form_name = "a CVE number such as CVE-2019-19781" };
static const struct shape cwe_id = { .type = SHAPE_TEXT, .form = is_cwe, .form_name = "a CWE number such as CWE-22" };
OBJECT(cwe, 0, NEEDED("id", cwe_id), NEEDED("name", any_text));
WORDS(flag_label, "component_not_present|inline_mitigations_already_exist|vulnerable_code_cannot_be_controlled_by_adversary|"
	"vulnerable_code_not_in_execute_path|vulnerable_code_not_present");
OBJECT(flag, 0, MAY("date", date), MAY("group_ids", texts_once), NEEDED("label", flag_label), MAY("product_ids", texts_once));
LIST_OF(flags, flag, 1, true);
OBJECT(id, 0, NEEDED("system_name", any_text), NEEDED("text", any_text));
LIST_OF(ids, id, 1, true);
WORDS(party, "coordinator|discoverer|other|user|vendor");
WORDS(party_status, "completed|contact_attempted|disputed|in_progress|not_contacted|open");
OBJECT(involvement, 0, MAY("date", date), NEEDED("party", party), NEEDED("status", party_status), MAY("summary", any_text));
LIST_OF(involvements, involvement, 1, true);
OBJECT(product_status, 1, MAY("first_affected", texts_once), MAY("first_fixed", texts_once), MAY("fixed", texts_once),
	MAY("known_affected", texts_once), MAY("known_not_affected", texts_once), MAY("last_affected", texts_once), MAY("recommended", texts_once),
	MAY("under_investigation", texts_once));
WORDS(remedy_category, "mitigation|no_fix_planned|none_available|vendor_fix|workaround");
WORDS(restart_category, "connected|dependencies|machine|none|parent|service|system|vulnerable_component|zone");
OBJECT(restart, 0, NEEDED("category", restart_category), MAY("details", any_text));
OBJECT(remediation, 0, NEEDED("category", remedy_category), MAY("date", date), NEEDED("details", any_text), MAY("entitlements", texts),
	MAY("group_ids", texts_once), MAY("product_ids", texts_once), MAY("restart_required", restart), MAY("url", uri));
LIST_OF(remediations, remediation, 1, false);
OBJECT(cvss, 0, { "vectorString", &any_text, false });
OBJECT(score, 2, MAY("cvss_v2", cvss), MAY("cvss_v3", cvss), NEEDED("products", texts_once));
LIST_OF(scores, score, 1, false);
WORDS(threat_category, "exploit_status|impact|target_set");
OBJECT(threat, 0, NEEDED("category", threat_category), MAY("date", date), NEEDED("details", any_text), MAY("group_ids", texts_once),
	MAY("product_ids", texts_once));
LIST_OF(threats, threat, 1, false);
OBJECT(vulnerability, 1, MAY("acknowledgments", acknowledgments), MAY("cve", cve), MAY("cwe", cwe), MAY("discovery_date", date),
	MAY("flags", flags), MAY("ids", ids), MAY("involvements", involvements), MAY("notes", notes), MAY("product_status", product_status),
	MAY("references", references), MAY("release_date", date), MAY("remediations", remediations), MAY("scores", scores),
	MAY("threats", threats), MAY("title", any_text));
LIST_OF(vulnerabilities, vulnerability, 1, false);
OBJECT(root, 0, NEEDED("document", document), MAY("product_tree", product_tree), MAY("vulnerabilities", vulnerabilities));

void check_schema(struct check *c)
{
	shape_check(c, &root, c->doc, NULL);
}

/* --- CVSS: what FIRST's schemas ask of the object; the metrics' words come from the table in cvss.c --- */

static const struct shape score_number = { .type = SHAPE_NUMBER };
WORDS(severity3, "NONE|LOW|MEDIUM|HIGH|CRITICAL");
WORDS(version2, "2.0");
WORDS(version3, "3.0|3.1");
OBJECT(cvss2, 0, NEEDED("version", version2), NEEDED("vectorString", any_text), NEEDED("baseScore", score_number),
	MAY("temporalScore", score_number), MAY("environmentalScore", score_number));
OBJECT(cvss3, 0, NEEDED("version", version3), NEEDED("vectorString", any_text), NEEDED("baseScore", score_number),
	NEEDED("baseSeverity", severity3), MAY("temporalScore", score_number), MAY("temporalSeverity", severity3),
	MAY("environmentalScore", score_number), MAY("environmentalSeverity", severity3));

static void check_metrics(struct check *c, enum cvss_kind kind, const json_t *v, const struct at *at)
{
	const char *vector = text_at(v, "vectorString");
	struct cvss parsed;

	for (size_t i = 0; i < cvss_metric_count(kind); i++) {
		const struct cvss_metric *m = cvss_metric_at(kind, i);
		const struct shape words = { .type = SHAPE_TEXT, .words = m->words };
		const json_t *value = json_object_get(v, m->property);

		if (value)
			shape_check(c, &words, value, AT(at, m->property));
	}
	if (vector && cvss_parse(kind, vector, &parsed) != OK)
		report(c, AT(at, "vectorString"), "'%.100s' is no vector of CVSS %s", vector, kind == CVSS_2 ? "2.0" : kind == CVSS_30 ? "3.0" : "3.1");
}

void check_cvss2_shape(struct check *c, const json_t *v, const struct at *at)
{
	shape_check(c, &cvss2, v, at);
	check_metrics(c, CVSS_2, v, at);
}

void check_cvss3_shape(struct check *c, const json_t *v, const struct at *at)
{
	const char *number = text_at(v, "version");

	shape_check(c, &cvss3, v, at);
	check_metrics(c, number && strcmp(number, "3.0") == 0 ? CVSS_30 : CVSS_31, v, at);
}
