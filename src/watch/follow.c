/* A file is known by its inode and by what it begins with. Whoever renames a log may go on writing to it for a moment, so the old file is
 * left only after it has been quiet for a while; what was renamed while nobody followed is looked for by its inode, what was copied and
 * emptied by what the copy begins with. Files that were rotated in between are read in the order of their last change. */
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

/* Held against chance, not against an enemy, who could write to the log as well. */
static bool head_of(int fd, size_t len, uint64_t *hash)
{
	unsigned char mem[FOLLOW_HEAD_MAX];
	ssize_t n = len ? pread(fd, mem, len, 0) : 0;

	*hash = bytes_hash(BYTES_HASH, bytes_of(mem, n < 0 ? 0 : (size_t)n));
	return n >= 0 && (size_t)n == len;
}

static void note_head(struct follow *f)
{
	size_t len = f->at.offset < FOLLOW_HEAD_MAX ? (size_t)f->at.offset : FOLLOW_HEAD_MAX;

	if (len != f->at.head_len && head_of(f->fd, len, &f->at.head_hash))
		f->at.head_len = (uint32_t)len;
}

static bool begins_with(int fd, size_t len, uint64_t want)
{
	uint64_t hash;

	return !len || (head_of(fd, len, &hash) && hash == want);
}

static bool is_same_head(const struct follow *f, int fd)
{
	return begins_with(fd, f->at.head_len, f->at.head_hash);
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

/* --- other names in the folder --- */

#define IS_SURE 64 /* octets: as many at the beginning of a log, its first date with them, are no other log's */

/* Whether the name is the log's and what rotation adds: ".0", ".1", "-20260524", ".2026-05-24T11". Packed files have other ends. */
static bool is_rotated_name(const char *name, const char *base)
{
	size_t n = strlen(base);

	if (strncmp(name, base, n) != 0 || (name[n] != '.' && name[n] != '-' && name[n] != '_'))
		return false;
	return name[n + strspn(name + n, ".-_:T0123456789")] == 0;
}

/* Opens what fits best of the names in the log's folder that begin as it does. fits: 0: not at all; larger is better. */
static int find_in_folder(const struct follow *f, bool (*is_name)(const char *name, const char *base),
	uint64_t (*fits)(const struct follow *f, int fd, const struct stat *st, const void *ctx), const void *ctx)
{
	size_t dir_len = (size_t)(strrchr(f->path, '/') - f->path) + 1;
	const char *base = f->path + dir_len;
	char path[FOLLOW_PATH_MAX + 300];
	struct dirent *entry;
	uint64_t best = 0;
	int found = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "%.*s", (int)dir_len, f->path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct stat st;
		uint64_t fit;
		int fd;

		if (!is_name(entry->d_name, base))
			continue;
		snprintf(path, sizeof(path), "%.*s%s", (int)dir_len, f->path, entry->d_name);
		fd = open_log(path, &st);
		fit = fd >= 0 ? fits(f, fd, &st, ctx) : 0;
		if (fit > best) {
			best = fit;
			fd_close(&found);
			found = fd;
		} else {
			fd_close(&fd);
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool begins_as(const char *name, const char *base)
{
	return strncmp(name, base, strlen(base)) == 0;
}

static uint64_t changed_ns(const struct stat *st)
{
	return (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
}

static uint64_t fits_as_same(const struct follow *f, int fd, const struct stat *st, const void *ctx)
{
	bool is_inode = st->st_ino == f->at.inode && st->st_dev == f->at.device;

	(void)ctx;
	if ((uint64_t)st->st_size < f->at.offset || (!is_inode && f->at.head_len < IS_SURE) || !is_same_head(f, fd))
		return 0;
	return is_inode ? UINT64_MAX : changed_ns(st);
}

/* The file that we were in, under the name that it has now, or its latest copy. */
static int find_same(const struct follow *f)
{
	return find_in_folder(f, begins_as, fits_as_same, NULL);
}

static bool was_left(const struct follow *f, int fd, const struct stat *st)
{
	for (size_t i = 0; i < FOLLOW_LEFT_MAX; i++) {
		const struct follow_left *l = &f->left[i];

		if (l->inode == st->st_ino && l->device == st->st_dev && begins_with(fd, l->head_len, l->head_hash))
			return true;
	}
	return false;
}

/* Of those that were changed after the one that we leave the earliest; no copy of it. */
static uint64_t fits_as_next(const struct follow *f, int fd, const struct stat *st, const void *ctx)
{
	const struct stat *left = ctx;

	if (changed_ns(st) <= changed_ns(left) || was_left(f, fd, st))
		return 0;
	if (f->at.head_len >= IS_SURE && is_same_head(f, fd))
		return 0;
	return UINT64_MAX - changed_ns(st);
}

static void problem(struct follow *f, const struct follow_sink *sink, const char *what)
{
	sink->problem(sink->ctx, f, what);
}

static void go_on_in(struct follow *f, int fd)
{
	struct stat st;

	f->fd = fd;
	f->is_missing = false;
	f->quiet_ms = 0;
	if (fstat(fd, &st) == 0) { /* a copy has another inode */
		f->at.device = st.st_dev;
		f->at.inode = st.st_ino;
	}
}

/* Of a file that was there it is known where we were in it; of one that we have left, or that was never there, nothing. */
static bool was_in_one(const struct follow *f)
{
	return f->at.is_known && f->at.inode;
}

static bool open_old(struct follow *f, bool is_there, const struct follow_sink *sink)
{
	char what[250];
	int old = find_same(f);

	if (old >= 0) {
		go_on_in(f, old);
		return true;
	}
	if (is_there) {
		snprintf(what, sizeof(what), "it was rotated while nobody followed it, and the file before is not there any more: what came behind line %llu of it was not seen (sluis hunt looks at packed logs)",
			(unsigned long long)f->at.line);
		problem(f, sink, what);
	}
	return false;
}

/* Where there is something to go on with, that first. */
static bool open_next(struct follow *f, const struct follow_sink *sink)
{
	char what[200];
	struct stat st;
	int fd = open_log(f->path, &st);
	int why = errno;

	if (fd >= 0 && was_in_one(f) && st.st_ino == f->at.inode && st.st_dev == f->at.device && (uint64_t)st.st_size >= f->at.offset && is_same_head(f, fd)) {
		go_on_in(f, fd);
		return true;
	}
	if (was_in_one(f) && (fd >= 0 || !f->is_missing) && open_old(f, fd >= 0, sink)) {
		fd_close(&fd);
		return true;
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
	go_on_in(f, fd);
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

/* What was left of the last line, for nothing comes behind it any more. Then what was rotated after this file, or else the one of the
 * log's name, from its beginning. */
static void leave(struct follow *f, struct bytes rest, const struct stat *left, const struct follow_sink *sink)
{
	struct stat st;
	int next;

	f->left[f->left_next++ % FOLLOW_LEFT_MAX] =
		(struct follow_left){ .device = f->at.device, .inode = f->at.inode, .head_hash = f->at.head_hash, .head_len = f->at.head_len };
	next = left ? find_in_folder(f, is_rotated_name, fits_as_next, left) : -1;
	if (rest.len)
		tell(f, rest, sink);
	fd_close(&f->fd);
	f->at = (struct follow_at){ .is_known = true };
	f->from_start = true;
	f->quiet_ms = 0;
	if (next >= 0 && fstat(next, &st) == 0) {
		begin_anew(f, &st);
		f->fd = next;
	} else {
		fd_close(&next);
	}
}

static bool is_emptied(const struct follow *f, const struct stat *st)
{
	return (uint64_t)st->st_size < f->at.offset || !is_same_head(f, f->fd);
}

/* Whoever empties a log has copied it: what came in between our last look and that stands in the copy. */
static void begin_emptied(struct follow *f, const struct stat *st)
{
	int copy = f->at.head_len >= IS_SURE ? find_same(f) : -1;
	struct stat copied;

	if (copy < 0 || fstat(copy, &copied) < 0 || (uint64_t)copied.st_size == f->at.offset) {
		fd_close(&copy);
		begin_anew(f, st);
		return;
	}
	fd_close(&f->fd);
	go_on_in(f, copy);
}

/* At the end of what is there: is the file still the one of this name? */
static void look_around(struct follow *f, struct bytes rest, uint64_t now_ms, const struct follow_sink *sink)
{
	struct stat st, named;

	if (fstat(f->fd, &st) < 0) {
		leave(f, rest, NULL, sink);
		return;
	}
	if (is_emptied(f, &st)) {
		begin_emptied(f, &st);
		return;
	}
	if (stat(f->path, &named) == 0 && named.st_ino == st.st_ino && named.st_dev == st.st_dev) {
		f->quiet_ms = 0;
		f->is_at_end = true;
		return;
	}
	if (!f->quiet_ms)
		f->quiet_ms = now_ms ? now_ms : 1;
	else if (now_ms - f->quiet_ms >= FOLLOW_GRACE_MS)
		leave(f, rest, &st, sink);
}

bool follow_step(struct follow *f, unsigned char *mem, size_t most, uint64_t now_ms, const struct follow_sink *sink)
{
	const unsigned char *last;
	struct bytes got;
	struct stat st;
	ssize_t n;

	f->is_at_end = false;
	if (f->fd < 0 && !open_next(f, sink))
		return false;
	if (fstat(f->fd, &st) == 0 && is_emptied(f, &st))
		begin_emptied(f, &st);
	n = pread(f->fd, mem, most, (off_t)f->at.offset);
	if (n < 0) {
		if (!f->is_failing)
			problem(f, sink, strerror(errno));
		f->is_failing = true;
		fd_close(&f->fd);
		return false;
	}
	f->is_failing = false;
	got = bytes_of(mem, (size_t)n);
	last = got.len ? memrchr(mem, '\n', got.len) : NULL;
	if (!last && got.len < FOLLOW_LINE_MAX) {
		look_around(f, got, now_ms, sink);
		return false;
	}
	f->quiet_ms = f->quiet_ms ? now_ms : 0;
	tell(f, last ? bytes_cut(got, 0, (size_t)(last - mem) + 1) : bytes_cut(got, 0, FOLLOW_LINE_MAX), sink);
	return (size_t)n == most || !last;
}

bool follow_is_at_end(const struct follow *f)
{
	return f->is_missing || f->is_failing || f->is_at_end;
}
