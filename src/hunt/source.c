/* Folders are walked by descriptor, so that nobody can put a link in the way; each layer of packing is one more stream. */
#define _GNU_SOURCE
#include "hunt/source.h"

#include "base/fd.h"
#include "hunt/stream_priv.h"

#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHERE_MAX (LAYOUT_PATH_MAX * 2)

struct reading {
	struct hunt_layout *layout;
	const struct hunt_sink *sink;
	uint64_t read, told, unpacked, unpacked_max, members;
	bool one_file_system;
	uint64_t device;
};

static void problem(struct reading *r, const char *where, const char *what)
{
	r->sink->problem(r->sink->ctx, where, what);
}

static const char *words_of(enum err e)
{
	switch (e) {
	case ERR_LIMIT: return "unpacks to far more than a log or a bundle does (a bomb?); the rest of it was not read";
	case ERR_IO: return "cannot be read to its end";
	case ERR_MEMORY: return "no memory to read it";
	default: return "damaged or cut off; what came before that was read";
	}
}

static void progress(struct reading *r, const char *where)
{
	if (!r->sink->progress || r->read - r->told < (8u << 20))
		return;
	r->told = r->read;
	r->sink->progress(r->sink->ctx, r->read, where);
}

static void read_stream(struct reading *r, struct stream *s, struct hunt_file *f, const char *rel, unsigned layers);

static void read_plain(struct reading *r, struct stream *s, struct hunt_file *f, bool is_packed)
{
	uint64_t offset = 0;
	struct bytes b;
	enum err e;

	if (!r->sink->file(r->sink->ctx, f))
		return;
	while ((e = stream_next(s, &b)) == OK) {
		if (is_packed && (r->unpacked += b.len) > r->unpacked_max) {
			e = ERR_LIMIT;
			break;
		}
		r->sink->bytes(r->sink->ctx, b, offset);
		offset += b.len;
		progress(r, f->where);
	}
	if (e == ERR_CLOSED)
		e = OK;
	if (e != OK)
		problem(r, f->where, words_of(e));
	r->sink->end(r->sink->ctx, e);
}

static enum hunt_kind kind_of(mode_t mode)
{
	return S_ISREG(mode) ? HUNT_REGULAR : S_ISDIR(mode) ? HUNT_DIRECTORY : S_ISLNK(mode) ? HUNT_SYMLINK : HUNT_OTHER;
}

static void read_member(struct reading *r, struct archive *a, struct archive_entry *entry, const struct hunt_file *outer, unsigned layers)
{
	const char *name = archive_entry_pathname(entry), *target = archive_entry_symlink(entry), *user = archive_entry_uname(entry);
	char path[LAYOUT_PATH_MAX], where[WHERE_MAX], rel[LAYOUT_PATH_MAX];
	struct hunt_file f = { .path = path, .where = where, .has_owner = true, .has_times = archive_entry_mtime_is_set(entry) };
	struct stream *s;

	if (!name || snprintf(rel, sizeof(rel), "%s", name) >= (int)sizeof(rel) || !hunt_layout_map(r->layout, name, false, path)) {
		problem(r, outer->where, "a member has a name that is none, or too long; it was not read");
		return;
	}
	if (snprintf(where, sizeof(where), "%s!%s", outer->where, name) >= (int)sizeof(where)) {
		problem(r, outer->where, "members in members have a name that is too long; one was not read");
		return;
	}
	f.kind = kind_of(archive_entry_filetype(entry));
	f.mode = archive_entry_mode(entry) & 07777;
	f.uid = (uint32_t)archive_entry_uid(entry);
	f.gid = (uint32_t)archive_entry_gid(entry);
	f.user = user ? user : "";
	f.group = "";
	f.target = target ? target : "";
	f.size = archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0 ? (uint64_t)archive_entry_size(entry) : 0;
	f.mtime_s = archive_entry_mtime(entry);
	f.ctime_s = archive_entry_ctime_is_set(entry) ? archive_entry_ctime(entry) : 0;
	f.birth_s = archive_entry_birthtime_is_set(entry) ? archive_entry_birthtime(entry) : 0;
	if (archive_entry_hardlink(entry)) { /* its content is another member's; its name may be a sign by itself */
		if (r->sink->file(r->sink->ctx, &f))
			r->sink->end(r->sink->ctx, OK);
		return;
	}
	s = stream_of_member(a, f.size);
	if (!s) {
		problem(r, where, words_of(ERR_MEMORY));
		return;
	}
	read_stream(r, s, &f, rel, layers);
	stream_free(&s);
}

static void read_archive(struct reading *r, struct stream *s, const struct hunt_file *outer, unsigned layers)
{
	struct archive *a = stream_archive(s);
	struct archive_entry *entry;
	int result = ARCHIVE_OK;

	while (a && r->members < SOURCE_MEMBERS_MAX && (result = archive_read_next_header(a, &entry)) != ARCHIVE_EOF && result > ARCHIVE_FATAL) {
		r->members++;
		if (result >= ARCHIVE_WARN)
			read_member(r, a, entry, outer, layers);
		else
			problem(r, outer->where, "a member is damaged; the next one is read");
	}
	if (!a || result <= ARCHIVE_FATAL)
		problem(r, outer->where, a && archive_errno(a) == EFBIG ? words_of(ERR_LIMIT) : words_of(ERR_SYNTAX));
	if (r->members >= SOURCE_MEMBERS_MAX)
		problem(r, outer->where, "too many members; the rest of it was not read");
	archive_read_free(a);
}

/* f is given with the content of the innermost layer; an archive is given without content, and then its members. */
static void read_stream(struct reading *r, struct stream *s, struct hunt_file *f, const char *rel, unsigned layers)
{
	enum stream_form form = f->kind == HUNT_REGULAR ? stream_form(s) : STREAM_PLAIN;
	struct stream *above = NULL;

	if (form != STREAM_PLAIN && layers >= SOURCE_LAYERS_MAX) {
		problem(r, f->where, "packed in more layers than are unpacked; it was read as it is");
		form = STREAM_PLAIN;
	}
	switch (form) {
	case STREAM_PLAIN: read_plain(r, s, f, layers > 0); return;
	case STREAM_GZIP: above = stream_gunzip(s); break;
	case STREAM_FILTERED: above = stream_unfilter(s); break;
	case STREAM_ARCHIVE:
		if (*rel && r->sink->file(r->sink->ctx, f))
			r->sink->end(r->sink->ctx, OK);
		read_archive(r, s, f, layers + 1);
		return;
	}
	if (!above) {
		problem(r, f->where, words_of(ERR_MEMORY));
		return;
	}
	read_stream(r, above, f, rel, layers + 1);
	stream_free(&above);
}

static void fill(struct hunt_file *f, const struct statx *st)
{
	f->kind = kind_of(st->stx_mode);
	f->mode = st->stx_mode & 07777;
	f->uid = st->stx_uid;
	f->gid = st->stx_gid;
	f->size = st->stx_size;
	f->mtime_s = st->stx_mtime.tv_sec;
	f->ctime_s = st->stx_ctime.tv_sec;
	f->birth_s = 0; /* of the examiner's file system: it says nothing about a copy's */
	f->user = f->group = f->target = "";
	f->has_times = true;
}

static uint64_t device_of(const struct statx *st)
{
	return (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor;
}

static void read_fd(struct reading *r, int fd, struct hunt_file *f, const char *rel)
{
	struct stream *s = stream_of_fd(fd, &r->read);

	if (!s) {
		problem(r, f->where, words_of(ERR_MEMORY));
		return;
	}
	read_stream(r, s, f, rel, 0);
	stream_free(&s);
}

static void walk(struct reading *r, int dir, const char *where, const char *rel, unsigned depth);

static void read_entry(struct reading *r, int dir, const char *name, const char *where_dir, const char *rel_dir, unsigned depth)
{
	char where[WHERE_MAX], rel[LAYOUT_PATH_MAX], path[LAYOUT_PATH_MAX], target[LAYOUT_PATH_MAX] = "";
	struct hunt_file f = { .path = path, .where = where, .has_owner = true };
	struct statx st;
	ssize_t n;

	if (snprintf(where, sizeof(where), "%s/%s", where_dir, name) >= (int)sizeof(where) ||
		snprintf(rel, sizeof(rel), "%s%s%s", rel_dir, *rel_dir ? "/" : "", name) >= (int)sizeof(rel) || !hunt_layout_map(r->layout, rel, false, path)) {
		problem(r, where_dir, "a name in it is too long; it was not read");
		return;
	}
	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st) < 0) {
		problem(r, where, strerror(errno));
		return;
	}
	fill(&f, &st);
	if (f.kind == HUNT_SYMLINK && (n = readlinkat(dir, name, target, sizeof(target) - 1)) >= 0)
		target[n] = 0;
	f.target = target;
	if (f.kind == HUNT_SYMLINK || f.kind == HUNT_OTHER) {
		if (r->sink->file(r->sink->ctx, &f))
			r->sink->end(r->sink->ctx, OK);
		return;
	}
	AUTO(fd_close) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (f.kind == HUNT_DIRECTORY ? O_DIRECTORY : 0));
	if (fd < 0) {
		problem(r, where, strerror(errno));
		return;
	}
	if (f.kind == HUNT_REGULAR) {
		read_fd(r, fd, &f, rel);
		return;
	}
	if (r->sink->file(r->sink->ctx, &f))
		r->sink->end(r->sink->ctx, OK);
	if (r->one_file_system && device_of(&st) != r->device)
		problem(r, where, "another file system; passed over, as asked");
	else if (depth >= SOURCE_DEPTH_MAX)
		problem(r, where, "folders in folders are too deep (a loop?); it was not read");
	else
		walk(r, fd, where, rel, depth + 1);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_name(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

/* In the order of names, so that two hunts over the same tree tell the same in the same order. */
static void walk(struct reading *r, int dir, const char *where, const char *rel, unsigned depth)
{
	struct dirent **names = NULL;
	int count = scandirat(dir, ".", &names, is_name, by_name);

	if (count < 0)
		problem(r, where, strerror(errno));
	for (int i = 0; i < count; i++) {
		read_entry(r, dir, names[i]->d_name, where, rel, depth);
		free(names[i]);
	}
	free((void *)names);
}

void source_give(struct stream *content, const struct hunt_file *f, struct hunt_layout *layout, uint64_t unpacked_max, const struct hunt_sink *sink)
{
	struct reading r = { .layout = layout, .sink = sink, .unpacked_max = unpacked_max };
	struct hunt_file outer = *f;

	read_stream(&r, content, &outer, f->path, 0);
}

enum err hunt_source_read(const char *path, struct hunt_layout *layout, const struct source_options *o, const struct hunt_sink *sink)
{
	struct reading r = { .layout = layout, .sink = sink, .unpacked_max = o->unpacked_max ? o->unpacked_max : SOURCE_UNPACKED_MAX,
		.one_file_system = o->one_file_system };
	char mapped[LAYOUT_PATH_MAX];
	struct hunt_file f = { .path = mapped, .where = path };
	struct statx st;

	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	r.device = device_of(&st);
	fill(&f, &st);
	if (f.kind == HUNT_DIRECTORY) {
		walk(&r, fd, path, "", 0);
		return OK;
	}
	if (!hunt_layout_map(layout, path, true, mapped)) {
		errno = ENAMETOOLONG;
		return ERR_IO;
	}
	f.kind = HUNT_REGULAR; /* a pipe or a device is read as it comes */
	read_fd(&r, fd, &f, "");
	return OK;
}
