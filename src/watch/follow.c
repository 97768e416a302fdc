/* A file is known by its inode and by what it begins with. Whoever renames a log may go on writing to it for a moment, so the old file is
 * left only after it has been quiet for a while; what was renamed while nobody followed is looked for by its inode. */
#define _GNU_SOURCE
#include "watch/follow.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum err follow_init(struct follow *f, const char *path, const struct follow_at *at, bool from_start)
{
	*f = (struct follow){ .fd = -1, .from_start = from_start };
	if (at)
		f->at = *at;
	return snprintf(f->path, sizeof(f->path), "%s", path) < (int)sizeof(f->path) ? OK : ERR_LIMIT;
}

void follow_fini(struct follow *f)
{
	fd_close(&f->fd);
}

/* FNV-1a: it is held against chance, not against an enemy, who could write to the log as well. */
static uint64_t hash_of(const unsigned char *at, size_t len)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * UINT64_C(1099511628211);
	return h;
}

static bool head_of(int fd, size_t len, uint64_t *hash)
{
	unsigned char mem[FOLLOW_HEAD_MAX];
	ssize_t n = len ? pread(fd, mem, len, 0) : 0;

	*hash = hash_of(mem, n < 0 ? 0 : (size_t)n);
	return n >= 0 && (size_t)n == len;
}

static void note_head(struct follow *f)
{
	size_t len = f->at.offset < FOLLOW_HEAD_MAX ? (size_t)f->at.offset : FOLLOW_HEAD_MAX;

	if (len != f->at.head_len && head_of(f->fd, len, &f->at.head_hash))
		f->at.head_len = (uint32_t)len;
}

static bool is_same_head(const struct follow *f, int fd)
{
	uint64_t hash;

	return head_of(fd, f->at.head_len, &hash) && hash == f->at.head_hash;
}

static void begin_anew(struct follow *f, const struct stat *st)
{
	f->at = (struct follow_at){ .device = st->st_dev, .inode = st->st_ino, .is_known = true };
	f->quiet_ms = 0;
}

static int open_log(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, st) < 0 || !S_ISREG(st->st_mode))) {
		fd_close(&fd);
		errno = EINVAL;
	}
	return fd;
}

/* The file that we were in, under the name that it has now: in the same folder, its name beginning as before. */
static int find_renamed(const struct follow *f)
{
	const char *slash = strrchr(f->path, '/');
	size_t dir_len = slash ? (size_t)(slash - f->path) + 1 : 0;
	const char *base = f->path + dir_len;
	char path[FOLLOW_PATH_MAX + 300];
	struct dirent *entry;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "%.*s", dir_len ? (int)dir_len : 1, dir_len ? f->path : ".");
	dir = opendir(path);
	while (fd < 0 && dir && (entry = readdir(dir))) {
		struct stat st;

		if (strncmp(entry->d_name, base, strlen(base)) != 0)
			continue;
		snprintf(path, sizeof(path), "%.*s%s", (int)dir_len, f->path, entry->d_name);
		fd = open_log(path, &st);
		if (fd >= 0 && (st.st_ino != f->at.inode || st.st_dev != f->at.device || (uint64_t)st.st_size < f->at.offset || !is_same_head(f, fd)))
			fd_close(&fd);
	}
	if (dir)
		closedir(dir);
	return fd;
}

static void problem(struct follow *f, const struct follow_sink *sink, const char *what)
{
	sink->problem(sink->ctx, f, what);
}

/* Where there is something to go on with, that first. */
static bool open_next(struct follow *f, const struct follow_sink *sink)
{
	char what[200];
	struct stat st;
	int fd = open_log(f->path, &st), old;
	int why = errno;

	if (fd >= 0 && f->at.is_known && st.st_ino == f->at.inode && st.st_dev == f->at.device && (uint64_t)st.st_size >= f->at.offset && is_same_head(f, fd)) {
		f->fd = fd;
		return true;
	}
	if (f->at.is_known && f->at.head_len) {
		old = find_renamed(f);
		if (old >= 0) {
			fd_close(&fd);
			f->fd = old;
			return true;
		}
		if (fd >= 0) {
			snprintf(what, sizeof(what), "it was rotated while nobody followed it, and the file before is not there any more: what came behind line %llu of it was not seen (sluis hunt looks at packed logs)",
				(unsigned long long)f->at.line);
			problem(f, sink, what);
		}
	}
	if (fd < 0) {
		if (!f->is_missing) {
			snprintf(what, sizeof(what), "it cannot be read: %s; it is tried again", strerror(why));
			problem(f, sink, what);
		}
		f->is_missing = true;
		f->from_start = true; /* what comes later is new */
		return false;
	}
	f->is_missing = false;
	f->fd = fd;
	if (f->at.is_known || f->from_start) {
		begin_anew(f, &st);
	} else {
		begin_anew(f, &st);
		f->at.offset = (uint64_t)st.st_size;
	}
	note_head(f);
	return true;
}

static uint64_t count_lines(struct bytes b)
{
	uint64_t n = 0;

	for (const unsigned char *p = b.at, *end = b.at + b.len; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		n++;
	return n;
}

static void tell(struct follow *f, struct bytes lines, const struct follow_sink *sink)
{
	uint64_t line = f->at.line + 1, offset = f->at.offset;

	f->at.line += count_lines(lines);
	f->at.offset += lines.len;
	note_head(f);
	sink->lines(sink->ctx, f, lines, line, offset);
}

/* What was left of the last line, for nothing comes behind it any more. */
static void leave(struct follow *f, struct bytes rest, const struct follow_sink *sink)
{
	if (rest.len)
		tell(f, rest, sink);
	fd_close(&f->fd);
	f->at.head_len = 0; /* the next file is the next, whatever it begins with */
	f->from_start = true;
	f->quiet_ms = 0;
}

static bool is_emptied(const struct follow *f, const struct stat *st)
{
	return (uint64_t)st->st_size < f->at.offset || !is_same_head(f, f->fd);
}

/* At the end of what is there: is the file still the one of this name? */
static void look_around(struct follow *f, struct bytes rest, uint64_t now_ms, const struct follow_sink *sink)
{
	struct stat st, named;

	if (fstat(f->fd, &st) < 0) {
		leave(f, rest, sink);
		return;
	}
	if (is_emptied(f, &st)) {
		begin_anew(f, &st);
		return;
	}
	if (stat(f->path, &named) == 0 && named.st_ino == st.st_ino && named.st_dev == st.st_dev) {
		f->quiet_ms = 0;
		return;
	}
	if (!f->quiet_ms)
		f->quiet_ms = now_ms ? now_ms : 1;
	else if (now_ms - f->quiet_ms >= FOLLOW_GRACE_MS)
		leave(f, rest, sink);
}

bool follow_step(struct follow *f, unsigned char *mem, size_t most, uint64_t now_ms, const struct follow_sink *sink)
{
	const unsigned char *last;
	struct bytes got;
	struct stat st;
	ssize_t n;

	if (f->fd < 0 && !open_next(f, sink))
		return false;
	if (fstat(f->fd, &st) == 0 && is_emptied(f, &st))
		begin_anew(f, &st);
	n = pread(f->fd, mem, most, (off_t)f->at.offset);
	if (n < 0) {
		problem(f, sink, strerror(errno));
		fd_close(&f->fd);
		return false;
	}
	got = bytes_of(mem, (size_t)n);
	last = got.len ? memrchr(mem, '\n', got.len) : NULL;
	if (!last && got.len < FOLLOW_LINE_MAX) {
		look_around(f, got, now_ms, sink);
		return false;
	}
	f->quiet_ms = f->quiet_ms ? now_ms : 0;
	tell(f, last ? bytes_cut(got, 0, (size_t)(last - mem) + 1) : bytes_cut(got, 0, FOLLOW_LINE_MAX), sink);
	return (size_t)n == most;
}
