/* YAML data files: what they become, what is refused and where, and values taken out of them. */
#include "data/data.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_scalars_stay_texts(void **state)
{
	static const char *const text = "version: 13.10\ndate: 2020-01-09\nno: no\nlist: [1, 'b']\nmap:\n  deep: ~\n";
	char error[DATA_ERROR_MAX];
	struct data *d = NULL;
	const json_t *root, *list;

	(void)state;
	assert_int_equal(data_read(bytes_str(text), "f.yaml", &d, error), OK);
	root = data_root(d);
	assert_string_equal(json_string_value(json_object_get(root, "version")), "13.10");
	assert_string_equal(json_string_value(json_object_get(root, "date")), "2020-01-09");
	assert_string_equal(json_string_value(json_object_get(root, "no")), "no");
	list = json_object_get(root, "list");
	assert_string_equal(json_string_value(json_array_get(list, 0)), "1");
	assert_int_equal(data_line(d, list), 4);
	assert_int_equal(data_line(d, json_object_get(json_object_get(root, "map"), "deep")), 6);
	assert_int_equal(data_line(d, NULL), 1);
	data_free(&d);
	assert_null(d);
}

static void test_an_empty_file_is_an_empty_map(void **state)
{
	static const char *const texts[] = { "", "# nothing\n", "---\n", "~", "''" };
	char error[DATA_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct data *d = NULL;

		if (i == 3)
			continue; /* a tilde is a text here */
		assert_int_equal(data_read(bytes_str(texts[i]), "f", &d, error), OK);
		assert_int_equal(json_object_size(data_root(d)), 0);
		data_free(&d);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *error;
		enum err e;
	} cases[] = {
		{ "a: 1\na: 2\n", "f.yaml:2:1: this key is there twice", ERR_SYNTAX },
		{ "a: &x 1\n", "f.yaml:1:4: anchors and aliases", ERR_SYNTAX },
		{ "a: *x\n", "f.yaml:1:4: anchors and aliases", ERR_SYNTAX },
		{ "a: !!int 1\n", "f.yaml:1:4: tags", ERR_SYNTAX },
		{ "<<: {a: 1}\n", "f.yaml:1:1: merge keys", ERR_SYNTAX },
		{ "[a]: 1\n", "f.yaml:1:1: a key must be a text", ERR_SYNTAX },
		{ "---\na: 1\n---\nb: 2\n", "f.yaml:3:1: a second document", ERR_SYNTAX },
		{ "a: [1, 2\n", "f.yaml:2:1: ", ERR_SYNTAX },
		{ "a: \"\\0\"\n", "f.yaml:1:4: a text has a NUL", ERR_SYNTAX },
		{ "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "f.yaml:1:33: too deep", ERR_LIMIT },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char error[DATA_ERROR_MAX];
		struct data *d = NULL;

		assert_int_equal(data_read(bytes_str(cases[i].text), "f.yaml", &d, error), cases[i].e);
		assert_null(d);
		if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: '%s', not '%s'", cases[i].text, error, cases[i].error);
	}
}

static void test_values(void **state)
{
	static const char *const text = "name: a\nempty: ''\nflag: true\nbad: yes\nn: 42\nbig: 4294967296\nlist:\n  - x\nkind: file\n";
	char error[DATA_ERROR_MAX];
	struct data *d = NULL;
	const json_t *root, *list;
	const char *t;
	bool flag = false;
	uint64_t n = 7;
	unsigned kind = 9;

	(void)state;
	assert_int_equal(data_read(bytes_str(text), "f", &d, error), OK);
	root = data_root(d);
	assert_int_equal(data_text(d, root, "name", true, &t, error), OK);
	assert_string_equal(t, "a");
	assert_int_equal(data_text(d, root, "none", false, &t, error), OK);
	assert_null(t);
	assert_int_equal(data_text(d, root, "none", true, &t, error), ERR_SYNTAX);
	assert_string_equal(error, "f:1: 'none' is missing");
	assert_int_equal(data_text(d, root, "empty", true, &t, error), ERR_SYNTAX);
	assert_string_equal(error, "f:2: 'empty' is empty");
	assert_int_equal(data_text(d, root, "list", true, &t, error), ERR_SYNTAX);
	assert_string_equal(error, "f:8: 'list' must be a text");
	assert_int_equal(data_list(d, root, "list", true, &list, error), OK);
	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(data_list(d, root, "name", true, &list, error), ERR_SYNTAX);
	assert_int_equal(data_bool(d, root, "flag", &flag, error), OK);
	assert_true(flag);
	assert_int_equal(data_bool(d, root, "bad", &flag, error), ERR_SYNTAX);
	assert_string_equal(error, "f:4: 'bad' is true or false, not 'yes'");
	assert_int_equal(data_number(d, root, "n", 100, &n, error), OK);
	assert_int_equal(n, 42);
	assert_int_equal(data_number(d, root, "none", 100, &n, error), OK);
	assert_int_equal(n, 42);
	assert_int_equal(data_number(d, root, "big", UINT32_MAX, &n, error), ERR_SYNTAX);
	assert_int_equal(data_number(d, root, "name", 10, &n, error), ERR_SYNTAX);
	assert_int_equal(data_choice(d, root, "kind", true, "line file tree", &kind, error), OK);
	assert_int_equal(kind, 1);
	assert_int_equal(data_choice(d, root, "name", true, "line file", &kind, error), ERR_SYNTAX);
	assert_string_equal(error, "f:1: 'name' is 'a'; it may be: line file");
	assert_int_equal(data_keys(d, root, "name empty flag bad n big list kind", error), OK);
	assert_int_equal(data_keys(d, root, "name empty flag bad n big lists kind", error), ERR_SYNTAX);
	assert_string_equal(error, "f:8: 'list' is not a key here; did you mean lists?");
	assert_int_equal(data_keys(d, json_object_get(root, "name"), "x", error), ERR_SYNTAX);
	data_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_scalars_stay_texts), cmocka_unit_test(test_an_empty_file_is_an_empty_map),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
