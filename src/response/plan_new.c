/* A template (rules/plans) becomes a plan: its places {advisory}, {appliance}, {item} and {detail} are filled, a step for each
 * certificate or connected system becomes as many steps, and who waits for such a step waits for all of them. */
#include "response/plan_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEMPLATE_KEYS "name products advisories title about steps"
#define STEP_KEYS     "id phase title how commands each without after evidence source unconfirmed"
#define PHASES	      "contain preserve examine rebuild renew connected return monitor"
#define EACH	      "certificate system"

/* --- templates --- */

static enum err check_languages(const struct data *d, const json_t *object, const char *key, bool is_needed, char error[PLAN_ERROR_MAX])
{
	const json_t *v = json_object_get(object, key);
	const char *text;

	if (!v)
		return is_needed ? data_fail(d, object, error, "'%s' is missing: a text in en and nl", key) : OK;
	TRY(data_keys(d, v, "en nl", error));
	for (int i = 0; i < 2; i++) {
		TRY(data_text(d, v, i ? "nl" : "en", true, &text, error));
		if (!plan_is_text(text, true))
			return data_fail(d, v, error, "'%s' is longer than %d characters, or has control characters", key, PLAN_TEXT_MAX);
	}
	return OK;
}

static enum err check_lines(const struct data *d, const json_t *object, const char *key, bool is_needed, char error[PLAN_ERROR_MAX])
{
	const json_t *list;

	TRY(data_list(d, object, key, is_needed, &list, error));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (!s || !*s || !plan_is_text(s, false))
			return data_fail(d, json_array_get(list, i), error, "'%s' is a list of texts of one line", key);
	}
	return OK;
}

static bool is_step_before(const json_t *steps, size_t i, const char *id)
{
	for (size_t k = 0; k < i; k++) {
		const char *other = json_string_value(json_object_get(json_array_get(steps, k), "id"));

		if (other && strcmp(other, id) == 0)
			return true;
	}
	return false;
}

static enum err check_step(const struct data *d, const json_t *steps, size_t i, char error[PLAN_ERROR_MAX])
{
	const json_t *step = json_array_get(steps, i), *after;
	const char *id, *text;
	bool wants = false;
	unsigned n;

	TRY(data_keys(d, step, STEP_KEYS, error));
	TRY(data_text(d, step, "id", true, &id, error));
	if (!plan_is_id(id) || strlen(id) > PLAN_ID_MAX / 2)
		return data_fail(d, step, error, "'id' is at most %d characters of a-z 0-9 . _ -, not '%.40s'", PLAN_ID_MAX / 2, id);
	if (is_step_before(steps, i, id))
		return data_fail(d, step, error, "the step '%s' is there twice", id);
	TRY(data_choice(d, step, "phase", true, PHASES, &n, error));
	TRY(check_languages(d, step, "title", true, error));
	TRY(check_languages(d, step, "how", true, error));
	TRY(check_lines(d, step, "commands", false, error));
	TRY(data_choice(d, step, "each", false, EACH, &n, error));
	TRY(check_languages(d, step, "without", json_object_get(step, "each") != NULL, error));
	TRY(data_bool(d, step, "evidence", &wants, error));
	TRY(data_text(d, step, "source", true, &text, error));
	TRY(data_text(d, step, "unconfirmed", false, &text, error));
	TRY(check_lines(d, step, "after", false, error));
	after = json_object_get(step, "after");
	for (size_t k = 0; k < json_array_size(after); k++) {
		text = json_string_value(json_array_get(after, k));
		if (!is_step_before(steps, i, text))
			return data_fail(d, after, error, "'%s' is after '%s', which is no step before it", id, text);
	}
	return OK;
}

enum err plan_template_check(const struct data *d, char error[PLAN_ERROR_MAX])
{
	const json_t *root = data_root(d), *steps;
	const char *text;

	TRY(data_keys(d, root, TEMPLATE_KEYS, error));
	TRY(data_text(d, root, "name", true, &text, error));
	if (!plan_is_text(text, false))
		return data_fail(d, root, error, "'name' has control characters");
	TRY(check_lines(d, root, "products", true, error));
	TRY(check_lines(d, root, "advisories", true, error));
	TRY(check_languages(d, root, "title", true, error));
	TRY(check_languages(d, root, "about", true, error));
	TRY(data_list(d, root, "steps", true, &steps, error));
	if (json_array_size(steps) == 0 || json_array_size(steps) > PLAN_STEPS_MAX)
		return data_fail(d, steps, error, "'steps' is a list of 1 to %d steps", PLAN_STEPS_MAX);
	for (size_t i = 0; i < json_array_size(steps); i++)
		TRY(check_step(d, steps, i, error));
	return OK;
}

static bool has_text(const json_t *list, const char *s)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), s) == 0)
			return true;
	return false;
}

bool plan_template_is_for(const struct data *d, const char *product)
{
	return has_text(json_object_get(data_root(d), "products"), product);
}

bool plan_template_names(const struct data *d, const char *advisory)
{
	return has_text(json_object_get(data_root(d), "advisories"), advisory);
}

/* --- filling --- */

struct filling {
	const struct plan_facts *facts;
	const struct plan_item *item; /* NULL: the step is not for each of something */
	const json_t *without;	      /* what stands for an item where none is known; NULL: there is one */
	const char *none;	      /* the same, filled, in the language of the moment */
};

static const char *value_of(const struct filling *f, struct bytes name)
{
	if (bytes_eq(name, BYTES("{advisory}")))
		return f->facts->advisory;
	if (bytes_eq(name, BYTES("{appliance}")))
		return f->facts->appliance;
	if (bytes_eq(name, BYTES("{item}")))
		return f->item ? f->item->name : f->none;
	if (bytes_eq(name, BYTES("{detail}")))
		return f->item ? f->item->detail : f->none ? "" : NULL;
	return NULL;
}

/* A place that has no value stays as it is: braces are in commands too. NULL: too long. */
static json_t *filled(const struct filling *f, const char *in)
{
	char mem[PLAN_TEXT_MAX];
	struct text t;

	text_init(&t, mem, sizeof(mem));
	while (*in) {
		size_t plain = strcspn(in, "{"), n = in[plain] ? strcspn(in + plain, "}") + 1 : 0;
		const char *value = n && in[plain + n - 1] == '}' ? value_of(f, bytes_of(in + plain, n)) : NULL;

		text_add(&t, bytes_of(in, plain));
		if (value)
			text_str(&t, value);
		else if (in[plain])
			text_byte(&t, '{');
		in += plain + (value ? n : in[plain] != 0);
	}
	return t.failed ? NULL : json_stringn(t.len ? mem : "", t.len);
}

/* The words for no item may name the appliance themselves. */
static json_t *filled_in(struct filling *f, const char *in, const char *lang)
{
	const char *words = json_string_value(json_object_get(f->without, lang));
	json_t *none, *out;

	if (!words)
		return filled(f, in);
	none = filled(&(struct filling){ .facts = f->facts }, words);
	f->none = json_string_value(none);
	out = none ? filled(f, in) : NULL;
	f->none = NULL;
	json_decref(none);
	return out;
}

static enum err fill_languages(struct filling *f, const json_t *from, json_t *to, const char *key)
{
	const json_t *texts = json_object_get(from, key);
	json_t *out = json_object();
	bool ok = out != NULL;

	for (int i = 0; ok && i < 2; i++) {
		json_t *s;

		s = filled_in(f, json_string_value(json_object_get(texts, i ? "nl" : "en")), i ? "nl" : "en");
		ok = s && json_object_set_new(out, i ? "nl" : "en", s) == 0;
	}
	if (json_object_set_new(to, key, out) < 0 || !ok)
		return ERR_LIMIT;
	return OK;
}

static enum err fill_lines(struct filling *f, const json_t *from, json_t *to)
{
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(from); i++) {
		json_t *s = filled_in(f, json_string_value(json_array_get(from, i)), "en");

		if (json_array_append_new(out, s) < 0) { /* s may be NULL: too long */
			json_decref(out);
			return ERR_LIMIT;
		}
	}
	return json_object_set_new(to, "commands", out) == 0 ? OK : ERR_MEMORY;
}

struct making {
	const json_t *template_steps;
	const struct plan_facts *facts;
	json_t *steps;
};

static void items_of(const struct plan_facts *f, const json_t *step, const struct plan_item **items, size_t *count)
{
	const char *each = json_string_value(json_object_get(step, "each"));

	*count = 0;
	if (!each)
		return;
	*items = strcmp(each, "system") == 0 ? f->systems : f->certificates;
	*count = strcmp(each, "system") == 0 ? f->system_count : f->certificate_count;
}

static void put_id(char out[PLAN_ID_MAX + 1], const char *id, size_t number)
{
	if (number)
		snprintf(out, PLAN_ID_MAX + 1, "%s-%zu", id, number);
	else
		snprintf(out, PLAN_ID_MAX + 1, "%s", id);
}

/* The template's names of steps become the plan's: all of a step that became many. */
static json_t *after_of(const struct making *m, const json_t *step)
{
	const json_t *after = json_object_get(step, "after");
	json_t *out = json_array();

	for (size_t i = 0; i < json_array_size(after); i++) {
		const char *name = json_string_value(json_array_get(after, i));
		const struct plan_item *items = NULL;
		size_t count = 0;
		char id[PLAN_ID_MAX + 1];

		for (size_t k = 0; k < json_array_size(m->template_steps); k++) {
			const json_t *other = json_array_get(m->template_steps, k);

			if (strcmp(json_string_value(json_object_get(other, "id")), name) == 0)
				items_of(m->facts, other, &items, &count);
		}
		for (size_t n = count ? 1 : 0; n <= count; n++) {
			put_id(id, name, n);
			json_array_append_new(out, json_string(id));
		}
	}
	return out;
}

static enum err add_step(const struct making *m, const json_t *step, const struct plan_item *item, size_t number)
{
	struct filling f = { .facts = m->facts, .item = item, .without = item ? NULL : json_object_get(step, "without") };
	const char *unconfirmed = json_string_value(json_object_get(step, "unconfirmed"));
	const char *evidence = json_string_value(json_object_get(step, "evidence"));
	char id[PLAN_ID_MAX + 1];
	json_t *out;

	put_id(id, json_string_value(json_object_get(step, "id")), number);
	out = json_pack("{s:s,s:O,s:O,s:o,s:b}", "id", id, "phase", json_object_get(step, "phase"), "source", json_object_get(step, "source"), "after",
		after_of(m, step), "wants_evidence", evidence && strcmp(evidence, "true") == 0);
	if (json_array_append_new(m->steps, out) < 0)
		return ERR_MEMORY;
	if (unconfirmed && json_object_set_new(out, "unconfirmed", json_string(unconfirmed)) < 0)
		return ERR_MEMORY;
	TRY(fill_languages(&f, step, out, "title"));
	TRY(fill_languages(&f, step, out, "how"));
	return fill_lines(&f, json_object_get(step, "commands"), out);
}

static enum err add_steps(const struct making *m)
{
	for (size_t i = 0; i < json_array_size(m->template_steps); i++) {
		const json_t *step = json_array_get(m->template_steps, i);
		const struct plan_item *items = NULL;
		size_t count;

		items_of(m->facts, step, &items, &count);
		if (count >= PLAN_STEPS_MAX || json_array_size(m->steps) + count >= PLAN_STEPS_MAX)
			return ERR_LIMIT;
		for (size_t n = count ? 1 : 0; n <= count; n++)
			TRY(add_step(m, step, n ? &items[n - 1] : NULL, n));
	}
	return OK;
}

static bool has_good_facts(const struct plan_facts *f)
{
	bool ok = plan_is_text(f->advisory, false) && *f->advisory && plan_is_text(f->appliance, false) && *f->appliance &&
		plan_is_text(f->who.user, false) && plan_is_text(f->who.by, false);

	for (size_t i = 0; ok && i < f->certificate_count; i++)
		ok = plan_is_text(f->certificates[i].name, false) && plan_is_text(f->certificates[i].detail, false);
	for (size_t i = 0; ok && i < f->system_count; i++)
		ok = plan_is_text(f->systems[i].name, false) && plan_is_text(f->systems[i].detail, false);
	return ok && plan_is_id(f->id);
}

enum err plan_new(const struct data *d, const struct plan_facts *facts, struct plan **out, char error[PLAN_ERROR_MAX])
{
	const json_t *root = data_root(d);
	const char *product = json_string_value(json_array_get(json_object_get(root, "products"), 0));
	struct making m = { .template_steps = json_object_get(root, "steps"), .facts = facts };
	struct filling f = { .facts = facts };
	json_t *plan;
	enum err e;

	if (!has_good_facts(facts)) {
		snprintf(error, PLAN_ERROR_MAX, "a name of the appliance, the advisory, a certificate or a system is empty, too long or not printable");
		return ERR_SYNTAX;
	}
	plan = json_pack("{s:s,s:s,s:s,s:s,s:s,s:O,s:[],s:[]}", "format", PLAN_FORMAT, "id", facts->id, "advisory", facts->advisory, "appliance",
		facts->appliance, "product", product ? product : "", "template", json_object_get(root, "name"), "steps", "history");
	if (!plan) {
		snprintf(error, PLAN_ERROR_MAX, "a name of the appliance or the advisory is no UTF-8");
		return ERR_SYNTAX;
	}
	m.steps = json_object_get(plan, "steps");
	e = fill_languages(&f, root, plan, "title");
	if (e == OK)
		e = fill_languages(&f, root, plan, "about");
	if (e == OK)
		e = add_steps(&m);
	if (e != OK) {
		snprintf(error, PLAN_ERROR_MAX, "a plan has at most %d steps, and a text at most %d characters", PLAN_STEPS_MAX, PLAN_TEXT_MAX);
		json_decref(plan);
		return e;
	}
	plan_note_history(&(struct plan){ .root = plan }, "new", "", &(struct plan_act){ .now_us = facts->now_us, .who = facts->who, .note = "",
		.evidence = "", .sha256 = "" }, false);
	return plan_take(plan, facts->id, out, error);
}
