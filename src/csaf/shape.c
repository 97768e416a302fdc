/* Members that a table does not name are allowed, as the standard's schema allows them. */
#include "csaf/shape.h"

#include "csaf/cvss.h"

#include <stdlib.h>

static void check_members(struct check *c, const struct shape *shape, const json_t *v, const struct at *at)
{
	size_t count = json_object_size(v);

	if (count < shape->least)
		report(c, at, "has %zu members, must have %s%zu", count, shape->most == shape->least ? "" : "at least ", shape->least);
	if (shape->most && count > shape->most)
		report(c, at, "has %zu members, must have %s%zu", count, shape->most == shape->least ? "" : "at most ", shape->most);
	for (const struct shape_member *m = shape->members; m && m->name; m++) {
		const json_t *child = json_object_get(v, m->name);

		if (child)
			shape_check(c, m->shape, child, AT(at, m->name));
		else if (m->is_needed)
			report(c, at, "'%s' is missing", m->name);
	}
}

/* Texts as they are, other items serialised, so that a long list costs no more than its length. */
static bool is_new(json_t *texts, json_t *seen, const json_t *item)
{
	bool is_first;
	char *key;

	if (json_is_string(item)) {
		is_first = json_object_get(texts, json_string_value(item)) == NULL;
		json_object_set_new(texts, json_string_value(item), json_true());
		return is_first;
	}
	key = json_dumps(item, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	CHECK(key);
	is_first = json_object_get(seen, key) == NULL;
	json_object_set_new(seen, key, json_true());
	free(key);
	return is_first;
}

static void check_items(struct check *c, const struct shape *shape, const json_t *v, const struct at *at)
{
	json_t *seen = shape->is_unique ? json_object() : NULL, *texts = shape->is_unique ? json_object() : NULL;
	json_t *item;
	size_t i;

	if (json_array_size(v) < shape->least)
		report(c, at, "has %zu items, must have at least %zu", json_array_size(v), shape->least);
	json_array_foreach (v, i, item) {
		shape_check(c, shape->item, item, AT_I(at, i));
		if (seen && !is_new(texts, seen, item))
			report(c, AT_I(at, i), "is in this list already; each item may be there once");
	}
	json_decref(seen);
	json_decref(texts);
}

static void check_text(struct check *c, const struct shape *shape, const char *s, const struct at *at)
{
	struct bytes word;

	if (shape->words) {
		for (size_t i = 0; cvss_word(shape->words, i, &word); i++)
			if (bytes_eq(word, bytes_str(s)))
				return;
		report(c, at, "'%.60s' is not one of %s", s, shape->words);
	} else if (!*s && !shape->form) {
		report(c, at, "is empty");
	} else if (shape->form && !shape->form(s)) {
		report(c, at, "'%.100s' is not %s", s, shape->form_name);
	}
}

void shape_check(struct check *c, const struct shape *shape, const json_t *v, const struct at *at)
{
	static const char *const names[] = { [SHAPE_OBJECT] = "an object", [SHAPE_LIST] = "a list", [SHAPE_TEXT] = "a text",
		[SHAPE_NUMBER] = "a number" };
	bool fits = false;

	switch (shape->type) {
	case SHAPE_OBJECT:
		fits = json_is_object(v);
		break;
	case SHAPE_LIST:
		fits = json_is_array(v);
		break;
	case SHAPE_TEXT:
		fits = json_is_string(v);
		break;
	case SHAPE_NUMBER:
		fits = json_is_number(v) && json_number_value(v) >= 0 && json_number_value(v) <= 10;
		break;
	}
	if (!fits)
		report(c, at, "is not %s%s", names[shape->type], shape->type == SHAPE_NUMBER ? " from 0 to 10" : "");
	else if (shape->type == SHAPE_OBJECT)
		check_members(c, shape, v, at);
	else if (shape->type == SHAPE_LIST)
		check_items(c, shape, v, at);
	else if (shape->type == SHAPE_TEXT)
		check_text(c, shape, json_string_value(v), at);
}
