/* The reader looks at each raw header before libarchive does: what it lets through is a plain file, with at most one
 * small pax header before it, so most of libarchive's formats and extensions are out of reach for a hostile archive. */
#define _GNU_SOURCE
#include "archive/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK	   512
#define PAX_MOST   4096
#define PIECE	   65536
#define TYPE_AT	   156
#define MAGIC_AT   257
#define SIZE_AT	   124
#define SIZE_DIGITS 11

struct tar_reader {
	struct archive *from;
	int fd; /* -1: over bytes */
	struct bytes bytes;
	uint64_t size, fed;		/* of the archive; how much libarchive was given */
	uint64_t header, data, content; /* this member: its header, where its content begins, how much that is */
	uint64_t taken;			/* of its content */
	uint64_t total;
	size_t count;
	struct tar_limits limits;
	bool is_inside;
	enum err failed;
	unsigned char name[TAR_NAME_MAX + 1], buf[PIECE];
};

bool tar_name_is_safe(struct bytes name)
{
	if (name.len == 0 || name.len > TAR_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < 0x20 || name.at[i] > 0x7e || name.at[i] == '\\')
			return false;
	for (;;) {
		size_t n = bytes_find_byte(name, '/');
		struct bytes segment = bytes_cut(name, 0, n);

		if (segment.len == 0 || bytes_eq(segment, BYTES(".")) || bytes_eq(segment, BYTES("..")))
			return false;
		if (n == SIZE_MAX)
			return true;
		name = bytes_cut(name, n + 1, name.len);
	}
}

/* Up to len bytes at offset at; fewer only at the archive's end. */
static enum err read_at(const struct tar_reader *r, uint64_t at, void *out, size_t len, size_t *got)
{
	size_t n = 0;

	if (r->fd < 0) {
		struct bytes part = at < r->bytes.len ? bytes_cut(r->bytes, (size_t)at, r->bytes.len) : BYTES("");

		*got = part.len < len ? part.len : len;
		if (*got)
			memcpy(out, part.at, *got);
		return OK;
	}
	while (n < len) {
		ssize_t more = pread(r->fd, (unsigned char *)out + n, len - n, (off_t)(at + n));

		if (more < 0)
			return ERR_IO;
		if (more == 0)
			break;
		n += (size_t)more;
	}
	*got = n;
	return OK;
}

static la_ssize_t feed(struct archive *a, void *ctx, const void **out)
{
	struct tar_reader *r = ctx;
	size_t n;

	if (read_at(r, r->fed, r->buf, sizeof(r->buf), &n) != OK) {
		archive_set_error(a, EIO, "reading failed");
		return -1;
	}
	r->fed += n;
	*out = r->buf;
	return (la_ssize_t)n;
}

static la_int64_t pass_over(struct archive *a, void *ctx, la_int64_t n)
{
	struct tar_reader *r = ctx;
	uint64_t left = r->size > r->fed ? r->size - r->fed : 0, step = n > 0 ? (uint64_t)n : 0;

	(void)a;
	if (step > left)
		step = left;
	r->fed += step;
	return (la_int64_t)step;
}

static enum err start(struct tar_reader *r, const struct tar_limits *limits, struct tar_reader **out)
{
	r->limits = *limits;
	r->from = archive_read_new();
	if (!r->from || archive_read_support_format_tar(r->from) != ARCHIVE_OK ||
		archive_read_set_read_callback(r->from, feed) != ARCHIVE_OK ||
		archive_read_set_skip_callback(r->from, pass_over) != ARCHIVE_OK ||
		archive_read_set_callback_data(r->from, r) != ARCHIVE_OK) {
		tar_reader_free(&r);
		return ERR_MEMORY;
	}
	*out = r;
	return OK;
}

enum err tar_reader_open(int fd, const struct tar_limits *limits, struct tar_reader **out)
{
	struct stat st;
	struct tar_reader *r;

	if (fstat(fd, &st) < 0)
		return ERR_IO;
	if (!S_ISREG(st.st_mode))
		return ERR_UNSUPPORTED;
	r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_MEMORY;
	r->fd = fd;
	r->size = (uint64_t)st.st_size;
	return start(r, limits, out);
}

enum err tar_reader_open_bytes(struct bytes b, const struct tar_limits *limits, struct tar_reader **out)
{
	struct tar_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return ERR_MEMORY;
	r->fd = -1;
	r->bytes = b;
	r->size = b.len;
	return start(r, limits, out);
}

void tar_reader_free(struct tar_reader **r)
{
	if (!*r)
		return;
	archive_read_free((*r)->from);
	free(*r);
	*r = NULL;
}

static bool is_zero(const unsigned char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (at[i])
			return false;
	return true;
}

/* Bytes from..to of the archive are there and zero. */
static enum err must_be_zero(const struct tar_reader *r, uint64_t from, uint64_t to)
{
	unsigned char buf[4096];

	while (from < to) {
		size_t want = to - from < sizeof(buf) ? (size_t)(to - from) : sizeof(buf), got;

		TRY(read_at(r, from, buf, want, &got));
		if (got != want || !is_zero(buf, got))
			return ERR_SYNTAX;
		from += got;
	}
	return OK;
}

static uint64_t padded(uint64_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static enum err block_at(const struct tar_reader *r, uint64_t at, unsigned char out[BLOCK])
{
	size_t got;

	TRY(read_at(r, at, out, BLOCK, &got));
	return got == BLOCK ? OK : ERR_SYNTAX;
}

/* The size field of a small member, in octal. */
static enum err octal(const unsigned char *at, uint64_t *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < SIZE_DIGITS; i++) {
		unsigned digit = at[i] - (unsigned)'0';

		if (digit > 7)
			return ERR_SYNTAX;
		n = n * 8 + digit;
	}
	*out = n;
	return OK;
}

/* What stands at the next header's place, before libarchive sees it. */
static enum err look_ahead(struct tar_reader *r, uint64_t at, uint64_t *data)
{
	unsigned char block[BLOCK];
	uint64_t pax;

	TRY(block_at(r, at, block));
	if (is_zero(block, BLOCK)) { /* the end: two blocks at least, and nothing behind them */
		if (r->size - at < 2 * BLOCK)
			return ERR_SYNTAX;
		TRY(must_be_zero(r, at, r->size));
		return ERR_CLOSED;
	}
	if (memcmp(block + MAGIC_AT, "ustar\0" "00", 8) != 0)
		return ERR_SYNTAX;
	if (block[TYPE_AT] == 'x') {
		TRY(octal(block + SIZE_AT, &pax));
		if (pax > PAX_MOST)
			return ERR_LIMIT;
		TRY(must_be_zero(r, at + BLOCK + pax, at + BLOCK + padded(pax)));
		at += BLOCK + padded(pax);
		TRY(block_at(r, at, block));
	}
	if (block[TYPE_AT] != '0')
		return ERR_DENIED;
	*data = at + BLOCK;
	return OK;
}

static enum err take_entry(struct tar_reader *r, struct archive_entry *e, struct tar_member *out)
{
	struct bytes name = bytes_str(archive_entry_pathname(e));
	int64_t size = archive_entry_size(e);

	if (archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e) || archive_entry_symlink(e) ||
		archive_entry_sparse_count(e) > 0 || !tar_name_is_safe(name))
		return ERR_DENIED;
	if (!archive_entry_size_is_set(e) || size < 0 || (uint64_t)size > r->size)
		return ERR_SYNTAX;
	if (r->count >= r->limits.members || (uint64_t)size > r->limits.bytes - r->total)
		return ERR_LIMIT;
	r->count++;
	r->total += (uint64_t)size;
	r->content = (uint64_t)size;
	r->taken = 0;
	r->is_inside = true;
	memcpy(r->name, name.at, name.len);
	out->name = bytes_of(r->name, name.len);
	out->size = r->content;
	out->at = r->header;
	return OK;
}

static enum err step(struct tar_reader *r, struct tar_member *out)
{
	struct archive_entry *e;
	uint64_t at = r->is_inside ? r->data + padded(r->content) : 0, data = 0;

	if (r->is_inside) {
		if (at > r->size)
			return ERR_SYNTAX;
		TRY(must_be_zero(r, r->data + r->content, at));
	} else if (archive_read_open1(r->from) != ARCHIVE_OK) {
		return ERR_SYNTAX;
	}
	r->header = at;
	TRY(look_ahead(r, at, &data));
	if (archive_read_next_header(r->from, &e) != ARCHIVE_OK || archive_read_header_position(r->from) != (la_int64_t)at)
		return ERR_SYNTAX;
	r->data = data;
	return take_entry(r, e, out);
}

enum err tar_reader_next(struct tar_reader *r, struct tar_member *out)
{
	if (r->failed == OK)
		r->failed = step(r, out);
	return r->failed;
}

static enum err take(struct tar_reader *r, struct bytes *out)
{
	const void *at;
	size_t len;
	la_int64_t offset;
	int e = archive_read_data_block(r->from, &at, &len, &offset);

	if (e == ARCHIVE_EOF)
		return r->taken == r->content ? ERR_CLOSED : ERR_SYNTAX;
	if (e != ARCHIVE_OK || (uint64_t)offset != r->taken || len > r->content - r->taken)
		return ERR_SYNTAX;
	r->taken += len;
	*out = bytes_of(at, len);
	return OK;
}

enum err tar_reader_read(struct tar_reader *r, struct bytes *out)
{
	enum err e;

	if (r->failed != OK)
		return r->failed;
	e = take(r, out);
	if (e != OK && e != ERR_CLOSED)
		r->failed = e;
	return e;
}

enum err tar_reader_read_all(struct tar_reader *r, struct text *out)
{
	struct bytes piece;
	enum err e;

	while ((e = tar_reader_read(r, &piece)) == OK)
		text_add(out, piece);
	return e != ERR_CLOSED ? e : out->failed ? ERR_LIMIT : OK;
}

enum err tar_reader_digest(struct tar_reader *r, uint64_t end, unsigned char out[SHA256_LEN])
{
	static unsigned char buf[PIECE];
	struct sha256 *s = sha256_new();
	enum err e = OK;

	sha256_begin(s);
	for (uint64_t at = 0; e == OK && at < end;) {
		size_t want = end - at < sizeof(buf) ? (size_t)(end - at) : sizeof(buf), got = 0;

		e = read_at(r, at, buf, want, &got);
		if (e == OK && got != want)
			e = ERR_SYNTAX;
		sha256_add(s, bytes_of(buf, got));
		at += got;
	}
	if (e == OK)
		sha256_end(s, out);
	sha256_free(&s);
	return e;
}

uint64_t tar_reader_end(const struct tar_reader *r)
{
	return r->header;
}

uint64_t tar_reader_at(const struct tar_reader *r)
{
	return r->is_inside && r->failed == OK ? r->data + r->taken : r->header;
}
