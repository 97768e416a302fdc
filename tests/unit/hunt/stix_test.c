/* A bundle is one JSON object in which every reference leads somewhere, with the same ids in every run. */
#include "hunt/stix.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct hunt_finding found[] = {
	{ .rule = "r1", .title = "t'\\", .source = "https://example.org/x", .advisories = "", .class = HUNT_COMPROMISE, .confidence = HUNT_HIGH, .path = "/var/log/a",
		.where = "/var/log/a", .line = 3, .at_us = 1578571200000000, .when_how = "log", .client = LIT("192.0.2.1"), .url = LIT("/a'b\\\xff\n"), .note = "" },
	{ .rule = "r1", .title = "t'\\", .source = "", .advisories = "", .class = HUNT_PROBE, .path = "/var/log/a", .where = "/var/log/a", .line = 4, .when_how = "",
		.client = LIT("2001:db8::1"), .note = "" },
	{ .rule = "r2", .title = "", .source = "", .advisories = "", .class = HUNT_TRACE, .path = "/x\xff", .where = "/x", .when_how = "", .client = LIT("no address"), .note = "" },
	{ .rule = "own", .title = "", .source = "", .advisories = "", .class = HUNT_TRACE, .path = "/y", .where = "/y", .when_how = "", .is_own = true, .note = "" },
};

static json_t *bundle(enum hunt_tlp tlp, uint64_t now_us)
{
	const struct hunt_summary sum = { .verdict = HUNT_FOUND, .host = "ns1", .version = "1", .problems = 1 };
	struct hunt_stix *s = NULL;
	struct hunt_output out;
	char *mem = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&mem, &size);
	json_error_t e;
	json_t *j;

	assert_int_equal(hunt_stix_open(to, "Org \"X\"", tlp, now_us, &s), OK);
	out = hunt_stix_output(s);
	out.begin(out.ctx, &sum);
	for (size_t i = 0; i < COUNT_OF(found); i++)
		out.finding(out.ctx, &found[i]);
	out.finding(out.ctx, &found[0]); /* twice is once */
	out.problem(out.ctx, "w", "x");
	out.end(out.ctx, &sum);
	assert_int_equal(hunt_stix_close(&s), OK);
	fclose(to);
	j = json_loadb(mem, size, JSON_REJECT_DUPLICATES, &e);
	if (!j)
		fail_msg("%s at %d: %s", e.text, e.line, mem);
	free(mem);
	return j;
}

static size_t count_of(const json_t *all, const char *type)
{
	size_t n = 0;

	for (size_t i = 0; i < json_array_size(all); i++)
		n += strcmp(json_string_value(json_object_get(json_array_get(all, i), "type")), type) == 0;
	return n;
}

static bool has_id(const json_t *all, const char *id)
{
	for (size_t i = 0; i < json_array_size(all); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(all, i), "id")), id) == 0)
			return true;
	return false;
}

/* Every text that ends a key with _ref, and every list that ends one with _refs. */
static void check_references(const json_t *all, const json_t *object)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)(uintptr_t)object, key, v) {
		size_t n = strlen(key);

		if (n > 4 && strcmp(key + n - 4, "_ref") == 0 && !has_id(all, json_string_value(v)))
			fail_msg("%s leads nowhere", json_string_value(v));
		for (size_t i = 0; n > 5 && strcmp(key + n - 5, "_refs") == 0 && strcmp(key, "external_refs") != 0 && i < json_array_size(v); i++)
			if (!has_id(all, json_string_value(json_array_get(v, i))))
				fail_msg("%s leads nowhere", json_string_value(json_array_get(v, i)));
	}
}

static void test_a_bundle(void **state)
{
	static const struct {
		const char *type;
		size_t count;
	} cases[] = { { "marking-definition", 1 }, { "identity", 1 }, { "indicator", 2 }, { "observed-data", 3 }, { "sighting", 3 }, { "file", 2 }, { "ipv4-addr", 1 },
		{ "ipv6-addr", 1 }, { "url", 1 }, { "report", 1 } };
	json_t *j = bundle(HUNT_TLP_AMBER, 1600000000000000), *all = json_object_get(j, "objects");

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (count_of(all, cases[i].type) != cases[i].count)
			fail_msg("%zu of %s", count_of(all, cases[i].type), cases[i].type);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *o = json_array_get(all, i);

		check_references(all, o);
		assert_string_equal(json_string_value(json_object_get(o, "spec_version")), "2.1");
		assert_true(json_object_get(o, "object_marking_refs") || strcmp(json_string_value(json_object_get(o, "type")), "marking-definition") == 0);
		if (strcmp(json_string_value(json_object_get(o, "type")), "indicator") == 0 && json_object_get(o, "external_references"))
			assert_string_equal(json_string_value(json_object_get(o, "pattern")), "[url:value = '/a\\'b\\\\?\?']");
	}
	json_decref(j);
}

/* 2.9: everybody's id of this address. Computed with Python: uuid.uuid5(UUID('00abedb4-aa42-466c-9c01-fed23315a9b7'), '{"value":"192.0.2.1"}') */
static void test_ids_are_the_same_everywhere(void **state)
{
	json_t *a = bundle(HUNT_TLP_CLEAR, 1600000000000000), *b = bundle(HUNT_TLP_CLEAR, 1700000000000000);
	const json_t *x = json_object_get(a, "objects"), *y = json_object_get(b, "objects");

	(void)state;
	assert_int_equal(json_array_size(x), json_array_size(y));
	for (size_t i = 0; i < json_array_size(x); i++)
		assert_true(has_id(y, json_string_value(json_object_get(json_array_get(x, i), "id"))));
	assert_true(has_id(x, "ipv4-addr--8dded90c-40c0-545a-8027-5b212bb37e8e"));
	assert_true(has_id(x, "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"));
	json_decref(a);
	json_decref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_bundle), cmocka_unit_test(test_ids_are_the_same_everywhere) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
