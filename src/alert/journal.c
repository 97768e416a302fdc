/* The writer. A line is in the journal or it is not: what a full disk or a crash left of one is cut off, before anything is written
 * behind it. */
#define _GNU_SOURCE
#include "alert/journal.h"

#include "alert/journal_priv.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_US	 (30u * 86400u * (uint64_t)1000000)
#define TAIL_MAX 65536u

struct journal {
	int folder, lock, fd; /* folder: the caller's */
	uint64_t segment, size;
	bool has_half; /* of a line that could not be written, and not be cut off */
	struct journal_options options;
};

/* Where the last whole line of the file ends. */
static enum err whole_end(int fd, uint64_t size, uint64_t *end)
{
	unsigned char room[TAIL_MAX];

	while (size) {
		size_t n = size < sizeof(room) ? (size_t)size : sizeof(room);
		ssize_t got = pread(fd, room, n, (off_t)(size - n));

		if (got != (ssize_t)n)
			return ERR_IO;
		while (n && room[n - 1] != '\n') {
			n--;
			size--;
		}
		if (n)
			break;
	}
	*end = size;
	return OK;
}

static enum err open_segment(struct journal *j, uint64_t n, uint64_t *torn)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;
	uint64_t end;
	AUTO(fd_close) int fd = -1;

	segment_name(n, name);
	fd = openat(j->folder, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0 || fstat(fd, &st) != 0)
		return ERR_IO;
	TRY(whole_end(fd, (uint64_t)st.st_size, &end));
	if (end != (uint64_t)st.st_size && (ftruncate(fd, (off_t)end) != 0 || fdatasync(fd) != 0))
		return ERR_IO;
	if (fsync(j->folder) != 0) /* the new name */
		return ERR_IO;
	*torn = (uint64_t)st.st_size - end;
	fd_close(&j->fd);
	j->fd = fd;
	fd = -1;
	j->segment = n;
	j->size = end;
	return OK;
}

enum err journal_open(int folder, const struct journal_options *options, struct journal **out, uint64_t *torn)
{
	struct journal *j = calloc(1, sizeof(*j));
	uint64_t first, last;
	enum err e;

	if (!j)
		return ERR_MEMORY;
	j->folder = folder;
	j->fd = j->lock = -1;
	j->options = *options;
	if (!j->options.segment_most)
		j->options.segment_most = JOURNAL_SEGMENT_MOST;
	if (!j->options.keep_us)
		j->options.keep_us = KEEP_US;
	j->lock = openat(folder, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (j->lock < 0)
		e = ERR_IO;
	else if (flock(j->lock, LOCK_EX | LOCK_NB) != 0)
		e = errno == EWOULDBLOCK ? ERR_DENIED : ERR_IO;
	else if ((e = segment_range(folder, &first, &last)) == OK)
		e = open_segment(j, last ? last : 1, torn);
	if (e == OK)
		*out = j;
	else
		journal_close(&j);
	return e;
}

void journal_close(struct journal **j)
{
	int saved = errno;

	if (!*j)
		return;
	fd_close(&(*j)->fd);
	fd_close(&(*j)->lock);
	free(*j);
	*j = NULL;
	errno = saved;
}

static enum err next_segment(struct journal *j)
{
	uint64_t torn;

	if (fdatasync(j->fd) != 0)
		return ERR_IO;
	return open_segment(j, j->segment + 1, &torn);
}

enum err journal_append(struct journal *j, struct bytes lines)
{
	if (!bytes_ends(lines, BYTES("\n")))
		return ERR_SYNTAX;
	if (j->has_half && ftruncate(j->fd, (off_t)j->size) != 0)
		return ERR_IO;
	j->has_half = false;
	if (j->size && lines.len > j->options.segment_most - (j->size < j->options.segment_most ? j->size : j->options.segment_most))
		TRY(next_segment(j));
	if (fd_write_all(j->fd, lines) != OK) {
		int saved = errno;

		j->has_half = ftruncate(j->fd, (off_t)j->size) != 0;
		errno = saved;
		return ERR_IO;
	}
	j->size += lines.len;
	return OK;
}

enum err journal_sync(struct journal *j)
{
	return fdatasync(j->fd) == 0 ? OK : ERR_IO;
}

/* The lowest segment that a destination still needs; 0: all. */
static enum err needed(const struct journal *j, const char *const *names, size_t count, uint64_t *out)
{
	*out = j->segment;
	for (size_t i = 0; i < count; i++) {
		struct journal_at at;
		enum err e = journal_position_read(j->folder, names[i], &at);

		if (e == ERR_NOT_FOUND) {
			*out = 0;
			return OK;
		}
		TRY(e);
		if (at.segment < *out)
			*out = at.segment;
	}
	return OK;
}

enum err journal_trim(struct journal *j, const char *const *names, size_t count, uint64_t now_us, size_t *removed)
{
	uint64_t end, n = 0;
	size_t gone = 0;

	TRY(needed(j, names, count, &end));
	for (;;) {
		char name[SEGMENT_NAME_MAX];
		struct stat st;
		uint64_t written_us;

		TRY(segment_after(j->folder, n, &n));
		if (!n || n >= end)
			break;
		segment_name(n, name);
		if (fstatat(j->folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return ERR_IO;
		written_us = (uint64_t)st.st_mtim.tv_sec * 1000000 + (uint64_t)st.st_mtim.tv_nsec / 1000;
		if (written_us > now_us || now_us - written_us < j->options.keep_us)
			break;
		if (unlinkat(j->folder, name, 0) != 0)
			return ERR_IO;
		gone++;
	}
	if (gone && fsync(j->folder) != 0)
		return ERR_IO;
	if (removed)
		*removed = gone;
	return OK;
}
