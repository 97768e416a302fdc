/* Indicator packs (rules/hunt, docs/hunt.md): what in a log's line, a file's name, its rights or its content is a sign of an attack, as
 * data. Reads and checks them, and compiles what they look for. Which indicators there are, no code knows. */
#ifndef HUNT_PACK_H
#define HUNT_PACK_H

#include "hunt/layout.h"
#include "hunt/patterns.h"

#define RULES_MAX	     4096
#define RULE_CONDITIONS_MAX  12
#define RULE_ALTERNATIVES_MAX 24
#define RULE_STATUSES_MAX    12

enum rule_kind { RULE_ACCESS, RULE_LINE, RULE_FILE, RULE_CONTENT, RULE_PAIR, RULE_SESSION };
/* What a condition looks at. path: of a request, decoded, both as sent and without dot segments; decoded: the whole target, decoded;
 * file: the path of a file; link: a link's target. */
enum rule_field { FIELD_PATH, FIELD_TARGET, FIELD_DECODED, FIELD_METHOD, FIELD_USER_AGENT, FIELD_REFERER, FIELD_LINE, FIELD_COMMAND, FIELD_USER, FIELD_FILE,
	FIELD_LINK, FIELD_COUNT };

struct rule_condition {
	enum rule_field field;
	bool is_not;
	unsigned count, ids[RULE_ALTERNATIVES_MAX]; /* of the field's patterns; one of them is enough */
};
struct hunt_rule {
	const char *id, *title, *source, *note;
	char *advisories; /* joined with spaces */
	enum hunt_class class;
	enum hunt_confidence confidence;
	enum rule_kind kind;
	bool is_own, covers[HUNT_CLASS_COUNT]; /* is_own: what else is found in the same line, of the classes covered, is tagged */
	bool is_part, is_unconfirmed;	       /* is_part: only told as half of a pair */
	uint32_t logs;			       /* RULE_LINE, RULE_SESSION: a bit per log of the layout */
	struct rule_condition conditions[RULE_CONDITIONS_MAX];
	unsigned condition_count, status_count, statuses[RULE_STATUSES_MAX];
	uint32_t mode_any, mode_none, mode; /* permission bits: one of these, none of these, exactly these (UINT32_MAX: any) */
	bool has_owner, is_timestomp;	    /* is_timestomp: changed before it was made */
	uint32_t owner;
	const char *owner_name;
	enum hunt_kind file_kind;
	bool has_file_kind;
	uint64_t newer_us, size_least, size_most;
	unsigned first, then; /* RULE_PAIR: rules */
	uint64_t within_s;
	unsigned same_v4, same_v6; /* RULE_SESSION: so many bits alike are one network */
	unsigned content_count, content[RULE_ALTERNATIVES_MAX];
	const json_t *tests;
	const struct data *from;
	bool is_sigma;	 /* its conditions are a tree: sigma_root is where that begins (hunt/sigma_priv.h) */
	unsigned sigma_root;
};
struct hunt_rules {
	struct hunt_rule *at;
	size_t count;
	struct data **packs;
	const char **names;
	char **own_names; /* those of names that are no pack's */
	size_t pack_count;
	struct patterns *fields[FIELD_COUNT];
	struct patterns *first[LAYOUT_LOGS_MAX]; /* over many lines: where it is worth a second look */
	struct patterns *content, *again; /* again: words of rules about requests, for decoded targets */
	bool is_compiled;
	struct sigma *sigma;	/* trees of Sigma rules (hunt/sigma.h) */
	struct hunt_yara *yara; /* NULL: none (hunt/yara.h) */
	bool looks_at_all;	/* some rule has no word that its lines must have */
};

/* NULL without memory. */
struct hunt_rules *hunt_rules_new(void) MUST_USE;
void hunt_rules_free(struct hunt_rules **r);
/* Adds a pack's entries. ERR_SYNTAX and ERR_LIMIT with error. After an error the rules can only be freed. */
enum err hunt_rules_add(struct hunt_rules *r, const struct hunt_layout *l, struct bytes text, const char *name, char error[DATA_ERROR_MAX]) MUST_USE;
/* word (of what needs no encoding in a URL) is in every line of a web log that some rule is about, as it stands or encoded. Without any:
 * every line is looked at, which is slower. ERR_MEMORY, ERR_SYNTAX, ERR_LIMIT with error. */
enum err hunt_rules_add_word(struct hunt_rules *r, const struct hunt_layout *l, struct bytes word, char error[PATTERNS_ERROR_MAX]) MUST_USE;
/* What is said to have been looked for, beside the packs; copied. ERR_LIMIT, ERR_MEMORY. */
enum err hunt_rules_add_name(struct hunt_rules *r, const char *name) MUST_USE;
/* Once, after the last pack. */
enum err hunt_rules_compile(struct hunt_rules *r, char error[DATA_ERROR_MAX]) MUST_USE;
/* In its place, for who may need few of them: each set of expressions when it is first needed. hunt_rules_trouble tells afterwards whether
 * one could not be compiled (ERR_LIMIT with error), so that what it would find was not found. */
void hunt_rules_compile_later(struct hunt_rules *r);
enum err hunt_rules_trouble(struct hunt_rules *r, char error[DATA_ERROR_MAX]) MUST_USE;
/* In its place, for a scan that is given lines of web logs alone (live requests): what is about anything else is forgotten, and takes
 * neither time nor memory. */
enum err hunt_rules_compile_web(struct hunt_rules *r, const struct hunt_layout *l, char error[DATA_ERROR_MAX]) MUST_USE;
/* Whether a word of the entries about requests stands in text, as it is: with none, and nothing encoded in it, no such entry can hold. */
bool hunt_rules_may_hold(struct hunt_rules *r, struct bytes text);

#endif
