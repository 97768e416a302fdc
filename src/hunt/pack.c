/* Texts are the trees' own; patterns are gathered per field, so that one pass tells all rules' conditions. */
#include "hunt/pack.h"

#include "base/text.h"
#include "hunt/sigma_priv.h"
#include "hunt/yara.h"
#include "window/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKS_MAX 192
#define ENTRY_KEYS                                                                                                            \
	"id title kind logs words class confidence advisories source note unconfirmed own part match unless status mode owner " \
	"type newer size_least size_most content text first then within same_network timestomp tests"

struct adding {
	struct hunt_rules *r;
	const struct hunt_layout *l;
	const struct data *d;
	char *error;
};

static const char *const field_names[FIELD_COUNT] = { "path", "target", "decoded", "method", "user_agent", "referer", "line", "command", "user", "file", "link" };
#define FIELD_KEYS "path target decoded method user_agent referer line command user file link"

/* Letters, digits and signs that nobody needs to encode, encoded (or escaped by the log); and a percent sign itself. */
static const char encoded[] = "(%|\\\\x)(25|2[def]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])";

struct hunt_rules *hunt_rules_new(void)
{
	struct hunt_rules *r = calloc(1, sizeof(*r));
	bool ok = r != NULL;

	for (size_t i = 0; r && i < FIELD_COUNT; i++)
		ok = (r->fields[i] = patterns_new(PATTERNS_FIELD)) && ok;
	for (size_t i = 0; r && i < LAYOUT_LOGS_MAX; i++)
		ok = (r->first[i] = patterns_new(PATTERNS_LINES)) && ok;
	ok = r && (r->content = patterns_new(PATTERNS_STREAM)) && ok;
	ok = r && (r->again = patterns_new(PATTERNS_FIELD)) && ok;
	ok = r && (r->sigma = sigma_new()) && ok;
	ok = r && (r->at = calloc(RULES_MAX, sizeof(*r->at))) && ok;
	ok = r && (r->packs = (struct data **)calloc(PACKS_MAX, sizeof(*r->packs))) && ok;
	ok = r && (r->own_names = (char **)calloc(PACKS_MAX, sizeof(*r->own_names))) && ok;
	ok = r && (r->names = (const char **)calloc(PACKS_MAX, sizeof(*r->names))) && ok;
	if (!ok)
		hunt_rules_free(&r);
	return r;
}

void hunt_rules_free(struct hunt_rules **pr)
{
	struct hunt_rules *r = *pr;

	*pr = NULL;
	if (!r)
		return;
	for (size_t i = 0; i < FIELD_COUNT; i++)
		patterns_free(&r->fields[i]);
	for (size_t i = 0; i < LAYOUT_LOGS_MAX; i++)
		patterns_free(&r->first[i]);
	patterns_free(&r->content);
	patterns_free(&r->again);
	for (size_t i = 0; i < r->count; i++)
		free(r->at[i].advisories);
	for (size_t i = 0; i < r->pack_count; i++) {
		data_free(&r->packs[i]);
		if (r->own_names)
			free(r->own_names[i]);
	}
	free((void *)r->own_names);
	sigma_free(&r->sigma);
	hunt_yara_free(&r->yara);
	free(r->at);
	free((void *)r->packs);
	free((void *)r->names);
	free(r);
}

/* The texts under key, one or a list of them; *count 0: the key is not there. */
static enum err texts_of(struct adding *a, const json_t *object, const char *key, const char *out[RULE_ALTERNATIVES_MAX], size_t *count)
{
	const json_t *node = json_object_get(object, key), *item;
	size_t i;

	*count = 0;
	if (!node)
		return OK;
	if (json_is_string(node)) {
		out[0] = json_string_value(node);
		*count = 1;
		return OK;
	}
	if (!json_is_array(node) || json_array_size(node) == 0 || json_array_size(node) > RULE_ALTERNATIVES_MAX)
		return data_fail(a->d, node, a->error, "%s is a text, or a list of 1 to %d texts", key, RULE_ALTERNATIVES_MAX);
	json_array_foreach(node, i, item) {
		if (!json_is_string(item))
			return data_fail(a->d, item, a->error, "%s is a list of texts", key);
		out[i] = json_string_value(item);
	}
	*count = json_array_size(node);
	return OK;
}

static enum err add_pattern(struct adding *a, const json_t *at, struct patterns *set, const char *text, bool is_plain, unsigned *id)
{
	char why[PATTERNS_ERROR_MAX] = "";
	bool has_case = !is_plain && strncmp(text, "(?-i)", 5) == 0;
	enum err e = patterns_add(set, bytes_str(text + (has_case ? 5 : 0)), has_case, is_plain, id, why);

	return e == OK || e == ERR_MEMORY ? e : data_fail(a->d, at, a->error, "%s", why);
}

static enum err read_conditions(struct adding *a, const json_t *item, const char *key, bool is_not, struct hunt_rule *rule)
{
	const json_t *map = json_object_get(item, key);
	const char *texts[RULE_ALTERNATIVES_MAX];
	size_t count;

	if (!map)
		return OK;
	TRY(data_keys(a->d, map, FIELD_KEYS, a->error));
	for (unsigned f = 0; f < FIELD_COUNT; f++) {
		struct rule_condition *c = &rule->conditions[rule->condition_count];

		TRY(texts_of(a, map, field_names[f], texts, &count));
		if (count == 0)
			continue;
		if (rule->condition_count == RULE_CONDITIONS_MAX)
			return data_fail(a->d, map, a->error, "more than %d conditions", RULE_CONDITIONS_MAX);
		*c = (struct rule_condition){ .field = (enum rule_field)f, .is_not = is_not, .count = (unsigned)count };
		for (size_t i = 0; i < count; i++)
			TRY(add_pattern(a, map, a->r->fields[f], texts[i], false, &c->ids[i]));
		rule->condition_count++;
	}
	return OK;
}

/* What the first pass over a log looks for, on behalf of this rule. */
static enum err read_first(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const char *texts[RULE_ALTERNATIVES_MAX];
	bool is_plain = true;
	size_t count;
	unsigned id;

	TRY(texts_of(a, item, "words", texts, &count));
	if (count == 0 && rule->kind == RULE_LINE) {
		is_plain = false;
		TRY(texts_of(a, json_object_get(item, "match"), "line", texts, &count));
	}
	if (count == 0 && rule->is_own)
		return OK; /* it only says more about what others find */
	if (count == 0)
		return data_fail(a->d, item, a->error, "'%s' needs words: texts of which one is in every line that it is about", rule->id);
	for (size_t log = 0; log < hunt_layout_logs(a->l); log++) {
		if (!(rule->logs & 1u << log))
			continue;
		for (size_t i = 0; i < count; i++)
			TRY(add_pattern(a, item, a->r->first[log], texts[i], is_plain, &id));
		if (hunt_layout_log(a->l, log)->format != LAYOUT_WEB)
			continue;
		for (size_t i = 0; i < count; i++)
			TRY(add_pattern(a, item, a->r->again, texts[i], is_plain, &id));
		TRY(add_pattern(a, item, a->r->first[log], encoded, false, &id));
	}
	return OK;
}

static enum err read_logs(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const char *texts[RULE_ALTERNATIVES_MAX];
	size_t count;

	TRY(texts_of(a, item, "logs", texts, &count));
	for (size_t i = 0; i < count; i++) {
		int log = hunt_layout_log_of(a->l, texts[i]);

		if (log < 0)
			return data_fail(a->d, item, a->error, "there is no log '%s' in the layout", texts[i]);
		rule->logs |= 1u << log;
	}
	for (size_t i = 0; rule->kind == RULE_ACCESS && i < hunt_layout_logs(a->l); i++)
		if (hunt_layout_log(a->l, i)->format == LAYOUT_WEB)
			rule->logs |= 1u << i;
	if ((rule->kind == RULE_LINE || rule->kind == RULE_SESSION) && !rule->logs)
		return data_fail(a->d, item, a->error, "'%s' needs logs: which logs' lines it is about", rule->id);
	return OK;
}

static enum err read_statuses(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const char *texts[RULE_ALTERNATIVES_MAX];
	size_t count;
	uint64_t n;

	TRY(texts_of(a, item, "status", texts, &count));
	for (size_t i = 0; i < count; i++) {
		if (i >= RULE_STATUSES_MAX || bytes_u64(bytes_str(texts[i]), &n) != OK || n < 100 || n > 599)
			return data_fail(a->d, item, a->error, "status is a list of at most %d numbers from 100 to 599", RULE_STATUSES_MAX);
		rule->statuses[rule->status_count++] = (unsigned)n;
	}
	return OK;
}

static bool octal(const char *text, uint32_t *out)
{
	uint32_t n = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '7' || n > 0777)
			return false;
		n = n * 8 + (uint32_t)(*c - '0');
	}
	*out = n;
	return *text != 0;
}

/* mode: {any: 6000, none: 0222, is: 0644} */
static enum err read_mode(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const json_t *map = json_object_get(item, "mode");
	const char *any, *none, *is;

	if (!map)
		return OK;
	TRY(data_keys(a->d, map, "any none is", a->error));
	TRY(data_text(a->d, map, "any", false, &any, a->error));
	TRY(data_text(a->d, map, "none", false, &none, a->error));
	TRY(data_text(a->d, map, "is", false, &is, a->error));
	if ((any && !octal(any, &rule->mode_any)) || (none && !octal(none, &rule->mode_none)) || (is && !octal(is, &rule->mode)))
		return data_fail(a->d, map, a->error, "a mode is written in octal digits, like 0644 or 6000");
	return OK;
}

static enum err read_file(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const char *newer, *texts[RULE_ALTERNATIVES_MAX];
	unsigned kind;
	size_t count;
	uint64_t n;

	TRY(read_mode(a, item, rule));
	TRY(data_text(a->d, item, "owner", false, &rule->owner_name, a->error));
	rule->has_owner = rule->owner_name != NULL;
	rule->owner = rule->owner_name && bytes_u64(bytes_str(rule->owner_name), &n) == OK && n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	TRY(data_text(a->d, item, "newer", false, &newer, a->error));
	if (newer && when_parse(bytes_str(newer), 0, false, &rule->newer_us) != OK)
		return data_fail(a->d, item, a->error, "newer: '%s' is no time; write 2019-12-15 or 2019-12-15T00:00:00Z", newer);
	TRY(data_number(a->d, item, "size_least", UINT64_MAX, &rule->size_least, a->error));
	TRY(data_number(a->d, item, "size_most", UINT64_MAX, &rule->size_most, a->error));
	TRY(data_bool(a->d, item, "timestomp", &rule->is_timestomp, a->error));
	rule->has_file_kind = json_object_get(item, "type") != NULL;
	if (rule->has_file_kind) {
		TRY(data_choice(a->d, item, "type", true, "regular directory symlink other", &kind, a->error));
		rule->file_kind = (enum hunt_kind)kind;
	}
	for (int plain = 0; plain < 2; plain++) {
		TRY(texts_of(a, item, plain ? "text" : "content", texts, &count));
		for (size_t i = 0; i < count; i++) {
			if (rule->content_count == RULE_ALTERNATIVES_MAX)
				return data_fail(a->d, item, a->error, "more than %d texts", RULE_ALTERNATIVES_MAX);
			TRY(add_pattern(a, item, a->r->content, texts[i], plain, &rule->content[rule->content_count++]));
		}
	}
	if (rule->kind == RULE_CONTENT && rule->content_count == 0)
		return data_fail(a->d, item, a->error, "'%s' needs text or content: what to look for", rule->id);
	return OK;
}

static enum err find_rule(struct adding *a, const json_t *item, const char *key, unsigned *out)
{
	const char *id;

	TRY(data_text(a->d, item, key, true, &id, a->error));
	for (size_t i = 0; i < a->r->count; i++)
		if (strcmp(a->r->at[i].id, id) == 0 && a->r->at[i].kind == RULE_ACCESS) {
			*out = (unsigned)i;
			return OK;
		}
	return data_fail(a->d, item, a->error, "%s: no entry '%s' of kind access stands above this one", key, id);
}

static enum err read_pair(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	rule->within_s = 60;
	TRY(find_rule(a, item, "first", &rule->first));
	TRY(find_rule(a, item, "then", &rule->then));
	return data_number(a->d, item, "within", 86400, &rule->within_s, a->error);
}

/* same_network: {v4: 24, v6: 56} */
static enum err read_session(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const json_t *map = json_object_get(item, "same_network");
	uint64_t v4 = 32, v6 = 128;

	rule->within_s = 86400;
	TRY(data_number(a->d, item, "within", 31 * 86400, &rule->within_s, a->error));
	if (map) {
		TRY(data_keys(a->d, map, "v4 v6", a->error));
		TRY(data_number(a->d, map, "v4", 32, &v4, a->error));
		TRY(data_number(a->d, map, "v6", 128, &v6, a->error));
	}
	rule->same_v4 = (unsigned)v4;
	rule->same_v6 = (unsigned)v6;
	return read_first(a, item, rule);
}

static enum err read_advisories(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const char *texts[RULE_ALTERNATIVES_MAX];
	unsigned char mem[1024];
	struct text t;
	size_t count;

	TRY(texts_of(a, item, "advisories", texts, &count));
	text_init(&t, mem, sizeof(mem) - 1);
	for (size_t i = 0; i < count; i++) {
		if (i)
			text_byte(&t, ' ');
		text_str(&t, texts[i]);
	}
	if (t.failed)
		return data_fail(a->d, item, a->error, "too many advisories");
	rule->advisories = strndup((const char *)mem, t.len);
	return rule->advisories ? OK : ERR_MEMORY;
}

static enum err read_own(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	const char *texts[RULE_ALTERNATIVES_MAX];
	size_t count;

	TRY(texts_of(a, item, "own", texts, &count));
	rule->is_own = count > 0;
	for (size_t i = 0; i < count; i++) {
		unsigned c = 0;

		while (c < HUNT_CLASS_COUNT && strcmp(texts[i], hunt_class_name((enum hunt_class)c)) != 0)
			c++;
		if (c == HUNT_CLASS_COUNT)
			return data_fail(a->d, item, a->error, "own: '%s' is none of compromise, probe, attempt, trace", texts[i]);
		rule->covers[c] = true;
	}
	return OK;
}

static enum err read_head(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	unsigned kind, class, confidence;

	TRY(data_keys(a->d, item, ENTRY_KEYS, a->error));
	TRY(data_text(a->d, item, "id", true, &rule->id, a->error));
	for (size_t i = 0; i < a->r->count; i++)
		if (strcmp(a->r->at[i].id, rule->id) == 0)
			return data_fail(a->d, item, a->error, "the entry '%s' is there already, in %s", rule->id, data_name(a->r->at[i].from));
	TRY(data_text(a->d, item, "title", true, &rule->title, a->error));
	TRY(data_text(a->d, item, "source", true, &rule->source, a->error));
	TRY(data_text(a->d, item, "note", false, &rule->note, a->error));
	TRY(data_choice(a->d, item, "kind", true, "access line file content pair session", &kind, a->error));
	TRY(data_choice(a->d, item, "class", true, "compromise probe attempt trace", &class, a->error));
	TRY(data_choice(a->d, item, "confidence", true, "low medium high", &confidence, a->error));
	TRY(data_bool(a->d, item, "unconfirmed", &rule->is_unconfirmed, a->error));
	TRY(data_bool(a->d, item, "part", &rule->is_part, a->error));
	rule->kind = (enum rule_kind)kind;
	rule->class = (enum hunt_class)class;
	rule->confidence = (enum hunt_confidence)confidence;
	rule->from = a->d;
	rule->tests = json_object_get(item, "tests");
	return OK;
}

static enum err read_entry(struct adding *a, const json_t *item, struct hunt_rule *rule)
{
	*rule = (struct hunt_rule){ .mode = UINT32_MAX, .size_most = UINT64_MAX };
	TRY(read_head(a, item, rule));
	TRY(read_advisories(a, item, rule));
	TRY(read_own(a, item, rule));
	TRY(read_conditions(a, item, "match", false, rule));
	TRY(read_conditions(a, item, "unless", true, rule));
	TRY(read_statuses(a, item, rule));
	TRY(read_logs(a, item, rule));
	if (rule->kind == RULE_PAIR)
		return read_pair(a, item, rule);
	if (rule->kind == RULE_SESSION)
		return read_session(a, item, rule);
	if (rule->kind == RULE_ACCESS || rule->kind == RULE_LINE)
		return read_first(a, item, rule);
	return read_file(a, item, rule);
}

enum err hunt_rules_add(struct hunt_rules *r, const struct hunt_layout *l, struct bytes text, const char *name, char error[DATA_ERROR_MAX])
{
	struct adding a = { r, l, NULL, error };
	struct data *d = NULL;
	const json_t *list, *item;
	enum err e;
	size_t i;

	CHECK(!r->is_compiled);
	if (r->pack_count == PACKS_MAX) {
		snprintf(error, DATA_ERROR_MAX, "%s: more than %d packs", name, PACKS_MAX);
		return ERR_LIMIT;
	}
	TRY(data_read(text, name, &d, error));
	r->packs[r->pack_count++] = d;
	a.d = d;
	TRY(data_keys(d, data_root(d), "name title entries", error));
	TRY(data_text(d, data_root(d), "name", true, &r->names[r->pack_count - 1], error));
	TRY(data_list(d, data_root(d), "entries", true, &list, error));
	json_array_foreach(list, i, item) {
		if (r->count == RULES_MAX)
			return data_fail(d, item, error, "more than %d entries", RULES_MAX);
		e = read_entry(&a, item, &r->at[r->count]);
		if (e != OK) {
			free(r->at[r->count].advisories);
			return e;
		}
		r->count++;
	}
	return OK;
}

enum err hunt_rules_add_word(struct hunt_rules *r, const struct hunt_layout *l, struct bytes word, char error[PATTERNS_ERROR_MAX])
{
	unsigned id;

	CHECK(!r->is_compiled);
	r->looks_at_all = r->looks_at_all || word.len == 0;
	for (size_t log = 0; log < hunt_layout_logs(l); log++) {
		if (hunt_layout_log(l, log)->format != LAYOUT_WEB)
			continue;
		if (word.len == 0) {
			TRY(patterns_add(r->first[log], BYTES("^."), false, false, &id, error));
			continue;
		}
		TRY(patterns_add(r->first[log], word, false, true, &id, error));
		TRY(patterns_add(r->first[log], bytes_str(encoded), false, false, &id, error));
		TRY(patterns_add(r->again, word, false, true, &id, error));
	}
	return OK;
}

enum err hunt_rules_add_name(struct hunt_rules *r, const char *name)
{
	char *copy;

	if (r->pack_count == PACKS_MAX)
		return ERR_LIMIT;
	copy = strdup(name);
	if (!copy)
		return ERR_MEMORY;
	r->own_names[r->pack_count] = copy;
	r->names[r->pack_count++] = copy;
	return OK;
}

/* Calls fn for every set of expressions, until one says something else than OK. */
static enum err each_set(struct hunt_rules *r, enum err (*fn)(struct patterns *p, char error[DATA_ERROR_MAX]), char error[DATA_ERROR_MAX])
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		TRY(fn(r->fields[i], error));
	for (size_t i = 0; i < LAYOUT_LOGS_MAX; i++)
		TRY(fn(r->first[i], error));
	for (size_t i = 0; i < SIGMA_FIELD_COUNT; i++)
		TRY(fn(r->sigma->fields[i], error));
	TRY(fn(r->content, error));
	return fn(r->again, error);
}

static enum err compile(struct patterns *p, char error[DATA_ERROR_MAX])
{
	char why[PATTERNS_ERROR_MAX] = "out of memory";
	enum err e = patterns_compile(p, why);

	if (e != OK)
		snprintf(error, DATA_ERROR_MAX, "%s", why);
	return e;
}

static enum err later(struct patterns *p, char error[DATA_ERROR_MAX])
{
	(void)error;
	patterns_compile_later(p);
	return OK;
}

static enum err tell_why(struct patterns *p, char error[DATA_ERROR_MAX])
{
	if (!*patterns_why(p))
		return OK;
	snprintf(error, DATA_ERROR_MAX, "%s", patterns_why(p));
	return ERR_LIMIT;
}

enum err hunt_rules_compile(struct hunt_rules *r, char error[DATA_ERROR_MAX])
{
	r->is_compiled = true;
	return each_set(r, compile, error);
}

void hunt_rules_compile_later(struct hunt_rules *r)
{
	r->is_compiled = true;
	(void)!each_set(r, later, NULL);
}

enum err hunt_rules_trouble(struct hunt_rules *r, char error[DATA_ERROR_MAX])
{
	return each_set(r, tell_why, error);
}

static bool empty(struct patterns **p, enum patterns_mode mode)
{
	patterns_free(p);
	*p = patterns_new(mode);
	return *p != NULL;
}

enum err hunt_rules_compile_web(struct hunt_rules *r, const struct hunt_layout *l, char error[DATA_ERROR_MAX])
{
	bool ok = empty(&r->content, PATTERNS_STREAM);

	for (size_t i = 0; i < hunt_layout_logs(l); i++)
		if (hunt_layout_log(l, i)->format != LAYOUT_WEB)
			ok = empty(&r->first[i], PATTERNS_LINES) && ok;
	/* Entries keep their numbers, for pairs name them; one of no log holds for no line. */
	for (size_t i = 0; i < r->count; i++)
		if (r->at[i].kind != RULE_ACCESS && r->at[i].kind != RULE_PAIR) {
			r->at[i].kind = RULE_LINE;
			r->at[i].logs = 0;
		}
	return ok ? hunt_rules_compile(r, error) : ERR_MEMORY;
}

static bool on_word(void *ctx, unsigned id, uint64_t end)
{
	(void)id, (void)end;
	*(bool *)ctx = true;
	return false;
}

bool hunt_rules_may_hold(struct hunt_rules *r, struct bytes text)
{
	bool any = false;

	patterns_scan(r->again, text, on_word, &any);
	return any;
}
