/* What the files of sluis verify-self share: the parts that are looked at, what was found, and what was learnt on the way. */
#ifndef CLI_VERIFY_SELF_PRIV_H
#define CLI_VERIFY_SELF_PRIV_H

#include "cli/release_files.h"
#include "cli/site.h"

#include <sys/stat.h>

enum self_check { SELF_MANIFEST, SELF_PROGRAMS, SELF_PROCESSES, SELF_HISTORY, SELF_LEDGER, SELF_RIGHTS, SELF_CHECKS };
enum self_state { SELF_GOOD, SELF_NOT_LOOKED, SELF_NOT_CHECKED }; /* the second is as it should be, the third is not */
enum self_fault {
	DIFF_CHANGED, DIFF_MISSING, DIFF_EXTRA, DIFF_NO_FILE, DIFF_SIGNATURE, DIFF_UNSIGNED, DIFF_NO_MANIFEST, DIFF_VERSION, DIFF_KEY_KIND,
	DIFF_REPLACED, DIFF_RUNS_OTHER, DIFF_RUNS_VERSION, DIFF_GAP, DIFF_INCOMPLETE, DIFF_HISTORY_TEXT, DIFF_HISTORY_BAD, DIFF_NOT_IN_USE,
	DIFF_NOT_RECORDED, DIFF_LEDGER, DIFF_LINK, DIFF_NO_LEDGER, DIFF_WRITABLE, DIFF_OWNER, DIFF_READABLE, DIFF_COUNT
};
enum self_right { RIGHT_PROGRAM, RIGHT_FOLDER, RIGHT_SECRET }; /* owner counts for all but a folder of a role's own */

struct self_process { /* opened before this process confined itself, after which it may not look at others */
	long pid;
	int fd, why; /* of its program; why: errno when it could not be opened */
	char link[TREE_PATH_MAX];
};
struct self {
	const struct cli *cli;
	const char *root, *manifest; /* --root, --manifest; or NULL */
	struct tree tree;
	struct site site;
	struct release_place place;
	struct release_seen release;
	bool has_release;
	unsigned char key[ED25519_PUBLIC_LEN];
	bool is_key_given;
	/* what sluisd says */
	struct self_process *processes;
	size_t process_count;
	json_t *status, *in_use; /* NULL: it does not answer; the text in use */
	enum word why_silent;
	/* what came out */
	json_t *findings;
	bool has_found[SELF_CHECKS];
	struct {
		enum self_state state;
		enum word what;
		char detail[300];
	} results[SELF_CHECKS];
};

/* fault of path (in the tree); detail may be NULL. */
void self_find(struct self *s, enum self_check check, enum self_fault fault, const char *path, const char *detail);
/* What is said of a check when it has been made. */
void self_result(struct self *s, enum self_check check, enum self_state state, enum word what, const char *detail);
/* Looks at mode and owner of what an open descriptor names. */
void self_rights_of(struct self *s, const char *path, const struct stat *st, enum self_right right);

/* verify_self_files.c */
void self_manifest(struct self *s);
void self_programs(struct self *s);
void self_rights(struct self *s);
/* verify_self_live.c; the first before this process confines itself. */
void self_ask(struct self *s);
void self_processes(struct self *s);
/* verify_self_state.c: a helper that reads a ledger, in a process of its own since SQLite needs more than this one keeps. Started before this one
 * confines itself; it knows the folder when it is told, and is confined to that. */
struct self_ledger {
	int to, from;
	pid_t pid; /* of the helper */
};
bool self_ledger_start(struct self_ledger *l) MUST_USE;
void self_history_and_ledger(struct self *s, struct self_ledger *l);

#endif
