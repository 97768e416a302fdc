/* libarchive unblocked, so that after each member all its bytes are out and the digest is that of a whole number of
 * members. Times and modes are plain; owners are left out: what matters about them stands in the content. */
#define _GNU_SOURCE
#include "archive/tar.h"

#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>

struct tar_writer {
	struct archive *to;
	int fd; /* -1: into text */
	struct text *text;
	struct sha256 *sum;
	uint64_t written, left; /* left: of the member's content */
	int error;		/* errno of the write that failed: nothing is written any more */
};

/* A failure is kept here and not told to libarchive: it leaks what it holds when a write fails. */
static la_ssize_t put(struct archive *a, void *ctx, const void *at, size_t len)
{
	struct tar_writer *w = ctx;
	struct bytes b = bytes_of(at, len);

	(void)a;
	if (w->error)
		return (la_ssize_t)len;
	if (w->fd < 0)
		text_add(w->text, b);
	if (w->fd < 0 ? w->text->failed : fd_write_all(w->fd, b) != OK) {
		w->error = w->fd < 0 || errno == 0 ? ENOMEM : errno;
		return (la_ssize_t)len;
	}
	sha256_add(w->sum, b);
	w->written += len;
	return (la_ssize_t)len;
}

static enum err start(int fd, struct text *text, struct tar_writer **out)
{
	struct tar_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return ERR_MEMORY;
	w->fd = fd;
	w->text = text;
	w->sum = sha256_new();
	sha256_begin(w->sum);
	w->to = archive_write_new();
	if (!w->to || archive_write_set_format_pax_restricted(w->to) != ARCHIVE_OK ||
		archive_write_set_bytes_per_block(w->to, 0) != ARCHIVE_OK ||
		archive_write_set_bytes_in_last_block(w->to, 1) != ARCHIVE_OK ||
		archive_write_open(w->to, w, NULL, put, NULL) != ARCHIVE_OK) {
		tar_writer_free(&w);
		return ERR_MEMORY;
	}
	*out = w;
	return OK;
}

enum err tar_writer_open(int fd, struct tar_writer **out)
{
	return start(fd, NULL, out);
}

enum err tar_writer_open_text(struct text *to, struct tar_writer **out)
{
	return start(-1, to, out);
}

void tar_writer_free(struct tar_writer **w)
{
	if (!*w)
		return;
	if (!(*w)->error)
		(*w)->error = ECANCELED; /* freeing writes an end's mark: not into an archive that was given up */
	archive_write_free((*w)->to);
	sha256_free(&(*w)->sum);
	free(*w);
	*w = NULL;
}

static enum err answer(const struct tar_writer *w, int status)
{
	if (status == ARCHIVE_OK && !w->error)
		return OK;
	errno = w->error ? w->error : EIO;
	return ERR_IO;
}

enum err tar_writer_begin(struct tar_writer *w, const char *name, uint64_t size, int64_t mtime_s)
{
	struct archive_entry *e;
	int status;

	if (!tar_name_is_safe(bytes_str(name)) || size > INT64_MAX)
		return ERR_DENIED;
	e = archive_entry_new();
	if (!e)
		return ERR_MEMORY;
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0600);
	archive_entry_set_size(e, (la_int64_t)size);
	archive_entry_set_mtime(e, mtime_s < 0 ? 0 : mtime_s, 0);
	status = archive_write_header(w->to, e);
	archive_entry_free(e);
	w->left = size;
	return answer(w, status);
}

enum err tar_writer_add(struct tar_writer *w, struct bytes b)
{
	if (b.len > w->left)
		return ERR_LIMIT;
	while (b.len) {
		la_ssize_t n = archive_write_data(w->to, b.at, b.len);

		if (n <= 0 || w->error)
			return answer(w, ARCHIVE_FATAL);
		w->left -= (uint64_t)n;
		b = bytes_cut(b, (size_t)n, b.len);
	}
	return OK;
}

enum err tar_writer_end(struct tar_writer *w)
{
	if (w->left)
		return ERR_ORDER;
	return answer(w, archive_write_finish_entry(w->to));
}

enum err tar_writer_member(struct tar_writer *w, const char *name, struct bytes content, int64_t mtime_s)
{
	TRY(tar_writer_begin(w, name, content.len, mtime_s));
	TRY(tar_writer_add(w, content));
	return tar_writer_end(w);
}

void tar_writer_digest(const struct tar_writer *w, unsigned char out[SHA256_LEN])
{
	sha256_so_far(w->sum, out);
}

uint64_t tar_writer_at(const struct tar_writer *w)
{
	return w->written;
}

enum err tar_writer_close(struct tar_writer *w)
{
	return answer(w, archive_write_close(w->to));
}
