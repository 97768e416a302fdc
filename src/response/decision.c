/* One advisory's file, and what it says about a build and about an ns.conf. */
#include "response/decision.h"

#include "net/addr.h"
#include "response/decision_priv.h"

#include <stdlib.h>

#define CONDITION_DEPTH 8

static enum err take_version(const struct data *d, const json_t *at, const char *text, struct ns_version *out, char error[DATA_ERROR_MAX])
{
	if (!text || (ns_version_parse(bytes_str(text), out) != OK && ns_wanop_parse(bytes_str(text), out) != OK))
		return data_fail(d, at, error, "'%.40s' is no build; write 13.1-49.13 or 13.1-FIPS 37.159", text ? text : "");
	return OK;
}

static enum err read_versions(struct decision *d, const json_t *object, const char *key, const struct ns_version **out, size_t *count, char error[DATA_ERROR_MAX])
{
	const char *const *texts;
	struct ns_version *v;

	TRY(decision_texts(d->data, &d->arena, object, key, false, &texts, count, error));
	v = arena_array(&d->arena, *count + 1, sizeof(*v));
	if (!v)
		return ERR_MEMORY;
	for (size_t i = 0; i < *count; i++)
		TRY(take_version(d->data, json_object_get(object, key), texts[i], &v[i], error));
	*out = v;
	return OK;
}

static enum err read_line(struct decision *d, const json_t *v, struct decision_line *l, char error[DATA_ERROR_MAX])
{
	static const int states[] = { BUILD_FIXED, BUILD_NO_FIX, BUILD_NOT_AFFECTED, BUILD_UNKNOWN };
	const char *line, *fixed;
	unsigned state = 0;

	TRY(data_keys(d->data, v, "line fixed released state affected claimed source note", error));
	TRY(data_text(d->data, v, "line", true, &line, error));
	if (ns_line_parse(bytes_str(line), &l->line) != OK)
		return data_fail(d->data, v, error, "'%s' is no release line; write \"13.1\" or \"13.1-FIPS\"", line);
	TRY(data_text(d->data, v, "source", true, &l->source, error));
	TRY(data_choice(d->data, v, "state", false, "fixed no_fix not_affected unconfirmed", &state, error));
	l->state = states[state];
	TRY(read_versions(d, v, "affected", &l->affected, &l->affected_count, error));
	if ((l->state == BUILD_UNKNOWN) != (l->affected_count > 0))
		return data_fail(d->data, v, error, "'affected', a list of builds, goes with 'state: unconfirmed' and with nothing else");
	if (json_object_get(v, "claimed"))
		TRY(said_read(d->data, v, "claimed", &l->claimed, error));
	TRY(data_text(d->data, v, "fixed", l->state == BUILD_FIXED, &fixed, error));
	if (!fixed)
		return OK;
	TRY(take_version(d->data, v, fixed, &l->fixed, error));
	if (!ns_line_eq(&l->line, &l->fixed.line))
		return data_fail(d->data, v, error, "the fixed build %s is not of line %s", fixed, line);
	return moment_read(d->data, v, "released", true, &l->released_us, error);
}

static enum err read_lines(struct decision *d, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	size_t i;

	TRY(data_list(d->data, data_root(d->data), "lines", true, &list, error));
	d->line_count = json_array_size(list);
	d->lines = arena_array(&d->arena, d->line_count + 1, sizeof(*d->lines));
	if (!d->lines)
		return ERR_MEMORY;
	json_array_foreach (list, i, v)
		TRY(read_line(d, v, &d->lines[i], error));
	return OK;
}

/* {any: [...]}, {all: [...]}, or {command: "add lb vserver", words: [HTTP, SSL], ipv6: true, contains: [...]}. */
static enum err check_condition(const struct decision *d, const json_t *c, unsigned depth, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	const char *command;
	bool ipv6 = false;
	size_t i;

	if (depth > CONDITION_DEPTH)
		return data_fail(d->data, c, error, "conditions are too deep");
	TRY(data_keys(d->data, c, "any all command words contains ipv6", error));
	for (unsigned k = 0; k < 2; k++) {
		TRY(data_list(d->data, c, k ? "all" : "any", false, &list, error));
		if (list && (json_object_size(c) != 1 || json_array_size(list) == 0))
			return data_fail(d->data, c, error, "any: and all: stand alone, with a list of conditions");
		json_array_foreach (list, i, v)
			TRY(check_condition(d, v, depth + 1, error));
		if (list)
			return OK;
	}
	TRY(data_text(d->data, c, "command", true, &command, error));
	TRY(data_list(d->data, c, "words", false, &list, error));
	TRY(data_list(d->data, c, "contains", false, &list, error));
	return data_bool(d->data, c, "ipv6", &ipv6, error);
}

static enum err read_precondition(struct decision *d, char error[DATA_ERROR_MAX])
{
	const json_t *p = json_object_get(data_root(d->data), "precondition"), *roles;
	const char *source;

	if (!p)
		return OK;
	TRY(data_keys(d->data, p, "what source roles ns_conf note", error));
	TRY(said_read(d->data, p, "what", &d->precondition_what, error));
	TRY(data_text(d->data, p, "source", true, &source, error));
	roles = json_object_get(p, "roles");
	if (roles) {
		TRY(data_keys(d->data, roles, "meet open", error));
		TRY(data_list(d->data, roles, "meet", true, &d->roles_meet, error));
		TRY(data_list(d->data, roles, "open", false, &d->roles_open, error));
	}
	d->precondition = json_object_get(p, "ns_conf");
	if (!d->precondition)
		return data_fail(d->data, p, error, "'ns_conf' is missing: the commands that make an appliance vulnerable");
	return check_condition(d, d->precondition, 0, error);
}

static enum err read_effects(struct decision *d, const json_t *m, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	struct decision_builds *b;
	const char *below;
	unsigned effect = 0;
	size_t i;

	TRY(data_list(d->data, m, "builds", false, &list, error));
	b = arena_array(&d->arena, json_array_size(list) + 1, sizeof(*b));
	if (!b)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		TRY(data_keys(d->data, v, "effect builds below except source", error));
		TRY(data_choice(d->data, v, "effect", true, "ineffective uncertain", &effect, error));
		b[i].is_uncertain = effect == 1;
		TRY(read_versions(d, v, "builds", &b[i].builds, &b[i].count, error));
		TRY(read_versions(d, v, "except", &b[i].except, &b[i].except_count, error));
		TRY(data_text(d->data, v, "source", true, &b[i].source, error));
		TRY(data_text(d->data, v, "below", false, &below, error));
		b[i].has_below = below != NULL;
		if (below)
			TRY(take_version(d->data, v, below, &b[i].below, error));
	}
	d->mitigation.builds = b;
	d->mitigation.build_count = json_array_size(list);
	return OK;
}

static enum err read_commands(struct decision *d, const json_t *m, char error[DATA_ERROR_MAX])
{
	const json_t *list, *v;
	struct decision_command *c;
	size_t i;

	TRY(data_list(d->data, m, "commands", true, &list, error));
	c = arena_array(&d->arena, json_array_size(list) + 1, sizeof(*c));
	if (!c)
		return ERR_MEMORY;
	json_array_foreach (list, i, v) {
		TRY(data_keys(d->data, v, "command what", error));
		TRY(data_text(d->data, v, "command", true, &c[i].text, error));
		TRY(said_read(d->data, v, "what", &c[i].what, error));
	}
	d->mitigation.commands = c;
	d->mitigation.command_count = json_array_size(list);
	return OK;
}

static enum err read_mitigation(struct decision *d, char error[DATA_ERROR_MAX])
{
	const json_t *m = json_object_get(data_root(d->data), "mitigation"), *r, *f;
	struct nsconf_responder *w = &d->mitigation.responder;
	const char *what;
	size_t n;

	if (!m)
		return OK;
	d->mitigation.is_there = true;
	TRY(data_keys(d->data, m, "what source responder rc_netscaler builds commands note", error));
	TRY(said_read(d->data, m, "what", &d->mitigation.what, error));
	TRY(data_text(d->data, m, "source", true, &d->mitigation.source, error));
	r = json_object_get(m, "responder");
	if (r) {
		TRY(data_keys(d->data, r, "rule_all rule_any answers source", error));
		TRY(decision_texts(d->data, &d->arena, r, "rule_all", true, &w->rule_all, &n, error));
		TRY(decision_texts(d->data, &d->arena, r, "rule_any", false, &w->rule_any, &n, error));
		TRY(decision_texts(d->data, &d->arena, r, "answers", true, &w->answers, &n, error));
		TRY(data_text(d->data, r, "source", true, &what, error));
		d->mitigation.has_responder = true;
	}
	f = json_object_get(m, "rc_netscaler");
	if (f) {
		TRY(data_keys(d->data, f, "contains source", error));
		TRY(data_text(d->data, f, "contains", true, &d->mitigation.file_contains, error));
		TRY(data_text(d->data, f, "source", true, &what, error));
		d->mitigation.has_file = true;
	}
	TRY(read_effects(d, m, error));
	return read_commands(d, m, error);
}

static enum err read_top(struct decision *d, char error[DATA_ERROR_MAX])
{
	const json_t *root = data_root(d->data);

	TRY(data_keys(d->data, root, "cve title severity published exploit_public exploit_note abused_before_fix table sources lines precondition mitigation rules rules_note weigh", error));
	TRY(data_text(d->data, root, "cve", true, &d->cve, error));
	TRY(data_text(d->data, root, "severity", true, &d->severity, error));
	TRY(data_text(d->data, root, "table", true, &d->table_name, error));
	TRY(said_read(d->data, root, "title", &d->title, error));
	TRY(moment_read(d->data, root, "published", true, &d->published_us, error));
	TRY(moment_read(d->data, root, "exploit_public", true, &d->exploit_us, error));
	TRY(said_read(d->data, root, "exploit_note", &d->exploit_note, error));
	TRY(data_bool(d->data, root, "abused_before_fix", &d->exploit_is_before_fix, error));
	TRY(decision_sources(d->data, &d->arena, &d->sources, &d->source_count, error));
	TRY(read_lines(d, error));
	TRY(read_precondition(d, error));
	TRY(read_mitigation(d, error));
	TRY(data_text(d->data, root, "rules", false, &d->rules, error));
	TRY(said_read(d->data, root, "rules_note", &d->rules_note, error));
	return decision_said_list(d->data, &d->arena, root, "weigh", true, &d->weigh, &d->weigh_count, error);
}

enum err decision_read(struct bytes text, const char *name, struct decision **out, char error[DATA_ERROR_MAX])
{
	struct decision *d = calloc(1, sizeof(*d));
	enum err e;

	CHECK(d);
	error[0] = 0;
	arena_init_growing(&d->arena, DECISION_MEMORY);
	e = data_read(text, name, &d->data, error);
	if (e == OK)
		e = read_top(d, error);
	if (e == OK)
		*out = d;
	else
		decision_free(&d);
	return e;
}

void decision_free(struct decision **d)
{
	if (!*d)
		return;
	decision_table_free(&(*d)->table);
	data_free(&(*d)->data);
	arena_fini(&(*d)->arena);
	free(*d);
	*d = NULL;
}

static const struct decision_source *find_in(const struct decision_source *s, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s[i].id, id) == 0)
			return &s[i];
	return NULL;
}

const struct decision_source *decision_find_source(const struct decision *d, const char *id)
{
	const struct decision_source *s = find_in(d->sources, d->source_count, id);

	return s || !d->table ? s : find_in(d->table->sources, d->table->source_count, id);
}

enum err decision_join(struct decision *d, struct decision_table **table, char error[DATA_ERROR_MAX])
{
	const struct decision_table *t = *table;
	const char *missing = NULL;

	d->table = *table;
	for (size_t i = 0; i < t->row_count; i++)
		for (size_t k = 0; k < t->rows[i].source_count; k++)
			if (!decision_find_source(d, t->rows[i].sources[k]))
				missing = t->rows[i].sources[k];
	for (size_t i = 0; i < d->line_count; i++)
		if (!decision_find_source(d, d->lines[i].source))
			missing = d->lines[i].source;
	if (!missing) {
		*table = NULL;
		return OK;
	}
	d->table = NULL;
	return data_fail(d->data, NULL, error, "the source '%s' is named and is not under sources:", missing);
}

const struct decision_line *decision_find_line(const struct decision *d, const struct ns_version *v, bool *is_ambiguous)
{
	const struct decision_line *found = NULL;

	*is_ambiguous = false;
	for (size_t i = 0; i < d->line_count; i++) {
		const struct decision_line *l = &d->lines[i];

		if (ns_line_eq(&l->line, &v->line))
			found = l;
		else if (!v->has_edition && l->line.major == v->line.major && l->line.minor == v->line.minor && l->fixed.build == v->build)
			*is_ambiguous = true; /* editions of their own keep the first number: 13.1-FIPS 37.x */
	}
	return found;
}

static bool is_among(const struct ns_version *list, size_t n, const struct ns_version *v)
{
	int order = 1;

	for (size_t i = 0; i < n; i++)
		if (ns_version_compare(&list[i], v, &order) == OK && order == 0)
			return true;
	return false;
}

static unsigned build_of(const struct decision_line *l, const struct ns_version *v)
{
	struct ns_version same = *v;
	int order = 0;

	if (l->state == BUILD_UNKNOWN) /* no order among them: what is newer is not therefore fixed */
		return is_among(l->affected, l->affected_count, v) ? BUILD_AFFECTED : BUILD_UNKNOWN;
	if (l->state != BUILD_FIXED)
		return (unsigned)l->state;
	same.line = l->line;
	if (ns_version_compare(&same, &l->fixed, &order) != OK)
		return BUILD_UNKNOWN;
	return order < 0 ? BUILD_AFFECTED : BUILD_FIXED;
}

unsigned decision_build(const struct decision *d, const struct ns_version *v, bool *is_ambiguous)
{
	const struct decision_line *l = decision_find_line(d, v, is_ambiguous);
	unsigned build = l ? build_of(l, v) : BUILD_UNKNOWN;

	if (!*is_ambiguous)
		return build;
	/* Where all editions say the same, it does not matter which it is. */
	for (size_t i = 0; i < d->line_count; i++)
		if (d->lines[i].line.major == v->line.major && d->lines[i].line.minor == v->line.minor && build_of(&d->lines[i], v) != build)
			return BUILD_UNKNOWN;
	*is_ambiguous = false;
	return build;
}

unsigned decision_effect(const struct decision *d, const struct ns_version *v)
{
	unsigned effect = EFFECT_EFFECTIVE;
	int order = 0;

	for (size_t i = 0; i < d->mitigation.build_count; i++) {
		const struct decision_builds *b = &d->mitigation.builds[i];
		bool is_below = b->has_below && ns_version_compare(v, &b->below, &order) == OK && order < 0 && !is_among(b->except, b->except_count, v);

		if (!is_below && !is_among(b->builds, b->count, v))
			continue;
		if (!b->is_uncertain)
			return EFFECT_INEFFECTIVE;
		effect = EFFECT_UNCERTAIN;
	}
	return effect;
}

static bool has_word(const struct nsconf_command *c, const json_t *words)
{
	const json_t *w;
	size_t i;

	json_array_foreach (words, i, w)
		for (size_t k = 0; k < c->count; k++)
			if (bytes_eq_nocase(c->words[k], bytes_of(json_string_value(w), json_string_length(w))))
				return true;
	return !words;
}

static bool has_texts(const struct nsconf_command *c, const json_t *texts)
{
	const json_t *t;
	size_t i;

	json_array_foreach (texts, i, t) {
		bool has = false;

		for (size_t k = 0; k < c->count && !has; k++)
			has = nsconf_contains(c->words[k], json_string_value(t));
		if (!has)
			return false;
	}
	return true;
}

static bool has_ipv6(const struct nsconf_command *c)
{
	struct addr a;

	for (size_t k = 2; k < c->count; k++)
		if (bytes_find_byte(c->words[k], ':') != SIZE_MAX && addr_parse_ip(bytes_cut(c->words[k], 0, bytes_find_byte(c->words[k], '/')), &a) == OK)
			return true;
	return false;
}

bool decision_holds(const json_t *condition, const struct nsconf *c)
{
	const json_t *any = json_object_get(condition, "any"), *all = json_object_get(condition, "all"), *v;
	const char *command = json_string_value(json_object_get(condition, "command")), *ipv6 = json_string_value(json_object_get(condition, "ipv6"));
	size_t i;

	json_array_foreach (any, i, v)
		if (decision_holds(v, c))
			return true;
	json_array_foreach (all, i, v)
		if (!decision_holds(v, c))
			return false;
	if (!command)
		return all != NULL;
	for (size_t k = 0; k < c->count; k++)
		if (nsconf_is(&c->commands[k], command) && has_word(&c->commands[k], json_object_get(condition, "words")) &&
			has_texts(&c->commands[k], json_object_get(condition, "contains")) && (!ipv6 || ipv6[0] != 't' || has_ipv6(&c->commands[k])))
			return true;
	return false;
}
