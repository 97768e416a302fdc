/* Each file is compiled by itself first, so that a mistake in one costs the others nothing, and run over nothing once, which tells the
 * modules that it imports. */
#include "hunt/yara.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yara.h>

#define FLAGS (SCAN_FLAGS_FAST_MODE | SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING)

struct hunt_yara {
	YR_COMPILER *compiler; /* of all files; NULL after hunt_yara_compile */
	YR_RULES *compiled;
	YR_SCANNER *scanner;
	struct hunt_rule *rules;
	char **ids; /* of rules */
	size_t count, files;
	bool *is_off; /* too slow; of rules */
	unsigned timeouts;
	bool has_begun;
};

struct compiling {
	const char *name;
	char *error;
	const char *module; /* that is not allowed */
};

struct looking {
	struct hunt_yara *y;
	YR_MEMORY_BLOCK block;
	const unsigned char *at;
	uint64_t size;
	const struct hunt_yara_calls *calls;
	bool has_lost; /* a string matched too often */
};

struct hunt_yara *hunt_yara_new(void)
{
	struct hunt_yara *y = calloc(1, sizeof(*y));

	if (!y)
		return NULL;
	y->has_begun = yr_initialize() == ERROR_SUCCESS;
	if (!y->has_begun || yr_compiler_create(&y->compiler) != ERROR_SUCCESS) {
		hunt_yara_free(&y);
		return NULL;
	}
	(void)yr_set_configuration_uint32(YR_CONFIG_MAX_MATCH_DATA, 0); /* where is enough; what stands there is in the window */
	yr_compiler_set_include_callback(y->compiler, NULL, NULL, NULL);
	return y;
}

void hunt_yara_free(struct hunt_yara **py)
{
	struct hunt_yara *y = *py;

	*py = NULL;
	if (!y)
		return;
	if (y->scanner)
		yr_scanner_destroy(y->scanner);
	if (y->compiler)
		yr_compiler_destroy(y->compiler);
	if (y->compiled)
		(void)yr_rules_destroy(y->compiled);
	for (size_t i = 0; i < y->count; i++) {
		free(y->rules[i].advisories);
		free(y->ids[i]);
	}
	free(y->rules);
	free((void *)y->ids);
	free(y->is_off);
	if (y->has_begun)
		(void)yr_finalize();
	free(y);
}

static void on_compile(int level, const char *file, int line, const YR_RULE *rule, const char *message, void *ctx)
{
	struct compiling *c = ctx;

	(void)file;
	(void)rule;
	if (level == YARA_ERROR_LEVEL_ERROR && !*c->error) /* the first: what follows often follows from it */
		snprintf(c->error, DATA_ERROR_MAX, "%.200s:%d: %s", c->name, line, message);
}

static bool is_allowed(const char *module)
{
	static const char *const allowed[] = { "math", "hash", "string" };

	for (size_t i = 0; i < COUNT_OF(allowed); i++)
		if (strcmp(module, allowed[i]) == 0)
			return true;
	return false;
}

static int on_import(YR_SCAN_CONTEXT *context, int message, void *data, void *ctx)
{
	struct compiling *c = ctx;

	(void)context;
	if (message != CALLBACK_MSG_IMPORT_MODULE || is_allowed(((YR_MODULE_IMPORT *)data)->module_name))
		return CALLBACK_CONTINUE;
	c->module = ((YR_MODULE_IMPORT *)data)->module_name;
	return CALLBACK_ERROR;
}

/* A condition may run long over nothing, too; by then its file's imports are known. */
static enum err check_modules(YR_COMPILER *compiler, struct compiling *c)
{
	YR_RULES *rules = NULL;
	enum err e = OK;

	if (yr_compiler_get_rules(compiler, &rules) != ERROR_SUCCESS)
		return ERR_MEMORY;
	(void)yr_rules_scan_mem(rules, (const uint8_t *)"", 0, FLAGS, on_import, c, 1);
	if (c->module) {
		snprintf(c->error, DATA_ERROR_MAX, "%.200s: the module '%.60s' is not used here; write what is looked for as strings (math, hash and string are there)",
			c->name, c->module);
		e = ERR_SYNTAX;
	}
	(void)yr_rules_destroy(rules);
	return e;
}

static enum err check_file(const char *text, struct compiling *c)
{
	YR_COMPILER *compiler = NULL;
	enum err e = OK;

	if (yr_compiler_create(&compiler) != ERROR_SUCCESS)
		return ERR_MEMORY;
	yr_compiler_set_include_callback(compiler, NULL, NULL, NULL);
	yr_compiler_set_callback(compiler, on_compile, c);
	if (yr_compiler_add_string(compiler, text, NULL) != 0) {
		e = ERR_SYNTAX;
		if (!*c->error)
			snprintf(c->error, DATA_ERROR_MAX, "%.200s: these are no YARA rules", c->name);
	}
	if (e == OK)
		e = check_modules(compiler, c);
	yr_compiler_destroy(compiler);
	return e;
}

enum err hunt_yara_add(struct hunt_yara *y, struct bytes text, const char *name, char error[DATA_ERROR_MAX])
{
	struct compiling c = { name, error, NULL };
	char space[32], *copy;
	enum err e;

	CHECK(y->compiler);
	error[0] = 0;
	if (bytes_find_byte(text, 0) != SIZE_MAX) {
		snprintf(error, DATA_ERROR_MAX, "%.200s: there is a NUL in it; rules are given as text, not compiled", name);
		return ERR_SYNTAX;
	}
	copy = strndup(text.len ? (const char *)text.at : "", text.len);
	if (!copy)
		return ERR_MEMORY;
	e = check_file(copy, &c);
	snprintf(space, sizeof(space), "f%zu", y->files++); /* the same name may be in two files */
	if (e == OK && yr_compiler_add_string(y->compiler, copy, space) != 0)
		e = ERR_MEMORY;
	free(copy);
	return e;
}

static const char *meta_text(const YR_RULE *rule, const char *name)
{
	const YR_META *meta;

	yr_rule_metas_foreach(rule, meta)
		if (meta->type == META_TYPE_STRING && strcmp(meta->identifier, name) == 0)
			return meta->string;
	return NULL;
}

static enum hunt_confidence confidence_of(const YR_RULE *rule)
{
	const char *said = meta_text(rule, "confidence");
	const YR_META *meta;

	for (unsigned i = 0; said && i < HUNT_CONFIDENCE_COUNT; i++)
		if (strcmp(said, hunt_confidence_name((enum hunt_confidence)i)) == 0)
			return (enum hunt_confidence)i;
	yr_rule_metas_foreach(rule, meta)
		if (meta->type == META_TYPE_INTEGER && strcmp(meta->identifier, "score") == 0)
			return meta->integer >= 75 ? HUNT_HIGH : meta->integer >= 50 ? HUNT_MEDIUM : HUNT_LOW;
	return HUNT_MEDIUM;
}

static bool take_rule(const YR_RULE *from, struct hunt_rule *to, char **id)
{
	const char *class = meta_text(from, "class"), *title = meta_text(from, "description"), *source = meta_text(from, "reference"),
		   *cve = meta_text(from, "cve");
	size_t len = strlen(from->identifier) + sizeof("yara:");

	*id = malloc(len);
	to->advisories = strdup(cve && strncmp(cve, "CVE-", 4) == 0 ? cve : "");
	if (!*id || !to->advisories)
		return false;
	snprintf(*id, len, "yara:%s", from->identifier);
	to->id = *id;
	to->title = title && *title ? title : from->identifier;
	to->source = source && *source ? source : "";
	to->confidence = confidence_of(from);
	to->class = HUNT_COMPROMISE;
	for (unsigned i = 0; class && i < HUNT_CLASS_COUNT; i++)
		if (strcmp(class, hunt_class_name((enum hunt_class)i)) == 0)
			to->class = (enum hunt_class)i;
	return true;
}

static int on_message(YR_SCAN_CONTEXT *context, int message, void *data, void *ctx)
{
	struct looking *l = ctx;
	const YR_RULE *rule = data;
	YR_STRING *string;
	YR_MATCH *match;
	uint64_t first = UINT64_MAX;
	size_t len = 0;

	if (message == CALLBACK_MSG_TOO_MANY_MATCHES)
		l->has_lost = true;
	if (message != CALLBACK_MSG_RULE_MATCHING)
		return CALLBACK_CONTINUE;
	yr_rule_strings_foreach (rule, string)
		yr_string_matches_foreach(context, string, match)
			if ((uint64_t)(match->base + match->offset) < first) {
				first = (uint64_t)(match->base + match->offset);
				len = match->match_length > 0 ? (size_t)match->match_length : 0;
			}
	l->calls->on_hit(l->calls->ctx, (size_t)(rule - l->y->compiled->rules_table), len ? first : 0, len);
	return CALLBACK_CONTINUE;
}

enum err hunt_yara_compile(struct hunt_yara *y, unsigned timeout_s, char error[DATA_ERROR_MAX])
{
	enum err e = ERR_MEMORY;

	CHECK(y->compiler);
	snprintf(error, DATA_ERROR_MAX, "the YARA rules cannot be compiled together: out of memory");
	if (yr_compiler_get_rules(y->compiler, &y->compiled) != ERROR_SUCCESS || yr_scanner_create(y->compiled, &y->scanner) != ERROR_SUCCESS)
		return e;
	yr_compiler_destroy(y->compiler);
	y->compiler = NULL;
	yr_scanner_set_flags(y->scanner, FLAGS);
	yr_scanner_set_timeout(y->scanner, (int)timeout_s);
	y->rules = calloc((size_t)y->compiled->num_rules + 1, sizeof(*y->rules));
	y->ids = (char **)calloc((size_t)y->compiled->num_rules + 1, sizeof(*y->ids));
	y->is_off = calloc((size_t)y->compiled->num_rules + 1, sizeof(*y->is_off));
	if (!y->rules || !y->ids || !y->is_off)
		return e;
	while (y->count < y->compiled->num_rules) {
		size_t i = y->count++;

		if (!take_rule(&y->compiled->rules_table[i], &y->rules[i], &y->ids[i]))
			return e;
	}
	error[0] = 0;
	return OK;
}

size_t hunt_yara_count(const struct hunt_yara *y)
{
	return y->count;
}

const struct hunt_rule *hunt_yara_rule(const struct hunt_yara *y, size_t index)
{
	CHECK(index < y->count);
	return &y->rules[index];
}

static const uint8_t *fetch(YR_MEMORY_BLOCK *block)
{
	return ((struct looking *)block->context)->at;
}

static YR_MEMORY_BLOCK *first_block(YR_MEMORY_BLOCK_ITERATOR *it)
{
	return &((struct looking *)it->context)->block;
}

static YR_MEMORY_BLOCK *next_block(YR_MEMORY_BLOCK_ITERATOR *it)
{
	(void)it;
	return NULL;
}

static uint64_t size_of_file(YR_MEMORY_BLOCK_ITERATOR *it)
{
	return ((struct looking *)it->context)->size;
}

/* One scan with the rules from..to that are not off. */
static int scan_some(struct looking *l, size_t from, size_t to)
{
	YR_MEMORY_BLOCK_ITERATOR it = { .context = l, .first = first_block, .next = next_block, .file_size = size_of_file, .last_error = ERROR_SUCCESS };
	struct hunt_yara *y = l->y;
	bool is_part = to - from < y->count;
	int result;

	for (size_t i = 0; is_part && i < y->count; i++)
		if (i < from || i >= to)
			yr_rule_disable(&y->compiled->rules_table[i]);
	yr_scanner_set_callback(y->scanner, on_message, l);
	result = yr_scanner_scan_mem_blocks(y->scanner, &it);
	for (size_t i = 0; is_part && i < y->count; i++)
		if (!y->is_off[i])
			yr_rule_enable(&y->compiled->rules_table[i]);
	return result;
}

static enum err look(struct looking *l, size_t from, size_t to)
{
	struct hunt_yara *y = l->y;
	size_t middle = from + (to - from) / 2;
	int result;
	enum err first, second;

	if (y->timeouts >= YARA_TIMEOUTS_MAX)
		return ERR_TIMEOUT;
	result = scan_some(l, from, to);
	if (result == ERROR_INSUFFICIENT_MEMORY)
		return ERR_MEMORY;
	if (result != ERROR_SCAN_TIMEOUT)
		return result == ERROR_SUCCESS ? OK : ERR_LIMIT;
	y->timeouts++;
	if (to - from <= 1) {
		y->is_off[from] = true;
		yr_rule_disable(&y->compiled->rules_table[from]);
		l->calls->on_slow(l->calls->ctx, from);
		return OK;
	}
	first = look(l, from, middle);
	second = look(l, middle, to);
	return first != OK ? first : second;
}

enum err hunt_yara_look(struct hunt_yara *y, struct bytes window, uint64_t offset, uint64_t size, const struct hunt_yara_calls *calls)
{
	struct looking l = { .y = y, .block = { .size = window.len, .base = offset, .fetch_data = fetch },
		.at = window.len ? window.at : (const unsigned char *)"", .size = size, .calls = calls };
	enum err e;

	CHECK(y->scanner && window.len <= YARA_WINDOW);
	if (y->count == 0)
		return OK;
	l.block.context = &l;
	e = look(&l, 0, y->count);
	return e == OK && l.has_lost ? ERR_LIMIT : e;
}
