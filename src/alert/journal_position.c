/* "SEGMENT OFFSET\n", in a file of its own per destination. */
#define _GNU_SOURCE
#include "alert/journal.h"

#include "alert/journal_priv.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX     (JOURNAL_NAME_MAX + 16)
#define POSITION_MAX 64

bool journal_is_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n && n <= JOURNAL_NAME_MAX && !name[n] && name[0] != '.';
}

enum err journal_position_read(int folder, const char *name, struct journal_at *out)
{
	char file[FILE_MAX];
	unsigned char room[POSITION_MAX];
	struct journal_at at;
	struct bytes b;
	struct text t;
	size_t space;
	AUTO(fd_close) int fd = -1;

	CHECK(journal_is_name(name));
	snprintf(file, sizeof(file), "%s.pos", name);
	fd = openat(folder, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	text_init(&t, room, sizeof(room));
	if (fd_read_all(fd, &t) != OK)
		return ERR_SYNTAX;
	b = text_bytes(&t);
	space = bytes_find_byte(b, ' ');
	if (!bytes_ends(b, BYTES("\n")) || space == SIZE_MAX || bytes_u64(bytes_cut(b, 0, space), &at.segment) != OK ||
		bytes_u64(bytes_cut(b, space + 1, b.len - 1), &at.offset) != OK || !at.segment || at.segment > SEGMENT_LAST || at.offset > INT64_MAX)
		return ERR_SYNTAX;
	*out = at;
	return OK;
}

enum err journal_position_write(int folder, const char *name, struct journal_at at)
{
	char file[FILE_MAX], beside[FILE_MAX + 8], line[POSITION_MAX];
	AUTO(fd_close) int fd = -1;

	CHECK(journal_is_name(name));
	snprintf(file, sizeof(file), "%s.pos", name);
	snprintf(beside, sizeof(beside), ".%s.new", file);
	snprintf(line, sizeof(line), "%llu %llu\n", (unsigned long long)at.segment, (unsigned long long)at.offset);
	fd = openat(folder, beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0 || fd_write_all(fd, bytes_str(line)) != OK || fsync(fd) != 0)
		return ERR_IO;
	if (renameat(folder, beside, folder, file) != 0 || fsync(folder) != 0)
		return ERR_IO;
	return OK;
}

enum err journal_has_positions(int folder, bool *out)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (!d) {
		fd_close(&fd);
		return ERR_IO;
	}
	*out = false;
	while ((e = readdir(d)))
		*out |= e->d_name[0] != '.' && bytes_ends(bytes_str(e->d_name), BYTES(".pos"));
	closedir(d);
	return OK;
}
