/* gzip is unpacked with zlib, which holds the content against its checksum; libarchive does the others and the archives. */
#include "hunt/stream_priv.h"

#include "hunt/source.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define FILE_PIECE (1u << 20)
#define OUT_PIECE  (256u << 10)

struct fd_state {
	int fd;
	uint64_t *total;
	unsigned char mem[FILE_PIECE];
};
struct gzip_state {
	z_stream z;
	bool between, any;
	unsigned char mem[OUT_PIECE];
};

static struct stream *stream_new(size_t state, struct stream *inner)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->inner = inner;
	s->state = state ? calloc(1, state) : NULL;
	if (state && !s->state) {
		free(s);
		return NULL;
	}
	return s;
}

void stream_free(struct stream **ps)
{
	struct stream *s = *ps;

	*ps = NULL;
	if (!s)
		return;
	if (s->fini)
		s->fini(s);
	free(s->state);
	free(s);
}

struct stream *stream_of_calls(enum err (*next)(struct stream *s, struct bytes *out), void *state)
{
	struct stream *s = stream_new(0, NULL);

	if (!s) {
		free(state);
		return NULL;
	}
	s->next = next;
	s->state = state;
	return s;
}

static enum err next_of_fd(struct stream *s, struct bytes *out)
{
	struct fd_state *f = s->state;
	ssize_t n;

	do {
		n = read(f->fd, f->mem, sizeof(f->mem));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return ERR_IO;
	*f->total += (uint64_t)n;
	*out = bytes_of(f->mem, (size_t)n);
	return n ? OK : ERR_CLOSED;
}

struct stream *stream_of_fd(int fd, uint64_t *total)
{
	struct stream *s = stream_new(sizeof(struct fd_state), NULL);
	struct fd_state *f = s ? s->state : NULL;

	if (!s)
		return NULL;
	f->fd = fd;
	f->total = total;
	s->next = next_of_fd;
	return s;
}

static enum err is_bounded(const struct stream *s)
{
	return s->out > SOURCE_RATIO_FROM && s->out / SOURCE_RATIO_MAX > s->in ? ERR_LIMIT : OK;
}

/* More input for zlib; ERR_CLOSED: there is none. */
static enum err feed(struct stream *s, struct gzip_state *g)
{
	struct bytes in;

	if (g->z.avail_in)
		return OK;
	TRY(stream_next(s->inner, &in));
	s->in += in.len;
	g->z.next_in = (unsigned char *)(uintptr_t)in.at; /* zlib only reads it */
	g->z.avail_in = (uInt)in.len;
	return OK;
}

/* After a member: another one may follow, or zeros, or what is no gzip and is left alone. */
static enum err begin_member(struct gzip_state *g)
{
	while (g->z.avail_in && *g->z.next_in == 0)
		g->z.next_in++, g->z.avail_in--;
	if (g->z.avail_in == 0)
		return ERR_AGAIN;
	if (g->any && *g->z.next_in != 0x1f)
		return ERR_CLOSED;
	g->between = false;
	g->any = true;
	return inflateReset(&g->z) == Z_OK ? OK : ERR_SYNTAX;
}

static enum err next_of_gzip(struct stream *s, struct bytes *out)
{
	struct gzip_state *g = s->state;

	g->z.next_out = g->mem;
	g->z.avail_out = sizeof(g->mem);
	while (g->z.avail_out) {
		enum err e = feed(s, g);
		int z;

		if (e == ERR_CLOSED && g->between)
			break;
		if (e == OK && g->between)
			e = begin_member(g);
		if (e == ERR_AGAIN)
			continue;
		if (e == ERR_CLOSED && g->between)
			break;
		if (e != OK) {
			s->failed = e == ERR_CLOSED ? ERR_SYNTAX : e; /* what came until here is given first */
			break;
		}
		z = inflate(&g->z, Z_NO_FLUSH);
		g->between = z == Z_STREAM_END;
		if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR) {
			s->failed = ERR_SYNTAX;
			break;
		}
	}
	*out = bytes_of(g->mem, sizeof(g->mem) - g->z.avail_out);
	s->out += out->len;
	if (out->len == 0)
		return s->failed ? s->failed : ERR_CLOSED;
	return is_bounded(s);
}

static void fini_gzip(struct stream *s)
{
	struct gzip_state *g = s->state;

	inflateEnd(&g->z);
}

struct stream *stream_gunzip(struct stream *inner)
{
	struct stream *s = stream_new(sizeof(struct gzip_state), inner);
	struct gzip_state *g = s ? s->state : NULL;

	if (!s)
		return NULL;
	s->next = next_of_gzip;
	g->between = true;
	if (inflateInit2(&g->z, 16 + MAX_WBITS) != Z_OK) {
		stream_free(&s);
		return NULL;
	}
	s->fini = fini_gzip;
	return s;
}

static la_ssize_t on_read(struct archive *a, void *ctx, const void **at)
{
	struct stream *s = ctx;
	struct bytes b = { 0 };
	enum err e;

	do {
		e = stream_next(s, &b);
	} while (e == OK && b.len == 0);
	if (e == ERR_CLOSED)
		return 0;
	if (e != OK) {
		archive_set_error(a, e == ERR_LIMIT ? EFBIG : EIO, "the layer below is damaged");
		return -1;
	}
	*at = b.at;
	return (la_ssize_t)b.len;
}

struct archive *stream_archive(struct stream *s)
{
	struct archive *a = archive_read_new();

	if (!a)
		return NULL;
	archive_read_support_format_tar(a);
	archive_read_support_format_gnutar(a);
	archive_read_support_format_zip_streamable(a);
	if (archive_read_open(a, s, NULL, on_read, NULL) == ARCHIVE_OK)
		return a;
	archive_read_free(a);
	return NULL;
}

/* Of libarchive's data blocks; holes of sparse files are passed over. */
static enum err next_of_archive(struct stream *s, struct bytes *out)
{
	struct archive *a = s->state;
	const void *at = NULL;
	la_int64_t offset;
	size_t len = 0;
	int r = archive_read_data_block(a, &at, &len, &offset);

	if (r == ARCHIVE_EOF)
		return ERR_CLOSED;
	if (r < ARCHIVE_WARN)
		return archive_errno(a) == EFBIG ? ERR_LIMIT : ERR_SYNTAX;
	*out = bytes_of(at, len);
	s->out += len;
	if (s->inner) {
		s->in = (uint64_t)archive_filter_bytes(a, -1);
		return is_bounded(s);
	}
	return OK;
}

static void fini_filter(struct stream *s)
{
	archive_read_free(s->state);
	s->state = NULL;
}

static void fini_member(struct stream *s)
{
	s->state = NULL; /* the archive is its caller's */
}

struct stream *stream_unfilter(struct stream *inner)
{
	struct stream *s = stream_new(0, inner);
	struct archive *a = archive_read_new();
	struct archive_entry *entry;

	if (!s || !a) {
		stream_free(&s);
		archive_read_free(a);
		return NULL;
	}
	s->state = a;
	s->next = next_of_archive;
	s->fini = fini_filter;
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_format_raw(a);
	if (archive_read_open(a, inner, NULL, on_read, NULL) != ARCHIVE_OK || archive_read_next_header(a, &entry) != ARCHIVE_OK)
		s->failed = ERR_SYNTAX;
	return s;
}

struct stream *stream_of_member(struct archive *a, uint64_t size)
{
	struct stream *s = stream_new(0, NULL);

	(void)size;
	if (!s)
		return NULL;
	s->state = a;
	s->next = next_of_archive;
	s->fini = fini_member;
	return s;
}

static enum err pull(struct stream *s, struct bytes *out)
{
	enum err e;

	if (s->failed)
		return s->failed;
	e = s->next(s, out);
	if (e != OK)
		s->failed = e;
	return e;
}

enum err stream_next(struct stream *s, struct bytes *out)
{
	if (s->head_len) {
		*out = bytes_of(s->head, s->head_len);
		s->head_len = 0;
		return OK;
	}
	if (s->rest.len) {
		*out = s->rest;
		s->rest.len = 0;
		return OK;
	}
	return pull(s, out);
}

enum stream_form stream_form(struct stream *s)
{
	static const struct {
		struct bytes magic;
		size_t at;
		enum stream_form form;
	} forms[] = {
		{ LIT("\x1f\x8b\x08"), 0, STREAM_GZIP },
		{ LIT("\xfd" "7zXZ\0"), 0, STREAM_FILTERED },
		{ LIT("\x28\xb5\x2f\xfd"), 0, STREAM_FILTERED },
		{ LIT("BZh"), 0, STREAM_FILTERED },
		{ LIT("PK\x03\x04"), 0, STREAM_ARCHIVE },
		{ LIT("ustar"), 257, STREAM_ARCHIVE },
	};
	struct bytes piece;

	while (!s->has_head && s->head_len < STREAM_HEAD && pull(s, &piece) == OK) {
		size_t n = piece.len < STREAM_HEAD - s->head_len ? piece.len : STREAM_HEAD - s->head_len;

		if (n)
			memcpy(s->head + s->head_len, piece.at, n);
		s->head_len += n;
		s->rest = bytes_cut(piece, n, piece.len);
	}
	s->has_head = true;
	for (size_t i = 0; i < COUNT_OF(forms); i++)
		if (bytes_starts(bytes_cut(bytes_of(s->head, s->head_len), forms[i].at, s->head_len), forms[i].magic))
			return forms[i].form;
	return STREAM_PLAIN;
}
