/* What the files of sluis advisory share: where advisories are, how a stranger's bytes are judged without power, and how one is kept. */
#ifndef CLI_ADVISORY_PRIV_H
#define CLI_ADVISORY_PRIV_H

#include "cli/cli.h"
#include "csaf/csaf.h"

#define ADVISORY_PATH_MAX 4600

struct advisory_place {
	char shipped[ADVISORY_PATH_MAX - 300]; /* rules/advisories */
	char kept[ADVISORY_PATH_MAX - 300];    /* state_dir/advisories */
};
/* False: the configuration that -c names cannot be read, and that was said. */
bool advisory_locate(const struct cli *cli, struct advisory_place *out) MUST_USE;

/* The lists of weaknesses and languages that are shipped; what cannot be read is missing, and tests count it as unchecked. */
struct advisory_lists {
	json_t *weaknesses, *languages;
	struct csaf_lists view;
};
void advisory_lists_load(const struct cli *cli, struct advisory_lists *out);
void advisory_lists_fini(struct advisory_lists *l);

/* Reads and parses. False: error has the words. */
bool advisory_read(const char *path, json_t **out, char error[CSAF_WORDS_MAX]) MUST_USE;
/* The document by its id (kept ones first) or by a file's name. NULL: there is none, and that was said. */
json_t *advisory_find(const struct cli *cli, const struct advisory_place *place, const char *what);
/* No control characters of a stranger's text reach the terminal. */
void advisory_print(FILE *to, const char *text);
/* The same into out, cut to fit: what a stranger wrote, before it joins a sentence of ours. */
void advisory_clean(struct bytes b, char *out, size_t size);
/* {test, pointer, message} of each. */
json_t *advisory_findings_json(const struct csaf_findings *f);

/* fn(in, out) in a child without network and without the right to write, whose answer comes back through out. ERR_DENIED: the child
 * did not end well; ERR_LIMIT: it answered too much. */
typedef void confined_fn(struct bytes in, struct text *out, void *ctx);
enum err advisory_confined(confined_fn *fn, struct bytes in, struct text *out, void *ctx) MUST_USE;

/* What the confined judge says of a document. */
struct advisory_verdict {
	bool is_valid;
	char id[256], version[128], name[256];
	char namespace[512]; /* the publisher's: with the id, what makes a document this one (CSAF 2.0 3.2.1.12.4) */
	char why[2 * CSAF_WORDS_MAX]; /* the first thing that is wrong */
	size_t count;		      /* how many */
};
enum err advisory_judge(const struct csaf_lists *lists, struct bytes in, struct advisory_verdict *out) MUST_USE;

enum advisory_kept { KEPT_NEW, KEPT_NEWER, KEPT_SAME, KEPT_OLDER, KEPT_FAILED };
/* Keeps the bytes in place->kept, unless a newer version is there: as the verdict's name or, where another publisher's document (or one
 * with another id) has that name, kept or shipped, with a hash in it; v->name becomes what it was. KEPT_FAILED: errno. */
enum advisory_kept advisory_keep(const struct advisory_place *place, struct advisory_verdict *v, struct bytes in);

int advisory_show(const struct cli *cli, const struct advisory_place *place, const char *what);
int advisory_sync(const struct cli *cli, const struct advisory_place *place, int argc, char **argv);

#endif
