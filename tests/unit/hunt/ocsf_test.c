/* Each finding is one line of JSON that has what the class wants, whatever bytes the examined system had. */
#include "hunt/ocsf.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct hunt_finding nasty = { .rule = "r\"1", .title = "t", .source = "https://example.org/x", .advisories = "CVE-1  CVE-2",
	.class = HUNT_COMPROMISE, .confidence = HUNT_HIGH, .path = "/var/log/a\xff.log", .where = "x!a\xff.log", .line = 3, .offset = 7, .has_offset = true,
	.at_us = 1578571200000000, .when_how = "log", .client = LIT("192.0.2.1"), .method = LIT("GET"), .url = LIT("/vpns/\x00\x1b[0m\"<b>"),
	.user_agent = LIT("u"), .user = LIT("nobody"), .status = 200, .excerpt = LIT("line\n\xfe"), .note = "n" };
static const struct hunt_summary summary = { .host = "ns1", .version = "1" };

static json_t *line_of(const struct hunt_finding *f)
{
	struct hunt_ocsf *o = NULL;
	struct hunt_output out;
	char *mem = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&mem, &size);
	json_t *j;

	assert_int_equal(hunt_ocsf_open(to, 1600000000000000, &o), OK);
	out = hunt_ocsf_output(o);
	out.begin(out.ctx, &summary);
	out.finding(out.ctx, f);
	out.problem(out.ctx, "w", "x");
	out.end(out.ctx, &summary);
	assert_int_equal(hunt_ocsf_close(&o), OK);
	fclose(to);
	assert_ptr_equal(memchr(mem, '\n', size), mem + size - 1);
	j = json_loadb(mem, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	free(mem);
	assert_non_null(j);
	return j;
}

static json_int_t number(const json_t *j, const char *key)
{
	assert_true(json_is_integer(json_object_get(j, key)));
	return json_integer_value(json_object_get(j, key));
}

static void test_what_the_class_wants(void **state)
{
	json_t *j = line_of(&nasty), *e = json_array_get(json_object_get(j, "evidences"), 0), *info = json_object_get(j, "finding_info"), *again = line_of(&nasty);

	(void)state;
	assert_int_equal(number(j, "class_uid"), 2004);
	assert_int_equal(number(j, "category_uid"), 2);
	assert_int_equal(number(j, "type_uid"), number(j, "class_uid") * 100 + number(j, "activity_id"));
	assert_int_equal(number(j, "time"), 1578571200000);
	assert_int_equal(number(j, "severity_id"), 5);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "metadata"), "version")), "1.3.0");
	assert_int_equal(json_array_size(json_object_get(j, "vulnerabilities")), 2);
	assert_string_equal(json_string_value(json_object_get(json_object_get(e, "src_endpoint"), "ip")), "192.0.2.1");
	assert_int_equal(number(json_object_get(e, "http_response"), "code"), 200);
	assert_int_equal(number(json_object_get(e, "data"), "line"), 3);
	assert_string_equal(json_string_value(json_object_get(json_object_get(e, "file"), "name")), "a\xef\xbf\xbd.log");
	assert_true(json_equal(info, json_object_get(again, "finding_info"))); /* the same finding, the same uid */
	json_decref(j);
	json_decref(again);
}

static void test_severities(void **state)
{
	static const struct {
		const char *why;
		enum hunt_class class;
		enum hunt_confidence confidence;
		bool is_own;
		int want;
	} cases[] = {
		{ "sure of a compromise", HUNT_COMPROMISE, HUNT_HIGH, false, 5 }, { "probably", HUNT_COMPROMISE, HUNT_MEDIUM, false, 4 },
		{ "a hint of one", HUNT_COMPROMISE, HUNT_LOW, false, 3 }, { "it was open to a probe", HUNT_PROBE, HUNT_HIGH, false, 3 },
		{ "a failed attempt", HUNT_ATTEMPT, HUNT_HIGH, false, 2 }, { "a trace", HUNT_TRACE, HUNT_HIGH, false, 1 },
		{ "our own scan", HUNT_COMPROMISE, HUNT_HIGH, true, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct hunt_finding f = nasty;
		json_t *j;

		f.class = cases[i].class;
		f.confidence = cases[i].confidence;
		f.is_own = cases[i].is_own;
		f.at_us = 0;
		j = line_of(&f);
		if (number(j, "severity_id") != cases[i].want)
			fail_msg("%s: %d", cases[i].why, (int)number(j, "severity_id"));
		assert_int_equal(number(j, "time"), 1600000000000); /* it has none: the report's, and that is said */
		assert_string_equal(json_string_value(json_object_get(json_object_get(j, "unmapped"), "time_from")), "report");
		json_decref(j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_what_the_class_wants), cmocka_unit_test(test_severities) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
