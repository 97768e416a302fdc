/* Mandatory tests about products, their groups and names: 6.1.1 to 6.1.6, 6.1.13, 6.1.25, 6.1.31. */
#include "csaf/csaf_priv.h"

#include <stdlib.h>

/* --- every place that refers to a product or to a group --- */

typedef void reference_fn(struct check *c, const char *id, const struct at *at);

static void each_text(struct check *c, const json_t *list, const struct at *at, reference_fn *fn)
{
	json_t *item;
	size_t i;

	json_array_foreach (list, i, item)
		if (json_is_string(item))
			fn(c, json_string_value(item), AT_I(at, i));
}

static void each_in_tree(struct check *c, reference_fn *fn)
{
	static const char *const ends[] = { "product_reference", "relates_to_product_reference" };
	const struct at *tree = AT(NULL, "product_tree");
	json_t *item;
	size_t i;

	json_array_foreach (get2(c->doc, "product_tree", "product_groups"), i, item)
		each_text(c, get(item, "product_ids"), AT(AT_I(AT(tree, "product_groups"), i), "product_ids"), fn);
	json_array_foreach (get2(c->doc, "product_tree", "relationships"), i, item)
		for (size_t k = 0; k < COUNT_OF(ends); k++)
			if (text_at(item, ends[k]))
				fn(c, text_at(item, ends[k]), AT(AT_I(AT(tree, "relationships"), i), ends[k]));
}

/* The lists of one vulnerability whose items have key, a list of ids. */
static void each_in_items(struct check *c, const json_t *vulnerability, const struct at *at, const char *list, const char *key, reference_fn *fn)
{
	json_t *item;
	size_t i;

	json_array_foreach (get(vulnerability, list), i, item)
		each_text(c, get(item, key), AT(AT_I(AT(at, list), i), key), fn);
}

static void each_product_reference(struct check *c, reference_fn *fn)
{
	json_t *vulnerability, *ids;
	const char *status;
	size_t i;

	each_in_tree(c, fn);
	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		const struct at *at = AT_I(AT(NULL, "vulnerabilities"), i);

		json_object_foreach (json_object_get(vulnerability, "product_status"), status, ids)
			each_text(c, ids, AT(AT(at, "product_status"), status), fn);
		each_in_items(c, vulnerability, at, "remediations", "product_ids", fn);
		each_in_items(c, vulnerability, at, "scores", "products", fn);
		each_in_items(c, vulnerability, at, "threats", "product_ids", fn);
		each_in_items(c, vulnerability, at, "flags", "product_ids", fn);
	}
}

static void product_is_defined(struct check *c, const char *id, const struct at *at)
{
	if (!json_object_get(c->products, id))
		report(c, at, "no product of the product tree has the id '%.80s'", id);
}

void test_missing_product(struct check *c)
{
	each_product_reference(c, product_is_defined);
}

static void define_product(struct check *c, const json_t *product, const struct at *at, void *ctx)
{
	json_t *seen = ctx;
	const char *id = text_at(product, "product_id");

	if (!id)
		return;
	if (json_object_get(seen, id))
		report(c, AT(at, "product_id"), "another product has the id '%.80s' too", id);
	json_object_set_new(seen, id, json_true());
}

void test_double_product(struct check *c)
{
	json_t *seen = json_object();

	each_product(c, define_product, seen);
	json_decref(seen);
}

/* --- 6.1.3: what a relationship defines must not be made of itself --- */

/* Defined ids that lean on no defined one are closed, then those that leaned on these alone, and so on: what stays open stands in a
 * circle, or leans on one. Each reference is looked at twice, so that the order of the list costs no time. */
struct leaning {
	json_t *open;	 /* id -> true */
	json_t *waiting; /* id -> places of relationships that lean on it */
	size_t *counts;	 /* per relationship: on how many open ids it leans */
	size_t *ready;	 /* relationships that lean on none */
	size_t ready_count;
};

static const char *defined_id(const json_t *relationship)
{
	return text_at(get(relationship, "full_product_name"), "product_id");
}

static void lean(struct leaning *l, const json_t *relationship, size_t i)
{
	static const char *const ends[] = { "product_reference", "relates_to_product_reference" };

	for (size_t k = 0; k < COUNT_OF(ends); k++) {
		const char *on = text_at(relationship, ends[k]);
		json_t *list;

		if (!on || !json_object_get(l->open, on))
			continue;
		list = json_object_get(l->waiting, on);
		if (!list)
			json_object_set_new(l->waiting, on, list = json_array());
		json_array_append_new(list, json_integer((json_int_t)i));
		l->counts[i]++;
	}
	if (l->counts[i] == 0)
		l->ready[l->ready_count++] = i;
}

static void close_all(struct leaning *l, const json_t *list)
{
	json_t *place;
	size_t i;

	while (l->ready_count) {
		const char *id = defined_id(json_array_get(list, l->ready[--l->ready_count]));

		if (!id || json_object_del(l->open, id) != 0)
			continue;
		json_array_foreach (json_object_get(l->waiting, id), i, place)
			if (--l->counts[json_integer_value(place)] == 0)
				l->ready[l->ready_count++] = (size_t)json_integer_value(place);
	}
}

void test_circular_product(struct check *c)
{
	const json_t *list = get2(c->doc, "product_tree", "relationships");
	size_t n = json_array_size(list), i;
	struct leaning l = { .open = json_object(), .waiting = json_object(), .counts = calloc(n + 1, sizeof(size_t)), .ready = calloc(n + 1, sizeof(size_t)) };
	json_t *item;

	CHECK(l.counts && l.ready);
	json_array_foreach (list, i, item)
		if (defined_id(item))
			json_object_set_new(l.open, defined_id(item), json_true());
	json_array_foreach (list, i, item)
		lean(&l, item, i);
	close_all(&l, list);
	json_array_foreach (list, i, item)
		if (defined_id(item) && json_object_get(l.open, defined_id(item)))
			report(c, AT(AT(AT_I(AT(AT(NULL, "product_tree"), "relationships"), i), "full_product_name"), "product_id"),
				"'%.80s' is defined by itself, directly or through others", defined_id(item));
	json_decref(l.open);
	json_decref(l.waiting);
	free(l.counts);
	free(l.ready);
}

/* --- groups --- */

static void group_is_defined(struct check *c, const char *id, const struct at *at)
{
	if (!json_object_get(c->groups, id))
		report(c, at, "no product group has the id '%.80s'", id);
}

void test_missing_group(struct check *c)
{
	json_t *vulnerability;
	size_t i;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability) {
		const struct at *at = AT_I(AT(NULL, "vulnerabilities"), i);

		each_in_items(c, vulnerability, at, "remediations", "group_ids", group_is_defined);
		each_in_items(c, vulnerability, at, "threats", "group_ids", group_is_defined);
		each_in_items(c, vulnerability, at, "flags", "group_ids", group_is_defined);
	}
}

void test_double_group(struct check *c)
{
	json_t *seen = json_object(), *group;
	size_t i;

	json_array_foreach (get2(c->doc, "product_tree", "product_groups"), i, group) {
		const char *id = text_at(group, "group_id");

		if (!id)
			continue;
		if (json_object_get(seen, id))
			report(c, AT(AT_I(AT(AT(NULL, "product_tree"), "product_groups"), i), "group_id"), "another group has the id '%.80s' too", id);
		json_object_set_new(seen, id, json_true());
	}
	json_decref(seen);
}

/* --- 6.1.6 --- */

static void status_of_one(struct check *c, const json_t *status, const struct at *at)
{
	static const struct {
		const char *list, *class;
	} lists[] = { { "first_affected", "affected" }, { "known_affected", "affected" }, { "last_affected", "affected" },
		{ "known_not_affected", "not affected" }, { "first_fixed", "fixed" }, { "fixed", "fixed" },
		{ "under_investigation", "under investigation" } };
	json_t *seen = json_object(), *item;
	size_t i;

	for (size_t k = 0; k < COUNT_OF(lists); k++)
		json_array_foreach (get(status, lists[k].list), i, item) {
			const char *id = json_string_value(item), *other = id ? text_at(seen, id) : NULL;

			if (!id)
				continue;
			if (other && strcmp(other, lists[k].class) != 0)
				report(c, AT_I(AT(at, lists[k].list), i), "'%.80s' is %s and %s at once", id, other, lists[k].class);
			json_object_set_new(seen, id, json_string(lists[k].class));
		}
	json_decref(seen);
}

void test_status_conflict(struct check *c)
{
	json_t *vulnerability;
	size_t i;

	json_array_foreach (get(c->doc, "vulnerabilities"), i, vulnerability)
		status_of_one(c, get(vulnerability, "product_status"), AT(AT_I(AT(NULL, "vulnerabilities"), i), "product_status"));
}

/* --- names --- */

static void check_purl(struct check *c, const json_t *product, const struct at *at, void *ctx)
{
	const char *purl = text_at(get(product, "product_identification_helper"), "purl");

	(void)ctx;
	if (purl && !is_purl(purl))
		report(c, AT(AT(at, "product_identification_helper"), "purl"), "'%.100s' is no package URL: write pkg:TYPE/NAMESPACE/NAME@VERSION", purl);
}

void test_purl(struct check *c)
{
	each_product(c, check_purl, NULL);
}

static void check_hashes(struct check *c, const json_t *product, const struct at *at, void *ctx)
{
	json_t *file, *hash;
	size_t i, k;

	(void)ctx;
	json_array_foreach (get2(product, "product_identification_helper", "hashes"), i, file) {
		json_t *seen = json_object();

		json_array_foreach (get(file, "file_hashes"), k, hash) {
			const char *algorithm = text_at(hash, "algorithm");

			if (algorithm && json_object_get(seen, algorithm))
				report(c, AT_I(AT(AT_I(AT(AT(at, "product_identification_helper"), "hashes"), i), "file_hashes"), k),
					"%.40s is used for this file already", algorithm);
			if (algorithm)
				json_object_set_new(seen, algorithm, json_true());
		}
		json_decref(seen);
	}
}

void test_double_hash(struct check *c)
{
	each_product(c, check_hashes, NULL);
}

/* A word stands between white space: after-eight is a name. */
static bool is_space(unsigned char b)
{
	return b <= ' ';
}

static bool has_word(struct bytes text, struct bytes word)
{
	for (size_t i = 0; i + word.len <= text.len; i++)
		if (bytes_eq_nocase(bytes_cut(text, i, i + word.len), word) && (i == 0 || is_space(text.at[i - 1])) &&
			(i + word.len == text.len || is_space(text.at[i + word.len])))
			return true;
	return false;
}

static void check_version_name(struct check *c, const json_t *branch, const struct at *at, void *ctx)
{
	static const char *const words[] = { "after", "all", "before", "earlier", "later", "prior", "versions" };
	const char *category = text_at(branch, "category"), *name = text_at(branch, "name");
	const char *found = NULL;

	(void)ctx;
	if (!category || !name || strcmp(category, "product_version") != 0)
		return;
	if (strpbrk(name, "<>"))
		found = strchr(name, '<') ? "<" : ">";
	for (size_t i = 0; !found && i < COUNT_OF(words); i++)
		if (has_word(bytes_str(name), bytes_str(words[i])))
			found = words[i];
	if (found)
		report(c, AT(at, "name"), "'%.100s' is a range ('%s'); its category is product_version_range", name, found);
}

void test_version_range(struct check *c)
{
	each_branch(c, check_version_name, NULL);
}
