/* YARA rules over windows: where a string is, what a file of any size is told as, and what is refused. */
#include "hunt/yara.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct heard {
	unsigned hits, slow;
	size_t index, len;
	uint64_t offset;
};

static void on_hit(void *ctx, size_t index, uint64_t offset, size_t len)
{
	struct heard *h = ctx;

	h->hits++;
	h->index = index;
	h->offset = offset;
	h->len = len;
}

static void on_slow(void *ctx, size_t index)
{
	struct heard *h = ctx;

	h->slow++;
	h->index = index;
}

static struct hunt_yara *compiled(const char *text, unsigned timeout_s)
{
	struct hunt_yara *y = hunt_yara_new();
	char error[DATA_ERROR_MAX];

	assert_non_null(y);
	assert_int_equal(hunt_yara_add(y, bytes_str(text), "a.yar", error), OK);
	assert_int_equal(hunt_yara_compile(y, timeout_s, error), OK);
	return y;
}

static void test_meta(void **state)
{
	struct hunt_yara *y = compiled("rule a { meta: description = \"says\" reference = \"https://example.org\" class = \"trace\" confidence = \"low\" "
				       "cve = \"CVE-2023-3519\" condition: false }\n"
				       "rule b { meta: score = 80 condition: false }\nrule c { condition: false }\n", 5);
	const struct hunt_rule *r = hunt_yara_rule(y, 0);

	(void)state;
	assert_int_equal(hunt_yara_count(y), 3);
	assert_string_equal(r->id, "yara:a");
	assert_string_equal(r->title, "says");
	assert_string_equal(r->source, "https://example.org");
	assert_string_equal(r->advisories, "CVE-2023-3519");
	assert_int_equal(r->class, HUNT_TRACE);
	assert_int_equal(r->confidence, HUNT_LOW);
	r = hunt_yara_rule(y, 1);
	assert_string_equal(r->title, "b");
	assert_int_equal(r->class, HUNT_COMPROMISE);
	assert_int_equal(r->confidence, HUNT_HIGH);
	assert_int_equal(hunt_yara_rule(y, 2)->confidence, HUNT_MEDIUM);
	hunt_yara_free(&y);
	assert_null(y);
}

static void test_places(void **state)
{
	static const struct {
		const char *why, *rule, *window;
		uint64_t offset, size;
		unsigned hits;
		uint64_t at;
		size_t len;
	} cases[] = {
		{ "the first of two", "strings: $a = \"bb\" $b = \"aa\" condition: $a and $b", "..bb..aa..bb", 0, 12, 1, 2, 2 },
		{ "in a later window", "strings: $a = \"bb\" condition: $a", "..bb", 1000, 1004, 1, 1002, 2 },
		{ "no string", "condition: filesize < 10", "abc", 0, 3, 1, 0, 0 },
		{ "size of what was read so far", "condition: filesize < 10", "abc", 1000, 1003, 0, 0, 0 },
		{ "nothing at all", "condition: filesize == 0", "", 0, 0, 1, 0, 0 },
		{ "the beginning of the file is not that of a later window", "strings: $a = \"abc\" condition: $a at 0", "abc", 1000, 1003, 0, 0, 0 },
		{ "hexadecimal with gaps", "strings: $a = { 61 ?? 63 } condition: $a", "xxabc", 0, 5, 1, 2, 3 },
		{ "no hit", "strings: $a = \"zz\" condition: $a", "abc", 0, 3, 0, 0, 0 },
		{ "modules for sums", "strings: $a = \"abc\" condition: $a and math.entropy(0, filesize) >= 0.0", "abc", 0, 3, 1, 0, 3 },
	};
	char text[500];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct heard h = { 0 };
		const struct hunt_yara_calls calls = { on_hit, on_slow, &h };
		struct hunt_yara *y;

		print_message("%s\n", cases[i].why);
		snprintf(text, sizeof(text), "import \"math\"\nrule a { %s }", cases[i].rule);
		y = compiled(text, 5);
		assert_int_equal(hunt_yara_look(y, bytes_str(cases[i].window), cases[i].offset, cases[i].size, &calls), OK);
		assert_int_equal(h.hits, cases[i].hits);
		assert_int_equal(h.offset, cases[i].at);
		assert_int_equal(h.len, cases[i].len);
		hunt_yara_free(&y);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "rule a {\n condition: b }", "a.yar:2: " },
		{ "include \"/etc/passwd\"\n", "a.yar:1: " },
		{ "import \"pe\"\nrule a { condition: pe.number_of_sections == 1 }", "the module 'pe' is not used here" },
		{ "import \"elf\"\nrule a { condition: false }", "the module 'elf' is not used here" },
		{ "what", "a.yar:1: " },
	};
	struct hunt_yara *y = hunt_yara_new();
	char error[DATA_ERROR_MAX];

	(void)state;
	assert_non_null(y);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_int_equal(hunt_yara_add(y, bytes_str(cases[i].text), "a.yar", error), ERR_SYNTAX);
		if (!strstr(error, cases[i].words))
			fail_msg("%s", error);
	}
	assert_int_equal(hunt_yara_add(y, bytes_of("rule\0a", 6), "a.yar", error), ERR_SYNTAX);
	/* and what is right is taken after all that, the same name from two files too */
	assert_int_equal(hunt_yara_add(y, BYTES("rule a { condition: true }"), "a.yar", error), OK);
	assert_int_equal(hunt_yara_add(y, BYTES("rule a { condition: true }"), "b.yar", error), OK);
	assert_int_equal(hunt_yara_compile(y, 5, error), OK);
	assert_int_equal(hunt_yara_count(y), 2);
	hunt_yara_free(&y);
}

static void test_a_rule_that_hangs_is_found_and_left_out(void **state)
{
	struct heard h = { 0 };
	const struct hunt_yara_calls calls = { on_hit, on_slow, &h };
	struct hunt_yara *y = compiled("rule a { strings: $a = \"abc\" condition: $a }\nrule b { strings: $a = \"zzz\" condition: $a }\n"
				       "rule hangs { condition: for all i in (1..100000000000) : (i > 0) }\n", 1);

	(void)state;
	assert_int_equal(hunt_yara_look(y, BYTES("xabc"), 0, 4, &calls), OK);
	assert_int_equal(h.slow, 1);
	assert_int_equal(h.hits, 1);
	h = (struct heard){ 0 };
	assert_int_equal(hunt_yara_look(y, BYTES("xabc"), 0, 4, &calls), OK);
	assert_int_equal(h.slow, 0);
	assert_int_equal(h.hits, 1);
	assert_int_equal(h.offset, 1);
	hunt_yara_free(&y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meta),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_a_rule_that_hangs_is_found_and_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
