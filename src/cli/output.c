/* renameat2 with RENAME_NOREPLACE gives the name only if nobody has it by now. */
#define _GNU_SOURCE
#include "cli/output.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void folder_of(const char *path, char out[4096])
{
	char copy[4096];

	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(out, 4096, "%s", dirname(copy));
}

bool output_open(struct output *o, const char *path, bool replace)
{
	char dir[4096], copy[4096];

	o->fd = -1;
	o->partial[0] = 0;
	if (snprintf(o->path, sizeof(o->path), "%s", path) >= (int)sizeof(o->path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (!replace && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return false;
	}
	folder_of(path, dir);
	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(o->partial, sizeof(o->partial), "%.3000s/.%.900s.partial-%d", dir, basename(copy), (int)getpid());
	o->fd = open(o->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (o->fd < 0)
		o->partial[0] = 0;
	return o->fd >= 0;
}

bool output_commit(struct output *o, bool replace)
{
	bool ok = fsync(o->fd) == 0 && renameat2(AT_FDCWD, o->partial, AT_FDCWD, o->path, replace ? 0 : RENAME_NOREPLACE) == 0;
	int error = errno;
	char dir[4096];

	if (ok)
		o->partial[0] = 0;
	output_drop(o);
	folder_of(o->path, dir);
	if (ok && folder_sync(dir) != OK) {
		ok = false;
		error = errno;
	}
	errno = error;
	return ok;
}

void output_drop(struct output *o)
{
	fd_close(&o->fd);
	if (o->partial[0])
		unlink(o->partial);
	o->partial[0] = 0;
}

bool output_has_room(const char *path, uint64_t need, uint64_t *have)
{
	struct statvfs v;
	char dir[4096];

	folder_of(path, dir);
	if (statvfs(dir, &v) < 0) {
		*have = 0;
		return true; /* opening the file will say what is wrong */
	}
	*have = (uint64_t)v.f_bavail * v.f_frsize;
	return *have >= need;
}

bool output_make_folder(const char *path)
{
	char part[4096];

	for (size_t i = 1; path[i]; i++) {
		if (path[i] != '/' || i >= sizeof(part))
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return false;
	}
	return true;
}
