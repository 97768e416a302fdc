/* What a configuration says about this machine, for commands that gather or restore files: where state and logs are and which
 * files it names. A configuration with mistakes is used as far as it could be read: evidence must not wait for it. */
#ifndef CLI_SITE_H
#define CLI_SITE_H

#include "cli/cli.h"
#include "cli/tree.h"
#include "conf/bundle.h"

#define SITE_DEFAULT_CONFIG "/etc/sluis/sluis.yaml"
#define SITE_FILES_MAX	    4096

enum site_kind { SITE_PLAIN, SITE_RULES, SITE_SYSTEM, SITE_KEY };
struct site_file {
	char *path; /* absolute */
	enum site_kind kind; /* SITE_RULES: shipped with Sluis; SITE_SYSTEM: the system's; SITE_KEY: a private key */
};
struct site {
	char config[4096]; /* absolute */
	struct text text;  /* the main file */
	struct conf *conf;
	bool is_valid;
	char state_dir[4096], socket[4096], access_log[4096], error_log[4096], alerts[4096]; /* empty: none */
	struct site_file *files; /* without the main file, each once */
	size_t count;
};

/* The configuration that -c names, or the packaged one. False: it cannot be read at all, and that was said; what then is left
 * in s are defaults. In both cases the caller calls site_fini. */
bool site_load(const struct cli *cli, struct site *s) MUST_USE;
/* The same on another disk: -c is a path in tree, and so is rules, and all paths in s are. */
bool site_load_in(const struct cli *cli, const struct tree *tree, const char *rules, struct site *s) MUST_USE;
void site_fini(struct site *s);
/* Where this machine's ledger is. NULL: the configuration that -c names cannot be read, and that was said; without -c and
 * without a packaged configuration it is the default. */
#define SITE_LEDGER_MAX 4200
const char *site_ledger_dir(const struct cli *cli, char out[SITE_LEDGER_MAX]);
/* Whether the bytes hold a private key in PEM. */
bool site_holds_key(struct bytes content);

#endif
