/* A file's documents, one by one; of each its head, and then selections and condition. What a refused rule had added to the trees is taken
 * back; its expressions stay in the sets, where nobody asks for them. */
#include "hunt/sigma.h"

#include "base/text.h"
#include "hunt/sigma_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char rule_note[] = "a Sigma rule says what was asked for, not whether it worked";

struct adding {
	struct hunt_rules *r;
	const struct hunt_layout *l;
	hunt_sigma_on_refused *on_refused;
	void *ctx;
	struct hunt_sigma_counts *counts;
	const char *name;
};

struct sigma *sigma_new(void)
{
	struct sigma *s = calloc(1, sizeof(*s));
	bool ok = s != NULL;

	for (size_t i = 0; s && i < SIGMA_FIELD_COUNT; i++)
		ok = (s->fields[i] = patterns_new(PATTERNS_FIELD)) && ok;
	if (!ok)
		sigma_free(&s);
	return s;
}

static void forget_nodes(struct sigma *s, size_t from)
{
	for (size_t i = from; i < s->node_count; i++)
		free(s->nodes[i].word);
	s->node_count = from;
}

void sigma_free(struct sigma **ps)
{
	struct sigma *s = *ps;

	*ps = NULL;
	if (!s)
		return;
	for (size_t i = 0; i < SIGMA_FIELD_COUNT; i++)
		patterns_free(&s->fields[i]);
	forget_nodes(s, 0);
	for (size_t i = 0; i < s->doc_count; i++)
		data_free(&s->docs[i]);
	free(s->nodes);
	free(s->kids);
	free((void *)s->docs);
	free(s);
}

static bool is_one_of(const char *text, const char *words)
{
	size_t n = strlen(text);

	for (const char *w = words; *w;) {
		size_t len = strcspn(w, " ");

		if (len == n && memcmp(w, text, n) == 0)
			return true;
		w += len + (w[len] == ' ');
	}
	return false;
}

/* Whether the rule is about a web server's access log; others are no mistake. */
static enum err is_about_web(const struct sigma_reading *r, const json_t *root, bool *out)
{
	const json_t *source = json_object_get(root, "logsource");
	const char *category, *product, *service;

	if (!json_is_object(source))
		return data_fail(r->d, source ? source : root, r->error, "a Sigma rule has a logsource, a map with category or product");
	TRY(data_text(r->d, source, "category", false, &category, r->error));
	TRY(data_text(r->d, source, "product", false, &product, r->error));
	TRY(data_text(r->d, source, "service", false, &service, r->error));
	*out = category ? is_one_of(category, "webserver") : product && is_one_of(product, "apache nginx netscaler");
	if (service && !is_one_of(service, "access apache nginx netscaler")) /* an error log has other lines */
		*out = false;
	return OK;
}

static enum err read_level(const struct sigma_reading *r, const json_t *root, struct hunt_rule *rule)
{
	static const enum hunt_confidence of[] = { HUNT_LOW, HUNT_LOW, HUNT_MEDIUM, HUNT_HIGH, HUNT_HIGH };
	unsigned level = 2;

	TRY(data_choice(r->d, root, "level", false, "informational low medium high critical", &level, r->error));
	rule->confidence = of[level];
	return OK;
}

/* cve.2019.19781 and cve.2019-19781, as one published form came after the other, as CVE-2019-19781. */
static enum err read_tags(const struct sigma_reading *r, const json_t *root, struct hunt_rule *rule)
{
	const json_t *tags, *tag;
	unsigned char mem[512];
	struct text t;
	size_t i;

	TRY(data_list(r->d, root, "tags", false, &tags, r->error));
	text_init(&t, mem, sizeof(mem));
	json_array_foreach(tags, i, tag) {
		struct bytes b = bytes_str(json_is_string(tag) ? json_string_value(tag) : "");
		struct bytes year = bytes_cut(b, 4, 8), number = bytes_cut(b, 9, b.len);
		uint64_t n;

		if (b.len < 10 || b.len > 30 || !bytes_eq_nocase(bytes_cut(b, 0, 4), BYTES("cve.")) || (b.at[8] != '.' && b.at[8] != '-') ||
			bytes_u64(year, &n) != OK || bytes_u64(number, &n) != OK)
			continue;
		if (t.cap - t.len > 40)
			text_fmt(&t, "%sCVE-%.*s-%.*s", t.len ? " " : "", FMT(year), FMT(number));
	}
	rule->advisories = strndup((const char *)mem, t.len);
	return rule->advisories ? OK : ERR_MEMORY;
}

static enum err read_head(const struct adding *a, const struct sigma_reading *r, const json_t *root, struct hunt_rule *rule)
{
	const json_t *references = json_object_get(root, "references");

	TRY(data_text(r->d, root, "title", true, &rule->title, r->error));
	TRY(data_text(r->d, root, "id", false, &rule->id, r->error));
	if (!rule->id || !*rule->id)
		rule->id = rule->title;
	for (size_t i = 0; i < a->r->count; i++)
		if (strcmp(a->r->at[i].id, rule->id) == 0)
			return data_fail(r->d, root, r->error, "the rule '%s' is there already, in %s", rule->id, data_name(a->r->at[i].from));
	rule->source = json_string_value(json_is_array(references) ? json_array_get(references, 0) : references);
	if (!rule->source || !*rule->source)
		rule->source = data_name(r->d);
	TRY(read_level(r, root, rule));
	return read_tags(r, root, rule);
}

/* Kinds of documents that stand among rules and are none. */
static enum err is_plain_rule(const struct sigma_reading *r, const json_t *root)
{
	static const char supported[] = "what is supported is one rule per document, with title, logsource and detection";

	if (!json_is_object(root))
		return data_fail(r->d, root, r->error, "no Sigma rule; %s", supported);
	if (json_object_get(root, "correlation"))
		return data_fail(r->d, json_object_get(root, "correlation"), r->error, "correlations are not supported; %s", supported);
	if (json_object_get(root, "action"))
		return data_fail(r->d, json_object_get(root, "action"), r->error, "action (collections of rules) is not supported; %s", supported);
	if (json_object_get(root, "filter"))
		return data_fail(r->d, json_object_get(root, "filter"), r->error, "Sigma filters are not supported; %s", supported);
	return OK;
}

static enum err read_detection(struct sigma_reading *r, const json_t *root, unsigned *out)
{
	const json_t *detection = json_object_get(root, "detection"), *condition;
	const char *key;
	json_t *value;

	if (!json_is_object(detection))
		return data_fail(r->d, detection ? detection : root, r->error, "a Sigma rule has a detection: a map of selections and a condition");
	if (json_object_get(detection, "timeframe"))
		return data_fail(r->d, json_object_get(detection, "timeframe"), r->error,
			"timeframe is not supported: a rule is about one request; entries of kind pair in a pack (--pack) know of two");
	condition = json_object_get(detection, "condition");
	if (!condition)
		return data_fail(r->d, detection, r->error, "the condition is missing");
	json_object_foreach ((json_t *)(uintptr_t)detection, key, value) {
		struct sigma_selection *s = &r->selections[r->selection_count];

		if (strcmp(key, "condition") == 0)
			continue;
		if (r->selection_count == SIGMA_SELECTIONS_MAX)
			return data_fail(r->d, value, r->error, "more than %d selections", SIGMA_SELECTIONS_MAX);
		s->name = key;
		TRY(sigma_read_selection(r, value, &s->node));
		r->selection_count++;
	}
	return sigma_read_condition(r, condition, out);
}

static enum err read_rule(const struct adding *a, struct sigma_reading *r, const json_t *root, struct hunt_rule *rule, bool *is_other)
{
	char why[PATTERNS_ERROR_MAX] = "";
	bool is_web = false;
	enum err e;

	*is_other = false;
	*rule = (struct hunt_rule){ .mode = UINT32_MAX, .size_most = UINT64_MAX, .kind = RULE_ACCESS, .class = HUNT_ATTEMPT, .note = rule_note, .from = r->d,
		.is_sigma = true };
	TRY(is_plain_rule(r, root));
	TRY(is_about_web(r, root, &is_web));
	*is_other = !is_web;
	if (!is_web)
		return OK;
	if (a->r->count == RULES_MAX)
		return data_fail(r->d, root, r->error, "more than %d rules", RULES_MAX);
	TRY(read_head(a, r, root, rule));
	for (size_t i = 0; i < hunt_layout_logs(a->l); i++)
		if (hunt_layout_log(a->l, i)->format == LAYOUT_WEB)
			rule->logs |= 1u << i;
	TRY(read_detection(r, root, &rule->sigma_root));
	e = sigma_add_words(a->r, a->l, rule->sigma_root, why);
	return e == OK || e == ERR_MEMORY ? e : data_fail(r->d, root, r->error, "%s", why);
}

static void refuse(const struct adding *a, const char *error)
{
	a->counts->refused++;
	a->on_refused(a->ctx, error);
}

static enum err keep_doc(struct sigma *s, struct data *d)
{
	if (s->doc_count == s->doc_cap) {
		size_t cap = s->doc_cap ? s->doc_cap * 2 : 16;
		struct data **grown = (struct data **)realloc((void *)s->docs, cap * sizeof(*grown));

		if (!grown)
			return ERR_MEMORY;
		s->docs = grown;
		s->doc_cap = cap;
	}
	s->docs[s->doc_count++] = d;
	return OK;
}

static enum err add_document(const struct adding *a, struct data *d, bool *is_kept)
{
	char error[DATA_ERROR_MAX] = "";
	struct sigma *s = a->r->sigma;
	struct sigma_reading r = { .s = s, .d = d, .error = error };
	struct hunt_rule rule;
	size_t nodes = s->node_count, kids = s->kid_count;
	bool is_other;
	enum err e = read_rule(a, &r, data_root(d), &rule, &is_other);

	*is_kept = false;
	if (e == OK && !is_other) {
		e = keep_doc(s, d);
		if (e == OK) {
			*is_kept = true;
			a->r->at[a->r->count++] = rule;
			a->counts->rules++;
			s->rule_count++;
			return OK;
		}
	}
	free(rule.advisories);
	forget_nodes(s, nodes);
	s->kid_count = kids;
	a->counts->other += e == OK;
	if (e != OK && e != ERR_MEMORY)
		refuse(a, *error ? error : err_name(e));
	return e == ERR_MEMORY ? e : OK;
}

static enum err add_part(const struct adding *a, struct bytes part, size_t lines_before)
{
	char error[DATA_ERROR_MAX] = "";
	struct data *d = NULL;
	bool is_kept = false;
	enum err e = data_read_part(part, a->name, lines_before, &d, error);

	if (e == OK && json_is_object(data_root(d)) && json_object_size(data_root(d)) == 0) {
		data_free(&d); /* nothing, or comments alone */
		return OK;
	}
	if (e == OK)
		e = add_document(a, d, &is_kept);
	else if (e != ERR_MEMORY)
		refuse(a, *error ? error : err_name(e));
	if (!is_kept)
		data_free(&d);
	return e == ERR_MEMORY ? e : OK;
}

/* YAML 1.2 9.2: at the beginning of a line, --- begins a document wherever it stands. */
static bool is_marker(struct bytes line)
{
	return bytes_starts(line, BYTES("---")) && (line.len == 3 || line.at[3] == ' ' || line.at[3] == '\t' || line.at[3] == '\r');
}

enum err hunt_sigma_add(struct hunt_rules *r, const struct hunt_layout *l, struct bytes text, const char *name, hunt_sigma_on_refused *on_refused,
	void *ctx, struct hunt_sigma_counts *counts)
{
	const struct adding a = { r, l, on_refused, ctx, counts, name };
	size_t begin = 0, begin_line = 0, documents = 0;

	CHECK(!r->is_compiled);
	for (size_t at = 0, line = 0; at <= text.len; line++) {
		size_t n = bytes_find_byte(bytes_cut(text, at, text.len), '\n');
		struct bytes here = bytes_cut(text, at, n == SIZE_MAX ? text.len : at + n);

		if (is_marker(here)) {
			TRY(add_part(&a, bytes_cut(text, begin, at), begin_line));
			begin = at;
			begin_line = line;
			if (++documents > SIGMA_DOCUMENTS_MAX) {
				char error[DATA_ERROR_MAX];

				snprintf(error, sizeof(error), "%.300s:%zu: more than %d documents in one file; the rest is not read", name, line + 1, SIGMA_DOCUMENTS_MAX);
				refuse(&a, error);
				return OK;
			}
		}
		if (n == SIZE_MAX)
			break;
		at += n + 1;
	}
	return add_part(&a, bytes_cut(text, begin, text.len), begin_line);
}
