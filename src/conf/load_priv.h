/* The state of one reading, shared by the files of this room. */
#ifndef CONF_LOAD_PRIV_H
#define CONF_LOAD_PRIV_H

#include "conf/conf.h"

#include <yaml.h>

enum key_type { KEY_NUMBER, KEY_STRING, KEY_SIZE, KEY_TIME, KEY_BOOL, KEY_MAP, KEY_LIST, KEY_STRINGS };
struct conf_key {
	const char *section, *name;
	enum key_type type;
	const char *fallback, *range, *doc, *example;
};
extern const struct conf_key conf_keys[];
extern const size_t conf_key_count;

struct loader {
	struct conf *conf;
	struct arena *arena;
	struct conf_source *source;
	struct conf_errors *errors;
	struct bytes file, text; /* being read now */
	yaml_document_t *doc;
	struct bytes tags[POLICY_TAGS_MAX]; /* different ones, over all policies */
	size_t tag_count;
};
/* A map that is being read: its node (NULL: absent, defaults apply) and its section's name. */
struct map {
	struct loader *l;
	yaml_node_t *node;
	const char *section;
};

PRINTF(4, 5) void conf_fail(struct loader *l, const yaml_mark_t *at, const char *hint, const char *fmt, ...);
void conf_sort_errors(struct conf_errors *es);
/* Checks that node is a map with known keys, each once. */
struct map conf_map(struct loader *l, yaml_node_t *node, const char *section);
yaml_node_t *map_node(const struct map *m, const char *key);
struct map map_map(const struct map *m, const char *key, const char *section);
struct bytes map_string(const struct map *m, const char *key);
/* Within the range of the table. */
uint64_t map_number(const struct map *m, const char *key);
bool map_bool(const struct map *m, const char *key);
uint32_t map_ms(const struct map *m, const char *key);
uint32_t map_s(const struct map *m, const char *key); /* whole seconds, up to ten years, or within the range of the table */
/* A string without control characters: it becomes part of a head. */
struct bytes map_plain(const struct map *m, const char *key);
/* Index of the value among the words of the table, or 0 after an error. */
unsigned map_choice(const struct map *m, const char *key);
/* The file that key names, or empty. */
struct bytes map_file(const struct map *m, const char *key);
yaml_mark_t map_mark(const struct map *m, const char *key);
struct conf_mark map_place(const struct map *m, const char *key);
/* Items of a list, or a single scalar as a list of one. */
size_t map_items(const struct map *m, const char *key, yaml_node_t ***items);
struct bytes node_text(const yaml_node_t *n);
/* The condition of key; absent: the table's, NULL when that is empty. *text: as written. when says when it is asked, for one that must not look at
 * the request; NULL: it may. */
struct policy_expr *map_condition(const struct map *m, const char *key, const char *when, struct bytes *text);
/* A host name in lower case: labels of letters, digits and -, no address. Copied; empty after an error, or when key is absent. */
struct bytes map_host(const struct map *m, const char *key);
/* A text of at most most octets; one line: without control characters. */
struct bytes map_text(const struct map *m, const char *key, size_t most, bool one_line);
/* The PNG or SVG file that key names, of at most most octets, and its media type; both empty when absent or after an error. */
struct bytes map_image(const struct map *m, const char *key, size_t most, struct bytes *type);
/* "#rrggbb" that white text can be read on, or empty. */
struct bytes map_colour(const struct map *m, const char *key);
struct policy_expr *conf_expr(struct loader *l, yaml_node_t *n, enum policy_type want, bool on_response);
void *conf_array(struct loader *l, size_t n, size_t size);

void conf_read_detect(struct loader *l, const struct map *top);
void conf_read_rules(struct loader *l, const struct map *top);
void conf_read_rule_set(struct loader *l, yaml_node_t *root);
void conf_read_sets(struct loader *l, const struct map *top);
void conf_prefixes(struct loader *l, yaml_node_t **items, size_t n, const struct addr_prefix **out, size_t *count);
void conf_read_listeners(struct loader *l, const struct map *top);
void conf_read_pools(struct loader *l, const struct map *top);
void conf_read_gateway(struct loader *l, const struct map *top);
void conf_read_apps(struct loader *l, const struct map *gateway);
void conf_read_directories(struct loader *l, const struct map *gateway);
void conf_read_oidc(struct loader *l, const struct map *gateway);
void conf_read_store(struct loader *l, const struct map *gateway);
bool conf_is_provider_name(struct bytes id);
/* take_groups of a provider: names as they will stand in user.groups. False: it is not there, and all count. */
bool conf_read_take_groups(struct loader *l, const struct map *m, const struct bytes **take, size_t *count);
/* The file that key names, as one of conf's secrets: its number. */
uint16_t conf_add_secret(struct loader *l, const struct map *m, const char *key);
/* A pool KIND.NAME of these servers (kept; their numbers are filled in), without checks; its number. */
uint16_t conf_add_pool(struct loader *l, enum conf_pool_of of, const char *kind, struct bytes name, struct conf_server *servers, size_t n, uint32_t connect_ms, const yaml_mark_t *at);
/* HOST[:PORT], copied. False: it is none. */
bool conf_parse_host(struct loader *l, struct bytes text, uint16_t port, struct conf_server *s);
bool conf_is_loopback(const struct conf_server *s); /* an address of this machine, not a name */
bool conf_is_host(struct bytes b); /* letters, digits, -, _ and ., at most 253 */
void conf_free_gateway(struct conf_gateway *g);
void conf_read_routes(struct loader *l, const struct map *top);
size_t conf_find_pool(struct loader *l, struct bytes name, const yaml_mark_t *at);
bool conf_read_cert(struct loader *l, const struct map *m, struct conf_cert *out);
const char *conf_nearest(struct bytes word, const char *const *words, size_t n);
/* The pairs of a map whose keys are names that the user chose. */
size_t conf_named(struct loader *l, const struct map *top, const char *key, yaml_node_pair_t **pairs);
bool conf_parse_doc(struct loader *l, struct bytes text, yaml_document_t *doc);

#endif
