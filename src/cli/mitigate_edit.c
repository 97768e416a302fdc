/* Three plain spellings are edited: no rules:, rules: [a, b] on one line, and a list of "- a" lines. Whatever was made is read and
 * compared with what was: an edit that changes anything else is not used. */
#include "cli/mitigate_edit.h"

#include "data/data.h"

static bool starts_line(struct bytes text, size_t at, const char *key)
{
	return (at == 0 || text.at[at - 1] == '\n') && bytes_starts(bytes_cut(text, at, text.len), bytes_str(key));
}

static size_t end_of_line(struct bytes text, size_t at)
{
	size_t n = bytes_find_byte(bytes_cut(text, at, text.len), '\n');

	return n == SIZE_MAX ? text.len : at + n;
}

static void insert(struct bytes text, size_t at, const char *a, const char *b, const char *c, struct text *out)
{
	text_add(out, bytes_cut(text, 0, at));
	text_fmt(out, "%s%s%s", a, b, c);
	text_add(out, bytes_cut(text, at, text.len));
}

static bool edit(struct bytes text, const char *set, struct text *out)
{
	size_t at = 0;

	while (at < text.len && !starts_line(text, at, "rules:"))
		at = end_of_line(text, at) + 1;
	if (at >= text.len) {
		insert(text, text.len, text.len && text.at[text.len - 1] != '\n' ? "\nrules: [" : "rules: [", set, "]\n", out);
		return true;
	}
	size_t end = end_of_line(text, at), open = bytes_find_byte(bytes_cut(text, at, end), '[');

	if (open != SIZE_MAX && bytes_find_byte(bytes_cut(text, at, end), ']') != SIZE_MAX) {
		bool is_empty = bytes_trim(bytes_cut(text, at + open + 1, at + bytes_find_byte(bytes_cut(text, at, end), ']'))).len == 0;

		insert(text, at + open + 1, set, is_empty ? "" : ", ", "", out);
		return true;
	}
	if (bytes_trim(bytes_cut(text, at + 6, end)).len || end >= text.len)
		return false;
	size_t next = end + 1, dash = next;

	while (dash < text.len && text.at[dash] == ' ')
		dash++;
	if (dash >= text.len || text.at[dash] != '-')
		return false;
	text_add(out, bytes_cut(text, 0, next));
	text_add(out, bytes_cut(text, next, dash));
	text_fmt(out, "- %s\n", set);
	text_add(out, bytes_cut(text, next, text.len));
	return true;
}

static bool has_set(const json_t *root, const char *set)
{
	const json_t *rules = json_object_get(root, "rules"), *v;
	size_t i;

	json_array_foreach (rules, i, v)
		if (json_is_string(v) && strcmp(json_string_value(v), set) == 0)
			return true;
	return json_is_string(rules) && strcmp(json_string_value(rules), set) == 0;
}

/* All but rules: is the same, and rules: has what it had and the set in front of it. */
static bool is_sum(const json_t *before, const json_t *after, const char *set)
{
	const json_t *old = json_object_get(before, "rules");
	json_t *want = json_deep_copy(before), *rules = json_is_array(old) ? json_deep_copy(old) : json_array();
	bool is_same = false;

	if (json_is_string(old))
		json_array_append_new(rules, json_string(json_string_value(old)));
	json_array_insert_new(rules, 0, json_string(set));
	if (json_object_set_new(want, "rules", rules) == 0) /* which fails for a document that is no mapping */
		is_same = json_equal(want, (json_t *)(uintptr_t)after) == 1;
	json_decref(want);
	return is_same;
}

enum mitigate_edit mitigate_add_rules(struct bytes text, const char *set, struct text *out)
{
	struct data *before = NULL, *after = NULL;
	char error[DATA_ERROR_MAX];
	enum mitigate_edit result = EDIT_UNSAFE;

	if (data_read(text, "configuration", &before, error) == OK) {
		if (has_set(data_root(before), set))
			result = EDIT_THERE;
		else if (edit(text, set, out) && !out->failed && data_read(text_bytes(out), "configuration", &after, error) == OK &&
			is_sum(data_root(before), data_root(after), set))
			result = EDIT_DONE;
	}
	data_free(&before);
	data_free(&after);
	return result;
}
