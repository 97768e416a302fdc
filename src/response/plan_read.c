/* A plan's JSON is checked whole before anything of it is used: a plan may have been edited by hand or come from elsewhere. */
#include "response/plan_priv.h"

#include <stdio.h>
#include <string.h>

struct checking {
	const char *name;
	char *error;
};

__attribute__((format(printf, 2, 3))) static enum err fail(const struct checking *c, const char *fmt, ...)
{
	int n = snprintf(c->error, PLAN_ERROR_MAX, "%s: ", c->name);
	va_list ap;

	va_start(ap, fmt);
	if (n >= 0 && n < PLAN_ERROR_MAX)
		vsnprintf(c->error + n, PLAN_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return ERR_SYNTAX;
}

bool plan_is_id(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n <= PLAN_ID_MAX && id[0] != '.' && id[0] != '-' && strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

bool plan_is_text(const char *s, bool may_have_lines)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < 0x20 && !(may_have_lines && s[i] == '\n')) || s[i] == 0x7f)
			return false;
	return n <= PLAN_TEXT_MAX;
}

static enum err check_text(const struct checking *c, const json_t *object, const char *where, const char *key, bool is_needed)
{
	const json_t *v = json_object_get(object, key);

	if (!v && !is_needed)
		return OK;
	if (!json_is_string(v))
		return fail(c, "%s: %s is not there, or is no text", where, key);
	if (json_string_length(v) != strlen(json_string_value(v)) || !plan_is_text(json_string_value(v), true))
		return fail(c, "%s: %s is longer than %d characters, or has control characters", where, key, PLAN_TEXT_MAX);
	return OK;
}

static enum err check_number(const struct checking *c, const json_t *object, const char *where, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) && json_integer_value(v) >= 0 ? OK : fail(c, "%s: %s is not a number of 0 or more", where, key);
}

static enum err check_languages(const struct checking *c, const json_t *object, const char *where, const char *key)
{
	const json_t *v = json_object_get(object, key);

	if (!json_is_object(v))
		return fail(c, "%s: %s is not there, or is not a text in en and nl", where, key);
	TRY(check_text(c, v, where, "en", true));
	return check_text(c, v, where, "nl", true);
}

static enum err check_list(const struct checking *c, const json_t *object, const char *where, const char *key)
{
	const json_t *list = json_object_get(object, key);

	if (!json_is_array(list) || json_array_size(list) > PLAN_STEPS_MAX)
		return fail(c, "%s: %s is not a list of at most %d texts", where, key, PLAN_STEPS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);

		if (!json_is_string(v) || json_string_length(v) != strlen(json_string_value(v)) || !plan_is_text(json_string_value(v), false))
			return fail(c, "%s: %s has something that is no text of one line", where, key);
	}
	return OK;
}

/* A done of a step, or an entry of the history. */
static enum err check_act(const struct checking *c, const json_t *act, const char *where)
{
	static const char *const texts[] = { "user", "by", "note", "evidence", "sha256" };
	static const char *const numbers[] = { "at_us", "uid", "size" };

	if (!json_is_object(act))
		return fail(c, "%s: what was done is not an object", where);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		TRY(check_text(c, act, where, texts[i], true));
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		TRY(check_number(c, act, where, numbers[i]));
	if (json_integer_value(json_object_get(act, "uid")) > UINT32_MAX)
		return fail(c, "%s: uid is no user", where);
	if (!json_is_boolean(json_object_get(act, "ledger")))
		return fail(c, "%s: ledger is not true or false", where);
	return OK;
}

static const json_t *find_before(const json_t *steps, size_t i, const char *id)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(json_string_value(json_object_get(json_array_get(steps, k), "id")), id) == 0)
			return json_array_get(steps, k);
	return NULL;
}

/* A step may only wait for steps before it in the list: so no two can wait for each other. */
static enum err check_order(const struct checking *c, const json_t *steps, size_t i)
{
	const json_t *step = json_array_get(steps, i), *after = json_object_get(step, "after");
	const char *id = json_string_value(json_object_get(step, "id"));

	if (find_before(steps, i, id))
		return fail(c, "the step %s is there twice", id);
	for (size_t k = 0; k < json_array_size(after); k++) {
		const char *name = json_string_value(json_array_get(after, k));
		const json_t *first = find_before(steps, i, name);

		if (!first)
			return fail(c, "the step %s is after %s, which is no step before it", id, name);
		if (json_object_get(step, "done") && !json_object_get(first, "done"))
			return fail(c, "the step %s is done, but %s, which must be first, is not", id, name);
	}
	return OK;
}

static enum err check_step(const struct checking *c, const json_t *steps, size_t i)
{
	const json_t *step = json_array_get(steps, i), *done = json_object_get(step, "done");
	const char *id = json_string_value(json_object_get(step, "id"));
	char where[PLAN_ID_MAX + 32];

	snprintf(where, sizeof(where), "steps[%zu]", i);
	if (!json_is_object(step) || !id || json_string_length(json_object_get(step, "id")) != strlen(id) || !plan_is_id(id))
		return fail(c, "%s: id is not 1 to %d characters of a-z 0-9 . _ -", where, PLAN_ID_MAX);
	TRY(check_text(c, step, where, "phase", true));
	TRY(check_text(c, step, where, "source", true));
	TRY(check_languages(c, step, where, "title"));
	TRY(check_languages(c, step, where, "how"));
	TRY(check_text(c, step, where, "unconfirmed", false));
	TRY(check_list(c, step, where, "commands"));
	TRY(check_list(c, step, where, "after"));
	if (!json_is_boolean(json_object_get(step, "wants_evidence")))
		return fail(c, "%s: wants_evidence is not true or false", where);
	if (done)
		TRY(check_act(c, done, where));
	return check_order(c, steps, i);
}

static enum err check(const struct checking *c, const json_t *root)
{
	static const char *const texts[] = { "id", "advisory", "appliance", "product", "template" };
	const json_t *steps = json_object_get(root, "steps"), *history = json_object_get(root, "history");
	const char *format = json_string_value(json_object_get(root, "format"));

	if (!format || strcmp(format, PLAN_FORMAT) != 0)
		return fail(c, "this is no plan that this version can read: format is not \"%s\"", PLAN_FORMAT);
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		TRY(check_text(c, root, "plan", texts[i], true));
	if (!plan_is_id(json_string_value(json_object_get(root, "id"))))
		return fail(c, "id is not 1 to %d characters of a-z 0-9 . _ -", PLAN_ID_MAX);
	TRY(check_languages(c, root, "plan", "title"));
	TRY(check_languages(c, root, "plan", "about"));
	if (!json_is_array(steps) || json_array_size(steps) == 0 || json_array_size(steps) > PLAN_STEPS_MAX)
		return fail(c, "steps is not a list of 1 to %d steps", PLAN_STEPS_MAX);
	for (size_t i = 0; i < json_array_size(steps); i++)
		TRY(check_step(c, steps, i));
	if (!json_is_array(history) || json_array_size(history) == 0)
		return fail(c, "history is not a list with who made the plan");
	for (size_t i = 0; i < json_array_size(history); i++) {
		TRY(check_act(c, json_array_get(history, i), "history"));
		TRY(check_text(c, json_array_get(history, i), "history", "what", true));
		TRY(check_text(c, json_array_get(history, i), "history", "step", true));
	}
	return OK;
}

enum err plan_take(json_t *root, const char *name, struct plan **out, char error[PLAN_ERROR_MAX])
{
	struct checking c = { name, error };
	enum err e = json_is_object(root) ? check(&c, root) : fail(&c, "this is no plan: it is not a JSON object");
	struct plan *p = e == OK ? calloc(1, sizeof(*p)) : NULL;

	if (e == OK && !p)
		e = ERR_MEMORY;
	if (e != OK) {
		json_decref(root);
		return e;
	}
	p->root = root;
	*out = p;
	return OK;
}

enum err plan_read(struct bytes json, const char *name, struct plan **out, char error[PLAN_ERROR_MAX])
{
	struct checking c = { name, error };
	json_error_t e;
	json_t *root;

	error[0] = 0;
	if (json.len > PLAN_FILE_MAX) {
		(void)fail(&c, "larger than a plan can be (%u octets)", PLAN_FILE_MAX);
		return ERR_LIMIT;
	}
	root = json_loadb(json.len ? (const char *)json.at : "", json.len, JSON_REJECT_DUPLICATES, &e);
	return root ? plan_take(root, name, out, error) : fail(&c, "line %d: %s", e.line, e.text);
}
