/* Tar archives (ustar; pax for what ustar cannot say) through libarchive, read and written with limits. Only plain files
 * with safe names are there: what else an archive holds is refused, not skipped, and nothing is extracted here. An archive
 * that is read to its end has no byte that says nothing: padding and what follows the end must be zero. */
#ifndef ARCHIVE_TAR_H
#define ARCHIVE_TAR_H

#include "crypto/sha256.h"

#define TAR_NAME_MAX 255

/* Relative, printable ASCII, no backslash, no empty segment, no "." and no "..", at most TAR_NAME_MAX. */
bool tar_name_is_safe(struct bytes name) MUST_USE;

struct tar_limits {
	uint64_t bytes; /* of all contents together */
	size_t members;
};
struct tar_member {
	struct bytes name; /* holds until the next call of tar_reader_next */
	uint64_t size, at; /* at: where its header begins */
};
struct tar_reader;

/* Over a file, which stays the caller's and must be seekable, or over bytes, which must outlive the reader. */
enum err tar_reader_open(int fd, const struct tar_limits *limits, struct tar_reader **out) MUST_USE;
enum err tar_reader_open_bytes(struct bytes b, const struct tar_limits *limits, struct tar_reader **out) MUST_USE;
void tar_reader_free(struct tar_reader **r);
/* The next member; what is left of the one before is passed over. ERR_CLOSED: the end, and all was well. ERR_SYNTAX:
 * damaged, cut off, or bytes where none may be; ERR_DENIED: a name or a kind that is refused; ERR_LIMIT; ERR_IO. After an
 * error it answers the same error again. */
enum err tar_reader_next(struct tar_reader *r, struct tar_member *out) MUST_USE;
/* The next piece of the member's content, a view until the next call; ERR_CLOSED: that was all. */
enum err tar_reader_read(struct tar_reader *r, struct bytes *out) MUST_USE;
/* Appends the whole content; ERR_LIMIT: more than fits in out. */
enum err tar_reader_read_all(struct tar_reader *r, struct text *out) MUST_USE;
/* SHA-256 of the archive's bytes 0 to end. */
enum err tar_reader_digest(struct tar_reader *r, uint64_t end, unsigned char out[SHA256_LEN]) MUST_USE;
/* Where the end's mark begins, once tar_reader_next said ERR_CLOSED: a new member may be written there. */
uint64_t tar_reader_end(const struct tar_reader *r);
/* Where reading is: for progress, and to say where an archive is damaged. */
uint64_t tar_reader_at(const struct tar_reader *r);

struct tar_writer;
/* To a descriptor or to the end of a text; both stay the caller's. */
enum err tar_writer_open(int fd, struct tar_writer **out) MUST_USE;
enum err tar_writer_open_text(struct text *to, struct tar_writer **out) MUST_USE;
void tar_writer_free(struct tar_writer **w);
/* A member of exactly size bytes: begin, add until all are there, end. ERR_DENIED: the name is not safe; ERR_IO: errno. */
enum err tar_writer_begin(struct tar_writer *w, const char *name, uint64_t size, int64_t mtime_s) MUST_USE;
enum err tar_writer_add(struct tar_writer *w, struct bytes b) MUST_USE;
enum err tar_writer_end(struct tar_writer *w) MUST_USE;
/* All of it at once. */
enum err tar_writer_member(struct tar_writer *w, const char *name, struct bytes content, int64_t mtime_s) MUST_USE;
/* SHA-256 of all bytes that were written up to now; between members. */
void tar_writer_digest(const struct tar_writer *w, unsigned char out[SHA256_LEN]);
uint64_t tar_writer_at(const struct tar_writer *w);
/* Writes the end's mark. */
enum err tar_writer_close(struct tar_writer *w) MUST_USE;

#endif
