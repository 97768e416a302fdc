/* Files and gzip. A gzip bomb costs time up to the limit of bytes, never memory. */
#define _GNU_SOURCE /* asprintf */
#include "nslog/files.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE      65536
#define RANK_OTHER (1ULL << 40) /* names without a number: placed by their lines' time */

struct entry {
	struct nslog_file file;
	int fd;
	uint64_t rank; /* 0: ns.log, N + 1: ns.log.N */
};

struct nslog_files {
	struct entry *entries;
	size_t count;
	struct nslog_options o;
	struct nslog *n;
	z_stream z;
	bool z_ready;
	unsigned char in[PIECE], out[PIECE];
};

typedef void feed(struct nslog *n, struct bytes piece);

/* What one pass over a file still may give, and to whom. */
struct pass {
	struct nslog_files *f;
	struct nslog_file *file;
	feed *to;
	struct nslog *n;
	uint64_t left;
	bool full; /* nothing may be given any more, and there was more */
};

static void give(struct pass *p, struct bytes piece)
{
	if (piece.len > p->left) {
		piece.len = (size_t)p->left;
		p->full = true;
	}
	p->left -= piece.len;
	if (piece.len)
		p->to(p->n, piece);
}

/* 0 at the end and on error, which is noted. */
static size_t read_piece(struct pass *p, int fd)
{
	ssize_t got;

	do {
		got = read(fd, p->f->in, PIECE);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		p->file->error = errno;
	return got > 0 ? (size_t)got : 0;
}

static void pass_plain(struct pass *p, int fd, size_t got)
{
	while (got && !p->full) {
		give(p, bytes_of(p->f->in, got));
		got = read_piece(p, fd);
	}
}

/* Behind a member: zeros are padding, anything else the next member. False: only padding so far. */
static bool skip_padding(z_stream *z)
{
	while (z->avail_in && *z->next_in == 0) {
		z->next_in++;
		z->avail_in--;
	}
	return z->avail_in > 0;
}

/* Gives what lies in z's input. False: the file's end, as far as gzip goes. *inside: a member has begun and not ended. */
static bool inflate_piece(struct pass *p, bool *inside, bool *first)
{
	z_stream *z = &p->f->z;

	z->avail_out = PIECE;
	while ((z->avail_in || z->avail_out == 0) && !p->full) { /* a full output may have more behind it */
		int got;
		if (!*inside && !*first && !skip_padding(z))
			return true;
		*inside = true;
		z->next_out = p->f->out;
		z->avail_out = PIECE;
		got = inflate(z, Z_NO_FLUSH);
		give(p, bytes_of(p->f->out, PIECE - z->avail_out));
		if (got == Z_STREAM_END) {
			*inside = *first = false;
			inflateReset(z);
			z->avail_out = PIECE;
		} else if (got != Z_OK && got != Z_BUF_ERROR) {
			/* A member that did not even begin is something else behind the last one. */
			p->file->trailing = !*first && z->total_out == 0;
			p->file->truncated = !p->file->trailing;
			*inside = false;
			return false;
		}
	}
	return !p->full;
}

static void pass_gzip(struct pass *p, int fd, size_t got)
{
	z_stream *z = &p->f->z;
	bool inside = false, first = true;

	inflateReset(z);
	do {
		z->next_in = p->f->in;
		z->avail_in = (uInt)got;
		if (!inflate_piece(p, &inside, &first))
			return;
		got = read_piece(p, fd);
	} while (got);
	p->file->truncated = inside;
}

/* One pass over e, at most most bytes of text: how many it gave. */
static uint64_t pass(struct nslog_files *f, struct entry *e, struct nslog *n, feed *to, uint64_t most)
{
	struct pass p = { .f = f, .file = &e->file, .to = to, .n = n, .left = most };
	size_t got;

	if (e->fd < 0)
		return 0;
	if (lseek(e->fd, 0, SEEK_SET) < 0) {
		e->file.error = errno;
		return 0;
	}
	got = read_piece(&p, e->fd);
	e->file.gzip = got >= 2 && f->in[0] == 0x1f && f->in[1] == 0x8b;
	if (e->file.gzip)
		pass_gzip(&p, e->fd, got);
	else
		pass_plain(&p, e->fd, got);
	e->file.limited |= p.full;
	return most - p.left;
}

static uint64_t survey(struct nslog_files *f, struct entry *e, struct nslog *n, uint64_t most)
{
	uint64_t bytes;

	nslog_survey_begin(n, e->file.mtime_us);
	bytes = pass(f, e, n, nslog_survey_feed, most);
	nslog_survey_end(n, &e->file.report.dates);
	return bytes;
}

/* ns.log is the newest, then ns.log.0, ns.log.1 ...; *rank is written for ns.log* only. */
static bool rank_of(struct bytes name, uint64_t *rank)
{
	struct bytes n;

	if (!bytes_starts(name, BYTES("ns.log")))
		return false;
	n = bytes_cut(name, 6, name.len);
	if (bytes_ends(n, BYTES(".gz")))
		n.len -= 3;
	if (n.len == 0)
		*rank = 0;
	else if (n.at[0] == '.' && bytes_u64(bytes_cut(n, 1, n.len), rank) == OK && *rank < RANK_OTHER)
		++*rank;
	else
		*rank = RANK_OTHER;
	return true;
}

/* Takes fd. */
static enum err add(struct nslog_files *f, const char *folder, const char *name, int fd, int error)
{
	struct entry *e = &f->entries[f->count];
	struct stat st;

	*e = (struct entry){ .fd = fd, .rank = RANK_OTHER, .file.error = error };
	rank_of(bytes_str(name), &e->rank);
	if (fd >= 0 && fstat(fd, &st) == 0)
		e->file.mtime_us = st.st_mtim.tv_sec > 0 ? (uint64_t)st.st_mtim.tv_sec * 1000000 +
								   (uint64_t)st.st_mtim.tv_nsec / 1000
							 : 0;
	if (asprintf(&e->file.name, "%s%s%s", folder ? folder : "", folder ? "/" : "", name) < 0) {
		fd_close(&e->fd);
		return ERR_MEMORY;
	}
	f->count++;
	return OK;
}

static enum err add_folder(struct nslog_files *f, const char *path, int dir)
{
	DIR *d = fdopendir(dir);
	enum err e = OK;
	struct dirent *de;
	uint64_t rank;

	if (!d) {
		close(dir);
		return ERR_IO;
	}
	while (e == OK && (de = readdir(d))) {
		struct stat st;
		int fd;
		if (!rank_of(bytes_str(de->d_name), &rank))
			continue;
		/* Not a pipe, a device, nor a link to one; a link to a file is followed. */
		if (fstatat(dirfd(d), de->d_name, &st, 0) == 0 && !S_ISREG(st.st_mode))
			continue;
		if (f->count == NSLOG_FILES_MOST) {
			e = ERR_LIMIT;
			break;
		}
		fd = openat(dirfd(d), de->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		e = add(f, path, de->d_name, fd, fd < 0 ? errno : 0);
	}
	closedir(d);
	return e == OK && f->count == 0 ? ERR_NOT_FOUND : e;
}

static enum err add_path(struct nslog_files *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st = { 0 };

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return add_folder(f, path, fd);
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return ERR_IO;
	}
	return add(f, NULL, path, fd, 0);
}

static int newest_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return strcmp(x->file.name, y->file.name);
}

static int oldest_first(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	const struct nslog_dates *p = &x->file.report.dates, *q = &y->file.report.dates;

	if ((p->first_us == 0) != (q->first_us == 0)) /* without a date: last */
		return p->first_us ? -1 : 1;
	if (p->first_us != q->first_us)
		return p->first_us < q->first_us ? -1 : 1;
	if (p->last_us != q->last_us)
		return p->last_us < q->last_us ? -1 : 1;
	return newest_first(b, a);
}

static bool is_decided(const struct nslog_dates *d)
{
	switch (d->how) {
	case NSLOG_HOW_CERTAIN:
	case NSLOG_HOW_HEADER:
	case NSLOG_HOW_FUTURE:
	case NSLOG_HOW_MONOTONE:
	case NSLOG_HOW_STEADY:
	case NSLOG_HOW_MTIME: return true;
	case NSLOG_HOW_NONE:
	case NSLOG_HOW_GIVEN:
	case NSLOG_HOW_SAME:
	case NSLOG_HOW_NEIGHBOUR:
	case NSLOG_HOW_AMBIGUOUS: return false;
	}
	return false;
}

/* An ambiguous file takes the order of the decided one that was rotated nearest to it; entries are newest first. */
static enum err ask_neighbour(struct nslog_files *f, size_t i)
{
	struct nslog_file *file = &f->entries[i].file;
	struct nslog_options o = f->o;
	bool limited = file->limited;
	struct nslog *n;

	for (size_t apart = 1; apart < f->count && o.order == NSLOG_ORDER_UNKNOWN; apart++) {
		if (i >= apart && is_decided(&f->entries[i - apart].file.report.dates))
			o.order = f->entries[i - apart].file.report.dates.order;
		else if (i + apart < f->count && is_decided(&f->entries[i + apart].file.report.dates))
			o.order = f->entries[i + apart].file.report.dates.order;
	}
	if (o.order == NSLOG_ORDER_UNKNOWN)
		return OK;
	n = nslog_new(&o);
	if (!n)
		return ERR_MEMORY;
	survey(f, &f->entries[i], n, file->report.dates.bytes);
	file->report.dates.how = NSLOG_HOW_NEIGHBOUR;
	file->limited = limited; /* one that is still written to has only grown */
	nslog_free(&n);
	return OK;
}

/* The same number twice with the same text: compressed, and not yet removed. */
static void mark_duplicates(struct nslog_files *f)
{
	for (size_t i = 1; i < f->count; i++) {
		const struct nslog_dates *a = &f->entries[i - 1].file.report.dates,
					 *b = &f->entries[i].file.report.dates;
		f->entries[i].file.duplicate =
			f->entries[i].rank < RANK_OTHER && f->entries[i].rank == f->entries[i - 1].rank &&
			a->bytes == b->bytes && a->lines == b->lines && a->first_us == b->first_us &&
			a->last_us == b->last_us && b->lines;
	}
}

static enum err survey_all(struct nslog_files *f, uint64_t most)
{
	if (f->count)
		qsort(f->entries, f->count, sizeof(*f->entries), newest_first);
	for (size_t i = 0; i < f->count; i++)
		most -= survey(f, &f->entries[i], f->n, most);
	for (size_t i = 0; i < f->count; i++) {
		if (f->entries[i].file.report.dates.how == NSLOG_HOW_AMBIGUOUS)
			TRY(ask_neighbour(f, i));
	}
	mark_duplicates(f);
	if (f->count)
		qsort(f->entries, f->count, sizeof(*f->entries), oldest_first);
	return OK;
}

enum err nslog_files_open(
	const char *path, const struct nslog_options *o, uint64_t most_bytes, struct nslog_files **out)
{
	struct nslog_files *f = calloc(1, sizeof(*f));
	enum err e = ERR_MEMORY;

	if (!f)
		return ERR_MEMORY;
	f->o = *o;
	f->entries = calloc(NSLOG_FILES_MOST, sizeof(*f->entries));
	f->n = nslog_new(o);
	f->z_ready = inflateInit2(&f->z, 15 + 16) == Z_OK;
	if (f->entries && f->n && f->z_ready)
		e = add_path(f, path);
	if (e == OK)
		e = survey_all(f, most_bytes ? most_bytes : NSLOG_BYTES_MOST);
	if (e == OK) {
		*out = f;
	} else {
		int kept = errno;
		nslog_files_free(&f);
		errno = kept;
	}
	return e;
}

void nslog_files_free(struct nslog_files **f)
{
	if (!*f)
		return;
	for (size_t i = 0; i < (*f)->count; i++) {
		fd_close(&(*f)->entries[i].fd);
		free((*f)->entries[i].file.name);
	}
	if ((*f)->z_ready)
		inflateEnd(&(*f)->z);
	free((*f)->entries);
	nslog_free(&(*f)->n);
	free(*f);
	*f = NULL;
}

void nslog_files_read(struct nslog_files *f, nslog_on_event *on, void *arg)
{
	for (size_t i = 0; i < f->count; i++) {
		struct entry *e = &f->entries[i];
		struct nslog_dates d = e->file.report.dates;
		bool limited = e->file.limited;
		if (e->file.duplicate)
			continue;
		nslog_file_begin(f->n, bytes_str(e->file.name), &d, on, arg);
		/* Not more than was surveyed: a file that is still written to has grown. */
		pass(f, e, f->n, nslog_feed, d.bytes);
		e->file.limited = limited;
		nslog_file_end(f->n, e->file.truncated || limited);
		e->file.report = *nslog_report(f->n);
	}
}

size_t nslog_files_count(const struct nslog_files *f)
{
	return f->count;
}

const struct nslog_file *nslog_files_at(const struct nslog_files *f, size_t i)
{
	CHECK(i < f->count);
	return &f->entries[i].file;
}

struct nslog_report nslog_files_report(const struct nslog_files *f)
{
	struct nslog_report sum = { 0 };

	for (size_t i = 0; i < f->count; i++)
		nslog_report_add(&sum, &f->entries[i].file.report);
	return sum;
}
