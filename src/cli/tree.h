/* The files of a system that is looked at: this machine's, or those of a disk that is mounted somewhere. Paths are resolved inside it, so
 * that a link on a disk that is examined leads to that disk and never to this machine. */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include "base/bytes.h"

#define TREE_PATH_MAX 4096

struct tree {
	int fd;
	bool is_other; /* not this machine's own root */
};

/* dir: where the disk is mounted; NULL: this machine. False: errno (ENOSYS: this kernel cannot resolve inside a folder). */
bool tree_open(struct tree *t, const char *dir) MUST_USE;
void tree_close(struct tree *t);
/* path, absolute inside the tree, for reading; flags such as O_DIRECTORY or O_NOFOLLOW. Negative: errno. Never waits for a pipe. */
int tree_file(const struct tree *t, const char *path, int flags) MUST_USE;
/* Where path is on this machine, without any link in it. False: errno. */
bool tree_real(const struct tree *t, const char *path, char out[TREE_PATH_MAX]) MUST_USE;
/* Names in a folder, in order, hidden ones too; for names_free. NULL: errno. */
char **tree_names(const struct tree *t, const char *path, size_t *count) MUST_USE;

#endif
