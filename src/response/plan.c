/* A plan's tree was checked when it was taken, so that everything here reads it without looking twice. */
#include "response/plan.h"

#include "response/plan_priv.h"

#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static const char *in_language(const json_t *object, const char *key, enum plan_lang l)
{
	return text_of(json_object_get(object, key), l == PLAN_NL ? "nl" : "en");
}

static json_t *steps_of(const struct plan *p)
{
	return json_object_get(p->root, "steps");
}

void plan_free(struct plan **p)
{
	if (*p)
		json_decref((*p)->root);
	free(*p);
	*p = NULL;
}

void plan_write(const struct plan *p, struct text *out)
{
	char *s = json_dumps(p->root, JSON_INDENT(1));

	if (s)
		text_str(out, s);
	else
		out->failed = true;
	text_byte(out, '\n');
	free(s);
}

const json_t *plan_json(const struct plan *p)
{
	return p->root;
}

const char *plan_text(const struct plan *p, const char *key, enum plan_lang l)
{
	const json_t *v = json_object_get(p->root, key);

	if (strcmp(key, "user") == 0)
		return text_of(json_array_get(json_object_get(p->root, "history"), 0), key);
	return json_is_object(v) ? in_language(p->root, key, l) : text_of(p->root, key);
}

size_t plan_count(const struct plan *p)
{
	return json_array_size(steps_of(p));
}

static bool is_done(const struct plan *p, size_t i)
{
	return json_object_get(json_array_get(steps_of(p), i), "done") != NULL;
}

size_t plan_done_count(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < plan_count(p); i++)
		n += is_done(p, i);
	return n;
}

size_t plan_find(const struct plan *p, const char *step)
{
	for (size_t i = 0; i < plan_count(p); i++)
		if (strcmp(text_of(json_array_get(steps_of(p), i), "id"), step) == 0)
			return i;
	return SIZE_MAX;
}

static enum plan_state state_of(const struct plan *p, size_t i)
{
	const json_t *after = json_object_get(json_array_get(steps_of(p), i), "after");

	if (is_done(p, i))
		return PLAN_DONE;
	for (size_t k = 0; k < json_array_size(after); k++)
		if (!is_done(p, plan_find(p, json_string_value(json_array_get(after, k)))))
			return PLAN_WAITING;
	return PLAN_READY;
}

const char *plan_state_name(enum plan_state s)
{
	static const char *const names[PLAN_STATE_COUNT] = { "done", "ready", "waiting" };

	CHECK(s < PLAN_STATE_COUNT);
	return names[s];
}

void plan_at(const struct plan *p, size_t i, enum plan_lang l, struct plan_step *out)
{
	const json_t *step = json_array_get(steps_of(p), i), *done = json_object_get(step, "done");

	CHECK(step);
	*out = (struct plan_step){ .id = text_of(step, "id"), .phase = text_of(step, "phase"), .title = in_language(step, "title", l),
		.how = in_language(step, "how", l), .source = text_of(step, "source"), .unconfirmed = text_of(step, "unconfirmed"),
		.commands = json_object_get(step, "commands"), .after = json_object_get(step, "after"),
		.wants_evidence = json_is_true(json_object_get(step, "wants_evidence")), .state = state_of(p, i),
		.at_us = (uint64_t)json_integer_value(json_object_get(done, "at_us")), .user = text_of(done, "user"), .by = text_of(done, "by"),
		.note = text_of(done, "note"), .evidence = text_of(done, "evidence"), .sha256 = text_of(done, "sha256"),
		.evidence_size = (uint64_t)json_integer_value(json_object_get(done, "size")),
		.uid = (unsigned)json_integer_value(json_object_get(done, "uid")), .is_in_ledger = json_is_true(json_object_get(done, "ledger")) };
}

static bool is_after(const struct plan *p, size_t i, const char *step)
{
	const json_t *after = json_object_get(json_array_get(steps_of(p), i), "after");

	for (size_t k = 0; k < json_array_size(after); k++)
		if (strcmp(json_string_value(json_array_get(after, k)), step) == 0)
			return true;
	return false;
}

void plan_blockers(const struct plan *p, const char *step, bool is_undo, struct text *out)
{
	size_t at = plan_find(p, step);
	bool any = false;

	for (size_t i = 0; at != SIZE_MAX && i < plan_count(p); i++) {
		const char *id = text_of(json_array_get(steps_of(p), i), "id");

		if (is_undo ? !(is_done(p, i) && is_after(p, i, step)) : (is_done(p, i) || !is_after(p, at, id)))
			continue;
		text_str(out, any ? ", " : "");
		text_str(out, id);
		any = true;
	}
}

static bool has_good_texts(const struct plan_act *a)
{
	return plan_is_text(a->note, true) && plan_is_text(a->evidence, false) && plan_is_text(a->who.by, false) && plan_is_text(a->who.user, false);
}

enum plan_answer plan_may_done(const struct plan *p, const char *step, const struct plan_act *a)
{
	size_t i = plan_find(p, step);

	if (i == SIZE_MAX)
		return PLAN_NO_STEP;
	switch (state_of(p, i)) {
	case PLAN_DONE: return PLAN_DONE_BEFORE;
	case PLAN_WAITING: return PLAN_NOT_YET;
	case PLAN_READY:
	case PLAN_STATE_COUNT: break;
	}
	if (!has_good_texts(a))
		return PLAN_BAD_TEXT;
	if (!*a->evidence && json_is_true(json_object_get(json_array_get(steps_of(p), i), "wants_evidence")))
		return PLAN_WANTS_EVIDENCE;
	return *a->note || *a->evidence ? PLAN_YES : PLAN_WANTS_PROOF;
}

enum plan_answer plan_may_undo(const struct plan *p, const char *step, const struct plan_act *a)
{
	size_t at = plan_find(p, step);

	if (at == SIZE_MAX)
		return PLAN_NO_STEP;
	if (!is_done(p, at))
		return PLAN_NOT_DONE;
	for (size_t i = 0; i < plan_count(p); i++)
		if (is_done(p, i) && is_after(p, i, step))
			return PLAN_IS_NEEDED;
	if (!has_good_texts(a))
		return PLAN_BAD_TEXT;
	return *a->note ? PLAN_YES : PLAN_WANTS_PROOF;
}

static json_t *act_json(const struct plan_act *a, bool is_in_ledger)
{
	json_t *j = json_pack("{s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:I,s:b}", "at_us", (json_int_t)a->now_us, "uid", (json_int_t)a->who.uid, "user", a->who.user,
		"by", a->who.by, "note", a->note, "evidence", a->evidence, "sha256", a->sha256, "size", (json_int_t)a->evidence_size, "ledger",
		(int)is_in_ledger);

	CHECK(j); /* the texts were looked at */
	return j;
}

void plan_note_history(struct plan *p, const char *what, const char *step, const struct plan_act *a, bool is_in_ledger)
{
	json_t *j = act_json(a, is_in_ledger);

	CHECK(json_object_set_new(j, "what", json_string(what)) == 0 && json_object_set_new(j, "step", json_string(step)) == 0);
	CHECK(json_array_append_new(json_object_get(p->root, "history"), j) == 0);
}

void plan_done(struct plan *p, const char *step, const struct plan_act *a, bool is_in_ledger)
{
	CHECK(plan_may_done(p, step, a) == PLAN_YES);
	CHECK(json_object_set_new(json_array_get(steps_of(p), plan_find(p, step)), "done", act_json(a, is_in_ledger)) == 0);
	plan_note_history(p, "done", step, a, is_in_ledger);
}

void plan_undo(struct plan *p, const char *step, const struct plan_act *a, bool is_in_ledger)
{
	CHECK(plan_may_undo(p, step, a) == PLAN_YES);
	json_object_del(json_array_get(steps_of(p), plan_find(p, step)), "done");
	plan_note_history(p, "undo", step, a, is_in_ledger);
}
