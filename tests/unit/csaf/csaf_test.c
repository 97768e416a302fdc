/* Every mandatory test of CSAF 2.0: a good document passes all of them; with one change it fails that one, and a near miss passes. The
 * changes are JSON pointers into the good document, with the value that goes there ("-" adds to a list, no value removes). */
#include "csaf/csaf.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *const good =
	"{'document':{'category':'csaf_base','csaf_version':'2.0','lang':'en','title':'T','publisher':{'category':'vendor','name':'P',"
	"'namespace':'https://p.example/'},'tracking':{'id':'P-1','status':'final','version':'2','initial_release_date':'2020-01-09T10:00:00Z',"
	"'current_release_date':'2020-01-10T10:00:00Z','revision_history':[{'date':'2020-01-09T10:00:00Z','number':'1','summary':'S'},"
	"{'date':'2020-01-10T10:00:00Z','number':'2','summary':'S'}]},'notes':[{'category':'summary','text':'N'}],"
	"'references':[{'summary':'R','url':'https://p.example/r'}]},"
	"'product_tree':{'branches':[{'category':'vendor','name':'V','branches':[{'category':'product_version','name':'1.0','product':{"
	"'name':'A 1.0','product_id':'A','product_identification_helper':{'purl':'pkg:deb/debian/curl@7.88?arch=amd64','hashes':[{'filename':'f',"
	"'file_hashes':[{'algorithm':'sha256','value':'00000000000000000000000000000000'}]}]}}}]}],"
	"'full_product_names':[{'name':'B','product_id':'B'},{'name':'C','product_id':'C'}],"
	"'product_groups':[{'group_id':'G','product_ids':['A','B']}],"
	"'relationships':[{'category':'installed_on','product_reference':'A','relates_to_product_reference':'B','full_product_name':{'name':'A on B',"
	"'product_id':'AB'}}]},"
	"'vulnerabilities':[{'cve':'CVE-2020-0001','cwe':{'id':'CWE-22','name':'Path'},'notes':[{'category':'description','text':'D'}],"
	"'product_status':{'known_affected':['A'],'fixed':['B'],'known_not_affected':['C']},"
	"'flags':[{'label':'component_not_present','product_ids':['C']}],"
	"'involvements':[{'party':'vendor','status':'open','date':'2020-01-09T10:00:00Z'}],"
	"'remediations':[{'category':'vendor_fix','details':'D','group_ids':['G']}],"
	"'scores':[{'products':['A'],'cvss_v3':{'version':'3.1','vectorString':'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H','baseScore':9.8,"
	"'baseSeverity':'CRITICAL'}}],"
	"'threats':[{'category':'impact','details':'D','product_ids':['C']}]}]}";

#define DOC  "/document"
#define TRK  "/document/tracking"
#define VUL  "/vulnerabilities/0"
#define TREE "/product_tree"
#define VEX  { DOC "/category", "'csaf_vex'" }
#define ADV  { DOC "/category", "'csaf_security_advisory'" }
#define INF  { DOC "/category", "'csaf_informational_advisory'" }
#define V2(score) "{'products':['B'],'cvss_v2':{'version':'2.0','vectorString':'AV:N/AC:L/Au:N/C:P/I:P/A:P','baseScore':" score "}}"

static const struct {
	const char *test; /* NULL: passes */
	const char *why;
	struct {
		const char *at, *value;
	} changes[4];
} cases[] = {
	{ NULL, "the good one", { { 0 } } },
	{ "6.1.1", "status of a product that is none", { { VUL "/product_status/known_affected/-", "'X'" } } },
	{ "6.1.1", "a group with one", { { TREE "/product_groups/0/product_ids/-", "'X'" } } },
	{ "6.1.1", "a relationship to one", { { TREE "/relationships/0/product_reference", "'X'" } } },
	{ "6.1.1", "a score of one", { { VUL "/scores/0/products/-", "'X'" } } },
	{ "6.1.1", "a flag of one", { { VUL "/flags/0/product_ids/-", "'X'" } } },
	{ NULL, "what a relationship defines is defined", { { VUL "/product_status/known_affected/-", "'AB'" } } },
	{ "6.1.2", "twice in a list", { { TREE "/full_product_names/-", "{'name':'B2','product_id':'B'}" } } },
	{ "6.1.2", "in a branch and in a list", { { TREE "/full_product_names/-", "{'name':'A2','product_id':'A'}" } } },
	{ NULL, "the same name, another id", { { TREE "/full_product_names/-", "{'name':'B','product_id':'B2'}" } } },
	{ "6.1.3", "made of itself", { { TREE "/relationships/0/product_reference", "'AB'" } } },
	{ "6.1.3", "made of itself through another", { { TREE "/relationships/0/product_reference", "'Z'" }, { TREE "/relationships/-",
		"{'category':'installed_on','product_reference':'AB','relates_to_product_reference':'B','full_product_name':{'name':'Z','product_id':'Z'}}" } } },
	{ NULL, "a chain is no circle", { { TREE "/relationships/-",
		"{'category':'installed_on','product_reference':'AB','relates_to_product_reference':'B','full_product_name':{'name':'Z','product_id':'Z'}}" } } },
	{ "6.1.4", "a remedy for a group that is none", { { VUL "/remediations/0/group_ids/-", "'H'" } } },
	{ "6.1.4", "a threat for one", { { VUL "/threats/0/group_ids", "['H']" } } },
	{ NULL, "a threat for a group", { { VUL "/threats/0/group_ids", "['G']" } } },
	{ "6.1.5", "a group twice", { { TREE "/product_groups/-", "{'group_id':'G','product_ids':['A','C']}" } } },
	{ NULL, "two groups of the same products", { { TREE "/product_groups/-", "{'group_id':'H','product_ids':['A','B']}" } } },
	{ "6.1.6", "affected and fixed", { { VUL "/product_status/fixed/-", "'A'" } } },
	{ "6.1.6", "first fixed and under investigation", { { VUL "/product_status/first_fixed", "['AB']" }, { VUL "/product_status/under_investigation", "['AB']" } } },
	{ NULL, "fixed and first fixed and recommended", { { VUL "/product_status/first_fixed", "['B']" }, { VUL "/product_status/recommended", "['B','A']" } } },
	{ "6.1.7", "two scores of one version", { { VUL "/scores/-", "{'products':['A'],'cvss_v3':{'version':'3.1','vectorString':"
		"'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H','baseScore':9.8,'baseSeverity':'CRITICAL'}}" } } },
	{ NULL, "of two versions", { { VUL "/scores/-", "{'products':['A'],'cvss_v3':{'version':'3.0','vectorString':"
		"'CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H','baseScore':9.8,'baseSeverity':'CRITICAL'}}" } } },
	{ "6.1.8", "no severity", { { VUL "/scores/0/cvss_v3/baseSeverity", NULL } } },
	{ "6.1.8", "a vector of another version", { { VUL "/scores/0/cvss_v3/version", "'3.0'" } } },
	{ "6.1.8", "a version that is none", { { VUL "/scores/0/cvss_v3/version", "'3.2'" } } },
	{ "6.1.8", "2.0 without a score", { { VUL "/scores/-", "{'products':['B'],'cvss_v2':{'version':'2.0','vectorString':'AV:N/AC:L/Au:N/C:P/I:P/A:P'}}" } } },
	{ NULL, "2.0", { { VUL "/scores/-", V2("7.5") } } },
	{ "6.1.9", "2.0 with the wrong score", { { VUL "/scores/-", V2("7.6") } } },
	{ "6.1.9", "3.1 with the wrong score", { { VUL "/scores/0/cvss_v3/baseScore", "9.7" } } },
	{ "6.1.9", "the wrong severity", { { VUL "/scores/0/cvss_v3/baseSeverity", "'HIGH'" } } },
	{ NULL, "an integer where the score is one", { { VUL "/scores/0/cvss_v3/vectorString", "'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H'" },
		{ VUL "/scores/0/cvss_v3/baseScore", "10" } } },
	{ "6.1.10", "another attack vector", { { VUL "/scores/0/cvss_v3/attackVector", "'LOCAL'" } } },
	{ NULL, "the same attack vector", { { VUL "/scores/0/cvss_v3/attackVector", "'NETWORK'" } } },
	{ "6.1.11", "another weakness's name", { { VUL "/cwe/name", "'Other'" } } },
	{ "6.1.11", "no such weakness", { { VUL "/cwe/id", "'CWE-999999'" } } },
	{ NULL, "the other weakness", { { VUL "/cwe/id", "'CWE-79'" }, { VUL "/cwe/name", "'Script'" } } },
	{ "6.1.12", "no such language", { { DOC "/lang", "'ez'" } } },
	{ NULL, "a language with a region", { { DOC "/lang", "'NL-nl'" } } },
	{ "6.1.13", "a purl without a name", { { TREE "/branches/0/branches/0/product/product_identification_helper/purl", "'pkg:deb/@7.88'" } } },
	{ NULL, "a purl without a version", { { TREE "/branches/0/branches/0/product/product_identification_helper/purl", "'pkg:maven/a/b'" } } },
	{ "6.1.14", "later but lower", { { TRK "/revision_history/0/number", "'2'" }, { TRK "/revision_history/1/number", "'1'" }, { TRK "/version", "'1'" } } },
	{ NULL, "in another order in the list", { { TRK "/revision_history/0/number", "'2'" }, { TRK "/revision_history/0/date", "'2020-01-10T10:00:00Z'" },
		{ TRK "/revision_history/1/number", "'1'" }, { TRK "/revision_history/1/date", "'2020-01-10T11:30:00+02:00'" } } },
	{ "6.1.15", "a translator without a source", { { DOC "/publisher/category", "'translator'" } } },
	{ NULL, "a translator with one", { { DOC "/publisher/category", "'translator'" }, { DOC "/source_lang", "'nl'" } } },
	{ "6.1.16", "not the latest", { { TRK "/version", "'1'" } } },
	{ NULL, "a draft's part does not count", { { TRK "/status", "'draft'" }, { TRK "/version", "'2.0.0-rc.1+b'" },
		{ TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'1.0.0','summary':'S'},{'date':'2020-01-10T10:00:00Z','number':'2.0.0','summary':'S'}]" } } },
	{ "6.1.17", "0 and final", { { TRK "/version", "'0'" }, { TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'0','summary':'S'}]" } } },
	{ NULL, "0 and draft", { { TRK "/version", "'0'" }, { TRK "/status", "'draft'" },
		{ TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'0','summary':'S'}]" } } },
	{ "6.1.18", "final with a draft's history", { { TRK "/revision_history/-", "{'date':'2020-01-08T10:00:00Z','number':'0','summary':'S'}" } } },
	{ NULL, "a draft with it", { { TRK "/status", "'draft'" }, { TRK "/revision_history/-", "{'date':'2020-01-08T10:00:00Z','number':'0','summary':'S'}" } } },
	{ "6.1.19", "a pre-release in the history", { { TRK "/status", "'draft'" }, { TRK "/version", "'1.0.0-rc.1'" },
		{ TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'1.0.0-rc.1','summary':'S'}]" } } },
	{ NULL, "none", { { TRK "/version", "'1.0.0'" }, { TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'1.0.0','summary':'S'}]" } } },
	{ "6.1.20", "a final pre-release", { { TRK "/version", "'1.0.0-rc.1'" },
		{ TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'1.0.0','summary':'S'}]" } } },
	{ NULL, "build metadata is none", { { TRK "/version", "'1.0.0+rc.1'" },
		{ TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'1.0.0','summary':'S'}]" } } },
	{ "6.1.21", "a gap", { { TRK "/version", "'3'" }, { TRK "/revision_history/1/number", "'3'" } } },
	{ "6.1.21", "begins with 2", { { TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'2','summary':'S'}]" } } },
	{ NULL, "minor versions may be left out", { { TRK "/version", "'1.5.0'" }, { TRK "/revision_history", "[{'date':'2020-01-09T10:00:00Z','number':'1.0.0','summary':'S'},"
		"{'date':'2020-01-10T10:00:00Z','number':'1.5.0','summary':'S'}]" } } },
	{ "6.1.22", "a revision twice", { { TRK "/revision_history/-", "{'date':'2020-01-10T10:00:00Z','number':'2','summary':'S'}" } } },
	{ NULL, "three revisions", { { TRK "/version", "'3'" }, { TRK "/revision_history/-", "{'date':'2020-01-10T10:00:00Z','number':'3','summary':'S'}" } } },
	{ "6.1.23", "a CVE twice", { { "/vulnerabilities/-", "{'cve':'CVE-2020-0001'}" } } },
	{ NULL, "two CVEs", { { "/vulnerabilities/-", "{'cve':'CVE-2020-0002'}" } } },
	{ "6.1.24", "a party twice at a moment", { { VUL "/involvements/-", "{'party':'vendor','status':'completed','date':'2020-01-09T11:00:00+01:00'}" } } },
	{ NULL, "at two moments", { { VUL "/involvements/-", "{'party':'vendor','status':'completed','date':'2020-01-09T11:00:00Z'}" } } },
	{ "6.1.25", "an algorithm twice", { { TREE "/branches/0/branches/0/product/product_identification_helper/hashes/0/file_hashes/-",
		"{'algorithm':'sha256','value':'11111111111111111111111111111111'}" } } },
	{ NULL, "two algorithms", { { TREE "/branches/0/branches/0/product/product_identification_helper/hashes/0/file_hashes/-",
		"{'algorithm':'sha512','value':'11111111111111111111111111111111'}" } } },
	{ "6.1.26", "nearly a profile", { { DOC "/category", "'Security Advisory'" } } },
	{ "6.1.26", "nearly a profile's value", { { DOC "/category", "'CSAF-vex'" } } },
	{ NULL, "something else", { { DOC "/category", "'Security Advisories of P'" } } },
	{ "6.1.27.1", "no note of that kind", { INF, { "/vulnerabilities", NULL }, { DOC "/notes/0/category", "'legal_disclaimer'" } } },
	{ "6.1.27.2", "no reference outside", { INF, { "/vulnerabilities", NULL }, { DOC "/references/0/category", "'self'" } } },
	{ "6.1.27.3", "information about a vulnerability", { INF } },
	{ NULL, "information", { INF, { "/vulnerabilities", NULL } } },
	{ "6.1.27.4", "an advisory about no product", { ADV, { TREE, NULL } } },
	{ "6.1.27.5", "a vulnerability without a note", { ADV, { VUL "/notes", NULL } } },
	{ "6.1.27.6", "without a status", { ADV, { VUL "/product_status", NULL } } },
	{ "6.1.27.7", "VEX without one of four", { VEX, { VUL "/product_status", "{'recommended':['A']}" } } },
	{ "6.1.27.8", "VEX without a number", { VEX, { VUL "/cve", NULL } } },
	{ NULL, "VEX with another system's number", { VEX, { VUL "/cve", NULL }, { VUL "/ids", "[{'system_name':'S','text':'1'}]" } } },
	{ "6.1.27.9", "not affected, and not why", { VEX, { VUL "/flags", NULL }, { VUL "/threats", NULL } } },
	{ "6.1.27.10", "affected, and not what to do", { VEX, { VUL "/remediations", NULL } } },
	{ NULL, "VEX, the remedy by a group", { VEX } },
	{ "6.1.27.11", "an advisory about nothing", { ADV, { "/vulnerabilities", NULL } } },
	{ NULL, "an advisory", { ADV } },
	{ "6.1.28", "translated from itself", { { DOC "/source_lang", "'en'" } } },
	{ NULL, "translated from another", { { DOC "/source_lang", "'de'" } } },
	{ "6.1.29", "a remedy for nothing", { { VUL "/remediations/0/group_ids", NULL } } },
	{ "6.1.30", "integers and others", { { TRK "/revision_history/0/number", "'1.0.0'" } } },
	{ "6.1.31", "a sign", { { TREE "/branches/0/branches/0/name", "'<= 1.0'" } } },
	{ "6.1.31", "a word", { { TREE "/branches/0/branches/0/name", "'1.0 and Earlier'" } } },
	{ NULL, "a word within another", { { TREE "/branches/0/branches/0/name", "'1.0-small all-in-one'" } } },
	{ "6.1.32", "a flag for nothing", { { VUL "/flags/0/product_ids", NULL } } },
	{ NULL, "a flag for a group", { { VUL "/flags/-", "{'label':'vulnerable_code_not_present','group_ids':['G']}" } } },
	{ "6.1.33", "two flags for one product", { { VUL "/flags/-", "{'label':'vulnerable_code_not_present','product_ids':['C']}" } } },
	{ "6.1.33", "one of them by a group", { { VUL "/flags/-", "{'label':'vulnerable_code_not_present','product_ids':['A']}" },
		{ VUL "/flags/-", "{'label':'component_not_present','group_ids':['G']}" } } },
	{ "schema", "no title", { { DOC "/title", NULL } } },
	{ "schema", "an empty title", { { DOC "/title", "''" } } },
	{ "schema", "a number as a title", { { DOC "/title", "1" } } },
	{ "schema", "no namespace", { { DOC "/publisher/namespace", NULL } } },
	{ "schema", "no URI", { { DOC "/publisher/namespace", "'p example'" } } },
	{ "schema", "an empty list", { { DOC "/notes", "[]" } } },
	{ "schema", "a word that is none", { { TRK "/status", "'ready'" } } },
	{ "schema", "a day", { { TRK "/current_release_date", "'2020-01-09'" } } },
	{ "schema", "another version", { { DOC "/csaf_version", "'2.1'" } } },
	{ "schema", "white space around the id", { { TRK "/id", "' P-1'" } } },
	{ "schema", "an item twice", { { VUL "/product_status/known_affected/-", "'A'" } } },
	{ "schema", "a group of one", { { TREE "/product_groups/0/product_ids", "['A']" } } },
	{ "schema", "a branch with neither", { { TREE "/branches/0/branches/0/product", NULL } } },
	{ "schema", "a score of nothing", { { VUL "/scores/0/cvss_v3", NULL } } },
	{ "schema", "a short hash", { { TREE "/branches/0/branches/0/product/product_identification_helper/hashes/0/file_hashes/0/value", "'00'" } } },
	{ "schema", "no document", { { DOC, NULL } } },
	{ NULL, "a member that the standard does not know", { { DOC "/x_more", "{}" } } },
};

static json_t *json_of_text(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n + 1);
	json_error_t e;
	json_t *v;

	for (size_t i = 0; i <= n; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	v = json_loads(copy, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &e);
	if (!v)
		fail_msg("%s: %s", text, e.text);
	free(copy);
	return v;
}

static void change(json_t *doc, const char *pointer, const char *value)
{
	char path[300], *part = path + 1, *slash;
	json_t *at = doc;
	size_t i;

	snprintf(path, sizeof(path), "%s", pointer);
	while ((slash = strchr(part, '/'))) {
		*slash = 0;
		at = json_is_array(at) ? json_array_get(at, strtoul(part, NULL, 10)) : json_object_get(at, part);
		if (!at)
			fail_msg("%s: nothing at %s", pointer, part);
		part = slash + 1;
	}
	i = strtoul(part, NULL, 10);
	if (strcmp(part, "-") == 0)
		assert_int_equal(json_array_append_new(at, json_of_text(value)), 0);
	else if (json_is_array(at))
		assert_int_equal(value ? json_array_set_new(at, i, json_of_text(value)) : json_array_remove(at, i), 0);
	else
		assert_int_equal(value ? json_object_set_new(at, part, json_of_text(value)) : json_object_del(at, part), 0);
}

static bool has_finding(const struct csaf_findings *f, const char *test)
{
	for (size_t i = 0; i < f->count && i < CSAF_FINDINGS_MAX; i++)
		if (strcmp(f->list[i].test, test) == 0)
			return true;
	return false;
}

static struct csaf_lists lists(void)
{
	json_t *weaknesses = NULL, *languages = NULL;

	assert_int_equal(csaf_weaknesses(BYTES("# a comment\nCWE-22 Path\nCWE-79 Script\n"), &weaknesses), OK);
	assert_int_equal(csaf_languages(BYTES("de\nen\nnl\n"), &languages), OK);
	return (struct csaf_lists){ .weaknesses = weaknesses, .is_complete = true, .languages = languages };
}

static void test_each_mandatory_test(void **state)
{
	struct csaf_lists l = lists();
	size_t passed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		json_t *doc = json_of_text(good);
		struct csaf_findings f;

		for (size_t k = 0; k < COUNT_OF(cases[i].changes) && cases[i].changes[k].at; k++)
			change(doc, cases[i].changes[k].at, cases[i].changes[k].value);
		csaf_validate(doc, &l, &f);
		if (cases[i].test && !has_finding(&f, cases[i].test))
			fail_msg("%s, %s: not found among %zu", cases[i].test, cases[i].why, f.count);
		if (!cases[i].test && f.count)
			fail_msg("%s: %s %s %s", cases[i].why, f.list[0].test, f.list[0].pointer, f.list[0].words);
		passed += !cases[i].test;
		csaf_findings_fini(&f);
		json_decref(doc);
	}
	assert_true(passed > 30);
	json_decref((json_t *)(uintptr_t)l.weaknesses);
	json_decref((json_t *)(uintptr_t)l.languages);
}

static void test_no_mandatory_test_is_without_a_case(void **state)
{
	(void)state;
	assert_int_equal(csaf_test_count(), 43);
	for (size_t i = 0; i < csaf_test_count(); i++) {
		bool has_case = false;

		for (size_t k = 0; k < COUNT_OF(cases); k++)
			has_case |= cases[k].test && strcmp(cases[k].test, csaf_test_at(i).number) == 0;
		if (!has_case)
			fail_msg("%s %s has no case", csaf_test_at(i).number, csaf_test_at(i).title);
	}
}

static void test_a_finding_says_where(void **state)
{
	struct csaf_lists l = { 0 };
	struct csaf_findings f;
	json_t *doc = json_of_text(good);

	(void)state;
	change(doc, VUL "/product_status/known_affected/-", "'X'");
	csaf_validate(doc, &l, &f);
	assert_int_equal(f.count, 1);
	assert_string_equal(f.list[0].test, "6.1.1");
	assert_string_equal(f.list[0].pointer, "/vulnerabilities/0/product_status/known_affected/1");
	assert_int_equal(f.unchecked, 2); /* without lists, the weakness and the language */
	csaf_findings_fini(&f);
	json_decref(doc);
}

static void test_parse_refuses(void **state)
{
	static const struct {
		const char *text, *words;
		enum err e;
	} refused[] = { { "", "line 1", ERR_SYNTAX }, { "{\"a\":1,\"a\":2}", "duplicate", ERR_SYNTAX }, { "{} x", "end of file", ERR_SYNTAX },
		{ "{\"a\":\"\\u0000\"}", "line 1", ERR_SYNTAX } };
	char error[CSAF_WORDS_MAX], deep[402];
	json_t *doc;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		assert_int_equal(csaf_parse(bytes_str(refused[i].text), &doc, error), refused[i].e);
		assert_non_null(strstr(error, refused[i].words));
	}
	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	deep[400] = 0;
	assert_int_equal(csaf_parse(bytes_str(deep), &doc, error), ERR_LIMIT);
}

static void test_file_names(void **state)
{
	char name[256], long_id[300];

	(void)state;
	assert_int_equal(csaf_file_name("CVE-2019-19781", name), OK);
	assert_string_equal(name, "cve-2019-19781.json");
	assert_int_equal(csaf_file_name("../../etc/Pass wd: 1", name), OK);
	assert_string_equal(name, "_etc_pass_wd_1.json");
	assert_int_equal(csaf_file_name("", name), ERR_SYNTAX);
	memset(long_id, 'a', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = 0;
	assert_int_equal(csaf_file_name(long_id, name), ERR_LIMIT);
}

static void test_summary(void **state)
{
	json_t *doc = json_of_text(good), *names;
	struct csaf_summary s;

	(void)state;
	csaf_summarise(doc, &s);
	assert_string_equal(s.id, "P-1");
	assert_string_equal(s.severity, "9.8 CRITICAL");
	names = csaf_product_names(doc);
	assert_string_equal(json_string_value(json_object_get(names, "AB")), "A on B");
	assert_null(json_object_get(names, "X"));
	json_decref(names);
	json_decref(doc);
}

/* A group of 1600 that 1600 flags name: 2.56 million members. */
static void test_groups_multiply_no_time(void **state)
{
	json_t *doc = json_of_text(good), *members = json_array(), *flags = json_array();
	struct csaf_findings f = { 0 };
	struct csaf_lists l = lists();
	size_t said = 0;
	char id[16];

	(void)state;
	for (int i = 0; i < 1600; i++) {
		snprintf(id, sizeof(id), "%d", i);
		json_array_append_new(members, json_string(id));
		json_array_append_new(flags, json_pack("{s:s,s:[s]}", "label", "component_not_present", "group_ids", "G"));
	}
	json_object_set_new(json_array_get(json_object_get(json_object_get(doc, "product_tree"), "product_groups"), 0), "product_ids", members);
	json_object_set_new(json_array_get(json_object_get(doc, "vulnerabilities"), 0), "flags", flags);
	csaf_validate(doc, &l, &f);
	for (size_t i = 0; i < f.count && i < CSAF_FINDINGS_MAX; i++)
		said += strstr(f.list[i].words, "through groups more than") != NULL;
	assert_true(said <= 1 && f.count < CSAF_GROUP_STEPS_MAX + 10000);
	csaf_findings_fini(&f);
	json_decref((json_t *)(uintptr_t)l.weaknesses);
	json_decref((json_t *)(uintptr_t)l.languages);
	json_decref(doc);
}

/* Each leans on the next of the list: what is found closed at the list's end must not cost a round each. */
static void test_a_long_chain_is_no_circle(void **state)
{
	json_t *doc = json_of_text(good), *list = json_array();
	struct csaf_findings f = { 0 };
	struct csaf_lists l = lists();
	char id[16], next[16];

	(void)state;
	for (int i = 0; i < 50000; i++) {
		snprintf(id, sizeof(id), "c%d", i);
		snprintf(next, sizeof(next), "c%d", i + 1);
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:{s:s,s:s}}", "category", "installed_on", "product_reference", next, "relates_to_product_reference", "B",
			"full_product_name", "name", "N", "product_id", id));
	}
	json_object_set_new(json_object_get(doc, "product_tree"), "relationships", list);
	json_array_append_new(json_object_get(json_object_get(doc, "product_tree"), "full_product_names"), json_pack("{s:s,s:s,s:s}", "name", "N", "product_id", "c50000", "x", "y"));
	json_array_append_new(json_object_get(json_object_get(doc, "product_tree"), "full_product_names"), json_pack("{s:s,s:s}", "name", "N", "product_id", "AB"));
	csaf_validate(doc, &l, &f);
	assert_int_equal(f.count, 0);
	csaf_findings_fini(&f);
	json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:{s:s,s:s}}", "category", "installed_on", "product_reference", "d1", "relates_to_product_reference", "d1",
		"full_product_name", "name", "N", "product_id", "d1"));
	csaf_validate(doc, &l, &f);
	assert_int_equal(f.count, 1);
	assert_true(has_finding(&f, "6.1.3"));
	csaf_findings_fini(&f);
	json_decref((json_t *)(uintptr_t)l.weaknesses);
	json_decref((json_t *)(uintptr_t)l.languages);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_mandatory_test), cmocka_unit_test(test_groups_multiply_no_time), cmocka_unit_test(test_a_long_chain_is_no_circle),
		cmocka_unit_test(test_no_mandatory_test_is_without_a_case),
		cmocka_unit_test(test_a_finding_says_where),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
