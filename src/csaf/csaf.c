/* The order of things: the structure first, then every test of the table; each takes what it needs and says nothing about what the
 * structure has already been found wrong about. */
#include "csaf/csaf.h"

#include "csaf/csaf_priv.h"

#include <stdlib.h>

static const struct {
	struct csaf_test test;
	void (*run)(struct check *c);
} tests[] = {
#define TEST(number, symbol, title) { { number, title }, test_##symbol },
#include "csaf/tests.tbl"
#undef TEST
};

size_t csaf_test_count(void)
{
	return COUNT_OF(tests);
}

struct csaf_test csaf_test_at(size_t i)
{
	CHECK(i < COUNT_OF(tests));
	return tests[i].test;
}

static unsigned depth_of(const json_t *v, unsigned so_far)
{
	unsigned deepest = so_far, d;
	const char *key;
	json_t *child;
	size_t i;

	if (so_far > CSAF_DEPTH_MAX)
		return so_far;
	json_object_foreach ((json_t *)(uintptr_t)v, key, child)
		if ((d = depth_of(child, so_far + 1)) > deepest)
			deepest = d;
	json_array_foreach (v, i, child)
		if ((d = depth_of(child, so_far + 1)) > deepest)
			deepest = d;
	return deepest;
}

enum err csaf_parse(struct bytes in, json_t **out, char error[CSAF_WORDS_MAX])
{
	json_error_t e;
	json_t *doc;

	if (in.len > CSAF_DOCUMENT_MAX) {
		snprintf(error, CSAF_WORDS_MAX, "larger than %u bytes", CSAF_DOCUMENT_MAX);
		return ERR_LIMIT;
	}
	doc = json_loadb((const char *)in.at, in.len, JSON_REJECT_DUPLICATES, &e);
	if (!doc) {
		snprintf(error, CSAF_WORDS_MAX, "line %d, column %d: %s", e.line, e.column, e.text);
		return ERR_SYNTAX;
	}
	if (depth_of(doc, 0) > CSAF_DEPTH_MAX) {
		json_decref(doc);
		snprintf(error, CSAF_WORDS_MAX, "nested more than %d deep", CSAF_DEPTH_MAX);
		return ERR_LIMIT;
	}
	*out = doc;
	return OK;
}

/* --- reporting --- */

static void put_pointer(struct text *t, const struct at *at)
{
	if (!at)
		return;
	put_pointer(t, at->up);
	text_byte(t, '/');
	if (!at->key) {
		text_u64(t, at->index);
		return;
	}
	for (const char *p = at->key; *p; p++)
		if (*p == '~' || *p == '/')
			text_str(t, *p == '~' ? "~0" : "~1");
		else
			text_byte(t, (unsigned char)*p);
}

void report(struct check *c, const struct at *at, const char *fmt, ...)
{
	struct csaf_findings *out = c->out;
	struct csaf_finding *f;
	struct text t;
	va_list ap;

	if (out->count++ >= CSAF_FINDINGS_MAX)
		return;
	if (!out->list)
		out->list = calloc(CSAF_FINDINGS_MAX, sizeof(*out->list));
	CHECK(out->list);
	f = &out->list[out->count - 1];
	f->test = c->test;
	text_init(&t, f->pointer, sizeof(f->pointer) - 1);
	put_pointer(&t, at);
	f->pointer[t.len] = 0;
	va_start(ap, fmt);
	vsnprintf(f->words, sizeof(f->words), fmt, ap);
	va_end(ap);
}

void csaf_findings_fini(struct csaf_findings *f)
{
	free(f->list);
	*f = (struct csaf_findings){ 0 };
}

/* --- walking --- */

const json_t *get(const json_t *o, const char *key)
{
	return json_object_get(o, key);
}

const json_t *get2(const json_t *o, const char *a, const char *b)
{
	return json_object_get(json_object_get(o, a), b);
}

const char *text_at(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void walk_branches(struct check *c, const json_t *list, const struct at *at, bool wants_products, product_fn *fn, void *ctx)
{
	json_t *branch;
	size_t i;

	json_array_foreach (list, i, branch) {
		const struct at *here = AT_I(at, i);
		const json_t *product = get(branch, "product");

		if (!wants_products)
			fn(c, branch, here, ctx);
		else if (json_is_object(product))
			fn(c, product, AT(here, "product"), ctx);
		walk_branches(c, get(branch, "branches"), AT(here, "branches"), wants_products, fn, ctx);
	}
}

void each_branch(struct check *c, product_fn *fn, void *ctx)
{
	walk_branches(c, get2(c->doc, "product_tree", "branches"), AT(AT(NULL, "product_tree"), "branches"), false, fn, ctx);
}

void each_product(struct check *c, product_fn *fn, void *ctx)
{
	const struct at *tree = AT(NULL, "product_tree");
	json_t *item;
	size_t i;

	walk_branches(c, get2(c->doc, "product_tree", "branches"), AT(tree, "branches"), true, fn, ctx);
	json_array_foreach (get2(c->doc, "product_tree", "full_product_names"), i, item)
		fn(c, item, AT_I(AT(tree, "full_product_names"), i), ctx);
	json_array_foreach (get2(c->doc, "product_tree", "relationships"), i, item)
		fn(c, get(item, "full_product_name"), AT(AT_I(AT(tree, "relationships"), i), "full_product_name"), ctx);
}

bool may_step(struct check *c, size_t steps, const struct at *at)
{
	if (steps <= c->steps_left) {
		c->steps_left -= steps;
		return true;
	}
	if (!c->is_stopped)
		report(c, at, "the document refers to products through groups more than %u times; what follows is not compared", CSAF_GROUP_STEPS_MAX);
	c->is_stopped = true;
	return false;
}

static void note_product(struct check *c, const json_t *product, const struct at *at, void *ctx)
{
	const char *id = text_at(product, "product_id"), *name = text_at(product, "name");

	(void)at;
	(void)ctx;
	if (id)
		json_object_set_new(c->products, id, json_string(name ? name : ""));
}

static void note_groups(struct check *c)
{
	json_t *group;
	size_t i;

	json_array_foreach (get2(c->doc, "product_tree", "product_groups"), i, group) {
		const char *id = text_at(group, "group_id");
		json_t *list = json_object_get(group, "product_ids");

		if (id && json_is_array(list))
			json_object_set(c->groups, id, list);
	}
}

void csaf_validate(const json_t *doc, const struct csaf_lists *lists, struct csaf_findings *out)
{
	struct csaf_findings findings = { 0 };
	struct check c = { .doc = doc, .lists = lists, .out = &findings, .test = "schema", .steps_left = CSAF_GROUP_STEPS_MAX, .products = json_object(), .groups = json_object() };

	check_schema(&c);
	each_product(&c, note_product, NULL);
	note_groups(&c);
	for (size_t i = 0; i < COUNT_OF(tests); i++) {
		c.test = tests[i].test.number;
		tests[i].run(&c);
	}
	json_decref(c.products);
	json_decref(c.groups);
	*out = findings;
}

/* --- what a document says in a few words --- */

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void take_score(const json_t *doc, struct csaf_summary *out)
{
	const char *words = text_at(get2(doc, "document", "aggregate_severity"), "text"), *severity = NULL;
	json_t *vulnerability, *score;
	size_t i, k;

	json_array_foreach (get(doc, "vulnerabilities"), i, vulnerability)
		json_array_foreach (get(vulnerability, "scores"), k, score) {
			const json_t *v3 = get(score, "cvss_v3"), *v2 = get(score, "cvss_v2");
			double value = json_number_value(get(v3 ? v3 : v2, "baseScore"));

			if (value <= out->score)
				continue;
			out->score = value;
			severity = text_at(v3, "baseSeverity");
		}
	if (out->score > 0)
		snprintf(out->severity, sizeof(out->severity), "%.1f %s", out->score, or_empty(severity));
	else
		snprintf(out->severity, sizeof(out->severity), "%s", or_empty(words));
}

void csaf_summarise(const json_t *doc, struct csaf_summary *out)
{
	const json_t *document = get(doc, "document"), *tracking = get(document, "tracking");

	*out = (struct csaf_summary){ .id = or_empty(text_at(tracking, "id")), .version = or_empty(text_at(tracking, "version")),
		.title = or_empty(text_at(document, "title")), .date = or_empty(text_at(tracking, "current_release_date")),
		.status = or_empty(text_at(tracking, "status")), .publisher = or_empty(text_at(get(document, "publisher"), "name")),
		.namespace = or_empty(text_at(get(document, "publisher"), "namespace")), .tlp = or_empty(text_at(get2(document, "distribution", "tlp"), "label")) };
	take_score(doc, out);
}

json_t *csaf_product_names(const json_t *doc)
{
	struct check c = { .doc = doc, .products = json_object() };

	each_product(&c, note_product, NULL);
	return c.products;
}

enum err csaf_file_name(const char *id, char out[256])
{
	size_t n = 0;
	bool is_gap = false;

	if (!*id)
		return ERR_SYNTAX;
	for (; *id; id++) {
		unsigned char c = ascii_lower((unsigned char)*id);
		bool fits = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-';

		if (!fits && is_gap)
			continue;
		is_gap = !fits;
		if (n >= 249)
			return ERR_LIMIT;
		out[n++] = (char)(fits ? c : '_');
	}
	memcpy(out + n, ".json", 6);
	return OK;
}

/* --- lists --- */

enum list_kind { LIST_WEAKNESSES, LIST_LANGUAGES };

static enum err read_list(struct bytes text, enum list_kind kind, json_t **out)
{
	json_t *list = json_object();

	while (text.len) {
		size_t end = bytes_find_byte(text, '\n');
		struct bytes line = bytes_trim(bytes_cut(text, 0, end)), key, value;
		size_t space = bytes_find_byte(line, ' ');

		text = end == SIZE_MAX ? BYTES("") : bytes_cut(text, end + 1, text.len);
		if (!line.len || line.at[0] == '#')
			continue;
		key = bytes_cut(line, 0, space);
		value = space == SIZE_MAX ? BYTES("") : bytes_trim(bytes_cut(line, space, line.len));
		if ((kind == LIST_WEAKNESSES) != (value.len > 0) ||
			json_object_setn_new(list, (const char *)key.at, key.len, json_stringn((const char *)value.at, value.len)) < 0) {
			json_decref(list);
			return ERR_SYNTAX;
		}
	}
	*out = list;
	return OK;
}

enum err csaf_weaknesses(struct bytes text, json_t **out)
{
	return read_list(text, LIST_WEAKNESSES, out);
}

enum err csaf_languages(struct bytes text, json_t **out)
{
	return read_list(text, LIST_LANGUAGES, out);
}
