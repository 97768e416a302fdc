/* openat2 with RESOLVE_IN_ROOT, which chroot would be if root and the loading of libraries were no part of it. */
#define _GNU_SOURCE
#include "cli/tree.h"

#include "base/fd.h"
#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

bool tree_open(struct tree *t, const char *dir)
{
	t->is_other = dir != NULL;
	t->fd = open(dir ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->fd < 0)
		return false;
	AUTO(fd_close) int probe = tree_file(t, "/", O_DIRECTORY);
	if (probe < 0)
		fd_close(&t->fd);
	return probe >= 0;
}

void tree_close(struct tree *t)
{
	fd_close(&t->fd);
}

static int open_in(const struct tree *t, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, t->fd, path, &how, sizeof(how));
}

int tree_file(const struct tree *t, const char *path, int flags)
{
	flags |= O_CLOEXEC | (flags & O_PATH ? 0 : O_RDONLY | O_NONBLOCK | O_NOCTTY);
	/* This machine's own files need no kernel of 2020. */
	return t->is_other ? open_in(t, path, flags) : open(path, flags);
}

bool tree_real(const struct tree *t, const char *path, char out[TREE_PATH_MAX])
{
	AUTO(fd_close) int fd = tree_file(t, path, 0);
	char link[40];
	ssize_t n;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, TREE_PATH_MAX - 1);
	if (n <= 0)
		return false;
	out[n] = 0;
	return true;
}

char **tree_names(const struct tree *t, const char *path, size_t *count)
{
	int fd = tree_file(t, path, O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		fd_close(&fd);
	return names_of(d, NULL, NULL, count);
}
