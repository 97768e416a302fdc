/* A folder is read anew each time: segments are few, and other processes add and remove them. */
#define _GNU_SOURCE
#include "alert/journal_priv.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum err journal_folder(const char *path, int *fd)
{
	int d;

	if (mkdir(path, 0750) != 0 && errno != EEXIST)
		return ERR_IO;
	d = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d < 0)
		return ERR_IO;
	*fd = d;
	return OK;
}

void segment_name(uint64_t n, char out[SEGMENT_NAME_MAX])
{
	CHECK(n && n <= SEGMENT_LAST);
	snprintf(out, SEGMENT_NAME_MAX, "%08u.jsonl", (unsigned)n);
}

/* 0: no segment's name. */
static uint64_t number_of(const char *name)
{
	struct bytes b = bytes_str(name);
	uint64_t n = 0;

	if (b.len != 14 || !bytes_ends(b, BYTES(".jsonl")) || bytes_u64(bytes_cut(b, 0, 8), &n) != OK)
		return 0;
	return n;
}

/* The lowest over n, and the highest of all. */
static enum err look(int folder, uint64_t n, uint64_t *next, uint64_t *last)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (!d) {
		fd_close(&fd);
		return ERR_IO;
	}
	*next = *last = 0;
	while ((e = readdir(d))) {
		uint64_t k = number_of(e->d_name);

		if (k > n && (!*next || k < *next))
			*next = k;
		if (k > *last)
			*last = k;
	}
	closedir(d);
	return OK;
}

enum err segment_range(int folder, uint64_t *first, uint64_t *last)
{
	return look(folder, 0, first, last);
}

enum err segment_after(int folder, uint64_t n, uint64_t *out)
{
	uint64_t last;

	return look(folder, n, out, &last);
}

enum err journal_begin(int folder, struct journal_at *out)
{
	uint64_t first, last;

	TRY(segment_range(folder, &first, &last));
	*out = (struct journal_at){ first ? first : 1, 0 };
	return OK;
}

enum err journal_end(int folder, struct journal_at *out)
{
	uint64_t first, last;
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	TRY(segment_range(folder, &first, &last));
	if (!last) {
		*out = (struct journal_at){ 1, 0 };
		return OK;
	}
	segment_name(last, name);
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return ERR_IO;
	*out = (struct journal_at){ last, (uint64_t)st.st_size };
	return OK;
}
