/* The table of rows: conditions over facts, a verdict, why, and what to do. */
#include "response/decision_priv.h"

#include <stdlib.h>

static const char *const verdict_names[VERDICT_COUNT] = { "not_affected", "fixed", "limited_likelihood", "cannot_tell", "assume_compromised",
	"evidence_of_compromise" };
#define VERDICT_WORDS "not_affected fixed limited_likelihood cannot_tell assume_compromised evidence_of_compromise"

/* In the order of decision.h. */
static const struct {
	const char *name, *values[6];
} facts[FACT_COUNT] = {
	[FACT_BUILD] = { "build", { "unknown", "not_affected", "fixed", "affected", "no_fix" } },
	[FACT_PRECONDITION] = { "precondition", { "unknown", "met", "unmet" } },
	[FACT_PATCHED] = { "patched", { "unknown", "not", "before", "after" } },
	[FACT_MITIGATION] = { "mitigation", { "unknown", "none", "undated", "before", "after" } },
	[FACT_EFFECT] = { "effect", { "unknown", "effective", "ineffective", "uncertain", "incomplete" } },
	[FACT_EXPOSED] = { "exposed", { "unknown", "never", "after_fix", "during" } },
	[FACT_SESSIONS] = { "sessions", { "unknown", "ended", "not_ended" } },
	[FACT_FINDINGS] = { "findings", { "not_looked", "none", "other", "compromise" } },
};
#define FACT_WORDS "build precondition patched mitigation effect exposed sessions findings"

const char *verdict_name(enum verdict v)
{
	return verdict_names[v];
}

const char *fact_name(enum fact f)
{
	return facts[f].name;
}

const char *fact_value_name(enum fact f, unsigned value)
{
	CHECK(value < COUNT_OF(facts[f].values) && facts[f].values[value]);
	return facts[f].values[value];
}

enum err decision_texts(const struct data *d, struct arena *a, const json_t *object, const char *key, bool needed, const char *const **out, size_t *count, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	const char **texts;
	size_t i;

	TRY(data_list(d, object, key, needed, &list, error));
	texts = arena_array(a, json_array_size(list) + 1, sizeof(*texts));
	if (!texts)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		if (!json_is_string(v) || json_string_length(v) == 0)
			return data_fail(d, v, error, "'%s' is a list of texts", key);
		texts[i] = json_string_value(v);
	}
	*out = texts;
	*count = json_array_size(list);
	return OK;
}

enum err decision_said_list(const struct data *d, struct arena *a, const json_t *object, const char *key, bool needed, const struct said **out, size_t *count, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	struct said *said;
	size_t i;

	TRY(data_list(d, object, key, needed, &list, error));
	said = arena_array(a, json_array_size(list) + 1, sizeof(*said));
	if (!said)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		TRY(data_keys(d, v, "en nl", error));
		TRY(data_text(d, v, "en", true, &said[i].in[0], error));
		TRY(data_text(d, v, "nl", true, &said[i].in[1], error));
	}
	*out = said;
	*count = json_array_size(list);
	return OK;
}

enum err decision_sources(const struct data *d, struct arena *a, struct decision_source **out, size_t *count, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	struct decision_source *s;
	size_t i;

	TRY(data_list(d, data_root(d), "sources", true, &list, error));
	s = arena_array(a, json_array_size(list) + 1, sizeof(*s));
	if (!s)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		TRY(data_keys(d, v, "id what url", error));
		TRY(data_text(d, v, "id", true, &s[i].id, error));
		TRY(data_text(d, v, "what", true, &s[i].what, error));
		TRY(data_text(d, v, "url", true, &s[i].url, error));
	}
	*out = s;
	*count = json_array_size(list);
	return OK;
}

static enum err read_when(const struct data *d, const json_t *row, struct decision_row *r, char error[DATA_ERROR_MAX])
{
	const json_t *when = json_object_get(row, "when"), *list, *v;
	char words[160];
	size_t i;

	if (!when)
		return data_fail(d, row, error, "'when' is missing; the last row has an empty one: when: {}");
	TRY(data_keys(d, when, FACT_WORDS, error));
	for (size_t f = 0; f < FACT_COUNT; f++) {
		struct text t;

		TRY(data_list(d, when, facts[f].name, false, &list, error));
		text_init(&t, words, sizeof(words) - 1);
		for (size_t k = 0; k < COUNT_OF(facts[f].values) && facts[f].values[k]; k++)
			text_fmt(&t, "%s%s", k ? " " : "", facts[f].values[k]);
		words[t.len] = 0;
		json_array_foreach (list, i, v) {
			size_t k = 0;

			while (k < COUNT_OF(facts[f].values) && facts[f].values[k] && (!json_is_string(v) || strcmp(json_string_value(v), facts[f].values[k]) != 0))
				k++;
			if (k == COUNT_OF(facts[f].values) || !facts[f].values[k])
				return data_fail(d, v, error, "'%s' may be: %s", facts[f].name, words);
			r->when[f] |= 1u << k;
		}
	}
	return OK;
}

static enum err read_row(struct decision_table *t, const json_t *row, struct decision_row *r, char error[DATA_ERROR_MAX])
{
	unsigned verdict = 0;

	TRY(data_keys(t->data, row, "name when verdict why advice sources example", error));
	TRY(data_text(t->data, row, "name", true, &r->name, error));
	TRY(read_when(t->data, row, r, error));
	TRY(data_choice(t->data, row, "verdict", true, VERDICT_WORDS, &verdict, error));
	r->verdict = (enum verdict)verdict;
	TRY(said_read(t->data, row, "why", &r->why, error));
	TRY(decision_said_list(t->data, &t->arena, row, "advice", true, &r->advice, &r->advice_count, error));
	TRY(decision_texts(t->data, &t->arena, row, "sources", true, &r->sources, &r->source_count, error));
	/* A verdict without a next step or a source would be a bare one. */
	if (r->advice_count == 0 || r->source_count == 0)
		return data_fail(t->data, row, error, "a row needs at least one advice and one source");
	return OK;
}

static enum err read_table(struct decision_table *t, char error[DATA_ERROR_MAX])
{
	const json_t *root = data_root(t->data), *rows, *row;
	size_t i;

	TRY(data_keys(t->data, root, "table about sources rows", error));
	TRY(data_text(t->data, root, "table", true, &t->name, error));
	TRY(decision_sources(t->data, &t->arena, &t->sources, &t->source_count, error));
	TRY(data_list(t->data, root, "rows", true, &rows, error));
	t->row_count = json_array_size(rows);
	t->rows = arena_array(&t->arena, t->row_count + 1, sizeof(*t->rows));
	if (!t->rows)
		return ERR_MEMORY;
	json_array_foreach (rows, i, row)
		TRY(read_row(t, row, &t->rows[i], error));
	for (size_t f = 0; f < FACT_COUNT; f++)
		if (t->row_count == 0 || t->rows[t->row_count - 1].when[f])
			return data_fail(t->data, rows, error, "the last row must hold for everything: when: {}");
	return OK;
}

enum err decision_table_read(struct bytes text, const char *name, struct decision_table **out, char error[DATA_ERROR_MAX])
{
	struct decision_table *t = calloc(1, sizeof(*t));
	enum err e;

	CHECK(t);
	error[0] = 0;
	arena_init_growing(&t->arena, DECISION_MEMORY);
	e = data_read(text, name, &t->data, error);
	if (e == OK)
		e = read_table(t, error);
	if (e == OK)
		*out = t;
	else
		decision_table_free(&t);
	return e;
}

void decision_table_free(struct decision_table **t)
{
	if (!*t)
		return;
	data_free(&(*t)->data);
	arena_fini(&(*t)->arena);
	free(*t);
	*t = NULL;
}

const struct decision_row *decision_find_row(const struct decision_table *t, const unsigned values[FACT_COUNT])
{
	for (size_t i = 0; i < t->row_count; i++) {
		bool fits = true;

		for (size_t f = 0; f < FACT_COUNT; f++)
			fits = fits && (t->rows[i].when[f] == 0 || t->rows[i].when[f] & (1u << values[f]));
		if (fits)
			return &t->rows[i];
	}
	return NULL;
}
