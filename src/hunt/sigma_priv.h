/* A Sigma rule inside: a tree of all, any and not over comparisons of a field. Fields have sets of patterns of their own, beside the
 * packs', because a Sigma field is looked at in other forms. */
#ifndef HUNT_SIGMA_PRIV_H
#define HUNT_SIGMA_PRIV_H

#include "hunt/sigma.h"
#include "net/addr.h"

#define SIGMA_DEPTH_MAX	     32	  /* parentheses and nots in a condition */
#define SIGMA_SELECTIONS_MAX 128  /* of one rule */
#define SIGMA_VALUES_MAX     2048 /* of one list */
#define SIGMA_CONDITION_MAX  4096 /* octets */
#define SIGMA_NODES_MAX	     (1u << 20)

enum sigma_field { SIGMA_METHOD, SIGMA_CLIENT, SIGMA_URI, SIGMA_QUERY, SIGMA_STEM, SIGMA_USER_AGENT, SIGMA_REFERER, SIGMA_STATUS, SIGMA_HOST, SIGMA_USER,
	SIGMA_VERSION, SIGMA_LINE, SIGMA_FIELD_COUNT };
/* EMPTY: the field is not there, or "-"; PREFIX: an address within. */
enum sigma_kind { SIGMA_ALL, SIGMA_ANY, SIGMA_NOT, SIGMA_PATTERN, SIGMA_EMPTY, SIGMA_PREFIX };

struct sigma_node {
	enum sigma_kind kind;
	enum sigma_field field;	    /* of the last three */
	unsigned first, count;	    /* of the first three: of kids */
	unsigned id;		    /* PATTERN: of the field's patterns */
	struct addr_prefix prefix;  /* PREFIX */
	char *word;		    /* PATTERN: the longest part that stands in a log as it is; NULL: none */
};
struct sigma {
	struct patterns *fields[SIGMA_FIELD_COUNT];
	struct sigma_node *nodes;
	unsigned *kids; /* indices of nodes */
	size_t node_count, node_cap, kid_count, kid_cap, rule_count;
	struct data **docs;
	size_t doc_count, doc_cap;
};
struct sigma_selection {
	const char *name;
	unsigned node;
};
/* One rule while it is read. */
struct sigma_reading {
	struct sigma *s;
	const struct data *d;
	char *error;
	struct sigma_selection selections[SIGMA_SELECTIONS_MAX];
	size_t selection_count;
};
struct sigma_modifiers {
	bool contains, starts, ends, is_re, all, cased, ignores_case, cidr, base64, base64_offset;
};

/* NULL without memory. */
struct sigma *sigma_new(void) MUST_USE;
void sigma_free(struct sigma **s);

/* --- building; ERR_SYNTAX with error, ERR_LIMIT, ERR_MEMORY --- */

/* A node with these below it; one alone under ALL or ANY is that one itself. */
enum err sigma_group(struct sigma *s, enum sigma_kind kind, const unsigned *kids, size_t count, unsigned *out) MUST_USE;
/* word is copied and may be empty. */
enum err sigma_pattern(struct sigma_reading *r, const json_t *at, enum sigma_field field, struct bytes expression, bool has_case, struct bytes word,
	unsigned *out) MUST_USE;
enum err sigma_leaf(struct sigma *s, const struct sigma_node *node, unsigned *out) MUST_USE;
/* "cs-uri-query|contains|all" */
enum err sigma_read_key(struct sigma_reading *r, const json_t *at, const char *key, enum sigma_field *field, struct sigma_modifiers *m) MUST_USE;
enum err sigma_read_value(struct sigma_reading *r, const json_t *at, enum sigma_field field, const struct sigma_modifiers *m, unsigned *out) MUST_USE;
/* What stands under a selection's name. */
enum err sigma_read_selection(struct sigma_reading *r, const json_t *at, unsigned *out) MUST_USE;
/* Over the selections that were read. */
enum err sigma_read_condition(struct sigma_reading *r, const json_t *at, unsigned *out) MUST_USE;
/* Words of which one is in every line that root holds for, to hunt_rules_add_word. */
enum err sigma_add_words(struct hunt_rules *rules, const struct hunt_layout *l, unsigned root, char error[PATTERNS_ERROR_MAX]) MUST_USE;

#endif
